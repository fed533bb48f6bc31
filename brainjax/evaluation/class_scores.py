"""Classes of reconstructions: from example pictures to scores and files."""

import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from brainjax.errors import InputError
from brainjax.evaluation import classification, pixels, score_files
from brainjax.evaluation.scores import Score
from brainjax.io import files
from brainjax.networks import weights
from brainjax.pictures import operations
from brainjax.recordings import Stimuli

WRITTEN = ('classes.csv', 'class_bank.npz')


def names_of(stimuli: Stimuli) -> dict[str, str]:
    """Stimulus -> its class by its name, else its category, else ''."""
    categories = stimuli.categories or [''] * len(stimuli)
    return {
        name: classification.class_of(name) or category
        for name, category in zip(stimuli.names, categories)
    }


def check_source(source: str) -> None:
    """Refuses examples or a bank that are not there, before data are read."""
    weights.check_fetched('alexnet')
    if not source.startswith('tfds:') and not os.path.exists(source):
        raise InputError(
            f'{source} does not exist; name a folder with a folder of '
            'examples for each class, a tar archive of one, or a bank (npz).'
        )


def check(source: str, classes: Sequence[str]) -> None:
    """Refuses what could not be classified, before anything is computed.

    Args:
      source: of examples, or a bank.
      classes: [n] of the test pictures, '' where it is not known.
    """
    unknown = list(classes).count('')
    if unknown:
        raise InputError(
            f'The classes of {unknown} of {len(classes)} test pictures are not '
            'known; name stimuli by WordNet ids such as n01443537_22563, or '
            'leave out config.classes.'
        )
    if source.endswith('.npz'):
        known = set(classification.read(source).names)
    else:
        known = classification.classes_of(source)
    classification.check_classes(classes, known)


def score(
    names: Sequence[str],
    classes: Sequence[str],
    targets: Sequence[np.ndarray],
    images: Sequence[np.ndarray],
    source: str,
    out: pathlib.Path,
    *,
    trained: str | None = None,
    seed: int = 0,
    draws: int = 10_000,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, Score], list[str]]:
    """Classifies reconstructions; writes classes.csv and a bank that it built.

    Args:
      names: [n] of the test pictures.
      classes: [n] theirs.
      targets, images: [n] pictures that were seen, and reconstructions.
      source: of examples, see `classification.build`, or a bank as npz.
      out: folder for the files.
      trained: pictures shown in training; a class without one among them is
        novel. None if they are not known.
      seed, draws: of `make_score`.
      progress: called with the number of examples embedded.

    Returns:
      The scores, and sentences on the bank.
    """
    embed = classification.alexnet_embedding()
    if source.endswith('.npz'):
        bank = classification.read(source)
    else:
        bank = classification.build(
            source,
            embed,
            without=[name.rpartition('/')[-1] for name in names],
            targets=_by_class(classes, targets),
            progress=progress,
        )
        classification.write(out / 'class_bank.npz', bank)
    side = (classification.SIZE, classification.SIZE)
    found = classification.classify(
        embed(operations.to_one_size(images, side, 'bilinear')),
        classes,
        bank,
        picture=pixels.distinct(targets),
        seed=seed,
        draws=draws,
    )
    n = len(bank.names)
    notes = [
        f'{n} classes with {bank.examples.min()} to {bank.examples.max()} '
        'examples each.'
    ]
    if bank.excluded:
        notes.append(
            f'{bank.excluded} class examples that nearly equal a test picture '
            'were left out.'
        )
    novel = [''] * len(classes)
    if trained:
        seen = classification.classes_of(trained)
        novel = [int(name not in seen) for name in classes]
        notes.append(
            f'{sum(novel)} of {len(novel)} pictures are of classes that have '
            'no picture in training.'
        )
    header = ('name', 'class', 'place', 'classes', 'novel')
    rows = zip(names, classes, found.own, [n] * len(classes), novel)
    files.write_text(out / 'classes.csv', score_files.as_csv(header, rows))
    return found.scores, notes


def _by_class(
    classes: Sequence[str], images: Sequence[np.ndarray]
) -> dict[str, list[np.ndarray]]:
    found = {}
    for name, image in zip(classes, images):
        found.setdefault(name, []).append(operations.to_uint8(image))
    return found
