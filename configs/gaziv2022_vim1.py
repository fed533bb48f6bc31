"""Gaziv et al. 2022 on vim-1, their second recording: grey natural pictures.

    brainjax fetch vgg16 && brainjax fetch vgg19
    brainjax run --config configs/gaziv2022_vim1.py --workdir runs/vim1 \
      --config.recording.path=EstimatedResponses.mat \
      --config.pictures.path=tfds:imagenet2012/validation

Files: `EstimatedResponses.mat` and, beside it, `Stimuli.mat` of vim-1 (Kay et
al. 2008), which https://crcns.org gives out after registration; the unpaired
pictures of configs/gaziv2022.py. `--config gaziv2022_vim1:keras` takes the
settings of the Keras release in place of PyTorch's,
`--config.recording.subject` the subject, 1 or 2.

Time: as configs/gaziv2022.py, a task for a GPU. Score to expect: none that
could be verified; neither release has code for vim-1.

So all that is not said of it is as for Generic Object Decoding: sizes, weights,
epochs. What has to be another: responses are averages of the repeats, so that
there is one trial a picture, no ceiling and no SNR of the recording; all voxels
of occipital cortex are taken; the unpaired pictures and the distractors of the
identification are turned grey and get the background of the stimuli, else the
decoder would learn of colours that none had, and the target be told by them.
"""

from ml_collections import ConfigDict

from brainjax import config_files
from brainjax.errors import check_known

RELEASES = {'torch': 'gaziv2022', 'keras': 'gaziv2022_keras'}


def get_config(release='torch'):
    check_known('release', release, RELEASES)
    config = config_files.load_config(RELEASES[release])
    with config.unlocked():
        config.published = ConfigDict()
        config.ablations = ConfigDict(
            {
                'no_ED': {'decoder': {'encoder_decoder': 0.0}},
                **{
                    roi: {'recording': {'roi': roi}}
                    for roi in ('V1', 'V2', 'V3', 'V4', 'LatOcc')
                },
            }
        )
    config.recording.required = (
        'EstimatedResponses.mat of vim-1, with Stimuli.mat beside it, from '
        'https://crcns.org/data-sets/vc/vim-1'
    )
    config.recording.roi = ''  # All voxels.
    config.pictures.like_stimuli = True
    config.preset = 'weizmann'
    config.decoder.fmri_repeats = 1.0  # There are none.
    return config
