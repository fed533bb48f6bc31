"""Reads damaged recordings in a process of its own, with little memory.

    python damage.py FOLDER SEED NUMBER

For each format, whole files of a small subject are damaged at random, one at a
time, and opened. Prints one JSON line a file: the format, what was done, how
it ended ('read', 'refused', or the name of an error that should not be) and
the seconds.
"""

import contextlib
import io
import json
import pathlib
import resource
import shutil
import sys
import time
import warnings

import numpy as np
import tiny
from recording_files import write_digits

from brainjax.errors import InputError
from brainjax.io import files
from brainjax.recordings import FORMATS, conversion

MEMORY = 6 * 2**30  # Address space, most of it JAX's and HDF5's libraries.
MESSAGE = 400  # Characters that a clear sentence may have.


def cut(content, rng):
    """Ends the file early."""
    return content[: rng.integers(len(content))]


def flip(content, rng):
    """Changes some bytes, most of them near the start."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 20)):
        place = int(len(changed) * rng.random() ** rng.integers(1, 5))
        changed[min(place, len(changed) - 1)] = rng.integers(256)
    return bytes(changed)


def blank(content, rng):
    """Overwrites a stretch with zeros."""
    changed = bytearray(content)
    start = rng.integers(len(changed))
    length = int(rng.integers(1, 1 + len(changed) // 4))
    changed[start : start + length] = bytes(len(changed[start:][:length]))
    return bytes(changed)


def swell(content, rng):
    """Makes some number of four bytes as large as it can be."""
    changed = bytearray(content)
    place = int(rng.integers(max(1, min(len(changed), 4096) - 4)))
    changed[place : place + 4] = b'\xff\xff\xff\x7f'
    return bytes(changed)


def double(content, rng):
    """Repeats a stretch."""
    place = rng.integers(len(content))
    return content[:place] + content[place // 2 :]


DAMAGES = (cut, flip, blank, swell, double)


def originals(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, dict]]:
    """Writes a whole recording of each format."""
    recording = tiny.subject()
    found = {}
    for name, form in FORMATS.items():
        base = folder / name
        base.mkdir(parents=True)
        path = base / f'subject{form.suffix}'
        if form.write is None:
            path, options = write_digits(base), {}
        else:
            written, _ = conversion.convert(recording, path, name)
            options = {'pictures': written[1]} if form.pictures else {}
        found[name] = path, options
    return found


def attempt(read, path):
    """Returns how reading ended, how long that took, and what was said."""
    began = time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):
        ending, said = _ending(read, path)
    seconds = time.monotonic() - began
    return {'ending': ending, 'said': said, 'seconds': seconds}


def _ending(read, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            read(path)
    except InputError as error:
        text = str(error)
        # Paths are as long as they are, here and in what libraries say.
        words = text.replace(str(path.parent), '')
        clear = '\n' not in text and len(words) < MESSAGE
        return ('refused' if clear else 'unclear'), text
    except Exception as error:  # What the test is for.
        return type(error).__name__, str(error)
    return 'read', ''


def opening(form, options):
    """Returns what opens a recording of a format if it looks like one."""

    def read(path):
        if not form.looks_like(path):
            raise InputError('It looks like another format.')
        form.read(path, **options)

    return read


def main(folder, seed, number):
    rng = np.random.default_rng(seed)
    folder = pathlib.Path(folder)
    whole = originals(folder / 'whole')
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for i in range(number):
        name = [*FORMATS][i % len(FORMATS)]
        path, options = whole[name]
        root = folder / 'whole' / name
        copy = folder / 'damaged' / name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(root, copy)
        inside = sorted(
            p
            for p in copy.rglob('*')
            if p.is_file() and p.suffix not in ('.png', '.jpg')
        )
        # Whichever it is, whether large or small.
        chosen = inside[rng.integers(len(inside))]
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        chosen.write_bytes(damage(chosen.read_bytes(), rng))
        moved = {
            key: copy / pathlib.Path(value).relative_to(root)
            for key, value in options.items()
        }
        line = {
            'format': name,
            'file': chosen.name,
            'damage': damage.__name__,
            **attempt(
                opening(FORMATS[name], moved), copy / path.relative_to(root)
            ),
        }
        print(json.dumps(files.json_ready(line)), flush=True)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
