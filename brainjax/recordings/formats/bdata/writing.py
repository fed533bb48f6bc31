"""A recording as the columns and metadata of a BData file."""

import numpy as np

from brainjax.recordings.formats.bdata import trials
from brainjax.recordings.formats.bdata import voxels as bdata_voxels
from brainjax.recordings.formats.bdata.bdata import BData
from brainjax.recordings.recording import Recording

# The description of VoxelData where no brain was measured.
SIMULATED = '1 = VoxelData, simulated'


def from_recording(recording: Recording, source: str) -> BData:
    """Returns a recording as BData: training, test, then unpaired trials.

    Voxels come first, then one column for each key of the design.
    """
    fmri = [recording.train.fmri, recording.test.fmri]
    if recording.unpaired_fmri is not None:
        fmri.append(recording.unpaired_fmri)
    design, vmap = _design(recording, [len(part) for part in fmri])
    about = {
        f'{bdata_voxels.ROI}{name}': mask
        for name, mask in recording.rois.items()
    }
    for key in bdata_voxels.MEASURED:
        if getattr(recording, key) is not None:
            about[key] = getattr(recording, key)
    keys = ('VoxelData', *design, *about)
    voxels = recording.voxels
    values = np.full((len(keys), voxels + len(design)), np.nan)
    values[0, :voxels] = 1
    for i in range(len(design)):
        values[1 + i, voxels + i] = 1
    for i, row in enumerate(about.values(), 1 + len(design)):
        values[i, :voxels] = row
    descriptions = {'Run': trials.UNIQUE_RUNS}
    if recording.simulated:
        descriptions['VoxelData'] = SIMULATED
    dataset = np.empty((sum(map(len, fmri)), values.shape[1]))
    np.concatenate(fmri, out=dataset[:, :voxels])
    np.stack([*design.values()], axis=1, out=dataset[:, voxels:])
    return BData(
        dataset,
        keys,
        tuple(descriptions.get(key, f'1 = {key}') for key in keys),
        values,
        vmap,
        source,
    )


def _design(
    recording: Recording, lengths: list[int]
) -> tuple[dict[str, np.ndarray], dict[str, dict[float, str]]]:
    """Returns key -> [trials] numbers, NaN for none, and what they mean.

    Args:
      recording: the whole.
      lengths: numbers of training, test and perhaps unpaired trials.
    """
    parts = (recording.train, recording.test)
    stimuli = recording.stimuli

    def column(*numbers: np.ndarray | None) -> np.ndarray:
        filled = [
            np.full(length, np.nan) if values is None else values
            for values, length in zip((*numbers, None), lengths)
        ]
        return np.concatenate(filled, dtype=np.float64)

    design = {
        'DataType': np.repeat([1.0, 2.0, 4.0][: len(lengths)], lengths),
        'stimulus_name': column(*(part.stimulus + 1 for part in parts)),
    }
    shown = np.union1d(*(part.stimulus for part in parts)).tolist()
    vmap = {'stimulus_name': {i + 1.0: stimuli.names[i] for i in shown}}
    if stimuli.categories is not None:
        known, number = np.unique(stimuli.categories, return_inverse=True)
        design['category_index'] = column(
            *(number[part.stimulus] + 1 for part in parts)
        )
        vmap['category_index'] = dict(enumerate(known.tolist(), 1))
    for key in ('run', 'session'):
        numbers = [getattr(part, key) for part in parts]
        if any(values is not None for values in numbers):
            design[key.capitalize()] = column(*numbers)
    return design, vmap
