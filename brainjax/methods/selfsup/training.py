"""Training of the encoder and of the decoder, with their validation."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.evaluation.voxels import encoding
from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.methods.data import made_from
from brainjax.methods.selfsup import (
    channels,
    losses,
    predictions,
    scales,
    steps,
    subjects,
)
from brainjax.methods.selfsup import start as starts
from brainjax.methods.selfsup.data import (
    DECODER_KEYS,
    ENCODER_KEYS,
    TrainingData,
    average_some,
)
from brainjax.methods.selfsup.networks import (
    build_decoder,
    feature_shapes,
    load_backbone,
    loss_features_of_uint8,
    predict,
    to_float,
)
from brainjax.recordings import Recording
from brainjax.recordings.reliability import snr_from_repeats
from brainjax.training import checkpoints, parallel
from brainjax.training import state as training_state
from brainjax.training.batches import BATCH, indices, map_batches
from brainjax.training.loop import History, train


def fit_encoder(
    config: ConfigDict,
    encoder,
    backbone: Any,
    data: TrainingData,
    folder: PathLike,
    step: Callable | None = None,
    log: Log | None = None,
    start: starts.Start | None = None,
) -> tuple[Any, History]:
    """Trains the encoder on paired data; returns variables and history.

    With `data.others` the variables are those of all, see `subjects.of`.

    Args:
      config: of the experiment.
      encoder: the module.
      backbone: its backbone's weights.
      data: of `split`.
      folder: for the checkpoints.
      step: of `steps.encoder_step`; None for the config's.
      log: see `training.loop.train`.
      start: what it begins with, of `start.read`.
    """
    c = config.encoder
    frozen = {'encoder_backbone': backbone}
    features = feature_shapes(config, backbone)
    init_key, run_key = jax.random.split(jax.random.key(config.seed))
    features = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), features)
    variables = training_state.initialise(encoder, init_key, features)
    variables = subjects.begin(
        starts.encoder(start, variables),
        subjects.modules(encoder, data.others),
        init_key,
        features,
    )

    def validate(variables):
        predicted = predict(
            config,
            encoder,
            {
                'encoder': subjects.of(variables),
                'encoder_backbone': backbone,
            },
            data.images[data.validation.stimulus],
        )
        r = encoding.voxel_correlation(predicted, data.validation.fmri)
        return {'score': r.mean(), 'median_correlation': np.median(r)}

    state = training_state.create(
        variables,
        steps.build_optimizer(c),
        run_key,
        steps.ENCODER_METRICS,
        keep_best=c.select == 'validation',
    )
    state, history = train(
        step or steps.encoder_step(config, encoder, others=data.others),
        state,
        frozen,
        subjects.batches(config, data),
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='encoder',
        validate=validate if len(data.validation) else None,
        checkpoint_every=config.checkpoint_every,
        made_from=_begun(
            made_from(data.fingerprints, config, ENCODER_KEYS, backbone), start
        ),
        log=log,
    )
    return _chosen(state, c.select, data), history


def voxel_snr(
    config: ConfigDict,
    recording: Recording,
    data: TrainingData,
    encoder,
    frozen,
) -> tuple[np.ndarray, list[str]]:
    """Returns the voxels' SNR, [voxels] float32, and notes on where from.

    Of kind 'encoder' it is measured on the validation stimuli, which the
    encoder did not learn from: the correlation is that of new stimuli, where
    on its own it would be too high, most for the noisiest voxels. The decoder
    may learn from the same stimuli afterwards (`config.decoder.all_pairs`):
    the weights say of which voxels to learn little, as any setting found by
    validation before a fit to all data does, and are no score of anything. The
    test stimuli take part in neither.
    """
    kind, notes = config.voxel_snr, []
    if kind == 'uniform':
        snr = np.ones(recording.voxels)
    elif kind == 'repeats':
        snr = snr_from_repeats(recording.train)
    elif kind == 'transductive_source':
        if recording.snr is None:
            raise InputError(
                f'{recording.source} brings no SNR; set config.voxel_snr to '
                "'encoder' or 'uniform'."
            )
        snr = recording.snr
        notes.append(
            'Transductive: voxels are weighted by the SNR that came with the '
            'recording, measured on repeats of the test stimuli.'
        )
    else:
        if len(data.validation) < 3:
            raise InputError(
                "config.voxel_snr='encoder' needs validation stimuli; raise "
                "config.validation or choose 'uniform'."
            )
        r = encoding.voxel_correlation(
            predict(
                config,
                encoder,
                frozen,
                data.images[data.validation.stimulus],
            ),
            data.validation.fmri,
        ).clip(0.1, 0.95)
        snr = r**2 / (1 - r**2)
    wrong = np.flatnonzero(~np.isfinite(snr))
    if len(wrong):
        raise InputError(
            f'{recording.source}: the SNR of voxel {wrong[0]} is '
            f'{snr[wrong[0]]} ({len(wrong)} such voxels), as where repeats do '
            'not differ; leave those voxels out, or set config.voxel_snr to '
            "'encoder' or 'uniform'."
        )
    return np.maximum(snr, 1e-3 * np.mean(snr)).astype(np.float32), notes


def fit_decoder(
    config: ConfigDict,
    encoder,
    frozen: dict[str, Any],
    data: TrainingData,
    snr: np.ndarray,
    folder: PathLike,
    log: Log | None = None,
    start: starts.Start | None = None,
) -> tuple[Any, History]:
    """Trains the decoder with D, ED and DE; returns variables and history.

    Args:
      config: of the experiment.
      encoder: the module.
      frozen: of `freeze`, for `pictures_draws` with the 'readout'.
      data: of `split`.
      snr: [voxels], positive.
      folder: for the checkpoints.
      log: see `training.loop.train`.
      start: what it begins with, of `start.read`.
    """
    c = config.decoder
    decoder = build_decoder(config)
    loss_backbone = load_backbone(
        config.image_loss,
        config.seed + 1,
        config.compute_dtype,
        config.size,
        channels.number(config),
    )
    features = functools.partial(
        loss_features_of_uint8, config, {'loss_backbone': loss_backbone}
    )
    frozen = frozen | {
        'loss_backbone': loss_backbone,
        **scales.of(config, data, features),
        'snr': snr / snr.mean(),
        'inverse_snr': (1 / snr) / np.mean(1 / snr),
    }
    # A file is known by what it holds; what is measured follows from the data.
    stored = {'pixels': {'scale': frozen['pixel_scale']}}
    stored = stored if config.image_loss.get('pixel_scale', '') else {}
    if c.pictures_noise and not c.pictures_draws:
        trials = data.validation if len(data.validation) else data.train
        frozen['residuals'] = trials.fmri - predict(
            config, encoder, frozen, data.images[trials.stimulus]
        )
    batch_at, total = None, c.epochs * c.steps
    if checkpoints.steps_done(folder) < total:
        batch_at = decoder_batches(
            *(config, encoder, frozen, data, features),
            pathlib.Path(folder).with_name('predictions'),
        )

    def validate(variables):
        loss = _validation_loss(
            config,
            decoder,
            on_devices,
            variables,
            data.validation.fmri[: 4 * BATCH],
            data.images[data.validation.stimulus[: 4 * BATCH]],
        )
        return {'score': -float(loss)}

    on_devices = parallel.replicate(frozen)
    init_key, run_key = jax.random.split(jax.random.key(config.seed + 1))
    variables = training_state.initialise(
        decoder, init_key, jnp.zeros((1, data.paired.fmri.shape[1]))
    )
    variables = starts.decoder(start, variables)
    state = training_state.create(
        variables,
        steps.build_optimizer(c),
        run_key,
        steps.DECODER_METRICS,
        keep_best=c.select == 'validation',
    )
    state, history = train(
        steps.decoder_step(config, encoder, decoder),
        state,
        frozen,
        batch_at,
        epochs=c.epochs,
        steps_per_epoch=c.steps,
        folder=folder,
        label='decoder',
        # Pictures that it learns from would tell nothing.
        validate=validate if len(data.validation) and not c.all_pairs else None,
        checkpoint_every=config.checkpoint_every,
        made_from=_begun(
            made_from(
                data.fingerprints,
                config,
                DECODER_KEYS,
                {
                    'encoder': frozen['encoder_backbone'],
                    'loss': loss_backbone,
                    **stored,
                },
            ),
            start,
        ),
        log=log,
    )
    return _chosen(state, c.select, data), history


def _begun(made_from, start):
    return made_from | {'init': start.identity} if start else made_from


def _chosen(state, select, data):
    if select == 'validation' and len(data.validation):
        return jax.device_get(state.best)
    return jax.device_get(
        {'params': state.params, 'batch_stats': state.batch_stats}
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _validation_loss(config, decoder, frozen, variables, fmri, images):
    return losses.picture_loss(
        config,
        frozen,
        decoder.apply(variables, fmri),
        to_float(images),
    )


def decoder_batches(config, encoder, frozen, data, features, folder):
    """Returns step -> the batch of each loss that has a weight.

    `folder` keeps what the encoder predicts of the pictures.
    """
    c = config.decoder
    shown = data.paired.stimulus
    paired = {'fmri': data.paired.fmri}  # Pictures join batch by batch.
    pictures = {'images': data.pictures}
    # A shift or dropout makes each prediction another one.
    shift = steps.shift_in_pixels(c.pictures_shift, config.size)
    still = not (shift or c.pictures_dropout)
    if c.encoder_decoder and c.cache_predictions and still:
        pictures |= predictions.of_pictures(
            config, encoder, frozen, data.pictures, folder
        )
    if c.cache_features:
        paired['features'] = map_batches(features, data.images[shown])
        pictures['features'] = map_batches(features, data.pictures)

    def rows(arrays, stream, step, batch):
        n = len(jax.tree.leaves(arrays)[0])
        i = parallel.pad(indices(config.seed, stream, n, step, batch))
        i = parallel.local_rows(i)
        return i, jax.tree.map(lambda x: x[i], arrays) | weights(batch)

    def weights(batch):
        if batch % jax.device_count() == 0:
            return {}
        whole = parallel.padded_weights(batch)
        return {'weight': parallel.local_rows(whole)}

    def batch_at(step):
        result = {}
        if c.paired:
            i, result['paired'] = rows(paired, 3, step, c.batch_paired)
            result['paired']['images'] = data.images[shown[i]]
        if c.encoder_decoder:
            _, result['pictures'] = rows(pictures, 4, step, c.batch_pictures)
        if c.decoder_encoder and c.fmri_repeats < 1 and data.unpaired:
            fmri = {'fmri': _redrawn(config, data.unpaired, step)}
            result['fmri'] = fmri | weights(c.batch_fmri)
        elif c.decoder_encoder:
            unpaired = {'fmri': data.unpaired_fmri}
            _, result['fmri'] = rows(unpaired, 5, step, c.batch_fmri)
        return result

    return batch_at


def _redrawn(config, trials, step):
    """Averages of some repeats of each stimulus in a batch, drawn anew."""
    c = config.decoder
    stimuli = np.unique(trials.stimulus)
    i = indices(config.seed, 5, len(stimuli), step, c.batch_fmri)
    # By its place in the whole batch, so that each host draws its own alike.
    places = parallel.local_rows(parallel.pad(np.arange(c.batch_fmri)))
    return np.stack(
        [
            average_some(
                trials,
                stimuli[i[place]],
                c.fmri_repeats,
                np.random.default_rng([config.seed, 6, step, place]),
            )
            for place in places
        ]
    )
