"""A VAE-GAN that trains in seconds, and pictures for it."""

import numpy as np
import tiny

from brainjax.methods.faces.config import vanrullen2019

SIZE = 16


def get_config():
    c = vanrullen2019()
    c.size = SIZE
    c.checkpoint_every = 1
    c.networks.update(
        latents=6,
        channels=(4, 8),
        generator_channels=(8, 4),
        discriminator_channels=(4, 8),
    )
    c.training.update(
        first_feature=1, batch=8, epochs=4, steps=5, learning_rate=1e-3
    )
    return c


def pictures(n, seed=0):
    return np.asarray(tiny.pictures(n, seed, SIZE))


def get_run_config():
    """A whole experiment on generated faces."""
    c = get_config()
    c.simulated.update(n_train=40, n_test=6, test_repeats=4, imagined=3)
    c.simulated.imagery_repeats = 4
    c.simulated.noise_ceiling = 0.95
    c.simulated.voxels = {'V1': 20, 'FFA': 20}
    c.pictures.number = 60
    c.pictures.crop = 1.0
    c.map.rois = ('V1', 'FFA')
    c.references = c.ceilings = False
    # So slow that rounding stays rounding with other numbers of devices.
    c.training.update(epochs=6, learning_rate=1e-4, pixels=1.0)
    return c
