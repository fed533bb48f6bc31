"""How far a run is, in numbers: metrics.csv, and TensorBoard's event files.

    stage,step,name,value
    encoder,1,loss,0.8415
    encoder,1,validation_score,0.2131
    inversion,10,loss,0.3302

A stage tells all that it has measured so far each time, and its lines are
replaced by that. So a run that was killed and resumed has no line twice, and
the file is whole at any moment. A step is an epoch of a training, a layer of a
decoding, an iteration of a search.
"""

import csv
import importlib.util
import io
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence

from brainjax.errors import InputError
from brainjax.io import files

FILE = 'metrics.csv'
EVENTS = 'tensorboard'  # The folder, with one of each stage.
COLUMNS = ('stage', 'step', 'name', 'value')
COUNTS = ('epoch', 'step')  # How a record calls where it was measured.

# Takes one record a step, the whole of them each time, in ascending order.
Log = Callable[[Sequence[Mapping[str, float]]], None]


def check(tensorboard: bool) -> None:
    """Refuses to promise event files where nothing is there to write them."""
    if tensorboard and importlib.util.find_spec('tensorboardX') is None:
        raise InputError(
            'config.log.tensorboard=True needs tensorboardX: pip install '
            "'brainjax[tensorboard]'."
        )


def logger(
    folder: files.PathLike, stage: str, tensorboard: bool = False
) -> Log:
    """Returns a function that writes what a stage has measured so far.

    Args:
      folder: of the run; gets metrics.csv and tensorboard/STAGE.
      stage: such as 'encoder'.
      tensorboard: whether event files are written.
    """
    path = pathlib.Path(folder, FILE)
    events = _events(path.parent / EVENTS / stage) if tensorboard else None

    def log(history: Sequence[Mapping[str, float]]) -> None:
        _replace(path, stage, [line for r in history for line in _lines(r)])
        if events:
            events(history)

    return log


def read(folder: files.PathLike) -> dict[str, list[list[str]]]:
    """Returns stage -> its [step, name, value], from a run's metrics.csv."""
    path, stages = pathlib.Path(folder, FILE), {}
    if path.exists():
        rows = csv.reader(io.StringIO(files.read_text(path)))
        for stage, *line in list(rows)[1:]:
            stages.setdefault(stage, []).append(line)
    return stages


def _lines(record: Mapping[str, float]) -> list[list[str]]:
    step = _step(record)
    return [
        [str(step), name, repr(float(value))]
        for name, value in record.items()
        if name not in COUNTS
    ]


def _step(record: Mapping[str, float]) -> int:
    return next(int(record[name]) for name in COUNTS if name in record)


def _replace(path: pathlib.Path, stage: str, lines: list[list[str]]) -> None:
    stages = read(path.parent)
    if stages.get(stage, []) == lines:
        return
    stages[stage] = lines
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(COLUMNS)
    for name, rows in stages.items():
        table.writerows([name, *row] for row in rows)
    files.write_text(path, text.getvalue())


def _events(folder: pathlib.Path) -> Log:
    """Writes what is new; TensorBoard drops what a killed run had beyond it."""
    writer, known = None, None

    def log(history: Sequence[Mapping[str, float]]) -> None:
        nonlocal writer, known
        older = any(folder.glob('*tfevents*'))
        if known is None:  # Earlier processes wrote what they had measured.
            known = len(history) if older else 0
        if not history[known:]:
            return
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import scalar

        # Not its SummaryWriter, whose thread takes a core to write at once.
        if writer is None:
            start = _step(history[known])
            folder.mkdir(parents=True, exist_ok=True)
            # Files are called by the second: two may begin in one.
            suffix = f'.{os.getpid()}.{start if older else 0}'
            writer = EventsWriter(str(folder / 'events'), suffix)
            if older:
                begin = SessionLog(status=SessionLog.START)
                writer.write_event(Event(step=start, session_log=begin))
        for record in history[known:]:
            of = {'wall_time': time.time(), 'step': _step(record)}
            for name, value in record.items():
                if name not in COUNTS:
                    summary = scalar(name, value)
                    writer.write_event(Event(summary=summary, **of))
        writer.flush()
        known = len(history)

    return log
