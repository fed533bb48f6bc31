"""Names of stimuli: one spelling for each, and the picture each belongs to.

Files write one stimulus in several ways: with and without the folder or the
suffix, 29 as 29.0, an accent as one character or two. `path` brings them to
one form, `lookup` and `places` find the picture of a name.

Kamitani's experiments number their stimuli (`name`). Natural pictures are of
ImageNet: number 1443537.022563 is picture 22563 of synset 1443537, file
n01443537_22563. Coloured shapes, letters and imagery cues are counted from 1
(Shen et al. 2019, OpenNeuro ds001506).
"""

import collections
import itertools
import math
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from brainjax.errors import InputError
from brainjax.io.files import PathLike, read_text
from brainjax.pictures.names import stem

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
LOWEST_SYNSET = 100_000  # Lower whole numbers count stimuli.
_SYNSET = re.compile(r'(n\d{8})(_\d+)?')
_DECIMAL = re.compile(r'(\d+)\.(\d*?)0*')
_BIDS_FOLDER = 'stimuli/'  # stim_file is a path below it, which some repeat.


def path(text: str) -> str:
    """Returns the one spelling of a stimulus' name, folders and suffix kept.

    '.\\Face\\01.JPG' is 'Face/01.jpg', '29.0' is '29'. Only the suffix's case
    means nothing; elsewhere two cases are two names.
    """
    # MATLAB fills texts up with NUL.
    text = unicodedata.normalize('NFC', text.replace('\0', '').strip())
    text = text.replace('\\', '/')
    while text.startswith(('./', '/')):
        text = text.removeprefix('.').removeprefix('/')
    text = _plain_number(text.removeprefix(_BIDS_FOLDER))
    kept = stem(text)
    return kept + text[len(kept) :].lower()


def one_spelling(names: Iterable[str]) -> list[str]:
    """Replaces each name by the first that is spelled otherwise only."""
    first: dict[str, str] = {}
    return [first.setdefault(stem(path(n)), n) for n in names]


def shortened(paths: Iterable[str]) -> dict[str, str]:
    """Returns the name for each path: without suffix and common folders.

    A suffix stays where it alone distinguishes two stimuli.
    """
    paths = [*dict.fromkeys(paths)]
    folders = [text.split('/')[:-1] for text in paths]
    common = itertools.takewhile(
        lambda level: len({*level}) == 1, zip(*folders)
    )
    start = sum(len(level[0]) + 1 for level in common)
    stems = [stem(text) for text in paths]
    count = collections.Counter(stems)
    return {
        text: (text if count[kept] > 1 else kept)[start:]
        for text, kept in zip(paths, stems)
    }


def lookup(pictures: Iterable[str]) -> dict[str, list[int]]:
    """Returns the places of pictures under all that a stimulus may be called.

    That is the path or its end from any folder on, with or without suffix.
    """
    found: dict[str, list[int]] = {}
    for place, picture in enumerate(pictures):
        for text in _endings(path(picture)):
            found.setdefault(text, []).append(place)
    return found


def places(name: str, pictures: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Returns the places of the pictures that a name may mean, best first.

    Args:
      name: of a stimulus, perhaps with folders that the pictures lack.
      pictures: from `lookup`.
    """
    for text in _endings(path(name)):
        if text in pictures:
            return pictures[text]
    return ()


def _endings(text: str) -> list[str]:
    """Returns a path from each of its folders on, the longest first."""
    parts = text.split('/')
    endings = ['/'.join(parts[i:]) for i in range(len(parts))]
    both = ((x, _plain_number(stem(x))) for x in endings)
    return [*dict.fromkeys(itertools.chain.from_iterable(both))]


def _plain_number(text: str) -> str:
    """Leaves out decimals that are 0; anything but a number stays as it is."""
    decimal = _DECIMAL.fullmatch(text)
    return '.'.join(filter(None, decimal.groups())) if decimal else text


def name(number: float, kind: str, where: str) -> str:
    """Returns the name of the stimulus that a number stands for.

    Args:
      number: of an ImageNet picture, or counted from 1.
      kind: 'shape', 'letter' or 'imagery' for their lists; stimuli of other
        kinds that are counted become 'KIND-0001' and so on.
    """
    listed = _COUNTED.get(kind)
    if not math.isfinite(number) or number < 0:
        pass
    elif number % 1 or number >= LOWEST_SYNSET:
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


def listed(folder: PathLike, part: str, n: int) -> tuple[str, ...]:
    """Reads the names of a part's stimuli, in the order of their pictures.

    The Kamitani lab gives them out as tables, `imageID_training.csv` and
    `imageID_test.csv` or god_stimuli_training.tsv and ..._test.tsv; in each
    row the field that looks like n01443537_22563 is the name.

    Args:
      folder: that holds one table with `part` in its name, .csv or .tsv.
      part: 'train' or 'test'.
      n: how many stimuli there are.
    """
    found = [
        path
        for path in sorted(pathlib.Path(folder).glob(f'*{part}*'))
        if path.suffix in ('.csv', '.tsv')
    ]
    if len(found) != 1:
        raise InputError(
            f'{folder} holds {len(found)} tables *{part}*.csv or .tsv with '
            "names of stimuli; give a folder with one for 'train' and one for "
            "'test', such as god_stimuli_training.tsv."
        )
    [path] = found
    names = []
    for line in read_text(path).splitlines():
        fields = [field.strip() for field in re.split('[\t,;]', line)]
        fields = [field.rpartition('.')[0] or field for field in fields]
        names += [f for f in fields if re.fullmatch(r'n\d{8}_\d+', f)][:1]
    if len(names) != n or len(set(names)) != n:
        raise InputError(
            f'{path} names {len(names)} stimuli such as n01443537_22563, '
            f'{len(set(names))} of them different, and there are {n} pictures; '
            'give the table that belongs to them.'
        )
    return tuple(names)
