"""Shen et al. 2019: BData files, pictures and features of VGG19's 19 layers.

Two runs, as 14.9 million units of 1200 pictures are hours for two cores: one
of all layers with few training pictures, whose features it computes, and one
of the largest layer with all of them, whose features are there. Their file is
of the true size, 15 GB, but holds 24 pictures and, where the others are,
nothing, which takes no disk and reads as 0.
"""

import pathlib

import h5py
import numpy as np
from PIL import Image

from brainjax.io import arrays, feature_folders, files
from stand_ins import Experiment, clouds, write_weights

TRIALS, VOXELS = 6000, 11726  # Of sub-01, original_VC.
TRIALS_HERE, VOXELS_HERE = 1200, 4500
FEW = 40  # Training trials of the run of all layers, each of a picture.
TESTED = 16  # Of 50 pictures.
PICTURES = 24  # Whose features are not empty.
LARGEST, SHAPE = 'conv1_1', (64, 224, 224)
LAYERS = 19
STEPS = 200
RATE = 800  # Units a second with 500 voxels each, by benchmarks/ridge.py.
UNITS = 14_861_288


def names(part: str, n: int) -> list[str]:
    """Made-up names as ImageNet's; none is in both parts."""
    first = {'Training': 1_500_000, 'Test': 3_500_000}[part]
    return [f'n{first + 100 * i:08d}_{i + 1}' for i in range(n)]


def write_bdata(folder: pathlib.Path, part: str, shown: list[str]) -> None:
    """Writes one of the files of sub-01, a trial a picture."""
    rng, n = np.random.default_rng(0), len(shown)
    code = [float(f'{int(x[1:9])}.{int(x[10:]):06d}') for x in shown]
    columns = rng.standard_normal((n, VOXELS_HERE)), np.arange(n) // 50 + 1
    voxel = np.arange(VOXELS_HERE + 2) < VOXELS_HERE
    rows = {
        'VoxelData': np.where(voxel, 1, np.nan),
        'Run': np.where(np.arange(len(voxel)) == VOXELS_HERE, 1, np.nan),
        'stimulus_id': np.where(np.arange(len(voxel)) > VOXELS_HERE, 1, np.nan),
        'ROI_VC': np.where(voxel, 1, np.nan),
    }
    folder.mkdir(exist_ok=True)
    name = f'sub-01_perceptionNaturalImage{part}_original_VC.h5'
    with h5py.File(folder / name, 'w') as file:
        file['dataset'] = np.column_stack([*columns, code])
        file['metadata/key'] = np.array([*rows], 'S')
        file['metadata/description'] = np.array([*rows], 'S')
        file['metadata/value'] = np.stack([*rows.values()])


def write(folder: pathlib.Path) -> None:
    """Writes every file that the config reads, and weights."""
    (folder / 'stimuli').mkdir(exist_ok=True)
    parts = {'Training': TRIALS_HERE, 'Test': TESTED}
    for part, n in parts.items():
        shown = names(part, n)
        pictures = clouds(40, 375, 500, seed=n)
        for i, each in enumerate(shown):
            path = folder / 'stimuli' / f'{each}.JPEG'
            Image.fromarray(pictures[i % 40]).save(path)
        write_bdata(folder / 'all', part, shown)
        write_bdata(folder / 'few', part, shown[:FEW])
    shown = names('Training', TRIALS_HERE)
    features = files.writable_folder(folder / 'features')
    path = features / f'{LARGEST}.npy'
    arrays.create_npy(path, (len(shown), *SHAPE))
    rng = np.random.default_rng(0)
    for row in range(PICTURES):
        values = rng.standard_normal((1, *SHAPE), np.float32)
        arrays.write_rows(path, row * (TRIALS_HERE // PICTURES), values)
    files.write_json(features / feature_folders.INDEX, {'names': shown})
    write_weights(folder / 'cache', 'vgg19_caffe')


def arguments(folder: pathlib.Path, workdir: pathlib.Path) -> list[list[str]]:
    """All layers with few training pictures, then the largest with all."""
    run = [
        *('run', '--config', 'shen2019_natural'),
        f'--config.recording.images={folder}/stimuli',
        # With all voxels for each unit, which is quicker than with 500.
        *('--config.decoding.k=0', '--config.inversion.steps=2'),
        '--config.references=False',
    ]
    largest = f"--config.network.layers=('{LARGEST}',)"
    return [
        [*run, f'--config.recording.path={folder}/few', f'--workdir={workdir}'],
        [
            *run,
            f'--config.recording.path={folder}/all',
            f'--workdir={workdir}/largest',
            f'--config.network.features={folder}/features',
            *(largest, '--config.inversion.recovered=0'),
        ],
    ]


_FMRI = (TRIALS * VOXELS - TRIALS_HERE * VOXELS_HERE) * 8
EXPERIMENT = Experiment(
    about=f'{TRIALS_HERE} trials of {VOXELS_HERE} voxels of {TRIALS} of '
    f'{VOXELS}, whose memory is added as that of the Gram matrix for 500 '
    f'voxels a unit; {TESTED} test pictures of 50, searched 8 at a time; two '
    f'steps of {STEPS}; all {LAYERS} layers at 224 px from {FEW} training '
    f'pictures, then {LARGEST} from all. The ridge with 500 voxels a unit '
    f'takes {UNITS / RATE / 3600:.1f} h besides, at {RATE} units a second.',
    write=write,
    flags=lambda folder: [],
    cuts=('--config.decoding.k=0', '--config.inversion.steps=2'),
    steps={'inversion': STEPS * -(-50 // 8)},
    adds={
        # The file as it is, and once more as float32 in two places.
        'Open the recording and the pictures': 2 * _FMRI,
        'decode': _FMRI + 4 * VOXELS**2,
        'inversion': _FMRI,
        'features': _FMRI,
    },
    limit=12,
    arguments=arguments,
)
