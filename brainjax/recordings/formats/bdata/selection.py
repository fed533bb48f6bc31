"""Sets of columns in the words of BData: 'ROI_V1 | ROI_V2 - ROI_FFA'.

  key          columns where the key's metadata are 1
  key = 2      columns where they are 2; key = 0, where they are 0 or where
               the key says nothing
  ROI_*        any text for '*'; with several keys, columns that one of them
               has, and with '= 0', columns that none of them has
  a | b, a + b columns of either
  a & b        columns of both
  a - b        columns of a that are not of b
  (...)        first
  "a key"      a key in quotes, whatever characters it has

A key with blanks or hyphens needs no quotes where it is the longest that can
be meant: 'ROI_FFA-1' is that key, if there is one.

'=' binds tightest; '|', '+', '&' and '-' share one precedence and group from
the left, so that 'a | b & c' is '(a | b) & c'.
"""

import fnmatch
import re
from collections.abc import Mapping

import numpy as np

from brainjax.errors import InputError, suggestion

_DEEPEST = 50  # Parentheses in parentheses.
_NUMBER = re.compile(r'\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*')
_KEY = re.compile(r'\s*([^\s|+&\-=()@]+)\s*')
_QUOTED = re.compile(r'\s*(["\'])(.+?)\1\s*')
_AFTER_KEY = re.compile(r'\s*([|+&\-=)]|$)')
_OPERATORS = {
    '|': np.logical_or,
    '+': np.logical_or,
    '&': np.logical_and,
    '-': lambda one, other: one & ~other,
}


def select(
    expression: str, rows: Mapping[str, np.ndarray], where: str
) -> np.ndarray:
    """Returns the [columns] bool mask of what an expression selects.

    A whole key is taken as it is, whatever characters it has.

    Args:
      expression: for example 'ROI_V1 | ROI_V2', 'ROI_* - ROI_FFA'.
      rows: key -> [columns] numbers, NaN where the key says nothing; or bool.
    """
    if expression in rows:
        return rows[expression] == 1
    mask, at = _operation(expression, 0, rows, where, _DEEPEST)
    if at < len(expression):
        raise _wrong(expression, at, where)
    return mask


def _operation(
    text: str, at: int, rows: Mapping[str, np.ndarray], where: str, deepest: int
) -> tuple[np.ndarray, int]:
    """Reads terms and the operators between them; returns the next place."""
    mask, at = _term(text, at, rows, where, deepest)
    while at < len(text) and text[at] in _OPERATORS:
        operator = _OPERATORS[text[at]]
        other, at = _term(text, at + 1, rows, where, deepest)
        mask = operator(mask, other)
    return mask, at


def _term(
    text: str, at: int, rows: Mapping[str, np.ndarray], where: str, deepest: int
) -> tuple[np.ndarray, int]:
    """Reads a key, a key with its number, or what stands in parentheses."""
    at += len(text[at:]) - len(text[at:].lstrip())
    if text[at : at + 1] == '(' and deepest:
        mask, at = _operation(text, at + 1, rows, where, deepest - 1)
        if text[at : at + 1] != ')':
            raise _wrong(text, at, where)
        at += 1
        return mask, at + len(text[at:]) - len(text[at:].lstrip())
    key, at = _key(text, at, rows, where)
    number = 1.0
    if text[at : at + 1] == '=':
        equal = _NUMBER.match(text, at + 1)
        if not equal:
            raise _wrong(text, at + 1, where)
        number, at = float(equal[1]), equal.end()
    chosen = [rows[name] for name in _matches(key, rows, where)]
    if number:
        return np.any([row == number for row in chosen], axis=0), at
    return np.all([(row == 0) | np.isnan(row) for row in chosen], axis=0), at


def _key(
    text: str, at: int, rows: Mapping[str, np.ndarray], where: str
) -> tuple[str, int]:
    """Reads a key, and returns the place after it and the blanks behind it."""
    quoted = _QUOTED.match(text, at)
    if quoted:
        return quoted[2], quoted.end()
    for key in sorted(rows, key=len, reverse=True):
        after = at + len(key)
        if text.startswith(key, at) and _AFTER_KEY.match(text, after):
            return key, after + len(text[after:]) - len(text[after:].lstrip())
    found = _KEY.match(text, at)
    if not found:
        raise _wrong(text, at, where)
    return found[1], found.end()


def _matches(
    pattern: str, rows: Mapping[str, np.ndarray], where: str
) -> list[str]:
    """Returns the keys that a key with wildcards stands for."""
    if pattern in rows:
        return [pattern]
    literal = re.sub(r'([?[])', r'[\1]', pattern)  # Only '*' is a wildcard.
    found = [key for key in rows if fnmatch.fnmatchcase(key, literal)]
    if found:
        return found
    raise InputError(
        f'{where} has no key {pattern!r}'
        f'{", only " + ", ".join(rows) if rows else " nor any other"}.'
        f'{suggestion(pattern, rows)}'
    )


def _wrong(text: str, at: int, where: str) -> InputError:
    there = f'at {text[at:]!r}' if text[at:] else 'at its end'
    return InputError(
        f'{where}: the selection {text!r} is wrong {there}; join keys with '
        "'|', '&' or '-', as in 'ROI_V1 | ROI_V2'."
    )
