"""What the encoder predicts of pictures is kept, as long as it holds."""

import pathlib

import jax
import numpy as np
import pytest
import tiny
import tiny_selfsup
from ml_collections import FrozenConfigDict

from brainjax.io import kept_arrays
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import method as selfsup
from brainjax.methods.selfsup import predictions
from brainjax.methods.selfsup.networks import (
    build_encoder,
    feature_shapes,
    freeze,
    load_backbone,
    predict,
)
from brainjax.training import parallel

IMAGES = tiny_selfsup.PICTURES[:7]


@pytest.fixture(scope='module')
def networks():
    """An encoder as it begins, for `predictions.of_pictures`."""
    config = FrozenConfigDict(
        tiny_selfsup.config(decoder__pictures_draws=False)
    )
    backbone = load_backbone(config.encoder, 0)
    encoder = build_encoder(config, 5)
    features = jax.tree.map(
        lambda x: np.zeros(x.shape, x.dtype), feature_shapes(config, backbone)
    )
    variables = jax.jit(encoder.init)(jax.random.key(0), features)
    return config, encoder, freeze(config, encoder, variables, backbone)


@pytest.fixture
def made(monkeypatch):
    """How many pictures went through the encoder, call by call."""
    found, map_rows = [], parallel.map_rows

    def counted(function, frozen, rows, *options):
        found.append(len(rows))
        return map_rows(function, frozen, rows, *options)

    monkeypatch.setattr(parallel, 'map_rows', counted)
    return found


def test_they_are_made_once_for_what_they_depend_on(networks, made, tmp_path):
    config, encoder, frozen = networks
    first = predictions.of_pictures(*networks, IMAGES, tmp_path)
    np.testing.assert_allclose(first['fmri'], predict(*networks, IMAGES), 1e-5)
    again = predictions.of_pictures(*networks, IMAGES, tmp_path)
    assert made == [7] and isinstance(again['fmri'], np.memmap)
    np.testing.assert_array_equal(again['fmri'], first['fmri'])
    brighter = IMAGES // 2 + 100
    other = predictions.of_pictures(*networks, brighter, tmp_path)
    changed = jax.tree.map(lambda x: 1.1 * x, frozen)
    predictions.of_pictures(config, encoder, changed, brighter, tmp_path)
    assert made == [7, 7, 7]
    assert not np.array_equal(other['fmri'], first['fmri'])


@pytest.mark.parametrize('name', ['fmri.npy', kept_arrays.MANIFEST])
def test_what_is_damaged_is_made_anew(name, networks, made, tmp_path):
    first = predictions.of_pictures(*networks, IMAGES, tmp_path)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    again = predictions.of_pictures(*networks, IMAGES, tmp_path)
    assert made == [7, 7]
    np.testing.assert_array_equal(again['fmri'], first['fmri'])


def test_a_finished_training_asks_for_none_and_one_that_resumes_keeps_them(
    made, tmp_path
):
    data = prepare(tiny.subject(), tiny_selfsup.PICTURES)

    def fit(epochs):
        config = tiny_selfsup.config(
            encoder__epochs=1,
            encoder__steps=1,
            encoder__drops=((75, 0.2),),  # As of more steps: the same program.
            decoder__steps=1,
            decoder__drops=((75, 0.2),),
            **tiny_selfsup.ONE_LAYER,
        )
        config.decoder.epochs = epochs
        return selfsup.fit(data, config, tmp_path)

    fit(1)
    folder = pathlib.Path(tmp_path, 'checkpoints', 'predictions')
    assert {path.name for path in folder.iterdir()} == {
        *('fmri.npy', kept_arrays.MANIFEST),
    }
    fit(2)
    assert made == [64]
    (folder / kept_arrays.MANIFEST).unlink()
    assert len(fit(2).history['decoder']) == 2
    assert made == [64] and len([*folder.iterdir()]) == 1
