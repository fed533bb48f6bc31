"""What a run shows in the end: scores, files and a report of its pictures."""

import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax import cross_validation, evaluation
from brainjax.evaluation import (
    ceilings,
    identification,
    network_features,
    paired,
    pixels,
    preregistration,
    score_files,
    test_subsets,
)
from brainjax.evaluation.audit import run as audit
from brainjax.evaluation.posterior import information, posterior_scores
from brainjax.evaluation.published import config_protocol, papers
from brainjax.evaluation.scores import Score
from brainjax.evaluation.statistics import corrected
from brainjax.evaluation.voxels import voxel_values
from brainjax.io import arrays, files, provenance
from brainjax.linear.arrays import evenly
from brainjax.methods.data import Figure
from brainjax.outcome import Outcome
from brainjax.pictures import operations
from brainjax.pictures.names import file_stems
from brainjax.reports import draw, methods_text, page

MOST_SHOWN = 60  # Pictures in the report.
MOST_LIMITS = 12  # Without noise.
# What a report calls them.
REFERENCES = {'bayes': 'the closed-form posterior', 'ridge': 'ridge'}


def conclude(
    config: ConfigDict,
    folder: pathlib.Path,
    outcome: Outcome,
    figures: Sequence[Figure],
    timings: dict[str, float],
) -> dict[str, Any]:
    """Scores, writes and reports; returns what scores.json holds."""
    began = time.monotonic()
    scores = _score(outcome, subsets(config), config.seed)
    protocol = []
    if not cross_validation.is_fold(config):  # All folds are scored so.
        by_protocol, protocol = config_protocol.score(
            *(config, outcome.names, outcome.targets, outcome.images),
            *(outcome.told.get('classes', {}), folder, scores),
        )
        scores |= by_protocol
    limits, curve = _ceilings(outcome, scores, config.seed)
    scores |= limits
    timings['Score'] = time.monotonic() - began
    results, kept = _contents(config, folder, outcome, scores)
    compared = papers.beside(config.published.to_dict(), results['scores'])
    if compared:
        results['published'] = files.json_ready(compared)
    _write(folder, results, outcome)
    _write_by_picture(folder, outcome, scores)
    on_voxels = _write_voxels(folder, outcome)
    if curve:
        table = score_files.as_csv([*curve], zip(*curve.values()))
        files.write_text(folder / 'repeats.csv', table)
    shown = (
        _montage(outcome, config.method),
        *_limits(outcome, scores, curve),
        *figures,
    )
    told = outcome.told
    page.render(
        folder / 'report.html',
        title=f'{told["subject"]}: what was seen and what was reconstructed',
        method=told['method'],
        simulated=told['simulated'],
        transductive=told['transductive'],
        test_kept=told['test_kept'],
        problems=told['problems'],
        lead=paired.below(scores, REFERENCES),
        scores=results['scores'],
        figures=[(each.title, each.caption, draw(each)) for each in shown],
        config_text=config.to_json_best_effort(indent=2),
        versions=results['versions'],
        fingerprints=results['fingerprints'],
        preregistered=kept,
        methods=results['methods'],
        timings=timings,
        notes=[
            f'Recording: {told["source"]}.',
            *cross_validation.notes(outcome, config),
            *evaluation.notes(outcome.targets),
            *protocol,
            *told['notes'],
            *on_voxels,
        ],
        audit=outcome.checks,
        tables=_published(compared, config),
    )
    return results


def _published(
    compared: Mapping[str, Mapping[str, Any]], config: ConfigDict
) -> list[page.Table]:
    if not compared:
        return []
    about = [
        'The same numbers only say that a reproduction is faithful where data '
        'and protocol are the same; the last column says what is not.'
    ]
    if not config.recording.path:
        about.append('This run is of a simulated subject: they cannot agree.')
    return [
        page.Table(
            papers.TITLE,
            about,
            papers.COLUMNS,
            papers.rows(compared),
        )
    ]


def _contents(
    config: ConfigDict,
    folder: pathlib.Path,
    outcome: Outcome,
    scores: Mapping[str, Score],
) -> tuple[dict[str, Any], preregistration.Outcome | None]:
    """What scores.json holds, and what came of a preregistration."""
    told, checks = outcome.told, outcome.checks
    results = files.json_ready(
        {
            # Those of all folds go before means over folds.
            'scores': corrected(
                scores,
                {k: v for k, v in outcome.scores.items() if k not in scores},
            ),
            'method': config.method,
            'simulated': told['simulated'],
            'transductive': told['transductive'] or told['test_kept'] > 0,
            'problems': told['problems'],
            'config': json.loads(config.to_json_best_effort()),
            'versions': provenance.versions(),
            'fingerprints': told['fingerprints'],
        }
        | ({'audit': audit.as_dicts(checks)} if checks else {})
    )
    kept = _registered(config, folder, results, outcome)
    if kept:
        results['preregistration'] = preregistration.as_dict(kept)
    by_folds = cross_validation.notes(outcome, config)
    results['methods'] = methods_text.of_run(
        [*by_folds, *(['In the first fold:'] if by_folds else [])],
        told['measured'],
        told['fitting'],
        results,
    )
    return results, kept


def _registered(
    config: ConfigDict,
    folder: pathlib.Path,
    results: Mapping[str, Any],
    outcome: Outcome,
) -> preregistration.Outcome | None:
    """Compares what was said before with what came of it."""
    said = preregistration.read(config.preregistration.path)
    if said is None:
        return None
    return preregistration.check(
        said,
        results['config'],
        len(np.unique(pixels.distinct(outcome.targets))),
        results['fingerprints'],
        results['scores'],
        provenance.began(folder),
    )


def _montage(outcome: Outcome, method: str) -> Figure:
    n, beside = len(outcome.names), outcome.references
    shown = evenly(n, MOST_SHOWN)
    images = outcome.images[shown]
    return Figure(
        'Seen and reconstructed',
        (
            'Test pictures'
            if n <= MOST_SHOWN
            else f'{MOST_SHOWN} of {n} test pictures'
        )
        + ', each beside its reconstruction from fMRI averaged over repeats'
        + (', and beside those of the references.' if beside else '.'),
        'montage',
        {
            'target': outcome.targets[shown],
            'reconstructions': {method: images}
            | {REFERENCES[k]: each[shown] for k, each in beside.items()}
            if beside
            else images,
        },
    )


def subsets(config: ConfigDict) -> Sequence[str]:
    """Sets of pictures to score apart; one fold may have few of a set."""
    return () if cross_validation.is_fold(config) else config.recording.groups


def _ceilings(
    outcome: Outcome, scores: Mapping[str, Score], seed: int
) -> tuple[dict[str, Score], dict[str, np.ndarray]]:
    """Scores without noise, and from fewer trials; the curve over these."""
    found, curve = {}, {}
    targets, fold = outcome.targets, outcome.fold
    if outcome.ceiling is not None:
        found |= ceilings.score_ceiling(
            targets, outcome.ceiling, scores, fold, seed
        )
    if outcome.repeats is not None:
        trials = outcome.told['trials']
        fewer, steps = ceilings.score_repeats(
            targets, outcome.repeats, trials, fold, seed
        )
        found |= fewer
        curve = ceilings.curve_arrays(steps, scores, trials)
    return found, curve


def _limits(
    outcome: Outcome,
    scores: Mapping[str, Score],
    curve: Mapping[str, np.ndarray],
) -> list[Figure]:
    figures = []
    if curve:
        caption = (
            'Scores of pictures from averages of so many trials, with 95 % '
            'intervals over pictures; dotted is chance'
        )
        best = {
            name: scores[f'{name}_ceiling']['value']
            for name in ceilings.SCORED
            if f'{name}_ceiling' in scores
        }
        if best:
            caption += f', dashed {outcome.told["ceiling_from"]}'
        figures.append(
            Figure(
                'With fewer trials',
                f'{caption}.',
                'repeat_curves',
                {'curve': curve, 'ceilings': best},
            )
        )
    if outcome.ceiling is not None:
        shown = evenly(len(outcome.names), MOST_LIMITS)
        figures.append(
            Figure(
                'Without noise',
                f'Seen; {outcome.told["ceiling_from"]}, without noise; from '
                'fMRI.',
                'montage',
                {
                    'target': outcome.targets[shown],
                    'reconstructions': {
                        'without noise': outcome.ceiling[shown],
                        'from fMRI': outcome.images[shown],
                    },
                },
            )
        )
    return figures


def _score(
    outcome: Outcome, groups: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Scores all test pictures, subsets of them alone, and the references."""
    targets, images, fold = outcome.targets, outcome.images, outcome.fold
    options = {'features': network_features.in_cache(), 'seed': seed}
    scores = evaluation.score(targets, images, fold=fold, **options)
    for name, rows in test_subsets.rows(outcome.names, groups).items():
        of_fold = None if fold is None else fold[rows]
        alone = evaluation.score(
            targets[rows], images[rows], fold=of_fold, **options
        )
        scores |= {
            f'{k}_of_{name}': _among_all(score, targets, rows)
            for k, score in alone.items()
        }
    scores |= paired.score(targets, images, outcome.references, seed, fold)
    bits = _information(outcome, seed) if outcome.densities else {}
    return scores | {f'{name}_bayes': score for name, score in bits.items()}


def _information(outcome: Outcome, seed: int) -> dict[str, dict[str, Any]]:
    if outcome.fold is None:
        [densities] = outcome.densities
        picture = pixels.distinct(outcome.targets)
        return posterior_scores.information(*densities, picture, seed=seed)
    return information.over_folds(
        [
            (*densities, pixels.distinct(outcome.targets[outcome.fold == i]))
            for i, densities in enumerate(outcome.densities)
        ],
        seed=seed,
    )


def _among_all(score: Score, targets: np.ndarray, rows: np.ndarray) -> Score:
    """Gives the pictures of a subset their places among all pictures."""
    picture = pixels.distinct(targets)
    values = np.full(picture.max() + 1, np.nan)
    first = identification.first(pixels.distinct(targets[rows]))
    values[picture[rows][first]] = score.per_picture
    score.per_picture = values
    return score


def _write(
    folder: pathlib.Path, results: dict[str, Any], outcome: Outcome
) -> None:
    arrays.write(
        folder / 'reconstructions.npz',
        images=outcome.images,
        names=outcome.names,
        **outcome.arrays,
    )
    for stem, image in zip(file_stems(outcome.names), outcome.images):
        operations.save_png(folder / 'images' / f'{stem}.png', image)
    files.write_json(folder / 'scores.json', results)


def _write_voxels(folder: pathlib.Path, outcome: Outcome) -> list[str]:
    """Writes what is known of each voxel; says where."""
    if outcome.voxels is None:
        return []
    maps = voxel_values.write(folder, outcome.voxels)
    found = (
        f'What is known of each voxel ({", ".join(outcome.voxels.values)}) is '
        f'in {voxel_values.TABLE} and {voxel_values.ARRAYS}'
    )
    if maps:
        return [
            f'{found}, and as NIfTI files in {voxel_values.MAPS}/; brainjax '
            'maps draws them.'
        ]
    return [
        f'{found}. There are no maps of the brain, as the recording does not '
        'say where its voxels lie.'
    ]


def _write_by_picture(
    folder: pathlib.Path, outcome: Outcome, scores: Mapping[str, Score]
) -> None:
    names, targets = outcome.names, outcome.targets
    arrays.write(
        folder / 'targets.npz',
        images=operations.unit_range(targets).astype(np.float32),
        names=names,
    )
    table = score_files.per_picture(names, pixels.distinct(targets), scores)
    files.write_text(folder / 'per_picture.csv', table)
