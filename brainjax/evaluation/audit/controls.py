"""Controls that go through the fitted method itself.

What a method gives for a pattern without information is its prior. If those
pictures score as the reconstructions do, the scores are the prior's
(Shirakawa et al. 2025).
"""

from collections.abc import Mapping

import numpy as np

from brainjax.evaluation import statistics
from brainjax.evaluation.audit import AuditCheck, pairwise, similarity
from brainjax.evaluation.intervals import CORRELATION, interval

_WORDS = {
    'noise': 'noise of the same spread',
    'shuffled': 'the responses of other voxels',
    'zero': 'the mean response',
}


def patterns(fmri: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Patterns without information, made from test patterns.

    Args:
      fmri: [n, voxels] test patterns, normalised.
      seed: of the draws.

    Returns:
      'noise': normal, with each voxel's mean and standard deviation over
      the patterns;
      'shuffled': each pattern with its voxels in another order, the same for
      all; 'zero': the mean training pattern; each [n, voxels] float32.
    """
    rng = np.random.default_rng([seed, 77])
    noise = rng.standard_normal(fmri.shape) * fmri.std(axis=0) + fmri.mean(0)
    return {
        'noise': np.float32(noise),
        'shuffled': np.float32(fmri[:, rng.permutation(fmri.shape[1])]),
        'zero': np.zeros(fmri.shape, np.float32),
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
    found = []
    ours = pairwise(target, reconstruction)
    for name, pictures in controls.items():
        theirs = pairwise(target, pictures)
        difference = statistics.paired_difference(
            ours, theirs, seed, bounds=(-2, 2)
        )
        flagged = not difference['low'] > 0  # Of NaN, too.
        alike = pairwise(reconstruction, pictures).mean()
        found.append(
            AuditCheck(
                f'{name} in place of the responses',
                float(ours.mean()),
                float(theirs.mean()),
                flagged,
                f'Pixel correlation {ours.mean():.2f} from the responses and '
                f'{theirs.mean():.2f} from {_WORDS[name]}, whose pictures '
                f'correlate with the reconstructions by {alike:.2f}. '
                + (
                    'The score is that of the method’s prior.'
                    if flagged
                    else 'The responses make the difference.'
                ),
            )
        )
    return found


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
    flagged = not low > chance  # Of NaN, too.
    return AuditCheck(
        'held-out clusters',
        float(ours.mean()),
        float(theirs.mean()),
        flagged,
        f'Pixel correlation {ours.mean():.2f} ({low:.2f} to {high:.2f}) where '
        'no training picture is of the test picture’s cluster '
        f'({len(np.unique(clusters))} clusters), {theirs.mean():.2f} with the '
        f'usual fit, {chance:.2f} for reconstructions permuted across stimuli. '
        + (
            'What is not like the training pictures is not reconstructed.'
            if flagged
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
        bool((values <= reference).any()),
        f'Pixel correlation over {len(values)} fits with other seeds: '
        + ', '.join(f'{v:.3f}' for v in values)
        + f' (standard deviation {spread:.3f}).',
    )
