"""Corrections of the spread of decoded features (spec inversion 2.4)."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.linear import scaling

SHAPES = [(5, 4, 6, 6), (5, 40)]


def data(shape):
    rng = np.random.default_rng(0)
    true = 3 + 2 * rng.normal(size=(60, *shape[1:]))
    decoded = 3 + 0.3 * rng.normal(size=shape)
    return decoded, true


def spread(x, ddof):
    """By the words of the spec, one picture."""
    if x.ndim == 1:
        return x.std(ddof=ddof)
    return np.mean([channel.std(ddof=ddof) for channel in x])


@pytest.mark.parametrize('shape', SHAPES)
def test_each_correction_follows_its_formula(shape):
    decoded, true = data(shape)
    for how in scaling.SCALINGS:
        ddof = scaling.DDOF.get(how, 0)
        known = scaling.reference(true, ddof)
        s0 = np.mean([spread(x, ddof) for x in true])
        assert known.std == pytest.approx(s0)
        mu = true.mean(0)
        found = scaling.scale(decoded, known, how)
        for f, got in zip(decoded, found):
            if how == 'none':
                wanted = f
            elif how == 'about_zero':
                wanted = f * s0 / spread(f, 0)
            elif how == 'about_grand_mean':
                wanted = (f - f.mean()) / spread(f, 1) * s0 + f.mean()
            elif how == 'about_training_mean_recentred':
                d = f - mu
                wanted = (d - d.mean()) / spread(d, 1) * s0 + d.mean() + mu
            elif how == 'about_training_mean':
                wanted = (f - mu) / spread(f - mu, 0) * s0 + mu
            else:
                z = (f - decoded.mean(0)) / decoded.std(0, ddof=1)
                wanted = z * true.std(0, ddof=1) + mu
            np.testing.assert_allclose(got, wanted, rtol=1e-9)


@pytest.mark.parametrize('shape', SHAPES)
def test_a_constant_picture_stays_finite(shape):
    decoded, true = data(shape)
    decoded[:] = 2.0
    for how in scaling.SCALINGS:
        known = scaling.reference(true, scaling.DDOF.get(how, 0))
        assert np.isfinite(scaling.scale(decoded, known, how)).all()


def test_what_looks_at_all_test_pictures_says_so():
    decoded, true = data(SHAPES[1])
    known = scaling.reference(true)
    alone = {
        how: np.array_equal(
            scaling.scale(decoded[:3], known, how),
            scaling.scale(decoded, known, how)[:3],
        )
        for how in scaling.SCALINGS
    }
    assert {how for how, same in alone.items() if not same} == {
        *scaling.TRANSDUCTIVE
    }
    with pytest.raises(InputError, match='no scaling'):
        scaling.scale(decoded, known, 'about_zer')


def test_caffes_values_are_the_published_ones():
    assert len(scaling.CAFFE_VGG19) == 19
    assert scaling.CAFFE_VGG19['conv4_1'] == 1234.2346


def test_spreads_of_one_are_refused():
    decoded, true = data(SHAPES[1])
    known = scaling.reference(true)
    with pytest.raises(InputError, match='over pictures and there is one'):
        scaling.scale(decoded[:1], known, 'over_test_pictures')
    with pytest.warns(RuntimeWarning, match='Degrees of freedom'):
        one = scaling.reference(true[:, :1], 1)
    with pytest.raises(InputError, match='of which a picture has one'):
        scaling.scale(decoded[:, :1], one, 'about_grand_mean')
