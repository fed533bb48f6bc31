import numpy as np
import pytest

from brainjax.evaluation.voxels import encoding


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_voxel_correlation_is_pearsons():
    a, b = draw(20, 6), draw(20, 6, seed=1)
    b[:, 0] = 3 - 2 * a[:, 0]
    ours = encoding.voxel_correlation(np.float32(a), np.float32(b))
    expected = [np.corrcoef(a[:, v], b[:, v])[0, 1] for v in range(6)]
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert ours[0] == pytest.approx(-1)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('value', [0.0, 0.1, 1e6 + 0.1])
def test_a_constant_voxel_correlates_with_nothing(value, dtype):
    a, b = draw(7, 3).astype(dtype), draw(7, 3, seed=1).astype(dtype)
    a[:, 1] = value
    for r in (
        encoding.voxel_correlation(a, b),
        encoding.voxel_correlation(b, a),
    ):
        assert r[1] == 0 and np.all(r[[0, 2]] != 0)


def test_small_variation_on_a_large_mean_still_counts():
    signal = draw(50, 1)
    r = encoding.voxel_correlation(1000 + 1e-3 * signal, signal)
    assert r[0] == pytest.approx(1, abs=1e-6)


def test_score_of_a_good_prediction():
    measured = draw(40, 30)
    predicted = measured + draw(40, 30, seed=1)
    score = encoding.score(predicted, measured)
    assert score['value'] == pytest.approx(
        np.median(encoding.voxel_correlation(predicted, measured))
    )
    assert score['low'] < score['value'] < score['high']
    assert score['low'] > 0.55 and score['high'] < 0.85
    assert abs(score['chance']) < 0.05
    assert score['p'] == pytest.approx(1 / 501) and score['n'] == 40
    assert score == encoding.score(predicted, measured)
    assert score != encoding.score(predicted, measured, seed=1)


def test_score_of_noise_is_at_chance():
    score = encoding.score(draw(40, 30), draw(40, 30, seed=1))
    assert score['low'] < 0.05 and score['high'] > -0.05
    assert score['p'] > 0.02
    assert all(type(value) in (int, float) for value in score.values())


def test_chance_is_that_of_permuted_stimuli():
    # All voxels follow one signal: chance varies widely, around 0.
    measured = draw(10, 1).repeat(8, axis=1)
    score = encoding.score(measured, measured, draws=300)
    rng = np.random.default_rng(5)
    null = [
        np.corrcoef(measured[rng.permutation(10), 0], measured[:, 0])[0, 1]
        for _ in range(3000)
    ]
    assert score['value'] == pytest.approx(1)
    assert abs(score['chance'] - np.mean(null)) < 4 * np.std(null) / 300**0.5


def test_regions_are_scored_beside_their_ceiling():
    rng = np.random.default_rng(0)
    measured = rng.normal(size=(40, 60))
    noise = np.repeat([0.5, 3.0, 3.0], 20)
    predicted = measured + noise * rng.normal(size=(40, 60))
    regions = {
        'early': np.arange(60) < 20,
        'late': np.arange(60) >= 20,
        'elsewhere': np.zeros(60, bool),  # Where other voxels were chosen.
    }
    ceiling = np.repeat([0.9, 0.5, 0.05], 20)
    found = encoding.by_region(predicted, measured, regions, ceiling)
    assert regions.pop('elsewhere').sum() == 0 and 'elsewhere' not in found
    for name, mask in regions.items():
        r = encoding.voxel_correlation(predicted[:, mask], measured[:, mask])
        entry = found[name]
        assert entry['voxels'] == mask.sum()
        assert entry['value'] == pytest.approx(np.median(r))
        assert entry['quantile_75'] == pytest.approx(np.quantile(r, 0.75))
        assert entry['quantile_90'] == pytest.approx(np.quantile(r, 0.9))
    early = encoding.voxel_correlation(predicted, measured)[:20]
    assert found['early']['normalised'] == pytest.approx(np.median(early) / 0.9)
    # Voxels whose ceiling is noise are left out.
    middle = encoding.voxel_correlation(predicted, measured)[20:40]
    assert found['late']['normalised'] == pytest.approx(np.median(middle) / 0.5)
    assert (
        'normalised'
        not in encoding.by_region(predicted, measured, regions)['early']
    )


@pytest.mark.filterwarnings('ignore:All-NaN')
def test_two_stimuli_have_no_correlation():
    predicted, measured = draw(2, 5), draw(2, 5, seed=1)
    score = encoding.score(predicted, measured)
    assert score.pop('n') == 2
    assert np.isnan(list(score.values())).all()
    regions = {'V1': np.arange(5) < 3}
    found = encoding.by_region(predicted, measured, regions, np.ones(5))['V1']
    assert (found.pop('n'), found.pop('voxels')) == (2, 3)
    assert np.isnan(list(found.values())).all()
    three = encoding.score(draw(3, 5), draw(3, 5, seed=1), draws=20)
    assert np.isnan(three.pop('low')) and np.isnan(three.pop('high'))
    assert np.isfinite(list(three.values())).all()
