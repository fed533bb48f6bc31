"""The ridge, against the equations written out unit by unit."""

import doctest

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from brainjax.errors import InputError
from brainjax.linear import estimator, ridge
from brainjax.linear.estimator import LatentMap, VoxelSelectingRidge
from brainjax.linear.ridge import device as accelerator
from brainjax.linear.ridge import host

UNITS = 7


def data(seed=0, stimuli=30, voxels=40, repeats=(2, 4), test=5):
    """Trials with unequal repeats, features that some voxels carry."""
    rng = np.random.default_rng(seed)
    features = rng.normal(3, 2, (stimuli, UNITS))
    stimulus = rng.permutation(
        np.repeat(np.arange(stimuli), rng.integers(*repeats, stimuli))
    )
    mixing = rng.normal(size=(UNITS, voxels)) * (
        rng.random((UNITS, voxels)) < 0.3
    )
    fmri = features[stimulus] @ mixing + rng.normal(
        5, 3, (len(stimulus), voxels)
    )
    return fmri, stimulus, features, rng.normal(5, 3, (test, voxels))


def written_out(fmri, stimulus, features, test, k, alpha):
    """The published equations (spec 2.1), one unit after the other."""
    mean, deviation = fmri.mean(0), fmri.std(0, ddof=1)
    safe = np.where(deviation > 0, deviation, np.inf)
    x, x_test = (fmri - mean) / safe, (test - mean) / safe
    y_mean, y_deviation = features.mean(0), features.std(0, ddof=1)
    y = (features - y_mean) / np.where(y_deviation > 0, y_deviation, np.inf)
    y = y[stimulus]
    with_one = np.hstack([x, np.ones((len(x), 1))])
    test_one = np.hstack([x_test, np.ones((len(test), 1))])
    predicted = np.empty((len(test), y.shape[1]))
    for u in range(y.shape[1]):
        with np.errstate(invalid='ignore', divide='ignore'):
            r = [abs(np.corrcoef(v, y[:, u])[0, 1]) for v in x.T]
        r = np.nan_to_num(r)
        chosen = [*np.argsort(r)[::-1][: k or None], x.shape[1]]
        part = with_one[:, chosen]
        w = np.linalg.solve(
            part.T @ part + alpha * np.eye(len(chosen)), part.T @ y[:, u]
        )
        predicted[:, u] = test_one[:, chosen] @ w
    return predicted * y_deviation + y_mean


@pytest.mark.parametrize('k', [0, 5, 13, 100])
@pytest.mark.parametrize('repeats', [(1, 2), (3, 4), (1, 6)])
@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [('float64', 1e-9), ('float32', 1e-4)]
)
def test_predictions_follow_the_equations(k, repeats, dtype, tolerance):
    fmri, stimulus, features, test = data(repeats=repeats)
    prepared = ridge.prepare(fmri, stimulus, k=k, alpha=10.0, dtype=dtype)
    found = ridge.decode(prepared, test, features, units_at_a_time=3)
    wanted = written_out(fmri, stimulus, features, test, k, 10.0)
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max()
    )


def test_more_voxels_than_trials():
    fmri, stimulus, features, test = data(voxels=300, repeats=(1, 2))
    for k in (0, 20, 120):
        prepared = ridge.prepare(
            fmri, stimulus, k=k, alpha=50.0, dtype='float64'
        )
        np.testing.assert_allclose(
            ridge.decode(prepared, test, features),
            written_out(fmri, stimulus, features, test, k, 50.0),
            atol=1e-9,
        )


def test_an_accelerator_gives_the_same():
    import jax

    fmri, stimulus, features, test = data()
    for k in (0, 8):
        prepared = ridge.prepare(fmri, stimulus, k=k, dtype='float64')
        np.testing.assert_allclose(
            ridge.decode(prepared, test, features, devices=jax.devices()),
            ridge.decode(prepared, test, features),
            atol=1e-9,
        )


def test_a_tpu_takes_the_same_rows_and_columns(monkeypatch):
    import jax

    rng = np.random.default_rng(0)
    gram = rng.normal(size=(9, 9))
    gram += gram.T
    voxels = np.array([[0, 8, 3], [4, 4, 1], [7, 2, 5]])
    monkeypatch.setattr(accelerator, 'NUMBERS_AT_A_TIME', 2 * 3 * 9)
    np.testing.assert_array_equal(
        accelerator._submatrices_by_rows(jax.numpy.float32(gram), voxels),
        [gram[np.ix_(v, v)].astype(np.float32) for v in voxels],
    )


@pytest.mark.parametrize('alpha', [0.01, 1.0, 1000.0])
@pytest.mark.parametrize('voxels_of_a_unit', [24, 30, 31, 36, 55, 90, 0])
@pytest.mark.parametrize('normalise', [True, False])
@pytest.mark.parametrize('on_device', [False, True])
def test_float32_is_float64_where_trials_are_few(
    voxels_of_a_unit, alpha, normalise, on_device
):
    import jax

    fmri, stimulus, features, test = data(voxels=120, repeats=(1, 2))
    predicted = [
        ridge.decode(
            ridge.prepare(
                fmri,
                stimulus,
                k=voxels_of_a_unit,
                alpha=alpha,
                normalise=normalise,
                dtype=dtype,
            ),
            test,
            features,
            devices=jax.devices() if on_device and dtype == 'float32' else [],
        )
        for dtype in ('float32', 'float64')
    ]
    assert predicted[0].dtype == np.float32
    off = np.abs(predicted[0] - predicted[1]) / features.std(axis=0)
    assert off.max() < 1e-5
    if normalise:
        wanted = written_out(
            fmri, stimulus, features, test, voxels_of_a_unit, alpha
        )
        assert np.abs(predicted[1] - wanted).max() < 1e-7


def test_units_of_a_block_are_solved_in_parts_on_a_device(monkeypatch):
    import jax

    fmri, stimulus, features, test = data(voxels=120, repeats=(1, 2))
    prepared = ridge.prepare(fmri, stimulus, k=50)
    whole = ridge.decode(prepared, test, features, devices=jax.devices())
    monkeypatch.setattr(accelerator, 'NUMBERS_AT_A_TIME', 2 * 30 * 50)
    jax.clear_caches()
    parts = ridge.decode(prepared, test, features, devices=jax.devices())
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_truth_values_are_numbers():
    fmri, stimulus, features, test = data()
    fmri, features, test = fmri > 5, features > 3, test > 5
    found = ridge.decode(ridge.prepare(fmri, stimulus, k=8), test, features)
    np.testing.assert_array_equal(
        found,
        ridge.decode(
            ridge.prepare(np.float64(fmri), stimulus, k=8),
            np.float64(test),
            np.float64(features),
        ),
    )
    model = VoxelSelectingRidge(k=8).fit(fmri, features, stimulus)
    np.testing.assert_allclose(model.predict(test), found, atol=1e-5)
    assert model.score(fmri, features[stimulus]) > 0


@pytest.mark.parametrize(
    'bad', [np.ones((30, 4), complex), np.full((30, 4), 'a'), [[1], [1, 2]]]
)
def test_what_is_no_real_number_is_one_sentence(bad):
    good = np.random.default_rng(0).normal(size=(30, 4))
    for arguments in ((bad, good), (good, bad)):
        with pytest.raises(InputError, match=r'real numbers|array of numbers'):
            VoxelSelectingRidge(k=2).fit(*arguments)
    with pytest.raises(InputError, match=r'real numbers|array of numbers'):
        LatentMap().fit(bad, good)


def test_examples_of_the_docstrings():
    found = doctest.testmod(estimator)
    assert found.failed == 0 and found.attempted > 10


def test_devices_take_turns():
    import jax

    fmri, stimulus, features, test = data()
    prepared = ridge.prepare(fmri, stimulus, k=8, dtype='float64')
    np.testing.assert_allclose(
        ridge.decode(
            prepared,
            test,
            features,
            units_at_a_time=2,
            devices=3 * jax.devices()[:1],
        ),
        ridge.decode(prepared, test, features),
        atol=1e-9,
    )


def test_blocks_and_threads_change_nothing():
    fmri, stimulus, features, test = data()
    prepared = ridge.prepare(fmri, stimulus, k=8)
    whole = ridge.decode(prepared, test, features, threads=1)
    for size in (1, 2, 5):
        np.testing.assert_allclose(
            ridge.decode(
                prepared, test, features, units_at_a_time=size, threads=2
            ),
            whole,
            rtol=1e-5,
        )


@pytest.mark.parametrize('allowed', [1, 2])
def test_no_more_threads_than_numpy_may_use(monkeypatch, allowed):
    fmri, stimulus, features, _ = data()
    blas = ThreadpoolController().select(user_api='blas')
    used = []

    def spread(work, parts, threads):
        used.append(threads)
        return original(work, parts, threads)

    def solve(*arguments, **options):
        used.extend(each['num_threads'] for each in blas.info())
        return cho_solve(*arguments, **options)

    original, cho_solve = host.spread, host.scipy.linalg.cho_solve
    monkeypatch.setattr(host, 'spread', spread)
    monkeypatch.setattr(host.scipy.linalg, 'cho_solve', solve)
    with blas.limit(limits=allowed):
        for k in (0, 8):
            prepared = ridge.prepare(fmri, stimulus, k=k)
            units = ridge.scale_units(prepared, features)
            ridge.fitter(prepared)(units.values)
    assert len(used) > 1 and set(used) == {allowed}


def test_voxels_and_units_without_variance_are_neutral():
    fmri, stimulus, features, test = data()
    constant = fmri.copy()
    constant[:, [3, 9]] = 7.0
    features[:, 2] = -4.0
    for k in (0, 5, 39):
        prepared = ridge.prepare(constant, stimulus, k=k, dtype='float64')
        found = ridge.decode(prepared, test, features)
        assert np.isfinite(found).all()
        # What a constant voxel holds in the test does not matter.
        moved = test.copy()
        moved[:, [3, 9]] += 100
        np.testing.assert_array_equal(
            found, ridge.decode(prepared, moved, features)
        )
        np.testing.assert_allclose(found[:, 2], -4.0)
        weights = ridge.fitter(prepared)(
            ridge.scale_units(prepared, features).values
        )
        assert not weights.voxels[:, [3, 9]].any()
        assert not weights.voxels[2].any()


def test_free_bias_is_scikit_learns():
    from sklearn.linear_model import Ridge

    fmri, stimulus, features, test = data()
    model = VoxelSelectingRidge(
        k=0, alpha=3.0, bias='free', normalise=False, dtype='float64'
    ).fit(fmri, features, stimulus)
    theirs = Ridge(alpha=3.0).fit(fmri, features[stimulus])
    np.testing.assert_allclose(
        model.predict(test), theirs.predict(test), atol=1e-8
    )
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, atol=1e-7)
    assert model.score(fmri, features[stimulus]) == pytest.approx(
        theirs.score(fmri, features[stimulus])
    )


def test_estimator_keeps_the_shape_of_features_and_can_be_cloned():
    from sklearn.base import clone

    fmri, stimulus, features, test = data()
    cube = np.stack([features, -features], axis=-1)
    model = VoxelSelectingRidge(k=6, alpha=10.0, dtype='float64')
    found = clone(model).fit(fmri, cube, stimulus).predict(test)
    assert found.shape == (len(test), UNITS, 2)
    wanted = written_out(fmri, stimulus, features, test, 6, 10.0)
    np.testing.assert_allclose(found[..., 0], wanted, atol=1e-9)
    with pytest.raises(InputError, match='no parameter of Voxel'):
        model.set_params(alpa=2)


def test_k_and_alpha_are_chosen_on_training_trials():
    fmri, stimulus, features, _ = data(stimuli=60)
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(len(fmri), 200)) * 3
    choice = ridge.select_alpha_k(
        np.hstack([fmri, noise]),
        stimulus,
        features,
        ks=(10, 0),
        alphas=(1.0, 1e7),
        folds=3,
    )
    assert choice.alpha == 1.0 and choice.scores.shape == (2, 2)
    assert choice.scores[0, 0] > 0.5
    with pytest.raises(InputError, match='folds'):
        ridge.select_alpha_k(fmri, stimulus, features, folds=100)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda a: a['fmri'].__setitem__((2, 3), np.nan), 'voxel 3 is NaN'),
        (lambda a: a.update(fmri=a['fmri'][:, 0]), 'has shape'),
        (lambda a: a.update(stimulus=a['stimulus'] + 0.5), 'float64'),
        (lambda a: a.update(stimulus=a['stimulus'] + 1), 'stimulus 0 was'),
        (lambda a: a.update(k=-1), 'k is -1'),
        (lambda a: a.update(alpha=0.0), 'penalty above 0'),
        (lambda a: a.update(bias='none'), 'penalised or free'),
    ],
)
def test_what_cannot_be_used_is_one_sentence(change, words):
    fmri, stimulus, _, _ = data()
    arguments = {'fmri': fmri, 'stimulus': stimulus}
    change(arguments)
    with pytest.raises(InputError, match=words):
        ridge.prepare(**arguments)


def test_features_and_fmri_must_fit_what_was_prepared():
    fmri, stimulus, features, test = data()
    prepared = ridge.prepare(fmri, stimulus, k=5)
    with pytest.raises(InputError, match='40 voxels'):
        ridge.decode(prepared, test[:, 1:], features)
    with pytest.raises(InputError, match=r'give \[30, units\]'):
        ridge.decode(prepared, test, features[1:])
    features[4, 1] = np.inf
    with pytest.raises(InputError, match='unit 1 is inf in stimulus 4'):
        ridge.decode(prepared, test, features)


@pytest.mark.parity
@pytest.mark.parametrize('k', [0, 10])
@pytest.mark.parametrize('normalise', [True, False])
@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [('float64', 1e-9), ('float32', 1e-4)]
)
def test_predictions_are_those_of_fastl2lir(k, normalise, dtype, tolerance):
    fastl2lir = pytest.importorskip('fastl2lir')
    fmri, stimulus, features, test = data(stimuli=60, repeats=(2, 3))
    x, y, x_test = fmri, features, test
    if normalise:
        x, x_test = (
            (v - fmri.mean(0)) / fmri.std(0, ddof=1) for v in (x, test)
        )
        y = (features - features.mean(0)) / features.std(0, ddof=1)
    model = fastl2lir.FastL2LiR()
    try:
        model.fit(x, y[stimulus], alpha=100.0, n_feat=k, dtype=np.float64)
    except TypeError as error:  # Its selection fails on NumPy 2.4 and newer.
        pytest.skip(f'fastl2lir cannot select voxels here: {error}')
    theirs = model.predict(x_test)
    if normalise:
        theirs = theirs * features.std(0, ddof=1) + features.mean(0)
    prepared = ridge.prepare(
        fmri, stimulus, k=k, normalise=normalise, dtype=dtype
    )
    np.testing.assert_allclose(
        ridge.decode(prepared, test, features),
        theirs,
        atol=tolerance * np.abs(theirs).max(),
        rtol=0,
    )


@pytest.mark.parametrize('shape', [(20,), (20, 0)])
def test_features_that_are_none(shape):
    rng = np.random.default_rng(0)
    fmri = rng.normal(size=(20, 6))
    prepared = ridge.prepare(fmri, k=3, alpha=1.0)
    with pytest.raises(InputError, match=r'give \[stimuli, units\]'):
        ridge.decode(prepared, fmri, np.zeros(shape))
