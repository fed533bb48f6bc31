"""Every setting of the self-supervised method, at the published values.

The files in `configs/` start from here and say what they change. Values are
those of the PyTorch release of Gaziv et al. 2022 unless a comment says
otherwise; 'Keras' is the authors' other release.
"""

import math

from ml_collections import ConfigDict

from brainjax.methods.config import shared


def settled(config: ConfigDict, size: int) -> ConfigDict:
    """Returns the config with what follows from the pictures' size.

    Args:
      config: of the experiment. Where `size`, `encoder.layers` or
        `decoder.blocks` is 0, the first is that of the recording's pictures,
        and the others halve it until it is below 8.
      size: of the recording's pictures, in pixels.
    """
    config = ConfigDict(config.to_dict())
    with config.unlocked():
        config.size = config.size or size
        halvings = max(1, math.ceil(math.log2(config.size / 7)))
        config.encoder.layers = config.encoder.layers or halvings
        config.decoder.blocks = config.decoder.blocks or halvings
    return config


def gaziv2022() -> ConfigDict:
    """Returns the setting of Gaziv et al. 2022, typed and locked."""
    c = shared()
    c.method = 'selfsup'
    # Whose method the report says it is.
    c.paper = 'Gaziv et al. 2022'
    c.pictures.number = 50_000
    # Of pictures in all networks and losses: 'rgb'; 'rgbd', with depth, which
    # is decoded too; or 'depth' alone (Gaziv and Irani 2021).
    c.channels = 'rgb'
    # Depth maps of the stimuli and of the unpaired pictures, named as these:
    # folders, archives, or the authors' rgbd_112_from_224_large_png_uint8.npz.
    c.depth = ConfigDict({'stimuli': '', 'pictures': ''})
    # The sequential baseline: 'midas_large' or 'midas_small' estimates depth
    # from the reconstructed colours, and from the stimuli without maps.
    c.depth.network = ''
    # What the networks compute in while training: 'bfloat16' is for GPUs and
    # TPUs. Parameters, statistics and losses are float32.
    c.compute_dtype = 'float32'

    # Ours, not published: other subjects, with whom the encoder shares what
    # sees pictures, each with a read-out of its own: recordings that are read
    # as this one, 'subject:02' of the same path, or 'simulated:SEED'. The
    # decoder is this subject's alone. `subjects.py`.
    c.recording.others = ()

    # Honest by default: a part of the training stimuli chooses the epoch.
    # The published scripts choose the encoder by its loss on the test set.
    c.validation = 0.1
    # Part of the training stimuli whose pictures are set aside so that their
    # fMRI feeds the DE cycle, where a recording brings no unpaired fMRI.
    c.unpaired_fmri = 0.0
    # The only way to feed test fMRI to the DE cycle, as published.
    c.transductive_test_fmri = False
    # Weights of voxels: 'encoder' (r^2 / (1 - r^2) of the encoder on
    # validation trials), 'repeats' (from repeats in the training trials),
    # 'uniform', or 'transductive_source' (the file's own, which the authors
    # measured on repeats of the test set).
    c.voxel_snr = 'encoder'

    c.encoder = ConfigDict()
    c.encoder.kind = 'separable'  # Or 'dense' (Beliy et al. 2019).
    c.encoder.backbone = 'vgg19'  # Keras: vgg16 (vgg19 before April 2022).
    c.encoder.weights = 'vgg19'  # brainjax fetch vgg19; 'random' needs none.
    c.encoder.width = 1.0  # Factor on channels of a random backbone.
    c.encoder.taps = ('relu1_2', 'relu2_2', 'relu3_4', 'relu4_4')
    c.encoder.pools = (True, False, False, False)
    c.encoder.kernels = (3, 3, 3, 1)
    c.encoder.strides = (2, 2, 2, 1)  # Keras: (2, 2, 1, 1).
    c.encoder.layers = 2  # Of the dense encoder; 0: from the pictures' size.
    c.encoder.channels = 32
    # 'keras': its initialisers, batch norm (epsilon 1e-3, momentum .99) and
    # padding, and branch weights that the optimiser keeps from falling below 0.
    c.encoder.release = 'torch'
    c.encoder.dropout = 0.5
    c.encoder.cosine = 0.3  # Keras, Beliy: 0.2 in these units.
    c.encoder.convolutions = 1e-4  # L1, sum. Keras, Beliy: 1e-5.
    c.encoder.convolutions_square = 0.0  # L2, sum. Beliy: 1e-3.
    c.encoder.second_moment = 10.0  # Keras: 0.
    # Factor of both map penalties, widest map first. The PyTorch release
    # counts the 26-map three times and the 12-map once; Keras: (1, 1).
    c.encoder.map_uses = (3.0, 1.0)
    c.encoder.map_absolute = 5e-6
    c.encoder.map_neighbour = 1e-5
    c.encoder.map_padding = 'reflect'  # Keras: 'symmetric'.
    c.encoder.channel_mix = 5e-6
    c.encoder.branch_mix = 5e-2
    c.encoder.dense_absolute = 10.0  # Dense encoder only (Beliy).
    c.encoder.dense_group = 800.0
    c.encoder.optimizer = 'adam'  # Keras: 'amsgrad'; Beliy: 'sgd'.
    c.encoder.learning_rate = 1e-3
    c.encoder.drops = ((11, 0.2), (21, 0.2), (31, 0.2), (41, 0.2))
    c.encoder.epochs = 50
    c.encoder.steps = 19  # An epoch.
    c.encoder.batch = 64
    # Pixels, edges repeated; below 1 a part of the picture. Keras: 5.
    c.encoder.shift = 3.0
    c.encoder.select = 'validation'  # Or 'last' (Keras, Beliy).

    c.image_loss = ConfigDict()
    c.image_loss.backbone = 'vgg16'
    c.image_loss.weights = 'vgg16'
    c.image_loss.width = 1.0
    # Keras: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3 with 2 each.
    c.image_loss.taps = ('pool1', 'pool2', 'pool3', 'pool4', 'pool5')
    c.image_loss.tap_weights = (10.0, 10.0, 10.0, 10.0, 2.0)
    c.image_loss.distance = 'cosine'  # Beliy: 'absolute'.
    c.image_loss.pixels = 1.0
    c.image_loss.depth = 1.0  # The same of depth, where there is any.
    # Ours, not published: 'squared' asks for the mean of what may have been
    # seen, 'absolute' for the median.
    c.image_loss.pixel_distance = 'absolute'
    # An npz file whose 'l1' is what pixels in 0..1 are divided by, one number
    # a channel, as the Keras release's img_norm.npz; '': the mean pixel of the
    # training pictures.
    c.image_loss.pixel_scale = ''
    c.image_loss.variation = 0.3

    c.decoder = ConfigDict()
    c.decoder.blocks = 3  # 0: from the pictures' size.
    c.decoder.channels = 64
    c.decoder.kernel = 5
    c.decoder.upsampling = 'bicubic'  # Keras: 'bilinear'; Beliy: 'nearest'.
    c.decoder.padding = 'reflect'  # Keras, Beliy: 'zero'.
    c.decoder.activation = 'swish'  # Keras, Beliy: 'relu'.
    c.decoder.norm = 'group'  # Beliy: 'batch'.
    c.decoder.groups = 32
    # Keras: 'upsample conv activation norm'; Beliy: 'conv activation upsample
    # norm'.
    c.decoder.order = 'upsample conv norm activation'
    c.decoder.release = 'torch'  # As of the encoder: initialisers, batch norm.
    c.decoder.paired = 1.0  # Weight of D.
    c.decoder.encoder_decoder = 1.0  # Weight of ED.
    # Weight of DE: 0 in all published scripts, 1 in the release's default.
    # With test fMRI (as published) it needs transductive_test_fmri too.
    c.decoder.decoder_encoder = 0.0
    c.decoder.batch_paired = 24
    c.decoder.batch_pictures = 48
    c.decoder.batch_fmri = 16
    # Part of a stimulus' unpaired trials whose average is used, drawn anew for
    # each batch; 1 for the fixed average of all. Published: .33, 11 of 35.
    c.decoder.fmri_repeats = 1.0
    c.decoder.cycle_cosine = 0.2
    c.decoder.dense_inverse_snr = True  # Weighs the next. Beliy: False.
    c.decoder.dense_absolute = 40.0  # Keras, Beliy: 20.
    c.decoder.dense_group = 400.0
    c.decoder.dense_neighbours = 8  # Keras, Beliy: 4.
    c.decoder.dense_padding = 'reflect'  # Keras, Beliy: 'symmetric'.
    c.decoder.convolutions = 1e-4  # L1, sum. Keras: 1e-5.
    c.decoder.pictures_shift = 0.0  # As of the encoder, of ED alone. Keras: 5.
    c.decoder.pictures_dropout = 0.0  # Of the encoder in ED. Keras: 0.25.
    # Ours, not published: noise like the encoder's own errors, added to the
    # fMRI it predicts for ED. 1 adds it in full.
    c.decoder.pictures_noise = 0.0
    # Ours, not published: ED learns from responses drawn with all that the
    # encoder does not know; `readout.py`. pictures_noise then weighs the noise.
    c.decoder.pictures_draws = False
    c.decoder.optimizer = 'amsgrad'
    c.decoder.learning_rate = 5e-3  # Keras, Beliy: 1e-3.
    c.decoder.drops = ((100, 0.2), (140, 0.2))
    c.decoder.epochs = 150
    c.decoder.steps = 50  # An epoch.
    c.decoder.select = 'last'  # Or 'validation'.
    # Whether it learns from the validation stimuli, too, as published: only
    # where nothing of it is chosen on them (select 'last').
    c.decoder.all_pairs = False
    # Keep what does not change between steps in memory: the fMRI predicted
    # for unpaired pictures (4 V bytes a picture) and the targets' features
    # (1.5 MB a picture at 112 px). Neither changes a result.
    c.decoder.cache_predictions = True
    c.decoder.cache_features = False
    # Ours, not published: 'validation' tries each of `candidates` on training
    # stimuli that it holds out, in so many folds, with a part of the epochs,
    # and trains with the best. A candidate, by its name, holds what it changes
    # in the sections 'encoder' and 'decoder'; `choice.py`.
    c.decoder.choose = 'config'
    c.decoder.candidates = ConfigDict()
    c.decoder.choice_folds = 3
    c.decoder.choice_epochs = 0.25

    # Ours, not published: begin with what another run has learned, whose
    # folder or model this is; `start.py`.
    c.init = ConfigDict({'path': ''})
    # 'adapters', as of another subject, with a new read-out; or 'all', of the
    # same voxels, the decoder too, which trains it longer.
    c.init.keep = 'adapters'
    c.init.fixed = False  # Whether the adapters stay as they are.

    # Epochs; or five minutes, if they take longer. One of the published decoder
    # is .9 GB, for AMSGrad has three moments.
    c.checkpoint_every = 25
    return c.lock()
