"""Which face was seen, by its latents (VanRullen & Reddy 2019).

Decoded latents are compared with those of the pictures, by Pearson's
correlation over latents: C[i, j] is that of picture i with decoded pattern j.
Pairs of one subject are not independent, so p comes from permuting the decoded
patterns across faces, never from a binomial over pairs.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import identification
from brainjax.evaluation.intervals import RATE, interval
from brainjax.evaluation.scores import Score, make_score


class Spread(NamedTuple):
    """Of latents over training pictures, mean and std [K]."""

    mean: np.ndarray
    std: np.ndarray


def spread(latents: np.ndarray) -> Spread:
    """Measures the latents of training pictures, [n, K]."""
    latents = np.asarray(latents, np.float64)
    return Spread(latents.mean(axis=0), latents.std(axis=0))


def standardise(latents: np.ndarray, by: Spread) -> np.ndarray:
    """Z-scores each latent by the training pictures.

    Without it, few latents of large variance decide a correlation (as the
    first of PCA). Latents that did not vary become 0.
    """
    # Relative to the largest, as rounding leaves constants a spread.
    varies = by.std > 1e-6 * max(float(by.std.max()), 1e-12)
    scale = np.where(varies, by.std, np.inf)
    return (np.asarray(latents, np.float64) - by.mean) / scale


def recognise(
    target: np.ndarray | Sequence[np.ndarray],
    decoded: np.ndarray | Sequence[np.ndarray],
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Pairwise and full recognition of the faces that were seen.

    Pairwise: how often the latents of the face that was seen correlate more
    with the decoded ones than those of another test face do (chance .5).
    Full: how often they correlate most of all n (chance 1/n).

    Args:
      target: [n, K] latents of the test faces, or one array a subject.
      decoded: the same of the decoded patterns, in the same order.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      {'pairwise', 'full'}, as in scores.json. Of several subjects, the mean;
      patterns are exchanged within subjects, and intervals are over subjects
      and faces.
    """
    if isinstance(target, np.ndarray):
        target, decoded = [target], [decoded]
    if any(len(x) != len(y) or len(x) < 2 for x, y in zip(target, decoded)):
        raise InputError(
            f'there are latents of {[len(x) for x in target]} faces and '
            f'{[len(y) for y in decoded]} decoded patterns; give one pattern '
            'for each face, and at least two.'
        )
    matrices = [identification.similarity(*x) for x in zip(target, decoded)]
    found, options = {}, {'seed': seed, 'draws': draws}
    for name, ways in (('pairwise', 2), ('full', None)):
        tables = [
            identification.n_way_table(m, ways or len(m)) for m in matrices
        ]
        guess = np.average(
            [identification.chance(ways or len(m)) for m in matrices],
            weights=[len(m) for m in matrices],
        )
        found[name] = make_score(tables, guess, bounds=RATE, **options)
        if len(tables) > 1:
            own = [np.diagonal(table) for table in tables]
            found[name]['low'], found[name]['high'] = interval(
                own, RATE, **options
            )
    return found


def gender_axis(latents: np.ndarray, male: np.ndarray) -> np.ndarray:
    """Mean latents of male minus those of female training faces, [K].

    Args:
      latents: [n, K], standardised or not, as those to be judged.
      male: [n] bool.
    """
    male = np.asarray(male, bool)
    if male.all() or not male.any():
        raise InputError(
            f'of {len(male)} training faces {male.sum()} are labelled male; '
            'a gender axis needs faces of both.'
        )
    latents = np.asarray(latents, np.float64)
    return latents[male].mean(axis=0) - latents[~male].mean(axis=0)


def walk(
    latents: np.ndarray,
    directions: np.ndarray,
    reach: float = 2.0,
    steps: int = 7,
) -> tuple[np.ndarray, np.ndarray]:
    """Walks from the first latents along directions in latent space.

    A step's length is in standard deviations of the latents' projection on
    the direction.

    Args:
      latents: [m, K] of pictures.
      directions: [rows, K], not zero.
      reach: standard deviations to either side.
      steps: latents a row; in the middle is the start if their number is odd.

    Returns:
      Latents [rows, steps, K] float32, and the place of each step, [steps]
      standard deviations from the start.
    """
    directions = np.asarray(directions, np.float64)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    deviations = (np.asarray(latents) @ unit.T).std(0)
    places = np.linspace(-reach, reach, steps)
    walked = (
        latents[0]
        + places[None, :, None] * deviations[:, None, None] * unit[:, None]
    )
    return np.float32(walked), places


def gender(
    axis: np.ndarray,
    decoded: np.ndarray,
    male: np.ndarray,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> Score:
    """How often the sign along the axis is that of the face's label.

    No offset is fitted, as published; with standardised latents the middle is
    the mean training face.

    Args:
      axis: [K] from `gender_axis`.
      decoded: [n, K] latents.
      male: [n] bool, labels of the test faces.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      As in scores.json; chance is the mean of the same answers permuted
      across faces.
    """
    said = np.asarray(decoded, np.float64) @ axis > 0
    table = (np.asarray(male, bool)[:, None] == said[None]).astype(float)
    return make_score([table], bounds=RATE, seed=seed, draws=draws)


def imagery(
    target: np.ndarray,
    decoded: np.ndarray,
    imagined: Sequence[int],
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> Score:
    """Among how many other test faces the imagined one is identified.

    Args:
      target: [n, K] latents of the test faces.
      decoded: [m, K] of imagery patterns, one a subject (or face).
      imagined: [m] which face each was of.
      seed, draws: of the bootstrap.

    Returns:
      As in scores.json; n counts patterns. p is exact: without information
      the place among n is uniform, and places of several patterns add up. One
      pattern cannot get below 1/n.
    """
    matrix = identification.similarity(target, decoded)
    n, m = matrix.shape
    own = matrix[np.asarray(imagined), np.arange(m)]
    # An undefined correlation counts as a guess.
    beaten = np.where(np.isnan(own), (n - 1) / 2, (matrix < own).sum(axis=0))
    share = beaten / (n - 1)
    low, high = interval(share, RATE, seed=seed, draws=draws)
    return {
        'value': float(share.mean()),
        'chance': 0.5,
        'low': low,
        'high': high,
        'p': chance_of_places(int(beaten.sum()), [n] * m),
        'n': m,
    }


def chance_of_places(beaten: int, faces: Sequence[int]) -> float:
    """How likely guesses beat as many faces, or more.

    Args:
      beaten: how many other faces the imagined ones were nearer than, summed
        over patterns.
      faces: among how many each pattern was placed.

    Returns:
      P(sum of places >= beaten), each uniform over 0 to n - 1.
    """
    density = np.ones(1)
    for n in faces:
        density = np.convolve(density, np.full(n, 1 / n))
    return float(min(1.0, density[beaten:].sum()))


def equal_sets(
    ranking: np.ndarray,
    regions: Mapping[str, np.ndarray],
    count: int | None = None,
) -> dict[str, np.ndarray]:
    """The best voxels of each region, equally many of each.

    More voxels decode better whatever they are, so regions are compared with
    equal numbers of them.

    Args:
      ranking: [voxels] higher is better, from training data alone.
      regions: name -> [voxels] bool.
      count: how many of each; None for the size of the smallest region.

    Returns:
      Region -> [count] ascending indices of voxels.
    """
    sizes = {name: int(np.sum(mask)) for name, mask in regions.items()}
    count = min(sizes.values()) if count is None else count
    for name, size in sizes.items():
        if size < count or not count:
            raise InputError(
                f'region {name!r} holds {size} voxels, of {count} asked for; '
                'leave it out or ask for fewer.'
            )
    chosen = {}
    for name, mask in regions.items():
        voxels = np.flatnonzero(mask)
        best = np.argsort(-np.asarray(ranking)[voxels], kind='stable')[:count]
        chosen[name] = np.sort(voxels[best])
    return chosen
