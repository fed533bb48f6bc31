"""What the ridge is fitted on, and what is wrong with a config before it is."""

from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known, suggestion
from brainjax.linear import scaling
from brainjax.methods.config import check_values
from brainjax.methods.data import (
    NOTHING,
    Data,
    Given,
    Loaded,
    load_pictures,
    load_recording,
)
from brainjax.methods.inversion import problem
from brainjax.methods.inversion.scales import SCALINGS
from brainjax.pictures import operations
from brainjax.recordings import (
    Recording,
    Trials,
    need_pictures,
    roi_mask,
)


class TrainingData(NamedTuple):
    """What is fitted on.

    Attributes:
      trials: single training trials.
      images: [stimuli, height, width, 3] uint8 of their stimuli, in ascending
        order.
      names: of these stimuli.
    """

    trials: Trials
    images: np.ndarray
    names: list[str]


# What the numbers of a config have to be.
BOUNDS = {
    'a whole number from 1': (
        *('inversion.steps', 'inversion.together', 'network.size', 'size'),
        'decoding.units_at_a_time',
    ),
    'a number above 0': (
        *('decoding.alpha', 'inversion.rate', 'inversion.rate_end'),
        'network.width',
    ),
    'a number from 0': (
        *('decoding.k', 'inversion.recovered', 'inversion.blur'),
        *('inversion.decay', 'inversion.decay_end', 'inversion.momentum'),
        'memory_gib',
    ),
}


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names: recording, unpaired pictures."""
    check_values(config, BOUNDS)
    recording = load_recording(config, config.network.fit, given)
    return Loaded(recording, *load_pictures(config, given))


def training_data(data: Data) -> TrainingData:
    """Returns the training trials and the pictures of their stimuli."""
    train = data.normalised.train
    shown = np.unique(train.stimulus)
    names = [data.recording.stimuli.names[i] for i in shown]
    return TrainingData(train, need_pictures(data.recording)[shown], names)


def check(config: ConfigDict, recording: Recording) -> None:
    """Checks names and numbers of a config, and that its subsets exist."""
    check_settings(config)
    for roi in config.subsets.rois:
        roi_mask(recording.rois, roi, recording.source)


def check_settings(config: ConfigDict) -> None:
    """Checks what can be checked without a recording."""
    check_values(config, BOUNDS)
    check_known('scaling', config.decoding.scaling, SCALINGS)
    check_known('optimiser', config.inversion.optimiser, ('lbfgs', 'descent'))
    check_known('way to fit pictures', config.network.fit, operations.FITS)
    problem.check(problem.from_config(config), config.inversion.generator)
    for text in config.subsets.layers:
        for layer in layers_of(text):
            if layer not in config.network.layers:
                raise InputError(
                    f'config.subsets.layers names {layer!r}, which is not in '
                    'config.network.layers.'
                    f'{suggestion(layer, config.network.layers)}'
                )


def layers_of(text: str) -> list[str]:
    """Returns the layers of an item of `config.subsets.layers`."""
    return [layer.strip() for layer in text.split('|')]


def learned_from_test(config: ConfigDict) -> bool:
    """Whether decoded features are standardised over the test pictures."""
    return SCALINGS[config.decoding.scaling] in scaling.TRANSDUCTIVE
