"""Two sets of pictures to scores and a report: `brainjax evaluate`."""

import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from brainjax.evaluation import (
    class_scores,
    classification,
    folders,
    pixels,
    score_files,
)
from brainjax.evaluation.audit import run as auditing
from brainjax.evaluation.human import choices
from brainjax.evaluation.posterior import posterior_scores
from brainjax.evaluation.published import presets
from brainjax.evaluation.scores import Score, Scored
from brainjax.evaluation.statistics import corrected
from brainjax.io import files, provenance
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.reports import (
    DRAWINGS,
    figures,
    human_test,
    methods_text,
    page,
    score_plots,
)

MOST_SHOWN = 60  # Pictures in the report.
WRITTEN = (
    *('scores.json', 'scores.csv', 'per_picture.csv', 'report.html'),
    *(*class_scores.WRITTEN, 'human.csv'),
)

Progress = Callable[[str, int], None]


class Options(NamedTuple):
    """What `brainjax evaluate` is asked for.

    Attributes:
      preset: one of `presets.PRESETS`.
      networks: see `presets.score`.
      classes: where example pictures of classes are, or a bank as npz.
      distractors: pictures from outside the test set.
      train_pictures: pictures shown in training; a class without one among
        them is novel.
      audit: whether to check if anything but brain activity explains the
        reconstructions.
      recording: where training stimuli and categories come from, for the
        audit; `reading` are options of its format.
      method: what made the reconstructions.
      simulated: whether no brain was measured.
      transductive: whether responses to the test pictures were used to fit.
      seed, draws: of the bootstrap and the permutations.
      human_results: files of what people chose, of `evaluation.human.choices`.
      human_against: another method's reconstructions that they chose between.
      alpha, upright: how both sets are read, see `decoding.Rules`.
      unpaired_pictures: that the method learned from besides, for the audit.
      chosen_from: of how many each reconstruction was chosen by the target.
      problems: sentences that the report begins with.
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
    alpha: str = 'grey'
    upright: bool = True
    human_against: str | None = None
    unpaired_pictures: str | None = None
    chosen_from: int = 1
    problems: Sequence[str] = ()


def evaluate(
    reconstructions: PathLike,
    truth: PathLike,
    out: PathLike,
    options: Options = Options(),  # noqa: B008 - a value, never changed.
    progress: Progress = lambda what, done: None,
) -> dict[str, Any]:
    """Scores one set of pictures against another and writes a report.

    Args:
      reconstructions, truth: as `folders.read` takes them, matched by name.
      out: folder that gets scores.json, scores.csv, per_picture.csv and
        report.html, classes.csv and class_bank.npz if there are classes, and
        human.csv if there are results of people.
      options: what to score.
      progress: called with what is done and how far.

    Returns:
      What scores.json holds.
    """
    presets.check(options.preset)
    began = time.monotonic()
    target = folders.read(truth, options.alpha, options.upright)
    drawn = folders.read_draws(reconstructions)
    made = (
        drawn.pictures
        if drawn
        else folders.read(reconstructions, options.alpha, options.upright)
    )
    order = folders.match(made, target, reconstructions, truth)
    images = [made.images[i] for i in order]
    draws = {'seed': options.seed, 'draws': options.draws}
    other = options.human_against and human_test.matched(
        options.human_against, truth, target, options.alpha, options.upright
    )
    judged = human_test.read_results(
        *(options.human_results, target.names, target.images, images, other),
        **draws,
    )
    out = files.writable_folder(out)
    for name in WRITTEN:  # Scoring may take long.
        files.check_replaceable(out / name)
    scored = presets.score(
        target.images,
        images,
        options.preset,
        options.networks,
        options.distractors,
        **draws,
    )
    parts = [(scored.scores, scored.notes)]
    posterior = []
    if drawn:
        samples = drawn.samples[order]
        *part, posterior = _posterior(target, images, samples, options)
        parts.append(part)
    if options.classes:
        classes = [classification.class_of(path) for path in target.paths]
        part = class_scores.score(
            *(target.names, classes, target.images, images),
            *(options.classes, out),
            trained=options.train_pictures,
            progress=lambda done: progress('class examples', done),
            **draws,
        )
        parts.append(part)
    if judged:
        parts.append(_people(judged, out))
    audited = []
    if options.audit:
        audited = auditing.of_folders(
            target,
            images,
            options.train_pictures,
            options.recording,
            options.reading,
            options.seed,
            options.unpaired_pictures,
            options.chosen_from,
        )
    problems = [*options.problems, *target.notes, *made.notes]
    scores = {k: v for found, _ in parts for k, v in found.items()}
    results = files.json_ready(
        {
            'scores': corrected(scores),
            **({'audit': auditing.as_dicts(audited)} if audited else {}),
            'method': options.method,
            'simulated': options.simulated,
            'transductive': options.transductive,
            'problems': problems,
            'config': {
                'reconstructions': str(reconstructions),
                'truth': str(truth),
                **(options._asdict() | {'reading': dict(options.reading)}),
            },
            'versions': provenance.versions(),
            'fingerprints': {
                'truth': provenance.hash_arrays(*target.images),
                'reconstructions': provenance.hash_arrays(*images),
            },
        }
    )
    preset = presets.PRESETS[options.preset].about
    results['methods'] = methods_text.of_pictures(
        results, f'Preset {options.preset}: {preset}', len(images)
    )
    files.write_json(out / 'scores.json', results)
    files.write_text(
        out / 'scores.csv', score_files.of_scores(results['scores'])
    )
    files.write_text(
        out / 'per_picture.csv',
        score_files.per_picture(
            target.names, pixels.distinct(target.images), scores
        ),
    )
    page.render(
        out / 'report.html',
        title='What was seen and what was reconstructed',
        method='a method that was not named'
        if options.method == 'unknown'
        else options.method,
        simulated=options.simulated,
        transductive=options.transductive,
        problems=problems,
        scores=results['scores'],
        figures=[
            *posterior[:1],
            *_figures(scored, target.names, results['scores']),
            *posterior[1:],
            *([human_test.section(judged)] if judged else []),
        ],
        versions=results['versions'],
        fingerprints=results['fingerprints'],
        methods=results['methods'],
        timings={'All': time.monotonic() - began},
        notes=[
            f'Preset {options.preset}. {preset}',
            'What made the pictures is taken on trust from whoever ran this.',
            *(note for _, notes in parts for note in notes),
            *_sizes([*target.images, *images]),
        ],
        audit=audited,
    )
    return results


def _posterior(
    target: folders.Pictures,
    images: Sequence[np.ndarray],
    samples: np.ndarray,
    options: Options,
) -> tuple[dict[str, Score], list[str], list[tuple]]:
    """Scores draws [n, k, height, width, 3]: scores, notes and figures."""
    statistics = {'seed': options.seed, 'draws': options.draws}
    single = presets.score(
        target.images,
        list(samples[:, 0]),
        options.preset,
        options.networks,
        options.distractors,
        **statistics,
    )
    size, k = target.images[0].shape[:2], samples.shape[1]
    notes = [
        f'{k} draws a picture, scored at the size of the pictures seen. The '
        'picture scores are of the mean of the posterior, those of a single '
        'draw of the first.',
        *posterior_scores.notes(k),
    ]
    seen, means = (
        operations.to_one_size(each, size) for each in (target.images, images)
    )
    if samples.shape[2:4] != size:
        samples = np.stack([operations.to_one_size(x, size) for x in samples])
        notes.append('The draws were resized, which changes their sharpness.')
    scores = posterior_scores.score(samples, seen, means, **statistics)
    scores |= {
        f'{name}_single_draw': each for name, each in single.scores.items()
    }
    found = posterior_scores.figures(
        samples, seen, means, target.names, seed=options.seed
    )
    drawings = [
        (title, caption, DRAWINGS[kind](**found[kind]))
        for kind, (title, caption) in posterior_scores.CAPTIONS.items()
    ]
    return scores, notes, drawings


def _people(
    judged: choices.Judged, out: pathlib.Path
) -> tuple[dict[str, Score], list[str]]:
    """Writes human.csv; returns people's score and what is said of it."""
    rows = choices.per_picture(judged)
    right = 'right' if judged.name == 'human_two_way' else 'chosen'
    table = score_files.as_csv(('name', right, 'answers'), rows)
    files.write_text(out / 'human.csv', table)
    return {judged.name: judged.score}, choices.sentences(judged)


def _sizes(images: Sequence[np.ndarray]) -> list[str]:
    if len({image.shape[:2] for image in images}) == 1:
        return []
    return [
        'The pictures have different sizes and were resized without cropping.'
    ]


def _figures(
    scored: Scored, names: Sequence[str], scores: Mapping[str, Score]
) -> list[tuple]:
    shown = slice(0, MOST_SHOWN)
    caption = 'Each picture that was seen, next to its reconstruction'
    if len(names) > MOST_SHOWN:
        caption += f'; the first {MOST_SHOWN} of {len(names)}'
    return [
        (
            'Seen and reconstructed',
            f'{caption}.',
            figures.montage(
                scored.target[shown],
                scored.reconstruction[shown],
                names=names[shown],
            ),
        ),
        (
            'Scores',
            'With 95 % intervals over pictures, each with its own chance.',
            score_plots.bars(scores),
        ),
    ]
