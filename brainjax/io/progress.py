"""Progress of long work: a live bar in a terminal, lines elsewhere."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 10

# How much is told on stderr: 0 errors only, 1 notes and progress, 2 times and
# versions too. One for the process, as its stderr is.
_level = 1


def set_level(level: int) -> None:
    """Sets how much is told: 0 errors, 1 notes and progress, 2 details."""
    global _level
    _level = level


def note(sentence: str, level: int = 1) -> None:
    """Tells a sentence on stderr, if so much is told."""
    if _level >= level:
        print(sentence, file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(
    label: str, total: int | None, start: int = 0, unit: str = 'steps'
) -> Iterator[Callable[..., None]]:
    """Yields update(done, text='', total=total), which shows how far it is.

    It shows what is done, the rate, the time left and the text. The rate
    counts from the first update, so that what comes once, such as
    compilation, is left out.

    Args:
      label: what is being done.
      total: how much there is to do; None if not known yet.
      start: how much of it was done before, by a run that was interrupted.
      unit: of `total`, for the rate.
    """
    if not _level:
        yield lambda *done, **told: None
        return
    console = Console(stderr=True)
    show = _bar if console.is_terminal else _lines
    with show(console, label, total, start, unit) as update:
        yield update


def _meter() -> Callable[[int], float | None]:
    """Returns a function from what is done to how much a second, or None."""
    first = None

    def rate(done: int) -> float | None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = now, done
        seconds = now - first[0]
        return (done - first[1]) / seconds if seconds > 0 else None

    return rate


def _decimals(rate: float) -> str:
    """Two decimals, or three digits of what takes longer than ten seconds."""
    return f'{rate:.2f}' if rate >= 0.1 else f'{rate:.3g}'


@contextlib.contextmanager
def _lines(console, label, total, start, unit):
    del console, start
    shown = time.monotonic()
    meter = _meter()

    def update(done: int, text: str = '', total: int | None = total) -> None:
        nonlocal shown
        rate = meter(done)
        now = time.monotonic()
        if now - shown < SECONDS_BETWEEN_LINES and done != total:
            return
        shown = now
        parts = [f'{done}{f"/{total}" if total else ""} {unit}']
        if rate:
            parts.append(f'{_decimals(rate)} {unit}/s')
            if total:
                parts.append(f'{math.ceil((total - done) / rate)} s left')
        print(
            f'{label}: {", ".join(parts)}  {text}'.rstrip(),
            file=sys.stderr,
            flush=True,
        )

    yield update


@contextlib.contextmanager
def _bar(console, label, total, start, unit):
    with Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[rate]}'),
        TimeRemainingColumn(),
        TextColumn('{task.fields[text]}'),
        console=console,
    ) as bar:
        task = bar.add_task(
            label, total=total, completed=start, rate='', text=''
        )
        meter = _meter()

        def update(
            done: int, text: str = '', total: int | None = total
        ) -> None:
            rate = meter(done)
            bar.update(
                task,
                completed=done,
                total=total,
                rate=f'{_decimals(rate)} {unit}/s' if rate else '',
                text=text,
            )

        yield update
