"""Train steps of the self-supervised method, each written for one device.

A step is step(state, frozen, batch) -> (state, metrics); `frozen` holds what
training never changes, `batch` one device's share. Pictures travel as uint8.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from brainjax import losses
from brainjax.methods.selfsup import readout, subjects
from brainjax.methods.selfsup.losses import (
    decoder_regularisation,
    encoder_regularisation,
    weighted_picture_loss,
)
from brainjax.methods.selfsup.networks import (
    backbone_features,
    computing,
    convolved,
    encode,
    loss_features,
    to_float,
)
from brainjax.methods.selfsup.start import fixed
from brainjax.networks import layers
from brainjax.networks.decoder import Decoder
from brainjax.training import parallel
from brainjax.training import state as training_state
from brainjax.training.optimizers import non_negative, optimizer, stepwise
from brainjax.training.state import cast

ENCODER_METRICS = ('loss', 'fmri', 'regularisation')
DENSE_KERNEL = "['dense']['kernel']"  # Of the decoder: `parallel.product`.
PARTS = ('paired', 'pictures', 'fmri')  # Of the decoder's batch, in order.
DECODER_METRICS = ('loss', 'D', 'ED', 'DE', 'regularisation')


def build_optimizer(section: ConfigDict) -> optax.GradientTransformation:
    """Returns the optimiser of `config.encoder` or `config.decoder`."""
    rate = stepwise(section.learning_rate, section.drops, section.steps)
    update = optimizer(section.optimizer, rate)
    if section.release == 'torch':
        return update
    return optax.chain(update, non_negative('branch_weights'))


def shift_in_pixels(shift: float, size: int) -> int:
    """Returns a shift in pixels: below 1 it is a part of a picture's side."""
    return round(shift * size if shift < 1 else shift)


def _descend(objective: Callable, state, update, means=lambda name: False):
    """Takes one step down the mean gradient of all devices.

    Args:
      objective: params -> (loss, (batch statistics, metrics)).
      state: before the step.
      update: the optimiser.
      means: which gradients are means already, see `parallel.mean`.
    """
    gradients, (batch_stats, metrics) = jax.grad(objective, has_aux=True)(
        state.params
    )
    gradients = parallel.mean(gradients, means)
    metrics = parallel.mean(metrics)
    state = training_state.advance(
        state, update, gradients, batch_stats, metrics
    )
    return state, metrics


def encoder_step(
    config: ConfigDict,
    encoder,
    loss: Callable | None = None,
    penalty: Callable | None = None,
    others: Sequence[subjects.Subject] = (),
) -> Callable:
    """Returns the supervised step of the encoder.

    `frozen` holds 'encoder_backbone'; a batch 'fmri' [n, voxels] and 'images'
    [n, size, size, channels] uint8. With others it holds such a batch of each
    subject, by name, and what is minimised is the mean of the subjects' losses
    and penalties.

    Args:
      config: of the experiment.
      encoder: any Flax module that is called as `SeparableEncoder` is.
      loss: predicted fMRI, measured fMRI -> scalar; None for the config's.
      penalty: parameters -> scalar; None for the config's.
      others: subjects with whom it shares its body.
    """
    c = config.encoder
    loss = loss or functools.partial(losses.fmri_loss, cosine_weight=c.cosine)
    penalty = penalty or functools.partial(encoder_regularisation, config)
    update = build_optimizer(c)
    encoders = subjects.modules(encoder, others)

    def seen(frozen, images, key):
        """Features of shifted pictures, and the keys of dropout."""
        keys = parallel.example_keys(key, len(images))
        shift_keys, dropout_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        images = layers.random_shift(
            shift_keys,
            to_float(images),
            shift_in_pixels(c.shift, config.size),
        )
        features = backbone_features(c, frozen['encoder_backbone'], images)
        return jax.lax.stop_gradient(features), dropout_keys

    def step(state, frozen, batch):
        key = jax.random.fold_in(state.key, state.step)
        batches = batch if others else {subjects.MAIN: batch}
        inputs = {
            name: seen(
                frozen,
                batches[name]['images'],
                jax.random.fold_in(key, i) if i else key,
            )
            for i, name in enumerate(encoders)
        }

        def objective(params):
            fmri, cost, stats = 0.0, 0.0, state.batch_stats
            for name, module in encoders.items():
                own = subjects.params_of(params, name)
                if config.init.path and config.init.fixed:
                    own = fixed(own)
                features, keys = inputs[name]
                prediction, changed = module.apply(
                    computing(config, {'params': own, 'batch_stats': stats}),
                    features,
                    train=True,
                    keys=keys,
                    mutable=['batch_stats'],
                )
                # Running statistics see one subject's batch after the other.
                stats = changed.get('batch_stats', {})
                fmri += loss(prediction, batches[name]['fmri']) / len(encoders)
                cost += jnp.asarray(penalty(own)) / len(encoders)
            total = fmri + cost
            metrics = dict(zip(ENCODER_METRICS, (total, fmri, cost)))
            return total, (stats, metrics)

        return _descend(objective, state, update)

    return step


def decoder_step(config: ConfigDict, encoder, decoder: Decoder) -> Callable:
    """Returns the step that combines D, ED and DE.

    One pass of the decoder and one of the loss's backbone serve all parts.

    `frozen` holds 'encoder' (variables), 'encoder_backbone', 'loss_backbone',
    'pixel_scale' [3], 'snr' and 'inverse_snr' [voxels] (scaled), and for
    `pictures_noise` 'residuals' [m, voxels], or for `pictures_draws` the
    'readout' in its place.

    A batch holds 'paired' {'fmri', 'images'}, 'pictures' {'images'}, 'fmri'
    {'fmri'}; the parts whose weight is 0 are left out. 'pictures' may hold
    'fmri', the frozen encoder's prediction (of draws the mean, and 'doubt'
    [n]), and the first two 'features'. A part that did not divide among the
    devices has a 'weight' [n], see `parallel.padded_weights`.
    """
    c = config.decoder
    update = build_optimizer(c)
    cycle_encoder = encoder
    if c.pictures_dropout:
        cycle_encoder = encoder.clone(dropout=c.pictures_dropout)

    shift = shift_in_pixels(c.pictures_shift, config.size)

    def predicted_fmri(frozen, part, images, keys):
        shift_keys, dropout_keys, noise_keys = jax.vmap(
            functools.partial(jax.random.split, num=3), out_axes=1
        )(keys)
        fmri, doubt = part.get('fmri'), part.get('doubt')
        if fmri is None:
            images = layers.random_shift(shift_keys, images, shift)
        if fmri is None and c.pictures_draws:
            fmri, doubt = readout.expected(
                frozen['readout'], convolved(config, encoder, frozen, images)
            )
        elif fmri is None:
            keys = dropout_keys if c.pictures_dropout else None
            fmri = encode(config, cycle_encoder, frozen, images, keys)
        if c.pictures_draws:
            fmri = readout.draw(
                noise_keys, frozen['readout'], fmri, doubt, c.pictures_noise
            )
        elif c.pictures_noise:
            fmri += c.pictures_noise * residual_noise(
                noise_keys, frozen['residuals']
            )
        return jax.lax.stop_gradient(fmri)

    def step(state, frozen, batch):
        key = jax.random.fold_in(state.key, state.step)
        fmri, images, features = [], [], []
        if c.paired:
            fmri.append(batch['paired']['fmri'])
            images.append(to_float(batch['paired']['images']))
            features.append(batch['paired'].get('features'))
        if c.encoder_decoder:
            unpaired = to_float(batch['pictures']['images'])
            keys = parallel.example_keys(key, len(unpaired))
            fmri.append(
                predicted_fmri(frozen, batch['pictures'], unpaired, keys)
            )
            images.append(unpaired)
            features.append(batch['pictures'].get('features'))
        if c.decoder_encoder:
            fmri.append(batch['fmri']['fmri'])
        counts = [len(x) for x in images]
        weight = _weights_of_all(batch)
        targets = jnp.concatenate(images)
        if features[0] is None:
            truth = loss_features(config, frozen, targets)
        else:
            truth = jax.tree.map(
                lambda *x: jnp.concatenate(x).astype(jnp.float32), *features
            )

        def objective(params):
            variables = {'params': params, 'batch_stats': state.batch_stats}
            reconstructions, changed = decoder.apply(
                computing(config, variables),
                cast(jnp.concatenate(fmri), config.compute_dtype),
                train=True,
                weight=weight,
                mutable=['batch_stats'],
            )
            pictured = reconstructions[: sum(counts)]
            seen = loss_features(config, frozen, pictured)
            parts = {'D': 0.0, 'ED': 0.0, 'DE': 0.0}
            start = 0
            for (name, source), count in zip(
                [
                    (name, source)
                    for name, source, weight in (
                        ('D', 'paired', c.paired),
                        ('ED', 'pictures', c.encoder_decoder),
                    )
                    if weight
                ],
                counts,
            ):
                part = slice(start, start + count)
                parts[name] = _mean(
                    functools.partial(weighted_picture_loss, config, frozen),
                    batch[source].get('weight'),
                    pictured[part],
                    targets[part],
                    {tap: x[part] for tap, x in seen.items()},
                    {tap: x[part] for tap, x in truth.items()},
                )
                start += count
            if c.decoder_encoder:
                parts['DE'] = _mean(
                    functools.partial(
                        losses.fmri_cycle_loss,
                        snr=frozen['snr'],
                        cosine_weight=c.cycle_cosine,
                    ),
                    batch['fmri'].get('weight'),
                    encode(config, encoder, frozen, reconstructions[start:]),
                    batch['fmri']['fmri'],
                )
            penalty = decoder_regularisation(
                config, params, frozen['inverse_snr']
            )
            total = (
                c.paired * parts['D']
                + c.encoder_decoder * parts['ED']
                + c.decoder_encoder * parts['DE']
                + penalty
            )
            metrics = {'loss': total, **parts, 'regularisation': penalty}
            metrics = {k: jnp.asarray(v) for k, v in metrics.items()}
            return total, (changed.get('batch_stats', {}), metrics)

        return _descend(
            objective, state, update, lambda name: name == DENSE_KERNEL
        )

    return step


def _weights_of_all(batch) -> jax.Array | None:
    """Weights of the parts' examples in what is a mean over all of them.

    A batch norm sees all parts together, so that an example counts as much as
    any, and what pads a part as nothing.

    Args:
      batch: of the decoder's step.

    Returns:
      [n] in the order of the parts, of mean 1 over all devices; None where no
      part is padded.
    """
    if not any('weight' in part for part in batch.values()):
        return None
    parts = [batch[name] for name in PARTS if name in batch]
    own = jnp.concatenate(
        [
            part['weight'] > 0
            if 'weight' in part
            else jnp.ones(len(jax.tree.leaves(part)[0]), bool)
            for part in parts
        ]
    )
    own = own.astype(jnp.float32)
    return own / parallel.mean(own.mean())


def _mean(loss: Callable, weight: jax.Array | None, *arrays) -> jax.Array:
    """A loss that is a mean over examples, weighted by `weight` [n] if any."""
    if weight is None:
        return loss(*arrays)

    def alone(*example):
        return loss(*jax.tree.map(lambda x: x[None], example))

    return jnp.mean(weight * jax.vmap(alone)(*arrays))


def residual_noise(keys: jax.Array, residuals: jax.Array) -> jax.Array:
    """Draws noise with the covariance of residuals, shrunk by half.

    Half of the variance is independent between voxels, half has the
    covariance of the residuals.

    Args:
      keys: [n] typed keys.
      residuals: [m, voxels].

    Returns:
      [n, voxels].
    """
    m, voxels = residuals.shape
    deviation = jnp.sqrt(jnp.mean(residuals**2, axis=0))

    def one(key):
        first, second = jax.random.split(key)
        shared = jax.random.normal(first, (m,)) @ residuals / jnp.sqrt(m)
        own = jax.random.normal(second, (voxels,)) * deviation
        return (shared + own) / jnp.sqrt(2.0)

    return jax.vmap(one)(keys)
