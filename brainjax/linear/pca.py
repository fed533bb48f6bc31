"""Principal components of pictures: the baseline for learned latents.

The same two functions as those of a VAE-GAN:

    fitted = pca.fit(training_images, 1024)
    latents = pca.encode(fitted, images)
    images = pca.generate(fitted, latents)
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import linalg

from brainjax.errors import InputError
from brainjax.linear.arrays import blocks
from brainjax.pictures.operations import check_kind

_BATCH = 256  # Pictures held as floats at once.
_TOGETHER = 512  # As float64, where each meets all others.
# Pictures whose products with each other are held, half a gigabyte.
MOST = 8192


class Pca(NamedTuple):
    """Fitted components of pictures with values in 0..1.

    Attributes:
      mean: [size, size, 3] float32.
      components: [k, size, size, 3] float32, orthonormal, by falling
        variance; the largest weight of each is positive.
      std: [k] float32, standard deviation of the training scores (n - 1).
      scale: [k] float32 by which scores are divided: `std` if they are
        whitened, else ones.
    """

    mean: np.ndarray
    components: np.ndarray
    std: np.ndarray
    scale: np.ndarray


def fit(
    images: np.ndarray,
    components: int,
    whiten: bool = False,
    seed: int = 0,
    iterations: int = 8,
    show: Callable[[int, int], None] = lambda done, of: None,
) -> Pca:
    """Finds the first components.

    Of few pictures from the products of each with each other, whose
    eigenvectors tell the components exactly. Of many by randomised subspace
    iteration: half as many directions again are iterated, so that what
    component k has of others falls like (s_{1.5 k} / s_k)^(2 iterations) with
    the singular values s. Whichever takes fewer operations is taken. Pictures
    are read in parts, never held as floats all at once.

    Reference: Halko, Martinsson & Tropp 2011, Finding structure with
    randomness, algorithm 4.4.

    Args:
      images: [n, size, size, 3], uint8 or floats in 0..1.
      components: how many, k.
      whiten: whether scores get the variance 1 over the training pictures.
        Raw scores have very unequal variances, and a correlation over them
        is that of the first few.
      seed: of the directions that the iteration begins with.
      iterations: times that they go through the pictures and back.
      show: is told how many parts of the work are done, of how many.
    """
    n, shape = len(images), images.shape[1:]
    if not 0 < components < min(n, np.prod(shape) + 1):
        raise InputError(
            f'{n} pictures of {shape[0]} x {shape[1]} px do not have '
            f'{components} principal components; ask for fewer, or give more '
            'pictures than components.'
        )
    mean = np.float32(
        sum(part.sum(0, np.float64) for part in _parts(images)) / n
    )
    width = min(n, len(mean), components + max(16, components // 2))
    if n <= min(MOST, 2 * iterations * width, len(mean)):
        values, found = _by_products(images, mean, components, show)
    else:
        start = np.random.default_rng(seed).standard_normal(
            (len(mean), width), np.float32
        )
        values, found = _by_iteration(images, mean, start, iterations, show)
    found = np.ascontiguousarray(found[:, :components].T)
    # A component's sign is arbitrary; fixed, the same run gives the same.
    largest = np.abs(found).argmax(axis=1)
    found *= np.sign(found[np.arange(components), largest])[:, None]
    std = np.float32(np.sqrt(values[:components].clip(0) / (n - 1)))
    if whiten and std[-1] < 1e-6 * std[0]:
        raise InputError(
            f'{n} pictures do not differ in {components} ways, so that their '
            'components cannot be whitened; ask for fewer, or give other '
            'pictures.'
        )
    return Pca(
        mean.reshape(shape),
        found.reshape(-1, *shape),
        std,
        std.clip(1e-12) if whiten else np.ones_like(std),
    )


def encode(fitted: Pca, images: np.ndarray) -> np.ndarray:
    """Returns the scores of pictures, (image - mean) V / scale.

    Args:
      fitted: from `fit`.
      images: [n, size, size, 3], uint8 or floats in 0..1.

    Returns:
      [n, k] float32.
    """
    basis = _flat(fitted.components).T / fitted.scale
    mean = fitted.mean.ravel()
    parts = [(part - mean) @ basis for part in _parts(images)]
    return np.concatenate([np.zeros((0, basis.shape[1]), np.float32), *parts])


def generate(fitted: Pca, latents: np.ndarray) -> np.ndarray:
    """Returns the pictures of scores, clipped to 0..1.

    Args:
      fitted: from `fit`.
      latents: [n, k], as from `encode`.

    Returns:
      [n, size, size, 3] float32.
    """
    scores = np.float32(latents) * fitted.scale
    images = scores @ _flat(fitted.components) + fitted.mean.ravel()
    return images.clip(0, 1).reshape(-1, *fitted.mean.shape)


def _by_products(images, mean, components, show):
    """Squared singular values and directions [pixels, components], falling."""
    n = len(images)
    products = np.empty((n, n))  # Below and on the diagonal.
    parts = list(blocks(n, _TOGETHER))
    total = len(parts) + 2
    for done, rows in enumerate(parts):
        show(done, total)
        # In float32 a direction without variance would have a thousandth of
        # the first one's deviation.
        ours = np.float64(_centred(images[rows], mean))
        for columns in blocks(rows.start, _TOGETHER):
            theirs = np.float64(_centred(images[columns], mean))
            products[rows, columns] = ours @ theirs.T
        products[rows, rows] = ours @ ours.T
    show(total - 2, total)
    # As LAPACK keeps matrices, by columns: no copy.
    values, vectors = linalg.eigh(
        products.T,
        lower=False,
        subset_by_index=(n - components, n - 1),
        overwrite_a=True,
        check_finite=False,
    )
    show(total - 1, total)
    values, vectors = values[::-1], np.float32(vectors[:, ::-1])
    directions = np.zeros((len(mean), components), np.float32, order='F')
    for rows in blocks(n, _BATCH):
        directions += _centred(images[rows], mean).T @ vectors[rows]
    # They are orthogonal and as long as the singular values, but where these
    # are 0: nothing is divided by them.
    directions = _orthonormal(directions)
    show(total, total)
    return values, directions


def _by_iteration(images, mean, start, iterations, show):
    """The same by subspace iteration, of [pixels, directions] to start from."""
    basis = _orthonormal(start)
    for done in range(iterations):
        show(done, iterations + 1)
        forth = np.zeros_like(basis)
        for part in _parts(images):
            part = part - mean
            forth += part.T @ (part @ basis)
        del basis
        basis = _orthonormal(forth)
    show(iterations, iterations + 1)
    squares = np.zeros(2 * basis.shape[1:])
    for part in _parts(images):
        scores = (part - mean) @ basis
        squares += scores.T @ scores
    values, vectors = np.linalg.eigh(squares)
    basis = basis @ np.float32(vectors[:, ::-1])
    show(iterations + 1, iterations + 1)
    return values[::-1], basis


def _orthonormal(basis):
    # NumPy's takes eight arrays more of that size, and this one two.
    return linalg.qr(
        basis, mode='economic', overwrite_a=True, check_finite=False
    )[0]


def _flat(images):
    return images.reshape(len(images), -1)


def _parts(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields pictures as rows of floats in 0..1."""
    for some in blocks(len(images), _BATCH):
        yield _floats(images[some])


def _floats(images):
    part = _flat(images)
    check_kind(part)
    if part.dtype == np.uint8:
        part = part * np.float32(1 / 255)
    return part.astype(np.float32, copy=False)


def _centred(images, mean):
    return _floats(images) - mean
