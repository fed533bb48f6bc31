"""`brainjax group` from folders to a leaderboard, beside SciPy."""

import csv
import json

import numpy as np
import pytest
from scipy import stats

from brainjax.__main__ import main

SUBJECTS = ('s1', 's2', 's3', 's4', 's5')
N = 10


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Five simulated subjects, scored by `brainjax evaluate`."""
    folder = tmp_path_factory.mktemp('runs')
    generator = np.random.default_rng(0)
    coarse = generator.random((N, 2, 2, 3))
    seen = coarse.repeat(6, 1).repeat(6, 2).astype(np.float32)
    names = np.array([f'p{i}' for i in range(N)])
    np.savez(folder / 'seen.npz', images=seen, names=names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('BRAINJAX_CACHE', str(folder / 'cache'))
        for noise, name in zip((0.3, 0.5, 0.7, 0.9, 60), SUBJECTS):
            made = coarse + generator.normal(0, noise, coarse.shape)
            made = made.repeat(6, 1).repeat(6, 2).clip(0, 1)
            np.savez(
                folder / f'{name}.npz', images=np.float32(made), names=names
            )
            argv = ['evaluate', f'{folder}/{name}.npz', f'{folder}/seen.npz']
            argv += ['--out', f'{folder}/{name}', '--draws', '300']
            assert main([*argv, '--method', 'ridge', '--simulated']) == 0
    return folder


def changed(folder, name, **changes):
    """Copies the first subject's scores, changed, to a folder of that name."""
    (folder / name).mkdir()
    results = scores_of(folder / 's1') | changes
    (folder / name / 'scores.json').write_text(json.dumps(results))
    table = (folder / 's1/per_picture.csv').read_text()
    (folder / name / 'per_picture.csv').write_text(table)


def group(folder, names, out, *flags):
    paths = [str(folder / name) for name in names]
    return main(['group', *paths, '--out', str(out), *flags])


def scores_of(folder):
    return json.loads((folder / 'scores.json').read_text())


def tail(k, n, chance):
    return stats.binom.sf(k - 1, n, chance)


def test_five_subjects_beside_scipy(runs, tmp_path, capsys):
    out = tmp_path / 'G'
    assert group(runs, SUBJECTS, out) == 0
    results = scores_of(out)
    singles = [scores_of(runs / name)['scores'] for name in SUBJECTS]
    ps = []
    for name, entry in results['scores'].items():
        values, chances, p = (
            np.array([each[name][key] for each in singles], float)
            for key in ('value', 'chance', 'p')
        )
        lower = name.startswith('rank')
        test = stats.ttest_1samp(
            values - chances, 0, alternative='less' if lower else 'greater'
        )
        interval = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
        assert entry['value'] == pytest.approx(values.mean())
        assert entry['p'] == pytest.approx(test.pvalue)
        assert entry['low'] == pytest.approx(interval[0])
        assert entry['high'] == pytest.approx(interval[1])
        assert entry['crossed_low'] < values.mean() < entry['crossed_high']
        k = int((p <= 0.05).sum())
        assert entry['significant'] == k and entry['n'] == 5
        assert entry['p_majority'] == pytest.approx(tail(k, 5, 0.525))
        root = 0.05 ** (1 / 5)
        worst = min(p.max(), root)  # Beyond, nothing is rejected.
        least = (root - worst) / (1 - worst)
        assert entry['prevalence_low_minimum'] == pytest.approx(least)
        if entry['prevalence_low']:  # There the null is rejected at just .05.
            chance = entry['prevalence_low'] * 0.95 + 0.05
            assert tail(k, 5, chance) == pytest.approx(0.05)
        ps.append(entry['p'])
    q = stats.false_discovery_control(ps)
    assert [e['q'] for e in results['scores'].values()] == pytest.approx(q)
    assert results['simulated'] is True and results['problems'] == []
    words = results['methods']
    assert words.startswith('ridge was scored in 5 simulated subjects.')
    assert f'{k} of 5 subjects significant' in words
    printed = capsys.readouterr().out
    assert 'pixcorr' in printed and printed.endswith('report.html\n')
    with open(out / 'subjects.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['subject'] for row in rows[:5]] == list(SUBJECTS)
    assert float(rows[2]['value']) == singles[2]['pixcorr']['value']
    page = (out / 'report.html').read_text()
    for words in ('All subjects saw the same 10 test pictures', 'Leaderboard'):
        assert words in page


def test_a_leaderboard_is_kept(runs, tmp_path):
    board = tmp_path / 'lab' / 'board.csv'
    for entry, names in (('few', SUBJECTS[2:]), ('best', SUBJECTS[:3])):
        flags = ('--leaderboard', str(board), '--entry', entry)
        assert group(runs, names, tmp_path / entry, *flags) == 0
    with open(board) as stream:
        rows = list(csv.DictReader(stream))
    assert [row['entry'] for row in rows] == ['best', 'few']
    assert [row['subjects'] for row in rows] == ['3', '3']
    value = scores_of(tmp_path / 'few')['scores']['pixcorr']['value']
    assert float(rows[1]['pixcorr']) == value
    before = board.read_text()
    flags = ('--leaderboard', str(board), '--entry', 'few')
    assert group(runs, SUBJECTS[2:], tmp_path / 'few', *flags) == 0
    assert board.read_text() == before  # The same group once.
    assert 'best' in board.with_suffix('.html').read_text()
    assert not (tmp_path / 'few/leaderboard.csv').exists()


def test_what_does_not_belong_together_is_refused(runs, tmp_path, capsys):
    changed(runs, 'real', simulated=False)
    changed(runs, 'other', method='other')
    changed(runs, 'again')
    for names, words in (
        (('s1',), 'two subjects'),
        (('s1', 'seen.npz'), 'holds no scores.json'),
        (('s2', 'real'), 'one is of a simulated'),
        (('s2', 'other'), 'is by ridge and'),
        (('s1', 's1'), 'give each once'),
    ):
        assert group(runs, names, tmp_path / 'no') == 2
        message = capsys.readouterr().err
        assert words in message and message.count('\n') == 1
    assert group(runs, ('s1', 'again'), tmp_path / 'no') == 2
    assert 'are one subject' in capsys.readouterr().err
    assert group(runs, SUBJECTS, tmp_path / 'no', '--level', '0') == 2
    for flag in ('--leaderboard', 'board.html'), ('--draws', '0'):
        assert group(runs, SUBJECTS, tmp_path / 'no', *flag) == 2
    assert group(runs, SUBJECTS, runs / 's1') == 2
    assert 'name another folder' in capsys.readouterr().err
    assert not (tmp_path / 'no').exists()


def test_what_differs_is_told(runs, tmp_path):
    """Another preset, other pictures, folds of one recording."""
    for name, changes, pictures in (
        ('a', {}, ['p1', 'p2']),
        ('b', {'preset': 'ours', 'recording.fold': 1}, ['p3', 'p4']),
    ):
        run = tmp_path / name
        run.mkdir()
        results = scores_of(runs / ('s1' if name == 'a' else 's2'))
        config = {'recording.path': 'x.h5', 'preset': 'own-size'} | changes
        results |= {'config': config, 'transductive': name == 'a'}
        (run / 'scores.json').write_text(json.dumps(results))
        images = np.zeros((2, 4, 4, 3), np.float32)
        np.savez(
            run / 'reconstructions.npz', images=images, names=np.array(pictures)
        )
    assert group(tmp_path, ('a', 'b'), tmp_path / 'G') == 0
    folds, pictures, config, transductive = scores_of(tmp_path / 'G')[
        'problems'
    ]
    assert 'folds of one recording' in folds
    assert '2 sets for 2 folders' in pictures
    assert config == 'The configs of the folders differ in preset.'
    assert transductive.startswith('Only a used')
