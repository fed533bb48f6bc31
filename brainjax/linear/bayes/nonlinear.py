"""A nonlinear encoder: each voxel a Gaussian process of what its window shows.

Voxels rectify, pool energies and saturate, of which a linear encoder knows
nothing. Here the response of voxel v to a picture is

    r_v = f_v(x) + e_v,   f_v ~ GP(0, t_v k),   e_v ~ N(0, lambda t_v),

where with a(x), of mean square 1, the features of `receptive_fields` in one of
its windows, k is a(x)'a(x'), so that f is linear, or exp(-|a(x) - a(x')|^2 /
2) (Rasmussen & Williams 2006), both less their means over training trials. A
voxel has a mixture of windows, kernels and lambdas, by their marginal
likelihood times how often each is right for other voxels, as there.
"""

from typing import NamedTuple

import numpy as np

from brainjax.linear import threads
from brainjax.linear.arrays import evenly
from brainjax.linear.bayes import encoder as encoders
from brainjax.linear.bayes import likelihood
from brainjax.linear.bayes import receptive_fields as fields
from brainjax.linear.bayes.encoder import LAMBDAS, Encoder, Seen
from brainjax.linear.bayes.noise import Noise
from brainjax.linear.bayes.prior import Prior
from brainjax.linear.bayes.receptive_fields import Windows

MOST_STIMULI = 1000  # Time grows with their cube.
SURE = 2.0  # Standard errors by which it must be better than a linear one.


class Kernel(NamedTuple):
    """One window and kernel of the training stimuli.

    Weighted by the roots of their repeats it is left * squares @ left'.

    Attributes:
      window: [pixels].
      radial: whether it is not linear.
      size: that features are divided by.
      rows: [stimuli, q] features.
      mean: [stimuli] of the kernel, over training trials.
      scale: that it is multiplied with.
      left: [stimuli, r].
      squares: [r].
    """

    window: np.ndarray
    radial: bool
    size: float
    rows: np.ndarray
    mean: np.ndarray
    scale: float
    left: np.ndarray
    squares: np.ndarray


class Part(NamedTuple):
    """The voxels that a kernel and a lambda are right for.

    Attributes:
      noise: lambda.
      voxels: [k] which.
      share: [k] how far; over all parts of a voxel it sums to 1.
      told: [r, k] their responses in the kernel's left singular vectors.
      scale: [k] t_v.
    """

    noise: float
    voxels: np.ndarray
    share: np.ndarray
    told: np.ndarray
    scale: np.ndarray


class Nonlinear(NamedTuple):
    """What is known of the responses of all voxels.

    Attributes:
      axes: of `Windows`.
      spread: [pixels, q] how averaged pixels become features.
      seen: the training stimuli.
      kernels: of which a voxel is a mixture.
      parts: of each kernel.
      doubt: [voxels] variance of the processes, of training stimuli that were
        left out, on average over their trials.
      noise: of the residuals of these, less that.
      radial: mean over voxels of the part that is not linear.
      gain: what it explains of the squared residuals that the linear encoder
        has of them.
    """

    axes: np.ndarray
    spread: np.ndarray
    seen: Seen
    kernels: list[Kernel]
    parts: list[list[Part]]
    doubt: np.ndarray
    noise: Noise
    radial: float
    gain: float


def fit(
    looked: Windows,
    pictures: np.ndarray,
    prior: Prior,
    fmri: np.ndarray,
    stimulus: np.ndarray,
    like: tuple[Encoder, Noise],
) -> Nonlinear | None:
    """Fits the mixture of processes.

    Args:
      looked, pictures, prior, fmri, stimulus: as `receptive_fields.fit` takes
        them.
      like: the linear encoder in such windows and its noise, fitted to them.

    Returns:
      None if it does not tell the responses to stimuli that were left out
      better than the linear encoder, by two standard errors over stimuli.
    """
    linear, noise = like
    residuals = linear.residuals
    if len(pictures) > MOST_STIMULI:
        kept = evenly(len(pictures), MOST_STIMULI)
        trials = np.isin(stimulus, kept)
        pictures, fmri = pictures[kept], fmri[trials]
        residuals = residuals[trials]
        stimulus = np.searchsorted(kept, stimulus[trials])
    seen = encoders.seen(pictures, fmri, stimulus)
    features = fields.leading(prior, linear.mixture.power)
    spread = looked.axes.T @ np.float32(features.T)
    centred = _centred(pictures, seen, looked.axes)
    pairs = threads.spread(
        lambda window: _kernels(window, centred, spread, seen),
        looked.windows[:: fields.FEW],
    )
    kernels = [kernel for pair in pairs for kernel in pair]
    share = fields.shares(kernels, seen)
    used = np.flatnonzero(share.any(axis=(1, 2)))
    kernels, share = [kernels[i] for i in used], share[used]
    parts = [_parts(*each, seen) for each in zip(kernels, share)]
    wrong, doubt = _left_out(kernels, parts, seen)
    left = fmri - seen.averages[stimulus] + wrong[stimulus]
    less = (residuals**2 - left**2).sum(axis=1)
    less = np.bincount(stimulus, less)
    if less.mean() < SURE * less.std(ddof=1) / np.sqrt(len(less)):
        return None
    gain = float(less.sum() / (residuals**2).sum())
    radial = [kernel.radial for kernel in kernels]
    # What pictures explain beyond the mean is the processes' own doubt. Where
    # trials of one stimulus do not measure it, nothing else lasts.
    return Nonlinear(
        looked.axes,
        spread,
        seen,
        kernels,
        parts,
        doubt,
        likelihood.left_over(left, doubt, stimulus, [noise.share], 0.0),
        float(share[radial].sum(axis=(0, 1)).mean()),
        gain,
    )


def predict(
    fitted: Nonlinear, pictures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected responses to pictures [n, Q], and variances [n, voxels] each.

    The variance is what is not known of them, beside noise.
    """
    seen = fitted.seen
    centred = _centred(pictures, seen, fitted.axes)
    mean, square = _nothing(len(pictures), seen)
    for kernel, parts in zip(fitted.kernels, fitted.parts):
        rows = (centred * kernel.window) @ fitted.spread / kernel.size
        across = _compare(rows, kernel.rows, kernel.radial)
        level = across @ (seen.repeats / seen.trials)
        total = kernel.mean @ seen.repeats / seen.trials
        own = np.ones(len(rows)) if kernel.radial else (rows**2).sum(axis=1)
        own = kernel.scale * (own - 2 * level) + total
        across = kernel.scale * (across - level[:, None]) - kernel.mean + total
        across = np.float32(across * seen.root[:, 0]) @ kernel.left
        for noise, voxels, share, told, scale in parts:
            rest = 1 / (kernel.squares + noise)
            found = across @ (told * rest[:, None])
            open_ = own - across**2 @ rest + noise / seen.trials
            mean[:, voxels] += share * found
            square[:, voxels] += share * (found**2 + scale * open_[:, None])
    return mean, (square - mean**2).clip(0)


def _centred(pictures, seen, axes):
    """Averaged pixels of pictures, less their mean over training trials."""
    return np.float32(pictures - seen.centre) @ axes


def _kernels(window, centred, spread, seen):
    """The linear and the radial kernel of one window."""
    rows = (centred * window) @ spread
    size = np.sqrt(seen.over_trials((rows**2).sum(axis=1)))
    rows /= np.float32(size)
    often, found = seen.repeats / seen.trials, []
    for radial in (False, True):
        kernel = _compare(rows, rows, radial)
        mean = kernel @ often
        kernel = kernel - mean - mean[:, None] + mean @ often
        scale = 1 / (often @ np.diagonal(kernel))
        kernel = np.float32(scale * seen.root * kernel * seen.root.T)
        squares, left = np.linalg.eigh(kernel)
        keep = squares > fields.SMALLEST
        found.append(
            Kernel(
                window,
                radial,
                size,
                rows,
                scale * mean,
                scale,
                left[:, keep],
                squares[keep],
            )
        )
    return found


def _compare(a, b, radial):
    product = a @ b.T
    if not radial:
        return product
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)
    return np.exp(product - square / 2)


def _parts(kernel, share, seen):
    """The parts of a kernel, by its share [lambdas, voxels] in each."""
    used = np.flatnonzero(share.any(axis=0))
    shown = seen.root * seen.averages[:, used]
    told = kernel.left.T @ np.float32(shown)
    few = seen._replace(averages=shown, energy=seen.energy[used])
    scale, _ = fields.scales(kernel.squares, told, few)
    found = []
    for noise, part, each in zip(LAMBDAS, share[:, used], scale):
        if len(some := np.flatnonzero(part)):
            which = used[some], part[some], told[:, some], each[some]
            found.append(Part(noise, *which))
    return found


def _nothing(rows, seen):
    shape = rows, seen.averages.shape[1]
    return np.zeros(shape, np.float32), np.zeros(shape, np.float32)


def _left_out(kernels, parts, seen):
    """Residuals [stimuli, voxels] of averages left out, and doubt [voxels]."""
    mean, square = _nothing(len(seen.averages), seen)
    for kernel, each in zip(kernels, parts):
        for noise, voxels, share, told, scale in each:
            known = kernel.squares / (kernel.squares + noise)
            # As in `encoder.fit`: the hat matrix tells what is left out.
            leverage = kernel.left**2 @ known + seen.repeats / seen.trials
            rest = 1 / (1 - leverage)
            shown = seen.averages[:, voxels]
            found = kernel.left @ (known[:, None] * told) / seen.root
            found = shown + (found - shown) * rest[:, None]
            open_ = noise * leverage * rest / seen.repeats
            mean[:, voxels] += share * found
            square[:, voxels] += share * (found**2 + scale * open_[:, None])
    doubt = seen.over_trials((square - mean**2).clip(0))
    return seen.averages - mean, doubt
