"""Small BIDS data sets with the traits of public ones."""

import json

import nibabel
import numpy as np

SHAPE = (3, 3, 2)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
RAW = {'high_pass': 0, 'zscore_runs': False}


def image(path, values, seconds=2.0, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = nibabel.Nifti1Image(values, affine)
    made.header.set_xyzt_units('mm', 'sec')
    if values.ndim == 4:
        made.header.set_zooms((*made.header.get_zooms()[:3], seconds))
    nibabel.save(made, path)


def table(path, text):
    """Writes a table given with blanks between its values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ['\t'.join(line.split()) for line in text.strip().splitlines()]
    path.write_text('\n'.join(rows) + '\n')


def ramp(volumes=40):
    """Each voxel's value is the number of the volume, and its own offset."""
    offset = np.arange(18, dtype='f4').reshape(*SHAPE, 1)
    return np.arange(volumes, dtype='f4') + offset


def data_set(
    root,
    runs,
    seconds=2.0,
    sidecar=True,
    volumes=40,
    values=None,
    affine=AFFINE,
):
    """Writes a mask V1 and runs, {'task-see_run-1': events or None}."""
    rng = np.random.default_rng(0)
    for name, events in runs.items():
        stem = root / f'sub-01/func/sub-01_{name}'
        noise = 100 + rng.standard_normal((*SHAPE, volumes), 'f4')
        image(
            stem.with_name(f'{stem.name}_bold.nii.gz'),
            noise if values is None else values,
            seconds,
            affine,
        )
        if sidecar:
            stem.with_name(f'{stem.name}_bold.json').write_text(
                json.dumps({'RepetitionTime': seconds})
            )
        if events is not None:
            table(stem.with_name(f'{stem.name}_events.tsv'), events)
    mask = np.ones(SHAPE, 'u1')
    image(root / 'masks/sub-01/V1.nii.gz', mask, affine=affine)
    return root


def trials(*names, column='stim_file', duration=2):
    """Returns events 14 s apart."""
    rows = [f'{2 + 14 * i} {duration} {n}' for i, n in enumerate(names)]
    return '\n'.join([f'onset duration {column}', *rows])
