"""The files of a BIDS data set: names, runs, what belongs to a run, tables.

Names are taken apart once, by `parse`, and compared by whole entities, by
`matches`; what applies to a run is found once, by `inherited`.
"""

import itertools
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from brainjax.errors import InputError, brief, listed, suggestion
from brainjax.io import files
from brainjax.recordings.formats.bids.responses import Timing

# What identifies a run; other entities distinguish versions of one run.
OF_A_RUN = ('sub', 'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run')
# Of these versions one must be chosen.
_VERSIONS = {'space': 'spaces', 'res': 'resolutions', 'echo': 'echoes'}
_LONGEST = 1000  # Seconds a repetition time can have; more is milliseconds.

Row = dict[str, str]


class Name(NamedTuple):
    """A file name taken apart.

    Attributes:
      entities: 'ses' -> '01' and so on.
      suffix: 'bold', 'events' and the like.
      extension: with its dot, '.nii.gz'.
    """

    entities: dict[str, str]
    suffix: str
    extension: str


class Run(NamedTuple):
    """One scanning run.

    Attributes:
      bold: its images.
      entities: what its name says.
      preprocessed: True where the name says so.
    """

    bold: pathlib.Path
    entities: dict[str, str]
    preprocessed: bool

    @property
    def label(self) -> str:
        """For example 'sub-01_ses-02_task-faces_run-03'."""
        return '_'.join(
            f'{key}-{self.entities[key]}'
            for key in OF_A_RUN
            if key in self.entities
        )


def parse(name: str) -> Name:
    """Takes a file name apart.

    fMRIPrep before 1.2 put entities behind the suffix: its
    sub-01_bold_space-T1w_preproc.nii.gz has the suffix 'bold_preproc'.
    """
    stem, dot, extension = name.partition('.')
    parts = stem.split('_')
    return Name(
        dict(part.split('-', 1) for part in parts if '-' in part),
        '_'.join(part for part in parts if '-' not in part),
        dot + extension,
    )


def matches(some: Mapping[str, str], entities: Mapping[str, str]) -> bool:
    """True if every one of some entities is among others, as a whole.

    run-1 is run-01, but not run-10.
    """

    def same(one: str, other: str) -> bool:
        numbers = one.isdecimal() and other.isdecimal()
        return int(one) == int(other) if numbers else one == other

    return all(
        key in entities and same(value, entities[key])
        for key, value in some.items()
    )


def find_subject(root: pathlib.Path, subject: str | None) -> str:
    """Returns the subject's folder, 'sub-01'; None stands for the only one."""
    found = sorted(p.name for p in root.glob('sub-*') if p.is_dir())
    if not found:
        raise InputError(
            f'{root} holds no folder sub-*; give the top folder of a BIDS '
            'data set.'
        )
    if subject is None and len(found) > 1:
        raise InputError(
            f'{root} holds {len(found)} subjects; choose one of '
            f'{", ".join(found)} with `subject`.'
        )
    name = f'sub-{subject.removeprefix("sub-")}' if subject else found[0]
    if name not in found:
        raise InputError(
            f'{root} holds no {name}, only {listed(found)}.'
            f'{suggestion(name, found)}'
        )
    return name


def with_images(root: pathlib.Path, subject: str) -> pathlib.Path:
    """Returns the data set, or the derivative in it that holds the images.

    What is handed on of a data set may be its derivatives, with the events
    and no images in the raw part.
    """
    if any(_images(root / subject)):
        return root
    found = [
        folder
        for folder in sorted(root.glob('derivatives/*'))
        if any(_images(folder / subject))
    ]
    if len(found) > 1:
        raise InputError(
            f'{root / subject} holds no images, but those of '
            f'{" and ".join(map(str, found))} do; give one of these.'
        )
    return found[0] if found else root


def find_runs(
    root: pathlib.Path,
    subject: str,
    task: str | None,
    versions: Mapping[str, str | None],
) -> list[Run]:
    """Finds a subject's runs, ordered by session, task and number.

    Args:
      root: the data set, raw or preprocessed.
      task: keep only this one; None keeps all.
      versions: of 'space', 'res' and 'echo' the one to read; '' for images
        whose name has none, None where there is only one.
    """
    found = [*_images(root / subject)]
    if not found:
        raise InputError(
            f'{root / subject} holds no func/*_bold.nii or .nii.gz; give a '
            'data set with fMRI.'
        )
    found = _keep(found, 'task', task, root / subject)
    for entity, plural in _VERSIONS.items():
        there = {run.entities.get(entity, '') for run in found}
        wanted = versions.get(entity)
        if wanted is None and len(there) > 1:
            raise InputError(
                f'{root / subject} holds images in the {plural} '
                f'{", ".join(map(repr, sorted(there)))}; choose one with '
                f'`{entity}`.'
            )
        found = _keep(found, entity, wanted, root / subject)
    found.sort(key=_order)
    for run, following in itertools.pairwise(found):
        if run.label == following.label:
            raise InputError(
                f'{run.bold} and {following.bold.name} are of one run; leave '
                'one of them.'
            )
    return found


def tops(root: pathlib.Path, subject: str) -> list[pathlib.Path]:
    """Returns a data set and, if it is a derivative, the ones around it."""
    # Above DATASET/derivatives/fmriprep there are no more than these.
    around = [*root.absolute().parents][:3]
    return [root, *(top for top in around if (top / subject).is_dir())]


def inherited(
    run: Run, root: pathlib.Path, suffix: str, extension: str, **more: str
) -> list[pathlib.Path]:
    """Finds the files that apply to a run, the most particular first.

    BIDS's inheritance: a file applies to all runs below its folder that have
    every entity of its name. The run's folder comes first, then those above
    up to the top; for a derivative, then the raw data set around it.

    Args:
      suffix: 'events' and the like.
      extension: '.tsv' and the like.
      **more: entities that the name must have, whatever the run's says.
    """
    entities = {**run.entities, **more}
    within = run.bold.parent.relative_to(root)
    found = []
    for top in tops(root, within.parts[0]):
        for folder in (top / within, *(top / within).parents):
            here = []
            for path in folder.glob(f'*{suffix}{extension}'):
                name = parse(path.name)
                if (
                    (name.suffix, name.extension) == (suffix, extension)
                    and more.keys() <= name.entities.keys()
                    and matches(name.entities, entities)
                ):
                    here.append((-len(name.entities), path))
            found += [path for _, path in sorted(here)]
            if folder == top:
                break
    return found


def read_table(path: pathlib.Path) -> list[Row]:
    """Reads a .tsv file as one dictionary a row, values without blanks around.

    What is not known reads 'n/a'.
    """
    lines = [
        line for line in files.read_text(path).splitlines() if line.strip()
    ]
    if not lines:
        raise InputError(f'{path} is empty; it must hold a table.')
    columns = [_bare(name) for name in lines[0].split('\t')]
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise InputError(f'{path} has two columns {twice[0]!r}; rename one.')
    rows = []
    for number, line in enumerate(lines[1:], 2):
        values = [_bare(value) for value in line.split('\t')]
        if len(values) != len(columns):
            raise InputError(
                f'{path}: row {number} has {len(values)} values for '
                f'{len(columns)} columns; separate them by single tabs.'
            )
        # 'on/a' is a slip of pen in ds001506.
        known = (v if v and v != 'on/a' else 'n/a' for v in values)
        rows.append(dict(zip(columns, known)))
    return rows


def _bare(value: str) -> str:
    """Returns a cell without blanks, and quotes, around; R writes them."""
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1].strip() if quoted else value


def description(root: pathlib.Path) -> dict[str, Any]:
    """Reads dataset_description.json; {} where there is none."""
    path = root / 'dataset_description.json'
    return files.read_json(path) if path.is_file() else {}


def timing(run: Run, root: pathlib.Path, volumes: int, stated: float) -> Timing:
    """Returns when the volumes of a run were acquired.

    Sidecars come first: headers that scanners or converters wrote may hold
    anything. VolumeTiming must be regular.

    Args:
      stated: repetition time in the images' own header, or 0.
    """
    sidecars = [
        files.read_json(path) for path in inherited(run, root, 'bold', '.json')
    ]

    for sidecar in sidecars:
        time = sidecar.get('RepetitionTime')
        if time and not _seconds(time):
            raise InputError(
                f'{run.bold}: a sidecar states a RepetitionTime of '
                f'{brief(time)}; it must be a number of seconds, such as 2.0.'
            )

    def first(key: str) -> float:
        times = (_seconds(sidecar.get(key)) for sidecar in sidecars)
        return next((time for time in times if time), 0.0)

    starts = [s['VolumeTiming'] for s in sidecars if 'VolumeTiming' in s]
    if starts:
        seconds = _spacing(starts[0], volumes, run)
    else:
        seconds = first('RepetitionTime') or _seconds(stated)
    if not seconds:
        raise InputError(
            f'{run.bold}: neither its sidecar nor its header states a '
            'RepetitionTime; add it, in seconds, to its .json.'
        )
    # Sparse acquisition: the scanner is silent until the next volume.
    acquired = first('AcquisitionDuration') or seconds - first('DelayTime')
    share = acquired / seconds if 0 < acquired < seconds else 1.0
    return Timing(volumes, seconds, share / 2)


def _spacing(starts: Any, volumes: int, run: Run) -> float:
    """Returns the seconds between the volumes of a VolumeTiming."""
    numbers = isinstance(starts, list) and all(
        isinstance(x, int | float) and math.isfinite(x) for x in starts
    )
    if not numbers or len(starts) != volumes or volumes < 2:
        raise InputError(
            f'{run.bold}: VolumeTiming must hold the onset of each of the '
            f'{volumes} volumes, in seconds; correct its .json.'
        )
    steps = [b - a for a, b in itertools.pairwise(starts)]
    seconds = _seconds(sum(steps) / len(steps))
    even = max(steps) - min(steps) <= 0.01 * seconds
    if not seconds or not even or abs(starts[0]) > 0.01 * seconds:
        raise InputError(
            f'{run.bold}: VolumeTiming is not evenly spaced from 0, which '
            'cannot be used; give images of volumes at equal intervals.'
        )
    return seconds


def _seconds(value: Any) -> float:
    """Returns a time in seconds, 0 where it is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 < value < _LONGEST else 0.0


def _images(folder: pathlib.Path) -> Iterator[Run]:
    """Yields the fMRI of a subject's folder, preprocessed or raw."""
    for path in sorted(folder.glob('**/func/*.nii*')):
        entities, suffix, extension = parse(path.name)
        if (
            suffix in ('bold', 'bold_preproc')  # The latter of old fMRIPrep.
            and extension in ('.nii', '.nii.gz')
            and entities.get('desc', 'preproc') == 'preproc'
            and entities.get('part', 'mag') == 'mag'
        ):
            # Raw images have no desc.
            done = 'desc' in entities or suffix == 'bold_preproc'
            yield Run(path, entities, done)


def _keep(
    runs: Sequence[Run], entity: str, value: str | None, where: pathlib.Path
) -> list[Run]:
    if value is None:
        return [*runs]
    kept = [run for run in runs if run.entities.get(entity, '') == value]
    if not kept:
        known = sorted({run.entities.get(entity, '') for run in runs})
        raise InputError(
            f'{where} holds no {entity} {value!r}, only '
            f'{", ".join(map(repr, known))}.{suggestion(value, known)}'
        )
    return kept


def _order(run: Run) -> tuple:
    number = run.entities.get('run', '')  # 10 comes after 9, padded or not.
    return (
        run.entities.get('ses', ''),
        run.entities.get('task', ''),
        int(number) if number.isdecimal() else 0,
        run.bold.name,
    )
