"""The spread that decoded features get before a picture is searched.

`linear.scaling` has the equations. Statistics of true features are taken from
the files, a few channels of all pictures at a time, and only those that a
scaling uses.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import (
    feature_folders,
    matlab,
    matlab73,
    provenance,
    untrusted,
)
from brainjax.io.feature_folders import Layer
from brainjax.io.files import PathLike
from brainjax.linear import scaling
from brainjax.linear.scaling import Reference

# As configs and commands name them -> of `linear.scaling`.
SCALINGS = {
    **{
        name: name
        for name in scaling.SCALINGS
        if name not in scaling.TRANSDUCTIVE
    },
    'published': 'about_zero',
    'over_test_pictures_transductive': 'over_test_pictures',
}
_UNITS_AT_A_TIME = 2**16


class Scales(NamedTuple):
    """How features are scaled.

    Attributes:
      how: of `linear.scaling.SCALINGS`.
      known: layer -> what is known of its true features.
      searched: how many of the pictures that are searched were measured,
        which makes it transductive.
    """

    how: str
    known: Mapping[str, Reference]
    searched: int = 0


UNSCALED = Scales('none', {})


def measure(
    layers: Mapping[str, Layer],
    true: Mapping[str, Layer] | None,
    names: Sequence[str] | None,
    scaling_name: str,
    spread_file: PathLike | None = None,
) -> Scales:
    """Measures what a scaling uses of true features, layer by layer.

    Args:
      layers: the features to be scaled, on disk.
      true: true features of the training pictures; None where a scaling
        measures nothing.
      names: of the training pictures.
      scaling_name: of SCALINGS; 'published' takes the spread that Shen et al.
        2019 measured, of VGG19's layers.
      spread_file: MATLAB file with an array a layer, whose mean is the spread
        in place of the measured or the published one.
    """
    how = SCALINGS[scaling_name]
    if how == 'none':
        return UNSCALED
    stds = None
    if spread_file:
        stds = read_spread(spread_file, layers)
    elif scaling_name == 'published':
        stds = scaling.CAFFE_VGG19
    wants = {*scaling.USES[how]} - ({'std'} if stds else set())
    if wants and true is None:
        raise InputError(
            f'scaling {scaling_name} takes the {" and ".join(sorted(wants))} '
            'of true features; name the folder of those of the training '
            'pictures with --true.'
        )
    known = {}
    for name, layer in layers.items():
        found = Reference(1.0, np.zeros(()), np.ones(()))
        if wants:
            found = _reference(
                true[name], names, wants, scaling.DDOF.get(how, 0)
            )
        if stds is not None:
            found = found._replace(std=_known_std(stds, layer))
        known[name] = found
    return Scales(how, known)


def _known_std(stds: Mapping[str, float], layer: Layer) -> float:
    """Returns the published spread of a layer, which is that of all units."""
    if layer.kept is not None:
        raise InputError(
            f'The published scale of {layer.name} is that of all its units, '
            f'and these features are of {layer.units} alone; leave it out or '
            'decode all units.'
        )
    if layer.name not in stds:
        raise InputError(
            f'There is no published scale of {layer.name}, only of '
            f'{", ".join(stds)}; leave that layer out.'
        )
    return stds[layer.name]


def read_spread(path: PathLike, layers: Iterable[str]) -> dict[str, float]:
    """Reads the spread of layers, a variable each, of which the mean counts."""
    wanted = [*layers]
    read = matlab.read if matlab.looks_like(path) else matlab73.read
    with untrusted.as_input_error(path, 'MATLAB file'):
        held = read(path, wanted)
    found = {}
    for name in wanted:
        values = np.asarray(held.get(name, np.nan))
        mean = values.mean() if values.dtype.kind in 'iuf' else np.nan
        if not 0 < mean < np.inf:
            raise InputError(
                f'{path} has no standard deviation of {name} above 0; leave '
                'that layer out, or take the file of this network.'
            )
        found[name] = float(mean)
    return found


def _reference(
    layer: Layer, names: Sequence[str], wants: Collection[str], ddof: int = 0
) -> Reference:
    """As `scaling.reference`, but for statistics that are not wanted."""
    spread, means, stds = 0.0, [], []
    # The spread of a fully connected layer is that of all its units.
    step = _UNITS_AT_A_TIME if len(layer.shape) > 1 else layer.units
    for start, stop in feature_folders.portions(layer, step):
        part = feature_folders.read(layer, names, start, stop)
        if 'std' in wants:
            share = (stop - start) / layer.shape[0]
            spread += share * scaling.picture_std(part, ddof).mean()
        if 'mean' in wants:
            means.append(part.mean(axis=0, dtype=np.float64))
        if 'unit_std' in wants:
            stds.append(part.std(axis=0, ddof=1, dtype=np.float64))
    return Reference(
        float(spread),
        np.concatenate(means) if means else np.zeros(()),
        np.concatenate(stds) if stds else np.ones(()),
    )


def describe(scales: Scales) -> dict[str, Any]:
    """What tells a scaling from others, ready for JSON."""
    arrays = {
        f'{layer}.{name}': np.asarray(value)
        for layer, known in scales.known.items()
        for name, value in known._asdict().items()
    }
    searched = {'transductive_pictures': scales.searched}
    return {
        'scaling': scales.how,
        'statistics': provenance.hash_tree(arrays) if arrays else '',
        **(searched if scales.searched else {}),
    }


def scaler(
    scales: Scales, layers: Mapping[str, Layer], names: Sequence[str]
) -> Callable[[str, np.ndarray], np.ndarray]:
    """Returns scale(layer, features [n, ...]) -> scaled, of some pictures.

    Args:
      scales: of `measure`.
      layers: the decoded features.
      names: of all test pictures, which a transductive scaling looks at.
    """
    if scales.how not in scaling.TRANSDUCTIVE:
        return lambda layer, features: (
            scaling.scale(features, scales.known[layer], scales.how)
            if scales.known
            else features
        )
    if len(names) < 2:
        raise InputError(
            f'scaling {scales.how} takes the spread over pictures and there '
            'is one; give two or more, or another scaling.'
        )

    @functools.cache
    def over(layer: str) -> Reference:
        return _reference(layers[layer], names, ('mean', 'unit_std'))

    def scale(layer: str, features: np.ndarray) -> np.ndarray:
        found = over(layer)
        scaled = scaling.standardised_over(
            features, found.mean, found.unit_std, scales.known[layer]
        )
        return scaled.astype(features.dtype)

    return scale
