"""What type checkers see of the public interface; see __init__.py."""

from brainjax.comparison import Options as EvaluateOptions
from brainjax.comparison import evaluate as evaluate
from brainjax.config_files import load_config as load_config
from brainjax.errors import InputError as InputError
from brainjax.experiment import run_recording as run
from brainjax.paired_comparison import Options as CompareOptions
from brainjax.paired_comparison import compare as compare
from brainjax.recordings import Recording as Recording
from brainjax.recordings import from_arrays as from_arrays
from brainjax.recordings import open_recording as open_recording

__version__: str
__all__ = [
    'CompareOptions',
    'EvaluateOptions',
    'InputError',
    'Recording',
    'compare',
    'evaluate',
    'from_arrays',
    'load_config',
    'open_recording',
    'run',
]
