"""The notebooks run from top to bottom, in a kernel of their own."""

import os
import pathlib

import nbclient
import nbformat
import pytest
from conftest import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / 'colabs').glob('*.ipynb'))
LARGEST = 120_000  # Characters of a stored picture, in base64.


def read(path: pathlib.Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_runs(path, tmp_path, monkeypatch):
    for name, value in {
        'BRAINJAX_SMALL': '1',
        'JAX_PLATFORMS': 'cpu',
        'JAX_COMPILATION_CACHE_DIR': str(REPOSITORY / '.compiled'),
        'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.1',
        'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
        'PYTHONPATH': f'{REPOSITORY}:{os.environ.get("PYTHONPATH", "")}',
    }.items():
        monkeypatch.setenv(name, value)
    for folder in ('configs', 'tests'):
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    notebook = read(path)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={'metadata': {'path': tmp_path}}
    ).execute()
    pictures = [
        output
        for cell in code(notebook)
        for output in cell.outputs
        if 'image/png' in output.get('data', {})
    ]
    assert pictures, 'a notebook shows what it does'


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_is_kept_clean(path):
    """Stored outputs are small pictures and nothing else."""
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code(notebook):
        for output in cell.outputs:
            ((kind, picture),) = output.data.items()
            assert kind.startswith('image/') and len(picture) < LARGEST


def test_begin_alike():
    """All find the accelerator and install by one cell, BIDS where opened."""
    setups = {path.stem: code(read(path))[0].source for path in NOTEBOOKS}
    own = setups.pop('own_recording')
    (alike,) = set(setups.values())
    assert own == alike.replace("-q . 'jax", "-q '.[bids]' 'jax") != alike


def test_extension_is_short():
    """A new readout and a new loss take fewer than 40 lines."""
    source = code(read(REPOSITORY / 'colabs' / 'extend.ipynb'))[1].source
    assert 'class GaussianReadout' in source and 'def heavy_tailed' in source
    assert len(source.splitlines()) < 40
