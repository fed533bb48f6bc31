"""What the pages of a group say is what the numbers say."""

import re

from brainjax.evaluation.group import group_scores, leaderboard
from brainjax.reports import group_page

SUBJECTS = [
    {
        'two_way_pixels': {'value': v, 'chance': 0.5, 'p': p, 'n': 20},
        'pixcorr_a_minus_b': {
            **{'value': v - 0.6, 'chance': 0.0, 'p': p, 'n': 20},
            **{'score': 'pixcorr', 'method': 'a', 'other': 'b'},
            'paired': True,
        },
    }
    for v, p in ((0.8, 0.001), (0.7, 0.2), (0.9, 0.001))
]
ABOUT = {
    'entry': 'mine',
    'method': 'ridge',
    'subjects': 3,
    'pictures': 20,
    'picture_set': 'abc',
    'simulated': True,
    'transductive': False,
    'added': '2024-01-01',
}


def text_of(path):
    page = re.sub(r'(?s)<style>.*?</style>|<[^>]+>', ' ', path.read_text())
    return re.sub(r'\s+', ' ', page)


def test_pages(tmp_path):
    scores = group_scores.combine(SUBJECTS)
    results = {
        'scores': scores,
        'subjects': ['s1', 's2', 's3'],
        'method': 'ridge',
        'simulated': True,
        'transductive': False,
        'problems': ['The test pictures are not the same.'],
        'versions': {},
        'fingerprints': {'s1': 'abc'},
        'methods': 'Three subjects.',
    }
    line = leaderboard.line(scores, **ABOUT)
    board = leaderboard.add(None, line, 'two_way_pixels')
    group_page.render(
        tmp_path / 'report.html', results, board, 'two_way_pixels'
    )
    found = text_of(tmp_path / 'report.html')
    low = f'{100 * scores["two_way_pixels"]["prevalence_low"]:.1f}'
    for words in (
        'Simulated subject: no brain was measured',
        'The test pictures are not the same.',
        'Two-way, pixels is 80.0 % over subjects',
        '2 of 3 subjects are above chance by themselves, from which at '
        f'least {low} % of such people do.',
        'Pixel correlation, a less b',
        '70.0 % (0.200)',
        'mine ridge 3 20 True 2024-01-01 80.0 % (',
    ):
        assert words in found
    group_page.render_board(tmp_path / 'b.html', board, 'two_way_pixels')
    assert '1 group of subjects, sorted by Two-way' in text_of(
        tmp_path / 'b.html'
    )


def test_strips_say_what_they_show():
    scores = group_scores.combine(SUBJECTS)
    label = group_page.strips(
        {'two_way_pixels': scores['two_way_pixels']}
    ).get_label()
    assert label == (
        '1 scores. Two-way, pixels 0.80 in the median, 0.70 to 0.90.'
    )
