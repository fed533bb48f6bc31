"""
Pictures by ridge regression
============================

The first thing to try, and what every other method has to beat: each pixel is
a weighted sum of voxels. The penalty is chosen inside the training stimuli.
"""

import numpy as np

from brainjax.linear.ridge import tuned
from brainjax.recordings import average_repeats, normalise
from brainjax.reports import figures
from brainjax.simulation import subject

recording = normalise(
    subject.simulated_subject(
        size=24,
        n_train=400,
        n_test=16,
        noise_ceiling=0.9,
        voxels={'V1': 200, 'V2': 100},
        pictures='silhouettes',
    )
)
train, test = recording.train, average_repeats(recording.test)
images = recording.stimuli.images / np.float32(255)
shown, rows = np.unique(train.stimulus, return_inverse=True)
fitted = tuned.fit(train.fmri, rows, images[shown].reshape(len(shown), -1))
print(f'chosen penalty {fitted.alpha:.0f}')

seen = images[test.stimulus]
made = tuned.predict(fitted, test.fmri).reshape(seen.shape).clip(0, 1)
figure = figures.montage(seen, made)
