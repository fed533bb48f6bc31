"""Every score that anything here writes is in the table, and read rightly."""

import numpy as np
import pytest

from brainjax import evaluation
from brainjax.errors import InputError
from brainjax.evaluation import (
    classification,
    distractors,
    network_features,
    score_notes,
    scores,
)
from brainjax.evaluation.human import choices, human_sessions
from brainjax.evaluation.published import god, presets, protocols
from brainjax.evaluation.table.score_table import SCORES, describe

RNG = np.random.default_rng(0)
TARGET = RNG.integers(256, size=(4, 16, 16, 3), dtype=np.uint8)
MADE = RNG.integers(256, size=(4, 16, 16, 3), dtype=np.uint8)
FEATURES = [*network_features.NODES, 'vgg16_relu4_2']
LPIPS = [name + end for name in protocols.LPIPS for end in ('', '_baseline')]

# What the methods' findings add to the scores of pictures.
OF_METHODS = (
    *('encoder_correlation', 'encoder_correlation_in_lh.V1d'),
    *('two_way_conv1_2', 'two_way_fc8', 'two_way_pixels_ridge'),
    *('pixcorr_from_V1', 'two_way_pixels_from_conv1 to conv3'),
    *('pairwise_latents', 'pairwise_latents_FFA', 'pairwise_pca'),
    *('pairwise_pca_V1', 'full_recognition', 'full_recognition_pca'),
    *('gender', 'gender_pca', 'gender_ceiling', 'gender_ceiling_pca'),
    *('imagery', 'imagery_pca', 'pixcorr_ceiling', 'ssim_2d_ceiling'),
    *('pixcorr_pca', 'ssim_2d_pca', 'two_way_pixels_ceiling'),
    *('pixcorr_of_ceiling', 'ssim_2d_of_ceiling', 'pixcorr_single_trial'),
    *('two_way_pixels_split_half', 'pixcorr_reliability'),
)


def of_presets():
    """Scores by name, with whatever networks there may be."""
    options = {'draws': 5}
    found = {}
    for preset in ('own-size', 'brain-diffuser', 'ours', 'mindeye2'):
        found |= presets.score(
            TARGET, MADE, preset, networks=[], draws=5
        ).scores
    similarity = RNG.random((4, 4))
    for name in FEATURES:
        found |= scores.identification_scores(name, similarity, **options)
        found |= scores.retrieval_scores(name, similarity, **options)
        found[f'distance_{name}'] = scores.make_score(
            [similarity], lower=True, **options
        )
    for name in LPIPS:
        found[name] = scores.make_score([similarity], lower=True, **options)
        found |= scores.identification_scores(name, similarity, **options)
    found |= god.score(TARGET, MADE, lambda x, y: similarity, **options)
    for name in ('vgg16', 'lpips_alexnet'):
        found |= distractors.score(
            TARGET, MADE, np.zeros((1200, 1)),
            lambda x, y: RNG.random((len(x), len(y))), f'perceptual_{name}',
            **options,
        )  # fmt: skip
    bank = classification.Bank(
        tuple(f'{i:04d}' for i in range(1000)),
        RNG.normal(size=(1000, 8)),
        np.ones(1000, int),
    )
    found |= classification.classify(
        RNG.normal(size=(3, 8)), ['0001', '0007', '0009'], bank, **options
    ).scores
    checks, times = np.ones(8, bool), np.full(10, 900)
    session = human_sessions.Session(
        'a.csv', 'a', 1, {'x': True, 'y': False}, checks, times
    )
    for methods, name in choices.NAMES.items():
        found[name] = choices.score([session], methods, **options).score
    return found


def test_every_score_has_an_item():
    found = of_presets()
    found |= {
        f'{name}_of_shapes': score
        for name, score in evaluation.score(TARGET, MADE, draws=5).items()
    }
    assert 'identification_1000way_perceptual_vgg16' in found
    assert 'fifty_way_pixels' not in found
    for name in (*found, *OF_METHODS, 'fifty_way_clip'):
        item = describe(name)
        assert item.meaning and item.title and item.chance, name
        assert '{' not in item.title + item.meaning + item.chance, name
    for name, score in found.items():
        item = describe(name)
        assert (score.get('better') == 'lower') == item.lower, name
        low, high = sorted((item.worst, item.best))
        assert low <= score['value'] <= high, name
        assert low <= score['chance'] <= high, name
        if item.percent:
            assert (low, high) == (0, 1), name


@pytest.mark.parametrize(
    'name', [name for name, item in SCORES.items() if item.table]
)
def test_tables_of_pictures(name):
    item = SCORES[name]
    table = item.table(TARGET, MADE)
    assert table.shape == (4, 4)
    same = np.diagonal(item.table(TARGET, TARGET))
    np.testing.assert_allclose(same, item.best, atol=1e-9)
    one = item.table(TARGET[1:2], MADE[2:3])
    np.testing.assert_allclose(one, table[1:2, 2:3], atol=1e-9)


def test_pictures_smaller_than_a_window_are_scored_without_it():
    small = TARGET[:, :10, :9]
    found = evaluation.score(small, MADE[:, :10, :9], draws=5)
    assert list(found) == ['pixcorr', 'two_way_pixels', 'all_way_pixels']
    sentences = score_notes.left_out(small.shape)
    assert len(sentences) == 2
    assert 'SSIM (2-D) is not scored: the pictures are 10 x 9' in sentences[0]
    assert score_notes.left_out(TARGET.shape) == []
    found = presets.score(small, small, networks=[], draws=5)
    assert found.notes[1:] == sentences
    with pytest.raises(InputError, match='at least 11 x 11'):
        SCORES['ssim_2d'].table(small, small)
