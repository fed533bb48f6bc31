"""What the site needs beside Sphinx: figures of examples, links that lead."""

import inspect
import pathlib
import re
import urllib.parse
import weakref

import reference
from matplotlib.figure import Figure

import brainjax

_shown = weakref.WeakSet()


def figures(block, block_vars, gallery_conf):
    """Saves the figures that a block of an example has made.

    Those of `brainjax.reports` belong to no window, where sphinx-gallery
    would look for them; they say what they show, for who cannot see it.
    """
    from sphinx_gallery.scrapers import figure_rst

    del block
    made = [
        value
        for value in block_vars['example_globals'].values()
        if isinstance(value, Figure) and value not in _shown
    ]
    _shown.update(made)
    found = ''
    for figure in made:
        path = next(block_vars['image_path_iterator'])
        figure.savefig(path, dpi=110)
        words = ' '.join(figure.get_label().split())
        found += figure_rst([path], gallery_conf['src_dir'], words)
    return found


def public() -> str:
    """The public interface as a table: names, first lines of docstrings."""
    rows = [
        f'| `brainjax.{name}` | {_first_line(getattr(brainjax, name))} |'
        for name in brainjax.__all__
    ]
    return '\n'.join(['| name | what it is |', '|---|---|', *rows])


def _first_line(thing) -> str:
    return inspect.getdoc(thing).splitlines()[0]


def finish(folder: pathlib.Path) -> None:
    """Writes the API beside the pages; a link without a target is an error."""
    reference.main(str(folder / 'modules'))
    wrong = broken_links(folder)
    if wrong:
        raise ValueError('links lead nowhere: ' + '; '.join(wrong[:20]))


def broken_links(folder: pathlib.Path) -> list[str]:
    """Returns what pages link to within the site and what is not there."""
    pages = {
        path: re.sub('(?s)<script.*?</script>', '', path.read_text())
        for path in folder.rglob('*.html')
        if not path.is_relative_to(folder / '_static')
    }
    anchors = {
        path: {*re.findall(r'\s(?:id|name)="([^"]+)"', text)}
        for path, text in pages.items()
    }
    wrong = set()
    for page, text in pages.items():
        for link in re.findall(r'\s(?:href|src)="([^"]*)"', text):
            url = urllib.parse.urlsplit(link)
            # pdoc names the members of private bases, and leaves them out.
            if url.scheme or url.netloc or url.fragment.startswith('_'):
                continue
            path = urllib.parse.unquote(url.path)
            target = (page.parent / path).resolve() if path else page
            if target.is_dir():
                target /= 'index.html'
            known = anchors.get(target, {url.fragment})
            if not target.exists() or (url.fragment or '#') not in (
                *known,
                '#',
                'top',
            ):
                wrong.add(f'{page.relative_to(folder)}: {link}')
    return sorted(wrong)
