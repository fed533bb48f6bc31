"""
How reliable voxels are
=======================

Repeats of a stimulus tell the noise ceiling, the correlation that a perfect
model would reach with their average. The ridge regression from pictures to
voxels below is far from perfect: it knows pixels, and nothing of edges.
"""

import numpy as np

from brainjax.evaluation.voxels import encoding
from brainjax.linear.estimator import VoxelSelectingRidge
from brainjax.recordings import average_repeats, normalise, reliability
from brainjax.reports import figures
from brainjax.simulation import subject

recording = normalise(
    subject.simulated_subject(
        size=16, n_train=300, voxels={'V1': 80, 'V4': 60, 'HVC': 60}
    )
)
ceiling = reliability.noise_ceiling_from_repeats(recording.test, 10)

pixels = recording.stimuli.images.reshape(len(recording.stimuli.images), -1)
pixels = pixels / np.float32(255)
train, test = recording.train, average_repeats(recording.test)
model = VoxelSelectingRidge(k=pixels.shape[1], alpha=100.0)
model.fit(pixels[train.stimulus], train.fmri)
predicted = model.predict(pixels[test.stimulus])
found = encoding.voxel_correlation(predicted, test.fmri)
print(f'median correlation {np.median(found):.2f} of {np.median(ceiling):.2f}')

figure = figures.voxel_correlation(found, ceiling, recording.rois)
