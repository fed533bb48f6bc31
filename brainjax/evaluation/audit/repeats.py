"""Do the responses tell pictures apart at all, without any decoder?"""

import numpy as np

from brainjax.evaluation import identification
from brainjax.evaluation.audit import AuditCheck, not_checked, similarity
from brainjax.evaluation.intervals import RATE, interval
from brainjax.recordings import Trials

FEWEST = 20  # Pictures shown twice or more.
HIGH = 0.75  # Identification that needs responses which are reliable.


def of_responses(
    trials: Trials,
    stimulus: np.ndarray,
    target: np.ndarray,
    reconstruction: np.ndarray,
    seed: int = 0,
) -> AuditCheck:
    """Compares identification by pictures with that among repeats.

    The response to a picture is looked for among those to all by the repeats
    of the other half. Voxels count as much as they are reliable over the other
    pictures, so that nothing is chosen by what is scored. A decoder may read
    more than this comparison does. But where repeats tell nothing apart, no
    decoder can.

    Args:
      trials: single test trials.
      stimulus: [n] of the targets.
      target, reconstruction: [n, side, side, 3].
      seed: of the bootstrap.
    """
    check = 'repeats of the responses'
    halves, kept = _halves(trials, stimulus)
    if len(kept) < FEWEST:
        return not_checked(
            check, f'it needs {FEWEST} test pictures that were repeated.'
        )
    brain = _told(halves)
    ours = identification.two_way(similarity(target, reconstruction))
    (low, high), (least, _) = (
        interval(x, RATE, seed=seed) for x in (brain, ours)
    )
    flagged = low <= 0.5 and least >= HIGH
    return AuditCheck(
        check,
        float(ours.mean()),
        float(brain.mean()),
        'flag' if flagged else 'ok',
        f'Repeats of a response tell {len(kept)} pictures apart in '
        f'{brain.mean():.0%} of cases ({low:.0%} to {high:.0%}; chance 50 %), '
        f'reconstructions in {ours.mean():.0%}. '
        + (
            'These responses tell pictures apart no better than chance, so '
            'something else did.'
            if flagged
            else 'That is possible.'
        ),
    )


def _halves(
    trials: Trials, stimulus: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Averages of every other repeat, [2, n, voxels], and whose they are."""
    rows = [np.flatnonzero(trials.stimulus == i) for i in stimulus]
    kept = np.array([i for i, x in enumerate(rows) if len(x) > 1], int)
    halves = [
        [trials.fmri.take(rows[i][part::2], axis=0).mean(axis=0) for i in kept]
        for part in (0, 1)
    ]
    return np.array(halves, np.float64), kept


def _told(halves: np.ndarray) -> np.ndarray:
    """Two-way identification of a half by the other, [n]."""
    scores = np.empty(halves.shape[1])
    for part in (slice(0, None, 2), slice(1, None, 2)):
        mask = np.zeros(len(scores), bool)
        mask[part] = True
        a, b = halves[:, ~mask]
        weight = _along(a, b).clip(0)
        seen = halves[:, mask]
        seen = seen - seen.mean(axis=1, keepdims=True)
        spread = np.maximum(seen.std(axis=1, keepdims=True), 1e-9)
        scores[mask] = identification.two_way(
            identification.similarity(*(seen / spread * weight))
        )
    return scores


def _along(a, b):
    """Correlation over pictures of each voxel, [voxels]."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    lengths = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    return (a * b).sum(axis=0) / np.maximum(lengths, 1e-9)
