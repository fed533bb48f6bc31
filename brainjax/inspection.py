"""What a recording holds and what is odd about it: `brainjax inspect`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.files import PathLike
from brainjax.recordings import (
    Recording,
    Trials,
    open_recording,
    vim1,
    weizmann,
)


def open_all(paths: Sequence[PathLike], **options: Any) -> list[Recording]:
    """Opens recordings; a file of pictures among the paths serves the others.

    `open_all(['sbj_3.npz', 'images_112.npz'])` gives one recording.

    Args:
      paths: files of recordings, and at most one of pictures.
      **options: for every `open_recording`.

    Raises:
      InputError: as `open_recording`, or only pictures were given, or
        several files of them.
    """
    pictures = [
        path
        for path in paths
        if weizmann.holds_pictures(path) or vim1.holds_pictures(path)
    ]
    others = [path for path in paths if path not in pictures]
    if len(pictures) > 1:
        raise InputError(
            f'{pictures[0]} and {pictures[1]} both hold pictures; give one.'
        )
    if not others:
        raise InputError(
            'No file with responses was given'
            f'{f", only {pictures[0]}" if pictures else ""}; give the file '
            'with the fMRI as well.'
        )
    if pictures:
        options['pictures'] = pictures[0]
    return [open_recording(path, **options) for path in others]


def summary(recording: Recording) -> dict[str, Any]:
    """Counts what a recording holds, ready for JSON.

    Returns:
      {'format', 'subject', 'simulated', 'trials': {'train', 'test'},
      'stimuli': {'train', 'test'}, 'voxels', 'rois': {name: voxels},
      'repeats': {'train', 'test'}, 'problems': [sentence, ...]}. Where
      stimuli differ in repeats, 'repeats' is the lowest number and a problem
      says so.
    """
    train, test = _repeats(recording.train), _repeats(recording.test)
    return {
        'format': recording.format,
        'subject': recording.subject,
        'simulated': recording.simulated,
        'trials': {'train': len(recording.train), 'test': len(recording.test)},
        'stimuli': {'train': len(train), 'test': len(test)},
        'voxels': recording.voxels,
        'rois': {
            name: int(mask.sum()) for name, mask in recording.rois.items()
        },
        'repeats': {'train': int(train.min()), 'test': int(test.min())},
        'problems': [*recording.problems, *_problems(recording)],
    }


def render(found: dict[str, Any]) -> str:
    """Turns a summary into lines for a terminal."""
    trials, stimuli, repeats = (
        found[key] for key in ('trials', 'stimuli', 'repeats')
    )
    lines = [
        ('format', found['format']),
        ('subject', found['subject'] + ' (simulated)' * found['simulated']),
        *(
            (
                f'{word} trials',
                f'{trials[part]} of {stimuli[part]} pictures, at least '
                f'{repeats[part]} of each',
            )
            for word, part in (('training', 'train'), ('test', 'test'))
        ),
        ('voxels', str(found['voxels'])),
        (
            'ROIs',
            ', '.join(f'{name} {n}' for name, n in found['rois'].items())
            or 'none',
        ),
        *(('problem', text) for text in found['problems'] or ['none']),
    ]
    return '\n'.join(f'{name:<16}{text}' for name, text in lines)


def _repeats(trials: Trials) -> np.ndarray:
    """Returns how often each stimulus that was shown was shown."""
    return np.unique(trials.stimulus, return_counts=True)[1]


def _problems(recording: Recording) -> list[str]:
    """Returns sentences on what the checks let pass."""
    found = []
    for part in ('train', 'test'):
        repeats = _repeats(getattr(recording, part))
        if repeats.min() < repeats.max():
            found.append(
                f'Stimuli of the {part} trials were shown {repeats.min()} to '
                f'{repeats.max()} times.'
            )
    twins = _twins(recording)
    if twins:
        names = ' and '.join(recording.stimuli.names[i] for i in twins[0])
        found.append(
            f'{len(twins)} test pictures are the same, pixel by pixel, as a '
            f'training picture ({names}).'
        )
    empty = [name for name, mask in recording.rois.items() if not mask.any()]
    if empty:
        found.append(f'No voxel lies in ROI {", ".join(empty)}.')
    outside = ~np.any([*recording.rois.values()], axis=0)
    if recording.rois and outside.any():
        found.append(f'{outside.sum()} voxels lie in no ROI.')
    for what in ('snr', 'noise_ceiling'):
        values = getattr(recording, what)
        if values is not None and not np.isfinite(values).all():
            found.append(
                f'{what} is not finite in {(~np.isfinite(values)).sum()} '
                'voxels.'
            )
    constant = (np.ptp(recording.test.fmri, axis=0) == 0).sum()
    if constant and len(recording.test) > 1:
        found.append(
            f'{constant} voxels have the same value in every test trial.'
        )
    return found


def _twins(recording: Recording) -> list[tuple[int, int]]:
    """Returns (training, test) stimuli that are one and the same picture."""
    images = recording.stimuli.images
    if images is None:
        return []
    train = {images[i].tobytes(): i for i in recording.train.stimulus}
    return [
        (train[key], i)
        for i in np.unique(recording.test.stimulus)
        if (key := images[i].tobytes()) in train
    ]
