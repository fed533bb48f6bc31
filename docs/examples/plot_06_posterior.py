"""
What may have been seen
=======================

A response says something of a picture and leaves much open. The posterior in
closed form gives draws: where they agree the brain has spoken, where they
differ it has not. It has scikit-learn's interface.
"""

import numpy as np

from brainjax.evaluation.posterior import sharpness
from brainjax.linear.estimator import PicturePosterior
from brainjax.recordings import average_repeats
from brainjax.reports import calibration_figures
from brainjax.simulation import subject

recording = subject.simulated_subject(
    size=16,
    n_train=200,
    n_test=6,
    noise_ceiling=0.9,
    voxels={'V1': 100, 'V2': 50},
    pictures='silhouettes',
)
train, test = recording.train, average_repeats(recording.test)
# Silhouettes are white on black: one channel says all.
images = recording.stimuli.images[..., 0] / np.float32(255)
rows = images.reshape(len(images), -1)
model = PicturePosterior().fit(train.fmri, rows[train.stimulus])

draws = model.sample(test.fmri, 40, repeats=10).clip(0, 1)
samples = np.repeat(draws.reshape(*draws.shape[:2], 16, 16, 1), 3, axis=-1)
figure = calibration_figures.posterior_montage(
    recording.stimuli.images[test.stimulus] / np.float32(255),
    samples.mean(axis=1),
    samples[:, :4],
    sharpness.deviation_maps(samples),
)
