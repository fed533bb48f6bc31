"""brainjax features: features of a network from pictures."""

import argparse
import contextlib
import pathlib
import sys

import numpy as np

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError
from brainjax.io import feature_folders, files, provenance
from brainjax.io.progress import progress
from brainjax.pictures import decoding, loading
from brainjax.pictures.names import stem
from brainjax.pictures.sources import open_source

PICTURES = 'pictures.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'pictures', metavar='PICTURES', help='a folder or an archive'
    )
    flags.add_network(parser)
    parser.add_argument('--out', required=True, metavar='DIR')
    parser.add_argument(
        '--centre',
        action='store_true',
        help='crop the centre square; by default all of a picture is resized',
    )
    flags.add_pictures(parser)
    parser.add_argument(
        '--together',
        type=int,
        default=8,
        help='pictures at a time (default %(default)s)',
    )


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    set_up_jax()
    from brainjax.methods.inversion.networks import features
    from brainjax.networks import frozen

    network = flags.load_network(known)
    layers = flags.network_layers(known) or list(frozen.layers(network))
    size = flags.picture_size(known, network)
    if known.together < 1:
        raise InputError('--together must be at least 1.')
    rules = decoding.Rules(known.alpha, not known.as_stored)
    fit = 'centre' if known.centre else 'whole'
    transparent = 0
    with contextlib.ExitStack() as stack:
        found = open_source(known.pictures, None, stack)
        names = _stems(found.names, known.pictures)
        out = files.writable_folder(known.out)
        frozen.write_provenance(
            out, network, {'size': size, 'fit': fit, **rules._asdict()}
        )
        known_before = _Extracted(out, layers)
        show = stack.enter_context(
            progress('features', len(names), unit='pictures')
        )
        for start in range(0, len(names), known.together):
            chosen = range(start, min(start + known.together, len(names)))
            images, count = loading.decode_chosen(
                found, chosen, known.pictures, size, fit, rules
            )
            transparent += count
            here = names[chosen.start : chosen.stop]
            if not known_before.has(here, images):
                computed = features(network, np.float32(images) / 255, layers)
                for layer, values in computed.items():
                    feature_folders.write_features(
                        out, layer, here, frozen.channels_first(values)
                    )
                known_before.add(here, images)
            show(chosen.stop)
    told = decoding.composited(transparent, len(names), known.pictures, rules)
    for note in (*found.notes, *told):
        print(note, file=sys.stderr)
    print(out)


class _Extracted:
    """What of a folder was extracted before, so that it is not done again.

    OUT/pictures.json: picture -> hash of its pixels at the network's size ->
    the layers that were written of it.

    Args:
      out: the folder.
      layers: that are extracted.
    """

    def __init__(self, out: pathlib.Path, layers: list[str]):
        self._path, self._layers, self._out = out / PICTURES, layers, out
        self._known = {}
        if self._path.exists():
            remedy = 'remove it, and all features are extracted again'
            self._known = files.read_json(self._path, remedy)

    def has(self, names: list[str], images: np.ndarray) -> bool:
        """Whether all layers of these pictures are there."""
        return all(
            {*self._layers} <= {*self._of(name, image)}
            and all(
                (self._out / layer / f'{name}.mat').is_file()
                for layer in self._layers
            )
            for name, image in zip(names, images)
        )

    def add(self, names: list[str], images: np.ndarray) -> None:
        """Notes that they are there; a file is whole or not there at all."""
        for name, image in zip(names, images):
            layers = {*self._of(name, image), *self._layers}
            # Layers of what else bore the name are not those of this picture.
            digest = provenance.hash_arrays(image)
            self._known[name] = {digest: sorted(layers)}
        files.write_json(self._path, self._known)

    def _of(self, name: str, image: np.ndarray) -> list[str]:
        known = self._known.get(name)
        if not isinstance(known, dict):
            return []
        return known.get(provenance.hash_arrays(image)) or []


def _stems(names: list[str], source: str) -> list[str]:
    stems = [stem(pathlib.PurePath(name).name) for name in names]
    if not stems:
        raise InputError(f'{source} holds no pictures; give others.')
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise InputError(
            f'{source} holds two pictures named {twice}; give each a name of '
            'its own, without its folder and suffix.'
        )
    return stems
