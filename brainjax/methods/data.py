"""The subject and the unpaired pictures of an experiment, read or simulated.

For every method but that of faces, see `face_pictures`.
"""

from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.pictures import loading
from brainjax.recordings import (
    Recording,
    format_of,
    open_recording,
    options_of,
    parse_options,
)
from brainjax.recordings.formats import digits69
from brainjax.simulation import subject


def load_recording(config: ConfigDict) -> Recording:
    """Opens the recording that a config names, or simulates a subject.

    Raises:
      InputError: the file cannot be used.
    """
    if config.recording.path:
        return open_at_size(config, config.size)
    return subject.simulated_subject(
        size=config.size, seed=config.seed, **config.simulated
    )


def open_at_size(config: ConfigDict, size: int) -> Recording:
    """Opens the recording that a config names.

    Args:
      config: of the experiment.
      size: of the pictures, in pixels, where the format lets one choose.

    Raises:
      InputError: the file cannot be used.
    """
    c = config.recording
    options: dict[str, Any] = parse_options(
        text for text in c.options.split(';') if text
    )
    for option, value in (
        ('pictures', c.images),
        ('subject', c.subject),
        ('test', c.test),
    ):
        if value:
            options[option] = value
    if c.fold >= 0:
        options['test_rows'] = digits69.folds()[c.fold]
    if 'size' in options_of(format_of(c.path)):
        options.setdefault('size', size)
    return open_recording(c.path, **options)


def load_pictures(config: ConfigDict) -> np.ndarray:
    """Loads or generates the unpaired pictures, [n, size, size, 3] uint8.

    Raises:
      InputError: the source cannot be used.
    """
    c = config.pictures
    if c.path:
        images, _ = loading.load(
            c.path, config.size, limit=c.number, seed=config.seed
        )
        return images
    if config.recording.path:
        raise InputError(
            'config.pictures.path is empty: name a folder, a .tar or '
            "'tfds:NAME/SPLIT' with unpaired pictures."
        )
    return subject.unpaired_scenes(
        c.number, seed=config.seed, size=config.size
    )[0]
