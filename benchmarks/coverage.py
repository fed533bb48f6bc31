"""How often do 95 % intervals hold the true mean? 2000 experiments a cell.

    python benchmarks/coverage.py --json coverage.json

Scores of 5 to 50 pictures, normal, skewed, hits and misses, and two-way
averages near the ceiling; and of 2 to 8 subjects who saw the same pictures, who
differ as much as answers do, or half as much, or hardly. Coverage is to lie in
.92 to .98. Of hits and misses, and of averages that are mostly 1, no interval
can: what is found jumps, and so does its coverage. There Clopper and Pearson's
is on the safe side, and above .98 where it says so below.
"""

import argparse

import numpy as np
from common import write_result
from scipy import special

from brainjax.evaluation.intervals import (
    CORRELATION,
    RATE,
    UNBOUNDED,
    interval,
)

PICTURES = (5, 10, 20, 50)
SUBJECTS = (2, 3, 5, 8)


def normal(rng, n):
    return rng.normal(0.3, 0.1, n)


def skewed(rng, n):
    """Exponential, from the best score down: skewness -2."""
    return 0.9 - 0.1 * rng.exponential(size=n)


def hits(rate):
    return lambda rng, n: (rng.random(n) < rate).astype(float)


def two_way(rate):
    """Shares of n - 1 comparisons; pictures differ, as a beta distribution."""
    return lambda rng, n: (
        rng.binomial(n - 1, rng.beta(10 * rate, 10 * (1 - rate), n)) / (n - 1)
    )


# Name -> draw, expected score and bounds.
ONE = {
    'normal': (normal, 0.3, CORRELATION),
    'skewed': (skewed, 0.8, CORRELATION),
    **{f'hits, {rate}': (hits(rate), rate, RATE) for rate in (0.5, 0.8)},
    **{f'hits, {rate}': (hits(rate), rate, RATE) for rate in (0.95, 0.99)},
    **{
        f'two-way, {rate}': (two_way(rate), rate, RATE)
        for rate in (0.8, 0.9, 0.95, 0.99)
    },
}


def spread(subjects, pictures):
    """Normal; standard deviations in those of the noise."""

    def draw(rng, shape):
        return (
            subjects * rng.normal(size=(shape[0], 1))
            + pictures * rng.normal(size=shape[1])
            + rng.normal(size=shape)
        )

    return draw


def ceiling(rng, shape):
    """Two-way, of which the log odds differ by subject and by picture."""
    odds = LOG_ODDS + spread(1, 1)(rng, shape) / 2
    n = shape[1] - 1
    return rng.binomial(n, special.expit(odds)) / n


LOG_ODDS = 3.0
_nodes, _weights = np.polynomial.hermite_e.hermegauss(64)
EXPECTED = special.expit(LOG_ODDS + np.sqrt(3) / 2 * _nodes) @ _weights
EXPECTED /= _weights.sum()

SEVERAL = {
    'subjects 1, pictures 1': (spread(1, 1), 0, UNBOUNDED),
    'subjects 0.5, pictures 0.5': (spread(0.5, 0.5), 0, UNBOUNDED),
    'subjects 1, pictures 0': (spread(1, 0), 0, UNBOUNDED),
    'subjects 0.1, pictures 0.3': (spread(0.1, 0.3), 0, UNBOUNDED),
    f'two-way, {EXPECTED:.3f}': (ceiling, EXPECTED, RATE),
}


def measure(draw, expected, bounds, shape, experiments, draws):
    """Share of the experiments whose interval holds, and its median width."""
    rng = np.random.default_rng(0)
    found = np.array(
        [
            interval(draw(rng, shape), bounds, seed=i, draws=draws)
            for i in range(experiments)
        ]
    )
    low, high = found.T
    return {
        'ours': float(np.mean((low <= expected) & (expected <= high))),
        'above': float(np.mean(low > expected)),
        'below': float(np.mean(high < expected)),
        'width': float(np.median(high - low)),
    }


def print_table(title, rows, columns):
    print(f'\n{title:28s}' + ''.join(f'{column:>8}' for column in columns))
    for name, cells in rows.items():
        print(f'{name:28s}' + ''.join(f'{x["ours"]:8.3f}' for x in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--experiments', type=int, default=2000)
    parser.add_argument('--draws', type=int, default=999)
    known = parser.parse_args()
    results = []

    def cells(name, case, shapes):
        found = [
            measure(*case, shape, known.experiments, known.draws)
            for shape in shapes
        ]
        for shape, each in zip(shapes, found):
            results.append(
                {'name': f'{name}; {shape}', 'unit': 'share', **each}
            )
        return found

    rows = {name: cells(name, case, PICTURES) for name, case in ONE.items()}
    print_table('pictures', rows, PICTURES)
    for subjects in SUBJECTS:
        shapes = [(subjects, n) for n in PICTURES]
        rows = {name: cells(name, x, shapes) for name, x in SEVERAL.items()}
        print_table(f'{subjects} subjects; pictures', rows, PICTURES)
    for result in results:
        result['n'] = known.experiments
    inside = [0.92 <= result['ours'] <= 0.98 for result in results]
    print(
        f'\n{sum(inside)} of {len(inside)} cells within .92 to .98, '
        f'{sum(x["ours"] < 0.92 for x in results)} below'
    )
    write_result(known.json, results)


if __name__ == '__main__':
    main()
