"""`brainjax evaluate` from folders to a report."""

import csv
import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from brainjax.__main__ import main
from brainjax.evaluation.posterior import posterior_scores
from brainjax.evaluation.published import god, presets
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES

NAMES = [f'n0144353{i % 3}_{i}' for i in range(6)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def sets(tmp_path, rng):
    """Two folders: pictures, and noisy ones of another size."""
    for name in NAMES:
        coarse = rng.integers(256, size=(6, 6, 3), dtype=np.uint8)
        seen = Image.fromarray(coarse).resize((48, 48))
        made = np.asarray(seen.resize((40, 40))) / 255
        made = np.clip(made + rng.normal(0, 0.1, made.shape), 0, 1)
        for folder, image in (
            ('truth', seen),
            ('recon', Image.fromarray(np.uint8(made * 255))),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            image.save(tmp_path / folder / f'{name}.png')
    return tmp_path / 'recon', tmp_path / 'truth'


def evaluate(sets, out, *flags):
    argv = ['evaluate', *map(str, sets), '--out', str(out), '--draws', '200']
    return main([*argv, *flags])


def test_contract(sets, tmp_path, capsys):
    out = tmp_path / 'out'
    assert evaluate(sets, out, '--method', 'ridge', '--simulated') == 0
    results = json.loads((out / 'scores.json').read_text())
    assert set(results) == {
        *('scores', 'method', 'simulated', 'transductive', 'config'),
        *('problems', 'versions', 'fingerprints', 'methods'),
    }
    assert results['problems'] == []
    assert results['method'] == 'ridge' and results['simulated'] is True
    assert results['transductive'] is False
    for name in ('pixcorr', 'ssim_2d', 'ssim_1d', 'two_way_pixels'):
        entry = results['scores'][name]
        assert {'value', 'chance', 'low', 'high', 'p', 'n'} <= set(entry)
        assert entry['n'] == 6 and entry['p'] < 0.05
    with open(out / 'scores.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['score'] for row in rows] == list(results['scores'])
    assert float(rows[0]['value']) == results['scores']['pixcorr']['value']
    with open(out / 'per_picture.csv', newline='') as stream:
        each = list(csv.DictReader(stream))
    assert [row['name'] for row in each] == sorted(NAMES)
    for name, entry in results['scores'].items():
        mean = np.mean([float(row[name]) for row in each])
        assert mean == pytest.approx(entry['value'])
    page = (out / 'report.html').read_text()
    assert 'brainjax fetch clip' in page and 'different sizes' in page
    assert 'simulated' in page
    printed = capsys.readouterr().out
    assert 'two_way_pixels' in printed and printed.endswith('report.html\n')


def test_few_pictures_have_no_interval_and_perfect_ones_a_wide_one(
    sets, tmp_path
):
    for name in NAMES[:2]:
        for folder in sets:
            (folder / f'{name}.png').rename(tmp_path / f'{folder.name}_{name}')
    found = {}
    assert evaluate(sets, tmp_path / 'four') == 0
    for name in NAMES[:2]:
        for folder in sets:
            (tmp_path / f'{folder.name}_{name}').rename(folder / f'{name}.png')
    assert evaluate((sets[1], sets[1]), tmp_path / 'same') == 0
    for out in ('four', 'same'):
        text = (tmp_path / out / 'scores.json').read_text()
        found[out] = json.loads(text)['scores']
    assert {s['low'] for s in found['four'].values()} == {None}
    page = (tmp_path / 'four/report.html').read_text()
    assert 'No score has an interval: 4 pictures' in page
    two_way = found['same']['two_way_pixels']
    # Clopper and Pearson's of 6 in 6.
    assert two_way['low'] == pytest.approx(0.025 ** (1 / 6))
    for name, score in found['same'].items():
        assert score['low'] < score['high'], name
        assert score['p'] <= score['q'] <= 1, name


def test_npz_of_a_run_scores_as_its_folder(sets, tmp_path):
    made = [
        np.asarray(Image.open(sets[0] / f'{name}.png'), np.float32) / 255
        for name in NAMES
    ]
    np.savez(
        tmp_path / 'made.npz', images=np.stack(made), names=np.array(NAMES)
    )
    assert evaluate(sets, tmp_path / 'a') == 0
    assert evaluate((tmp_path / 'made.npz', sets[1]), tmp_path / 'b') == 0
    a, b = (
        json.loads((tmp_path / out / 'scores.json').read_text()) for out in 'ab'
    )
    assert a['scores'] == b['scores']
    assert a['method'] == 'unknown' and a['simulated'] is False


def draws_of(sets, rng, k=20, side=48):
    """Draws around the noisy pictures, floats of another size than these."""
    made = np.stack(
        [
            np.asarray(Image.open(sets[0] / f'{name}.png').resize((side, side)))
            / 255
            for name in NAMES
        ]
    )
    noise = rng.normal(0, 0.1, (len(NAMES), k, side, side, 3))
    return np.float32(np.clip(made[:, None] + noise, 0, 1))


def test_draws_are_scored_beside_their_mean(sets, tmp_path, rng):
    samples, names = draws_of(sets, rng), np.array(NAMES)
    order = np.roll(np.arange(len(NAMES)), 2)  # Matched by name all the same.
    np.savez(tmp_path / 'draws.npz', samples=samples[order], names=names[order])
    np.savez(tmp_path / 'mean.npz', images=samples.mean(axis=1), names=names)
    np.savez(tmp_path / 'one.npz', images=samples[:, 0], names=names)
    np.savez(
        tmp_path / 'both.npz',
        **{'samples': samples, 'names': names, 'images': samples[:, 1]},
    )
    found = {}
    for name in ('draws', 'mean', 'one', 'both'):
        out = tmp_path / name
        assert evaluate((tmp_path / f'{name}.npz', sets[1]), out) == 0
        found[name] = json.loads((out / 'scores.json').read_text())['scores']
    drawn = found['draws']
    for name, score in found['mean'].items():
        for key in ('value', 'n'):
            np.testing.assert_allclose(drawn[name][key], score[key], atol=1e-6)
    for name, score in found['one'].items():
        # q is corrected for the rows of a report, of which draws have more.
        differing = {'q': drawn[f'{name}_single_draw'].get('q')}
        assert drawn[f'{name}_single_draw'] == score | differing
    assert found['both']['pixcorr']['value'] < drawn['pixcorr']['value']
    assert found['both']['crps'] == drawn['crps']
    direct = posterior_scores.score(
        samples,
        np.stack([Image.open(sets[1] / f'{name}.png') for name in NAMES]),
        draws=200,
    )
    for name, score in direct.items():
        for key in ('value', 'nominal'):
            ours, theirs = drawn[name].get(key), score.get(key)
            if theirs is None or np.isnan(theirs):
                assert ours == (theirs if theirs is None else None)
            elif name != 'rank_dispersion':  # Its axes are drawn by order.
                np.testing.assert_allclose(ours, theirs, atol=1e-5)
    page = (tmp_path / 'draws/report.html').read_text()
    for words in (
        'What may have been seen',
        'Ranks of the truth among the draws',
        'Coverage of intervals',
        'at least 39 draws a picture, and there are 20',
        'above nominal',
        'Pixel correlation, single draw',
    ):
        assert words in page
    assert 'nominal' not in (tmp_path / 'mean/report.html').read_text()


def test_draws_of_another_size_are_resized(sets, tmp_path, rng):
    np.savez(
        tmp_path / 'draws.npz',
        samples=np.uint8(255 * draws_of(sets, rng, 3, 24)),
        names=np.array(NAMES),
    )
    out = tmp_path / 'out'
    assert evaluate((tmp_path / 'draws.npz', sets[1]), out) == 0
    assert 'changes their sharpness' in (out / 'report.html').read_text()
    scores = json.loads((out / 'scores.json').read_text())['scores']
    assert 0 < scores['sharpness_draw']['value'] < 10


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'samples': np.zeros((6, 8, 8, 3))}, 'at least two draws'),
        ({'samples': np.zeros((6, 1, 8, 8, 3))}, 'at least two draws'),
        ({'names': np.array(NAMES[:5])}, "no 'names' [6]"),
        ({'images': np.zeros((5, 8, 8, 3))}, 'images'),
        ({'samples': np.full((6, 2, 48, 48, 3), 7.0)}, 'must lie in 0..1'),
    ],
)
def test_bad_draws_are_told_in_one_sentence(
    change, message, sets, tmp_path, capsys, rng
):
    held = {'samples': draws_of(sets, rng, 2), 'names': np.array(NAMES)}
    np.savez(tmp_path / 'draws.npz', **(held | change))
    out = tmp_path / 'out'
    assert evaluate((tmp_path / 'draws.npz', sets[1]), out) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and '\n' not in error
    assert not (out / 'scores.json').exists()


def test_bad_input_is_told_in_one_sentence(sets, tmp_path, capsys):
    (sets[0] / f'{NAMES[2]}.png').unlink()
    out = tmp_path / 'out'
    for where, flags, message in (
        (sets, (), f"no reconstruction of '{NAMES[2]}'"),
        ((sets[1], sets[1]), ('--preset', 'god-like'), "no preset 'god-like'"),
        ((sets[1], sets[1]), ('--preset', 'weizmann'), '--distractors'),
        ((sets[1], sets[1]), ('--networks', 'clip'), 'brainjax fetch clip'),
        ((sets[1], sets[1]), ('--draws', '0'), 'at least one draw'),
        ((tmp_path / 'no', sets[1]), (), 'does not exist'),
    ):
        assert evaluate(where, out, *flags) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and '\n' not in error
        assert not (out / 'scores.json').exists()


def test_god(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(god, 'SIZE', 32)
    assert evaluate(sets, tmp_path / 'out', '--preset', 'god') == 0
    scores = json.loads((tmp_path / 'out/scores.json').read_text())['scores']
    assert list(scores) == [
        *('mse', 'two_way_mse', 'pixcorr', 'two_way_pixcorr', 'ssim_rgb'),
        'two_way_ssim_rgb',
    ]
    page = (tmp_path / 'out/report.html').read_text()
    assert 'ViT-H/14' in page and 'better than chance' in page


def test_weizmann_and_classes(sets, tmp_path, monkeypatch, rng):
    networks = {
        'vgg16': BACKBONES['vgg16'].init(jax.random.key(0), 1 / 16),
        'alexnet': BACKBONES['alexnet'].init(jax.random.key(1), 1 / 16),
    }
    monkeypatch.setattr(weights, 'load', networks.__getitem__)
    for label in range(4):
        folder = tmp_path / 'classes' / f'n0144353{label}'
        folder.mkdir(parents=True)
        for i in range(3):
            colours = rng.integers(256, size=(9, 9, 3), dtype=np.uint8)
            Image.fromarray(colours).save(folder / f'example{i}.png')
    shown = tmp_path / 'shown'
    shutil.copytree(tmp_path / 'classes' / 'n01443530', shown / 'n01443530')
    flags = ('--preset', 'weizmann', '--distractors', tmp_path / 'classes')
    flags += ('--classes', tmp_path / 'classes', '--train-pictures', shown)
    out = tmp_path / 'out'
    assert evaluate(sets, out, *map(str, flags)) == 0
    scores = json.loads((out / 'scores.json').read_text())['scores']
    assert scores['identification_5way_perceptual_vgg16']['p'] < 0.05
    assert scores['identification_10way_perceptual_vgg16']['guess'] == 0.1
    assert scores['top1_2way']['n'] == 6 and 'top1_classes' in scores
    with open(out / 'classes.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row['name'] for row in rows) == sorted(NAMES)
    for row in rows:
        assert row['novel'] == str(int(row['class'] != 'n01443530'))
        assert 1 <= int(row['place']) <= int(row['classes']) == 4
    bank = ('--classes', str(out / 'class_bank.npz'), '--networks', 'vgg16')
    flags = ('--preset', 'weizmann', '--distractors', str(shown))
    assert evaluate(sets, tmp_path / 'again', *flags, *bank) == 0
    again = json.loads((tmp_path / 'again/scores.json').read_text())['scores']
    assert again['top1_classes'] == scores['top1_classes']


def test_results_that_cannot_be_written_are_told_before_scoring(
    sets, tmp_path, capsys, monkeypatch
):
    out = tmp_path / 'out'
    (out / 'report.html').mkdir(parents=True)
    monkeypatch.setattr(
        presets, 'score', lambda *_, **__: pytest.fail('scored')
    )
    assert evaluate(sets, out) == 2
    error = capsys.readouterr().err
    assert 'report.html is a folder and a file is to be written' in error
    assert [path.name for path in out.iterdir()] == ['report.html']
