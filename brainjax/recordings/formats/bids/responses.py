"""From the time series of a run to one response a trial.

Every kind of response is a weighted sum over the volumes of the run, so each
is a matrix [trials, volumes]: `window_weights` takes the mean of some
volumes, `glm_weights` and `separate_weights` solve for amplitudes. A volume's
time is the middle of its acquisition.
"""

import importlib
import math
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError

KINDS = ('window', 'glm', 'glm-separate')
# Seconds after which the canonical response to an impulse has ended.
RESPONSE = 32
# Directions weaker than this share of the strongest count as collinear; trials
# that fall on one step of nilearn's time grid differ by rounding alone.
_TOLERANCE = 1e-6


class DesignEvents(NamedTuple):
    """What happened, for a model.

    Attributes:
      onset: [events] seconds from the start of the run.
      duration: [events] seconds.
      trial: [events] bool, False for what needs a regressor but no response.
    """

    onset: np.ndarray
    duration: np.ndarray
    trial: np.ndarray


class Timing(NamedTuple):
    """When the volumes of a run were acquired.

    Attributes:
      volumes: how many.
      seconds: the repetition time, from one to the next.
      middle: of a volume's acquisition, as a share of the repetition time;
        less than a half where the scanner paused before the next volume.
    """

    volumes: int
    seconds: float
    middle: float = 0.5

    @property
    def times(self) -> np.ndarray:
        """The middle of each acquisition, seconds from the start, [volumes]."""
        return (np.arange(self.volumes) + self.middle) * self.seconds

    @property
    def end(self) -> float:
        """Seconds from the start of the run to its end."""
        return self.volumes * self.seconds


def window_weights(
    starts: np.ndarray, ends: np.ndarray, timing: Timing
) -> tuple[np.ndarray, np.ndarray]:
    """Averages the volumes whose time falls in a window.

    Args:
      starts: [trials] seconds from the start of the run.
      ends: [trials] the same.

    Returns:
      [trials, volumes] weights that sum to 1, or to 0 where no volume falls in
      the window; and [trials] bool, True where the run holds the whole window.
    """
    at, slack = timing.times, timing.seconds / 2
    inside = (at >= starts[:, None]) & (at < ends[:, None])
    count = inside.sum(axis=1, keepdims=True)
    # What is left of a window at an end of the run would be another response.
    whole = (starts >= -slack) & (ends <= timing.end + slack)
    return inside / np.maximum(count, 1), whole & (count[:, 0] > 0)


def glm_weights(
    events: DesignEvents,
    timing: Timing,
    high_pass: float,
    confounds: np.ndarray | None,
) -> np.ndarray:
    """Least squares with one regressor a trial, all trials at once.

    Each regressor is the trial's duration convolved with SPM's canonical
    response. Events that are no trials share one regressor; slow cosines,
    the confounds and a constant are in the model too.

    Args:
      high_pass: period in seconds above which drifts are modelled; 0 for none.
      confounds: [volumes, n], or None.

    Returns:
      [trials, volumes]
    """
    trials, others = _design(events, timing, high_pass, confounds)
    design = np.concatenate([trials, others], axis=1)
    scale = np.linalg.norm(design, axis=0)
    design = design / np.where(scale > 0, scale, 1)
    if np.linalg.matrix_rank(design, rtol=_TOLERANCE) < design.shape[1]:
        raise InputError(
            f'{design.shape[1]} regressors cannot be estimated from '
            f'{timing.volumes} volumes, as some are collinear; use '
            "response='glm-separate' or 'window'."
        )
    inverse = np.linalg.pinv(design) / scale[:, None]
    return inverse[: trials.shape[1]]


def separate_weights(
    events: DesignEvents,
    timing: Timing,
    high_pass: float,
    confounds: np.ndarray | None,
) -> np.ndarray:
    """Least squares for each trial apart (Mumford et al. 2012).

    A trial's model has its own regressor, one for all other trials, and what
    `glm_weights` adds. Steadier than `glm_weights` where trials are close.

    Args:
      events, timing, high_pass, confounds: as for `glm_weights`.

    Returns:
      [trials, volumes]
    """
    trials, others = _design(events, timing, high_pass, confounds)
    basis, strength, _ = np.linalg.svd(others, full_matrices=False)
    basis = basis[:, strength > 1e-10 * strength[0]]  # Of collinear ones.
    size = (trials**2).sum(axis=0)
    own = (trials - basis @ (basis.T @ trials)).T
    rest = own.sum(axis=0) - own  # One regressor for all other trials.
    aa, bb, ab = (
        (x * y).sum(1) for x, y in ((own, own), (rest, rest), (own, rest))
    )
    # What is left of a trial once the others are taken out.
    left = aa - np.divide(ab**2, bb, out=np.zeros_like(bb), where=bb > 1e-12)
    if not (left > 1e-10 * size).all():
        raise InputError(
            'a trial is collinear with the other regressors; use '
            "response='window'."
        )
    share = np.divide(ab, bb, out=np.zeros_like(bb), where=bb > 1e-12)
    return (own - share[:, None] * rest) / left[:, None]


def measured(events: DesignEvents, timing: Timing) -> np.ndarray:
    """Returns how much of each trial's regressor falls within the run.

    Args:
      events, timing: as for `glm_weights`.

    Returns:
      [trials] sum of squares, as a share of that of a run that goes on.
    """
    length = timing.end
    # An event is no longer than a run, whatever the file says.
    duration = np.minimum(events.duration, length)
    late = events.trial & (events.onset + duration + RESPONSE > length)
    share = np.ones(len(late))
    if late.any():
        cut = DesignEvents(
            events.onset[late], duration[late], events.trial[late]
        )
        more = math.ceil((duration[late].max() + RESPONSE) / timing.seconds)
        longer = timing._replace(volumes=timing.volumes + more)
        squares = _design(cut, longer, 0, None)[0] ** 2
        within = squares[: timing.volumes].sum(axis=0)
        whole = squares.sum(axis=0)
        share[late] = np.divide(
            within, whole, out=np.ones_like(whole), where=whole > 0
        )
    return share[events.trial]


def clean(
    series: np.ndarray,
    seconds: float,
    high_pass: float,
    confounds: np.ndarray | None,
    zscore: bool,
) -> np.ndarray:
    """Removes drifts and confounds from a run and z-scores each voxel.

    nilearn does it; where nothing is asked for, it is not needed.

    Args:
      series: [volumes, voxels].
      seconds: from one volume to the next.
      high_pass: period in seconds above which slow cosines, and with them the
        linear trend, are removed; 0 for none.
      confounds: [volumes, n], or None.
      zscore: with the standard deviation of a sample (n - 1).

    Returns:
      [volumes, voxels] float32.
    """
    if not high_pass and confounds is None and not zscore:
        return series
    cleaned = need_nilearn('nilearn.signal').clean(
        series,
        detrend=bool(high_pass),
        standardize='zscore_sample' if zscore else None,
        confounds=confounds,
        filter='cosine' if high_pass else False,
        high_pass=1 / high_pass if high_pass else None,
        t_r=seconds,
    )
    return cleaned.astype(np.float32, copy=False)


def need_nilearn(module: str) -> ModuleType:
    """Imports one of nilearn's modules."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f'nilearn cannot be imported ({error}), which cleaning and GLMs '
            "need; install it with: pip install 'brainjax[bids]'"
        ) from error


def _design(
    events: DesignEvents,
    timing: Timing,
    high_pass: float,
    confounds: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the regressors of the trials, and all others."""
    first_level = need_nilearn('nilearn.glm.first_level')
    pandas = need_nilearn('pandas')
    names = _names(events.trial)  # nilearn sorts columns by name.
    table = pandas.DataFrame(
        {
            'onset': events.onset,
            'duration': events.duration,
            'trial_type': names,
        }
    )
    if confounds is not None:  # The constant is in the model already.
        confounds = confounds - confounds.mean(axis=0)
    design = first_level.make_first_level_design_matrix(
        timing.times,
        table,
        hrf_model='spm',
        drift_model='cosine' if high_pass else 'polynomial',
        high_pass=1 / high_pass if high_pass else None,
        drift_order=0,
        add_regs=confounds,
    )
    trial = design.columns.str.startswith('trial')
    others = design.loc[:, ~trial].to_numpy(np.float64)
    return (
        design.loc[:, trial].to_numpy(np.float64),
        # What begins with the last volume is not seen.
        others[:, others.any(axis=0)],
    )


def _names(trial: np.ndarray) -> Sequence[str]:
    """Names that sort as the trials do; what is no trial shares one."""
    return [
        f'trial{number:06d}' if own else 'other'
        for number, own in zip(np.cumsum(trial), trial)
    ]
