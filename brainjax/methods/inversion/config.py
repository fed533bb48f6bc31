"""Every setting of deep image reconstruction, at the published values.

The files in `configs/` start from here and say what they change. Values are
those of Shen et al. 2019 (natural pictures, pixels, L-BFGS) unless a comment
says otherwise.
"""

from ml_collections import ConfigDict

from brainjax.methods.config import shared


def shen2019() -> ConfigDict:
    """Returns the setting of Shen et al. 2019, typed and locked."""
    c = shared()
    c.method = 'inversion'
    c.size = 224  # Of the pictures that are scored.
    c.simulated.n_unpaired_fmri = 0  # Nothing unpaired is used.
    c.ceilings = False  # Each picture is a search: hours.

    c.network = ConfigDict()
    # brainjax fetch NAME; or 'random', of the family below.
    c.network.weights = 'vgg19_caffe'
    c.network.family = 'vgg19'
    c.network.width = 1.0  # Factor on channels of a random network.
    c.network.size = 224  # Pixels that the network sees.
    # How pictures come to a size: 'whole', all of them by the bicubic filter,
    # or 'centre', their centre square by the bilinear one.
    c.network.fit = 'whole'
    # A folder of the training pictures' true features, by their names, where
    # they are extracted already (brainjax features, or published ones).
    c.network.features = ''
    # The mean picture of the network's training, ilsvrc_2012_mean.npy; '' for
    # the mean pixel that belongs to the weights.
    c.network.mean = ''
    c.network.pool = 'max'  # Imagery: 'average', with slope 0.2.
    c.network.slope = 0.0
    c.network.layers = (
        *('conv1_1', 'conv1_2', 'conv2_1', 'conv2_2'),
        *('conv3_1', 'conv3_2', 'conv3_3', 'conv3_4'),
        *('conv4_1', 'conv4_2', 'conv4_3', 'conv4_4'),
        *('conv5_1', 'conv5_2', 'conv5_3', 'conv5_4'),
        *('fc6', 'fc7', 'fc8'),
    )

    c.decoding = ConfigDict()
    c.decoding.k = 500  # Voxels of each unit; 0 for all.
    c.decoding.alpha = 100.0
    # Of `linear.scaling`; 'published' gives the measured spread of the
    # authors' network. 'over_test_pictures_transductive' uses all test
    # pictures at once, and the report says so.
    c.decoding.scaling = 'published'
    # A file of the layers' standard deviations in place of those of the
    # training pictures, such as estimated_vgg19_cnn_feat_std.mat.
    c.decoding.spread = ''
    c.decoding.units_at_a_time = 512

    c.inversion = ConfigDict()
    c.inversion.optimiser = 'lbfgs'  # Or 'descent'.
    c.inversion.steps = 200
    c.inversion.start = 'mean'  # Descent: 'noise'.
    c.inversion.loss = 'squared'  # Of `losses.LOSSES`.
    c.inversion.weights = 'inverse_square'  # Of layers; or 'equal'.
    c.inversion.boxed = True  # Pixels within 0 and 255. Descent: False.
    c.inversion.blur = (2.0, 0.5)  # Descent only, pixels.
    # Descent only: from the first to the last step.
    c.inversion.rate = 2.0
    c.inversion.rate_end = 1e-10
    c.inversion.decay = 0.2
    c.inversion.decay_end = 1e-10
    c.inversion.momentum = 0.9
    # Search the codes of a generator, such as 'relu7', see `shen2019_generator`
    # below; and a file of their upper bounds, act_range/3x/fc7.txt.
    c.inversion.generator = ''
    c.inversion.upper = ''
    c.inversion.together = 8  # Pictures at a time.
    # Test pictures whose true features are inverted as a check.
    c.inversion.recovered = 8

    # Further pictures, from a part of the brain or of the network alone. Fig.
    # 5 of the paper: ('V1', 'V2', 'V3', 'V4', 'HVC', 'VC').
    c.subsets = ConfigDict()
    c.subsets.rois = ()
    c.subsets.layers = ()  # Sets of layers: ('conv1_1|conv1_2', 'fc8').
    return c.lock()


def shen2019_generator() -> ConfigDict:
    """Returns the setting with a generator of natural pictures (script 1)."""
    c = shen2019()
    c.inversion.update(
        generator='relu7',
        optimiser='descent',
        start='zeros',
        decay=0.01,
        decay_end=0.01,
        blur=(),
    )
    return c
