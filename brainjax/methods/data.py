"""What all methods share: the data of a run, and what is found besides."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.io import provenance
from brainjax.methods.unpaired import without_test, without_tested
from brainjax.networks import frozen
from brainjax.pictures import loading, on_disk, operations
from brainjax.recordings import (
    Recording,
    Trials,
    average_repeats,
    format_of,
    need_pictures,
    open_recording,
    options_of,
    parse_options,
    preparing,
    select_roi,
)
from brainjax.recordings.description import problems_of
from brainjax.recordings.formats import digits69
from brainjax.simulation import subject


class Data(NamedTuple):
    """What a method learns from and is tested on, made once for a run.

    Attributes:
      recording: as it was opened.
      normalised: the same, each voxel z-scored by its training trials, or as
        `prepare` was told.
      test: its test trials, averaged over the repeats of a stimulus.
      pictures: [n, size, size, 3] uint8, unpaired; n may be 0.
      fingerprints: hashes of all that may be learned from, 'recording' and
        'pictures', whatever files are called.
      problems: sentences on what to know before trusting the run.
      test_kept: how many test pictures are among the unpaired ones, because
        the config keeps them.
      depth: [n, size, size] uint8 of the unpaired pictures, or None; that of
        the stimuli is in the recording.
      others: recordings of other subjects, to learn from as well, without
        trials of the test pictures.
    """

    recording: Recording
    normalised: Recording
    test: Trials
    pictures: np.ndarray
    fingerprints: dict[str, str]
    problems: list[str]
    test_kept: int = 0
    depth: np.ndarray | None = None
    others: tuple[Recording, ...] = ()


class Given(NamedTuple):
    """What a caller holds already, in place of what a config names.

    Attributes:
      recording: None for the config's.
      pictures: unpaired, all that `pictures.load` takes; None for the config's.
    """

    recording: Recording | None = None
    pictures: Any = None


NOTHING = Given()


class Figure(NamedTuple):
    """Arrays to draw, and what to say of them.

    Attributes:
      title, caption: for the report.
      kind: which of `reports.DRAWINGS` draws it.
      values: what that takes, by name.
    """

    title: str
    caption: str
    kind: str
    values: dict[str, Any]


class Findings(NamedTuple):
    """What a method tells a report beside the pictures' own scores.

    Attributes:
      method: what made the pictures, as in 'from brain activity by X'.
      transductive: whether test responses took part in fitting. (Test pictures
        among the unpaired ones are told by `Data.test_kept`.)
      scores: name -> as in scores.json.
      figures: in the order of the report.
      notes: sentences.
      arrays: what reconstructions.npz gets beside images and names, by name.
      ceiling: [n, height, width, 3] what the method makes of the test pictures
        without noise, float32 in 0..1; None if that is not known.
      ceiling_from: from what, as in 'from true features'.
      references: `methods.references.References`, where the method has fitted
        them; else the run does.
      fitting: how responses became pictures, sentences for a paper's methods.
      voxels: name -> [voxels], see `evaluation.voxel_values`.
    """

    method: str
    transductive: bool
    scores: dict[str, dict[str, float]]
    figures: list[Figure]
    notes: list[str]
    arrays: Mapping[str, np.ndarray] = MappingProxyType({})
    references: Any = None
    fitting: str = ''
    ceiling: np.ndarray | None = None
    ceiling_from: str = ''
    voxels: Mapping[str, np.ndarray] = MappingProxyType({})


def prepare(
    recording: Recording,
    pictures: np.ndarray,
    notes: Sequence[str] = (),
    names: Sequence[str] = (),
    depth: np.ndarray | None = None,
    others: Sequence[Recording] = (),
    keep_test: bool = False,
    scale: str = 'train',
) -> Data:
    """Normalises a recording by its training trials and averages its test.

    Test pictures among the unpaired ones are left out: from them a method
    could draw what was seen from memory.

    Args:
      recording, pictures, notes, names, depth, others: as `load` returns
        them.
      keep_test: keep them, which makes a run transductive.
      scale: see `recordings.preparing.scale`.
    """
    normalised = preparing.scale(recording, scale)
    rows, told, kept = without_test(recording, pictures, names, keep_test)
    if rows is not None:
        pictures = on_disk.select(pictures, rows)
        depth = None if depth is None else depth[rows]
    others, more = without_tested(others, recording)
    return Data(
        recording,
        normalised,
        average_repeats(normalised.test),
        pictures,
        fingerprints(recording, pictures, depth, others),
        [*problems_of(recording), *notes, *told, *more],
        kept,
        depth,
        others,
    )


def fingerprints(
    recording: Recording,
    pictures: np.ndarray,
    depth: np.ndarray | None = None,
    others: Sequence[Recording] = (),
) -> dict[str, str]:
    """Returns hashes of all that may be learned from, whatever it is called."""
    return {
        'recording': hash_recording(recording),
        **{
            f'other recording {i + 1}': hash_recording(other)
            for i, other in enumerate(others)
        },
        'pictures': provenance.hash_arrays(
            pictures,
            *(x for x in (recording.stimuli.depth, depth) if x is not None),
        ),
    }


def hash_recording(recording: Recording) -> str:
    """Returns a hash of all that a method may learn from."""
    parts = [recording.train, recording.test]
    if recording.imagery is not None:
        parts.append(recording.imagery)
    arrays = recording.stimuli.images, recording.unpaired_fmri, recording.snr
    return f'{hash_trials(*parts)}{provenance.hash_arrays(*arrays)}'


def hash_trials(*parts: Trials) -> str:
    """Returns a hash of responses and of the stimuli that evoked them."""
    digest = hashlib.sha256()
    for trials in parts:
        digest.update(np.ascontiguousarray(trials.stimulus))
        provenance.add_rows(digest, trials.fmri)
    return digest.hexdigest()


class Loaded(NamedTuple):
    """What a config names, as `prepare` takes it.

    Attributes:
      recording: as it was opened.
      pictures: [n, size, size, 3] uint8, unpaired.
      notes: sentences on what was skipped or filled in among these.
      names: of the pictures, n, or none if they have none.
      depth: [n, size, size] uint8 of the pictures, or None.
      others: recordings of other subjects.
    """

    recording: Recording
    pictures: np.ndarray
    notes: Sequence[str] = ()
    names: Sequence[str] = ()
    depth: np.ndarray | None = None
    others: tuple[Recording, ...] = ()


def load(config: ConfigDict, given: Given = NOTHING) -> Loaded:
    """Opens or simulates what a config names and is not given."""
    recording = load_recording(config, given=given)
    pictures, notes, names = load_pictures(config, given)
    pictures, told = like_stimuli(config, recording, pictures)
    return Loaded(recording, pictures, [*notes, *told], names)


def like_stimuli(
    config: ConfigDict, recording: Recording, pictures: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Brings unpaired pictures to what all training stimuli share, if asked."""
    if not (config.pictures.like_stimuli and len(pictures)):
        return pictures, []
    shown = np.unique(recording.train.stimulus)
    pictures, told = operations.alike(pictures, recording.stimuli.images[shown])
    return pictures, [
        f'The unpaired pictures were {each}, as the training stimuli are.'
        for each in told
    ]


def load_recording(
    config: ConfigDict, fit: str = 'centre', given: Given = NOTHING
) -> Recording:
    """Opens the recording that a config names, or simulates a subject.

    Args:
      config: of the experiment.
      fit: how pictures come to the config's size; see `pictures.load`.
      given: its recording is taken instead.
    """
    if given.recording is not None:
        return restrict(_at_size(given.recording, config.size, fit), config)
    if config.recording.path:
        return open_at_size(config, config.size, fit)
    recording = subject.simulated_subject(
        size=config.size, seed=config.seed, **config.simulated
    )
    return restrict(recording, config)


def restrict(recording: Recording, config: ConfigDict) -> Recording:
    """Takes the voxels of the config's ROI; refuses what has no pictures.

    Before unpaired pictures are loaded, which may take minutes.
    """
    roi = config.recording.roi
    recording = select_roi(recording, roi) if roi else recording
    need_pictures(recording)
    return recording


def _at_size(recording: Recording, size: int, fit: str) -> Recording:
    """Brings the pictures to a size; 0 keeps theirs."""
    stimuli = recording.stimuli
    if stimuli.images is None or not size:
        return recording
    images, depth = (
        None if x is None else operations.resize(x, size, fit)
        for x in (stimuli.images, stimuli.depth)
    )
    stimuli = dataclasses.replace(stimuli, images=images, depth=depth)
    return dataclasses.replace(recording, stimuli=stimuli)


def open_at_size(
    config: ConfigDict, size: int, fit: str = 'centre'
) -> Recording:
    """Opens the recording that a config names; see `reading_options`."""
    options = reading_options(config, size, fit)
    return restrict(open_recording(config.recording.path, **options), config)


def reading_options(
    config: ConfigDict, size: int, fit: str = 'centre'
) -> dict[str, Any]:
    """Returns the options with which a config's recording is opened.

    Args:
      config: of the experiment.
      size: of the pictures, in pixels, where the format lets one choose; 0
        for their own.
      fit: how they are brought to it, likewise; see `pictures.load`.
    """
    c = config.recording
    options = parse_options(text for text in c.options.split(';') if text)
    for option, value in (
        ('pictures', c.images),
        ('subject', c.subject),
        ('test', c.test),
    ):
        if value:
            options[option] = value
    if c.fold >= 0 and not c.folds:
        options['test_rows'] = digits69.folds()[c.fold]
    known = options_of(format_of(c.path))
    for option, value in (('size', size), ('fit', fit)):
        if value and option in known:
            options.setdefault(option, value)
    return options


def load_pictures(
    config: ConfigDict, given: Given = NOTHING
) -> tuple[np.ndarray, list[str], Sequence[str]]:
    """Loads or generates the unpaired pictures, if they are not given.

    Returns:
      [n, size, size, 3] uint8 or `OnDisk`, sentences on what is odd, names.
    """
    c, notes = config.pictures, []
    if not c.number:
        return no_pictures(config), notes, ()
    if c.path or given.pictures is not None:
        images, names = loading.load(
            c.path if given.pictures is None else given.pictures,
            config.size,
            limit=c.number,
            seed=config.seed,
            cached=c.on_disk,
            tell=notes.append,
        )
        return on_disk.from_mapped(images), notes, names
    if config.recording.path or given.recording is not None:
        raise InputError(
            'config.pictures.path is empty: name a folder, a .tar or '
            "'tfds:NAME/SPLIT' with unpaired pictures"
            + ('.' if given.recording is None else ', or give `pictures`.')
        )
    images, names, _ = subject.unpaired_scenes(
        c.number,
        seed=config.seed,
        size=config.size,
        pictures=config.simulated.pictures,
    )
    return images, notes, names


def no_pictures(config: ConfigDict) -> np.ndarray:
    """Returns an array of pictures that holds none."""
    return np.empty((0, config.size, config.size, 3), np.uint8)


def made_from(
    fingerprints: Mapping[str, str],
    config: ConfigDict,
    sections: Sequence[str],
    weights: Any = None,
) -> dict[str, Any]:
    """Says what a training sees and how, for its checkpoints.

    How many epochs there are, and how often one is saved, makes no difference:
    a longer training goes on from a shorter one.

    Args:
      fingerprints: of the `Data`.
      config: of the experiment.
      sections: the keys of the config that the training depends on.
      weights: pytree of the frozen networks' parameters, if there are any.
    """
    keys = {key: config[key] for key in sections}
    keys = json.loads(ConfigDict(keys).to_json_best_effort())
    for section in keys.values():
        if isinstance(section, dict):
            section.pop('epochs', None)
    if config.recording.scale != 'train':  # Older checkpoints do not say it.
        keys['scale'] = config.recording.scale
    return {
        **fingerprints,
        'weights': frozen.hash_weights(weights or {}),
        'config': keys,
    }
