"""Gaziv et al. 2022 in full: Generic Object Decoding, subject 3, 112 px.

    brainjax fetch vgg16 && brainjax fetch vgg19
    brainjax run --config configs/gaziv2022.py --workdir runs/gaziv2022 \
      --config.recording.path=sbj_3.npz \
      --config.recording.images=images_112.npz \
      --config.pictures.path=tfds:imagenet2012/validation

Files: `sbj_3.npz` and `images_112.npz` are in the authors' release; the
stimuli are given out by the Kamitani lab on request; the 50 000 unpaired
pictures are ImageNet's validation set, prepared once with TFDS, in a folder
or in a tar archive.

Time: 950 encoder and 7500 decoder steps, about 2e15 multiplications for the
image loss alone: a task for a GPU. On two CPU cores a step takes minutes.
Score to expect: the released reconstructions of subject 3 reach .952 +- .014
5-way and .920 +- .024 10-way identification by uncalibrated LPIPS distance
(chance .2 and .1); that run chose its encoder by its loss on the test set,
which this one does not.

Every value is the PyTorch release's (`brainjax/methods/selfsup/config.py`
says which differ in the Keras release). As in all its scripts the DE loss has
weight 0. To feed it the fMRI of the test set, as the paper describes, set
`--config.decoder.decoder_encoder=1 --config.transductive_test_fmri=True`; the
report then says so. `brainjax sweep --config gaziv2022 --workdir W ...` runs
the ablations: without ED, with DE in both, one region, fewer layers of the
image loss. 120 of the 1200 training stimuli choose the encoder's
epoch and weigh the voxels; the decoder, of which nothing is chosen, learns
from all 1200.
"""

from ml_collections import ConfigDict

from brainjax.evaluation.published.papers import number
from brainjax.methods.selfsup.config import gaziv2022

RELEASED = (
    'eval_results/eval.pkl of the PyTorch release: 50 released reconstructions '
    'of subject 3 without DE, 10 draws of distractors'
)
DIFFERS = (
    'its encoder was chosen by its loss on the averaged test responses; '
    'distractors were drawn, here success is the exact expectation'
)


def ablations(config):
    """Arms of `brainjax sweep`, those of the Keras release.

    DE is off in the full setting and would learn from test fMRI, as published.
    """
    cycle = {
        'transductive_test_fmri': True,
        'decoder': {'decoder_encoder': 1.0},
    }
    loss = config.image_loss
    return {
        'no_ED': {'decoder': {'encoder_decoder': 0.0}},
        'DE_transductive': cycle,
        'DE_no_ED_transductive': cycle
        | {'decoder': {'decoder_encoder': 1.0, 'encoder_decoder': 0.0}},
        **{roi: {'recording': {'roi': roi}} for roi in ('V1', 'LVC', 'HVC')},
        **{
            f'loss_layers_{n}': {
                'image_loss': {
                    'taps': loss.taps[:n],
                    'tap_weights': loss.tap_weights[:n],
                }
            }
            for n in range(1, len(loss.taps))
        },
    }


def get_config():
    config = gaziv2022()
    # Given by the user; there is no embedded substitute.
    config.recording.required = (
        'sbj_3.npz, with config.recording.images=images_112.npz, from '
        'https://github.com/WeizmannVision/SelfSuperReconst/releases'
    )
    config.recording.roi = 'VC'  # 4643 voxels of subject 3.
    config.preset = 'weizmann'  # Among the unpaired pictures.
    config.pictures.on_disk = True
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
            for n, value, spread in ((5, 0.952, 0.014), (10, 0.920, 0.024))
        }
    )
    config.ablations = ConfigDict(ablations(config))
    config.decoder.all_pairs = True
    config.decoder.fmri_repeats = 0.33  # Of DE: 11 of 35, drawn each time.
    return config
