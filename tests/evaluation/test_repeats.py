"""Targets that show the same picture count as one."""

import numpy as np
import pytest
from scipy import stats

from brainjax import evaluation
from brainjax.errors import InputError
from brainjax.evaluation import (
    classification,
    distractors,
    identification,
    pixels,
    scores,
)
from brainjax.evaluation.published import god, presets

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(256, size=(10, 12, 12, 3), dtype=np.uint8)
SHOWN = RNG.permutation(np.repeat(np.arange(10), 8))
TARGET = PICTURES[SHOWN]


def test_distinct_pictures_are_told_byte_by_byte():
    other = TARGET[3].copy()
    other[0, 0, 0] += 1
    wider = TARGET[3].reshape(6, 24, 3)
    found = pixels.distinct([TARGET[3], other, wider, TARGET[3], other])
    assert found.tolist() == [0, 1, 2, 0, 1]
    assert pixels.distinct(PICTURES).tolist() == list(range(10))


def check_perfect(found):
    for name, score in found.items():
        assert score['value'] == pytest.approx(float(name != 'mse')), name
        assert (score['n'], score['p']) == (10, 0.01), name
        assert score['low'] <= score['value'] <= score['high'] + 1e-12, name


def test_perfect_reconstructions_of_repeats_score_one():
    scored = presets.score(list(TARGET), list(TARGET), networks=[], draws=99)
    assert '80 targets show 10 different pictures' in scored.notes[0]
    check_perfect(scored.scores)
    chance = {
        name: scored.scores[f'top1_{name}_pixels']['chance']
        for name in ('picture', 'reconstruction')
    }
    # Given those of another picture, one in ten would be right; the other
    # seven reconstructions of a picture do not compete.
    assert chance == pytest.approx({'picture': 0.1, 'reconstruction': 0.1})
    guess = scored.scores['top1_reconstruction_pixels']['guess']
    assert guess == pytest.approx(1 / 73)
    check_perfect(god.score(TARGET, TARGET, draws=99))


def test_scores_of_repeats_by_brute_force():
    noise = RNG.integers(256, size=TARGET.shape)
    made = np.uint8(0.2 * TARGET + 0.8 * noise)
    found = evaluation.score(TARGET, made, draws=20)
    r = identification.similarity(TARGET.reshape(80, -1), made.reshape(80, -1))
    wins = [
        np.mean([r[i, j] < r[j, j] for i in range(80) if SHOWN[i] != SHOWN[j]])
        for j in range(80)
    ]
    by_picture = [np.mean(np.array(wins)[k == SHOWN]) for k in range(10)]
    score = found['two_way_pixels']
    assert score['value'] == pytest.approx(np.mean(by_picture))
    assert found['pixcorr']['value'] == pytest.approx(np.diagonal(r).mean())
    assert found['pixcorr']['chance'] == pytest.approx(r.mean())
    picture = pixels.distinct(TARGET)
    retrieved = scores.retrieval_scores('x', r, picture=picture, draws=20)
    rivals = [
        [r[j, k] for k in range(80) if SHOWN[k] != SHOWN[j]] for j in range(80)
    ]  # fmt: skip
    hits = [r[j, j] > max(rivals[j]) for j in range(80)]
    assert retrieved['top1_reconstruction_x']['value'] == pytest.approx(
        np.mean(hits)
    )
    places = [
        1 + sum(
            r[np.flatnonzero(k == SHOWN)[0], j] >= r[j, j]
            for k in range(10) if k != SHOWN[j]
        )
        for j in range(80)
    ]  # fmt: skip
    assert retrieved['rank_x']['value'] == pytest.approx(np.mean(places))
    assert retrieved['rank_x']['chance'] == 5.5


def test_p_of_repeats_is_uniform_without_information():
    found = {}
    picture = np.repeat(np.arange(6), 4)
    options = {'picture': picture, 'draws': 199}
    for experiment in range(200):
        target = RNG.random((6, 11, 11, 3))[picture]
        # Reconstructions of one picture are alike, and know nothing of it.
        made = RNG.random((6, 11, 11, 3))[picture]
        made = (made + RNG.random(made.shape)) / 2
        pixcorr, matrix = scores.pixel_scores(
            target, made, ('pixcorr',), seed=experiment, **options
        )
        other = scores.identification_scores(
            'pixels', matrix, seed=experiment, **options
        )
        for name, score in (pixcorr | other).items():
            found.setdefault(name, []).append(score['p'])
    for name in ('pixcorr', 'two_way_pixels'):
        assert np.mean(np.array(found[name]) <= 0.05) < 0.12, name
        assert stats.kstest(found[name], 'uniform').pvalue > 0.001, name


def test_classes_and_distractors_of_repeats():
    embeddings = RNG.normal(size=(80, 5))
    bank = classification.Bank(
        tuple('abcdefghij'), RNG.normal(size=(10, 5)), np.ones(10, int)
    )
    found = classification.classify(
        embeddings, [bank.names[k] for k in SHOWN], bank, picture=SHOWN,
        draws=20,
    )  # fmt: skip
    score = found.scores['rank_class']
    assert score['n'] == 10
    assert score['value'] == pytest.approx(found.own.mean())
    found = distractors.score(
        TARGET, TARGET, np.zeros((20, 1)),
        lambda x, y: RNG.random((len(x), len(y))), 'x', draws=20,
    )  # fmt: skip
    assert {score['n'] for score in found.values()} == {10}


def test_targets_that_are_all_the_same_are_refused():
    same = TARGET[[0, 0, 0]]
    for function in (evaluation.score, presets.score):
        with pytest.raises(InputError, match='All 3 targets are the same'):
            function(same, TARGET[:3])
    assert evaluation.notes(PICTURES) == []
    assert len(evaluation.notes(TARGET[:, :9])) == 3
