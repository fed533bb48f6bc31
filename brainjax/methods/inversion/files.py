"""Folders of features to folders of pictures, block by block.

A block of pictures is searched at once and written as one file, whole or not
at all. What a run that was cut off has left is taken as it is, so that the
same call ends with the same files. Many hosts share the blocks; all of them
see the folder OUT.

    OUT/inversion.json          settings, and each picture's relative errors
    OUT/parts/0000.npz          a block: images not clipped, losses, codes
    OUT/reconstructions.npz     images [n, size, size, 3] clipped to 0..1, names
    OUT/images/NAME.png         the same
    OUT/stretched/NAME.png      for display: contrast stretched
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence

import flax.traverse_util
import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays as npz
from brainjax.io import feature_folders, files
from brainjax.io.feature_folders import Layer
from brainjax.io.files import PathLike
from brainjax.linear import scaling
from brainjax.methods.inversion import search as inversion
from brainjax.methods.inversion.search import Generator, Settings
from brainjax.networks import frozen
from brainjax.pictures import operations
from brainjax.training import hosts

INDEX = 'inversion.json'
TOGETHER = 8  # pictures of a block


def invert(
    layers: Mapping[str, Layer],
    names: Sequence[str],
    network: frozen.Network,
    settings: Settings,
    out: PathLike,
    search: Generator | None = None,
    published_scales: bool = False,
    together: int = TOGETHER,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Inverts the features of pictures, from files to files.

    Args:
      layers: from `features.open_layers`.
      names: of the pictures.
      network, settings, search: as for `inversion.invert`.
      out: the folder to write.
      published_scales: whether features get the spread that Shen et al. 2019
        measured (`linear.scaling.about_zero`); only for their network.
      together: pictures of a block, which bounds the memory.
      progress: called with the steps done and the steps in all, of this
        host's blocks.

    Returns:
      Picture -> layer -> relative error, sum (f - t)^2 / sum t^2.

    Raises:
      InputError: features are missing or do not fit the network, or `out`
        holds pictures that were inverted otherwise.
    """
    if published_scales:
        frozen.check_scales(network)
    for layer in layers.values():
        feature_folders.check_names(layer, names)
    out = pathlib.Path(out)
    about = _about(layers, names, network, settings, search, together)
    about['published_scales'] = published_scales
    hosts.run_on_first(lambda: _claim(files.writable_folder(out), about))
    hosts.wait_for_file(out / INDEX)
    steps = settings.optimiser.steps
    blocks = [
        (out / 'parts' / f'{i // together:04d}.npz', names[i : i + together])
        for i in range(0, len(names), together)
    ]
    ours = hosts.my_items(blocks)
    for number, (path, chosen) in enumerate(ours):
        targets = _targets(layers, chosen, published_scales)
        digest = _digest(targets)
        if not _whole(path, chosen, digest):
            found = inversion.invert(
                targets,
                chosen,
                network,
                settings,
                search,
                progress
                and (
                    lambda done, number=number: progress(
                        number * steps + done, len(ours) * steps
                    )
                ),
            )
            npz.write(path, **_part(found, chosen, digest))
        if progress:
            progress((number + 1) * steps, len(ours) * steps)
    hosts.barrier()
    paths = [path for path, _ in blocks]
    return hosts.run_on_first(lambda: _gather(out, about, paths, list(layers)))


def _about(layers, names, network, settings, search, together) -> dict:
    about = {
        'names': list(names),
        'layers': list(layers),
        'network': frozen.provenance(network),
        'weights': _digest(_flat(network.params)),
        'optimiser': type(settings.optimiser).__name__,
        'settings': dataclasses.asdict(settings),
        'generator': None,
        'together': together,
    }
    if search:
        arrays = _flat(search.params)
        if search.upper is not None:
            arrays['upper'] = search.upper
        about['generator'] = {'name': search.name, 'sha256': _digest(arrays)}
    return json.loads(json.dumps(about))


def _claim(out: pathlib.Path, about: dict) -> None:
    """Writes what is being done, or checks that it is what was done before."""
    path = out / INDEX
    if path.exists():
        before = files.read_json(path, 'name another folder').get('about')
        if not isinstance(before, dict):
            raise InputError(f'{path} is damaged; name another folder.')
        if before != about:
            other = next(
                name for name in about if before.get(name) != about[name]
            )
            raise InputError(
                f'{path.parent} holds pictures inverted with another '
                f'{other}; name another folder.'
            )
        return
    files.write_json(path, {'about': about})


def _targets(layers, names, published_scales) -> dict[str, np.ndarray]:
    targets = {}
    for name, layer in layers.items():
        found = feature_folders.read(layer, names)
        if published_scales:
            if name not in scaling.CAFFE_VGG19:
                raise InputError(
                    f'There is no published scale of {name}, only of '
                    f'{", ".join(scaling.CAFFE_VGG19)}; leave that layer out.'
                )
            known = scaling.Reference(
                scaling.CAFFE_VGG19[name], np.zeros(()), np.ones(())
            )
            found = scaling.scale(found, known, 'about_zero')
        targets[name] = frozen.channels_last(found)
    return targets


def _flat(params) -> dict[str, np.ndarray]:
    return flax.traverse_util.flatten_dict(params, sep='.')


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f'{name} {array.dtype} {array.shape}'.encode())
        digest.update(array)
    return digest.hexdigest()


def _part(found: inversion.Inverted, names, digest) -> dict[str, np.ndarray]:
    part = {
        'images': found.images,
        'losses': found.losses,
        'errors': np.stack(list(found.errors.values()), 1),
        'names': np.array(names),
        'targets': np.array(digest),
    }
    if found.codes is not None:
        part['codes'] = found.codes
    return part


def _whole(path, names, digest) -> bool:
    """Whether a block was written before, and is of these features."""
    try:
        part = npz.read(path)
        same = part['names'].tolist() == list(names)
        return same and str(part['targets']) == digest
    except (InputError, KeyError):
        return False


def _gather(out, about, paths, layers) -> dict[str, dict[str, float]]:
    """Writes the pictures of all blocks and their errors."""
    parts = []
    for path in paths:
        hosts.wait_for_file(path)
        parts.append(npz.read(path))
    names = [str(name) for part in parts for name in part['names']]
    images = np.concatenate([part['images'] for part in parts])
    clipped = images.clip(0, 1)
    npz.write(
        out / 'reconstructions.npz', images=clipped, names=np.array(names)
    )
    for folder, pictures in (
        ('images', clipped),
        ('stretched', inversion.stretch(images)),
    ):
        for name, picture in zip(names, pictures):
            path = out / folder / f'{feature_folders.file_name(name)}.png'
            operations.save_png(path, picture)
    rows = np.concatenate([part['errors'] for part in parts]).tolist()
    errors = {name: dict(zip(layers, row)) for name, row in zip(names, rows)}
    files.write_json(out / INDEX, {'about': about, 'errors': errors})
    return errors
