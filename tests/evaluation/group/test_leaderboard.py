"""The leaderboard: lines added, sorted, and others left as they are."""

import pytest

from brainjax.errors import InputError
from brainjax.evaluation.group import leaderboard

ABOUT = {
    'method': 'ridge',
    'subjects': 5,
    'pictures': 10,
    'picture_set': 'abc',
    'simulated': True,
    'transductive': False,
    'added': '2024-01-01',
}


def line(value, entry, name='two_way_pixels'):
    score = {'value': value, 'low': value - 0.1, 'high': value + 0.1}
    return leaderboard.line({name: score}, entry=entry, **ABOUT)


def test_lines_are_sorted_and_added_once():
    board = None
    for value, entry in ((0.6, 'a'), (0.9, 'b'), (0.7, 'c'), (0.9, 'b')):
        board = leaderboard.add(board, line(value, entry), 'two_way_pixels')
    assert [each['entry'] for each in board.lines] == ['b', 'c', 'a']
    text = leaderboard.write(board)
    assert leaderboard.parse(text, 'x').lines[0]['two_way_pixels'] == '0.9'
    # Of a distance the lowest is on top.
    board = None
    for value, entry in ((0.6, 'a'), (0.2, 'b')):
        new = line(value, entry, 'lpips_alexnet')
        board = leaderboard.add(board, new, 'lpips_alexnet', lower=True)
    assert [each['entry'] for each in board.lines] == ['b', 'a']


def test_what_others_wrote_stays():
    board = leaderboard.add(None, line(0.6, 'a'), 'two_way_pixels')
    header, first = leaderboard.write(board).splitlines()
    text = f'{header},remark\n{first},"our, 1st"\n'
    text = text.replace(',0.6,', ',.600,')
    board = leaderboard.parse(text, 'x')
    board = leaderboard.add(board, line(0.7, 'b', 'pixcorr'), 'pixcorr')
    assert [each['entry'] for each in board.lines] == ['b', 'a']
    again = leaderboard.parse(leaderboard.write(board), 'x')
    assert again.columns[: len(header.split(',')) + 1] == [
        *header.split(','),
        'remark',
    ]
    assert again.lines[1]['remark'] == 'our, 1st'
    assert again.lines[1]['two_way_pixels'] == '.600'
    assert again.lines[0]['remark'] == '' and again.lines[0]['pixcorr'] == '0.7'


def test_problems_of_lines_that_do_not_compare():
    board = leaderboard.add(None, line(0.6, 'a'), 'two_way_pixels')
    assert leaderboard.problems(board) == []
    other = line(0.7, 'b') | {'simulated': 'False', 'picture_set': 'other'}
    board = leaderboard.add(board, other, 'two_way_pixels')
    assert len(leaderboard.problems(board)) == 2


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'is empty'),
        ('name,score\n', "no column 'id'"),
        ('{header},id\n', 'two columns'),
        ('{header}\nx,y\n', 'line 2 has 2 of'),
    ],
)
def test_files_that_are_no_leaderboard(text, words):
    header = ','.join(leaderboard.COLUMNS)
    with pytest.raises(InputError, match=words):
        leaderboard.parse(text.format(header=header), 'board.csv')


def test_a_score_that_is_not_there():
    with pytest.raises(InputError, match='Did you mean'):
        leaderboard.add(None, line(0.6, 'a'), 'two_way_pixel')
