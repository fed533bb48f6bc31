"""The test for people: the page on which they choose, and what they chose.

An observer sees a reconstruction and two pictures, and chooses which of them
it resembles more; or a picture and two methods' reconstructions of it, and
chooses the nearer one (two-alternative forced choice). The page is one HTML
file that needs only itself: it draws order, lures and sides from a seed that
each observer's file states, mixes in checks of attention whose answer is plain,
and hands out the choices as a CSV file that `evaluation.human` reads.
"""

import base64
import io
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jinja2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from brainjax.evaluation import folders
from brainjax.evaluation.human import choices as human
from brainjax.evaluation.human import human_plan, human_sessions
from brainjax.io import files
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.reports import alt_texts
from brainjax.reports.figures import COLOURS, INK, LINE, MUTED, WIDTH, style

TEMPLATE = pathlib.Path(__file__).with_name('human_test.html')
PLAN = pathlib.Path(__file__).with_name('human_plan.js')
LARGEST = 384  # Pixels of the longer side of an embedded picture.


class Judgeable(NamedTuple):
    """What a test shows, [n] uint8 pictures [height, width, 3] each.

    Attributes:
      names: of the pictures, written to the observers' files.
      seen, made: pictures and their reconstructions, in the same order.
      other: reconstructions by another method, or None.
    """

    names: list[str]
    seen: list[np.ndarray]
    made: list[np.ndarray]
    other: list[np.ndarray] | None = None


def write_test(
    reconstructions: PathLike,
    truth: PathLike,
    out: PathLike,
    alpha: str = 'grey',
    upright: bool = True,
    against: PathLike | None = None,
) -> pathlib.Path:
    """Writes human_test.html, on which people choose between pictures.

    Args:
      reconstructions, truth: as `folders.read` takes them, matched by name.
      out: folder that gets the page.
      alpha, upright: how all are read, see `decoding.Rules`.
      against: another method's reconstructions, between which and the first
        people choose.

    Returns:
      Path of the page.
    """
    seen = folders.read(truth, alpha, upright)
    made = matched(reconstructions, truth, seen, alpha, upright)
    other = against and matched(against, truth, seen, alpha, upright)
    shown = to_judge(seen.names, seen.images, made, other)
    path = files.writable_folder(out) / 'human_test.html'
    render(path, shown, human_sessions.identity(*shown))
    return path


def matched(
    source: PathLike,
    truth: PathLike,
    seen: folders.Pictures,
    alpha: str = 'grey',
    upright: bool = True,
) -> list[np.ndarray]:
    """Reads reconstructions in the order of the pictures that were seen.

    Args:
      source: as `folders.read` takes it.
      truth, seen: where the pictures seen come from, and they themselves.
      alpha, upright: see `decoding.Rules`.
    """
    made = folders.read(source, alpha, upright)
    order = folders.match(made, seen, source, truth)
    return [made.images[i] for i in order]


def render(
    path: PathLike, shown: Judgeable, test: human_sessions.HumanTest
) -> None:
    """Writes the page, whole or not at all.

    Args:
      path: file to write.
      shown: names and pictures.
      test: what identifies it, see `human_sessions.identity`.
    """
    n, others = len(shown.names), shown.other or [None] * len(shown.names)
    data = {
        'test': test.digest,
        'methods': test.methods,
        'judged': human_plan.judged(n),
        'checks': human_plan.checks(n),
        'fastest': human_sessions.FASTEST,
        'pictures': [
            {'name': name, 'seen': _embedded(a), 'made': _embedded(b)}
            | ({} if c is None else {'other': _embedded(c)})
            for name, a, b, c in zip(
                shown.names, shown.seen, shown.made, others
            )
        ],
    }
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    ).from_string(TEMPLATE.read_text(encoding='utf-8'))
    plan = PLAN.read_text(encoding='utf-8')
    page = template.render(data=data, plan=plan, methods=test.methods)
    files.write_text(path, page)


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
    other: Sequence[np.ndarray] | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> human.Judged | None:
    """Reads and scores what observers chose.

    Args:
      results: their files.
      names: [n] of the pictures.
      seen, made, other: [n] pictures and reconstructions, those of the test.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      None if there are no files.
    """
    if not results:
        return None
    test = human_sessions.identity(*to_judge(names, seen, made, other))
    sessions = [human_sessions.read(path, test) for path in results]
    return human.score(sessions, test.methods, seed=seed, draws=draws)


def to_judge(
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    made: Sequence[np.ndarray],
    other: Sequence[np.ndarray] | None = None,
) -> Judgeable:
    """Those of the pictures that people judge, as bytes."""
    places = human.chosen(len(names))
    sets = (
        images and [operations.to_uint8(images[i]) for i in places]
        for images in (seen, made, other)
    )
    return Judgeable([names[i] for i in places], *sets)


def section(judged: human.Judged) -> tuple[str, str, Figure]:
    """Returns title, caption and figure for a report."""
    what = (
        'chose these reconstructions, not those of the other method'
        if judged.name == human.NAMES[2]
        else 'was right'
    )
    caption = (
        f'How often each observer, and on the right each picture, {what}. '
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
        axes.set_xlabel(f'{what}, from the lowest', fontsize=8.5, color=INK)
    both = judged.name == human.NAMES[2]
    left.set_ylabel(
        'chose these' if both else 'chose what was seen',
        fontsize=8.5,
        color=INK,
    )
    rates = np.nanmean(judged.table, axis=0)
    figure.set_label(alt_texts.choices(np.array(kept), rates, len(others)))
    return figure
