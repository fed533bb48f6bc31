"""brainjax: pictures from brain recordings, and how far to believe them.

What `brainjax.` gives directly is its public interface:

>>> import brainjax
>>> brainjax.load_config('demo').method
'selfsup'

**Stability.** These names, the command line and the files that it writes
change only with a line in CHANGELOG.md that says so, and what goes is kept
for one release with a warning. Whatever else a module has may be imported,
and may change with any release until 1.0.

Nothing is loaded before it is used: `import brainjax` loads no JAX.
"""

import importlib
from typing import Any

__version__ = '0.1.0'

# Public name -> where it is: 'module' or 'module:name there'. To add one put
# it here and into __init__.pyi, which is what type checkers read.
_PUBLIC = {
    'InputError': 'brainjax.errors',
    'Recording': 'brainjax.recordings',
    'from_arrays': 'brainjax.recordings',
    'open_recording': 'brainjax.recordings',
    'load_config': 'brainjax.config_files',
    'run': 'brainjax.experiment:run_recording',
    'load': 'brainjax.model',
    'ReconstructOptions': 'brainjax.new_data:Options',
    'reconstruct': 'brainjax.new_data',
    'encode': 'brainjax.new_data',
    'EvaluateOptions': 'brainjax.comparison:Options',
    'evaluate': 'brainjax.comparison',
    'CompareOptions': 'brainjax.paired_comparison:Options',
    'compare': 'brainjax.paired_comparison',
}
__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module, _, there = _PUBLIC[name].partition(':')
    found = getattr(importlib.import_module(module), there or name)
    globals()[name] = found  # The next time it is simply there.
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
