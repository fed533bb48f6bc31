"""Methods beside one another on the same pictures: `brainjax compare`."""

import itertools
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.evaluation import (
    folders,
    identification,
    paired,
    pixels,
    score_files,
)
from brainjax.evaluation.group import run_folders
from brainjax.evaluation.posterior import posterior_scores
from brainjax.evaluation.published import presets
from brainjax.evaluation.scores import Score, Scored
from brainjax.evaluation.statistics import corrected
from brainjax.io import files, provenance
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.reports import comparison_page, methods_text

WRITTEN = ('scores.json', 'per_picture.csv', 'report.html')


class Options(NamedTuple):
    """What `brainjax compare` is asked for.

    Attributes:
      names: of the methods, by default those of their runs or files.
      by: score that pictures are sorted by in the report.
      preset, networks, distractors: see `presets.score`.
      simulated: whether no brain was measured; runs say so themselves.
      transductive: whether responses to the test pictures were used to fit.
      seed, draws: of the bootstrap, the permutations and the sign flips.
      alpha, upright: how pictures are read, see `decoding.Rules`.
    """

    names: Sequence[str] = ()
    by: str = 'pixcorr'
    preset: str = 'own-size'
    networks: Sequence[str] | None = None
    distractors: str | None = None
    simulated: bool = False
    transductive: bool = False
    seed: int = 0
    draws: int = 10_000
    alpha: str = 'grey'
    upright: bool = True


class Method(NamedTuple):
    """One method's reconstructions, in the order of the targets.

    Attributes:
      name: what tables call it.
      images: [n] pictures [height, width, 3].
      samples: [n, k, height, width, 3] draws, or None.
      run: what the scores.json of its run holds, {} if it is no run.
      notes: sentences on how its pictures were read.
    """

    name: str
    images: list[np.ndarray]
    samples: np.ndarray | None
    run: Mapping[str, Any]
    notes: Sequence[str]


def compare(
    sources: Sequence[PathLike],
    truth: PathLike,
    out: PathLike,
    options: Options = Options(),  # noqa: B008 - a value, never changed.
) -> dict[str, Any]:
    """Compares sets of reconstructions of the same pictures, and reports.

    Args:
      sources: two or more, as `folders.read` takes them or folders of runs.
      truth: the pictures that were seen, or a run's folder.
      out: folder that gets scores.json, per_picture.csv and report.html.
      options: what to score.

    Returns:
      What scores.json holds.
    """
    began = time.monotonic()
    presets.check(options.preset)
    run_folders.check_out(out, [*sources, truth])
    truth = run_folders.file_of_run(truth, 'targets.npz')
    target = folders.read(truth, options.alpha, options.upright)
    methods = _read(sources, truth, target, options)
    out = files.writable_folder(out)
    for name in WRITTEN:  # Scoring may take long.
        files.check_replaceable(out / name)
    scored = _score_all(target, methods, options)
    scores = _beside(scored, options)
    results = files.json_ready(
        {
            'scores': scores,
            'compared': list(scored),
            'method': ', '.join(scored),
            'simulated': options.simulated or _any(methods, 'simulated'),
            'transductive': options.transductive
            or _any(methods, 'transductive'),
            'problems': [*target.notes, *_problems(methods)],
            'config': {
                'sources': [str(source) for source in sources],
                'truth': str(truth),
                **options._asdict(),
            },
            'versions': provenance.versions(),
            'fingerprints': {
                'truth': provenance.hash_arrays(*target.images),
                'reconstructions': provenance.hash_arrays(
                    *(image for each in methods for image in each.images)
                ),
            },
        }
    )
    preset = presets.PRESETS[options.preset].about
    results['methods'] = methods_text.of_comparison(
        results, f'Preset {options.preset}: {preset}'
    )
    picture = pixels.distinct(target.images)
    files.write_json(out / 'scores.json', results)
    files.write_text(
        out / 'per_picture.csv',
        score_files.per_picture(target.names, picture, scores),
    )
    comparison_page.render(
        out / 'report.html',
        results,
        **_shown(target.names, identification.first(picture), scored),
        values={
            name: scores[f'{options.by}_{name}'].per_picture for name in scored
        },
        by=options.by,
        notes=_notes(methods, scored, options.preset),
        seconds=time.monotonic() - began,
    )
    return results


def _score_all(
    target: folders.Pictures, methods: Sequence[Method], options: Options
) -> dict[str, Scored]:
    """Scores each method as `evaluate` does, draws where all have them."""
    scored = {each.name: _score(target, each, options) for each in methods}
    if any(each.samples is None for each in methods):
        return scored
    return {
        each.name: _with_draws(scored[each.name], target, each, options)
        for each in methods
    }


def _beside(scored: Mapping[str, Scored], options: Options) -> dict[str, Score]:
    """'SCORE_A' of each method, and 'SCORE_A_minus_B' of every two."""
    alone = {name: each.scores for name, each in scored.items()}
    pairs = paired.all_pairs(alone, options.seed, options.draws)
    check_known('score', options.by, {each['score'] for each in pairs.values()})
    singly = {
        f'{score}_{name}': value | {'score': score, 'method': name}
        for name, found in alone.items()
        for score, value in found.items()
    }
    # Two questions, each with its own q: above chance, and different.
    return corrected(singly) | pairs


def _shown(
    names: Sequence[str], first: np.ndarray, scored: Mapping[str, Scored]
) -> dict[str, Any]:
    """What the page shows of each picture, of equal targets the first."""
    return {
        'names': [names[i] for i in first],
        'target': next(iter(scored.values())).target[first],
        'reconstructions': {
            name: each.reconstruction[first] for name, each in scored.items()
        },
    }


def _notes(
    methods: Sequence[Method], scored: Mapping[str, Scored], preset: str
) -> list[str]:
    return [
        f'Preset {preset}. {presets.PRESETS[preset].about}',
        *next(iter(scored.values())).notes,
        *(f'{m.name}: {note}' for m in methods for note in m.notes),
        *_of_folds([each.name for each in methods if _is_pooled(each)]),
    ]


def _is_pooled(method: Method) -> bool:
    recording = method.run.get('config', {}).get('recording', {})
    return isinstance(recording, dict) and bool(recording.get('folds'))


def _of_folds(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [
        f'Fitted by folds: {", ".join(names)}. The p against chance in this '
        'scores.json exchange pictures of all folds, those of the runs within '
        'folds only. Differences are not touched by that, and count pictures '
        'of one fit as independent.'
    ]


def _read(
    sources: Sequence[PathLike],
    truth: PathLike,
    target: folders.Pictures,
    options: Options,
) -> list[Method]:
    if len(sources) < 2:
        raise InputError(
            'Give two sets of reconstructions at least, and the pictures that '
            'were seen.'
        )
    runs = [_run(source) for source in sources]
    usual = [
        run.get('method', pathlib.Path(source).stem)
        for source, run in zip(sources, runs)
    ]
    names = run_folders.distinct_names(sources, usual, options.names)
    return [
        _method(name, source, run, truth, target, options)
        for name, source, run in zip(names, sources, runs)
    ]


def _method(name, source, run, truth, target, options) -> Method:
    path = run_folders.file_of_run(source, 'reconstructions.npz')
    drawn = folders.read_draws(path)
    if drawn:
        made = drawn.pictures
    else:
        made = folders.read(path, options.alpha, options.upright)
    order = folders.match(made, target, path, truth)
    return Method(
        name,
        [made.images[i] for i in order],
        drawn.samples[order] if drawn else None,
        run,
        [
            *made.notes,
            *(['the mean of its posterior is scored.'] if drawn else []),
        ],
    )


def _run(source: PathLike) -> dict[str, Any]:
    path = pathlib.Path(source) / 'scores.json'
    return files.read_json(path) if path.is_file() else {}


def _score(target, method, options) -> Scored:
    return presets.score(
        target.images,
        method.images,
        options.preset,
        options.networks,
        options.distractors,
        seed=options.seed,
        draws=options.draws,
    )


def _with_draws(scored, target, method, options) -> Scored:
    """Adds the proper scores of draws, at the size of the pictures seen."""
    size = target.images[0].shape[:2]
    seen, images = (
        operations.to_one_size(each, size)
        for each in (target.images, method.images)
    )
    samples = method.samples
    if samples.shape[2:4] != size:
        samples = np.stack([operations.to_one_size(x, size) for x in samples])
    found = posterior_scores.score(
        samples, seen, images, seed=options.seed, draws=options.draws
    )
    proper: dict[str, Score] = {
        name: found[name] for name in posterior_scores.PROPER
    }
    return scored._replace(scores=scored.scores | proper)


def _any(methods: Sequence[Method], key: str) -> bool:
    return any(method.run.get(key, False) for method in methods)


def _problems(methods: Sequence[Method]) -> list[str]:
    """Sentences on what to know before believing a comparison."""
    found = []
    for key, words in (
        ('simulated', 'of a simulated subject'),
        ('transductive', 'transductive'),
    ):
        said = [m for m in methods if key in m.run]
        some = [m.name for m in said if m.run[key]]
        if 0 < len(some) < len(said):
            found.append(f'Only {", ".join(some)} is {words}.')
    for a, b in itertools.combinations(methods, 2):
        if all(map(np.array_equal, a.images, b.images)):
            found.append(f'{a.name} and {b.name} are the same pictures.')
    return found + run_folders.own_problems(
        {method.name: method.run for method in methods}
    )
