"""Names of stimuli against the published lists."""

import csv

import numpy as np
import pytest
from conftest import shared_data

from brainjax.errors import InputError
from brainjax.recordings import stimulus_names


@pytest.mark.parametrize(
    ('number', 'kind', 'expected'),
    [
        (1621127.01902, 'training', 'n01621127_19020'),
        (3626115.019498, 'test', 'n03626115_19498'),
        (1443537.0, 'imagery', 'n01443537'),
        (2690373.007713, 'imagery', 'n02690373_7713'),
        (7, 'training', 'training-0007'),
        (0, 'test', 'test-0000'),
        (1, 'shape', 'colorExpStim01_red_square'),
        (7, 'shape', 'colorExpStim07_green_smallring'),
        (40, 'shape', 'colorExpStim40_black_X'),
        (1, 'letter', 'letter_black_img011_A'),
        (10, 'letter', 'letter_black_img031_U'),
        (1, 'imagery', 'colorExpStim02_red_smallring'),
        (12, 'imagery', 'colorExpStim35_white_X'),
        (16, 'imagery', 'fixation'),
        (26, 'imagery', 'n04507155_21299'),
    ],
)
def test_numbers_become_names(number, kind, expected):
    assert stimulus_names.name(float(number), kind, 'x.h5') == expected


@pytest.mark.parametrize('part', ['training', 'test'])
def test_all_published_numbers(part):
    path = shared_data(f'god_stimuli_{part}.tsv')
    with open(path, newline='') as stream:
        for name, number, *_ in csv.reader(stream, delimiter='\t'):
            assert stimulus_names.name(float(number), part, 'x.h5') == name
            assert stimulus_names.category(name) == name.split('_')[0]


def test_imagined_pictures_are_of_the_test_set():
    path = shared_data('god_stimuli_test.tsv')
    names = {line.split('\t')[0] for line in path.read_text().splitlines()}
    assert len(stimulus_names.IMAGERY) == 26
    assert names.issuperset(stimulus_names.IMAGERY[16:])


@pytest.mark.parametrize(
    ('number', 'kind', 'words'),
    [
        (
            41,
            'shape',
            '^x.h5: 41 is the number of no shape .* from 1 to 40, or',
        ),
        (0, 'letter', 'counted from 1 to 10'),
        (-1, 'training', 'counted from 0'),
        (np.inf, 'test', 'inf is the number of no test stimulus'),
        (1e20, 'test', 'is the number of no test stimulus'),
        (-1443537.022563, 'test', 'is the number of no test stimulus'),
    ],
)
def test_numbers_of_nothing(number, kind, words):
    with pytest.raises(InputError, match=words):
        stimulus_names.name(number, kind, 'x.h5')


def test_categories():
    assert stimulus_names.category('letter_black_img011_A') == 'A'
    assert stimulus_names.category('colorExpStim03_red_largering') == (
        'largering'
    )
    assert stimulus_names.category('n01443537') == 'n01443537'
    assert stimulus_names.category('six-01') is None
