"""The measures of MinD-Vis against scikit-image and brute force."""

import numpy as np
import pytest
from skimage import metrics

from brainjax.evaluation.published import god

GENERATOR = np.random.default_rng(0)


def pictures(n=4, side=20):
    return GENERATOR.integers(256, size=(n, side, side, 3), dtype=np.uint8)


def reference_ssim(x, y):
    return metrics.structural_similarity(x, y, channel_axis=-1, data_range=255)


def test_scores_against_brute_force():
    truth = pictures()
    made = np.uint8(0.3 * truth + 0.7 * pictures())
    found = god.score(truth, made, draws=50)
    x, y = truth / 255, made / 255
    assert found['mse']['value'] == pytest.approx(((x - y) ** 2).mean())
    assert found['mse']['better'] == 'lower'
    similarity = np.array([[reference_ssim(a, b) for b in made] for a in truth])
    assert found['ssim_rgb']['value'] == pytest.approx(np.trace(similarity) / 4)
    expected = np.mean(
        [
            similarity[i, j] < similarity[j, j]
            for j in range(4)
            for i in range(4)
            if i != j
        ]
    )
    assert found['two_way_ssim_rgb']['value'] == pytest.approx(expected)
    error = ((x[:, None] - y[None]) ** 2).mean((2, 3, 4))
    expected = np.mean(
        [
            error[i, j] > error[j, j]
            for j in range(4)
            for i in range(4)
            if i != j
        ]
    )
    assert found['two_way_mse']['value'] == pytest.approx(expected)
    assert 'lpips_alexnet' not in found
    same = god.score(truth, truth, lambda x, y: 1 - np.eye(len(x)), draws=50)
    assert same['lpips_alexnet']['value'] == 0
    assert same['two_way_lpips_alexnet']['value'] == 1
