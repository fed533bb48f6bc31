"""The house: who imports whom, and one place for each concept.

The floors, from the lowest up, are those of docs/architecture.md. A module
imports from lower floors and from its own package only.
"""

import ast
import inspect
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY

import brainjax
from brainjax.methods import METHODS, Method

PACKAGE = REPOSITORY / 'brainjax'
FLOORS = (
    {'errors'},
    {'io'},
    {'pictures', 'training', 'config_files'},
    {'recordings', 'networks', 'linear', 'losses'},
    {'simulation'},
    {'evaluation'},
    {'reports', 'methods'},
    {'outcome', 'finished'},
    {'cross_validation'},
    {'results'},
    {'model'},
    {'experiment'},
    {
        *('comparison', 'paired_comparison', 'group_analysis'),
        *('face_analysis', 'dry_run', 'sweep', 'test_sets'),
    },
    {'new_data'},
    {'commands'},
    {'__main__'},
)
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}
# What methods share, beside their folders.
SHARED = ('config', 'data', 'packing', 'references', 'repeats', 'unpaired')
# What every method's folder holds. Further modules are its own.
FILES = {
    *('config', 'data', 'networks', 'losses'),
    *('steps', 'training', 'method', 'findings', 'packing'),
}
MODULES = sorted(PACKAGE.rglob('*.py'))


def imports(path):
    """Yields (name of a module, whether it is imported in a function)."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node.col_offset > 0


def ours(path):
    """Yields (parts of a name below brainjax, in a function or not)."""
    for name, inside in imports(path):
        first, *parts = name.split('.')
        if first == 'brainjax' and parts:
            yield parts, inside


def home(path):
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def test_every_module_stands_on_a_floor():
    assert {home(path) for path in MODULES} - {'__init__'} == FLOOR.keys()


def test_imports_run_downward():
    wrong = [
        f'{path.relative_to(PACKAGE)}: {".".join(parts)}'
        for path in MODULES
        if (place := home(path)) != '__init__'
        for parts, _ in ours(path)
        if parts[0] not in (place, '__version__')
        and FLOOR[parts[0]] >= FLOOR[place]
    ]
    assert not wrong


def test_own_modules_are_imported_at_the_top():
    """Commands and `__main__` wait with theirs: `--help` is fast."""
    wrong = [
        f'{path.relative_to(PACKAGE)}: {".".join(parts)}'
        for path in MODULES
        if home(path) not in ('commands', '__main__')
        for parts, inside in ours(path)
        if inside
    ]
    assert not wrong


def test_methods_do_not_know_one_another():
    wrong = [
        f'{path.relative_to(PACKAGE)}: {".".join(parts)}'
        for path in sorted((PACKAGE / 'methods').glob('*/*.py'))
        for parts, _ in ours(path)
        if parts[0] == 'methods' and parts[1] not in (*SHARED, path.parent.name)
    ]
    assert not wrong


@pytest.mark.parametrize('name', METHODS)
def test_methods_are_alike(name):
    folder = PACKAGE / 'methods' / name
    held = {path.stem for path in folder.glob('*.py')}
    assert held >= FILES
    for part, first in zip(Method._fields, METHODS['selfsup']):
        function = getattr(METHODS[name], part)
        assert [*inspect.signature(function).parameters] == [
            *inspect.signature(first).parameters
        ]


@pytest.mark.parametrize(
    ('library', 'only'),
    [('matplotlib', 'reports'), ('absl', 'commands')],
)
def test_libraries_of_one_room(library, only):
    wrong = [
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if home(path) != only
        and any(name.split('.')[0] == library for name, _ in imports(path))
    ]
    assert not wrong


def test_devices_are_known_to_one_module():
    """pmap and the axis name stand in training/parallel.py alone."""
    for path in MODULES:
        if path == PACKAGE / 'training' / 'parallel.py':
            continue
        names = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute | ast.Name)
        }
        assert not names & {'pmap', 'pmean', 'psum', 'shard_map'}, path


def test_no_module_is_long():
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in MODULES
        if (lines := len(path.read_text().splitlines())) >= 400
    }
    assert not long


def printed(code):
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    ).stdout


def loaded_by(module):
    return printed(f'import sys, {module}; print(*sys.modules)').split()


def test_weights_load_no_recording():
    names = loaded_by('brainjax.networks.weights')
    heavy = ('brainjax.recordings', 'h5py', 'nibabel', 'matplotlib')
    assert not [name for name in names if name.startswith(heavy)]


def test_the_face_and_the_command_line_load_nothing_heavy():
    for module in ('brainjax', 'brainjax.__main__'):
        names = loaded_by(module)
        heavy = ('jax', 'numpy', 'scipy', 'flax', 'h5py', 'matplotlib')
        assert not [name for name in names if name.split('.')[0] in heavy]


def test_the_public_interface_is_there_and_typed():
    stub = ast.parse((PACKAGE / '__init__.pyi').read_text())
    typed = {
        alias.asname: f'{node.module}:{alias.name}'
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    given = {}
    for name, place in brainjax._PUBLIC.items():
        module, _, there = place.partition(':')
        given[name] = f'{module}:{there or name}'
        assert getattr(brainjax, name).__doc__
    assert typed == given
    with pytest.raises(AttributeError, match="no attribute 'decode'"):
        brainjax.decode  # noqa: B018


FIRST = """
import importlib, sys
for name in ('pictures', 'recordings', 'recordings.leakage', 'methods.data'):
    for known in [m for m in sys.modules if m.split('.')[0] == 'brainjax']:
        del sys.modules[known]
    importlib.import_module(f'brainjax.{name}')
print(*sys.modules)
"""


def test_modules_are_imported_first():
    """Whichever of them; SciPy's statistics wait until they are used."""
    assert 'scipy.stats' not in printed(FIRST).split()


def public_functions(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith('_'):
            yield node.name


def test_what_is_public_is_used():
    """By the package, a config, a notebook, a benchmark or a page."""
    texts = {
        path: path.read_text()
        for folder, pattern in (
            ('brainjax', '*.py'),
            ('configs', '*.py'),
            ('benchmarks', '*.py'),
            ('colabs', '*.ipynb'),
            ('docs', '*.md'),
        )
        for path in (REPOSITORY / folder).rglob(pattern)
    }
    texts[REPOSITORY / 'README.md'] = (REPOSITORY / 'README.md').read_text()
    words = {path: _words(text) for path, text in texts.items()}
    unused = []
    for path in MODULES:
        for name in public_functions(ast.parse(texts[path])):
            elsewhere = any(
                name in found for other, found in words.items() if other != path
            )
            if not elsewhere and words[path][name] < 2:
                unused.append(f'{path.relative_to(PACKAGE)}: {name}')
    assert not unused


def _words(text):
    found = {}
    for word in re.findall(r'[A-Za-z_]\w*', text):
        found[word] = found.get(word, 0) + 1
    return found
