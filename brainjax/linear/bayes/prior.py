"""A Gaussian prior over pictures, from pictures without fMRI and with it."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from brainjax.linear import arrays

SMALLEST = 1e-4  # Of the largest variance; axes below it are left out.
MOST_AXES = 400  # Beyond it a prior's own cost grows with the cube.


class Basis(NamedTuple):
    """Orthonormal axes that hold all pictures at hand.

    Pictures are exact in them (but for `MOST_AXES`), whatever a prior says of
    their distribution: a change of coordinates, which learns nothing.

    Attributes:
      origin: [pixels] float32.
      axes: [Q, pixels] float32, orthonormal.
    """

    origin: np.ndarray
    axes: np.ndarray


class Prior(NamedTuple):
    """N(mean, axes' diag(std^2) axes), in the coordinates of a `Basis`.

    Attributes:
      mean: [Q].
      axes: [q, Q], orthonormal, by falling std.
      std: [q], above 0.
    """

    mean: np.ndarray
    axes: np.ndarray
    std: np.ndarray


def basis(rows: np.ndarray, most: int = MOST_AXES) -> Basis:
    """Finds axes in which all rows can be told, at most `most`.

    Args:
      rows: [n, pixels] pictures.
      most: axes to keep, those along which the rows vary most.
    """
    origin = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = rows - origin
    # The smaller of the two Gram matrices has the same eigenvalues.
    wide = centred.shape[1] > len(centred)
    squares = arrays.gram(centred.T if wide else centred)
    largest = max(0, len(squares) - most), len(squares) - 1
    values, vectors = linalg.eigh(squares, subset_by_index=largest)
    keep = values > max(values[-1], 0) * SMALLEST / 10
    values, vectors = values[keep][::-1], vectors[:, keep][:, ::-1]
    if wide:
        vectors = (centred.T @ np.float32(vectors)) / np.sqrt(values)
    return Basis(origin, np.ascontiguousarray(np.float32(vectors.T)))


def outside(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns the variance [pixels] that axes lack of pictures not at hand.

    Parts of the pictures are told in axes of the others; axes of all lack
    somewhat less.

    Args:
      rows: [n, pixels] as for `basis`.
      seed: of the division.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    # Of many pictures, which do not fill their space, a half has the same axes
    # and is enough to tell; of few, each is told by all but a tenth.
    many = len(rows) > 2 * MOST_AXES
    parts = np.array_split(order, 2 if many else min(10, len(rows)))
    total, number = np.zeros(rows.shape[1]), 0
    for some in parts[:1] if many else parts:
        axes = basis(np.delete(rows, some, axis=0))
        rest = rows[some] - pictures(axes, coordinates(axes, rows[some]))
        total += (rest**2).sum(axis=0)
        number += len(some)
    return np.float32(total / number)


def coordinates(basis: Basis, rows: np.ndarray) -> np.ndarray:
    """Returns the coordinates [n, Q] float64 of pictures [n, pixels]."""
    return np.float64((rows - basis.origin) @ basis.axes.T)


def pictures(basis: Basis, coordinates: np.ndarray) -> np.ndarray:
    """Returns the pictures [n, pixels] float32 of coordinates [n, Q]."""
    return np.float32(coordinates) @ basis.axes + basis.origin


class Moments(NamedTuple):
    """What a Gaussian takes from pictures; see `moments`.

    Attributes:
      number: of pictures.
      mean: [Q].
      covariance: [Q, Q], divided by their number.
    """

    number: int
    mean: np.ndarray
    covariance: np.ndarray


def moments(coordinates: np.ndarray) -> Moments:
    """Returns the moments of pictures [n, Q], n at least 1."""
    mean = coordinates.mean(axis=0)
    centred = coordinates - mean
    return Moments(len(centred), mean, centred.T @ centred / len(centred))


def mixture(free: Moments, seen: Moments, weight: float) -> Moments:
    """Returns the moments of both together.

    Args:
      free: of the unpaired pictures.
      seen: of the training stimuli.
      weight: what all of `seen` count beside all of `free`; at 0 they are not
        counted at all.
    """
    if not weight:
        return free
    b = weight / (1 + weight)
    apart = seen.mean - free.mean
    return Moments(
        free.number + seen.number,
        free.mean + b * apart,
        (1 - b) * free.covariance
        + b * seen.covariance
        + b * (1 - b) * np.outer(apart, apart),
    )


def prior(of: Moments) -> Prior:
    """Returns the Gaussian with these moments.

    Its axes are those with more than `SMALLEST` of the largest variance, at
    most one less than there are pictures.
    """
    values, vectors = np.linalg.eigh(of.covariance)
    values, axes = values[::-1].clip(0), vectors.T[::-1]
    keep = values > SMALLEST * values[0]
    keep[of.number - 1 :] = False
    return Prior(of.mean, axes[keep], np.sqrt(values[keep]))


def latents(prior: Prior, coordinates: np.ndarray) -> np.ndarray:
    """Returns z [n, q], N(0, 1) under the prior, of coordinates [n, Q]."""
    return (coordinates - prior.mean) @ prior.axes.T / prior.std


def from_latents(prior: Prior, z: np.ndarray) -> np.ndarray:
    """Returns the coordinates [..., Q] of z [..., q]."""
    return (z * prior.std) @ prior.axes + prior.mean


def mixed(free: Moments | None, seen: np.ndarray, weight: float) -> Prior:
    """Returns the prior of a `mixture`, or of `seen` alone.

    Args:
      free: of the unpaired pictures, if there are any.
      seen: [stimuli, Q] coordinates of the training stimuli.
      weight: see `mixture`.
    """
    known = moments(seen)
    return prior(mixture(free or known, known, weight))


def readout(basis: Basis, prior: Prior) -> np.ndarray:
    """Returns [pixels, q] float32, by which latents become pictures."""
    return basis.axes.T @ np.float32(prior.axes.T * prior.std)
