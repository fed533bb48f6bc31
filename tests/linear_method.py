"""A method in no time: ridge from fMRI to pixels, in place of 'selfsup'."""

from typing import NamedTuple

import numpy as np

from brainjax.methods import METHODS
from brainjax.methods.data import Findings


class Ridge(NamedTuple):
    weights: np.ndarray
    mean: np.ndarray


def take_the_place_of_selfsup(monkeypatch):
    """Penalty of the ridge: `config.decoder.encoder_decoder`, plus 1e-6."""

    def fit(data, config, workdir):
        train = data.normalised.train
        x = train.fmri.astype(float)
        y = data.recording.stimuli.images[train.stimulus] / 255
        penalty = 1e-6 + config.decoder.encoder_decoder
        gram = x.T @ x + penalty * np.eye(x.shape[1])
        mean = y.mean(0)
        weights = np.linalg.solve(gram, x.T @ (y - mean).reshape(len(y), -1))
        return Ridge(weights, mean)

    def reconstruct(fitted, fmri, config):
        weights, mean = fitted
        images = mean + (fmri @ weights).reshape(len(fmri), *mean.shape)
        return np.float32(np.clip(images, 0, 1))

    def findings(fitted, data, config):
        return Findings('ridge', False, {}, [], [])

    method = METHODS['selfsup']._replace(
        fit=fit, reconstruct=reconstruct, findings=findings, pack=None
    )
    monkeypatch.setitem(METHODS, 'selfsup', method)
