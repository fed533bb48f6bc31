"""Scores of pixels and networks, as lines of published work compute them.

They differ in the size at which pictures are compared, in how they are
resized, in the variant of SSIM and in the weights of a network.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.evaluation import (
    identification,
    network_features,
    perceptual,
    pixels,
)
from brainjax.evaluation.score_notes import left_out
from brainjax.evaluation.scores import (
    Scored,
    distance_score,
    identification_scores,
    pixel_scores,
    retrieval_scores,
)
from brainjax.networks import weights
from brainjax.networks.backbones import clip
from brainjax.pictures import operations

LPIPS_SIZE = 112  # Of Gaziv et al. 2022.
LPIPS = ('lpips_alexnet', 'lpips_vgg16')


class Protocol(NamedTuple):
    """How pictures are brought to the scores of one line of work.

    Attributes:
      views: suffix of scores of pixels -> sizes that pictures pass through
        before they are compared; () for the size of the pictures seen.
      pictures: the scores of pixels.
      sizes: features -> size that the network sees.
      first: size that all pictures are brought to before anything else.
      pillow: whether to resize uint8 with Pillow, smoothed, rather than
        floating-point numbers.
      antialias: whether those are smoothed where they shrink.
      half: whether CLIP computes in float16.
    """

    views: dict[str, tuple[int, ...]]
    pictures: tuple[str, ...]
    sizes: dict[str, int]
    first: int | None = None
    pillow: bool = False
    antialias: bool = True
    half: bool = False


# EfficientNet's two sets of weights go by one name in what is published.
SIZES = {
    name: node.size
    for name, node in network_features.NODES.items()
    if name != 'efficientnet_v1'
}
SIZES_224 = {
    name: 224 for name in network_features.NODES if name != 'efficientnet'
}


def score(
    target: Sequence[np.ndarray],
    reconstruction: Sequence[np.ndarray],
    protocol: Protocol,
    networks: Sequence[str] | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> Scored:
    """Scores reconstructions by a protocol.

    Args:
      target, reconstruction: [n] pictures [height, width, 3], uint8 or floats
        in 0..1, matched; sizes may differ.
      protocol: sizes and variants.
      networks: features to score by, such as 'alexnet2', 'clip',
        'vgg16_relu4_2' or 'lpips_vgg16', or a network for all of its
        features. None for all of the protocol whose weights are in the cache.
      seed, draws: of `make_score`.
    """
    options = {
        'picture': pixels.distinct(target),
        'seed': seed,
        'draws': draws,
    }
    size = target[0].shape[:2]
    pairs = target, reconstruction
    if protocol.first:
        sides = (protocol.first, protocol.first)
        pairs = tuple(_tensor(images, (sides,), False) for images in pairs)
    scores, shown = {}, None
    for suffix, through in protocol.views.items():
        sides = tuple((side, side) for side in through)
        if protocol.pillow or not through:
            views = tuple(
                operations.to_one_size(images, *(sides or (size,)))
                for images in pairs
            )
        else:
            views = tuple(
                _tensor(images, sides, protocol.antialias) for images in pairs
            )
        found, matrix = pixel_scores(*views, protocol.pictures, **options)
        scores |= {f'{name}{suffix}': each for name, each in found.items()}
        if not suffix:
            shown = views
            small = left_out(views[0].shape, protocol.pictures)
            scores |= identification_scores('pixels', matrix, **options)
            scores |= retrieval_scores('pixels', matrix, **options)
    names, notes = _chosen(protocol, networks)
    for name in names:
        if name in LPIPS:
            scores |= _lpips(name, pairs, options)
        else:
            scores |= _by_features(name, pairs, protocol, options)
    return Scored(scores, [*small, *notes], *shown)


def _chosen(
    protocol: Protocol, networks: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Returns the names of features to score by, and what is missing."""
    known = [*protocol.sizes, *LPIPS]
    if networks is None:
        absent = [name for name in known if not _fetched(name)]
        commands = dict.fromkeys(
            f'`brainjax fetch {network}`'
            for name in absent
            for network in _weights(name)
        )
        notes = [
            f'Not scored for want of weights: {", ".join(absent)}; run '
            f'{", ".join(commands)}.'
        ]
        return [n for n in known if n not in absent], notes if absent else []
    chosen = []
    for wanted in networks:
        of = [
            name
            for name in known
            if wanted in (name, name.rstrip('0123456789'))
        ]
        if not of:
            network_features.node(wanted)
        chosen += of or [wanted]
    return list(dict.fromkeys(chosen)), []


def _weights(name: str) -> tuple[str, ...]:
    """Returns the weights that a score needs."""
    if name in LPIPS:
        return name.removeprefix('lpips_'), name
    return (network_features.node(name).weights,)


def _fetched(name: str) -> bool:
    return all(weights.path(each).exists() for each in _weights(name))


def _tensor(images, sides, antialias):
    """Resizes floating-point pictures bilinearly, through several sizes."""
    out = np.empty((len(images), *sides[-1], 3), np.float32)
    for i, image in enumerate(images):
        x = pixels.unit_range(image)[None]
        for side in sides:
            if x.shape[1:3] != side:
                x = pixels.resize(x, side, antialias)
        out[i] = np.clip(x[0], 0, 1)
    return out


def _seen(images, size, protocol):
    """Returns pictures as a network sees them."""
    side = (size, size)
    if protocol.pillow:
        return operations.to_one_size(images, side, 'bilinear')
    return _tensor(images, (side,), protocol.antialias)


def _by_features(name, pairs, protocol, options):
    params = weights.load(network_features.node(name).weights)
    if name == 'clip' and protocol.half:
        params = clip.half(params)
    size = protocol.sizes.get(name, 224)
    rows = (
        network_features.extract(name, params, _seen(images, size, protocol))
        for images in pairs
    )
    matrix = identification.similarity(*rows)
    if network_features.node(name).distance:
        distance = 1 - np.nan_to_num(matrix)
        return {
            f'distance_{name}': distance_score(distance, most=2.0, **options)
        }
    return identification_scores(name, matrix, **options) | retrieval_scores(
        name, matrix, **options
    )


def lpips_function(name: str) -> Callable[..., np.ndarray]:
    """Returns `perceptual.distances` with its network and heads.

    Args:
      name: 'lpips_vgg16' or 'lpips_alexnet' with the learned heads; 'vgg16'
        or 'alexnet' without.
    """
    network = name.removeprefix('lpips_')
    heads = None if name == network else weights.load(name)['lpips']
    return functools.partial(
        perceptual.distances, network, weights.load(network), heads=heads
    )


def _lpips(name, pairs, options):
    side = (LPIPS_SIZE, LPIPS_SIZE)
    target, reconstruction = (
        operations.to_one_size(images, side, 'bilinear') for images in pairs
    )
    scores = {}
    for each, label in (
        (name, name),
        (name.removeprefix('lpips_'), f'{name}_baseline'),
    ):
        matrix = lpips_function(each)(target, reconstruction)
        scores[label] = distance_score(matrix, **options)
        scores |= identification_scores(label, -matrix, **options)
    return scores
