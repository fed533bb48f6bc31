"""Where in the picture a voxel looks, and in which layer, by its encoder.

An encoder that reads features through a spatial map and channel weights tells
what a voxel looks for. Where it looks is asked of the responses: the map is
replaced by a Gaussian, as in population receptive field mapping (Dumoulin and
Wandell 2008; feature-weighted: St-Yves and Naselaris 2018), and every Gaussian
is judged by how well it predicts them. The trained map itself is no good
witness: penalties, early stopping and noise spread it, and draw its middle
toward that of all units. What the branches contribute shows which layer the
voxel resembles. Gaziv et al. 2022 leave the procedure open.

Where a unit looks follows from the strides, paddings and kernels in front of
it (`networks.layers.unit_centres`), and from the weights of these kernels,
whose middle may lie off that of their window.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainjax.networks import layers

VOXELS_AT_A_TIME = 256
TRIALS_AT_A_TIME = 8  # What is between them then stays in a cache.
SIZES = np.geomspace(0.025, 0.4, 8)  # In picture widths.
CENTRES = 16  # Along an axis.
# Below this correlation (16 % of the variance) the place of a field is noise;
# studies of population receptive fields leave such voxels out, too.
LOCATED = 0.4


class Fields(NamedTuple):
    """Receptive fields, in widths of the picture.

    Attributes:
      centre: [voxels, 2] x and y from the picture's left and upper edge.
      size: [voxels] standard deviation of the Gaussian.
      fit: [voxels] correlation of the best Gaussian's prediction with the
        responses; of `fit`, that of the Gaussian with the map, NaN where the
        map is flat.
    """

    centre: np.ndarray
    size: np.ndarray
    fit: np.ndarray

    @property
    def located(self) -> np.ndarray:
        """[voxels] whether the fit is good enough to believe the place."""
        return self.fit >= LOCATED


class Preference(NamedTuple):
    """Which layers a voxel is like.

    Attributes:
      share: [branches, voxels] of the standard deviation of each branch's
        contribution over pictures; they sum to 1.
      depth: [voxels] mean of the branches' places, 0 the first and 1 the
        last.
    """

    share: np.ndarray
    depth: np.ndarray


def fit_responses(
    activations: Sequence[np.ndarray],
    mixes: Sequence[np.ndarray],
    places: Sequence[np.ndarray],
    fmri: np.ndarray,
) -> Fields:
    """Finds the Gaussian window through which channels predict responses.

    Centre and logarithm of the size are means of their posterior, given
    Gaussian noise of unknown variance, an unknown gain and a flat prior: over
    the picture, not over the units, which strides and paddings put left of and
    above its middle. To the centre is added how far from the middle of its
    3x3 patches the voxel reads, by the variance of what each of the nine adds.

    Args:
      activations: of each branch, [n, side, side, channels] for n trials.
      mixes: of each branch, [9 channels, voxels] weights of `layers.patches`.
      places: of each branch, [2, side] x and y where its units look, in
        picture widths.
      fmri: [n, voxels] the responses of the trials.
    """
    read = [
        jnp.asarray(_in_parts(_centred(np.float32(x)))) for x in activations
    ]
    response = _unit(np.asarray(fmri, np.float32))
    # A patch looks where its middle unit does.
    across, down = (
        _windows([own[axis, 1:-1] for own in places]) for axis in (0, 1)
    )
    found = []
    for start in range(0, response.shape[1], VOXELS_AT_A_TIME):
        v = slice(start, start + VOXELS_AT_A_TIME)
        mix = [np.asarray(m, np.float32)[:, v] for m in mixes]
        parts = _in_parts(response[:, v])
        r = np.asarray(_correlation(read, down, across, mix, parts))
        found.append(_posterior(r, len(response)))
    x, y, size, best = np.concatenate(found, axis=1)
    centre = np.stack([x, y], axis=1) + _lean(activations, mixes, places)
    return Fields(centre, size, best)


def _in_parts(trials):
    """[parts, TRIALS_AT_A_TIME, ...] of [n, ...], the last one's rest 0."""
    pad = -len(trials) % TRIALS_AT_A_TIME
    padded = np.pad(trials, ((0, pad), *((0, 0),) * (trials.ndim - 1)))
    return padded.reshape(-1, TRIALS_AT_A_TIME, *trials.shape[1:])


def evenly(n: int) -> np.ndarray:
    """Middles of n equal parts of the picture, [n] in picture widths."""
    return (np.arange(n) + 0.5) / n


def _windows(places):
    """Of each branch [sizes, centres, side] Gaussians along an axis."""
    widths = 2 * np.square(SIZES)[:, None, None]
    centres = evenly(CENTRES)[:, None]
    logs = [-((p - centres) ** 2) / widths for p in places]
    # A window beyond all units reads the nearest of them, not nothing.
    most = np.max([log.max(axis=2) for log in logs], axis=0)[..., None]
    return [np.float32(np.exp(log - most)) for log in logs]


@jax.jit
def _correlation(read, down, across, mixes, response):
    """Of predictions with responses: [sizes, rows, columns, voxels]."""

    def add(total, part):
        seen, response = part
        # Windows outnumber places: channels are mixed once a place.
        mixed = [
            layers.patches(x).transpose(1, 2, 0, 3) @ mix
            for x, mix in zip(seen, mixes)
        ]

        def of_size(windows):
            predicted = sum(
                # As products of matrices, whose order of axes copies nothing.
                a @ (d @ x.reshape(len(x), -1)).reshape(len(d), len(x), -1)
                for x, d, a in zip(mixed, *windows)
            ).reshape(CENTRES, CENTRES, *response.shape)
            product = (predicted * response).sum(2)
            return product, jnp.square(predicted).sum(2)

        found = jax.lax.map(of_size, (down, across))
        return jax.tree.map(jnp.add, total, found), None

    nothing = jnp.zeros((len(SIZES), CENTRES, CENTRES, response.shape[-1]))
    total, _ = jax.lax.scan(add, (nothing, nothing), (read, response))
    product, square = total
    # A map may be negative throughout, where the channels' signs are turned.
    return abs(product) / jnp.sqrt(jnp.where(square > 0, square, 1))


def _posterior(r, n):
    """Centre, size, best correlation; of [sizes, rows, columns, voxels]."""
    centres = evenly(CENTRES)
    # Of the likelihood with gain and variance at their best.
    log = -n / 2 * np.log1p(-np.square(r).clip(0, 1 - 1e-6))
    weight = np.exp(log - log.max(axis=(0, 1, 2)))
    weight /= weight.sum(axis=(0, 1, 2))
    return [
        np.einsum('syxv,x->v', weight, centres),
        np.einsum('syxv,y->v', weight, centres),
        np.exp(np.einsum('syxv,s->v', weight, np.log(SIZES))),
        r.max(axis=(0, 1, 2)),
    ]


def _lean(activations, mixes, places):
    """How far from the middle of its patches a voxel reads, [voxels, 2]."""
    shifted, total = 0.0, 0.0
    for x, mix, own in zip(activations, mixes, places):
        flat = _centred(np.asarray(x, np.float32)).reshape(-1, x.shape[-1])
        mix = np.asarray(mix).reshape(x.shape[-1], 9, -1)
        added = np.einsum(
            'ckv,cd,dkv->kv', mix, flat.T @ flat / len(flat), mix, optimize=True
        ).reshape(3, 3, -1)
        steps = np.diff(own[0]).mean() * np.array([-1, 0, 1])
        shifted += np.stack(
            [
                np.einsum('ijv,j->v', added, steps),
                np.einsum('ijv,i->v', added, steps),
            ],
            axis=1,
        )
        total += added.sum(axis=(0, 1))
    return shifted / np.where(total > 0, total, 1)[:, None]


def _centred(x):
    return x - x.mean(axis=0)


def fit(field_maps: np.ndarray) -> Fields:
    """Fits a Gaussian on a background to each map, by least squares.

    The best of a grid: centres half a place apart and 32 sizes from .02 to .7
    picture widths, amplitude and background free.

    Args:
      field_maps: [side, side, voxels] over equal parts of the picture.
    """
    side, _, voxels = field_maps.shape
    places, centres = evenly(side), evenly(2 * side)
    found = Fields(
        np.full((voxels, 2), 0.5), np.full(voxels, np.nan), np.zeros(voxels)
    )
    best = np.full(voxels, -np.inf)
    flat = field_maps.reshape(-1, voxels)
    for size in np.geomspace(0.02, 0.7, 32):
        gaussians = np.float32(_gaussians(places, centres, size))
        for start in range(0, voxels, VOXELS_AT_A_TIME):
            part = slice(start, start + VOXELS_AT_A_TIME)
            correlation = gaussians @ np.float32(_unit(flat[:, part]))
            chosen = correlation.argmax(axis=0)
            value = correlation[chosen, np.arange(correlation.shape[1])]
            better = np.flatnonzero(value > best[part]) + start
            rows, columns = np.divmod(chosen[better - start], len(centres))
            best[better] = value[better - start]
            found.centre[better] = np.stack(
                [centres[columns], centres[rows]], axis=1
            )
            found.size[better] = size
    varies = np.ptp(flat, axis=0) > 0
    return Fields(
        np.where(varies[:, None], found.centre, np.nan),
        np.where(varies, found.size, np.nan),
        np.where(varies, best, np.nan),
    )


def _gaussians(places, centres, size):
    """[centres^2, places^2], rows before columns, each of mean 0 and norm 1."""
    one = np.exp(-((places - centres[:, None]) ** 2) / (2 * size**2))
    both = np.einsum('ai,bj->abij', one, one)
    return _unit(both.reshape(-1, len(places) ** 2).T).T


def _unit(columns: np.ndarray) -> np.ndarray:
    centred = columns - columns.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    return centred / np.where(norm > 0, norm, 1)


def polar(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns eccentricity and polar angle of fields, each [voxels].

    Args:
      centre: [voxels, 2] as in `Fields`; fixation is the picture's middle.

    Returns:
      Eccentricity in picture widths; angle in degrees, 0 to the right and 90
      upwards, in (-180, 180].
    """
    x, y = centre[:, 0] - 0.5, 0.5 - centre[:, 1]
    return np.hypot(x, y), np.degrees(np.arctan2(y, x))


def preference(
    activations: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> Preference:
    """Which branches, from early to late layers, a voxel depends on.

    Args:
      activations: of each branch, [n, height, width, channels] features of n
        pictures.
      weights: of each branch, [height, width, channels, voxels].
    """
    deviations = np.stack(
        [
            np.std(np.asarray(x).reshape(len(x), -1) @ _rows(w), axis=0)
            for x, w in zip(activations, weights)
        ]
    )
    total = deviations.sum(axis=0)
    share = np.divide(
        deviations,
        total,
        out=np.full_like(deviations, np.nan),
        where=total > 0,
    )
    place = np.linspace(0, 1, len(share))
    return Preference(share, place @ share)


def _rows(weights):
    return np.asarray(weights).reshape(-1, weights.shape[-1])
