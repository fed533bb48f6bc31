"""20 steps of a VAE-GAN whose gates open and shut.

Run as a program it prints the metrics as JSON.
"""

import json
import tempfile

import jax
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


if __name__ == '__main__':
    print(
        json.dumps({'devices': jax.local_device_count(), 'history': metrics()})
    )
