"""Two sets of pictures to scores and a report: `brainjax evaluate`."""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import classification, folders, god, human, presets
from brainjax.evaluation import distractors as outside
from brainjax.evaluation.audit import run as auditing
from brainjax.io import files, provenance
from brainjax.io.files import PathLike
from brainjax.networks import weights
from brainjax.pictures import loading, operations
from brainjax.reports import (
    figures,
    human_test,
    page,
    score_plots,
)

# Presets with a protocol of their own.
OTHERS = {
    'weizmann': 'Gaziv et al. 2022: n-way identification at 112 px by LPIPS '
    'without learned heads, among pictures from outside the test set.',
    'god': 'Chen et al. 2023 and those that follow it: 256 px; error, '
    'correlation, SSIM of colour pictures, LPIPS with AlexNet.',
}
NAMES = (*presets.PRESETS, *OTHERS)
MOST_SHOWN = 60  # Pictures in the report.
MOST_DISTRACTORS = 50_000
COLUMNS = ('value', 'chance', 'low', 'high', 'p', 'n')


class Options(NamedTuple):
    """What `brainjax evaluate` is asked for.

    Attributes:
      preset: one of NAMES.
      networks: see `presets.score`.
      classes: where example pictures of classes are, or a bank as npz.
      distractors: pictures from outside the test set.
      train_pictures: pictures shown in training; a class without one among
        them is novel.
      audit: whether to ask what else may have made the pictures.
      recording: where training stimuli and categories come from, for the
        audit; `reading` are options of its format.
      method: what made the reconstructions.
      simulated: whether no brain was measured.
      transductive: whether responses to the test pictures were used to fit.
      seed, draws: of the bootstrap and the permutations.
      human_results: files with what people chose, see `evaluation.human`.
    """

    preset: str = 'own-size'
    networks: Sequence[str] | None = None
    classes: str | None = None
    distractors: str | None = None
    train_pictures: str | None = None
    audit: bool = False
    recording: str | None = None
    reading: Mapping[str, Any] = MappingProxyType({})
    method: str = 'unknown'
    simulated: bool = False
    transductive: bool = False
    seed: int = 0
    draws: int = 10_000
    human_results: Sequence[str] = ()


def evaluate(
    reconstructions: PathLike,
    truth: PathLike,
    out: PathLike,
    options: Options = Options(),  # noqa: B008 - a value, never changed.
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> dict[str, Any]:
    """Scores one set of pictures against another and writes a report.

    Args:
      reconstructions, truth: as `folders.read` takes them, matched by name.
      out: folder that gets scores.json, scores.csv and report.html,
        classes.csv and class_bank.npz if there are classes, and human.csv if
        there are results of people.
      options: what to score.
      progress: called with what is done and how far.

    Returns:
      What scores.json holds.

    Raises:
      InputError: the pictures, or what else was named, cannot be used.
    """
    presets.check(options.preset, NAMES)
    began = time.monotonic()
    seen, made = folders.read(truth), folders.read(reconstructions)
    order = folders.match(made, seen, reconstructions, truth)
    images = [made.images[i] for i in order]
    judged = human_test.read_results(
        options.human_results,
        seen.names,
        seen.images,
        images,
        seed=options.seed,
        draws=options.draws,
    )
    out = files.writable_folder(out)
    scored = _score(seen.images, images, options)
    scores, notes = dict(scored.scores), [*scored.notes]
    if options.classes:
        classified, sentences = _classify(seen, images, out, options, progress)
        scores |= classified
        notes += sentences
    if judged:
        scores['human_two_way'] = judged.score
        notes += human.sentences(judged)
        rows = human.per_picture(judged)
        files.write_text(
            out / 'human.csv', _csv(('name', 'right', 'answers'), rows)
        )
    audited = []
    if options.audit:
        audited = auditing.of_folders(
            seen,
            images,
            options.train_pictures,
            options.recording,
            options.reading,
            options.seed,
        )
    results = files.json_ready(
        {
            'scores': scores,
            **({'audit': auditing.as_dicts(audited)} if audited else {}),
            'method': options.method,
            'simulated': options.simulated,
            'transductive': options.transductive,
            'config': {
                'reconstructions': str(reconstructions),
                'truth': str(truth),
                **(options._asdict() | {'reading': dict(options.reading)}),
            },
            'versions': provenance.versions(),
        }
    )
    files.write_json(out / 'scores.json', results)
    files.write_text(out / 'scores.csv', as_csv(results['scores']))
    about = OTHERS.get(options.preset) or presets.PRESETS[options.preset].about
    sizes = {image.shape[:2] for image in (*seen.images, *images)}
    if len(sizes) > 1:
        notes.append(
            'The pictures have different sizes and were resized without '
            'cropping.'
        )
    page.render(
        out / 'report.html',
        title='What was seen and what was reconstructed',
        method='a method that was not named'
        if options.method == 'unknown'
        else options.method,
        simulated=options.simulated,
        transductive=options.transductive,
        scores=results['scores'],
        figures=[
            *_figures(scored, seen.names, results['scores']),
            *([human_test.section(judged)] if judged else []),
        ],
        versions=results['versions'],
        timings={'All': time.monotonic() - began},
        notes=[
            f'Preset {options.preset}. {about}',
            'What made the pictures is taken on trust from whoever ran this.',
            *notes,
        ],
        audit=audited,
    )
    return results


def as_csv(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Writes scores as a table, one a line."""
    return _csv(
        ('score', *COLUMNS),
        (
            [name, *(entry[c] for c in COLUMNS)]
            for name, entry in scores.items()
        ),
    )


def _csv(header, rows) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def _score(seen, images, options) -> presets.Scored:
    statistics = {'seed': options.seed, 'draws': options.draws}
    if options.preset == 'weizmann':
        return _weizmann(seen, images, options, statistics)
    if options.preset == 'god':
        return _god(seen, images, options, statistics)
    return presets.score(
        seen, images, options.preset, options.networks, **statistics
    )


def _weizmann(seen, images, options, statistics):
    if not options.distractors:
        raise InputError(
            'The preset weizmann identifies among pictures from outside the '
            'test set; name a folder, a tar archive or tfds:NAME/SPLIT with '
            '--distractors.'
        )
    side = (outside.SIZE, outside.SIZE)
    views = [
        operations.to_one_size(each, side, 'lanczos') for each in (seen, images)
    ]
    measures = {
        name: presets.lpips_function(name)
        for name in options.networks or ('vgg16',)
    }
    pool, _ = loading.load(
        options.distractors,
        outside.SIZE,
        limit=MOST_DISTRACTORS,
        seed=options.seed,
        cached=True,
        fit=operations.whole_lanczos,
    )
    scores = {}
    for name, distances in measures.items():
        scores |= outside.score(
            *views, pool, distances, f'perceptual_{name}', **statistics
        )
    note = f'{len(pool)} distractors from {options.distractors}.'
    return presets.Scored(scores, [note], *views)


def _god(seen, images, options, statistics):
    side = (god.SIZE, god.SIZE)
    views = [operations.to_one_size(each, side) for each in (seen, images)]
    views = [
        np.stack([operations.to_uint8(image) for image in each])
        for each in views
    ]
    lpips, notes = None, []
    needed = ('alexnet', 'lpips_alexnet')
    if options.networks or all(weights.path(n).exists() for n in needed):
        lpips = presets.lpips_function('lpips_alexnet')
    else:
        notes.append(
            'Not scored for want of weights: lpips_alexnet; run `brainjax '
            'fetch lpips_alexnet`.'
        )
    notes.append(
        'Of this protocol the n-way classification by ViT-H/14 and the FID of '
        '64 features are not scored: their networks are not available here.'
    )
    scores = god.score(*views, lpips, **statistics)
    return presets.Scored(scores, notes, *views)


def _classify(seen, images, out, options, progress):
    """Scores classes and writes classes.csv; returns entries and notes."""
    embed = classification.alexnet_embedding()
    if options.classes.endswith('.npz'):
        bank = classification.read(options.classes)
    else:
        bank = classification.build(
            options.classes,
            embed,
            without=[name.rpartition('/')[-1] for name in seen.names],
            progress=lambda done: progress('class examples', done),
        )
        classification.write(out / 'class_bank.npz', bank)
    side = (classification.SIZE, classification.SIZE)
    classes = [classification.class_of(path) for path in seen.paths]
    found = classification.classify(
        embed(operations.to_one_size(images, side, 'bilinear')),
        classes,
        bank,
        seed=options.seed,
        draws=options.draws,
    )
    novel = None
    if options.train_pictures:
        trained = classification.classes_of(options.train_pictures)
        novel = [name not in trained for name in classes]
    files.write_text(
        out / 'classes.csv',
        _csv(
            ('name', 'class', 'place', 'classes', 'novel'),
            (
                [
                    name,
                    label,
                    place,
                    len(bank.names),
                    '' if novel is None else int(novel[i]),
                ]
                for i, (name, label, place) in enumerate(
                    zip(seen.names, classes, found.own)
                )
            ),
        ),
    )
    notes = [
        f'{len(bank.names)} classes with {bank.examples.min()} to '
        f'{bank.examples.max()} examples each.'
    ]
    if novel is not None:
        notes.append(
            f'{sum(novel)} of {len(novel)} pictures are of classes that have '
            'no picture in training.'
        )
    return found.scores, notes


def _figures(scored, names, scores):
    shown = slice(0, MOST_SHOWN)
    first = figures.montage(
        scored.target[shown], scored.reconstruction[shown], names=names[shown]
    )
    caption = 'Each picture that was seen beside its reconstruction'
    if len(names) > MOST_SHOWN:
        caption += f'; the first {MOST_SHOWN} of {len(names)}'
    return [
        ('Seen and reconstructed', f'{caption}.', first),
        (
            'Scores',
            'With 95 % intervals over pictures, each beside its own chance.',
            score_plots.bars(scores),
        ),
    ]
