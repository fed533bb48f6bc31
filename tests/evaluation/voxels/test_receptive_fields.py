"""Receptive fields against planted windows, place by place."""

import numpy as np

from brainjax.evaluation.voxels import receptive_fields
from brainjax.reports import encoder_figures
from brainjax.simulation import voxels

PLACES = [(4 * np.arange(12) + 1) / 48, (4 * np.arange(12) + 2) / 48]


def planted(centre, size, *, at=4, noise=0.5, trials=200, seed=1):
    """Voxels that sum two branches through a Gaussian window.

    Place by place and patch by patch: `at` is the one of a patch's nine units
    (rows before columns) that they read, 4 the middle.
    """
    rng = np.random.default_rng(seed)
    activations = [rng.normal(size=(trials, 12, 12, 2)) + 3 for _ in PLACES]
    fmri, mixes = np.zeros((trials, len(centre))), []
    for x, places in zip(activations, PLACES):
        weights = rng.normal(size=(2, len(centre)))
        mix = np.zeros((2, 9, len(centre)))
        mix[:, at] = weights
        mixes.append(mix.reshape(18, -1))
        for v, ((cx, cy), width) in enumerate(zip(centre, size)):
            for i in range(1, 11):
                for j in range(1, 11):
                    away = (places[j] - cx) ** 2 + (places[i] - cy) ** 2
                    seen = x[:, i + at // 3 - 1, j + at % 3 - 1] @ weights[:, v]
                    fmri[:, v] += np.exp(-away / (2 * width**2)) * seen
    fmri *= 1 / fmri.std(axis=0)
    fmri += noise * rng.normal(size=fmri.shape)
    both = [np.stack([places, places]) for places in PLACES]
    return activations, mixes, both, fmri


def standard_errors(error):
    return error.mean(axis=0) / (error.std(axis=0, ddof=1) / len(error) ** 0.5)


def test_planted_windows_are_found_without_bias():
    """Though the units lie left of and above the picture's middle."""
    rng = np.random.default_rng(7)
    centre = rng.uniform(0.1, 0.85, (60, 2))
    size = rng.uniform(0.06, 0.2, 60)
    found = receptive_fields.fit_responses(*planted(centre, size))
    error = found.centre - centre
    assert abs(error).max() < 0.1 and abs(error.mean(axis=0)).max() < 0.004
    assert abs(standard_errors(error)).max() < 2.5
    slope = np.polyfit(centre.ravel(), found.centre.ravel(), 1)[0]
    assert abs(slope - 1) < 0.03
    assert abs(np.log(found.size / size)).mean() < 0.15
    assert found.located.all() and (abs(found.fit - 0.89) < 0.06).all()


def test_the_fit_is_the_best_correlation_of_any_window():
    """Each window with each place's patches; trials fill no whole part."""
    activations, mixes, places, fmri = planted(
        np.full((3, 2), 0.4), np.full(3, 0.1), trials=11
    )
    centres = (np.arange(16) + 0.5) / 16
    found = []
    for size in receptive_fields.SIZES:
        predicted = 0
        for x, mix, place in zip(activations, mixes, places):
            patches = np.lib.stride_tricks.sliding_window_view(
                x, (3, 3), (1, 2)
            )
            mixed = patches.reshape(*patches.shape[:3], -1) @ mix
            window = np.exp(
                -((place[0, 1:-1] - centres[:, None]) ** 2) / (2 * size**2)
            )
            predicted += np.einsum('ki,lj,nijv->vnkl', window, window, mixed)
        for v, each in enumerate(predicted.reshape(3, 11, -1)):
            r = np.corrcoef(each.T, fmri[:, v])[-1, :-1]
            found.append([v, np.nanmax(abs(r))])
    v, r = np.transpose(found)
    np.testing.assert_allclose(
        receptive_fields.fit_responses(activations, mixes, places, fmri).fit,
        [r[v == each].max() for each in range(3)],
        rtol=1e-4,
    )


def test_windows_near_the_border_are_found_on_either_side():
    """Beyond the middles of the outermost patches, 5 and 41 or 42 of 48."""
    rng = np.random.default_rng(8)
    along, out = rng.uniform(0.3, 0.7, 40), rng.uniform(0.03, 0.08, 40)
    for axis in (0, 1):
        centre = np.stack([along, along], axis=1)
        centre[:20, axis], centre[20:, axis] = out[:20], 1 - out[20:]
        found = receptive_fields.fit_responses(
            *planted(centre, np.full(40, 0.12), noise=0.3)
        )
        error = (found.centre - centre)[:, axis]
        assert abs(error[:20].mean()) < 0.02 and abs(error[20:].mean()) < 0.02
        assert abs(error).max() < 0.06


def test_what_no_patch_reaches_is_placed_between_it_and_the_border():
    centre = np.array([[0.5, 0.99], [0.99, 0.5], [0.01, 0.5]])
    (_, bottom), (right, _), (left, _) = receptive_fields.fit_responses(
        *planted(centre, np.full(3, 0.03), noise=0.3)
    ).centre
    assert 42 / 48 < bottom < 1 and 42 / 48 < right < 1 and 0 < left < 5 / 48


def test_a_voxel_is_placed_where_in_its_patches_it_reads():
    centre = np.full((20, 2), 0.5)
    for at, (dx, dy) in ((5, (1, 0)), (0, (-1, -1)), (7, (0, 1))):
        found = receptive_fields.fit_responses(
            *planted(centre, np.full(20, 0.1), at=at)
        )
        moved = np.array([dx, dy]) * 4 / 48
        np.testing.assert_allclose(
            found.centre.mean(axis=0), 0.5 + moved, atol=0.015
        )


def test_noise_has_no_place_but_the_pictures_middle():
    activations, mixes, places, fmri = planted(
        np.full((60, 2), 0.3), np.full(60, 0.1)
    )
    fmri = np.random.default_rng(9).normal(size=fmri.shape)
    fmri[:, 0] = 1.0
    found = receptive_fields.fit_responses(activations, mixes, places, fmri)
    assert not found.located.any()
    assert abs(found.centre.mean(axis=0) - 0.5).max() < 0.06
    assert found.fit[0] == 0 and np.isfinite(found.centre).all()


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
        rng.random((60, 2)), rng.random(60), np.arange(60) >= 10
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
    where, size, depth = figure.axes
    drawn = sum(len(points.get_offsets()) for points in where.collections)
    assert drawn == 50  # Of 60, those that are located.
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
