"""Writing the npz files of Gaziv et al. 2022; see `weizmann`."""

import numpy as np

from brainjax.errors import InputError
from brainjax.io import arrays as npz
from brainjax.io.files import PathLike
from brainjax.recordings.recording import Recording
from brainjax.recordings.transforms import average_repeats, need_pictures


def write(recording: Recording, path: PathLike, pictures: PathLike) -> None:
    """Writes a recording in this layout; names, runs and categories are lost.

    Pictures that no test trial shows count as training pictures. Without an
    ROI named 'VC', which readers take by default, one of all voxels is added.
    """
    images = need_pictures(recording)
    if images.shape[1] != images.shape[2]:
        raise InputError(
            f'{recording.source} holds pictures of {images.shape[1]} x '
            f'{images.shape[2]} pixels; this format holds square ones only, '
            'so read them with a size.'
        )
    shown_in_test = np.zeros(len(recording.stimuli), bool)
    shown_in_test[recording.test.stimulus] = True
    row = np.where(
        shown_in_test, shown_in_test.cumsum(), (~shown_in_test).cumsum()
    )
    row -= 1
    arrays = {
        'arr_0': recording.train.fmri,
        'arr_1': recording.test.fmri,
        'arr_2': average_repeats(recording.test).fmri,
        'arr_3': row[recording.train.stimulus],
        'arr_4': row[recording.test.stimulus],
        'arr_5': recording.noise_ceiling,
        'arr_6': recording.snr,
        'VC': np.ones(recording.voxels, bool),
        **recording.rois,
    }
    npz.write(path, **{k: v for k, v in arrays.items() if v is not None})
    images = images / np.float32(255)
    npz.write(
        pictures,
        train_images=images[~shown_in_test],
        test_images=images[shown_in_test],
    )
