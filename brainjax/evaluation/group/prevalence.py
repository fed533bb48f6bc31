"""In how many people is there an effect? From a p value a subject.

A mean above chance may come from a few subjects. As no true accuracy lies below
chance, a t test over subjects rejects no more than "nobody has an effect"
(Allefeld, Goergen and Haynes 2016). Prevalence is the share of the population
that has one. The p of a subject without an effect is uniform or larger, and
subjects are drawn at random.
"""

from typing import NamedTuple

import numpy as np
import scipy


class Prevalence(NamedTuple):
    """What subjects' p values say of the population.

    Attributes:
      significant: subjects with p up to the level; NaN is not significant.
      prevalence_low: lower bound of the share of people with an effect, see
        `bound`.
      p_majority: of "at most half of all people have an effect", see
        `p_value`.
      prevalence_low_minimum, p_majority_minimum: the same by the least
        significant subject alone, see `minimum_bound`.
    """

    significant: int
    prevalence_low: float
    p_majority: float
    prevalence_low_minimum: float
    p_majority_minimum: float


def prevalence(
    p_values: np.ndarray,
    level: float = 0.05,
    share: float = 0.5,
    confidence: float = 0.95,
) -> Prevalence:
    """Infers a prevalence in both ways, from a p value [subjects] each.

    Args:
      p_values: one-sided or two-sided, of an effect in each subject.
      level: up to which a subject counts as significant.
      share: of the null hypothesis that `p_majority` tests.
      confidence: of the lower bounds.
    """
    p_values = np.nan_to_num(np.asarray(p_values, float), nan=1.0)
    n, found = len(p_values), int((p_values <= level).sum())
    worst = float(p_values.max())
    return Prevalence(
        found,
        bound(found, n, level, confidence),
        p_value(found, n, level, share),
        minimum_bound(worst, n, 1 - confidence),
        minimum_p_value(worst, n, share),
    )


def chance_of_significance(share: float, level: float = 0.05) -> float:
    """share + (1 - share) level: how often a subject is found significant.

    As much as a share of people with an effect allows: all of them are found,
    and of the others as many as the level lets through.
    """
    return share + (1 - share) * level


def p_value(
    significant: int, subjects: int, level: float = 0.05, share: float = 0.5
) -> float:
    """p of "at most this share of all people have an effect".

    The chance of as many significant subjects or more, binomial with
    `chance_of_significance`. For a share of 0 the null is that nobody has one.
    """
    chance = chance_of_significance(share, level)
    return float(scipy.stats.binom.sf(significant - 1, subjects, chance))


def bound(
    significant: int,
    subjects: int,
    level: float = 0.05,
    confidence: float = 0.95,
) -> float:
    """The largest share that `p_value` rejects at 1 - confidence, or 0.

    Clopper and Pearson's lower bound c of how often subjects are significant,
    solved for the share: (c - level) / (1 - level) (Donhauser, Florin and
    Baillet 2018; Ince et al. 2021). It stays below the share of significant
    subjects, and where tests of single subjects have little power, far below.
    """
    if not significant:
        return 0.0
    often = scipy.stats.beta.ppf(
        1 - confidence, significant, subjects - significant + 1
    )
    return float(max(0.0, (often - level) / (1 - level)))


def minimum_p_value(worst: float, subjects: int, share: float = 0.5) -> float:
    """p of the same null hypothesis, by the least significant subject.

    Allefeld, Goergen and Haynes 2016, equation 19, ((1 - share) u + share)^N,
    where u is the chance that a subject without an effect does as well as the
    worst of all. Their permutations estimate u; it is that subject's p, being
    the largest of all.
    """
    return float(chance_of_significance(share, worst) ** subjects)


def minimum_bound(worst: float, subjects: int, alpha: float = 0.05) -> float:
    """The largest share that `minimum_p_value` rejects at alpha, or 0.

    Their equation 20: gamma_0 = (alpha^(1/N) - u) / (1 - u). N subjects allow
    at most alpha^(1/N): .55 for five, .74 for ten. It is 0 where a single
    subject has a p above that.
    """
    root = alpha ** (1 / subjects)
    return float(max(0.0, (root - worst) / (1 - worst))) if worst < 1 else 0.0
