"""A deep image reconstruction in seconds, for `brainjax run` too."""

from brainjax.methods.inversion.config import shen2019


def get_config(**changes):
    c = shen2019()
    c.size = 16
    c.network.update(
        weights='random',
        family='vgg16',
        width=0.125,
        size=16,
        layers=('conv1_2', 'conv2_1'),
    )
    c.decoding.update(k=40, alpha=30.0, scaling='about_training_mean')
    c.inversion.update(
        optimiser='descent',
        steps=40,
        boxed=False,
        blur=(1.0, 0.3),
        together=6,  # Of 12: every block is compiled as the first.
        recovered=6,
    )
    c.simulated.update(
        n_train=250,
        n_test=12,
        test_repeats=4,
        noise_ceiling=0.95,
        voxels={'V1': 40, 'V2': 20, 'V3': 8, 'V4': 8, 'HVC': 4},
    )
    c.update_from_flattened_dict(
        {name.replace('__', '.'): value for name, value in changes.items()}
    )
    return c
