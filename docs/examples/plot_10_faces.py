"""
Faces by their latents
======================

A few numbers say what a face looks like; a linear map goes from them to
voxels. Inverted, it finds the numbers of faces from fMRI. Here the numbers are
principal components; a VAE-GAN's go the same way (``configs/faces_demo.py``).
"""

import numpy as np

from brainjax.linear import pca
from brainjax.linear.estimator import LatentMap
from brainjax.recordings import Stimuli, average_repeats
from brainjax.reports import figures
from brainjax.simulation import face_scenes, face_subject

train, test = (
    Stimuli(*face_scenes.faces(n, 32, seed)) for n, seed in ((400, 1), (12, 2))
)
recording = face_subject.simulate_faces(train, test, seed=0)
components = pca.fit(train.images, 20, whiten=True)

shown = recording.train.stimulus
known = pca.encode(components, recording.stimuli.images)
fitted = LatentMap().fit(known[shown], recording.train.fmri)

seen = average_repeats(recording.test)
found = fitted.invert(seen.fmri)
figure = figures.montage(
    recording.stimuli.images[seen.stimulus] / np.float32(255),
    {
        'of its latents': pca.generate(components, known[seen.stimulus]),
        'from fMRI': pca.generate(components, found),
    },
)
