"""Tables of text, as spreadsheets, pandas, R and NumPy write them.

Delimiter, decimal comma, heading and byte order mark are found; what could be
read in two ways is refused. Rows are read one by one, so that a table of
numbers takes no more memory than its file.
"""

import csv
import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike

SUFFIXES = ('.csv', '.tsv', '.txt')

# In this order: a decimal comma is no delimiter beside one of the others.
_DELIMITERS = ('\t', ';', ',')
_SPACES = ' '
_MISSING = ('', 'na', 'n/a', '#n/a', '<na>', 'nan', 'null', 'none', '.')
_INDEX = ('', 'index', 'trial', 'row', 'unnamed: 0')
_SAMPLE = 20  # Rows by which a delimiter is judged.
_LONGEST = 64 * 2**20  # Characters of a table of text.
_SURE = 3  # Rows whose numbers can be seen to count them.


class Numbers(NamedTuple):
    """A table of numbers.

    Attributes:
      columns: their names; None without a heading.
      values: [rows, columns] float32, NaN where nothing is.
      texts: columns that were asked for by name, as text.
      notes: sentences on what was taken for what.
    """

    columns: tuple[str, ...] | None
    values: np.ndarray
    texts: dict[str, list[str]]
    notes: tuple[str, ...]


def looks_like(path: PathLike) -> bool:
    """True for a text file with numbers, or one that is damaged."""
    if not os.fspath(path).lower().endswith(SUFFIXES):
        return False
    try:
        with _damage(path):
            delimiter = _delimiter(path, (*_DELIMITERS, _SPACES))
            rows = list(itertools.islice(_rows(path, delimiter), _SAMPLE))
    except InputError:
        return True  # Whoever reads it says what is wrong.
    return bool(rows) and any(_is_number(x.replace(',', '.')) for x in rows[-1])


def read_texts(path: PathLike) -> list[list[str]]:
    """Reads a table whose cells are text, all rows of one length.

    Of one column, blank lines are empty cells.
    """
    if os.path.exists(path) and os.path.getsize(path) > _LONGEST:
        raise InputError(
            f'{path} has {os.path.getsize(path) / 2**20:.0f} MiB where a '
            'table of text is expected; check that it is the right file.'
        )
    with _damage(path):
        delimiter = _delimiter(path, _DELIMITERS)
        rows = list(_rows(path, delimiter))
        if rows and len(rows[0]) == 1:
            lines = _split(_lines(path, blank=True), delimiter)
            rows = [row or [''] for row in lines]
    if not rows:
        raise InputError(f'{path} is empty; give a table with rows.')
    return rows


def read_numbers(path: PathLike, texts: Collection[str] = ()) -> Numbers:
    """Reads a table of numbers.

    A first column that only counts the rows is left out.

    Args:
      path: of the file.
      texts: names of columns, in small letters, that are kept as text.
    """
    with _damage(path):
        delimiter = _delimiter(path, (*_DELIMITERS, _SPACES))
        first = list(itertools.islice(_rows(path, delimiter), _SAMPLE))
        if not first:
            raise InputError(f'{path} is empty; give a table of numbers.')
        comma = _has_decimal_comma(first)
        header = _header(first, comma, texts)
        names = header or [f'column {i + 1}' for i in range(len(first[0]))]
        kept = [i for i, name in enumerate(names) if name.lower() in texts]
        told = [names[i].lower() for i in kept]
        if twice := {name for name in told if told.count(name) > 1}:
            raise InputError(
                f'{path} has two columns {twice.pop()!r}; rename one.'
            )
        rows = itertools.islice(_rows(path, delimiter), bool(header), None)
        values, found = _parse(rows, names, kept, comma, path, bool(header))
    numbers = [name for i, name in enumerate(names) if i not in kept]
    counts, notes = _index(numbers, values, header, path)
    return Numbers(
        tuple(numbers[counts:]) if header else None,
        values[:, counts:],
        {names[i].lower(): column for i, column in zip(kept, found)},
        notes,
    )


def _damage(path: PathLike):
    return untrusted.as_text_error(path, 'table of text', csv.Error)


def _lines(path: PathLike, blank: bool = False) -> Iterator[str]:
    """Yields lines, their ends kept, without comments and blank ones."""
    with open(path, 'rb') as stream:
        start = stream.read(2)
    wide = start in (b'\xff\xfe', b'\xfe\xff')  # "Unicode text" of Excel.
    encoding = 'utf-16' if wide else 'utf-8-sig'
    with open(path, encoding=encoding, newline='') as stream:
        for line in stream:
            if (blank or line.strip()) and not line.startswith('#'):
                yield line


def _split(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    if delimiter == _SPACES:
        yield from (line.split() for line in lines)
        return
    for row in csv.reader(
        lines, delimiter=delimiter, strict=True, skipinitialspace=True
    ):
        yield [cell.strip() for cell in row]


def _rows(path: PathLike, delimiter: str) -> Iterator[list[str]]:
    """Yields rows, all of one length."""
    width = None
    for i, row in enumerate(_split(_lines(path), delimiter), 1):
        width = len(row) if width is None else width
        if len(row) != width:
            raise InputError(
                f'{path}: row {i} has {len(row)} cells and the rows before '
                f'{width}; write all of one length, with one delimiter, and '
                'a decimal point where that is a comma.'
            )
        yield row


def _delimiter(path: PathLike, known: Sequence[str]) -> str:
    """Returns the delimiter that divides the first rows alike."""
    best, most = ',', 1
    for delimiter in known:
        some = itertools.islice(_split(_lines(path), delimiter), _SAMPLE)
        try:
            counts = {len(row) for row in some}
        except csv.Error:
            continue
        if len(counts) == 1 and min(counts) > 1:
            return delimiter
        if counts and min(counts) > most:  # Its odd row will be named.
            best, most = delimiter, min(counts)
    return best


def _has_decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    cells = [cell for row in rows for cell in row]
    return any(
        ',' in x and not _is_number(x) and _is_number(x.replace(',', '.'))
        for x in cells
    )


def _is_number(cell: str) -> bool:
    if cell.lower() in _MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _header(
    rows: Sequence[Sequence[str]], comma: bool, texts: Collection[str]
) -> list[str] | None:
    """Returns the first row if it names the columns."""
    first = [*rows[0]]
    if any(cell.lower() in texts for cell in first):
        return first
    counted = first[1:] if first[0] == '' else first
    for start in (0, 1):  # As pandas names columns without names.
        places = [str(i) for i in range(start, start + len(counted))]
        if len(counted) > 1 and counted == places:
            return first
    second = rows[1] if len(rows) > 1 else first
    point = (lambda x: x.replace(',', '.')) if comma else str
    named = [
        not _is_number(point(a)) and _is_number(point(b))
        for a, b in zip(first, second)
    ]
    return first if any(named) else None


def _parse(
    rows: Iterator[list[str]],
    names: Sequence[str],
    kept: Sequence[int],
    comma: bool,
    path: PathLike,
    headed: bool,
) -> tuple[np.ndarray, list[list[str]]]:
    """Returns [rows, columns] float32, and the columns that stay text."""
    found: list[np.ndarray] = []
    texts: list[list[str]] = [[] for _ in kept]
    places = [i for i in range(len(names)) if i not in {*kept}]
    for row in rows:
        for column, i in zip(texts, kept):
            column.append(row[i])
        cells = [row[i] for i in places] if kept else row
        try:
            if comma:
                values = [float(_decimal_point(cell)) for cell in cells]
            else:
                values = [*map(float, cells)]
        except ValueError:
            line = len(found) + 1 + headed
            values = [
                _number(cell, comma, f'{path}: row {line}, {names[i]!r}')
                for i, cell in zip(places, cells)
            ]
        with np.errstate(over='ignore'):
            found.append(np.array(values, np.float32))
    if not found or not places:
        raise InputError(f'{path} holds no row of numbers; give some.')
    return np.stack(found), texts


def _decimal_point(cell: str) -> str:
    if '.' in cell:
        raise ValueError('Among decimal commas 1.234 could be a thousand.')
    return cell.replace(',', '.')


def _number(cell: str, comma: bool, where: str) -> float:
    if cell.lower() in _MISSING:
        return np.nan
    try:
        return float(_decimal_point(cell) if comma else cell)
    except ValueError:
        raise InputError(
            f'{where} is {cell[:40]!r}, which is no number'
            f'{" with a decimal comma" if comma else ""}; correct it, or name '
            "what is no voxel 'stimulus', 'run' and so on."
        ) from None


def _index(
    names: Sequence[str],
    values: np.ndarray,
    header: list[str] | None,
    path: PathLike,
) -> tuple[int, tuple[str, ...]]:
    """Returns 1 if the first column counts the rows, and a sentence."""
    rows = np.arange(len(values))
    column = values[:, 0]
    counts = any(np.array_equal(column, rows + start) for start in (0, 1))
    if header is not None and names[0].lower() not in _INDEX:
        return 0, ()
    if counts and values.shape[1] > 1 and (header or len(rows) >= _SURE):
        return 1, (f'{path}: the first column counts the rows; left out.',)
    if header is not None and not names[0]:
        raise InputError(
            f'{path}: the first column has no name and does not count the '
            'rows; name it, or leave it out.'
        )
    return 0, ()
