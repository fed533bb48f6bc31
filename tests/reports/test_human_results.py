"""What people chose: files to a score, to a figure and to the report."""

import json
import re

import numpy as np
import pytest
from human_files import rows_of, write

from brainjax.__main__ import main
from brainjax.evaluation.human import choices, human_sessions
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


def made_test(out, methods=1):
    """What a page that was written says of itself."""
    page = (out / 'human_test.html').read_text()
    digest = re.search('"test": "([0-9a-f]{16})"', page)[1]
    return human_sessions.HumanTest(digest, NAMES, methods)


def evaluate(sets, out, *flags):
    argv = ['evaluate', *sets, '--out', str(out), '--draws', '200']
    return main([*argv, *flags])


def test_results_are_in_the_report_beside_the_other_scores(sets, tmp_path):
    out = tmp_path / 'out'
    assert evaluate(sets, out, '--human-test') == 0
    assert not (out / 'scores.json').exists()
    test = made_test(out)
    paths = [
        str(
            write(
                tmp_path / f'{i}.csv',
                rows_of(test, f'o{i}', NAMES[:i], 3 * (i == 2), seed=i),
            )
        )
        for i in range(3)
    ]
    assert evaluate(sets, out, '--human-results', *paths) == 0
    results = json.loads((out / 'scores.json').read_text())
    entry = results['scores']['human_two_way']
    assert entry['value'] == 11 / 12 and entry['observers'] == 2
    assert 'two_way_pixels' in results['scores']
    report = (out / 'report.html').read_text()
    for part in ('What people chose', 'o2, 5 of 8 checks', 'People, two-way'):
        assert part in report
    assert 'human_two_way,0.91' in (out / 'scores.csv').read_text()


def test_two_methods_are_judged_against_each_other(sets, tmp_path):
    """As VanRullen & Reddy 2019 asked people: which of two is nearer?"""
    out, other = tmp_path / 'out', str(tmp_path / 'other.npz')
    generator = np.random.default_rng(1)
    images = generator.random((6, 16, 16, 3), dtype=np.float32)
    np.savez(other, images=images, names=NAMES)
    against = '--human-against', other
    assert evaluate(sets, out, '--human-test', *against) == 0
    test = made_test(out, 2)
    paths = [
        str(write(tmp_path / f'{i}.csv', rows_of(test, f'o{i}', wrong, seed=i)))
        for i, wrong in enumerate((NAMES[:1], NAMES[:2], ()))
    ]
    assert evaluate(sets, out, '--human-results', *paths, *against) == 0
    results = json.loads((out / 'scores.json').read_text())
    entry = results['scores']['human_preference']
    assert entry['value'] == 15 / 18 and entry['observers'] == 3
    assert entry['low'] < entry['value'] < entry['high']
    report = (out / 'report.html').read_text()
    assert 'People, preference' in report and 'two-sided' in report
    table = (out / 'human.csv').read_text().splitlines()
    assert table[:2] == ['name,chosen,answers', 'p0,1,3']


def test_the_other_method_is_judged_by_people_alone(sets, tmp_path, capsys):
    flags = '--human-against', sets[0]
    assert evaluate(sets, tmp_path / 'out', *flags) == 2
    assert 'give --human-test to write' in capsys.readouterr().err
    flags = '--human-test', *flags
    assert evaluate(sets, tmp_path / 'out', *flags) == 2
    assert 'the same reconstruction' in capsys.readouterr().err


def test_bad_results_are_told_in_one_sentence(sets, tmp_path, capsys):
    out = tmp_path / 'out'
    another = human_sessions.HumanTest('another', NAMES)
    path = str(write(tmp_path / 'a.csv', rows_of(another)))
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
        human_sessions.Session(
            who,
            who,
            seed,
            {name: bool(x) for name, x in zip(names, right)},
            np.array([who != 'sleepy'] * 8),
            np.array([900, 1000 + seed]),
        )
        for seed, (who, right) in enumerate(answers.items())
    ]
    judged = choices.score(sessions, draws=50)
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
        not in human_test.section(choices.score(sessions[:2], draws=50))[1]
    )
