"""Receptive fields by the encoder beside the truth of a simulated subject.

    python benchmarks/receptive_fields.py --json fields.json --figure fields.png

Trains the encoder of configs/demo.py (the decoder takes a step and is not
used), estimates centre and size of each voxel's receptive field from it, and
correlates them with those that the subject was made with, area by area. As a
peer stands what needs no encoder: the correlation, over training pictures, of
a voxel with the contrast at each place, to which the same Gaussians are fitted.
"""

import argparse
import pathlib
import tempfile
import time

import numpy as np
from common import demo, write_result

from brainjax import experiment
from brainjax.evaluation import receptive_fields
from brainjax.methods.selfsup import findings
from brainjax.methods.selfsup import method as selfsup
from brainjax.reports import encoder_figures
from brainjax.simulation import voxels

SIDE = 12  # Places along the picture of the map without an encoder.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--figure', type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()

    config = demo()
    config.seed = options.seed
    config.decoder.epochs = config.decoder.steps = 1
    data = experiment.open_data(config)
    recording = data.recording
    truth = voxels.voxel_parameters(
        seed=config.seed, voxels=dict(config.simulated.voxels)
    )
    shown = recording.stimuli.images[recording.train.stimulus]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        fitted = selfsup.fit(
            data,
            config,
            folder,
        )
    trained = time.monotonic()
    fields = findings.biology(fitted, shown, config).fields
    seconds = {
        'training': trained - began,
        'fields': time.monotonic() - trained,
    }
    plain = receptive_fields.fit(
        without_encoder(shown, np.asarray(data.normalised.train.fmri))
    )
    areas = {name: truth.area == name for name in config.simulated.voxels}
    found = {
        name: {
            'encoder': agreement(fields, truth, mask),
            'without': agreement(plain, truth, mask),
            'median_size': float(np.nanmedian(fields.size[mask])),
            'median_true_size': float(np.median(truth.size[mask])),
        }
        for name, mask in {**areas, 'all': truth.size > 0}.items()
    }
    for name, both in found.items():
        for what in ('encoder', 'without'):
            figures = [f'{k} {v:.2f}' for k, v in both[what].items()]
            print(f'{name:4s} {what:8s}', *figures)
        sizes = both['median_size'], both['median_true_size']
        print('     size {:.3f}, true {:.3f}'.format(*sizes))
    ours, peer = (
        float(np.mean([found[name][what]['centre'] for name in areas]))
        for what in ('encoder', 'without')
    )
    if options.figure:
        encoder_figures.recovered(
            fields, truth.centre, truth.size, areas
        ).savefig(options.figure, dpi=110, metadata={'Software': None})
    result = {
        'name': 'receptive_fields',
        'unit': 'correlation of estimated and true centres, mean of areas',
        'ours': ours,
        'peer': peer,
        'peer_name': 'contrast correlation without an encoder',
        'ratio': ours / peer,
        'accuracy': found,
        'seconds': seconds,
        'simulated': True,
    }
    write_result(options.json, result)


def without_encoder(images: np.ndarray, fmri: np.ndarray) -> np.ndarray:
    """Correlates voxels with the contrast at each place, [SIDE, SIDE, V]."""
    n, size = images.shape[:2]
    step = size // SIDE
    blocks = images.reshape(n, SIDE, step, SIDE, step, 3) / 255
    contrast = blocks.std(axis=(2, 4)).mean(axis=-1).reshape(n, -1)
    contrast = (contrast - contrast.mean(0)) / contrast.std(0).clip(1e-6)
    correlation = contrast.T @ (fmri - fmri.mean(0)) / n
    return abs(correlation).reshape(SIDE, SIDE, -1)


def agreement(fields, truth, mask) -> dict[str, float]:
    """Correlates estimated with true centres (mean of x and y) and sizes."""

    def r(a, b):
        return float(np.corrcoef(a[mask], b[mask])[0, 1])

    x, y = (r(fields.centre[:, i], truth.centre[:, i]) for i in (0, 1))
    return {
        'centre': (x + y) / 2,
        'x': x,
        'y': y,
        'size': r(np.log(fields.size), np.log(truth.size)),
        'distance': float(
            np.median(
                np.linalg.norm(fields.centre - truth.centre, axis=1)[mask]
            )
        ),
    }


if __name__ == '__main__':
    main()
