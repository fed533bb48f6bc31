"""Layers in NumPy, written from their definitions."""

import jax
import numpy as np


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def randomised(variables):
    """Replaces every number, so that none is left at 0 or 1."""
    leaves, tree = jax.tree.flatten(variables)
    leaves = [
        0.3 + np.abs(draw(*x.shape, seed=i))
        if path[0].key == 'batch_stats'
        else draw(*x.shape, seed=i)
        for i, (path, x) in enumerate(
            jax.tree_util.tree_leaves_with_path(variables)
        )
    ]
    return jax.tree.unflatten(tree, leaves)


def batch_norm(x, params, stats, train):
    if train:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    else:
        mean, variance = stats['mean'], stats['var']
    x = (x - mean) / np.sqrt(variance + 1e-5)
    return x * params['scale'] + params['bias']


def convolve(x, layer, stride, padding):
    before, after = padding
    kernel = layer['kernel']
    x = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(
        x, kernel.shape[:2], (1, 2)
    )[:, ::stride, ::stride]
    return np.einsum('nhwcij,ijco->nhwo', windows, kernel) + layer['bias']


def cubic(distance):
    """Keys' kernel with A = -0.75, as PyTorch's bicubic."""
    a, d = -0.75, abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    if d < 2:
        return a * (d**3 - 5 * d**2 + 8 * d - 4)
    return 0.0


def triangle(distance):
    return max(0.0, 1 - abs(distance))


def box(distance):
    return float(-0.5 <= distance < 0.5)


KERNELS = {'bicubic': cubic, 'bilinear': triangle, 'nearest': box}


def doubled(x, axis, kernel):
    """Resamples one axis at half-pixel centres with clamped edges."""
    x = np.moveaxis(np.float64(x), axis, 0)
    out = np.zeros((2 * len(x), *x.shape[1:]))
    for i in range(len(out)):
        centre = (i + 0.5) / 2 - 0.5
        for j in range(int(np.floor(centre)) - 2, int(np.floor(centre)) + 4):
            source = min(max(j, 0), len(x) - 1)
            out[i] += kernel(j - centre) * x[source]
    return np.moveaxis(out, 0, axis)
