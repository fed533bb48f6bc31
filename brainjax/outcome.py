"""What fits gave for pictures that they had not seen, to score and to pool."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from brainjax.evaluation.audit import AuditCheck
from brainjax.evaluation.ceilings import Repeats
from brainjax.evaluation.voxels import voxel_values
from brainjax.evaluation.voxels.voxel_values import VoxelValues
from brainjax.io import arrays, files

TOLD = 'outcome.json'  # Written last: it says that a fit is done.
_ARRAYS = 'outcome.npz'
_IN_ARRAYS = ('names', 'targets', 'images')
# Names of what is held by name begin so in the npz file.
_MAPPINGS = {'references': 'reference_', 'arrays': 'array_'}
_REPEATS = 'repeats_'


class Outcome(NamedTuple):
    """What one fit gave, or several, each its fold of the pictures.

    Attributes:
      names: [n] of the targets, each once.
      targets: [n, height, width, 3] uint8 what was shown.
      images: [n, height, width, 3] float32 in 0..1, reconstructions.
      references: name -> the same of `methods.references`.
      densities: (log_posterior [n, n], log_prior [n]) of the closed form, one
        a fit; see `references.log_densities`.
      arrays: name -> [n, ...] what reconstructions.npz gets besides.
      scores: what the method scores itself, as in scores.json.
      told: 'method' (what made the pictures), 'subject', 'source',
        'simulated', 'transductive', 'test_kept', 'problems', 'notes', 'trials'
        (of a test picture, on average), 'ceiling_from' and 'classes', of
        `config_protocol.classes_of`.
      checks: of the audit.
      ceiling: [n, height, width, 3] float32 what the method makes of these
        pictures without noise; None if that is not known.
      repeats: what it makes of fewer trials; None without repeats.
      fold: [n] which fit reconstructed; None of one fit.
      voxels: what is known of each voxel, means over the fits.
    """

    names: np.ndarray
    targets: np.ndarray
    images: np.ndarray
    references: Mapping[str, np.ndarray]
    densities: list[tuple[np.ndarray, np.ndarray]]
    arrays: Mapping[str, np.ndarray]
    scores: Mapping[str, Mapping[str, Any]]
    told: Mapping[str, Any]
    checks: list[AuditCheck]
    ceiling: np.ndarray | None = None
    repeats: Repeats | None = None
    fold: np.ndarray | None = None
    voxels: VoxelValues | None = None


def save(folder: pathlib.Path, outcome: Outcome) -> None:
    """Writes what one fit gave, `TOLD` last."""
    found = {name: getattr(outcome, name) for name in _IN_ARRAYS}
    for field, prefix in _MAPPINGS.items():
        named = getattr(outcome, field)
        found |= {f'{prefix}{name}': array for name, array in named.items()}
    for log_posterior, log_prior in outcome.densities:
        found |= {'log_posterior': log_posterior, 'log_prior': log_prior}
    if outcome.ceiling is not None:
        found['ceiling'] = outcome.ceiling
    if outcome.repeats is not None:
        named = outcome.repeats._asdict()
        found |= {f'{_REPEATS}{name}': array for name, array in named.items()}
    arrays.write(folder / _ARRAYS, **found)
    checks = [check._asdict() for check in outcome.checks]
    told = {'scores': outcome.scores, 'told': outcome.told, 'checks': checks}
    files.write_json(folder / TOLD, files.json_ready(told))


def read(folder: pathlib.Path) -> Outcome:
    """Reads what `save` has written, and the values of voxels beside it."""
    found = arrays.read(folder / _ARRAYS)
    told = files.read_json(folder / TOLD, 'use another --workdir')
    return Outcome(
        **{name: found[name] for name in _IN_ARRAYS},
        **{
            field: {
                name.removeprefix(prefix): array
                for name, array in found.items()
                if name.startswith(prefix)
            }
            for field, prefix in _MAPPINGS.items()
        },
        ceiling=found.get('ceiling'),
        repeats=Repeats(*(found[f'{_REPEATS}{x}'] for x in Repeats._fields))
        if f'{_REPEATS}images' in found
        else None,
        densities=[(found['log_posterior'], found['log_prior'])]
        if 'log_prior' in found
        else [],
        scores=told['scores'],
        told=told['told'],
        checks=[AuditCheck(**check) for check in told['checks']],
        voxels=voxel_values.read(folder)
        if (folder / voxel_values.ARRAYS).exists()
        else None,
    )
