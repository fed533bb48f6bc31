"""Scores of a posterior over pictures: calibrated, sharp and informative?

From draws, whatever method made them, or from log densities where a method
has them. Scores are as in `scores`, a value beside its chance, interval and p.
Those for which a calibrated posterior has a certain value, neither more nor
less, name it as 'nominal', have 'better': 'nominal', and a two-sided p that
the value is that. Responses to the same picture are averaged: n counts
pictures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import (
    check_distinct,
    identification,
    pixels,
    statistics,
)
from brainjax.evaluation.intervals import CORRELATION, interval
from brainjax.evaluation.posterior import calibration, sharpness
from brainjax.evaluation.scores import (
    Score,
    identification_scores,
    make_score,
    subsets,
)
from brainjax.linear import correlation
from brainjax.pictures.operations import unit_range

PROPER = {
    'crps': calibration.picture_crps,
    'energy_score': calibration.picture_energy,
}

# Kind of a figure -> title and caption.
CAPTIONS = {
    'posterior_montage': (
        'What may have been seen',
        'Each picture that was seen, the mean of the posterior, four draws '
        'from it, and the standard deviation of all draws, white where it is '
        'largest.',
    ),
    'rank_histogram': (
        'Ranks of the truth among the draws',
        'Along principal axes. Flat is calibrated, within the grey range for '
        '95 % of the bars if axes were independent; a hollow is a posterior '
        'too narrow, a hump one too wide.',
    ),
    'coverage_curve': (
        'Coverage of intervals',
        'Share of values inside the central intervals of the draws, with 95 % '
        'intervals over pictures; on the dashed line the posterior is '
        'calibrated.',
    ),
}


def mean_images(samples: np.ndarray) -> np.ndarray:
    """Means of draws, [n, height, width, 3] float32 in 0..1."""
    return np.array(
        [unit_range(draws).mean(axis=0) for draws in samples], np.float32
    )


def score(
    samples: np.ndarray,
    targets: np.ndarray,
    images: np.ndarray | None = None,
    *,
    axes: np.ndarray | None = None,
    levels: Sequence[float] = calibration.LEVELS,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Scores draws from a posterior against the pictures that were seen.

    'coverage_50', ... and 'rank_dispersion' (calibration), 'sharpness_draw'
    and 'sharpness_mean', 'crps' and 'energy_score' (both at once, against
    permuted draws), 'deviation_error' and 'deviation_error_pooled'; see
    docs/evaluation.md for what each says. A score without any picture that
    it is defined for is NaN.

    Args:
      samples: [n, k, height, width, 3] k draws a response, floats in 0..1 or
        uint8.
      targets: [n, height, width, 3] what was seen, likewise.
      images: [n, height, width, 3] what the method gives as the mean of its
        posterior; by default the mean of the draws.
      axes: [q, values] for the ranks, such as those of a prior; by default
        `calibration.principal_axes`, of at most 20.
      levels: of coverage, in whole per cent.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      {name: {'value', 'chance', 'low', 'high', 'p', 'n'}}.
    """
    samples, targets = np.asarray(samples), np.asarray(targets)
    calibration.check_samples(samples, targets)
    images = mean_images(samples) if images is None else np.asarray(images)
    pixels.check_pictures(targets, images)
    picture = pixels.distinct(targets)
    check_distinct(picture)
    options = {'seed': seed, 'draws': draws}
    return {
        **_coverage(samples, targets, picture, levels, options),
        'rank_dispersion': _ranks(samples, targets, picture, axes, options),
        **_sharpness(samples, targets, images, picture, options),
        **_proper(samples, targets, picture, options),
        **_deviations(samples, targets, images, picture, options),
    }


def notes(k: int, levels: Sequence[float] = calibration.LEVELS) -> list[str]:
    """Sentences on what k draws are too few for."""
    return [
        f'The coverage of {100 * level:g} % intervals is not defined: it needs '
        f'at least {calibration.fewest_draws(level)} draws a picture, and '
        f'there are {k}.'
        for level in levels
        if k < calibration.fewest_draws(level)
    ]


def figures(
    samples: np.ndarray,
    targets: np.ndarray,
    images: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    *,
    axes: np.ndarray | None = None,
    most: int = 12,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """What `reports.DRAWINGS` draws of a posterior.

    Args:
      samples, targets, images, axes, seed: as `score` takes them.
      names: [n] of the targets.
      most: pictures to show.

    Returns:
      {kind: {argument: value}} of 'posterior_montage', 'rank_histogram' and
      'coverage_curve'.
    """
    images = mean_images(samples) if images is None else images
    first, _ = one_each(pixels.distinct(targets))
    k, few = samples.shape[1], slice(0, most)
    if axes is None:
        axes = calibration.principal_axes(
            samples[first], targets[first], seed=seed
        )
    levels = np.arange(1, 20) / 20
    return {
        'posterior_montage': {
            'target': targets[few],
            'mean': images[few],
            'samples': samples[few],
            'deviation': sharpness.deviation_maps(samples[few]),
            'names': None if names is None else names[few],
        },
        'rank_histogram': {
            'ranks': calibration.ranks(
                samples[first], targets[first], axes, seed
            ),
            'draws': k,
        },
        'coverage_curve': {
            'levels': levels,
            'covered': calibration.coverage(
                samples[first], targets[first], levels
            ),
        },
    }


def one_each(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first response to each picture, and that to the next picture.

    Args:
      picture: [n] from `pixels.distinct`.

    Returns:
      Two arrays [m] of indices; the second serves chance.
    """
    first = identification.first(picture)
    return first, np.roll(first, -1)


def _coverage(samples, targets, picture, levels, options):
    own = calibration.coverage(samples, targets, levels)
    first, following = one_each(picture)
    others = calibration.coverage(samples[following], targets[first], levels)
    return {
        f'coverage_{100 * level:.0f}': _nominal_score(
            _of_pictures(own[:, j], picture),
            level,
            _mean(others[:, j]),
            options,
        )
        for j, level in enumerate(levels)
    }


def _ranks(samples, targets, picture, axes, options):
    first, following = one_each(picture)
    k, seed = samples.shape[1], options['seed']
    samples, seen, others = samples[first], targets[first], samples[following]
    if axes is None:
        axes = calibration.principal_axes(samples, seen, seed=seed)
    ranks = calibration.ranks(samples, seen, axes, seed)
    guess = calibration.ranks(others, seen, axes, seed)
    found = _nominal_score(
        calibration.rank_dispersion(ranks, k),
        1.0,
        _mean(calibration.rank_dispersion(guess, k)),
        options,
    )
    uniform = float(calibration.uniformity(ranks, k, seed).min())
    # Two questions, is the dispersion 1 and is each axis uniform: Bonferroni.
    p = min(1.0, 2 * min(uniform, found['p']))
    return found | {'p': p, 'p_uniform': uniform, 'axes': len(axes)}


def _sharpness(samples, targets, images, picture, options):
    power = {
        name: identification.average_columns(each[None], picture)[0]
        for name, each in sharpness.fine_powers(
            samples, targets, images
        ).items()
    }
    return {
        f'sharpness_{name}': _nominal_score(
            sharpness.ratio_parts(power[name], power['target']),
            1.0,
            np.nan,
            options,
        )
        for name in ('draw', 'mean')
    }


def _proper(samples, targets, picture, options):
    scores = {}
    k = samples.shape[1]
    parts = subsets(targets, picture, options['seed'], times=k)
    for name, function in PROPER.items():
        tables = [
            identification.average_pairs(
                calibration.all_pairs(function, samples[i], targets[i]),
                picture[i],
            )
            for i in parts
        ]
        rows = [np.unique(picture[i]) for i in parts]
        scores[name] = make_score(
            tables, bounds=(0, np.inf), rows=rows, lower=True, **options
        )
    return scores


def _deviations(samples, targets, images, picture, options):
    each = sharpness.deviations_and_errors(samples, targets, images)
    deviations, errors = each
    # A picture whose draws are all the same has nothing to correlate.
    table = correlation.all_pairs(errors, deviations, constant=0.0)
    pooled, parts = sharpness.pooled_correlation(deviations, errors)
    low, high = interval(_of_pictures(parts, picture), **options)
    return {
        'deviation_error': make_score(
            [identification.average_pairs(table, picture)],
            bounds=CORRELATION,
            **options,
        ),
        'deviation_error_pooled': make_score(
            [identification.average_pairs(pooled, picture)], **options
        )
        | {'low': low, 'high': high},
    }


def information(
    log_posterior: np.ndarray,
    log_prior: np.ndarray,
    picture: np.ndarray | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """What responses said of the pictures that were seen, in bits.

    The mean of log2 p(picture | response) / p(picture). For a posterior that
    is right its expectation is the mutual information of pictures and
    responses; for another it is less (by the divergence of the two), so that
    it is a lower bound.

    'information_shuffled' pairs each picture with the responses to others. It
    is not 0 but negative where the posterior depends on the response: a
    posterior that is sure of one picture denies the others. What is 0 within
    its interval is 'information' of a model that was fitted to shuffled
    responses, for which the posterior should be the prior; below 0 it is
    overconfident.

    Args:
      log_posterior: [n] natural log density of the posterior at the picture
        that was seen; or [n, n], rows responses and columns pictures, which
        also gives the density scores.
      log_prior: [n] that of the prior at each picture.
      picture: [n] from `pixels.distinct`, if some are the same.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      {'information'}, and of a matrix {'information_shuffled',
      'two_way_density', 'fifty_way_density' or 'all_way_density'}:
      identification of a picture among the others by the likelihood of the
      response, which is the posterior's density over the prior's.
    """
    n = len(log_prior)
    if np.shape(log_posterior) not in ((n,), (n, n)) or n < 2:
        raise InputError(
            f'the log densities have shape {np.shape(log_posterior)} and those '
            f'of the prior {np.shape(log_prior)}; give [n] or [n responses, n '
            'pictures] and [n], of at least two pictures.'
        )
    picture = np.arange(n) if picture is None else picture
    options = {'seed': seed, 'draws': draws}
    if np.ndim(log_posterior) == 1:
        bits = _of_pictures((log_posterior - log_prior) / np.log(2), picture)
        return {'information': statistics.against_zero(bits, **options)}
    table, others = bits_of_pairs(log_posterior, log_prior, picture)
    return {
        # Not what permuted responses tell, which is below what nothing does.
        'information': make_score([table], **options) | {'chance': 0.0},
        'information_shuffled': statistics.against_zero(others, **options),
        **identification_scores(
            'density',
            (log_posterior - log_prior).T,
            picture=picture,
            **options,
        ),
    }


def bits_of_pairs(
    log_posterior: np.ndarray, log_prior: np.ndarray, picture: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bits of all pairs, [m, m], and of each response with other pictures."""
    # As everywhere, rows are pictures and columns responses.
    bits = (log_posterior - log_prior).T / np.log(2)
    table = identification.average_pairs(bits, picture)
    m = len(table)
    return table, (table.sum(axis=0) - np.diagonal(table)) / (m - 1)


def _nominal_score(values, nominal, chance, options):
    """A score [n] that is to be `nominal` on average."""
    known = values[~np.isnan(values)]
    if len(known):
        found = statistics.paired_difference(
            known, np.full(len(known), nominal), **options
        )
    else:
        found = Score.fromkeys(('value', 'low', 'high', 'p'), np.nan) | {'n': 0}
    found.per_picture = values
    return found | {
        **{key: found[key] + nominal for key in ('value', 'low', 'high')},
        'chance': float(chance),
        'nominal': nominal,
        'better': 'nominal',
    }


def _of_pictures(values, picture):
    """Averages [n] over the responses to each picture, NaN left out."""
    return np.array([_mean(values[picture == i]) for i in np.unique(picture)])


def _mean(values):
    values = values[~np.isnan(values)]
    return values.mean() if len(values) else np.nan
