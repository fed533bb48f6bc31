"""20 steps of an encoder and a decoder with all that a step can hold.

Run as a program it prints losses and parameters as JSON; with the argument
'draws', of ED with draws of the encoder.
"""

import json
import sys
import tempfile

import flax.traverse_util
import jax
import numpy as np
import tiny

from brainjax.methods.data import prepare
from brainjax.methods.selfsup import method as selfsup
from brainjax.training import hosts, joining


def get_config(draws=False):
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
        pictures_dropout=0.0 if draws else 0.25,
        pictures_draws=draws,
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


def train(draws=False):
    """Returns history, one record a step, and numbers of both networks."""
    with tempfile.TemporaryDirectory() as folder:
        fitted = selfsup.fit(
            prepare(tiny.subject(), tiny.pictures(64, seed=1)),
            get_config(draws),
            folder,
        )
    variables = {'encoder': fitted.encoder, 'decoder': fitted.decoder}
    leaves = flax.traverse_util.flatten_dict(variables, sep='/')
    return fitted.history, {
        name: np.asarray(x).tolist() for name, x in leaves.items()
    }


def main():
    history, variables = train('draws' in sys.argv)
    found = {'devices': jax.device_count(), 'variables': variables, **history}
    if hosts.is_first():
        print(json.dumps(found))
    return 0


if __name__ == '__main__':
    sys.exit(joining.together(main))
