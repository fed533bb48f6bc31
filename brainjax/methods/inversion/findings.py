"""What deep image reconstruction tells beside its pictures."""

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import features as feature_scores
from brainjax.evaluation import identification, pixels
from brainjax.evaluation.scores import Score, make_score
from brainjax.io import arrays, feature_folders
from brainjax.methods.data import Data, Figure, Findings
from brainjax.methods.inversion import subsets
from brainjax.methods.inversion.data import (
    Fitted,
    invert,
    resized,
    trial_names,
    true_features,
)
from brainjax.networks import frozen
from brainjax.recordings import (
    need_pictures,
)


def findings(fitted: Fitted, data: Data, config: ConfigDict) -> Findings:
    """Scores the features `reconstruct` has decoded; shows the references."""
    recording, test = data.recording, data.test
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
            Figure(
                'What limits the pictures',
                'Seen; found from the true features; found from features '
                'decoded from fMRI; direct ridge from voxels to pixels.',
                'montage',
                {
                    'target': images[:n] / np.float32(255),
                    'reconstructions': {
                        'true features': recovered,
                        'from fMRI': resized(brain, config.size),
                        'pixel ridge': np.clip(by_ridge[:n], 0, 1),
                    },
                },
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
