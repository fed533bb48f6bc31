"""Shen et al. 2019: imagery, with average pooling and leaky ReLU.

As configs/shen2019_natural.py, tested on the imagined shapes and pictures,
which are scored together and apart.
The published spread of features is not that of this variant of the network,
which has a file of its own: of `brainjax fetch deeprecon-feature-std`, by
--config.decoding.spread=estimated_vgg19LeakyReluAvePool_cnn_feat_std.mat.
Without it the spread of the training pictures' features stands in.
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
