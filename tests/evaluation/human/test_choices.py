"""Choices of people, from sessions to a score."""

import itertools
import zlib

import numpy as np
import pytest
from scipy import stats

from brainjax.errors import InputError
from brainjax.evaluation.human import choices, human_plan, human_sessions

NAMES = [f'picture {i}' for i in range(12)]


def session(observer, correct, checks=(True,) * 8, milliseconds=900):
    named = {name: bool(x) for name, x in zip(NAMES, correct)}
    seed = zlib.crc32(observer.encode())  # As good as drawn.
    times = np.full(20, milliseconds)
    times[0] = seed % 10_000 + 1000
    parts = 'f', observer, seed, named, np.array(checks), times
    return human_sessions.Session(*parts)


def test_score_counts_and_p_enumerates():
    wrong = np.ones((2, 12))
    wrong[0, :3] = 0
    wrong[1, 2] = 0
    sessions = [session(f'{i}', row) for i, row in enumerate(wrong)]
    judged = choices.score(sessions, draws=20_000)
    entry = judged.score
    assert entry['value'] == 20 / 24 and entry['chance'] == 0.5
    assert entry['n'] == 12 and entry['observers'] == 2
    assert entry['low'] < entry['value'] < entry['high'] <= 1
    # All ways to turn round each picture's answers.
    surplus = (wrong - 0.5).sum(axis=0)
    flips = np.array(list(itertools.product((1, -1), repeat=12)))
    exact = (flips @ surplus >= surplus.sum() - 1e-9).mean()
    assert entry['p'] == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    np.testing.assert_array_equal(
        sorted(choices.per_picture(judged)),
        sorted((n, int(c), 2) for n, c in zip(NAMES, wrong.sum(axis=0))),
    )


def test_perfect_and_guessing_observers():
    perfect = [session(f'{i}', [1] * 12) for i in range(3)]
    entry = choices.score(perfect).score
    # 12 pictures of 12: Clopper and Pearson.
    assert entry['value'] == entry['high'] == 1
    assert entry['low'] == pytest.approx(0.025 ** (1 / 12))
    assert entry['p'] < 0.002
    halves = [session('a', [0, 1] * 6), session('b', [1, 0] * 6)]
    entry = choices.score(halves).score
    assert entry['value'] == 0.5 and entry['p'] > 0.4
    assert entry['low'] < 0.5 < entry['high']


def test_the_inattentive_are_left_out_and_named():
    good = [session(f'good{i}', [1] * 11 + [0]) for i in range(3)]
    # 7 of 8 are enough; 6 of 8 are not.
    good.append(session('once', [1] * 11 + [0], [False] + [True] * 7))
    bad = session('sleepy', [0] * 12, [False] * 2 + [True] * 6)
    judged = choices.score([bad, *good])
    assert judged.score == choices.score(good).score
    assert judged.excluded == [bad] and judged.kept == good
    said = ' '.join(choices.sentences(judged))
    assert '4 observers judged 12 pictures, in 0.9 s' in said
    assert '1 was left out for getting fewer than 80 %' in said
    assert ': sleepy, 6 of 8 checks.' in said
    with pytest.raises(InputError, match='No observer'):
        choices.score([bad])
    with pytest.raises(InputError, match="both of the observer 'Good0 '"):
        choices.score([*good, session('Good0 ', [0] * 12, milliseconds=901)])


def test_who_cannot_have_looked_is_left_out_and_named():
    good = [session(f'good{i}', [1] * 11 + [0]) for i in range(3)]
    quick = session('quick', [1] * 12, milliseconds=499)
    judged = choices.score([quick, *good])
    assert judged.score == choices.score(good).score
    assert judged.excluded == [quick]
    said = ' '.join(choices.sentences(judged))
    assert 'in less than 500 ms (median): quick, 499 ms a choice.' in said
    with pytest.raises(InputError, match='took 500 ms a choice'):
        choices.score([quick])
    steady = session('steady', [1] * 12, milliseconds=500)
    assert choices.score([steady]).kept == [steady]


def test_a_seed_is_of_one_session():
    first = session('a', [1] * 12)
    twin = session('b', [1] * 11 + [0], milliseconds=950)
    for copy, message in (
        (twin._replace(seed=first.seed), f'both have the seed {first.seed}'),
        (first._replace(observer='b', seed=7), "by 'a' and 'b'"),
        (twin._replace(seed=first.seed, correct=first.correct), 'one session'),
    ):
        with pytest.raises(InputError, match=message) as caught:
            choices.score([first, copy])
        assert '\n' not in str(caught.value)


def test_two_methods_are_told_apart_in_both_directions():
    """p as SciPy's permutation of signs has it, two-sided."""
    rng = np.random.default_rng(0)
    answers = rng.random((4, 12)) < 0.75
    sessions = [session(f'{i}', row) for i, row in enumerate(answers)]
    judged = choices.score(sessions, 2, draws=20_000)
    assert judged.name == 'human_preference' and judged.score['paired']
    assert judged.score['value'] == answers.mean()
    surplus = (answers - 0.5).sum(axis=0)
    exact = stats.permutation_test(
        (surplus,), np.mean, permutation_type='samples', n_resamples=np.inf
    ).pvalue
    spread = np.sqrt(exact / 20_000)
    assert judged.score['p'] == pytest.approx(exact, abs=4 * spread)
    turned = [session(f'{i}', row) for i, row in enumerate(~answers)]
    other = choices.score(turned, 2, draws=20_000).score
    assert other['value'] == pytest.approx(1 - judged.score['value'])
    assert other['p'] == pytest.approx(judged.score['p'], abs=8 * spread)
    assert other['low'] == pytest.approx(1 - judged.score['high'], abs=0.02)
    said = ' '.join(choices.sentences(judged))
    assert 'two-sided' in said and 'against those of the other method' in said


def test_one_observer_is_scored_over_pictures_and_said_so():
    judged = choices.score([session('a', [1] * 9 + [0] * 3)])
    assert judged.score['low'] < 0.75 < judged.score['high']
    assert 'does not cover other people' in choices.sentences(judged)[-1]


def test_pictures_that_not_all_have_judged():
    first = session('a', [1, 1, 1, 0, 1, 1])
    second = session('b', [])._replace(
        correct={n: n != NAMES[8] for n in NAMES[4:]}
    )
    judged = choices.score([first, second])
    assert judged.score['value'] == 12 / 14 and judged.score['n'] == 12
    assert np.isnan(judged.table).sum() == 10
    answers = {name: count for name, _, count in choices.per_picture(judged)}
    assert answers[NAMES[0]] == 1 and answers[NAMES[5]] == 2


def test_all_pictures_are_judged_or_many_evenly_spread():
    np.testing.assert_array_equal(choices.chosen(7), np.arange(7))
    many = choices.chosen(1000)
    assert len(set(many)) == human_plan.MOST_PICTURES
    assert many[0] == 0 and many[-1] == 999
    assert set(np.diff(many)) <= {3, 4}


def test_p_holds_its_level_where_reconstructions_know_nothing():
    generator = np.random.default_rng(0)
    p = []
    for experiment in range(200):
        # What all observers agree on makes their answers dependent.
        common = generator.normal(0, 2, 12)
        answers = common + generator.normal(size=(5, 12)) > 0
        sessions = [session(f'{i}', row) for i, row in enumerate(answers)]
        judged = choices.score(sessions, seed=experiment, draws=200)
        p.append(judged.score['p'])
    # 10 expected of 200 and 3.1 its standard deviation; a binomial test over
    # all 60 answers would reject in about 40.
    assert (np.array(p) <= 0.05).sum() <= 20
    assert 0.4 < np.mean(p) < 0.65
