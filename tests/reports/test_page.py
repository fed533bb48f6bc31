"""Figures hold the data they are given; the page needs nothing but itself."""

import base64
import html.parser
import io
import pathlib

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from brainjax import evaluation, reports
from brainjax.errors import InputError
from brainjax.reports import figures, page

GENERATOR = np.random.default_rng(0)
TRUTH = GENERATOR.random((7, 16, 20, 3)).astype(np.float32)
RECONSTRUCTION = np.clip(TRUTH + GENERATOR.normal(0, 0.2, TRUTH.shape), 0, 1)
SCORES = evaluation.score(
    TRUTH, RECONSTRUCTION, features={'conv2': lambda x: x[:, ::2]}, draws=100
)


def pixels(figure, dpi=100):
    data = base64.b64decode(figures.to_png_base64(figure, dpi))
    image = Image.open(io.BytesIO(data))
    assert image.format == 'PNG'
    return np.asarray(image.convert('RGB'))


def test_png_has_the_size_of_the_figure_and_no_global_figure_is_made():
    before = pyplot.get_fignums()
    assert pixels(Figure(figsize=(2, 1)), dpi=50).shape == (50, 100, 3)
    figures.montage(TRUTH, RECONSTRUCTION)
    figures.score_bars(SCORES)
    assert pyplot.get_fignums() == before


def test_montage_pairs_seen_with_reconstructed():
    sets = {'D': RECONSTRUCTION, 'D+ED': TRUTH[::-1]}
    names = [f'picture {i}' for i in range(7)]
    figure = figures.montage(TRUTH, sets, names, columns=2)
    (axes,) = figure.axes
    shown = [image.get_array() for image in axes.images]
    assert len(shown) == 21
    for i in range(7):
        for found, expected in zip(
            shown[3 * i : 3 * i + 3], (TRUTH, RECONSTRUCTION, TRUTH[::-1])
        ):
            np.testing.assert_array_equal(found, expected[i])
    lefts = [image.get_extent()[0] for image in axes.images]
    tops = [image.get_extent()[3] for image in axes.images]
    assert lefts[0] < lefts[1] < lefts[2] < lefts[3]
    assert tops[0] == tops[3] < tops[6]
    left, right, bottom, top = axes.images[0].get_extent()
    assert (bottom - top) / (right - left) == pytest.approx(16 / 20)
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == ['seen', 'D', 'D+ED'] and texts[-1] == 'picture 6'
    figure = figures.montage(TRUTH, TRUTH, columns=1, first='imagined')
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ['imagined', 'reconstructed']


def test_montage_shows_the_colours_of_bytes_and_floats():
    red = np.zeros((1, 12, 12, 3), np.uint8)
    red[..., 0] = 200
    green = np.zeros((1, 12, 12, 3), np.uint8)
    green[..., 1] = 100
    for scale in (1, 255):
        seen, made = (x if scale == 1 else x / scale for x in (red, green))
        picture = pixels(figures.montage(seen, made))
        row = picture[picture.shape[0] * 2 // 3].tolist()
        quarter = len(row) // 4
        assert row[quarter] == [200, 0, 0]
        assert row[3 * quarter] == [0, 100, 0]


def test_montage_wants_one_reconstruction_a_picture():
    with pytest.raises(InputError, match=r"'D' have shape \(6, 16, 20, 3\)"):
        figures.montage(TRUTH, {'D': RECONSTRUCTION[:6]})


def test_loss_curves():
    history = [
        {'epoch': 0, 'train_total': 100.0, 'validation_total': 120.0, 'de': 0},
        {'epoch': 1, 'train_total': 10.0, 'de': 2, 'note': 'resumed'},
        {'epoch': 2, 'train_total': 1.0, 'validation_total': 3.0,
         'de': float('nan')},
    ]  # fmt: skip
    figure = figures.loss_curves(history)
    total, de = (axes for axes in figure.axes if axes.axison)
    assert total.get_title(loc='left') == 'total'
    train, validation = total.lines
    assert train.get_xydata().tolist() == [[0, 100], [1, 10], [2, 1]]
    assert validation.get_xydata().tolist() == [[0, 120], [2, 3]]
    assert total.get_yscale() == 'log' and de.get_yscale() == 'linear'
    assert de.lines[0].get_xydata().tolist() == [[0, 0], [1, 2]]
    pixels(figures.loss_curves([]))


def test_score_bars_show_value_chance_and_interval():
    axes = figures.score_bars(SCORES).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == 'Pixel correlation' and len(labels) == len(SCORES)
    for y, entry in enumerate(SCORES.values()):
        _, chance, interval, dot = axes.lines[4 * y : 4 * y + 4]
        assert set(chance.get_xdata()) == {entry['chance']}
        assert list(interval.get_xdata()) == [entry['low'], entry['high']]
        assert dot.get_xydata().tolist() == [[entry['value'], y]]
    mine = Figure().subplots()
    assert figures.score_bars(SCORES, mine) is mine.figure


def test_voxel_correlation():
    correlation = GENERATOR.uniform(-0.1, 0.8, 30)
    ceiling = GENERATOR.uniform(0.2, 1, 30)
    v1 = np.arange(30) < 10
    rois = {'V1': v1, 'early': np.arange(30) < 15}
    axes = figures.voxel_correlation(correlation, ceiling, rois).axes[0]
    first, second, rest = (dots.get_offsets() for dots in axes.collections)
    np.testing.assert_allclose(
        first, np.stack([ceiling[v1], correlation[v1]], axis=1)
    )
    assert (len(first), len(second), len(rest)) == (10, 5, 15)
    label = axes.get_legend().get_texts()[0].get_text()
    assert label == f'V1 (10), median {np.median(correlation[v1]):.2f}'
    some = {'HVC': v1, 'V2': np.arange(30) > 25, 'V1': np.arange(30) > 20}
    assert list(figures.regions(30, some)) == [
        'V1',
        'V2',
        'HVC',
        'other voxels',
    ]
    axes = figures.voxel_correlation(correlation).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 30


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
            ('Scores', '', figures.score_bars(SCORES)),
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
    for words in ('seed: 0', '3 min 20 s', '0.10', 'Repeats were averaged.'):
        assert words in text


def test_page_shows_every_score(tmp_path):
    text = write(tmp_path / 'report.html').text
    entry = SCORES['pixcorr']
    for value in (entry['value'], entry['chance'], entry['low']):
        assert f'{value:.3f}' in text
    entry = SCORES['all_way_conv2']
    assert f'{100 * entry["chance"]:.1f}{reports.PERCENT}' in text
    for name in SCORES:
        assert reports.describe(name).label in text
        assert reports.describe(name).meaning in text
    assert 'Among all 7 test pictures' in text
    assert 'of one colour' not in text
    assert 'Higher is better, except for errors, distances' in text
    assert 'p is not corrected for the number of rows' in text
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
        (0.6, 0.7, 0.8, 0.06, 'not told from chance'),
        (0.4, 0.6, 0.8, 0.01, 'not told from chance'),
        (0.2, 0.3, 0.4, 0.99, 'below chance'),
    ],
)
def test_verdict_needs_the_interval_and_the_test(low, value, high, p, expected):
    entry = {'value': value, 'chance': 0.5, 'low': low, 'high': high, 'p': p}
    assert page.verdict(entry) == expected


def test_numbers_in_words():
    space = '\N{NO-BREAK SPACE}'
    assert reports.in_words(0.842, True) == f'84{space}%'
    assert reports.in_words(0.02, True) == f'2.0{space}%'
    assert reports.in_words(0.9964, True) == f'99.6{space}%'
    assert reports.in_words(1.0, True) == f'100{space}%'
    assert reports.in_words(0.314, False) == '0.31'
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
            'pixels_by_ridge',
            'Direct ridge from voxels to pixels, the reference',
        ),
        ('mse', 'similarity is minus the squared error of pixels'),
        ('pixcorr', 'similarity is correlation of pixels'),
        ('ssim_rgb', 'similarity is SSIM (colour) of pixels'),
        ('conv2', 'the features conv2 of a network, not by their pixels'),
    ):
        score = reports.describe(f'two_way_{name}')
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
    score = reports.describe(name)
    assert (score.label, score.percent) == (label, percent)
    assert score.meaning
    if '_pca' in name:
        assert f'As “{label.removesuffix(", PCA")}”' in score.meaning


def test_a_score_without_a_description_is_shown_by_its_name(tmp_path):
    assert reports.describe('novel').label == 'novel'
    scores = {'novel': SCORES['pixcorr']}
    assert 'novel' in write(tmp_path / 'report.html', scores=scores).text
