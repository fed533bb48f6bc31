"""Draws from the posterior for a simulated subject, in a few minutes.

    brainjax run --config configs/posterior_demo.py --workdir runs/posterior

Subject and pictures are generated; nothing is downloaded.
"""

from brainjax.methods.posterior.config import posterior


def get_config():
    config = posterior()
    config.size = 32
    config.simulated.n_train = 300
    config.simulated.noise_ceiling = 0.9
    config.pictures.number = 2000
    flow = config.flow
    flow.channels = (32, 64)
    flow.patch = 2
    flow.batch_pictures = 24
    flow.batch_paired = 4
    flow.batch_prior = 4
    flow.epochs = 8
    flow.steps = 75
    config.draw_steps = 12
    return config
