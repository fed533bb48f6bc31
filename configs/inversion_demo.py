"""Deep image reconstruction, small, on an embedded simulated subject.

    brainjax run --config configs/inversion_demo.py --workdir runs/inversion

A simulated subject (1000 voxels, V1 to higher visual cortex) looks at
generated scenes: 400 to fit on, 30 to test on. Features of a random VGG are
decoded and inverted; nothing is downloaded.

Time: 1 minute 20 on two CPU cores; 8 minutes beside much other work.
Scores to expect (chance): two-way identification .997 (.50), identification
among all 30 .90 (.03), pixel correlation .67 (.13).

Where a value differs from Shen et al. 2019 it is because pictures and network
are smaller, unless its comment says otherwise.
"""

from brainjax.methods.inversion.config import shen2019


def get_config():
    config = shen2019()
    config.size = 48
    config.simulated.n_train = 400
    config.simulated.n_test = 30
    config.simulated.noise_ceiling = 0.95
    config.simulated.voxels.V1 = 400
    config.simulated.voxels.V2 = 250
    config.simulated.voxels.V3 = 100
    config.simulated.voxels.V4 = 100
    config.simulated.voxels.HVC = 150

    network = config.network
    network.weights = 'random'
    network.family = 'vgg16'
    network.width = 0.25
    network.size = 48
    network.layers = ('conv1_2', 'conv2_2', 'conv3_1')

    config.decoding.k = 200
    # The published spread holds for the authors' network alone.
    config.decoding.scaling = 'about_training_mean'

    # Ours: descent with its blur is kinder to decoded features than L-BFGS.
    inversion = config.inversion
    inversion.optimiser = 'descent'
    inversion.steps = 100
    inversion.start = 'mean'
    inversion.boxed = False
    inversion.together = 10
    return config
