"""Receptive fields from contributions, against brute force and known truth."""

import numpy as np
import pytest

from brainjax.evaluation import receptive_fields
from brainjax.reports import encoder_figures
from brainjax.simulation import voxels


def test_maps_are_the_deviation_of_each_places_contribution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4, 4, 3)) @ rng.normal(size=(3, 3)) + 5
    w = rng.normal(size=(4, 4, 3, 2))
    found = receptive_fields.maps([x], [w])
    for i, j, v in ((0, 0, 0), (3, 1, 1), (2, 2, 0)):
        expected = (x[:, i, j] @ w[i, j, :, v]).std()
        assert found[i, j, v] == pytest.approx(expected, rel=1e-4)


def test_a_coarser_branch_keeps_its_variance():
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(40, n, n, 2)) for n in (8, 4)]
    w = [np.ones((n, n, 2, 1)) for n in (8, 4)]
    fine, both = (
        np.square(receptive_fields.maps(x[:k], w[:k])).sum() for k in (1, 2)
    )
    coarse = np.square(receptive_fields.maps(x[1:], w[1:])).sum()
    assert both == pytest.approx(fine + coarse, rel=0.02)


def test_gaussians_on_a_background_are_found():
    """Within the grid's steps: a quarter of a place, and 12 % of size."""
    rng = np.random.default_rng(2)
    centre = rng.uniform(0.2, 0.8, (40, 2))
    size = rng.uniform(0.08, 0.25, 40)
    side = 14
    true = np.moveaxis(voxels.receptive_fields(centre, size, side), 0, -1)
    true = 0.3 + true / true.max(axis=(0, 1))
    found = receptive_fields.fit(true)
    assert abs(found.centre - centre).max() < 0.6 / (2 * side)
    assert abs(np.log(found.size / size)).max() < 0.12
    assert found.fit.min() > 0.98
    noisy = true + 0.1 * rng.normal(size=true.shape)
    found = receptive_fields.fit(noisy)
    assert np.median(np.linalg.norm(found.centre - centre, axis=1)) < 0.03
    assert np.corrcoef(found.size, size)[0, 1] > 0.8


def test_fields_are_found_where_the_units_look():
    """Two branches a pixel and two off the middles of their parts."""
    rng = np.random.default_rng(6)
    pixels, voxels_ = 112, 30
    places = [
        (4 * np.arange(28) + 1) / pixels,
        (8 * np.arange(14) + 2) / pixels,
    ]
    centre = rng.uniform(0.25, 0.75, (voxels_, 2))
    activations, weights = [], []
    for at in places:
        y, x = (
            np.exp(-((at - centre[:, i, None]) ** 2) / (2 * 0.1**2))
            for i in (1, 0)
        )
        field = np.einsum('vi,vj->ijv', y, x)[:, :, None]
        activations.append(rng.normal(size=(200, *field.shape[:2], 1)))
        weights.append(field)
    for parts in (slice(1), slice(1, 2), slice(2)):
        maps = receptive_fields.maps(
            activations[parts], weights[parts], places[parts]
        )
        found = receptive_fields.fit(maps, max(places[parts], key=len))
        error = (found.centre - centre).mean(axis=0)
        assert abs(error).max() < 0.5 / pixels
    # As if spread evenly, they are off by what they look elsewhere.
    wrong = receptive_fields.fit(receptive_fields.maps(activations, weights))
    assert ((wrong.centre - centre).mean(axis=0) > 0.5 / pixels).all()


def test_a_flat_map_has_no_field():
    found = receptive_fields.fit(np.ones((5, 5, 1)))
    assert np.isnan(found.fit[0]) and np.isnan(found.size[0])
    assert np.isnan(found.centre).all()


def test_polar_coordinates_of_the_visual_field():
    centre = np.array([[1, 0.5], [0.5, 0], [0, 0.5], [0.5, 1], [0.5, 0.5]])
    eccentricity, angle = receptive_fields.polar(centre)
    np.testing.assert_allclose(eccentricity, [0.5, 0.5, 0.5, 0.5, 0])
    np.testing.assert_allclose(angle[:4], [0, 90, 180, -90])


def test_preference_is_the_share_of_each_branch():
    rng = np.random.default_rng(3)
    x = [rng.normal(size=(500, 3, 3, 2)) for _ in range(3)]
    w = [np.zeros((3, 3, 2, 3)) for _ in range(3)]
    w[0][0, 0, 0] = [2, 1, 0]
    w[2][1, 1, 1] = [0, 1, 0]
    found = receptive_fields.preference(x, w)
    assert found.share.shape == (3, 3)
    np.testing.assert_allclose(found.share[:, 0], [1, 0, 0])
    assert found.depth[0] == 0 and abs(found.depth[1] - 0.5) < 0.05
    assert np.isnan(found.depth[2])


def test_figures_show_every_region():
    rng = np.random.default_rng(4)
    fields = receptive_fields.Fields(
        rng.random((60, 2)), rng.random(60), np.ones(60)
    )
    share = rng.dirichlet([1, 1], 60).T
    rois = {'V4': np.arange(60) >= 30, 'V1': np.arange(60) < 30}
    figure = encoder_figures.receptive_fields(
        fields,
        receptive_fields.Preference(share, share[1]),
        ('relu1_2', 'relu2_2'),
        rois,
    )
    figure.canvas.draw()
    _, size, depth = figure.axes
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ['V1', 'V4']
    box = legend.get_window_extent()
    assert not any(box.overlaps(a.get_window_extent()) for a in figure.axes)
    assert size.get_ylabel() == 'size (s.d., picture widths)'
    assert len(size.lines) == 2 and len(depth.patches) == 4
    figure = encoder_figures.recovered(
        fields, rng.random((60, 2)), rng.random(60), rois
    )
    figure.canvas.draw()
    assert len(figure.axes) == 3


def test_medians_of_fields_equally_far_out_are_one_point():
    rng = np.random.default_rng(5)
    x = rng.choice([0.1, 0.2, 0.3], 90, p=[0.5, 0.3, 0.2])
    y = rng.random(90)
    found = encoder_figures.trend(x, y)
    np.testing.assert_allclose(found[0], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(
        found[1], [np.median(y[x == value]) for value in found[0]]
    )
