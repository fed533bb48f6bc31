"""What `brainjax evaluate --preset` scores: a published protocol, or ours.

Published numbers of the same name differ; a preset reproduces one line of
work. 'ours' reports both sides where they differ. No preset makes numbers from
different test sets comparable.
"""

import functools
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.evaluation import check_distinct, distractors, pixels
from brainjax.evaluation.published import god, protocols
from brainjax.evaluation.published.protocols import Protocol
from brainjax.evaluation.score_notes import on_pictures
from brainjax.evaluation.scores import Scored
from brainjax.evaluation.table.score_table import PICTURE_SCORES
from brainjax.networks import weights
from brainjax.pictures import loading, on_disk, operations

MOST_DISTRACTORS = 50_000

Pictures = Sequence[np.ndarray]


class Preset(NamedTuple):
    """A protocol by name.

    Attributes:
      about: where it comes from, in one sentence.
      score: (target, reconstruction, networks, source of distractors,
        seed=..., draws=...) -> Scored.
      needs: weights that it cannot do without.
      outside: whether it wants pictures from outside the test set.
    """

    about: str
    score: Callable[..., Scored]
    needs: tuple[str, ...] = ()
    outside: bool = False


def _by(protocol: Protocol) -> Callable[..., Scored]:
    return functools.partial(_score_by, protocol)


def _score_by(
    protocol: Protocol,
    target: Pictures,
    reconstruction: Pictures,
    networks: Sequence[str] | None,
    source: str | None,
    **statistics: int,
) -> Scored:
    del source
    return protocols.score(
        target, reconstruction, protocol, networks, **statistics
    )


def _weizmann(
    target: Pictures,
    reconstruction: Pictures,
    networks: Sequence[str] | None,
    source: str | None,
    *,
    seed: int,
    draws: int,
) -> Scored:
    _check_source('weizmann', source)
    side = (distractors.SIZE, distractors.SIZE)
    views = [
        operations.to_one_size(each, side, 'lanczos')
        for each in (target, reconstruction)
    ]
    # Before the distractors are read: absent weights are refused at once.
    measures = {
        name: protocols.lpips_function(name) for name in networks or ('vgg16',)
    }
    notes = []
    pool, _ = loading.load(
        source,
        distractors.SIZE,
        limit=MOST_DISTRACTORS,
        seed=seed,
        cached=True,
        fit='lanczos',
        tell=notes.append,
    )
    notes.append(f'{len(pool)} distractors from {source}.')
    # Else the target would be told by its greyness.
    pool, told = operations.alike(pool, operations.to_uint8(views[0]))
    pool = on_disk.from_mapped(pool)  # Read batch by batch, and let go.
    notes += [f'They were {each}, as the targets are.' for each in told]
    scores = {}
    for name, distances in measures.items():
        scores |= distractors.score(
            *views, pool, distances, f'perceptual_{name}', seed=seed,
            draws=draws,
        )  # fmt: skip
    return Scored(scores, notes, *views)


def _god(
    target: Pictures,
    reconstruction: Pictures,
    networks: Sequence[str] | None,
    source: str | None,
    **statistics: int,
) -> Scored:
    del source
    views = [
        operations.to_uint8(operations.to_one_size(each, (god.SIZE, god.SIZE)))
        for each in (target, reconstruction)
    ]
    lpips, notes = None, []
    needed = ('alexnet', 'lpips_alexnet')
    if networks or all(weights.path(n).exists() for n in needed):
        lpips = protocols.lpips_function('lpips_alexnet')
    else:
        notes.append(
            'Not scored for want of weights: lpips_alexnet; run `brainjax '
            'fetch lpips_alexnet`.'
        )
    notes.append(
        'Of this protocol the n-way classification by ViT-H/14 and the FID of '
        '64 features are not scored: their networks are not available here.'
    )
    return Scored(god.score(*views, lpips, **statistics), notes, *views)


PRESETS = {
    'own-size': Preset(
        'Pixels at the size of the pictures seen; networks see the sizes of '
        'Scotti et al. 2024, antialiased.',
        _by(
            Protocol(
                views={'': ()},
                pictures=PICTURE_SCORES,
                sizes=protocols.SIZES,
            )
        ),
    ),
    'ours': Preset(
        'Pixels at 425 px, straight from the pictures and (_256) by way of '
        '256 px; networks see the sizes of Scotti et al. 2024, antialiased; '
        'EfficientNet-B1 V2, CLIP in float32.',
        _by(
            Protocol(
                views={'': (425,), '_256': (256, 425)},
                pictures=PICTURE_SCORES,
                sizes=protocols.SIZES,
            )
        ),
    ),
    'brain-diffuser': Preset(
        'Ozcelik and VanRullen 2023: pixels at 425 px by Pillow, SSIM one '
        'column at a time, networks at 224 px, EfficientNet-B1 V1.',
        _by(
            Protocol(
                views={'': (425,)},
                pictures=('pixcorr', 'ssim_1d'),
                sizes=protocols.SIZES_224,
                pillow=True,
            )
        ),
    ),
    'mindeye2': Preset(
        'Scotti et al. 2024: all pictures by way of 256 px without '
        'antialiasing, pixels at 425 px, SSIM in two dimensions, '
        'EfficientNet-B1 V2, CLIP in float16.',
        _by(
            Protocol(
                views={'': (425,)},
                pictures=('pixcorr', 'ssim_2d'),
                sizes=protocols.SIZES,
                first=256,
                antialias=False,
                half=True,
            )
        ),
    ),
    'weizmann': Preset(
        'Gaziv et al. 2022: n-way identification at 112 px by LPIPS without '
        'learned heads, among pictures from outside the test set.',
        _weizmann,
        needs=('vgg16',),
        outside=True,
    ),
    'god': Preset(
        'Chen et al. 2023 and those that follow it: 256 px; error, '
        'correlation, SSIM of colour pictures, LPIPS with AlexNet.',
        _god,
    ),
}


def check(name: str) -> None:
    """Refuses a preset that does not exist."""
    check_known('preset', name, PRESETS)


def _check_source(name: str, source: str | None) -> None:
    if not source:
        raise InputError(
            f'The preset {name} identifies among pictures from outside the '
            'test set; name a folder, a tar archive or tfds:NAME/SPLIT with '
            '--distractors, or in a run with config.distractors.'
        )


def check_ready(name: str, source: str | None) -> None:
    """Refuses a preset that could not be scored, before anything is computed.

    Args:
      name: one of PRESETS.
      source: of pictures from outside the test set.
    """
    check(name)
    preset = PRESETS[name]
    if preset.outside:
        _check_source(name, source)
        if not source.startswith('tfds:') and not os.path.exists(source):
            raise InputError(
                f'{source} does not exist; name other pictures from outside '
                'the test set.'
            )
    for each in preset.needs:
        weights.check_fetched(each)


def score(
    target: Pictures,
    reconstruction: Pictures,
    preset: str = 'own-size',
    networks: Sequence[str] | None = None,
    distractors: str | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> Scored:
    """Scores reconstructions by a preset.

    Args:
      target, reconstruction: [n] pictures [height, width, 3], uint8 or floats
        in 0..1, matched; sizes may differ.
      preset: one of PRESETS.
      networks: what to score by, see `protocols.score`; None for all whose
        weights are in the cache.
      distractors: source of pictures from outside the test set, for
        'weizmann'.
      seed, draws: of the bootstrap and the permutations.
    """
    check(preset)
    picture = pixels.distinct(target)
    check_distinct(picture)
    scored = PRESETS[preset].score(
        target, reconstruction, networks, distractors, seed=seed, draws=draws
    )
    return scored._replace(notes=[*on_pictures(picture), *scored.notes])
