"""A run's folder: for one config, one recording and one process."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tiny
from processes import environment
from tiny_selfsup import config

from brainjax.errors import InputError
from brainjax.io import files, provenance
from brainjax.methods.data import prepare


def test_folder_is_for_one_config(tmp_path):
    folder = tmp_path / 'runs' / 'a'
    with provenance.open_run_folder(folder, config()) as workdir:
        assert workdir == folder
    held = json.loads((folder / 'config.json').read_text())
    assert held['encoder']['taps'] == ['relu1_2', 'relu2_2']
    with provenance.open_run_folder(folder, config()):
        pass
    # A run that was killed before it wrote anything claims nothing.
    other = config(decoder__epochs=7)
    with provenance.open_run_folder(folder, other):
        pass
    with provenance.open_run_folder(folder, config()):
        (folder / 'checkpoint').write_text('saved')
    with (
        pytest.raises(InputError) as caught,
        provenance.open_run_folder(folder, other),
    ):
        pass
    assert str(caught.value) == (
        f'{folder} holds a run with config.decoder.epochs=6, and this one has '
        '7; use another --workdir.'
    )
    assert json.loads((folder / 'config.json').read_text()) == held
    (folder / 'config.json').write_text('{"a": ')
    with (
        pytest.raises(InputError, match=r'config\.json is damaged'),
        provenance.open_run_folder(folder, config()),
    ):
        pass


def stopped(folder, checkpoint=None, error=InputError):
    """Claims a folder, perhaps saves a checkpoint, and meets bad input."""

    def run():
        with provenance.open_run_folder(folder, config()):
            checkpoints = folder / 'checkpoints'
            (checkpoints / 'encoder').mkdir(parents=True, exist_ok=True)
            if checkpoint:
                (checkpoints / checkpoint).write_text('saved')
            raise error('bad')

    with pytest.raises(error, match='bad'):
        run()


def test_bad_input_leaves_the_folder_as_it_was(tmp_path):
    for error in (InputError, KeyboardInterrupt):
        stopped(tmp_path / 'new', error=error)
        assert not (tmp_path / 'new').exists()
    (tmp_path / 'old').mkdir()
    (tmp_path / 'old' / 'notes.txt').write_text('mine')
    stopped(tmp_path / 'old')
    assert [p.name for p in (tmp_path / 'old').iterdir()] == ['notes.txt']


def test_what_was_trained_is_kept(tmp_path):
    stopped(tmp_path / 'run', checkpoint='encoder/5')
    for _ in range(2):
        assert (tmp_path / 'run' / 'checkpoints' / 'encoder' / '5').exists()
        assert (tmp_path / 'run' / 'config.json').exists()
        stopped(tmp_path / 'run')


def test_folder_is_for_one_process(tmp_path):
    with provenance.open_run_folder(tmp_path, config()):
        code = (
            'import sys\n'
            'from ml_collections import ConfigDict\n'
            'from brainjax.io.provenance import open_run_folder\n'
            'with open_run_folder(sys.argv[1], ConfigDict({"seed": 0})):\n'
            '    pass\n'
        )
        done = subprocess.run(
            [sys.executable, '-c', code, tmp_path],
            env=environment(1),
            capture_output=True,
            text=True,
            check=False,
        )
    assert 'is being written by another run' in done.stderr
    with provenance.open_run_folder(tmp_path, config()):
        pass


def test_lock_ends_with_a_process_that_is_killed(tmp_path):
    code = (
        'import os, signal, sys\n'
        'from brainjax.io import files\n'
        'with files.exclusive_lock(sys.argv[1]):\n'
        '    os.kill(os.getpid(), signal.SIGKILL)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, tmp_path], env=environment(1), check=False
    )
    assert done.returncode == -signal.SIGKILL
    with files.exclusive_lock(tmp_path):
        assert os.listdir(tmp_path) == []


def test_folder_is_for_one_recording(tmp_path):
    recording, pictures = tiny.subject(), np.asarray(tiny.pictures(4, seed=1))

    def check(recording, pictures):
        found = prepare(recording, pictures).fingerprints
        provenance.check_data(tmp_path, found)

    for _ in range(2):
        check(recording, pictures)
    train = recording.train
    fmri = train.fmri.copy()
    fmri[-1, -1] += 1e-3
    other = dataclasses.replace(
        recording, train=dataclasses.replace(train, fmri=fmri)
    )
    with pytest.raises(InputError, match='another recording than'):
        check(other, pictures)
    with pytest.raises(InputError, match='another pictures than'):
        check(recording, pictures[:3])
    (tmp_path / 'data.json').write_text('[')
    with pytest.raises(InputError, match=r'data\.json is damaged'):
        check(recording, pictures)


def test_files_that_are_not_ours_are_not_touched(tmp_path):
    for name, content in (
        ('config.json', '{"compilerOptions": {}}'),
        ('data.json', '{"rows": []}'),
        ('scores.json', '{}'),
    ):
        folder = tmp_path / name.partition('.')[0]
        folder.mkdir()
        (folder / name).write_text(content)
        with (
            pytest.raises(InputError, match='use another --workdir'),
            provenance.open_run_folder(folder, config()),
        ):
            pass
        assert [p.name for p in folder.iterdir()] == [name]
        assert (folder / name).read_text() == content


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        *((x, 'is a folder') for x in ('report.html', 'scores.json')),
        *((x, 'is a folder') for x in ('reconstructions.npz', 'images/a.png')),
        *((x, 'is a folder') for x in ('config.json', 'data.json')),
        *((x, 'cannot be written to') for x in ('images', 'checkpoints')),
    ],
)
def test_what_would_stop_the_end_of_a_run_stops_its_start(
    name, words, tmp_path
):
    with provenance.open_run_folder(tmp_path, config()):
        files.write_json(tmp_path / 'scores.json', {})  # It has begun.
    (tmp_path / 'scores.json').unlink()
    path = tmp_path / name
    if words == 'is a folder':
        path.unlink(missing_ok=True)
        path.mkdir(parents=True)
    else:
        path.write_text('a file')
    with (
        pytest.raises(InputError, match=f'{name} {words}') as caught,
        provenance.open_run_folder(tmp_path, config()),
    ):
        pytest.fail('It was opened.')
    assert '\n' not in str(caught.value)


KILLED = """
import os, signal, sys
from brainjax.io import files, provenance
from ml_collections import ConfigDict

config = ConfigDict(dict.fromkeys(('method', 'recording', 'seed'), 0))
with provenance.open_run_folder(sys.argv[1], config):
    with files.atomic(f'{sys.argv[1]}/data.json') as temporary:
        temporary.write_text('half')
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_start_leaves_the_folder_free(tmp_path):
    process = subprocess.run(
        [sys.executable, '-c', KILLED, tmp_path],
        env=environment(1),
    )
    assert process.returncode == -signal.SIGKILL
    assert len([*tmp_path.glob('.*.json')]) == 1
    with provenance.open_run_folder(tmp_path, config(seed=1)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ['config.json']


def test_differences_are_named():
    theirs = {'a': {'b': 1, 'c': [2]}, 'd': 3}
    assert provenance.difference(theirs, theirs) is None
    changed = {'a': {'b': 1, 'c': [4]}, 'd': 3}
    assert provenance.difference(theirs, changed) == ('a.c', [2], [4])
    assert provenance.difference(theirs, {'a': theirs['a']}) == ('d', 3, None)


def test_arrays_of_other_shapes_differ():
    one = np.zeros((4, 3), np.uint8)
    assert provenance.hash_arrays(one) != provenance.hash_arrays(one.T)
    assert provenance.hash_arrays(one, None) == provenance.hash_arrays(one)


def test_versions_name_what_results_depend_on():
    found = provenance.versions()
    assert {'brainjax', 'jax', 'flax', 'numpy', 'devices'} <= found.keys()
    assert found['devices'].startswith('1 x ')


def test_a_manifest_says_what_differs(tmp_path):
    path = tmp_path / 'about.json'
    ours = {'names': ['a'] * 99, 'size': (4, 4), 'net': {'b': 1, 'c': 'x' * 64}}
    provenance.claim(path, {'size': 1}, 'pictures')
    provenance.claim(path, ours, 'pictures')  # Nothing was written yet.
    (tmp_path / 'a.png').touch()
    provenance.claim(path, ours, 'pictures')  # Now it compares.
    kept = path.read_bytes()
    for change, words in (
        ({'size': (4, 5)}, 'size [4, 4], and here it is [4, 5]'),
        ({'net': {'b': 1}}, f"net.c '{'x' * 64}', and here it is None"),
        ({'names': []}, "names ['a', 'a', 'a', 'a', 'a', 'a', ...], and"),
        ({'size': 3, 'more': 4}, 'size [4, 4], and here it is 3'),
        ({'more': 4}, 'more None, and here it is 4'),
    ):
        with pytest.raises(InputError) as caught:
            provenance.claim(path, ours | change, 'pictures', 'take others')
        assert f'{path} tells of pictures with {words}' in str(caught.value)
        assert str(caught.value).endswith('; take others.')
    # What it says besides makes no difference.
    provenance.claim(path, {'size': (4, 4)}, 'pictures')
    assert path.read_bytes() == kept
    path.write_text('{')
    with pytest.raises(InputError, match='damaged'):
        provenance.claim(path, ours, 'pictures')
