"""The site: the pages, examples that are run, the API.

pip install -c constraints.txt -e '.[docs]'
python -m sphinx -W docs site

Sphinx with sphinx-gallery, as nilearn, MNE and scikit-learn have it: examples
are executed, one that fails ends the build. MyST reads the pages as they are,
pdoc the docstrings, which are Markdown too. Nothing is fetched.
"""

import logging
import os
import pathlib
import re
import sys

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# Sphinx would show what Orbax notes of each checkpoint.
logging.getLogger('absl').setLevel(logging.WARNING)
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import site_tools  # noqa: E402

import brainjax  # noqa: E402

project = 'brainjax'
author = copyright = 'The brainjax authors'
version = release = brainjax.__version__
extensions = ['myst_parser', 'sphinx_gallery.gen_gallery']
exclude_patterns = ['examples', 'gallery/*.ipynb', 'gallery/*.py']
html_theme = 'furo'
html_title = f'brainjax {version}'
html_show_sourcelink = False
html_copy_source = False
myst_heading_anchors = 4
sphinx_gallery_conf = {
    'examples_dirs': 'examples',
    'gallery_dirs': 'gallery',
    'filename_pattern': 'plot_',
    'within_subsection_order': 'FileNameSortKey',
    'image_scrapers': ('site_tools.figures',),
    'reset_modules': (),
    'capture_repr': (),
    'abort_on_example_error': True,
    'download_all_examples': False,
    'write_computation_times': False,
    'show_signature': False,
    'remove_config_comments': True,
}
SOURCE = 'https://github.com/brainjax/brainjax/blob/main/'


def _read(app, name, text):
    """Links to files of the repository lead to GitHub; lists are filled in."""
    del app
    if name == 'index':  # A page that nobody has put into an order yet.
        pages = sorted(path.stem for path in HERE.glob('*.md'))
        known = text[0].split()
        further = [page for page in pages if page not in (*known, 'index')]
        text[0] = text[0].replace('further pages', '\n'.join(further))
    text[0] = re.sub(r'\]\(\.\./', f']({SOURCE}', text[0])
    text[0] = text[0].replace('<!-- public names -->', site_tools.public())


def _finish(app, error):
    if error is None and app.builder.name == 'html':
        site_tools.finish(pathlib.Path(app.outdir))


def setup(app):
    """Hooks of Sphinx."""
    app.connect('source-read', _read)
    app.connect('build-finished', _finish)
