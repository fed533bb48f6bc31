"""Choosing k and alpha of the ridge by cross-validation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.linear import correlation
from brainjax.linear.ridge.decoding import decode
from brainjax.linear.ridge.equations import prepare

ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
KS = (100, 500, 1000)


class Choice(NamedTuple):
    """What cross-validation found.

    Attributes:
      k, alpha: the best.
      scores: [ks, alphas] of all that was tried.
    """

    k: int
    alpha: float
    scores: np.ndarray


def select_alpha_k(
    fmri: np.ndarray,
    stimulus: np.ndarray,
    features: np.ndarray,
    *,
    ks: Sequence[int] = KS,
    alphas: Sequence[float] = ALPHAS,
    folds: int = 5,
    run: np.ndarray | None = None,
    seed: int = 0,
    **options,
) -> Choice:
    """Chooses k and alpha on training trials alone.

    Give it no test trial, and what is later tested is not seen: the choice is
    nested. Trials are held out with all repeats of their stimuli, or by run;
    then training trials that show a stimulus of the held-out runs are left
    out too. The held-out trials of a stimulus are averaged and decoded, and
    the score is the correlation of a decoded unit with the true one over
    stimuli, averaged over units that vary and over folds.

    Args:
      fmri: [trials, voxels].
      stimulus: [trials] int, the row of `features` that each trial showed.
      features: [stimuli, units]; a sample of a layer's units will do.
      ks, alphas: what to try; a k that is larger than the number of voxels
        means all.
      folds: how many.
      run: [trials] the run of each trial, to hold out whole runs.
      seed: of the folds.
      **options: `bias`, `normalise` and `dtype` of `ridge.prepare`, `threads`
        of `ridge.decoder`.
    """
    threads = options.pop('threads', None)
    parts = _folds(stimulus, run, folds, seed)
    scores = np.zeros((len(ks), len(alphas)))
    for train, test in parts:
        shown, rows = np.unique(stimulus[train], return_inverse=True)
        held_out, index = np.unique(stimulus[test], return_inverse=True)
        averaged = np.zeros((len(held_out), fmri.shape[1]))
        np.add.at(averaged, index, fmri[test])
        averaged /= np.bincount(index)[:, None]
        for i, k in enumerate(ks):
            for j, alpha in enumerate(alphas):
                prepared = prepare(
                    fmri[train], rows, k=k, alpha=alpha, **options
                )
                decoded = decode(
                    prepared, averaged, features[shown], threads=threads
                )
                scores[i, j] += _correlation(decoded, features[held_out])
    scores /= len(parts)
    i, j = np.unravel_index(np.argmax(scores), scores.shape)
    return Choice(int(ks[i]), float(alphas[j]), scores)


def _folds(stimulus, run, folds, seed):
    """Returns pairs of [trials] bool: training and held-out trials."""
    groups = stimulus if run is None else run
    numbers = np.random.default_rng(seed).permutation(np.unique(groups))
    what = 'stimuli' if run is None else 'runs'
    if not 2 <= folds <= len(numbers):
        raise InputError(
            f'{len(numbers)} {what} cannot make {folds} folds; ask for 2 to '
            f'{len(numbers)}.'
        )
    parts = []
    for held_out in np.array_split(numbers, folds):
        test = np.isin(groups, held_out)
        train = ~np.isin(stimulus, stimulus[test])
        for part, name in ((train, 'train on'), (test, 'test on')):
            if len(np.unique(stimulus[part])) < 2:
                raise InputError(
                    f'a fold has fewer than two stimuli to {name}; '
                    + (
                        'use fewer folds.'
                        if run is None
                        else 'as the same stimuli return in other runs, hold '
                        'out stimuli instead.'
                    )
                )
        parts.append((train, test))
    return parts


def _correlation(decoded, true):
    """Mean over units that vary of the correlation over stimuli."""
    counted = np.ptp(true, axis=0) > 0
    r = correlation.columns(decoded, true, constant=0.0)
    return r[counted].mean() if counted.any() else 0.0
