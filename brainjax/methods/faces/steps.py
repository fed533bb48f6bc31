"""The train step of the VAE-GAN, written for one device.

It is step(state, frozen, batch) -> (state, metrics) for all three networks at
once. Pictures travel as uint8.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from brainjax.losses import unit_features
from brainjax.methods.faces import losses
from brainjax.methods.faces.networks import PARTS, build
from brainjax.networks import vaegan
from brainjax.networks.frozen import Architecture
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.optimizers import (
    clipped,
    optimizer,
    separate,
    stepwise,
)
from brainjax.training.state import cast

METRICS = (
    'kl',
    'reconstruction',
    'real',
    'fake',
    'generator_steps',
    'discriminator_steps',
)


def build_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """Returns the three optimisers, as one with a gate a part."""
    c = config.training

    def rate(factor):
        later = stepwise(factor * c.learning_rate, c.drops, c.steps)
        if not c.warmup:
            return later
        return lambda step: later(step) * jnp.minimum(1, (step + 1) / c.warmup)

    def of(factor):
        unguarded = optimizer(c.optimizer, rate(factor))
        return clipped(unguarded, c.clip) if c.clip else unguarded

    return separate({part: of(factor) for part, factor in zip(PARTS, c.rates)})


def vaegan_step(
    config: ConfigDict, perceive: Architecture | None = None
) -> Callable:
    """Returns the step that updates all three networks.

    A batch holds 'images' [n, size, size, 3] uint8; `frozen` holds the
    parameters of `perceive`, the network of the perceptual loss.

    Each network has its own loss and is changed by no other's:

      encoder        kl KL + L_rec
      generator      gamma L_rec + game
      discriminator  -L_gan

    L_rec is the squared error of the discriminator's features (Larsen et al.
    2016) and, if `pixels`, of pixels, and, if `perceptual`, of the features
    of a network that knows pictures.

    Batch norm: pictures x, reconstructions and samples of the prior each go
    through the generator or encoder in a pass of their own, normalised by
    their own statistics. The generator's running averages are those of
    reconstructions, which is what it is used for. The discriminator has none.

    Between forward and backward pass the networks keep what their convolutions
    and dense layers gave, and no more: norms and ELUs are computed again.

    The steps of both players are gated by means over the whole batch, on all
    devices.
    """
    c, dtype = config.training, config.compute_dtype
    encoder, generator, discriminator = build(config)
    update = build_optimizer(config)

    def step(state, frozen, batch):
        params, stats = state.params, state.batch_stats
        images, noise, prior = draws(config, state, batch['images'])
        n = len(images)

        encode = _remat(_in_training, encoder, stats['encoder'], dtype)
        generate = _remat(_in_training, generator, stats['generator'], dtype)
        judge = _remat(_discriminate, discriminator, dtype)

        # Forward. Each network's pullback is kept apart from the others', so
        # that one pass serves all three losses.
        def sample(params):
            posterior, changed = encode(params, images)
            latents = posterior.mean + noise * jnp.exp(posterior.log_sigma)
            return (latents, vaegan.kl_divergence(posterior)), changed

        def discriminate(images):
            return jax.vjp(judge, params['discriminator'], images)

        (latents, divergence), encoder_back, encoder_stats = jax.vjp(
            sample, params['encoder'], has_aux=True
        )
        reconstructed, reconstructed_back, generator_stats = jax.vjp(
            generate, params['generator'], latents, has_aux=True
        )
        sampled, sampled_back, _ = jax.vjp(
            generate, params['generator'], prior, has_aux=True
        )
        (real_logits, target), real_judged_back = discriminate(images)
        (reconstructed_logits, features), judged_back = discriminate(
            reconstructed
        )
        (sampled_logits, _), sampled_judged_back = discriminate(sampled)
        logits = losses.Logits(
            real_logits, reconstructed_logits, sampled_logits
        )

        # L_rec, and its gradient by the reconstructions. The discriminator does
        # not learn from it: its own gradient is dropped.
        errors = [a - b for a, b in zip(features, target)][c.first_feature :]
        no_features = jax.tree.map(jnp.zeros_like, features)
        _, to_reconstructed = judged_back(
            (
                jnp.zeros(n),
                no_features[: c.first_feature] + [e / n for e in errors],
            )
        )
        to_reconstructed += c.pixels / n * (reconstructed - images)
        reconstruction = sum(losses.half_squared_norm(e).mean() for e in errors)
        reconstruction += (
            c.pixels * losses.half_squared_norm(reconstructed - images).mean()
        )

        if perceive:

            def look(x):
                return _features(perceive, frozen, c.perceptual_layers, x)

            seen, look_back = jax.vjp(look, reconstructed)
            errors = [a - b for a, b in zip(seen, look(images))]
            (by_looks,) = look_back([c.perceptual / n * e for e in errors])
            to_reconstructed += by_looks
            reconstruction += c.perceptual * sum(
                losses.half_squared_norm(e).mean() for e in errors
            )

        # The discriminator's loss and the generator's in the game.
        own = jax.grad(lambda logits: -losses.gan_objective(logits))(logits)
        game = jax.grad(losses.GAMES[c.game])(logits)
        from_real, _ = real_judged_back((own.real, no_features))
        from_reconstructed, own_reconstructed = judged_back(
            (own.reconstructed, no_features)
        )
        from_sampled, own_sampled = sampled_judged_back(
            (own.sampled, no_features)
        )
        # A picture's gradient is proportional to that of its logit: no second
        # pass through the discriminator for the game.
        game_reconstructed = _rescale(
            own_reconstructed, game.reconstructed, own.reconstructed
        )
        game_sampled = _rescale(own_sampled, game.sampled, own.sampled)

        # Back through the generator and the encoder.
        _, to_latents = reconstructed_back(to_reconstructed)
        (to_encoder,) = encoder_back((to_latents, jnp.full(n, c.kl / n)))
        by_reconstructed, _ = reconstructed_back(
            c.gamma * to_reconstructed + game_reconstructed
        )
        by_sampled, _ = sampled_back(game_sampled)
        gradients = {
            'encoder': to_encoder,
            'generator': _sum(by_reconstructed, by_sampled),
            'discriminator': _sum(from_real, from_reconstructed, from_sampled),
        }

        real, fake = losses.discriminator_costs(logits)
        metrics = {
            'kl': divergence.mean(),
            'reconstruction': reconstruction,
            'real': real,
            'fake': fake,
        }
        gradients, metrics = parallel.mean((gradients, metrics))
        gates = losses.gates(
            metrics['real'], metrics['fake'], c.equilibrium, c.margin
        )
        for part in ('generator', 'discriminator'):
            metrics[f'{part}_steps'] = gates[part].astype(jnp.float32)
        state = training_state.advance(
            state,
            update,
            gradients,
            {'encoder': encoder_stats, 'generator': generator_stats},
            metrics,
            gates=gates,
        )
        return state, metrics

    return step


def _remat(apply, *fixed):
    """Binds the first arguments; the pullback computes norms and ELUs again.

    At the published size that is the difference between 4.7 and 1.6 GiB.
    """
    kept = jax.checkpoint_policies.save_from_both_policies(
        jax.checkpoint_policies.dots_saveable,
        # To JAX the transposed convolution is no convolution.
        jax.checkpoint_policies.save_only_these_names(vaegan.TRANSPOSED),
    )
    return jax.checkpoint(functools.partial(apply, *fixed), policy=kept)


def _in_training(module, stats, dtype, params, x):
    """Applies a network, and returns its batch statistics after it too."""
    params, x = cast((params, x), dtype)
    y, changed = module.apply(
        {'params': params, 'batch_stats': stats},
        x,
        train=True,
        mutable=['batch_stats'],
    )
    return cast(y, 'float32'), changed['batch_stats']


def _discriminate(discriminator, dtype, params, images):
    params, images = cast((params, images), dtype)
    return cast(discriminator.apply({'params': params}, images), 'float32')


def _features(network, params, layers, images):
    """Features of unit length over channels, by the root of their places."""
    found = network.apply(params, images, layers)
    return [
        unit_features(found[layer])
        / math.sqrt(math.prod(found[layer].shape[1:3]))
        for layer in layers
    ]


def _sum(*trees):
    return jax.tree.map(lambda *leaves: sum(leaves), *trees)


def _rescale(gradient, wanted, had):
    """Turns a gradient by pictures for one loss of logits into another's."""
    ratio = jnp.where(had == 0, 0, wanted / jnp.where(had == 0, 1, had))
    return ratio[:, None, None, None] * gradient


def draws(config, state, images):
    """Returns the pictures as floats, noise and latents from the prior."""
    key = jax.random.fold_in(state.key, state.step)
    keys = parallel.example_keys(key, len(images))
    noise, prior = jax.vmap(
        lambda key: jax.random.normal(key, (2, config.networks.latents)),
        out_axes=1,
    )(keys)
    images = images.astype(jnp.float32) / 255
    if config.training.mirror:
        mirrored = jax.vmap(
            # Another stream than the noise, which takes the key itself.
            lambda key: jax.random.bernoulli(jax.random.fold_in(key, 1))
        )(keys)
        images = jnp.where(
            mirrored[:, None, None, None], images[:, :, ::-1], images
        )
    return images, noise, prior
