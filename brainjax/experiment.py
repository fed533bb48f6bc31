"""One experiment from a config to a report: `brainjax run`."""

import importlib.metadata
import json
import pathlib
import re
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

import brainjax
from brainjax import evaluation
from brainjax.errors import InputError, suggestion
from brainjax.evaluation import network_features, test_subsets
from brainjax.evaluation.audit import run as auditing
from brainjax.io import arrays, files, work_folder
from brainjax.methods import data as loading
from brainjax.methods.faces import method as faces
from brainjax.methods.faces import pictures as face_pictures
from brainjax.methods.inversion import method as deep_reconstruction
from brainjax.methods.selfsup import method as selfsup
from brainjax.pictures import operations
from brainjax.recordings import (
    Recording,
    average_repeats,
    need_pictures,
    normalise,
    select_roi,
)
from brainjax.reports import figures, page
from brainjax.training import hosts

# method -> module with fit, reconstruct and findings.
METHODS = {
    'selfsup': selfsup,
    'inversion': deep_reconstruction,
    'faces': faces,
}
_PICTURE = re.compile(r'\.(png|jpe?g|bmp|gif|tiff?|webp)$', re.IGNORECASE)


def load_recording(config: ConfigDict) -> Recording:
    """Opens or simulates the recording that a config names.

    Raises:
      InputError: the file cannot be used, or the ROI does not exist.
    """
    c = config.recording
    if not c.path and c.required:
        raise InputError(
            f'config.recording.path is empty: this config wants {c.required}.'
        )
    recording = _loading(config).load_recording(config)
    return select_roi(recording, c.roi) if c.roi else recording


def load_pictures(config: ConfigDict) -> np.ndarray:
    """Loads or generates the unpaired pictures, [n, size, size, 3] uint8.

    Raises:
      InputError: the source cannot be used.
    """
    if not config.pictures.number:
        return np.empty((0, config.size, config.size, 3), np.uint8)
    return _loading(config).load_pictures(config)


def _loading(config: ConfigDict) -> types.ModuleType:
    return face_pictures if config.method == 'faces' else loading


def run(config: ConfigDict, workdir: files.PathLike) -> dict[str, Any]:
    """Fits, reconstructs the test trials, scores and reports.

    Args:
      config: of the experiment.
      workdir: gets scores.json, report.html, reconstructions.npz, images/ and
        checkpoints/; a run that was cut off goes on from there.

    Returns:
      What scores.json holds; {} on all hosts but the first, which alone
      writes, scores and reports.

    Raises:
      InputError: something given cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    if config.method not in METHODS:
        raise InputError(
            f'config.method {config.method!r} does not exist.'
            f'{suggestion(config.method, METHODS)} There are: '
            f'{", ".join(METHODS)}.'
        )
    with work_folder.claimed(workdir, config) as folder:
        return _run(METHODS[config.method], config, folder)


def _run(
    method: types.ModuleType, config: ConfigDict, workdir: pathlib.Path
) -> dict[str, Any]:
    timings: dict[str, float] = {}
    with _timed(timings, 'Open the recording and the pictures'):
        recording = load_recording(config)
        shown = need_pictures(recording)
        test = average_repeats(normalise(recording).test)
        evaluation.check_number(len(test), recording.source)
        names = [recording.stimuli.names[i] for i in test.stimulus]
        parts = test_subsets.rows(names, config.recording.groups)
        unpaired = load_pictures(config)
        work_folder.check_data(workdir, recording, unpaired)
    with _timed(timings, 'Fit'):
        fitted = method.fit(recording, unpaired, config, workdir)
    with _timed(timings, 'Reconstruct'):
        images = method.reconstruct(fitted, test.fmri, config)
    with _timed(timings, 'Describe'):
        found = method.findings(fitted, recording, config)
    audited = []
    if config.audit.on:
        with _timed(timings, 'Audit'):
            audited = auditing.of_run(
                method,
                fitted,
                recording,
                unpaired,
                test,
                images,
                config,
                workdir,
            )
    if not hosts.is_first():
        return {}
    truth = shown[test.stimulus]
    with _timed(timings, 'Score'):
        options = {'features': network_features.in_cache(), 'seed': config.seed}
        scores = evaluation.score(truth, images, **options)
        for group, rows in parts.items():
            alone = evaluation.score(truth[rows], images[rows], **options)
            scores |= {f'{k}_of_{group}': entry for k, entry in alone.items()}
    results = {
        'scores': scores | found.scores,
        'method': config.method,
        'simulated': recording.simulated,
        'transductive': found.transductive,
        'config': json.loads(config.to_json_best_effort()),
        'versions': versions(),
    }
    if audited:
        results['audit'] = auditing.as_dicts(audited)
    results = files.json_ready(results)
    arrays.write(
        workdir / 'reconstructions.npz', images=images, names=np.array(names)
    )
    for name, image in zip(_file_names(names), images):
        operations.save_png(workdir / 'images' / name, image)
    files.write_json(workdir / 'scores.json', results)
    page.render(
        workdir / 'report.html',
        title=f'{recording.subject}: what was seen and what was reconstructed',
        method=found.method,
        simulated=recording.simulated,
        transductive=found.transductive,
        scores=results['scores'],
        figures=[
            (
                'Seen and reconstructed',
                'Test pictures, each beside its reconstruction from fMRI '
                'averaged over repeats.',
                figures.montage(truth, images, names=None),
            ),
            *found.figures,
        ],
        config_text=config.to_json_best_effort(indent=2),
        versions=results['versions'],
        timings=timings,
        notes=[f'Recording: {recording.source}.', *found.notes],
        audit=audited,
    )
    return results


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    timings[name] = time.monotonic() - began


def _file_names(names: list[str]) -> list[str]:
    """Returns a PNG's name for each picture's name, all different."""
    stems = [pathlib.PurePath(name).stem for name in names]
    if len(_folded(stems)) < len(stems):
        stems = [
            _PICTURE.sub('', name).replace('/', '_').replace('\\', '_')
            for name in names
        ]
    if len(_folded(stems)) < len(stems):
        stems = [f'{stem}-{i:05d}' for i, stem in enumerate(stems)]
    return [f'{stem}.png' for stem in stems]


def _folded(stems: list[str]) -> set[str]:
    """Names as file systems tell them apart that do not mind capitals."""
    return {stem.casefold() for stem in stems}


def versions() -> dict[str, str]:
    """Versions of what a result depends on, and the kind of device."""
    packages = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')
    return {
        'brainjax': brainjax.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
        'devices': f'{jax.device_count()} x {jax.devices()[0].device_kind}',
    }
