"""
Your arrays, and what is in them
================================

``brainjax.from_arrays`` takes responses, what was shown in each trial, and the
pictures; lists, DataFrames, NIfTI images and folders of pictures will do as
well. Noise stands in for a brain here, and the reliability tells.
"""

import numpy as np

import brainjax
from brainjax.recordings import description
from brainjax.reports import recording_figure
from brainjax.simulation import scenes

pictures, _, _ = scenes.scenes(60, 32, seed=0)
labels = np.repeat(np.arange(60), 4)  # Each picture was shown four times.
fmri = np.random.default_rng(0).normal(size=(240, 50))
recording = brainjax.from_arrays(
    fmri,
    labels,
    pictures,
    test=range(50, 60),  # These pictures are to be reconstructed.
    rois={'V1': range(30), 'V4': range(30, 50)},
    simulated=True,
)
found = description.summary(recording)
print(description.render(found))

figure = recording_figure.draw(recording, found)
