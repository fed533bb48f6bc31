"""`brainjax compare` from files to a report, beside NumPy and SciPy."""

import csv
import json

import numpy as np
import pytest
from scipy import stats

from brainjax.__main__ import main

GENERATOR = np.random.default_rng(0)
N = 12
NAMES = np.array([f'p{i:02d}' for i in range(N)])
COARSE = GENERATOR.random((N, 2, 2, 3))  # Few pixels are easily confused.


def enlarged(coarse):
    return coarse.repeat(6, 1).repeat(6, 2).clip(0, 1).astype(np.float32)


def noisy(level):
    return enlarged(COARSE + GENERATOR.normal(0, level, COARSE.shape))


SEEN = enlarged(COARSE)
MADE = {'good': noisy(0.3), 'bad': noisy(0.8), 'poor': noisy(0.8)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))


@pytest.fixture
def files(tmp_path):
    order = np.roll(np.arange(N), 3)  # Paired by name all the same.
    for name, images in MADE.items():
        np.savez(
            tmp_path / f'{name}.npz', images=images[order], names=NAMES[order]
        )
    np.savez(tmp_path / 'seen.npz', images=SEEN, names=NAMES)
    return tmp_path


def compare(folder, *sets, flags=()):
    paths = [str(folder / name) for name in sets]
    argv = ['compare', *paths, '--out', str(folder / 'W'), '--draws', '4000']
    return main([*argv, *flags])


def found(folder):
    return json.loads((folder / 'W/scores.json').read_text())


def correlations(made):
    """Pixel correlations of all pairs, rows what was seen."""
    rows = [x.reshape(N, -1).astype(float) for x in (SEEN, made)]
    return np.corrcoef(*rows)[:N, N:]


def of_pictures(made):
    """Pixel correlation and two-way identification of each picture."""
    matrix = correlations(made)
    two_way = [
        np.mean([matrix[i, j] < matrix[j, j] for i in range(N) if i != j])
        for j in range(N)
    ]
    return {'pixcorr': np.diag(matrix), 'two_way_pixels': np.array(two_way)}


def test_two_methods_beside_numpy_and_scipy(files, capsys):
    assert compare(files, 'good.npz', 'bad.npz', 'seen.npz') == 0
    results = found(files)
    assert results['compared'] == ['good', 'bad']
    ours, theirs = (of_pictures(MADE[name]) for name in ('good', 'bad'))
    for name in ours:
        entry = results['scores'][f'{name}_good_minus_bad']
        away = ours[name] - theirs[name]
        assert entry['value'] == pytest.approx(away.mean(), abs=1e-6)
        exact = stats.permutation_test(
            (away,), np.mean, permutation_type='samples', n_resamples=np.inf
        )
        assert entry['p'] == pytest.approx(exact.pvalue, abs=0.02)
        size = away.mean() / away.std(ddof=1)
        assert entry['d_z'] == pytest.approx(size, abs=1e-4)
        # No narrower than Student's, but within what a difference can be.
        usual = stats.ttest_1samp(away, 0).confidence_interval()
        assert entry['low'] < usual.low + 0.02 and entry['low'] < away.mean()
        assert entry['high'] > min(usual.high, away.mean() + 0.1) - 0.02
        for method, each in (('good', ours), ('bad', theirs)):
            alone = results['scores'][f'{name}_{method}']
            assert alone['value'] == pytest.approx(each[name].mean(), abs=1e-6)
    assert entry['q'] >= entry['p']
    printed = capsys.readouterr().out
    assert 'pixcorr_good_minus_bad' in printed and 'report.html' in printed


def test_files_hold_each_picture_and_the_page_sorts_them(files):
    assert compare(files, 'good.npz', 'bad.npz', 'seen.npz') == 0
    with open(files / 'W/per_picture.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['name'] for row in rows] == list(NAMES)
    ours, theirs = (of_pictures(MADE[k])['pixcorr'] for k in ('good', 'bad'))
    column = [float(row['pixcorr_good_minus_bad']) for row in rows]
    np.testing.assert_allclose(column, ours - theirs, atol=1e-6)
    page = (files / 'W/report.html').read_text()
    words = found(files)['methods']
    assert words.startswith('Reconstructions from fMRI by good and by bad')
    assert 'Pixel correlation, good less bad' in words and 'd_z =' in words
    assert 'good beside bad' in page and 'd_z' in page
    alone = found(files)['scores']['pixcorr_bad']
    assert f'{alone["value"]:.3f} ({alone["low"]:.3f} to' in page
    assert 'Simulated' not in page


def test_three_methods_and_all_pairs(files):
    sets = ('good.npz', 'bad.npz', 'poor.npz', 'seen.npz')
    flags = ('--names', 'A,B,C', '--simulated', '--sort-by', 'two_way_pixels')
    assert compare(files, *sets, flags=flags) == 0
    results = found(files)
    pairs = [k for k in results['scores'] if k.startswith('pixcorr_')]
    assert pairs == [
        *('pixcorr_A', 'pixcorr_B', 'pixcorr_C'),
        *('pixcorr_A_minus_B', 'pixcorr_A_minus_C', 'pixcorr_B_minus_C'),
    ]
    alike = results['scores']['pixcorr_B_minus_C']
    assert alike['low'] < 0 < alike['high'] and alike['q'] > 0.05
    assert results['simulated'] is True
    page = (files / 'W/report.html').read_text()
    assert 'Simulated subject' in page and 'mean of A' in page


def test_runs_say_what_they_are(files):
    for name, simulated in (('good', True), ('bad', False)):
        run = files / f'run_{name}'
        run.mkdir()
        (files / f'{name}.npz').rename(run / 'reconstructions.npz')
        np.savez(run / 'targets.npz', images=SEEN, names=NAMES)
        (run / 'scores.json').write_text(
            json.dumps(
                {
                    'method': f'method {name}',
                    'simulated': simulated,
                    'transductive': False,
                    'problems': ['a leak.'],
                }
            )
        )
    assert compare(files, 'run_good', 'run_bad', 'run_good') == 0
    results = found(files)
    assert results['compared'] == ['method good', 'method bad']
    assert results['simulated'] is True
    assert 'Only method good is of a simulated subject.' in results['problems']
    assert 'method good, method bad: a leak.' in results['problems']


def test_draws_are_compared_by_their_means_and_proper_scores(files):
    for name, images in MADE.items():
        spread = GENERATOR.normal(0, 0.1, (N, 4, 12, 12, 3))
        samples = np.clip(images[:, None] + spread, 0, 1).astype(np.float32)
        np.savez(files / f'{name}.npz', samples=samples, names=NAMES)
    assert compare(files, 'good.npz', 'bad.npz', 'seen.npz') == 0
    entry = found(files)['scores']['crps_good_minus_bad']
    assert entry['value'] < 0 and entry['better'] == 'lower'
    assert entry['wins'] > 0.5
    assert 'the mean of its posterior' in (files / 'W/report.html').read_text()


def test_the_same_pictures_under_two_names_are_told(files):
    np.savez(files / 'copy.npz', images=MADE['good'], names=NAMES)
    assert compare(files, 'good.npz', 'copy.npz', 'seen.npz') == 0
    results = found(files)
    assert results['problems'] == ['good and copy are the same pictures.']
    entry = results['scores']['pixcorr_good_minus_copy']
    assert entry['value'] == 0 and entry['p'] == 1 and entry['d_z'] is None


@pytest.mark.parametrize(
    ('sets', 'flags', 'words'),
    [
        (('good.npz', 'seen.npz'), (), 'two sets of reconstructions'),
        (('good.npz', 'good.npz', 'seen.npz'), (), 'give each once'),
        (('good.npz', 'bad.npz', 'seen.npz'), ('--names', 'a'), 'as many'),
        (
            ('good.npz', 'bad.npz', 'seen.npz'),
            ('--sort-by', 'pixcor'),
            "Did you mean 'pixcorr'",
        ),
        (('good.npz', 'few.npz', 'seen.npz'), (), 'no reconstruction of'),
        (('good.npz', 'bad.npz', 'seen.npz'), ('--draws', '0'), '--draws 0'),
    ],
)
def test_refusals(files, capsys, sets, flags, words):
    np.savez(files / 'few.npz', images=SEEN[1:], names=NAMES[1:])
    assert compare(files, *sets, flags=flags) == 2
    message = capsys.readouterr().err
    assert words in message and message.count('\n') == 1
    assert not (files / 'W/report.html').exists()


def test_what_is_read_is_not_written_over(files, capsys):
    (files / 'W').mkdir()
    (files / 'good.npz').rename(files / 'W/reconstructions.npz')
    assert compare(files, 'W', 'bad.npz', 'seen.npz') == 2
    assert 'name another folder' in capsys.readouterr().err
