"""What the audit flags: a confusion table over simulated methods.

    python benchmarks/audit.py --seeds 8 --honest 25 --json audit.json

Each kind of method in `brainjax/evaluation/audit/cheats.py` is simulated with
many seeds (pictures, brain, noise) and audited. Rows are kinds, columns checks,
and cells say in how many of the seeds the check was flagged. The bounds of the
checks were set with seeds from 900 up; these are from 100 up.
"""

import argparse
import collections
import pathlib
import time

from common import write_result
from scipy import stats

from brainjax.evaluation.audit import (
    PAGE,
    AuditCheck,
    cheats,
    checks,
    controls,
)

FIRST = 100  # Seed.


def audit(kind: str, seed: int) -> tuple[list[AuditCheck], list[AuditCheck]]:
    """Simulates a method; what pictures show, and what its controls show."""
    case = cheats.make(kind, seed)
    pair = case.target, case.reconstruction
    return (
        checks.of_pictures(
            *pair, case.train, case.categories, seed, case.unpaired
        ),
        controls.compare(*pair, case.controls, seed),
    )


def empty(kind: str) -> dict:
    """Counts of what is flagged and noted, over no seeds yet."""
    keys = 'seeds', 'flagged', 'by pictures alone', 'by the check meant'
    return dict.fromkeys(keys, 0) | {
        'flags': collections.Counter(),
        'notes': collections.Counter(),
        'meant': cheats.CAUGHT_BY.get(kind),
    }


def add(row: dict, kind: str, seed: int) -> None:
    """Adds a seed to the counts of a kind."""
    shown, given = audit(kind, seed)
    flagged = {each.check for each in (*shown, *given) if each.flagged}
    for each in (*shown, *given):
        row['flags'][each.check] += each.level == 'flag'
        row['notes'][each.check] += each.level == 'note'
    row['seeds'] += 1
    row['flagged'] += bool(flagged)
    row['by pictures alone'] += any(each.flagged for each in shown)
    row['by the check meant'] += row['meant'] in flagged


def print_table(table: dict[str, dict]) -> None:
    """Prints in how many seeds each check was flagged."""
    names = list(
        dict.fromkeys(x for row in table.values() for x in row['flags'])
    )
    print(f'\n{"":18s}', *(f'{i:3d}' for i in range(1, len(names) + 1)))
    for kind, row in table.items():
        cells = (row['flags'].get(name, '') for name in names)
        print(f'{kind:18s}', *(f'{cell:>3}' for cell in cells))
    for i, name in enumerate(names, 1):
        print(f'{i:3d} {name}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=8, help='of each cheat')
    parser.add_argument(
        '--honest', type=int, default=25, help='seeds of each honest method'
    )
    parser.add_argument('--json', type=pathlib.Path)
    options = parser.parse_args()
    began = time.monotonic()
    table = {kind: empty(kind) for kind in cheats.KINDS}
    # Seed by seed, as methods share the pictures of one.
    for seed in range(max(options.seeds, options.honest)):
        for kind, row in table.items():
            honest = kind in cheats.HONEST
            if seed < (options.honest if honest else options.seeds):
                add(row, kind, FIRST + seed)
        print(f'{seed + 1} seeds', flush=True)
    for kind, row in table.items():
        print(
            f'{kind:18s} flagged {row["flagged"]:3d} of {row["seeds"]}, '
            f'{row["by pictures alone"]} by pictures alone'
            + (
                f', {row["by the check meant"]} by {row["meant"]!r}'
                if row['meant']
                else ''
            )
        )
    print_table(table)
    right, wrong = (
        [
            row
            for kind, row in table.items()
            if (kind in cheats.HONEST) is honest
        ]
        for honest in (False, True)
    )
    found, pages = (
        [sum(row[key] for row in rows) for key in ('flagged', 'seeds')]
        for rows in (right, wrong)
    )
    interval = stats.binomtest(*pages).proportion_ci()
    print(
        f'Cheats flagged: {found[0]} of {found[1]}. Honest pages with a flag: '
        f'{pages[0]} of {pages[1]} (95 % interval {interval.low:.3f} to '
        f'{interval.high:.3f}; stated {PAGE:g} at most).'
    )
    result = {
        'name': 'audit',
        'unit': 'share of cheating methods that are flagged',
        'ours': found[0] / max(found[1], 1),
        'peer': pages[0] / max(pages[1], 1),
        'peer_name': 'share of honest methods that are flagged',
        'accuracy': table,
        'seconds': time.monotonic() - began,
        'simulated': True,
    }
    write_result(options.json, result)


if __name__ == '__main__':
    main()
