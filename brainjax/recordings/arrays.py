"""A recording of what is at hand: arrays, lists, tables, images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.io.arrays import as_array
from brainjax.recordings import (
    array_fmri,
    array_labels,
    options,
    stimulus_names,
    stimulus_pictures,
)
from brainjax.recordings.array_fmri import Responses
from brainjax.recordings.array_labels import Labels
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.recordings.transforms import (
    UNUSABLE,
    keep_voxels,
    kept_voxels,
    unusable_voxels,
)
from brainjax.recordings.volume import take


def from_arrays(
    fmri: Any,
    labels: Any,
    pictures: Any = None,
    *,
    test: Any = None,
    rois: Any = None,
    runs: Any = None,
    sessions: Any = None,
    mask: Any = None,
    affine: Any = None,
    masker: Any = None,
    unpaired_fmri: Any = None,
    snr: Any = None,
    noise_ceiling: Any = None,
    size: int | None = None,
    fit: str = 'centre',
    alpha: str = 'grey',
    upright: bool = True,
    drop: Sequence[str] = (),
    seed: int = 0,
    subject: str = 'S1',
    simulated: bool = False,
    source: str = 'arrays',
) -> Recording:
    """Makes a recording of arrays, lists, DataFrames, images or paths.

    Args:
      fmri: [trials, voxels] real numbers; columns of a DataFrame that are
        named 'V1_001' or have two levels give ROIs. Or a NIfTI image of one
        volume a trial, with `mask` or `masker`.
      labels: what was shown in each trial: names, with or without suffix, or
        numbers, which count pictures from 0, or are those in their names. Or
        a DataFrame or dictionary with a column 'stimulus' and, if known,
        'run', 'session', 'category' and 'part' (train, test or imagery).
      pictures: a folder, an archive, an array [n, height, width, 3], a list,
        or a dictionary from name to picture; see `pictures.load`. None leaves
        them out, for decoding features.
      test: the trials to reconstruct: True or False for each; names or numbers
        of stimuli; what part of the stimuli, drawn by `seed`; or a pair (fmri,
        labels) of trials of their own. None takes the labels' 'part', and
        else holds out the last tenth of each category's stimuli and says so.
      rois: region -> [voxels] bool, indices, or an image; a DataFrame of such
        columns; or the region of each voxel.
      runs, sessions: a name or number a trial; here or in the labels.
      mask: where the voxels lie: an image, its path, or [x, y, z] bool beside
        `affine` [4, 4]. Voxels are in the order of `volume[mask]`.
      masker: of nilearn, fitted, in its place.
      unpaired_fmri: [n, voxels] responses to pictures that are not known.
      snr, noise_ceiling: [voxels], see `Recording`.
      size: of the pictures, in pixels; None keeps theirs.
      fit, alpha, upright: how they are read, see `pictures.load`.
      drop: which voxels to leave out: 'nan', 'infinite' or 'constant' in some
        trial; others are refused.
      subject: a short name.
      simulated: True if no brain was measured.
      source: what messages and reports call it.
    """
    drop = options.kinds('drop', drop, UNUSABLE)
    options.whole('size', size, 1, options.LARGEST)
    options.whole('seed', seed, 0)
    fit, alpha = (
        options.text(name, value) or ''
        for name, value in (('fit', fit), ('alpha', alpha))
    )
    if hasattr(mask, 'transform'):
        mask, masker = None, mask
    grid = array_fmri.find_mask(mask, affine, source, masker)
    responses = array_fmri.read(fmri, source, grid, masker)
    _check_columns(responses, source)
    told = array_labels.read(labels, source, runs, sessions)
    _check_lengths(responses.values, told, source, array_fmri.is_image(fmri))
    if _is_pair(test):
        where = f'{source}: test'
        second = array_fmri.read(test[0], where, grid, masker)
        labels = array_labels.read(test[1], where)
        is_image = array_fmri.is_image(test[0])
        _check_lengths(second.values, labels, where, is_image)
        responses, told = _followed(responses, second, told, labels, source)
        test = None
    parts, notes = _parts(told, test, source, seed)
    rois = array_fmri.find_rois(rois, responses, source)
    unpaired = None
    if unpaired_fmri is not None:
        unpaired = array_fmri.read(unpaired_fmri, f'{source}: unpaired', grid)
        _check_voxels(unpaired, responses, f'{source}: unpaired_fmri')
    keep, found = _usable(responses, parts['train'], unpaired, drop, source)
    stimuli, place, unused = _stimuli(
        told,
        pictures,
        {'size': size, 'fit': fit, 'alpha': alpha, 'upright': upright},
    )

    def trials(rows: np.ndarray) -> Trials:
        return Trials(
            keep_voxels(responses.values[rows], keep),
            place[rows],
            None if told.run is None else told.run[rows],
            None if told.session is None else told.session[rows],
        )

    imagery = parts.pop('imagery')
    return Recording(
        subject=subject,
        **{part: trials(rows) for part, rows in parts.items()},
        imagery=trials(imagery) if imagery.any() else None,
        stimuli=stimuli,
        rois={name: inside[keep] for name, inside in rois.items()},
        source=source,
        simulated=simulated,
        unpaired_fmri=unpaired and keep_voxels(unpaired.values, keep),
        snr=_of_voxels(snr, keep, f'{source}: snr'),
        noise_ceiling=_of_voxels(noise_ceiling, keep, f'{source}: ceiling'),
        problems=(*notes, *found, *unused),
        volume=take(responses.volume, keep),
    )


def _check_columns(found: Responses, where: str) -> None:
    """Refuses columns of fMRI that are no voxels, by their names."""
    known = {*array_labels.NO_VOXELS}.union(*array_labels.COLUMNS.values())
    for name in found.columns or ():
        if isinstance(name, str) and name.lower() in known:
            raise InputError(
                f'{where}: column {name!r} of fmri tells of trials and is no '
                'voxel; leave it out, and give in labels what belongs there.'
            )


def _check_lengths(
    fmri: np.ndarray, labels: Labels, where: str, image: bool
) -> None:
    """Refuses another number of labels than of trials, and guesses why."""
    trials, voxels = fmri.shape
    number = len(labels.stimulus)
    if number == trials:
        return
    if image:
        why = 'give an image of one volume a trial, such as betas of a GLM'
    elif number == voxels:
        why = 'it seems to be [voxels, trials], so give fmri.T'
    elif number == trials + 1:
        why = f'is the first, {labels.stimulus[0]!r}, a heading?'
    else:
        why = 'give one label a trial'
    raise InputError(
        f'{where}: fmri has {trials} trials of {voxels} voxels and labels has '
        f'{number}; {why.rstrip("?")}{"?" if why.endswith("?") else "."}'
    )


def _is_pair(test: Any) -> bool:
    """Whether `test` is responses and labels, not two names or numbers."""
    if not isinstance(test, tuple) or len(test) != 2:
        return False
    fmri, labels = test
    shaped = array_fmri.is_image(fmri) or np.ndim(fmri) == 2
    return shaped and not isinstance(labels, str)


def _followed(
    first: Responses,
    second: Responses,
    told: Labels,
    more: Labels,
    where: str,
) -> tuple[Responses, Labels]:
    """Puts test trials behind training trials."""
    _check_voxels(second, first, f'{where}: fmri of test')
    parts = ['train'] * len(told.stimulus) + ['test'] * len(more.stimulus)
    return (
        first._replace(values=np.concatenate([first.values, second.values])),
        array_labels.joined(told, more)._replace(part=parts),
    )


def _check_voxels(found: Responses, like: Responses, what: str) -> None:
    ours, theirs = (x.values.shape[1] for x in (found, like))
    if ours != theirs:
        raise InputError(
            f'{what} has {ours} voxels and fmri {theirs}; give responses of '
            'the same voxels in the same order.'
        )


def _parts(
    told: Labels, test: Any, where: str, seed: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns the trials of each part, [trials] bool, and sentences."""
    part, notes = np.array(told.part or ['train'] * len(told.stimulus)), []
    imagined = part == 'imagery'
    tested = part == 'test'
    if test is not None:
        tested = array_labels.choose_test(test, told.stimulus, where, seed)
        tested &= ~imagined
    elif not tested.any():
        tested, note = array_labels.hold_out(told, ~imagined, where)
        notes.append(note)
    trained = ~tested & ~imagined
    if not tested.any() or not trained.any():
        raise InputError(
            f'{where}: test leaves {trained.sum()} training and '
            f'{tested.sum()} test trials; both are needed.'
        )
    return {'train': trained, 'test': tested, 'imagery': imagined}, notes


def _usable(
    responses: Responses,
    train: np.ndarray,
    unpaired: Responses | None,
    drop: Sequence[str],
    where: str,
) -> tuple[np.ndarray, list[str]]:
    """Returns the voxels to keep, [voxels] bool, and a sentence on others."""
    values = responses.values
    others = [values[~train]] + ([unpaired.values] if unpaired else [])
    why = unusable_voxels(values[train], *others)
    return kept_voxels(why, drop, f'{where}: fmri')


def _of_voxels(values: Any, keep: np.ndarray, what: str) -> np.ndarray | None:
    """Returns one number a voxel, of those that are kept."""
    if values is None:
        return None
    values = as_array(values, what)
    if values.shape != keep.shape or values.dtype.kind not in 'iuf':
        raise InputError(
            f'{what} is {values.dtype} of shape {values.shape}; give a number '
            f'for each of {len(keep)} voxels.'
        )
    return values[keep].astype(np.float32, copy=False)


def _stimuli(
    told: Labels, pictures: Any, how: dict[str, Any]
) -> tuple[Stimuli, np.ndarray, tuple[str, ...]]:
    """Returns what was shown, its row for each trial, and sentences.

    Stimuli are in the order of a dictionary of pictures, else of their names.
    """
    names = sorted({*told.stimulus}, key=int if told.counted else None)
    if isinstance(pictures, Mapping):
        known = stimulus_names.lookup(map(str, pictures))
        last = (len(pictures),)
        names.sort(key=lambda x: (stimulus_names.places(x, known) or last)[0])
    row = {name: i for i, name in enumerate(names)}
    images, notes = None, ()
    if pictures is not None:
        images, notes = stimulus_pictures.join(
            names, pictures, counted=told.counted, **how
        )
    categories = None
    if told.category is not None:
        of = dict(zip(told.stimulus, told.category))
        categories = tuple(of[name] for name in names)
    place = np.array([row[name] for name in told.stimulus], np.int32)
    return Stimuli(images, tuple(names), categories), place, notes
