"""The linear map between latents and voxels, and its inversion.

VanRullen & Reddy 2019: responses are Y = X W + E, with latents and a trailing
column of ones in X; latents are found from new responses y as those whose
predicted responses come closest, y W' (W W')^-1. All is computed in float64,
some voxels at a time, and returned in float32.
"""

import numpy as np

from brainjax.errors import InputError

VOXELS_AT_ONCE = 8192


def fit_forward(
    latents: np.ndarray,
    fmri: np.ndarray,
    *,
    ridge: float = 0.0,
    voxels_at_once: int = VOXELS_AT_ONCE,
) -> np.ndarray:
    """Fits responses from latents, W = (X'X + ridge I)^-1 X'Y.

    Args:
      latents: [trials, K].
      fmri: [trials, voxels].
      ridge: penalty of all rows of W but the last, the bias.
      voxels_at_once: bounds the memory.

    Returns:
      W [K + 1, voxels] float32, the bias last.

    Raises:
      InputError: without a penalty, there are not enough trials for the
        latents, or latents that follow from others.
    """
    x = _with_ones(latents)
    trials, columns = x.shape
    squares = x.T @ x
    squares[np.diag_indices(columns - 1)] += ridge
    if not ridge and np.linalg.matrix_rank(squares, hermitian=True) < columns:
        raise InputError(
            f'{trials} trials do not determine the weights of {columns - 1} '
            'latents; give more trials, fewer latents or a ridge above 0.'
        )
    weights = np.empty((columns, fmri.shape[1]), np.float32)
    for start in range(0, fmri.shape[1], voxels_at_once):
        part = slice(start, start + voxels_at_once)
        products = x.T @ np.asarray(fmri[:, part], np.float64)
        weights[:, part] = np.linalg.solve(squares, products)
    return weights


def invert(
    weights: np.ndarray,
    fmri: np.ndarray,
    *,
    noise: np.ndarray | float = 0.0,
    voxels_at_once: int = VOXELS_AT_ONCE,
) -> np.ndarray:
    """Finds latents from responses, y W' (W W')^-1 without its last element.

    Args:
      weights: W [K + 1, voxels], from `fit_forward`.
      fmri: [n, voxels].
      noise: [K + 1, K + 1] taken from W W', see `noise_share`; published: 0.
      voxels_at_once: bounds the memory.

    Returns:
      [n, K] float32.

    Raises:
      InputError: there are not more voxels than latents, they do not
        determine them, or nothing is left beside the noise.
    """
    rows, voxels = weights.shape
    squares, products = np.zeros((rows, rows)), np.zeros((len(fmri), rows))
    for start in range(0, voxels, voxels_at_once):
        part = slice(start, start + voxels_at_once)
        w = np.float64(weights[:, part])
        squares += w @ w.T
        products += np.asarray(fmri[:, part], np.float64) @ w.T
    rank = np.linalg.matrix_rank(squares, hermitian=True)
    if voxels < rows or rank < rows:
        raise InputError(
            f'{voxels} voxels do not determine {rows - 1} latents and a '
            'constant; give more voxels or fewer latents.'
        )
    squares -= noise
    if np.linalg.eigvalsh(squares)[0] <= 0:
        raise InputError(
            f'the weights of {rows - 1} latents are no more than noise; give '
            'more trials or fewer latents, or leave the noise in.'
        )
    return np.float32(np.linalg.solve(squares, products.T).T[:, :-1])


def rescale(
    latents: np.ndarray, mean: np.ndarray, standard_deviation: np.ndarray
) -> np.ndarray:
    """Gives decoded latents the mean and spread of training latents.

    Noise shrinks decoded latents, and their pictures look like the average
    face. Each latent is standardised over those given, so that a decoded
    latent depends on the others of its set: over test trials this is
    transductive. `noise_share` makes up for the noise without that.

    Args:
      latents: [n, K] decoded.
      mean, standard_deviation: [K] of the training stimuli's latents.

    Returns:
      [n, K] float32.
    """
    spread = latents.std(axis=0)
    centred = (latents - latents.mean(axis=0)) / np.where(spread, spread, 1)
    return np.float32(centred * standard_deviation + mean)


def noise_share(
    latents: np.ndarray,
    fmri: np.ndarray,
    weights: np.ndarray,
    *,
    voxels_at_once: int = VOXELS_AT_ONCE,
) -> np.ndarray:
    """Estimates what noise in W adds to W W', from training trials alone.

    Of least squares, E[W W'] is that of the true weights plus
    (X'X)^-1 sum_v s_v^2, with the residual variances s_v^2. This part is
    what shrinks latents; `invert` can take it away.

    Args:
      latents: [trials, K].
      fmri: [trials, voxels].
      weights: from `fit_forward` on these, without a ridge.
      voxels_at_once: bounds the memory.

    Returns:
      [K + 1, K + 1] float64.

    Raises:
      InputError: there are not more trials than latents and a constant.
    """
    x = _with_ones(latents)
    freedom = len(x) - x.shape[1]
    if freedom < 1:
        raise InputError(
            f'{len(x)} trials leave no residual beside {x.shape[1] - 1} '
            'latents and a constant; give more trials.'
        )
    total = 0.0
    for start in range(0, fmri.shape[1], voxels_at_once):
        part = slice(start, start + voxels_at_once)
        residual = np.asarray(fmri[:, part], np.float64) - x @ weights[:, part]
        total += (residual**2).sum()
    return total / freedom * np.linalg.inv(x.T @ x)


def _with_ones(latents: np.ndarray) -> np.ndarray:
    ones = np.ones((len(latents), 1))
    return np.concatenate([np.float64(latents), ones], axis=1)
