"""Features decoded from a recording, and pictures that have them.

What `deep_reconstruction` and `deep_subsets` are made of.
"""

import math
import pathlib
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax.io import arrays
from brainjax.io import feature_folders as features
from brainjax.linear import ridge, scaling
from brainjax.methods.inversion import files as inversion_files
from brainjax.methods.inversion import search
from brainjax.networks import frozen
from brainjax.pictures import operations
from brainjax.recordings import Trials
from brainjax.training import hosts
from brainjax.training.batches import map_batches

SCALINGS = {
    **{
        name: name
        for name in scaling.SCALINGS
        if name not in scaling.TRANSDUCTIVE
    },
    'published': 'about_zero',
    'over_test_pictures_transductive': 'over_test_pictures',
}


class Fitted(NamedTuple):
    """What reconstructs: the ridge, the true features, the network."""

    network: frozen.Network
    features: dict[str, np.ndarray]
    prepared: ridge.Prepared
    pixels: np.ndarray
    fmri: np.ndarray
    folder: pathlib.Path


def prepare(train: Trials, config: ConfigDict) -> ridge.Prepared:
    """Prepares the ridge on normalised training trials.

    Its rows of targets are the stimuli in ascending order.
    """
    _, rows = np.unique(train.stimulus, return_inverse=True)
    return ridge.prepare(
        np.asarray(train.fmri),
        rows,
        k=config.decoding.k,
        alpha=config.decoding.alpha,
    )


def decode(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> dict[str, np.ndarray]:
    """Decodes features, [trials, height, width, channels] or [trials, units].

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does.
      config: as in `fit`.
    """
    how = SCALINGS[config.decoding.scaling]
    found = {}
    for layer, true in fitted.features.items():
        flat = true.reshape(len(true), -1)
        decoded = _by_ridge(fitted.prepared, fmri, flat, config)
        decoded = decoded.reshape(len(fmri), *true.shape[1:])
        # Scales are over the places of a channel: channels first.
        known = scaling.reference(
            frozen.channels_first(true), scaling.DDOF.get(how, 0)
        )
        if config.decoding.scaling == 'published':
            known = known._replace(deviation=scaling.CAFFE_VGG19[layer])
        found[layer] = frozen.channels_last(
            scaling.scale(frozen.channels_first(decoded), known, how)
        )
    return found


def _by_ridge(
    prepared: ridge.Prepared,
    fmri: np.ndarray,
    true: np.ndarray,
    config: ConfigDict,
) -> np.ndarray:
    """Decodes units, [trials, units]; every host does its share of them."""
    block = config.decoding.units_at_a_time
    decode = ridge.decoder(prepared, fmri, units_at_a_time=block)
    if hosts.count() == 1:
        return np.hstack([*decode(true)])
    units = true.shape[1]
    # Whole blocks, so that the numbers are those of one host.
    width = block * math.ceil(units / block / hosts.count())
    ours = true[:, hosts.index() * width :][:, :width]
    decoded = np.zeros((len(fmri), width), prepared.rows.dtype)
    if ours.size:
        decoded[:, : ours.shape[1]] = np.hstack([*decode(ours)])
    return np.hstack([*hosts.all_gather(decoded)])[:, :units]


def build_network(config: ConfigDict) -> frozen.Network:
    """Loads or draws the network whose features are decoded.

    Raises:
      InputError: it is not in the cache, or does not fit the config.
    """
    c = config.network
    if c.weights != 'random':
        return frozen.load(c.weights, c.pool, c.slope)
    dense = any(layer.startswith('fc') for layer in c.layers)
    return frozen.init_random(
        jax.random.key(config.seed),
        c.family,
        c.width,
        c.size,
        dense=dense,
        pool=c.pool,
        slope=c.slope,
    )


def true_features(
    network: frozen.Network, images: np.ndarray, config: ConfigDict
) -> dict[str, np.ndarray]:
    """Computes features of uint8 pictures, layer -> [n, ...] float32."""
    return map_batches(
        lambda part: search.features(
            network, np.float32(part) / 255, config.network.layers
        ),
        operations.resize(images, config.network.size),
    )


def _settings(config: ConfigDict) -> search.Settings:
    c = config.inversion
    optimiser = search.QuasiNewton(c.steps)
    if c.optimiser == 'descent':
        optimiser = search.Descent(
            c.steps,
            rate=(c.rate, 1e-10),
            decay=(c.decay, 1e-10),
            blur=tuple(c.blur) or None,
        )
    return search.Settings(
        optimiser=optimiser,
        terms=((c.loss, 1.0),),
        weights=c.weights,
        start=c.start,
        size=config.network.size,
        boxed=c.boxed,
        seed=config.seed,
    )


def invert(
    fitted: Fitted,
    targets: dict[str, np.ndarray],
    config: ConfigDict,
    label: str,
) -> np.ndarray:
    """Inverts features from and to files, so that a cut-off run goes on.

    Args:
      fitted: its folder gets 'decoded/LABEL' and 'LABEL'.
      targets: layer -> [n, height, width, channels] or [n, units].
      config: of the experiment.
      label: what these pictures are called.

    Returns:
      [n, size, size, 3] float32 in 0..1.
    """
    n = len(next(iter(targets.values())))
    names = trial_names(n)
    folder = fitted.folder / 'decoded' / label

    def write() -> None:
        for layer, values in targets.items():
            features.write_compact(
                folder, layer, names, frozen.channels_first(values)
            )

    hosts.run_on_first(write)
    hosts.wait_for_file(folder / features.INDEX)
    layers = features.open_layers(folder, list(targets))
    with hosts.progress(label, None) as show:
        inversion_files.invert(
            layers,
            names,
            fitted.network,
            _settings(config),
            fitted.folder / label,
            together=config.inversion.together,
            progress=lambda done, total: show(done, total=total),
        )
    found = arrays.read(fitted.folder / label / 'reconstructions.npz')
    return resized(found['images'], config.size)


def trial_names(n: int) -> list[str]:
    """What test trials are called in folders of features."""
    return [f'trial-{i:05d}' for i in range(n)]


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Brings square pictures in 0..1 to another size, if they have another."""
    if images.shape[1] == size:
        return images
    shape = (len(images), size, size, 3)
    found = jax.image.resize(images, shape, 'linear', antialias=True)
    return np.asarray(found).clip(0, 1)
