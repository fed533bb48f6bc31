"""Deep image reconstruction (Shen et al. 2019), from recording to pictures.

A network's features are decoded from fMRI, unit by unit (`linear.ridge`), and
given the spread of true ones (`linear.scaling`); then pictures are searched
that have them (`inversion`). The same search from the test pictures' true
features shows what it could give at best, and direct ridge regression from
voxels to pixels what a method without a network gives.
"""

import pathlib
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from brainjax import features, files, pictures
from brainjax.evaluation import entries, identification, pixels
from brainjax.evaluation import features as feature_scores
from brainjax.files import PathLike
from brainjax.linear import ridge, scaling
from brainjax.methods import inversion, inversion_files
from brainjax.methods.findings import Findings
from brainjax.networks import backbone, frozen
from brainjax.networks.chunks import in_chunks
from brainjax.recordings import (
    Recording,
    average_repeats,
    need_pictures,
    normalise,
)
from brainjax.reports import figures
from brainjax.training.progress import progress

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

    network: frozen.Frozen
    features: dict[str, np.ndarray]
    prepared: ridge.Prepared
    pixels: np.ndarray
    fmri: np.ndarray
    folder: pathlib.Path


def fit(
    recording: Recording,
    unpaired: np.ndarray,
    config: ConfigDict,
    workdir: PathLike,
) -> Fitted:
    """Computes the training stimuli's features and prepares the ridge.

    Args:
      recording: it is normalised here.
      unpaired: not used.
      config: see `inversion_config.shen2019`.
      workdir: gets 'decoded' and 'inversion', from which a run that was cut
        off goes on.

    Raises:
      InputError: the recording, the network or a setting cannot be used.
    """
    del unpaired
    backbone.check_known('scaling', config.decoding.scaling, SCALINGS)
    backbone.check_known(
        'optimiser', config.inversion.optimiser, ('lbfgs', 'descent')
    )
    network = _network(config)
    if config.decoding.scaling == 'published':
        frozen.check_scales(network)
    train = normalise(recording).train
    shown, rows = np.unique(train.stimulus, return_inverse=True)
    images = need_pictures(recording)[shown]
    prepared = ridge.prepare(
        np.asarray(train.fmri),
        rows,
        k=config.decoding.k,
        alpha=config.decoding.alpha,
    )
    averaged = average_repeats(train)
    return Fitted(
        network,
        _features(network, images, config),
        prepared,
        images.reshape(len(images), -1) / np.float32(255),
        averaged.fmri,
        pathlib.Path(workdir),
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
        decoded = ridge.decode(
            fitted.prepared,
            fmri,
            true.reshape(len(true), -1),
            units_at_a_time=config.decoding.units_at_a_time,
        ).reshape(len(fmri), *true.shape[1:])
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


def reconstruct(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Decodes features and searches pictures that have them.

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does.
      config: as in `fit`.

    Returns:
      [trials, size, size, 3] float32 in 0..1.
    """
    return _invert(fitted, decode(fitted, fmri, config), config, 'inversion')


def findings(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> Findings:
    """Scores the features `reconstruct` has decoded; draws the references."""
    test = average_repeats(normalise(recording).test)
    images = need_pictures(recording)[test.stimulus]
    true = _features(fitted.network, images, config)
    # As `reconstruct` has left them.
    names = _names(len(images))
    decoded = {
        layer: frozen.channels_last(features.read(stored, names))
        for layer, stored in features.open_layers(
            fitted.folder / 'decoded' / 'inversion', list(true)
        ).items()
    }
    scores, rows = {}, {}
    for layer in true:
        flat = [x.reshape(len(x), -1) for x in (decoded[layer], true[layer])]
        profile = feature_scores.profile_correlation(*flat)
        if not np.isnan(profile).all():
            rows[layer] = float(np.nanmedian(profile))
        similarity = feature_scores.pattern_similarity([flat])
        scores[f'two_way_{layer}'] = _two_way(similarity, config.seed)
    by_ridge = _pixel_ridge(fitted, test.fmri, config).reshape(images.shape)
    matrix = identification.similarity(
        images.reshape(len(images), -1) / 255, by_ridge.reshape(len(images), -1)
    )
    scores['two_way_pixels_by_ridge'] = _two_way(matrix, config.seed)
    n = min(config.inversion.recovered, len(images))
    sheets, notes = [], []
    if n:
        recovered = _invert(
            fitted,
            {layer: values[:n] for layer, values in true.items()},
            config,
            'recovery',
        )
        r = pixels.pixel_correlation(images[:n], recovered).mean()
        notes.append(
            f'Inverting the true features of {n} test pictures gives them '
            f'back with a pixel correlation of {r:.2f}; decoded features '
            'cannot do better.'
        )
        brain = files.read_npz(
            fitted.folder / 'inversion' / 'reconstructions.npz'
        )['images'][:n]
        sheets.append(
            (
                'What limits the pictures',
                'Seen; found from the true features; found from features '
                'decoded from the brain; direct ridge from voxels to pixels.',
                figures.montage(
                    images[:n] / np.float32(255),
                    {
                        'true features': recovered,
                        'brain': _resized(brain, config.size),
                        'pixel ridge': np.clip(by_ridge[:n], 0, 1),
                    },
                ),
            )
        )
    notes.append(
        'Median correlation over units of decoded and true features: '
        + ', '.join(f'{layer} {r:.2f}' for layer, r in rows.items())
        + '.'
    )
    transductive = config.decoding.scaling.endswith('transductive')
    if transductive:
        notes.append(
            'Transductive: decoded features were standardised over the test '
            'pictures.'
        )
    if fitted.network.name == 'random':
        notes.append('The network has random weights.')
    return Findings(
        'deep image reconstruction (Shen et al. 2019; '
        f'{config.network.family}, {len(true)} layers)',
        transductive,
        scores,
        sheets,
        notes,
    )


def _network(config: ConfigDict) -> frozen.Frozen:
    c = config.network
    if c.weights != 'random':
        return frozen.load(c.weights, c.pool, c.slope)
    dense = any(layer.startswith('fc') for layer in c.layers)
    return frozen.draw(
        jax.random.key(config.seed),
        c.family,
        c.width,
        c.size if dense else None,
        pool=c.pool,
        slope=c.slope,
    )


def _features(
    network: frozen.Frozen, images: np.ndarray, config: ConfigDict
) -> dict[str, np.ndarray]:
    """Computes features of uint8 pictures, layer -> [n, ...]."""
    return in_chunks(
        lambda part: inversion.features(
            network, np.float32(part) / 255, config.network.layers
        ),
        pictures.resize(images, config.network.size),
    )


def _settings(config: ConfigDict) -> inversion.Settings:
    c = config.inversion
    optimiser = inversion.QuasiNewton(c.steps)
    if c.optimiser == 'descent':
        optimiser = inversion.Descent(
            c.steps,
            rate=(c.rate, 1e-10),
            decay=(c.decay, 1e-10),
            blur=tuple(c.blur) or None,
        )
    return inversion.Settings(
        optimiser=optimiser,
        terms=((c.loss, 1.0),),
        weights=c.weights,
        start=c.start,
        size=config.network.size,
        boxed=c.boxed,
        seed=config.seed,
    )


def _invert(
    fitted: Fitted,
    targets: dict[str, np.ndarray],
    config: ConfigDict,
    label: str,
) -> np.ndarray:
    """Inverts features from and to files, so that a cut-off run goes on."""
    n = len(next(iter(targets.values())))
    names = _names(n)
    folder = fitted.folder / 'decoded' / label
    for layer, values in targets.items():
        features.write_compact(
            folder, layer, names, frozen.channels_first(values)
        )
    layers = features.open_layers(folder, list(targets))
    with progress(label, None) as show:
        inversion_files.invert(
            layers,
            names,
            fitted.network,
            _settings(config),
            fitted.folder / label,
            together=config.inversion.together,
            progress=lambda done, total: show(done, total=total),
        )
    found = files.read_npz(fitted.folder / label / 'reconstructions.npz')
    return _resized(found['images'], config.size)


def _names(n: int) -> list[str]:
    return [f'trial-{i:05d}' for i in range(n)]


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    if images.shape[1] == size:
        return images
    shape = (len(images), size, size, 3)
    resized = jax.image.resize(images, shape, 'linear', antialias=True)
    return np.asarray(resized).clip(0, 1)


def _pixel_ridge(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Kernel ridge from averaged training fMRI to pixels; not clipped."""
    x = np.float64(fitted.fmri)
    kernel = x @ x.T + config.inversion.pixel_alpha * np.eye(len(x))
    mean = fitted.pixels.mean(axis=0)
    weights = np.linalg.solve(kernel, fitted.pixels - mean)
    return mean + np.float64(fmri) @ x.T @ weights


def _two_way(matrix: np.ndarray, seed: int) -> entries.Entry:
    """Two-way identification by a similarity, as in scores.json."""
    table = identification.n_way_table(matrix, 2)
    return entries.entry([table], identification.chance(2), seed=seed)
