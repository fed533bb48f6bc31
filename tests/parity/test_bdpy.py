"""BData beside bdpy, whose format it is."""

from fnmatch import fnmatchcase as fnmatch

import numpy as np
import pytest

pytest.importorskip('bdpy')

import bdata_files
import tiny
from bdpy import BData
from bdpy import vstack as bdpy_vstack
from bdpy.bdata.utils import resolve_vmap
from conftest import shared_data

from brainjax.recordings.formats.bdata import bdata
from brainjax.recordings.formats.bdata import recording as bdata_recording
from brainjax.recordings.formats.bdata.concatenation import concatenate

pytestmark = pytest.mark.parity

REGIONS = tuple(f'ROI_{name}' for name in (
    *('V1', 'V2', 'V3', 'hV4', 'LOC', 'FFA', 'PPA', 'LVC', 'HVC', 'VC'),
    *(f'{side}_V{i}{part}' for side in 'LR' for i in (1, 2) for part in 'dv'),
    *('EBA', 'OPA'),
))  # fmt: skip


def expression(rng, rows, depth=3):
    """Returns a random selection and the columns that it means."""
    if depth == 0 or rng.random() < 0.3:
        key = rng.choice([*rows, 'ROI_V*', 'ROI_L*', '*V1d'])
        number = rng.choice(['', '', ' = 1', '=0'])
        held = np.any(
            [row == 1 for k, row in rows.items() if fnmatch(k, key)], axis=0
        )
        return key + number, ~held if '0' in number else held
    text, mask = expression(rng, rows, depth - 1)
    for _ in range(rng.integers(1, 3)):
        operator = rng.choice([*'|&-+'])
        more, other = expression(rng, rows, depth - 1)
        text = f'{text} {operator} {more}'
        mask = {
            '&': mask & other,
            '-': mask & ~other,
        }.get(operator, mask | other)
    return f'({text})', mask


def goes_on_after_inner(text):
    """True if an operator follows parentheses that lie in parentheses.

    bdpy 0.26 then forgets the outer ones: 'a - ((b - c) | d)' selects there
    what 'a - (b - c) | d' does.
    """
    depth = 0
    for at, character in enumerate(text):
        depth += (character == '(') - (character == ')')
        if depth and text[at : at + 2] == ') ':
            return True
    return False


def test_two_hundred_selections_are_those_of_bdpy(tmp_path):
    assert len(REGIONS) == 20
    rng = np.random.default_rng(0)
    path = bdata_files.write(
        tmp_path / 'x.h5',
        rng.normal(size=(2, 80)),
        {'Run': [1, 2]},
        {key: rng.random(80) < 0.4 for key in REGIONS},
        first=('Run',),
    )
    ours, theirs = bdata.read(path), BData(str(path))
    rows = dict(zip(ours.keys, ours.values))
    compared, sizes = 0, set()
    while compared < 200:
        text, expected = expression(rng, rows)
        text = text.removeprefix('(').removesuffix(')')
        np.testing.assert_array_equal(
            ours.columns(text), expected, err_msg=text
        )
        if goes_on_after_inner(text):
            continue
        values, chosen = theirs.select(text, return_index=True, verbose=False)
        np.testing.assert_array_equal(expected, chosen, err_msg=text)
        np.testing.assert_array_equal(ours.select(text), values)
        sizes.add(int(chosen.sum()))
        compared += 1
    assert len(sizes) > 30


def test_what_we_write_loads_there(tmp_path):
    subject = tiny.subject()
    path = tmp_path / 'x.h5'
    bdata_recording.write(subject, path)
    theirs = BData(str(path))
    trials = subject.train, subject.test
    np.testing.assert_array_equal(
        theirs.select('VoxelData', verbose=False),
        np.concatenate([part.fmri for part in trials]),
    )
    names = subject.stimuli.names
    assert theirs.get_label('stimulus_name') == [
        names[i] for part in trials for i in part.stimulus
    ]
    for name, mask in subject.rois.items():
        _, chosen = theirs.select(
            f'ROI_{name}', return_index=True, verbose=False
        )
        np.testing.assert_array_equal(chosen[: len(mask)], mask)
        assert not chosen[len(mask) :].any()
    np.testing.assert_array_equal(
        theirs.get_metadata('snr', where='VoxelData'), subject.snr
    )
    # And what bdpy saves again is the same recording.
    theirs.save(str(tmp_path / 'y.h5'))
    again = bdata_recording.read(tmp_path / 'y.h5')
    for part in ('train', 'test'):
        one, other = getattr(subject, part), getattr(again, part)
        np.testing.assert_array_equal(one.fmri, other.fmri)
        np.testing.assert_array_equal(one.stimulus, other.stimulus)
    assert again.stimuli.names == names
    assert again.simulated


def test_the_real_file_of_bdpy_is_read_as_there():
    path = shared_data('digits69_bdata.h5')
    ours, theirs = bdata.read(path), BData(str(path))
    np.testing.assert_array_equal(ours.dataset, theirs.dataset)
    np.testing.assert_array_equal(ours.values, theirs.metadata.value)
    assert list(ours.keys) == list(theirs.metadata.key)
    assert list(ours.descriptions) == list(theirs.metadata.description)
    assert ours.labels('stimulus_name') == theirs.get_label('stimulus_name')
    for text in ('ROI_lh*', 'ROI_lh_V1d | ROI_lh_V1v', 'ROI_* = 0'):
        np.testing.assert_array_equal(
            ours.select(text), theirs.select(text, verbose=False)
        )


def test_concatenation_is_that_of_bdpy(tmp_path):
    paths = [
        bdata_files.write(
            tmp_path / f'{i}.h5',
            bdata_files.responses(3, i),
            {'Run': [1, 1, 2], 'stimulus_name': [1, 2, 1]},
            vmap={'stimulus_name': {1: 'a', 2: text}},
        )
        for i, text in enumerate('bcd')
    ]
    ours = concatenate([bdata.read(path) for path in paths])
    theirs = bdpy_vstack(
        resolve_vmap([BData(str(path)) for path in paths]),
        successive=['Run'],
    )
    np.testing.assert_array_equal(
        ours.select('VoxelData'), theirs.select('VoxelData', verbose=False)
    )
    np.testing.assert_array_equal(ours.labels('Run'), theirs.get('Run').ravel())
    assert ours.labels('stimulus_name') == theirs.get_label('stimulus_name')
