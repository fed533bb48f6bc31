"""Pictures to a test for people, and their choices back to a score."""

import pathlib
from collections.abc import Sequence

import numpy as np

from brainjax.evaluation import folders, human
from brainjax.io import files
from brainjax.io.files import PathLike
from brainjax.pictures import operations
from brainjax.reports import human_test


def write_test(
    reconstructions: PathLike, truth: PathLike, out: PathLike
) -> pathlib.Path:
    """Writes human_test.html, on which people choose between pictures.

    Args:
      reconstructions, truth: as `folders.read` takes them, matched by name.
      out: folder that gets the page.

    Returns:
      Path of the page.

    Raises:
      InputError: the pictures cannot be used.
    """
    seen, made = folders.read(truth), folders.read(reconstructions)
    order = folders.match(made, seen, reconstructions, truth)
    images = [made.images[i] for i in order]
    test = _to_judge(seen.names, seen.images, images)
    identity = human.identity(*test)
    path = files.writable_folder(out) / 'human_test.html'
    human_test.render(path, identity, *test)
    return path


def judged(
    results: Sequence[PathLike],
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    made: Sequence[np.ndarray],
    *,
    seed: int = 0,
    draws: int = 10_000,
) -> human.Judged | None:
    """Reads and scores what observers chose.

    Args:
      results: their files.
      names: [n] of the pictures.
      seen, made: [n] pictures and reconstructions, those of the test.
      seed, draws: of the bootstrap and the permutations.

    Returns:
      None if there are no files.

    Raises:
      InputError: a file is damaged or of another test, see `human.read`.
    """
    if not results:
        return None
    test = _to_judge(names, seen, made)
    identity = human.identity(*test)
    sessions = [human.read(path, identity, test[0]) for path in results]
    return human.score(sessions, seed=seed, draws=draws)


def _to_judge(names, seen, made):
    """Names, pictures and reconstructions of the test, as bytes."""
    places = human.chosen(len(names))
    return (
        [names[i] for i in places],
        [operations.to_uint8(seen[i]) for i in places],
        [operations.to_uint8(made[i]) for i in places],
    )
