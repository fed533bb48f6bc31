"""Figures hold the data that they are given."""

import base64
import io
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from brainjax import evaluation, reports
from brainjax.errors import InputError
from brainjax.evaluation.voxels.receptive_fields import Fields, Preference
from brainjax.reports import encoder_figures, figures, score_plots

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
    score_plots.bars(SCORES)
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
    axes = score_plots.bars(SCORES).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == 'Pixel correlation' and len(labels) == len(SCORES)
    for y, entry in enumerate(SCORES.values()):
        _, chance, interval, dot = axes.lines[4 * y : 4 * y + 4]
        assert set(chance.get_xdata()) == {entry['chance']}
        assert list(interval.get_xdata()) == [entry['low'], entry['high']]
        assert dot.get_xydata().tolist() == [[entry['value'], y]]
    mine = Figure().subplots()
    assert score_plots.bars(SCORES, mine) is mine.figure


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


def test_picture_grid_shows_rows_with_labels_and_titles():
    images = np.zeros((2, 3, 4, 4, 3), np.uint8)
    images += np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1)
    figure = figures.picture_grid(images, ['one', 'other'], ['a', 'b', 'c'])
    shown = [image.get_array() for image in figure.axes[0].images]
    np.testing.assert_array_equal(shown, images.reshape(6, 4, 4, 3))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ['a', 'b', 'c', 'one', 'other']


class Finding(NamedTuple):
    title: str
    caption: str
    kind: str
    values: dict


def test_findings_are_drawn_by_their_kind():
    values = {
        'montage': {'target': TRUTH, 'reconstructions': {'fMRI': TRUTH}},
        'loss_curves': {'history': [{'epoch': 0, 'train_total': 1.0}]},
        'voxel_correlation': {
            'correlation': np.linspace(0, 1, 5), 'noise_ceiling': None,
            'rois': {'V1': np.arange(5) < 2},
        },
        'receptive_fields': {
            'fields': Fields(
                np.full((5, 2), 0.4), np.full(5, 0.1), np.ones(5)
            ),
            'preference': Preference(np.full((2, 5), 0.5), np.full(5, 0.5)),
            'layers': ('early', 'late'),
            'rois': {},
        },
        'picture_grid': {'images': TRUTH[None], 'labels': ['face']},
        'posterior_montage': {
            'target': TRUTH, 'mean': TRUTH, 'samples': TRUTH[:, None],
            'deviation': TRUTH[..., 0],
        },
        'rank_histogram': {'ranks': np.arange(5)[:, None], 'draws': 4},
        'coverage_curve': {
            'levels': np.array([0.5]), 'covered': np.full((3, 1), 0.4),
        },
        'repeat_curves': {
            'curve': {
                'trials': np.array([1.0, 2.0]),
                **{
                    f'pixcorr{what}': np.array([0.1, 0.2])
                    for what in ('', '_chance', '_low', '_high')
                },
            },
            'ceilings': {'pixcorr': 0.9},
        },
    }  # fmt: skip
    assert values.keys() == reports.DRAWINGS.keys()
    for kind, given in values.items():
        figure = reports.draw(Finding(kind, 'What it shows.', kind, given))
        assert isinstance(figure, Figure) and pixels(figure, 30).std() > 0


NAMES = [r'$\frac{', '$a$', '_hidden', 'half\ud800', 'V1']


def test_names_are_drawn_letter_by_letter():
    rois = {name: np.arange(5) == i for i, name in enumerate(NAMES)}
    fields = Fields(np.full((5, 2), 0.4), np.full(5, 0.1), np.ones(5))
    preference = Preference(np.full((2, 5), 0.5), np.full(5, 0.5))
    drawn = (
        figures.montage(TRUTH[:5], {'$x$_$': TRUTH[:5]}, NAMES),
        figures.picture_grid(TRUTH[None, :5], ['$\\a$'], NAMES),
        figures.voxel_correlation(np.linspace(0, 1, 5), np.ones(5), rois),
        figures.voxel_correlation(np.linspace(0, 1, 5), None, rois),
        encoder_figures.receptive_fields(fields, preference, NAMES[:2], rois),
        score_plots.bars({f'encoder_correlation_in_{n}': SCORES['pixcorr']
                          for n in NAMES}),
    )  # fmt: skip
    for figure in drawn:
        assert pixels(figure, 30).std() > 0
    legend = drawn[2].axes[0].get_legend().get_texts()
    assert len(legend) == 5
    assert figures.plain('V1 $x$') == r'V1 \$x\$'
