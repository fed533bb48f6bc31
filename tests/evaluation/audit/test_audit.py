"""The audit catches methods that cheat, and no honest one."""

import json

import jax
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from brainjax.__main__ import main
from brainjax.evaluation import folders
from brainjax.evaluation.audit import (
    LEVELS,
    cheats,
    copied,
    low_level,
    repeats,
    run,
    spaces,
    too_good,
)
from brainjax.evaluation.audit import checks as audit
from brainjax.evaluation.audit import controls as audit_controls
from brainjax.evaluation.audit import span as audit_span
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES
from brainjax.recordings import Trials
from brainjax.simulation.scenes import scenes


def rows_of(kind, seed=1, **sizes):
    case = cheats.make(kind, seed, **sizes)
    pair = case.target, case.reconstruction
    rows = audit.of_pictures(
        *pair, case.train, case.categories, unpaired=case.unpaired
    ) + audit_controls.compare(*pair, case.controls)
    return {row.check: row for row in rows}


# The others take longer; benchmarks/audit.py has all.
KINDS = [*({*cheats.KINDS} - {'best of 1600', 'best sample', 'turned leak'})]


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_each_cheat_is_flagged_and_an_honest_method_is_not(kind):
    usual = kind in ('few pictures', 'category oracle')
    rows = rows_of(kind, train=150, n=None if usual else 40)
    flagged = {check for check, row in rows.items() if row.flagged}
    if kind in cheats.HONEST:
        assert not flagged
    else:
        assert cheats.CAUGHT_BY[kind] in flagged
    if kind == 'honest':
        assert all(row.level == 'ok' for row in rows.values())
    if kind == 'weak':
        assert rows['mean picture'].level == 'note'
    if kind == 'dense ridge':
        assert rows['span of training pictures'].level == 'note'
    if kind == 'leaky split':
        assert flagged == {'near duplicates'}
    for row in rows.values():
        assert row.level in LEVELS
        assert row.verdict.endswith('.') and 'nan' not in row.verdict


def test_noise_does_not_hold_the_mean_test_pattern():
    """All test responses may share what training responses do not."""
    fmri = np.float32(np.random.default_rng(0).normal(5, 1, (200, 30)))
    noise = audit_controls.patterns(fmri)['noise']
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1
    order = audit_controls.patterns(fmri)['reordered']
    np.testing.assert_array_equal(order[100:], fmri[:100])


def test_what_noise_may_tell_is_the_permutation_test():
    """Pictures that identify without a response are no prior's."""
    rng = np.random.default_rng(6)
    target, made = np.float32(rng.random((2, 24, 8, 8, 3)))
    knows = np.float32(0.3 * target + 0.7 * made)
    [fine] = audit_controls.compare(target, target, {'noise': made})
    [told] = audit_controls.compare(target, target, {'noise': knows})
    assert fine.level == 'ok' and told.level == 'flag'
    assert 'told without any response' in told.verdict


def test_pictures_that_ignore_the_responses():
    rng = np.random.default_rng(7)
    made, other = np.float32(rng.random((2, 30, 8, 8, 3)))
    again = made + 0.1 * other
    assert audit_controls.follows(made, again).level == 'ok'
    assert audit_controls.follows(made, other).level == 'flag'
    # Draws from a broad posterior are alike only a little.
    broad = made + 4 * other
    assert audit_controls.follows(made, broad).level == 'ok'
    assert audit_controls.follows(made[:4], other[:4]).flagged is None


def test_identification_beyond_low_level_statistics():
    """Hand-made: a common picture of any colour, with or without its own."""
    rng = np.random.default_rng(8)
    common, own = rng.random((8, 8, 3)), rng.random((40, 8, 8, 3))
    colour = rng.random((40, 1, 1, 3))
    target = np.float32(0.3 * common + 0.3 * own + 0.4 * colour)
    train = np.float32(0.3 * common + 0.3 * rng.random((50, 8, 8, 3)) + 0.2)
    cheat = np.float32(0.3 * common + 0.15 + 0.4 * colour)
    row = low_level.beyond(target, cheat, train)
    assert row.level == 'flag' and row.value < 0.6
    honest = np.float32(cheat + 0.1 * (own - 0.5))
    assert low_level.beyond(target, honest, train).level == 'ok'
    # The rival has each target's mean, and no place of anything.
    rival = low_level.rival(target, train)
    np.testing.assert_allclose(
        rival.mean(axis=(1, 2)), target.mean(axis=(1, 2)), atol=0.02
    )


def test_layers_of_a_network_that_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    pictures, _, kinds = scenes(24, 32, 6)
    same = (*[pictures[:12]] * 2, pictures[12:], kinds[:12], False)
    assert spaces.of_layers(*same) == []
    weights.write(
        weights.path('squeezenet'),
        BACKBONES['squeezenet'].init(jax.random.key(0)),
    )
    rows = {row.check: row for row in spaces.of_layers(*same)}
    shallow, deep = spaces.in_cache()
    assert list(rows) == [
        f'{check} ({layer})'
        for layer in (shallow, deep)
        for check in ('beyond the category', 'nearest training picture')
    ]
    row = rows[f'nearest training picture ({deep})']
    assert row.level == 'ok' and row.value == pytest.approx(1)


def test_declared_choices_are_flagged():
    pictures = np.float32(np.random.default_rng(9).random((6, 32, 32, 3)))
    row = too_good.chosen(pictures, pictures, pictures, declared=16)
    assert row.level == 'flag' and 'best of 16' in row.verdict


def test_photographs_all_as_near_as_the_best_of_many():
    """Hand-made: the target's layout, and the detail of something else."""
    rng = np.random.default_rng(12)
    layout = ndimage.gaussian_filter(
        rng.standard_normal((140, 32, 32, 3)), (0, 4, 4, 0)
    )
    layout, detail = (
        0.12 * layout / layout.std(),
        rng.normal(0, 0.05, (2, 140, 32, 32, 3)),
    )
    made = np.float32(0.5 + layout + detail).clip(0, 1)
    target, others, chosen = made[0, :30], made[0, 30:], made[1, :30]
    row = too_good.chosen(target, chosen, others)
    assert row.level == 'flag' and row.value > 740
    # As an honest decoder blurs, and as one that draws errs.
    blurred = np.float32(0.5 + layout[:30]).clip(0, 1)
    assert too_good.chosen(target, blurred, others).level == 'ok'
    assert too_good.chosen(target, others[:30], others).level == 'ok'
    assert too_good.detail(target, chosen, others).level == 'ok'
    hidden = np.float32(0.5 * (target + blurred))
    assert too_good.detail(target, hidden, others).flagged


def test_equal_test_pictures_are_those_that_are_one():
    images, *_ = scenes(12, 32, 4)
    target = np.float32(images / 255)
    assert copied.repeated(target).level == 'ok'
    target[7] = target[2]
    row = copied.repeated(target)
    assert row.level == 'flag' and row.verdict.startswith('1 of 12 test')


def test_responses_that_tell_nothing_make_no_pictures():
    rng = np.random.default_rng(10)
    target = np.float32(rng.random((24, 8, 8, 3)))
    stimulus = np.repeat(np.arange(24), 4)
    order = np.arange(24)
    empty = np.float32(rng.standard_normal((96, 50)))
    signal = np.float32(rng.standard_normal((24, 50)))[stimulus]
    for fmri, level in ((empty, 'flag'), (empty + signal, 'ok')):
        row = repeats.of_responses(
            Trials(fmri, stimulus), order, target, target
        )
        assert row.level == level
    # A weak method may well come of responses that repeats cannot tell apart.
    weak = np.float32(0.05 * target + rng.random(target.shape))
    row = repeats.of_responses(Trials(empty, stimulus), order, target, weak)
    assert row.level == 'ok'
    few = repeats.of_responses(
        Trials(empty[:40], stimulus[:40]), order[:10], target[:10], target[:10]
    )
    assert few.level == 'not judged'


def test_two_pictures_are_too_few_for_a_verdict():
    case = cheats.make('honest', 3, n=2, train=60)
    rows = audit.of_pictures(
        case.target, case.reconstruction, case.train, case.categories
    ) + audit_controls.compare(case.target, case.reconstruction, case.controls)
    assert not any(row.flagged for row in rows)
    levels = {row.check: row.level for row in rows}
    for check in (
        'effective rank',
        'detail that fMRI cannot have',
        'same responses in another order',
        'beyond the category',
    ):
        assert levels[check] == 'not judged'


def test_how_training_pictures_came_makes_no_difference(tmp_path):
    """A folder of large PNG, an npz and the recording's own, of dense ridge."""
    large = scenes(90, 96, 5)[0]
    small = run.small(large)
    rng = np.random.default_rng(11)
    mixed = np.einsum('ab,bhwc->ahwc', rng.dirichlet(np.full(60, 0.1), 20),
                      large[:60] / 255)  # fmt: skip
    (tmp_path / 'train').mkdir()
    for i, image in enumerate(large[:60]):
        Image.fromarray(image).save(tmp_path / 'train' / f'{i:02d}.png')
    np.savez(tmp_path / 'train.npz', images=large[:60])
    np.savez(tmp_path / 'small.npz', images=np.uint8(small[:60] * 255 + 0.5))
    names = [f'{i}' for i in range(20)]
    seen = folders.Pictures(list(large[60:80]), names, names, [])
    values = []
    for name in ('train', 'train.npz', 'small.npz'):
        rows = run.of_folders(seen, list(mixed), tmp_path / name, None, {})
        [row] = [row for row in rows if row.check.startswith('span')]
        assert row.level == 'note'
        values.append(row.value)
    np.testing.assert_allclose(values, values[0], rtol=0.2)


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
    assert row.value == 1 and row.level == 'note'


def test_patterns_without_information():
    rng = np.random.default_rng(4)
    fmri = np.float32(rng.normal(3, 2, (400, 30)) * rng.uniform(0.5, 2, 30))
    found = audit_controls.patterns(fmri)
    noise = found['noise']
    assert abs(noise.mean(0)).max() < 0.8
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
    assert row.level == 'note'
    assert row.reference == pytest.approx(fine.value)
    assert audit_controls.seeds({0: 0.5, 1: 0.7}, 0.1).value == (
        pytest.approx(0.6)
    )
    assert audit_controls.seeds({0: 0.5, 1: 0.05}, 0.1).level == 'note'


def test_the_command_audits_folders(tmp_path, capsys):
    case = cheats.make('category oracle', 2, train=250)
    names = [f'{kind}/{i:03d}' for i, kind in enumerate(case.categories)]
    for file, images in (('truth', case.target), ('made', case.reconstruction)):
        np.savez(tmp_path / f'{file}.npz', images=images, names=names)
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
    assert main([*call, f'--train-pictures={tmp_path / "train"}',
                 f'--unpaired-pictures={tmp_path / "made.npz"}',
                 '--chosen-from=4']) == 0  # fmt: skip
    found = json.loads((tmp_path / 'out' / 'scores.json').read_text())
    rows = {row['check']: row for row in found['audit']}
    row = rows['beyond the category']
    assert row['flagged'] and row['level'] == 'flag'
    assert rows['near duplicates']['flagged'] is False
    assert rows['seeds']['flagged'] is None
    # What was given as unpaired are the reconstructions themselves.
    assert rows['copies of unpaired pictures']['level'] == 'flag'
    assert rows['chosen among many by the target']['value'] == 4
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'Could anything but brain activity explain them?' in page
    assert 'nothing beyond it' in page
    assert 'beyond the category' in capsys.readouterr().out
    # What the audit alone looks at is not passed over without it.
    alone = [x for x in call if x != '--audit']
    for flag in ('--recording=R', '--chosen-from=4', '--train-pictures=T'):
        assert main([*alone, flag]) == 2
        told = f'{flag.partition("=")[0]} serves the audit; give --audit'
        assert told in capsys.readouterr().err
    # Without training pictures it says what could not be checked.
    assert main(call) == 0
    found = json.loads((tmp_path / 'out' / 'scores.json').read_text())
    rows = {row['check']: row for row in found['audit']}
    assert '--train-pictures' in rows['near duplicates']['verdict']
