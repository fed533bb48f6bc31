"""Faces from a simulated brain, small: nothing is downloaded.

    brainjax run --config configs/faces_demo.py --workdir runs/faces

TIME AND SCORES.
"""

from brainjax.methods.faces_config import narrow


def get_config(faces='generated'):
    config = narrow()
    config.simulated.noise_ceiling = 0.7
    config.map.rois = ('V1', 'FFA')
    if faces == 'photographs':
        config.pictures.number = 6000
        config.simulated.n_train = 5000
        config.training.epochs = 6
        config.training.drops = ((5, 0.3),)
        return config
    config.pictures.number = 3000
    config.simulated.n_train = 2000
    config.simulated.voxels = {
        'V1': 250,
        'V2': 150,
        'V3': 100,
        'V4': 100,
        'FFA': 400,
    }
    config.networks.latents = 64
    training = config.training
    training.warmup = 100
    training.epochs = 6
    training.steps = 250
    training.drops = ((4, 0.3), (5, 0.3))
    return config
