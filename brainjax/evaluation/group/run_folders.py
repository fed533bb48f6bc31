"""What runs left on disk, and whether several of them make a group."""

import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict

from brainjax.errors import InputError, listed
from brainjax.evaluation import score_files
from brainjax.io import arrays, files, provenance
from brainjax.io.files import PathLike

# What a config may name that differs between subjects of one experiment.
OF_A_SUBJECT = (
    *('recording.path', 'recording.images', 'recording.subject'),
    *('recording.fold', 'reconstructions', 'truth', 'recording', 'seed'),
    *('sources', 'train_pictures', 'human_results'),
)
# Of which something is set and the same where the subject is the same.
SUBJECT = ('recording.path', 'recording.subject', 'recording.options')


class Run(NamedTuple):
    """A folder with scores.

    Attributes:
      folder: where it is.
      name: of the subject.
      results: what scores.json holds.
      config: its config, keys joined by dots.
      pictures: names of the test pictures, sorted; () where not known.
      values: score -> [pictures] in that order, where known.
      fingerprint: hash of what was measured or, of reconstructions alone, of
        them; '' where not known.
    """

    folder: pathlib.Path
    name: str
    results: dict[str, Any]
    config: dict[str, Any]
    pictures: tuple[str, ...]
    values: dict[str, np.ndarray]
    fingerprint: str


def file_of_run(path: PathLike, name: str) -> pathlib.Path:
    """Returns what a run wrote, of its folder; any other path as it is."""
    path = pathlib.Path(path)
    return path / name if (path / name).is_file() else path


def distinct_names(
    paths: Sequence[PathLike], usual: Sequence[str], given: Sequence[str]
) -> list[str]:
    """Names of what lies at paths: given, or usual, or the paths themselves."""
    names = list(given or usual)
    if not given and len(set(names)) < len(names):
        names = [str(path) for path in paths]
    if len(names) != len(paths) or len(set(names)) < len(names):
        raise InputError(
            f'There are {len(paths)} inputs with {len(set(names))} different '
            'names; give each once, and as many --names.'
        )
    return names


def check_out(out: PathLike, sources: Sequence[PathLike]) -> None:
    """Refuses to write where something lies that is read."""
    place = pathlib.Path(out).resolve()
    for source in sources:
        if pathlib.Path(source).resolve() == place:
            raise InputError(
                f'{source} is read, and --out names it too; name another '
                'folder.'
            )


def read(folder: PathLike, name: str) -> Run:
    """Reads what `brainjax run`, `evaluate` or `compare` wrote to a folder."""
    folder = pathlib.Path(folder)
    path = folder / 'scores.json'
    if not path.is_file():
        raise InputError(
            f'{folder} holds no scores.json; give folders that `brainjax run`, '
            '`evaluate` or `compare` wrote.'
        )
    results = files.read_json(path)
    wanted = {'scores': dict, 'config': dict, 'method': str}
    wanted |= {'simulated': bool, 'transductive': bool}
    for key, kind in wanted.items():
        if not isinstance(results.get(key), kind):
            raise InputError(
                f'{path} has no {key!r} as brainjax writes it; score the '
                'pictures again.'
            )
    hashes = results.get('fingerprints', {})
    return Run(
        folder,
        name,
        results,
        flatten_dict(results['config'], sep='.'),
        *_pictures(folder),
        hashes.get('recording', hashes.get('reconstructions', '')),
    )


def _pictures(folder: pathlib.Path) -> tuple[tuple[str, ...], dict]:
    """Names of a folder's test pictures and what they score, where known."""
    table = folder / 'per_picture.csv'
    if table.is_file():
        names, values = score_files.read_per_picture(table)
        order = np.argsort(names)
        return tuple(sorted(names)), {k: v[order] for k, v in values.items()}
    path = folder / 'reconstructions.npz'
    if path.is_file():
        names = arrays.load(path, ['names'])['names']
        return tuple(sorted(map(str, names))), {}
    return (), {}


def tables(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Score -> [runs, pictures], where all runs have the same pictures."""
    if len({run.pictures for run in runs}) > 1:
        return {}
    common = set.intersection(*(set(run.values) for run in runs))
    return {
        name: np.stack([run.values[name] for run in runs])
        for name in runs[0].values
        if name in common
    }


def check_group(runs: Sequence[Run]) -> None:
    """Refuses runs of which a mean would make no sense."""
    first = runs[0]
    for run in runs[1:]:
        ours, theirs = (r.results['method'] for r in (first, run))
        if ours != theirs:
            raise InputError(
                f'{first.folder} is by {ours} and {run.folder} by {theirs}; '
                'group runs of one method.'
            )
        if first.results['simulated'] != run.results['simulated']:
            raise InputError(
                f'Of {first.folder} and {run.folder} one is of a simulated '
                'subject and one of a measured one; group them apart.'
            )
    for a, b in itertools.combinations(runs, 2):
        if same_subject(a, b) and a.pictures == b.pictures:
            raise InputError(
                f'{a.folder} and {b.folder} are one subject with the same test '
                'pictures; give each subject once.'
            )


def same_subject(a: Run, b: Run) -> bool:
    """Whether two runs are of one recording, as far as can be told."""
    if a.folder.resolve() == b.folder.resolve():
        return True
    if a.fingerprint and a.fingerprint == b.fingerprint:
        return True
    if a.results['scores'] == b.results['scores']:
        return True
    return any(
        _same(a.config, b.config, keys)
        for keys in (
            SUBJECT,
            # Folds of a simulated subject, which has no path.
            ('recording.folds', 'seed', *SUBJECT),
            ('reconstructions',),
            ('sources',),
        )
    )


def _same(ours: Mapping, theirs: Mapping, keys: Sequence[str]) -> bool:
    """Whether something of a config is set, and alike in both."""
    found = [[each.get(key) for key in keys] for each in (ours, theirs)]
    return bool(found[0][0]) and found[0] == found[1]


def problems(runs: Sequence[Run]) -> list[str]:
    """Sentences on what to know before believing a group's numbers."""
    found = []
    if any(same_subject(*pair) for pair in itertools.combinations(runs, 2)):
        found.append(
            'Some folders are folds of one recording, which share training '
            'trials: intervals, p and prevalence over them claim too much and '
            'say nothing of other subjects.'
        )
    sets = len({run.pictures for run in runs})
    if sets > 1:
        found.append(
            f'The test pictures are not the same: {sets} sets for {len(runs)} '
            'folders, so that subjects and pictures differ at once.'
        )
    keys = sorted({key for run in runs for key in _differing(runs[0], run)})
    if keys:
        found.append(f'The configs of the folders differ in {listed(keys, 5)}.')
    some = [run.name for run in runs if run.results['transductive']]
    if 0 < len(some) < len(runs):
        found.append(
            f'Only {listed(some)} used responses to the test pictures in '
            'fitting.'
        )
    return found + own_problems({run.name: run.results for run in runs})


def own_problems(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The problems that runs, by name, tell of; alike ones once.

    Args:
      results: name -> what its scores.json holds.
    """
    named = {}
    for name, each in results.items():
        for problem in each.get('problems', ()):
            named.setdefault(problem, []).append(name)
    return [f'{listed(names)}: {problem}' for problem, names in named.items()]


def _differing(a: Run, b: Run) -> set[str]:
    return {
        key
        for key, *_ in provenance.differences(a.config, b.config)
        if key not in OF_A_SUBJECT and not key.startswith('reading')
    }
