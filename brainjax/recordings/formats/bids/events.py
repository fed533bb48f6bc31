"""What the events of a run mean: presets for data sets, and the general case.

A preset turns the rows of events.tsv into events. It knows the columns of its
data set and their mistakes:

  ds001246  Generic Object Decoding (Horikawa and Kamitani 2017): event_type
            is a word, and the session's name tells the set. Repetitions in
            the one-back task are not marked: a picture that follows itself
            is one (left out). What was imagined is a category, no picture.
  ds001506  deep image reconstruction (Shen et al. 2019): event_type 1 is a
            stimulus, 2 its repetition in the one-back task (left out),
            negative numbers rest; in imagery 1 is the cue, 2 imagery, 3 the
            rating and 4 a pause. The category names of imagery events are
            those of other pictures: only category_index is used.
  ds001761  faces (VanRullen and Reddy 2019): trial_type, with blanks at the
            end, is train_face, test_face, Fix or Img; one-back repetitions
            are left out; which face was imagined is not told. The letter
            before the number in stim_file is the gender.
  brainjax  data sets that `bids_writing` made: a volume a trial
  generic   any other: stimulus_name, stim_file or trial_type names the
            stimulus, a column split or part tells training from test trials
"""

import functools
import math
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from brainjax.errors import InputError, suggestion
from brainjax.pictures import sources
from brainjax.recordings import stimulus_names
from brainjax.recordings.formats.bids.files import Row, Run


class Event(NamedTuple):
    """Something that happened in a run.

    Attributes:
      onset, duration: seconds.
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
      event: (row, run, where) -> event, or None for rest.
      window: seconds after onset whose volumes make a response; None for its
        end stands for the event's, as much later as the window begins.
      note: a sentence for the recording's problems, or ''.
      repeats: True where a stimulus that follows itself is a one-back
        repetition.
      high_pass: period in seconds above which drifts are removed; 0 for none.
      zscore_runs: whether to z-score each voxel within each run.
    """

    event: Callable[[Row, Run, str], Event | None]
    window: tuple[float, float | None]
    note: str = ''
    repeats: bool = False
    high_pass: float = 128.0
    zscore_runs: bool = True


NOTHING = ('n/a', '')
_REST = ('rest', 'fix', 'fixation', 'baseline', 'null', 'blank', 'iti')
_SPLITS = {
    'train': 'train',
    'training': 'train',
    'test': 'test',
    'testing': 'test',
}
_NUMBER = re.compile(r'[0-9]+(\.[0-9]+)?')
_GENDER = re.compile(r'.*([FM])\d+')
# Words in a session's or task's name -> the set its trials belong to.
_SETS = (
    ('imagery', 'imagery'),
    ('letter', 'letter'),
    ('artifi', 'shape'),  # Older versions write 'Artifical'.
    ('training', 'train'),
    ('test', 'test'),
)


def events(
    rows: Sequence[Row], run: Run, preset: Preset, where: str
) -> list[Event]:
    """Returns the events of a run in order of onset."""
    found = [preset.event(row, run, where) for row in rows]
    found = sorted(
        (event for event in found if event is not None),
        key=lambda event: event.onset,
    )
    if not preset.repeats:
        return found
    before = [None, *(event.stimulus for event in found)]
    return [
        event._replace(stimulus='') if event.stimulus == last else event
        for event, last in zip(found, before)
    ]


def choose(name: str | None, description: str, rows: Sequence[Row]) -> str:
    """Returns the name of the preset that suits a data set.

    Args:
      name: as asked for, or None to tell it from what follows.
      description: what dataset_description.json says, as text.
      rows: of all events.tsv.
    """
    if name is not None:
        if name not in PRESETS:
            raise InputError(
                f'There is no preset {name!r}, only {", ".join(PRESETS)}.'
                f'{suggestion(name, PRESETS)}'
            )
        return name
    for word, known in _DESCRIBED.items():
        if word in description.lower():
            return known
    if {row.get('trial_type') for row in rows} & {'train_face', 'test_face'}:
        return 'ds001761'
    types = {row.get('event_type', '').removesuffix('.0') for row in rows}
    if {'rest', 'stimulus'} <= types or {'rest', 'imagery'} <= types:
        return 'ds001246'
    if {'-1', '1', '-2'} <= types:
        return 'ds001506'
    return 'generic'


def _number(row: Row, column: str, where: str) -> float:
    try:
        seconds = float(row[column])
    except KeyError:
        raise InputError(
            f'{where} has no column {column!r}; events need it.'
        ) from None
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise InputError(
            f'{where}: {column} is {row[column]!r}, which is no number.'
        )
    if column == 'duration' and seconds < 0:
        raise InputError(
            f'{where}: duration is {row[column]!r}; no event can end before '
            'it begins.'
        )
    return seconds


def _first(row: Row, *columns: str) -> str:
    """Returns the first value there is."""
    for column in columns:
        if row.get(column, '') not in NOTHING:
            return row[column]
    return ''


def _set_of(run: Run) -> str:
    words = ' '.join(
        run.entities.get(key, '') for key in ('ses', 'task')
    ).lower()
    return next((part for word, part in _SETS if word in words), '')


def _kamitani(
    row: Row,
    run: Run,
    where: str,
    imagined: Callable[[Row, str], str],
) -> Event | None:
    """Events of ds001246 and ds001506; `imagined` names what was imagined."""
    part = _set_of(run)
    kind = row.get('event_type', 'n/a').lower().removesuffix('.0')
    wanted = {'2', 'imagery'} if part == 'imagery' else {'1', 'stimulus'}
    others = {'1', 'cue', '3', 'evaluation'} if part == 'imagery' else {'2'}
    if kind not in wanted | others:
        return None
    onset = _number(row, 'onset', where)
    duration = _number(row, 'duration', where)
    if kind in others:
        return Event(onset, duration, '', '', part)
    if part == 'imagery':
        name = imagined(row, where)
        if name == stimulus_names.FIXATION:
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
        return sources.stem(pathlib.PurePosixPath(text).name)
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


def _face(row: Row, run: Run, where: str) -> Event | None:
    """Events of ds001761."""
    del run
    kind = row.get('trial_type', '').strip()
    part = {'train_face': 'train', 'test_face': 'test'}.get(kind, '')
    if not part and kind != 'Img':
        return None
    onset = _number(row, 'onset', where)
    duration = _number(row, 'duration', where)
    if kind == 'Img' or _first(row, 'oneback').removesuffix('.0') == '1':
        return Event(onset, duration, '', '', part)
    stem = pathlib.PurePosixPath(_first(row, 'stim_file')).stem
    gender = _GENDER.fullmatch(stem)
    if not gender:
        raise InputError(
            f'{where}: stim_file is {row.get("stim_file")!r}; it must end in '
            'F or M and a number.'
        )
    return Event(onset, duration, stem, gender[1], part)


def _generic(row: Row, run: Run, where: str) -> Event | None:
    name = _first(row, 'stimulus_name', 'stim_file', 'trial_type')
    name = pathlib.PurePosixPath(name)
    known = sources.is_picture(name.name)
    stem = sources.stem(name.name) if known else str(name)
    if stem in ('', '.') or stem.lower() in _REST:
        return None
    part = _first(row, 'split', 'part').lower() or _set_of(run)
    return Event(
        _number(row, 'onset', where),
        _number(row, 'duration', where),
        stem,
        _first(row, 'category', 'category_name'),
        _SPLITS.get(part, part),
    )


def _written(row: Row, run: Run, where: str) -> Event:
    """Events that `bids_writing` wrote."""
    del run
    return Event(
        _number(row, 'onset', where),
        _number(row, 'duration', where),
        _first(row, 'stimulus_name'),
        _first(row, 'category'),
        _first(row, 'split'),
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
    'ds001761': Preset(
        _face,
        (4.0, 7.0),
        'Faces followed each other every 3 s, so that windows overlap; single '
        "trials are better told apart with response='glm-separate'.",
    ),
    'brainjax': Preset(_written, (0.0, None), high_pass=0, zscore_runs=False),
    'generic': Preset(_generic, (4.0, 12.0)),
}
# What dataset_description.json holds of a data set, in small letters.
_DESCRIBED = {
    'ds001246': 'ds001246',
    'generic object decoding': 'ds001246',
    'ds001506': 'ds001506',
    'deep image reconstruction': 'ds001506',
    'ds001761': 'ds001761',
    '"generatedby": [{"name": "brainjax': 'brainjax',
}
