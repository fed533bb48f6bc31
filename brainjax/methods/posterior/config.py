"""Every setting of the posterior; nothing of it is published elsewhere."""

from ml_collections import ConfigDict

from brainjax.methods.config import shared


def posterior() -> ConfigDict:
    """Returns the setting for pictures of some 28 px, typed and locked."""
    c = shared()
    c.method = 'posterior'
    c.size = 28
    c.pictures.number = 2000
    # Its noise is that of as many trials as the test's: fewer would need a
    # posterior of their own.
    c.ceilings = False
    c.compute_dtype = 'float32'  # Of the network; or 'bfloat16'.

    # Draws for each test response: 95 % intervals need 39 at least.
    c.draws = 40
    c.draw_steps = 25  # Midpoint steps from noise to picture.

    c.flow = ConfigDict()
    c.flow.channels = (32, 64, 128)  # Of each scale, the finest first.
    c.flow.groups = 8
    # Side of the squares of pixels taken as one; 1 takes six times as long.
    # Latents are taken one by one.
    c.flow.patch = 2
    # Pairs in a batch: pictures with simulated responses (ED), training
    # stimuli with measured ones (D), pictures without any response.
    c.flow.batch_pictures = 48
    c.flow.batch_paired = 8
    c.flow.batch_prior = 8
    c.flow.learning_rate = 2e-3
    c.flow.clip = 1.0  # Norm of the gradient.
    c.flow.average = 0.995  # Decay of the moving average of weights.
    c.flow.epochs = 9
    c.flow.steps = 100  # An epoch.
    # With a number of epochs here, the learning rate is constant and training
    # ends after so many in which pictures held out were told no better; epochs
    # is then the most that there are. 0: as many as epochs says, by a cosine.
    c.flow.patience = 0

    # Pictures of more pixels a side are drawn as latents of an autoencoder; 112
    # at most, and less for any reason.
    c.latents = ConfigDict()
    c.latents.above = 112
    c.latents.number = 4  # At each place of their grid.
    # Of each scale of the autoencoder, the finest first; all but that halve
    # the grid. It begins with squares of pixels of this side: 8 px a latent.
    c.latents.channels = (64, 128)
    c.latents.patch = 4
    c.latents.groups = 8
    # What the divergence from N(0, 1) weighs; equal to the mean absolute error
    # it would be likelihood and prior of pixels with Laplace noise.
    c.latents.kl = 1e-2
    # What the error in features of a network weighs that knows pictures, whose
    # weights brainjax fetch gets; 0 for pixels alone.
    c.latents.perceptual = 0.0
    c.latents.perceptual_network = 'squeezenet'
    c.latents.perceptual_layers = ('relu1', 'fire4')
    c.latents.batch = 16
    c.latents.learning_rate = 1e-3
    c.latents.clip = 1.0
    c.latents.average = 0.995
    c.latents.epochs = 10
    c.latents.steps = 100

    c.checkpoint_every = 10  # Epochs; or five minutes, if they take longer.
    return c.lock()
