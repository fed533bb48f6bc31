import numpy as np
import pytest
from sklearn.decomposition import PCA

from brainjax.errors import InputError
from brainjax.linear import pca


@pytest.fixture(scope='module')
def images():
    """Pictures whose variances fall as those of natural ones do."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((192, 192)))[0]
    deviations = np.arange(1, 193) ** -0.8
    x = rng.standard_normal((700, 192)) * deviations @ directions
    x = (x - x.min()) / (x.max() - x.min())
    return np.uint8(np.round(x * 255)).reshape(700, 8, 8, 3)


def of_scikit_learn(images):
    x = images.reshape(len(images), -1) / 255.0
    return PCA(20, svd_solver='full').fit(x), x


# By iteration; and, of fewer pictures than pixels, by their products.
@pytest.mark.parametrize('number', [700, 150])
def test_components_are_those_of_scikit_learn(images, number):
    images = images[:number]
    model, x = of_scikit_learn(images)
    fitted = pca.fit(images, 20)
    ours = fitted.components.reshape(20, -1)
    theirs = model.components_
    theirs = theirs * np.sign((ours * theirs).sum(1))[:, None]
    np.testing.assert_allclose(fitted.mean.ravel(), model.mean_, atol=1e-6)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    np.testing.assert_allclose(
        fitted.std**2, model.explained_variance_, rtol=1e-5
    )
    np.testing.assert_allclose(ours @ ours.T, np.eye(20), atol=1e-5)
    largest = np.abs(ours).argmax(1)
    assert (ours[np.arange(20), largest] > 0).all()
    scores = pca.encode(fitted, images)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, (x - model.mean_) @ ours.T.astype(float), atol=1e-5
    )


def test_pictures_from_scores(images):
    model, x = of_scikit_learn(images)
    fitted = pca.fit(images, 20)
    rebuilt = pca.generate(fitted, pca.encode(fitted, images))
    assert rebuilt.shape == images.shape and rebuilt.dtype == np.float32
    expected = model.inverse_transform(model.transform(x)).clip(0, 1)
    np.testing.assert_allclose(
        rebuilt.reshape(len(images), -1), expected, atol=1e-3
    )


def test_whitened_scores_have_unit_variance_and_the_same_pictures(images):
    raw, white = (pca.fit(images, 20, whiten=w) for w in (False, True))
    scores = pca.encode(white, images)
    np.testing.assert_allclose(scores.std(0, ddof=1), 1, rtol=1e-4)
    assert pca.encode(raw, images).std(0)[0] > 3 * raw.std[-1]
    np.testing.assert_allclose(
        pca.generate(white, scores),
        pca.generate(raw, pca.encode(raw, images)),
        atol=1e-5,
    )


def test_few_pictures_are_rebuilt_exactly(images):
    few = images[:15]
    fitted = pca.fit(few, 14)
    rebuilt = pca.generate(fitted, pca.encode(fitted, few))
    np.testing.assert_allclose(rebuilt, few / 255.0, atol=1e-5)


def test_floats_and_bytes_are_the_same(images):
    fitted = pca.fit(images, 5)
    floats = np.float32(images / 255.0)
    np.testing.assert_allclose(
        pca.encode(fitted, floats), pca.encode(fitted, images), atol=1e-5
    )
    assert pca.encode(fitted, images[:0]).shape == (0, 5)


@pytest.mark.parametrize('components', [0, 15, 200])
def test_more_components_than_pictures(images, components):
    with pytest.raises(InputError, match=f'15 pictures .* {components} princ'):
        pca.fit(images[:15], components)


def test_whole_numbers_are_eight_bits_or_refused():
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3))
    with pytest.raises(InputError, match='pictures are int64; give uint8'):
        pca.fit(images, 3)


def test_more_components_than_ways_to_differ_cannot_be_whitened():
    rng = np.random.default_rng(1)
    few = rng.random((5, 4, 4, 3), np.float32)
    images = few[rng.integers(0, 5, 30)]
    with pytest.raises(InputError, match='do not differ in 10 ways'):
        pca.fit(images, 10, whiten=True)
    assert pca.fit(images, 4, whiten=True).std.min() > 0
    found = pca.fit(images, 10).components.reshape(10, -1)
    np.testing.assert_allclose(found @ found.T, np.eye(10), atol=1e-5)


def test_products_of_pictures_in_several_parts(images, monkeypatch):
    whole = pca.fit(images[:150], 20)
    monkeypatch.setattr(pca, '_TOGETHER', 64)
    monkeypatch.setattr(pca, '_BATCH', 32)
    parts = pca.fit(images[:150], 20)
    np.testing.assert_allclose(parts.components, whole.components, atol=1e-5)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-6)
