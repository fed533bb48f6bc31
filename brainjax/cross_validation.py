"""Cross-validation: how a recording is divided, and how folds are pooled.

Each fold is a run of its own (`experiment`), with a fit that has not seen the
fold's test stimuli. Reconstructions of all folds are then scored together.
"""

import collections
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.evaluation import check_number
from brainjax.evaluation.audit import folds as audit_folds
from brainjax.evaluation.ceilings import Repeats
from brainjax.evaluation.voxels import voxel_values
from brainjax.outcome import Outcome
from brainjax.recordings import Recording, splits

PER_CLUSTER = 5  # Stimuli, on average, if they are few.


class Division(NamedTuple):
    """How a recording is divided.

    Attributes:
      by: of `splits.BY`.
      groups: what each fold tests on: names, numbers.
      clusters: [stimuli] of each, where it is divided by them.
    """

    by: str
    groups: list[np.ndarray]
    clusters: np.ndarray | None


def check(config: ConfigDict) -> None:
    """Refuses settings of folds that make no sense."""
    c = config.recording
    if c.folds < 0 or c.folds == 1:
        raise InputError(
            f'config.recording.folds is {c.folds}; give 2 or more, or 0 for '
            "the recording's own split."
        )
    check_known('config.recording.fold_by', c.fold_by, splits.BY)
    if c.folds and not -1 <= c.fold < c.folds:
        raise InputError(
            f'config.recording.fold is {c.fold}; of config.recording.folds='
            f'{c.folds} give one from 0 to {c.folds - 1}, or -1 for all.'
        )


def is_pooled(config: ConfigDict) -> bool:
    """Whether all folds are to be fitted and scored together."""
    return bool(config.recording.folds) and config.recording.fold < 0


def is_fold(config: ConfigDict) -> bool:
    """Whether one fold is to be fitted, alone or as a part of all."""
    return bool(config.recording.folds) and config.recording.fold >= 0


def divide(config: ConfigDict, recording: Recording) -> Division:
    """Draws the folds; clusters are of small pictures, as the audit's are."""
    c, clusters = config.recording, None
    if c.fold_by == 'cluster':
        features = splits.small_pictures(recording)
        distinct = len(np.unique(features, axis=0))
        number = min(splits.CLUSTERS, max(c.folds, distinct // PER_CLUSTER))
        clusters = splits.cluster(features, number, config.seed)
    groups = splits.fold_groups(
        recording, c.fold_by, c.folds, config.seed, clusters
    )
    return Division(c.fold_by, groups, clusters)


def take(recording: Recording, division: Division, fold: int) -> Recording:
    """Returns the recording whose test trials are a fold's."""
    by, groups, clusters = division
    part = splits.hold_out(recording, by, groups[fold], clusters)
    stimuli = len(np.unique(part.test.stimulus))
    check_number(stimuli, f'{recording.source}, fold {fold + 1}')
    return part


def shown(recording: Recording) -> list[str]:
    """Names of all stimuli with trials: every one is tested."""
    parts = (recording.train.stimulus, recording.test.stimulus)
    rows = np.unique(np.concatenate(parts))
    return [recording.stimuli.names[i] for i in rows]


def config_of(config: ConfigDict, fold: int) -> ConfigDict:
    """The config of a run of one fold alone."""
    changed = config.copy_and_resolve_references()
    changed.recording.fold = fold
    changed.preregistration.path = ''  # Of all folds together.
    return changed


def pool(outcomes: Sequence[Outcome]) -> Outcome:
    """Puts the folds' reconstructions, and all that was found, together."""
    numbers = [len(each.names) for each in outcomes]
    names = [each.names for each in outcomes]
    told = [each.told for each in outcomes]
    return Outcome(
        _once(names),
        *(
            np.concatenate([getattr(each, field) for each in outcomes])
            for field in ('targets', 'images')
        ),
        _joined([each.references for each in outcomes]),
        [pair for each in outcomes for pair in each.densities],
        _joined([each.arrays for each in outcomes]),
        _mean_scores([each.scores for each in outcomes]),
        {
            **told[0],
            'transductive': any(each['transductive'] for each in told),
            'test_kept': sum(each['test_kept'] for each in told),
            'problems': _union(each['problems'] for each in told),
            'notes': _by_fold([each['notes'] for each in told]),
            'trials': float(
                np.average([each['trials'] for each in told], weights=numbers)
            ),
        },
        audit_folds.put_together([each.checks for each in outcomes], numbers),
        _ceiling([each.ceiling for each in outcomes]),
        _repeats([each.repeats for each in outcomes], numbers),
        np.repeat(np.arange(len(outcomes)), numbers),
        voxel_values.average([each.voxels for each in outcomes]),
    )


def notes(outcome: Outcome, config: ConfigDict) -> list[str]:
    """Sentences on how a picture was held out, if by folds."""
    if outcome.fold is None:
        return []
    c, n = config.recording, np.bincount(outcome.fold)
    return [
        f'Cross-validation: {c.folds} folds by {c.fold_by} of {n.min()} to '
        f'{n.max()} pictures. Each was reconstructed by a fit that had not '
        'seen it; p exchanges reconstructions within folds only. What the '
        'method scores itself is a mean over folds. fold_1/report.html and so '
        'on show each fit, and fold_1/model keeps it for new data.'
    ]


def mean_score(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over folds of what only a fold can score.

    Folds are weighted by what they scored. The interval adds up their own as
    if they were independent (their training trials are partly the same, which
    it leaves out); p is twice the mean of theirs, which holds however they
    depend on one another (Vovk & Wang 2020).

    Args:
      scores: of each fold, as in scores.json; None or NaN where undefined.

    Returns:
      The same with 'folds', how many have it; what else they say if all agree.
    """
    known = [
        each
        for each in scores
        if each['value'] is not None and not math.isnan(each['value'])
    ]
    found = _agreed(known or scores)
    if not known:
        return found | {'folds': 0}
    value, chance, low, high, p = (
        np.array([math.nan if s[key] is None else s[key] for s in known], float)
        for key in ('value', 'chance', 'low', 'high', 'p')
    )
    n = np.array([each['n'] for each in known])
    weight = n / n.sum()
    mean = weight @ value
    return found | {
        'value': float(mean),
        'chance': float(weight @ chance),
        'low': float(mean - np.linalg.norm(weight * (value - low))),
        'high': float(mean + np.linalg.norm(weight * (high - value))),
        'p': float(min(1, 2 * p.mean())),
        'n': int(n.sum()),
        'folds': len(known),
    }


def _mean_scores(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = _union(folds)
    return {
        name: mean_score([each[name] for each in folds if name in each])
        for name in names
    }


def _agreed(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *rest = scores
    return {
        key: value
        for key, value in first.items()
        if all(each.get(key) == value for each in rest)
    }


def _joined(folds: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenates the arrays that all folds have."""
    return {
        name: np.concatenate([each[name] for each in folds])
        for name in folds[0]
        if all(name in each for each in folds)
    }


def _ceiling(folds: Sequence[np.ndarray | None]) -> np.ndarray | None:
    return None if any(x is None for x in folds) else np.concatenate(folds)


def _repeats(
    folds: Sequence[Repeats | None], numbers: Sequence[int]
) -> Repeats | None:
    """Joins them; targets are counted over all folds."""
    if any(each is None for each in folds):
        return None
    starts = np.cumsum([0, *numbers[:-1]])
    moved = [
        each._replace(target=each.target + start)
        for each, start in zip(folds, starts)
    ]
    return Repeats(*map(np.concatenate, zip(*moved)))


def _once(names: Sequence[np.ndarray]) -> np.ndarray:
    """Names of all folds; of a stimulus that several tested, with the fold."""
    count = collections.Counter(np.concatenate(names).tolist())
    return np.array(
        [
            name if count[name] == 1 else f'{name}-fold-{i}'
            for i, each in enumerate(names, 1)
            for name in each.tolist()
        ]
    )


def _union(parts: Iterable[Iterable[str]]) -> list[str]:
    return [*dict.fromkeys(text for part in parts for text in part)]


def _by_fold(notes: Sequence[Sequence[str]]) -> list[str]:
    """Sentences of all folds once; others with the number of their fold."""
    common = [text for text in notes[0] if all(text in each for each in notes)]
    return common + [
        f'Fold {i}: {text}'
        for i, each in enumerate(notes, 1)
        for text in each
        if text not in common
    ]
