"""Do the scores of posteriors find out which are wrong, and only those?

    python benchmarks/calibration.py --json calibration.json

Pictures x ~ N(0.5, C) and responses y = A x + e, of which the posterior is
known; draws from it as it is, and with its standard deviation scaled. In how
many simulated experiments is a score's p at most 0.05, and does its 95 %
interval hold the nominal value?
"""

import argparse

import numpy as np
from common import print_results, write_result

from brainjax.evaluation.posterior import posterior_scores

SIDE = (6, 5, 3)
VALUES = 90
RESPONSES = 12
DRAWS = 39  # The fewest for 95 % intervals.
NOISE = 0.02


def channel(generator):
    """A prior covariance, responses, and what follows from both."""
    places = np.stack(np.meshgrid(*map(np.arange, SIDE), indexing='ij'), -1)
    flat = places.reshape(-1, 3) / (1.5, 1.5, 2.0)
    apart = ((flat[:, None] - flat) ** 2).sum(axis=-1)
    prior = 0.01 * (np.exp(-apart / 2) + 0.01 * np.eye(VALUES))
    a = generator.normal(size=(RESPONSES, VALUES)) / 4
    total = a @ prior @ a.T + NOISE * np.eye(RESPONSES)
    gain = prior @ a.T @ np.linalg.inv(total)
    return prior, a, gain, prior - gain @ a @ prior


def experiment(generator, pictures, spread):
    """Draws [n, k, *SIDE] and pictures [n, *SIDE], clipped to 0..1."""
    prior, a, gain, posterior = channel(generator)
    x = generator.normal(size=(pictures, VALUES)) @ _root(prior)
    y = x @ a.T
    y += generator.normal(0, np.sqrt(NOISE), y.shape)
    noise = generator.normal(size=(pictures, DRAWS, VALUES)) @ _root(posterior)
    samples = (y @ gain.T)[:, None] + spread * noise
    return (
        np.clip(0.5 + samples, 0, 1).reshape(pictures, DRAWS, *SIDE),
        np.clip(0.5 + x, 0, 1).reshape(pictures, *SIDE),
    )


def _root(covariance):
    variance, axes = np.linalg.eigh(covariance)
    return np.sqrt(np.maximum(variance, 0))[:, None] * axes.T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--experiments', type=int, default=200)
    parser.add_argument('--pictures', type=int, nargs='+', default=[20, 100])
    parser.add_argument(
        '--spread', type=float, nargs='+', default=[0.8, 1.0, 1.25]
    )
    known = parser.parse_args()
    results = []
    for pictures in known.pictures:
        for spread in known.spread:
            generator = np.random.default_rng(0)
            found = {}
            for seed in range(known.experiments):
                samples, targets = experiment(generator, pictures, spread)
                scores = posterior_scores.score(
                    samples, targets, seed=seed, draws=999
                )
                for name, score in scores.items():
                    if 'nominal' in score:
                        found.setdefault(name, []).append(score)
            results += [
                {
                    'name': f'{name}, {pictures} pictures, spread {spread:g}',
                    'value': float(np.mean([s['value'] for s in each])),
                    'share_of_p_up_to_0.05': float(
                        np.mean([s['p'] <= 0.05 for s in each])
                    ),
                    'interval_holds_nominal': float(
                        np.mean(
                            [
                                s['low'] <= s['nominal'] <= s['high']
                                for s in each
                            ]
                        )
                    ),
                    'n': known.experiments,
                }
                for name, each in found.items()
            ]
    print_results(results)
    write_result(known.json, results)


if __name__ == '__main__':
    main()
