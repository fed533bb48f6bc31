"""The selection language against answers found by hand."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.recordings.formats.bdata import selection

NAN = np.nan
ROWS = {
    'VoxelData': [1, 1, 1, 1, NAN],
    'Run': [NAN, NAN, NAN, NAN, 1],
    'ROI_V1': [1, 1, 0, 0, NAN],
    'ROI_V2': [0, 1, 1, 0, NAN],
    'ROI_lh.FFA': [0, 0, 1, 1, NAN],
    'voxel_x': [-1.5, 0, 1, 20, NAN],
    'odd-key': [1, 0, 0, 1, NAN],
    'ROI_left V1': [1, 0, 0, 0, NAN],
    'ROI_W-2': [0, 0, 0, 1, NAN],
    'ROI_W': [0, 1, 0, 1, NAN],
}


@pytest.mark.parametrize(
    ('expression', 'expected'),
    [
        ('ROI_V1', '11000'),
        (' ROI_V1 ', '11000'),
        ('ROI_V1 = 1', '11000'),
        ('ROI_V1=0', '00111'),
        ('voxel_x = 20', '00010'),
        ('voxel_x = -1.5', '10000'),
        ('voxel_x=2e1', '00010'),
        ('voxel_x = 0', '01001'),
        ('ROI_V1 | ROI_V2', '11100'),
        ('ROI_V1 + ROI_V2', '11100'),
        ('ROI_V1 & ROI_V2', '01000'),
        ('ROI_V1 - ROI_V2', '10000'),
        # One precedence, from the left.
        ('ROI_V1 | ROI_V2 & ROI_lh.FFA', '00100'),
        ('ROI_V1 | (ROI_V2 & ROI_lh.FFA)', '11100'),
        ('VoxelData - ROI_V1 - ROI_V2', '00010'),
        ('VoxelData - (ROI_V1 - ROI_V2)', '01110'),
        ('( ( ROI_V1 ) ) & (ROI_V2)', '01000'),
        ('ROI_V1 = 0 & ROI_V2 = 1', '00100'),
        ('ROI_V*', '11100'),
        ('ROI_*', '11110'),
        ('*V2', '01100'),
        ('*', '11111'),
        ('ROI_* = 0', '00001'),
        ('ROI_V* = 0', '00011'),
        ('voxel_* = 20 | Run', '00011'),
        ('odd-key', '10010'),
        # Keys with blanks and hyphens: the longest that is known.
        ('odd-key | ROI_V2', '11110'),
        ('ROI_left V1 | ROI_V2', '11100'),
        ('ROI_V2 - ROI_left V1', '01100'),
        ('ROI_W-2 | ROI_V1', '11010'),
        ('ROI_left V1 = 0', '01111'),
        ('"ROI_left V1" & ROI_V1', '10000'),
        ("'odd-key' - 'ROI_W-2'", '10000'),
        ('"ROI_W-2"', '00010'),
    ],
)
def test_hand_made_answers(expression, expected):
    rows = {key: np.array(row, float) for key, row in ROWS.items()}
    mask = selection.select(expression, rows, 'x.h5')
    assert ''.join(map(str, mask.astype(int))) == expected
    assert mask.dtype == bool


def test_masks_are_rows_as_well():
    rows = {'V1': np.array([True, False]), 'V2': np.array([False, False])}
    for expression, expected in (
        ('V1', [1, 0]),
        ('V1 = 0', [0, 1]),
        ('V* = 0', [0, 1]),
    ):
        found = selection.select(expression, rows, 'x.h5')
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ('expression', 'words'),
    [
        ('ROI_V11', "^x.h5 has no key 'ROI_V11', .* Did you mean 'ROI_V1'?"),
        ('ROI_X*', r"no key 'ROI_X\*'"),
        ('ROI_?1', r"no key 'ROI_\?1'"),
        ('[R]un', r"no key '\[R\]un'"),
        ('', "the selection '' is wrong at its end; join keys with"),
        ('ROI_V1 |', 'is wrong at its end'),
        ('(ROI_V1', 'is wrong at its end'),
        ('ROI_V1)', r"is wrong at '\)'"),
        ('ROI_V1 ROI_V2', "is wrong at 'ROI_V2'"),
        ('ROI_V1 = ROI_V2', "is wrong at ' ROI_V2'"),
        ('ROI_V1 = 1 = 1', "is wrong at '= 1'"),
        ('= 1', "is wrong at '= 1'"),
        ('| ROI_V1', 'is wrong at'),
        ('ROI_V1 @ Run', "is wrong at '@ Run'"),
        ('(' * 10**5, 'is wrong at'),
    ],
)
def test_what_is_no_selection_is_one_sentence(expression, words):
    rows = {key: np.array(row, float) for key, row in ROWS.items()}
    with pytest.raises(InputError, match=words):
        selection.select(expression, rows, 'x.h5')
