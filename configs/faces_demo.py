"""Faces from a simulated brain, small: nothing is downloaded.

    brainjax run --config configs/faces_demo.py --workdir runs/faces
    brainjax run --config configs/faces_demo.py:photographs \
      --workdir runs/photographs --config.pictures.path=faces_6k.tar

A simulated subject (V1 to V4 and FFA) sees 2000 generated faces once each and
20 others 54 times; a VAE-GAN of 64 px learns the faces but for these 20.
faces_6k.tar holds 6000 faces of UTKFace, or is any folder or .tar of faces
whose names tell gender; of them 5000 are shown.

Time: generated 2 minutes 19, photographs 3 minutes 6, on two CPU cores.
Scores to expect (chance), noise ceiling .70:

                             generated         photographs
                          VAE-GAN    PCA      VAE-GAN    PCA
  pairwise (.50)             .932   1.00         1.00   .992
  full recognition (.05)      .85   1.00         1.00    .90
  gender (.50)                .70    .70          .65    .75
  imagery (.50)              .979   .979         .989   1.00
  pixel correlation          .837   .867         .786   .796

`docs/faces.md` has intervals, and why PCA is better with generated faces.
"""

from brainjax.methods.faces.config import narrow


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
