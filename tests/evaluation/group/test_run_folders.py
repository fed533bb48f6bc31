"""Folders of runs: what is read, and which belong together."""

import json

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation.group import run_folders

RESULTS = {
    'scores': {'x': {'value': 0.5}},
    'config': {'recording': {'path': 'a.h5', 'subject': ''}, 'seed': 0},
    'method': 'ridge',
    'simulated': False,
    'transductive': False,
}


@pytest.fixture
def run(tmp_path):
    """A function that writes a folder and reads it as a run."""

    def write(name, table='name,x\np1,1\np0,\n', **changes):
        folder = tmp_path / name
        folder.mkdir()
        text = json.dumps(RESULTS | changes)
        (folder / 'scores.json').write_text(text)
        if table:
            (folder / 'per_picture.csv').write_text(table)
        return run_folders.read(folder, name)

    return write


def scores(value):
    return {'scores': {'x': {'value': value}}}


def test_pictures_are_in_one_order(run):
    first = run('a', **scores(0.1))
    assert first.pictures == ('p0', 'p1')
    np.testing.assert_array_equal(first.values['x'], [np.nan, 1])
    second = run('b', table='name,y,x\np0,7,3\np1,8,4\n', **scores(0.2))
    tables = run_folders.tables([first, second])
    assert list(tables) == ['x']
    np.testing.assert_array_equal(tables['x'], [[np.nan, 1], [3, 4]])
    other = run('c', table='name,x\np2,1\n')
    assert run_folders.tables([first, other]) == {}


def test_names_of_reconstructions_stand_in_for_a_table(run):
    found = run('a', table=None)
    assert found.pictures == ()
    np.savez(found.folder / 'reconstructions.npz', names=np.array(['b', 'a']))
    again = run_folders.read(found.folder, 'a')
    assert again.pictures == ('a', 'b') and again.values == {}


def hashed(recording):
    return {'fingerprints': {'recording': recording, 'pictures': 'p'}}


def config(path='', subject='', **more):
    recording = {'path': path, 'subject': subject}
    return {'config': {'recording': recording, 'seed': 0, **more}}


@pytest.mark.parametrize(
    ('ours', 'theirs', 'same'),
    [
        (config('a.h5'), config('a.h5'), True),
        (config('bids', '01'), config('bids', '02'), False),
        (config('a.h5'), config('b.h5'), False),
        (config(), config(), False),  # Simulated: only the seed could tell.
        (config() | hashed('a'), config() | hashed('a'), True),
        (config() | hashed('a'), config() | hashed('b'), False),
        (config(reconstructions='r'), config(reconstructions='r'), True),
        (
            config() | {'config': {'recording': {'folds': 5}, 'seed': 1}},
            config() | {'config': {'recording': {'folds': 5}, 'seed': 1}},
            True,
        ),
    ],
)
def test_the_same_subject(run, ours, theirs, same):
    a, b = run('a', **ours, **scores(0.1)), run('b', **theirs, **scores(0.2))
    assert run_folders.same_subject(a, b) is same
    if same:
        with pytest.raises(InputError, match='give each subject once'):
            run_folders.check_group([a, b])
    else:
        run_folders.check_group([a, b])


def test_folds_of_one_recording_are_told(run):
    a = run('a', **scores(0.1))
    b = run('b', table='name,x\np7,1\n', **scores(0.2))
    run_folders.check_group([a, b])
    folds, pictures = run_folders.problems([a, b])
    assert 'folds of one recording' in folds and '2 sets' in pictures


@pytest.mark.parametrize(
    'changes',
    [{'scores': []}, {'config': None}, {'method': 3}, {'simulated': 'yes'}],
)
def test_scores_that_brainjax_did_not_write(run, changes):
    with pytest.raises(InputError, match='as brainjax writes it'):
        run('a', **changes)


def test_tables_that_brainjax_did_not_write(run):
    for i, (table, words) in enumerate(
        (
            ('x\n1\n', 'does not begin with the column name'),
            ('name,x\np,one\n', 'something else than a number'),
            ('name,x\np\n', 'line 2 has 1 of 2'),
        )
    ):
        with pytest.raises(InputError, match=words):
            run(f'r{i}', table=table)
