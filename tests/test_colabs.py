"""The notebooks run as on Colab: fresh folder, cell by cell, a restart."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import textwrap
from importlib import metadata

import jax
import nbclient
import nbformat
import pytest
from conftest import REPOSITORY
from jupyter_core.utils import run_sync

NOTEBOOKS = sorted((REPOSITORY / 'colabs').glob('*.ipynb'))
LEFT_OUT = shutil.ignore_patterns('__pycache__', '.*')
COMMITTER = '-c user.name=tests -c user.email=tests@localhost'
MODULES = {'metadata': metadata, 'pathlib': pathlib}
LARGEST = 120_000  # Characters of a stored picture, in base64.


def read(path: pathlib.Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


@pytest.fixture(scope='module')
def published(tmp_path_factory):
    """A repository to clone, of the files as they are."""
    folder = tmp_path_factory.mktemp('published')
    for name in ('brainjax', 'configs', 'tests'):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=LEFT_OUT)
    for command in ('init -q', 'add .', f'{COMMITTER} commit -qm published'):
        subprocess.run(['git', *command.split()], cwd=folder, check=True)
    return folder


@pytest.fixture(scope='module')
def colab(tmp_path_factory, published):
    """An environment as a notebook finds on Colab."""
    root = tmp_path_factory.mktemp('colab')
    google = root / 'lib' / 'google'
    startup = root / 'ipython' / 'profile_default' / 'startup'
    for folder in (google, startup):
        folder.mkdir(parents=True)
    (google / 'colab.py').write_text('output = None  # JAX asks for it.')
    (startup / 'colab.py').write_text('import google.colab')
    return os.environ | {
        'BRAINJAX_SMALL': '1',
        'IPYTHONDIR': str(root / 'ipython'),
        'GIT_CONFIG_COUNT': '1',
        'GIT_CONFIG_KEY_0': f'url.file://{published}.insteadOf',
        'GIT_CONFIG_VALUE_0': 'https://github.com/brainjax/brainjax',
        'JAX_PLATFORMS': 'cpu',
        'JAX_COMPILATION_CACHE_DIR': str(REPOSITORY / '.compiled'),
        'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
        'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
        'PYTHONPATH': str(google.parent),
    }


def client(folder):
    return nbclient.NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=300,
        resources={'metadata': {'path': folder}},
    )


def execute(kernel, cells):
    kernel.nb = nbformat.v4.new_notebook(cells=cells)
    for i, cell in enumerate(cells):
        kernel.execute_cell(cell, i)


@pytest.fixture(scope='module')
def shared(tmp_path_factory, colab):
    """A kernel for several: to start and to import is a third of each."""
    found = client(tmp_path_factory.mktemp('shared'))
    with found.setup_kernel(env=colab):
        yield found


@contextlib.contextmanager
def fresh(folder, colab, first):
    """A kernel that has restarted after the first cell."""
    found = client(folder)
    with found.setup_kernel(env=colab):
        execute(found, [first])
        run_sync(found.km.restart_kernel)(now=True)
        run_sync(found.kc.wait_for_ready)(timeout=60)
        execute(found, [first])
        assert first.execution_count == 1  # Of a new kernel.
        yield found


@contextlib.contextmanager
def emptied(folder, kernel):
    """A kernel without a name of the notebook before, in an empty folder."""
    source = f'%reset -f\n%cd -q {folder}'
    execute(kernel, [nbformat.v4.new_code_cell(source)])
    yield kernel


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_as_on_colab(path, colab, request, tmp_path):
    """Cell by cell in an empty folder; one kernel restarts after the first."""
    notebook = read(path)
    folder = tmp_path / 'content'
    folder.mkdir()
    if path.stem == 'tour':  # All begin alike.
        begun = fresh(folder, colab, code(notebook)[0])
    else:
        begun = emptied(folder, request.getfixturevalue('shared'))
    with begun as kernel:
        execute(kernel, code(notebook))
    assert [item.name for item in folder.iterdir()] == ['brainjax']
    pictures = [
        output
        for cell in code(notebook)
        for output in cell.outputs
        if 'image/png' in output.get('data', {})
    ]
    assert pictures, 'a notebook shows what it does'


def test_what_colab_has_of_jax_is_kept(tmp_path, monkeypatch):
    """pip is told each version, and brainjax allows it."""
    source = code(read(NOTEBOOKS[0]))[0].source
    start = source.index('    found = {')
    lines = textwrap.dedent(source[start : source.index('        %pip')])
    monkeypatch.chdir(tmp_path)
    exec(lines.replace("'brainjax' not in found", 'True'), MODULES | {})
    kept = (tmp_path / 'kept.txt').read_text().split()
    assert {f'jax=={jax.__version__}', f'jaxlib=={jax.lib.__version__}'} <= {
        *kept
    }


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
    """All install by one cell, which keeps Colab's JAX; BIDS where opened."""
    setups = {path.stem: code(read(path))[0].source for path in NOTEBOOKS}
    own = setups.pop('own_recording')
    (alike,) = set(setups.values())
    assert own == alike.replace('kept.txt .', "kept.txt '.[bids]'") != alike


def test_extension_is_short():
    """A new readout and a new loss take fewer than 40 lines."""
    source = code(read(REPOSITORY / 'colabs' / 'extend.ipynb'))[1].source
    assert 'class GaussianReadout' in source and 'def heavy_tailed' in source
    assert len(source.splitlines()) < 40
