"""The notebooks run from top to bottom."""

import json
import pathlib

import pytest
from conftest import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / 'colabs').glob('*.ipynb'))


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_runs(path: pathlib.Path, tmp_path, monkeypatch):
    """Executes every code cell, with the tests' tiny config."""
    monkeypatch.chdir(REPOSITORY)
    notebook = json.loads(path.read_text())
    namespace = {}
    for cell in notebook['cells']:
        if cell['cell_type'] != 'code':
            continue
        assert not cell['outputs'], 'notebooks are kept without outputs'
        source = ''.join(cell['source'])
        if '%pip' in source:  # Only for Colab; the package is here.
            continue
        exec(compile(source, f'{path.name}:{cell["id"]}', 'exec'), namespace)
        if 'CONFIG' in namespace and 'config' not in namespace:
            namespace['CONFIG'] = str(REPOSITORY / 'tests' / 'tiny.py')
            namespace['WORKDIR'] = str(tmp_path / 'tour')
    assert (tmp_path / 'tour' / 'report.html').exists()
    assert len(namespace['made']) == len(namespace['seen'])
