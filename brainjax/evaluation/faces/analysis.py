"""What the published analysis of faces scores (VanRullen & Reddy 2019).

Arrays in, scores out: latents that were decoded from responses, those of the
test faces, and the numbers of the paper. Correlations are over raw latents, as
published; with principal components they are mostly those of the first few.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy

from brainjax.evaluation.faces import recognition
from brainjax.evaluation.group import group_scores
from brainjax.evaluation.published.papers import number
from brainjax.evaluation.scores import Score

PAPER = 'the paper'
SUBJECTS = 'four subjects'
THESIS = "a thesis, by the authors' files with voxels one place off"


def _remembered(value: float, more: str = '', source: str = PAPER) -> dict:
    return number(value, source + more, subject=SUBJECTS, verified=False)


# All but the first are remembered, or somebody else's: faces spec section 8.
PUBLISHED = {
    'pairwise_latents': number(
        0.95, f'{PAPER}: its abstract says above 95 %', subject=SUBJECTS
    ),
    'pairwise_pca': _remembered(0.875, ', subjects .766 to .924'),
    'full_recognition': _remembered(0.65),
    'full_recognition_pca': _remembered(0.4125),
    'gender': _remembered(0.70, f'; the same in {THESIS}'),
    'imagery': _remembered(0.842, ', 64 of 76 comparisons'),
}
SUFFIX = {'VAEGAN': '', 'PCA': '_pca'}


class Decoded(NamedTuple):
    """Latents that the voxels of one region gave.

    Attributes:
      seen: [faces, K] of the test faces.
      imagined: [K] of the imagined one; None without.
    """

    seen: np.ndarray
    imagined: np.ndarray | None = None


class Gender(NamedTuple):
    """How gender is judged.

    Attributes:
      axis: [K], male less female training faces.
      male: [faces] bool, labels of the test faces.
    """

    axis: np.ndarray
    male: np.ndarray


def score_subject(
    target: Mapping[str, np.ndarray],
    decoded: Mapping[tuple[str, str], Decoded],
    imagined: int | None = None,
    gender: Mapping[str, Gender] | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> dict[str, Score]:
    """Scores one subject.

    Args:
      target: kind of latents, 'VAEGAN' or 'PCA' -> [faces, K].
      decoded: (kind, region) -> latents from its voxels; '' is all of them.
      imagined: which test face was imagined.
      gender: kind -> how it is judged.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      Name -> score, as in scores.json.
    """
    options, scores = {'seed': seed, 'draws': draws}, {}
    for (kind, region), found in decoded.items():
        ends = SUFFIX[kind] + (f'_{region}' if region else '')
        each = recognition.recognise(target[kind], found.seen, **options)
        pairwise = 'pairwise_pca' if kind == 'PCA' else 'pairwise_latents'
        within = f'_{region}' if region else ''
        scores[f'{pairwise}{within}'] = each['pairwise']
        scores[f'full_recognition{ends}'] = each['full']
        if gender and kind in gender:
            axis, male = gender[kind]
            scores[f'gender{ends}'] = recognition.gender(
                axis, found.seen, male, **options
            )
        if imagined is not None and found.imagined is not None:
            scores[f'imagery{ends}'] = recognition.imagery(
                target[kind], found.imagined[None], [imagined], **options
            )
    for kind, (axis, male) in (gender or {}).items():
        if kind in target:
            scores[f'gender_ceiling{SUFFIX[kind]}'] = recognition.gender(
                axis, target[kind], male, **options
            )
    return scores


def over_subjects(
    subjects: Sequence[Mapping[str, Score]], faces: Sequence[int]
) -> dict[str, dict]:
    """Combines subjects, who are what was drawn at random.

    Args:
      subjects: scores of each, from `score_subject`.
      faces: how many test faces each saw.

    Returns:
      As `group_scores.combine`; imagery has 'p_places' too, exact: one pattern
      a subject, each place among the faces as likely as another.
    """
    scores = group_scores.combine(subjects)
    for name, each in scores.items():
        if name.startswith('imagery'):
            beaten = sum(
                round(one[name]['value'] * (n - 1))
                for one, n in zip(subjects, faces)
            )
            each['p_places'] = recognition.chance_of_places(beaten, faces)
    return scores


def paired_difference(
    subjects: Sequence[Mapping[str, Score]], one: str, other: str
) -> dict[str, float] | None:
    """Difference of two scores, with the t interval over subjects.

    Returns:
      {'value', 'low', 'high', 'n'}; None unless two subjects have both.
    """
    differences = np.array(
        [s[one]['value'] - s[other]['value'] for s in subjects
         if one in s and other in s]
    )  # fmt: skip
    n = len(differences)
    if n < 2:
        return None
    half = (
        scipy.stats.t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    )
    mean = float(differences.mean())
    return {'value': mean, 'low': mean - half, 'high': mean + half, 'n': n}
