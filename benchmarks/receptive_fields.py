"""Receptive fields by the encoder beside the truth of simulated subjects.

    python benchmarks/receptive_fields.py --seeds 9 --json F --figure fields.png

Trains the encoder of configs/demo.py (the decoder takes a step and is not
used), estimates centre and size of each voxel's receptive field from it, and
compares them with those that the subject was made with, area by area: of the
voxels that are located (`Fields.located`), and of all. As a peer stands what
needs no encoder: the correlation, over training pictures, of a voxel with the
contrast at each place, to which Gaussians are fitted.

Correlations and medians are means over the seeds. Mean errors of the centres
have their standard error over seeds, not over voxels: all voxels of a seed
share the random kernels of its backbone, which look off their middles.
"""

import argparse
import pathlib
import tempfile
import time
from typing import NamedTuple

import numpy as np
from common import demo, write_result

from brainjax import experiment
from brainjax.evaluation.voxels import receptive_fields
from brainjax.methods.selfsup import findings
from brainjax.methods.selfsup import method as selfsup
from brainjax.reports import encoder_figures
from brainjax.simulation import voxels

SIDE = 12  # Places along the picture of the map without an encoder.


class Subject(NamedTuple):
    """What was found of a simulated subject, and the truth."""

    fields: receptive_fields.Fields
    plain: receptive_fields.Fields
    truth: voxels.Voxels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--figure', type=pathlib.Path)
    parser.add_argument('--seeds', type=int, default=3, help='3 or more')
    options = parser.parse_args()

    began = time.monotonic()
    subjects = [of_seed(seed) for seed in range(options.seeds)]
    areas = [*demo().simulated.voxels]
    found = {area: agreement(subjects, area) for area in areas}
    for area, figures in found.items():
        print(area)
        for name, value in figures.items():
            print(f'  {name:22s} {np.round(value, 4)}')
    ours, peer = (
        float(np.mean([found[area][what] for area in areas]))
        for what in ('centre', 'centre_without')
    )
    if options.figure:
        draw(subjects, areas).savefig(
            options.figure, dpi=110, metadata={'Software': None}
        )
    result = {
        'name': 'receptive_fields',
        'unit': 'correlation of estimated and true centres, mean of areas',
        'ours': ours,
        'peer': peer,
        'peer_name': 'contrast correlation without an encoder',
        'ratio': ours / peer,
        'accuracy': found,
        'seeds': options.seeds,
        'seconds': time.monotonic() - began,
        'simulated': True,
    }
    write_result(options.json, result)


def of_seed(seed: int) -> Subject:
    """Trains an encoder on a simulated subject and asks it."""
    config = demo()
    config.seed = seed
    config.decoder.epochs = config.decoder.steps = 1
    data = experiment.open_data(config)
    with tempfile.TemporaryDirectory() as folder:
        fitted = selfsup.fit(data, config, folder)
    train = data.normalised.train
    shown = data.recording.stimuli.images[train.stimulus]
    return Subject(
        findings.biology(fitted, shown, train.fmri, config).fields,
        receptive_fields.fit(without_encoder(shown, np.asarray(train.fmri))),
        voxels.voxel_parameters(
            seed=seed, voxels=dict(config.simulated.voxels)
        ),
    )


def without_encoder(images: np.ndarray, fmri: np.ndarray) -> np.ndarray:
    """Correlates voxels with the contrast at each place, [SIDE, SIDE, V]."""
    n, size = images.shape[:2]
    step = size // SIDE
    blocks = images.reshape(n, SIDE, step, SIDE, step, 3) / 255
    contrast = blocks.std(axis=(2, 4)).mean(axis=-1).reshape(n, -1)
    contrast = (contrast - contrast.mean(0)) / contrast.std(0).clip(1e-6)
    correlation = contrast.T @ (fmri - fmri.mean(0)) / n
    return abs(correlation).reshape(SIDE, SIDE, -1)


def agreement(subjects: list[Subject], area: str) -> dict:
    """How estimates agree with the truth, of an area; see the module."""
    located, everyone, plain, share = [], [], [], []
    for fields, without, truth in subjects:
        mask = truth.area == area
        known = mask & fields.located
        located.append(compared(fields, truth, known))
        everyone.append(compared(fields, truth, mask))
        plain.append(compared(without, truth, mask))
        share.append(known.sum() / mask.sum())

    def mean(of, name):
        return float(np.mean([one[name] for one in of]))

    def errors(of):
        each = np.array([one['error'] for one in of])
        error = each.std(axis=0, ddof=1) / np.sqrt(len(each))
        return {
            axis: (float(each[:, i].mean()), float(error[i]))
            for i, axis in enumerate('xy')
        }

    by_axis, of_all = errors(located), errors(everyone)
    return {
        'located': float(np.mean(share)),
        'centre': mean(located, 'centre'),
        'centre_of_all': mean(everyone, 'centre'),
        'centre_without': mean(plain, 'centre'),
        'slope': mean(located, 'slope'),
        'distance': mean(located, 'distance'),
        'log_size': mean(located, 'log_size'),
        'median_size': mean(located, 'median_size'),
        'median_true_size': mean(located, 'median_true_size'),
        'error_x_and_se': by_axis['x'],
        'error_y_and_se': by_axis['y'],
        'error_x_and_se_of_all': of_all['x'],
        'error_y_and_se_of_all': of_all['y'],
    }


def compared(fields, truth, mask) -> dict:
    """Of the voxels in the mask; centre and slope are means of x and y."""
    found, true = fields.centre[mask], np.float64(truth.centre[mask])
    size, true_size = fields.size[mask], truth.size[mask]
    return {
        'error': (found - true).mean(axis=0),
        'centre': np.mean(
            [np.corrcoef(found[:, i], true[:, i])[0, 1] for i in (0, 1)]
        ),
        'slope': np.mean(
            [np.polyfit(true[:, i], found[:, i], 1)[0] for i in (0, 1)]
        ),
        'distance': np.median(np.linalg.norm(found - true, axis=1)),
        'log_size': np.corrcoef(np.log(size), np.log(true_size))[0, 1],
        'median_size': np.median(size),
        'median_true_size': np.median(true_size),
    }


def draw(subjects: list[Subject], areas: list[str]):
    """Estimates against the truth, of all subjects."""
    fields = receptive_fields.Fields(
        *(np.concatenate(x) for x in zip(*(one.fields for one in subjects)))
    )
    area, centre, size = (
        np.concatenate([getattr(one.truth, name) for one in subjects])
        for name in ('area', 'centre', 'size')
    )
    rois = {name: area == name for name in areas}
    return encoder_figures.recovered(fields, centre, size, rois)


if __name__ == '__main__':
    main()
