"""Files of what people chose: read if they are as the page wrote them."""

import numpy as np
import pytest
from human_files import PLACE, rows_of, sealed, write

from brainjax.errors import InputError
from brainjax.evaluation.human import choices, human_sessions
from brainjax.evaluation.human.human_sessions import HumanTest, identity, read

NAMES = [f'picture {i}' for i in range(12)]
TEST = HumanTest('t', NAMES)
METHODS = HumanTest('m', NAMES, 2)
PICTURES = list(np.random.default_rng(0).integers(256, size=(12, 4, 5, 3)))
PICTURES = [picture.astype(np.uint8) for picture in PICTURES]
TURNED = {'left': 'right', 'right': 'left'}


def changed(rows, **columns):
    """Rows with other values, or functions of a row's value, by column."""
    rows = [[*row] for row in rows]
    for name, value in columns.items():
        for row in rows:
            old = row[PLACE[name]]
            row[PLACE[name]] = value(old) if callable(value) else value
    return rows


def renumbered(rows):
    for number, row in enumerate(rows, 1):
        row[PLACE['trial']], row[PLACE['trials']] = number, len(rows)
    return rows


def refused(path, rows, message, test=TEST):
    """The one sentence with which a file is refused."""
    write(path, rows)
    with pytest.raises(InputError, match=message) as caught:
        read(path, test)
    assert '\n' not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('test', [TEST, METHODS])
def test_a_file_is_read(tmp_path, test):
    wrong = [NAMES[2], NAMES[5]]
    path = write(tmp_path / 'a.csv', rows_of(test, 'Ann, "A"', wrong))
    found = read(path, test)
    assert found.observer == 'Ann, "A"' and found.seed == 3
    assert found.correct == {name: name not in wrong for name in NAMES}
    assert found.checks.all() and len(found.checks) == 8
    assert len(found.milliseconds) == 20 and not found.fault
    # As a spreadsheet saves it again, with a byte order mark.
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert read(path, test).correct == found.correct


# What a person may do to a file so that it counts for more. Seals are computed
# anew, as by one who knows how.
def without_the_wrong(rows):
    """Deletes the wrong answers and numbers the rest."""
    return renumbered([row for row in rows if row[PLACE['correct']] == '1'])


def easier_lures(rows):
    return changed(rows, lure=lambda name: NAMES[NAMES.index(name) - 1])


def in_another_order(rows):
    return renumbered(rows[::-1])


def sides_to_fit(rows):
    """Says that the right picture was where the choice fell."""
    rows = changed(rows, correct='1')
    for row in rows:
        row[PLACE['side']] = row[PLACE['choice']]
    return rows


def one_check(rows):
    kind = PLACE['kind']
    checks = [row for row in rows if row[kind] == 'check']
    return renumbered([row for row in rows if row not in checks[1:]])


def checks_called_tests(rows):
    return changed(rows, kind='test')


def in_no_time(rows):
    return changed(rows, milliseconds='1')


def of_another_seed(rows):
    return changed(rows, seed='4')


@pytest.mark.parametrize(
    ('tamper', 'message'),
    [
        (without_the_wrong, 'holds 18 choices, and the page asked for 20'),
        (easier_lures, 'line 2: lure is .* by the seed 3 the page showed'),
        (in_another_order, 'line 2: (picture|lure|kind) is '),
        (sides_to_fit, 'line .*: side is '),
        (one_check, 'holds 13 choices, and the page asked for 20'),
        (checks_called_tests, "kind is 'test', and by the seed 3"),
        (in_no_time, 'a choice after 1 ms, and the page takes none within 200'),
        (of_another_seed, 'by the seed 4 the page showed'),
    ],
)
@pytest.mark.parametrize('test', [TEST, METHODS])
def test_eight_kinds_of_tampering_with_a_file(tmp_path, tamper, message, test):
    rows = rows_of(test, wrong=NAMES[:2])
    assert read(write(tmp_path / 'a.csv', sealed(rows)), test)
    if test is METHODS and tamper is easier_lures:
        message = 'lure is '
    refused(tmp_path / 'a.csv', sealed(tamper(rows)), message, test)


def test_the_ninth_kind_is_one_session_under_two_names(tmp_path):
    first = rows_of(TEST, 'ann', wrong=NAMES[:2])
    copies = {
        'renamed': changed(first, observer='bob'),
        # Times that another session might have had.
        'slowed': changed(
            first, observer='bob', milliseconds=lambda t: str(int(t) + 9)
        ),
    }
    ann = read(write(tmp_path / 'ann.csv', first), TEST)
    for name, rows in copies.items():
        bob = read(write(tmp_path / f'{name}.csv', sealed(rows)), TEST)
        with pytest.raises(InputError, match='are one session, by') as caught:
            choices.score([ann, bob])
        assert '\n' not in str(caught.value)


def test_the_tenth_kind_turned_answers_are_seen_by_the_seal_alone(tmp_path):
    """Whoever computes the seal anew can turn answers round; none can tell."""
    rows = rows_of(TEST, wrong=NAMES[:2])
    turned = changed(rows)
    for row in turned:
        row[PLACE['choice']], row[PLACE['correct']] = row[PLACE['side']], '1'
    refused(tmp_path / 'a.csv', turned, 'edited after the page wrote it')
    found = read(write(tmp_path / 'a.csv', sealed(turned)), TEST)
    assert all(found.correct.values())


@pytest.mark.parametrize(
    'column', ['observer', 'choice', 'milliseconds', 'seal']
)
def test_an_edit_by_hand_is_noticed(tmp_path, column):
    rows = rows_of(TEST)
    values = {'observer': 'eve', 'milliseconds': '777', 'seal': '1'}
    rows[4][PLACE[column]] = values.get(column, 'left')
    if column == 'choice':
        rows = changed(rows, choice=TURNED.get, correct='0')
    refused(tmp_path / 'a.csv', rows, 'observer is|edited after')


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
    rows = rows_of(TEST)
    rows[2][PLACE[column]] = value
    refused(tmp_path / 'a.csv', rows, message)


def test_damaged_files_are_told_in_one_sentence(tmp_path):
    path = write(tmp_path / 'a.csv', rows_of(TEST))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    nobody = sealed(changed(rows_of(TEST), observer=' '))
    without = sealed(changed(rows_of(TEST), seed='4294967296'))
    for content, message in (
        (b''.join(lines[:-3]), 'holds 17 choices'),
        (whole[:-30], 'fields|edited'),
        (b'', 'does not begin with the columns'),
        (lines[0], 'holds no choices'),
        (whole.replace(b',', b';'), 'does not begin with the columns'),
        (b'\x89PNG\r\n\xff\xfe', 'UTF-8'),
        (whole.replace(b'left', b'le\0ft', 1), 'damaged|le'),
        (lines[0] + b'"' + b'a' * 200_000, 'damaged'),
        (b' ' * (human_sessions.LARGEST_FILE + 1), 'larger than'),
        (write(path, nobody).read_bytes(), 'observer'),
        (write(path, without).read_bytes(), "seed is '4294967296'"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            read(path, TEST)
        assert '\n' not in str(caught.value) and 'a.csv' in str(caught.value)
    with pytest.raises(InputError, match='cannot be read'):
        read(tmp_path / 'none.csv', TEST)
    with pytest.raises(InputError, match='cannot be read'):
        read(tmp_path, TEST)
    with pytest.raises(InputError, match="of the test 't'"):
        read(write(path, rows_of(TEST)), METHODS)


def test_identity_tells_tests_apart():
    test = identity(NAMES, PICTURES, PICTURES[::-1])
    assert test == identity(NAMES, PICTURES, PICTURES[::-1])
    assert len(test.digest) == 16 and test.methods == 1
    changed = [picture.copy() for picture in PICTURES]
    changed[3][0, 0, 0] ^= 1
    turned = [picture.reshape(5, 4, 3) for picture in PICTURES]
    darker = [picture // 2 for picture in PICTURES]
    others = [
        identity(NAMES[::-1], PICTURES, PICTURES[::-1]),
        identity(NAMES, changed, PICTURES[::-1]),
        identity(NAMES, PICTURES, changed),
        identity(NAMES, turned, PICTURES[::-1]),
        identity(NAMES, PICTURES[::-1], PICTURES),
        identity(NAMES, PICTURES, PICTURES[::-1], darker),
        identity(NAMES, PICTURES, darker, PICTURES[::-1]),
    ]
    assert len({each.digest for each in (test, *others)}) == 8
    assert others[-1].methods == 2


def test_a_choice_needs_two_different_pictures():
    with pytest.raises(InputError, match='at least two'):
        identity(NAMES[:1], PICTURES[:1], PICTURES[:1])
    twins = [*PICTURES[:3], PICTURES[1].copy()]
    with pytest.raises(InputError, match="'picture 1' and 'picture 3' show"):
        identity(NAMES[:4], twins, twins)
    with pytest.raises(InputError, match="the same reconstruction of 'pict"):
        identity(NAMES, PICTURES, PICTURES, PICTURES)
