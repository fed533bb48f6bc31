"""Scores of depth maps: what they are called, and how they are read."""

from brainjax.evaluation.score_item import PERMUTED, Item, correlation

DEPTH = {
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
