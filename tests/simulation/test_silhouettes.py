import numpy as np

from brainjax.simulation.silhouettes import CATEGORIES, distances

LINE = np.linspace(-1.2, 1.2, 97, dtype=np.float32)


def drawn(name):
    return distances(CATEGORIES.index(name), LINE, LINE[:, None])


def test_distances_to_a_disc_and_a_square():
    body, marks = drawn('disc')
    radius = np.hypot(LINE, LINE[:, None])
    np.testing.assert_allclose(body, 1 - radius, atol=0.02)
    assert (marks < 0).all()
    body, _ = drawn('square')
    inside = np.maximum(np.abs(LINE), np.abs(LINE[:, None])) < 0.86
    assert ((body > 0) == inside)[np.abs(body) > 0.02].all()


def test_up_is_up_and_right_is_right():
    tree, trunk = drawn('tree')
    assert (tree > 0)[70].sum() > 2 * (tree > 0)[20].sum()
    assert (trunk > 0)[20].any() and not (trunk > 0)[70].any()
    arrow, _ = drawn('arrow')
    across = (arrow > 0).sum(axis=0)
    assert across[60:].max() > 1.5 * across[20]


def test_every_silhouette_fills_its_frame_and_holds_its_markings():
    for name in CATEGORIES:
        body, marks = drawn(name)
        rows, columns = np.nonzero(body > 0)
        extent = max(np.abs(LINE[rows]).max(), np.abs(LINE[columns]).max())
        assert 0.8 < extent < 1.06, name
        assert (body[marks > 0.02] > -0.02).all(), name


def test_silhouettes_differ():
    bodies = np.stack([drawn(name)[0] > 0 for name in CATEGORIES])
    bodies = bodies.reshape(len(bodies), -1).astype(float)
    both = bodies @ bodies.T
    area = bodies.sum(1)
    overlap = both / (area[:, None] + area - both)
    assert overlap[~np.eye(len(bodies), dtype=bool)].max() < 0.85


def test_markings_are_optional():
    body, marks = distances(3, LINE, LINE, marks=False)
    np.testing.assert_array_equal(body, distances(3, LINE, LINE)[0])
    assert marks is None and body.dtype == np.float32
