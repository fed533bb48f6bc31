"""Pages for everybody: what axe-core asks for, and the same without it."""

import html.parser
import itertools
import re

import numpy as np
import pytest
from browser import chromium

from brainjax.evaluation.audit import AuditCheck
from brainjax.evaluation.human import human_sessions
from brainjax.evaluation.preregistration import Item, Outcome
from brainjax.reports import figures, human_test, page, score_plots

RNG = np.random.default_rng(0)
SEEN = RNG.random((4, 8, 8, 3)).astype(np.float32)
SCORE = {'value': 0.7, 'chance': 0.5, 'low': 0.6, 'high': 0.8, 'p': 0.01}
SCORES = {
    'two_way_pixels': SCORE | {'n': 4},
    'pixcorr': SCORE | {'n': 4, 'constant': 1, 'guess': 0.52},
}
VOID = ('meta', 'img', 'input', 'line', 'ellipse', 'link', 'br')


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """Paths of a report with everything in it, and of the page for people."""
    folder = tmp_path_factory.mktemp('pages')
    page.render(
        folder / 'report.html',
        title='S1: what was seen',
        method='the decoder',
        simulated=True,
        transductive=True,
        problems=['One.'],
        lead=['First.'],
        scores=SCORES,
        figures=[
            ('Pictures', 'Seen.', figures.montage(SEEN, SEEN[::-1])),
            ('Scores', '', score_plots.bars(SCORES)),
        ],
        config_text='seed: 0',
        versions={'jax': '1'},
        timings={'References: ridge, closed-form posterior': 3.0},
        notes=['Note.'],
        audit=[AuditCheck('names', None, None, True, 'Flagged.')],
        tables=[page.Table('Pairs', ['Of two.'], ('a', 'b'), [('x', '1')])],
        fingerprints={'recording': 'ab' * 32},
        preregistered=Outcome(
            '2020-01-01',
            'cd' * 32,
            [
                Item('seed', '1', '2', False),
                Item('alpha', '0.05', '0.05', True),
            ],
            True,
            'Above chance.',
        ),
        methods='Pasted.',
    )
    images = [np.uint8(255 * image) for image in SEEN]
    shown = human_test.Judgeable(list('abcd'), images, images[::-1])
    path = folder / 'human_test.html'
    human_test.render(path, shown, human_sessions.identity(*shown))
    return folder / 'report.html', path


class Elements(html.parser.HTMLParser):
    """All elements as (tag, attributes, tags around it)."""

    def __init__(self, path):
        super().__init__()
        self.open, self.found, self.style, self.spoken = [], [], '', []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.style += data if self.open[-1:] == ['style'] else ''
        if data.strip() and 'body' in self.open:
            self.spoken.append(tuple(self.open))

    def all(self, *tags):
        return [each for each in self.found if each[0] in tags]


@pytest.mark.parametrize('which', [0, 1])
def test_structure(pages, which):
    found = Elements(pages[which])
    [(_, html_attributes, _)] = found.all('html')
    assert html_attributes['lang'] == 'en'
    [viewport] = [
        a for _, a, _ in found.all('meta') if a.get('name') == 'viewport'
    ]
    assert 'maximum-scale' not in viewport['content']
    assert len(found.all('main')) == len(found.all('title')) == 1
    # All that is said lies in the landmark.
    assert all({'main', 'script'} & {*around} for around in found.spoken)
    ids = [a['id'] for _, a, _ in found.found if 'id' in a]
    assert len(ids) == len({*ids})
    for _, attributes, _ in found.found:
        for name in ('for', 'aria-labelledby', 'aria-describedby'):
            assert attributes.get(name, ids[0] if ids else None) in (*ids, None)
    levels = [int(tag[1]) for tag, _, _ in found.all('h1', 'h2', 'h3')]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize('which', [0, 1])
def test_names(pages, which):
    """Pictures, fields, headers of tables and regions that scroll."""
    found = Elements(pages[which])
    for _, attributes, _ in found.all('img'):
        assert 'alt' in attributes
    labels = [attributes.get('for') for _, attributes, _ in found.all('label')]
    for _, attributes, _ in found.all('input'):
        assert attributes['id'] in labels
    for _, attributes, _ in found.all('th'):
        assert attributes['scope'] in ('col', 'row')
        assert 'aria-hidden' not in attributes
    regions = [
        attributes
        for _, attributes, _ in found.found
        if 'tabindex' in attributes and attributes.get('role') == 'region'
    ]
    names = [attributes['aria-label'] for attributes in regions]
    assert all(names) and len(names) == len({*names})
    if which == 0:  # Two figures, four tables, the configuration.
        assert len(regions) == 7
        assert all(attributes['tabindex'] == '0' for attributes in regions)
        for _, attributes, around in found.all('img', 'table', 'pre'):
            assert attributes.get('role') == 'region' or 'div' in around


def test_alt_texts_say_numbers(pages):
    alts = [a['alt'] for _, a, _ in Elements(pages[0]).all('img')]
    assert '4 pictures of 8 by 8 pixels' in alts[0]
    assert 'Pixel correlation 0.70, 0.60 to 0.80, chance 0.50' in alts[1]


def luminance(colour):
    """Relative luminance of '#rrggbb' by WCAG 2.2."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(
        parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
    )
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_as_wcag_has_it():
    assert contrast('#000000', '#ffffff') == pytest.approx(21)
    assert contrast('#777777', '#ffffff') == pytest.approx(4.48, abs=0.005)


def test_colours_differ_enough(pages):
    """WCAG 2.2: 4.5 for text, 3 for what marks a field or a score."""
    report, people = (Elements(path).style for path in pages)
    schemes = [
        dict(re.findall(r'--([\w-]+): (#[0-9a-f]{6})', block))
        for block in re.findall(r':root \{(.*?)\}', report, re.S)
    ]
    light, dark = schemes[0], schemes[0] | schemes[1]
    for colours in (light, dark):
        for text, ground in (
            ('ink', 'paper'),
            ('muted', 'paper'),
            ('accent', 'paper'),
            ('ink', 'track'),
            ('note-ink', 'note'),
        ):
            assert contrast(colours[text], colours[ground]) >= 4.5, text
        for mark in ('accent', 'muted'):
            assert contrast(colours[mark], colours['track']) >= 3
    colours = dict(re.findall(r'--([\w-]+): (#[0-9a-f]{6})', people))
    assert contrast(colours['ink'], colours['paper']) >= 4.5
    assert contrast('#222222', colours['accent']) >= 4.5
    assert contrast(colours['accent'], colours['paper']) >= 3


@pytest.mark.browser
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_axe_finds_nothing_in_a_report(pages, tmp_path, scheme):
    with chromium(tmp_path) as browser:
        browser.prefer(scheme)
        browser.open(pages[0].as_uri())
        browser.script(
            'for (const d of document.querySelectorAll("details"))'
            ' d.open = true'
        )
        assert browser.violations() == []
        browser.narrow(320, 640)
        assert browser.script(
            'return document.documentElement.scrollWidth <= 320'
        )
