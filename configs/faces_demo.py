"""Faces from a simulated brain, small: nothing is downloaded.

    brainjax run --config configs/faces_demo.py --workdir runs/faces
    brainjax fetch squeezenet
    brainjax run --config configs/faces_demo.py:photographs \
      --workdir runs/photographs --config.pictures.path=faces_6k.tar

A simulated subject (V1 to V4 and FFA) sees 2000 generated faces once each and
20 others 54 times; a VAE-GAN of 64 px learns the faces but for these 20.
faces_6k.tar holds 6000 faces of UTKFace, or is any folder or .tar of faces
whose names tell gender; of them 5000 are shown.

Time: generated 2 minutes 19, on two CPU cores; photographs 672 CPU seconds, of
which the training takes more than half.
Scores to expect of generated faces (chance), noise ceiling .70:

                          VAE-GAN    PCA
  pairwise (.50)             .932   1.00
  full recognition (.05)      .85   1.00
  gender (.50)                .70    .70
  imagery (.50)              .979   .979
  pixel correlation          .837   .867

`docs/faces.md` has intervals, why PCA is better with generated faces, and what
the VAE-GAN of photographs makes of faces that it has not seen.
"""

from brainjax.methods.faces.config import narrow


def get_config(faces='generated'):
    config = narrow()
    config.simulated.noise_ceiling = 0.7
    config.map.rois = ('V1', 'FFA')
    if faces == 'photographs':
        config.pictures.number = 6000
        config.simulated.n_train = 5000
        # What differs from `narrow`: the encoder and the generator begin as
        # principal components, and learn by what SqueezeNet sees as well.
        config.networks.linear = True
        config.networks.log_sigma = (-4.0, 1.5)
        training = config.training
        training.kl = 0.05
        training.perceptual = 300.0
        # Adam forgets the first large gradients, and the encoder's steps grow
        # until the training breaks.
        training.optimizer = 'amsgrad'
        training.rates = (0.25, 1.0, 0.05)
        training.clip = 2.0
        training.warmup = 200
        training.epochs = 4
        training.drops = ((3, 0.3),)
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
