"""Scores without noise and from fewer trials by name, see `score_table`."""

# (pattern, name of the score, title, meaning).
CEILINGS = (
    (
        '(.+)_of_ceiling',
        '{0}',
        '{title}, share of the ceiling',
        '(score - chance) / (ceiling - chance): how much of what the method '
        'gives without noise is reached.',
    ),
    (
        '(pixcorr|ssim_2d|two_way_pixels)_ceiling',
        '{0}',
        '{title}, ceiling',
        "The same, of pictures made without noise: from the encoder's own "
        'prediction of the response, the true features or the true latents. '
        'An encoder that predicts poorly makes it too low.',
    ),
    (
        '(.+)_single_trial',
        '{0}',
        '{title}, single trials',
        'The same, of pictures made from one response each, not from an '
        'average.',
    ),
    (
        '(.+)_split_half',
        '{0}',
        '{title}, of two halves',
        "The same, with pictures made from one half of a stimulus's trials, "
        'beside those from the other half in place of what was seen.',
    ),
    (
        'pixcorr_reliability',
        'pixcorr_split_half',
        'Reliability of reconstructions',
        'Correlation of two reconstructions of the same picture, as it would '
        'be with all trials in each (Spearman and Brown, from two halves).',
    ),
)
