"""
Is a posterior rightly sure?
============================

If it is, the truth is like one more draw: along any axis it ranks anywhere
among the draws, equally often. The draws below are narrower than their errors
by half, and the ranks of the truth pile up at both ends.
"""

import numpy as np

from brainjax.evaluation.posterior import calibration
from brainjax.reports import calibration_figures

random = np.random.default_rng(0)
n, draws, shape = 200, 50, (8, 8, 3)
truth = random.uniform(0.3, 0.7, (n, *shape))
centre = truth + random.normal(0, 0.1, truth.shape)
narrow = random.normal(0, 0.05, (n, draws, *shape))
samples = np.uint8(255 * (centre[:, None] + narrow).clip(0, 1))
targets = np.uint8(255 * truth)

axes = calibration.principal_axes(samples, targets, q=5)
ranks = calibration.ranks(samples, targets, axes)
spread = calibration.rank_dispersion(ranks, draws)
print(f'dispersion of ranks, 1 if calibrated: {np.mean(spread):.2f}')

figure = calibration_figures.rank_histogram(ranks, draws)
