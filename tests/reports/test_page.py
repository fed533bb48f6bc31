"""The page needs nothing but itself, and says what it is."""

import base64
import html.parser
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from brainjax import evaluation
from brainjax.errors import InputError
from brainjax.evaluation import statistics
from brainjax.evaluation.table import score_table
from brainjax.reports import figures, page, score_plots

GENERATOR = np.random.default_rng(0)
TRUTH = GENERATOR.random((7, 16, 20, 3)).astype(np.float32)
RECONSTRUCTION = np.clip(TRUTH + GENERATOR.normal(0, 0.2, TRUTH.shape), 0, 1)
SCORES = evaluation.score(
    TRUTH, RECONSTRUCTION, features={'conv2': lambda x: x[:, ::2]}, draws=100
)


class Loads(html.parser.HTMLParser):
    """Collects tags, whatever a browser would load, and visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loaded, self.text, self.style = [], [], '', ''
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ('src', 'href', 'srcset', 'data', 'action', 'poster'):
                self.loaded.append(value)
            assert not name.startswith('on')
            assert name != 'style'

    def handle_data(self, data):
        if self.tags[-1:] == ['style']:
            self.style += data
        else:
            self.text += data


def write(path, **changes):
    given = {
        'title': 'Demo',
        'method': 'the decoder',
        'simulated': False,
        'transductive': False,
        'scores': SCORES,
        'figures': [
            ('Pictures', 'What was seen.', figures.montage(TRUTH, TRUTH)),
            ('Scores', '', score_plots.bars(SCORES)),
        ],
        'config_text': 'seed: 0',
        'versions': {'jax': '0.10'},
        'timings': {'decoder': 200},
        'notes': ['Repeats were averaged.'],
    }
    page.render(path, **(given | changes))
    return Loads(path.read_text(encoding='utf-8'))


def test_page_loads_nothing(tmp_path):
    found = write(tmp_path / 'report.html')
    assert len(found.loaded) == 2
    for address in found.loaded:
        start, data = address.split(',')
        assert start == 'data:image/png;base64'
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert not {'script', 'link', 'iframe', 'object'} & set(found.tags)
    assert 'url(' not in found.style and '@import' not in found.style
    for address in ('http:', 'https:', '//'):
        assert not any(item.startswith(address) for item in found.loaded)
    text = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert 'http://' not in text and 'https://' not in text


def test_page_says_what_it_is(tmp_path):
    path = tmp_path / 'report.html'
    simulated, transductive = 'no brain was measured', 'Transductive:'
    text = write(path).text
    assert '7 pictures as they were seen, and as the decoder' in text
    assert 'measured with fMRI' in text
    assert simulated not in text and transductive not in text
    text = write(path, simulated=True).text
    assert 'Simulated subject: no brain was measured' in text
    assert 'measured with fMRI' not in text and transductive not in text
    text = write(path, transductive=True).text
    assert simulated not in text and transductive in text
    problem = '3 pictures <were> skipped.'
    head, trusting = write(path).text.partition('How close')[0], 'trusting'
    assert trusting not in head
    head = write(path, problems=[problem]).text.partition('How close')[0]
    assert trusting in head and problem in head
    for words in ('seed: 0', '3 min 20 s', '0.10', 'Repeats were averaged.'):
        assert words in text


def test_page_shows_every_score(tmp_path):
    text = write(tmp_path / 'report.html').text
    entry = SCORES['pixcorr']
    for value in (entry['value'], entry['chance'], entry['low']):
        assert f'{value:.3f}' in text
    entry = SCORES['all_way_conv2']
    assert f'{100 * entry["chance"]:.1f}{score_table.PERCENT}' in text
    for name in SCORES:
        assert score_table.describe(name).title in text
        assert score_table.describe(name).meaning in text
    assert 'Among all 7 test pictures' in text
    assert 'of one colour' not in text
    assert 'Higher is better, except for errors, distances' in text
    assert 'which is not corrected for the number of rows' in text
    judged = statistics.corrected(SCORES)
    corrected = write(tmp_path / 'report.html', scores=judged).text
    assert 'p corrected for the number of rows in the table' in corrected
    assert score_table.p_in_words(judged['pixcorr']['q']) in corrected
    grey = np.full_like(TRUTH, 0.5)
    scores = evaluation.score(TRUTH, grey, draws=100)
    text = write(tmp_path / 'report.html', scores=scores).text
    assert '7 of 7 pairs hold a picture of one colour' in text


def test_narrow_screens_drop_meanings_and_keep_figures_readable(tmp_path):
    found = write(tmp_path / 'report.html')
    narrow = found.style.split('@media (max-width: 40rem)')[1]
    for rule in (
        'figure img { max-width: 44rem; }',
        '.meaning { display: none; }',
        'svg { width: 4rem; }',
    ):
        assert rule in narrow
    page = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert page.count('<p class="meaning">') == len(SCORES)


def test_page_escapes_what_it_is_given(tmp_path):
    attack = '</pre><script src="https://x.y/z.js">alert(1)</script>'
    found = write(
        tmp_path / 'report.html',
        title=attack,
        method=attack,
        config_text=attack,
        notes=[attack],
        versions={attack: attack},
        figures=[(attack, attack, figures.montage(TRUTH, TRUTH))],
        scores={attack: SCORES['pixcorr']},
    )
    assert 'script' not in found.tags and len(found.loaded) == 1
    assert found.text.count('alert(1)') >= 7


def test_page_without_scores_or_figures(tmp_path):
    found = write(tmp_path / 'report.html', scores={}, figures=[])
    assert 'table' not in found.tags and 'img' not in found.tags


def test_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / 'report.html'
    path.write_text('the old one')

    def fail(self, *arguments, **options):
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, 'replace', fail)
        with pytest.raises(OSError, match='disk full'):
            write(path)
    assert [item.name for item in tmp_path.iterdir()] == ['report.html']
    assert path.read_text() == 'the old one'
    with pytest.raises(InputError, match='cannot be written'):
        write(path / 'inside a file' / 'report.html')


@pytest.mark.parametrize(
    ('low', 'value', 'high', 'p', 'expected'),
    [
        (0.6, 0.7, 0.8, 0.01, 'above chance'),
        (0.6, 0.7, 0.8, 0.06, 'not different from chance'),
        (0.4, 0.6, 0.8, 0.01, 'not different from chance'),
        (0.2, 0.3, 0.4, 0.99, 'below chance'),
    ],
)
def test_verdict_needs_the_interval_and_the_test(low, value, high, p, expected):
    entry = {'value': value, 'chance': 0.5, 'low': low, 'high': high, 'p': p}
    assert page.verdict(entry) == expected


def test_numbers_in_words():
    space = '\N{NO-BREAK SPACE}'
    assert score_table.in_words(0.842, True) == f'84{space}%'
    assert score_table.in_words(0.02, True) == f'2.0{space}%'
    assert score_table.in_words(0.9964, True) == f'99.6{space}%'
    assert score_table.in_words(1.0, True) == f'100{space}%'
    assert score_table.in_words(0.314, False) == '0.31'
    durations = [page.duration(s) for s in (0.0451, 12.34, 59.97, 200, 7500)]
    assert durations == [
        '45 ms',
        '12.3 s',
        '1 min 0 s',
        '3 min 20 s',
        '2 h 5 min',
    ]


def test_scores_of_pixels_are_not_said_to_be_of_a_network():
    for name, words in (
        (
            'pixels_ridge',
            'of ridge from voxels to pixels, its alpha chosen inside',
        ),
        ('mse', 'similarity is minus the squared error of pixels'),
        ('pixcorr', 'similarity is correlation of pixels'),
        ('ssim_rgb', 'similarity is SSIM (colour) of pixels'),
        ('conv2', 'the features conv2 of a network, not by their pixels'),
    ):
        score = score_table.describe(f'two_way_{name}')
        assert words in score.meaning and score.percent
        assert name == 'conv2' or 'network' not in score.meaning


@pytest.mark.parametrize(
    ('name', 'label', 'percent'),
    [
        ('pairwise_latents', 'Pairwise, latents', True),
        ('pairwise_latents_V1', 'Pairwise, latents, V1', True),
        ('pairwise_pca', 'Pairwise, latents, PCA', True),
        ('pairwise_pca_FFA', 'Pairwise, latents, FFA, PCA', True),
        ('full_recognition', 'Full recognition', True),
        ('gender_ceiling', 'Gender, ceiling', True),
        ('gender_ceiling_pca', 'Gender, ceiling, PCA', True),
        ('imagery_pca', 'Imagery, PCA', True),
        ('pixcorr_ceiling', 'Pixel correlation, ceiling', False),
        ('ssim_2d_pca', 'SSIM (2-D), PCA', False),
    ],
)
def test_scores_of_faces_are_described(name, label, percent):
    score = score_table.describe(name)
    assert (score.title, score.percent) == (label, percent)
    assert score.meaning
    if '_pca' in name:
        assert f'As “{label.removesuffix(", PCA")}”' in score.meaning


def test_a_score_without_a_description_is_shown_by_its_name(tmp_path):
    assert score_table.describe('novel').title == 'novel'
    scores = {'novel': SCORES['pixcorr']}
    assert 'novel' in write(tmp_path / 'report.html', scores=scores).text
