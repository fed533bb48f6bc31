"""The figure of what people chose shows the rates it is given."""

import numpy as np

from brainjax.evaluation import human
from brainjax.reports import human_figure


def test_rates_of_observers_and_pictures():
    names = ['a', 'b', 'c', 'd']
    answers = {'ann': [1, 1, 1, 0], 'bob': [1, 0, 0, 0], 'sleepy': [0, 0, 0, 1]}
    sessions = [
        human.Session(
            who,
            who,
            0,
            {name: bool(x) for name, x in zip(names, right)},
            np.array([who != 'sleepy'] * 8),
            1.0,
        )
        for who, right in answers.items()
    ]
    judged = human.score(sessions, draws=50)
    title, caption, figure = human_figure.section(judged)
    assert title == 'What people chose' and 'left out' in caption
    left, right = figure.axes
    kept, others = (line.get_ydata() for line in left.lines[:2])
    np.testing.assert_array_equal(kept, [0.25, 0.75])
    np.testing.assert_array_equal(others, [0.25])
    rates = right.lines[0].get_ydata()
    np.testing.assert_array_equal(rates, [0, 0.5, 0.5, 1])
    assert (
        'left out'
        not in human_figure.section(human.score(sessions[:2], draws=50))[1]
    )
