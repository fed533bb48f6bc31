"""Figures and the HTML page; here, what each score means in plain words."""

import re
from typing import NamedTuple


class Score(NamedTuple):
    """How to show a score.

    Attributes:
      label: short name for tables and axes.
      meaning: one or two sentences for a reader who does not know it.
      percent: whether it is a rate, shown in per cent.
    """

    label: str
    meaning: str
    percent: bool


# With a space at which lines do not break.
PERCENT = '\N{NO-BREAK SPACE}%'

WAYS = {'two_way': 'Two-way', 'fifty_way': 'Fifty-way', 'all_way': 'All-way'}

PICTURES = {
    'pixcorr': Score(
        'Pixel correlation',
        'Correlation of the two pictures over all pixels and colours; 1 is '
        'perfect. Overall brightness and contrast do not matter, the layout '
        'of light, dark and colour does.',
        False,
    ),
    'ssim_2d': Score(
        'SSIM (2-D)',
        'Structural similarity: agreement of local brightness, contrast and '
        'structure; 1 is perfect. A plain grey picture scores high as well, '
        'so compare it with chance.',
        False,
    ),
    'ssim_1d': Score(
        'SSIM (1-D)',
        'The variant of SSIM that older software computed, one picture column '
        'at a time. Given for comparison with published tables.',
        False,
    ),
}

QUESTIONS = {
    'two_way': 'Given a reconstruction, the picture that was seen and one '
    'other, how often is the one that was seen more similar to it?',
    'fifty_way': 'How often is the picture that was seen the most similar one '
    'of 50? Averaged exactly over all choices of the 49 others.',
    'all_way': 'How often is the picture that was seen the most similar one '
    'of all test pictures?',
}


def describe(name: str) -> Score:
    """Returns how to show the score of a name in scores.json.

    A name that is not known is shown as it is.
    """
    if name in PICTURES:
        return PICTURES[name]
    match = re.fullmatch(f'({"|".join(WAYS)})_(.+)', name)
    if not match:
        return Score(name, '', False)
    way, by = match.groups()
    if by == 'pixels':
        meaning = f'{QUESTIONS[way]} Similarity is correlation of pixels.'
    else:
        meaning = (
            f'{WAYS[way]} again, but pictures are compared by the features '
            f'{by} of a network, not by their pixels.'
        )
    return Score(f'{WAYS[way]}, {by}', meaning, True)


def in_words(value: float, percent: bool) -> str:
    """Writes a score for a sentence or an axis: '84 %' or '0.31'."""
    if not percent:
        return f'{value:.2f}'
    decimals = 0 if 0.1 <= value < 0.99 or value == 1 else 1
    return f'{100 * value:.{decimals}f}{PERCENT}'
