"""Scores of decoded features beside the field's own definitions."""

import numpy as np
import pytest
from tiny_inversion_files import SHAPES

from brainjax.io import feature_folders
from brainjax.methods.inversion import feature_scores

TEST, TRAIN = [f'test{i}' for i in range(9)], [f'seen{i}' for i in range(30)]


@pytest.fixture(params=SHAPES)
def layers(request, tmp_path):
    rng, shape = np.random.default_rng(0), SHAPES[request.param]
    scale = np.exp(rng.standard_normal(shape))  # Units differ in their spread.
    train = rng.standard_normal((30, *shape)) * scale + 3
    true = rng.standard_normal((9, *shape)) * scale + 3
    decoded = 0.3 * true + 0.2 * scale * rng.standard_normal(true.shape)
    train[:, 0] = 1.0  # Dead in training: no z-score.
    arrays, found = [np.float32(x) for x in (decoded, true, train)], []
    for part, names, values in zip('dtn', (TEST, TEST, TRAIN), arrays):
        folder = tmp_path / part
        feature_folders.write_compact(folder, 'x', names, values)
        found.append(feature_folders.open_layers(folder)['x'])
    return found, [x.reshape(len(x), -1).astype(float) for x in arrays]


def test_scores_are_those_of_whole_matrices(layers, monkeypatch):
    monkeypatch.setattr(feature_scores, 'UNITS_AT_A_TIME', 20)
    (decoded, true, train), (d, t, n) = layers
    found = feature_scores.score_layer(decoded, true, TEST, train, TRAIN)
    profile = [np.corrcoef(x, y)[0, 1] for x, y in zip(d.T, t.T)]
    np.testing.assert_allclose(found.profile, profile, atol=1e-6)
    std = n.std(axis=0, ddof=1)
    alive = std > 0
    assert 0 < (~alive).sum() < len(std) / 2
    z = [((x - n.mean(0)) / np.where(alive, std, 1))[:, alive] for x in (d, t)]
    pattern = [np.corrcoef(x, y)[0, 1] for x, y in zip(*z)]
    np.testing.assert_allclose(found.pattern, pattern, atol=1e-5)
    similarity = np.corrcoef(t, d)[:9, 9:]
    np.testing.assert_allclose(found.similarity, similarity, atol=1e-6)
    # Pairwise: how many other true patterns are less like the decoded one.
    right = [
        np.mean(np.delete(similarity[:, i], i) < similarity[i, i])
        for i in range(9)
    ]
    [row] = feature_scores.rows([('x', found)])
    told = dict(zip(feature_scores.COLUMNS, row))
    assert told['layer'] == 'x' and told['units'] == d.shape[1]
    for name, expected in (
        ('profile_correlation', np.mean(profile)),
        ('median_profile_correlation', np.median(profile)),
        ('pattern_correlation', np.mean(pattern)),
        ('two_way', np.mean(right)),
    ):
        assert float(told[name]) == pytest.approx(expected, abs=6e-5)


def test_without_training_pictures_there_is_no_z_score(layers):
    (decoded, true, _), _ = layers
    found = feature_scores.score_layer(decoded, true, TEST)
    assert np.isnan(found.pattern).all() and len(found.pattern) == 9
    [row] = feature_scores.rows([('x', found)])
    assert row[feature_scores.COLUMNS.index('pattern_correlation')] == ''


def test_memory_is_bounded_and_changes_nothing(layers, monkeypatch):
    (decoded, true, train), _ = layers
    free = feature_scores.score_layer(decoded, true, TEST, train, TRAIN)
    most, read = [], feature_scores.feature_folders.read

    def measured(layer, names, *channels):
        found = read(layer, names, *channels)
        most.append(found.nbytes)
        return found

    monkeypatch.setattr(feature_scores.feature_folders, 'read', measured)
    bound = feature_scores.score_layer(
        decoded, true, TEST, train, TRAIN, allowed=1
    )
    channel = true.units // true.shape[0] * 4
    assert max(most) == len(TEST) * channel  # One, of all test pictures.
    for mine, theirs in zip(bound, free):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-9)
