"""The measures of MinD-Vis and those that follow it (preset 'god').

Pictures are 256 x 256, uint8. Two-way identification over all other test
pictures, by mean squared error, correlation, SSIM of colour pictures and
LPIPS with AlexNet (Chen et al. 2023, Zeng et al. 2024).

Two of their measures need networks that are not here: the n-way semantic
classification by ViT-H/14, whose rule is `pseudo_label_top_k`, and an FID of
64 Inception features, which is not comparable with the usual one.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from brainjax.evaluation import identification, pixels
from brainjax.evaluation.scores import Score, make_score

SIZE = 256
WINDOW = 7


def ssim_rgb(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of two colour pictures: uniform 7 x 7 window, sample covariance.

    The mean over channels and over the places where the window fits, with
    C1 = 0.01^2 and C2 = 0.03^2 for values in 0..1 (a data range of 255 for
    uint8 gives the same).

    Args:
      x, y: [height, width, 3] uint8, or floats in 0..1.
    """
    x, y = pixels.unit_range(x), pixels.unit_range(y)
    return _ssim(x, _moments(x), y, _moments(y))


def _mean(x):
    x = ndimage.uniform_filter(x, (WINDOW, WINDOW, 1))
    inner = slice(WINDOW // 2, -(WINDOW // 2))
    return x[inner, inner]


def _moments(x):
    mean = _mean(x)
    return mean, _mean(x * x) - mean**2


def _ssim(x, x_moments, y, y_moments):
    sample = WINDOW**2 / (WINDOW**2 - 1)
    (mx, vx), (my, vy) = x_moments, y_moments
    covariance = sample * (_mean(x * y) - mx * my)
    similarity = (2 * mx * my + pixels.C1) * (2 * covariance + pixels.C2)
    similarity /= (mx**2 + my**2 + pixels.C1) * (sample * (vx + vy) + pixels.C2)
    return float(similarity.mean())


def score(
    target: np.ndarray,
    reconstruction: np.ndarray,
    lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Scores by mean squared error, correlation, SSIM and LPIPS.

    Args:
      target, reconstruction: [n, height, width, 3] uint8, matched.
      lpips: (pictures, reconstructions) -> [n, n] distances, or None.
      seed, draws: of `make_score`.

    Returns:
      'mse' (of values in 0..1; lower is better), 'pixcorr', 'ssim_rgb' and
      'lpips_alexnet' (lower is better), and 'two_way_...' by each.

    Raises:
      InputError: the pictures cannot be compared.
    """
    pixels.check_pictures(target, reconstruction)
    n = len(target)
    rows = [
        pixels.unit_range(images).reshape(n, -1)
        for images in (target, reconstruction)
    ]
    squares = [np.einsum('np,np->n', x, x) for x in rows]
    error = squares[0][:, None] + squares[1] - 2 * rows[0] @ rows[1].T
    error = np.round(error / rows[0].shape[1], 12)
    moments = [_moments(pixels.unit_range(y)) for y in reconstruction]
    similarity = np.empty((n, n))
    for i, x in enumerate(target):
        x = pixels.unit_range(x)
        ours = _moments(x)
        for j, y in enumerate(reconstruction):
            y = pixels.unit_range(y)
            similarity[i, j] = _ssim(x, ours, y, moments[j])
    measures = {
        'mse': (error, -1),
        'pixcorr': (identification.similarity(*rows), 1),
        'ssim_rgb': (similarity, 1),
    }
    if lpips is not None:
        measures['lpips_alexnet'] = (lpips(target, reconstruction), -1)
    options = {'seed': seed, 'draws': draws}
    scores = {}
    for name, (matrix, sign) in measures.items():
        scores[name] = make_score(
            [np.nan_to_num(matrix)], lower=sign < 0, **options
        )
        table = identification.n_way_table(sign * matrix, 2)
        scores[f'two_way_{name}'] = make_score([table], 0.5, **options)
    return scores


def pseudo_label_top_k(
    target: np.ndarray, reconstruction: np.ndarray, n: int = 50, k: int = 1
) -> np.ndarray:
    """n-way top-k semantic classification by any classifier of pictures.

    The label is the class that the classifier gives to the picture that was
    seen, right or wrong. The answer is right if it is among the k best of n
    classes for the reconstruction, the other n - 1 being drawn at random: the
    exact expectation over draws, where the published script draws 1000 times.

    Args:
      target, reconstruction: [pictures, classes] scores or probabilities.
      n: how many classes.
      k: how many guesses.

    Returns:
      [pictures] float64; ties count as misses.

    Raises:
      InputError: there are fewer than n classes.
    """
    label = np.argmax(target, axis=1)[:, None]
    own = np.take_along_axis(reconstruction, label, axis=1)
    # The label itself is not among those that beat it.
    beaten = (reconstruction >= own).sum(axis=1) - 1
    classes = target.shape[1]
    return identification.expected_success(beaten, classes - 1, n, k)
