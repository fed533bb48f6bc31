"""How good could it be? What noise and the method itself allow.

Test stimuli that were shown several times tell how much of a score measurement
noise takes away: pictures are reconstructed from averages of fewer trials, down
to single ones, and from two halves of the trials. What the method gives
without any noise, from its own prediction of the response or from the true
features, is its ceiling.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.evaluation import pixels, statistics
from brainjax.evaluation.intervals import interval
from brainjax.evaluation.scores import (
    Score,
    identification_scores,
    pixel_scores,
)
from brainjax.recordings import Trials

GROUPS = 4  # Averages of a picture for each number of trials, at most.
MOST_ROWS = 4000  # Beyond, one average for each.
SCORED = ('pixcorr', 'two_way_pixels')
CEILED = ('pixcorr', 'ssim_2d', 'two_way_pixels')
WHOLE = -1


class Averages(NamedTuple):
    """Averages of some trials of each test picture.

    Attributes:
      rows: the test trials of each average.
      target: [averages] which of the test pictures.
      trials: [averages] how many trials were averaged.
      half: [averages] 0 and 1 for the two halves of a picture's trials, WHOLE
        for averages that make up the curve over numbers of trials.
    """

    rows: list[np.ndarray]
    target: np.ndarray
    trials: np.ndarray
    half: np.ndarray


class Repeats(NamedTuple):
    """What was reconstructed from `Averages`: images uint8, a row each."""

    images: np.ndarray
    target: np.ndarray
    trials: np.ndarray
    half: np.ndarray


def plan(
    stimulus: np.ndarray, shown: np.ndarray, seed: int = 0
) -> Averages | None:
    """Draws trials to average: 1, 2, 4, ... below all, and two halves.

    Averages of one number of trials share no trial.

    Args:
      stimulus: [trials] of the test.
      shown: [n] the stimulus of each test picture.
      seed: of the draw.

    Returns:
      None where a picture was shown once only.
    """
    rng = np.random.default_rng([seed, 5])
    trials = [rng.permutation(np.flatnonzero(stimulus == i)) for i in shown]
    least = min(map(len, trials))
    if least < 2:
        return None
    numbers = [2**i for i in range(least.bit_length()) if 2**i < least]
    most = GROUPS if GROUPS * len(numbers) * len(shown) <= MOST_ROWS else 1
    found = []
    for i, mine in enumerate(trials):
        for k in numbers:
            for group in range(min(most, len(mine) // k)):
                found.append((mine[group * k : (group + 1) * k], i, WHOLE))
        middle = len(mine) // 2
        found.append((mine[:middle], i, 0))
        found.append((mine[middle : 2 * middle], i, 1))
    rows, target, half = zip(*found)
    return Averages(
        [*rows], np.array(target), np.array([*map(len, rows)]), np.array(half)
    )


def average(trials: Trials, averages: Averages) -> np.ndarray:
    """Averages responses, [averages, voxels] float32."""
    return np.array(
        [trials.fmri.take(rows, axis=0).mean(axis=0) for rows in averages.rows],
        np.float32,
    )


def score_repeats(
    targets: np.ndarray,
    repeats: Repeats,
    whole: float,
    fold: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[dict[str, Score], dict[int, dict[str, Score]]]:
    """Scores pictures from fewer trials.

    Several averages of a picture count as one: their scores are averaged.

    Args:
      targets: [n, height, width, 3] what was shown.
      repeats: with the rows of these pictures.
      whole: how many trials a picture has, on average.
      fold: [n] of `evaluation.score`.
      seed: of bootstrap and permutations.

    Returns:
      'SCORE_single_trial'; 'SCORE_split_half', of the pictures from one half
      of the trials with those from the other in place of what was shown, and
      'pixcorr_reliability', the same for all trials by Spearman and Brown; and
      number of trials -> SCORE -> score, for SCORED.
    """
    curve = {}
    for k in np.unique(repeats.trials[repeats.half == WHOLE]):
        mine = (repeats.half == WHOLE) & (repeats.trials == k)
        target = repeats.target[mine]
        curve[int(k)] = _score(
            targets[target],
            repeats.images[mine],
            pixels.distinct(targets[target]),
            None if fold is None else fold[target],
            seed,
        )
    first, second = (
        repeats.images[repeats.half == i][
            np.argsort(repeats.target[repeats.half == i])
        ]
        for i in (0, 1)
    )
    halves = _score(first, second, pixels.distinct(targets), fold, seed)
    scores = {f'{name}_single_trial': each for name, each in curve[1].items()}
    scores |= {f'{name}_split_half': each for name, each in halves.items()}
    # 2 of an even number of trials, 3 of three: one of an odd one is left out.
    more = whole / repeats.trials[repeats.half == 0].mean()
    scores['pixcorr_reliability'] = stepped_up(halves['pixcorr'], more)
    return scores, curve


def stepped_up(score: Score, k: float) -> Score:
    """A correlation r of two averages, for k times the trials in each.

    k r / (1 + (k - 1) |r|), Spearman and Brown's, as in
    `recordings.reliability.split_half`.
    """
    return score | {
        key: float(k * score[key] / (1 + (k - 1) * abs(score[key])))
        for key in ('value', 'chance', 'low', 'high')
    }


def score_ceiling(
    targets: np.ndarray,
    ceiling: np.ndarray,
    scores: Mapping[str, Score],
    fold: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """Scores what a method gives without noise, and what is reached of that.

    Args:
      targets, ceiling: [n, height, width, 3].
      scores: of the reconstructions.
      fold, seed: as above.

    Returns:
      'SCORE_ceiling' and 'SCORE_of_ceiling' for those of CEILED there are.
    """
    picture = pixels.distinct(targets)
    names = ('pixcorr', 'ssim_2d')
    best = _score(targets, ceiling, picture, fold, seed, names)
    best = {name: best[name] for name in CEILED if name in best}
    return {f'{name}_ceiling': each for name, each in best.items()} | {
        f'{name}_of_ceiling': of_ceiling(scores[name], each, seed)
        for name, each in best.items()
    }


def of_ceiling(
    score: Score, ceiling: Score, seed: int = 0, draws: int = 10_000
) -> Score:
    """(score - chance) / (ceiling - chance), a share of what is possible.

    Each has its own chance: pictures that are all alike are by chance more
    similar. The interval is over pictures, for both at once; p is that of the
    score.

    Args:
      score, ceiling: with `per_picture`.
      seed, draws: of the bootstrap.
    """
    above = [each.per_picture - each['chance'] for each in (score, ceiling)]
    means = [each.mean() for each in above]
    value = float(statistics.normalised(*means))
    # What each picture moves the ratio by, to first order.
    parts = value + (above[0] - value * above[1]) / means[1]
    low, high = interval(parts, seed=seed, draws=draws)
    found = Score(
        value=value, chance=0.0, low=low, high=high, p=score['p'], n=len(parts)
    )
    found.null = score.null
    return found


def curve_arrays(
    curve: Mapping[int, Mapping[str, Score]],
    whole: Mapping[str, Score],
    trials: float,
) -> dict[str, np.ndarray]:
    """The curve over numbers of trials, up to all, as arrays.

    Args:
      curve: of `score_repeats`.
      whole: the scores from all trials.
      trials: how many these are, on average.

    Returns:
      'trials' [k], and for each SCORE of SCORED 'SCORE', 'SCORE_chance',
      'SCORE_low' and 'SCORE_high' [k].
    """
    steps = [*curve.values(), whole]
    found = {'trials': np.array([*curve, trials], float)}
    for name in SCORED:
        for key, suffix in (
            ('value', ''),
            ('chance', '_chance'),
            ('low', '_low'),
            ('high', '_high'),
        ):
            found[f'{name}{suffix}'] = np.array(
                [each[name][key] for each in steps], float
            )
    return found


def _score(
    target: np.ndarray,
    images: np.ndarray,
    picture: np.ndarray,
    fold: np.ndarray | None,
    seed: int,
    names: Sequence[str] = ('pixcorr',),
) -> dict[str, Score]:
    options = {'picture': picture, 'fold': fold, 'seed': seed}
    scores, matrix = pixel_scores(target, images, names, **options)
    found = identification_scores('pixels', matrix, **options)
    return scores | {'two_way_pixels': found['two_way_pixels']}
