"""Draws from the posterior on Generic Object Decoding, for one GPU.

    brainjax run --config configs/posterior_god.py --workdir runs/god \
      --config.recording.path=sbj_3.npz \
      --config.recording.images=images_112.npz \
      --config.pictures.path=ILSVRC2012_img_val.tar

Files: as for `configs/gaziv2022.py`: 1200 training and 50 test pictures (35
repeats, averaged), unpaired pictures of ImageNet.

It was never run on these files, which cannot be given out: only the settings
of the flow follow from what was seen on smaller pictures. Its size is half of
the published one, 56 px, as more is not in the responses.
"""

from brainjax.methods.posterior.config import posterior


def get_config():
    config = posterior()
    config.recording.required = (
        "sbj_1.npz to sbj_5.npz, the authors' files of Gaziv et al. 2022, with "
        'images_112.npz as config.recording.images; brainjax fetch god'
    )
    config.size = 56
    config.pictures.number = 50_000
    config.flow.channels = (64, 128, 256)
    config.flow.patch = 2
    config.flow.batch_pictures = 96
    config.flow.batch_paired = 16
    config.flow.batch_prior = 16
    config.flow.epochs = 50
    config.flow.steps = 400
    return config
