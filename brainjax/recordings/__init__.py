"""Recordings: what was measured, in one value whatever file it came from."""

from brainjax.recordings.arrays import from_arrays
from brainjax.recordings.formats import (
    FORMATS,
    format_of,
    open_recording,
    options_of,
)
from brainjax.recordings.options import parse_options
from brainjax.recordings.recording import Recording, Stimuli, Trials, check
from brainjax.recordings.transforms import (
    average_repeats,
    need_pictures,
    normalise,
    roi_mask,
    select_roi,
    split_trials,
    take_trials,
    take_voxels,
)
from brainjax.recordings.volume import Volume

__all__ = [
    'FORMATS',
    'Recording',
    'Stimuli',
    'Trials',
    'Volume',
    'average_repeats',
    'check',
    'format_of',
    'from_arrays',
    'need_pictures',
    'normalise',
    'open_recording',
    'options_of',
    'parse_options',
    'roi_mask',
    'select_roi',
    'split_trials',
    'take_trials',
    'take_voxels',
]
