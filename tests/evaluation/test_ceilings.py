"""What noise and a method allow, against loops and known noise."""

import numpy as np
import pytest

from brainjax import evaluation
from brainjax.evaluation import ceilings
from brainjax.evaluation.ceilings import Repeats
from brainjax.evaluation.table.score_table import describe
from brainjax.recordings import Trials

STIMULUS = np.repeat([7, 3, 9], [5, 6, 9])
SHOWN = np.array([3, 7, 9])


def test_averages_share_no_trial():
    found = ceilings.plan(STIMULUS, SHOWN, seed=1)
    whole = found.half == ceilings.WHOLE
    assert {*found.trials[whole]} == {1, 2, 4}  # Below the least, 5.
    for i in range(3):
        for k in (1, 2, 4):
            mine = whole & (found.target == i) & (found.trials == k)
            rows = np.concatenate([found.rows[j] for j in np.flatnonzero(mine)])
            assert len({*rows}) == len(rows) == k * mine.sum()
            assert (STIMULUS[rows] == SHOWN[i]).all()
            n = (SHOWN[i] == STIMULUS).sum()
            assert mine.sum() == min(ceilings.GROUPS, n // k)
        first, second = (
            found.rows[
                np.flatnonzero((found.target == i) & (found.half == h))[0]
            ]
            for h in (0, 1)
        )
        assert len(first) == len(second) == (SHOWN[i] == STIMULUS).sum() // 2
        assert not {*first} & {*second}


def test_responses_are_averaged():
    fmri = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    found = ceilings.plan(STIMULUS, SHOWN)
    means = ceilings.average(Trials(fmri, np.int32(STIMULUS)), found)
    for mean, rows in zip(means, found.rows):
        np.testing.assert_allclose(
            mean, np.mean([fmri[r] for r in rows], axis=0), atol=1e-6
        )


def test_one_picture_without_repeats_and_there_is_no_plan():
    assert ceilings.plan(np.array([0, 0, 1]), np.array([0, 1])) is None


def noisy(n=20, repeats=8, side=12, spread=0.12, noise=0.15):
    """Pictures, and reconstructions that are them and noise of each trial."""
    rng = np.random.default_rng(4)
    seen = 0.5 + spread * rng.standard_normal((n, side, side, 3))
    stimulus = np.repeat(np.arange(n), repeats)
    made = seen[stimulus] + noise * rng.standard_normal(
        (n * repeats, side, side, 3)
    )
    averages = ceilings.plan(stimulus, np.arange(n))
    images = [made[rows].mean(axis=0) for rows in averages.rows]
    targets, images = (
        np.uint8(np.clip(255 * np.array(x), 0, 255).round())
        for x in (seen, images)
    )
    whole = np.array([made[stimulus == i].mean(axis=0) for i in range(n)])
    return targets, Repeats(images, *averages[1:]), np.float32(whole.clip(0, 1))


def test_scores_follow_the_number_of_trials():
    """Of signal of variance a and noise of variance b in a trial."""
    targets, repeats, whole = noisy()
    found, curve = ceilings.score_repeats(targets, repeats, 8)
    a, b = 0.12**2, 0.15**2
    for k, scores in curve.items():
        assert scores['pixcorr']['value'] == pytest.approx(
            np.sqrt(a / (a + b / k)), abs=0.02
        )
        assert scores['pixcorr']['n'] == 20
    assert [*curve] == [1, 2, 4]
    halves = found['pixcorr_split_half']['value']
    assert halves == pytest.approx(a / (a + b / 4), abs=0.02)
    reliability = found['pixcorr_reliability']['value']
    assert reliability == pytest.approx(a / (a + b / 8), abs=0.02)
    assert reliability == pytest.approx(2 * halves / (1 + halves))
    scores = evaluation.score(targets, whole)
    # What noise takes away, the root of reliability says.
    assert scores['pixcorr']['value'] == pytest.approx(
        np.sqrt(reliability), abs=0.02
    )
    arrays = ceilings.curve_arrays(curve, scores, 8)
    assert arrays['trials'].tolist() == [1, 2, 4, 8]
    assert (np.diff(arrays['pixcorr']) > 0).all()


def test_single_trials_are_averaged_over_a_picture():
    targets, repeats, _ = noisy(n=5)
    found, _ = ceilings.score_repeats(targets, repeats, 8)
    mine = (repeats.trials == 1) & (repeats.half == ceilings.WHOLE)
    r = np.array(
        [
            np.corrcoef(targets[i].ravel(), image.ravel())[0, 1]
            for i, image in zip(repeats.target[mine], repeats.images[mine])
        ]
    )
    means = [r[repeats.target[mine] == i].mean() for i in range(5)]
    score = found['pixcorr_single_trial']
    assert score['value'] == pytest.approx(np.mean(means))
    assert score['n'] == 5


def test_a_share_of_what_is_possible():
    targets, _, whole = noisy()
    scores = evaluation.score(targets, whole)
    clean = np.float32(targets / 255)
    found = ceilings.score_ceiling(targets, clean, scores)
    assert found['pixcorr_ceiling']['value'] == pytest.approx(1)
    score, best = scores['pixcorr'], found['pixcorr_ceiling']
    share = found['pixcorr_of_ceiling']
    assert share['value'] == pytest.approx(
        (score['value'] - score['chance']) / (best['value'] - best['chance'])
    )
    assert share['low'] < share['value'] < share['high'] < 1
    # Two-way is right throughout in both.
    assert found['two_way_pixels_of_ceiling']['value'] == pytest.approx(1)
    again = ceilings.score_ceiling(targets, whole, scores)
    assert again['pixcorr_of_ceiling']['value'] == pytest.approx(1)
    assert np.isnan(again['pixcorr_of_ceiling']['low'])
    assert describe('pixcorr_of_ceiling').title == (
        'Pixel correlation, share of the ceiling'
    )


def test_nothing_possible_has_no_share():
    targets, _, whole = noisy(n=8)
    scores = evaluation.score(targets, whole)
    found = ceilings.score_ceiling(targets, np.roll(whole, 1, axis=0), scores)
    assert np.isnan(found['pixcorr_of_ceiling']['value'])
