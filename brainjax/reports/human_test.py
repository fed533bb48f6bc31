"""The test for people: the page on which they choose, and what they chose.

An observer sees a reconstruction and two pictures, and chooses which of them
it resembles more (two-alternative forced choice). The page is one HTML file
that needs only itself: it draws order, lures and sides from a seed that each
observer's file states, mixes in checks of attention whose answer is plain, and
hands out the choices as a CSV file that `brainjax.evaluation.human` reads.
"""

import base64
import io
import math
import pathlib
from collections.abc import Sequence

import jinja2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from brainjax.evaluation import folders, human
from brainjax.io import files
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.reports.figures import COLOURS, INK, LINE, MUTED, WIDTH, style

TEMPLATE = pathlib.Path(__file__).with_name('human_test.html')
MOST_CHOICES = 100  # Per observer, without checks; more tire.
LEAST_CHECKS = 8
LARGEST = 384  # Pixels of the longer side of an embedded picture.


def write_test(
    reconstructions: PathLike,
    truth: PathLike,
    out: PathLike,
    alpha: str = 'grey',
    upright: bool = True,
) -> pathlib.Path:
    """Writes human_test.html, on which people choose between pictures.

    Args:
      reconstructions, truth: as `folders.read` takes them, matched by name.
      out: folder that gets the page.
      alpha, upright: how both are read, see `decoding.Rules`.

    Returns:
      Path of the page.
    """
    seen, made = (
        folders.read(source, alpha, upright)
        for source in (truth, reconstructions)
    )
    order = folders.match(made, seen, reconstructions, truth)
    images = [made.images[i] for i in order]
    test = _to_judge(seen.names, seen.images, images)
    identity = human.identity(*test)
    path = files.writable_folder(out) / 'human_test.html'
    render(path, identity, *test)
    return path


def render(
    path: PathLike,
    test: str,
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    made: Sequence[np.ndarray],
) -> None:
    """Writes the page, whole or not at all.

    Args:
      path: file to write.
      test: what identifies the test, see `human.identity`.
      names: [n] of the pictures, written to the observers' files.
      seen: [n] pictures that were seen, [height, width, 3] uint8 each.
      made: [n] their reconstructions, in the same order.
    """
    choices = min(len(names), MOST_CHOICES)
    data = {
        'test': test,
        'most': MOST_CHOICES,
        'checks': max(LEAST_CHECKS, math.ceil(choices / 10)),
        'pictures': [
            {'name': name, 'seen': _embedded(a), 'made': _embedded(b)}
            for name, a, b in zip(names, seen, made)
        ],
    }
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined
    ).from_string(TEMPLATE.read_text(encoding='utf-8'))
    files.write_text(path, template.render(data=data))


def _embedded(image: np.ndarray) -> str:
    """Returns a picture as the data URI of a PNG file."""
    picture = Image.fromarray(image)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format='PNG', optimize=True)
    text = base64.b64encode(stream.getvalue()).decode('ascii')
    return f'data:image/png;base64,{text}'


def read_results(
    results: Sequence[PathLike],
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    made: Sequence[np.ndarray],
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> human.Judged | None:
    """Reads and scores what observers chose.

    Args:
      results: their files.
      names: [n] of the pictures.
      seen, made: [n] pictures and reconstructions, those of the test.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      None if there are no files.
    """
    if not results:
        return None
    test = _to_judge(names, seen, made)
    identity = human.identity(*test)
    sessions = [human.read(path, identity, test[0]) for path in results]
    return human.score(sessions, seed=seed, draws=draws)


def _to_judge(names, seen, made):
    """Names, pictures and reconstructions of the test, as bytes."""
    places = human.chosen(len(names))
    return (
        [names[i] for i in places],
        [operations.to_uint8(seen[i]) for i in places],
        [operations.to_uint8(made[i]) for i in places],
    )


def section(judged: human.Judged) -> tuple[str, str, Figure]:
    """Returns title, caption and figure for a report."""
    caption = (
        'How often each observer, and on the right each picture, was right. '
        'The dashed line is a guess.'
    )
    if judged.excluded:
        caption += ' Rings are observers who were left out of the score.'
    return 'What people chose', caption, choices(judged)


def choices(judged: human.Judged) -> Figure:
    """Rates of observers, and rates of pictures.

    Args:
      judged: from `human.score`.
    """
    figure = Figure(figsize=(WIDTH, 2.9), layout='constrained')
    left, right = figure.subplots(1, 2)
    kept = sorted(np.nanmean(judged.table, axis=1))
    others = sorted(
        np.mean(list(each.correct.values())) for each in judged.excluded
    )
    places = np.arange(1, len(kept) + len(others) + 1)
    left.plot(places[: len(kept)], kept, 'o', color=COLOURS[0], markersize=5)
    left.plot(
        places[len(kept) :], others, 'o', markersize=5,
        markerfacecolor='none', markeredgecolor=MUTED,
    )  # fmt: skip
    rates = np.sort(np.nanmean(judged.table, axis=0))
    right.plot(
        np.arange(1, len(rates) + 1), rates, 'o', color=COLOURS[0], markersize=3
    )
    for axes, what in ((left, 'observers'), (right, 'pictures')):
        style(axes)
        axes.axhline(0.5, color=MUTED, linewidth=1, linestyle='--')
        axes.set_ylim(-0.04, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=' %'))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis='y', color=LINE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel(
            f'{what}, from the least often right', fontsize=8.5, color=INK
        )
    left.set_ylabel('chose what was seen', fontsize=8.5, color=INK)
    return figure
