"""Choices of people, from their files to a score."""

import csv
import itertools

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation import human

NAMES = [f'picture {i}' for i in range(12)]
PICTURES = list(np.random.default_rng(0).integers(256, size=(12, 4, 5, 3)))
PICTURES = [picture.astype(np.uint8) for picture in PICTURES]


def rows_of(observer='ann', wrong=(), failed=0, checks=8, seed=3):
    """What the page writes of an observer who is wrong on some pictures."""
    kinds = [('test', i, i in wrong) for i in range(len(NAMES))]
    kinds += [('check', i, i < failed) for i in range(checks)]
    generator = np.random.default_rng(seed)
    rows = []
    for place, which in enumerate(generator.permutation(len(kinds)), 1):
        kind, i, is_wrong = kinds[which]
        side, other = generator.permutation(['left', 'right'])
        choice = other if is_wrong else side
        lure = NAMES[(i + 1) % len(NAMES)]
        row = ['t', observer, seed, place, len(kinds), kind, NAMES[i], lure]
        rows.append([*row, side, choice, int(not is_wrong), 100 * place])
    return rows


def write(path, rows, columns=human.COLUMNS):
    with open(path, 'w', newline='') as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def session(observer, correct, checks=(True,) * 8):
    named = {name: bool(x) for name, x in zip(NAMES, correct)}
    return human.Session('f', observer, 1, named, np.array(checks), 900.0)


def test_a_file_is_read(tmp_path):
    path = write(tmp_path / 'a.csv', rows_of('Ann, "A"', wrong=(2, 5)))
    found = human.read(path, 't', NAMES)
    assert found.observer == 'Ann, "A"' and found.seed == 3
    assert [n for n, x in found.correct.items() if not x] == sorted(
        [NAMES[2], NAMES[5]], key=list(found.correct).index
    )
    assert set(found.correct) == set(NAMES)
    assert found.checks.all() and len(found.checks) == 8
    assert found.milliseconds == 1050.0
    # As a spreadsheet saves it again, with a byte order mark.
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert human.read(path, 't', NAMES).correct == found.correct


@pytest.mark.parametrize(
    ('column', 'value', 'message'),
    [
        ('test', 'u', 'line 4: test'),
        ('observer', 'bob', "observer is 'bob'"),
        ('seed', '4', 'seed'),
        ('trial', '9', "trial is '9'"),
        ('trials', '21', 'trials'),
        ('kind', 'rest', 'kind'),
        ('picture', 'elephant', "picture is 'elephant'"),
        ('lure', 'elephant', 'lure'),
        ('side', 'top', "side is 'top'"),
        ('choice', '', 'choice'),
        ('correct', '2', 'correct'),
        ('milliseconds', '-1', 'milliseconds'),
        ('milliseconds', '1e9999', 'milliseconds'),
        ('milliseconds', '²', 'milliseconds'),
    ],
)
def test_a_value_the_page_cannot_have_written(tmp_path, column, value, message):
    rows = rows_of()
    rows[2][human.COLUMNS.index(column)] = value
    path = write(tmp_path / 'a.csv', rows)
    with pytest.raises(InputError, match=message) as caught:
        human.read(path, 't', NAMES)
    assert '\n' not in str(caught.value)


def test_damaged_files_are_told_in_one_sentence(tmp_path):
    path = write(tmp_path / 'a.csv', rows_of())
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    lure = [*rows_of()]
    place = human.COLUMNS.index('lure')
    lure[0][place] = lure[0][place - 1]
    tests = [row for row in rows_of(checks=0)]
    twice = rows_of()
    kind, name = (human.COLUMNS.index(c) for c in ('kind', 'picture'))
    of_tests = [row for row in twice if row[kind] == 'test']
    of_tests[1][name] = of_tests[0][name]
    of_tests[1][name + 1] = of_tests[0][name + 1]
    for content, message in (
        (b''.join(lines[:-3]), "trials is '20'"),
        (whole[:-30], 'fields|cannot have written'),
        (b'', 'does not begin with the columns'),
        (lines[0], 'holds no choices'),
        (whole.replace(b',', b';'), 'does not begin with the columns'),
        (b'\x89PNG\r\n\xff\xfe', 'UTF-8'),
        (whole.replace(b'left', b'le\0ft', 1), 'damaged|le'),
        (lines[0] + b'"' + b'a' * 200_000, 'damaged'),
        (b' ' * (human.LARGEST_FILE + 1), 'larger than'),
        (write(path, lure).read_bytes(), 'lure'),
        (write(path, tests).read_bytes(), '0 checks'),
        (write(path, twice).read_bytes(), 'judged before'),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            human.read(path, 't', NAMES)
        assert '\n' not in str(caught.value) and 'a.csv' in str(caught.value)
    with pytest.raises(InputError, match='cannot be read'):
        human.read(tmp_path / 'none.csv', 't', NAMES)
    with pytest.raises(InputError, match='cannot be read'):
        human.read(tmp_path, 't', NAMES)
    with pytest.raises(InputError, match="of the test 't'"):
        human.read(write(path, rows_of()), 'u', NAMES)


def test_score_counts_and_p_enumerates():
    wrong = np.ones((2, 12))
    wrong[0, :3] = 0
    wrong[1, 2] = 0
    sessions = [session(f'{i}', row) for i, row in enumerate(wrong)]
    judged = human.score(sessions, draws=20_000)
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
        sorted(human.per_picture(judged)),
        sorted((n, int(c), 2) for n, c in zip(NAMES, wrong.sum(axis=0))),
    )


def test_perfect_and_guessing_observers():
    perfect = [session(f'{i}', [1] * 12) for i in range(3)]
    entry = human.score(perfect).score
    assert entry['value'] == entry['low'] == entry['high'] == 1
    assert entry['p'] < 0.002
    halves = [session('a', [0, 1] * 6), session('b', [1, 0] * 6)]
    entry = human.score(halves).score
    assert entry['value'] == 0.5 and entry['p'] > 0.4
    assert entry['low'] < 0.5 < entry['high']


def test_the_inattentive_are_left_out_and_named():
    good = [session(f'good{i}', [1] * 11 + [0]) for i in range(3)]
    # 7 of 8 are enough; 6 of 8 are not.
    good.append(session('once', [1] * 11 + [0], [False] + [True] * 7))
    bad = session('sleepy', [0] * 12, [False] * 2 + [True] * 6)
    judged = human.score([bad, *good])
    assert judged.score == human.score(good).score
    assert judged.excluded == [bad] and judged.kept == good
    said = ' '.join(human.sentences(judged))
    assert '4 observers judged 12 pictures, in 0.9 s' in said
    assert '1 was left out for getting fewer than 80 %' in said
    assert ': sleepy, 6 of 8.' in said
    with pytest.raises(InputError, match='No observer'):
        human.score([bad])
    with pytest.raises(InputError, match="both of the observer 'good0'"):
        human.score([*good, good[0]._replace(path='copy')])


def test_one_observer_is_scored_over_pictures_and_said_so():
    judged = human.score([session('a', [1] * 9 + [0] * 3)])
    assert judged.score['low'] < 0.75 < judged.score['high']
    assert 'does not cover other people' in human.sentences(judged)[-1]


def test_pictures_that_not_all_have_judged():
    first = session('a', [1, 1, 1, 0, 1, 1])
    second = first._replace(
        observer='b', correct={n: n != NAMES[8] for n in NAMES[4:]}
    )
    judged = human.score([first, second])
    assert judged.score['value'] == 12 / 14 and judged.score['n'] == 12
    assert np.isnan(judged.table).sum() == 10
    answers = {name: count for name, _, count in human.per_picture(judged)}
    assert answers[NAMES[0]] == 1 and answers[NAMES[5]] == 2


def test_identity_tells_tests_apart():
    test = human.identity(NAMES, PICTURES, PICTURES[::-1])
    assert test == human.identity(NAMES, PICTURES, PICTURES[::-1])
    assert len(test) == 16
    changed = [picture.copy() for picture in PICTURES]
    changed[3][0, 0, 0] ^= 1
    turned = [picture.reshape(5, 4, 3) for picture in PICTURES]
    others = [
        human.identity(NAMES[::-1], PICTURES, PICTURES[::-1]),
        human.identity(NAMES, changed, PICTURES[::-1]),
        human.identity(NAMES, PICTURES, changed),
        human.identity(NAMES, turned, PICTURES[::-1]),
        human.identity(NAMES, PICTURES[::-1], PICTURES),
    ]
    assert len({test, *others}) == 6


def test_a_choice_needs_two_different_pictures():
    with pytest.raises(InputError, match='at least two'):
        human.identity(NAMES[:1], PICTURES[:1], PICTURES[:1])
    twins = [*PICTURES[:3], PICTURES[1].copy()]
    with pytest.raises(InputError, match="'picture 1' and 'picture 3' show"):
        human.identity(NAMES[:4], twins, twins)


def test_all_pictures_are_judged_or_many_evenly_spread():
    np.testing.assert_array_equal(human.chosen(7), np.arange(7))
    many = human.chosen(1000)
    assert len(set(many)) == human.MOST_PICTURES
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
        judged = human.score(sessions, seed=experiment, draws=200)
        p.append(judged.score['p'])
    # 10 expected of 200 and 3.1 its standard deviation; a binomial test over
    # all 60 answers would reject in about 40.
    assert (np.array(p) <= 0.05).sum() <= 20
    assert 0.4 < np.mean(p) < 0.65
