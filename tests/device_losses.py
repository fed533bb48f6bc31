"""20 steps of an encoder and a decoder with all that a step can hold.

Run as a program it prints losses and parameters as JSON, of each kind that it
is given: 'noise', or 'draws', of ED with draws of the encoder, or 'padded', of
four steps with batches that do not divide.
"""

import json
import pathlib
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


def padded():
    """Sizes of batches of which none divides among four devices."""
    c = get_config()
    c.decoder.update(pictures_shift=0)
    c.decoder.update(batch_paired=6, batch_pictures=5, batch_fmri=3)
    c.decoder.update(epochs=4, pictures_dropout=0.0, cache_features=True)
    return c


CONFIGS = {
    'noise': get_config,
    'draws': lambda: get_config(draws=True),
    'padded': padded,
}


def train(*kinds):
    """Returns kind -> (history, one record a step; numbers of both networks).

    Kinds differ in the decoder alone: the encoder is trained once.
    """
    data = prepare(tiny.subject(), tiny.pictures(64, seed=1))
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kind in kinds:
            fitted = selfsup.fit_once(
                data,
                CONFIGS[kind](),
                folder / 'encoder',
                folder / kind,
            )
            variables = {'encoder': fitted.encoder, 'decoder': fitted.decoder}
            leaves = flax.traverse_util.flatten_dict(variables, sep='/')
            found[kind] = (
                fitted.history,
                {key: np.asarray(x).tolist() for key, x in leaves.items()},
            )
    return found


def main():
    found = train(*sys.argv[1:])
    if hosts.is_first():
        print(json.dumps({'devices': jax.device_count(), **found}))
    return 0


if __name__ == '__main__':
    sys.exit(joining.together(main))
