"""Gaziv et al. 2022: the npz files of subject 3, ImageNet's validation set.

The keys are those that the release's own loader reads. The files themselves
were not opened: that their floats are float64 is the worst that they can be.
"""

import pathlib

import numpy as np

from brainjax.evaluation import classification
from stand_ins import Experiment, clouds, write_tar, write_weights

VOXELS = 4643  # Of subject 3.
REPEATS = 35
PAIRS = {'train': (150, 8), 'test': (50, 1)}  # Synsets, pictures of each.
SIZE = 112
PICTURES = 50_000
PREDICTED = PICTURES * VOXELS * 4  # Bytes of the encoder's predictions.
DISTRACTORS = 50  # As many as a core compares in seconds.
CLASSES = 1030
ROIS = ('V1', 'V2', 'V3', 'V4', 'FFA', 'PPA', 'LOC', 'LVC', 'HVC', 'VC')


def synsets(part: str) -> list[str]:
    """Made-up WordNet ids; none is in both parts."""
    first = {'train': 1_500_000, 'test': 3_500_000}[part]
    return [f'n{first + 1000 * i:08d}' for i in range(PAIRS[part][0])]


def write(folder: pathlib.Path) -> None:
    """Writes every file that the config reads, and weights."""
    rng = np.random.default_rng(0)
    n = {part: a * b for part, (a, b) in PAIRS.items()}
    label = rng.permutation(np.repeat(np.arange(n['test']), REPEATS))
    single = rng.standard_normal((len(label), VOXELS))
    regions = rng.integers(0, 4, VOXELS)
    np.savez(
        folder / 'sbj_3.npz',
        arr_0=rng.standard_normal((n['train'], VOXELS)),
        arr_1=single,
        arr_2=np.stack([single[label == i].mean(0) for i in range(n['test'])]),
        arr_3=rng.permutation(n['train']),
        arr_4=label,
        arr_5=rng.random(VOXELS),
        arr_6=rng.random(VOXELS) + 0.1,
        **{
            roi: np.ones(VOXELS, bool) if roi == 'VC' else regions == i % 4
            for i, roi in enumerate(ROIS)
        },
    )
    np.savez(
        folder / 'images_112.npz',
        **{
            f'{part}_images': clouds(n[part], SIZE, SIZE, seed) / 255.0
            for seed, part in enumerate(PAIRS)
        },
    )
    (folder / 'tables').mkdir(exist_ok=True)
    for part, name in (('train', 'training'), ('test', 'test')):
        rows = [
            f'{float(s[1:])}\t{s}_{i}.JPEG'
            for s in synsets(part)
            for i in range(PAIRS[part][1])
        ]
        table = folder / 'tables' / f'god_stimuli_{name}.tsv'
        table.write_text('\n'.join(rows) + '\n')
    for path, number in (
        (folder / 'ILSVRC2012_img_val.tar', PICTURES),
        (folder / 'distractors.tar', DISTRACTORS),
    ):
        names = [f'ILSVRC2012_val_{i:08d}.JPEG' for i in range(1, number + 1)]
        write_tar(path, names, clouds(200, 120, 160, seed=number))
    others = [f'n{9_000_000 + i:08d}' for i in range(CLASSES - n['test'])]
    classification.write(
        folder / 'bank.npz',
        classification.Bank(
            (*synsets('test'), *others),
            rng.random((CLASSES, 9216), np.float32),
            np.full(CLASSES, 100),
        ),
    )
    write_weights(folder / 'cache', 'vgg16', 'vgg19', 'alexnet')


def flags(folder: pathlib.Path) -> list[str]:
    return [
        f'--config.recording.path={folder}/sbj_3.npz',
        f'--config.recording.images={folder}/images_112.npz',
        f'--config.recording.options=names={folder}/tables',
        f'--config.pictures.path={folder}/ILSVRC2012_img_val.tar',
        f'--config.distractors={folder}/distractors.tar',
        f'--config.classes={folder}/bank.npz',
    ]


EXPERIMENT = Experiment(
    about=f'{PICTURES} unpaired pictures, JPEGs of 160 x 120; two steps of '
    'each training; no pictures from fewer trials; the encoder predicts the '
    'unpaired pictures in each step and not all beforehand, whose memory is '
    f'added; {DISTRACTORS} distractors of {PICTURES}, which stay on disk.',
    write=write,
    flags=flags,
    cuts=(
        *('--config.encoder.epochs=1', '--config.encoder.steps=2'),
        *('--config.decoder.epochs=1', '--config.decoder.steps=2'),
        *(
            '--config.decoder.cache_predictions=False',
            '--config.ceilings=False',
        ),
    ),
    steps={'encoder': 50 * 19, 'decoder': 150 * 50},
    saves={'encoder': 50 // 25, 'decoder': 150 // 25},
    factors={'Score and report': PICTURES / DISTRACTORS},
    writes=PREDICTED,
    adds={
        'decoder': PREDICTED,
        # Their distances to the reconstructions, and these in order.
        'Score and report': 2 * PICTURES * PAIRS['test'][0] * 8,
    },
    limit=10,
)
