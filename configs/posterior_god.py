"""Draws from the posterior on Generic Object Decoding, for one GPU.

    brainjax run --config configs/posterior_god.py --workdir runs/god \
      --config.recording.path=sbj_3.npz \
      --config.recording.images=images_112.npz \
      --config.pictures.path=ILSVRC2012_img_val.tar

Files: as for `configs/gaziv2022.py`: 1200 training and 50 test pictures (35
repeats, averaged), unpaired pictures of ImageNet.

With `--config.size=224` it draws latents of an autoencoder (28 x 28 x 4); that
wants larger pictures than `images_112.npz`, such as the stimuli of the authors.

It was never run on these files, which cannot be given out: only the settings
of the flow follow from what was seen on smaller pictures.
"""

from brainjax.methods.posterior.config import posterior


def get_config():
    config = posterior()
    config.recording.required = (
        'sbj_3.npz, with config.recording.images=images_112.npz, from '
        'https://github.com/WeizmannVision/SelfSuperReconst/releases'
    )
    config.recording.roi = 'VC'  # 4643 voxels of subject 3.
    config.size = 112
    config.pictures.number = 50_000
    config.flow.channels = (64, 128, 256)
    config.flow.patch = 4  # A grid of 28 x 28.
    config.flow.batch_pictures = 96
    config.flow.batch_paired = 16
    config.flow.batch_prior = 16
    config.flow.epochs = 50
    config.flow.steps = 400
    # Of pictures above 112 px.
    config.latents.channels = (64, 128, 256)
    config.latents.patch = 2
    config.latents.batch = 32
    config.latents.learning_rate = 5e-4
    config.latents.epochs = 50
    config.latents.steps = 400
    return config
