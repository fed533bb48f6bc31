"""Tuned kernel ridge against scikit-learn's, fitted in the same folds."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.linear.ridge import tuned

RNG = np.random.default_rng(0)
PICTURES = RNG.random((30, 16)).astype(np.float32)
STIMULUS = np.r_[np.arange(30), np.arange(10)]
FMRI = PICTURES[STIMULUS] @ RNG.standard_normal((16, 50))
FMRI = FMRI + 2 * RNG.standard_normal(FMRI.shape)
FMRI = (FMRI - FMRI.mean(axis=0)) / FMRI.std(axis=0)


@pytest.mark.parametrize('pixels', [16, 64], ids='{} pixels'.format)
def test_alpha_is_that_of_the_best_held_out_pictures(pixels):
    """With fewer pixels than stimuli, and with more."""
    more = np.random.default_rng(1).random((30, pixels - 16))
    pictures = np.float32(np.hstack([PICTURES, more]))
    linear_model = pytest.importorskip('sklearn.linear_model')
    alphas = (1.0, 100.0, 10_000.0)
    scores = np.zeros((30, 3))
    for held_out in tuned.folds(30):
        train = ~np.isin(STIMULUS, held_out)
        mean, std = FMRI[train].mean(axis=0), FMRI[train].std(axis=0)
        for j, alpha in enumerate(alphas):
            model = linear_model.Ridge(alpha)
            model.fit((FMRI[train] - mean) / std, pictures[STIMULUS[train]])
            for i in held_out:
                row = (FMRI[i == STIMULUS].mean(axis=0) - mean) / std
                found = model.predict(row[None])[0]
                scores[i, j] = np.corrcoef(found, pictures[i])[0, 1]
    fitted = tuned.fit(FMRI, STIMULUS, pictures, alphas)
    np.testing.assert_allclose(fitted.scores, scores.mean(axis=0), atol=1e-6)
    assert fitted.alpha == alphas[int(np.argmax(scores.mean(axis=0)))]
    model = linear_model.Ridge(fitted.alpha).fit(FMRI, pictures[STIMULUS])
    new = RNG.standard_normal((5, 50))
    np.testing.assert_allclose(
        tuned.predict(fitted, new), model.predict(new), atol=1e-4
    )


def test_each_stimulus_is_held_out_once_with_all_its_trials():
    for stimuli in (5, 20, 200):
        parts = tuned.folds(stimuli)
        assert sorted(np.concatenate(parts)) == list(range(stimuli))
        assert len(parts) == (stimuli if stimuli <= 20 else 10)
    rows, shown, test = tuned.hold_out(FMRI, STIMULUS, np.array([3, 4]))
    assert not np.isin(shown, [3, 4]).any() and len(rows) == 36
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows.std(axis=0), 1)
    assert test.shape == (2, 50)


def test_two_pictures_are_too_few():
    with pytest.raises(InputError, match='fewer than three'):
        tuned.fit(FMRI[:2], np.arange(2), PICTURES[:2])
