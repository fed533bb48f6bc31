"""Which layers of decoded features are whole, and what they were made from.

Of many hosts the first one reads and writes; the others hear what it finds.
"""

import glob
import hashlib
import json
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from brainjax.errors import InputError
from brainjax.io import files, provenance
from brainjax.training import hosts

INFORMATION = frozenset({'recording'})  # May differ: a file that has moved.


class Manifest:
    """A JSON file beside the features, read when made and kept up to date.

    Args:
      path: of the file.
      origin: what all layers are made from, ready for JSON.
    """

    def __init__(self, path: pathlib.Path, origin: Mapping[str, Any]):
        self._path = path
        there = hosts.run_on_first(lambda: _open(path, origin))
        hosts.wait_for_file(path)
        if there['layers']:  # Else what was begun may have been refused.
            self._check(there['made_from'], origin, 'features')
        self._content = {**there, 'made_from': dict(origin)}

    def whole(
        self, layer: str, folder: pathlib.Path, origin: Mapping[str, Any]
    ) -> bool:
        """True if every file of a layer is there as it was written.

        A layer that was decoded from other true features is refused.
        """
        entry = self._content['layers'].get(layer)
        if entry is None:
            return False
        self._check(entry['made_from'], origin, layer)
        return hosts.run_on_first(
            lambda: all(
                (folder / name).is_file()
                and provenance.hash_file(folder / name) == known
                for name, known in entry['files'].items()
            )
        )

    def made_from(self, layer: str) -> dict[str, Any]:
        """Returns what a whole layer was made from."""
        return self._content['layers'][layer]['made_from']

    def key(self, layer: str) -> str:
        """Returns a hash of all that a whole layer was made from."""
        own = {
            name: value
            for name, value in self._content['made_from'].items()
            if name not in INFORMATION
        }
        text = json.dumps([own, self.made_from(layer)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def unfinished(self, layer: str, origin: Any) -> pathlib.Path:
        """Returns the folder for the blocks of a layer, made if need be.

        Blocks that were made from something else are removed.
        """
        key = json.dumps([self._content['made_from'], origin], sort_keys=True)
        key = hashlib.sha256(key.encode()).hexdigest()[:16]
        wanted = self._path.parent / f'{self._stem(layer)}{key}'

        def make() -> None:
            self._remove(layer, wanted)
            files.writable_folder(wanted)

        hosts.run_on_first(make)
        return wanted

    def clear(self, layer: str) -> None:
        """Removes the blocks of a layer."""
        hosts.run_on_first(lambda: self._remove(layer))

    def _remove(self, layer: str, but: pathlib.Path | None = None) -> None:
        pattern = f'{glob.escape(self._stem(layer))}*'
        for folder in self._path.parent.glob(pattern):
            if folder != but:
                shutil.rmtree(folder)

    def _stem(self, layer: str) -> str:
        return f'{self._path.stem}.{layer}.unfinished-'

    def add(
        self,
        layer: str,
        folder: pathlib.Path,
        labels: Sequence[str],
        origin: Mapping[str, Any],
    ) -> None:
        """Notes that a layer is whole."""

        def write() -> None:
            self._content['layers'][layer] = {
                'made_from': dict(origin),
                'files': {
                    f'{label}.mat': provenance.hash_file(
                        folder / f'{label}.mat'
                    )
                    for label in labels
                },
            }
            files.write_json(self._path, self._content)

        hosts.run_on_first(write)

    def _check(
        self, theirs: Mapping[str, Any], ours: Mapping[str, Any], what: str
    ) -> None:
        ours = {k: v for k, v in ours.items() if k not in INFORMATION}
        provenance.check_same(self._path, theirs, ours, what)


def _open(path: pathlib.Path, origin: Mapping[str, Any]) -> dict[str, dict]:
    """Returns what the file holds, which is made if need be."""
    if not path.exists():
        content = {'made_from': dict(origin), 'layers': {}}
        files.write_json(path, content)
        return content
    remedy = 'remove it and the features beside it, or name another folder'
    content = files.read_json(path, remedy)
    try:
        layers = dict(content['layers'])
        for entry in layers.values():
            if not all(
                isinstance(entry[x], dict) for x in ('made_from', 'files')
            ):
                raise ValueError('a layer is not described')
        return {'made_from': dict(content['made_from']), 'layers': layers}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f'{path} is damaged ({error}); {remedy}.') from error
