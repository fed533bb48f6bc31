"""Draws of larger pictures, as latents of an autoencoder, on a CPU.

    brainjax run --config configs/posterior_latents.py --workdir runs/latents

The simulated subject of `posterior_demo.py`, who looks at silhouettes of 128
px. An autoencoder learns to tell each in 16 x 16 x 4 latents, from the 2000
pictures without responses and four fifths of those with them; the flow draws
latents, which are decoded. Nothing is downloaded.

Time: 7 minutes on one CPU core, of which the autoencoder takes 4.
Scores to expect (closed form, ridge): pixel correlation .896 (.881, .818),
two-way identification .999 (.999, .953); 90 % intervals cover .873.
"""

from brainjax.methods.posterior.config import posterior


def get_config():
    config = posterior()
    config.size = 128
    config.simulated.pictures = 'silhouettes'
    config.simulated.n_train = 300
    config.simulated.noise_ceiling = 0.6
    config.pictures.number = 2000
    config.latents.channels = (32, 64)
    config.latents.epochs = 16
    config.latents.steps = 75
    flow = config.flow
    flow.channels = (24, 48)
    flow.epochs = 8
    flow.steps = 75
    config.draw_steps = 12
    return config
