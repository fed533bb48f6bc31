"""Encoders of several subjects, with one body."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from ml_collections import FrozenConfigDict
from tiny_selfsup import PICTURES, config

from brainjax.errors import InputError
from brainjax.evaluation.voxels.encoding import voxel_correlation
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import networks, steps, subjects, training
from brainjax.methods.selfsup.data import load, split
from brainjax.recordings import average_repeats, normalise
from brainjax.simulation import subject as simulation
from brainjax.training import parallel, state


@functools.cache
def other(voxels=20, repeats=1):
    """Of other voxels and pictures."""
    return simulation.simulated_subject(
        seed=5,
        size=16,
        n_train=40,
        n_test=12,
        voxels={'V1': voxels},
        train_repeats=repeats,
        noise_ceiling=0.95,
    )


@pytest.fixture(scope='module')
def parts():
    data = prepare(tiny.subject(), PICTURES, others=[other()])
    c = config(encoder__dropout=0.0, encoder__shift=0.0, encoder__drops=())
    c.encoder.update(optimizer='sgd', learning_rate=1e-3)
    c = FrozenConfigDict(c)
    return c, split(data, c)


@pytest.fixture(scope='module')
def begun(parts):
    """Modules, the backbone and the variables of both."""
    c, data = parts
    backbone = networks.load_backbone(c.encoder, 0)
    encoder = networks.build_encoder(c, 48)
    features = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype),
        networks.feature_shapes(c, backbone),
    )
    encoders = subjects.modules(encoder, data.others)
    main = state.initialise(encoder, jax.random.key(0), features)
    return (
        encoders,
        backbone,
        subjects.begin(main, encoders, jax.random.key(1), features),
    )


def test_body_is_shared_and_read_outs_are_not(parts, begun):
    _, data = parts
    encoders, _, variables = begun
    name = data.others[0].name
    assert list(encoders) == [subjects.MAIN, name]
    assert encoders[name].voxels == 20
    params = variables['params']
    assert params['body'].keys() == {'branch_0', 'branch_1'}
    assert params['readout'].keys() == {subjects.MAIN, name}
    main, theirs = (subjects.of(variables, each) for each in encoders)
    for key in params['body']:
        assert main['params'][key] is theirs['params'][key]
    shapes = {
        key: value.shape for key, value in theirs['params'].items()
        if not key.startswith('branch_')
    }  # fmt: skip
    assert shapes and all(shape[-1] == 20 for shape in shapes.values())


def test_step_descends_the_mean_of_the_subjects_objectives(parts, begun):
    """Gradient by gradient: the body's is the mean of both subjects'."""
    c, data = parts
    encoders, backbone, variables = begun
    batch = subjects.batches(c, data)(0)
    assert {k: len(v['fmri']) for k, v in batch.items()} == {
        name: c.encoder.batch for name in encoders
    }
    frozen = {'encoder_backbone': backbone}

    def gradient(step, variables, batch):
        """What one step of descent makes of them."""
        before = state.create(
            variables,
            steps.build_optimizer(c.encoder),
            jax.random.key(0),
            steps.ENCODER_METRICS,
        )
        run = parallel.parallel(step)
        shared = parallel.replicate(frozen)
        after, metrics = run(
            parallel.replicate(before), shared, parallel.shard(batch)
        )
        return jax.device_get((after.params, after.batch_stats, metrics))

    step = functools.partial(steps.encoder_step, c)
    joint, _, metrics = gradient(
        step(encoders[subjects.MAIN], others=data.others), variables, batch
    )
    before = jax.device_get(variables['params'])
    moved, losses = {}, []
    for name, encoder in encoders.items():
        own = subjects.of(variables, name)
        after, _, told = gradient(step(encoder), own, batch[name])
        moved[name] = jax.tree.map(
            lambda a, b: a - b, after, jax.device_get(own['params'])
        )
        losses.append(float(told['loss']))
        for key, value in joint['readout'][name].items():
            np.testing.assert_allclose(
                value - before['readout'][name][key],
                moved[name][key] / 2,
                atol=1e-6,
            )
    for key, value in joint['body'].items():
        found = jax.tree.map(lambda a, b: a - b, value, before['body'][key])
        expected = jax.tree.map(
            lambda *x: sum(x) / 2, *(each[key] for each in moved.values())
        )
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, atol=1e-6),
            found,
            expected,
        )
    assert float(metrics['loss']) == pytest.approx(np.mean(losses), rel=1e-5)


def test_both_subjects_are_predicted(tmp_path):
    """By read-outs that were trained at the same time."""
    c = FrozenConfigDict(config(encoder__epochs=4))
    data = prepare(tiny.subject(), PICTURES, others=[other(20, 3)])
    seen = split(data, c)
    backbone = networks.load_backbone(c.encoder, 0)
    encoder = networks.build_encoder(c, 48)
    variables, history = training.fit_encoder(
        c, encoder, backbone, seen, tmp_path
    )
    assert max(r['validation_score'] for r in history) > 0.3
    recording = normalise(other(20, 3))
    test = average_repeats(recording.test)
    module = encoder.clone(voxels=20)
    predicted = networks.predict(
        c,
        module,
        {
            'encoder': subjects.of(variables, seen.others[0].name),
            'encoder_backbone': backbone,
        },
        recording.stimuli.images[test.stimulus],
    )
    assert np.median(voxel_correlation(predicted, test.fmri)) > 0.2


def test_pictures_of_the_test_teach_no_other_subject():
    main, seen = tiny.subject(), other()
    images = seen.stimuli.images.copy()
    images[seen.train.stimulus[:2]] = main.stimuli.images[
        main.test.stimulus[:1]
    ]
    stimuli = dataclasses.replace(seen.stimuli, images=images)
    seen = dataclasses.replace(seen, stimuli=stimuli)
    data = prepare(main, PICTURES, others=[seen])
    (left,) = data.others
    gone = {*seen.train.stimulus} - {*left.train.stimulus}
    assert gone == {*seen.train.stimulus[:2]}
    assert any('2 training trials of test pictures' in x for x in data.problems)
    assert 'other recording 1' in data.fingerprints


def test_others_are_named_in_the_config(tmp_path):
    flags = tiny.write(tmp_path)
    path = flags[0].split('=')[1]
    c = config(recording__others=('simulated:7', path))
    c.recording.images = flags[1].split('=')[1]
    first, second = load(c).others
    assert first.subject == 'simulated-7' and first.voxels == tiny.VOXELS
    assert second.voxels == 48
    for wrong in ('simulated:x', 'simulated:0'):
        c.recording.others = (wrong,)
        with pytest.raises(InputError, match='give another seed'):
            load(c)
