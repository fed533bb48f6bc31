"""Writes the API reference, from the docstrings, as HTML.

pip install -c constraints.txt -e '.[docs]'
python docs/reference.py site
"""

import os
import pathlib
import pkgutil
import sys
import warnings


def main(folder: str) -> None:
    """Writes a page for each module; what pdoc warns of is an error."""
    os.environ.setdefault('JAX_PLATFORMS', 'cpu')
    os.environ['PDOC_ALLOW_EXEC'] = '1'  # Packages ask for the processor.
    import pdoc  # Reads the environment.

    pdoc.render.configure(docformat='google')
    with warnings.catch_warnings():
        warnings.filterwarnings('error', module='pdoc')
        # Of a package with __all__ pdoc shows what that names: the public
        # interface, beside which stand the modules.
        import brainjax

        modules = [
            f'brainjax.{found.name}'
            for found in pkgutil.iter_modules(brainjax.__path__)
            if found.name != '__main__'
        ]
        pdoc.pdoc('brainjax', *modules, output_directory=pathlib.Path(folder))


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit('usage: python docs/reference.py FOLDER')
    main(sys.argv[1])
