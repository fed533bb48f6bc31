"""A posterior in seconds: 16-px pictures and voxels that see them linearly.

Run as a program it trains 6 steps and prints their metrics as JSON.
"""

import json
import tempfile

import jax
import numpy as np

from brainjax.methods.data import prepare
from brainjax.methods.posterior.config import posterior
from brainjax.methods.posterior.data import fit_closed_form
from brainjax.methods.posterior.training import fit_flow
from brainjax.recordings import Recording, Stimuli, Trials

SIZE, VOXELS = 16, 60


def get_config():
    c = posterior()
    c.size = SIZE
    c.checkpoint_every = 1
    c.simulated.update(
        n_train=60,
        n_test=8,
        n_unpaired_fmri=4,
        test_repeats=3,
        noise_ceiling=0.9,
        voxels={'V1': 40, 'V4': 20},
    )
    c.pictures.number = 80
    c.draws, c.draw_steps = 20, 4
    c.flow.update(
        channels=(8,),  # Of more levels, test_unet.py.
        groups=4,
        batch_pictures=8,
        batch_paired=4,
        batch_prior=4,
        epochs=3,
        steps=4,
    )
    return c


def pictures(n, seed):
    """Grey discs of any place and size, uint8 [n, size, size, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    place = rng.uniform(2, SIZE - 2, (2, n, 1, 1))
    radius = rng.uniform(1.5, 4, (n, 1, 1))
    away = np.hypot(x - place[0], y - place[1])
    disc = np.uint8(230 * np.clip(radius - away + 0.5, 0, 1) + 10)
    return np.repeat(disc[..., None], 3, axis=-1)


def data(repeats=2, train=40, test=10, seed=0, rectify=False):
    """The `Data` of a subject who saw discs, and whose voxels may rectify."""
    images = pictures(train + test, seed)
    rng = np.random.default_rng([seed, 1])
    weights = rng.standard_normal((SIZE**2, VOXELS)) / 100

    def trials(first, last, times):
        stimulus = np.repeat(np.arange(first, last), times)
        fmri = images[stimulus, ..., 0].reshape(len(stimulus), -1) @ weights
        if rectify:
            fmri = np.abs(fmri - np.median(fmri, axis=0))
        noise = rng.standard_normal(fmri.shape) * 4
        return Trials(np.float32(fmri + noise), stimulus.astype(np.int32))

    names = tuple(f'disc-{i:03d}' for i in range(len(images)))
    recording = Recording(
        subject='discs',
        train=trials(0, train, 1),
        test=trials(train, train + test, repeats),
        stimuli=Stimuli(images, names),
        rois={'V1': np.ones(VOXELS, bool)},
        source='discs',
        simulated=True,
    )
    return prepare(recording, pictures(200, seed + 1))


def history(config):
    of = data()
    with tempfile.TemporaryDirectory() as folder:
        _, training = fit_closed_form(of, 0)
        return fit_flow(config, training, of.fingerprints, folder)[1]


def one_step_an_epoch():
    config = get_config()
    config.flow.update(epochs=6, steps=1)
    config.checkpoint_every = 6
    return config


if __name__ == '__main__':
    found = history(one_step_an_epoch())
    print(json.dumps({'devices': jax.local_device_count(), 'history': found}))
