"""One experiment from a config to a report: `brainjax run`."""

import functools
import json
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax import evaluation
from brainjax.errors import InputError, check_known
from brainjax.evaluation import (
    identification,
    network_features,
    paired,
    pixels,
    posterior_scores,
    score_files,
    test_subsets,
)
from brainjax.evaluation.audit import run as audit
from brainjax.evaluation.scores import Score
from brainjax.io import arrays, files, provenance
from brainjax.methods import METHODS, references
from brainjax.methods.data import Data, Figure, prepare
from brainjax.pictures import operations
from brainjax.pictures.names import file_stems
from brainjax.reports import draw, page
from brainjax.training import hosts

# What a report calls them.
REFERENCES = {'bayes': 'the closed-form posterior', 'ridge': 'ridge'}


def run(config: ConfigDict, workdir: files.PathLike) -> dict[str, Any]:
    """Fits, reconstructs the test trials, scores and reports.

    Args:
      config: of the experiment.
      workdir: gets scores.json, per_picture.csv, report.html,
        reconstructions.npz, targets.npz, images/ and checkpoints/; an
        interrupted run resumes from there.

    Returns:
      What scores.json holds; {} on all hosts but the first, which alone
      writes, scores and reports.

    Raises:
      InputError: something given cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    check_known('method', config.method, METHODS)
    method, timings = METHODS[config.method], {}
    with provenance.open_run_folder(
        workdir, config, hosts.is_first()
    ) as folder:
        with _timed(timings, 'Open the recording and the pictures'):
            data = open_data(config)
            names = [
                data.recording.stimuli.names[i] for i in data.test.stimulus
            ]
            subsets = test_subsets.rows(names, config.recording.groups)
            if hosts.is_first():
                provenance.check_data(folder, data.fingerprints)
                for problem in data.problems:
                    print(f'Note: {problem}', file=sys.stderr)
        with _timed(timings, 'Fit'):
            fitted = method.fit(data, config, folder)
        with _timed(timings, 'Reconstruct'):
            images = method.reconstruct(fitted, data.test.fmri, config)
        with _timed(timings, 'Describe'):
            found = method.findings(fitted, data, config)
        checks = []
        if config.audit.on:
            with _timed(timings, 'Audit'):
                again = functools.partial(
                    prepare, keep_test=config.pictures.keep_test
                )
                checks = audit.of_run(
                    method, fitted, data, again, images, config, folder
                )
        if not hosts.is_first():
            return {}
        targets = data.recording.stimuli.images[data.test.stimulus]
        beside, bits, told = {}, {}, []
        if config.references:
            with _timed(timings, 'References: ridge, closed-form posterior'):
                beside, bits, told = _references(
                    data, found.references, config.seed
                )
        with _timed(timings, 'Score'):
            scores = _score(targets, images, subsets, config.seed)
            scores |= paired.score(targets, images, beside, config.seed)
            scores |= bits
        results = files.json_ready(
            {
                'scores': scores | found.scores,
                'method': config.method,
                'simulated': data.recording.simulated,
                'transductive': found.transductive or data.test_kept > 0,
                'problems': data.problems,
                'config': json.loads(config.to_json_best_effort()),
                'versions': provenance.versions(),
            }
            | ({'audit': audit.as_dicts(checks)} if checks else {})
        )
        _write(folder, results, names, images, found.arrays)
        _write_by_picture(folder, names, targets, scores)
        seen = Figure(
            'Seen and reconstructed',
            'Test pictures, each beside its reconstruction from fMRI averaged '
            'over repeats'
            + (', and beside those of the references.' if beside else '.'),
            'montage',
            {
                'target': targets,
                'reconstructions': {config.method: images}
                | {REFERENCES[name]: each for name, each in beside.items()}
                if beside
                else images,
            },
        )
        page.render(
            folder / 'report.html',
            title=f'{data.recording.subject}: what was seen and what was '
            'reconstructed',
            method=found.method,
            simulated=data.recording.simulated,
            transductive=found.transductive,
            test_kept=data.test_kept,
            problems=data.problems,
            lead=paired.below(scores, REFERENCES),
            scores=results['scores'],
            figures=[
                (each.title, each.caption, draw(each))
                for each in (seen, *found.figures)
            ],
            config_text=config.to_json_best_effort(indent=2),
            versions=results['versions'],
            timings=timings,
            notes=[
                f'Recording: {data.recording.source}.',
                *evaluation.notes(targets),
                *found.notes,
                *told,
            ],
            audit=checks,
        )
        return results


def _references(
    data: Data, fitted: references.References | None, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]], list[str]]:
    """What the references reconstruct, what is known by them, sentences."""
    if len(np.unique(data.recording.train.stimulus)) < references.LEAST:
        return (
            {},
            {},
            [
                'There are no references: they need '
                f'{references.LEAST} training stimuli.'
            ],
        )
    fitted = fitted or references.fit(data, seed)
    targets = data.recording.stimuli.images[data.test.stimulus]
    bits = posterior_scores.information(
        *references.log_densities(fitted, data.test.fmri, targets),
        pixels.distinct(targets),
        seed=seed,
    )
    return (
        references.reconstruct(fitted, data.test.fmri),
        {f'{name}_bayes': score for name, score in bits.items()},
        fitted.notes,
    )


def open_data(config: ConfigDict) -> Data:
    """Opens or simulates the recording and the pictures of a config.

    Raises:
      InputError: they cannot be used, the ROI does not exist, or there are
        fewer than two test pictures.
    """
    c = config.recording
    if not c.path and c.required:
        raise InputError(
            f'config.recording.path is empty: this config wants {c.required}.'
        )
    data = prepare(
        *METHODS[config.method].load(config),
        keep_test=config.pictures.keep_test,
    )
    evaluation.check_number(len(data.test), data.recording.source)
    return data


def _score(
    targets: np.ndarray,
    images: np.ndarray,
    subsets: dict[str, np.ndarray],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Scores all test pictures, and each subset of them alone."""
    options = {'features': network_features.in_cache(), 'seed': seed}
    scores = evaluation.score(targets, images, **options)
    for name, rows in subsets.items():
        alone = evaluation.score(targets[rows], images[rows], **options)
        scores |= {
            f'{k}_of_{name}': _among_all(score, targets, rows)
            for k, score in alone.items()
        }
    return scores


def _among_all(score: Score, targets: np.ndarray, rows: np.ndarray) -> Score:
    """Gives the pictures of a subset their places among all pictures."""
    picture = pixels.distinct(targets)
    values = np.full(picture.max() + 1, np.nan)
    first = identification.first(pixels.distinct(targets[rows]))
    values[picture[rows][first]] = score.per_picture
    score.per_picture = values
    return score


def _write(
    folder: pathlib.Path,
    results: dict[str, Any],
    names: list[str],
    images: np.ndarray,
    more: Mapping[str, np.ndarray],
) -> None:
    arrays.write(
        folder / 'reconstructions.npz',
        images=images,
        names=np.array(names),
        **more,
    )
    for stem, image in zip(file_stems(names), images):
        operations.save_png(folder / 'images' / f'{stem}.png', image)
    files.write_json(folder / 'scores.json', results)


def _write_by_picture(
    folder: pathlib.Path,
    names: list[str],
    targets: np.ndarray,
    scores: Mapping[str, Score],
) -> None:
    arrays.write(
        folder / 'targets.npz',
        images=operations.unit_range(targets).astype(np.float32),
        names=np.array(names),
    )
    table = score_files.per_picture(names, pixels.distinct(targets), scores)
    files.write_text(folder / 'per_picture.csv', table)


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    timings[name] = time.monotonic() - began
