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
STEPS = 2


def write(folder: pathlib.Path) -> None:
    """Writes the aligned pictures, 178 x 218 px."""
    names = [f'{"MF"[i % 2]}{i + 1:06d}.jpg' for i in range(PICTURES)]
    write_tar(folder / 'celeba.tar', names, clouds(DISTINCT, 218, 178, seed=0))


def flags(folder: pathlib.Path) -> list[str]:
    return [f'--config.pictures.path={folder}/celeba.tar']


EXPERIMENT = Experiment(
    about=f'{PICTURES} JPEGs of 178 x 218 px, {DISTINCT} of them distinct; '
    f'the published network and batch, {STEPS} steps; a simulated subject of '
    f'{FACES} faces and {VOXELS} voxels. Added for {TRUE_FACES} faces and '
    f'{TRUE_VOXELS} voxels: their pictures, and the sums of the time-series '
    'GLM for both kinds of latents, held twice while one is solved.',
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
    adds={
        'vaegan': (TRUE_FACES - FACES) * 128 * 128 * 3,
        'Score and report': (TRUE_FACES - FACES) * 128 * 128 * 3
        + (2 * LATENTS + 23) * TRUE_VOXELS * 8 * 2,
    },
    limit=6.0,
)
