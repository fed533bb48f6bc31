"""Tables as spreadsheets, pandas, R and NumPy write them."""

import numpy as np
import pandas as pd
import pytest

from brainjax.errors import InputError
from brainjax.io.tables import read_numbers, read_texts

VALUES = np.random.default_rng(0).standard_normal((5, 3)).round(4)
PLAIN = pd.DataFrame(VALUES)
NAMED = pd.DataFrame(VALUES, columns=['V1_1', 'V1_2', 'V2_1'])
NAMES = tuple(NAMED)
EXCEL = {'index': False, 'sep': ';', 'decimal': ','}


@pytest.mark.parametrize(
    ('write', 'columns'),
    [
        (lambda path: np.savetxt(path, VALUES), None),
        (lambda path: np.savetxt(path, VALUES, header='a b c'), None),
        (lambda path: np.savetxt(path, VALUES, delimiter=','), None),
        (lambda path: PLAIN.to_csv(path, header=False), None),
        (lambda path: PLAIN.to_csv(path, header=False, index=False), None),
        (lambda path: PLAIN.to_csv(path), ('0', '1', '2')),
        (lambda path: PLAIN.to_csv(path, index=False), ('0', '1', '2')),
        (lambda path: NAMED.to_csv(path), NAMES),
        (lambda path: NAMED.to_csv(path, index_label='trial'), NAMES),
        (lambda path: NAMED.to_csv(path, sep='\t', encoding='utf-16'), NAMES),
        (lambda path: NAMED.to_csv(path, **EXCEL), NAMES),
        (
            lambda path: NAMED.to_csv(
                path, **EXCEL, encoding='utf-8-sig', lineterminator='\r\n'
            ),
            NAMES,
        ),
        (lambda path: NAMED.to_csv(path, decimal=',', index=False), NAMES),
        (lambda path: NAMED.to_csv(path, lineterminator='\r'), NAMES),
        (lambda path: NAMED.to_csv(path, quoting=1), NAMES),
    ],
)
def test_numbers_however_they_are_written(tmp_path, write, columns):
    write(tmp_path / 'x.csv')
    found = read_numbers(tmp_path / 'x.csv')
    np.testing.assert_allclose(found.values, VALUES, atol=1e-6)
    assert found.columns == columns and found.values.dtype == np.float32


def test_columns_of_text_and_missing_numbers(tmp_path):
    path = tmp_path / 'x.tsv'
    path.write_text('Stimulus\trun\tV1\na, b\t01\t1.5\nc\t02\tn/a\n')
    found = read_numbers(path, ('stimulus', 'run'))
    assert found.texts == {'stimulus': ['a, b', 'c'], 'run': ['01', '02']}
    np.testing.assert_array_equal(found.values, [[1.5], [np.nan]])
    assert read_texts(path)[1] == ['a, b', '01', '1.5']


@pytest.mark.parametrize(
    ('content', 'says'),
    [
        ('', 'is empty'),
        ('a,b\n', 'no row of numbers|no number'),
        ('1,2\n3\n', 'row 2 has 1 cells and the rows before 2'),
        ('a,b\n1,5,2,5\n', 'row 2 has 4 cells.*a decimal point'),
        ('1;2,5\n3,5;1.234,5\n', r"row 2.*'1\.234,5'.*decimal comma"),
        ('1;2,5\n3,5;1.234\n', r"row 2.*'1\.234'.*decimal comma"),
        ('a,b\n1,x\n', "row 2, 'b' is 'x'"),
        (',a\nx,1\ny,2\n', "row 2, '' is 'x'"),
        (',a\n7,1\n9,2\n', 'has no name and does not count'),
        ('a,b\n"1,2\n', 'not a complete table'),
        ('a\n\xff', 'not a table of text in UTF-8 .*; save it in UTF-8'),
    ],
)
def test_what_could_be_meant_otherwise_is_refused(tmp_path, content, says):
    path = tmp_path / 'x.csv'
    path.write_bytes(content.encode('latin-1'))
    with pytest.raises(InputError, match=says) as found:
        read_numbers(path)
    assert str(path) in str(found.value) and '\n' not in str(found.value)
