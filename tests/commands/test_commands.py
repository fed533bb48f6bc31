"""The command line, from a recording's files to the report."""

import contextlib
import csv
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
import tiny
import tiny_selfsup
from conftest import TESTS
from faulty_server import serve
from PIL import Image
from recording_files import write_digits, write_weizmann

from brainjax.__main__ import main
from brainjax.commands import info
from brainjax.evaluation import pixels
from brainjax.io import metrics
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES
from brainjax.training.checkpoints import manager

CONFIG = str(TESTS / 'tiny.py')
# BRAINJAX_KILLS=5 kills a run that often; BRAINJAX_KILL_SEED draws the moments.
pytestmark = pytest.mark.filterwarnings('ignore:the load_module')
KILLS = int(os.environ.get('BRAINJAX_KILLS', '1'))
KILL_SEED = int(os.environ.get('BRAINJAX_KILL_SEED', '0'))
PROGRESS = re.compile(
    r'(encoder|decoder): \d+/90 steps(, [\d.]+ steps/s, \d+ s left)?  '
    r'[A-Za-z]+ \S+'
    r'|pictures: \d+/64 pictures'
)


def start(*arguments, program=('-m', 'brainjax'), **environment):
    """Starts `python -m brainjax` in a process that shares our caches."""
    return subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            'JAX_PLATFORMS': 'cpu',
            'JAX_COMPILATION_CACHE_DIR': jax.config.jax_compilation_cache_dir,
            'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
            'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
            'PYTHONPATH': f'{TESTS.parent}{os.pathsep}{TESTS}',
            **environment,
        },
    )


def command(*arguments):
    """Runs a command in this process; returns status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


def run(workdir, flags):
    return command('run', '--config', CONFIG, '--workdir', workdir, *flags)


@pytest.fixture(scope='module')
def flags(tmp_path_factory):
    """The flags that name the tiny subject's files, and make less to trace."""
    return [
        *tiny.write(tmp_path_factory.mktemp('subject')),
        *(
            f'--config.{name}={value!r}'
            for name, value in tiny.dotted(tiny_selfsup.ONE_LAYER).items()
        ),
    ]


@pytest.fixture(scope='module')
def finished(flags, tmp_path_factory):
    """An undisturbed run: its folder, stdout and stderr."""
    workdir = tmp_path_factory.mktemp('runs') / 'undisturbed'
    status, out, err = run(workdir, flags)
    assert status == 0, err
    return workdir, out, err


# What a run writes.


def test_scores_follow_the_contract(finished):
    workdir, out, _ = finished
    found = json.loads((workdir / 'scores.json').read_text())
    assert {
        'scores',
        'method',
        'simulated',
        'transductive',
        'problems',
        'config',
        'versions',
        'fingerprints',
        'methods',
    } == found.keys()
    assert found['method'] == 'selfsup'
    assert found['simulated'] is found['transductive'] is False
    assert found['config']['decoder']['epochs'] == 6
    assert 'jax' in found['versions']
    assert 'ED on unpaired pictures (weight 1)' in found['methods']
    assert sorted(found['scores']) == sorted(
        [
            'pixcorr',
            'ssim_2d',
            'ssim_1d',
            'two_way_pixels',
            'all_way_pixels',
            'encoder_correlation',
            'encoder_correlation_in_V1',
            'encoder_correlation_in_V2',
            'encoder_correlation_in_VC',
        ]
    )
    for name, score in found['scores'].items():
        assert {'value', 'chance', 'low', 'high', 'p', 'n'} <= score.keys()
        assert score['low'] <= score['value'] <= score['high']
        assert score['n'] == 24
        assert re.search(rf'^{name} +{score["value"]:.3f}  \(chance', out, re.M)
    two_way = found['scores']['two_way_pixels']
    assert two_way['low'] > 0.8 > two_way['chance'] == 0.5
    assert out.splitlines()[-1] == str(workdir / 'report.html')


def test_values_of_each_picture_and_targets(finished):
    workdir, _, _ = finished
    found = json.loads((workdir / 'scores.json').read_text())['scores']
    names = [f'test-{i:04d}' for i in range(1, 25)]
    with open(workdir / 'per_picture.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['name'] for row in rows] == names
    columns = ['name', 'pixcorr', 'ssim_2d', 'ssim_1d', 'two_way_pixels']
    assert list(rows[0]) == [*columns, 'all_way_pixels']
    for column in columns[1:]:
        values = [float(row[column]) for row in rows]
        assert np.mean(values) == pytest.approx(found[column]['value'])
    with (
        np.load(workdir / 'targets.npz') as shown,
        np.load(workdir / 'reconstructions.npz') as made,
    ):
        assert list(shown['names']) == names
        assert shown['images'].dtype == np.float32
        own = pixels.pixel_correlation(shown['images'], made['images'])
    values = [float(row['pixcorr']) for row in rows]
    np.testing.assert_allclose(own, values, atol=1e-5)


def test_reconstructions_and_pictures(finished):
    workdir, _, _ = finished
    with np.load(workdir / 'reconstructions.npz') as archive:
        assert sorted(archive.files) == ['images', 'names']
        images, names = archive['images'], archive['names']
    assert images.shape == (24, 16, 16, 3) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    assert list(names) == [f'test-{i:04d}' for i in range(1, 25)]
    pngs = sorted((workdir / 'images').iterdir())
    assert [path.name for path in pngs] == [f'{name}.png' for name in names]
    for path, image in zip(pngs, images):
        png = np.asarray(Image.open(path))
        assert png.shape == (16, 16, 3)
        assert np.abs(png / 255 - image).max() <= 0.501 / 255


def test_report_is_one_file_with_what_a_reader_asks(finished):
    workdir, _, _ = finished
    html = (workdir / 'report.html').read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    for words in (
        'Seen and reconstructed',
        'Training of the encoder',
        'Training of the decoder',
        'Encoder on the test stimuli',
        'learning_rate',
        'Two-way',
        'chance',
        'jaxlib',
        'sbj_1.npz',
        'Fit',
    ):
        assert words in html, words
    assert html.count('data:image/png;base64,') >= 4


def test_nothing_else_is_left_behind(finished):
    workdir, _, _ = finished
    assert {path.name for path in workdir.iterdir()} == {
        'checkpoints',
        'config.json',
        'data.json',
        'finished.json',
        'images',
        'metrics.csv',
        'model',
        'per_picture.csv',
        'reconstructions.npz',
        'report.html',
        'scores.json',
        'targets.npz',
        'voxels.csv',
        'voxels.npz',
    }
    assert not [
        p
        for p in workdir.rglob('*')
        if 'tmp' in p.name or p.name.startswith('.')
    ]
    assert {
        p.name for p in (workdir / 'checkpoints' / 'decoder').iterdir()
    } == {
        '75',
        '90',
    }


def test_metrics_have_a_line_an_epoch_of_both_stages(finished):
    workdir, _, _ = finished
    stages = metrics.read(workdir)
    assert [*stages] == ['encoder', 'decoder']
    for lines in stages.values():
        told = [float(x) for _, name, x in lines if name == 'loss']
        assert len(told) == 6 and told[-1] < told[0]
        assert sum(name == 'validation_score' for _, name, _ in lines) == 6


def test_progress_is_all_that_is_told(finished):
    _, _, err = finished
    lines = err.splitlines()
    assert lines and all(PROGRESS.match(line) for line in lines), err
    for name in ('encoder', 'decoder'):
        (last,) = (line for line in lines if line.startswith(f'{name}: 90/90'))
        assert '0 s left' in last and 'loss ' in last
        assert 'validation_score ' in last


def outcome(workdir):
    """Everything a run ends with that must not depend on its path."""
    about = {}
    for network in ('encoder', 'decoder'):
        with manager(workdir / 'checkpoints' / network) as m:
            assert m.latest_step() == 90
            about[network] = m.restore(
                90, args=ocp.args.Composite(about=ocp.args.JsonRestore())
            )['about']
    with np.load(workdir / 'reconstructions.npz') as archive:
        images = archive['images'].tobytes()
    return about, (workdir / 'scores.json').read_text(), images


def test_second_run_repeats_the_first(finished, flags):
    workdir, out, _ = finished
    before = outcome(workdir)
    status, again, err = run(workdir, flags)
    assert (status, again, err) == (0, out, '')
    assert outcome(workdir) == before


def saved(workdir):
    """How many of the 180 steps of both networks have been saved."""
    return sum(
        max(
            (
                int(path.name)
                for path in (workdir / 'checkpoints' / network).glob('*')
                if path.name.isdigit()
            ),
            default=0,
        )
        for network in ('encoder', 'decoder')
    )


def wait_until(condition, process, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_run_ends_with_the_very_numbers(finished, flags, tmp_path):
    workdir = tmp_path / 'run'
    moments = random.Random(KILL_SEED)
    # In the encoder or the decoder, in any epoch, at any place in it.
    chosen = sorted(moments.sample(range(15, 166, 15), KILLS + 1))
    # The first is asked to stop, the others are given no time.
    signals = [signal.SIGTERM] + [signal.SIGKILL] * KILLS
    reached = []
    for number, steps in zip(signals, chosen):
        process = start('run', '--config', CONFIG, '--workdir', workdir, *flags)
        wait_until(lambda steps=steps: saved(workdir) >= steps, process)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(number)
        _, err = process.communicate()
        reached.append(saved(workdir))
        if number == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 130, err
            *lines, last = err.splitlines()
            assert all(PROGRESS.match(line) for line in lines), err
            assert re.fullmatch(
                r'brainjax: (encoder|decoder): stopped after \d+ of 90 steps; '
                r'the same command goes on\.|brainjax: interrupted',
                last,
            )
    assert reached == sorted(reached) and reached[0] > 0 and reached[-1] < 180
    status, out, err = run(workdir, flags)
    assert status == 0, err
    undisturbed, expected, _ = finished
    assert outcome(workdir) == outcome(undisturbed)
    assert out.splitlines()[:-1] == expected.splitlines()[:-1]
    test_nothing_else_is_left_behind((workdir, out, err))


# Bad input: one sentence, status 2 and nothing left half-written.


def refused(status, out, err, *words):
    """Checks the sentence of a refusal."""
    assert status == 2
    assert out == ''
    (line,) = err.splitlines()
    assert line.startswith('brainjax: ')
    assert re.search(r'[.?]$', line), line
    for word in words:
        assert word in line, line


def weizmann_flags(folder, **changes):
    paths = write_weizmann(folder, **changes)
    return [
        f'--config.recording.path={paths[0]}',
        f'--config.recording.images={paths[1]}',
        f'--config.pictures.path={folder}',
    ]


def nan_voxel(folder):
    fmri = np.random.default_rng(0).random((8, 12))
    fmri[5, 7] = np.nan
    return weizmann_flags(folder, arr_0=fmri), ['sbj_3.npz', 'voxel 7', 'NaN']


def constant_voxel(folder):
    fmri = np.random.default_rng(0).random((8, 12))
    fmri[:, 4] = 3
    return weizmann_flags(folder, arr_0=fmri), [
        'sbj_3.npz',
        'voxel',
        '1 constant',
    ]


def label_without_a_picture(folder):
    labels = np.arange(8)
    labels[2] = 99
    return weizmann_flags(folder, arr_3=labels), ['arr_3', '99', 'pictures']


def roi_that_does_not_exist(folder):
    flags = [*weizmann_flags(folder), '--config.recording.roi=V9']
    return flags, ["no ROI 'V9'", 'Did you mean']


def wrong_image_size(folder):
    flags = tiny.write(folder)
    return [*flags, '--config.size=32'], ['16 x 16', 'config.size is 32']


def truncated_npz(folder):
    flags = weizmann_flags(folder)
    path = folder / 'sbj_3.npz'
    path.write_bytes(path.read_bytes()[:2000])
    return flags, ['sbj_3.npz', 'again']


def missing_recording(folder):
    return [f'--config.recording.path={folder}/no.npz'], ['does not exist']


def not_a_recording(folder):
    (folder / 'notes.npz').write_text('hello')
    return [f'--config.recording.path={folder}/notes.npz'], ['no recording']


def no_pictures(folder):
    flags = tiny.write(folder)
    (folder / 'empty').mkdir()
    return [*flags, f'--config.pictures.path={folder}/empty'], ['no pictures']


def mistyped_key(folder):
    return ['--config.encoder.epoch=3'], ["Did you mean 'config.encoder.epochs"]


def key_like_none(folder):
    return ['--config.banana=3'], ['There are: config.ablations']


def key_in_the_wrong_section(folder):
    return ['--config.epochs=3'], ["Did you mean 'config.encoder.epochs'"]


def wrong_type(folder):
    flags = ['--config.encoder.epochs=many']
    return flags, ['config.encoder.epochs is 6', 'whole number']


def value_missing(folder):
    return ['--config.encoder.epochs'], ['--config.encoder.epochs=...']


def unknown_flag(folder):
    return ['--wrkdir=x'], ['wrkdir', 'workdir']


def stray_word(folder):
    return ['fast'], ["'fast' is no flag"]


def impossible_decoder(folder):
    flags = [*tiny.write(folder), '--config.decoder.upsampling=cubic']
    return flags, ["'cubic'", "Did you mean 'bicubic'"]


def weights_not_fetched(folder):
    flags = [*tiny.write(folder), '--config.image_loss.weights=vgg16']
    return flags, ['run `brainjax fetch vgg16`']


BAD = [
    nan_voxel,
    constant_voxel,
    label_without_a_picture,
    roi_that_does_not_exist,
    wrong_image_size,
    truncated_npz,
    missing_recording,
    not_a_recording,
    no_pictures,
    mistyped_key,
    key_in_the_wrong_section,
    key_like_none,
    wrong_type,
    value_missing,
    unknown_flag,
    stray_word,
]


@pytest.mark.parametrize('make', BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(make, tmp_path):
    folder, workdir = tmp_path / 'given', tmp_path / 'run'
    folder.mkdir()
    flags, words = make(folder)
    before = sorted(tmp_path.rglob('*'))
    refused(*run(workdir, flags), *words)
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize('make', [impossible_decoder, weights_not_fetched])
def test_settings_are_checked_before_the_training(make, tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    flags, words = make(tmp_path)
    refused(*run(tmp_path / 'run', flags), *words)
    assert not (tmp_path / 'run').exists()


def test_bad_input_of_a_process(tmp_path):
    process = start('inspect', tmp_path / 'no.npz')
    out, err = process.communicate()
    refused(process.returncode, out, err, 'does not exist')


def test_folder_that_cannot_be_written(flags, tmp_path):
    (tmp_path / 'file').write_text('')
    workdir = tmp_path / 'file' / 'run'
    refused(
        *run(workdir, flags), str(workdir), 'cannot be written', '--workdir'
    )
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_full_disk(flags, tmp_path):
    # A limit on the size of files stands for a disk that is full.
    code = (
        'import resource, sys\n'
        'from brainjax.__main__ import main\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))\n'
        'sys.exit(main(sys.argv[1:]))\n'
    )
    process = start(
        *('run', '--config', CONFIG, '--workdir', tmp_path / 'run', *flags),
        program=('-c', code),
        # What it would cut off others must not read.
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='1e9',
    )
    out, err = process.communicate()
    assert (process.returncode, out) == (2, '')
    *before, last = err.splitlines()
    assert all(PROGRESS.match(line) for line in before), err
    assert re.match(r'brainjax: .*/checkpoints/encoder cannot be written', last)
    assert 'File too large' in last and 'make room' in last


def test_reader_that_stops_reading(tmp_path):
    process = start('inspect', *write_weizmann(tmp_path))
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (0, '')


def test_folder_of_another_config(finished, flags):
    workdir, _, _ = finished
    before = outcome(workdir)
    refused(
        *run(workdir, [*flags, '--config.seed=1']),
        str(workdir),
        'config.seed=0',
        'use another --workdir',
    )
    assert outcome(workdir) == before


def test_damaged_checkpoint(finished, flags, tmp_path):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    newest = workdir / 'checkpoints' / 'encoder' / '90'
    largest = max(
        (p for p in newest.rglob('*') if p.is_file()),
        key=lambda path: path.stat().st_size,
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    # Of a run that is done nobody reads it.
    assert run(workdir, [*flags, '-q'])[0] == 0
    (workdir / 'finished.json').unlink()
    refused(*run(workdir, flags), str(newest), 'damaged', 'delete that folder')
    # Which helps.
    shutil.rmtree(newest)
    status, _, err = run(workdir, flags)
    assert status == 0, err
    assert outcome(workdir) == outcome(finished[0])


def test_quiet_and_verbose(finished, flags, tmp_path):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    told = run(workdir, [*flags, '-q'])
    assert told == (0, f'{workdir}/report.html\n', '')
    status, out, err = run(workdir, [*flags, '--verbose'])
    assert (status, out) == (
        0,
        finished[1].replace(str(finished[0]), str(workdir)),
    )
    assert f'{workdir} is done; nothing has changed.' in err.splitlines()
    (workdir / 'finished.json').unlink()
    status, again, err = run(workdir, [*flags, '--verbose'])
    assert (status, again) == (0, out)
    for line in (
        f'jax {jax.__version__}',
        r'devices .*',
        r'Fit: [\d.]+ s',
        'took .*',
    ):
        assert re.search(f'(?m)^{line}$', err)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (None, ['is no config file; check --config']),
        ('def get_config(:\n', ['given.py', 'SyntaxError']),
        ('x = 1\n', ['given.py', 'get_config']),
        ('import nothing_of_the_kind\n', ['given.py', 'nothing_of_the_kind']),
        (
            'from tiny import get_config as base\n'
            'def get_config():\n'
            '    config = base()\n'
            '    config.encoder.epoch = 3\n'
            '    return config\n',
            ['given.py', 'epoch', 'Did you mean "epochs"'],
        ),
    ],
)
def test_config_file_that_cannot_be_loaded(text, words, tmp_path):
    path = tmp_path / 'given.py'
    if text is not None:
        path.write_text(text)
    refused(
        *command('run', '--config', path, '--workdir', tmp_path / 'run'),
        *words,
    )
    assert not (tmp_path / 'run').exists()


def test_flags_that_are_missing(tmp_path):
    refused(*command('run', '--config', CONFIG), '--workdir FOLDER is missing')
    refused(*command('run', '--workdir', tmp_path), '--config FILE is missing')


def test_no_such_command(capsys):
    for arguments, words in (
        (['trian'], "invalid choice: 'trian'"),
        ([], 'required: command'),
        (['info', '--jsn'], 'unrecognized arguments: --jsn'),
        (['--verbose', 'run', '--config', 'x'], '--verbose stands before'),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert words in capsys.readouterr().err


# The smaller commands.


def test_info(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path))
    status, out, err = command('info', '--json')
    found = json.loads(out)
    assert (status, err) == (0, '')
    assert found['cache'] == str(tmp_path)
    assert found['versions']['jax'] == jax.__version__
    assert len(found['devices']) == jax.device_count()
    assert found['weights'] == []
    assert found['missing'].keys() == info.NEEDED_FOR.keys()
    assert 'brainjax fetch vgg19' in found['missing']['vgg19']
    (tmp_path / 'weights').mkdir()
    (tmp_path / 'weights' / 'vgg16.safetensors').write_text('')
    status, out, _ = command('info')
    assert status == 0
    assert f'jax {jax.__version__}\n' in out
    assert 'weights vgg16: there\n' in out
    assert 'brainjax fetch alexnet' in out


def test_inspect(tmp_path):
    paths = write_weizmann(tmp_path)
    status, out, err = command('inspect', *paths)
    assert (status, err) == (0, '')
    assert 'format          weizmann\n' in out and 'V1 3' in out
    status, out, _ = command('inspect', *paths, '--json')
    found = json.loads(out)
    assert status == 0
    assert list(found)[:9] == [
        'format',
        'subject',
        'simulated',
        'trials',
        'stimuli',
        'voxels',
        'rois',
        'repeats',
        'problems',
    ]
    status, out, _ = command(
        'inspect', paths[0], '--pictures', paths[1], '--roi', 'V1|V2',
        '--leakage', '--json', '--plot', tmp_path / 'plot.png',
    )  # fmt: skip
    found = json.loads(out)
    assert status == 0 and found['voxels'] == 6
    assert found['leakage'][0]['what'] == 'identical pictures'
    with Image.open(tmp_path / 'plot.png') as image:
        assert image.width > 1000
    refused(
        *command('inspect', *paths, '--plot', tmp_path / 'x.pdf'),
        'must be named FILE.png',
    )
    digits = write_digits(tmp_path)
    status, out, _ = command('inspect', digits, digits, '--json')
    assert [item['format'] for item in json.loads(out)] == ['digits69'] * 2
    status, out, err = command(
        'inspect', digits, digits, '--option', 'test_rows=[0, 50]',
        '--leakage', '--plot', tmp_path / 'two.png',
    )  # fmt: skip
    assert (status, err) == (0, '')
    assert out.count('test trials     2 of 2 stimuli') == 2
    assert out.count('identical pictures  0 of 2') == 2
    assert (tmp_path / 'two-1.png').exists() and (
        tmp_path / 'two-2.png'
    ).exists()
    refused(*command('inspect', tmp_path / 'no.npz'), 'does not exist')


def test_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1,localhost')
    refused(
        *command('fetch', 'vgg17'),
        "no weights named 'vgg17'",
        "Did you mean 'vgg19'",
    )
    params = jax.device_get(BACKBONES['alexnet'].init(jax.random.key(0)))
    weights.write(tmp_path / 'alexnet.safetensors', params, {})
    content = (tmp_path / 'alexnet.safetensors').read_bytes()
    with serve(content, cuts=[5_000_000]) as (url, requests):
        status, out, err = command('fetch', 'alexnet', '--from', url)
    assert status == 0, err
    assert out == f'{weights.path("alexnet")}\n'
    assert len(requests) == 2
    megabytes = len(content) // 10**6
    assert err.splitlines()[-1].startswith(
        f'alexnet: {megabytes}/{megabytes} MB, '
    )
    loaded = weights.load('alexnet')
    np.testing.assert_array_equal(
        loaded['conv3']['kernel'], params['conv3']['kernel']
    )
    refused(
        *command('fetch', 'alexnet', '--from', tmp_path / 'no.pth'),
        'is not a file',
    )


def test_fetch_of_a_recording(tmp_path, monkeypatch):
    monkeypatch.setenv('BRAINJAX_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1,localhost')
    status, out, _ = command('fetch', '--list')
    assert status == 0
    assert {'vgg16', 'god-subject3', 'deeprecon-fmriprep-sub-01'} <= {
        line.split()[0] for line in out.splitlines()
    }
    refused(*command('fetch', 'god-subject6'), "Did you mean 'god-subject")
    refused(*command('fetch'), 'Nothing to fetch was named')
    with serve(b'x' * 3_000_000, cuts=[1_000_000]) as (url, requests):
        base = url.rpartition('/')[0]
        status, out, err = command('fetch', 'god-subject3', '--from', base)
        assert status == 0, err
        path = tmp_path / 'cache' / 'recordings' / 'god-subject3/Subject3.h5'
        assert out == f'{path}\n'
        assert path.read_bytes() == b'x' * 3_000_000
        assert err.startswith('From figshare article 7387130')
        assert 'Subject3.h5: 3/3 MB' in err
        assert len(requests) == 2
        status, again, err = command('fetch', 'god-subject3', '--from', base)
        assert (status, again, err) == (0, out, '')
        status, out, err = command(
            'fetch', 'deeprecon-fmriprep-sub-01', '--from', base
        )
    assert (status, out) == (2, '')
    assert 'came with the MD5' in err.splitlines()[-1]


def test_convert(tmp_path):
    out = tmp_path / 'new.npz'
    paths = write_weizmann(tmp_path)
    status, text, err = command(
        'convert', paths[0], out, '--pictures', paths[1], '--roi', 'V1|V2'
    )
    assert (status, err) == (0, f'Not kept in {out}: the subject.\n')
    assert text == f'{out}\n{tmp_path / "new_images.npz"}\n'
    status, text, _ = command(
        'inspect', out, tmp_path / 'new_images.npz', '--json'
    )
    assert json.loads(text)['voxels'] == 6
    status, text, err = command(
        'convert', write_digits(tmp_path), tmp_path / 'data', '--to', 'tfds'
    )
    assert status == 0 and err == ''
    assert text == f'{tmp_path}/data/brainjax_recording/digits69/1.0.0\n'
    refused(
        *command('convert', out, tmp_path / 'x.npz'),
        'holds no pictures; name the file',
        '(--pictures, or config.recording.images)',
    )
    refused(*command('convert', out, tmp_path / 'x.foo'), 'with --to, one of')
    refused(
        *command('convert', out, tmp_path / 'x.npz', '--option', 'roi'),
        'write NAME=VALUE',
    )


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (MemoryError(), 'the memory is used up'),
        (RuntimeError("can't start new thread"), 'no more threads'),
    ],
)
def test_what_the_machine_lacks_is_a_sentence(
    error, words, tmp_path, monkeypatch, capsys
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr('brainjax.recordings.description.open_all', fail)
    assert main(['inspect', str(tmp_path)]) == 2
    assert words in capsys.readouterr().err
