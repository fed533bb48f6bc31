"""The report: one HTML file that needs nothing but itself."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jinja2
from matplotlib.figure import Figure

from brainjax.evaluation import preregistration
from brainjax.evaluation.audit import PAGE, AuditCheck
from brainjax.evaluation.preregistration import Outcome
from brainjax.evaluation.table.score_table import (
    PERCENT,
    decimals,
    describe,
    in_words,
    is_defined,
    p_in_words,
)
from brainjax.io import files
from brainjax.reports import figures, score_plots

_NUMBERS = ('value', 'chance', 'low', 'high')
TEMPLATE = pathlib.Path(__file__).with_name('page.html')


class Table(NamedTuple):
    """A table of a page.

    Attributes:
      title: its heading.
      about: sentences above it.
      columns: what its columns are called.
      rows: text of each field; the first of a row is its heading.
    """

    title: str
    about: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def render(
    path: files.PathLike,
    *,
    title: str,
    method: str,
    simulated: bool,
    transductive: bool,
    test_kept: int = 0,
    problems: Sequence[str] = (),
    lead: Sequence[str] = (),
    scores: Mapping[str, Mapping[str, float]],
    figures: Sequence[tuple[str, str, Figure]],
    config_text: str = '',
    versions: Mapping[str, str] | None = None,
    timings: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    audit: Sequence[AuditCheck] = (),
    lede: str = '',
    tables: Sequence[Table] = (),
    fingerprints: Mapping[str, str] | None = None,
    preregistered: Outcome | None = None,
    methods: str = '',
) -> None:
    """Writes a report as one self-contained HTML file, whole or not at all.

    Args:
      path: file to write.
      title: heading of the page.
      method: what made the reconstructions, as in 'from brain activity by X'.
      simulated: True if no brain was measured; the page says so.
      transductive: True if the method used the test pictures' responses when
        it was fitted; the page says so.
      test_kept: how many test pictures it learned from unpaired; likewise.
      problems: sentences on what to know before trusting the numbers.
      lead: sentences that the summary begins with.
      scores: as returned by `brainjax.evaluation.score`; may be empty.
      figures: (title, caption, figure), the montage first.
      config_text: the configuration, shown as it is.
      versions: package -> version.
      timings: what -> seconds.
      notes: sentences on how this was made.
      audit: rows of the audit, if there was one.
      lede: the sentence below the title, by default one made of `method`, `n`
        and `simulated`.
      tables: that follow the first figure and the scores.
      fingerprints: what -> hash of the data.
      preregistered: what came of a preregistration, if there was one.
      methods: a paragraph to paste into a paper.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.from_string(TEMPLATE.read_text(encoding='utf-8'))
    page = template.render(
        title=title,
        method=method,
        simulated=simulated,
        transductive=transductive,
        test_kept=test_kept,
        problems=problems,
        summary=[*lead, *summary(scores)],
        n=next((score['n'] for score in scores.values()), None),
        scores=_rows(scores),
        figures=[_figure(*figure) for figure in figures],
        config_text=config_text,
        versions=versions or {},
        timings={
            what: duration(seconds) for what, seconds in (timings or {}).items()
        },
        notes=notes,
        audit=[_audited(row) for row in audit],
        page_rate=f'{PAGE:g}'[1:],
        lede=lede,
        tables=tables,
        fingerprints=fingerprints or {},
        preregistered=preregistered,
        changed=preregistration.changed(preregistered) if preregistered else [],
        methods=methods,
    )
    files.write_text(path, page)


def _audited(row):
    figures = [
        '' if x is None else f'{x:.3g}' for x in (row.value, row.reference)
    ]
    return {
        'check': row.check,
        'verdict': row.verdict,
        'word': row.level,
        'value': figures[0],
        'reference': figures[1],
    }


def summary(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The identification of pixels, in sentences for the top of the page."""
    sentences = []
    if 'two_way_pixels' in scores:
        value, chance, interval = _rates(scores['two_way_pixels'])
        sentences.append(
            'Take a reconstruction, the picture that was seen and one other: '
            f'the one that was seen is the more similar in {value} of all '
            f'cases ({interval}), where a guess is right in {chance}.'
        )
    for name, others in (
        ('fifty_way_pixels', '50 pictures'),
        ('all_way_pixels', 'all {n} test pictures'),
    ):
        if name in scores:
            value, chance, interval = _rates(scores[name])
            sentences.append(
                f'Among {others.format(**scores[name])}, the one that was '
                f'seen is the most similar in {value} ({interval}; a guess: '
                f'{chance}).'
            )
    return sentences


def _rates(score):
    value, chance, low, high = (
        in_words(score[key], True) for key in ('value', 'chance', 'low', 'high')
    )
    if not is_defined(score['low']):
        return value, chance, 'no interval'
    low = low.removesuffix(PERCENT)  # '95 % interval 80 to 88 %'.
    return value, chance, f'95{PERCENT} interval {low} to {high}'


def verdict(score: Mapping[str, float]) -> str:
    """'above chance', 'below chance' or 'not different from chance'.

    Above means that both the interval and the permutation test agree, whose q
    (p where there is no q) is below 0.05. Of a distance, which is better the
    lower it is, 'better than chance' or 'worse than chance'. Of a score with a
    nominal value, where it lies from that.
    """
    if 'nominal' in score:
        return _from_nominal(score)
    if not all(is_defined(score[x]) for x in ('value', 'chance', 'p')):
        return 'not defined'
    if not (is_defined(score['low']) and is_defined(score['high'])):
        return 'no interval'
    good, bad = 'above chance', 'below chance'
    above, below = (
        score['low'] > score['chance'],
        score['high'] < score['chance'],
    )
    if score.get('paired'):
        good, bad = 'better', 'worse'
        if not _is_small(score):
            return 'not different'
    if score.get('better') == 'lower':
        good, bad = 'better than chance', 'worse than chance'
        above, below = below, above
    if above and _is_small(score):
        return good
    return bad if below else 'not different from chance'


def _is_small(score):
    q = score.get('q')
    return (q if is_defined(q) else score['p']) < 0.05


def _from_nominal(score):
    if not is_defined(score['value']):
        return 'not defined'
    if not is_defined(score['low']):
        return 'no interval'
    if score['low'] > score['nominal']:
        return 'above nominal'
    if score['high'] < score['nominal']:
        return 'below nominal'
    return 'not nominal' if _is_small(score) else 'as nominal'


def _rows(scores):
    """What the table shows of each score, with places for its small plot."""
    rows, places = [], score_plots.places(scores)
    for name, score in scores.items():
        item = describe(name)
        rows.append(
            {
                'name': name,
                'score': item,
                'constant': score.get('constant', 0),
                'nominal': 'nominal' in score
                and decimals(score['nominal'], item.percent),
                'guess': 'guess' in score
                and decimals(score['guess'], item.percent),
                **{key: decimals(score[key], item.percent) for key in _NUMBERS},
                'p': p_in_words(score['p']),
                'q': 'q' in score and p_in_words(score['q']),
                'n': score['n'],
                'verdict': verdict(score),
                'places': places[name],
            }
        )
    return rows


def _figure(title, caption, figure):
    return {
        'title': title,
        'caption': caption,
        'alt': f'{title}. {figure.get_label() or caption}',
        'png': figures.to_png_base64(figure),
        'width': round(104 * figure.get_figwidth()),
    }


def duration(seconds: float) -> str:
    """Writes seconds as '2 h 5 min', '3 min 20 s', '12.3 s' or '45 ms'."""
    if seconds < 1:
        return f'{1000 * seconds:.0f} ms'
    if seconds < 59.95:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f'{minutes} min {rest} s'
    return f'{minutes // 60} h {minutes % 60} min'
