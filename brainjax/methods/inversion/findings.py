"""What deep image reconstruction tells beside its pictures.

How well features were decoded, what limits the pictures, and what comes from
single regions and layers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import identification, pixels, score_files
from brainjax.evaluation.intervals import RATE
from brainjax.evaluation.scores import Score, make_score
from brainjax.io import feature_folders, memory
from brainjax.io import files as files_
from brainjax.io.feature_folders import Layer
from brainjax.methods.data import Data, Figure, Findings
from brainjax.methods.inversion import (
    feature_scores,
    files,
    subsets,
    true_features,
    voxels,
)
from brainjax.methods.inversion.data import learned_from_test
from brainjax.methods.inversion.method import Fitted, names_of
from brainjax.networks.frozen import Network
from brainjax.training import hosts

SCORES = 'features.csv'


def findings(fitted: Fitted, data: Data, config: ConfigDict) -> Findings:
    """Scores the features `reconstruct` has decoded; shows the references."""
    images = data.recording.stimuli.images[data.test.stimulus]
    names = names_of(fitted, len(images))
    true = true_features.extract(
        fitted.network, images, names, config, fitted.folder / 'features/test'
    )
    decoded = feature_folders.open_layers(
        fitted.folder / 'decoded' / files.DECODED, list(true)
    )
    scores, notes = _feature_scores(fitted, decoded, true, names, config)
    notes += files.unmoved(fitted.folder / files.DECODED)
    recovered, limits, figures = _limits(fitted, images, true, config)
    found = subsets.reconstruct(fitted, data, decoded, config)
    scores |= subsets.score(images, found, config.seed)
    if learned_from_test(config):
        notes.append(
            'Transductive: decoded features were standardised over the test '
            'pictures.'
        )
    if fitted.network.name == 'random':
        notes.append('The network has random weights.')
    return Findings(
        'deep image reconstruction (Shen et al. 2019; '
        f'{fitted.network.architecture.family}, {len(true)} layers)',
        learned_from_test(config),
        scores,
        [*figures, *subsets.sheets(images, found)],
        [*limits, *notes],
        fitting=in_words(fitted.network, config),
        ceiling=recovered if len(recovered) == len(images) else None,
        ceiling_from='from the true features',
        voxels=voxels.of_ridge(fitted),
    )


def in_words(network: Network, config: ConfigDict) -> str:
    """How responses became pictures, for a paper's methods."""
    c, search = config.decoding, config.inversion
    voxels = (
        f'the {c.k} voxels that correlate most with it, in absolute value,'
        if c.k
        else 'all voxels'
    )
    over = f'over codes of {search.generator!r} ' if search.generator else ''
    method = {'lbfgs': 'L-BFGS', 'descent': 'gradient descent'}
    return (
        f'Features of {len(config.network.layers)} layers of '
        f'{network.architecture.family} (weights {config.network.weights}) '
        'were decoded unit by unit by ridge regression (alpha '
        f'{c.alpha:g}) from {voxels} in single training trials, and scaled '
        f'({c.scaling}). Pictures were then found whose features have them, by '
        f'{search.steps} steps of {method[search.optimiser]} '
        f'{over}from '
        f'{search.start!r}, loss {search.loss!r}, layers weighted '
        f'{search.weights!r}.'
    )


def _feature_scores(
    fitted: Fitted,
    decoded: Mapping[str, Layer],
    true: Mapping[str, Layer],
    names: Sequence[str],
    config: ConfigDict,
) -> tuple[dict[str, Score], list[str]]:
    """Identifies pictures by their features; features.csv has all scores."""
    allowed = memory.budget(config.memory_gib) / 16
    scores, table, medians = {}, [], []
    for layer in true:
        each = feature_scores.score_layer(
            *(decoded[layer], true[layer], names),
            *(fitted.features[layer], fitted.train.names, allowed),
        )
        scores[f'two_way_{layer}'] = _two_way(each.similarity, config.seed)
        table += feature_scores.rows([(layer, each)])
        # Units that do not vary over the pictures have no correlation.
        if not np.isnan(each.profile).all():
            medians.append(f'{layer} {np.nanmedian(each.profile):.2f}')
    if hosts.is_first():
        text = score_files.as_csv(feature_scores.COLUMNS, table)
        files_.write_text(fitted.folder / SCORES, text)
    return scores, [
        'Median correlation over units of decoded and true features: '
        f'{", ".join(medians)}. {SCORES} has profile and pattern correlation '
        'and identification of each layer.'
    ]


def _limits(
    fitted: Fitted,
    images: np.ndarray,
    true: Mapping[str, Layer],
    config: ConfigDict,
) -> tuple[np.ndarray, list[str], list[Figure]]:
    """Inverts true features of some test pictures, beside the references."""
    n = min(config.inversion.recovered, len(images))
    if not n:
        return images[:0], [], []
    recovered = files.invert_in(
        fitted.folder,
        'recovery',
        true,
        names_of(fitted, len(images))[:n],
        fitted.network,
        config,
        generator=fitted.generator,
    )
    brain = files.read_pictures(fitted.folder, files.DECODED, config.size)
    r = pixels.pixel_correlation(images[:n], recovered).mean()
    note = (
        f'Inverting the true features of {n} test pictures gives them back '
        f'with a pixel correlation of {r:.2f}; decoded features cannot do '
        'better.'
    )
    figure = Figure(
        'What limits the pictures',
        'Seen; found from the true features; found from features decoded from '
        'fMRI.',
        'montage',
        {
            'target': images[:n] / np.float32(255),
            'reconstructions': {
                'true features': recovered,
                'from fMRI': brain[:n],
            },
        },
    )
    return recovered, [note], [figure]


def _two_way(matrix: np.ndarray, seed: int) -> Score:
    """Two-way identification by a similarity, as in scores.json."""
    table = identification.n_way_table(matrix, 2)
    return make_score([table], identification.chance(2), bounds=RATE, seed=seed)
