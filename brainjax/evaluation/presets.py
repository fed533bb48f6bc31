"""Scores as each line of published work computes them.

Published numbers of the same name differ in the size at which pictures are
compared, in how they are resized, in the variant of SSIM and in the weights of
a network. A preset reproduces one such protocol; `ours` reports both sides
where they differ. No preset makes numbers from different test sets
comparable.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.evaluation import (
    identification,
    network_features,
    perceptual,
    pixels,
)
from brainjax.evaluation.score_table import PICTURE_SCORES
from brainjax.evaluation.scores import (
    Score,
    identification_scores,
    left_out,
    make_score,
    pixel_scores,
    retrieval_scores,
)
from brainjax.networks import weights
from brainjax.networks.backbones import clip
from brainjax.pictures import operations

LPIPS_SIZE = 112
LPIPS = ('lpips_alexnet', 'lpips_vgg16')


class Preset(NamedTuple):
    """A protocol.

    Attributes:
      about: where it comes from, in one sentence.
      views: suffix of scores of pixels -> sizes that pictures pass through
        before they are compared; () for the size of the pictures seen.
      pictures: the scores of pixels.
      first: size that all pictures are brought to before anything else.
      pillow: whether to resize uint8 with Pillow, smoothed, rather than
        floating-point numbers.
      antialias: whether those are smoothed where they shrink.
      sizes: features -> size that the network sees.
      half: whether CLIP computes in float16.
    """

    about: str
    views: dict[str, tuple[int, ...]]
    pictures: tuple[str, ...]
    first: int | None
    pillow: bool
    antialias: bool
    sizes: dict[str, int]
    half: bool = False


_SIZES = {
    name: size
    for name, size in network_features.SIZES.items()
    if name != 'efficientnet_v1'
}
PRESETS = {
    'own-size': Preset(
        'Pixels at the size of the pictures seen; networks see the sizes of '
        'Scotti et al. 2024, antialiased.',
        {'': ()},
        PICTURE_SCORES,
        None,
        False,
        True,
        _SIZES,
    ),
    'ours': Preset(
        'Pixels at 425 px, straight from the pictures and (_256) by way of '
        '256 px; networks see the sizes of Scotti et al. 2024, antialiased; '
        'EfficientNet-B1 V2, CLIP in float32.',
        {'': (425,), '_256': (256, 425)},
        PICTURE_SCORES,
        None,
        False,
        True,
        _SIZES,
    ),
    'brain-diffuser': Preset(
        'Ozcelik and VanRullen 2023: pixels at 425 px by Pillow, SSIM one '
        'column at a time, networks at 224 px, EfficientNet-B1 V1.',
        {'': (425,)},
        ('pixcorr', 'ssim_1d'),
        None,
        True,
        True,
        {
            name: 224
            for name in network_features.SIZES
            if name != 'efficientnet'
        },
    ),
    'mindeye2': Preset(
        'Scotti et al. 2024: all pictures by way of 256 px without '
        'antialiasing, pixels at 425 px, SSIM in two dimensions, '
        'EfficientNet-B1 V2, CLIP in float16.',
        {'': (425,)},
        ('pixcorr', 'ssim_2d'),
        256,
        False,
        False,
        _SIZES,
        True,
    ),
}


class Scored(NamedTuple):
    """What a protocol gives.

    Attributes:
      scores: name -> score.
      notes: sentences on what was not scored, and why.
      target, reconstruction: [n, height, width, 3] as they were compared.
    """

    scores: dict[str, Score]
    notes: list[str]
    target: np.ndarray
    reconstruction: np.ndarray


def check(name: str, presets: Sequence[str]) -> None:
    """Raises InputError, naming the nearest, if there is no such preset."""
    if name not in presets:
        raise InputError(
            f'There is no preset {name!r}.{suggestion(name, presets)} There '
            f'are: {", ".join(presets)}.'
        )


def score(
    target: Sequence[np.ndarray],
    reconstruction: Sequence[np.ndarray],
    preset: str = 'own-size',
    networks: Sequence[str] | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> Scored:
    """Scores reconstructions by a preset.

    Args:
      target, reconstruction: [n] pictures [height, width, 3], uint8 or floats
        in 0..1, matched; sizes may differ.
      preset: one of PRESETS.
      networks: features to score by, such as 'alexnet2', 'clip',
        'vgg16_relu4_2' or 'lpips_vgg16', or a network for all of its
        features. None for all of the preset whose weights are in the cache.
      seed, draws: of `make_score`.

    Raises:
      InputError: the pictures cannot be compared, or weights that were asked
        for are not in the cache.
    """
    check(preset, PRESETS)
    protocol = PRESETS[preset]
    if len(target) < 2:
        raise InputError(
            'there is 1 picture; scores need at least two, to tell the one '
            'from the other.'
        )
    options = {'seed': seed, 'draws': draws}
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
    protocol: Preset, networks: Sequence[str] | None
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
    if name in network_features.DISTANCES:
        distance = 1 - np.nan_to_num(matrix)
        return {
            f'distance_{name}': make_score([distance], lower=True, **options)
        }
    return identification_scores(name, matrix, **options) | retrieval_scores(
        name, matrix, **options
    )


def lpips_function(name: str) -> Callable[..., np.ndarray]:
    """Returns `perceptual.distances` with its network and heads.

    Args:
      name: 'lpips_vgg16' or 'lpips_alexnet' with the learned heads; 'vgg16'
        or 'alexnet' without.

    Raises:
      InputError: the weights are not in the cache.
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
        scores[label] = make_score([matrix], lower=True, **options)
        scores |= identification_scores(label, -matrix, **options)
    return scores
