"""What the self-supervised method tells beside its pictures.

How well the encoder predicts the test trials, where and in which layer each
voxel looks by it, and how training went.
"""

from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.evaluation.voxels import encoding, receptive_fields
from brainjax.methods.data import Data, Figure, Findings
from brainjax.methods.selfsup import channels, depth, voxels
from brainjax.methods.selfsup.data import learned_from_test
from brainjax.methods.selfsup.method import Fitted, reconstruct
from brainjax.methods.selfsup.networks import (
    adapted,
    build_encoder,
    feature_shapes,
    to_float,
    unit_offsets,
    unit_places,
)
from brainjax.methods.selfsup.packing import encode
from brainjax.training.batches import map_batches
from brainjax.training.loop import History

TRIALS = 400  # Of the training set, that receptive fields are fitted to.
AT_A_TIME = 64
# config.voxel_snr, in words.
_WEIGHTS = {
    'encoder': "by the encoder's accuracy on validation trials",
    'repeats': 'by the signal to noise of repeated training trials',
    'uniform': 'equally',
    'transductive_source': 'by the signal to noise that the recording states',
}


class Biology(NamedTuple):
    """See `evaluation.receptive_fields`."""

    fields: receptive_fields.Fields
    preference: receptive_fields.Preference


def findings(fitted: Fitted, data: Data, config: ConfigDict) -> Findings:
    """Scores the encoder on the test stimuli and shows the training."""
    config = fitted.config or config
    recording, test = data.recording, data.test
    seen = channels.of_stimuli(config, recording.stimuli)
    predicted = encode(fitted, seen[test.stimulus], config)
    correlation = encoding.voxel_correlation(predicted, test.fmri)
    by_region = encoding.by_region(
        predicted, test.fmri, recording.rois, recording.noise_ceiling
    )
    found = _biology(fitted, data, config)
    near = depth.of(fitted, data, config)
    c = config.decoder
    parts = {
        'D': c.paired,
        'ED': c.encoder_decoder,
        'DE': c.decoder_encoder,
    }
    return Findings(
        f'the self-supervised encoder and decoder ({config.paper}; losses '
        + ' + '.join(name for name, weight in parts.items() if weight)
        + ')',
        learned_from_test(config)
        or config.voxel_snr.startswith('transductive'),
        {
            'encoder_correlation': encoding.score(predicted, test.fmri),
            **{
                f'encoder_correlation_in_{name}': entry
                for name, entry in by_region.items()
            },
            **(near.scores if near else {}),
        },
        [
            *(near.figures if near else []),
            Figure(
                'Encoder on the test stimuli',
                'Correlation of predicted and measured responses, voxel by '
                'voxel, against the noise ceiling where it is known.',
                'voxel_correlation',
                {
                    'correlation': correlation,
                    'noise_ceiling': recording.noise_ceiling,
                    'rois': recording.rois,
                },
            ),
            *_fields(found, data, config),
            *(
                Figure(
                    f'Training of the {name}',
                    'Blue: means over an epoch of training; orange: on '
                    'validation stimuli, higher is better.',
                    'loss_curves',
                    {'history': _in_use(history)},
                )
                for name, history in fitted.history.items()
            ),
        ],
        [*fitted.notes, *_in_words(by_region)],
        arrays=near.maps if near else {},
        fitting=in_words(config),
        ceiling=reconstruct(fitted, predicted, config)
        if config.ceilings
        else None,
        ceiling_from="from the encoder's prediction of the response",
        voxels={
            'encoder_correlation': correlation,
            **voxels.of_decoder(fitted, test.fmri, config),
            **(voxels.of_encoder(*found) if found else {}),
        },
    )


def in_words(config: ConfigDict) -> str:
    """How responses became pictures, for a paper's methods."""
    encoder, decoder = config.encoder, config.decoder
    held_out = config.validation and (
        f'{100 * config.validation:g} % of the training stimuli were held out '
        'for validation. '
    )
    weights = {
        'D on paired training trials': decoder.paired,
        'ED on unpaired pictures': decoder.encoder_decoder,
        'DE on unpaired fMRI': decoder.decoder_encoder,
    }
    chosen = (
        f' Settings were chosen by {decoder.choice_folds} folds of training '
        'stimuli.'
    )
    losses = [f'{name} (weight {w:g})' for name, w in weights.items() if w]
    return (
        f'{held_out or ""}An encoder ({encoder.kind}, on frozen features '
        f'{", ".join(encoder.taps)} of {encoder.backbone}, weights '
        f'{encoder.weights}) learned responses from pictures '
        f'({_trained(encoder, config)}). It was then frozen, and a decoder '
        f'learned pictures from responses by the losses {", ".join(losses)} '
        f'({_trained(decoder, config)}'
        + (
            '; paired trials included the validation stimuli'
            if decoder.all_pairs and config.validation
            else ''
        )
        + f'). Voxels were weighted {_WEIGHTS[config.voxel_snr]}.'
        + (chosen if decoder.choose == 'validation' else '')
    )


def _trained(section: ConfigDict, config: ConfigDict) -> str:
    """'12 epochs of 10 steps, adam, ..., the last epoch'."""
    chosen = section.select == 'validation' and config.validation
    epoch = (
        'the best epoch on validation stimuli' if chosen else 'the last epoch'
    )
    return (
        f'{section.epochs} epochs of {section.steps} steps, '
        f'{section.optimizer}, learning rate {section.learning_rate:g}, '
        f'{epoch}'
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
    by_region = {
        name: score
        for name, score in by_region.items()
        if np.isfinite(score['value'])
    }
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
    found: Biology | None, data: Data, config: ConfigDict
) -> list[Figure]:
    """The receptive fields that the separable encoder has."""
    if found is None:
        return []
    return [
        Figure(
            'What the voxels see, by the encoder',
            'Centres of receptive fields, of voxels that they predict with a '
            f'correlation of {receptive_fields.LOCATED} or more; their size '
            'against eccentricity (lines: medians); and what each tap of the '
            'network, from early to late, has in the response.',
            'receptive_fields',
            {
                'fields': found.fields,
                'preference': found.preference,
                'layers': config.encoder.taps,
                'rois': data.recording.rois,
            },
        )
    ]


def _biology(fitted: Fitted, data: Data, config: ConfigDict) -> Biology | None:
    if config.encoder.kind != 'separable':
        return None
    train = data.normalised.train
    seen = channels.of_stimuli(config, data.recording.stimuli)
    shown = seen[train.stimulus[:TRIALS]]
    return biology(fitted, shown, train.fmri, config)


def biology(
    fitted: Fitted, images: np.ndarray, fmri: np.ndarray, config: ConfigDict
) -> Biology:
    """Estimates where and in which layer each voxel looks.

    Args:
      fitted: from `fit`, with a separable encoder.
      images: [n, size, size, channels] uint8, a training trial's each; the
        first 400 are used.
      fmri: [n, voxels] the trials' responses.
      config: of the experiment.
    """
    config = FrozenConfigDict(fitted.config or config)
    backbone, variables = fitted.frozen['encoder_backbone'], fitted.encoder
    encoder = build_encoder(config, len(fitted.snr))
    images, fmri = images[:TRIALS], fmri[:TRIALS]

    def seen(images):
        return adapted(config, encoder, variables, backbone, to_float(images))

    activations = map_batches(seen, images, AT_A_TIME)
    offsets = unit_offsets(
        config, encoder, variables, backbone, images[:AT_A_TIME]
    )
    places = [
        own + offset[:, None]
        for own, offset in zip(unit_places(config, encoder, backbone), offsets)
    ]
    *weights, _ = encoder.fold(
        variables['params'], feature_shapes(config, backbone)
    )
    return Biology(
        receptive_fields.fit_responses(
            activations, encoder.mixes(variables['params']), places, fmri
        ),
        receptive_fields.preference(
            activations, [np.asarray(w) for w in weights]
        ),
    )
