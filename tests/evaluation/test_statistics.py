"""Intervals and permutation tests against enumeration and known nulls."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from brainjax import evaluation
from brainjax.errors import InputError
from brainjax.evaluation import (
    identification,
    intervals,
    pixels,
    ssim,
    statistics,
)
from brainjax.evaluation import scores as score_module
from brainjax.evaluation.intervals import CORRELATION


def test_sign_flips_average_to_nothing_and_keep_the_spread():
    values = np.random.default_rng(0).normal(3, 1, 40)
    null = statistics.sign_flip_null(values, 20_000)
    spread = np.sqrt((values**2).sum()) / 40
    assert null.mean() == pytest.approx(0, abs=4 * spread / np.sqrt(20_000))
    assert null.std() == pytest.approx(spread, rel=0.03)


def test_false_discovery_is_scipys():
    p_values = np.random.default_rng(0).random((3, 7)) ** 2
    np.testing.assert_allclose(
        statistics.false_discovery(p_values),
        stats.false_discovery_control(p_values, axis=None).reshape(3, 7),
    )
    p_values[1, 2] = np.nan
    found = statistics.false_discovery(p_values)
    assert np.isnan(found[1, 2]) and np.isfinite(found).sum() == 20
    rest = p_values[np.isfinite(p_values)]
    np.testing.assert_allclose(
        found[np.isfinite(found)], stats.false_discovery_control(rest)
    )


def test_paired_difference_against_all_sign_flips():
    generator = np.random.default_rng(0)
    theirs = generator.normal(size=8)
    ours = theirs + generator.normal(0.4, 0.6, 8)
    difference = ours - theirs
    flips = np.array(list(itertools.product((1, -1), repeat=8)))
    exact = np.mean(abs(flips @ difference) >= abs(difference.sum()) - 1e-12)
    found = statistics.paired_difference(ours, theirs, draws=40_000)
    assert found['p'] == pytest.approx(exact, abs=4 * (exact / 40_000) ** 0.5)
    assert found['value'] == pytest.approx(difference.mean())
    assert found['low'] < found['value'] < found['high'] and found['n'] == 8
    same = statistics.paired_difference(ours, ours, draws=100)
    assert same['value'] == 0 and same['p'] == 1


def test_paired_p_is_uniform_without_a_difference():
    generator = np.random.default_rng(0)
    p_values = [
        statistics.paired_difference(*generator.normal(size=(2, 30)), i, 299)[
            'p'
        ]
        for i in range(300)
    ]
    assert uniform(p_values) > 0.01


def test_normalised_scores():
    found = statistics.normalised([0.3, 0.75, 0.2], [0.6, 0.75, 0.05])
    np.testing.assert_allclose(found, [0.5, 1, np.nan])
    assert statistics.normalised(0.8, 0.9, chance=0.5) == pytest.approx(0.75)


def permutation_p(table, draws, seed=0):
    """p of the mean of a table's diagonal, under exchange of its columns."""
    null = statistics.permutation_null([table], draws, seed)
    return statistics.p_value(np.diagonal(table).mean(), null)


def two_way_table(matrix):
    return identification.n_way_table(matrix, 2)


def test_p_is_that_of_all_permutations():
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(5, 5)) + 1.5 * np.eye(5)
    means = [
        matrix[range(5), list(permutation)].mean()
        for permutation in itertools.permutations(range(5))
    ]
    exact = np.mean(np.array(means) >= np.trace(matrix) / 5 - 1e-12)
    assert 0.02 < exact < 0.5
    found = permutation_p(matrix, draws=40_000)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / 40_000))


def test_p_has_a_floor_and_a_ceiling():
    assert permutation_p(np.eye(30), draws=99) == 0.01
    # Reconstructions that are all alike can be exchanged without effect.
    alike = np.tile(np.random.default_rng(0).normal(size=(30, 1)), 30)
    for table in (alike, two_way_table(alike)):
        assert permutation_p(table, draws=99) == 1


def uniform(p_values):
    return stats.kstest(p_values, 'uniform').pvalue


def test_p_is_uniform_under_the_null():
    generator = np.random.default_rng(0)
    found = {np.asarray: [], two_way_table: []}
    for experiment in range(400):
        # Reconstructions that share a common part but know nothing.
        truth = generator.normal(size=(12, 20))
        guess = generator.normal(size=(12, 20)) + generator.normal(size=20)
        matrix = identification.similarity(truth, guess)
        for table_of, p_values in found.items():
            table = table_of(matrix)
            p_values.append(permutation_p(table, draws=199, seed=experiment))
    for p_values in found.values():
        assert uniform(p_values) > 0.01


def test_a_binomial_p_over_pairs_would_not_be_uniform():
    generator = np.random.default_rng(0)
    p_values = []
    for _ in range(400):
        wins = identification.two_way(generator.normal(size=(12, 12))).sum()
        p_values.append(stats.binom.sf(round(wins * 11) - 1, 132, 0.5))
    assert uniform(p_values) < 1e-6


def test_permutation_within_groups_is_valid_too():
    generator = np.random.default_rng(0)
    p_values = []
    for experiment in range(300):
        tables = generator.normal(size=(3, 4, 4))
        observed = np.mean([np.trace(table) / 4 for table in tables])
        null = statistics.permutation_null(tables, 199, experiment)
        p_values.append(statistics.p_value(observed, null))
    assert uniform(p_values) > 0.01


def pictures(n, side=16, seed=0):
    return np.random.default_rng(seed).random((n, side, side, 3))


def diagonal_of(name):
    return lambda x, y: np.diagonal(ssim.table(name, x, y))


def test_score_of_good_reconstructions():
    truth = pictures(52)
    noise = pictures(52, seed=1)
    reconstruction = 0.4 * truth + 0.6 * noise

    def coarse_pixels(images):
        return images[:, ::4, ::4]

    scores = evaluation.score(
        truth, reconstruction, features={'coarse': coarse_pixels}, draws=2000
    )
    assert list(scores) == [
        'pixcorr',
        'ssim_2d',
        'ssim_1d',
        'two_way_pixels',
        'fifty_way_pixels',
        'two_way_coarse',
        'fifty_way_coarse',
    ]
    assert json.loads(json.dumps(scores)) == scores
    for name, entry in scores.items():
        assert entry['n'] == 52
        assert entry['p'] == pytest.approx(1 / 2001)
        assert (
            entry['chance'] < entry['low'] <= entry['value'] <= entry['high']
        ), name
    for name, function in (
        ('pixcorr', pixels.pixel_correlation),
        ('ssim_2d', diagonal_of('ssim_2d')),
        ('ssim_1d', diagonal_of('ssim_1d')),
    ):
        per_picture = function(truth, reconstruction)
        assert scores[name]['value'] == pytest.approx(per_picture.mean())
        interval = intervals.interval(per_picture, CORRELATION, draws=2000)
        found = scores[name]['low'], scores[name]['high']
        assert found == pytest.approx(interval, abs=0.002)
    # Of all pairs, as permutations leave one in n where it is.
    paired = [
        pixels.pixel_correlation(truth, np.roll(reconstruction, shift, 0))
        for shift in range(52)
    ]
    assert scores['pixcorr']['chance'] == pytest.approx(np.mean(paired))
    assert scores['two_way_pixels']['chance'] == 0.5
    assert scores['fifty_way_pixels']['chance'] == 1 / 50
    coarse = [
        coarse_pixels(images).reshape(52, -1)
        for images in (truth, reconstruction)
    ]
    matrix = identification.similarity(*coarse)
    assert scores['fifty_way_coarse']['value'] == pytest.approx(
        identification.n_way(matrix, 50).mean()
    )


def test_score_names_and_chance_with_few_pictures():
    truth = pictures(5)
    scores = evaluation.score(truth, truth, draws=200)
    assert list(scores)[3:] == ['two_way_pixels', 'all_way_pixels']
    assert scores['all_way_pixels']['chance'] == 1 / 5
    assert scores['all_way_pixels']['n'] == 5
    for name in ('pixcorr', 'ssim_2d', 'ssim_1d', 'all_way_pixels'):
        assert scores[name]['value'] == pytest.approx(1)


def test_score_does_not_depend_on_groups_for_its_value(monkeypatch):
    truth, reconstruction = pictures(11), pictures(11, seed=1)
    whole = evaluation.score(truth, reconstruction, draws=500)
    monkeypatch.setattr(score_module, 'SUBSET', 4)
    monkeypatch.setattr(score_module, 'SMALLEST_SUBSET', 4)
    grouped = evaluation.score(truth, reconstruction, draws=500)
    for name in ('ssim_2d', 'ssim_1d'):
        assert grouped[name]['value'] == pytest.approx(whole[name]['value'])
        assert abs(grouped[name]['p'] - whole[name]['p']) < 0.3


def test_constant_reconstructions_score_chance():
    scores = evaluation.score(pictures(6), np.full((6, 16, 16, 3), 0.1))
    assert scores['pixcorr']['value'] == 0
    assert scores['pixcorr']['constant'] == 6
    assert scores['two_way_pixels']['value'] == 0.5
    assert scores['all_way_pixels']['value'] == pytest.approx(1 / 6)
    assert all(entry['p'] == 1 for entry in scores.values())


def test_uint8_pictures_reach_features_as_floats():
    seen = []

    def feature(images):
        seen.append((images.dtype, images.max()))
        return images

    bytes_ = np.round(pictures(3) * 255).astype(np.uint8)
    evaluation.score(bytes_, pictures(3), features={'net': feature}, draws=10)
    assert seen[0][0] == np.float32 and seen[0][1] <= 1


def test_bad_pictures_are_named():
    with pytest.raises(InputError, match='1 test picture'):
        evaluation.score(pictures(1), pictures(1))
    with pytest.raises(InputError, match='not finite'):
        evaluation.score(
            pictures(3), pictures(3), features={'net': lambda x: x * np.nan}
        )


def test_what_is_no_number_has_no_p():
    assert np.isnan(statistics.p_value(np.nan, np.zeros(9)))
    assert np.isnan(statistics.p_value(0.5, np.array([0.1, np.nan])))
    assert statistics.p_value(1.0, np.zeros(9)) == pytest.approx(0.1)


def test_family_wise_error_of_many_tests():
    """Holm 1979: the smallest p times n, the next times n - 1, and so on."""
    found = statistics.family_wise(np.array([0.01, 0.04, 0.03, 0.5]))
    np.testing.assert_allclose(found, [0.04, 0.09, 0.09, 0.5])
    np.testing.assert_allclose(statistics.family_wise(np.array([0.9])), [0.9])
    p = np.random.default_rng(0).random((2000, 7))
    least = [statistics.family_wise(each).min() for each in p]
    assert 0.03 < np.mean(np.array(least) < 0.05) < 0.07
    assert max(least) <= 1


def drawn(values, family='x'):
    return statistics.standardised(values[0], np.array(values[1:]), family)


def test_max_t_is_westfall_and_youngs_step_down():
    """Their algorithm 2.8 (1993), written as loops over rows and draws."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 400)) + rng.normal(size=400)
    table[:, 0] += [0.5, 4, 2.5, 1, 3, 0]
    nulls = {f'{i}': drawn(row) for i, row in enumerate(table)}
    z = np.array([null.draws for null in nulls.values()])
    order, q = np.argsort(-z[:, 0]), {}
    for k, row in enumerate(order):
        rest = z[order[k:]].max(axis=0)
        here = np.mean(rest >= z[row, 0] - 1e-4)
        q[f'{row}'] = max([here, *q.values()])
    assert statistics.max_t(nulls) == pytest.approx(q)
    p = {name: np.mean(n.draws >= n.draws[0]) for name, n in nulls.items()}
    assert all(q[name] >= p[name] for name in q)


def test_max_t_of_the_same_score_is_its_p_and_of_unrelated_ones_holms():
    values = np.random.default_rng(0).normal(size=1000)
    values[0] = 2
    same = statistics.max_t({name: drawn(values) for name in 'abcdefgh'})
    p = np.mean(values >= 2)
    assert same == pytest.approx(dict.fromkeys('abcdefgh', p))
    p = np.array([0.001, 0.04, 0.012, 0.3])
    found = statistics.max_t(
        {f'{i}': statistics.of_p(x, i) for i, x in enumerate(p)}
    )
    holm = statistics.family_wise(p)
    np.testing.assert_allclose(
        [found[f'{i}'] for i in range(4)], holm, atol=1e-3
    )


def test_a_report_without_information_has_a_small_q_in_a_twentieth():
    rng = np.random.default_rng(0)
    least, smallest = [], []
    for experiment in range(200):
        matrix = rng.normal(size=(10, 10)) + rng.normal(size=(10, 1))
        options = {'seed': experiment, 'draws': 199}
        found = score_module.identification_scores('x', matrix, **options)
        found |= score_module.retrieval_scores('x', matrix, **options)
        found['r'] = score_module.make_score([matrix], **options)
        flips = rng.normal(size=10), np.zeros(10)
        found['d'] = statistics.paired_difference(*flips, **options)
        found = statistics.corrected(found, {'known': {'p': rng.random()}})
        least.append(min(score['q'] for score in found.values()))
        smallest.append(min(score['p'] for score in found.values()))
    assert 0.01 < np.mean(np.array(least) <= 0.05) < 0.09
    assert np.mean(np.array(smallest) <= 0.05) > 0.15
