"""What each score is called and means, in plain words."""

import re
from typing import NamedTuple


class Score(NamedTuple):
    """How to show a score.

    Attributes:
      label: short name for tables and axes.
      meaning: one or two sentences for a reader who does not know it.
      percent: whether it is a rate, shown in per cent.
    """

    label: str
    meaning: str
    percent: bool


# With a space at which lines do not break.
PERCENT = '\N{NO-BREAK SPACE}%'

WAYS = {'two_way': 'Two-way', 'fifty_way': 'Fifty-way', 'all_way': 'All-way'}

PICTURES = {
    'pixcorr': Score(
        'Pixel correlation',
        'Correlation of the two pictures over all pixels and colours; 1 is '
        'perfect. Overall brightness and contrast do not matter, the layout '
        'of light, dark and colour does.',
        False,
    ),
    'ssim_2d': Score(
        'SSIM (2-D)',
        'Structural similarity: agreement of local brightness, contrast and '
        'structure; 1 is perfect. A plain grey picture scores high as well, '
        'so compare it with chance.',
        False,
    ),
    'ssim_1d': Score(
        'SSIM (1-D)',
        'The variant of SSIM that older software computed, one picture column '
        'at a time. Given for comparison with published tables.',
        False,
    ),
}

# Measures of pixels that pictures are told apart by.
BY_PIXELS = {
    'mse': 'minus the squared error',
    'pixcorr': 'correlation',
    'ssim_rgb': 'SSIM (colour)',
}

QUESTIONS = {
    'two_way': 'Given a reconstruction, the picture that was seen and one '
    'other, how often is the one that was seen more similar to it?',
    'fifty_way': 'How often is the picture that was seen the most similar one '
    'of 50? Averaged exactly over all choices of the 49 others.',
    'all_way': 'How often is the picture that was seen the most similar one '
    'of all test pictures?',
}


# What names of other scores look like: (pattern, label, meaning, percent),
# where {0} is what the pattern's first group holds.
OTHERS = (
    (
        r'encoder_correlation',
        'Encoder',
        'Correlation of predicted and measured responses over test pictures, '
        'median over voxels.',
        False,
    ),
    (
        r'encoder_correlation_in_(.+)',
        'Encoder, {0}',
        'The same, over the voxels of {0}.',
        False,
    ),
    (
        r'(pixcorr|ssim_2d|ssim_1d)_256',
        '{0}, by way of 256 px',
        'The same, of pictures that were made small first, which raises it.',
        False,
    ),
    (
        r'ssim_rgb',
        'SSIM (colour)',
        'Structural similarity of the three colours, in 7 x 7 windows.',
        False,
    ),
    (
        r'two_way_pixels_by_ridge',
        'Two-way, direct ridge',
        'Direct ridge from voxels to pixels, the reference: two-way by '
        'correlation of pixels.',
        True,
    ),
    (
        r'pairwise_latents',
        'Pairwise, latents',
        'Which of two faces was seen, by correlation of latents: how often '
        'those of the face that was seen are the nearer to the decoded ones.',
        True,
    ),
    (
        r'pairwise_latents_(.+)',
        'Pairwise, latents, {0}',
        'As “Pairwise, latents”, from voxels of {0} alone, as many as of any '
        'other region.',
        True,
    ),
    (
        r'full_recognition',
        'Full recognition',
        'How often the latents of the face that was seen are the nearest to '
        'the decoded ones, of all test faces.',
        True,
    ),
    (
        r'gender',
        'Gender',
        'How often the decoded latents lie on the side of the label, female '
        'or male, along the axis between the two.',
        True,
    ),
    (
        r'gender_ceiling',
        'Gender, ceiling',
        "The same, of the latents of the face's own picture.",
        True,
    ),
    (
        r'imagery',
        'Imagery',
        'Which of two faces was imagined, by correlation of latents: the one '
        'that was, or another test face?',
        True,
    ),
    (
        r'(pixcorr|ssim_2d)_ceiling',
        '{0}, ceiling',
        "Of the VAE-GAN's picture of the face's own latents; from decoded "
        'latents no better is to be expected.',
        False,
    ),
    (r'mse', 'Squared error', 'Mean over pixels, of values in 0 to 1.', False),
    (
        r'human_two_way',
        'People, two-way',
        'Shown a reconstruction, the picture that was seen and one other, how '
        'often do people choose the one that was seen?',
        True,
    ),
    (
        r'top(\d+)_picture_(.+)',
        'Picture found, top {0}, {1}',
        'Of all pictures, how often the one that was seen is among the {0} '
        'most similar to its reconstruction.',
        True,
    ),
    (
        r'top(\d+)_reconstruction_(.+)',
        'Reconstruction found, top {0}, {1}',
        'Of all reconstructions, how often that of a picture is among the '
        '{0} most similar to it.',
        True,
    ),
    (
        r'top(\d+)_(\d+)way',
        '{1} classes, top {0}',
        'How often the class of the picture that was seen is among the {0} '
        'nearest of {1}. A class is the mean AlexNet embedding of its '
        'examples; no classifier is trained.',
        True,
    ),
    (
        r'top(\d+)_classes',
        'All classes, top {0}',
        'The same, among all classes of the bank.',
        True,
    ),
    (
        r'rank_class',
        'Place of the class',
        'Mean place of the true class among all of the bank; 1 is the best.',
        False,
    ),
    (
        r'rank_outside_(.+)',
        'Share that beats it, {0}',
        'The share of the distractors that are nearer to a reconstruction '
        'than the picture that was seen; 0 is the best.',
        False,
    ),
    (
        r'rank_(.+)',
        'Place, {0}',
        'Mean place of the picture that was seen among all, by similarity to '
        'its reconstruction; 1 is the best.',
        False,
    ),
    (
        r'identification_(\d+)way_(.+)',
        'One of {0}, {1}',
        'How often the picture that was seen is nearer to its reconstruction '
        'than all of {0} - 1 pictures from outside the test set.',
        True,
    ),
    (
        r'distance_(.+)',
        'Distance, {0}',
        'One minus the correlation of the features of the two pictures in a '
        'network; 0 is perfect.',
        False,
    ),
    (
        r'lpips_(.+)_baseline',
        'LPIPS, {0}, unweighted',
        'Perceptual distance without the learned weights; 0 is perfect.',
        False,
    ),
    (
        r'lpips_(.+)',
        'LPIPS, {0}',
        'Perceptual distance, weighted as people judge; 0 is perfect.',
        False,
    ),
)


def describe(name: str) -> Score:
    """Returns how to show the score of a name in scores.json.

    A name that is not known is shown as it is.
    """
    if name in PICTURES:
        return PICTURES[name]
    if part := re.fullmatch(r'(.+)_(from|of)_(.+)', name):
        whole, relation, which = part.groups()
        score = describe(whole)
        meaning = {
            'from': f'The same, of pictures made from {which} alone.',
            'of': f'The same, of and among the pictures {which} alone.',
        }[relation]
        return Score(
            f'{score.label}, {relation} {which}', meaning, score.percent
        )
    if part := re.fullmatch(
        r'(pixcorr|ssim_2d|full_recognition|gender|gender_ceiling|imagery)_pca'
        r'|pairwise_pca(_.+)?',
        name,
    ):
        whole, region = part.groups()
        score = describe(whole or f'pairwise_latents{region or ""}')
        return Score(
            f'{score.label}, PCA',
            f'As “{score.label}”, with principal components of the training '
            'faces in place of the VAE-GAN.',
            score.percent,
        )
    for pattern, label, meaning, percent in OTHERS:
        if match := re.fullmatch(pattern, name):
            groups = [
                PICTURES[group].label if group in PICTURES else group
                for group in match.groups()
            ]
            return Score(
                label.format(*groups), meaning.format(*groups), percent
            )
    match = re.fullmatch(f'({"|".join(WAYS)})_(.+)', name)
    if not match:
        return Score(name, '', False)
    way, by = match.groups()
    if by == 'pixels':
        meaning = f'{QUESTIONS[way]} Similarity is correlation of pixels.'
    elif by in BY_PIXELS:
        meaning = f'{WAYS[way]}; similarity is {BY_PIXELS[by]} of pixels.'
    else:
        meaning = (
            f'{WAYS[way]} again, but pictures are compared by the features '
            f'{by} of a network, not by their pixels.'
        )
    return Score(f'{WAYS[way]}, {by}', meaning, True)


def in_words(value: float, percent: bool) -> str:
    """Writes a score for a sentence or an axis: '84 %' or '0.31'."""
    if not percent:
        return f'{value:.2f}'
    decimals = 0 if 0.1 <= value < 0.99 or value == 1 else 1
    return f'{100 * value:.{decimals}f}{PERCENT}'
