"""Several subjects to one table and a leaderboard: `brainjax group`."""

import itertools
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flax.traverse_util import flatten_dict

from brainjax.errors import InputError, listed
from brainjax.evaluation import group_scores, leaderboard, score_files
from brainjax.io import arrays, files, provenance
from brainjax.io.files import PathLike
from brainjax.reports import group_page

WRITTEN = ('scores.json', 'subjects.csv', 'report.html')
# What a config may name that differs between subjects of one experiment.
OF_A_SUBJECT = (
    *('recording.path', 'recording.images', 'recording.subject'),
    *('recording.fold', 'reconstructions', 'truth', 'recording', 'seed'),
    *('train_pictures', 'human_results'),
)


class Options(NamedTuple):
    """What `brainjax group` is asked for.

    Attributes:
      names: of the subjects, by default those of their folders.
      entry: what the leaderboard calls the group, by default the method.
      leaderboard: CSV file that gets a line, by default in the output.
      by: score that the leaderboard is sorted by, by default two-way of
        pixels.
      level: up to which p a subject counts as significant.
    """

    names: Sequence[str] = ()
    entry: str = ''
    leaderboard: PathLike | None = None
    by: str = ''
    level: float = 0.05


class Run(NamedTuple):
    """A subject's folder.

    Attributes:
      folder: where it is.
      name: of the subject.
      results: what scores.json holds.
      config: its config, keys joined by dots.
      pictures: names of the test pictures, sorted; () where not known.
      recording: hash of the recording, '' where not known.
    """

    folder: pathlib.Path
    name: str
    results: dict[str, Any]
    config: dict[str, Any]
    pictures: tuple[str, ...]
    recording: str


def group(
    folders: Sequence[PathLike],
    out: PathLike,
    options: Options = Options(),  # noqa: B008 - a value, never changed.
) -> dict[str, Any]:
    """Combines the scores of several subjects and writes a report.

    Args:
      folders: of `brainjax run`, `evaluate` or `compare`, one a subject.
      out: folder that gets scores.json, subjects.csv, report.html and, unless
        the options name another file, leaderboard.csv.
      options: names, and where the leaderboard is.

    Returns:
      What scores.json holds.
    """
    began = time.monotonic()
    runs = [
        _read(folder, name)
        for folder, name in zip(folders, _names(folders, options.names))
    ]
    _check(runs)
    out = files.writable_folder(out)
    board_path = pathlib.Path(options.leaderboard or out / 'leaderboard.csv')
    for path in (*map(out.joinpath, WRITTEN), board_path):
        files.check_replaceable(path)
    scores = group_scores.combine(
        [run.results['scores'] for run in runs], options.level
    )
    if not scores:
        raise InputError(
            f'{listed(str(run.folder) for run in runs)} have no score in '
            'common; give runs that were scored alike.'
        )
    first = runs[0].results
    results = files.json_ready(
        {
            'scores': scores,
            'subjects': [run.name for run in runs],
            'method': first['method'],
            'simulated': first['simulated'],
            'transductive': any(run.results['transductive'] for run in runs),
            'problems': problems(runs),
            'config': {
                'folders': [str(run.folder) for run in runs],
                **options._asdict(),
                'leaderboard': str(board_path),
            },
            'versions': provenance.versions(),
        }
    )
    board = _enter(board_path, results, runs, options)
    files.write_json(out / 'scores.json', results)
    files.write_text(out / 'subjects.csv', _by_subject(results))
    group_page.render(
        out / 'report.html',
        results,
        board,
        by=options.by or _usual(scores),
        notes=_notes(runs, scores),
        seconds=time.monotonic() - began,
    )
    group_page.render_board(
        board_path.with_suffix('.html'), board, options.by or _usual(scores)
    )
    return results


def _names(folders, names):
    """Names of subjects: those given, or what of the paths differs."""
    if len(folders) < 2:
        raise InputError(
            'A group needs two subjects at least; give a folder of each.'
        )
    paths = [pathlib.Path(folder).absolute() for folder in folders]
    names = list(names) or [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(names) != len(folders) or len(set(names)) < len(names):
        raise InputError(
            f'There are {len(folders)} folders and {len(set(names))} different '
            'names; give each folder once, and as many --names.'
        )
    return names


def _read(folder: PathLike, name: str) -> Run:
    folder = pathlib.Path(folder)
    path = folder / 'scores.json'
    if not path.is_file():
        raise InputError(
            f'{folder} holds no scores.json; give folders that `brainjax run`, '
            '`evaluate` or `compare` wrote.'
        )
    results = files.read_json(path)
    wanted = ('scores', 'method', 'simulated', 'transductive', 'config')
    missing = [key for key in wanted if key not in results]
    if missing:
        raise InputError(
            f'{path} has no {missing[0]!r}; give what brainjax wrote.'
        )
    data = folder / provenance.DATA
    return Run(
        folder,
        name,
        results,
        flatten_dict(results['config'], sep='.'),
        _pictures(folder),
        files.read_json(data).get('recording', '') if data.is_file() else '',
    )


def _pictures(folder: pathlib.Path) -> tuple[str, ...]:
    """Names of a folder's test pictures, if it has a list of them."""
    table = folder / 'per_picture.csv'
    if table.is_file():
        return tuple(sorted(score_files.read_per_picture(table)[0]))
    path = folder / 'reconstructions.npz'
    if path.is_file():
        names = arrays.load(path, ['names'])['names']
        return tuple(sorted(map(str, names)))
    return ()


def _check(runs: Sequence[Run]) -> None:
    """Refuses runs of which a mean would make no sense."""
    for key, what in (
        ('method', 'made by'),
        ('simulated', 'of simulated subjects:'),
    ):
        for run in runs[1:]:
            ours, theirs = runs[0].results[key], run.results[key]
            if ours != theirs:
                raise InputError(
                    f'{runs[0].folder} is {what} {ours} and {run.folder} '
                    f'{theirs}; group runs of one method and of one kind of '
                    'subject.'
                )
    for a, b in itertools.combinations(runs, 2):
        if _same_subject(a, b) and a.pictures == b.pictures:
            raise InputError(
                f'{a.folder} and {b.folder} are one subject with the same test '
                'pictures; give each subject once.'
            )


def _same_subject(a: Run, b: Run) -> bool:
    if a.folder.resolve() == b.folder.resolve():
        return True
    if a.recording and a.recording == b.recording:
        return True
    if a.results['scores'] == b.results['scores']:
        return True
    keys = ('recording.path', 'recording.subject', 'reconstructions')
    ours, theirs = ([r.config.get(key) for key in keys] for r in (a, b))
    return ours == theirs and any(ours)


def problems(runs: Sequence[Run]) -> list[str]:
    """Sentences on what to know before believing a group's numbers."""
    found = []
    pairs = itertools.combinations(runs, 2)
    if any(_same_subject(a, b) for a, b in pairs):
        found.append(
            'Some folders are folds of one recording, which share training '
            'trials: intervals, p and prevalence over them claim too much and '
            'say nothing of other subjects.'
        )
    sets = {run.pictures for run in runs}
    if len(sets) > 1:
        found.append(
            f'The test pictures are not the same: {len(sets)} sets for '
            f'{len(runs)} folders, so that subjects and pictures differ at '
            'once.'
        )
    keys = sorted({key for run in runs for key in _differing(runs[0], run)})
    if keys:
        found.append(f'The configs of the folders differ in {listed(keys, 5)}.')
    transductive = [r.name for r in runs if r.results['transductive']]
    if 0 < len(transductive) < len(runs):
        found.append(
            f'Only {listed(transductive)} used responses to the test pictures '
            'in fitting.'
        )
    for run in runs:
        for problem in run.results.get('problems', ()):
            found.append(f'{run.name}: {problem}')
    return found


def _differing(a: Run, b: Run) -> set[str]:
    return {
        key
        for key in {*a.config, *b.config}
        if a.config.get(key) != b.config.get(key)
        and key not in OF_A_SUBJECT
        and not key.startswith('reading')
    }


def _notes(runs: Sequence[Run], scores: Mapping[str, Any]) -> list[str]:
    everything = {name for run in runs for name in run.results['scores']}
    left_out = sorted(everything - scores.keys())
    number = len(runs[0].pictures)
    found = []
    if number and len({run.pictures for run in runs}) == 1:
        found.append(f'All subjects saw the same {number} test pictures.')
    if left_out:
        found.append(
            f'Not scored in all folders, and left out: {listed(left_out)}.'
        )
    return found


def _enter(
    path: pathlib.Path,
    results: Mapping[str, Any],
    runs: Sequence[Run],
    options: Options,
) -> leaderboard.Leaderboard:
    """Adds the group's line to a leaderboard on disk and returns it."""
    pictures = {name for run in runs for name in run.pictures}
    line = leaderboard.line(
        results['scores'],
        entry=options.entry or results['method'],
        method=results['method'],
        subjects=len(runs),
        pictures=len(pictures) or '',
        picture_set=leaderboard.short_hash(*sorted(pictures)),
        simulated=results['simulated'],
        transductive=results['transductive'],
        added=time.strftime('%Y-%m-%d'),
    )
    by = options.by or _usual(results['scores'])
    with files.exclusive_lock(files.writable_folder(path.absolute().parent)):
        board = None
        if path.exists():
            board = leaderboard.parse(files.read_text(path), str(path))
        board = leaderboard.add(board, line, by)
        files.write_text(path, leaderboard.write(board))
    return board


def _usual(scores: Mapping[str, Any]) -> str:
    """The score that is sorted by if none is asked for."""
    usual = 'two_way_pixels'
    return usual if usual in scores else next(iter(scores))


def _by_subject(results: Mapping[str, Any]) -> str:
    """What each subject scored, as CSV."""
    rows = (
        [name, subject, *(each[key] for key in ('value', 'chance', 'p', 'n'))]
        for name, score in results['scores'].items()
        for subject, each in zip(results['subjects'], score['subjects'])
    )
    header = ('score', 'subject', 'value', 'chance', 'p', 'n')
    return score_files.as_csv(header, rows)
