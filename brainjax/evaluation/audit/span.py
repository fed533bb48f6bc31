"""How much room reconstructions take up among all pictures.

A linear decoder whose units share one kernel gives mixtures of training
pictures and nothing else (output dimension collapse, Otsuka et al. 2025).
"""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation.audit import AuditCheck, not_checked

SPAN_LEAST, SPAN_SHARE = 0.002, 0.05
FEWEST = 5  # Pictures of which one counts dimensions.


def span(
    target: np.ndarray, reconstruction: np.ndarray, train: np.ndarray
) -> AuditCheck:
    """Is every reconstruction a weighted sum of training pictures?

    A ridge whose units share one kernel can give nothing else, whatever the
    responses are (output dimension collapse, Otsuka et al. 2025).
    """
    check = 'span of training pictures'
    size = train[0].size
    if len(train) >= size // 2:
        return not_checked(
            check,
            f'{len(train)} training pictures span nearly all pictures of '
            f'{size} values.',
        )
    ours, theirs = (outside_span(x, train) for x in (reconstruction, target))
    mixed = ours < SPAN_LEAST and ours < SPAN_SHARE * theirs
    return AuditCheck(
        check,
        ours,
        theirs,
        # Every ridge with one penalty does so, and may be honest.
        'note' if mixed else 'ok',
        f'{ours:.2%} of the reconstructions’ variance is outside the span of '
        f'the training pictures, and {theirs:.2%} of the true pictures’. '
        + (
            'They are mixtures of training pictures and cannot show '
            'anything else.'
            if mixed
            else 'They are not mere mixtures of training pictures.'
        ),
    )


def outside_span(images: np.ndarray, train: np.ndarray) -> float:
    """Share of variance outside the span of centred training pictures.

    Args:
      images: [n, ...].
      train: [m, ...], fewer than values of a picture.
    """
    mean = train.mean(axis=0, dtype=np.float64).ravel()
    rows = train.reshape(len(train), -1) - mean
    # Of the pictures' Gram matrix, smaller than that of the pixels.
    values, vectors = np.linalg.eigh(rows @ rows.T)
    # Directions that rounding alone gives; centring takes at least one.
    kept = values > 1e-9 * values.max()
    basis = (vectors[:, kept] / np.sqrt(values[kept])).T @ rows
    wanted = images.reshape(len(images), -1) - mean
    left = wanted - wanted @ basis.T @ basis
    total = np.square(wanted).sum()
    return float(np.square(left).sum() / total) if total else 0.0


def best_prediction(
    target: np.ndarray, train: np.ndarray, counts: Sequence[int] = (1, 2, 4, 8)
) -> AuditCheck:
    """The floor of a linear decoder that shares its kernel over units.

    The squared error, over the variance of the true pictures (or features),
    that stays when each is replaced by its projection on the span of all, a
    half, a quarter and an eighth of the training pictures; no brain takes
    part.
    """
    floors = {
        len(train[::c]): outside_span(target, train[::c])
        for c in counts
        if len(train[::c]) > 1
    }
    listed = ', '.join(f'{n}: {floor:.0%}' for n, floor in floors.items())
    return AuditCheck(
        'best prediction of a dense linear decoder',
        next(iter(floors.values())),
        None,
        'not judged',
        'Share of the true pictures’ variance that no mixture of so many '
        f'training pictures can give: {listed}.',
    )


def effective_rank(
    target: np.ndarray, reconstruction: np.ndarray
) -> AuditCheck:
    """How many dimensions the reconstructions fill, and the targets."""
    check = 'effective rank'
    if len(target) < FEWEST:  # n pictures fill n - 1 dimensions at most.
        return not_checked(check, f'it needs {FEWEST} test pictures.')
    ours, theirs = (_rank(x) for x in (reconstruction, target))
    one = ours < 1.5
    return AuditCheck(
        check,
        ours,
        theirs,
        'note' if one else 'ok',
        f'The reconstructions fill {ours:.1f} dimensions and the true '
        f'pictures {theirs:.1f} (exponential of the entropy of the '
        'covariance’s eigenvalues). '
        + (
            'They are all but one picture.'
            if one
            else 'They differ from each other.'
        ),
    )


def _rank(images):
    rows = images.reshape(len(images), -1).astype(np.float64)
    rows = rows - rows.mean(axis=0)
    values = np.linalg.eigvalsh(rows @ rows.T).clip(0)
    if values.max() <= 1e-10 * rows.size:  # All pictures are the same.
        return 1.0
    share = values / values.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
