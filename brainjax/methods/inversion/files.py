"""Folders of features to folders of pictures, block by block.

A block of pictures is searched at once and written as one file, whole or not
at all. What an interrupted run has left is taken as it is, so that the same
call ends with the same files. Many hosts share the blocks; all of them see the
folder OUT.

    OUT/inversion.json          settings, each picture's relative errors, and
                                which searches did not move
    OUT/parts/0000.npz          a block: images not clipped, losses, codes
    OUT/reconstructions.npz     images [n, size, size, 3] clipped to 0..1, names
    OUT/images/NAME.png         the same
    OUT/stretched/NAME.png      for display: contrast stretched

In the folder of a run, 'decoded/LABEL' holds decoded features and 'LABEL' the
pictures that were found from them (`invert_in`).
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, listed
from brainjax.io import (
    arrays,
    feature_folders,
    files,
    memory,
    metrics,
    provenance,
)
from brainjax.io.feature_folders import Layer
from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.methods.inversion import problem, scales, search
from brainjax.methods.inversion.problem import Generator, Settings
from brainjax.methods.inversion.scales import UNSCALED, Scales
from brainjax.networks import frozen
from brainjax.pictures import operations
from brainjax.training import hosts

INDEX = 'inversion.json'
PICTURES = 'reconstructions.npz'
TOGETHER = 8  # Pictures of a block.
DECODED = 'inversion'  # Label of what was decoded from all voxels.
# What a step of a search takes, in bytes of the features of its pictures.
OF_A_STEP = 8


def invert_in(
    run: pathlib.Path,
    label: str,
    layers: Mapping[str, Layer],
    names: Sequence[str],
    network: frozen.Network,
    config: ConfigDict,
    scaled: Scales = UNSCALED,
    generator: Generator | None = None,
) -> np.ndarray:
    """Inverts features within the folder of a run, from and to files.

    Args:
      run: the folder, which gets LABEL.
      label: what these pictures are called.
      layers: features on disk.
      names: of the pictures.
      network: whose features they are.
      config: of the experiment.
      scaled: how features are scaled before.
      generator: as for `search.invert`.

    Returns:
      [n, size, size, 3] float32 in 0..1.
    """
    with hosts.progress(label, None) as show:
        invert(
            layers,
            names,
            network,
            problem.from_config(config),
            run / label,
            generator,
            scaled,
            together=together_of(layers, config),
            progress=lambda done, total, text: show(done, text, total),
            log=metrics.logger(run, label, config.log.tensorboard),
        )
    return read_pictures(run, label, config.size)


def together_of(layers: Mapping[str, Layer], config: ConfigDict) -> int:
    """How many pictures are searched at once within `config.memory_gib`."""
    size = 4 * sum(layer.units for layer in layers.values())
    allowed = memory.budget(config.memory_gib) / 2
    return memory.how_many(allowed, size * OF_A_STEP, config.inversion.together)


def read_pictures(run: pathlib.Path, label: str, size: int) -> np.ndarray:
    """Returns what `invert_in` has found, [n, size, size, 3] in 0..1."""
    images = arrays.read(run / label / PICTURES)['images']
    if images.shape[1] == size:
        return images
    shape = (len(images), size, size, 3)
    resized = jax.image.resize(images, shape, 'linear', antialias=True)
    return np.asarray(resized).clip(0, 1)


def invert(
    layers: Mapping[str, Layer],
    names: Sequence[str],
    network: frozen.Network,
    settings: Settings,
    out: PathLike,
    generator: Generator | None = None,
    scaled: Scales = UNSCALED,
    together: int = TOGETHER,
    progress: Callable[[int, int, str], None] | None = None,
    log: Log | None = None,
) -> dict[str, dict[str, float]]:
    """Inverts the features of pictures, from files to files.

    Args:
      layers: from `feature_folders.open_layers`.
      names: of the pictures.
      network, settings, generator: as for `search.invert`.
      out: the folder to write.
      scaled: how features are scaled before; see `scales.measure`.
      together: pictures of a block, which bounds the memory.
      progress: called with the steps done and the steps in all, of this
        host's blocks, and in words with the loss.
      log: given the mean losses of the first host's blocks, one block's steps
        after the other's.

    Returns:
      Picture -> layer -> relative error, sum (f - t)^2 / sum t^2.
    """
    for layer in layers.values():
        feature_folders.check_names(layer, names)
    out = pathlib.Path(out)
    about = _about(layers, names, network, settings, generator, together)
    about |= scales.describe(scaled)
    kept = _kept(layers)
    if kept:
        about['kept'] = provenance.hash_tree(kept)
    hosts.run_on_first(lambda: _claim(files.writable_folder(out), about))
    hosts.wait_for_file(out / INDEX)
    steps = settings.optimiser.steps
    blocks = [
        (out / 'parts' / f'{i // together:04d}.npz', names[i : i + together])
        for i in range(0, len(names), together)
    ]
    ours = hosts.my_items(blocks)
    history, scale = [], scales.scaler(scaled, layers, names)
    for number, (path, chosen) in enumerate(ours):
        targets = _targets(layers, chosen, scale)
        # Features may have changed under the same names.
        digest = provenance.hash_tree(targets)
        if not _whole(path, chosen, digest):
            found = search.invert(
                targets,
                chosen,
                network,
                settings,
                generator,
                progress
                and (
                    lambda done, loss, number=number: progress(
                        number * steps + done,
                        len(ours) * steps,
                        f'loss {loss:.3g}',
                    )
                ),
                kept,
            )
            arrays.write(path, **_part(found, chosen, digest))
        elif progress:
            progress((number + 1) * steps, len(ours) * steps, '')
        if log and hosts.is_first():
            history += _records(path, number * steps)
            log(history)
    hosts.barrier()
    paths = [path for path, _ in blocks]
    return hosts.run_on_first(lambda: _gather(out, about, paths, list(layers)))


def _records(path: pathlib.Path, before: int) -> list[dict[str, float]]:
    """Mean losses of a block at each mark of progress."""
    losses = arrays.read(path)['losses'].mean(1)
    marks = range(search.STEPS_AT_A_TIME, len(losses), search.STEPS_AT_A_TIME)
    return [
        {'step': before + step, 'loss': losses[step - 1]}
        for step in (*marks, len(losses))
    ]


def _kept(layers: Mapping[str, Layer]) -> dict[str, np.ndarray]:
    """Returns the units of layers whose others are not there."""
    return {
        name: layer.kept
        for name, layer in layers.items()
        if layer.kept is not None
    }


def _about(layers, names, network, settings, generator, together) -> dict:
    """Returns all that the pictures depend on but for the features' values."""
    about = {
        'names': list(names),
        'layers': list(layers),
        'network': frozen.provenance(network),
        'weights': frozen.hash_weights(network.params),
        'optimiser': type(settings.optimiser).__name__,
        'settings': dataclasses.asdict(settings),
        'generator': None,
        'together': together,
    }
    if generator:
        parts = dict(generator.params)
        if generator.upper is not None:
            parts['upper'] = generator.upper
        about['generator'] = {
            'name': generator.name,
            'sha256': frozen.hash_weights(parts),
        }
    return about


def _claim(out: pathlib.Path, about: dict) -> None:
    """Writes what is being done, or checks that it is what was done before."""
    path, remedy = out / INDEX, 'name another folder'
    if not path.exists() or provenance.stands_alone(path):
        files.write_json(path, {'about': about})
        return
    before = files.read_json(path, remedy).get('about')
    if not isinstance(before, dict):
        raise InputError(f'{path} is damaged; {remedy}.')
    provenance.check_same(path, before, about, 'pictures', remedy)


def _targets(layers, names, scale) -> dict[str, np.ndarray]:
    return {
        name: frozen.channels_last(
            scale(name, feature_folders.read(layer, names))
        )
        for name, layer in layers.items()
    }


def _part(found: search.Inverted, names, digest) -> dict[str, np.ndarray]:
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
    try:  # An npz file has a checksum of each array, so that damage shows.
        part = arrays.read(path)
        same = part['names'].tolist() == list(names)
        return same and str(part['targets']) == digest
    except (InputError, KeyError):
        return False


def _gather(out, about, paths, layers) -> dict[str, dict[str, float]]:
    """Writes the pictures of all blocks and their errors."""
    parts = []
    for path in paths:
        hosts.wait_for_file(path)
        parts.append(arrays.read(path))
    names = [str(name) for part in parts for name in part['names']]
    images = np.concatenate([part['images'] for part in parts])
    clipped = images.clip(0, 1)
    arrays.write(out / PICTURES, images=clipped, names=np.array(names))
    for folder, pictures in (
        ('images', clipped),
        ('stretched', search.stretch(images)),
    ):
        for name, picture in zip(names, pictures):
            path = out / folder / f'{feature_folders.file_name(name)}.png'
            operations.save_png(path, picture)
    rows = np.concatenate([part['errors'] for part in parts]).tolist()
    errors = {name: dict(zip(layers, row)) for name, row in zip(names, rows)}
    still = [
        name
        for part in parts
        for name, moved in zip(part['names'].tolist(), _moved(part['losses']))
        if not moved
    ]
    index = {'about': about, 'errors': errors, 'unmoved': still}
    files.write_json(out / INDEX, index)
    return errors


def _moved(losses: np.ndarray) -> np.ndarray:
    """Whether each search [steps, n] came down by a thousandth; [n] bool."""
    first = losses[0]
    enough = np.minimum(first - 1e-3 * np.abs(first), first)
    # NaN compares false: a search that breaks has not come down.
    down = losses[1:].min(axis=0, initial=np.inf) < enough
    return down | (first == 0) | (len(losses) < 2)


def unmoved(out: pathlib.Path) -> list[str]:
    """Returns a sentence on searches that never left their beginning."""
    names = files.read_json(out / INDEX).get('unmoved', [])
    if not names:
        return []
    return [
        f'The search of {len(names)} pictures ({listed(names[:3])}'
        f'{" and others" if len(names) > 3 else ""}) did not move: its loss '
        'never came a thousandth below that of its beginning. Features of '
        'other weights, size or scale look like this, as does a rate that is '
        'too large.'
    ]
