"""Parts of a small recording."""

import numpy as np

from brainjax.recordings import (
    Stimuli,
    Trials,
)


def parts():
    """The arguments of a recording with 6 training and 4 test trials."""
    rng = np.random.default_rng(0)
    return {
        'subject': 'S1',
        'train': Trials(
            rng.normal(2, 3, (6, 5)).astype(np.float32),
            np.int32([0, 2, 1, 0, 2, 2]),
            np.int32([1, 1, 1, 2, 2, 2]),
        ),
        'test': Trials(
            rng.normal(size=(4, 5)).astype(np.float32), np.int32([4, 3, 3, 4])
        ),
        'stimuli': Stimuli(
            rng.integers(0, 256, (5, 4, 4, 3)).astype(np.uint8),
            ('a', 'b', 'c', 'd', 'e'),
        ),
        'rois': {
            'V1': np.array([True, True, False, False, False]),
            'V2': np.array([False, True, False, True, False]),
            'none': np.zeros(5, bool),
        },
        'source': 'S1.file',
        'simulated': False,
        'unpaired_fmri': rng.normal(size=(3, 5)).astype(np.float32),
        'snr': np.arange(5.0),
        'noise_ceiling': np.linspace(0, 1, 5),
    }


WHOLE = parts()


TRAIN, TEST, STIMULI = (WHOLE[key] for key in ('train', 'test', 'stimuli'))
