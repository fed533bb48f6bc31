"""A whole experiment in seconds: a config, and a subject for it.

The config can be given to `brainjax run`, which then simulates a subject and
16-px scenes. Faster still is a subject whose voxels sum the light in a part of
the picture, from `subject` or, as files, from `write`. Both have as many
voxels, so that what is compiled for one is found for the other.
"""

import numpy as np
from PIL import Image

from brainjax.methods.selfsup.config import gaziv2022
from brainjax.recordings import Recording, Stimuli, Trials
from brainjax.recordings.formats import weizmann

SIZE = 16
VOXELS = 48
STIMULI = {'train': 120, 'test': 24}
REPEATS = 4
ROI = {'V1': slice(0, 30), 'V2': slice(20, 40), 'VC': slice(0, VOXELS)}


def get_config(variant='whole'):
    c = gaziv2022()
    c.size = SIZE
    # Elsewhere they have tests of their own.
    c.references = c.ceilings = False
    c.checkpoint_every = 1  # So that runs can be killed between them.
    c.simulated.update(
        n_train=100,
        n_test=12,
        n_unpaired_fmri=20,
        test_repeats=2,
        noise_ceiling=0.9,
        voxels={'V1': 20, 'V2': 10, 'V3': 8, 'V4': 6, 'HVC': 4},
    )
    c.pictures.number = 64
    c.unpaired_fmri = 0.2  # Where the recording brings none.
    c.encoder.update(
        backbone='vgg16',
        weights='random',
        width=0.125,
        taps=('relu1_2', 'relu2_2'),
        pools=(False, False),
        kernels=(3, 3),
        strides=(2, 1),
        channels=8,
        convolutions=1e-5,
        second_moment=0.0,
        map_uses=(1.0,),
        branch_mix=1e-3,
        shift=1,
        dropout=0.25,
        batch=24,
        epochs=6,
        steps=15,
        learning_rate=1e-2,
        drops=((5, 0.2),),
    )
    c.image_loss.update(
        weights='random',
        width=0.125,
        taps=('pool1', 'pool2'),
        tap_weights=(1.0, 1.0),
    )
    c.decoder.update(
        blocks=2,
        channels=16,
        groups=8,
        kernel=3,
        decoder_encoder=1.0,
        dense_absolute=1.0,
        dense_group=1.0,
        batch_paired=16,
        batch_pictures=16,
        batch_fmri=8,
        epochs=6,
        steps=15,
        learning_rate=1e-2,
        drops=((5, 0.2),),
        cache_features=True,
    )
    if variant == 'quick':  # Of the same programs, rates and all.
        for network in (c.encoder, c.decoder):
            network.update(epochs=1, steps=5, drops=((15, 0.2),))
    return c


def dotted(changes):
    """Changes of a config by name, with dots where keywords have __."""
    return {name.replace('__', '.'): value for name, value in changes.items()}


def pictures(n, seed, size=SIZE):
    """Coloured clouds, [n, size, size, 3] uint8."""
    rng = np.random.default_rng([7, seed])
    coarse = rng.integers(0, 256, (n, 4, 4, 3), np.uint8)
    return np.stack(
        [
            np.asarray(
                Image.fromarray(image).resize(
                    (size, size), Image.Resampling.BICUBIC
                )
            )
            for image in coarse
        ]
    )


def centres():
    """Where the voxels of `subject` look, [voxels, 2] x and y in 0..1."""
    return _centres(np.random.default_rng(3))[::-1].T


def _centres(rng):
    return rng.random((2, VOXELS))


def subject(noise=0.5):
    """A recording of voxels that see light through Gaussian windows."""
    rng = np.random.default_rng(3)
    images = pictures(sum(STIMULI.values()), seed=0)
    place = (np.arange(SIZE) + 0.5) / SIZE
    centre = _centres(rng)[:, :, None]
    window = np.exp(-((place - centre) ** 2) / (2 * 0.15**2))
    colour = rng.standard_normal((VOXELS, 3))
    signal = np.einsum(
        'nyxc,vy,vx,vc->nv', images / 255.0, *window, colour, optimize=True
    )
    signal = (signal - signal.mean(0)) / signal.std(0)
    n = STIMULI['train']
    train = rng.permutation(n)
    test = n + rng.permutation(np.repeat(np.arange(STIMULI['test']), REPEATS))

    def trials(stimulus):
        fmri = signal[stimulus] + noise * rng.standard_normal(
            (len(stimulus), VOXELS)
        )
        return Trials(np.float32(fmri), np.int32(stimulus))

    rois = {name: np.zeros(VOXELS, bool) for name in ROI}
    for name, voxels in ROI.items():
        rois[name][voxels] = True
    return Recording(
        subject='tiny',
        train=trials(train),
        test=trials(test),
        stimuli=Stimuli(
            images, tuple(f'picture-{i:03d}' for i in range(len(images)))
        ),
        rois=rois,
        source='tests/tiny.py',
        simulated=True,
        snr=np.linspace(0.5, 2, VOXELS, dtype=np.float32),
        noise_ceiling=np.full(VOXELS, 0.9, np.float32),
    )


def write(folder, recording=None):
    """Writes the subject and unpaired pictures; returns flags naming them."""
    recording = recording or subject()
    paths = folder / 'sbj_1.npz', folder / 'images_16.npz'
    weizmann.write(recording, *paths)
    unpaired = folder / 'unpaired'
    unpaired.mkdir()
    for i, image in enumerate(pictures(64, seed=1)):
        Image.fromarray(image).save(unpaired / f'{i:02d}.png')
    return [
        f'--config.recording.path={paths[0]}',
        f'--config.recording.images={paths[1]}',
        f'--config.pictures.path={unpaired}',
    ]
