"""A fitted model on new responses and new pictures, in one pass.

`brainjax reconstruct` and `brainjax encode`. Which trials were measured, and
what was seen in them, a recording says; what it calls training trials is new
to the model as well, unless the model learned from those very stimuli.
"""

import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from brainjax import comparison, cross_validation
from brainjax import model as models
from brainjax.errors import InputError, check_known
from brainjax.evaluation import pixels
from brainjax.io import arrays, files, model_files
from brainjax.methods import METHODS
from brainjax.methods.data import (
    Given,
    hash_recording,
    load_recording,
    reading_options,
)
from brainjax.model import Model
from brainjax.pictures import loading, operations
from brainjax.pictures.names import file_stems
from brainjax.recordings import (
    Recording,
    average_repeats,
    format_of,
    normalise,
    open_recording,
    options_of,
    preparing,
    roi_mask,
    select_roi,
)
from brainjax.recordings import volume as volumes

TRIALS = ('test', 'train', 'imagery', 'all')
SCALES = ('model', 'session', 'run', 'own_run')
_NEAR = 0.05  # Of a voxel's width: one voxel's places may differ by rounding.


class Options(NamedTuple):
    """What `brainjax reconstruct` is asked for.

    Attributes:
      trials: of TRIALS.
      single: each trial alone, not the average of a stimulus.
      scale: 'model', the mean and standard deviation of the trials that the
        model learned from; 'session', those of the recording's own training
        trials; 'run' or 'own_run', those of each run, see
        `recordings.preparing.scale`. The recording of the run itself is scaled
        as it was there by 'model'.
      only: ROIs, or several joined by '|', each of which gets reconstructions
        of its own: of all other voxels the mean is taken. () for all voxels.
      reading: options of `open_recording`.
      seed, draws: of the scores' bootstrap and permutations.
    """

    trials: str = 'test'
    single: bool = False
    scale: str = 'model'
    only: Sequence[str] = ()
    reading: Mapping[str, Any] = MappingProxyType({})
    seed: int = 0
    draws: int = 10_000


class Chosen(NamedTuple):
    """Responses to reconstruct from.

    Attributes:
      fmri: [n, voxels] float32, normalised.
      names: one each, all different.
      stimulus: [n] the row of each in the recording's stimuli.
      repeats: trials that each averages; None for as many as in the run.
      imagined: whether the pictures were imagined.
    """

    fmri: np.ndarray
    names: list[str]
    stimulus: np.ndarray
    repeats: float | None
    imagined: bool


def reconstruct(
    folder: files.PathLike,
    recordings: Sequence[files.PathLike | Recording],
    out: files.PathLike,
    options: Options = Options(),  # noqa: B008 - a value, never changed.
    progress: Callable[[str], None] = lambda what: None,
) -> dict[str, dict[str, Any]]:
    """Reconstructs pictures from new responses of the model's voxels.

    Args:
      folder: of the model, as `model.load` takes it.
      recordings: paths, or recordings; none for the simulated subject of the
        model's config.
      out: gets reconstructions.npz and images/, and where the pictures are
        known targets.npz, scores.json and report.html. Of several recordings
        or ROIs each has a folder in it.
      options: what to reconstruct.
      progress: called with each folder that is written.

    Returns:
      Folder -> what its scores.json holds, {} where the pictures are not known.
    """
    check_known('choice of trials', options.trials, TRIALS)
    check_known('scale', options.scale, SCALES)
    out = files.writable_folder(out)
    for name in ('checkpoints', 'model', model_files.ARRAYS):
        if (out / name).exists():
            raise InputError(
                f'{out} is the folder of a run or a model; name another one.'
            )
    model = models.load(folder)
    masks = {
        name: roi_mask(model.rois, name, str(folder)) for name in options.only
    } or {'': np.ones(model.voxels, bool)}
    opened = [_open(model, each, options) for each in recordings or [None]]
    stems = file_stems([recording.source for recording, _ in opened])
    chosen = [_choose(model, *each, options) for each in opened]
    found = {}
    for (recording, _), stem, parts in zip(opened, stems, chosen):
        for roi, mask in masks.items():
            part = out / stem if len(opened) > 1 else out
            part = part / roi.replace('|', '+') if roi else part
            progress(str(part))
            kept = [p._replace(fmri=p.fmri * mask) for p in parts]
            found[str(part)] = _write(model, recording, kept, part, options)
    return found


def _open(
    model: Model, given: files.PathLike | Recording | None, options: Options
) -> tuple[Recording, bool]:
    """Opens a recording as the run did, and says whether it is that one.

    Where the run tested one fold of this very recording, its test trials are
    that fold's; another recording keeps its own split.
    """
    read = _reader(model, given, dict(options.reading))
    known = model.about['fingerprints'].get('recording')
    recording = read(True)
    for each in (recording, *_fold(model, recording)):
        if hash_recording(each) == known:
            return check_voxels(model, each), True
    if model.config.recording.fold >= 0:
        recording = read(False)  # Its rows mean nothing in another file.
    return check_voxels(model, recording), False


def _reader(model, given, reading):
    """Returns whether to take the run's fold -> the recording."""
    config = model.config.copy_and_resolve_references().unlock()
    c, roi = config.recording, config.recording.roi
    if isinstance(given, Recording):
        if given.stimuli.images is None:
            found = select_roi(given, roi) if roi else given
        else:
            found = load_recording(config, model.picture_fit, Given(given))
        return lambda fold: found
    if given is None:
        if c.path or not model.about['simulated']:
            raise InputError(
                'The model was fitted to a recording; name one to reconstruct '
                'from.'
            )
        if config.pictures.path:  # Where it lay is not kept.
            config.pictures.update(path='', number=0)
        loaded = METHODS[model.method].load(config)
        return lambda fold: loaded.recording
    c.path, c.images = str(given), ''

    def read(fold: bool) -> Recording:
        if not fold:
            c.fold = -1
        options = reading_options(config, config.size, model.picture_fit)
        if 'test_rows' not in options_of(format_of(c.path)):
            options.pop('test_rows', None)
        recording = open_recording(c.path, **(options | reading))
        if roi and 'roi' not in reading:
            recording = select_roi(recording, roi)
        return recording

    return read


def _fold(model: Model, recording: Recording) -> list[Recording]:
    """The fold that a run of folds was tested on, if there is such a one."""
    config = model.config
    if not cross_validation.is_fold(config):
        return []
    try:
        division = cross_validation.divide(config, recording)
        fold = config.recording.fold
        return [cross_validation.take(recording, division, fold)]
    except InputError:  # Another recording cannot always be divided so.
        return []


def check_voxels(model: Model, recording: Recording) -> Recording:
    """Refuses a recording of other voxels than the model's."""
    where = recording.source
    if recording.voxels != model.voxels:
        raise InputError(
            f'{where} has {recording.voxels} voxels and the model was fitted '
            f'to {model.voxels} of {model.about["subject"]}; give a recording '
            'of those voxels.'
        )
    for roi in model.rois.keys() & recording.rois.keys():
        differ = int((model.rois[roi] != recording.rois[roi]).sum())
        if differ:
            raise InputError(
                f'{where}: {differ} voxels are in the ROI {roi} there or in '
                f'that of the model, and not in both; give a recording of the '
                f'voxels of {model.about["subject"]} that it was fitted to.'
            )
    if model.volume is not None and recording.volume is not None:
        ours, theirs = map(
            volumes.coordinates, (model.volume, recording.volume)
        )
        width = min(volumes.voxel_size(model.volume.affine))
        away = np.abs(ours - theirs).max(axis=1) > _NEAR * width
        if away.any():
            raise InputError(
                f'{where}: {away.sum()} voxels lie elsewhere than those that '
                f'the model was fitted to, the first is voxel '
                f'{away.argmax()}; give a recording of the same voxels in the '
                'same order and space.'
            )
    return recording


def _choose(
    model: Model, recording: Recording, same: bool, options: Options
) -> list[Chosen]:
    """Normalises and averages the trials that are asked for."""
    wanted = options.trials
    recording = _scaled(model, recording, same, options.scale)
    parts = {'test': recording.test, 'train': recording.train}
    if recording.imagery is not None:
        parts['imagery'] = recording.imagery
    if wanted != 'all':
        if wanted not in parts:
            raise InputError(
                f'{recording.source} has no {wanted} trials; choose among '
                f'{", ".join(parts)}.'
            )
        parts = {wanted: parts[wanted]}
    found = []
    for part, trials in parts.items():
        repeats, names = 1.0, recording.stimuli.names
        if not options.single:
            number = len(trials)
            trials = average_repeats(trials)
            repeats = number / len(trials)
        if same and part == 'test' and not options.single:
            repeats = None
        names = _names([names[i] for i in trials.stimulus])
        if part == 'imagery' and wanted == 'all':
            names = [f'{name}-imagined' for name in names]
        found.append(
            Chosen(
                np.asarray(trials.fmri),
                names,
                trials.stimulus,
                repeats,
                part == 'imagery',
            )
        )
    return found


def _scaled(model, recording, same, scale):
    """Returns the recording with voxels z-scored as they are to be."""
    # Models of earlier versions do not say it.
    ours = model.config.recording.get('scale', 'train')
    if scale == 'model' and not (same and ours != 'train'):
        return normalise(recording, model.mean, model.std)
    over = {'model': ours, 'session': 'train'}.get(scale, scale)
    return preparing.scale(recording, over)


def _names(names: Sequence[str]) -> list[str]:
    """Numbers the trials of a stimulus that has several."""
    if len(set(names)) == len(names):
        return list(names)
    seen = {}
    numbered = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        numbered.append(f'{name}-trial-{seen[name]}')
    return numbered


def _write(
    model: Model,
    recording: Recording,
    parts: Sequence[Chosen],
    out: pathlib.Path,
    options: Options,
) -> dict[str, Any]:
    """Reconstructs, writes and scores; returns the scores."""
    images = np.concatenate(
        [
            model.reconstruct(
                part.fmri,
                normalised=True,
                repeats=part.repeats,
                imagined=part.imagined,
                folder=out / 'work' / str(i),
            )
            for i, part in enumerate(parts)
        ]
    )
    names = [name for part in parts for name in part.names]
    arrays.write(
        out / 'reconstructions.npz', images=images, names=np.array(names)
    )
    for stem, image in zip(file_stems(names), images):
        operations.save_png(out / 'images' / f'{stem}.png', image)
    shutil.rmtree(out / 'work', ignore_errors=True)  # An end needs no resuming.
    seen = recording.stimuli.images
    depth = model.config.get('channels') == 'depth'  # Compared with no colours.
    if seen is None or (depth and not recording.simulated):
        return {}
    stimulus = np.concatenate([part.stimulus for part in parts])
    targets = np.float32(operations.unit_range(seen[stimulus]))
    arrays.write(out / 'targets.npz', images=targets, names=np.array(names))
    if len(np.unique(pixels.distinct(seen[stimulus]))) < 2:
        return {}  # One picture cannot be told from others.
    return comparison.evaluate(
        out / 'reconstructions.npz',
        out / 'targets.npz',
        out,
        comparison.Options(
            method=f'{model.method}, fitted to {model.about["subject"]}',
            simulated=recording.simulated,
            transductive=bool(model.about.get('transductive')),
            seed=options.seed,
            draws=options.draws,
            problems=[
                *recording.problems,
                *_remembered(model, recording, parts),
            ],
        ),
    )


def _remembered(
    model: Model, recording: Recording, parts: Sequence[Chosen]
) -> list[str]:
    """Says of how many pictures the model learned from responses to them."""
    learned = {*model.about['train_stimuli']}
    shown = {recording.stimuli.names[i] for p in parts for i in p.stimulus}
    both = shown & learned
    if not both:
        return []
    return [
        f'The model learned from {len(both)} of these {len(shown)} pictures '
        f'({min(both)}): what it makes of them it may remember, and their '
        'scores say nothing of new ones.'
    ]


def encode(
    folder: files.PathLike, pictures: Any, out: files.PathLike
) -> pathlib.Path:
    """Predicts fMRI of pictures.

    Args:
      folder: of the model.
      pictures: all that `pictures.load` takes.
      out: gets fmri.npz with fmri [n, voxels] in the recording's unit,
        normalised [n, voxels], and names [n].

    Returns:
      The file.
    """
    model, out = models.load(folder), files.writable_folder(out)
    size = model.config.size
    images, names = loading.load(pictures, size, fit=model.picture_fit)
    normalised = model.encode(images, normalised=True)
    path = out / 'fmri.npz'
    arrays.write(
        path,
        fmri=np.float32(normalised * model.std + model.mean),
        normalised=normalised,
        names=np.array(names),
    )
    return path
