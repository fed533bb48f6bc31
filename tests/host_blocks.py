"""One host's part of decoding and inverting features, for test_hosts.py.

    python host_blocks.py TRUE OUT [EVENT]

It prints the blocks that this host has made. The second host kills itself
before it writes its first block of pictures ('kill'), or cannot see what the
first has written ('elsewhere').
"""

import os
import pathlib
import signal
import sys
import time
import zlib

import jax
import tiny

from brainjax.io import feature_folders
from brainjax.methods.inversion import feature_decoding, files
from brainjax.methods.inversion.networks import features
from brainjax.methods.inversion.problem import Settings
from brainjax.methods.inversion.steps import Descent
from brainjax.networks import frozen
from brainjax.training import hosts, joining

LAYERS = ['conv1_2', 'conv2_2']
SETTING = feature_decoding.Setting(k=10, alpha=10.0)
SETTINGS = Settings(Descent(steps=12), size=16)


def network():
    return frozen.init_random(jax.random.key(0), 'vgg16', 1 / 16)


def write_true(folder):
    """Writes the features of the tiny subject's training stimuli."""
    recording = tiny.subject()
    found = features(network(), recording.stimuli.images / 255, LAYERS)
    for layer, values in found.items():
        feature_folders.write_compact(
            folder,
            layer,
            recording.stimuli.names,
            frozen.channels_first(values),
        )


def work(true, out, event=''):
    second = hosts.index() == 1
    if event == 'elsewhere' and second:
        out = out.with_name('elsewhere')
    save, write = feature_decoding.np.save, files.arrays.write

    def told_save(stream, array):
        print('decoded', zlib.crc32(array.tobytes()), flush=True)
        save(stream, array)

    def told_write(path, **arrays):
        if 'targets' in arrays:
            if event == 'kill' and second:
                (out / 'killed').write_text(str(time.time()))
                os.kill(os.getpid(), signal.SIGKILL)
            print('inverted', path.stem, flush=True)
        write(path, **arrays)

    feature_decoding.np.save = told_save
    files.arrays.write = told_write
    feature_decoding.decode(
        tiny.subject(),
        true,
        out / 'decoded',
        setting=SETTING,
        units_at_a_time=512,
        threads=1,
    )
    layers = feature_folders.open_layers(
        out / 'decoded', subject='tiny', roi='all'
    )
    names = next(iter(layers.values())).names
    errors = files.invert(
        layers, names, network(), SETTINGS, out / 'pictures', together=2
    )
    print('errors', zlib.crc32(str(errors).encode()))
    return 0


if __name__ == '__main__':
    joining.SECONDS_OF_SILENCE = 6  # A host that is gone is noticed sooner,
    hosts.SECONDS_TO_SEE = 1  # and a folder that is not shared.
    true, out, *event = sys.argv[1:]
    sys.exit(
        joining.together(
            lambda: work(pathlib.Path(true), pathlib.Path(out), *event)
        )
    )
