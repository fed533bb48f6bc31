"""safetensors files of named arrays; reading executes nothing."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import flax.traverse_util
import numpy as np
import safetensors
import safetensors.numpy

from brainjax.errors import InputError
from brainjax.io import untrusted
from brainjax.io.files import PathLike, atomic

_DEEPEST = 32  # Parts of a name.


def read(path: PathLike) -> tuple[dict[str, Any], dict[str, str]]:
    """Reads a safetensors file.

    Returns:
      Nested dicts of arrays, split at the dots of their names; and the file's
      metadata.
    """
    with _opened(path) as file:
        flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
        # Functions of trees call themselves once a level.
        if any(name.count('.') > _DEEPEST for name in flat):
            raise TypeError('a name has too many dots')
        return flax.traverse_util.unflatten_dict(flat, sep='.'), metadata


def read_metadata(path: PathLike) -> dict[str, str]:
    """Reads what a safetensors file says of itself; none of its arrays."""
    with _opened(path) as file:
        return file.metadata() or {}


@contextlib.contextmanager
def _opened(path: PathLike) -> Iterator[safetensors.safe_open]:
    try:
        with safetensors.safe_open(path, framework='numpy') as file:
            yield file
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except (
        AttributeError,  # Types that NumPy does not have, such as 8-bit floats.
        LookupError,
        OSError,
        TypeError,
        ValueError,
        safetensors.SafetensorError,
    ) as error:
        raise InputError(
            f'{path} is not a whole safetensors file '
            f'({untrusted.first_line(error)}); fetch or copy it again.'
        ) from error


def write(
    path: PathLike,
    arrays: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes nested dicts of arrays, with no dot in names, as safetensors."""
    flat = {
        # Not `ascontiguousarray`, which makes a list of a number.
        name: np.asarray(value, order='C')
        for name, value in flax.traverse_util.flatten_dict(
            arrays, sep='.'
        ).items()
    }
    try:
        with atomic(path) as temporary:
            # Its `save_file` would make a file of its own, which is not locked.
            temporary.write_bytes(
                safetensors.numpy.save(flat, dict(metadata or {}))
            )
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f'{path} cannot be written ({error}); make room or name another '
            'folder.'
        ) from error
