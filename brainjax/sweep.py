"""One experiment with and without its parts, in one table: `brainjax sweep`.

Each arm is a run of its own in a folder of the workdir, on the same trials,
pictures and seed; the first, 'full', is the config as it is, and all others
are told by what they change. Differences to it are paired by test picture.
"""

import json
import pathlib
import re
import time
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from brainjax import config_files, experiment
from brainjax.errors import InputError
from brainjax.evaluation import paired, score_files, statistics
from brainjax.evaluation.group import run_folders
from brainjax.evaluation.scores import Score
from brainjax.evaluation.table.score_table import decimals, describe, p_in_words
from brainjax.io import files, progress, provenance
from brainjax.reports import page
from brainjax.training import hosts

FULL = 'full'
COLUMNS = (
    *('score', 'arm', 'value', 'full', 'difference'),
    *('low', 'high', 'p', 'q', 'n'),
)
ABOUT = (
    'Each arm is the full setting but for what it is named by; trials, '
    'pictures and seed are the same. Differences, arm less full, are paired '
    'by picture: 95 % interval over pictures; p, two-sided, of sign flips; q '
    'corrected for all rows. An arm is one training: of other seeds and '
    'subjects this says nothing.'
)


def arms_of(
    config: ConfigDict, varied: Mapping[str, ConfigDict] | None = None
) -> dict[str, ConfigDict]:
    """Returns the config of each arm by its name, 'full' first.

    Args:
      config: of the experiment. `config.ablations` holds name -> what an arm
        changes, sections in it as they are in the config.
      varied: name -> config of further arms.
    """
    arms = {FULL: _without(config)}
    for name, changes in config.ablations.items():
        arms[name] = _without(config)
        flat = _flat(changes.to_dict())
        known = dict(config_files.keys(config))
        for key, value in flat.items():
            if key not in known:
                where = f'the arm {name!r} of config.ablations'
                raise InputError(config_files.no_key(key, known, where))
            try:
                arms[name].update_from_flattened_dict({key: value})
            except (TypeError, ValueError) as error:
                raise InputError(
                    f'config.ablations: {name!r} sets config.{key} to '
                    f'{value!r}; give one as {known[key]!r}.'
                ) from error
    for name, each in (varied or {}).items():
        arms[name] = _without(each)
    if len(arms) < 2:
        raise InputError(
            'Nothing is varied: the config has no ablations; name changes '
            'with --vary KEY=VALUE.'
        )
    return arms


def _without(config: ConfigDict) -> ConfigDict:
    """A copy that knows of no other arms."""
    copy = config.copy_and_resolve_references()
    with copy.unlocked():
        copy.ablations = ConfigDict()
    return copy


def _flat(section: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    found = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f'{prefix}{name}.')
        else:
            found[prefix + name] = value
    return found


def folder_of(name: str) -> str:
    """The folder of an arm; what no file system takes becomes a hyphen."""
    return re.sub(r'[^\w.=+-]+', '-', name).strip('-.')


def sweep(
    arms: Mapping[str, ConfigDict], workdir: files.PathLike
) -> dict[str, Any]:
    """Runs every arm that is not done, and puts their scores in one table.

    Args:
      arms: of `arms_of`.
      workdir: gets a folder of each arm as `experiment.run` writes it, and
        sweep.csv, scores.json and report.html. The same call resumes.

    Returns:
      What scores.json holds; {} on all hosts but the first.

    Raises:
      InputError, Interrupted: as `experiment.run`.
    """
    began, workdir = time.monotonic(), pathlib.Path(workdir)
    folders = {name: workdir / folder_of(name) for name in arms}
    if len(set(folders.values())) < len(folders):
        raise InputError(
            f'The arms {", ".join(arms)} have folders of the same name; name '
            'them otherwise.'
        )
    for config in arms.values():  # A bad arm is told before the first is run.
        experiment.check(config)
    for i, (name, config) in enumerate(arms.items()):
        if hosts.run_on_first(lambda c=config, f=folders[name]: _is_done(c, f)):
            continue
        progress.note(f'Arm {i + 1} of {len(arms)}: {name}')
        experiment.run(config, folders[name])
    if not hosts.is_first():
        return {}
    runs = {n: run_folders.read(f, n) for n, f in folders.items()}
    _check_same(runs)
    results = files.json_ready(
        {
            'scores': _scores(runs),
            'arms': {n: _changed(arms[FULL], c) for n, c in arms.items()},
            'method': runs[FULL].results['method'],
            'simulated': runs[FULL].results['simulated'],
            'transductive': [
                n for n, run in runs.items() if run.results['transductive']
            ],
            'problems': run_folders.own_problems(
                {n: run.results for n, run in runs.items()}
            ),
            'versions': provenance.versions(),
        }
    )
    files.write_json(workdir / 'scores.json', results)
    files.write_text(workdir / 'sweep.csv', _csv(results['scores']))
    _render(workdir / 'report.html', results, time.monotonic() - began)
    return results


def _is_done(config: ConfigDict, folder: pathlib.Path) -> bool:
    """Whether a folder holds the scores of this very config."""
    path = folder / 'scores.json'
    if not path.exists():
        return False
    wanted = json.loads(config.to_json_best_effort())
    return files.read_json(path).get('config') == wanted


def _check_same(runs: Mapping[str, run_folders.Run]) -> None:
    for name, run in runs.items():
        if run.pictures != runs[FULL].pictures:
            raise InputError(
                f'{run.folder} was tested on other pictures than '
                f'{runs[FULL].folder}, so that they cannot be paired; vary '
                f'something else than {name}.'
            )


def _scores(runs: Mapping[str, run_folders.Run]) -> dict[str, Score]:
    """'SCORE_ARM' -> the arm's score, with its paired difference to full."""
    full, found = runs[FULL], {}
    for arm, run in runs.items():
        for name in full.values:
            if arm == FULL or name not in run.values:
                continue
            entry = full.results['scores'][name]
            found[f'{name}_{arm}'] = paired.difference(
                *(run.values[name], full.values[name]),
                lower=entry.get('better') == 'lower',
                bounds=paired.bounds_of(name),
            ) | {
                'score': name,
                'arm': arm,
                'of_arm': run.results['scores'][name]['value'],
                'of_full': entry['value'],
            }
    return statistics.corrected(found)


def _changed(full: ConfigDict, config: ConfigDict) -> dict[str, Any]:
    """What an arm changes: key -> value."""
    before, now = (
        _flat(json.loads(c.to_json_best_effort())) for c in (full, config)
    )
    return {k: v for k, v in now.items() if before.get(k) != v}


def _csv(scores: Mapping[str, Mapping[str, Any]]) -> str:
    keys = ('score', 'arm', 'of_arm', 'of_full', 'value')
    keys = (*keys, *COLUMNS[len(keys) :])
    rows = ([each[key] for key in keys] for each in scores.values())
    return score_files.as_csv(COLUMNS, rows)


def in_line(each: Mapping[str, Any]) -> str:
    """Writes a row for a terminal."""
    return ' '.join(
        [f'{each["score"]:34s}', f'{each["arm"]:24s}', *_numbers(each, False)]
    )


def _numbers(each, percent) -> list[str]:
    def text(key):
        return decimals(each[key], percent)

    return [
        *(text('of_arm'), text('of_full'), text('value')),
        f'{text("low")} to {text("high")}',
        p_in_words(each['q']),
    ]


def _render(path: pathlib.Path, results: Mapping, seconds: float) -> None:
    scores, arms = results['scores'], results['arms']
    rows = [
        (
            describe(each['score']).title,
            each['arm'],
            *_numbers(each, describe(each['score']).percent),
        )
        for each in scores.values()
    ]
    changes = [
        (name, ', '.join(f'{k}={v!r}' for k, v in changed.items()) or 'nothing')
        for name, changed in arms.items()
    ]
    page.render(
        path,
        title='With and without its parts',
        lede=f'{len(arms)} arms of {results["method"]}.',
        method=results['method'],
        simulated=results['simulated'],
        transductive=bool(results['transductive']),
        problems=results['problems'],
        scores={},
        figures=[],
        tables=[
            page.Table(
                'Arms', ['What each changes.'], ['arm', 'sets'], changes
            ),
            page.Table(
                'Differences to the full setting',
                [ABOUT],
                [
                    *('score', 'arm', 'of the arm', 'of full'),
                    *('difference', '95 % interval', 'q'),
                ],
                rows,
            ),
        ],
        versions=results['versions'],
        timings={'All': seconds},
        notes=[
            f'Transductive: {", ".join(results["transductive"])}.'
            if results['transductive']
            else 'No arm is transductive.',
            'Each arm has a report of its own in its folder.',
        ],
    )
