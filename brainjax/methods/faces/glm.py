"""The map and the patterns of a subject who saw faces, from time series.

    subject = faces_runs.find('ds001761', subject='01')
    z = vaegan.encode(variables, pictures_of(subject.train))
    columns = faces_runs.Columns(z.shape[1], len(subject.test))
    found = faces_glm.fit(faces_runs.read(subject, z), columns)
    chosen = glm.select(found.t, found.gain, least_t=3, percentile=50)
    decoded = latents.invert(found.weights[:, chosen], found.tests[:, chosen])

Runs are read one at a time and never held together.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from brainjax.linear import glm
from brainjax.recordings.formats.faces.runs import Columns


class Patterns(NamedTuple):
    """What the runs tell of each voxel; NaN where there is none.

    Attributes:
      weights: [K + 1, voxels] of latents and, last, the face constant: the W
        of `linear.latents`.
      tests: [faces, voxels] of the test faces, over all their presentations;
        NaN for one that was not shown.
      imagery: [voxels] of the imagery trials; NaN without any.
      variance: [voxels] of the residuals, unbiased; the 'FullRV' of the
        authors' files, but for the degrees of freedom.
      noise: [faces] by which `variance` is to be multiplied for the variance
        of a test pattern's noise, if noise is white.
      t: [voxels] of faces versus rest, in a model without latents.
      gain: [voxels] what the latents add to it, see `glm.gain`.
    """

    weights: np.ndarray
    tests: np.ndarray
    imagery: np.ndarray
    variance: np.ndarray
    noise: np.ndarray
    t: np.ndarray
    gain: np.ndarray


def fit(runs: Iterable[glm.Run | tuple], columns: Columns) -> Patterns:
    """Fits the model of all runs.

    Test faces and imagery have regressors of their own, with and without the
    latents, so that neither t nor gain says anything of them.

    Args:
      runs: from `formats.faces.runs.read`, one at a time.
      columns: what their regressors are.
    """
    return of_sums(glm.accumulate(glm.Run(*run) for run in runs), columns)


def of_sums(sums: glm.Sums, columns: Columns) -> Patterns:
    """Fits the model of sums over runs, see `fit`."""
    kept = np.arange(columns.count) >= columns.latents
    alone = glm.solve(sums, kept)
    contrast = np.zeros(kept.sum())
    contrast[0] = 1
    t = glm.t_statistic(alone, contrast)
    full = glm.solve(sums)
    gained = glm.gain(full, alone)
    return Patterns(
        full.betas[: columns.face + 1],
        full.betas[columns.test],
        full.betas[columns.imagery],
        full.variance,
        np.diagonal(full.covariance)[columns.test],
        t,
        gained,
    )
