"""The spread that decoded features get before a picture is searched.

`linear.scaling` has the equations. Statistics of true features are taken from
the files, a few channels of all pictures at a time, and only those that a
scaling uses.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import feature_folders, provenance
from brainjax.io.feature_folders import Layer
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
    """

    how: str
    known: Mapping[str, Reference]


UNSCALED = Scales('none', {})


def published(layers: Mapping[str, Layer]) -> Scales:
    """Returns the spread that Shen et al. 2019 measured; of VGG19's layers."""
    known = {}
    for name, layer in layers.items():
        if layer.kept is not None:
            raise InputError(
                f'The published scale of {name} is that of all its units, and '
                f'these features are of {layer.units} alone; leave it out or '
                'decode all units.'
            )
        if name not in scaling.CAFFE_VGG19:
            raise InputError(
                f'There is no published scale of {name}, only of '
                f'{", ".join(scaling.CAFFE_VGG19)}; leave that layer out.'
            )
        # Scaling about 0 asks for the spread alone.
        std = scaling.CAFFE_VGG19[name]
        known[name] = Reference(std, np.zeros(()), np.ones(()))
    return Scales('about_zero', known)


def measure(layers: Mapping[str, Layer], scaling_name: str) -> Scales:
    """Measures what a scaling uses of true features, layer by layer.

    Args:
      layers: true features of the training pictures.
      scaling_name: of SCALINGS.
    """
    if scaling_name == 'published':
        return published(layers)
    how = SCALINGS[scaling_name]
    if how == 'none':
        return UNSCALED
    known = {
        name: _reference(layer, layer.names, how)
        for name, layer in layers.items()
    }
    return Scales(how, known)


def _reference(layer: Layer, names: Sequence[str], how: str) -> Reference:
    """As `scaling.reference`, but for statistics that `how` does not use."""
    ddof = scaling.DDOF.get(how, 0)
    wants = scaling.USES[how]
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
    return {
        'scaling': scales.how,
        'statistics': provenance.hash_tree(arrays) if arrays else '',
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
        return _reference(layers[layer], names, scales.how)

    def scale(layer: str, features: np.ndarray) -> np.ndarray:
        found = over(layer)
        scaled = scaling.standardised_over(
            features, found.mean, found.unit_std, scales.known[layer]
        )
        return scaled.astype(features.dtype)

    return scale
