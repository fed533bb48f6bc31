"""Pictures from a part of the brain or of the network alone.

Which region, and which layers, a reconstruction lives on: the ridge is fitted
on one ROI's voxels, or a set of layers is inverted without the others (Shen et
al. 2019, reconstructions from single areas and single layers). Everything else
stays as it is.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import identification
from brainjax.evaluation.intervals import RATE
from brainjax.evaluation.scores import Score, make_score, pixel_scores
from brainjax.io.feature_folders import Layer
from brainjax.methods.data import Data, Figure
from brainjax.methods.inversion import files
from brainjax.methods.inversion.data import layers_of
from brainjax.methods.inversion.method import Fitted, decode_in, names_of
from brainjax.methods.inversion.training import fit_ridge
from brainjax.recordings import (
    Recording,
    average_repeats,
    roi_mask,
    take_voxels,
)

SHOWN = 12  # Pictures of a sheet.


def reconstruct(
    fitted: Fitted,
    data: Data,
    decoded: Mapping[str, Layer],
    config: ConfigDict,
) -> dict[str, np.ndarray]:
    """Reconstructs the test stimuli from each subset.

    Args:
      fitted: from `method.fit`.
      data: as given to it.
      decoded: layer -> features decoded from all voxels, on disk.
      config: of the experiment.

    Returns:
      Subset -> [n, size, size, 3] float32 in 0..1, stimuli in ascending
      order. A subset is called as in the config, with '+' for '|'.
    """
    found = {}
    names = names_of(fitted, len(data.test))
    for text, layers in _targets(fitted, data, decoded, config):
        name = text.replace('|', '+')
        found[name] = files.invert_in(
            fitted.folder,
            f'subsets/{name}',
            layers,
            names,
            fitted.network,
            config,
            fitted.scales,
            fitted.generator,
        )
    return found


def _targets(
    fitted: Fitted,
    data: Data,
    decoded: Mapping[str, Layer],
    config: ConfigDict,
) -> Iterator[tuple[str, dict[str, Layer]]]:
    """Yields each subset and its features on disk."""
    for roi in config.subsets.rois:
        part = region(data, roi)
        yield (
            roi,
            decode_in(
                fitted,
                fit_ridge(part.train, config),
                average_repeats(part.test).fmri,
                label_of(roi),
                config,
            ),
        )
    for text in config.subsets.layers:
        yield text, {layer: decoded[layer] for layer in layers_of(text)}


def region(data: Data, roi: str) -> Recording:
    """Returns the normalised recording of the voxels of a region."""
    mask = roi_mask(data.recording.rois, roi, data.recording.source)
    # Voxels were normalised each for itself.
    return take_voxels(data.normalised, mask)


def label_of(roi: str) -> str:
    """What features decoded from a region are called, see `decode_in`."""
    return f'subsets/{roi.replace("|", "+")}'


def score(
    truth: np.ndarray, subsets: Mapping[str, np.ndarray], seed: int
) -> dict[str, Score]:
    """Scores the pictures of each subset against those that were seen.

    Returns:
      'pixcorr_from_SUBSET' and 'two_way_pixels_from_SUBSET'; a report corrects
      their p for the number of all its rows.
    """
    scores = {}
    for name, images in subsets.items():
        pixcorr, matrix = pixel_scores(truth, images, ('pixcorr',), seed=seed)
        scores[f'pixcorr_from_{name}'] = pixcorr['pixcorr']
        scores[f'two_way_pixels_from_{name}'] = make_score(
            [identification.n_way_table(matrix, 2)],
            identification.chance(2),
            bounds=RATE,
            seed=seed,
        )
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
