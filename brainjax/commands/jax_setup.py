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
    # Where the disk is full, what needs to be written fails, too.
    warnings.filterwarnings(
        'ignore', 'Error (reading|writing) persistent compilation cache entry'
    )
    # Orbax logs there; what it fails at it raises as well.
    logging.getLogger('absl').setLevel(logging.CRITICAL)
    logging.getLogger('asyncio').addFilter(_is_not_of_orbax)
    sys.unraisablehook = _pass_on


def _is_not_of_orbax(record: logging.LogRecord) -> bool:
    """Drops the failures of arrays beside the one that Orbax raises.

    Of many that fail in one turn of the event loop, the last are never asked
    for; asyncio tells them when they are collected, as late as at the exit.
    """
    return 'orbax' not in record.getMessage()


_unraisablehook = sys.unraisablehook


def _pass_on(unraisable) -> None:
    """Drops what Orbax's other readers and writers say when one failed."""
    if str(unraisable.exc_value) != 'Event loop is closed':
        _unraisablehook(unraisable)
