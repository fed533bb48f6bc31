"""Features of pictures in folders, layer by layer.

Three layouts are read, and told apart by what is there:

    ROOT/LAYER/PICTURE.mat                 true features, the field's layout
    ROOT/LAYER/SUBJECT/ROI/PICTURE.mat     decoded features, likewise, also in
                                           decoded_features/ or, by folds, in
                                           FOLD/decoded_features/ below
    ROOT/features.json, ROOT/LAYER.npy     our compact layout

ROOT/feature_index.mat says which units of each layer are kept, where a
decoding was of some alone; units are then [units], whatever the layer.

In the compact layout an array holds [pictures, ...] of one layer, and
features.json {"names": [picture, ...]}, their order. It is a few times faster
to read in portions. All shapes are those of the field, channels first.
"""

import math
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, listed, suggestion
from brainjax.io import arrays, feature_files, files
from brainjax.io.files import PathLike

INDEX = 'features.json'


class Layer(NamedTuple):
    """The features of pictures in one layer, on disk.

    Attributes:
      name: of the layer.
      shape: of one picture's features: (channels, height, width) or (units,).
      paths: picture -> its file, or the array that holds all pictures.
      rows: picture -> its row in that array; empty in the field's layouts.
      kept: which of the layer's units these are, counted from 0 as (channels,
        height, width); None for all.
      stored: the shape in the files where they hold the other units too.
    """

    name: str
    shape: tuple[int, ...]
    paths: dict[str, pathlib.Path]
    rows: dict[str, int]
    kept: np.ndarray | None = None
    stored: tuple[int, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the pictures, in order."""
        return tuple(self.paths)

    @property
    def units(self) -> int:
        """Number of units of the layer."""
        return math.prod(self.shape)


def open_layers(
    root: PathLike,
    layers: Sequence[str] | None = None,
    *,
    subject: str = '',
    roi: str = '',
) -> dict[str, Layer]:
    """Finds the features under a folder, reading none of them.

    Args:
      root: the folder.
      layers: which, in this order; all of them, by name, if None.
      subject, roi: of decoded features.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise InputError(f'{root} is no folder; give one of features.')
    compact = (root / INDEX).is_file()
    there = (
        [path.stem for path in files.visible(root, '*.npy')]
        if compact
        else sorted(
            path.name
            for path in root.iterdir()
            if _inside(path / subject / roi)
        )
    )
    if not there:
        raise InputError(
            f'{root} holds no features; they are expected as LAYER/'
            f'{f"{subject}/{roi}/" if subject else ""}PICTURE.mat, or as '
            f'LAYER.npy beside {INDEX}.'
        )
    for layer in layers or ():
        if layer not in there:
            raise InputError(
                f'{root} has no layer {layer!r}, only {listed(there)}.'
                f'{suggestion(layer, there)}'
            )
    names = _read_index(root) if compact else ()
    index = root / feature_files.INDEX
    kept = feature_files.read_index(index) if index.exists() else {}
    return {
        layer: _of_units(
            _compact_layer(root, layer, names)
            if compact
            else _folder_layer(root, layer, subject, roi),
            kept.get(layer),
            index,
        )
        for layer in layers or there
    }


def _of_units(
    layer: Layer, kept: np.ndarray | None, index: pathlib.Path
) -> Layer:
    """Returns a layer of the units that an index names."""
    if kept is None:
        return layer
    stored = layer.shape if layer.units > len(kept) else None
    if layer.units < len(kept) or (stored and layer.units <= kept.max()):
        raise InputError(
            f'{index} names {len(kept)} units of {layer.name} up to number '
            f'{kept.max()}, and the files hold {layer.units}; copy them again.'
        )
    return layer._replace(shape=kept.shape, kept=kept, stored=stored)


def read(
    layer: Layer,
    names: Sequence[str],
    start: int = 0,
    stop: int | None = None,
) -> np.ndarray:
    """Reads features of some pictures, all or some channels of a layer.

    Args:
      layer: from `open_layers`.
      names: of the pictures, in the order wanted.
      start, stop: of the first axis of `layer.shape`.

    Returns:
      [pictures, stop - start, ...] float32.
    """
    check_names(layer, names)
    start, stop, _ = slice(start, stop).indices(layer.shape[0])
    if layer.stored:
        whole, units = (
            layer._replace(shape=layer.stored, stored=None),
            layer.kept,
        )
        # All units of a picture are in memory, but not of all pictures.
        return np.stack(
            [read(whole, [name]).ravel()[units[start:stop]] for name in names]
        )
    if layer.rows:
        path = next(iter(layer.paths.values()))
        rows = [layer.rows[name] for name in names]
        part = arrays.read_part(path, rows, start, stop)
        return part.astype(np.float32, copy=False)
    wanted = (stop - start, *layer.shape[1:])
    features = np.empty((len(names), *wanted), np.float32)
    last = None if stop == layer.shape[0] else stop  # Longer files show.
    for row, name in zip(features, names):
        path = layer.paths[name]
        found = feature_files.read(path, start, last)
        if found.shape != wanted:
            raise InputError(
                f'{path} has features of another shape than the {layer.name} '
                f'of other pictures, {layer.shape}; extract them again.'
            )
        row[...] = found
    return features


def portions(layer: Layer, units_at_a_time: int) -> Iterator[tuple[int, int]]:
    """Yields (start, stop) of the first axis that hold about so many units."""
    step = max(1, units_at_a_time // math.prod(layer.shape[1:]))
    for start in range(0, layer.shape[0], step):
        yield start, min(start + step, layer.shape[0])


def read_some(layer: Layer, names: Sequence[str], units: int) -> np.ndarray:
    """Reads about so many units of a few channels, evenly spaced.

    Returns:
      [pictures, units] float32.
    """
    channels = layer.shape[0]
    wanted = min(channels, 4 if len(layer.shape) > 1 else units)
    sample = np.hstack(
        [
            read(layer, names, i, i + 1).reshape(len(names), -1)
            for i in range(0, channels, math.ceil(channels / wanted))
        ]
    )
    return sample[:, :: math.ceil(sample.shape[1] / units)]


def check_names(layer: Layer, names: Iterable[str]) -> None:
    """Checks that a layer has the features of all pictures."""
    missing = [name for name in names if name not in layer.paths]
    if missing:
        folder = next(iter(layer.paths.values())).parent
        raise InputError(
            f'{folder} has no {layer.name} features of picture {missing[0]!r}'
            f' ({len(missing)} such pictures); extract them with brainjax '
            f'features.{suggestion(missing[0], layer.paths)}'
        )


def write_features(
    root: PathLike, layer: str, names: Sequence[str], features: np.ndarray
) -> None:
    """Writes ROOT/LAYER/PICTURE.mat for each picture.

    Args:
      root: a folder, made if need be.
      layer: its name; 'LAYER/SUBJECT/ROI' for decoded features.
      names: of the pictures.
      features: [pictures, channels, height, width] or [pictures, units],
        written as float32.
    """
    folder = pathlib.Path(root, layer)
    for name, picture in zip(names, features, strict=True):
        feature_files.write(
            folder / f'{file_name(name)}.mat', np.float32(picture)
        )


def write_compact(
    root: PathLike, layer: str, names: Sequence[str], features: np.ndarray
) -> None:
    """Writes ROOT/LAYER.npy, and features.json if it is not there yet.

    Args:
      root: a folder, made if need be.
      layer: its name.
      names: of the pictures, the same for every layer.
      features: [pictures, ...], written as float32.
    """
    root = pathlib.Path(root)
    if (root / INDEX).exists():
        if _read_index(root) != tuple(names):
            raise InputError(
                f'{root} holds features of other pictures; name another folder.'
            )
    else:
        files.write_json(root / INDEX, {'names': list(names)})
    path = root / f'{file_name(layer)}.npy'
    with files.atomic(path) as temporary, open(temporary, 'wb') as stream:
        np.save(stream, np.asarray(features, np.float32))


def is_file_name(name: str) -> bool:
    """Whether a file can be called as a picture."""
    return bool(name) and not set('/\\') & {*name} and name[0] != '.'


def file_name(name: str) -> str:
    """Returns a picture's name, if a file can bear it."""
    if not is_file_name(name):
        raise InputError(
            f'{name!r} cannot be the name of a file; name pictures and layers '
            'without slashes and leading dots.'
        )
    return name


def copy_index(source: PathLike, out: PathLike) -> None:
    """Says of features made from others which units these are, as there."""
    path, there = (
        pathlib.Path(root, feature_files.INDEX) for root in (source, out)
    )
    if not path.exists():
        return
    content = path.read_bytes()
    if there.exists() and there.read_bytes() != content:
        raise InputError(
            f'{there} names other units than {path}; name another folder.'
        )
    with files.atomic(there) as temporary:
        temporary.write_bytes(content)


def _inside(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the features of pictures in a folder, or below as bdpy does."""
    for below in ('', 'decoded_features/', '*/decoded_features/'):
        found = files.visible(folder, f'{below}*.mat')
        found = [path for path in found if path.name != feature_files.INDEX]
        if found:
            return found
    return []


def _picture_names(stems: Sequence[str], told: Sequence[str]) -> list[str]:
    """Returns file names without what they say of layer, subject and ROI.

    Published decoded features are called as their layer besides, so that no
    picture would have one name in all layers.
    """
    names = [*stems]
    for word in filter(None, told):
        said = re.compile(rf'(^|[-_.]+){re.escape(word)}(?=[-_.]|$)')
        shorter = [said.sub('', name, count=1).lstrip('-_.') for name in names]
        if all(map(said.search, names)) and all(shorter):
            names = shorter
    return names


def open_folder(folder: PathLike, name: str) -> Layer:
    """Opens the files of one layer in a folder that is known.

    Args:
      folder: of the files, a picture each.
      name: of the layer.
    """
    return _folder_layer(pathlib.Path(folder), name, '', '', ())


def _folder_layer(
    root: pathlib.Path,
    name: str,
    subject: str,
    roi: str,
    places: Sequence[str] | None = None,
) -> Layer:
    places = (name, subject, roi) if places is None else places
    found = _inside(root.joinpath(*places))
    paths: dict[str, pathlib.Path] = {}
    stems = _picture_names([x.stem for x in found], (name, subject, roi))
    for picture, path in zip(stems, found):
        if picture in paths:
            raise InputError(
                f'{paths[picture]} and {path} are features of one picture; '
                'leave one of them.'
            )
        paths[picture] = path
    return Layer(
        name, feature_files.shape(next(iter(paths.values()))), paths, {}
    )


def _compact_layer(
    root: pathlib.Path, name: str, names: tuple[str, ...]
) -> Layer:
    path = root / f'{name}.npy'
    array = arrays.open_npy(path)
    if array.ndim < 2 or len(array) != len(names) or array.dtype.kind != 'f':
        raise InputError(
            f'{path} is {array.dtype} of shape {array.shape}; it must be '
            f'floating point, [{len(names)}, ...], a row for each name in '
            f'{INDEX}.'
        )
    return Layer(
        name,
        array.shape[1:],
        dict.fromkeys(names, path),
        {picture: row for row, picture in enumerate(names)},
    )


def _read_index(root: pathlib.Path) -> tuple[str, ...]:
    path = root / INDEX
    held = files.read_json(path, 'write the features again')
    try:
        names = held['names']
        if not all(isinstance(name, str) for name in names):
            raise ValueError('a name is not text')
        if len(set(names)) < len(names):
            raise ValueError('a name occurs twice')
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{path} is damaged ({error}); write the features again.'
        ) from error
    return tuple(names)
