"""What the events of a run mean: presets for data sets, and the general case.

A preset turns the rows of events.tsv into events. It knows the columns of its
data set and their mistakes:

  ds001246  Generic Object Decoding (Horikawa and Kamitani 2017): event_type
            is a word, and the session's name says the set. Repetitions in
            the one-back task are not marked: a picture that follows itself
            is one (left out). What was imagined is a category, no picture.
  ds001506  deep image reconstruction (Shen et al. 2019): event_type 1 is a
            stimulus, 2 its repetition in the one-back task (left out),
            negative numbers rest; in imagery 1 is the cue, 2 imagery, 3 the
            rating and 4 a pause. The category names of imagery events are
            those of other pictures: only category_index is used.
  ds001761  faces (VanRullen and Reddy 2019): trial_type, with blanks at the
            end, is train_face, test_face, Fix or Img; one-back repetitions
            are left out; which face was imagined is not known. The letter
            before the number in stim_file is the gender.
  ds004192  THINGS-fMRI (Hebart et al. 2023): file_path names the picture;
            trial_type is exp (training), test, or catch, a task's trial that
            is modelled and not answered.
  ds004496  Natural Object Dataset (Gong et al. 2023): stim_file names the
            picture, in COCO runs condition; rows without one are the task's.
  ds001499  BOLD5000 (Chang et al. 2019): ImgName names the picture; those
            whose ImgType begins with rep_ were repeated and are for testing.
  brainjax  data sets that `writing` made: a volume a trial
  generic   any other: `columns.choose` finds the column that names the
            stimulus; a column split or part, or a trial_type of train and
            test, divides training from test trials
"""

import functools
import math
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from brainjax.errors import InputError, brief, check_known
from brainjax.pictures.names import stem
from brainjax.recordings import stimulus_names
from brainjax.recordings.formats.bids.columns import NOTHING, UNKNOWN, shows
from brainjax.recordings.formats.bids.files import Row, Run
from brainjax.recordings.splits import named_set


class Event(NamedTuple):
    """Something that happened in a run.

    Attributes:
      onset, duration: seconds; the duration is NaN where it is not known.
      stimulus: its name; '' for what needs a regressor but no response.
      category: or ''.
      part: 'train', 'test', 'shape', 'letter' or 'imagery'; '' if the data set
        does not say.
    """

    onset: float
    duration: float
    stimulus: str
    category: str
    part: str


class Preset(NamedTuple):
    """How a data set is read.

    Attributes:
      event: (row, run, where, column) -> event, or None for rest; `column`
        names the stimulus, if `columns` is not None.
      window: seconds after onset whose volumes make a response; None for its
        end stands for the event's, as much later as the window begins.
      columns: of events.tsv that may name the stimulus, the first that there
        is; () where the whole table decides, None where `event` knows.
      note: a sentence for the recording's problems, or ''.
      repeats: True where a stimulus that follows itself is a one-back
        repetition.
      high_pass: period in seconds above which drifts are removed; 0 for none.
      zscore_runs: whether to z-score each voxel within each run.
    """

    event: Callable[[Row, Run, str, str], Event | None]
    window: tuple[float, float | None]
    columns: tuple[str, ...] | None = None
    note: str = ''
    repeats: bool = False
    high_pass: float = 128.0
    zscore_runs: bool = True


_SPLITS = {
    'train': 'train',
    'training': 'train',
    'test': 'test',
    'testing': 'test',
}
_NUMBER = re.compile(r'[0-9]+(\.[0-9]+)?')
_GENDER = re.compile(r'.*([FM])\d+')


def read_events(
    rows: Sequence[Row], run: Run, preset: Preset, where: str, column: str = ''
) -> list[Event]:
    """Returns the events of a run in order of onset.

    Args:
      column: that names the stimulus, for presets with `columns`.
    """
    found = [preset.event(row, run, where, column) for row in rows]
    found = sorted(
        (event for event in found if event is not None),
        key=lambda event: event.onset,
    )
    if not preset.repeats:
        return found
    # What follows itself stays a regressor: it evokes a response as well.
    before = [None, *(event.stimulus for event in found)]
    return [
        event._replace(stimulus='') if event.stimulus == last else event
        for event, last in zip(found, before)
    ]


def choose_preset(
    name: str | None, description: str, rows: Sequence[Row]
) -> str:
    """Returns the name of the preset that suits a data set.

    Args:
      name: as asked for, or None to infer it from what follows.
      description: what dataset_description.json says, as text.
      rows: of all events.tsv.
    """
    if name is not None:
        check_known('preset', name, PRESETS)
        return name
    for word, known in _DESCRIBED.items():
        if word in description.lower():
            return known
    columns = {column for row in rows for column in row}
    kinds = {row.get('trial_type') for row in rows}
    if kinds & {'train_face', 'test_face'}:
        return 'ds001761'
    if 'file_path' in columns and 'exp' in kinds <= _THINGS.keys():
        return 'ds004192'
    if {'ImgName', 'ImgType'} <= columns:
        return 'ds001499'
    types = {row.get('event_type', '').removesuffix('.0') for row in rows}
    if {'rest', 'stimulus'} <= types or {'rest', 'imagery'} <= types:
        return 'ds001246'
    if {'-1', '1', '-2'} <= types:
        return 'ds001506'
    return 'generic'


def _times(row: Row, where: str) -> tuple[float, float]:
    """Returns onset and duration in seconds; NaN for a duration of n/a."""
    found = []
    for column in ('onset', 'duration'):
        if column not in row:
            raise InputError(
                f'{where} has no column {column!r}, which events need, only '
                f'{brief([*row])}; name it so, and separate columns by tabs.'
            )
        try:
            seconds = float(row[column])
        except ValueError:
            seconds = math.nan
        nothing = row[column].lower() in (*NOTHING, *UNKNOWN)
        unknown = column == 'duration' and nothing
        if not math.isfinite(seconds) and not unknown:
            raise InputError(
                f'{where}: {column} is {row[column]!r}; it must be a finite '
                'number of seconds.'
            )
        found.append(seconds)
    if found[1] < 0:
        raise InputError(
            f'{where}: duration is {row["duration"]!r}; no event can end '
            'before it begins.'
        )
    return found[0], found[1]


def _first(row: Row, *columns: str) -> str:
    """Returns the first value there is."""
    for column in columns:
        if row.get(column, '') not in NOTHING:
            return row[column]
    return ''


def _set_of(run: Run) -> str:
    return named_set(*(run.entities.get(key, '') for key in ('ses', 'task')))


def _kamitani(
    row: Row,
    run: Run,
    where: str,
    column: str = '',
    *,
    imagined: Callable[[Row, str], str],
) -> Event | None:
    """Events of ds001246 and ds001506; `imagined` names what was imagined."""
    del column
    part = _set_of(run)
    kind = row.get('event_type', 'n/a').lower().removesuffix('.0')
    wanted = {'2', 'imagery'} if part == 'imagery' else {'1', 'stimulus'}
    others = {'1', 'cue', '3', 'evaluation'} if part == 'imagery' else {'2'}
    if kind not in wanted | others:
        return None
    onset, duration = _times(row, where)
    if kind in others:
        return Event(onset, duration, '', '', part)
    if part == 'imagery':
        name = imagined(row, where)
        if name == stimulus_names.FIXATION:  # Nothing was imagined.
            return Event(onset, duration, '', '', part)
    else:
        name = _stimulus(row, part, where)
    return Event(
        onset, duration, name, stimulus_names.category(name) or '', part
    )


def _imagined_category(row: Row, where: str) -> str:
    """Names a category, 'n01621127' (ds001246)."""
    number = _first(row, 'category_id', 'category_name').lstrip('n')
    return stimulus_names.name(_as_number(number, where), 'imagery', where)


def _imagined_picture(row: Row, where: str) -> str:
    """Names a picture by its place in the list of cues (ds001506)."""
    number = _first(row, 'category_index', 'stimulus_id', 'stim_id')
    return stimulus_names.name(_as_number(number, where), 'imagery', where)


def _stimulus(row: Row, part: str, where: str) -> str:
    text = _first(row, 'stimulus_name', 'stim_file', 'stim_name')
    if text and not _NUMBER.fullmatch(text):
        return stem(stimulus_names.path(text).rpartition('/')[2])
    text = text or _first(row, 'stimulus_id', 'stim_id', 'image_index')
    return stimulus_names.name(_as_number(text, where), part, where)


def _as_number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f'{where}: a stimulus is given as {text!r}, which is neither a '
            'name nor a number.'
        ) from None


def _face(row: Row, run: Run, where: str, column: str = '') -> Event | None:
    """Events of ds001761."""
    del run, column
    kind = row.get('trial_type', '').strip()
    part = {'train_face': 'train', 'test_face': 'test'}.get(kind, '')
    if not part and kind != 'Img':
        return None
    onset, duration = _times(row, where)
    if kind == 'Img' or _first(row, 'oneback').removesuffix('.0') == '1':
        return Event(onset, duration, '', '', part)
    name = pathlib.PurePosixPath(_first(row, 'stim_file')).stem
    gender = _GENDER.fullmatch(name)
    if not gender:
        raise InputError(
            f'{where}: stim_file is {row.get("stim_file")!r}; it must end in '
            'F or M and a number.'
        )
    return Event(onset, duration, name, gender[1], part)


def _generic(row: Row, run: Run, where: str, column: str) -> Event | None:
    if not shows(row[column]):
        return None
    kind = row.get('trial_type', '') if column != 'trial_type' else ''
    part = _first(row, 'split', 'part').lower() or _set_of(run)
    return Event(
        *_times(row, where),
        stimulus_names.path(row[column]),
        _first(row, 'category', 'category_name'),
        _SPLITS.get(part, part) or _SPLITS.get(kind.lower(), ''),
    )


def _things(row: Row, run: Run, where: str, column: str) -> Event | None:
    """Events of ds004192; the folder of a picture is its object concept."""
    event = _generic(row, run, where, column)
    part = _THINGS.get(row.get('trial_type', ''), '')
    if event is None or not part:
        return event and event._replace(stimulus='', part='')
    folder = pathlib.PurePosixPath(event.stimulus).parent.name
    return event._replace(category=folder, part=part)


def _natural_objects(
    row: Row, run: Run, where: str, column: str
) -> Event | None:
    """Events of ds004496; ImageNet's folders are synsets."""
    event = _generic(row, run, where, column)
    if event is None:
        return None
    folder = pathlib.PurePosixPath(event.stimulus).parent.name
    return event._replace(category=stimulus_names.category(folder) or '')


def _bold5000(row: Row, run: Run, where: str, column: str) -> Event | None:
    """Events of ds001499."""
    event = _generic(row, run, where, column)
    kind = row.get('ImgType')
    if event is None or kind is None:
        return event
    return event._replace(part='test' if kind.startswith('rep_') else 'train')


def _written(row: Row, run: Run, where: str, column: str = '') -> Event:
    """Events that `writing` wrote."""
    del run, column
    return Event(
        *_times(row, where),
        _first(row, 'stimulus_name'),
        _first(row, 'category'),
        _first(row, 'split'),
    )


# trial_type in ds004192 -> the set.
_THINGS = {'exp': 'train', 'test': 'test', 'catch': ''}
_FAST = (
    'Pictures followed each other every {} s, so that windows overlap; single '
    "trials are better estimated with response='glm-separate'."
)

PRESETS = {
    'ds001246': Preset(
        functools.partial(_kamitani, imagined=_imagined_category),
        (3.0, None),
        repeats=True,
    ),
    'ds001506': Preset(
        functools.partial(_kamitani, imagined=_imagined_picture), (4.0, None)
    ),
    'ds001761': Preset(_face, (4.0, 7.0), note=_FAST.format(3)),
    'ds004192': Preset(
        _things, (4.0, 8.5), ('file_path',), note=_FAST.format(4.5)
    ),
    'ds004496': Preset(
        _natural_objects,
        (4.0, 8.0),
        ('stim_file', 'condition'),
        note=_FAST.format('3 to 4'),
    ),
    # Volumes 3 and 4 of 2 s after onset, as the authors take them.
    'ds001499': Preset(_bold5000, (4.0, 8.0), ('ImgName',)),
    # Volume i was made of trial i, and must come back as it was.
    'brainjax': Preset(_written, (0.0, None), high_pass=0, zscore_runs=False),
    'generic': Preset(_generic, (4.0, 12.0), ()),
}
# What dataset_description.json holds of a data set, in small letters.
_DESCRIBED = {
    'ds001246': 'ds001246',
    'generic object decoding': 'ds001246',
    'ds001506': 'ds001506',
    'deep image reconstruction': 'ds001506',
    'ds001761': 'ds001761',
    'ds004192': 'ds004192',
    'things-fmri': 'ds004192',
    'ds004496': 'ds004496',
    'natural object dataset': 'ds004496',
    'ds001499': 'ds001499',
    'bold5000': 'ds001499',
    '"generatedby": [{"name": "brainjax': 'brainjax',
}
