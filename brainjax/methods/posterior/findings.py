"""What the posterior tells beside its pictures: how sure it is, and rightly."""

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation.posterior import posterior_scores, sharpness
from brainjax.methods import references
from brainjax.methods.data import Data, Figure, Findings
from brainjax.methods.posterior import latents
from brainjax.methods.posterior.method import (
    Fitted,
    draw,
    draw_prior,
    reconstruct,
)
from brainjax.methods.posterior.networks import in_latents

PRIOR_SHOWN = 8


def findings(fitted: Fitted, data: Data, config: ConfigDict) -> Findings:
    """Scores the draws of the test responses; shows them and the training."""
    targets = data.recording.stimuli.images[data.test.stimulus]
    names = [data.recording.stimuli.names[i] for i in data.test.stimulus]
    samples = draw(fitted, data.test.fmri, config)
    images = reconstruct(fitted, data.test.fmri, config)
    options = {'seed': config.seed}
    shown = posterior_scores.figures(
        samples, targets, images, np.array(names), **options
    )
    prior = draw_prior(fitted, PRIOR_SHOWN, config)
    return Findings(
        'draws from the posterior (a closed-form Gaussian, and a flow that '
        'learns what it lacks)',
        False,
        posterior_scores.score(samples, targets, images, **options),
        [
            *(
                Figure(*posterior_scores.CAPTIONS[kind], kind, values)
                for kind, values in shown.items()
            ),
            Figure(
                'Without any response',
                'Draws from the prior: what the same method takes for a '
                'picture when the brain has said nothing. What the draws above '
                'show and these do not came from the brain.',
                'picture_grid',
                {'images': prior[None]},
            ),
            *_trainings(fitted),
        ],
        [
            *posterior_scores.notes(config.draws),
            _on_the_mean(fitted),
            _on_simulated(fitted),
            *_on_latents(fitted, targets),
        ],
        {
            'samples': samples,
            'deviation': np.float32(sharpness.deviation_maps(samples)),
        },
        fitted.references,
        in_words(config),
        voxels=references.voxels(fitted.references),
        ceiling=ceiling(fitted, targets),
        ceiling_from="from the picture's own latents",
    )


def ceiling(fitted: Fitted, targets: np.ndarray) -> np.ndarray | None:
    """What latents can tell of pictures, encoded and decoded; None of pixels.

    Args:
      fitted: of `fit`.
      targets: [n, height, width, 3] uint8.
    """
    of = fitted.data.autoencoder
    return of and latents.decode(of, latents.encode(of, targets))


def _trainings(fitted: Fitted) -> list[Figure]:
    of_flow = 'Squared error of the velocity, means over an epoch.'
    figures = [('flow', of_flow, fitted.history)]
    if fitted.data.autoencoder is not None:
        losses = (
            'Mean absolute error of pictures and the divergence of their '
            'latents, means over an epoch; root mean squared error of training '
            'stimuli held out, after it.'
        )
        figures.append(('autoencoder', losses, fitted.autoencoder_history))
    return [
        Figure(
            f'Training of the {name}',
            caption,
            'loss_curves',
            {'history': history},
        )
        for name, caption, history in figures
    ]


def _on_latents(fitted: Fitted, targets: np.ndarray) -> list[str]:
    """How much the autoencoder loses, which no draw can tell."""
    of = fitted.data.autoencoder
    if of is None:
        return []
    sets = {'the test pictures': targets}
    if fitted.data.validation is not None:
        sets['held-out training stimuli'] = fitted.data.validation.pictures
    said = ' and '.join(
        f'{latents.errors(of, images).mean():.3f} of {name}'
        for name, images in sets.items()
    )
    height, width, channels = latents.shape(of)
    return [
        f'Pictures are drawn as {height} x {width} x {channels} latents of an '
        'autoencoder, which has not seen what is tested. What it cannot tell '
        f'of a picture, a root mean squared error of {said}, is not in the '
        'intervals.'
    ]


def in_words(config: ConfigDict) -> str:
    """How responses became pictures, for a paper's methods."""
    flow = config.flow
    most = 'at most ' if flow.patience else ''
    until = (
        f'until pictures held out were told no better for {flow.patience}, '
        if flow.patience
        else ''
    )
    told = ''
    if in_latents(config):
        c = config.latents
        told = (
            'Pictures were turned into latents of a variational autoencoder '
            f'(an L1 loss, the divergence weighing {c.kl:g}; {c.epochs} epochs '
            f'of {c.steps} steps of {c.batch} pictures), for which all of the '
            'following stands. '
        )
    return told + (
        'A Gaussian prior over pictures, a linear encoder with the posterior '
        'of its weights and a noise covariance gave a posterior in closed '
        'form, all settings chosen inside the training stimuli; a flow (a '
        f'U-Net of {len(flow.channels)} scales, conditional flow matching, '
        f'{most}{flow.epochs} epochs of {flow.steps} steps, {until}Adam, '
        f'learning rate {flow.learning_rate:g}) learned what it lacks, from '
        f'{flow.batch_pictures} pictures with simulated responses, '
        f'{flow.batch_paired} training trials and {flow.batch_prior} pictures '
        f'without responses a step. A reconstruction is the mean of '
        f'{config.draws} draws of {config.draw_steps} midpoint steps each.'
    )


def _on_simulated(fitted: Fitted) -> str:
    """What made the responses that the flow learned from."""
    if fitted.data.nonlinearity is None:
        return (
            'Responses to pictures without fMRI were simulated by the linear '
            'encoder of the closed-form posterior: a nonlinear one was no '
            'better for training stimuli that were held out, or these are few.'
        )
    return (
        'Responses to pictures without fMRI were simulated by a nonlinear '
        'encoder (Gaussian processes), which was better than the linear one '
        'for training stimuli that were held out.'
    )


def _on_the_mean(fitted: Fitted) -> str:
    """What the reconstruction is, and who chose it."""
    if fitted.data.validation is None:
        return (
            'The reconstruction is the mean of the closed-form posterior; too '
            'few training stimuli could tell whether that of the draws is '
            'better.'
        )
    return (
        f'The reconstruction is {100 * fitted.part:.0f} % the mean of the '
        f'draws and {100 * (1 - fitted.part):.0f} % that of the closed-form '
        f'posterior, as {len(fitted.data.validation.pictures)} training '
        'stimuli chose that the flow had not learned from.'
    )
