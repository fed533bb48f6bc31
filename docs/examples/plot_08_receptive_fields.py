"""
Where voxels look
=================

A voxel of early visual cortex sees a part of the picture. Where it looks shows
in what its responses follow: below, colours and edges, place by place. A
Gaussian is fitted to that map, and the simulated subject knows the truth.
Centres are found; sizes come out too large, as neighbouring places of a picture
are alike (``receptive_fields.fit_responses`` asks an encoder instead).
"""

import numpy as np

from brainjax.evaluation.voxels import receptive_fields
from brainjax.linear.correlation import unit_columns
from brainjax.recordings import normalise
from brainjax.reports import encoder_figures
from brainjax.simulation import subject, voxels

VOXELS = {'V1': 60, 'V3': 60}
recording = normalise(
    subject.simulated_subject(
        size=48, n_train=1200, n_test=2, noise_ceiling=0.95, voxels=VOXELS
    )
)
images = recording.stimuli.images[recording.train.stimulus] / np.float32(255)
edges = np.abs(np.gradient(images, axis=(1, 2))).sum(0)
local = np.concatenate([images, edges], -1)  # Six numbers at each place.
parts = local.reshape(len(local), 16, 3, 16, 3, 6).mean((2, 4))

units = unit_columns(parts.reshape(len(parts), -1))
r = units.T @ unit_columns(recording.train.fmri)  # Correlations.
r = r.reshape(16, 16, 6, -1)
fields = receptive_fields.fit((r**2).sum(axis=2))

truth = voxels.voxel_parameters(seed=0, voxels=VOXELS)
figure = encoder_figures.recovered(
    fields, truth.centre, truth.size, recording.rois
)
