"""Scores that methods give beside those of pictures, and how they are read."""

from brainjax.evaluation.table.score_item import PERMUTED, Item, correlation

_ESTIMATED = (
    ' Here depth is estimated by a network from the picture that was decoded, '
    'and not decoded itself.'
)


def _estimated(item: Item) -> Item:
    return item._replace(
        title=f'{item.title}, estimated', meaning=item.meaning + _ESTIMATED
    )


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
METHOD |= {
    f'sequential_{name}': _estimated(METHOD[name])
    for name in ('depth_pixcorr', 'depth_two_way_pixels')
}
