"""VanRullen & Reddy 2019: as many pictures as CelebA has, and its network.

The recording is simulated from some of the pictures and small: what the true
one takes is added by arithmetic.
"""

import pathlib

from stand_ins import Experiment, clouds, write_tar

PICTURES = 202_599
DISTINCT = 2000  # Pictures; the archive repeats them under other names.
FACES, VOXELS = 1100, 1200  # Of the simulated subject.
TRUE_FACES, TRUE_VOXELS, LATENTS = 7943, 50_000, 1024
TEST_TRIALS = 20 * 54
STEPS = 2


def write(folder: pathlib.Path) -> None:
    """Writes the aligned pictures, 178 x 218 px."""
    names = [f'{"MF"[i % 2]}{i + 1:06d}.jpg' for i in range(PICTURES)]
    write_tar(folder / 'celeba.tar', names, clouds(DISTINCT, 218, 178, seed=0))


def flags(folder: pathlib.Path) -> list[str]:
    return [f'--config.pictures.path={folder}/celeba.tar']


# What the true recording holds more, in bytes. Its single trials lie on disk
# but while it is opened. The sums of the time-series GLM are held twice where
# one kind of latents is solved, and in the model of test patterns.
_PICTURES = (TRUE_FACES - FACES) * 128 * 128 * 3
_TRIALS = (TRUE_FACES + TEST_TRIALS) * TRUE_VOXELS * 4
_SUMS = (LATENTS + 23) * TRUE_VOXELS * 8
_MAPS = 2 * (LATENTS + 1) * TRUE_VOXELS * 4  # Of VAE-GAN and PCA.
_AFTER = _PICTURES + _MAPS
# Products of the faces with each other, and the eigenvectors of these.
_PRODUCTS = (TRUE_FACES**2 - FACES**2) * 8 + (TRUE_FACES - FACES) * LATENTS * 12

EXPERIMENT = Experiment(
    about=f'{PICTURES} JPEGs of 178 x 218 px, {DISTINCT} of them distinct; '
    f'the published network and batch, {STEPS} steps; a simulated subject of '
    f'{FACES} faces and {VOXELS} voxels. Added for {TRUE_FACES} faces and '
    f'{TRUE_VOXELS} voxels: their pictures, single trials while they are read, '
    'the sums of the time-series GLM, and both maps.',
    write=write,
    flags=flags,
    cuts=(
        *('--config.recording.required=', '--config.recording.options='),
        '--config.map.response=trials',
        *('--config.training.epochs=1', f'--config.training.steps={STEPS}'),
        f'--config.simulated.n_train={FACES}',
        *(
            f'--config.simulated.voxels.{roi}={VOXELS // 5}'
            for roi in ('V1', 'V2', 'V3', 'V4', 'FFA')
        ),
    ),
    steps={'vaegan': 50_000},
    saves={'vaegan': 50 // 10},
    factors={
        # Operations of the products and of their decomposition.
        'components': (TRUE_FACES / FACES) ** 2.5,
        'Fit': TRUE_FACES / FACES,
    },
    adds={
        'Open the recording and the pictures': _PICTURES + _TRIALS + 2 * _SUMS,
        'vaegan': _PICTURES,
        'components': _PICTURES + _PRODUCTS,
        'Fit': _AFTER + 4 * _SUMS,
        # Weights as float64 while latents are found.
        'Reconstruct': _AFTER + _MAPS,
        'Describe': _AFTER + _MAPS,
        'Score and report': _AFTER,
    },
    limit=6.0,
)
