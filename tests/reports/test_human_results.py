"""What people chose: files to a score, to a figure and to the report."""

import csv
import json

import numpy as np
import pytest

from brainjax.__main__ import main
from brainjax.evaluation import human
from brainjax.reports import human_test

GENERATOR = np.random.default_rng(0)
NAMES = [f'p{i}' for i in range(6)]


@pytest.fixture
def sets(tmp_path):
    seen = GENERATOR.random((6, 16, 16, 3), dtype=np.float32)
    made = np.clip(seen + GENERATOR.normal(0, 0.2, seen.shape), 0, 1)
    order = GENERATOR.permutation(6)
    np.savez(tmp_path / 'seen.npz', images=seen, names=NAMES)
    np.savez(
        tmp_path / 'made.npz',
        images=made[order].astype(np.float32),
        names=np.array(NAMES)[order],
    )
    return str(tmp_path / 'made.npz'), str(tmp_path / 'seen.npz')


def write(path, test, observer, wrong=0, failed=0):
    kinds = [('test', i, i < wrong) for i in range(6)]
    kinds += [('check', i, i < failed) for i in range(5)]
    with open(path, 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(human.COLUMNS)
        for place, (kind, i, is_wrong) in enumerate(kinds, 1):
            row = [test, observer, 1, place, 11, kind, NAMES[i], NAMES[i - 1]]
            choice = 'right' if is_wrong else 'left'
            writer.writerow([*row, 'left', choice, int(not is_wrong), 800])
    return str(path)


def evaluate(sets, out, *flags):
    argv = ['evaluate', *sets, '--out', str(out), '--draws', '200']
    return main([*argv, *flags])


def test_results_are_in_the_report_beside_the_other_scores(sets, tmp_path):
    out = tmp_path / 'out'
    assert evaluate(sets, out, '--human-test') == 0
    page = (out / 'human_test.html').read_text()
    assert not (out / 'scores.json').exists()
    test = page.partition('"test": "')[2][:16]
    paths = [
        write(
            tmp_path / f'{i}.csv', test, f'o{i}', wrong=i, failed=3 * (i == 2)
        )
        for i in range(3)
    ]
    assert evaluate(sets, out, '--human-results', *paths) == 0
    results = json.loads((out / 'scores.json').read_text())
    entry = results['scores']['human_two_way']
    assert entry['value'] == 11 / 12 and entry['observers'] == 2
    assert 'two_way_pixels' in results['scores']
    report = (out / 'report.html').read_text()
    for part in ('What people chose', 'o2, 2 of 5', 'People, two-way'):
        assert part in report
    assert 'human_two_way,0.91' in (out / 'scores.csv').read_text()


def test_bad_results_are_told_in_one_sentence(sets, tmp_path, capsys):
    out = tmp_path / 'out'
    path = write(tmp_path / 'a.csv', 'another', 'o')
    for flags, message in (
        (('--human-results', path), "is of the test 'another'"),
        (('--human-results', 'none.csv'), 'none.csv cannot be read'),
    ):
        assert evaluate(sets, out, *flags) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and '\n' not in error
        assert not (out / 'scores.json').exists()


def test_to_make_a_test_and_to_score_one_are_two_commands(sets, tmp_path):
    with pytest.raises(SystemExit):
        evaluate(sets, tmp_path, '--human-test', '--human-results', 'a.csv')


def test_without_results_nothing_is_judged():
    assert human_test.read_results((), NAMES, [], []) is None


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
    title, caption, figure = human_test.section(judged)
    assert title == 'What people chose' and 'left out' in caption
    left, right = figure.axes
    kept, others = (line.get_ydata() for line in left.lines[:2])
    np.testing.assert_array_equal(kept, [0.25, 0.75])
    np.testing.assert_array_equal(others, [0.25])
    rates = right.lines[0].get_ydata()
    np.testing.assert_array_equal(rates, [0, 0.5, 0.5, 1])
    assert (
        'left out'
        not in human_test.section(human.score(sessions[:2], draws=50))[1]
    )
