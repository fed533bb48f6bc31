"""The pages on adding something: their examples run as they stand."""

import re

import pytest
from conftest import REPOSITORY

from brainjax.methods import METHODS
from brainjax.networks.backbones import BACKBONES


@pytest.mark.parametrize(
    ('page', 'table'),
    [
        ('adding_a_method', METHODS),
        ('adding_a_network', BACKBONES),
    ],
)
def test_examples_run(page, table, tmp_path, monkeypatch):
    """One after the other, in one namespace; tables are as before, then."""
    monkeypatch.chdir(tmp_path)
    text = (REPOSITORY / 'docs' / f'{page}.md').read_text()
    before = dict(table)
    names = {}
    try:
        for source in re.findall(r'(?ms)^```python\n(.*?)^```', text):
            exec(source, names)
        assert len(table) == len(before) + 1
    finally:
        table.clear()
        table.update(before)
