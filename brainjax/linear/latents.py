"""The linear map from latents to voxels, and back (VanRullen & Reddy 2019).

Forward, each voxel is a weighted sum of a picture's latents and a bias:

    Y = [X 1] W + E        W = ([X 1]'[X 1])^-1 [X 1]' Y

Back, a pattern y is explained by the latents x that fit it best over voxels,
the bias' coefficient being estimated with them and dropped:

    [x c] = y W' (W W')^-1

Gram matrices are computed in float64, other products in float32 and summed in
float64. These are equations (1) and (2) of the paper. For direct ridge
regression from voxels to latents, the other way round, see
`linear.estimator.VoxelSelectingRidge` with `k=0`; for the spread of decoded
latents `linear.scaling`.
"""

import numpy as np
from scipy import linalg

from brainjax.errors import InputError
from brainjax.linear.arrays import as_numbers, blocks, gram, product

VOXELS_AT_A_TIME = 4096
# Eigenvalues below this part of the greatest are rounding of float32 numbers.
_DISTINCT = 1e-10
_VARIES = 1e-10  # Least variance of latents, as a part of the greatest.


def fit(
    latents: np.ndarray,
    fmri: np.ndarray,
    *,
    ridge: float = 0.0,
    voxels_at_a_time: int = VOXELS_AT_A_TIME,
) -> np.ndarray:
    """Fits the map from latents to voxels, equation (1).

    Directions in which the latents do not vary get no weight. Beside the
    result the memory needed is that of `voxels_at_a_time` voxels.

    Args:
      latents: [trials, K].
      fmri: [trials, voxels]; it may be mapped from a file.
      ridge: added to the diagonal of X'X, but not for the bias.
      voxels_at_a_time: how many voxels are read at once.

    Returns:
      [K + 1, voxels] float32, the bias last.
    """
    design = with_bias(_checked(latents, 'latents'))
    if np.ndim(fmri) != 2 or len(fmri) != len(design):
        raise InputError(
            f'the latents are of {len(design)} trials and the fMRI has shape '
            f'{np.shape(fmri)}; give [trials, voxels] of the same trials.'
        )
    trials, rows = design.shape
    if trials < rows and not ridge:
        raise InputError(
            f'{trials} trials cannot determine {rows - 1} latents and a bias; '
            'use fewer latents, more trials, or a ridge penalty.'
        )
    inverse = inverse_gram(design, ridge)
    weights = np.empty((rows, fmri.shape[1]), np.float32)
    for part in blocks(fmri.shape[1], voxels_at_a_time):
        responses = _checked(fmri[:, part], 'fMRI')
        weights[:, part] = inverse @ product(design, responses)
    return weights


def with_bias(latents: np.ndarray) -> np.ndarray:
    """Appends a column of ones, [trials, K + 1] float32."""
    ones = np.ones((len(latents), 1), np.float32)
    return np.concatenate([np.float32(latents), ones], axis=1)


def inverse_gram(design: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    """Returns (X'X + ridge)^-1, [K + 1, K + 1] float64.

    Pseudo-inverse, if need be; `ridge` leaves the last row, the bias, alone.
    """
    penalty = np.full(design.shape[1], float(ridge))
    penalty[-1] = 0
    return _inverse(gram(design) + np.diag(penalty))


def predict(weights: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """Returns the voxels' responses to latents, [n, voxels] float32."""
    return with_bias(latents) @ weights


def residual_variance(
    weights: np.ndarray,
    latents: np.ndarray,
    fmri: np.ndarray,
    *,
    voxels_at_a_time: int = VOXELS_AT_A_TIME,
) -> np.ndarray:
    """Variance of what the map leaves of each voxel.

    Args:
      weights: from `fit` without `ridge`.
      latents, fmri: what it was fitted to.
      voxels_at_a_time: how many voxels are read at once.

    Returns:
      [voxels] float32; unbiased, as divided by trials - (K + 1).
    """
    design = with_bias(latents)
    degrees = max(1, len(design) - len(weights))
    found = np.empty(weights.shape[1], np.float32)
    for part in blocks(weights.shape[1], voxels_at_a_time):
        left = np.float32(fmri[:, part]) - design @ weights[:, part]
        found[part] = (left**2).sum(axis=0, dtype=np.float64) / degrees
    return found


def invert(weights: np.ndarray, fmri: np.ndarray) -> np.ndarray:
    """Finds the latents of patterns by least squares, equation (2).

    Noise in the weights makes them too small, the more so the noisier the
    map; correlations do not mind, pictures do (`linear.scaling`). They are
    not bound to the range of a VAE's latents.

    Args:
      weights: [K + 1, voxels], the bias last, from `fit`.
      fmri: [n, voxels] patterns.

    Returns:
      [n, K] float32. Latents that no voxel carries are 0.
    """
    patterns = _patterns(weights, fmri)
    if weights.shape[1] < len(weights):
        raise InputError(
            f'{weights.shape[1]} voxels cannot determine {len(weights) - 1} '
            'latents and a bias; use more voxels or fewer latents, or give '
            'their prior (`invert_map`).'
        )
    inverse = _inverse(gram(weights.T))
    found = product(patterns.T, weights.T) @ inverse
    return np.float32(found[:, :-1])


def invert_map(
    weights: np.ndarray,
    fmri: np.ndarray,
    noise: np.ndarray,
    precision: float | np.ndarray = 0.0,
    mean: np.ndarray | None = None,
) -> np.ndarray:
    """Finds the maximum a posteriori latents, given noise and prior.

    x = m + (y - b - m W) S^-1 W' (W S^-1 W' + P)^-1: generalised least squares
    with the bias known, and a normal prior.

    Args:
      weights: [K + 1, voxels], the bias last, from `fit`.
      fmri: [n, voxels] patterns.
      noise: [voxels] S, the variance of each pattern's noise, for example
        `residual_variance` divided by the repeats averaged; all positive.
      precision: P, one number, [K] or [K, K]: one over the prior variance.
      mean: [K] m, of the prior; None for 0.

    Returns:
      [n, K] float32.
    """
    patterns = _patterns(weights, fmri)
    noise = np.asarray(noise)
    if noise.shape != weights.shape[1:] or not (noise > 0).all():
        raise InputError(
            f'the noise has shape {noise.shape}; give a positive variance for '
            f'each of the {weights.shape[1]} voxels.'
        )
    rows, bias = weights[:-1], weights[-1]
    mean = np.zeros(len(rows)) if mean is None else np.asarray(mean)
    prior = np.asarray(precision, np.float64)
    if prior.ndim < 2:
        prior = np.diag(np.broadcast_to(prior, len(rows)))
    weighted = rows / np.float32(noise)
    root = np.float64(rows) / np.sqrt(np.float64(noise))
    inverse = _inverse(gram(root.T) + prior)
    left = patterns - bias - np.float32(mean) @ rows
    return np.float32(mean + product(left.T, weighted.T) @ inverse)


def most_probable(
    weights: np.ndarray,
    fmri: np.ndarray,
    noise: np.ndarray,
    known: np.ndarray,
    *,
    find_constant: bool = False,
) -> np.ndarray:
    """Finds the maximum a posteriori latents, given those of known pictures.

    `invert_map` with the mean m and the covariance C of the known latents as
    prior; it is solved in units of that prior, x = m + z C^(1/2), so that
    nearly collinear latents do no harm.

    Args:
      weights: [K + 1, voxels], the bias last, from `fit`; any number of
        voxels.
      fmri: [n, voxels] patterns.
      noise: [voxels] variance of each pattern's noise; all positive.
      known: [pictures, K] latents, for example of the training stimuli.
      find_constant: for patterns that may be weaker as a whole, as of
        imagery: the response to the mean picture counts c times, c being found
        with the prior N(1, 1), and x = c m + z C^(1/2).

    Returns:
      [n, K] float32.
    """
    mean = known.mean(axis=0, dtype=np.float64)
    centred = np.float32(known - mean)
    variances, axes = linalg.eigh(gram(centred) / len(known))
    varies = variances > _VARIES * variances[-1]
    root = (axes[:, varies] * np.sqrt(variances[varies])).T
    rows = np.float32(root @ weights[:-1])
    constant = np.float32(mean @ weights[:-1] + weights[-1])[None]
    if not find_constant:
        found = invert_map(
            np.concatenate([rows, constant]), fmri, noise, precision=1
        )
        return np.float32(mean + found @ root)
    found = invert_map(
        np.concatenate([rows, constant, 0 * constant]),
        fmri,
        noise,
        precision=1,
        mean=np.append(np.zeros(len(rows)), 1),
    )
    return np.float32(found[:, -1:] * mean + found[:, :-1] @ root)


def _patterns(weights, fmri):
    patterns = _checked(fmri, 'fMRI')
    if weights.ndim != 2 or patterns.shape[1] != weights.shape[1]:
        raise InputError(
            f'the patterns have shape {patterns.shape} and the weights '
            f'{weights.shape}; give patterns of the voxels that were fitted.'
        )
    return patterns


def _checked(values, what):
    values = np.asarray(as_numbers(values, f'the {what}'), np.float32)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(
            f'the {what} have shape {values.shape}, and must be two-'
            'dimensional and finite; leave out what is NaN.'
        )
    return values


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Pseudo-inverse that leaves out what only rounding has put there.

    Whatever the units of the rows, directions are compared after each row has
    been brought to length 1.
    """
    length = np.sqrt(np.diagonal(matrix))
    length = np.where(length > 0, length, 1)
    scale = np.outer(length, length)
    return linalg.pinvh(matrix / scale, rtol=_DISTINCT) / scale
