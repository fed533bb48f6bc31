"""Scores that methods give beside those of pictures, and how they are read."""

from brainjax.evaluation.score_item import PERMUTED, Item, correlation

METHOD = {
    'encoder_correlation': correlation(
        'Encoder',
        'Correlation of predicted and measured responses over test pictures, '
        'median over voxels.',
        chance=PERMUTED,
    ),
    'encoder_correlation_in_(.+)': correlation(
        'Encoder, {0}',
        'The same, over the voxels of {0}.',
        chance=PERMUTED,
    ),
    'depth_pixcorr': correlation(
        'Depth correlation',
        'Correlation over places of true depth maps and decoded ones.',
        chance=PERMUTED,
    ),
    'depth_two_way_pixels': Item(
        'Two-way, depth',
        'Which of two pictures was seen, told by the correlation of their '
        'depth maps with the decoded one.',
        chance='1 / 2',
    ),
}
