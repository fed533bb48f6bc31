"""What a recording holds and what is odd about it: `brainjax inspect`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io.files import PathLike
from brainjax.recordings import (
    Recording,
    Trials,
    Volume,
    leakage,
    open_recording,
    reliability,
)
from brainjax.recordings.formats import vim1, weizmann
from brainjax.recordings.on_disk import constant_voxels
from brainjax.recordings.volume import voxel_size


def open_all(paths: Sequence[PathLike], **options: Any) -> list[Recording]:
    """Opens recordings; a file of pictures among the paths serves the others.

    `open_all(['sbj_3.npz', 'images_112.npz'])` gives one recording.

    Args:
      paths: files of recordings, and at most one of pictures.
      **options: for every `open_recording`.
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
      'repeats': {'train', 'test'}, 'problems': [sentence, ...], 'dtype',
      'runs': {'train', 'test'}, 'sessions': {'train', 'test'},
      'stimuli_with_pictures': {'train', 'test'}, 'unpaired_fmri',
      'reliability', 'volume': {'shape', 'voxel_mm'}}. Where stimuli differ in
      repeats, 'repeats' is the lowest number and a problem says so. Runs,
      sessions and volume are None where they are not known. For
      'reliability' see `reliability_by_roi`.
    """
    train, test = _repeats(recording.train), _repeats(recording.test)
    pictures = recording.stimuli.images is not None
    unpaired = recording.unpaired_fmri
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
        'problems': problems_of(recording),
        'dtype': str(recording.train.fmri.dtype),
        'runs': _numbers(recording, 'run'),
        'sessions': _numbers(recording, 'session'),
        'stimuli_with_pictures': {
            'train': len(train) * pictures,
            'test': len(test) * pictures,
        },
        'unpaired_fmri': 0 if unpaired is None else len(unpaired),
        'reliability': reliability_by_roi(recording),
        'volume': _volume(recording.volume),
    }


def _volume(volume: Volume | None) -> dict[str, Any] | None:
    if volume is None:
        return None
    return {
        'shape': [*map(int, volume.shape)],
        'voxel_mm': [round(x, 4) for x in voxel_size(volume.affine)],
    }


def repeated_trials(recording: Recording) -> tuple[str, Trials] | None:
    """Returns the trials that tell reliability: 'train' if it has repeats."""
    for part in ('train', 'test'):
        trials = getattr(recording, part)
        if (_repeats(trials) > 1).sum() > 1:
            return part, trials
    return None


def reliability_by_roi(recording: Recording) -> dict[str, Any] | None:
    """Measures reliability where stimuli were repeated.

    Returns:
      {'from': 'train' or 'test', 'repeats', 'ncsnr', 'noise_ceiling'}, or
      None without repeats. The last two hold the median and the 90th
      percentile over voxels, as {ROI: {'median', 'p90'}}; the noise ceiling
      is that of the average of a stimulus' repeats, as a correlation.
    """
    found = repeated_trials(recording)
    if found is None:
        return None
    part, trials = found
    repeats = _repeats(trials)
    ncsnr = reliability.ncsnr_from_repeats(trials)
    ceiling = reliability.noise_ceiling_from_ncsnr(ncsnr, repeats)
    return {
        'from': part,
        'repeats': float(repeats.mean()),
        'ncsnr': reliability.by_roi(ncsnr, recording.rois),
        'noise_ceiling': reliability.by_roi(ceiling, recording.rois),
    }


def render(found: dict[str, Any]) -> str:
    """Turns a summary into lines for a terminal."""
    trials, stimuli, repeats = (
        found[key] for key in ('trials', 'stimuli', 'repeats')
    )
    shown = found['stimuli_with_pictures']
    lines = [
        ('format', found['format']),
        ('subject', found['subject'] + ' (simulated)' * found['simulated']),
        *(
            (
                f'{word} trials',
                f'{trials[part]} of {stimuli[part]} stimuli, at least '
                f'{repeats[part]} of each'
                + ''.join(
                    f', {found[what][part]} {what}'
                    for what in ('runs', 'sessions')
                    if found[what] is not None
                ),
            )
            for word, part in (('training', 'train'), ('test', 'test'))
        ),
        (
            'pictures',
            f'of {shown["train"]} training and {shown["test"]} test stimuli',
        ),
        ('unpaired fMRI', str(found['unpaired_fmri'] or 'none')),
        ('voxels', f'{found["voxels"]}, {found["dtype"]}'),
        ('places', _placed(found['volume'])),
        (
            'ROIs',
            ', '.join(f'{name} {n}' for name, n in found['rois'].items())
            or 'none',
        ),
        *(('reliability', line) for line in _reliable(found['reliability'])),
        *(('problem', text) for text in found['problems'] or ['none']),
    ]
    return '\n'.join(f'{name:<16}{text}' for name, text in lines)


def _placed(found: dict[str, Any] | None) -> str:
    """Says where voxels lie."""
    if found is None:
        return 'not known, so that no maps can be written'
    shape, sizes = (
        ' x '.join(f'{x:g}' for x in found[key])
        for key in ('shape', 'voxel_mm')
    )
    return f'in a volume of {shape} voxels of {sizes} mm'


def _reliable(found: dict[str, Any] | None) -> list[str]:
    """Returns lines on reliability: a head, and one for each ROI."""
    if found is None:
        return ['not known, no stimulus was repeated']
    word = {'train': 'training', 'test': 'test'}[found['from']]
    return [
        f'noise ceiling of averages of {found["repeats"]:.3g} {word} trials, '
        'median (90th percentile)',
        *(
            f'{name} {each["median"]:.2f} ({each["p90"]:.2f})'
            for name, each in found['noise_ceiling'].items()
        ),
    ]


def _numbers(recording: Recording, what: str) -> dict[str, int] | None:
    """Counts the runs or sessions of training and of test trials."""
    found = {
        part: getattr(getattr(recording, part), what)
        for part in ('train', 'test')
    }
    if any(numbers is None for numbers in found.values()):
        return None
    return {part: len(np.unique(numbers)) for part, numbers in found.items()}


def _repeats(trials: Trials) -> np.ndarray:
    """Returns how often each stimulus that was shown was shown."""
    return np.unique(trials.stimulus, return_counts=True)[1]


def problems_of(recording: Recording) -> list[str]:
    """Returns what a person should know of before trusting a recording.

    Sentences: those of the reader, and on what the checks let pass.
    """
    found = [*recording.problems]
    for part in ('train', 'test'):
        repeats = _repeats(getattr(recording, part))
        if repeats.min() < repeats.max():
            found.append(
                f'Stimuli of the {part} trials were shown {repeats.min()} to '
                f'{repeats.max()} times.'
            )
    found += leakage.problems(recording)
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
    constant = constant_voxels(recording.test.fmri).sum()
    if constant and len(recording.test) > 1:
        found.append(
            f'{constant} voxels have the same value in every test trial.'
        )
    return found
