"""Controls that go through the fitted method itself.

What a method gives for a pattern without information is its prior. If those
pictures score as the reconstructions do, the scores are the prior's
(Shirakawa et al. 2025).
"""

from collections.abc import Mapping

import numpy as np

from brainjax.evaluation import identification, statistics
from brainjax.evaluation.audit import (
    ALPHA,
    AuditCheck,
    not_checked,
    pairwise,
    similarity,
)
from brainjax.evaluation.intervals import CORRELATION, RATE, interval

_WORDS = {
    'noise': 'noise of the same spread',
    'shuffled': 'the responses of other voxels',
    'zero': 'the mean response',
}
# Greatest p of a flag for noise: it is the very null of every honest method.
TOLD = ALPHA / 5
FEWEST = 8  # Pictures by which a prior is told from a decoder.
FOLLOWS = 0.75  # Identification of a picture by that of the same response.


def patterns(fmri: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Patterns without information, made from test patterns.

    Args:
      fmri: [n, voxels] test patterns, normalised: 0 is the training mean.
      seed: of the draws.

    Returns:
      'noise': normal about the training mean, with each voxel's standard
      deviation over the patterns. (About their own mean it would hold the mean
      test pattern, which tells what test pictures have in common.)
      'shuffled': each pattern with its voxels in another order, the same for
      all; 'zero': the mean training pattern; 'reordered': the patterns
      themselves, in another order. Each [n, voxels] float32.
    """
    rng = np.random.default_rng([seed, 77])
    noise = rng.standard_normal(fmri.shape) * fmri.std(axis=0)
    return {
        'noise': np.float32(noise),
        'shuffled': np.float32(fmri[:, rng.permutation(fmri.shape[1])]),
        'zero': np.zeros(fmri.shape, np.float32),
        'reordered': np.roll(fmri, len(fmri) // 2, axis=0),
    }


def compare(
    target: np.ndarray,
    reconstruction: np.ndarray,
    controls: Mapping[str, np.ndarray],
    seed: int = 0,
) -> list[AuditCheck]:
    """Compares the reconstructions with those from `patterns`.

    Args:
      target, reconstruction: as in `checks`.
      controls: name of `patterns` -> the pictures that they gave.
      seed: of the bootstrap.
    """
    found = [
        _in_place(name, target, reconstruction, pictures, seed)
        for name, pictures in controls.items()
        if name in _WORDS
    ]
    if 'reordered' in controls:
        again = np.roll(controls['reordered'], -(len(target) // 2), axis=0)
        found.append(follows(reconstruction, again, seed))
    return found


def _in_place(name, target, reconstruction, pictures, seed):
    """What pictures of patterns without information show."""
    ours, theirs = (pairwise(target, x) for x in (reconstruction, pictures))
    difference = statistics.paired_difference(
        ours, theirs, seed, bounds=(-2, 2)
    )
    alike = pairwise(reconstruction, pictures).mean()
    # Noise cannot tell pictures apart. Shuffled voxels can, a little: their
    # order leaves the mean response what it was.
    told, p = _identified(target, pictures, seed)
    flagged = name == 'noise' and p <= TOLD
    level = 'ok' if difference['low'] > 0 else 'note'
    return AuditCheck(
        f'{name} in place of the responses',
        float(ours.mean()),
        float(theirs.mean()),
        'flag' if flagged else level,
        f'Pixel correlation {ours.mean():.2f} from the responses and '
        f'{theirs.mean():.2f} from {_WORDS[name]}, whose pictures correlate '
        f'with the reconstructions by {alike:.2f} and identify the targets '
        f'by {told:.2f}. '
        + (
            'The targets are told without any response.'
            if flagged
            else 'The responses make the difference.'
            if level == 'ok'
            else 'The score is no better than that of the method’s prior.'
        ),
    )


def _identified(target, pictures, seed):
    """Two-way identification and its p by permutation."""
    table = identification.n_way_table(
        identification.similarity(
            *(x.reshape(len(x), -1) for x in (target, pictures))
        ),
        2,
    )
    value = float(np.diagonal(table).mean())
    null = statistics.permutation_null([table], seed=seed)
    return value, statistics.p_value(value, null)


def follows(
    reconstruction: np.ndarray, again: np.ndarray, seed: int = 0
) -> AuditCheck:
    """Do pictures follow the response, whatever its place in the order?

    A method that draws from its prior, or knows the targets by their places,
    gives something else to the same response elsewhere. A weak decoder gives
    the same, and draws from a posterior are more alike than others.

    Args:
      reconstruction: [n, ...] of the responses.
      again: [n, ...] of the same responses when they came in another order.
      seed: of the bootstrap.
    """
    check = 'same responses in another order'
    if len(again) < FEWEST:
        return not_checked(check, f'it needs {FEWEST} test pictures.')
    scores = identification.two_way(
        identification.similarity(
            *(x.reshape(len(x), -1) for x in (again, reconstruction))
        )
    )
    low, high = interval(scores, RATE, seed=seed)
    _, p = _identified(again, reconstruction, seed)
    level = 'flag' if high < FOLLOWS and p > 0.05 else 'ok'
    return AuditCheck(
        check,
        float(scores.mean()),
        0.5,
        level,
        'A picture is told from others by the picture that the same response '
        f'gave in another order in {scores.mean():.0%} of cases '
        f'({low:.0%} to {high:.0%}; chance 50 %). '
        + (
            'The pictures do not follow the responses.'
            if level == 'flag'
            else 'The pictures follow the responses.'
        ),
    )


def held_out_cluster(
    target: np.ndarray,
    naive: np.ndarray,
    held_out: np.ndarray,
    clusters: np.ndarray,
    seed: int = 0,
) -> AuditCheck:
    """Scores fits that never saw the cluster of a test picture.

    Args:
      target: [n, side, side, 3] test pictures.
      naive: [n, ...] from the usual fit.
      held_out: [n, ...], each from a fit without its cluster's training
        pictures.
      clusters: [n] of the test pictures.
      seed: of the bootstrap.
    """
    ours, theirs = (pairwise(target, x) for x in (held_out, naive))
    low, high = interval(ours, CORRELATION, seed=seed)
    others = ~np.eye(len(target), dtype=bool)
    chance = float(similarity(target, held_out)[others].mean())
    level = 'ok' if low > chance else 'note'  # Of NaN, too.
    return AuditCheck(
        'held-out clusters',
        float(ours.mean()),
        float(theirs.mean()),
        level,
        f'Pixel correlation {ours.mean():.2f} ({low:.2f} to {high:.2f}) where '
        'no training picture is of the test picture’s cluster '
        f'({len(np.unique(clusters))} clusters), {theirs.mean():.2f} with the '
        f'usual fit, {chance:.2f} for reconstructions permuted across stimuli. '
        + (
            'What is not like the training pictures is not reconstructed.'
            if level == 'note'
            else 'New kinds of pictures are reconstructed too.'
        ),
    )


def seeds(scores: Mapping[int, float], reference: float) -> AuditCheck:
    """How much the score depends on the seed of the fit.

    Args:
      scores: seed -> score of a fit, at least two.
      reference: chance.
    """
    values = np.array(list(scores.values()))
    spread = float(values.std(ddof=1))
    return AuditCheck(
        'seeds',
        float(values.mean()),
        spread,
        'note' if (values <= reference).any() else 'ok',
        f'Pixel correlation over {len(values)} fits with other seeds: '
        + ', '.join(f'{v:.3f}' for v in values)
        + f' (standard deviation {spread:.3f}).',
    )
