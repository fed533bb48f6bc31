"""The Natural Scenes Dataset as it is published: voxels stay on disk.

Allen et al. 2022, Nature Neuroscience 25: eight subjects, up to 40 sessions of
750 trials, 10,000 pictures each shown up to three times, 1000 of them shared
by all subjects. Wanted are, under one root folder as on the public bucket,

  nsddata/experiments/nsd/nsd_expdesign.mat
  nsddata/ppdata/subj01/func1pt8mm/roi/*.nii.gz
  nsddata_betas/ppdata/subj01/func1pt8mm/BETAS/betas_session01.hdf5 ...

and, where they are there, BETAS/ncsnr.nii.gz, behav/responses.tsv (runs),
freesurfer/subj01/label/*.mgz.ctab (names of ROIs) and the pictures in
nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.io.files import PathLike
from brainjax.recordings import options, stimulus_pictures
from brainjax.recordings.formats.nsd import files
from brainjax.recordings.formats.nsd.extraction import extract, moments
from brainjax.recordings.formats.nsd.writing import PERCENT, write
from brainjax.recordings.on_disk import StoredFmri, Table, whole_tables
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.transforms import UNUSABLE, kept_voxels
from brainjax.recordings.volume import take

__all__ = ['PERCENT', 'looks_like', 'read', 'write']

REPEATS = 3  # How often a picture was shown to a subject.
TESTS = ('shared', 'shared3')


def looks_like(path: PathLike) -> bool:
    """True for a folder that holds `nsddata/`, or one inside of it."""
    return files.locate(path) is not None


def read(
    path: PathLike,
    subject: int | str | None = None,
    pictures: PathLike | None = None,
    size: int | None = None,
    roi: str | None = 'nsdgeneral',
    betas: str = 'betas_fithrf_GLMdenoise_RR',
    space: str = 'func1pt8mm',
    sessions: Sequence[int] | None = None,
    test: str = 'shared',
    zscore: bool = True,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
    drop: Sequence[str] = UNUSABLE,
) -> Recording:
    """Opens one subject; the first time, its voxels go to the cache folder.

    Training trials show pictures of this subject alone, test trials shared
    ones. Pictures are named by their 73k number, which counts from 1:
    'nsd-00001' is the first of the brick. The responses are `StoredFmri`,
    voxels in the order of `volume[mask]`, [x, y, z].

    `snr` is the square of the published ncsnr, which was estimated from all
    repeats, those of the test pictures included; `noise_ceiling` follows from
    it for the average of three repeats.

    Args:
      path: the root folder, or a folder in it that names the subject, such as
        'ROOT/nsddata_betas/ppdata/subj02'.
      subject: 1 to 8, or text with that number; None for the one in the path,
        else 1.
      pictures: a source as for `pictures.load` with these names; None for
        the brick, or for no pictures where it is not there.
      size: of the pictures, in pixels; None keeps theirs (425). They are
        kept in the cache folder.
      roi: the voxels wanted, an ROI or several joined by '|'; None or '' for
        the whole brain.
      betas: version of the betas, the name of their folder.
      space: 'func1pt8mm' or 'func1mm'.
      sessions: numbers of the sessions wanted; None for all that are there.
      test: 'shared' tests on every shared picture that was shown in these
        sessions, 'shared3' on those shown three times; the other shared
        pictures are then left out.
      zscore: z-score each voxel within each session with mean and standard
        deviation of the trials of pictures that are not shared.
      fit, alpha, upright: how pictures are read, see `pictures.load`.
      drop: which voxels to leave out: 'constant' in some session, or 'nan' in
        the published ncsnr; others are refused.
    """
    drop = options.kinds('drop', drop, UNUSABLE)
    found = files.locate(path)
    if found is None:
        raise InputError(
            f'{path} holds no folder nsddata; give the root folder of the '
            'Natural Scenes Dataset.'
        )
    check_known('test set', test, TESTS)
    root, named = found
    layout = files.Layout(root, _subject(subject, named, path), space, betas)
    chosen = _chosen_sessions(layout, options.numbers('sessions', sessions))
    design = files.design(layout)
    regions = files.regions(layout)
    mask = files.chosen_voxels(layout, regions, roi)
    tables = extract([layout.session(i) for i in chosen], mask)
    shown = _shown(layout, chosen, tables, design)
    shared = np.isin(shown.picture, design.shared)
    snr = _snr(layout, mask)
    fmri, usable = _responses(layout, chosen, tables, shared, zscore)
    why = np.where(usable, '', 'constant')
    if snr is not None:
        why[usable & ~np.isfinite(snr)] = 'nan'
    usable, dropped = kept_voxels(why, drop, str(layout.betas_folder))
    keep = np.flatnonzero(usable)
    fmri = fmri.take(keep, axis=1)
    if snr is not None:
        snr = snr[keep]
    volume = take(files.places(layout, mask), keep)
    rois = {
        name: kept
        for name, region in regions.items()
        if (kept := region[mask][keep]).any()
    }
    numbers = np.unique(shown.picture)
    stimulus = np.searchsorted(numbers, shown.picture).astype(np.int32)
    seen = np.bincount(stimulus)[stimulus]
    # A shared picture seen once or twice gives no average of three.
    in_test = shared & ((test == 'shared') | (seen >= REPEATS))
    for which, what in ((in_test, 'shared'), (~shared, 'unshared')):
        if not which.any():
            raise InputError(
                f'{layout.betas_folder}: no trial of {what} pictures '
                f'{"(test=" + repr(test) + ") " * (what == "shared")}'
                'is in these sessions; name more of them.'
            )

    def trials(which: np.ndarray) -> Trials:
        rows = np.flatnonzero(which)
        return Trials(
            fmri.take(rows, axis=0),
            stimulus[rows],
            None if shown.run is None else shown.run[rows],
            shown.session[rows],
        )

    names = tuple(f'nsd-{i:05d}' for i in numbers)
    images, notes = _images(
        layout,
        names,
        pictures,
        {'size': size, 'fit': fit, 'alpha': alpha, 'upright': upright},
    )
    return Recording(
        subject=layout.name,
        train=trials(~shared),
        test=trials(in_test),
        stimuli=Stimuli(images, names),
        rois=rois,
        source=os.fspath(path),
        simulated=(root / files.SIMULATED).exists(),
        snr=snr,
        noise_ceiling=None
        if snr is None
        else np.sqrt(snr / (snr + 1 / REPEATS)),
        format='nsd',
        problems=(
            *_problems(chosen, design, stimulus[in_test]),
            *dropped,
            *notes,
        ),
        volume=volume,
    )


def _subject(
    subject: int | str | None, named: int | None, path: PathLike
) -> int:
    if subject in (None, ''):
        return named or 1
    number = str(subject).removeprefix('subj')
    if not number.isdecimal() or named not in (None, int(number)):
        raise InputError(
            f'{path}: subject={subject!r} must be a number from 1 to 8'
            f'{f" and the path names {named}" if named else ""}.'
        )
    return int(number)


class _Shown(NamedTuple):
    """Of each trial the picture's number, the session and perhaps the run."""

    picture: np.ndarray
    session: np.ndarray
    run: np.ndarray | None


def _chosen_sessions(
    layout: files.Layout, sessions: Sequence[int] | None
) -> list[int]:
    there = files.session_numbers(layout)
    if sessions is None:
        return there
    missing = sorted({*sessions} - {*there})
    if missing or not len(sessions):
        raise InputError(
            f'{layout.betas_folder} has no session '
            f'{", ".join(map(str, missing))}; there are '
            f'{", ".join(map(str, there))}.'
        )
    return sorted({*sessions})


def _shown(
    layout: files.Layout,
    sessions: list[int],
    tables: list[Table],
    design: files.Design,
) -> _Shown:
    """Finds the trials of the sessions in the design."""
    each = tables[0].shape[0]
    for number, table in zip(sessions, tables):
        if table.shape[0] != each:
            raise InputError(
                f'{layout.session(number)} holds {table.shape[0]} trials and '
                f'{layout.session(sessions[0])} {each}; all sessions must '
                'have as many.'
            )
        if number < 1 or number * each > len(design.picture):
            raise InputError(
                f'{layout.session(number)} holds {each} trials, and the '
                f'{len(design.picture)} trials of {files.DESIGN} end '
                'before this session does; both must be of one release.'
            )
    picture = np.stack(
        [design.picture[(n - 1) * each : n * each] for n in sessions]
    )
    run = files.runs(layout, sessions, picture)
    return _Shown(
        picture.ravel(),
        np.repeat(np.int32(sessions), each),
        None if run is None else run.ravel(),
    )


def _responses(
    layout: files.Layout,
    sessions: list[int],
    tables: list[Table],
    shared: np.ndarray,
    zscore: bool,
) -> tuple[StoredFmri, np.ndarray]:
    """Returns all trials, scaled, and [voxels] bool: varies in each session."""
    training = ~shared.reshape(len(tables), -1)
    few = [n for n, rows in zip(sessions, training) if rows.sum() < 2]
    if few:
        raise InputError(
            f'{layout.session(few[0])} holds fewer than two trials of pictures '
            'that are not shared, and its voxels cannot be judged or scaled; '
            'leave this session out.'
        )
    mean, std = np.stack(
        [moments(table, rows) for table, rows in zip(tables, training)], 1
    )
    usable = (std > 0).all(axis=0)
    if zscore:
        scale = 1 / np.where(usable, std, 1)
        offset = -mean * scale
    else:
        scale = np.full(mean.shape, 1 / PERCENT)
        offset = np.zeros(mean.shape)
    return whole_tables(tuple(tables), scale, offset), usable


def _snr(layout: files.Layout, mask: np.ndarray) -> np.ndarray | None:
    path = layout.betas_folder / 'ncsnr.nii.gz'
    if not path.exists():
        return None
    ncsnr = files.volume(path)
    if ncsnr.shape != mask.shape:
        raise InputError(
            f'{path} has shape {ncsnr.shape} and the ROIs {mask.shape}; both '
            'must be in one space.'
        )
    return np.square(ncsnr[mask].astype(np.float32))


def _images(
    layout: files.Layout,
    names: tuple[str, ...],
    pictures: PathLike | None,
    options: dict[str, Any],
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    brick = layout.root / files.BRICK
    if pictures is None and not brick.exists():
        return None, ()
    images, notes = stimulus_pictures.join(
        names, pictures or brick, cached=True, **options
    )
    # Of the brick, most pictures were seen by other subjects.
    return images, notes if pictures else ()


def _problems(
    sessions: list[int],
    design: files.Design,
    tested: np.ndarray,
) -> tuple[str, ...]:
    found = []
    gaps = sorted({*range(1, max(sessions))} - {*sessions})
    if gaps:
        found.append(
            f'Sessions {", ".join(map(str, gaps))} are not there; the trials '
            'of the others are in their places.'
        )
    seen = len(np.unique(tested))
    if seen < len(design.shared):
        found.append(
            f'{seen} of the {len(design.shared)} shared pictures are tested; '
            'scores on another number are of another test.'
        )
    return tuple(found)
