"""Plain data out of pickles, without executing them.

A pickle is a program: it names functions and calls them. Here it runs on a
machine of our own that knows the opcodes of plain data alone. Every name it
may use stands for plain data of ours, and any other name is refused, so that
nothing of it runs; neither Python's nor NumPy's unpickling is involved.

Lengths are checked against the bytes that are there, keys are text or numbers
(hashing nested tuples can take forever, or the whole stack), and the number
of steps is bounded, so that time and memory follow from the file's size.
"""

import io
import itertools
import re
import struct
from collections.abc import Callable, Mapping, Sized
from typing import Any, BinaryIO

import numpy as np

from brainjax.errors import InputError
from brainjax.io import untrusted

_DEEPEST = 16
MOST_NAMES = 10**5  # Of parameters, far above those of any network.
_MOST_STEPS = 2**20  # PyTorch takes about 35 for a tensor.
_LONGEST_LINE = 2**16
_LONGEST_NUMBER = 32  # Bytes; PyTorch's magic number takes ten.


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

    def __init__(self, pairs: Any = ()):
        super().__init__()
        for key, value in pairs:
            self[_key(key)] = value

    def __setstate__(self, state: Any) -> None:
        pass


def _key(value: Any) -> Any:
    if not isinstance(value, str | int | float | bytes | None):
        raise InputError(f'it has a {type(value).__name__} for a key')
    return value


class _Machine:
    """What a pickle works on: a stack, marks in it, and a memory."""

    def __init__(
        self,
        stream: BinaryIO,
        meanings: Mapping[str, Any],
        persistent: Callable[[Any], Any] | None,
    ):
        self.stream, self.meanings = stream, meanings
        self.persistent = persistent
        start = stream.tell()
        self.left = stream.seek(0, io.SEEK_END) - start
        stream.seek(start)
        self.stack, self.below, self.memo = [], [], {}
        self.steps = 0

    def run(self) -> Any:
        while (opcode := self.read(1)) != b'.':
            self.count(1)
            if opcode not in _OPCODES:
                raise InputError(f'it uses the opcode {opcode!r}')
            _OPCODES[opcode](self)
        return self.stack.pop()

    def count(self, steps: int) -> None:
        self.steps += steps
        if self.steps > _MOST_STEPS:
            raise InputError('it takes more steps than any network')

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise EOFError('it ends early')
        return self.stream.read(size)

    def number(self, size: int) -> int:
        return int.from_bytes(self.read(size), 'little')

    def line(self) -> str:
        """Reads text up to the end of the line."""
        text = self.stream.readline(min(self.left, _LONGEST_LINE))
        self.left -= len(text)
        if not text.endswith(b'\n'):
            raise EOFError('a line has no end')
        return text[:-1].decode('raw-unicode-escape')

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def since_mark(self) -> list:
        """Takes what came after the last mark off the stack."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def fill(self, pairs: list) -> None:
        """Puts keys and values, in turn, into the dict on the stack."""
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise InputError('it fills what is no dict')
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[_key(key)] = value

    def extend(self, values: list) -> None:
        if type(self.stack[-1]) is not list:
            raise InputError('it extends what is no list')
        self.stack[-1].extend(values)

    # All that a pickle can name comes through here.
    def find(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise InputError('it asks for something without a name')
        full = f'{module}.{name}'
        if full not in self.meanings:
            plain = full.isprintable() and len(full) < 100
            raise InputError(
                f'it asks for {full if plain else ascii(full)[:100]}'
            )
        self.push(self.meanings[full])

    def call(self) -> None:
        args, function = self.pop(), self.pop()
        if not isinstance(function, Function) or type(args) is not tuple:
            raise InputError('it calls what is no function')
        # What is remembered can be handed over, and copied, many times.
        self.count(sum(len(x) for x in args if isinstance(x, Sized)))
        self.push(function(*args))

    def make(self) -> None:
        args, kind = self.pop(), self.pop()
        if not isinstance(kind, type) or args != ():
            raise InputError('it makes what is no plain object')
        self.push(kind())

    def build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if not hasattr(target, '__setstate__'):
            raise InputError(f'it changes a {type(target).__name__}')
        target.__setstate__(state)

    def outside(self) -> None:
        if self.persistent is None:
            raise InputError('it refers to something outside it')
        self.count(len(self.stack[-1]))
        self.push(self.persistent(self.pop()))

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def tuple(self, size: int) -> None:
        values = tuple(self.pop() for _ in range(size))
        self.push(values[::-1])

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]


def _signed(size: int) -> Callable[[_Machine], None]:
    """An opcode that reads a whole number of a length that is read first."""

    def step(machine: _Machine) -> None:
        length = machine.number(size)
        if length > _LONGEST_NUMBER:
            raise InputError(f'it has a number of {length} bytes')
        data = machine.read(length)
        machine.push(int.from_bytes(data, 'little', signed=True))

    return step


def _text(size: int, encoding: str) -> Callable[[_Machine], None]:
    """An opcode that reads a text of a length that is read first."""

    def step(machine: _Machine) -> None:
        data = machine.read(machine.number(size))
        machine.push(data.decode(encoding, 'surrogatepass'))

    return step


def _bytes(size: int) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.read(machine.number(size)))


def _integer(machine: _Machine) -> None:
    text = machine.line().removesuffix('L')
    if len(text) > 2 * _LONGEST_NUMBER:
        raise InputError(f'it has a number of {len(text)} digits')
    machine.push({'00': False, '01': True}.get(text, int(text)))


# As Python's module pickletools explains them; a call that is missing here,
# such as INST, EXT1 or NEWOBJ_EX, is not used by files of weights.
_OPCODES: dict[bytes, Callable[[_Machine], Any]] = {
    b'\x80': lambda m: m.read(1),  # The protocol.
    b'\x95': lambda m: m.read(8),  # A frame, which holds whole opcodes.
    b'N': lambda m: m.push(None),
    b'\x88': lambda m: m.push(True),
    b'\x89': lambda m: m.push(False),
    b'I': _integer,
    b'L': _integer,
    b'J': lambda m: m.push(int.from_bytes(m.read(4), 'little', signed=True)),
    b'K': lambda m: m.push(m.number(1)),
    b'M': lambda m: m.push(m.number(2)),
    b'\x8a': _signed(1),
    b'\x8b': _signed(4),
    b'F': lambda m: m.push(float(m.line())),
    b'G': lambda m: m.push(struct.unpack('>d', m.read(8))[0]),
    b'V': lambda m: m.push(m.line()),
    b'X': _text(4, 'utf-8'),
    b'\x8c': _text(1, 'utf-8'),
    b'\x8d': _text(8, 'utf-8'),
    b'T': _text(4, 'ascii'),
    b'U': _text(1, 'ascii'),
    b'B': _bytes(4),
    b'C': _bytes(1),
    b'\x8e': _bytes(8),
    b'\x96': _bytes(8),
    b'(': _Machine.mark,
    b'0': _Machine.pop,
    b'1': _Machine.since_mark,
    b')': lambda m: m.push(()),
    b't': lambda m: m.push(tuple(m.since_mark())),
    b'\x85': lambda m: m.tuple(1),
    b'\x86': lambda m: m.tuple(2),
    b'\x87': lambda m: m.tuple(3),
    b']': lambda m: m.push([]),
    b'l': lambda m: m.push(m.since_mark()),
    b'a': lambda m: m.extend([m.pop()]),
    b'e': lambda m: m.extend(m.since_mark()),
    b'}': lambda m: m.push({}),
    b'd': lambda m: (values := m.since_mark(), m.push({}), m.fill(values)),
    b's': lambda m: m.fill([m.pop(), m.pop()][::-1]),
    b'u': lambda m: m.fill(m.since_mark()),
    b'g': lambda m: m.push(m.memo[int(m.line())]),
    b'h': lambda m: m.push(m.memo[m.number(1)]),
    b'j': lambda m: m.push(m.memo[m.number(4)]),
    b'p': lambda m: m.remember(int(m.line())),
    b'q': lambda m: m.remember(m.number(1)),
    b'r': lambda m: m.remember(m.number(4)),
    b'\x94': lambda m: m.remember(len(m.memo)),
    b'c': lambda m: m.find(m.line(), m.line()),
    b'\x93': lambda m: m.find(*[m.pop(), m.pop()][::-1]),
    b'R': _Machine.call,
    b'\x81': _Machine.make,
    b'b': _Machine.build,
    b'Q': _Machine.outside,
}


def load(
    stream: BinaryIO,
    where: str,
    meanings: Mapping[str, Any],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Reads one pickle and leaves the stream behind it.

    Args:
      stream: an open binary file in which one can seek.
      where: its name, for errors.
      meanings: 'module.name' -> what it stands for, a `Function`, a class of
        plain objects or a constant without state; all other names are refused.
      persistent: what an object kept outside of the pickle stands for.
    """
    try:
        return _Machine(stream, meanings, persistent).run()
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
        if not isinstance(state[1], str):  # Which may not have a hash.
            raise InputError('it holds an array without a byte order')
        self.order = {'<': '<', '|': '<', '>': '>'}[state[1]]


class _Array:
    """A NumPy array, whose state follows."""

    def __init__(self, *_: Any):
        self.value = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        if any(type(number) is not int or number < 0 for number in shape):
            raise InputError('it holds an array without a shape')
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

    names = itertools.count()

    def plain(value, depth):
        if next(names) > MOST_NAMES:  # Dicts may hold one another.
            raise InputError(f'{where} holds too many arrays for a network.')
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
