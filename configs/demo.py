"""The self-supervised method, small, on an embedded simulated subject.

    brainjax run --config configs/demo.py --workdir runs/demo

A simulated subject (1000 voxels, V1 to higher visual cortex) looks at
generated scenes: 400 with fMRI to fit on, 50 to test on, 2000 pictures
without fMRI. Nothing is downloaded, so the backbones have random weights.

Time: 1 minute 50 on two CPU cores, compilation included.
Scores to expect (chance): two-way identification 1.00 (.50), fifty-way .96 to
.98 (.02), pixel correlation .72 (.23), encoder correlation .70 (0).

Where a value differs from Gaziv et al. 2022 it is because pictures, networks
and training are smaller, unless its comment says otherwise.
"""

from brainjax.methods.selfsup.config import gaziv2022


def get_config():
    config = gaziv2022()
    config.size = 48
    config.simulated.n_train = 400
    config.simulated.noise_ceiling = 0.95
    config.simulated.voxels.V1 = 400
    config.simulated.voxels.V2 = 250
    config.simulated.voxels.V3 = 100
    config.simulated.voxels.V4 = 100
    config.simulated.voxels.HVC = 150
    config.pictures.number = 2000

    encoder = config.encoder
    encoder.backbone = 'vgg16'
    encoder.weights = 'random'
    encoder.width = 0.5
    encoder.taps = ('relu1_2', 'relu2_2', 'relu3_3')
    encoder.pools = (True, False, False)
    encoder.kernels = (3, 3, 1)
    encoder.strides = (2, 2, 1)
    encoder.channels = 8
    encoder.dropout = 0.25
    encoder.convolutions = 1e-5
    encoder.second_moment = 1.0
    # The published 5e-2 drives the weights to 0 at this learning rate.
    encoder.branch_mix = 1e-4
    encoder.map_uses = (1.0, 1.0)
    encoder.learning_rate = 1e-2
    encoder.drops = ((7, 0.3), (10, 0.3))
    encoder.epochs = 12
    encoder.steps = 10
    encoder.batch = 32

    loss = config.image_loss
    loss.weights = 'random'
    loss.width = 0.25
    loss.taps = ('pool1', 'pool2', 'pool3')
    loss.tap_weights = (3.0, 3.0, 3.0)

    decoder = config.decoder
    decoder.channels = 24
    decoder.groups = 12
    decoder.kernel = 3
    decoder.batch_paired = 12
    decoder.batch_pictures = 24
    decoder.batch_fmri = 8
    # Ours: the test trials' noise is about half of a training trial's.
    decoder.pictures_noise = 0.5
    decoder.learning_rate = 5e-3
    decoder.drops = ((7, 0.3), (9, 0.3))
    decoder.dense_absolute = 10.0
    decoder.dense_group = 100.0
    decoder.epochs = 11
    decoder.steps = 20
    decoder.cache_features = True
    decoder.select = 'validation'
    return config
