"""Self-supervised encoder and decoder (Gaziv et al. 2022; Beliy et al. 2019).

First the encoder learns fMRI from pictures. Then it is frozen and the decoder
learns pictures from fMRI, from three losses at once: D on paired data, ED
(picture -> encoder -> decoder -> picture) on unpaired pictures and DE (fMRI ->
decoder -> encoder -> fMRI) on unpaired fMRI.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.io import metrics
from brainjax.io.files import PathLike
from brainjax.io.metrics import Log
from brainjax.methods.data import Data
from brainjax.methods.selfsup import channels, choice, readout, subjects
from brainjax.methods.selfsup import start as starts
from brainjax.methods.selfsup.config import settled
from brainjax.methods.selfsup.data import check, learned_from_test, split
from brainjax.methods.selfsup.networks import (
    build_decoder,
    build_encoder,
    freeze,
    load_backbone,
)
from brainjax.methods.selfsup.training import (
    fit_decoder,
    fit_encoder,
    voxel_snr,
)
from brainjax.training.batches import map_batches
from brainjax.training.loop import History


class Fitted(NamedTuple):
    """A fitted encoder and decoder with what they were fitted with.

    Attributes:
      encoder, decoder: their variables.
      frozen: what predicts fMRI, of `networks.freeze`.
      snr: [voxels] float32, the voxels' weights.
      history: of the training of each, by name.
      notes: sentences for the report.
      config: the settings where some of them follow from the data; None if
        they are those that were given.
    """

    encoder: Any
    decoder: Any
    frozen: dict[str, Any]
    snr: np.ndarray
    history: dict[str, History]
    notes: list[str]
    config: Any = None


def fit(data: Data, config: ConfigDict, workdir: PathLike) -> Fitted:
    """Trains the encoder, then the decoder; resumes what `workdir` holds.

    Args:
      data: of `methods.data.prepare`.
      config: see `selfsup.config.gaziv2022`.
      workdir: gets 'checkpoints/encoder' and 'checkpoints/decoder', and
        'checkpoints/choice.json' where settings are chosen.

    Raises:
      InputError: the recording, the config or a checkpoint cannot be used.
      Interrupted: SIGINT or SIGTERM came; the same call resumes.
    """
    size = data.recording.stimuli.images.shape[1]
    given = FrozenConfigDict(config)
    config = FrozenConfigDict(settled(config, size))
    folder = pathlib.Path(workdir, 'checkpoints')
    check(config, data.recording)
    notes = []
    if config.decoder.choose == 'validation':
        choice.check(config, data.recording)
        config, note = choice.choose(
            config, data, folder, fit_once, reconstruct
        )
        notes.append(note)
    fitted = fit_once(
        data,
        config,
        folder / 'encoder',
        folder / 'decoder',
        functools.partial(
            metrics.logger, workdir, tensorboard=config.log.tensorboard
        ),
    )
    return fitted._replace(
        notes=[*notes, *fitted.notes],
        config=None if config.to_dict() == given.to_dict() else config,
    )


def fit_once(
    data: Data,
    config: ConfigDict,
    encoder_folder: pathlib.Path,
    decoder_folder: pathlib.Path,
    log: Callable[[str], Log | None] = lambda stage: None,
) -> Fitted:
    """`fit` with settings as they are, and the checkpoints' folders.

    `log` gives each stage what it tells its metrics (`training.loop.train`).
    """
    config = FrozenConfigDict(config)
    start = starts.read(config)
    parts = split(data, config)
    backbone = load_backbone(
        config.encoder,
        config.seed,
        config.compute_dtype,
        config.size,
        channels.number(config),
    )
    encoder = build_encoder(config, data.recording.voxels)
    encoder_variables, encoder_history = fit_encoder(
        config,
        encoder,
        backbone,
        parts,
        encoder_folder,
        log=log('encoder'),
        start=start,
    )
    encoder_variables = subjects.of(encoder_variables)
    frozen = freeze(config, encoder, encoder_variables, backbone)
    snr, notes = voxel_snr(config, data.normalised, parts, encoder, frozen)
    if config.decoder.encoder_decoder and config.decoder.pictures_draws:
        frozen['readout'], note = readout.fit(
            config, encoder, frozen, parts.paired, parts.images, parts.pictures
        )
        notes.append(note)
    decoder_variables, decoder_history = fit_decoder(
        config,
        encoder,
        frozen,
        parts,
        snr,
        decoder_folder,
        log('decoder'),
        start,
    )
    if parts.others:
        notes.append(
            'The encoder shares what sees pictures with those of '
            f'{len(parts.others)} other subjects: '
            + ', '.join(other.subject for other in data.others)
            + '.'
        )
    if start:
        notes.append(starts.in_words(start, config))
    if learned_from_test(config):
        notes.append(
            'Transductive: the decoder-encoder loss was trained on the fMRI '
            'of the test trials.'
        )
    return Fitted(
        encoder_variables,
        decoder_variables,
        frozen,
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
      [trials, size, size, 3] float32 in 0..1; depth alone is grey.
    """
    return channels.shown(reconstruct_all(fitted, fmri, config))


def reconstruct_all(
    fitted: Fitted, fmri: np.ndarray, config: ConfigDict
) -> np.ndarray:
    """`reconstruct` with all channels, [trials, size, size, channels]."""
    decoder = build_decoder(FrozenConfigDict(fitted.config or config))
    return map_batches(
        functools.partial(_decode, decoder, fitted.decoder), fmri
    )
