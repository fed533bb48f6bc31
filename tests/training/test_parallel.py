"""The number of devices and hosts changes nothing but rounding.

BRAINJAX_HOSTS_LONG=1 also trains the encoder and the decoder on four hosts.
"""

import ast
import json
import os
import subprocess
import sys

import device_losses
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import TESTS
from processes import environment, python, run

from brainjax.training import parallel

KINDS = ('draws', 'padded')  # And 'noise' for hosts.
OURS = '--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED'


@pytest.fixture(scope='module')
def one():
    """Kind -> what is trained on one device."""
    assert jax.local_device_count() == 1
    return device_losses.train('noise', *KINDS)


def assert_same_histories(found, expected, rtol, kind):
    for network, names in (
        ('encoder', ['loss', 'fmri', 'validation_score']),
        # Not its validation: a bias before a batch norm has the gradient 0,
        # whose rounding the optimiser blows up. In training the norm takes
        # the bias off again; its running mean is a step behind.
        ('decoder', ['loss', 'D', 'ED', 'DE']),
    ):
        assert len(found[network]) == len(expected[network])
        for name in names:
            np.testing.assert_allclose(
                [record[name] for record in found[network]],
                [record[name] for record in expected[network]],
                rtol=rtol,
                err_msg=f'{kind} {network} {name}',
            )


def test_losses_do_not_depend_on_the_number_of_devices(one):
    many = python(4, TESTS / 'device_losses.py', *KINDS)
    assert many['devices'] == 4
    for kind in KINDS:
        (ours, _), (theirs, _) = many[kind], one[kind]
        # The few steps of 'padded' end before training amplifies rounding.
        rtol = 1e-5 if kind == 'padded' else 1e-4
        assert_same_histories(ours, theirs, rtol, kind)
        if kind == 'padded':
            continue  # Too few steps to learn much.
        for history in theirs.values():
            assert history[-1]['loss'] < 0.98 * history[0]['loss']


@pytest.mark.parametrize(
    'processes',
    [
        2,
        pytest.param(
            4,
            marks=pytest.mark.skipif(
                'BRAINJAX_HOSTS_LONG' not in os.environ,
                reason='BRAINJAX_HOSTS_LONG',
            ),
        ),
    ],
)
def test_encoder_and_decoder_of_hosts_are_those_of_one_process(one, processes):
    history, variables = one['noise']
    program = TESTS / 'device_losses.py'
    done = run(processes, program, 'noise', seconds=900)
    assert [status for status, _, _ in done] == [0] * processes, done
    found = json.loads(done[0][1].splitlines()[-1])
    records, numbers = found['noise']
    assert [len(of) for of in records.values()] == [20, 20]
    assert_same_histories(records, history, 1e-4, 'noise')
    assert variables.keys() == numbers.keys()
    # Its gradient is 0 but for rounding, which the optimiser blows up; the
    # batch norm behind it takes it off again.
    free = {
        'decoder/params/conv_0/bias',
        'decoder/batch_stats/norm_0/mean',
    }
    assert free < variables.keys()
    for name in variables.keys() - free:
        np.testing.assert_allclose(
            numbers[name],
            variables[name],
            rtol=1e-4,
            atol=1e-5,
            err_msg=name,
        )


def test_shard_spreads_a_batch_in_its_order():
    code = (
        'import json, jax, jax.numpy as jnp, numpy as np\n'
        'from brainjax.training import parallel\n'
        'from brainjax.errors import InputError\n'
        'x = parallel.shard({"a": np.arange(6), "b": np.ones((12, 2))})\n'
        'def step(state, frozen, batch):\n'
        '    keys = parallel.example_keys(state["key"], 3)\n'
        '    draws = jax.vmap(jax.random.uniform)(keys) * frozen\n'
        '    means = {"m": batch["a"].mean(), "d": draws.mean()}\n'
        '    return state, parallel.mean(means)\n'
        'run = parallel.parallel(step)\n'
        'state = parallel.replicate({"key": jax.random.key(0)})\n'
        'state, mean = run(state, parallel.replicate(np.float32(3)), x)\n'
        'def descend(multiply, means):\n'
        '    def step(kernel, frozen, x):\n'
        '        loss = lambda k: (jnp.sin(multiply(x, k)) ** 3).mean()\n'
        '        gradient = jax.grad(loss)(kernel)\n'
        '        return parallel.mean(gradient, means), ()\n'
        '    x = np.random.default_rng(0).random((12, 5), np.float32)\n'
        '    kernel = np.random.default_rng(1).standard_normal((5, 7))\n'
        '    run = parallel.parallel(step)\n'
        '    given = parallel.replicate(np.float32(kernel)), (), '
        'parallel.shard(x)\n'
        '    text = run.lower(*given).as_text()\n'
        '    return np.asarray(run(*given)[0]), "all_reduce" in text\n'
        'plain, reduced = descend(jnp.matmul, lambda name: False)\n'
        'thin, also = descend(parallel.product, lambda name: True)\n'
        'rows = np.arange(11.0).reshape(11, 1)\n'
        'told = []\n'
        'mapped = parallel.map_rows(lambda f, x: {"y": x + f, "n": x[:, 0]},\n'
        '    np.float32(2), rows, 2, told.append)\n'
        'few = parallel.map_rows(lambda f, x: x + f, 1.0, rows[:1], 9)\n'
        'none = parallel.map_rows(lambda f, x: x + f, 1.0, rows[:0], 9)\n'
        'try:\n'
        '    parallel.shard(np.ones(7))\n'
        'except InputError as error:\n'
        '    message = str(error)\n'
        'print(json.dumps({"a": x["a"].tolist(), "b": x["b"].shape,\n'
        '    "copies": len(x["a"].addressable_shards),\n'
        '    "mapped": [mapped["y"][:, 0].tolist(), mapped["n"].tolist()],\n'
        '    "apart": float(abs(plain - thin).max()),\n'
        '    "least": float(abs(plain).min()), "reduced": [reduced, also],\n'
        '    "few": few.tolist(), "none": none.shape, "told": told,\n'
        '    "mean": {k: float(v) for k, v in mean.items()},\n'
        '    "message": message}))\n'
    )
    found = python(2, '-c', code)
    assert found['a'] == [[0, 1, 2], [3, 4, 5]]
    assert found['b'] == [2, 6, 2] and found['copies'] == 2
    assert found['mapped'] == [[i + 2 for i in range(11)], [*range(11)]]
    assert (found['few'], found['none']) == ([[1]], [0, 1])
    assert found['told'] == [4, 8, 11]
    # The kernel's gradient without its exchange: that of its factors.
    assert found['apart'] < 1e-7 < 1e-5 < found['least']
    assert found['reduced'] == [True, False]
    draws = [
        jax.random.uniform(jax.random.fold_in(jax.random.key(0), i))
        for i in range(6)
    ]
    np.testing.assert_allclose(found['mean']['m'], 2.5)
    np.testing.assert_allclose(
        found['mean']['d'], 3 * np.mean(draws), rtol=1e-6
    )
    assert found['message'] == (
        'the size of a batch is 7, which does not divide among 2 devices; give '
        'a multiple of 2.'
    )


@pytest.mark.parametrize('kind', ['', 'CPU_SCHEDULER_TYPE_DEFAULT'])
def test_processors_keep_to_the_order_of_least_memory(kind):
    """Unless `XLA_FLAGS` says otherwise; XLA would end at an unknown flag."""
    flag = f'--xla_cpu_scheduler_type={kind}' if kind else ''
    code = 'import brainjax.training.parallel as p, os; p.check_platform(); '
    done = subprocess.run(
        [sys.executable, '-c', code + 'print(os.environ["XLA_FLAGS"])'],
        env={**environment(1), 'XLA_FLAGS': flag},
        capture_output=True,
        text=True,
        check=True,
    )
    chosen = [f for f in done.stdout.split() if 'scheduler' in f]
    assert chosen == [flag or OURS]


def test_platform_that_is_missing_is_one_sentence(tmp_path):
    for platform, command in (
        ('tpu', ['info']),
        (
            'gpuu',
            ['features', '.', '--network', 'vgg19', '--out', tmp_path / 'f'],
        ),
    ):
        done = subprocess.run(
            [sys.executable, '-m', 'brainjax', *command],
            env={**environment(1), 'JAX_PLATFORMS': platform},
            capture_output=True,
            text=True,
            check=False,
        )
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2
        assert line.startswith(
            f'brainjax: JAX cannot compute on JAX_PLATFORMS={platform} ('
        )


def test_only_one_module_knows_of_devices():
    """`pmap`, its collectives, and the device axis by its name."""
    known = {'pmap', 'pmean', 'pmax', 'psum', 'axis_index', 'all_gather'}
    for path in (TESTS.parent / 'brainjax').rglob('*.py'):
        if path.match('training/parallel.py'):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in known:
                assert ast.unparse(node.value) == 'hosts', (path, node.lineno)
            if isinstance(node, ast.keyword) and node.arg == 'axis_name':
                assert not isinstance(node.value, ast.Constant), path


def test_example_keys_are_those_of_the_places_in_the_batch():
    keys = jax.vmap(
        lambda device: parallel.example_keys(jax.random.key(2), 3),
        axis_name=parallel.AXIS,
    )(np.arange(2))
    expected = [jax.random.fold_in(jax.random.key(2), i) for i in range(6)]
    np.testing.assert_array_equal(
        jax.random.key_data(keys).reshape(6, -1),
        jax.random.key_data(jnp.stack(expected)),
    )


def test_what_pads_a_batch_has_no_weight(monkeypatch):
    monkeypatch.setattr(jax, 'device_count', lambda: 4)
    rows = parallel.pad(np.arange(6) + 10)
    weights = parallel.padded_weights(6)
    assert rows.tolist() == [*range(10, 16), 15, 15]
    assert weights.dtype == np.float32 and not weights[6:].any()
    np.testing.assert_allclose((weights * rows).mean(), 12.5)
    assert parallel.pad(np.arange(8)).tolist() == [*range(8)]
    np.testing.assert_array_equal(parallel.padded_weights(8), np.ones(8))


def test_on_one_device_every_batch_divides():
    assert parallel.shard({'a': np.ones((7, 2))})['a'].shape == (1, 7, 2)
