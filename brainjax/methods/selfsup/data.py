"""What training sees, and what is wrong with a config before it begins."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.methods import data as methods_data
from brainjax.methods.config import check_values
from brainjax.methods.data import NOTHING, Data, Given, Loaded
from brainjax.methods.selfsup import channels, subjects
from brainjax.methods.selfsup.config import settled
from brainjax.methods.selfsup.networks import (
    backbone_features,
    build_decoder,
    build_encoder,
    load_backbone,
)
from brainjax.methods.selfsup.steps import build_optimizer
from brainjax.networks import weights
from brainjax.networks.backbones import backbone, midas
from brainjax.networks.initializers import RELEASES
from brainjax.recordings import (
    Recording,
    Trials,
    average_repeats,
    split_trials,
)
from brainjax.recordings.reliability import snr_from_repeats
from brainjax.training import parallel
from brainjax.training.state import COMPUTE_TYPES

# The keys that each training depends on; the decoder's has the encoder's, too.
ENCODER_KEYS = (
    *('seed', 'size', 'channels', 'compute_dtype'),
    *('validation', 'unpaired_fmri'),
    'encoder',
)
DECODER_KEYS = (
    *ENCODER_KEYS,
    *('transductive_test_fmri', 'voxel_snr', 'image_loss', 'decoder'),
)
CHOICES = {
    'channels': tuple(channels.CHANNELS),
    'depth.network': ('', *midas.SIZES),
    'compute_dtype': COMPUTE_TYPES,
    'voxel_snr': ('encoder', 'repeats', 'uniform', 'transductive_source'),
    'encoder.kind': ('separable', 'dense'),
    'encoder.release': tuple(RELEASES),
    'decoder.release': tuple(RELEASES),
    'encoder.map_padding': ('reflect', 'symmetric'),
    'encoder.select': ('validation', 'last'),
    'image_loss.distance': ('cosine', 'absolute'),
    'decoder.dense_neighbours': (4, 8),
    'decoder.dense_padding': ('reflect', 'symmetric'),
    'decoder.select': ('validation', 'last'),
    'decoder.choose': ('config', 'validation'),
}
SIMULATED = 32  # Pixels of a simulated subject's pictures with size 0.
# What the numbers of a config have to be.
BOUNDS = {
    'a whole number from 1': (
        'checkpoint_every',
        *('encoder.epochs', 'encoder.steps', 'encoder.channels'),
        *('encoder.kernels', 'encoder.strides'),
        *('decoder.epochs', 'decoder.steps', 'decoder.channels'),
        *('decoder.kernel', 'decoder.groups', 'decoder.choice_folds'),
        *('decoder.batch_paired', 'decoder.batch_pictures'),
        'decoder.batch_fmri',
    ),
    'a number above 0': (
        *('encoder.learning_rate', 'encoder.drops', 'encoder.width'),
        *('decoder.learning_rate', 'decoder.drops', 'image_loss.width'),
    ),
    'a number from 0': (
        *('encoder.cosine', 'encoder.convolutions', 'encoder.second_moment'),
        *('encoder.map_uses', 'encoder.map_absolute', 'encoder.map_neighbour'),
        *('encoder.channel_mix', 'encoder.branch_mix', 'encoder.shift'),
        *('encoder.dense_absolute', 'encoder.dense_group'),
        'encoder.convolutions_square',
        *('image_loss.tap_weights', 'image_loss.pixels', 'image_loss.depth'),
        *('image_loss.variation', 'decoder.paired', 'decoder.encoder_decoder'),
        *('decoder.decoder_encoder', 'decoder.cycle_cosine'),
        *('decoder.dense_absolute', 'decoder.dense_group'),
        *('decoder.convolutions', 'decoder.pictures_shift'),
        *('decoder.pictures_noise', 'encoder.layers', 'decoder.blocks'),
    ),
    'a part above 0 and up to 1': ('decoder.choice_epochs',),
    'a part from 0 to below 1': (
        *('validation', 'unpaired_fmri', 'encoder.dropout'),
        'decoder.pictures_dropout',
    ),
}


class TrainingData(NamedTuple):
    """What training sees; pictures are uint8 [n, size, size, channels].

    Attributes:
      train: single trials of most training stimuli, for the encoder.
      validation: averaged trials of the others.
      paired: single trials that the decoder learns from: `train`, or with
        `config.decoder.all_pairs` those of the validation stimuli, too.
      images: of all stimuli.
      unpaired_fmri: [n, voxels], or None.
      unpaired: the single trials behind it where their stimuli are known, of
        which averages can be drawn; or None.
      pictures: unpaired.
      fingerprints: of the `methods.data.Data` it was split from.
      others: other subjects, for the encoder.
    """

    train: Trials
    validation: Trials
    paired: Trials
    images: np.ndarray
    unpaired_fmri: np.ndarray | None
    unpaired: Trials | None
    pictures: np.ndarray
    fingerprints: dict[str, str]
    others: tuple[subjects.Subject, ...] = ()


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names: recording, unpaired pictures.

    With `config.size` 0 pictures have the size that the recording's have. Where
    `config.channels` has depth, its maps come with them; where it is depth
    alone they take the pictures' place.
    """
    check_values(config, BOUNDS)  # Reading or drawing pictures takes minutes.
    check_known('config.channels', config.channels, channels.CHANNELS)
    loaded = _load_pictures(config, given)
    if config.recording.others:
        size = loaded.recording.stimuli.images.shape[1]
        others = subjects.load(settled(config, size))
        loaded = loaded._replace(others=others)
    if channels.number(config) == 3:
        return loaded
    return channels.with_depth(config, loaded, given)


def _load_pictures(config: ConfigDict, given: Given) -> Loaded:
    if config.size:
        return methods_data.load(config, given)
    if not config.recording.path and given.recording is None:
        return methods_data.load(settled(config, SIMULATED), given)
    recording = methods_data.load_recording(config, given=given)
    size = recording.stimuli.images.shape[1]
    pictures, notes, names = methods_data.load_pictures(
        settled(config, size), given
    )
    pictures, told = methods_data.like_stimuli(config, recording, pictures)
    return Loaded(recording, pictures, [*notes, *told], names)


def split(data: Data, config: ConfigDict) -> TrainingData:
    """Splits the training trials, by stimulus, into what the losses need.

    Raises:
      InputError: picture sizes differ from the config's, or the DE loss is
        asked for without unpaired fMRI.
    """
    recording, pictures, size = data.normalised, data.pictures, config.size
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
    aside = stimuli[held_out : held_out + aside]
    rest, unpaired = split_trials(rest, aside)
    if not len(rest):
        raise InputError(
            f'{recording.source}: no training trial is left beside '
            'config.validation and config.unpaired_fmri; lower them.'
        )
    paired = rest
    if config.decoder.all_pairs:
        paired, _ = split_trials(recording.train, aside)
    fmri, trials = recording.unpaired_fmri, None
    if config.transductive_test_fmri:
        fmri, trials = data.test.fmri, recording.test
    elif fmri is None and len(unpaired):
        fmri, trials = unpaired.fmri, unpaired
    if config.decoder.decoder_encoder and fmri is None:
        raise InputError(
            f'{recording.source} has no unpaired fMRI for the DE loss; set '
            'aside training trials with config.unpaired_fmri=0.1, or set '
            'config.decoder.decoder_encoder=0.'
        )
    return TrainingData(
        rest,
        average_repeats(validation) if len(validation) else validation,
        paired,
        channels.of_stimuli(config, recording.stimuli),
        fmri,
        trials,
        channels.of_pictures(config, pictures, data.depth),
        data.fingerprints,
        subjects.prepared(config, data.others),
    )


def average_some(
    trials: Trials, stimulus: int, part: float, rng: np.random.Generator
) -> np.ndarray:
    """Averages some repeats of a stimulus, drawn without replacement.

    Args:
      trials: single ones.
      stimulus: one of theirs.
      part: of its n repeats, of which int(n part) are drawn, at least one: 11
        of 35 for the published .33.
      rng: draws them.

    Returns:
      [voxels].
    """
    repeats = np.flatnonzero(trials.stimulus == stimulus)
    drawn = rng.permutation(repeats)[: max(1, int(len(repeats) * part))]
    return np.mean(trials.fmri.take(drawn, axis=0), axis=0)


def check(config: ConfigDict, recording: Recording) -> None:
    """Checks that both networks can be built and trained.

    Nothing is trained: the networks are built from shapes alone.

    Raises:
      InputError: naming the key and the fix.
    """
    for name, known in CHOICES.items():
        value = _value(config, name)
        if value not in known:
            check_known(f'config.{name}', value, map(str, known))
    check_values(config, BOUNDS)
    if not 0 < config.decoder.fmri_repeats <= 1:
        raise InputError(
            f'config.decoder.fmri_repeats is {config.decoder.fmri_repeats}; '
            'give the part of the repeats to average, above 0 and up to 1.'
        )
    if config.decoder.all_pairs and config.decoder.select == 'validation':
        raise InputError(
            "config.decoder.select='validation' chooses the epoch on stimuli "
            'that config.decoder.all_pairs has the decoder learn from; set '
            "one of them to 'last' or to False."
        )
    if config.decoder.pictures_draws and config.decoder.pictures_dropout:
        raise InputError(
            'config.decoder.pictures_draws draws what '
            'config.decoder.pictures_dropout would drop; set one of them to 0.'
        )
    if config.depth.network:
        weights.check_fetched(config.depth.network)
    _check_voxel_snr(config, recording)
    if config.encoder.kind == 'separable':
        for name in ('pools', 'kernels', 'strides'):
            _check_lengths(config, 'encoder.taps', f'encoder.{name}')
    _check_lengths(config, 'image_loss.taps', 'image_loss.tap_weights')
    if not (config.decoder.paired or config.decoder.encoder_decoder):
        raise InputError(
            'config.decoder.paired and config.decoder.encoder_decoder are '
            'both 0; one of them has to teach the decoder pictures.'
        )
    parallel.check_batch(config.encoder.batch, 'config.encoder.batch')
    for section in (config.encoder, config.decoder):
        build_optimizer(section)
    _features(config, 'image_loss')
    channels.stored_scale(config)
    _check_encoder(config, recording.voxels)
    jax.eval_shape(
        build_decoder(config).init,
        jax.random.key(0),
        jnp.zeros((1, recording.voxels)),
    )


def _value(config: ConfigDict, name: str) -> Any:
    for part in name.split('.'):
        config = config[part]
    return config


def _check_lengths(config: ConfigDict, first: str, second: str) -> None:
    a, b = (_value(config, name) for name in (first, second))
    if len(a) != len(b):
        raise InputError(
            f'config.{first} names {len(a)} taps and config.{second} has '
            f'{len(b)} entries; give one to each tap.'
        )


def _check_voxel_snr(config: ConfigDict, recording: Recording) -> None:
    stimuli = len(np.unique(recording.train.stimulus))
    if config.voxel_snr == 'transductive_source' and recording.snr is None:
        raise InputError(
            f'{recording.source} brings no SNR; set config.voxel_snr to '
            "'encoder' or 'uniform'."
        )
    if config.voxel_snr == 'encoder' and round(config.validation * stimuli) < 3:
        raise InputError(
            "config.voxel_snr='encoder' needs three validation stimuli; raise "
            "config.validation or choose 'uniform'."
        )
    if config.voxel_snr == 'repeats':
        snr_from_repeats(recording.train)


def _check_encoder(config: ConfigDict, voxels: int) -> None:
    c = config.encoder
    if not c.taps:
        raise InputError('config.encoder.taps is empty; name one at least.')
    params = jax.eval_shape(
        build_encoder(config, voxels).init,
        jax.random.key(0),
        _features(config, 'encoder'),
    )['params']
    maps = sum(name.startswith('space_') for name in params)
    if maps > len(c.map_uses):
        raise InputError(
            f'config.encoder.map_uses has {len(c.map_uses)} entries for '
            f'spatial maps of {maps} widths; give one to each, widest first.'
        )


def _features(config: ConfigDict, name: str) -> dict[str, Any]:
    """Shapes of a section's taps for one picture."""
    section = config[name]
    picture = channels.shape_of_one(config)
    try:
        return jax.eval_shape(
            functools.partial(backbone_features, section),
            _shapes(section, name, config.size, channels.number(config)),
            picture,
        )
    except InputError:
        raise
    except ValueError as error:  # The picture is too small for the tap.
        sentence = str(error).splitlines()[0]
        raise InputError(f'config.{name}.taps: {sentence}') from error


def _shapes(section: ConfigDict, name: str, size: int, seen: int) -> Any:
    """Shapes of a backbone's weights, which must be its own and be there."""
    backbone(section.backbone, 'encoder')
    family = section.backbone.removesuffix('_stride2')
    published = [
        each
        for each, source in weights.SOURCES.items()
        if source.backbone == family and source.channels == seen
    ]
    check_known(
        f'config.{name}.weights', section.weights, ('random', *published)
    )
    if section.weights == 'random':
        return jax.eval_shape(
            lambda: load_backbone(section, 0, size=size, channels=seen)
        )
    weights.check_fetched(section.weights)
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        weights.shapes(section.weights),
        is_leaf=lambda shape: isinstance(shape, tuple),
    )


def learned_from_test(config: ConfigDict) -> bool:
    """Whether the DE loss is trained on test fMRI; its weight may be 0."""
    return bool(
        config.transductive_test_fmri and config.decoder.decoder_encoder
    )
