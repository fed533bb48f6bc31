"""20 steps of a VAE-GAN whose gates open and shut.

Run as a program it prints the metrics as JSON.
"""

import json
import sys
import tempfile

import jax
import numpy as np
import tiny_faces

from brainjax.methods.faces.training import fit_vaegan


def get_config():
    c = tiny_faces.get_config()
    c.training.update(epochs=20, steps=1, mirror=True, game='nonsaturating')
    # So small that a bias before a batch norm, whose gradient is rounding
    # around 0, stays where it is; and gates that are often at work.
    c.training.update(learning_rate=1e-4, margin=0.02, pixels=0.1)
    c.checkpoint_every = 20
    return c


def metrics():
    """Returns the history, one record a step."""
    with tempfile.TemporaryDirectory() as folder:
        _, history = fit_vaegan(tiny_faces.pictures(40), get_config(), folder)
    return history


def run_until_killed(folder):
    """Trains in `folder` and says so after each epoch."""
    c = tiny_faces.get_config()
    c.training.update(epochs=10**6, steps=5)
    fit_vaegan(tiny_faces.pictures(40), c, folder)


def fingerprint(variables):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(variables)]


if __name__ == '__main__':
    if len(sys.argv) > 1:
        run_until_killed(sys.argv[1])
    print(
        json.dumps({'devices': jax.local_device_count(), 'history': metrics()})
    )
