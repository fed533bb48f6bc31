"""Every setting of the method for faces, at the published values.

The files in `configs/` start from here and say what they change. 'Code' is
what the authors of VanRullen & Reddy 2019 released: the networks, but nothing
of the training. 'CADL' is the course code that they started from (Kadenze's
Creative Applications of Deep Learning, after Larsen et al. 2016), whose
training stands in. 'Ours' is not published.
"""

from ml_collections import ConfigDict

from brainjax.methods.config import shared
from brainjax.networks import vaegan


def vanrullen2019() -> ConfigDict:
    """Returns the setting of VanRullen & Reddy 2019, typed and locked."""
    c = shared()
    c.method = 'faces'
    c.size = vaegan.SIZE  # Height and width of all pictures, in pixels. Code.
    c.compute_dtype = 'float32'  # Of training the networks; or 'bfloat16'.

    c.simulated = ConfigDict()
    c.simulated.n_train = 8000  # Faces, shown once each. Published: 7943.
    c.simulated.n_test = 20  # Half of them female. Published.
    c.simulated.test_repeats = 54  # Published: 41 to 64.
    c.simulated.noise_ceiling = 0.9  # Of the averaged test responses.
    c.simulated.imagined = 5  # Of the test faces. Published: 1.
    c.simulated.imagery_repeats = 54  # Published: 51 to 55.
    c.simulated.imagery_gain = 0.3
    c.simulated.voxels = ConfigDict(
        {'V1': 500, 'V2': 300, 'V3': 200, 'V4': 200, 'FFA': 800}
    )

    # Pictures to train on; '' generates faces for the simulated subject.
    c.pictures.number = 202_599  # Greatest number to use. Code: CelebA, all.
    # Side of the square that is cut from a picture's centre, as a part of
    # its short side. Code: a tenth of the side, rounded down, is left out on
    # each side, which leaves 144 of CelebA's 178 px.
    c.pictures.crop = 144 / 178
    c.pictures.on_disk = True  # Ours: all of CelebA are 9.3 GiB.

    c.networks = ConfigDict()
    # '': train them; else a .safetensors file of `vaegan_weights.save`, or
    # the prefix of the authors' checkpoint.
    c.networks.weights = ''
    c.networks.latents = vaegan.LATENTS  # Code.
    c.networks.width = 1.0  # Factor on the channels below.
    # Each layer halves the grid, or doubles it. Code.
    c.networks.channels = vaegan.CHANNELS
    c.networks.generator_channels = vaegan.GENERATOR_CHANNELS
    c.networks.discriminator_channels = vaegan.CHANNELS  # CADL: as encoder.
    # Ours: whether there is batch norm before the tanh of mu, which keeps
    # latents from its ends.
    c.networks.normalise_mu = False
    # Ours: whether fixed linear maps, the principal components of the training
    # pictures, are added to encoder and generator.
    c.networks.linear = False
    # Centre and reach of the latents' log sigma. Code.
    c.networks.log_sigma = (0.0, 0.5)
    # 'maximum': a generated picture is divided by its greatest value. Code,
    # for one picture at a time. Or 'clip'.
    c.networks.brightness = 'maximum'

    # CADL; all terms are sums over units and means over a batch, so that
    # learning rates go with the size of picture.
    c.training = ConfigDict()
    c.training.kl = 1.0
    c.training.gamma = 0.5  # Of reconstruction, in the generator's loss.
    # Discriminator layers, counted from 0, whose features are compared for
    # the reconstruction loss: this one and all after it.
    c.training.first_feature = 3
    # Ours: weight of the squared error of pixels in the reconstruction loss.
    c.training.pixels = 0.0
    # Ours: weight of the squared distance between features of a network that
    # knows pictures, of unit length over channels and by their number of
    # places (LPIPS without its heads, Zhang et al. 2018); its weights, which
    # `brainjax fetch` gets, and its layers.
    c.training.perceptual = 0.0
    c.training.perceptual_network = 'squeezenet'
    c.training.perceptual_layers = ('relu1', 'fire4')
    # What the generator adds to reconstruction. With L = (log D(x) +
    # log(1 - D(x_rec)) + log(1 - D(x_prior))) / 3, which the discriminator
    # maximises: 'cadl' is -L, as CADL has it, which makes the generator help
    # the discriminator; 'minimax' is L, their game of Goodfellow et al. 2014;
    # 'nonsaturating' is -(log D(x_rec) + log D(x_prior)) / 3 of the same
    # paper; 'none' leaves it out.
    c.training.game = 'cadl'
    # A part is not updated while the discriminator's costs are further than
    # `margin` from `equilibrium`, on the side that it has lost.
    c.training.equilibrium = 0.693
    c.training.margin = 0.4
    c.training.optimizer = 'adam'
    c.training.learning_rate = 1e-5  # CADL.
    # Ours: its factors for encoder, generator and discriminator. An encoder
    # that learns fast drives its tanh to -1 and 1 for good.
    c.training.rates = (1.0, 1.0, 1.0)
    # Ours: how many times the running mean of its norm a part's gradient may
    # be, which ends what one batch of 16 can do; 0 for any.
    c.training.clip = 0.0
    c.training.warmup = 0  # Ours: steps over which the rates rise to that.
    c.training.drops = ()  # Ours: (epoch from 0, factor), ...
    c.training.batch = 64  # Code.
    c.training.epochs = 50  # Code: 50 000 steps, 15.8 times CelebA.
    c.training.steps = 1000  # An epoch, after which there is a checkpoint.
    c.training.mirror = False  # Ours: half of the pictures, left to right.

    c.checkpoint_every = 10  # Epochs; or five minutes, if they take longer.

    # Between latents and voxels.
    c.map = ConfigDict()
    # 'trials', ours: W is fitted to responses of single trials; 'time-series':
    # to those of all runs of a BIDS data set, as published, where each face
    # was shown once and overlaps with the next.
    c.map.response = 'trials'
    # Of 'time-series': least t of faces versus rest of a voxel that is used; 0
    # for all. Published: there was such a choice; the threshold is not known.
    c.map.least_t = 0.0
    c.map.ridge = 0.0  # Penalty of the weights. Published: none.
    # Share of the voxels that are used, those to whose variance the latents
    # add most in training trials. Published: there was such a choice; the
    # threshold is not known.
    c.map.voxels = 1.0
    # How latents are found: 'published' finds the constant with them;
    # 'least_squares', ours, takes it as known; 'most_probable', ours, weighs
    # voxels by their noise, and takes the spread of the training faces'
    # latents for what is probable.
    c.map.inversion = 'published'
    # Ours: whether decoded latents get, each time, the spread over latents
    # that training faces have; noise in the weights has shrunk them.
    c.map.rescale = False
    # ROIs that are scored alone, each with as many voxels as the smallest.
    c.map.rois = ()

    c.pca = ConfigDict()
    c.pca.components = 0  # 0: as many as there are latents. Published.
    # Whether its latents get the variance 1. Not known of the published one.
    c.pca.whiten = False

    # Whether faces are labelled 'male' and 'female', by category or by name.
    c.gender = True
    return c.lock()


def narrow() -> ConfigDict:
    """Returns a setting of 64 px that trains on two CPU cores in minutes.

    What differs from `vanrullen2019` is ours. CADL's sums and rate are made
    for days on a GPU; here there are 5160 steps and 5500 faces. Measured on
    500 held-out faces of UTKFace: squared error .0075 and SSIM .63, after 650
    CPU seconds; as many principal components reach .0031 and .80.
    """
    c = vanrullen2019()
    c.size = 64
    c.pictures.on_disk = False
    c.pictures.crop = 1.0  # For faces that are cut tightly, as UTKFace.
    c.networks.latents = 128
    c.networks.channels = (16, 32, 96, 160)
    c.networks.generator_channels = (160, 96, 48, 16)
    c.networks.discriminator_channels = (16, 32, 64, 96)
    # The published noise, 0.6 to 1.6, leaves so few latents too few bits.
    c.networks.log_sigma = (-2.5, 0.5)
    c.networks.brightness = 'clip'  # One bright pixel darkens no picture.
    c.training.pixels = 4.0  # Nearly all of the reconstruction loss.
    c.training.first_feature = 2  # The last two of four layers.
    c.training.game = 'nonsaturating'  # 'cadl' has nothing to win.
    c.training.learning_rate = 2e-3
    c.training.rates = (0.1, 1.0, 0.05)
    c.training.warmup = 500
    c.training.drops = ((9, 0.3), (13, 0.3))
    c.training.batch = 16  # Many steps count for more than large ones.
    c.training.epochs = 15
    c.training.steps = 344  # 5504 faces.
    c.training.mirror = True
    return c
