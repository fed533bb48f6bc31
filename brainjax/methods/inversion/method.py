"""Deep image reconstruction (Shen et al. 2019), from recording to pictures.

A network's features are decoded from fMRI, unit by unit (`linear.ridge`), and
given the spread of true ones (`linear.scaling`); then pictures are searched
that have them (`inversion`). The same search from the test pictures' true
features shows what it could give at best, and direct ridge regression from
voxels to pixels what a method without a network gives.
"""

import pathlib

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import check_known
from brainjax.evaluation import features as feature_scores
from brainjax.evaluation import identification, pixels
from brainjax.evaluation.scores import Score, make_score
from brainjax.io import arrays, feature_folders
from brainjax.io.files import PathLike
from brainjax.methods.findings import Findings
from brainjax.methods.inversion import subsets
from brainjax.methods.inversion.data import (
    SCALINGS,
    Fitted,
    build_network,
    decode,
    invert,
    prepare,
    resized,
    trial_names,
    true_features,
)
from brainjax.networks import frozen
from brainjax.recordings import (
    Recording,
    average_repeats,
    need_pictures,
    normalise,
)
from brainjax.reports import figures


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
    check_known('scaling', config.decoding.scaling, SCALINGS)
    check_known('optimiser', config.inversion.optimiser, ('lbfgs', 'descent'))
    subsets.check(recording, config)
    network = build_network(config)
    if config.decoding.scaling == 'published':
        frozen.check_scales(network)
    train = normalise(recording).train
    averaged = average_repeats(train)
    images = need_pictures(recording)[averaged.stimulus]
    return Fitted(
        network,
        true_features(network, images, config),
        prepare(train, config),
        images.reshape(len(images), -1) / np.float32(255),
        averaged.fmri,
        pathlib.Path(workdir),
    )


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
    return invert(fitted, decode(fitted, fmri, config), config, 'inversion')


def findings(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> Findings:
    """Scores the features `reconstruct` has decoded; draws the references."""
    test = average_repeats(normalise(recording).test)
    images = need_pictures(recording)[test.stimulus]
    true = true_features(fitted.network, images, config)
    # As `reconstruct` has left them.
    names = trial_names(len(images))
    decoded = {
        layer: frozen.channels_last(feature_folders.read(stored, names))
        for layer, stored in feature_folders.open_layers(
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
        recovered = invert(
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
        brain = arrays.read(
            fitted.folder / 'inversion' / 'reconstructions.npz'
        )['images'][:n]
        sheets.append(
            (
                'What limits the pictures',
                'Seen; found from the true features; found from features '
                'decoded from fMRI; direct ridge from voxels to pixels.',
                figures.montage(
                    images[:n] / np.float32(255),
                    {
                        'true features': recovered,
                        'from fMRI': resized(brain, config.size),
                        'pixel ridge': np.clip(by_ridge[:n], 0, 1),
                    },
                ),
            )
        )
    found = subsets.reconstruct(fitted, recording, decoded, config)
    scores |= subsets.score(images, found, config.seed)
    sheets += subsets.sheets(images, found)
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


def _pixel_ridge(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Kernel ridge from averaged training fMRI to pixels; not clipped."""
    x = np.float64(fitted.fmri)
    kernel = x @ x.T + config.inversion.pixel_alpha * np.eye(len(x))
    mean = fitted.pixels.mean(axis=0)
    weights = np.linalg.solve(kernel, fitted.pixels - mean)
    return mean + np.float64(fmri) @ x.T @ weights


def _two_way(matrix: np.ndarray, seed: int) -> Score:
    """Two-way identification by a similarity, as in scores.json."""
    table = identification.n_way_table(matrix, 2)
    return make_score([table], identification.chance(2), seed=seed)
