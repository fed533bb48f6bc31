"""The checks by what networks see, in a shallow and in a deep layer.

Pixels credit what is in its place, deep layers what is shown. A generator that
names the category scores there, and not always in pixels.
"""

from collections.abc import Sequence

import numpy as np

from brainjax.evaluation import network_features, statistics
from brainjax.evaluation.audit import AuditCheck, checks, similarity
from brainjax.linear.arrays import evenly
from brainjax.networks import weights
from brainjax.pictures import operations

# Of the first network that is fetched, a shallow and a deep layer.
LAYERS = (
    ('alexnet2', 'alexnet5'),
    ('squeezenet_fire2_expand', 'squeezenet_fire9_expand'),
)
MOST_TRAINING = 500  # Training pictures whose features are compared.


def in_cache() -> tuple[str, ...]:
    """The layers whose weights are in the cache; () if there are none."""
    for layers in LAYERS:
        if all(map(network_features.fetched, layers)):
            return layers
    return ()


def of_layers(
    target: Sequence[np.ndarray],
    reconstruction: Sequence[np.ndarray],
    train: Sequence[np.ndarray] | None,
    categories: Sequence[str] | None,
    decoded: bool,
    seed: int = 0,
) -> list[AuditCheck]:
    """Checks of categories and nearest training pictures, layer by layer.

    Args:
      target, reconstruction, train: pictures [height, width, 3] of any sizes,
        uint8 or floats in 0..1; no training pictures are None.
      categories: of the targets, or None.
      decoded: whether pixels show more than the category; then a layer that
        does not is no flag.
      seed: of the bootstrap.
    """
    rows = []
    for layer in in_cache():
        node = network_features.node(layer)
        params, size = weights.load(node.weights), (node.size, node.size)

        def seen(images, layer=layer, params=params, size=size):
            same = operations.to_one_size(images, size, 'bilinear')
            return network_features.extract(layer, params, same)

        pair = seen(target), seen(reconstruction)
        row = checks.within_categories(*pair, categories, seed, layer)
        if decoded and row.level == 'flag':
            row = row._replace(level='note')
        rows.append(row)
        if train is not None and len(train):
            some = [train[i] for i in evenly(len(train), MOST_TRAINING)]
            rows.append(_nearest(*pair, seen(some), layer, seed))
    return rows


def _nearest(target, reconstruction, train, layer, seed) -> AuditCheck:
    """Is a reconstruction nearer than the training picture it is most like?"""
    chosen = similarity(train, reconstruction).argmax(axis=0)
    ours, theirs = (
        np.diagonal(similarity(target, x))
        for x in (reconstruction, train[chosen])
    )
    found = statistics.paired_difference(ours, theirs, seed, bounds=(-2, 2))
    worse = not found['low'] > 0  # Of NaN, too.
    return AuditCheck(
        f'nearest training picture ({layer})',
        float(ours.mean()),
        float(theirs.mean()),
        'note' if worse else 'ok',
        f'Features correlate by {ours.mean():.2f}, those of the training '
        f'picture that is most like the reconstruction by {theirs.mean():.2f} '
        f'(difference {found["low"]:.2f} to {found["high"]:.2f}). '
        + (
            'Looking up a training picture would do as well.'
            if worse
            else 'The reconstruction is closer.'
        ),
    )
