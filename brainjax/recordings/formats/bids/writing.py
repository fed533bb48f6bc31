"""A recording as a small BIDS data set: one volume a trial, one second each."""

import pathlib

import numpy as np

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.io.files import PathLike, write_json, write_text
from brainjax.pictures import operations
from brainjax.recordings import volume
from brainjax.recordings.recording import Recording, Trials

SIMULATED = 'brainjax, simulated subject'

_WIDTH = 2.0  # Millimetres of a voxel that has no place of its own.
_COLUMNS = (
    'onset',
    'duration',
    'split',
    'stim_file',
    'stimulus_name',
    'category',
)


def write(recording: Recording, path: PathLike) -> None:
    """Writes masks, runs, events and pictures.

    Read again it gives the same responses, as dataset_description.json says
    who wrote it; voxels then come in the order of their places. Without places
    they fill a cube, and the masks say that it is none of a brain. Trials stay
    in order where runs do. SNR, noise ceiling and unpaired fMRI are lost.

    Args:
      recording: what to write; a part without run numbers becomes one run.
      path: the data set's folder, made if need be.
    """
    root = pathlib.Path(path)
    if root.is_dir() and any(root.glob('sub-*')):
        raise InputError(f'{root} holds subjects already; name another folder.')
    for name in (*recording.stimuli.names, *recording.rois):
        _check_name(name, recording.source)
    # An entity's value has letters and digits alone.
    letters = ''.join(c for c in recording.subject if c.isalnum())
    subject = f'sub-{letters or "01"}'
    write_json(
        root / 'dataset_description.json',
        {
            'Name': recording.subject,
            'BIDSVersion': '1.10.0',
            'DatasetType': 'raw',
            'GeneratedBy': [
                {'Name': SIMULATED if recording.simulated else 'brainjax'}
            ],
        },
    )
    places, about = recording.volume, ''
    if places is None:
        places, about = volume.cube(recording.voxels, _WIDTH), volume.NOWHERE
    all_voxels = np.ones(recording.voxels, bool)
    for name, mask in {'all': all_voxels, **recording.rois}.items():
        nifti.write(
            root / 'masks' / subject / f'{name}.nii.gz',
            volume.fill(places, mask.astype(np.uint8)),
            places.affine,
            about=about,
        )
    taken: set[int] = set()
    for part in ('train', 'test'):
        trials = getattr(recording, part)
        for session, run, rows in _runs(trials, taken):
            _write_run(
                root,
                subject,
                recording,
                places,
                part,
                trials,
                session,
                run,
                rows,
            )
    images = recording.stimuli.images
    if images is not None:
        for name, image in zip(recording.stimuli.names, images):
            operations.save_png(root / 'stimuli' / f'{name}.png', image)


def _check_name(name: str, where: str) -> None:
    parts = pathlib.PurePosixPath(name).parts
    if not parts or {'/', '..'} & {*parts} or not name.isprintable():
        raise InputError(
            f'{where}: {name!r} cannot be the name of a file; rename that '
            'stimulus or ROI.'
        )


def _runs(trials: Trials, taken: set[int]):
    """Yields session, run number and the rows of each run."""
    run = trials.run
    if run is None:
        run = np.full(len(trials), 1 + max(taken, default=0))
    session = trials.session
    if session is None:
        session = np.zeros(len(trials), int)
    for s, r in sorted({*zip(session.tolist(), run.tolist())}):
        taken.add(r)
        rows = np.flatnonzero((session == s) & (run == r))
        yield (s if trials.session is not None else None), r, rows


def _write_run(
    root, subject, recording, places, part, trials, session, run, rows
) -> None:
    names = [recording.stimuli.names[i] for i in trials.stimulus[rows]]
    categories = recording.stimuli.categories
    folder = root / subject
    label = subject
    if session is not None:
        folder /= f'ses-{session:02d}'
        label += f'_ses-{session:02d}'
    label += f'_task-{part}_run-{run:02d}'
    nifti.write(
        folder / 'func' / f'{label}_bold.nii.gz',
        volume.fill(places, trials.fmri[rows]),
        places.affine,
        1.0,
    )
    write_json(
        folder / 'func' / f'{label}_bold.json',
        {'RepetitionTime': 1.0, 'TaskName': part},
    )
    lines = ['\t'.join(_COLUMNS)]
    for i, (name, stimulus) in enumerate(zip(names, trials.stimulus[rows])):
        category = categories[stimulus] if categories is not None else 'n/a'
        lines.append(f'{i}\t1\t{part}\t{name}.png\t{name}\t{category or "n/a"}')
    write_text(folder / 'func' / f'{label}_events.tsv', '\n'.join(lines) + '\n')
