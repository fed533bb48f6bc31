"""Files of sessions as the page for people writes them."""

import csv

import numpy as np

from brainjax.evaluation.human import human_plan, human_sessions

PLACE = {name: i for i, name in enumerate(human_sessions.COLUMNS)}


def rows_of(test, observer='ann', wrong=(), failed=0, seed=3):
    """What the page writes of an observer.

    Args:
      test: of `human_sessions.identity`.
      observer: name.
      wrong: names of pictures for which the wrong side is chosen.
      failed: how many checks are.
      seed: of the session.
    """
    generator = np.random.default_rng(seed)
    trials = human_plan.plan(seed, len(test.names), test.methods)
    rows, checks = [], 0
    for number, (kind, picture, lure, side) in enumerate(trials, 1):
        name = test.names[picture]
        checks += kind == 'check'
        is_wrong = checks <= failed if kind == 'check' else name in wrong
        other = {'left': 'right', 'right': 'left'}[side]
        row = [test.digest, observer, seed, number, len(trials), kind, name]
        row += [test.names[lure], side, other if is_wrong else side]
        rows.append([*row, int(not is_wrong), generator.integers(600, 3000)])
    return sealed(rows)


def sealed(rows):
    """Rows with seals, computed anew."""
    rows = [[str(value) for value in row[: PLACE['seal']]] for row in rows]
    seals = human_plan.seals([','.join(row) for row in rows])
    return [[*row, str(seal)] for row, seal in zip(rows, seals)]


def write(path, rows, columns=human_sessions.COLUMNS):
    with open(path, 'w', newline='', encoding='utf-8') as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path
