"""Plain data out of pickles, without executing them.

A pickle is a program: it names functions and calls them. Here every name it
may use stands for plain data of ours, and any other name is refused, so that
nothing of it runs; NumPy's own unpickling is not involved either.
"""

import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted

_DEEPEST = 16


class Function:
    """A function for a pickle to call, which it cannot change."""

    __slots__ = ('_function',)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise InputError('it changes a function')


class Dict(dict):
    """An OrderedDict, whose attributes (PyTorch's versions) are dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        stream: BinaryIO,
        meanings: Mapping[str, Any],
        persistent: Callable[[Any], Any] | None,
    ):
        super().__init__(stream)
        self._meanings = meanings
        self._persistent = persistent

    # All that a pickle can name comes through here.
    def find_class(self, module: str, name: str) -> Any:
        if f'{module}.{name}' not in self._meanings:
            raise InputError(f'it asks for {module}.{name}')
        return self._meanings[f'{module}.{name}']

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:
            raise InputError('it refers to something outside it')
        return self._persistent(pid)


def load(
    stream: BinaryIO,
    where: str,
    meanings: Mapping[str, Any],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Reads one pickle and leaves the stream behind it.

    Args:
      stream: an open binary file.
      where: its name, for errors.
      meanings: 'module.name' -> what it stands for, a `Function` or a
        constant without state; all other names are refused.
      persistent: what an object kept outside of the pickle stands for.
    """
    try:
        return _Unpickler(stream, meanings, persistent).load()
    except InputError as error:
        raise InputError(
            f'{where} is not a plain file of weights ({error}), so it was not '
            'read; get the weights from their publisher.'
        ) from None
    # There is no end to what a damaged or malicious pickle can raise.
    except Exception as error:
        raise InputError(
            f'{where} is damaged or not a file of weights '
            f'({type(error).__name__}: {untrusted.first_line(error)}); get it '
            'again.'
        ) from error


class _Dtype:
    """A numeric NumPy type; the state that follows gives its byte order."""

    def __init__(self, code: str, *_: Any):
        if not re.fullmatch('[fiu][1248]', code):
            raise InputError(f'it holds an array of type {code!r}')
        self.code, self.order = code, '<'

    def __setstate__(self, state: tuple) -> None:
        self.order = {'<': '<', '|': '<', '>': '>'}[state[1]]


class _Array:
    """A NumPy array, whose state follows."""

    def __init__(self, *_: Any):
        self.value = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        flat = np.frombuffer(data, np.dtype(dtype.order + dtype.code))
        self.value = flat.reshape(shape, order='F' if fortran else 'C')


_NUMPY = {
    'numpy.core.multiarray._reconstruct': Function(_Array),
    'numpy._core.multiarray._reconstruct': Function(_Array),
    'numpy.ndarray': None,
    'numpy.dtype': Function(_Dtype),
    'collections.OrderedDict': Function(Dict),
}


def read_numpy(stream: BinaryIO, where: str) -> dict[str, Any]:
    """Reads a pickle of nested dicts of NumPy arrays.

    Args:
      stream: an open binary file.
      where: its name, for errors.

    Returns:
      Nested dicts of read-only arrays.
    """

    def plain(value, depth):
        if isinstance(value, dict) and depth < _DEEPEST:
            return {
                str(name): plain(item, depth + 1)
                for name, item in value.items()
            }
        if depth and isinstance(value, _Array) and value.value is not None:
            return value.value
        raise InputError(
            f'{where} holds a {type(value).__name__}, not only dicts of '
            'arrays; get the weights from their publisher.'
        )

    return plain(load(stream, where, _NUMPY), 0)
