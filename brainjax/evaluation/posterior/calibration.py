"""Are pictures drawn from a posterior as likely as the one that was seen?

Everywhere `samples` are [n, k, height, width, 3], k draws for each of n
responses, and `targets` [n, height, width, 3] what was seen, both floats in
0..1 or uint8. If a posterior is right, a target and its k draws cannot be told
apart: they are exchangeable. The checks of this module ask for nothing else,
and are exact for any number of draws. Work is done a picture at a time.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy
from scipy import spatial

from brainjax.errors import InputError
from brainjax.evaluation import statistics
from brainjax.evaluation.pixels import check_pictures
from brainjax.pictures.operations import to_uint8, unit_range

LEVELS = (0.5, 0.8, 0.9, 0.95)
MOST_FOR_AXES = 512  # Pictures, of which all products are taken,
VALUES_FOR_AXES = 2**25  # and their values held at once.
SAME = 1e-6  # Values nearer than this are equal: floats of uint8 differ less.


def check_samples(samples: np.ndarray, targets: np.ndarray) -> None:
    """Refuses draws that do not belong to these targets."""
    if samples.ndim != 5 or samples.shape[1] < 2:
        raise InputError(
            f'the draws have shape {samples.shape}; give at least two draws a '
            'picture as [n, draws, height, width, 3].'
        )
    if len(samples) != len(targets):
        raise InputError(
            f'there are draws for {len(samples)} pictures and '
            f'{len(targets)} pictures that were seen; give draws for each.'
        )
    check_pictures(targets, samples[:, 0])
    for draws, target in zip(samples, targets):
        check_pictures(np.broadcast_to(target, draws.shape), draws)


def pairs(
    samples: np.ndarray, targets: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields draws [k, values] and target [values], float64 in 0..1."""
    for draws, target in zip(samples, targets):
        yield (
            unit_range(draws).reshape(len(draws), -1),
            unit_range(target).ravel(),
        )


def principal_axes(
    samples: np.ndarray, targets: np.ndarray, q: int = 20, seed: int = 0
) -> np.ndarray:
    """Principal axes of pictures drawn at random from targets and draws.

    Axes of the targets alone would be those along which just they vary most,
    and ranks along them would not be uniform. A target is drawn here no more
    often than any of its draws, so that ranks stay exact.

    Args:
      samples, targets: see the module.
      q: how many axes at most.
      seed: of the choice.

    Returns:
      [q, values] of length 1; fewer if the pictures span fewer.
    """
    generator = np.random.default_rng(seed)
    n, k = samples.shape[:2]
    most = min(MOST_FOR_AXES, max(2 * q, VALUES_FOR_AXES // targets[0].size))
    each = min(k + 1, max(1, most // n))
    rows = np.empty((min(n, most), each, targets[0].size))
    for row, i in zip(rows, generator.permutation(n)):
        for j, member in enumerate(generator.choice(k + 1, each, False)):
            image = samples[i, member - 1] if member else targets[i]
            row[j] = unit_range(image).ravel()
    rows = rows.reshape(-1, targets[0].size)
    rows -= rows.mean(axis=0)
    variance, vectors = np.linalg.eigh(rows @ rows.T)
    variance, vectors = variance[::-1][:q], vectors[:, ::-1][:, :q]
    kept = variance > 1e-9 * max(variance[0], 1e-30)
    return (vectors[:, kept] / np.sqrt(variance[kept])).T @ rows


def ranks(
    samples: np.ndarray, targets: np.ndarray, axes: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Simulation-based calibration: ranks of the truth (Talts et al. 2018).

    Where the target's coefficient along an axis, axis' (x - mean), stands
    among the coefficients of its draws; the mean changes no rank and is not
    asked for. Ties are broken at random, so that ranks of a calibrated
    posterior are uniform on 0..k whatever the pictures.

    Args:
      samples, targets: see the module.
      axes: [q, values], height x width x 3 values.
      seed: of the ties.

    Returns:
      [n, q] int, how many draws lie below.
    """
    generator = np.random.default_rng(seed)
    rounding = SAME / 10 * np.abs(axes).sum(axis=1)
    found = np.empty((len(targets), len(axes)), int)
    for i, (draws, target) in enumerate(pairs(samples, targets)):
        # Differences first: equal pictures then tie exactly.
        ahead = (draws - target) @ axes.T
        tied = (np.abs(ahead) <= rounding).sum(axis=0)
        below = (ahead < -rounding).sum(axis=0)
        found[i] = below + generator.integers(tied + 1)
    return found


def uniformity(ranks: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """p of uniform ranks, one an axis, corrected for the number of axes.

    A Kolmogorov-Smirnov test of (rank + u) / (k + 1), u uniform on 0..1, which
    is uniform exactly where ranks are: no limit of many draws is needed.
    Pictures must be independent: give one response to each stimulus, and draws
    of each from noise of its own.

    Args:
      ranks: [n, q] int in 0..k.
      k: number of draws.
      seed: of u.

    Returns:
      [q] float64, by Holm's method.
    """
    u = np.random.default_rng(seed).random(ranks.shape)
    places = (ranks + u) / (k + 1)
    p = [scipy.stats.kstest(column, 'uniform').pvalue for column in places.T]
    return statistics.family_wise(np.array(p))


def rank_dispersion(ranks: np.ndarray, k: int) -> np.ndarray:
    """How far ranks lie from the middle; 1 for a calibrated posterior.

    12 times the mean square of (rank + u) / (k + 1) - 1/2, u uniform, which
    has mean 1 for any k. Above 1, up to 3, draws spread too little or lie
    beside the truth, below 1, down to 0, they spread too much.

    Args:
      ranks: [n, q] int in 0..k.
      k: number of draws.

    Returns:
      [n] float64, mean over axes.
    """
    middle = (ranks + 0.5) / (k + 1) - 0.5
    return (12 * middle**2 + 1 / (k + 1) ** 2).mean(axis=1)


def fewest_draws(level: float) -> int:
    """Draws that are needed for a central interval between two of them."""
    return int(np.ceil((1 + level) / (1 - level) - 1e-9))


def coverage(
    samples: np.ndarray,
    targets: np.ndarray,
    levels: Sequence[float] = LEVELS,
) -> np.ndarray:
    """Share of a picture's values inside the central intervals of its draws.

    Of k draws, the interval from the i-th to the j-th smallest holds the truth
    with probability (j - i) / (k + 1). Where a level asks for an end between
    two draws, the truth between these two counts as inside by that part, so
    that the expectation is the level itself for any k. A truth that equals
    draws stands at each of the places among them with the same weight, as if
    ties were broken at random. Values at which the truth and all draws are
    equal, as of a constant background, say nothing and are left out; that
    choice treats truth and draws alike, so the rest stays exact.

    If one of both is uint8 the other is rounded to it before: a truth that is
    known to 1 / 255 only lies anywhere within that.

    Args:
      samples, targets: see the module.
      levels: in 0..1.

    Returns:
      [n, levels] float64; NaN where the level needs more draws
      (`fewest_draws`), and for a picture without any value that varies.
    """
    k = samples.shape[1]
    rounded = np.uint8 in (samples.dtype, targets.dtype)
    found = np.full((len(targets), len(levels)), np.nan)
    for i, (draws, target) in enumerate(pairs(samples, targets)):
        if rounded:
            draws, target = (unit_range(to_uint8(x)) for x in (draws, target))
        ahead = draws - target
        tied = (np.abs(ahead) <= SAME).sum(axis=0)
        below = (ahead < -SAME).sum(axis=0)[tied < k]
        # Places 0..k+1 on a line; the truth covers tied + 1 of them.
        above = below + tied[tied < k] + 1
        for j, level in enumerate(levels):
            if k < fewest_draws(level) or not len(below):
                continue
            start = (1 - level) / 2 * (k + 1)
            inside = np.minimum(above, k + 1 - start) - np.maximum(below, start)
            found[i, j] = (np.maximum(inside, 0) / (above - below)).mean()
    return found


def crps(samples: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score, fair (Ferro 2014), lower is better.

    mean |x_i - y| - sum_ij |x_i - x_j| / (2 k (k - 1)) of draws x and truth y:
    its expectation is that of the distribution the draws come from, however
    few they are. The second sum is taken over sorted draws, in k log k.

    Args:
      samples, targets: see the module.

    Returns:
      [n] float64, mean over a picture's values, in units of 0..1.
    """
    return _own(picture_crps, samples, targets)


def energy_score(samples: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Energy score of whole pictures, fair, lower is better.

    As `crps` (Gneiting & Raftery 2007), with the distance of two pictures,
    root mean square over values, for |.|: unlike the mean of CRPS it notices
    whether values vary together as they should. Of one value it is the CRPS.

    Args:
      samples, targets: see the module.

    Returns:
      [n] float64, in units of 0..1.
    """
    return _own(picture_energy, samples, targets)


# draws [k, values] and targets [m, values] -> [m].
PictureScore = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _own(score, samples, targets):
    each = pairs(samples, targets)
    return np.array([score(draws, target[None])[0] for draws, target in each])


def all_pairs(
    score: PictureScore, samples: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """A score of every target by the draws of every response.

    Args:
      score: `picture_crps` or `picture_energy`.
      samples, targets: see the module.

    Returns:
      [n, n] float64, rows targets and columns responses.
    """
    flat = unit_range(targets).reshape(len(targets), -1)
    columns = [score(draws, flat) for draws, _ in pairs(samples, targets)]
    return np.stack(columns, axis=1)


def picture_crps(draws: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """`crps` of several targets by the draws of one response.

    Args:
      draws: [k, values].
      targets: [m, values].

    Returns:
      [m] float64.
    """
    k, values = draws.shape
    error = spatial.distance.cdist(targets, draws, 'cityblock').mean(axis=1)
    weights = 2 * np.arange(1, k + 1) - k - 1
    spread = weights @ np.sort(draws, axis=0)
    return error / values - spread.mean() / (k * (k - 1))


def picture_energy(draws: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """`energy_score` of several targets by the draws of one response."""
    error = spatial.distance.cdist(targets, draws).mean(axis=1)
    spread = spatial.distance.pdist(draws).mean()
    return (error - spread / 2) / np.sqrt(draws.shape[1])


def residual_draws(
    reconstructions: np.ndarray,
    residuals: np.ndarray,
    k: int = 32,
    seed: int = 0,
) -> np.ndarray:
    """Draws around the pictures of a method that gives one picture each.

    What a point method knows of its errors: residuals of pictures that it was
    not fitted to, drawn at random and added. Proper scores of a posterior are
    to be read beside those of these draws.

    Args:
      reconstructions: [n, height, width, 3], floats in 0..1 or uint8.
      residuals: [m, height, width, 3] target minus reconstruction, in units
        of 0..1, of pictures held out from fitting; clip these to 0..1 before,
        if the reconstructions are.
      k: draws; without repetition if there are as many residuals.
      seed: of the choice.

    Returns:
      [n, k, height, width, 3] float32, clipped to 0..1.
    """
    if residuals.shape[1:] != reconstructions.shape[1:] or not len(residuals):
        raise InputError(
            f'the residuals have shape {residuals.shape} and the '
            f'reconstructions {reconstructions.shape}; give residual pictures '
            'of the same size.'
        )
    generator = np.random.default_rng(seed)
    shape = (len(reconstructions), k, *reconstructions.shape[1:])
    found = np.empty(shape, np.float32)
    for i, image in enumerate(reconstructions):
        chosen = generator.choice(len(residuals), k, len(residuals) < k)
        np.clip(unit_range(image) + residuals[chosen], 0, 1, out=found[i])
    return found
