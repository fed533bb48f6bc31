"""What every command that computes does first."""

import contextlib
import logging
import os
import sys
import warnings


def set_up_jax() -> None:
    """Keeps compiled programs for the next run, and logs off the terminal."""
    import jax

    from brainjax.io.files import cache_folder
    from brainjax.training import joining, parallel

    if joining.options(os.environ) is None:  # Hosts join before they look.
        parallel.check_platform()

    if not jax.config.jax_compilation_cache_dir:
        folder = cache_folder('compiled')
        with contextlib.suppress(OSError):  # It only saves time.
            folder.mkdir(parents=True, exist_ok=True)
            jax.config.update('jax_compilation_cache_dir', str(folder))
    # A process that was killed may leave an entry cut off: it is compiled anew.
    warnings.filterwarnings(
        'ignore', 'Error reading persistent compilation cache entry'
    )
    # Orbax logs there; what it fails at it raises as well.
    logging.getLogger('absl').setLevel(logging.CRITICAL)
    sys.unraisablehook = _pass_on


_unraisablehook = sys.unraisablehook


def _pass_on(unraisable) -> None:
    """Drops what Orbax's other readers and writers say when one failed."""
    if str(unraisable.exc_value) != 'Event loop is closed':
        _unraisablehook(unraisable)
