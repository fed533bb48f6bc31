"""Are reconstructions nearer to the pictures than fMRI allows?

Voxels sum over millions of neurons and some tenths of a degree: coarse layout
can be read from them, the finest detail of a photograph cannot. Where it is
there, it came another way. And where pictures have the detail of photographs,
none of it right, and yet are all as near as the best of thousands, they may
have been chosen by the target.
"""

import numpy as np
import scipy
from scipy import ndimage

from brainjax.evaluation.audit import (
    SIDE,
    AuditCheck,
    not_checked,
    pairwise,
    similarity,
)

# Blurred by so many pixels of SIDE, detail is what is lost: above some five
# cycles a picture. 'Coarse' is what nearest pictures are looked for by.
FINE, COARSE = 1.0, 1.5
# Correlation of details, beyond that with the picture of nearest layout: .08
# at most of honest decoders, .37 of a target that was blurred and noised.
DETAIL = 0.2
CORRELATION = 0.99  # Of pixels, likewise: .86 at most.
PHOTOGRAPHIC = 0.6  # Of the targets' detail: .4 at most of honest decoders.
STANDING = 3.0  # Standard deviations above other pictures: the best of 740.
FEWEST = 4  # Pictures.


def detail(
    target: np.ndarray,
    reconstruction: np.ndarray,
    others: np.ndarray,
    fine: bool = True,
) -> AuditCheck:
    """Do reconstructions have the very detail of the targets?

    Args:
      target, reconstruction: [n, side, side, 3] float32 in 0..1.
      others: [m, side, side, 3], training or further test pictures; of letters
        the layout tells the detail, and so it does of these.
      fine: whether the pictures that were seen have that much detail.
    """
    check = 'detail that fMRI cannot have'
    if not fine or len(target) < FEWEST:
        return not_checked(
            check,
            f'it needs {FEWEST} test pictures of {SIDE} px or more.',
        )
    found = float(_along(_fine(target), _fine(reconstruction)).mean())
    told = float(_along(_fine(target), _fine(_like(target, others))).mean())
    near = float(pairwise(target, reconstruction).mean())
    flagged = found > max(told, 0) + DETAIL or (
        near >= CORRELATION and found > told
    )
    return AuditCheck(
        check,
        found,
        told,
        'flag' if flagged else 'ok',
        f'Details (above five cycles a picture) correlate by {found:.2f} with '
        'those of the targets; those of the picture of most similar layout '
        f'by {told:.2f}. Pixel correlation is {near:.2f}. '
        + (
            'The targets themselves, hidden or not, took part.'
            if flagged
            else 'They are no better than the layout allows.'
        ),
    )


def chosen(
    target: np.ndarray,
    reconstruction: np.ndarray,
    others: np.ndarray,
    fine: bool = True,
    declared: int = 1,
) -> AuditCheck:
    """Were the pictures chosen among many by their likeness to the targets?

    Args:
      target, reconstruction, others, fine: see `detail`.
      declared: of how many each was chosen by the target, as is said.
    """
    check = 'chosen among many by the target'
    if declared > 1:
        return AuditCheck(
            check,
            float(declared),
            1.0,
            'flag',
            f'Each is the best of {declared}, chosen by the target. One more '
            'picture could not be reconstructed so: score all, or choose '
            'without the target.',
        )
    if not fine or len(target) < FEWEST or len(others) < 20:
        return not_checked(
            check,
            f'it needs {FEWEST} test pictures of {SIDE} px or more and 20 '
            'other pictures.',
        )
    standing = _standing(target, reconstruction, others)
    ours, theirs = (
        _fine(x).std(axis=(1, 2, 3)) for x in (reconstruction, target)
    )
    share = float(np.median(ours / np.maximum(theirs, 1e-6)))
    right = float(_along(_fine(target), _fine(reconstruction)).mean())
    told = float(_along(_fine(target), _fine(_like(target, others))).mean())
    usual = float(np.mean(standing))
    # How many normal draws it takes to be exceeded by one, on average.
    number = 1 / max(scipy.stats.norm.sf(usual), 1e-6)
    flagged = (
        usual >= STANDING
        and share >= PHOTOGRAPHIC
        and max(right, told) < DETAIL
    )
    return AuditCheck(
        check,
        float(number),
        1.0,
        'flag' if flagged else 'ok',
        f'The reconstructions are as near to the targets as the best of about '
        f'{number:.0f} other pictures would be. Their detail has '
        f'{share:.0%} of the strength of the targets’, and correlates with it '
        f'by {right:.2f}. '
        + (
            'They are photographs of something else, each as near as if it '
            'had been chosen by the target.'
            if flagged
            else 'Nothing speaks for a choice by the target.'
        ),
    )


def _fine(images: np.ndarray) -> np.ndarray:
    size = (0, FINE, FINE, 0)
    return images - ndimage.gaussian_filter(images, size, mode='nearest')


def _along(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Correlations of pairs of details, [n]; 0 where there is none."""
    a, b = (
        x.reshape(len(x), -1) - x.mean(axis=(1, 2, 3))[:, None]
        for x in (pictures, others)
    )
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(lengths, 1e-9)


def _like(target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of others, those whose blurred copies are most like the targets'."""
    size = (0, COARSE, COARSE, 0)
    table = similarity(
        *(
            ndimage.gaussian_filter(x, size, mode='nearest')
            for x in (others, target)
        )
    )
    if others is target:
        np.fill_diagonal(table, -np.inf)
    return others[table.argmax(axis=0)]


def _standing(target, reconstruction, others):
    """Likeness in standard deviations of that of other pictures, [n]."""
    table = np.arctanh(similarity(others, target).clip(-0.999999, 0.999999))
    if others is target:
        np.fill_diagonal(table, np.nan)
    mean, spread = np.nanmean(table, axis=0), np.nanstd(table, axis=0)
    ours = np.arctanh(
        pairwise(target, reconstruction).clip(-0.999999, 0.999999)
    )
    return (ours - mean) / np.maximum(spread, 1e-6)
