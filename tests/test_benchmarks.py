"""Benchmarks are run by hand: what they ask of the package has to be there."""

import ast
import collections
import importlib
import pathlib
import types

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / 'benchmarks'


def imported(module, name):
    """What `from module import name` gives."""
    found = importlib.import_module(module)
    if not hasattr(found, name):  # A module that nobody imported yet.
        return importlib.import_module(f'{module}.{name}')
    return getattr(found, name)


@pytest.mark.parametrize(
    'path', sorted(FOLDER.rglob('*.py')), ids=lambda path: path.stem
)
def test_what_it_asks_of_the_package_is_there(path):
    tree = ast.parse(path.read_text())
    # Functions may use one name for several modules.
    modules = collections.defaultdict(list)
    for node in ast.walk(tree):
        ours = isinstance(node, ast.ImportFrom) and node.module
        if ours and node.module.split('.')[0] == 'brainjax':
            for alias in node.names:
                found = imported(node.module, alias.name)
                if isinstance(found, types.ModuleType):
                    modules[alias.asname or alias.name].append(found)
    missing = [
        f'line {node.lineno}: {node.value.id}.{node.attr}'
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and not any(hasattr(m, node.attr) for m in modules[node.value.id])
    ]
    assert not missing
