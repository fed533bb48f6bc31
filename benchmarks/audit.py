"""What the audit flags: a confusion table over simulated methods.

    python benchmarks/audit.py --seeds 20 --json audit.json

Each kind of method in `brainjax/evaluation/audit/cheats.py` is simulated with
many seeds (scenes, brain, noise) and audited. Rows are kinds, columns checks,
and cells say in how many of the seeds the check was flagged.
"""

import argparse
import pathlib
import time

from common import write_result

from brainjax.evaluation.audit import cheats
from brainjax.evaluation.audit import checks as audit
from brainjax.evaluation.audit import controls as audit_controls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--json', type=pathlib.Path)
    options = parser.parse_args()
    began = time.monotonic()
    table, caught = {}, {}
    for kind in cheats.KINDS:
        counts, hits = {}, 0
        for seed in range(options.seeds):
            case = cheats.make(kind, 100 + seed)
            rows = audit.of_pictures(
                case.target, case.reconstruction, case.train, case.categories
            ) + audit_controls.compare(
                case.target, case.reconstruction, case.controls
            )
            for row in rows:
                counts.setdefault(row.check, 0)
                counts[row.check] += bool(row.flagged)
            flagged = {row.check for row in rows if row.flagged}
            hits += (
                cheats.CAUGHT_BY[kind] in flagged
                if kind in cheats.CAUGHT_BY
                else bool(flagged)
            )
        table[kind], caught[kind] = counts, hits
        print(
            f'{kind:18s} {hits:3d} of {options.seeds} '
            + (
                f'by {cheats.CAUGHT_BY[kind]}'
                if kind in cheats.CAUGHT_BY
                else 'flagged by anything'
            ),
            flush=True,
        )
    checks = list(table['honest'])
    print('\n' + ' ' * 18, *(f'{i:3d}' for i in range(1, len(checks) + 1)))
    for kind, counts in table.items():
        print(f'{kind:18s}', *(f'{counts[check]:3d}' for check in checks))
    for i, check in enumerate(checks, 1):
        print(f'{i:3d} {check}')
    cheating = [k for k in caught if k != 'honest']
    rate = sum(caught[k] for k in cheating) / len(cheating) / options.seeds
    result = {
        'name': 'audit',
        'unit': 'share of cheating methods flagged by the check for them',
        'ours': rate,
        'peer': caught['honest'] / options.seeds,
        'peer_name': 'share of honest methods flagged by any check',
        'accuracy': table,
        'seconds': time.monotonic() - began,
        'simulated': True,
    }
    write_result(options.json, result)


if __name__ == '__main__':
    main()
