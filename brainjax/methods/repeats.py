"""Reconstructions from fewer repeats than a recording has."""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import ceilings
from brainjax.evaluation.ceilings import Repeats
from brainjax.methods.data import Data
from brainjax.pictures import operations


def fewer_trials(
    reconstruct: Callable,
    fitted: Any,
    data: Data,
    config: ConfigDict,
    folder: pathlib.Path,
) -> Repeats | None:
    """Reconstructs from averages of fewer trials than there are.

    Args:
      reconstruct: of the method.
      fitted, data, config: what it takes, and what it was fitted on.
      folder: of the run.

    Returns:
      None where no test picture has repeats.
    """
    test = data.normalised.test
    averages = ceilings.plan(test.stimulus, data.test.stimulus, config.seed)
    if averages is None:
        return None
    fmri = ceilings.average(test, averages)
    shape = data.recording.stimuli.images.shape[1:]
    images = np.empty((len(fmri), *shape), np.uint8)
    for k in np.unique(averages.trials):
        rows = averages.trials == k
        # Files of theirs, and how many trials they expect, if they have any.
        new = {'folder': folder / 'repeats' / str(k), 'repeats': float(k)}
        fields = getattr(fitted, '_fields', ())
        new = {name: value for name, value in new.items() if name in fields}
        now = fitted._replace(**new) if new else fitted
        found = reconstruct(now, fmri[rows], config)
        images[rows] = operations.to_uint8(found)
    return Repeats(images, *averages[1:])
