"""Are intervals and p of what people choose what they say?

    python benchmarks/human.py --json human.json

Simulated observers with an eye for some pictures and a leaning to others
judge reconstructions. Where these know nothing, p must be at most 0.05 in no
more than 5 % of the experiments; where they know something, the 95 % interval
must hold the expected score, over new observers and new pictures, in 95 % of
the experiments.
"""

import argparse

import numpy as np
from common import write_result

from brainjax.evaluation.human import choices, human_sessions

SIZES = ((1, 20), (3, 20), (5, 20), (5, 50), (10, 50), (20, 50), (30, 20))
LIKENESS = 1.3  # Of a reconstruction to its own picture, where it has any.
LEANING = 1.0  # Standard deviation of how much a picture attracts choices.
UNSTEADY = 1.0  # Of an observer's judgement of one pair.


def experiment(generator, observers, pictures, likeness):
    """Choices of observers whose lures go round in a ring, as the page's."""
    similarity = generator.normal(size=(pictures, pictures))
    similarity += generator.normal(0, LEANING, pictures)  # Of each picture.
    own = likeness * generator.exponential(size=pictures)
    similarity[np.diag_indices(pictures)] += own
    sessions = []
    for i in range(observers):
        ring = generator.permutation(pictures)
        lures = np.roll(ring, -1)
        surplus = similarity[ring, ring] - similarity[ring, lures]
        skill = generator.lognormal(0, 0.5)
        noise = generator.normal(0, UNSTEADY, pictures)
        right = skill * surplus + noise > 0
        correct = {f'{j}': bool(x) for j, x in zip(ring, right)}
        sessions.append(
            human_sessions.Session(
                *('', f'{i}', i, correct, np.ones(8, bool)),
                generator.integers(800, 3000, pictures),
            )
        )
    return sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--experiments', type=int, default=500)
    parser.add_argument('--draws', type=int, default=1000)
    known = parser.parse_args()
    generator = np.random.default_rng(0)
    large = experiment(generator, 2000, 2000, LIKENESS)
    expected = np.mean([list(each.correct.values()) for each in large])
    print(f'expected {expected:.3f}')
    results = []
    for observers, pictures in SIZES:
        p, inside, widths = [], [], []
        for seed in range(known.experiments):
            options = {'seed': seed, 'draws': known.draws}
            sessions = experiment(generator, observers, pictures, 0)
            p.append(choices.score(sessions, **options).score['p'])
            sessions = experiment(generator, observers, pictures, LIKENESS)
            entry = choices.score(sessions, **options).score
            inside.append(entry['low'] <= expected <= entry['high'])
            widths.append(entry['high'] - entry['low'])
        results.append(
            {
                'observers': observers,
                'pictures': pictures,
                'p_at_most_05': float(np.mean(np.array(p) <= 0.05)),
                'coverage': float(np.mean(inside)),
                'width': float(np.mean(widths)),
            }
        )
        print(*(f'{k} {v:.3g}' for k, v in results[-1].items()), sep='  ')
    result = {
        'name': 'human',
        'unit': 'share of experiments',
        'experiments': known.experiments,
        'draws': known.draws,
        'expected': float(expected),
        'results': results,
    }
    write_result(known.json, result)


if __name__ == '__main__':
    main()
