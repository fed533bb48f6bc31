"""Fitted methods as named arrays and back, for `brainjax.model`.

What comes back may have been written by anyone: arrays are compared with what
the config asks for before anything is computed with them.
"""

import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.traverse_util
import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError
from brainjax.networks import frozen, weights

_SHOWN = 60  # Characters of a name.
# Sections of a config whose keys are names of regions, or of candidates.
FREE = ('config.simulated.voxels', 'config.decoder.candidates')


class Packed(NamedTuple):
    """What a fitted method is made of.

    Attributes:
      arrays: nested dicts by name; no dot in a name.
      about: ready for JSON. 'fit' says how pictures come to size
        (`pictures.load`), 'holds' what of the training data is in the arrays,
        in words; '' if nothing is.
    """

    arrays: dict[str, Any]
    about: dict[str, Any]


def to_arrays(value: Any) -> Any:
    """Turns nested NamedTuples of arrays and numbers into nested dicts."""
    if hasattr(value, '_fields'):
        return {name: to_arrays(part) for name, part in value._asdict().items()}
    return np.asarray(value)


def from_arrays(kind: type, arrays: Mapping[str, Any], within: str = '') -> Any:
    """Makes a NamedTuple of what `to_arrays` made of one.

    Args:
      kind: its class, whose fields are arrays, numbers and NamedTuples.
      arrays: nested dicts.
      within: the name of these, for messages.
    """
    hints = typing.get_type_hints(kind)
    made = {}
    for name in kind._fields:
        value, path = arrays.get(name), f'{within}{name}'
        nested = hasattr(hints[name], '_fields')
        if isinstance(value, Mapping) != nested or value is None:
            raise InputError(f'{path[:_SHOWN]} is not there as it should be.')
        if nested:
            value = from_arrays(hints[name], value, f'{path}.')
        elif hints[name] in (float, int):
            check_shapes({path: value}, {path: ()})
            value = hints[name](value)
        made[name] = value
    return kind(**made)


def check_shapes(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuses arrays that are not just those expected.

    Args:
      found: nested dicts of arrays.
      expected: the same of anything with a shape, or of shapes.
    """
    ours, theirs = _flat(expected), _flat(found)
    for name in sorted(ours.keys() | theirs.keys()):
        wanted, there = (
            None if value is None else tuple(getattr(value, 'shape', value))
            for value in (ours.get(name), theirs.get(name))
        )
        if wanted != there:
            raise InputError(
                f'{name[:_SHOWN]} has shape {there or "none"} and by the '
                f'config it must have {wanted or "none"}.'
            )
        if theirs[name].dtype.kind not in 'biuf':
            raise InputError(f'{name[:_SHOWN]} holds no plain numbers.')


def check_sides(
    found: Mapping[str, Any],
    sides: Mapping[str, str],
    known: Mapping[str, int],
) -> None:
    """Refuses arrays whose sides do not fit together.

    Args:
      found: nested dicts of arrays.
      sides: name, with dots -> the names of its sides, 'voxels pixels'. One
        that is not `known` may be of any length, but one in all arrays.
      known: name of a side -> its length.
    """
    flat, known = _flat(found), dict(known)
    for name, text in sides.items():
        wanted = text.split()
        there = flat.get(name, np.empty(0)[:, None, None, None, None, None])
        if there.ndim != len(wanted) or any(
            known.setdefault(side, length) != length
            for side, length in zip(wanted, there.shape)
        ):
            given = {side: known[side] for side in wanted if side in known}
            raise InputError(
                f'{name} has shape {there.shape} and must be [{text}] with '
                f'{given}.'
            )


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    return flax.traverse_util.flatten_dict(dict(tree), sep='.')


def of_weights(name: str) -> dict[str, str]:
    """Names published weights, which stay in the cache, and their hash."""
    return {'name': name, 'sha256': frozen.hash_weights(weights.load(name))}


def check_weights(about: Mapping[str, Any], name: str) -> None:
    """Refuses weights in the cache that are not those of the fit.

    Args:
      about: of `of_weights`.
      name: of the weights that the config names; if they are absent, the
        message says how to fetch them.
    """
    found = of_weights(name)
    if found != about:
        raise InputError(
            f'it was fitted with other weights of {name} than are in '
            f'{weights.path(name)}; fetch those it was fitted with.'
        )


def as_config(template: ConfigDict, values: Any, name: str = 'config') -> Any:
    """Returns a config with the types of another, from JSON.

    Args:
      template: of the method, at its defaults, which stand for keys that are
        younger than the file.
      values: what the JSON file has.
      name: of both, for messages.
    """
    if not isinstance(values, Mapping):
        raise InputError(f'{name} is no section.')
    if name in FREE:
        return ConfigDict(values)
    made = template.copy_and_resolve_references().unlock()
    for key, value in values.items():
        path = f'{name}.{key}'
        if key not in template:
            raise InputError(f'{path[:_SHOWN]} is no key of this version.')
        ours = template[key]
        if isinstance(ours, ConfigDict):
            made[key] = as_config(ours, value, path)
        else:
            made[key] = _as_value(ours, value, path)
    return made.lock()


def _as_value(ours: Any, value: Any, name: str) -> Any:
    if isinstance(ours, tuple) and isinstance(value, list):
        return _as_tuple(value)
    kinds = (int, float) if isinstance(ours, float) else (type(ours),)
    if type(value) not in kinds:
        raise InputError(f'{name} is {value!r}, not of the type of {ours!r}.')
    return type(ours)(value)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
