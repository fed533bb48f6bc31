import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.reports import face_figures


def generate(latents):
    """Pictures of 8 x 6 px whose grey is the mean of two latents."""
    grey = 0.5 + latents[:, :2].mean(1) / 4
    return np.float32(
        np.broadcast_to(grey[:, None, None, None], (len(latents), 8, 6, 3))
    )


def shown(figure):
    """The pictures of a figure, in order."""
    return [image.get_array() for image in figure.axes[0].images]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.fixture
def latents():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((400, 3)) @ np.diag([1, 2, 0.5])
    latents[:, 1] = latents[:, 0] * 2
    return latents + np.array([0.2, 0.1, -0.1])


def test_samples_have_the_mean_and_covariance_of_the_latents(latents):
    seen = []

    def note(z):
        seen.append(z)
        return generate(z)

    figure = face_figures.samples(note, latents, n=480)
    [drawn] = seen
    np.testing.assert_allclose(drawn.mean(0), latents.mean(0), atol=0.3)
    np.testing.assert_allclose(
        np.cov(drawn.T), np.cov(latents.T), rtol=0.25, atol=0.1
    )
    assert len(shown(figure)) == 480
    again = face_figures.samples(generate, latents, n=5, seed=3)
    other = face_figures.samples(generate, latents, n=5, seed=3)
    np.testing.assert_array_equal(shown(again), shown(other))


def test_sheet_fills_its_last_row_with_white():
    images = np.zeros((10, 4, 4, 3), np.uint8)
    found = shown(face_figures.sheet(images, columns=4))
    assert len(found) == 12
    assert found[9].max() == 0 and found[10].min() == found[11].min() == 255
    assert len(shown(face_figures.sheet(images[:3]))) == 3


def test_traversal(latents):
    directions = np.float32([[3, 0, 0], [0, 0, 1]])
    figure = face_figures.traversal(
        generate, latents, directions, ['one', 'other'], reach=2, steps=5
    )
    found = shown(figure)
    assert len(found) == 10
    start = generate(latents[:1])[0]
    np.testing.assert_allclose(found[2], start, atol=1e-6)
    step = np.array([1, 0, 0]) * latents[:, 0].std()
    end = generate((latents[0] + 2 * step)[None])[0]
    np.testing.assert_allclose(found[4], end.clip(0, 1), atol=1e-6)
    # The third latent is not shown in these pictures.
    np.testing.assert_allclose(found[5:], [start] * 5, atol=1e-6)
    assert texts(figure) == [
        '-2.0 sd', '-1.0 sd', '+0.0 sd', '+1.0 sd', '+2.0 sd', 'one', 'other',
    ]  # fmt: skip


def test_reconstructions():
    images = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
    figure = face_figures.reconstructions(images, vaegan=images, pca=1 - images)
    assert {'seen', 'vaegan', 'pca'} <= set(texts(figure))
    assert len(shown(figure)) == 18
    with pytest.raises(InputError, match="'pca' have shape"):
        face_figures.reconstructions(images, pca=images[:3])
