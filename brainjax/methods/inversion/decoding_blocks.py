"""Units of a layer decoded block by block, from files to files.

A block lies in a file [trials, units] of its own, beside one with its size and
hash, which is written last: without that a block was not finished. Hosts share
the blocks.
"""

import math
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays, feature_folders, files, provenance
from brainjax.training import hosts

# Units of all training stimuli -> blocks of [trials, units].
Decoder = Callable[[np.ndarray], Iterator[np.ndarray]]
_ROWS_BYTES = 2**28  # Decoded features that `rows` yields at a time.


def decode(
    decoder: Decoder,
    layer: feature_folders.Layer,
    names: Sequence[str],
    folder: pathlib.Path,
    units_at_a_time: int,
    progress: Callable[[int], None],
) -> list[pathlib.Path]:
    """Decodes a layer; a block that is there is left as it is.

    Args:
      decoder: of `ridge.decoder`.
      layer: true features on disk.
      names: of the training stimuli, in the order of the ridge's rows.
      folder: of the blocks.
      units_at_a_time: about how many make a block; at least a channel.
      progress: called with the units that are done.

    Returns:
      The files of the blocks, in order, those of other hosts too.
    """
    each = math.prod(layer.shape[1:])
    paths = {
        (start, stop): folder / f'{start}-{stop}.npy'
        for start, stop in feature_folders.portions(layer, units_at_a_time)
    }
    for (start, stop), path in hosts.my_items([*paths.items()]):
        if not _is_whole(path):
            true = feature_folders.read(layer, names, start, stop)
            parts = [*decoder(true.reshape(len(names), -1))]
            del true
            values = np.hstack(parts).astype(np.float32, copy=False)
            with files.atomic(path) as part, open(part, 'wb') as stream:
                np.save(stream, values)
            files.write_json(_checksum(path), provenance.hash_file(path))
        progress(stop * each)
    hosts.barrier()
    return [*paths.values()]


def rows(
    blocks: Sequence[pathlib.Path],
    layer: feature_folders.Layer,
    first: int,
    last: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (row, decoded features [some trials, ...]) from row to row."""
    for path in blocks:  # Of other hosts, too.
        hosts.wait_for_file(_checksum(path))
    widths = [arrays.open_npy(path).shape[1] for path in blocks]
    step = max(1, _ROWS_BYTES // (4 * layer.units))
    for start in range(first, last, step):
        chosen = range(start, min(start + step, last))
        part = np.empty((len(chosen), layer.units), np.float32)
        at = 0
        for path, width in zip(blocks, widths):
            found = arrays.read_part(path, chosen, 0, width)
            part[:, at : at + width] = found
            at += width
        yield start, part.reshape(-1, *layer.shape)


def _checksum(block: pathlib.Path) -> pathlib.Path:
    """Returns the file that is written when a block is whole."""
    return block.with_suffix('.json')


def _is_whole(block: pathlib.Path) -> bool:
    """Whether a block is there as it was written."""
    try:
        return files.read_json(_checksum(block)) == provenance.hash_file(block)
    except (InputError, OSError):
        return False
