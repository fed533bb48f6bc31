"""What type checkers see of the public interface; see __init__.py."""

from brainjax.comparison import Options as EvaluateOptions
from brainjax.comparison import evaluate as evaluate
from brainjax.config_files import load_config as load_config
from brainjax.errors import InputError as InputError
from brainjax.experiment import run_recording as run
from brainjax.model import load as load
from brainjax.new_data import Options as ReconstructOptions
from brainjax.new_data import encode as encode
from brainjax.new_data import reconstruct as reconstruct
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
    'ReconstructOptions',
    'Recording',
    'compare',
    'encode',
    'evaluate',
    'from_arrays',
    'load',
    'load_config',
    'open_recording',
    'reconstruct',
    'run',
]
