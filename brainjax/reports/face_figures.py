"""Figures of a face model: samples, reconstructions, walks through latents.

Like `figures`, they return Matplotlib figures and show nothing. They take
pictures, or `generate`, a function from latents [n, latents] to pictures
[n, height, width, 3], so that a VAE-GAN and principal components serve alike.
"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from brainjax.reports.figures import INK, MUTED, WIDTH, montage

Generate = Callable[[np.ndarray], np.ndarray]


def samples(
    generate: Generate, latents: np.ndarray, n: int = 24, seed: int = 0
) -> Figure:
    """Pictures of random latents with the mean and covariance of known ones.

    Latents of pictures keep to a part of where the prior would draw from, and
    to the correlations among them.

    Args:
      generate: latents to pictures.
      latents: [m, latents] of pictures, m > 1.
      n: how many to draw.
      seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    latents = np.asarray(latents, np.float64)
    centred = latents - latents.mean(0)
    weights = rng.standard_normal((n, len(latents)))
    drawn = latents.mean(0) + weights @ centred / np.sqrt(len(latents) - 1)
    return sheet(generate(np.float32(drawn)))


def sheet(images: np.ndarray, columns: int = 8) -> Figure:
    """Pictures [n, height, width, 3] side by side."""
    n = len(images)
    columns = min(n, columns)
    padding = -n % columns
    blank = np.ones((padding, *images.shape[1:]), images.dtype)
    if images.dtype == np.uint8:
        blank *= 255
    grid = np.concatenate([images, blank])
    return rows(grid.reshape(-1, columns, *images.shape[1:]))


def reconstructions(images: np.ndarray, **rebuilt: np.ndarray) -> Figure:
    """Pictures beside what models make of their latents.

    Args:
      images: [n, height, width, 3], floats in 0..1 or uint8.
      **rebuilt: label -> pictures of the same shape.

    Raises:
      InputError: the sets differ in shape.
    """
    return montage(images, rebuilt)


def traversal(
    generate: Generate,
    latents: np.ndarray,
    directions: np.ndarray,
    labels: Sequence[str],
    reach: float = 2.0,
    steps: int = 7,
) -> Figure:
    """Walks from a picture along directions in latent space, one a row.

    A step's length is in standard deviations of the latents' projection on
    the direction.

    Args:
      generate: latents to pictures.
      latents: [m, latents] of pictures; the walks start from the first.
      directions: [rows, latents], not zero.
      labels: [rows] what to write beside each.
      reach: standard deviations to either side.
      steps: pictures a row; in the middle is the start if their number is
        odd.
    """
    directions = np.asarray(directions, np.float64)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    deviations = (np.asarray(latents) @ unit.T).std(0)
    places = np.linspace(-reach, reach, steps)
    walked = (
        latents[0]
        + places[None, :, None] * deviations[:, None, None] * unit[:, None]
    )
    images = generate(np.float32(walked.reshape(-1, latents.shape[1])))
    grid = images.reshape(len(unit), steps, *images.shape[1:])
    return rows(grid, labels, [f'{place:+.1f} sd' for place in places])


def rows(
    images: np.ndarray,
    labels: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> Figure:
    """Pictures [rows, columns, height, width, 3] in a grid, with labels."""
    down, across, height, width, _ = images.shape
    gap = 0.04
    left = 1.0 if labels is not None else 0.0
    top = 0.22 if titles is not None else 0.0
    picture = height / width
    total = left + across * (1 + gap) - gap
    tall = top + down * (picture + gap) - gap
    inch = min(WIDTH / total, 1.2)
    figure = Figure(figsize=(inch * total, inch * tall))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    top_value = 255 if images.dtype == np.uint8 else 1
    for row in range(down):
        y = top + row * (picture + gap)
        for column in range(across):
            x = left + column * (1 + gap)
            axes.imshow(
                np.clip(images[row, column], 0, top_value),
                extent=(x, x + 1, y + picture, y),
                interpolation='nearest',
                aspect='auto',
            )
            if row == 0 and titles is not None:
                axes.text(
                    x + 0.5, top / 2, titles[column], ha='center',
                    va='center', size=7.5, color=MUTED,
                )  # fmt: skip
        if labels is not None:
            axes.text(
                left - 0.1, y + picture / 2, labels[row], ha='right',
                va='center', size=8, color=INK,
            )  # fmt: skip
    axes.set(xlim=(0, total), ylim=(tall, 0))
    return figure
