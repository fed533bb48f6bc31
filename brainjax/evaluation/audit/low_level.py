"""Do reconstructions tell more than the statistics of a picture?

Mean colour, brightness and contrast identify many a picture. The rival is the
mean training picture with those of the target, and with its energy at each
spatial frequency and orientation: all that can be said of a picture without
saying where in it anything is.
"""

import numpy as np

from brainjax.evaluation import identification
from brainjax.evaluation.audit import AuditCheck, similarity
from brainjax.evaluation.intervals import RATE, interval

LEAST = 0.15  # Of two-way identification above .5, to be judged.
SHARE = 0.5  # Of it that has to be left without low-level statistics.
FEWEST = 12  # Pictures.


def rival(target: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The mean training picture with the targets' low-level statistics.

    Args:
      target: [n, side, side, 3] float32 in 0..1.
      train: [m, side, side, 3].

    Returns:
      [n, side, side, 3]: phases of the mean, amplitudes of each target.
    """
    mean = np.fft.rfft2(train.mean(axis=0), axes=(0, 1))
    phase = mean / np.maximum(np.abs(mean), 1e-12)
    amplitude = np.abs(np.fft.rfft2(target, axes=(1, 2)))
    made = np.fft.irfft2(amplitude * phase, target.shape[1:3], axes=(1, 2))
    return np.float32(made).clip(0, 1)


def beyond(
    target: np.ndarray,
    reconstruction: np.ndarray,
    train: np.ndarray,
    seed: int = 0,
) -> AuditCheck:
    """Is a picture identified by more than its low-level statistics?

    What is left of pictures without their mean colour, and without what they
    share with the mean training picture, is identified too. A flag needs that
    this is clearly less than half of what the whole pictures give.

    Args:
      target, reconstruction, train: as `rival` takes them.
      seed: of the bootstrap.
    """
    whole, theirs = (
        identification.two_way(similarity(target, x)).mean()
        for x in (reconstruction, rival(target, train))
    )
    left = identification.two_way(
        identification.similarity(
            *(_without(x, train) for x in (target, reconstruction))
        )
    )
    level, meaning = judge(float(whole), left, seed, LEAST, SHARE, FEWEST)
    return AuditCheck(
        'beyond low-level statistics',
        float(left.mean()),
        float(theirs),
        level,
        f'Two-way identification is {whole:.2f}, and {left.mean():.2f} without '
        'mean colours and the mean picture. The mean picture with each '
        f'target’s colour, contrast and orientations scores {theirs:.2f}. '
        + {
            'ok': 'Where things are is decoded too.',
            'flag': 'The pictures show low-level statistics, and nothing '
            'beyond them.',
            'not judged': meaning,
        }[level],
    )


def judge(
    whole: float,
    rest: np.ndarray,
    seed: int,
    least: float,
    share: float,
    fewest: int,
) -> tuple[str, str]:
    """Judges what is left of identification if one explanation is taken away.

    Args:
      whole: two-way identification by everything.
      rest: [n] of each picture without what that explanation gives.
      seed: of the bootstrap.
      least: gain over .5 of the whole that is worth explaining.
      share: of this gain that the rest has to show.
      fewest: pictures that are needed.

    Returns:
      The level, and why nothing was judged.
    """
    low, high = interval(rest, RATE, seed=seed)
    if low > 0.5:
        return 'ok', ''
    if len(rest) < fewest:
        return 'not judged', 'Too few pictures: not judged.'
    if whole - 0.5 < least:
        return 'not judged', 'There is too little to explain: not judged.'
    # Honest methods are far above this bound, see docs/audit.md.
    if high < 0.5 + share * (whole - 0.5):
        return 'flag', ''
    return 'not judged', 'Too few pictures to tell: not judged.'


def _without(images: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Rows [n, values] without mean colours and the mean training picture."""
    rows, mean = (
        (x - x.mean(axis=(1, 2), keepdims=True)).reshape(len(x), -1)
        for x in (np.float64(images), train.mean(axis=0, keepdims=True))
    )
    mean = mean[0] / max(np.linalg.norm(mean[0]), 1e-12)
    rows = rows - np.outer(rows @ mean, mean)
    # Rounding is no picture: without contrast nothing is told.
    rows[np.abs(rows).max(axis=1) < 1e-6] = 0
    return rows
