"""Weights that are local: each voxel looks at a part of the picture.

A voxel of visual cortex answers to its receptive field, so the prior of its
weights over pixels is that of `encoder` seen through a Gaussian window,

    w_v ~ N(0, t_v D_g C D_g),   e_v ~ N(0, lambda t_v),

with C the covariance that `encoder` gives them and D_g the diagonal matrix of
the root of a Gaussian at one of a grid of centres, of one of a few widths; one
window is 1 everywhere. Park & Pillow (2011) call it automatic locality
determination; here a voxel has a mixture of all windows and lambdas, each
weighing as much as the marginal likelihood of the voxel's responses says times
how often it is right for other voxels (empirical Bayes). Where no window is
better than none, that is what comes out.

Pictures are averaged over squares of pixels, to about `SIDE` a side, before
they are looked at.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse, special

from brainjax.linear import threads
from brainjax.linear.arrays import evenly
from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes.encoder import (
    LAMBDAS,
    POWERS,
    Encoder,
    Mixture,
    Seen,
)
from brainjax.linear.bayes.prior import Basis, Prior

SIDE = 28
# Standard deviations of a window, in longer sides of the picture, and how many
# centres there are along that side.
WIDTHS = ((0.1, 8), (0.2, 5), (0.35, 3))
ROUNDS = 30  # Of expectation maximisation over windows.
MOST_VOXELS = 500  # That tell how often each window is right.
MOST_JUDGES = 2000  # Voxels that tell powers apart.
# Of a voxel's mixture, and of its largest part: less than both is left out.
LEAST = 0.01, 0.1
NEVER = 1e-12  # For the logarithm of a part that is 0.
FEW = 3  # Each third window.
SELDOM = 0.01  # Of voxels; windows that together are right for less.
HELD = 0.999  # Of the variance of features.
SMALLEST = 1e-4  # Of the kernel's trace, that is of lambda's scale.
LEAST_WEIGHTS = 1e-6  # Of the largest variance of weights.


class Windows(NamedTuple):
    """Windows over averaged pixels, and how pictures get there.

    Attributes:
      axes: [Q, pixels] float32, the basis' axes averaged over squares.
      windows: [windows, pixels] float32; the first is 1 everywhere.
      widths: [windows] in longer sides of the picture, infinite the first.
    """

    axes: np.ndarray
    windows: np.ndarray
    widths: np.ndarray


NOWHERE = Windows(*[np.zeros((0, 0), np.float32)] * 2, np.zeros(0))


def windows(basis: Basis, shape: tuple[int, int, int]) -> Windows:
    """Lays windows over pictures.

    Args:
      basis: of the pictures.
      shape: (height, width, channels) of a row of pixels.
    """
    height, width, channels = shape
    axes = basis.axes.reshape(-1, height, width, channels)
    square = max(1, round(max(height, width) / SIDE))
    rows, columns = (-(-side // square) for side in (height, width))
    # The last square may hang over the edge; what is there is nothing.
    over = (rows * square - height, columns * square - width)
    axes = np.pad(axes, ((0, 0), (0, over[0]), (0, over[1]), (0, 0)))
    axes = axes.reshape(-1, rows, square, columns, square, channels)
    axes = axes.mean(axis=(2, 4)).reshape(len(axes), -1)
    longer = max(rows, columns)
    y, x = np.meshgrid(
        (np.arange(rows) + 0.5) / longer,
        (np.arange(columns) + 0.5) / longer,
        indexing='ij',
    )
    found, widths = [np.ones_like(y)], [np.inf]
    for spread, number in WIDTHS:
        for v in _centres(rows / longer, number):
            for u in _centres(columns / longer, number):
                away = (y - v) ** 2 + (x - u) ** 2
                found.append(np.exp(-away / (4 * spread**2)))
                widths.append(spread)
    stacked = np.repeat(np.stack(found)[..., None], channels, axis=-1)
    return Windows(
        axes,
        np.float32(stacked.reshape(len(found), -1)),
        np.array(widths),
    )


def _centres(length, number):
    number = max(1, round(number * length))
    return length * (np.arange(number) + 0.5) / number


def fit(
    looked: Windows,
    pictures: np.ndarray,
    prior: Prior,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    like: Mixture | None = None,
) -> Encoder:
    """Fits weights that are mixtures of local ones.

    Args:
      looked: windows over the pictures.
      pictures, prior, fmri, stimulus: as `encoder.fit` takes them.
      like: gives the power and how often each window is right, instead of a
        choice.

    Returns:
      An encoder whose `noise` is the harmonic mean of the voxels' lambdas, and
      whose uncertainty of a picture is that of weights without windows, scaled
      for each voxel so that its mean over held-out training stimuli is that of
      the mixture.
    """
    seen = encoders.seen(pictures, fmri, stimulus)
    if like is None:
        few, many = (
            _of_voxels(seen, evenly(fmri.shape[1], most))
            for most in (MOST_VOXELS, MOST_JUDGES)
        )
        # A few windows tell powers apart.
        some = slice(0, None, FEW)
        power = max(
            POWERS,
            key=lambda power: _total(
                _designs(looked, seen, prior, power, some), few, many
            ),
        )
        designs = _designs(looked, seen, prior, power)
        parts = _parts(_evidence(designs, few))
        used = _common(parts)
        designs = [designs[i] for i in used]
    else:
        power, parts, _ = like
        used = _common(parts)
        designs = _designs(looked, seen, prior, power, used)
    share, evidence = _shares(_evidence(designs, seen), parts[used])
    weights, left_out, doubt = _mixed(looked, designs, seen, share)
    whole = encoders.fit(pictures, prior, fmri, stimulus, powers=[power])
    noise = 1 / (share / np.array(LAMBDAS)[:, None]).sum(axis=(0, 1)).mean()
    directions, weights = _compressed(prior, weights)
    return whole._replace(
        noise=float(noise),
        variance=doubt / whole.doubt,
        directions=directions,
        weights=weights,
        residuals=fmri + (left_out - seen.averages)[stimulus],
        evidence=evidence,
        mixture=Mixture(power, parts, float(1 - share[0].sum(axis=0).mean())),
    )


def _of_voxels(seen, some):
    return seen._replace(
        averages=seen.averages[:, some], energy=seen.energy[some]
    )


def _common(parts):
    """Windows that are right now and then, and that of the whole picture."""
    often = parts.sum(axis=1)
    order = np.argsort(often)
    seldom = order[np.cumsum(often[order]) < SELDOM]
    return np.setdiff1d(np.arange(len(parts)), seldom[seldom > 0])


class _Design(NamedTuple):
    """The features of the training stimuli through one window.

    The rows root * a / size are left * sqrt(squares) @ v', where v is right *
    sqrt(squares) in leading features, and window * (spread @ right) is how
    responses told of left become weights of averaged pixels.
    """

    left: np.ndarray  # [stimuli, r]
    squares: np.ndarray  # [r]
    right: np.ndarray  # [q, r], with the size in it
    spread: np.ndarray  # [pixels, q], one of all windows
    window: np.ndarray  # [pixels]


def _designs(looked, seen, prior, power, some=slice(None)):
    """Designs of windows; of `some` of them."""
    spread = looked.axes.T @ np.float32(leading(prior, power).T)
    centred = np.float32(seen.pictures - seen.centre) @ looked.axes
    return threads.spread(
        lambda window: _design(window, centred, spread, seen),
        looked.windows[some],
    )


def leading(prior: Prior, power: float) -> np.ndarray:
    """`encoder.features` of the axes that hold nearly all of their variance."""
    variance = (prior.std / prior.std[0]) ** (2 * power)
    held = np.cumsum(variance) / variance.sum()
    return encoders.features(prior, power)[: np.searchsorted(held, HELD) + 1]


def _design(window, centred, spread, seen):
    rows = (centred * window) @ spread
    size = np.sqrt(seen.over_trials((rows**2).sum(axis=1)))
    rows *= np.float32(seen.root / size)
    wide = rows.shape[1] > len(rows)
    squares, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    keep = squares > SMALLEST
    squares, vectors = squares[keep], vectors[:, keep]
    if wide:
        left, right = vectors, rows.T @ vectors / squares
    else:
        singular = np.sqrt(squares)
        left, right = rows @ vectors / singular, vectors / singular
    right /= np.float32(size)
    return _Design(left, np.float64(squares), right, spread, window)


def _evidence(designs, seen):
    """Log marginal likelihoods [windows, lambdas, voxels] float32."""
    shape = len(designs), len(LAMBDAS), seen.averages.shape[1]
    found = np.empty(shape, np.float32)
    response = np.float32(seen.root * seen.averages)

    def fill(window: int) -> None:
        out, design = found[window], designs[window]
        told = design.left.T @ response
        variance, logs = scales(design.squares, told, seen)
        np.log(variance, out=out)
        out *= np.float32(-seen.freedom / 2)
        out -= np.float32(logs / 2)[:, None]

    threads.spread(fill, range(len(designs)))
    return found


def _total(designs, few, many):
    """Log marginal likelihood of many voxels, windows weighed by a few."""
    logs = _log(_parts(_evidence(designs, few))) + _evidence(designs, many)
    return special.logsumexp(logs, axis=(0, 1)).sum(dtype=np.float64)


def _log(parts):
    return np.float32(np.log(parts + NEVER))[..., None]


def scales(
    squares: np.ndarray, told: np.ndarray, seen: Seen
) -> tuple[np.ndarray, np.ndarray]:
    """t [lambdas, voxels] float32, and log determinants [lambdas].

    Args:
      squares: [r] eigenvalues of a kernel.
      told: [r, voxels] responses told of its eigenvectors.
      seen: of the stimuli.
    """
    lambdas = np.array(LAMBDAS)[:, None]
    total = squares + lambdas
    energy = told**2
    rest = np.float32((seen.energy - energy.sum(axis=0)).clip(0))
    variance = np.float32(1 / total) @ energy
    variance += rest / np.float32(lambdas)
    variance /= np.float32(seen.freedom)
    logs = np.log(total).sum(axis=1)
    logs += (seen.freedom - len(squares)) * np.log(lambdas[:, 0])
    return variance, logs


def _parts(logs):
    """How often each window and lambda is right."""
    parts = np.full(logs.shape[:2], 1 / logs[..., 0].size)
    for _ in range(ROUNDS):
        told = logs + _log(parts)
        told -= told.max(axis=(0, 1))
        told = np.exp(told, out=told)
        parts = (told / told.sum(axis=(0, 1))).mean(axis=-1, dtype=np.float64)
    return parts


def shares(designs: Sequence[Any], seen: Seen) -> np.ndarray:
    """Returns how much of each voxel is each design's, and each lambda's.

    Args:
      designs: kernels left * squares @ left' of the training stimuli, weighted
        by the roots of repeats.
      seen: of these stimuli.

    Returns:
      [designs, lambdas, voxels] float32, 0 where it is little.
    """
    few = _of_voxels(seen, evenly(seen.averages.shape[1], MOST_VOXELS))
    found = _evidence(designs, seen)
    return _shares(found, _parts(_evidence(designs, few)))[0]


def _shares(logs, parts):
    """Parts of each voxel, in the place of `logs`, and the evidence."""
    share = logs
    share += _log(parts)
    largest = share.max(axis=(0, 1))
    share = np.exp(np.subtract(share, largest, out=share), out=share)
    total = share.sum(axis=(0, 1))
    evidence = (largest + np.log(total)).sum(dtype=np.float64)
    share /= total
    share[share < np.minimum(LEAST[0], LEAST[1] * share.max(axis=(0, 1)))] = 0
    share /= share.sum(axis=(0, 1))
    return share, float(evidence)


def _mixed(looked, designs, seen, share):
    """Weights [Q, voxels], residuals of averages, doubt [voxels].

    Residuals [stimuli, voxels] are of predictions with the stimulus left out,
    and doubt is the variance of these, within parts of the mixture and between
    them, on average over trials.
    """
    # A row a voxel, since each window is that of some voxels.
    averages = np.ascontiguousarray(seen.averages.T)
    root, lambdas = seen.root[:, 0], np.array(LAMBDAS)
    pixels = np.zeros((len(averages), looked.axes.shape[1]), np.float32)
    mean, square = (np.zeros(averages.shape) for _ in range(2))
    within = np.zeros(len(averages))
    for (left, squares, right, spread, window), part in zip(designs, share):
        voxel, which = np.nonzero(part.T)
        if not len(voxel):
            continue
        part = part[which, voxel]
        known = squares / (squares + lambdas[:, None])
        # As in `encoder.fit`: the hat matrix tells what is left out.
        leverage = known @ (left**2).T + seen.repeats / seen.trials
        rest = 1 / (1 - leverage)
        open_ = lambdas * seen.over_trials((leverage * rest / seen.repeats).T)
        used, voxel = np.unique(voxel, return_inverse=True)
        shown = averages[used]
        told = np.float32(shown * root) @ left
        scale, _ = scales(squares, told.T, _of_voxels(seen, used))
        kept = told[voxel]
        kept *= np.float32(known)[which]
        found = kept @ (left / root[:, None].astype(np.float32)).T
        found -= np.float32(shown)[voxel]
        found *= np.float32(rest)[which]
        found += np.float32(shown)[voxel]
        total = sparse.csr_array(
            (part, (voxel, np.arange(len(voxel)))), (len(used), len(voxel))
        )
        mean[used] += total @ found
        square[used] += total @ np.square(found, out=found)
        within[used] += total @ (scale[which, voxel] * open_[which])
        right = (spread @ right) * window[:, None]
        pixels[used] += (total @ kept) @ right.T
    doubt = (square - mean**2).clip(0) @ seen.repeats / seen.trials + within
    return looked.axes @ pixels.T, seen.averages - mean.T, doubt


def _compressed(prior, weights):
    """Directions [k, Q] that weights [Q, voxels] need, and [k, voxels].

    Weights are those of the directions; what they leave out changes the
    responses to pictures of the prior too little to be seen.
    """
    inward = prior.axes / prior.std[:, None]
    told = np.float32(prior.axes * prior.std[:, None]) @ weights
    values, vectors = np.linalg.eigh(np.float64(told @ told.T))
    vectors = vectors[:, values > LEAST_WEIGHTS * values[-1]][:, ::-1]
    return vectors.T @ inward, np.float64(np.float32(vectors).T @ told)
