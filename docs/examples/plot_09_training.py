"""
An encoder and a decoder learn
==============================

The self-supervised method, small: an encoder learns fMRI from pictures, then a
decoder learns pictures from fMRI, and from pictures without any. While they
learn, ``metrics.csv`` in the run's folder grows.
"""

import tempfile

import brainjax
from brainjax import experiment
from brainjax.io import metrics
from brainjax.methods.selfsup import method
from brainjax.reports import figures

short = {f'{part}.epochs': 4 for part in ('encoder', 'decoder')}
small = {
    'size': 16,
    'simulated.n_train': 100,
    'simulated.voxels': {'V1': 60, 'V2': 40, 'V3': 20, 'V4': 20, 'HVC': 20},
    'pictures.number': 200,
    'encoder.width': 0.125,
    'image_loss.width': 0.125,
}
config = brainjax.load_config('demo', short | small)
data = experiment.open_data(config)

with tempfile.TemporaryDirectory() as folder:
    fitted = method.fit(data, config, folder)
    for stage, lines in metrics.read(folder).items():
        losses = [value for _, name, value in lines if name == 'loss']
        print(stage, *(f'{float(loss):.3f}' for loss in losses))

figure = figures.loss_curves(fitted.history['decoder'])
