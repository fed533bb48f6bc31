"""Divisions of trials into training and test.

A division goes by what trials have in common: the stimulus, its category, a
cluster of its features, the run or the session. Whatever it goes by, no
stimulus is in both parts. Divisions by category and by cluster ask more of a
method than divisions by stimulus: it cannot answer with a training picture of
the same kind (Shirakawa et al. 2025).
"""

import dataclasses
import re
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
import scipy.cluster.vq

from brainjax.errors import InputError, check_known, suggestion
from brainjax.pictures import operations
from brainjax.recordings.recording import Recording, Trials
from brainjax.recordings.transforms import need_pictures, take_trials

BY = ('stimulus', 'category', 'cluster', 'run', 'session')
CLUSTERS = 40
CLUSTER_SIDE = 8  # Pixels of the pictures by which clusters are formed.

# In the sentence of a default split, which a new division replaces.
_UNSAID = 'does not say which trials are for testing'
_WORD = re.compile('[A-Z]?[a-z]+|[A-Z]+(?![a-z])')
_SETS = {
    'imagery': 'imagery',  # First: 'imageryTest01' is one session.
    'letter': 'letter',
    'letters': 'letter',
    'alphabet': 'letter',
    'shape': 'shape',
    'shapes': 'shape',
    'artificial': 'shape',
    'artifical': 'shape',  # As first releases of Shen et al. 2019 write.
    'training': 'train',
    'test': 'test',
}
_STARTS = 10  # Beginnings of k-means, of which the best is kept.


def hold_out(
    recording: Recording,
    by: str,
    groups: Collection[Hashable],
    clusters: np.ndarray | None = None,
) -> Recording:
    """Tests on the trials of some groups and trains on the rest.

    The trials of both parts of `recording` are divided anew. Training trials
    whose stimulus is also tested, as happens with runs and sessions, are left
    out, and a sentence among the problems says how many. Imagery trials stay
    if their stimulus is tested. SNR and noise ceiling belong to the old test
    trials and are dropped.

    Args:
      by: one of BY.
      groups: to test on: names of stimuli or of categories, or numbers of
        clusters, runs or sessions.
      clusters: [stimuli] integers, from `cluster`; for by='cluster' only.
    """
    trials = _pool(recording.train, recording.test)
    label = _labels(recording, trials, by, clusters)
    known = np.unique(label).tolist()
    for group in groups:
        if group not in known:
            raise InputError(
                f'{recording.source} has no trial of {by} {group!r}.'
                f'{suggestion(str(group), map(str, known))}'
            )
    return _divide(recording, trials, np.isin(label, [*groups]), by)


def folds(
    recording: Recording,
    by: str = 'stimulus',
    k: int = 5,
    seed: int = 0,
    clusters: np.ndarray | None = None,
    training_only: bool = False,
) -> list[Recording]:
    """Divides a recording k times; every group is tested on once.

    Groups are drawn at random into folds of nearly equal numbers of groups.
    Stimuli are drawn category by category, so that each fold has its share
    of every category.

    Args:
      recording: what to divide, as `hold_out` does.
      by: one of BY.
      clusters: as for `hold_out`.
      training_only: divide the training trials and leave the test trials out
        altogether, as is right for choosing settings.
    """
    trials = recording.train
    if not training_only:
        trials = _pool(recording.train, recording.test)
    label = _labels(recording, trials, by, clusters)
    return [
        _divide(recording, trials, np.isin(label, groups), by)
        for groups in _dealt_out(recording, label, by, k, seed)
    ]


def fold_groups(
    recording: Recording,
    by: str = 'stimulus',
    k: int = 5,
    seed: int = 0,
    clusters: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Says what each of `folds` tests on, for `hold_out`.

    A fold at a time needs the memory of one.
    """
    trials = _pool(recording.train, recording.test)
    label = _labels(recording, trials, by, clusters)
    return _dealt_out(recording, label, by, k, seed)


def _dealt_out(
    recording: Recording, label: np.ndarray, by: str, k: int, seed: int
) -> list[np.ndarray]:
    """Draws the groups of each of k folds."""
    groups = np.unique(label)
    if not 2 <= k <= len(groups):
        raise InputError(
            f'{recording.source}: {len(groups)} groups by {by} cannot be '
            f'divided into {k} folds; use from 2 to {len(groups)}.'
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    categories = recording.stimuli.categories
    if by == 'stimulus' and categories is not None:
        of = dict(zip(recording.stimuli.names, categories))
        rank = np.unique([of[name] for name in groups], return_inverse=True)[1]
        order = order[np.argsort(rank[order], kind='stable')]
    # Every k-th, so that each category is dealt out to all folds in turn.
    return [groups[order[i::k]] for i in range(k)]


def small_pictures(recording: Recording) -> np.ndarray:
    """Features to `cluster` by, [stimuli, n]: pictures of 8 x 8 pixels."""
    images = need_pictures(recording)
    small = operations.to_one_size(images, (CLUSTER_SIDE, CLUSTER_SIDE), 'box')
    return np.float32(small.reshape(len(small), -1))


def cluster(
    features: np.ndarray, clusters: int = CLUSTERS, seed: int = 0
) -> np.ndarray:
    """Groups stimuli by k-means on their z-scored features.

    The best of ten k-means++ beginnings is kept.

    Args:
      features: [stimuli, n] for example a network's last layers; columns that
        do not vary are ignored.

    Returns:
      [stimuli] int32 from 0; no cluster is empty.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not np.isfinite(features).all():
        raise InputError(
            f'Features of shape {features.shape} cannot be clustered; give '
            'finite numbers [stimuli, n].'
        )
    std = features.std(axis=0)
    varying = std > 0
    # More clusters than different stimuli would leave some empty.
    distinct = len(np.unique(features, axis=0))
    if not 2 <= clusters <= distinct:
        raise InputError(
            f'{distinct} different stimuli cannot form {clusters} clusters; '
            f'use from 2 to {distinct}.'
        )
    scaled = features[:, varying] - features[:, varying].mean(axis=0)
    scaled /= std[varying]
    random = np.random.default_rng(seed)
    best, least = None, np.inf
    for _ in range(_STARTS):
        try:
            centres, label = scipy.cluster.vq.kmeans2(
                scaled,
                clusters,
                iter=100,
                minit='++',
                missing='raise',
                rng=random,
            )
        except scipy.cluster.vq.ClusterError:
            continue  # One cluster was left empty.
        distance = np.square(scaled - centres[label]).sum()
        if distance < least:
            best, least = label, distance
    if best is None:
        raise InputError(
            f'No {clusters} clusters were found among {len(features)} '
            'stimuli; ask for fewer.'
        )
    return best.astype(np.int32)


def named_set(*names: str) -> str:
    """Returns the set that a word of a file's or session's name means, or ''.

    Words begin with a capital or stand apart: 'perceptionNaturalImageTest01'
    means 'test', 'fastestimation' and 'retest' mean nothing.
    """
    words = {word.lower() for name in names for word in _WORD.findall(name)}
    return next((part for word, part in _SETS.items() if word in words), '')


def default_split(
    stimulus: np.ndarray,
    train: np.ndarray,
    category: Mapping[str, str],
    where: str,
) -> tuple[np.ndarray, str]:
    """Holds out the last tenth of each category's stimuli.

    For readers of files that do not say what to test on. By first appearance,
    at least one stimulus of each category that has several.

    Args:
      stimulus: [trials] names.
      train: [trials] bool, those to hold out of.
      category: of each stimulus; '' for none.

    Returns:
      [trials] bool, True for what is held out, and a sentence on it.
    """
    names = [*dict.fromkeys(stimulus[train])]
    if len(names) < 2:
        raise InputError(
            f'{where} holds one stimulus only; at least two are needed, to '
            'train on one and test on the other.'
        )
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(category[name], []).append(name)
    if all(len(group) == 1 for group in members.values()):
        members = {'': names}  # Categories that tell nothing, such as names.
    out = [
        name
        for group in members.values()
        if len(group) > 1
        for name in group[-max(1, len(group) // 10) :]
    ]
    return train & np.isin(stimulus, out), (
        f'{where} {_UNSAID}; {len(out)} of the {len(names)} stimuli, the last '
        'tenth of each category, are held out.'
    )


def _pool(train: Trials, test: Trials) -> Trials:
    """Returns the trials of both, training trials first."""

    def both(what: str) -> np.ndarray | None:
        parts = getattr(train, what), getattr(test, what)
        if any(part is None for part in parts):
            return None
        return np.concatenate(parts)

    return Trials(*(both(f.name) for f in dataclasses.fields(Trials)))


def _labels(
    recording: Recording,
    trials: Trials,
    by: str,
    clusters: np.ndarray | None,
) -> np.ndarray:
    """Returns the group of each trial."""
    stimuli = recording.stimuli
    check_known('division', by, BY)
    if by in ('run', 'session'):
        found = getattr(trials, by)
        if found is None:
            raise InputError(
                f'{recording.source} does not say the {by} of its trials; '
                'divide them by something else.'
            )
        return found
    found: Sequence | np.ndarray | None = {
        'stimulus': stimuli.names,
        'category': stimuli.categories,
        'cluster': clusters,
    }[by]
    if found is None:
        raise InputError(
            f'{recording.source} has no categories; divide its trials by '
            'something else.'
            if by == 'category'
            else 'A division by cluster needs `clusters`; see `cluster`.'
        )
    if len(found) != len(stimuli):
        raise InputError(
            f'{len(found)} clusters were given for the {len(stimuli)} stimuli '
            f'of {recording.source}; give one to each.'
        )
    return np.asarray(found)[trials.stimulus]


def _divide(
    recording: Recording, trials: Trials, tested: np.ndarray, by: str
) -> Recording:
    """Makes the recording whose test trials are `tested`."""
    shared = ~tested & np.isin(trials.stimulus, trials.stimulus[tested])
    trained = ~tested & ~shared
    if not tested.any() or not trained.any():
        why = ' because most stimuli are on both sides' if shared.any() else ''
        raise InputError(
            f'{recording.source}: this division by {by} leaves '
            f'{trained.sum()} training and {tested.sum()} test trials{why}; '
            'divide them otherwise.'
        )
    problems = tuple(p for p in recording.problems if _UNSAID not in p)
    if shared.any():
        problems = (
            *problems,
            f'{shared.sum()} training trials were left out because their '
            f'stimulus is tested in another {by}.',
        )
    imagery = recording.imagery
    if imagery is not None:
        imagined = np.isin(imagery.stimulus, trials.stimulus[tested])
        imagery = take_trials(imagery, imagined) if imagined.any() else None
    return dataclasses.replace(
        recording,
        train=take_trials(trials, trained),
        test=take_trials(trials, tested),
        imagery=imagery,
        snr=None,
        noise_ceiling=None,
        problems=problems,
    )
