"""The page of a run with several test sets, `config.recording.tests`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from brainjax.evaluation.table.score_table import decimals, describe, is_defined
from brainjax.io.files import PathLike
from brainjax.reports import figures, page

ABOUT = (
    'One fit, whose decoders have seen none of these pictures. Each set is '
    'scored among its own pictures alone: chances differ with their number. '
    'In brackets are 95 % intervals over pictures; SET/report.html has '
    'chance, p and all else of a set, and its files lie beside it.',
)


def render(
    path: PathLike,
    told: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Any]],
    shown: Mapping[str, tuple[np.ndarray, np.ndarray]],
    seconds: float,
) -> None:
    """Writes the page.

    Args:
      path: file to write.
      told: what scores.json of all sets holds.
      results: set -> what its own holds.
      shown: set -> pictures seen and reconstructed, as
        `figures.montage` takes them.
      seconds: that it took.
    """
    names = dict.fromkeys(
        score for each in results.values() for score in each['scores']
    )
    rows = [
        (
            describe(name).title,
            *(_field(name, each['scores']) for each in results.values()),
        )
        for name in names
    ]
    page.render(
        path,
        title=f'One fit, tested on {len(results)} sets of pictures',
        lede=f'Deep image reconstruction of {", ".join(results)}.',
        method='deep image reconstruction',
        simulated=told['simulated'],
        transductive=told['transductive'],
        problems=told['problems'],
        scores={},
        figures=[
            (
                name,
                'Some of its pictures, each beside its reconstruction.',
                figures.montage(*pictures),
            )
            for name, pictures in shown.items()
        ],
        tables=[
            page.Table('Scores of each set', ABOUT, ('score', *results), rows)
        ],
        versions=told['versions'],
        timings={'All': seconds},
    )


def _field(name: str, scores: Mapping[str, Mapping[str, Any]]) -> str:
    if name not in scores:
        return ''
    percent = describe(name).percent
    value, low, high = (
        decimals(scores[name][key], percent) for key in ('value', 'low', 'high')
    )
    defined = is_defined(scores[name]['low'])
    return f'{value} ({low} to {high})' if defined else value
