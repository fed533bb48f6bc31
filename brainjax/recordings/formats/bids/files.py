"""The files of a BIDS data set: runs, what belongs to them, and tables."""

import itertools
import pathlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from brainjax.errors import InputError, suggestion
from brainjax.io import files

_BOLD = re.compile(r'((?:[a-zA-Z]+-[^_]+_)+)(bold|bold_preproc)\.nii(\.gz)?')
# What tells runs apart; other entities tell versions of one run apart.
_OF_A_RUN = ('sub', 'ses', 'task', 'acq', 'ce', 'rec', 'dir', 'run')

Row = dict[str, str]


class Run(NamedTuple):
    """One scanning run.

    Attributes:
      bold: its images.
      entities: what its name says, 'ses' -> '01' and so on.
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
            for key in _OF_A_RUN
            if key in self.entities
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
            f'{root} holds no {name}, only {", ".join(found)}.'
            f'{suggestion(name, found)}'
        )
    return name


def find_runs(
    root: pathlib.Path, subject: str, task: str | None, space: str | None
) -> list[Run]:
    """Finds a subject's runs, ordered by session, task and number.

    Args:
      root: the data set, raw or preprocessed.
      subject: its folder.
      task: keep only this one; None keeps all.
      space: of preprocessed images; '' for those whose name has none, None
        where there is only one.
    """
    found = []
    for path in sorted((root / subject).glob('**/func/*.nii*')):
        match = _BOLD.fullmatch(path.name)
        if not match:
            continue
        entities = dict(e.split('-', 1) for e in match[1].split('_')[:-1])
        described = entities.get('desc', 'preproc') == 'preproc'
        if described and entities.get('part', 'mag') == 'mag':
            done = 'desc' in entities or match[2] == 'bold_preproc'
            found.append(Run(path, entities, done))
    if not found:
        raise InputError(
            f'{root / subject} holds no func/*_bold.nii or .nii.gz; give a '
            'data set with fMRI.'
        )
    found = _keep(found, 'task', task, root / subject)
    spaces = {run.entities.get('space', '') for run in found}
    if space is None and len(spaces) > 1:
        raise InputError(
            f'{root / subject} holds images in the spaces '
            f'{", ".join(map(repr, sorted(spaces)))}; choose one with `space`.'
        )
    found = _keep(found, 'space', space, root / subject)
    found.sort(key=_order)
    for run, following in itertools.pairwise(found):
        if run.label == following.label:
            raise InputError(
                f'{run.bold} and {following.bold.name} are of one run; leave '
                'one of them.'
            )
    return found


def find_beside(
    run: Run, root: pathlib.Path, ending: str
) -> list[pathlib.Path]:
    """Finds files that belong to a run, the most particular first.

    They lie beside the run, at the top of the data set for all runs of a
    task, or, if the data set is a derivative, in the raw one around it.

    Args:
      run: of the data set.
      root: the data set.
      ending: 'events.tsv' and the like.
    """
    name = f'{run.label}_{ending}'
    within = run.bold.parent.relative_to(root)
    shared = f'task-{run.entities.get("task", "")}_{ending}'
    tops = [root]
    around = [*root.absolute().parents][:3]
    tops += [top for top in around if (top / within.parts[0]).is_dir()]
    candidates = [
        run.bold.with_name(f'{run.bold.name.partition(".nii")[0]}.json')
    ] * (ending == 'bold.json')
    for top in tops:
        candidates += [top / within / name, top / shared]
    return [path for path in candidates if path.is_file()]


def read_table(path: pathlib.Path) -> list[Row]:
    """Reads a .tsv file as one dictionary a row, values without blanks around.

    What is not known reads 'n/a'.
    """
    lines = [
        line for line in files.read_text(path).splitlines() if line.strip()
    ]
    if not lines:
        raise InputError(f'{path} is empty; it must hold a table.')
    columns = [name.strip() for name in lines[0].split('\t')]
    rows = []
    for number, line in enumerate(lines[1:], 2):
        values = [value.strip() for value in line.split('\t')]
        if len(values) != len(columns):
            raise InputError(
                f'{path}: row {number} has {len(values)} values for '
                f'{len(columns)} columns; separate them by single tabs.'
            )
        known = (v if v and v != 'on/a' else 'n/a' for v in values)
        rows.append(dict(zip(columns, known)))
    return rows


def description(root: pathlib.Path) -> dict[str, Any]:
    """Reads dataset_description.json; {} where there is none."""
    path = root / 'dataset_description.json'
    return files.read_json(path) if path.is_file() else {}


def repetition_time(run: Run, root: pathlib.Path, stated: float) -> float:
    """Returns the seconds from one volume to the next.

    Args:
      run: of the data set.
      root: the data set.
      stated: what the image's own header says, or 0.
    """
    for path in find_beside(run, root, 'bold.json'):
        seconds = files.read_json(path).get('RepetitionTime')
        if isinstance(seconds, int | float) and 0 < seconds < 1000:
            return float(seconds)
    if 0 < stated < 1000:
        return stated
    raise InputError(
        f'{run.bold}: neither its sidecar nor its header states a '
        'RepetitionTime; add it, in seconds, to its .json.'
    )


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
    number = run.entities.get('run', '')
    return (
        run.entities.get('ses', ''),
        run.entities.get('task', ''),
        int(number) if number.isdecimal() else 0,
        run.bold.name,
    )
