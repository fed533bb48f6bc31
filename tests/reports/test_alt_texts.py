"""Every drawing says what it shows, in numbers."""

import re

import numpy as np
import pytest

from brainjax import evaluation
from brainjax.evaluation.voxels.receptive_fields import Fields, Preference
from brainjax.reports import DRAWINGS, score_plots

RNG = np.random.default_rng(0)
SEEN = RNG.random((5, 8, 6, 3)).astype(np.float32)
MADE = np.clip(SEEN + RNG.normal(0, 0.2, SEEN.shape), 0, 1).astype(np.float32)
ROIS = {'V1': np.arange(30) < 10}
VOXELS = RNG.uniform(-0.1, 0.9, 30)
SIZES = RNG.uniform(0.05, 0.3, 30)
FIT = np.where(np.arange(30) < 4, 0.9, 0.0)
CORRELATION = [
    np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(SEEN, MADE)
]

# What each kind is drawn from, and what its text has to say.
KINDS = {
    'montage': (
        {'target': SEEN, 'reconstructions': {'ours': MADE}},
        (
            '5 pictures of 6 by 8 pixels',
            f'ours: pixel correlation {np.median(CORRELATION):.2f} in the',
            f'{min(CORRELATION):.2f} to {max(CORRELATION):.2f}',
        ),
    ),
    'picture_grid': (
        {'images': SEEN[None], 'labels': ['gender']},
        ('1 rows of 5 pictures of 6 by 8', f'gender {SEEN.mean():.2f}'),
    ),
    'loss_curves': (
        {'history': [{'epoch': i, 'train_loss': 3.0 - i} for i in range(3)]},
        ('train loss from 3 in epoch 0 to 1 in epoch 2',),
    ),
    'voxel_correlation': (
        {'correlation': VOXELS, 'noise_ceiling': VOXELS + 0.1, 'rois': ROIS},
        (
            f'V1, 10 voxels: correlation {np.median(VOXELS[:10]):.2f}',
            'other voxels, 20 voxels',
            f'noise ceiling {np.median(VOXELS[:10]) + 0.1:.2f}',
        ),
    ),
    'receptive_fields': (
        {
            'fields': Fields(RNG.random((30, 2)), SIZES, FIT),
            'preference': Preference(np.full((1, 30), 1.0), np.zeros(30)),
            'layers': ('conv1',),
            'rois': ROIS,
        },
        (
            'V1: 4 of 10 voxels are located',
            f'picture widths {np.median(SIZES[:4]):.2f}',
            '0 of 20 voxels are located, their size in picture widths not def',
        ),
    ),
    'posterior_montage': (
        {
            'target': SEEN,
            'mean': MADE,
            'samples': np.stack([MADE] * 3, axis=1),
            'deviation': np.full((5, 8, 6), 0.25),
        },
        ('3 draws a picture', 'deviation 0.25 in the median', 'first draw'),
    ),
    'rank_histogram': (
        {'ranks': np.repeat([0, 1, 2, 3], [5, 1, 2, 4]), 'draws': 3},
        ('4 bars', 'expected 3 each: 5 in the first', '4 in the last'),
    ),
    'repeat_curves': (
        {
            'curve': {
                'trials': np.array([1, 2, 5]),
                'pixcorr': np.array([0.1, 0.2, 0.3]),
                'pixcorr_chance': np.zeros(3),
                'pixcorr_low': np.zeros(3),
                'pixcorr_high': np.ones(3),
            },
            'ceilings': {'pixcorr': 0.5},
        },
        ('pixcorr, 1 trials 0.100, 2 trials 0.200, 5 trials 0.300',),
    ),
    'coverage_curve': (
        {'levels': [0.5, 0.9], 'covered': np.array([[0.4, 0.8], [0.5, 0.9]])},
        ('the 50 % interval covers 45 %, the 90 % interval covers 85 %',),
    ),
}


@pytest.mark.parametrize('kind', DRAWINGS)
def test_a_drawing_says_its_numbers(kind):
    values, words = KINDS[kind]
    label = DRAWINGS[kind](**values).get_label()
    for word in words:
        assert word in label, label
    assert '\n' not in label and re.search(r'\d', label)


def test_pictures_of_one_colour_and_nothing_at_all():
    grey = np.full_like(SEEN, 0.5)
    label = DRAWINGS['montage'](SEEN, grey).get_label()
    assert 'pixel correlation not defined (0 values)' in label
    assert '0 quantities' in DRAWINGS['loss_curves']([]).get_label()
    nothing = DRAWINGS['coverage_curve']([0.5], np.full((3, 1), np.nan))
    assert '0 levels' in nothing.get_label()


def test_bars_say_each_score_with_interval_and_chance():
    scores = evaluation.score(SEEN, MADE, draws=50)
    label = score_plots.bars(scores).get_label()
    score = scores['pixcorr']
    assert label.startswith(f'{len(scores)} scores. Pixel correlation ')
    assert (
        f'{score["value"]:.2f}, {score["low"]:.2f} to {score["high"]:.2f}, '
        f'chance {score["chance"]:.2f}' in label
    )
