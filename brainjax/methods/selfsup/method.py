"""Self-supervised encoder and decoder (Gaziv et al. 2022; Beliy et al. 2019).

First the encoder learns fMRI from pictures. Then it is frozen and the decoder
learns pictures from fMRI, from three losses at once: D on paired data, ED
(picture -> encoder -> decoder -> picture) on unpaired pictures and DE (fMRI ->
decoder -> encoder -> fMRI) on unpaired fMRI.
"""

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError
from brainjax.evaluation import encoding
from brainjax.io.files import PathLike
from brainjax.methods.findings import Findings
from brainjax.methods.selfsup import fields
from brainjax.methods.selfsup.data import check
from brainjax.methods.selfsup.networks import (
    build_decoder,
    build_encoder,
    freeze,
    load_backbone,
    predict,
)
from brainjax.methods.selfsup.training import (
    Data,
    fit_decoder,
    fit_encoder,
    voxel_snr,
)
from brainjax.recordings import (
    Recording,
    average_repeats,
    normalise,
    split_trials,
)
from brainjax.reports import encoder_figures, figures
from brainjax.training.batches import map_batches
from brainjax.training.loop import History


class Fitted(NamedTuple):
    """A fitted encoder and decoder with what they were fitted with."""

    encoder: Any
    decoder: Any
    backbone: Any
    snr: np.ndarray
    history: dict[str, History]
    notes: list[str]


def prepare(
    recording: Recording, pictures: np.ndarray, config: ConfigDict
) -> Data:
    """Splits a normalised recording into what the losses need.

    Raises:
      InputError: picture sizes differ from the config's, or the DE loss is
        asked for without unpaired fMRI.
    """
    size = config.size
    for images, what in (
        (recording.stimuli.images, f'{recording.source}: the stimuli'),
        (pictures, f'{config.pictures.path or "generated"}: the pictures'),
    ):
        if images.shape[1:3] != (size, size):
            raise InputError(
                f'{what} are {images.shape[1]} x {images.shape[2]} px and '
                f'config.size is {size}; set it to the size of the stimuli.'
            )
    rng = np.random.default_rng([config.seed, 1])
    stimuli = rng.permutation(np.unique(recording.train.stimulus))
    held_out = round(config.validation * len(stimuli))
    aside = round(config.unpaired_fmri * len(stimuli))
    rest, validation = split_trials(recording.train, stimuli[:held_out])
    rest, unpaired = split_trials(rest, stimuli[held_out : held_out + aside])
    if not len(rest):
        raise InputError(
            f'{recording.source}: no training trial is left beside '
            'config.validation and config.unpaired_fmri; lower them.'
        )
    fmri = recording.unpaired_fmri
    if config.transductive_test_fmri:
        fmri = average_repeats(recording.test).fmri
    elif fmri is None and len(unpaired):
        fmri = unpaired.fmri
    if config.decoder.decoder_encoder and fmri is None:
        raise InputError(
            f'{recording.source} has no unpaired fMRI for the DE loss; set '
            'aside training trials with config.unpaired_fmri=0.1, or set '
            'config.decoder.decoder_encoder=0.'
        )
    return Data(
        rest,
        average_repeats(validation) if len(validation) else validation,
        recording.stimuli.images,
        fmri,
        pictures,
    )


def fit(
    recording: Recording,
    pictures: np.ndarray,
    config: ConfigDict,
    workdir: PathLike,
) -> Fitted:
    """Trains the encoder, then the decoder; resumes what `workdir` holds.

    Args:
      recording: see `Recording`; it is normalised here.
      pictures: [n, size, size, 3] uint8, unpaired.
      config: see `selfsup_config.gaziv2022`.
      workdir: gets 'checkpoints/encoder' and 'checkpoints/decoder'.

    Raises:
      InputError: the recording, the config or a checkpoint cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    config = FrozenConfigDict(config)
    folder = pathlib.Path(workdir, 'checkpoints')
    check(config, recording)
    data = prepare(normalise(recording), pictures, config)
    backbone = load_backbone(config.encoder, config.seed, config.compute_dtype)
    encoder = build_encoder(config, recording.voxels)
    encoder_variables, encoder_history = fit_encoder(
        config, encoder, backbone, data, folder / 'encoder'
    )
    frozen = freeze(config, encoder, encoder_variables, backbone)
    snr, notes = voxel_snr(config, recording, data, encoder, frozen)
    decoder_variables, decoder_history = fit_decoder(
        config, encoder, frozen, data, snr, folder / 'decoder'
    )
    if _learned_from_test(config):
        notes.append(
            'Transductive: the decoder-encoder loss was trained on the fMRI '
            'of the test trials.'
        )
    return Fitted(
        encoder_variables,
        decoder_variables,
        backbone,
        snr,
        {'encoder': encoder_history, 'decoder': decoder_history},
        notes,
    )


@functools.partial(jax.jit, static_argnums=0)
def _decode(decoder, variables, fmri):
    return decoder.apply(variables, fmri)


def reconstruct(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Reconstructs pictures.

    Args:
      fitted: from `fit`.
      fmri: [trials, voxels], normalised as `fit` does.
      config: as in `fit`.

    Returns:
      [trials, size, size, 3] float32 in 0..1.
    """
    config = FrozenConfigDict(config)
    decoder = build_decoder(config)
    return map_batches(
        functools.partial(_decode, decoder, fitted.decoder), fmri
    )


def predict_fmri(
    fitted: Fitted, images: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """Predicts fMRI [n, voxels] of uint8 images [n, size, size, 3]."""
    config = FrozenConfigDict(config)
    encoder = build_encoder(config, len(fitted.snr))
    frozen = freeze(config, encoder, fitted.encoder, fitted.backbone)
    return predict(config, encoder, frozen, images)


def _learned_from_test(config: ConfigDict) -> bool:
    """Whether the DE loss is trained on test fMRI; its weight may be 0."""
    return bool(
        config.transductive_test_fmri and config.decoder.decoder_encoder
    )


def findings(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> Findings:
    """Scores the encoder on the test stimuli and draws the training."""
    test = average_repeats(normalise(recording).test)
    predicted = predict_fmri(
        fitted, recording.stimuli.images[test.stimulus], config
    )
    correlation = encoding.voxel_correlation(predicted, test.fmri)
    by_region = encoding.by_region(
        predicted, test.fmri, recording.rois, recording.noise_ceiling
    )
    c = config.decoder
    parts = {
        'D': c.paired,
        'ED': c.encoder_decoder,
        'DE': c.decoder_encoder,
    }
    return Findings(
        'the self-supervised encoder and decoder (Gaziv et al. 2022; losses '
        + ' + '.join(name for name, weight in parts.items() if weight)
        + ')',
        _learned_from_test(config)
        or config.voxel_snr.startswith('transductive'),
        {
            'encoder_correlation': encoding.score(predicted, test.fmri),
            **{
                f'encoder_correlation_in_{name}': entry
                for name, entry in by_region.items()
            },
        },
        [
            (
                'Encoder on the test stimuli',
                'Correlation of predicted and measured responses, voxel by '
                'voxel, against the noise ceiling where it is known.',
                figures.voxel_correlation(
                    correlation, recording.noise_ceiling, recording.rois
                ),
            ),
            *_fields(fitted, recording, config),
            *(
                (
                    f'Training of the {name}',
                    'Blue: means over an epoch of training; orange: on '
                    'validation stimuli, higher is better.',
                    figures.loss_curves(_in_use(history)),
                )
                for name, history in fitted.history.items()
            ),
        ],
        [*fitted.notes, *_in_words(by_region)],
    )


def _in_use(history: History) -> History:
    """Leaves out losses that are 0 in every epoch: their weight is 0."""
    used = {
        name
        for record in history
        for name, value in record.items()
        if value or name.startswith('validation_')
    }
    return [
        {name: value for name, value in record.items() if name in used}
        for record in history
    ]


def _in_words(by_region: dict[str, dict[str, float]]) -> list[str]:
    if not by_region:
        return []
    parts = [
        f'{name} {entry["quantile_75"]:.2f} and {entry["quantile_90"]:.2f}'
        + (
            f' (median over ceiling {entry["normalised"]:.2f})'
            if np.isfinite(entry.get('normalised', np.nan))
            else ''
        )
        for name, entry in by_region.items()
    ]
    return [
        'Encoder correlation of the voxel at 75 % and at 90 %: '
        + ', '.join(parts)
        + '.'
    ]


def _fields(
    fitted: Fitted, recording: Recording, config: ConfigDict
) -> list[tuple[str, str, Any]]:
    """Draws the receptive fields that the separable encoder has."""
    if config.encoder.kind != 'separable':
        return []
    shown = recording.stimuli.images[np.unique(recording.train.stimulus)]
    found = fields.biology(fitted.encoder, fitted.backbone, shown, config)
    return [
        (
            'What the voxels see, by the encoder',
            'Centres of receptive fields; their size against eccentricity '
            '(lines: medians), which includes the size of a feature; and what '
            'each tap of the network, from early to late, has in the '
            'response.',
            encoder_figures.receptive_fields(
                found.fields,
                found.preference,
                config.encoder.taps,
                recording.rois,
            ),
        )
    ]
