"""Networks in bfloat16: what is computed in which type, and how well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
import tiny_faces
import tiny_selfsup

from brainjax import evaluation
from brainjax.errors import InputError
from brainjax.methods.data import prepare
from brainjax.methods.faces import data as faces_data
from brainjax.methods.faces import training as vaegan_training
from brainjax.methods.selfsup import method as selfsup
from brainjax.methods.selfsup import packing
from brainjax.methods.selfsup import training as selfsup_training
from brainjax.recordings import average_repeats, normalise
from brainjax.training import parallel
from brainjax.training.state import COMPUTE_TYPES, cast

PRODUCTS = ('conv_general_dilated', 'dot_general')


def products(jaxpr):
    """Yields name and types of the operands of every product in a jaxpr."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in PRODUCTS:
            yield (
                equation.primitive.name,
                *(str(x.aval.dtype) for x in equation.invars),
            )
        for inner in jax.tree.leaves(
            list(equation.params.values()),
            is_leaf=lambda x: hasattr(x, 'eqns') or hasattr(x, 'jaxpr'),
        ):
            inner = getattr(inner, 'jaxpr', inner)
            if hasattr(inner, 'eqns'):
                yield from products(inner)


def run(module, monkeypatch, fit, trains=True):
    """Calls `fit`; returns its result and what each training was given.

    Without `trains` its networks stay as they begin.
    """
    given, train = [], module.train

    def listening(step, state, frozen, batch_at, **options):
        # The loop consumes the state.
        given.append((step, jax.tree.map(jnp.copy, state), frozen, batch_at))
        if not trains:
            return state, []
        return train(step, state, frozen, batch_at, **options)

    monkeypatch.setattr(module, 'train', listening)
    return fit(), given


def first_step(step, state, frozen, batch_at):
    """Returns state and metrics after a step, and its products' types."""
    jaxpr = jax.make_jaxpr(step, axis_env=[(parallel.AXIS, 1)])(
        state, frozen, batch_at(0)
    )
    after, metrics = parallel.parallel(step)(
        jax.tree.map(jnp.copy, state), frozen, parallel.shard(batch_at(0))
    )
    return after, metrics, set(products(jaxpr.jaxpr))


def types(tree):
    return {
        str(x.dtype)
        for x in jax.tree.leaves(tree)
        if jnp.issubdtype(x.dtype, jnp.floating)
    }


def assert_mixed(low, high, rtol):
    """Compares the first step in bfloat16 with the one in float32."""
    (state, metrics, found), (_, theirs, usual) = low, high
    assert found == {(n, 'bfloat16', 'bfloat16') for n, *_ in found}
    assert usual == {(n, 'float32', 'float32') for n, *_ in usual}
    assert {n for n, *_ in found} == set(PRODUCTS)
    assert types(state) == types(metrics) == {'float32'}
    for name, value in metrics.items():
        np.testing.assert_allclose(
            value, theirs[name], rtol=rtol, atol=1e-3, err_msg=name
        )


def short(dtype):
    c = tiny_selfsup.config(compute_dtype=dtype, **tiny_selfsup.ONE_LAYER)
    c.encoder.epochs = c.decoder.epochs = 3
    return c


@pytest.fixture(scope='module')
def encoders_and_decoders(tmp_path_factory):
    """Type -> (fitted, what the encoder and the decoder were given)."""
    found = {}
    for dtype in COMPUTE_TYPES:
        with pytest.MonkeyPatch.context() as monkeypatch:
            found[dtype] = run(
                selfsup_training,
                monkeypatch,
                lambda dtype=dtype: selfsup.fit(
                    prepare(tiny.subject(), tiny_selfsup.PICTURES),
                    short(dtype),
                    tmp_path_factory.mktemp('fit'),
                ),
            )
    return found


@pytest.mark.parametrize(('network', 'rtol'), [(0, 0.02), (1, 0.02)])
def test_steps_compute_in_bfloat16_and_keep_float32(
    encoders_and_decoders, network, rtol
):
    high, low = (
        first_step(*encoders_and_decoders[dtype][1][network])
        for dtype in COMPUTE_TYPES
    )
    assert_mixed(low, high, rtol)


def test_frozen_networks_are_cast_once(encoders_and_decoders):
    _, (encoder, decoder) = encoders_and_decoders['bfloat16']
    assert types(encoder[2]['encoder_backbone']) == {'bfloat16'}
    for name in ('loss_backbone', 'encoder_backbone', 'encoder_folded'):
        assert types(decoder[2][name]) == {'bfloat16'}
    assert types(decoder[2]['encoder']['params']) == {'bfloat16'}
    assert types(decoder[2]['encoder']['batch_stats']) == {'float32'}


def test_what_was_trained_in_bfloat16_is_as_good(encoders_and_decoders):
    subject = tiny.subject()
    test = average_repeats(normalise(subject).test)
    truth = subject.stimuli.images[test.stimulus]
    scores = {}
    for dtype, (fitted, _) in encoders_and_decoders.items():
        c = short(dtype)
        images = selfsup.reconstruct(fitted, test.fmri, c)
        assert images.dtype == np.float32
        predicted = packing.encode(fitted, truth, c)
        assert predicted.dtype == np.float32
        scores[dtype] = evaluation.score(truth, images, draws=200)
        # Chance is .5.
        assert scores[dtype]['two_way_pixels']['low'] > 0.8
    for name in ('two_way_pixels', 'pixcorr'):
        high, low = (scores[dtype][name]['value'] for dtype in COMPUTE_TYPES)
        assert abs(high - low) < 0.06, name


def test_faces_likewise(tmp_path, monkeypatch):
    found = {}
    for dtype in COMPUTE_TYPES:
        c = tiny_faces.get_config()
        c.compute_dtype = dtype
        with monkeypatch.context() as patch:
            _, (given,) = run(
                vaegan_training,
                patch,
                lambda c=c, dtype=dtype: vaegan_training.fit_vaegan(
                    tiny_faces.pictures(16), c, tmp_path / dtype
                ),
                trains=False,
            )
        found[dtype] = first_step(*given)
    assert_mixed(found['bfloat16'], found['float32'], 0.02)


def test_cast_leaves_whole_numbers_and_keys():
    tree = {'x': jnp.ones(2), 'n': jnp.ones(2, int), 'key': jax.random.key(0)}
    found = cast(tree, 'bfloat16')
    assert found['x'].dtype == jnp.bfloat16
    assert found['n'].dtype == tree['n'].dtype
    assert found['key'].dtype == tree['key'].dtype


def test_unknown_type_is_one_sentence(tmp_path):
    wrong = tiny_selfsup.config(compute_dtype='bfloat1')
    with pytest.raises(InputError, match=r"'bfloat1'.*mean 'bfloat16'"):
        selfsup.fit(
            prepare(tiny.subject(), tiny_selfsup.PICTURES), wrong, tmp_path
        )
    c = tiny_faces.get_config()
    c.compute_dtype = 'half'
    c.map.inversion = 'least_squares'
    with pytest.raises(InputError, match="no compute_dtype 'half'"):
        faces_data.check(tiny.subject(), c)
