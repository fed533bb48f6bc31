"""Draws from the posterior for a simulated subject, in a few minutes.

    brainjax run --config configs/posterior_demo.py --workdir runs/posterior

A simulated subject looks at 300 silhouettes, white on black, and at 50 others
ten times each; 2000 more have no responses. Nothing is downloaded.

Time: 2.5 minutes on two CPU cores, of which some 24 s are 40 draws of each
response.
Scores to expect (closed form, ridge): pixel correlation .937 (.916, .868),
two-way identification 1.000 (.998, .972); 90 % intervals cover .901.
"""

from brainjax.methods.posterior.config import posterior


def get_config():
    config = posterior()
    config.size = 20
    config.simulated.pictures = 'silhouettes'
    config.simulated.n_train = 300
    config.simulated.noise_ceiling = 0.6
    config.pictures.number = 2000
    flow = config.flow
    flow.channels = (24, 48)
    flow.patch = 1
    flow.epochs = 8
    flow.steps = 75
    config.draw_steps = 12
    return config
