"""A run audits its own method, by fits of it beside the run's own."""

import linear_method
import numpy as np
import tiny

from brainjax import experiment
from brainjax.methods import METHODS


def test_a_run_audits_its_own_method(tmp_path, monkeypatch):
    linear_method.take_the_place_of_selfsup(monkeypatch)
    method, fits = METHODS['selfsup'], []

    def fit(data, config, workdir):
        place = workdir.relative_to(tmp_path / 'run').as_posix()
        fits.append((place, config.seed, len(data.normalised.train)))
        fitted = method.fit(data, config, workdir)
        # What a seed makes different.
        rng = np.random.default_rng(config.seed)
        drawn = rng.normal(0, 0.01, fitted.weights.shape)
        return fitted._replace(weights=fitted.weights + drawn)

    monkeypatch.setitem(METHODS, 'selfsup', method._replace(fit=fit))
    c = tiny.get_config()
    c.decoder.encoder_decoder = 100.0  # The ridge's penalty.
    c.audit.update(on=True, clusters=2, seeds=1)
    results = experiment.run(c, tmp_path / 'run')
    rows = {row['check']: row for row in results['audit']}
    assert rows['runs in training and test']['flagged'] is None
    assert {'held-out clusters', 'seeds', 'zero in place of the responses'} <= {
        *rows
    }
    for name in ('noise', 'zero', 'shuffled'):
        row = rows[f'{name} in place of the responses']
        assert row['value'] > row['reference']
    assert (
        'of the test picture’s cluster (2 clusters)'
        in (rows['held-out clusters']['verdict'])
    )
    assert rows['seeds']['reference'] > 0
    # Each fit is in a folder of its own; those without a cluster see less.
    whole, *left, again = fits
    assert (whole, again) == (('.', 0, 100), ('audit/seed-1', 1, 100))
    assert [place for place, *_ in left] == [
        'audit/cluster-0',
        'audit/cluster-1',
    ]
    assert sum(rows for *_, rows in left) == 100
