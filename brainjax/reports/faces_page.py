"""The page of `brainjax faces`."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from brainjax.evaluation.published import papers
from brainjax.io.files import PathLike
from brainjax.reports import group_page, page

ABOUT = (
    'Pairwise and full recognition, gender and imagery as published; '
    'correlations over raw latents. Intervals of a mean are over subjects '
    '(t, few of them); those of one subject are over faces, and p is by '
    'permuting patterns across faces, for pairs are not independent.',
    'The VAE-GAN of the authors learned from all of CelebA, the test faces '
    'among them; its decoder has seen them.',
)


def render(
    path: PathLike,
    results: Mapping[str, Any],
    shown: Sequence[tuple[str, str, Figure]],
    seconds: float,
) -> None:
    """Writes the page of the published analysis.

    Args:
      path: file to write.
      results: what scores.json holds.
      shown: (title, caption, figure) of pictures.
      seconds: that it took.
    """
    several = len(results['subjects']) > 1
    tables = [
        page.Table(
            papers.TITLE,
            ['Only the first was read in the paper; see where from.'],
            papers.COLUMNS,
            papers.rows(results['published']),
        )
    ]
    if several:
        tables = [
            group_page.over_subjects(
                results['scores'], len(results['subjects'])
            ),
            group_page.each_subject(results['scores'], results['subjects']),
            *tables,
        ]
        shown = [
            *shown,
            (
                'Subjects',
                'Each subject a dot, their mean with its 95 % interval over '
                'subjects, and chance.',
                group_page.strips(results['scores']),
            ),
        ]
    count = len(results['subjects'])
    page.render(
        path,
        title=f'Faces of {count} subject{"s" if several else ""}',
        lede='Latents of faces, decoded from measured fMRI by the maps that '
        'VanRullen & Reddy (2019) gave out.',
        method=results['method'],
        simulated=results['simulated'],
        transductive=results['transductive'],
        scores={} if several else results['scores'],
        figures=shown,
        tables=tables,
        versions=results['versions'],
        timings={'All': seconds},
        notes=[*ABOUT, *results['notes']],
    )
