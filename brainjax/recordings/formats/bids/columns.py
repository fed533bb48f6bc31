"""Which column of events.tsv names the stimulus.

Data sets name it stim_file, file_path, condition, ImgName and otherwise, and
trial_type may be a picture, a class or a word such as 'exp'. So the whole
column decides, not its name alone; see `choose`.
"""

import contextlib
from collections.abc import Callable, Sequence

from brainjax.errors import InputError, suggestion
from brainjax.io.files import PathLike
from brainjax.pictures.names import is_picture, stem
from brainjax.pictures.sources import open_source
from brainjax.recordings import stimulus_names
from brainjax.recordings.formats.bids.files import Row

NOTHING = ('n/a', '')
UNKNOWN = ('na', 'nan', 'none')  # As other software writes n/a.
REST = ('rest', 'fix', 'fixation', 'baseline', 'null', 'blank', 'iti')
# Of two columns that fit, the one named first here is taken.
_USUAL = (
    'stimulus_name',
    'stim_name',
    'stim_file',
    'file_path',
    'imgname',
    'stimulus',
    'stim',
    'image',
    'image_name',
    'picture',
    'filename',
    'stimulus_id',
    'stim_id',
    'image_id',
    'item',
    'condition',
    'trial_type',
)
# Columns that vary from row to row and name nothing.
_OTHER = (
    'onset',
    'duration',
    'sample',
    'trial',
    'trial_number',
    'response_time',
    'response',
    'value',
    'channel',
    'hed',
)
_DIGITS = 15  # More than a double holds.
_SHARE = 0.5  # Of a column's values that must be pictures or file names.
_ROWS_A_NAME = 10  # A column with fewer values than a tenth of the rows sorts.


def choose(
    tables: Sequence[Sequence[Row]],
    wanted: str | None,
    preferred: Sequence[str],
    is_known: Callable[[str], bool] | None,
    where: str,
) -> tuple[list[str], list[str]]:
    """Returns the column of each table that names the stimulus.

    The one asked for; else a preset's; else the one whose values are the
    names of the pictures; else the one that looks like file names; else one
    of at least as many different values as a tenth of the rows; else the
    usual one that there is. Tables with the same columns are judged together.

    Args:
      tables: the rows of each events.tsv.
      wanted: the column to take wherever there is one so named, or None.
      preferred: columns that a preset knows, the first that there is.
      is_known: says if a value is the name of a picture; None where there
        are no pictures.

    Returns:
      The columns, and sentences on what was taken and left out.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, rows in enumerate(tables):
        if rows:
            groups.setdefault(tuple(rows[0]), []).append(i)
    if wanted is not None and not any(wanted in header for header in groups):
        known = [*dict.fromkeys(column for h in groups for column in h)]
        raise InputError(
            f'{where} has no column {wanted!r} in its events.tsv, only '
            f'{", ".join(known)}.{suggestion(wanted, known)}'
        )
    columns, taken = [''] * len(tables), {}
    for header, members in groups.items():
        column, why = next(
            ((c, '') for c in (wanted, *preferred) if c in header), ('', '')
        )
        if not column:
            group = [tables[i] for i in members]
            column, why = _judge(header, group, is_known, where)
        for i in members:
            columns[i] = column
        taken.setdefault((column, why), []).extend(tables[i] for i in members)
    return columns, [
        _sentence(column, why, group, where)
        for (column, why), group in taken.items()
    ]


def known_pictures(source: PathLike) -> Callable[[str], bool]:
    """Returns what says if a value is the name of a picture in a source."""
    with contextlib.ExitStack() as stack:
        names = open_source(source, None, stack).names
    known = stimulus_names.lookup(names)
    return lambda value: bool(stimulus_names.places(value, known))


def shows(value: str) -> bool:
    """True for a value that names a stimulus, and not rest or nothing.

    'stimuli/fix.png' is rest as well.
    """
    if value.lower() in (*NOTHING, *UNKNOWN):
        return False
    return stem(value.rpartition('/')[2]).lower() not in REST


def _judge(
    header: Sequence[str],
    tables: Sequence[Sequence[Row]],
    is_known: Callable[[str], bool] | None,
    where: str,
) -> tuple[str, str]:
    """Returns a column and, for the sentence, why it was taken."""
    order = sorted(
        (c for c in header if c.lower() not in _OTHER),
        key=lambda c: (*_USUAL, c.lower()).index(c.lower()),
    )
    values = {
        column: [
            row[column] for rows in tables for row in rows if shows(row[column])
        ]
        for column in order
    }
    for test, why in (
        (is_known, 'its values are names of the pictures'),
        (is_picture, 'its values look like file names'),
    ):
        if test is None:
            continue
        share = {
            column: sum(map(test, found)) / len(found)
            for column, found in values.items()
            if found
        }
        # Of cue and picture, say, the picture: it is more often another.
        best = max(
            share,
            key=lambda c: (share[c], c.lower() in _USUAL, len({*values[c]})),
            default=None,
        )
        if best is not None and share[best] >= _SHARE:
            return best, why
    rows = sum(map(len, tables))
    for column in order:
        text = any(not _is_number(value) for value in values[column])
        # Table by table, as what repeats in every run would seem to vary less.
        different = sum(
            len({row[column] for row in table if shows(row[column])})
            for table in tables
        )
        named = text or column.lower() in _USUAL
        named &= len({*values[column]}) > 1
        if named and different * _ROWS_A_NAME >= rows:
            return column, f'it holds {len({*values[column]})} different values'
    for column in order:
        if column.lower() in _USUAL and values[column]:
            count = len({*values[column]})
            return column, f'none fits better ({count} different values)'
    raise InputError(
        f'{where}: no column of events.tsv ({", ".join(header)}) names the '
        'stimuli; name one with `stimulus`.'
    )


def _sentence(
    column: str, why: str, tables: Sequence[Sequence[Row]], where: str
) -> str:
    rows = [row for table in tables for row in table]
    left = [row for row in rows if not shows(row[column])]
    kinds = [*dict.fromkeys(row.get('trial_type', 'n/a') for row in left)]
    kinds = [kind for kind in kinds if kind not in NOTHING]
    listed = ', '.join(kinds[:3]) + ', ...' * (len(kinds) > 3)
    out = f'; {len(left)} of the {len(rows)} rows name none and are left out'
    if listed:
        out += f' (trial_type {listed})'
    return (
        f'{where}: the stimuli are named by column {column!r} of events.tsv'
        f'{f", as {why}" if why else ""}{out if left else ""}; choose another '
        'with `stimulus`.'
    )


def _is_number(value: str) -> bool:
    """Whether a value is a quantity; '0042' and '0110...' are names."""
    padded = value.startswith('0') and len(value) > 1
    if value.isdecimal() and (padded or len(value) > _DIGITS):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
