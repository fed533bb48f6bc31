"""The files of a fitted model: arrays, and what they are; both with hashes.

    FOLDER/model.safetensors   every array
    FOLDER/config.json         all else; it names the size and SHA-256 of the
                               arrays' file, and begins with its own SHA-256
    FOLDER/README.md           the model card, free to be edited

These are the names that the Hugging Face hub expects. The hash of config.json
is that of the file with 64 zeros in the hash's place, so that a change of any
byte shows. It tells damage, and that a file was edited; not who wrote it.
"""

import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from brainjax.errors import InputError
from brainjax.io import files, provenance, tensors, untrusted

ARRAYS, ABOUT, CARD = 'model.safetensors', 'config.json', 'README.md'
VERSION = 1  # Of the layout; a greater one is of a newer brainjax.
_SEAL = re.compile(rb'\A\{\n  "sha256": "([0-9a-f]{64})",\n')
_ZEROS = '0' * 64
_REMEDY = 'copy it again, or run the fit again'


def write(
    folder: files.PathLike,
    arrays: Mapping[str, Any],
    about: Mapping[str, Any],
    card: str,
) -> None:
    """Writes a model; one that was there before is replaced.

    Args:
      folder: made if need be.
      arrays: nested dicts of arrays.
      about: ready for JSON; see `read`.
      card: the text of README.md.
    """
    folder = files.writable_folder(folder)
    (folder / ABOUT).unlink(missing_ok=True)  # Written last: it says 'whole'.
    tensors.write(folder / ARRAYS, arrays)
    files.write_text(folder / CARD, card)
    content = {
        'sha256': _ZEROS,
        'version': VERSION,
        'arrays': provenance.hash_file(folder / ARRAYS),
        **about,
    }
    text = json.dumps(files.json_ready(content), indent=2, allow_nan=False)
    digest = hashlib.sha256(f'{text}\n'.encode()).hexdigest()
    sealed = text.replace(_ZEROS, digest, 1)
    files.write_text(folder / ABOUT, f'{sealed}\n')


def find(folder: files.PathLike) -> pathlib.Path:
    """Returns where a model lies: the folder, or 'model' in that of a run."""
    folder = pathlib.Path(folder)
    for found in (folder / 'model', folder):
        if (found / ABOUT).is_file() and (found / ARRAYS).is_file():
            return found
    folds = files.visible(folder, f'fold_*/model/{ABOUT}')
    if folds:
        numbers = sorted(
            int(path.parts[-3].removeprefix('fold_'))
            for path in folds
            if path.parts[-3].removeprefix('fold_').isdigit()
        )
        raise InputError(
            f'{folder} is a run of folds, each of which has a model of its '
            f'own; name one of {folder}/fold_{numbers[0]} to '
            f'fold_{numbers[-1]}.'
        )
    raise InputError(
        f'{folder} holds no model ({ABOUT} and {ARRAYS}, or a folder model '
        'with them); name the workdir of a finished run.'
    )


def read(folder: files.PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads a model's files, of which no byte may have changed.

    Args:
      folder: from `find`.

    Returns:
      The arrays in nested dicts, and what `write` was given as `about`.
    """
    folder = pathlib.Path(folder)
    about = read_about(folder)
    path, said = folder / ARRAYS, about.pop('arrays', None)
    with untrusted.as_input_error(path, 'safetensors file'):
        found = provenance.hash_file(path)
    if found != said:
        raise InputError(
            f'{path} is damaged or was changed: its SHA-256 is not that of '
            f'{ABOUT}; {_REMEDY}.'
        )
    return tensors.read(path)[0], about


def read_about(folder: files.PathLike) -> dict[str, Any]:
    """Reads config.json alone."""
    path = pathlib.Path(folder, ABOUT)
    with untrusted.as_input_error(path, 'JSON file'):
        if path.stat().st_size > files.LARGEST_TEXT:
            raise InputError(f'{path} is too large for a model; {_REMEDY}.')
        content = path.read_bytes()
    seal = _SEAL.match(content)
    if not seal:
        raise InputError(
            f'{path} does not begin as that of a brainjax model; name the '
            f'folder of one, or {_REMEDY}.'
        )
    zeroed = content.replace(seal[1], _ZEROS.encode(), 1)
    if hashlib.sha256(zeroed).hexdigest().encode() != seal[1]:
        raise InputError(
            f'{path} is damaged or was changed: its SHA-256 is not the one '
            f'that it names; {_REMEDY}.'
        )
    about = files.read_json(path)
    del about['sha256']
    if about.pop('version', None) != VERSION:
        raise InputError(
            f'{path} was written by another version of brainjax, which has '
            f'layout {VERSION}; install that version, or run the fit again.'
        )
    return about
