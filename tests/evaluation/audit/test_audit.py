"""The audit catches methods that cheat, and no honest one."""

import json

import numpy as np
import pytest

from brainjax import experiment
from brainjax.__main__ import main
from brainjax.evaluation.audit import cheats
from brainjax.evaluation.audit import checks as audit
from brainjax.evaluation.audit import controls as audit_controls
from brainjax.evaluation.audit import span as audit_span


def rows_of(kind, seed=1, **sizes):
    case = cheats.make(kind, seed, **sizes)
    rows = audit.of_pictures(
        case.target, case.reconstruction, case.train, case.categories
    ) + audit_controls.compare(case.target, case.reconstruction, case.controls)
    return {row.check: row for row in rows}


@pytest.mark.parametrize('kind', cheats.KINDS)
def test_each_cheat_is_flagged_and_an_honest_method_is_not(kind):
    rows = rows_of(kind, train=250)
    flagged = {check for check, row in rows.items() if row.flagged}
    if kind == 'honest':
        assert not flagged
        assert all(row.flagged is False for row in rows.values())
    else:
        assert cheats.CAUGHT_BY[kind] in flagged
    if kind == 'leaky split':
        assert flagged == {'near duplicates'}
    for row in rows.values():
        assert row.verdict.endswith('.') and 'nan' not in row.verdict


def test_the_score_of_a_category_oracle():
    """Inversion spec section 6: k=2 gives .75 and k=10 .95."""
    assert audit.oracle_score(2) == 0.75
    assert audit.oracle_score(10) == pytest.approx(0.95)
    # Simulated: pictures of the named category, ten categories.
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(10), 30)
    similar = (kinds[:, None] == kinds[None]) + 1e-3 * rng.random((300, 300))
    score = np.mean(
        [(similar[:, j] < similar[j, j]).sum() / 299 for j in range(300)]
    )
    assert score == pytest.approx(audit.oracle_score(10), abs=0.02)


def test_within_categories_is_what_counting_gives():
    rng = np.random.default_rng(1)
    truth = np.float32(rng.random((24, 8, 8, 3)))
    made = np.float32((truth + 1.5 * rng.random(truth.shape)) / 2.5)
    labels = np.arange(24) % 4
    r = np.corrcoef(truth.reshape(24, -1), made.reshape(24, -1))[:24, 24:]
    expected = np.mean(
        [
            np.mean(
                [
                    r[i, j] < r[j, j]
                    for i in range(24)
                    if i != j and labels[i] == labels[j]
                ]
            )
            for j in range(24)
        ]
    )
    row = audit.within_categories(truth, made, [str(k) for k in labels])
    assert row.value == pytest.approx(expected)
    alone = audit.within_categories(truth, made, [str(i) for i in range(24)])
    assert alone.flagged is None and 'only 0 test pictures' in alone.verdict
    assert audit.within_categories(truth, made, None).flagged is None


def test_outside_the_span_is_the_residual_of_least_squares():
    rng = np.random.default_rng(2)
    train, images = rng.random((20, 4, 4, 3)), rng.random((7, 4, 4, 3))
    mean = train.mean(axis=0)
    x, y = (a.reshape(len(a), -1) - mean.ravel() for a in (train, images))
    left = y.T - x.T @ np.linalg.lstsq(x.T, y.T, rcond=None)[0]
    expected = np.square(left).sum() / np.square(y).sum()
    assert audit_span.outside_span(images, train) == pytest.approx(expected)
    mixed = mean + np.einsum('ab,bhwc->ahwc', rng.random((5, 20)), train - mean)
    assert audit_span.outside_span(mixed, train) < 1e-12
    row = audit_span.best_prediction(images, train)
    assert row.value == pytest.approx(expected) and '5: ' in row.verdict


def test_effective_rank_of_known_covariance():
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(size=(48, 48)))[0][:4]
    scores = rng.normal(size=(4000, 4))
    scores = (scores - scores.mean(0)) @ np.linalg.inv(
        np.linalg.cholesky(np.cov(scores.T))
    ).T
    images = (scores @ directions).reshape(-1, 4, 4, 3)
    assert audit_span.effective_rank(images[:1500], images[:1500]).value == (
        pytest.approx(4, rel=0.01)
    )
    same = np.repeat(images[:1], 9, axis=0)
    row = audit_span.effective_rank(images[:9], same)
    assert row.value == 1 and row.flagged


def test_patterns_without_information():
    rng = np.random.default_rng(4)
    fmri = np.float32(rng.normal(3, 2, (400, 30)) * rng.uniform(0.5, 2, 30))
    found = audit_controls.patterns(fmri)
    noise = found['noise']
    assert abs(noise.mean(0) - fmri.mean(0)).max() < 0.8
    np.testing.assert_allclose(noise.std(0), fmri.std(0), rtol=0.15)
    assert abs(np.corrcoef(noise.ravel(), fmri.ravel())[0, 1]) < 0.6
    np.testing.assert_allclose(
        np.sort(found['shuffled'], axis=1), np.sort(fmri, axis=1)
    )
    assert not found['zero'].any()


def test_what_generalises_to_new_clusters_and_what_does_not():
    rng = np.random.default_rng(5)
    truth = np.float32(rng.random((40, 8, 8, 3)))
    clusters = np.arange(40) % 4
    good = np.float32((truth + rng.random(truth.shape)) / 2)
    bad = np.float32(rng.random(truth.shape))
    fine = audit_controls.held_out_cluster(truth, good, good, clusters)
    assert fine.flagged is False and '4 clusters' in fine.verdict
    row = audit_controls.held_out_cluster(truth, good, bad, clusters)
    assert row.flagged and row.reference == pytest.approx(fine.value)
    assert audit_controls.seeds({0: 0.5, 1: 0.7}, 0.1).value == (
        pytest.approx(0.6)
    )
    assert audit_controls.seeds({0: 0.5, 1: 0.05}, 0.1).flagged


def test_the_command_audits_folders(tmp_path, capsys):
    case = cheats.make('category oracle', 2, train=250)
    names = [f'{kind}/{i:03d}' for i, kind in enumerate(case.categories)]
    for file, images in (('truth', case.target), ('made', case.reconstruction)):
        np.savez(tmp_path / f'{file}.npz', images=images, names=names)
    from PIL import Image

    (tmp_path / 'train').mkdir()
    for i, image in enumerate(case.train):
        Image.fromarray(np.uint8(image * 255)).save(
            tmp_path / 'train' / f'{i:03d}.png'
        )
    call = [
        'evaluate',
        str(tmp_path / 'made.npz'),
        str(tmp_path / 'truth.npz'),
        '--audit',
        '--draws=100',
        '--networks=',
        f'--out={tmp_path / "out"}',
    ]
    assert main([*call, f'--train-pictures={tmp_path / "train"}']) == 0
    found = json.loads((tmp_path / 'out' / 'scores.json').read_text())
    rows = {row['check']: row for row in found['audit']}
    assert rows['beyond the category']['flagged']
    assert rows['near duplicates']['flagged'] is False
    assert rows['seeds']['flagged'] is None
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'Could anything but brain activity explain them?' in page
    assert 'nothing beyond it' in page
    assert 'beyond the category' in capsys.readouterr().out
    # Without training pictures it says what could not be checked.
    assert main(call) == 0
    found = json.loads((tmp_path / 'out' / 'scores.json').read_text())
    rows = {row['check']: row for row in found['audit']}
    assert '--train-pictures' in rows['near duplicates']['verdict']


def test_a_run_audits_its_own_method(tmp_path):
    import tiny

    c = tiny.get_config()
    c.encoder.update(epochs=1, steps=10)
    c.decoder.update(epochs=2, steps=15)
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
    assert (tmp_path / 'run' / 'audit' / 'seed-1' / 'checkpoints').is_dir()
