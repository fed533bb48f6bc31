"""The estimators among those of scikit-learn."""

import re
import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from brainjax.errors import InputError
from brainjax.linear.estimator import (
    LatentMap,
    PicturePosterior,
    VoxelSelectingRidge,
    expected_failed_checks,
)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    'model',
    [VoxelSelectingRidge(), VoxelSelectingRidge(dtype='float64'), LatentMap()],
    ids=repr,
)
def test_scikit_learns_checks_pass_but_for_those_that_are_named(model):
    expected = expected_failed_checks(model)
    found = check_estimator(
        model, expected_failed_checks=expected, on_fail=None, on_skip=None
    )
    assert len(found) > 40
    failed = {x['check_name']: x for x in found if x['status'] == 'failed'}
    assert not failed
    # What passes meanwhile is no longer named.
    assert {x['check_name'] for x in found if x['status'] == 'xfail'} == {
        *expected
    }


def simulated(trials=120):
    rng = np.random.default_rng(0)
    fmri = rng.standard_normal((trials, 30)) + 5
    features = fmri[:, :4] @ rng.standard_normal((4, 3))
    return fmri, features + 0.1 * rng.standard_normal(features.shape)


def test_a_search_in_a_pipeline_finds_the_voxels_that_tell():
    rng = np.random.default_rng(1)
    fmri = rng.standard_normal((120, 40)) + 5
    features = fmri[:, :3] + rng.standard_normal((120, 3))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), VoxelSelectingRidge(alpha=1.0)),
        {'voxelselectingridge__k': [1, 10, 0]},
        cv=3,
    ).fit(fmri[:90], features[:90])
    assert search.best_params_ == {'voxelselectingridge__k': 1}
    assert 0.3 < search.score(fmri[90:], features[90:]) < 0.7


def test_the_latent_map_is_least_squares_of_one_voxel_and_of_many():
    fmri, latents = simulated()
    theirs = LinearRegression().fit(latents, fmri)
    for voxels in (slice(None), 0):
        model = LatentMap().fit(latents, fmri[:, voxels])
        assert model.predict(latents).shape == fmri[:, voxels].shape
        np.testing.assert_allclose(
            model.predict(latents),
            theirs.predict(latents)[:, voxels],
            rtol=1e-4,
            atol=1e-4,
        )
    model.fit(latents, fmri)
    assert model.score(latents, fmri) == pytest.approx(
        theirs.score(latents, fmri), abs=1e-5
    )


def fitted():
    fmri, features = simulated(40)
    pictures = np.hstack([features, -features]) / 100 + 0.5
    return (
        VoxelSelectingRidge(k=5).fit(fmri, features),
        LatentMap().fit(fmri, features),
        PicturePosterior().fit(fmri, pictures),
    )


def test_nan_is_refused_in_predict():
    for model in fitted():
        for value, word in ((np.nan, 'NaN'), (np.inf, 'inf')):
            wrong = simulated(4)[0]
            wrong[2, 7] = value
            with pytest.raises(InputError, match=f' 7 is {word} in trial 2 '):
                model.predict(wrong)


def test_without_scikit_learn_they_work(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.exceptions', None)
    for model in fitted():
        assert len(model.predict(simulated(4)[0])) == 4
        with pytest.raises(InputError, match='call fit first'):
            type(model)().predict(simulated(4)[0])


def test_the_example_of_the_page_runs(capsys):
    page = (REPOSITORY / 'docs/estimators.md').read_text()
    (source,) = re.findall(r'(?ms)^```python\n(.*?)^```', page)
    exec(source, {})
    assert "'voxelselectingridge__k': 10" in capsys.readouterr().out
