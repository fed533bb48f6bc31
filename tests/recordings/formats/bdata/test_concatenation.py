"""Several BData files in one."""

import dataclasses

import bdata_files
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings.formats.bdata import bdata
from brainjax.recordings.formats.bdata.concatenation import concatenate


def part(folder, name, design, seed, vmap=None, **options):
    path = folder / f'{name}.h5'
    trials = len(next(iter(design.values())))
    fmri = bdata_files.responses(trials, seed)
    return bdata.read(
        bdata_files.write(path, fmri, design, vmap=vmap, **options)
    )


def two(folder, **options):
    """Two parts whose numbers clash: 1 is 'a' in one and 'c' in the other."""
    return (
        part(
            folder,
            'one',
            {'Run': [1, 2, 3], 'stimulus_name': [1, 2, np.nan]},
            1,
            {'stimulus_name': {1: 'a', 2: 'b'}},
        ),
        part(
            folder,
            'two',
            {'stimulus_name': [1, 3, 2, 3], 'Run': [1, 1, 2, 2]},
            2,
            {'stimulus_name': {1: 'c', 2: 'b', 3: 'a'}},
            **options,
        ),
    )


@pytest.mark.parametrize('first', [(), ('Run',)])
def test_texts_runs_and_columns_fit_together(tmp_path, first):
    one, two_ = two(tmp_path, first=first)
    both = concatenate([one, two_])
    assert both.keys == one.keys
    np.testing.assert_array_equal(
        both.select('VoxelData'),
        np.concatenate([p.select('VoxelData') for p in (one, two_)]),
    )
    np.testing.assert_array_equal(both.labels('Run'), [1, 2, 3, 4, 4, 5, 5])
    assert both.labels('stimulus_name') == [*'ab', 'n/a', *'caba']
    # 'a' keeps its number, 'c' gets one that neither part has used.
    np.testing.assert_array_equal(
        both.numbers('stimulus_name'), [1, 2, np.nan, 4, 1, 2, 1]
    )
    np.testing.assert_array_equal(two_.numbers('Run'), [1, 1, 2, 2])


def test_runs_count_on_over_many_parts(tmp_path):
    parts = [part(tmp_path, str(i), {'Run': [1, 2]}, i) for i in range(3)]
    np.testing.assert_array_equal(
        concatenate(parts).labels('Run'), [1, 2, 3, 4, 5, 6]
    )
    np.testing.assert_array_equal(
        concatenate(parts, successive=()).labels('Run'), [1, 2] * 3
    )
    alone = concatenate(parts[:1])
    np.testing.assert_array_equal(alone.dataset, parts[0].dataset)


def test_voxels_in_another_order_are_matched_by_place(tmp_path):
    one, _ = two(tmp_path)
    order = np.random.default_rng(0).permutation(one.dataset.shape[1])
    turned = dataclasses.replace(
        one, dataset=one.dataset[:, order], values=one.values[:, order]
    )
    both = concatenate([one, turned], successive=())
    np.testing.assert_array_equal(both.dataset[:3], both.dataset[3:])


def test_minimal_drops_what_some_part_lacks(tmp_path):
    one = part(tmp_path, 'one', {'Run': [1], 'category_index': [5]}, 1)
    other = part(tmp_path, 'two', {'Run': [1], 'Block': [7]}, 2)
    with pytest.raises(InputError, match="do not both have key 'Block'; use"):
        concatenate([one, other])
    both = concatenate([one, other], 'minimal')
    assert {*one.keys} - {*both.keys} == {'category_index'}
    assert both.dataset.shape == (2, 7)
    np.testing.assert_array_equal(both.labels('Run'), [1, 2])


def test_what_does_not_fit_is_named(tmp_path):
    one, two_ = two(tmp_path)
    row = one.keys.index('ROI_FFA')
    values = one.values.copy()
    values[row, 0] = 1
    descriptions = ('voxels', *one.descriptions[1:])
    fewer = bdata.BData(
        one.dataset[:, 1:],
        one.keys,
        one.descriptions,
        one.values[:, 1:],
        one.vmap,
        'fewer.h5',
    )
    for other, words in (
        (
            dataclasses.replace(one, values=values),
            "one.h5 and .*one.h5 differ in what key 'ROI_FFA' says",
        ),
        (
            dataclasses.replace(one, descriptions=descriptions),
            "describe key 'VoxelData' as '1 = VoxelData' and 'voxels'",
        ),
        (fewer, 'one.h5 and fewer.h5 have 8 and 7 columns of the same keys'),
        (
            dataclasses.replace(two_, vmap={}),
            "two.h5 has no vmap for key 'stimulus_name', but others",
        ),
    ):
        with pytest.raises(InputError, match=words):
            concatenate([one, other])
    with pytest.raises(
        InputError, match=r"no choice of .*'minimum'.* 'minimal'"
    ):
        concatenate([one], 'minimum')
    with pytest.raises(InputError, match='No BData was given'):
        concatenate([])
