"""Are p-values what they say? 500 simulated experiments without information.

    python benchmarks/nulls.py --json nulls.json

Reconstructions know nothing of the pictures but have something in common, and
every kind of score is made of them: of 20 pictures, of 5, of pictures shown
several times, of folds whose reconstructions are shifted, and of coarse values
with ties. For each score p with ties broken at random must be uniform
(Kolmogorov-Smirnov), p as reported at most .05 in no more than 5 % of the
experiments, and the score at chance on average (t of value - chance). Of all
scores of an experiment, q may be at most .05 in 5 % of them.
"""

import argparse

import numpy as np
from common import print_results, write_result
from scipy import stats

from brainjax.evaluation import distractors, identification, paired, scores
from brainjax.evaluation.intervals import RATE
from brainjax.evaluation.posterior import information
from brainjax.evaluation.statistics import corrected
from brainjax.evaluation.voxels import encoding

SIDE = 11
POOL = 60  # Pictures from outside the test set.
# Name -> the picture of each target, the fold of each, and levels of grey.
CASES = {
    '20 pictures': (np.arange(20), None, None),
    '5 pictures': (np.arange(5), None, None),
    'repeats': (np.repeat(np.arange(8), 3), None, None),
    'folds': (np.arange(16), np.repeat(np.arange(4), 4), None),
    'ties': (np.arange(12), None, 3),
}


def simulate(rng, picture, fold, levels):
    """Pictures and reconstructions [n, SIDE, SIDE, 3] in 0..1."""
    shape = (picture.max() + 1, SIDE, SIDE, 3)
    target = rng.random(shape)
    # Reconstructions of one picture are alike, as its responses are.
    made = (rng.random(shape) + rng.random(shape[1:]))[picture]
    made = made + rng.random(made.shape)
    if fold is not None:
        made += rng.random((fold.max() + 1, *shape[1:]))[fold]
    made /= made.max()
    if levels:
        target, made = (np.round(levels * x) / levels for x in (target, made))
    return target[picture], made


def of_pictures(rng, target, made, picture, fold, options):
    options = {'picture': picture, **options}
    found, matrix = scores.pixel_scores(target, made, fold=fold, **options)
    found |= scores.identification_scores('x', matrix, fold=fold, **options)
    if fold is None:
        distance = 1 - np.nan_to_num(matrix)
        found |= scores.retrieval_scores('x', matrix, **options)
        found['distance'] = scores.distance_score(distance, **options)
        found |= outside(rng, matrix, made, options)
    return found


def outside(rng, matrix, made, options):
    """Among pictures from outside the test set, and among their classes."""
    pool = rng.random((POOL, SIDE, SIDE, 3)).reshape(POOL, -1)
    others = identification.similarity(pool, made.reshape(len(made), -1))
    beaten = distractors.better(-matrix, -others)
    picture = options.pop('picture')
    found = {}
    for n, top in ((10, 1), (50, 5)):
        success = identification.expected_success(beaten, POOL, n, top)
        found[f'top{top}_{n}way'] = scores.make_score(
            [identification.average_pairs(success, picture)],
            identification.chance(n, top),
            bounds=RATE,
            **options,
        )
    return found


def of_responses(rng, picture, fold, options):
    """Scores of voxels, of bits, and of two methods beside one another."""
    n = picture.max() + 1
    x, y = rng.normal(size=(2, n, 30)) + rng.normal(size=(2, 1, 30))
    log_posterior = rng.normal(size=(n, n)) + rng.normal(size=n)
    halves = [(log_posterior, np.zeros(n), np.arange(n))]
    told = information.over_folds(halves, **options)
    ours, theirs = rng.exponential(size=(2, n))
    return {
        'voxels': encoding.score(x, y, **options),
        'two_way_density': told['two_way_density'],
        'difference': paired.difference(ours, theirs, **options),
    }


def randomised(score, rng):
    """p with ties broken at random."""
    observed, null = score.null.draws[0], score.null.draws[1:]
    above = (null > observed + 1e-4).sum()
    ties = 1 + (abs(null - observed) <= 1e-4).sum()
    return (above + rng.random() * ties) / (len(null) + 1)


def measure(case, experiments, draws):
    """Score -> randomised p, p, value - chance; smallest q of a report."""
    rng, found, smallest = np.random.default_rng(0), {}, []
    for experiment in range(experiments):
        options = {'seed': experiment, 'draws': draws}
        pictures = simulate(rng, *case)
        report = of_pictures(rng, *pictures, *case[:2], options)
        report |= of_responses(rng, *case[:2], options)
        for name, score in report.items():
            away = score['value'] - score['chance']
            row = randomised(score, rng), score['p'], away
            found.setdefault(name, []).append(row)
        q = [score['q'] for score in corrected(report).values()]
        smallest.append(np.nanmin(q))
    return {name: np.array(rows).T for name, rows in found.items()}, smallest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--experiments', type=int, default=500)
    parser.add_argument('--draws', type=int, default=199)
    known = parser.parse_args()
    results = []
    for title, case in CASES.items():
        found, smallest = measure(case, known.experiments, known.draws)
        part = [
            {
                'name': f'{title}: {name}',
                'ks_p': float(stats.kstest(broken, 'uniform').pvalue),
                'p_up_to_0.05': float(np.mean(p <= 0.05)),
                't_of_chance': float(stats.ttest_1samp(away, 0).statistic),
                'n': known.experiments,
            }
            for name, (broken, p, away) in found.items()
        ]
        share = float(np.mean(np.array(smallest) <= 0.05))
        part.append(
            {
                'name': f'{title}: any of {len(found)} scores',
                'q_up_to_0.05': share,
                'n': known.experiments,
            }
        )
        print_results(part)
        results += part
    write_result(known.json, results)


if __name__ == '__main__':
    main()
