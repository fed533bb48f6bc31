"""What a paper reports, beside what a run scores.

A config's `published` holds, by the name of a score: 'value', 'spread' and
'spread_of' (0 and '' where none is told), 'subject' ('' for several), 'source',
'verified' (whether the number was seen there, and not remembered or taken from
somebody else) and 'differs', what of the protocol is another than this run's
('' for nothing that is known).
"""

import math
from collections.abc import Mapping
from typing import Any

from brainjax.errors import InputError
from brainjax.evaluation.table.score_table import decimals, describe, is_defined

KEYS = (
    *('value', 'spread', 'spread_of'),
    *('subject', 'source', 'verified', 'differs'),
)
TITLE = 'Beside the published numbers'
COLUMNS = (
    *('score', 'this run', '95 % interval', 'published', 'difference'),
    *('published is in the interval', 'where from', 'what differs'),
)


def number(
    value: float,
    source: str,
    *,
    spread: float = 0.0,
    spread_of: str = '',
    subject: str = '',
    verified: bool = True,
    differs: str = '',
) -> dict[str, Any]:
    """Returns one number for `config.published`, see the module."""
    given = value, spread, spread_of, subject, source, verified, differs
    return dict(zip(KEYS, given))


def beside(
    published: Mapping[str, Mapping[str, Any]],
    scores: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, Any]]:
    """Compares published numbers with the scores of a run.

    Returns:
      Name of a score -> what is published, with 'ours', 'low', 'high' and
      'difference' (ours less published), None where the run has no such score.
    """
    found = {}
    for name, said in published.items():
        if set(said) != set(KEYS):
            raise InputError(
                f'config.published.{name} has {", ".join(sorted(said))}; it '
                f'has to have {", ".join(KEYS)}.'
            )
        ours = scores.get(name)
        found[name] = dict(said) | {
            'ours': ours and ours['value'],
            'low': ours and ours['low'],
            'high': ours and ours['high'],
            'difference': ours and ours['value'] - said['value'],
        }
    return found


def rows(compared: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The same as text, a row of COLUMNS each."""
    return [_row(name, each) for name, each in compared.items()]


def _row(name, each):
    item = describe(name)

    def text(value):
        return decimals(value, item.percent)

    said = text(each['value'])
    if each['spread']:
        said += f' ± {text(each["spread"])} ({each["spread_of"]})'
    if each['subject']:
        said += f', {each["subject"]}'
    source = each['source'] + ('' if each['verified'] else ' (not verified)')
    if each['ours'] is None:
        ours = ('not scored', '', said, '', '')
    else:
        low, high = each['low'], each['high']
        known = is_defined(low) and is_defined(high)
        inside = known and low <= each['value'] <= high
        sign = '+' if each['difference'] >= 0 else '−'
        ours = (
            text(each['ours']),
            f'{text(low)} to {text(high)}' if known else 'none',
            said,
            sign + text(math.fabs(each['difference'])),
            ('yes' if inside else 'no') if known else '',
        )
    return item.title, *ours, source, each['differs'] or 'nothing known'
