"""The settings that every method has, and what numbers have to be."""

from collections.abc import Mapping, Sequence

import numpy as np
from flax.traverse_util import flatten_dict
from ml_collections import ConfigDict

from brainjax.errors import InputError

# What a setting has to be -> whether it is. NaN is refused by each.
KINDS = {
    'a whole number from 1': lambda x: (x >= 1) & (x < np.inf),
    'a number above 0': lambda x: (x > 0) & (x < np.inf),
    '0 or a number above 1': lambda x: (x == 0) | ((x > 1) & (x < np.inf)),
    'a number from 0': lambda x: (x >= 0) & (x < np.inf),
    'a part from 0 to below 1': lambda x: (x >= 0) & (x < 1),
    'a part above 0 and up to 1': lambda x: (x > 0) & (x <= 1),
}


def check_values(
    config: ConfigDict, bounds: Mapping[str, Sequence[str]]
) -> None:
    """Refuses settings without sense, before anything is read or computed.

    Args:
      config: of a method.
      bounds: of KINDS -> keys; of a tuple each item has to be so. Of drops of
        a learning rate, ((epoch, factor), ...), it is the factors.
    """
    c = config.recording
    if c.tests and c.test not in c.tests:
        raise InputError(
            f'config.recording.tests is {c.tests}, which brainjax run takes '
            'and nothing else; name one set by config.recording.test.'
        )
    flat = flatten_dict(config.to_dict(), sep='.')
    for kind, names in bounds.items():
        for name in names:
            values = flat[name]
            if name.endswith('drops'):
                values = _factors(name, values)
            values = np.atleast_1d(values)
            if not KINDS[kind](values).all():
                shown = ', '.join(f'{value:g}' for value in values)
                raise InputError(f'config.{name} is {shown}; give {kind}.')


def _factors(name: str, drops: Sequence) -> list[float]:
    """Returns the factors of drops of a learning rate."""
    pairs = [np.shape(drop) == (2,) and drop[0] >= 0 for drop in drops]
    if not all(pairs):
        raise InputError(
            f'config.{name} is {drops}; give pairs of an epoch, counted from '
            '0, and a factor: ((10, 0.2), (20, 0.2)).'
        )
    return [factor for _, factor in drops]


def shared() -> ConfigDict:
    """Returns them, typed but not locked: a method adds its own."""
    c = ConfigDict()
    c.method = ''  # Of `methods.METHODS`.
    c.seed = 0
    c.size = 112  # Height and width of all pictures, in pixels.

    # GiB that a fit may take, where it is bounded; 0 for half of the machine's.
    c.memory_gib = 0.0

    # What was measured. Formats: brainjax inspect PATH.
    c.recording = ConfigDict()
    c.recording.path = ''  # sbj_3.npz, digits69.mat ...; '' simulates.
    # If not '', nothing stands in for the file: what it is and where it is.
    c.recording.required = ''
    c.recording.images = ''  # images_112.npz, a folder, where it wants one.
    c.recording.subject = ''  # Where a folder holds several: '1', '03' ...
    c.recording.test = ''  # Which trials are tested, where there is a choice.
    # Several sets for one fit, a folder each: ('natural', 'shape', 'letter').
    # Deep image reconstruction alone.
    c.recording.tests = ()
    # Further options of the format: 'response=glm;window=[4, 10]'.
    c.recording.options = ''
    # 'V1|V2', 'HVC' ...; '' takes what the format takes: every voxel, but VC
    # of Weizmann's files and nsdgeneral of NSD's.
    c.recording.roi = ''
    # By what voxels are z-scored: 'train', all training trials; 'run' or
    # 'session', the training trials of each, and runs of test trials alone as
    # an average run; 'own_run', all trials of a run, the test's too, as the
    # Keras release of Gaziv et al. 2022 has it: transductive.
    c.recording.scale = 'train'
    # Sets of test stimuli that are scored apart too, by their names:
    # ('shapes=colorExpStim*', 'pictures=n*').
    c.recording.groups = ()
    # From 2: the trials of both parts are divided that often, each fold is
    # fitted apart, and all are scored together; 0 the recording's own split.
    c.recording.folds = 0
    # 'stimulus', 'category', 'cluster', 'run' or 'session': what all trials of
    # are in one fold.
    c.recording.fold_by = 'stimulus'
    # One fold alone, from 0; -1 for all. Without folds: of digits69's own ten.
    c.recording.fold = -1

    # The simulated subject, if recording.path is ''.
    c.simulated = ConfigDict()
    c.simulated.n_train = 300  # Pictures with fMRI to fit on.
    c.simulated.n_test = 50
    c.simulated.n_unpaired_fmri = 300  # Responses to pictures not known.
    c.simulated.train_repeats = 1
    c.simulated.test_repeats = 10
    c.simulated.unpaired_repeats = 1
    c.simulated.pictures = 'scenes'  # Or 'silhouettes', white on black.
    # Part of the responses' variance that follows how near things are; above 0
    # scenes have depth maps.
    c.simulated.depth = 0.0
    c.simulated.noise_ceiling = 0.8  # Of the averaged test responses.
    c.simulated.voxels = ConfigDict(
        {'V1': 200, 'V2': 200, 'V3': 150, 'V4': 150, 'HVC': 200}
    )

    # Pictures without fMRI: a folder, a .tar, 'tfds:NAME/SPLIT' ...
    c.pictures = ConfigDict()
    c.pictures.path = ''  # '' generates scenes for the simulated subject.
    c.pictures.number = 0  # Greatest number to use.
    # Ours: turned grey if all training stimuli are, and given the background
    # that all of these share, such as what surrounds a disc.
    c.pictures.like_stimuli = False
    # Pictures of a path stay in the cache folder, decoded, and are read batch
    # by batch: 50,000 of 112 px are 1.9 GB.
    c.pictures.on_disk = False
    # Test pictures among them are left out; True keeps them: transductive.
    c.pictures.keep_test = False

    # A protocol of `evaluation.presets` to score by as well, and pictures from
    # outside the test set for it, where it wants some; '' takes pictures.path.
    c.preset = ''
    c.distractors = ''
    # Example pictures of classes, or a bank (npz), to classify by.
    c.classes = ''
    # Score -> what a paper reports, see `evaluation.published.papers`.
    c.published = ConfigDict()

    # Arms of brainjax sweep: name -> what it changes, in sections as here.
    c.ablations = ConfigDict()

    # Beside every method: ridge and a closed-form posterior, which choose
    # their settings inside the training trials (see docs/posterior.md).
    c.references = True

    # What noise and the method itself allow: pictures from single trials, from
    # halves and from growing numbers of them, where test stimuli have repeats,
    # and without noise (see docs/evaluation.md). Seconds, where one pass of a
    # network gives a picture.
    c.ceilings = True

    # What brainjax preregister wrote before; the report says what was kept.
    c.preregistration = ConfigDict()
    c.preregistration.path = ''

    # Beside metrics.csv, which every run writes while it goes on.
    c.log = ConfigDict()
    c.log.tensorboard = False  # Event files: tensorboard --logdir WORKDIR.

    # Could anything but brain activity explain the pictures?
    c.audit = ConfigDict()
    c.audit.on = False
    c.audit.clusters = 0  # Fits without one cluster of pictures each.
    c.audit.seeds = 0  # Further fits, with other seeds.
    return c
