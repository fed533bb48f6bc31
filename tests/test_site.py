"""The gallery's examples run and draw; links of the site lead somewhere.

The whole site is built by `python -m sphinx -W docs site`.
"""

import re
import runpy

import pytest
from conftest import REPOSITORY
from matplotlib.figure import Figure

EXAMPLES = sorted((REPOSITORY / 'docs' / 'examples').glob('plot_*.py'))
QUICK = ('arrays', 'scores', 'calibration')


def test_there_are_ten_short_examples():
    assert len(EXAMPLES) >= 10
    for path in EXAMPLES:
        assert len(path.read_text().splitlines()) < 40, path.name


def test_a_page_is_listed_once():
    """Those that are not listed at all, `docs/conf.py` adds."""
    text = (REPOSITORY / 'docs' / 'index.md').read_text()
    lists = re.findall(r'(?ms)^```{toctree}\n(?:^:.*?\n)*\n(.*?)^```', text)
    listed = ''.join(lists).splitlines()
    assert 'models' in listed and len(listed) == len({*listed})
    for name in {*listed} - {'gallery/index', 'further pages'}:
        assert (REPOSITORY / 'docs' / f'{name}.md').exists(), name


@pytest.mark.parametrize('name', QUICK)
def test_quick_examples_draw(name, capsys):
    (path,) = (path for path in EXAMPLES if path.stem.endswith(name))
    figure = runpy.run_path(path)['figure']
    assert isinstance(figure, Figure) and figure.axes
    assert capsys.readouterr().out


def test_broken_links_are_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'docs')
    import site_tools

    (tmp_path / 'a.html').write_text(
        '<h1 id="top-of-a">A</h1> <a href="b/c.html#there">c</a>'
        ' <a href="https://example.org/none">elsewhere</a>'
    )
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'c.html').write_text(
        '<p id="there"></p> <a href="../a.html#top-of-a">a</a>'
        ' <img src="../none.png"> <a href="../a.html#none">a</a>'
    )
    assert site_tools.broken_links(tmp_path) == [
        'b/c.html: ../a.html#none',
        'b/c.html: ../none.png',
    ]


def test_public_names_are_all_in_the_table(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'docs')
    import site_tools

    import brainjax

    table = site_tools.public()
    assert all(f'`brainjax.{name}`' in table for name in brainjax.__all__)
