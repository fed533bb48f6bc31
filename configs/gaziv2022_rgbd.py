"""Gaziv et al. 2022 with depth (Gaziv and Irani 2021): GOD, subject 3, 112 px.

    brainjax fetch vgg19_rgbd --from FILE
    brainjax fetch vgg16_rgbd --from FILE
    brainjax run --config configs/gaziv2022_rgbd.py --workdir runs/rgbd \
      --config.recording.path=sbj_3.npz \
      --config.recording.images=images_112.npz \
      --config.depth.stimuli=rgbd_112_from_224_large_png_uint8.npz \
      --config.pictures.path=imagenet/val --config.depth.pictures=DEPTH_MAPS

Files: beside those of `configs/gaziv2022.py`, from the same release, the
stimuli with depth by MiDaS v2.1 (large), a folder of depth maps of the
unpaired pictures (small), named as the pictures are, and the authors' VGG16
and VGG19 that were trained on pictures with depth. For depth alone:
`--config.channels=depth --config.encoder.weights=vgg19_depth
--config.image_loss.weights=vgg16_depth`.

Time: as `configs/gaziv2022.py`. Score to expect: the released reconstructions
of subject 3 reach .940 +- .019 5-way and .910 +- .025 10-way identification by
uncalibrated LPIPS distance of their colours (chance .2 and .1). Those of depth
(.760 and .652) were compared by a distance that is not 0 between equal maps,
so that no score here is beside them.
"""

from ml_collections import ConfigDict

from brainjax.evaluation.published.papers import number
from brainjax.methods.selfsup.config import gaziv2022

RELEASED = (
    'eval_results/eval.pkl of the PyTorch release: colours of 50 released '
    'reconstructions of subject 3 without DE, 10 draws of distractors'
)
DIFFERS = (
    'its encoder was chosen by its loss on the averaged test responses; '
    'distractors were drawn, here success is the exact expectation'
)


def get_config():
    config = gaziv2022()
    # Given by the user; there is no embedded substitute.
    config.recording.required = (
        'sbj_3.npz, with config.recording.images=images_112.npz and '
        'config.depth.stimuli=rgbd_112_from_224_large_png_uint8.npz, from '
        'https://github.com/WeizmannVision/SelfSuperReconst/releases'
    )
    config.recording.roi = 'VC'
    config.channels = 'rgbd'
    config.encoder.weights = 'vgg19_rgbd'
    config.image_loss.weights = 'vgg16_rgbd'
    config.preset = 'weizmann'
    config.published = ConfigDict(
        {
            f'identification_{n}way_perceptual_vgg16': number(
                value,
                RELEASED,
                spread=spread,
                spread_of='standard error over pictures',
                subject='subject 3',
                differs=DIFFERS,
            )
            for n, value, spread in ((5, 0.940, 0.019), (10, 0.910, 0.025))
        }
    )
    config.decoder.all_pairs = True
    config.decoder.fmri_repeats = 0.33
    return config
