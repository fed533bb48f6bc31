"""
The picture that a network sees
===============================

Deep image reconstruction searches a picture that has given features. From true
features, without any brain, it shows what could be found at best: layer by
layer less. The network is tiny and its weights are random.
"""

import jax
import numpy as np

from brainjax.methods.inversion import search
from brainjax.methods.inversion.networks import features
from brainjax.methods.inversion.problem import Settings
from brainjax.methods.inversion.steps import Descent
from brainjax.networks import frozen
from brainjax.reports import figures
from brainjax.simulation import scenes

images, names, _ = scenes.scenes(6, 32, seed=0)
seen = images / np.float32(255)
network = frozen.init_random(jax.random.key(0), 'vgg16', 0.125)
settings = Settings(
    optimiser=Descent(60, rate=(2.0, 1e-10), decay=(0.2, 1e-10)),
    start='mean',
    size=32,
)

found = {}
for layer in ('conv1_2', 'conv2_2', 'conv3_1'):
    wanted = features(network, seen, (layer,))
    result = search.invert(wanted, names, network, settings)
    found[layer] = result.images.clip(0, 1)
    print(f'{layer}: relative error {result.errors[layer].mean():.3f}')

figure = figures.montage(seen, found)
