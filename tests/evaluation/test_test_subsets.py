"""Sets of test stimuli that are scored apart."""

import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.evaluation import test_subsets
from brainjax.recordings import stimulus_names


def test_imagery_falls_into_shapes_and_pictures():
    names = [
        name
        for name in stimulus_names.IMAGERY
        if name != stimulus_names.FIXATION
    ]
    found = test_subsets.rows(names, ('shapes=colorExpStim*', 'pictures=n*'))
    np.testing.assert_array_equal(found['shapes'], np.arange(15))
    np.testing.assert_array_equal(found['pictures'], np.arange(15, 25))


def test_patterns_are_joined_and_tell_capitals():
    names = ['a1', 'b1', 'B2', 'c3']
    found = test_subsets.rows(names, ('some=a*|B?', 'ends=[bc][13]'))
    assert found['some'].tolist() == [0, 2]
    assert found['ends'].tolist() == [1, 3]
    assert test_subsets.rows(names, ()) == {}


@pytest.mark.parametrize(
    ('group', 'words'),
    [
        ('a*', 'NAME=PATTERN'),
        ('=a*', 'NAME=PATTERN'),
        ('all=', 'NAME=PATTERN'),
        ('one=a1', "matches 1 of 4 test stimuli, such as 'a1'"),
        ('none=z*', 'matches 0 of 4'),
    ],
)
def test_a_group_that_cannot_be_scored_is_one_sentence(group, words):
    with pytest.raises(InputError) as caught:
        test_subsets.rows(['a1', 'a2', 'b1', 'b2'], (group,))
    assert words in str(caught.value) and group in str(caught.value)
