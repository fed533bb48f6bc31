"""What the page of a comparison says is what the numbers say."""

import numpy as np
import pytest

from brainjax.reports import comparison_page

PAIR = {
    'score': 'pixcorr',
    'method': 'ours',
    'other': 'theirs',
    'value': 0.1,
    'low': 0.05,
    'high': 0.15,
    'q': 0.01,
}


def test_gains_are_above_0_where_the_first_is_better():
    values = {
        'a': np.array([0.5, 0.2]),
        'b': np.array([0.1, 0.3]),
        'c': np.array([0.3, 0.5]),
    }
    np.testing.assert_allclose(
        comparison_page.gains(values, lower=False), [0.3, -0.2]
    )
    np.testing.assert_allclose(
        comparison_page.gains(values, lower=True), [-0.3, 0.2]
    )


@pytest.mark.parametrize(
    ('changes', 'winner'),
    [
        ({}, 'ours'),
        ({'better': 'lower'}, 'theirs'),
        ({'value': -0.1, 'low': -0.15, 'high': -0.05}, 'theirs'),
        ({'q': 0.05}, ''),
        ({'low': -0.01}, ''),
        ({'low': None}, ''),
    ],
)
def test_better_asks_for_interval_and_p(changes, winner):
    each = PAIR | changes
    assert comparison_page.winner(each) == winner
    [words] = comparison_page.sentences({'x': each}, 'pixcorr')
    assert (f'{winner} is the better' if winner else 'no difference') in words
    assert comparison_page.sentences({'x': each}, 'ssim_2d') == []


def test_bars_say_what_they_show():
    figure = comparison_page.sorted_bars(np.array([0.1, -0.2, np.nan, 0.4]))
    assert figure.get_label() == (
        '3 pictures, difference 0.10 in the median, -0.20 to 0.40, mean '
        '+0.100; above 0 in 2.'
    )
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == [0.4, 0.1, -0.2]
