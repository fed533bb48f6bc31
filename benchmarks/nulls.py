"""Are p-values and intervals what they say? 500 simulated experiments.

    python benchmarks/nulls.py --json nulls.json

Reconstructions that know nothing but have something in common: for every
score, p with ties broken at random must be uniform (Kolmogorov-Smirnov), and
p as reported must be at most 0.05 in no more than 5 % of the experiments.
Then reconstructions that know something: the 95 % interval must hold the
expected score, estimated from a large experiment, in 95 % of the experiments.
"""

import argparse

import numpy as np
from common import print_results, write_result
from scipy import stats

from brainjax.evaluation import (
    distractors,
    identification,
    pixels,
    scores,
    ssim,
    statistics,
)

SIDE = 11


def simulate(generator, n, knows):
    """Pictures and reconstructions [n, SIDE, SIDE, 3] in 0..1."""
    truth = generator.random((n, SIDE, SIDE, 3))
    common = generator.random((1, SIDE, SIDE, 3))
    noise = generator.random(truth.shape)
    return truth, knows * truth + (1 - knows) * (0.5 * common + 0.5 * noise)


def tables(truth, made, pool):
    """Score -> its table, and whether lower is better."""
    n = len(truth)
    rows = truth.reshape(n, -1), made.reshape(n, -1)
    matrix = identification.similarity(*rows)
    others = identification.similarity(pool.reshape(len(pool), -1), rows[1])
    beaten = distractors.better(-matrix, -others)
    classes = identification.ranks(np.concatenate([matrix, others]))[:n] - 1
    total = n + len(pool) - 1
    success = identification.expected_success
    way = identification.n_way_table
    return {
        'pixcorr': (matrix, False),
        'ssim_2d': (ssim.table('ssim_2d', truth, made), False),
        'ssim_1d': (ssim.table('ssim_1d', truth, made), False),
        'two_way': (way(matrix, 2), False),
        'all_way': (way(matrix, n), False),
        'top5_picture': (way(matrix, n, 5), False),
        'top1_reconstruction': (way(matrix.T, n), False),
        'rank': (identification.ranks(matrix).astype(float), True),
        'distance': (1 - matrix, True),
        'identification_10way': (success(beaten, len(pool), 10), False),
        'top1_50way': (success(classes, total, 50), False),
        'top5_50way': (success(classes, total, 50, 5), False),
    }


def randomised_p(table, lower, seed, draws, generator):
    sign = -1 if lower else 1
    null = sign * statistics.permutation_null([table], draws, seed)
    value = sign * np.diagonal(table).mean()
    above = (null > value + 1e-9).sum()
    ties = 1 + (abs(null - value) <= 1e-9).sum()
    return (above + generator.random() * ties) / (draws + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--experiments', type=int, default=500)
    parser.add_argument('--pictures', type=int, default=20)
    parser.add_argument('--draws', type=int, default=499)
    known = parser.parse_args()
    generator = np.random.default_rng(0)
    pool = generator.random((60, SIDE, SIDE, 3))
    randomised, reported, inside = {}, {}, {}
    for experiment in range(known.experiments):
        pair = simulate(generator, known.pictures, 0)
        for name, (table, lower) in tables(*pair, pool).items():
            p = randomised_p(table, lower, experiment, known.draws, generator)
            randomised.setdefault(name, []).append(p)
            entry = scores.make_score(
                [table], seed=experiment, draws=known.draws, lower=lower
            )
            reported.setdefault(name, []).append(entry['p'])
    # Scores that a picture has by itself, whatever the others are: their
    # expectation is known from many pictures.
    truth, made = simulate(generator, 5000, 0.05)
    expected = {
        name: function(truth, made).mean()
        for name, function in INDEPENDENT.items()
    }
    for experiment in range(known.experiments):
        truth, made = simulate(generator, known.pictures, 0.05)
        for name, function in INDEPENDENT.items():
            low, high = statistics.bootstrap_interval(
                function(truth, made), experiment, known.draws
            )
            inside.setdefault(name, []).append(low <= expected[name] <= high)
    results = [
        {
            'name': name,
            'ks_p': float(stats.kstest(p_values, 'uniform').pvalue),
            'share_of_p_up_to_0.05': float(
                np.mean(np.array(reported[name]) <= 0.05)
            ),
            'n': known.experiments,
        }
        for name, p_values in randomised.items()
    ] + [
        {
            'name': f'interval of {name}',
            'covers': float(np.mean(held)),
            'n': known.experiments,
        }
        for name, held in inside.items()
    ]
    print_results(results)
    write_result(known.json, results)


def two_way_of_pairs(truth, made):
    """Two-way identification against one other picture each."""
    other = np.roll(truth, 1, axis=0)
    return (
        pixels.pixel_correlation(other, made)
        < pixels.pixel_correlation(truth, made)
    ).astype(float)


def ssim_of_pairs(truth, made):
    pairs = zip(truth[:, None], made[:, None])
    return np.array([ssim.table('ssim_2d', *pair)[0, 0] for pair in pairs])


INDEPENDENT = {
    'pixcorr': pixels.pixel_correlation,
    'ssim_2d': ssim_of_pairs,
    'two_way, one distractor': two_way_of_pairs,
}

if __name__ == '__main__':
    main()
