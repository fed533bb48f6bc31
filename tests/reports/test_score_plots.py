"""Plots of scores are right for any value."""

import math

import numpy as np
import pytest

from brainjax.reports import page, score_plots


def score(value, chance, low, high, **more):
    return {
        'value': value, 'chance': chance, 'low': low, 'high': high, 'p': 0.001,
        'n': 50, **more,
    }  # fmt: skip


LOWER = {'better': 'lower'}
SCORES = {
    'two_way_pixels': score(0.9, 0.5, 0.8, 1.0),
    'pixcorr': score(-0.2, 0.0, -0.25, -0.1),
    'rank_pixels': score(1.0, 25.5, 1.0, 2.0, **LOWER),
    'lpips_vgg16': score(3.0, 1.0, 2.0, 4.0, **LOWER),
    'distance_swav': score(0.25, 0.5, 0.2, 0.3, **LOWER),
    'encoder_correlation': score(None, 0.0, None, math.nan),
    'novel': score(0.3, 0.4, 0.2, 0.4, **LOWER),
}


def test_places():
    places = score_plots.places(SCORES)
    # From -.25, the lowest end of an interval, to 1.
    assert places['two_way_pixels'] == {
        'value': 92.0, 'chance': 60.0, 'low': 84.0, 'high': 100.0,
    }  # fmt: skip
    assert places['pixcorr'] == {
        'value': 4.0, 'chance': 20.0, 'low': 0.0, 'high': 12.0,
    }  # fmt: skip
    # Perfect is on the right, chance in the middle, and they are apart.
    assert places['rank_pixels'] == {
        'value': 100.0, 'chance': 50.0, 'low': 100.0, 'high': 97.96,
    }  # fmt: skip
    # Worse than chance is left of it, however much worse.
    assert places['lpips_vgg16'] == {
        'value': 25.0, 'chance': 75.0, 'low': 50.0, 'high': 0.0,
    }  # fmt: skip
    assert places['distance_swav']['value'] == 75.0
    assert places['encoder_correlation'] == {'chance': 20.0}
    assert places['novel']['value'] > places['novel']['chance'] == 50.0
    for each in places.values():
        assert all(0 <= x <= 100 for x in each.values())


def test_a_value_beyond_one_widens_the_axis():
    places = score_plots.places({'novel': score(1.5, 0.5, 1.0, 2.0)})
    assert places['novel'] == {
        'value': 75.0, 'chance': 25.0, 'low': 50.0, 'high': 100.0,
    }  # fmt: skip


def test_bars_draw_distances_from_chance_to_perfect():
    higher, lower = score_plots.bars(SCORES).axes
    assert len(higher.get_yticks()) == 3 and len(lower.get_yticks()) == 4
    dots = [line.get_xydata()[0] for line in lower.lines[3::4]]
    expected = [1.0, -2.0, 0.5, 0.25]
    np.testing.assert_allclose(dots, np.transpose([expected, range(4)]))
    texts = [text.get_text() for text in lower.texts]
    assert texts == ['1.00', '3.00', '0.25', '0.30']
    assert higher.texts[2].get_text() == '-'
    assert higher.get_xlim()[0] < -0.25 and lower.get_xlim()[0] < -2
    only = score_plots.bars({'rank_pixels': SCORES['rank_pixels']})
    assert len(only.axes) == 1
    score_plots.bars({})


def test_undefined_scores_are_in_the_page(tmp_path):
    path = tmp_path / 'report.html'
    page.render(
        path, title='t', method='m', simulated=False, transductive=False,
        scores=SCORES, figures=[('Scores', '', score_plots.bars(SCORES))],
    )  # fmt: skip
    text = path.read_text()
    assert 'not defined' in text and 'nan' not in text.lower().split('<svg')[1]
    assert text.count('<ellipse') == len(SCORES) - 1


@pytest.mark.parametrize(
    ('value', 'expected'),
    [(1.0, 'better than chance'), (30.0, 'worse than chance')],
)
def test_verdicts_of_places(value, expected):
    found = score(value, 25.5, value, value, **LOWER)
    assert page.verdict(found) == expected


NOMINAL = {'better': 'nominal', 'nominal': 0.8}


def test_scores_with_a_nominal_value_lie_around_it():
    places = score_plots.places(
        {
            **SCORES,
            'coverage_80': score(0.7, 0.4, 0.6, 0.9, **NOMINAL),
            'sharpness_draw': score(
                4.0, math.nan, 3.0, 5.0, better='nominal', nominal=1.0
            ),
            'information': score(30.0, 0.0, 20.0, 40.0),
        }
    )
    # 0 to 1.6, nominal in the middle.
    assert places['coverage_80'] == {
        'value': 43.75, 'chance': 25.0, 'low': 37.5, 'high': 56.25,
    }  # fmt: skip
    # As far on both sides as the farthest mark: -3 to 5.
    assert places['sharpness_draw'] == {
        'value': 87.5, 'low': 75.0, 'high': 100.0,
    }  # fmt: skip
    assert places['information'] == {
        'value': 75.0, 'chance': 0.0, 'low': 50.0, 'high': 100.0,
    }  # fmt: skip
    # The axis of the others does not know them.
    assert places['pixcorr'] == score_plots.places(SCORES)['pixcorr']


def test_bars_leave_out_what_has_no_place_between_chance_and_perfect():
    figure = score_plots.bars(
        {
            'pixcorr': SCORES['pixcorr'],
            'coverage_80': score(0.7, 0.4, 0.6, 0.9, **NOMINAL),
            'information': score(30.0, 0.0, 20.0, 40.0),
        }
    )
    [axes] = figure.axes
    assert len(axes.get_yticks()) == 1 and axes.get_xlim()[1] <= 1


@pytest.mark.parametrize(
    ('low', 'value', 'high', 'p', 'expected'),
    [
        (0.75, 0.79, 0.84, 0.6, 'as nominal'),
        (0.6, 0.7, 0.78, 0.001, 'below nominal'),
        (0.82, 0.9, 0.95, 0.001, 'above nominal'),
        (0.75, 0.79, 0.84, 0.001, 'not nominal'),
        (None, None, None, None, 'not defined'),
    ],
)
def test_verdicts_of_nominal_values(low, value, high, p, expected):
    found = score(value, math.nan, low, high, **NOMINAL) | {'p': p}
    assert page.verdict(found) == expected
