"""Pictures from a part of the brain or of the network alone.

Which region, and which layers, a reconstruction lives on: the ridge is fitted
on one ROI's voxels, or a set of layers is inverted without the others (Shen et
al. 2019, reconstructions from single areas and single layers). Everything else
stays as it is.
"""

from collections.abc import Mapping

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, suggestion
from brainjax.evaluation import identification, statistics
from brainjax.evaluation.scores import Score, make_score, pixel_scores
from brainjax.methods.data import Figure
from brainjax.methods.inversion.data import Fitted, decode, invert, prepare
from brainjax.recordings import (
    Recording,
    average_repeats,
    normalise,
    roi_mask,
    take_voxels,
)

SHOWN = 12  # Pictures of a sheet.


def check(recording: Recording, config: ConfigDict) -> None:
    """Checks that the ROIs and layers of `config.subsets` exist.

    Raises:
      InputError: one does not, or an ROI holds no voxel.
    """
    for roi in config.subsets.rois:
        roi_mask(recording.rois, roi, recording.source)
    for layers in config.subsets.layers:
        for layer in _layers(layers):
            if layer not in config.network.layers:
                raise InputError(
                    f'config.subsets.layers names {layer!r}, which is not in '
                    'config.network.layers.'
                    f'{suggestion(layer, config.network.layers)}'
                )


def reconstruct(
    fitted: Fitted,
    recording: Recording,
    decoded: Mapping[str, np.ndarray],
    config: ConfigDict,
) -> dict[str, np.ndarray]:
    """Reconstructs the test stimuli from each subset.

    Args:
      fitted: from `deep_reconstruction.fit`.
      recording: as given to it.
      decoded: layer -> features decoded from all voxels.
      config: of the experiment.

    Returns:
      Subset -> [n, size, size, 3] float32 in 0..1, stimuli in ascending
      order. A subset is called as in the config, with '+' for '|'.
    """
    found = {}
    for roi in config.subsets.rois:
        part = normalise(
            take_voxels(
                recording, roi_mask(recording.rois, roi, recording.source)
            )
        )
        here = fitted._replace(prepared=prepare(part.train, config))
        features = decode(here, average_repeats(part.test).fmri, config)
        name = roi.replace('|', '+')
        found[name] = invert(fitted, features, config, f'subsets/{name}')
    for layers in config.subsets.layers:
        name = layers.replace('|', '+')
        features = {layer: decoded[layer] for layer in _layers(layers)}
        found[name] = invert(fitted, features, config, f'subsets/{name}')
    return found


def _layers(text: str) -> list[str]:
    return [layer.strip() for layer in text.split('|')]


def score(
    truth: np.ndarray, subsets: Mapping[str, np.ndarray], seed: int
) -> dict[str, Score]:
    """Scores the pictures of each subset against those that were seen.

    Returns:
      'pixcorr_from_SUBSET' and 'two_way_pixels_from_SUBSET', each with 'q',
      its p corrected for the number of subsets (false discovery rate).
    """
    scores = {}
    for name, images in subsets.items():
        pixcorr, matrix = pixel_scores(truth, images, ('pixcorr',), seed=seed)
        scores[f'pixcorr_from_{name}'] = pixcorr['pixcorr']
        scores[f'two_way_pixels_from_{name}'] = make_score(
            [identification.n_way_table(matrix, 2)],
            identification.chance(2),
            seed=seed,
        )
    for kind in ('pixcorr', 'two_way_pixels'):
        found = [scores[f'{kind}_from_{name}'] for name in subsets]
        q = statistics.false_discovery(np.array([e['p'] for e in found]))
        for entry, value in zip(found, q):
            entry['q'] = float(value)
    return scores


def sheets(
    truth: np.ndarray, subsets: Mapping[str, np.ndarray]
) -> list[Figure]:
    """Shows the subsets' pictures side by side."""
    if not subsets:
        return []
    n = min(SHOWN, len(truth))
    return [
        Figure(
            'From a part of the voxels or of the network',
            'Seen, and reconstructed from one region or set of layers alone.',
            'montage',
            {
                'target': truth[:n] / np.float32(255),
                'reconstructions': {
                    name: images[:n] for name, images in subsets.items()
                },
            },
        )
    ]
