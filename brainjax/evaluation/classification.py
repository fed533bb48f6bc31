"""1000-way classification of reconstructions (Gaziv et al. 2022).

No classifier is trained. Each class is the mean AlexNet embedding of some 100
example pictures, and a reconstruction's class is that whose mean correlates
most with its own embedding. The embedding is the output of the fourth
convolution's ReLU at 112 px, 6 x 6 x 256 = 9216 numbers, of pictures scaled to
-1..1 (and not by ImageNet's statistics, as published).
"""

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from brainjax.errors import InputError
from brainjax.evaluation import identification, intervals, pixels
from brainjax.evaluation.scores import Score, make_score
from brainjax.io import arrays as npz
from brainjax.io.files import PathLike
from brainjax.networks import weights
from brainjax.networks.backbones import alexnet
from brainjax.pictures import duplicates, loading, operations
from brainjax.pictures.sources import Source, open_source

SIZE = 112
EXAMPLES = 100  # Of each class.
BATCH = 64
# (n, guesses): those that the bank allows are scored.
WAYS = ((2, 1), (10, 1), (50, 1), (100, 1), (500, 1), (1000, 1), (1000, 5))

Embed = Callable[[np.ndarray], np.ndarray]


class Bank(NamedTuple):
    """Classes to choose from.

    Attributes:
      names: of the classes.
      means: [classes, units] mean embeddings, float32.
      examples: [classes] how many pictures each mean is of.
      excluded: how many nearly equal a test picture; not in files.
    """

    names: tuple[str, ...]
    means: np.ndarray
    examples: np.ndarray
    excluded: int = 0


def alexnet_embedding() -> Embed:
    """Returns pictures [n, 112, 112, 3] uint8 -> [n, 9216] float32."""
    params = weights.load('alexnet')

    @jax.jit
    def apply(params: Mapping, images: jax.Array) -> jax.Array:
        found = alexnet.apply(
            params, 2 * images - 1, ('relu4',), preprocessing='none'
        )['relu4']
        return found.reshape(len(images), -1)

    def embed(images: np.ndarray) -> np.ndarray:
        # A last batch of another size would compile another program.
        short = -len(images) % BATCH if len(images) > BATCH // 2 else 0
        x = pixels.unit_range(images).astype(np.float32)
        x = np.pad(x, ((0, short), (0, 0), (0, 0), (0, 0)))
        return np.asarray(apply(params, x))[: len(images)]

    return embed


def class_of(path: str) -> str:
    """Returns the class that a picture's path tells.

    A WordNet id such as 'n01443537' anywhere in the file's name, else the
    folder that it lies in, else ''.
    """
    folder, _, name = path.rpartition('/')
    match = re.search(r'n\d{8}', name)
    return match[0] if match else folder.rpartition('/')[-1]


def classes_of(source: PathLike, data_dir: PathLike | None = None) -> set[str]:
    """Returns the classes that the pictures of a source are of."""
    with contextlib.ExitStack() as stack:
        found = open_source(source, data_dir, stack)
        labels = _labels(found, range(len(found.names)))
    for name, label in zip(found.names, labels):
        _check_label(label, name, source)
    return set(labels)


def _labels(found: Source, indices: Sequence[int]) -> list[str]:
    if found.labels:
        return found.labels(indices)
    return [class_of(found.names[i]) for i in indices]


def _check_label(label: str, name: str, source: PathLike) -> None:
    if not label:
        raise InputError(
            f'{source}: picture {name} lies in no class folder; put the '
            'pictures of each class in a folder.'
        )


def build(
    source: PathLike,
    embed: Embed,
    *,
    examples: int = EXAMPLES,
    without: Sequence[str] = (),
    targets: Mapping[str, Sequence[np.ndarray]] = MappingProxyType({}),
    data_dir: PathLike | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Bank:
    """Builds a bank of classes.

    Args:
      source: a folder of class folders, a tar archive of one, or
        'tfds:NAME/SPLIT' of a data set with labels. Pictures are resized and
        cropped as `pictures.load` does.
      embed: from `alexnet_embedding`.
      examples: of each class, the first in the source's order.
      without: names, without folder and suffix, of pictures to leave out:
        the test pictures, which must not be their own examples.
      targets: class -> its test pictures, [height, width, 3] uint8 each;
        examples that nearly equal one are left out, whatever they are called.
      data_dir: where TFDS data sets are.
      progress: called with the number of pictures embedded.
    """
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, int] = {}
    done = excluded = 0
    # As the examples are, so that they can be compared.
    cropped = {
        name: [
            np.asarray(operations.centre_bilinear(Image.fromarray(x), SIZE))
            for x in images
        ]
        for name, images in targets.items()
    }
    with contextlib.ExitStack() as stack:
        found = open_source(source, data_dir, stack)
        chosen = _examples(found, examples, frozenset(without), source)
        for part in _portions(chosen, BATCH):
            indices = [i for i, _ in part]
            images, _ = loading.decode_chosen(found, indices, source, SIZE)
            shown = _shown(images, [name for _, name in part], cropped)
            excluded += len(shown)
            for i, row in enumerate(embed(images)):
                name = part[i][1]
                if i in shown:
                    continue
                sums[name] = sums.get(name, 0) + row.astype(np.float64)
                counts[name] = counts.get(name, 0) + 1
            done += len(part)
            progress(done)
    if len(sums) < 2:
        raise InputError(
            f'{source} has {len(sums)} classes; give a folder or tar archive '
            'with a folder a class, or tfds:NAME/SPLIT with labels.'
        )
    names = tuple(sorted(sums))
    return Bank(
        names,
        np.stack([sums[name] / counts[name] for name in names]).astype(
            np.float32
        ),
        np.array([counts[name] for name in names]),
        excluded,
    )


def _shown(
    images: np.ndarray,
    labels: Sequence[str],
    targets: Mapping[str, Sequence[np.ndarray]],
) -> set[int]:
    """Places of examples that nearly equal a test picture of their class."""
    found = set()
    for label in set(labels) & targets.keys():
        places = [i for i, other in enumerate(labels) if other == label]
        pairs = duplicates.near([images[i] for i in places], targets[label])
        found |= {places[i] for i, _ in pairs}
    return found


def _examples(
    found: Source, most: int, without: frozenset[str], source: PathLike
) -> Iterator[tuple[int, str]]:
    """Yields index and class of each example, ascending."""
    counts: dict[str, int] = {}
    for part in _portions(range(len(found.names)), 1024):
        for i, label in zip(part, _labels(found, part)):
            name = found.names[i].rpartition('/')[-1].rpartition('.')[0]
            _check_label(label, found.names[i], source)
            if name not in without and counts.get(label, 0) < most:
                counts[label] = counts.get(label, 0) + 1
                yield i, label


def _portions(items, size: int) -> Iterator[list]:
    part = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def write(path: PathLike, bank: Bank) -> None:
    """Writes a bank as npz."""
    npz.write(
        path,
        names=np.array(bank.names),
        means=bank.means,
        examples=bank.examples,
    )


def read(path: PathLike) -> Bank:
    """Reads a bank that `write` has written."""
    parts = ('names', 'means', 'examples')
    shapes = npz.shapes(path, text=('names',))
    if (
        not set(parts) <= set(shapes)
        or len(shapes['means']) != 2
        or not shapes['names'] == shapes['examples'] == shapes['means'][:1]
    ):
        raise InputError(
            f'{path} is no bank of classes (names [n], means [n, units], '
            'examples [n]); give one, or a source to build one from.'
        )
    held = npz.load(path, parts)
    return Bank(tuple(held['names'].tolist()), held['means'], held['examples'])


def check_classes(classes: Sequence[str], known: Collection[str]) -> None:
    """Refuses classes of test pictures that a bank does not have."""
    unknown = sorted(set(classes) - set(known))
    if unknown:
        raise InputError(
            f'The bank of {len(known)} classes has no '
            f'{", ".join(map(repr, unknown[:3]))}'
            f'{" and others" if len(unknown) > 3 else ""}; add a folder of '
            'examples of each class that was seen.'
        )


class Classified(NamedTuple):
    """Where the classes came for each reconstruction.

    Attributes:
      classes: [n] the true class of each.
      places: [n, classes of the bank] the place, 1 the best, of each class.
      own: [n] the place of the true class.
      scores: name -> score.
    """

    classes: list[str]
    places: np.ndarray
    own: np.ndarray
    scores: dict[str, Score]


def classify(
    embeddings: np.ndarray,
    classes: Sequence[str],
    bank: Bank,
    *,
    picture: np.ndarray | None = None,
    ways: Sequence[tuple[int, int]] = WAYS,
    seed: int = 0,
    draws: int = 10_000,
) -> Classified:
    """Classifies reconstructions.

    n-way classification is the true class against n - 1 others drawn from
    all others: the exact expectation, where the published script draws 1000
    times. Chance is the mean of the reconstructions permuted across stimuli:
    what all of them have in common may favour some classes.

    Args:
      embeddings: [n, units] of the reconstructions.
      classes: [n] the true class of each.
      bank: the classes.
      picture: [n] from `pixels.distinct`, if targets may be the same.
      ways: (n, guesses) to score.
      seed, draws: of `make_score`.

    Returns:
      Scores 'top1_50way', 'top1_1000way', 'top5_1000way', ..., as far as the
      bank has so many classes; 'top1_classes' and 'top5_classes' among all of
      them; and 'rank_class', the mean place of the true class.
    """
    number = {name: i for i, name in enumerate(bank.names)}
    check_classes(classes, bank.names)
    places = identification.ranks(
        identification.similarity(bank.means, embeddings)
    ).T
    rows = [number[name] for name in classes]
    table = places[:, rows].T  # [picture, reconstruction]
    total = len(bank.names)
    tables = {
        f'top{top}_{n}way': (
            identification.expected_success(table - 1, total - 1, n, top),
            identification.chance(n, top),
        )
        for n, top in ways
        if n <= total
    }
    tables |= {
        f'top{top}_classes': ((table <= top).astype(float), top / total)
        for top in (1, 5)
        if top < total
    }
    tables['rank_class'] = table.astype(float), (total + 1) / 2
    scores = {}
    for name, (each, guess) in tables.items():
        averaged = identification.average_pairs(each, picture)
        scores[name] = make_score(
            [averaged],
            guess,
            bounds=(1, total) if name == 'rank_class' else intervals.RATE,
            lower=name == 'rank_class',
            seed=seed,
            draws=draws,
        )
    return Classified(list(classes), places, np.diagonal(table), scores)
