"""The published experiments at their true size: peak memory, projected time.

    python benchmarks/published.py gaziv2022 --json gaziv2022.json

The recordings are not given out here, so files of their true size, names,
keys and types hold stand-in values (`stand_ins/`). `brainjax run` then runs the
published config on them, with steps cut, in a process of its own whose memory
is watched. What it takes in full is projected stage by stage: steps by their
rate, which leaves out compilation, the rest by what the experiment's
`factors` say; what the cuts leave out of the memory is added by arithmetic
(`adds`). Time is that of one core, which other work on the machine does not
lengthen, and with --wall that of the clock, for accelerators. The scores of
stand-ins mean nothing.
"""

import argparse
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple

from common import REPOSITORY, write_result
from stand_ins import GIB, Experiment

NAMES = ('gaziv2022', 'vanrullen2019', 'shen2019_natural')
LAST = 'Score and report'
SAMPLE = 0.1  # Seconds between looks at the memory.
_TIMED = re.compile(r'(?P<stage>[A-Z].*): [\d.]+ s')
_STEPS = re.compile(
    r'(?P<stage>[^:]+): (?P<done>\d+)/(?P<of>\d+) \w+'
    r'(, (?P<rate>[\d.e-]+) \w+/s)?'
)


class Stage(NamedTuple):
    """A part of a run.

    Attributes:
      name: as the run calls it.
      end: when it ended, in seconds.
      core: seconds of one core that the process had taken by then.
      done: its steps, 0 where it has none.
      rate: steps a second, after the first; 0 if not known.
    """

    name: str
    end: float
    core: float
    done: int = 0
    rate: float = 0.0


def stage_of(line: str, *now: float) -> Stage | None:
    """Reads a line of `brainjax run -v`; None if it ends no stage."""
    if found := _STEPS.match(line):
        done = int(found['done'])
        if done < int(found['of']):
            return None
        return Stage(found['stage'], *now, done, float(found['rate'] or 0))
    if found := _TIMED.fullmatch(line.strip()):
        return Stage(found['stage'], *now)
    return None


def watch(arguments: list[str], cache: pathlib.Path):
    """Runs `brainjax`; returns its stages and (time, bytes resident) samples.

    Times are seconds since its start.
    """
    environment = os.environ | {
        'BRAINJAX_CACHE': str(cache),
        'PYTHONPATH': str(REPOSITORY),
    }
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, '-m', 'brainjax', *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    stages, lines, samples, taken = [], [], [], [0.0]

    def read():
        for line in process.stderr:
            lines.append(line)
            print(f'  {line.rstrip()}', file=sys.stderr, flush=True)
            now = time.monotonic() - began, core_seconds(process.pid, taken)
            if stage := stage_of(line, *now):
                stages.append(stage)

    reader = threading.Thread(target=read)
    reader.start()
    while process.poll() is None:
        if held := resident(process.pid):
            samples.append((time.monotonic() - began, held))
            core_seconds(process.pid, taken)
        time.sleep(SAMPLE)
    reader.join()
    if process.returncode:
        raise SystemExit(f'brainjax {arguments[0]} ended: {"".join(lines)}')
    stages.append(Stage(LAST, time.monotonic() - began, taken[0]))
    return stages, samples


def resident(pid: int) -> int:
    """Returns the bytes that a process holds in memory, 0 if it has ended."""
    try:
        text = pathlib.Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return 0
    found = re.search(r'VmRSS:\s+(\d+) kB', text)
    return 1024 * int(found[1]) if found else 0


def core_seconds(pid: int, known: list[float]) -> float:
    """Returns what a process has computed, in seconds of one core.

    Args:
      pid: of the process.
      known: the last answer, which is kept up and given once it has ended.
    """
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return known[0]
    user, system = map(int, text.rpartition(')')[2].split()[11:13])
    ticks = user + system
    known[0] = max(known[0], ticks / os.sysconf('SC_CLK_TCK'))
    return known[0]


def table(experiment: Experiment, stages, samples, wall: bool) -> list[dict]:
    """A row a stage: what was measured, and what it takes in full."""
    rows, begin, began = [], 0.0, 0.0
    for stage in stages:
        clock = stage.end - begin
        seconds = clock if wall else stage.core - began
        added = experiment.adds.get(stage.name, 0)
        held = [b for t, b in samples if begin < t <= stage.end]
        full = seconds * experiment.factors.get(stage.name, 1)
        if stage.name in experiment.steps and stage.rate:
            more = experiment.steps[stage.name] - stage.done
            full += more / stage.rate * seconds / max(clock, 1e-9)
        rows.append(
            {
                'stage': stage.name,
                'seconds': seconds,
                'seconds_of_the_clock': clock,
                'seconds_in_full': full,
                'gib': max(held, default=0) / GIB,
                'gib_in_full': (max(held, default=0) + added) / GIB,
                'steps_a_second': stage.rate or None,
            }
        )
        begin, began = stage.end, stage.core
    return rows


def written(workdir: pathlib.Path, experiment: Experiment) -> dict:
    """Gigabytes of a checkpoint and of all others, now and in a full run."""
    found = {}
    for label, times in experiment.saves.items():
        steps = workdir.glob(f'checkpoints/{label}/[0-9]*')
        one = gigabytes(max(steps, key=lambda path: int(path.name)))
        found[label] = {'gb': one, 'gb_in_full': times * one}
    kept = gigabytes(workdir) - sum(
        gigabytes(workdir / 'checkpoints' / label) for label in found
    )
    full = kept + experiment.writes / 1e9
    return found | {'other files': {'gb': kept, 'gb_in_full': full}}


def gigabytes(folder: pathlib.Path) -> float:
    """What the files in a folder take."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e9


def measure(
    name: str,
    experiment: Experiment,
    folder: pathlib.Path,
    options: argparse.Namespace,
) -> dict:
    """Makes the files, runs the config and returns the result."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / 'made'
    if not made.exists():
        experiment.write(folder)
        made.touch()
    workdir = folder / 'run'
    if not options.resume:
        shutil.rmtree(workdir, ignore_errors=True)
    run = ['run', '--config', experiment.config or name, '--workdir', workdir]
    commands = [[*map(str, run), *experiment.flags(folder), *experiment.cuts]]
    if experiment.arguments:
        commands = experiment.arguments(folder, workdir)
    rows = []
    for command in commands:
        arguments = [command[0], '-v', *command[1:], *options.cut]
        found = watch(arguments, folder / 'cache')
        part = table(experiment, *found, options.wall)
        rows += [{'command': command[0], **row} for row in part]
    peak = max(row['gib_in_full'] for row in rows)
    return {
        'name': f'published {name}',
        'unit': 'GiB resident at the peak',
        'ours': peak,
        'measured': max(row['gib'] for row in rows),
        'limit': experiment.limit,
        'within': peak < experiment.limit,
        'hours_in_full': sum(row['seconds_in_full'] for row in rows) / 3600,
        'about': experiment.about,
        'cuts': [*experiment.cuts, *options.cut],
        'written': written(workdir, experiment),
        'stages': rows,
    }


def show(result: dict) -> None:
    """Prints it, as a table of the documents has it."""
    print('| stage | measured | peak | in full | peak in full |')
    print('|---|---|---|---|---|')
    for row in result['stages']:
        print(
            f'| {row["stage"]} | {row["seconds"]:.0f} s '
            f'| {row["gib"]:.1f} GiB | {in_words(row["seconds_in_full"])} '
            f'| {row["gib_in_full"]:.1f} GiB |'
        )
    for label, sizes in result['written'].items():
        what = label if label == 'other files' else f'checkpoint of {label}'
        print(
            f'{what}: {sizes["gb"]:.2f} GB; written in full '
            f'{sizes["gb_in_full"]:.1f} GB'
        )
    print(
        f'\n{result["name"]}: {result["ours"]:.2f} GiB, limit '
        f'{result["limit"]}; {result["hours_in_full"]:.0f} h in full.\n'
        f'{result["about"]}'
    )


def in_words(seconds: float) -> str:
    """Seconds as '40 s', '12 min' or '3.4 h'."""
    if seconds < 120:
        return f'{seconds:.0f} s'
    if seconds < 7200:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('name', choices=NAMES)
    parser.add_argument('--folder', help='keeps the files there')
    parser.add_argument('--json', help='file to write')
    parser.add_argument('--wall', action='store_true', help='time by the clock')
    parser.add_argument(
        '--resume', action='store_true', help='keep what the run has'
    )
    parser.add_argument(
        '--cut',
        action='append',
        default=[],
        metavar='FLAG',
        help='a flag of `brainjax run` that cuts it further, as --cut=--config.'
        'decoder.batch_paired=3; what that leaves out is not added',
    )
    options = parser.parse_args()
    module = importlib.import_module(f'stand_ins.{options.name}')
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.folder or temporary).absolute()
        result = measure(
            options.name,
            module.EXPERIMENT,
            folder,
            options,
        )
    show(result)
    write_result(options.json, result)


if __name__ == '__main__':
    main()
