"""A VAE-GAN that trains in seconds, and pictures for it."""

import numpy as np
import tiny

from brainjax.methods.faces_config import vanrullen2019

SIZE = 16


def get_config():
    c = vanrullen2019()
    c.size = SIZE
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
