"""From one format to another, and what was lost on the way.

What a format cannot hold is not looked up but found: the file written is read
back and compared.
"""

import inspect
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.io.files import PathLike
from brainjax.recordings import FORMATS, Recording, Volume, take_voxels
from brainjax.recordings.formats import tfds_builder
from brainjax.recordings.volume import coordinates

TFDS = 'tfds'

_ROWS = 1024  # Trials compared at once.
_SAME_PLACE = 1e-3  # Millimetres.


def convert(
    recording: Recording, out: PathLike, to: str | None = None
) -> tuple[list[pathlib.Path], list[str]]:
    """Writes a recording in a format.

    Args:
      out: the file or folder to write. Formats that hold pictures apart put
        them beside it.
      to: one of FORMATS that can be written, or 'tfds'; by default the suffix
        of `out` tells.

    Returns:
      The paths written, and what differs when they are read again, such as
      'stimulus names'. A TFDS data set is not compared.
    """
    out = pathlib.Path(out)
    to = format_for(out, to)
    if to == TFDS:
        return [tfds_builder.prepare(recording, out)], []
    if os.path.exists(out) and os.path.samefile(out, _existing(recording)):
        raise InputError(
            f'{out} is the recording that is read; name another file.'
        )
    form = FORMATS[to]
    written, options = [out], {}
    if form.pictures and recording.stimuli.images is not None:
        written.append(out.with_name(out.stem + form.pictures))
        options['pictures'] = written[1]
    elif form.pictures and _needs_pictures(form.write):
        raise InputError(
            f'{recording.source} holds no pictures, without which {to} '
            'cannot be written; name them with --pictures.'
        )
    form.write(recording, out, **options)
    again = form.read(out, **options, **form.whole)
    return written, list(differences(recording, again))


def writable() -> list[str]:
    """Returns the names of the formats that can be written."""
    return [*(name for name, form in FORMATS.items() if form.write), TFDS]


def differences(first: Recording, again: Recording) -> Iterator[str]:
    """Yields what of a recording another does not hold just so."""
    if again.subject != first.subject:
        yield 'the subject'
    # The reverse is no loss: some formats cannot say what was measured.
    if first.simulated and not again.simulated:
        yield 'that it is simulated'
    if again.voxels != first.voxels:
        yield f'{first.voxels - again.voxels} of {first.voxels} voxels'
        return
    again, reordered = _in_order(first, again)
    if reordered:
        yield 'the order of voxels'
    # Formats order stimuli otherwise, so that trials say which is which.
    pairs: set[tuple[int, int]] = set()
    for part, word in (('train', 'training'), ('test', 'test')):
        a, b = getattr(first, part), getattr(again, part)
        if len(a) != len(b):
            yield f'{len(a) - len(b)} of {len(a)} {word} trials'
            return
        if change := _change(a.fmri, b.fmri):
            yield f'the {word} fMRI (up to {change:.2g} off)'
        pairs |= {*zip(a.stimulus.tolist(), b.stimulus.tolist())}
    if first.imagery is not None and again.imagery is None:
        yield f'{len(first.imagery)} imagery trials'
    if len(first.stimuli) != len(again.stimuli):
        yield f'{len(first.stimuli) - len(again.stimuli)} stimuli not shown'
    yield from _stimuli(first, again, sorted(pairs))
    for what in ('run', 'session'):
        for part in ('train', 'test'):
            a, b = (getattr(getattr(r, part), what) for r in (first, again))
            if not _same(a, b):
                yield f'{what}s'
                break
    lost = [
        name
        for name, mask in first.rois.items()
        if not _same(mask, again.rois.get(name))
    ]
    if lost:
        yield f'{len(lost)} of {len(first.rois)} ROIs ({", ".join(lost[:3])})'
    for what, word in (
        ('snr', 'SNR'),
        ('noise_ceiling', 'noise ceiling'),
        ('unpaired_fmri', 'unpaired fMRI'),
    ):
        if not _same(getattr(first, what), getattr(again, what)):
            yield word
    if first.volume is not None:
        yield from _places(first.volume, again.volume)


def format_for(out: PathLike, to: str | None) -> str:
    """Returns the name of the format to write.

    Args:
      out: what is to be written.
      to: the name of a format; None if the suffix of `out` tells.
    """
    out, names = pathlib.Path(out), writable()
    if to is None:
        suits = [
            name
            for name in names
            if name != TFDS and (FORMATS[name].suffix or '/') == out.suffix
        ]
        if len(suits) == 1:
            return suits[0]
        raise InputError(
            f'The name {out} does not say which format; name it with --to, one '
            f'of {", ".join(suits or names)}.'
        )
    check_known('format to write', to, names)
    return to


def _existing(recording: Recording) -> str:
    """Returns the recording's source if it is a path, else a path at hand."""
    return recording.source if os.path.exists(recording.source) else os.sep


def _needs_pictures(write) -> bool:
    parameter = inspect.signature(write).parameters.get('pictures')
    return parameter is not None and parameter.default is parameter.empty


def _in_order(first: Recording, again: Recording) -> tuple[Recording, bool]:
    """Brings the voxels into the first's order, where their places tell."""
    a, b = first.volume, again.volume
    if a is None or b is None or np.array_equal(a.indices, b.indices):
        return again, False
    mine, other = (np.lexsort(volume.indices.T) for volume in (a, b))
    if not np.array_equal(a.indices[mine], b.indices[other]):
        return again, False
    order = np.empty_like(mine)
    order[mine] = other
    return take_voxels(again, order), True


def _places(a: Volume, b: Volume | None) -> Iterator[str]:
    """Yields what is lost of the places; NIfTI's affines are float32."""
    if b is None:
        yield 'the places of voxels'
        return
    off = np.abs(coordinates(a) - coordinates(b)).max()
    if off > _SAME_PLACE:
        yield f'the places of voxels (up to {off:.2g} mm off)'
    elif not np.array_equal(a.indices, b.indices) or a.shape != b.shape:
        yield 'the volume around the voxels'


def _change(a, b) -> float:
    """Returns the largest difference of two tables of one shape."""
    return max(
        float(np.abs(a[i : i + _ROWS] - b[i : i + _ROWS]).max())
        for i in range(0, len(a), _ROWS)
    )


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """True if nothing of `a` is lost in `b`; NaN equals NaN."""
    if a is None or b is None:
        return a is None
    return np.array_equal(a, b, equal_nan=a.dtype.kind == 'f')


def _stimuli(
    first: Recording, again: Recording, pairs: list[tuple[int, int]]
) -> Iterator[str]:
    a, b = first.stimuli, again.stimuli
    if len({i for i, _ in pairs}) < len(pairs) or len(
        {j for _, j in pairs}
    ) < len(pairs):
        yield 'which stimulus was shown in which trial'
        return
    if any(a.names[i] != b.names[j] for i, j in pairs):
        yield 'stimulus names'
    if a.categories is not None and (
        b.categories is None
        or any(a.categories[i] != b.categories[j] for i, j in pairs)
    ):
        yield 'categories'
    if a.images is not None and (
        b.images is None
        or any(not np.array_equal(a.images[i], b.images[j]) for i, j in pairs)
    ):
        yield 'pictures'
