"""20 steps of an encoder and a decoder with all that a step can hold.

Run as a program it prints the losses as JSON.
"""

import json
import sys
import tempfile

import jax
import tiny

from brainjax.methods import selfsup
from brainjax.training import hosts, joining


def get_config():
    c = tiny.get_config()
    # Batch norm, dropout and random shifts are in the encoder.
    c.encoder.update(taps=('relu1_2',), pools=(False,), kernels=(3,))
    c.encoder.update(strides=(2,), epochs=20, steps=1)
    c.image_loss.update(taps=('pool1',), tap_weights=(1.0,))
    c.image_loss.distance = 'absolute'
    c.decoder.update(
        blocks=1,
        channels=8,
        norm='batch',
        pictures_shift=1,
        pictures_dropout=0.25,
        pictures_noise=1.0,
        cache_features=False,
        # So small that a unit whose sign is a matter of rounding, of which
        # there is one in some steps, does not turn the whole path.
        learning_rate=1e-3,
        epochs=20,
        steps=1,
    )
    c.checkpoint_every = 20
    return c


def losses():
    """Returns the history of both networks, one record a step."""
    with tempfile.TemporaryDirectory() as folder:
        fitted = selfsup.fit(
            tiny.subject(), tiny.pictures(64, seed=1), get_config(), folder
        )
    return fitted.history


def main():
    found = losses()
    if hosts.first():
        print(json.dumps({'devices': jax.device_count(), **found}))
    return 0


if __name__ == '__main__':
    sys.exit(joining.together(main))
