"""Several subjects to one table and a leaderboard: `brainjax group`."""

import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from brainjax.errors import InputError, listed
from brainjax.evaluation import score_files
from brainjax.evaluation.group import group_scores, leaderboard, run_folders
from brainjax.evaluation.group.run_folders import Run
from brainjax.evaluation.table.score_table import describe
from brainjax.io import files, provenance
from brainjax.io.files import PathLike
from brainjax.reports import group_page, methods_text

WRITTEN = ('scores.json', 'subjects.csv', 'report.html')
USUAL = 'two_way_pixels'  # Sorts a leaderboard.


class Options(NamedTuple):
    """What `brainjax group` is asked for.

    Attributes:
      names: of the subjects, by default those of their folders.
      entry: what the leaderboard calls the group, by default the method.
      leaderboard: CSV file that gets a line, by default in the output.
      by: score that the leaderboard is sorted by, by default `USUAL`.
      level: up to which p a subject counts as significant.
      seed, draws: of the bootstrap over subjects and pictures.
    """

    names: Sequence[str] = ()
    entry: str = ''
    leaderboard: PathLike | None = None
    by: str = ''
    level: float = 0.05
    seed: int = 0
    draws: int = 10_000


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
    run_folders.check_out(out, folders)
    runs = _read(folders, options.names)
    board_path = pathlib.Path(
        options.leaderboard or pathlib.Path(out, 'leaderboard.csv')
    )
    page_path = _page_beside(board_path)
    out = files.writable_folder(out)
    for path in (*map(out.joinpath, WRITTEN), board_path, page_path):
        files.check_replaceable(path)
    results = _results(runs, options)
    results['methods'] = methods_text.of_group(results)
    by = options.by or next(
        (name for name in results['scores'] if name == USUAL),
        next(iter(results['scores'])),
    )
    board = _enter(board_path, results, runs, options.entry, by)
    files.write_json(out / 'scores.json', results)
    files.write_text(out / 'subjects.csv', _by_subject(results))
    group_page.render(
        out / 'report.html',
        results,
        board,
        by,
        notes=_notes(runs, results['scores']),
        seconds=time.monotonic() - began,
    )
    group_page.render_board(page_path, board, by)
    return results


def _page_beside(board: pathlib.Path) -> pathlib.Path:
    if board.suffix != '.csv':
        raise InputError(
            f'The leaderboard is {board}; give a name that ends in .csv, as '
            'its page lies beside it.'
        )
    return board.with_suffix('.html')


def _read(folders: Sequence[PathLike], names: Sequence[str]) -> list[Run]:
    if len(folders) < 2:
        raise InputError(
            'A group needs two subjects at least; give a folder of each.'
        )
    usual = [pathlib.Path(folder).absolute().name for folder in folders]
    names = run_folders.distinct_names(folders, usual, names)
    runs = [run_folders.read(*pair) for pair in zip(folders, names)]
    run_folders.check_group(runs)
    return runs


def _results(runs: Sequence[Run], options: Options) -> dict[str, Any]:
    scores = group_scores.combine(
        [run.results['scores'] for run in runs],
        run_folders.tables(runs),
        level=options.level,
        seed=options.seed,
        draws=options.draws,
    )
    if not scores:
        raise InputError(
            f'{listed(str(run.folder) for run in runs)} have no score in '
            'common; give runs that were scored alike.'
        )
    first = runs[0].results
    return files.json_ready(
        {
            'scores': scores,
            'subjects': [run.name for run in runs],
            'method': first['method'],
            'simulated': first['simulated'],
            'transductive': any(run.results['transductive'] for run in runs),
            'problems': run_folders.problems(runs),
            'config': {
                'folders': [str(run.folder) for run in runs],
                **options._asdict(),
                'leaderboard': str(options.leaderboard or ''),
            },
            'versions': provenance.versions(),
            'fingerprints': {run.name: run.fingerprint for run in runs},
        }
    )


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
    entry: str,
    by: str,
) -> leaderboard.Leaderboard:
    """Adds the group's line to a leaderboard on disk and returns it."""
    scores = results['scores']
    pictures = sorted({name for run in runs for name in run.pictures})
    line = leaderboard.line(
        scores,
        entry=entry or results['method'],
        method=results['method'],
        subjects=len(runs),
        pictures=len(pictures) or '',
        picture_set=leaderboard.short_hash(*pictures) if pictures else '',
        simulated=results['simulated'],
        transductive=results['transductive'],
        added=time.strftime('%Y-%m-%d'),
    )
    # Of a score that only other lines have the table tells.
    lower = describe(by).lower or scores.get(by, {}).get('better') == 'lower'
    with files.exclusive_lock(files.writable_folder(path.absolute().parent)):
        board = None
        if path.exists():
            board = leaderboard.parse(files.read_text(path), str(path))
        board = leaderboard.add(board, line, by, lower)
        files.write_text(path, leaderboard.write(board))
    return board


def _by_subject(results: Mapping[str, Any]) -> str:
    """What each subject scored, as CSV."""
    keys = ('value', 'chance', 'p', 'n')
    rows = (
        [name, subject, *(each[key] for key in keys)]
        for name, score in results['scores'].items()
        for subject, each in zip(results['subjects'], score['subjects'])
    )
    return score_files.as_csv(('score', 'subject', *keys), rows)
