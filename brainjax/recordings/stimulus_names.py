"""Names of the stimuli of Kamitani's experiments, where files hold numbers.

Natural pictures are of ImageNet: number 1443537.022563 is picture 22563 of
synset 1443537, file n01443537_22563. Coloured shapes, letters and imagery
cues are counted from 1 (Shen et al. 2019, OpenNeuro ds001506).
"""

import itertools
import math
import re

from brainjax.errors import InputError

FIXATION = 'fixation'  # The imagery cue on which nothing was imagined.

_COLOURS = ('red', 'green', 'blue', 'yellow', 'magenta', 'cyan', 'white')
_FORMS = ('square', 'smallring', 'largering', '+', 'X')
SHAPES = tuple(
    f'colorExpStim{i:02d}_{colour}_{form}'
    for i, (colour, form) in enumerate(
        itertools.product((*_COLOURS, 'black'), _FORMS), 1
    )
)
LETTERS = tuple(
    f'letter_black_img{number:03d}_{letter}'
    for number, letter in zip(
        (11, 13, 15, 19, 24, 25, 28, 29, 30, 31), 'ACEINORSTU'
    )
)
IMAGERY = (
    *(
        next(name for name in SHAPES if name.endswith(f'_{colour}_{form}'))
        for colour in ('red', 'green', 'blue', 'white', 'black')
        for form in ('smallring', '+', 'X')
    ),
    FIXATION,
    'n02416519_12793',
    'n01443537_22563',
    'n01677366_18182',
    'n02128385_20264',
    'n01858441_11077',
    'n02690373_7713',
    'n02882301_14188',
    'n03710193_22225',
    'n04297750_25624',
    'n04507155_21299',
)

_COUNTED = {'shape': SHAPES, 'letter': LETTERS, 'imagery': IMAGERY}
_LOWEST_SYNSET = 100_000  # Lower whole numbers count stimuli.
_SYNSET = re.compile(r'(n\d{8})(_\d+)?')


def name(number: float, kind: str, where: str) -> str:
    """Returns the name of the stimulus that a number stands for.

    Args:
      number: of an ImageNet picture, or counted from 1.
      kind: 'shape', 'letter' or 'imagery' for their lists; stimuli of other
        kinds that are counted become 'KIND-0001' and so on.
      where: what to name in messages, for example the file.
    """
    listed = _COUNTED.get(kind)
    if not math.isfinite(number) or number < 0:
        pass
    elif number % 1 or number >= _LOWEST_SYNSET:
        # Six decimals put back the zeros that writers drop at the end.
        synset, picture = f'{number:.6f}'.split('.')
        known = f'n{int(synset):08d}'
        if _SYNSET.fullmatch(known):
            return f'{known}_{int(picture)}' if int(picture) else known
    elif listed is None:
        return f'{kind}-{int(number):04d}'
    elif 1 <= number <= len(listed):
        return listed[int(number) - 1]
    count = f'from 1 to {len(listed)}' if listed else 'from 0'
    raise InputError(
        f'{where}: {number} is the number of no {kind} stimulus; stimuli are '
        f'counted {count}, or numbered like 1443537.022563 for '
        'n01443537_22563.'
    )


def category(stimulus: str) -> str | None:
    """Returns the synset, shape or letter of a stimulus, None for others."""
    synset = _SYNSET.fullmatch(stimulus)
    if synset:
        return synset[1]
    if stimulus in SHAPES or stimulus in LETTERS:
        return stimulus.rpartition('_')[2]
    return None
