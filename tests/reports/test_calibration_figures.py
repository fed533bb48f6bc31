"""Figures of draws: what they show is what was counted."""

import numpy as np
import pytest

from brainjax.evaluation.posterior import posterior_scores
from brainjax.reports import DRAWINGS, calibration_figures

RNG = np.random.default_rng(0)


def test_ranks_are_shared_out_evenly():
    """Each rank once is flat, also where ranks do not divide into bars."""
    for draws, bins in ((19, 20), (32, 20), (3, 20), (100, 7)):
        ranks = np.arange(draws + 1)[:, None]
        figure = calibration_figures.rank_histogram(ranks, draws, bins)
        heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
        assert len(heights) == min(bins, draws + 1)
        np.testing.assert_allclose(heights, (draws + 1) / len(heights))
    extreme = np.array([[0, 9], [0, 9], [0, 3]])
    figure = calibration_figures.rank_histogram(extreme, 9)
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
    np.testing.assert_allclose(heights, [3, 0, 0, 1, 0, 0, 0, 0, 0, 2])


def test_coverage_is_drawn_where_it_is_defined():
    levels = np.array([0.5, 0.8, 0.95])
    covered = np.array([[0.4, 0.7, np.nan], [0.6, 0.9, np.nan]])
    nothing = np.full((1, 3), np.nan)
    figure = calibration_figures.coverage_curve(
        levels, np.concatenate([covered, nothing])
    )
    line = figure.axes[0].lines[1]
    np.testing.assert_allclose(line.get_xydata(), [[0.5, 0.5], [0.8, 0.8]])
    figure = calibration_figures.coverage_curve(levels, nothing)
    assert len(figure.axes[0].lines) == 1


@pytest.mark.parametrize('k', [2, 6])
def test_a_posterior_is_drawn_by_kind(k):
    samples = RNG.random((14, k, 6, 5, 3), np.float32)
    targets = RNG.integers(256, size=(14, 6, 5, 3), dtype=np.uint8)
    names = [f'p{i}' for i in range(14)]
    found = posterior_scores.figures(samples, targets, names=names)
    assert len(found['posterior_montage']['target']) == 12
    assert found['rank_histogram']['ranks'].max() <= k
    montage = DRAWINGS['posterior_montage'](**found['posterior_montage'])
    texts = {text.get_text() for text in montage.axes[0].texts}
    drawn = {f'draw {i}' for i in range(1, min(k, 4) + 1)}
    assert {'seen', 'mean', 'deviation', 'p0', *drawn} <= texts
    assert 'draw 5' not in texts and 'p12' not in texts
    shown = montage.axes[0].images
    assert len(shown) == 12 * (3 + min(k, 4))
    maps = [np.asarray(image.get_array()) for image in shown]
    maps = np.stack(maps[2 + min(k, 4) :: 3 + min(k, 4)])
    spread = samples[:12].std(axis=1, ddof=1).mean(axis=-1)
    np.testing.assert_allclose(maps[..., 0], spread / spread.max(), atol=1e-5)
    for kind in ('rank_histogram', 'coverage_curve'):
        assert DRAWINGS[kind](**found[kind]).axes
