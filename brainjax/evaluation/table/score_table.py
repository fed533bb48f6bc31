"""Every score by name: what it is called and means, and how it is read.

Reports and figures follow from this table. A new score of pictures is a
function of all pairs in `pixels` and an item here.
"""

import functools
import math
import re
from collections.abc import Mapping

from brainjax.evaluation import pixels, ssim
from brainjax.evaluation.table.ceiling_table import CEILINGS
from brainjax.evaluation.table.method_table import METHOD
from brainjax.evaluation.table.posterior_table import POSTERIOR
from brainjax.evaluation.table.score_item import (
    PERMUTED,
    Item,
    correlation,
    distance,
    place,
)

# With a space at which lines do not break.
PERCENT = '\N{NO-BREAK SPACE}%'


def _ssim(name: str, title: str, meaning: str) -> Item:
    return correlation(
        title,
        meaning,
        table=functools.partial(ssim.table, name),
        least=ssim.VARIANTS[name].window,
    )


def _identification(
    way: str, title: str, chance: str, question: str
) -> dict[str, Item]:
    """Items of one kind of identification, by any similarity of pictures."""
    items = {
        f'{way}_pixels': Item(
            f'{title}, pixels',
            f'{question} Similarity is correlation of pixels.',
            chance=chance,
        )
    }
    for name, similarity in (
        ('mse', 'minus the squared error'),
        ('pixcorr', 'correlation'),
        ('ssim_rgb', 'SSIM (colour)'),
    ):
        items[f'{way}_{name}'] = Item(
            f'{title}, {name}',
            f'{title}; similarity is {similarity} of pixels.',
            chance=chance,
        )
    items[f'{way}_density'] = Item(
        f'{title}, density',
        f'{title}; similarity is the density of the posterior at a picture, '
        'over that of the prior: how well it explains the response.',
        chance=chance,
    )
    items[f'{way}_(.+)'] = Item(
        f'{title}, {{0}}',
        f'{title} again, but pictures are compared by the features {{0}} of a '
        'network, not by their pixels.',
        chance=chance,
    )
    return items


# Names, and patterns that a whole name must match, in the order in which they
# are tried: the first that matches counts.
SCORES = {
    'pixcorr': correlation(
        'Pixel correlation',
        'Correlation of the two pictures over all pixels and colours; 1 is '
        'perfect. Overall brightness and contrast do not matter, the layout '
        'of light, dark and colour does.',
        table=pixels.correlations,
    ),
    'ssim_2d': _ssim(
        'ssim_2d',
        'SSIM (2-D)',
        'Structural similarity: agreement of local brightness, contrast and '
        'structure; 1 is perfect. A plain grey picture scores high as well, '
        'so compare it with chance.',
    ),
    'ssim_1d': _ssim(
        'ssim_1d',
        'SSIM (1-D)',
        'The variant of SSIM that older software computed, one picture column '
        'at a time. Given for comparison with published tables.',
    ),
    'ssim_rgb': _ssim(
        'ssim_rgb',
        'SSIM (colour)',
        'Structural similarity of the three colours, in 7 x 7 windows.',
    ),
    'mse': distance(
        'Squared error',
        'Mean over pixels, of values in 0 to 1.',
        worst=1.0,
        table=pixels.squared_errors,
    ),
    **POSTERIOR,
    **METHOD,
    **{
        f'{name}_minus_{other}': Item(
            f'{title}, less that of {words}',
            f'Mean difference from {words}, picture by picture; above 0 the '
            'method is the better one.',
            worst=-1.0,
            chance='0',
            percent=False,
        )
        for name, title in (
            ('pixcorr', 'Pixel correlation'),
            ('two_way_pixels', 'Two-way, pixels'),
        )
        for other, words in (
            ('bayes', 'the closed-form posterior'),
            ('ridge', 'ridge'),
        )
    },
    'pairwise_latents': Item(
        'Pairwise, latents',
        'Which of two faces was seen, by correlation of latents: how often '
        'those of the face that was seen are the nearer to the decoded ones.',
    ),
    'pairwise_latents_(.+)': Item(
        'Pairwise, latents, {0}',
        'As “Pairwise, latents”, from voxels of {0} alone, as many as of any '
        'other region.',
    ),
    'full_recognition': Item(
        'Full recognition',
        'How often the latents of the face that was seen are the nearest to '
        'the decoded ones, of all test faces.',
        chance='1 / n',
    ),
    'gender': Item(
        'Gender',
        'How often the decoded latents lie on the side of the label, female '
        'or male, along the axis between the two.',
        chance=PERMUTED,
    ),
    'gender_ceiling': Item(
        'Gender, ceiling',
        "The same, of the latents of the face's own picture.",
        chance=PERMUTED,
    ),
    'imagery': Item(
        'Imagery',
        'Which of two faces was imagined, by correlation of latents: the one '
        'that was, or another test face?',
    ),
    'human_two_way': Item(
        'People, two-way',
        'Shown a reconstruction, the picture that was seen and one other, how '
        'often do people choose the one that was seen?',
    ),
    'human_preference': Item(
        'People, preference',
        'Shown a picture that was seen and two reconstructions of it, how '
        'often do people choose these and not those of the other method?',
    ),
    r'top(\d+)_picture_(.+)': Item(
        'Picture found, top {0}, {1}',
        'Of all pictures, how often the one that was seen is among the {0} '
        'most similar to its reconstruction.',
        chance='{0} / n',
    ),
    r'top(\d+)_reconstruction_(.+)': Item(
        'Reconstruction found, top {0}, {1}',
        'Of all reconstructions, how often that of a picture is among the '
        '{0} most similar to it.',
        chance='{0} / n',
    ),
    r'top(\d+)_(\d+)way': Item(
        '{1} classes, top {0}',
        'How often the class of the picture that was seen is among the {0} '
        'nearest of {1}. A class is the mean AlexNet embedding of its '
        'examples; no classifier is trained.',
        chance='{0} / {1}',
    ),
    r'top(\d+)_classes': Item(
        'All classes, top {0}',
        'The same, among all classes of the bank.',
        chance='{0} / classes',
    ),
    'rank_class': place(
        'Place of the class',
        'Mean place of the true class among all of the bank; 1 is the best.',
        chance='(classes + 1) / 2',
    ),
    'rank_outside_(.+)': distance(
        'Share that beats it, {0}',
        'The share of the distractors that are nearer to a reconstruction '
        'than the picture that was seen; 0 is the best.',
        worst=1.0,
        chance='1 / 2',
    ),
    'rank_(.+)': place(
        'Place, {0}',
        'Mean place of the picture that was seen among all, by similarity to '
        'its reconstruction; 1 is the best.',
    ),
    r'identification_(\d+)way_(.+)': Item(
        'One of {0}, {1}',
        'How often the picture that was seen is nearer to its reconstruction '
        'than all of {0} - 1 pictures from outside the test set.',
        chance='1 / {0}',
    ),
    'distance_(.+)': distance(
        'Distance, {0}',
        'One minus the correlation of the features of the two pictures in a '
        'network; 0 is perfect.',
        worst=2.0,
    ),
    'lpips_(.+)_baseline': distance(
        'LPIPS, {0}, unweighted',
        'Perceptual distance without the learned weights; 0 is perfect.',
    ),
    'lpips_(.+)': distance(
        'LPIPS, {0}',
        'Perceptual distance, weighted as people judge; 0 is perfect.',
    ),
    **_identification(
        'two_way',
        'Two-way',
        '1 / 2',
        'Given a reconstruction, the picture that was seen and one other, how '
        'often is the one that was seen more similar to it?',
    ),
    **_identification(
        'fifty_way',
        'Fifty-way',
        '1 / 50',
        'How often is the picture that was seen the most similar one of 50? '
        'Averaged exactly over all choices of the 49 others.',
    ),
    **_identification(
        'all_way',
        'All-way',
        '1 / n',
        'How often is the picture that was seen the most similar one of all '
        'test pictures?',
    ),
}

# Names made from that of a score: (pattern, name of the score, title, meaning),
# where {title} is the score's. They are tried before SCORES.
VARIATIONS = (
    *CEILINGS,
    (
        '(.+)_single_draw',
        '{0}',
        '{title}, single draw',
        'The same, of the first draw from the posterior of each picture in '
        'place of the mean of all.',
    ),
    (
        '(.+(?<!_minus))_bayes',
        '{0}',
        '{title}, closed-form posterior',
        'The same, of the mean of the linear-Gaussian posterior, whose '
        'settings are chosen inside the training trials.',
    ),
    (
        '(.+(?<!_minus))_ridge',
        '{0}',
        '{title}, ridge',
        'The same, of ridge from voxels to pixels, its alpha chosen inside '
        'the training trials.',
    ),
    (
        '(.+)_from_(.+)',
        '{0}',
        '{title}, from {1}',
        'The same, of pictures made from {1} alone.',
    ),
    (
        '(.+)_of_(.+)',
        '{0}',
        '{title}, of {1}',
        'The same, of and among the pictures {1} alone.',
    ),
    (
        'pairwise_pca(.*)',
        'pairwise_latents{0}',
        '{title}, PCA',
        'As “{title}”, with principal components of the training faces in '
        'place of the VAE-GAN.',
    ),
    (
        '(full_recognition|gender|imagery)(|_pca)'
        '_(occipital|temporal|frontoparietal)',
        '{0}{1}',
        '{title}, {2}',
        'The same, from voxels of {2} alone, as many as of any other region.',
    ),
    (
        '(pixcorr|ssim_2d|full_recognition|gender|gender_ceiling|imagery)_pca',
        '{0}',
        '{title}, PCA',
        'As “{title}”, with principal components of the training faces in '
        'place of the VAE-GAN.',
    ),
    (
        '(pixcorr|ssim_2d|ssim_1d)_256',
        '{0}',
        '{title}, by way of 256 px',
        'The same, of pictures that were shrunk first, which raises it.',
    ),
)

# Scores of pictures alone that every run reports, in this order.
PICTURE_SCORES = ('pixcorr', 'ssim_2d', 'ssim_1d')


def describe(name: str) -> Item:
    """Returns the item of a name in scores.json.

    A name that is not known is shown as it is.
    """
    for pattern, base, title, meaning in VARIATIONS:
        if match := re.fullmatch(pattern, name):
            parts = match.groups()
            item = describe(base.format(*parts))
            return item._replace(
                title=title.format(*parts, title=item.title),
                meaning=meaning.format(*parts, title=item.title),
            )
    for pattern, item in SCORES.items():
        if match := re.fullmatch(pattern, name):
            parts = match.groups()
            return item._replace(
                title=item.title.format(*parts),
                meaning=item.meaning.format(*parts),
                chance=item.chance.format(*parts),
            )
    return Item(name, '', chance='', percent=False)


def in_line(score: Mapping[str, float | None]) -> str:
    """Writes a score for a terminal, with its chance, interval and p."""
    value, chance, low, high = (
        decimals(score[key]) for key in ('value', 'chance', 'low', 'high')
    )
    if 'guess' in score:
        chance += f', guess {decimals(score["guess"])}'
    if 'nominal' in score:
        chance += f', calibrated {decimals(score["nominal"])}'
    return (
        f'{value:>6s}  (chance {chance}, 95% {low} to {high}, '
        f'p {p_in_words(score["p"])}, '
        + (f'q {p_in_words(score["q"])}, ' if 'q' in score else '')
        + f'n {score["n"]})'
    )


def decimals(value: float | None, percent: bool = False) -> str:
    """Writes a score for a table: '0.314', '84.2 %', or '-' if undefined."""
    if not is_defined(value):
        return '-'
    return f'{100 * value:.1f}{PERCENT}' if percent else f'{value:.3f}'


def p_in_words(p: float | None) -> str:
    """Writes p so that it is never 0: '0.031', '0.0004'."""
    if not is_defined(p):
        return '-'
    return f'{p:.3f}' if p >= 0.001 else f'{p:.1g}'


def is_defined(value: float | None) -> bool:
    """False of NaN, which scores.json holds as null."""
    return value is not None and not math.isnan(value)


def in_words(value: float | None, percent: bool) -> str:
    """Writes a score for a sentence or an axis: '84 %', '0.31' or '-'."""
    if not is_defined(value):
        return '-'
    if not percent:
        return f'{value:.2f}'
    decimals = 0 if 0.1 <= value < 0.99 or value == 1 else 1
    return f'{100 * value:.{decimals}f}{PERCENT}'
