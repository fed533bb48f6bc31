"""Links lead somewhere, what is named exists, what is public is described."""

import ast
import itertools
import os
import pathlib
import re
import shlex
import subprocess
import sys

import nbformat
import pytest
from conftest import REPOSITORY

from brainjax.__main__ import COMMANDS
from brainjax.config_files import shipped

NOTEBOOKS = sorted((REPOSITORY / 'colabs').glob('*.ipynb'))
PAGES = [
    REPOSITORY / 'README.md',
    REPOSITORY / 'CHANGELOG.md',
    *sorted((REPOSITORY / 'docs').glob('*.md')),
    *NOTEBOOKS,
]
MODULES = sorted((REPOSITORY / 'brainjax').rglob('*.py'))
OURS = 'https://github.com/brainjax/brainjax/blob/main/'
# To colour the source beside the text takes half of the time of the reference.
WITHOUT_SOURCE = """
import gc, runpy, sys
import pdoc.render
gc.set_threshold(50_000, 20, 20)
pdoc.render.env.filters['highlight'] = lambda doc: ''
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
# Every command has these; brainjax/__main__.py says what they do.
OF_A_COMMAND = ('add_arguments', 'run')


def text(page: pathlib.Path) -> str:
    """Returns a page's prose; of a notebook the Markdown cells."""
    if page.suffix != '.ipynb':
        return page.read_text()
    return '\n\n'.join(
        cell.source
        for cell in nbformat.read(page, as_version=4).cells
        if cell.cell_type == 'markdown'
    )


def anchors(page: pathlib.Path) -> set[str]:
    """Returns the anchors that GitHub gives a page's headings."""
    prose = re.sub(r'(?ms)^```.*?^```', '', text(page))
    titles = re.findall(r'(?m)^#+ (.+)$', prose)
    return {
        re.sub(r'[^\w\- ]', '', title.lower()).strip().replace(' ', '-')
        for title in titles
    }


def ids(path: pathlib.Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize('page', PAGES, ids=ids)
def test_links(page):
    for link in re.findall(r'\]\(([^)\s]+)\)', text(page)):
        path, _, anchor = link.partition('#')
        target = (page.parent / path) if path else page
        if link.startswith(OURS):
            path = path.removeprefix(OURS).removesuffix('?raw=true')
            target = REPOSITORY / path
        elif re.match(r'https?://', link):
            continue
        assert target.exists(), f'{link} leads nowhere'
        assert REPOSITORY in target.resolve().parents, f'{link} leads outside'
        if anchor:
            assert anchor in anchors(target), f'{link} has no such heading'


def test_links_of_the_readme_are_absolute():
    """The package index shows it, too, where there is nothing beside it."""
    links = re.findall(r'\]\(([^)\s]+)\)', text(REPOSITORY / 'README.md'))
    assert [x for x in links if not x.startswith(('https://', '#'))] == []


@pytest.mark.parametrize('page', PAGES, ids=ids)
def test_files_that_are_named(page):
    """`docs/x.md`, `configs/x_*.py` ... in the prose and the examples."""
    folders = 'benchmarks|brainjax|colabs|configs|docs|launch|tests'
    named = re.findall(rf'(?<![\w/.-])((?:{folders})/[\w*/.]*\w)', text(page))
    for name in named:
        if page.name == 'CHANGELOG.md':  # Tells of what was, too.
            continue
        assert list(REPOSITORY.glob(name)), f'{name} does not exist'


@pytest.mark.parametrize('page', PAGES, ids=ids)
def test_commands_that_are_named(page):
    """In the prose and in shell examples, with their config."""
    prose = text(page)
    shell = '\n'.join(re.findall(r'(?ms)^```bash\n(.*?)^```', prose))
    shell = shell.replace('\\\n', ' ')
    lines = re.findall(r'(?m)(?:^|&& )brainjax (.+)$', shell)
    lines += re.findall(r'`brainjax ([^`\n]+)`', prose)
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[0] in COMMANDS, f'brainjax {line}'
        for flag, value in itertools.pairwise(words):
            if flag == '--config':
                known = value in shipped() or (REPOSITORY / value).exists()
                assert known, f'brainjax {line}'


def undescribed(body: list[ast.stmt], within: str) -> list[str]:
    found = []
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if node.name.startswith('_'):
            continue
        name = f'{within}.{node.name}'
        if not ast.get_docstring(node):
            found.append(name)
        if isinstance(node, ast.ClassDef):
            found += undescribed(node.body, name)
    return found


def test_everything_public_has_a_docstring():
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        if tree.body and not ast.get_docstring(tree):
            found.append(ids(path))
        names = undescribed(tree.body, ids(path))
        if path.parent.name == 'commands':
            names = [n for n in names if not n.endswith(OF_A_COMMAND)]
        found += names
    assert not found


@pytest.mark.parametrize(
    'page',
    [
        'docs/adding_a_recording.md',
        'docs/adding_a_score.md',
        'docs/own_data.md',
    ],
)
def test_examples_run(page, tmp_path, monkeypatch):
    """A page's Python examples, one after the other."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for source in re.findall(
        r'(?ms)^```python\n(.*?)^```', text(REPOSITORY / page)
    ):
        exec(source, names)
    assert list(tmp_path.iterdir())


def test_reference_is_written(tmp_path):
    """Each module gets its page, without a warning."""
    script, site = REPOSITORY / 'docs/reference.py', tmp_path / 'site'
    subprocess.run(
        [sys.executable, '-c', WITHOUT_SOURCE, script, site],
        check=True,
        cwd=REPOSITORY,
        timeout=300,
        env=os.environ | {'PDOC_ALLOW_EXEC': '1'},  # Read on import.
    )
    page = (tmp_path / 'site/brainjax/losses.html').read_text()
    assert 'cosine_feature_loss' in page and '<h6 id=' in page
    assert (tmp_path / 'site/brainjax/methods/selfsup/steps.html').exists()
