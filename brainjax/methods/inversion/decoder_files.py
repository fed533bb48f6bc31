"""Decoders in the field's layout, written and used again.

    DECODERS/LAYER/SUBJECT/ROI/model/
      x_mean.mat x_norm.mat     [1, voxels]
      y_mean.mat y_norm.mat     [1, ...] of the layer's features
      W/00000000.mat ...        [voxels, 1, height, width], a file a channel
      b/00000000.mat ...        [1, 1, height, width]
      W.mat b.mat               [voxels, units] and [1, units] in place of
                                these, of a fully connected layer
      info.yaml                 written last

Features are (x - x_mean) / x_norm @ W + b, times y_norm, plus y_mean. W is
compressed, as most of it is 0; bdpy's sparse arrays are read too.
"""

import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.io import feature_files, feature_folders, files, matlab73
from brainjax.io.files import PathLike
from brainjax.linear import ridge

MODEL, INFO = 'model', 'info.yaml'
_PARTS = ('x_mean', 'x_norm', 'y_mean', 'y_norm')
_DONE = 'computation_status: done'


def write(
    folder: PathLike,
    prepared: ridge.Prepared,
    layer: feature_folders.Layer,
    names: Sequence[str],
    made_from: str,
    threads: int | None = None,
) -> None:
    """Fits a layer's units and writes their weights, whole or not at all.

    Args:
      folder: DECODERS/LAYER/SUBJECT/ROI.
      prepared: the ridge.
      layer: true features on disk.
      names: of the training stimuli, in the order of the ridge's rows.
      made_from: a hash of all that the weights depend on; a decoder of
        something else is refused, one of the same is left.
      threads: of the CPU; None for all.
    """
    folder = pathlib.Path(folder)
    model, part = folder / MODEL, folder / f'{MODEL}.unfinished'
    if model.exists():
        if f'made_from: {made_from}' in files.read_text(model / INFO):
            return
        raise InputError(
            f'{model} holds a decoder that was made from something else; name '
            'another folder.'
        )
    shutil.rmtree(part, ignore_errors=True)
    files.writable_folder(part)
    fit, means, norms = ridge.fitter(prepared, threads), [], []
    whole = len(layer.shape) == 1
    step = layer.units if whole else 1
    for start in range(0, layer.shape[0], step):
        true = feature_folders.read(layer, names, start, start + step)
        shape = true.shape[1:]
        flat = true.reshape(len(names), -1)
        weights, biases = [], []
        for i in range(0, flat.shape[1], ridge.UNITS_AT_A_TIME):
            units = ridge.scale_units(
                prepared, flat[:, i : i + ridge.UNITS_AT_A_TIME]
            )
            found = fit(units.values)
            weights.append(found.voxels)
            biases.append(found.bias)
            means.append(units.mean)
            norms.append(units.scale)
        for name, values in (
            ('W', np.concatenate(weights).T),
            ('b', np.concatenate(biases)[None]),
        ):
            path = part / (
                f'{name}.mat' if whole else f'{name}/{start:08d}.mat'
            )
            path.parent.mkdir(exist_ok=True)
            values = np.float32(values).reshape(len(values), *shape)
            matlab73.write(path, {name: values}, compress=name == 'W')
    for name, values in zip(
        _PARTS,
        (
            prepared.mean,
            prepared.scale,
            np.concatenate(means).reshape(layer.shape),
            np.concatenate(norms).reshape(layer.shape),
        ),
    ):
        matlab73.write(part / f'{name}.mat', {name: np.float32(values)[None]})
    files.write_text(
        part / INFO,
        f'_status:\n  {_DONE}\n'
        f'alpha: {json.dumps(prepared.alpha)}\nn_feat: {prepared.k}\n'
        f'made_from: {made_from}\n',
    )
    os.replace(part, model)


def predict(folder: PathLike, fmri: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the features of trials, some channels after the others.

    Args:
      folder: DECODERS/LAYER/SUBJECT/ROI.
      fmri: [trials, voxels], as measured.

    Returns:
      [trials, channels, height, width] or [trials, units] float32.
    """
    model = pathlib.Path(folder, MODEL)
    if not model.is_dir():
        raise InputError(f'{folder} holds no decoder; give a folder with one.')
    info = model / INFO
    if info.exists() and _DONE not in files.read_text(info):
        raise InputError(f'{model} was not finished; fit it again.')
    found = {name: _read(model, name) for name in _PARTS}
    voxels = found['x_mean'].size
    if fmri.shape[1] != voxels:
        raise InputError(
            f'{model} is of {voxels} voxels and the recording has '
            f'{fmri.shape[1]}; take the recording and ROI of its fit.'
        )
    x = (fmri - found['x_mean'].ravel()) / found['x_norm'].ravel()
    y_mean, y_norm = (_one(found[name]) for name in ('y_mean', 'y_norm'))
    start = 0
    for weights, bias in _weights(model):
        w, b = (
            feature_files.read_array(path, n) for path, n in (weights, bias)
        )
        shape = w.shape[1:]
        stop = start + shape[0]
        if len(w) != voxels or stop > len(y_mean):
            raise InputError(
                f'{weights[0]} has shape {w.shape}, which is not that of its '
                'model; fit it again.'
            )
        values = x @ w.reshape(voxels, -1) + b.reshape(1, -1)
        values = values.reshape(len(x), *shape)
        yield np.float32(values * y_norm[start:stop] + y_mean[start:stop])
        start = stop
    if start != len(y_mean):
        raise InputError(f'{model} lacks channels from {start}; fit it again.')


def _read(model: pathlib.Path, name: str) -> np.ndarray:
    return feature_files.read_array(model / f'{name}.mat', name)


def _one(values: np.ndarray) -> np.ndarray:
    """A model's [1, ...], or what is without that axis, of its features."""
    return values[0] if values.ndim > 1 and len(values) == 1 else values


def _weights(model: pathlib.Path) -> list[tuple]:
    """Returns the files of W and b, in order, and what they are called."""
    pairs = []
    for name in 'Wb':
        chunks = files.visible(model / name, '*.mat')
        pairs.append(
            [(path, name) for path in chunks or [model / f'{name}.mat']]
        )
    if len(pairs[0]) != len(pairs[1]):
        raise InputError(f'{model} has not as many files of W as of b.')
    return [*zip(*pairs)]
