"""The measures of MinD-Vis against scikit-image and brute force."""

import numpy as np
import pytest
from skimage import metrics

from brainjax.errors import InputError
from brainjax.evaluation import god

GENERATOR = np.random.default_rng(0)


def pictures(n=4, side=20):
    return GENERATOR.integers(256, size=(n, side, side, 3), dtype=np.uint8)


def reference_ssim(x, y):
    return metrics.structural_similarity(x, y, channel_axis=-1, data_range=255)


def test_ssim_of_colours_is_scikit_images():
    for x, y in zip(pictures(), pictures()):
        mixed = np.uint8(0.6 * x + 0.4 * y)
        for other in (mixed, x, np.full_like(x, 90)):
            assert god.ssim_rgb(x, other) == pytest.approx(
                reference_ssim(x, other), abs=1e-10
            )


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


def test_pseudo_labels_against_the_published_draws():
    truth, made = GENERATOR.normal(size=(2, 6, 40))
    made += 0.8 * truth
    expected = []
    for a, b in zip(truth, made):
        label = a.argmax()
        others = np.delete(np.arange(40), label)
        hits = 0
        for _ in range(3000):
            drawn = GENERATOR.choice(others, 9, replace=False)
            hits += (b[drawn] >= b[label]).sum() < 2
        expected.append(hits / 3000)
    found = god.pseudo_label_top_k(truth, made, n=10, k=2)
    np.testing.assert_allclose(found, expected, atol=0.04)
    assert (god.pseudo_label_top_k(truth, truth, 40) == 1).all()
    with pytest.raises(InputError, match='41-way'):
        god.pseudo_label_top_k(truth, made, 41)
