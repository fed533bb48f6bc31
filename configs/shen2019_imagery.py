"""Shen et al. 2019: imagery, with average pooling and leaky ReLU.

As configs/shen2019_natural.py, tested on the imagined shapes and pictures,
which are scored together and apart.
The published spread of features is not that of this variant of the network;
the spread of the training pictures' features stands in for it.
"""

from brainjax.methods.inversion.config import shen2019


def get_config():
    config = shen2019()
    config.recording.required = (
        'the BData files of one subject, natural training and imagery trials, '
        'with config.recording.images'
    )
    config.recording.roi = 'VC'
    config.recording.test = 'imagery'
    config.recording.groups = ('shapes=colorExpStim*', 'pictures=n*')
    config.network.pool = 'average'
    config.network.slope = 0.2
    config.decoding.scaling = 'about_zero'
    return config
