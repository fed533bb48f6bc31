"""Giving decoded features the spread of true ones.

Decoded features vary less than true ones: the ridge shrinks them, and the
average over repeats that is decoded has less noise than the single trials that
were fitted. Networks that turn features into pictures expect the true spread.
The literature has five corrections; all are here, under names that say what
stays where it is. Features are [pictures, channels, height, width], or
[pictures, units] of a fully connected layer.

Sources: 'about_zero' Shen et al. 2019; the others are later variants of the
same group.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known


class Reference(NamedTuple):
    """What is known of the true features of a layer.

    Attributes:
      std: their `picture_std`, averaged over many pictures.
      mean: [...] of each unit over the training pictures.
      unit_std: [...] of each unit over the training pictures.
    """

    std: float
    mean: np.ndarray
    unit_std: np.ndarray


# picture_std(features, ddof=0), averaged over 10,000 pictures. Only for VGG-19
# with the weights of its Caffe release and BGR pictures in 0..255.
CAFFE_VGG19 = {
    'conv1_1': 54.19003,
    'conv1_2': 161.1905,
    'conv2_1': 301.15405,
    'conv2_2': 415.3394,
    'conv3_1': 435.07248,
    'conv3_2': 396.4101,
    'conv3_3': 441.31012,
    'conv3_4': 873.5663,
    'conv4_1': 1234.2346,
    'conv4_2': 1265.2007,
    'conv4_3': 1000.6844,
    'conv4_4': 563.0996,
    'conv5_1': 307.05695,
    'conv5_2': 151.2286,
    'conv5_3': 73.063194,
    'conv5_4': 33.08359,
    'fc6': 11.587059,
    'fc7': 2.9195745,
    'fc8': 2.6281629,
}


def picture_std(features: np.ndarray, ddof: int = 0) -> np.ndarray:
    """Returns the standard deviation of each picture's features, [pictures].

    Of a convolution that over places, averaged over channels; of a fully
    connected layer that over units; float64.
    """
    axes = tuple(range(2, features.ndim)) or (1,)
    spread = features.std(axis=axes, ddof=ddof, dtype=np.float64)
    return spread.mean(axis=1) if spread.ndim > 1 else spread


def reference(features: np.ndarray, ddof: int = 0) -> Reference:
    """Measures true features, [pictures, ...], of the training pictures.

    Args:
      features: of as many pictures as there are; the paper took 10,000.
      ddof: of `picture_std`; 0 for 'about_zero' and 'about_training_mean', 1
        for the corrections that re-centre.
    """
    return Reference(
        float(picture_std(features, ddof).mean()),
        features.mean(axis=0, dtype=np.float64),
        features.std(axis=0, ddof=1, dtype=np.float64),
    )


def about_zero(decoded: np.ndarray, known: Reference) -> np.ndarray:
    """(a) f s0 / s: what the paper did."""
    return decoded * _per_picture(known.std, picture_std(decoded), decoded)


def about_grand_mean(decoded: np.ndarray, known: Reference) -> np.ndarray:
    """(b) (f - m) s0 / s + m, with m the mean of all of a picture's units."""
    mean = decoded.mean(axis=_units(decoded), keepdims=True, dtype=np.float64)
    spread = picture_std(decoded, ddof=1)
    factor = _per_picture(known.std, spread, decoded)
    return (decoded - mean) * factor + mean


def about_training_mean_recentred(
    decoded: np.ndarray, known: Reference
) -> np.ndarray:
    """(c) As (b), for the difference from the training pictures' mean."""
    return about_grand_mean(decoded - known.mean, known) + known.mean


def about_training_mean(decoded: np.ndarray, known: Reference) -> np.ndarray:
    """(d) d s0 / s + mu, with d = f - mu and mu the training mean."""
    return about_zero(decoded - known.mean, known) + known.mean


def over_test_pictures(decoded: np.ndarray, known: Reference) -> np.ndarray:
    """(e) z-scores each unit over the decoded pictures; transductive.

    What is decoded for one picture then depends on the other test pictures.
    """
    mean = decoded.mean(axis=0, dtype=np.float64)
    spread = decoded.std(axis=0, ddof=1, dtype=np.float64)
    return standardised_over(decoded, mean, spread, known)


def standardised_over(
    decoded: np.ndarray, mean: np.ndarray, spread: np.ndarray, known: Reference
) -> np.ndarray:
    """(e) of some of the pictures, given mean and spread over all of them."""
    spread = np.where(spread > 0, spread, np.inf)
    return (decoded - mean) / spread * known.unit_std + known.mean


Scaling = Callable[[np.ndarray, Reference], np.ndarray]

SCALINGS: dict[str, Scaling] = {
    'none': lambda decoded, known: decoded,
    'about_zero': about_zero,
    'about_grand_mean': about_grand_mean,
    'about_training_mean_recentred': about_training_mean_recentred,
    'about_training_mean': about_training_mean,
    'over_test_pictures': over_test_pictures,
}
# These look at all test pictures at once, which a report must say.
TRANSDUCTIVE = frozenset({'over_test_pictures'})
# Degrees of freedom that the std of `reference` takes for each.
DDOF = {
    'about_grand_mean': 1,
    'about_training_mean_recentred': 1,
}

# What each takes of a `Reference`.
USES = {
    'none': (),
    'about_zero': ('std',),
    'about_grand_mean': ('std',),
    'about_training_mean_recentred': ('std', 'mean'),
    'about_training_mean': ('std', 'mean'),
    'over_test_pictures': ('mean', 'unit_std'),
}


def scale(decoded: np.ndarray, known: Reference, how: str) -> np.ndarray:
    """Corrects the spread of decoded features.

    A picture without any spread stays as it is, but for its mean.

    Args:
      decoded: [pictures, ...].
      known: of the true features; for 'about_zero' only its std counts.
      how: a key of `SCALINGS`.

    Returns:
      [pictures, ...] of the type of `decoded`.
    """
    check_known('scaling', how, SCALINGS)
    if how == 'over_test_pictures' and len(decoded) < 2:
        raise InputError(
            f'scaling {how} takes the spread over pictures and there is one; '
            'give two or more, or another scaling.'
        )
    if how in DDOF and not np.isfinite(known.std):
        raise InputError(
            f'scaling {how} takes the spread over places or units, of which a '
            'picture has one; leave that layer out, or take another scaling.'
        )
    return SCALINGS[how](decoded, known).astype(decoded.dtype)


def _units(features: np.ndarray) -> tuple[int, ...]:
    return tuple(range(1, features.ndim))


def _per_picture(
    wanted: float, found: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Returns wanted / found, 1 where nothing varies, to multiply with."""
    factor = np.divide(wanted, found, out=np.ones_like(found), where=found > 0)
    return factor.reshape(-1, *(1,) * (features.ndim - 1))
