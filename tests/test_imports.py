"""Modules that know each other can be imported in any order."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    'module',
    [
        'pictures.loading',
        'pictures.sources',
        'recordings',
        'recordings.leakage',
    ],
)
def test_module_is_imported_first(module):
    subprocess.run(
        [sys.executable, '-c', f'import brainjax.{module}'], check=True
    )
