"""What training and test trials share, and so may give answers away."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from brainjax.pictures.names import stem
from brainjax.recordings import stimulus_names
from brainjax.recordings.recording import Recording

# Two pictures are near duplicates if they agree by both measures.
CORRELATION = 0.9  # At the least, grey and blurred to SIZE x SIZE pixels.
BITS = 12  # At the most, of the 64 of their fingerprints, that differ.
SIZE = 16

_EXAMPLES = 3


class Finding(NamedTuple):
    """One thing that was looked for.

    Attributes:
      what: 'identical pictures', 'near duplicates', 'names', 'categories',
        'runs' or 'sessions'.
      shared: how many in the test trials are in the training trials too; None
        where the recording does not say.
      of: how many there are in the test trials.
      examples: up to three: pairs of a training and a test stimulus, or what
        both parts have.
      verdict: one sentence.
    """

    what: str
    shared: int | None
    of: int | None
    examples: tuple
    verdict: str


def check(
    recording: Recording, correlation: float = CORRELATION, bits: int = BITS
) -> list[Finding]:
    """Compares the stimuli, runs and sessions of training and test trials.

    Near duplicates are pictures whose blurred copies correlate and whose
    fingerprints (the signs of horizontal brightness differences on a grid of
    8 x 8) nearly agree, as they are or mirrored. Copies that were encoded
    again, resized, brightened, turned grey or cropped by a pixel or two are
    found; other views of one object are not. Among 10,000 natural pictures of
    64 x 64 pixels 3 of the 50 million pairs were called near duplicates.
    Simple stimuli, such as letters, may be near duplicates of each other.

    Args:
      recording: the trials and their stimuli.
      correlation: the least of near duplicates.
      bits: the most by which the fingerprints of near duplicates differ.

    Returns:
      One finding for each thing looked for, in the order of `Finding.what`.
    """
    stimuli = recording.stimuli
    train, test = (
        np.unique(part.stimulus) for part in (recording.train, recording.test)
    )
    found = []
    if stimuli.images is None:
        found += [
            _unknown(what, 'The recording holds no pictures.')
            for what in ('identical pictures', 'near duplicates')
        ]
    else:
        same = identical(recording)
        known = set(same)
        near = [
            pair
            for pair in _near(stimuli.images, train, test, correlation, bits)
            if pair not in known
        ]
        names = stimuli.names
        found.append(
            _finding(
                'identical pictures',
                [(names[a], names[b]) for a, b in same],
                len({b for _, b in same}),
                len(test),
                'test pictures are a training picture, pixel by pixel',
                'The answer can be remembered: leave these stimuli out.',
            )
        )
        found.append(
            _finding(
                'near duplicates',
                [(names[a], names[b]) for a, b in near],
                len({b for _, b in near}),
                len(test),
                'other test pictures nearly equal a training picture '
                f'(correlation {correlation:g} or more when blurred, '
                f'fingerprints {bits} bits apart or less)',
                'Look at them, and leave out what is the same picture.',
            )
        )
    plain = [_plain(name) for name in stimuli.names]
    for what, values, means, advice in (
        (
            'names',
            plain,
            'test stimuli are named like a training stimulus, leaving out '
            'folder, suffix and case',
            'Check that they are different pictures.',
        ),
        (
            'categories',
            stimuli.categories,
            'test categories have training pictures',
            'A method can score by naming the category: also divide by '
            'category or cluster (`recordings.splits`).',
        ),
    ):
        if values is None:
            found.append(_unknown(what, f'The recording has no {what}.'))
            continue
        tested = {values[i] for i in test}
        both = sorted(tested & {values[i] for i in train})
        found.append(
            _finding(what, both, len(both), len(tested), means, advice)
        )
    return found + [_shared_numbers(recording, w) for w in ('run', 'session')]


def render(findings: Sequence[Finding]) -> str:
    """Turns findings into lines for a terminal."""
    lines = []
    for each in findings:
        count = '-' if each.shared is None else f'{each.shared} of {each.of}'
        lines.append(f'{each.what:<20}{count:<14}{each.verdict}')
        for example in each.examples:
            if isinstance(example, tuple):
                example = ' = '.join(example)
            lines.append(f'{"":<34}{example}')
    return '\n'.join(lines)


def identical(recording: Recording) -> list[tuple[int, int]]:
    """Returns (training, test) stimuli that are one and the same picture.

    Without pictures there are none.
    """
    images = recording.stimuli.images
    if images is None:
        return []
    known: dict[int, list[int]] = {}
    for i in np.unique(recording.train.stimulus).tolist():
        # Hashes of 8 bytes; equality is checked below.
        known.setdefault(hash(images[i].tobytes()), []).append(i)
    return [
        (i, j)
        for j in np.unique(recording.test.stimulus).tolist()
        for i in known.get(hash(images[j].tobytes()), ())
        if np.array_equal(images[i], images[j])
    ]


def fingerprints(images: Iterable[np.ndarray]) -> np.ndarray:
    """Returns the signs of horizontal brightness differences.

    Args:
      images: n of [height, width, 3] uint8.

    Returns:
      [n, 64] float32, 1 where the right neighbour is brighter, else -1.
    """
    grey = np.stack([_shrunk(image, 9, 8) for image in images])
    brighter = grey[:, :, 1:] > grey[:, :, :-1]
    return np.where(brighter, np.float32(1), -1).reshape(len(grey), 64)


def _finding(
    what: str,
    shared: Sequence,
    n: int,
    of: int,
    means: str,
    advice: str,
) -> Finding:
    verdict = f'{n} of {of} {means}. {advice}' if n else f'None of {of} shared.'
    return Finding(what, n, of, tuple(shared[:_EXAMPLES]), verdict)


def _unknown(what: str, why: str) -> Finding:
    return Finding(what, None, None, (), f'{why} This cannot be checked.')


def _shared_numbers(recording: Recording, what: str) -> Finding:
    train, test = (
        getattr(part, what) for part in (recording.train, recording.test)
    )
    if train is None or test is None:
        return _unknown(
            f'{what}s', f'The recording does not say the {what}s of its trials.'
        )
    return _finding(
        f'{what}s',
        (both := np.intersect1d(train, test)).tolist(),
        len(both),
        len(np.unique(test)),
        f'{what}s with test trials have training trials',
        f'Usual where stimuli are interleaved; normalise by {what} with the '
        'training trials only.',
    )


def _plain(name: str) -> str:
    """Returns a name without folder, suffix and case, in one spelling."""
    return stem(stimulus_names.path(name).rpartition('/')[2]).lower()


def _near(
    images: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    correlation: float,
    bits: int,
) -> Iterator[tuple[int, int]]:
    """Yields (training, test) stimuli that are near duplicates."""
    for i, j in near_duplicates(
        [images[i] for i in train],
        [images[j] for j in test],
        correlation,
        bits,
    ):
        yield int(train[i]), int(test[j])


def near_duplicates(
    train: Sequence[np.ndarray],
    test: Sequence[np.ndarray],
    correlation: float = CORRELATION,
    bits: int = BITS,
) -> list[tuple[int, int]]:
    """Finds pictures that are nearly the same, see `check`.

    Args:
      train, test: pictures [height, width, 3] uint8, of any sizes.
      correlation, bits: see `check`.

    Returns:
      (place in train, place in test) of each pair.
    """
    blurred, signs = _blurred(train), fingerprints(train)
    pairs = []
    for start in range(0, len(test), 256):
        part = test[start : start + 256]
        near = np.zeros((len(part), len(train)), bool)
        for step in (1, -1):  # As it is, and mirrored.
            seen = [image[:, ::step] for image in part]
            # Signs agree in (64 + product) / 2 places.
            near |= (_blurred(seen) @ blurred.T >= correlation) & (
                fingerprints(seen) @ signs.T >= 64 - 2 * bits
            )
        pairs += [(int(i), start + int(j)) for j, i in np.argwhere(near)]
    return pairs


def _blurred(images: Iterable[np.ndarray]) -> np.ndarray:
    """Returns shrunken pictures whose product is their correlation."""
    small = np.stack([_shrunk(image, SIZE, SIZE) for image in images])
    small = small.reshape(len(small), -1).astype(np.float32)
    small -= small.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(small, axis=1, keepdims=True)
    return small / np.maximum(norm, 1e-6)


def _shrunk(image: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(
        Image.fromarray(image)
        .convert('L')
        .resize((width, height), Image.Resampling.BOX),
        np.int16,
    )
