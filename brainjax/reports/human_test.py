"""The page on which people choose: one HTML file that needs only itself.

An observer sees a reconstruction and two pictures, and chooses which of them
it resembles more (two-alternative forced choice). The page draws order, lures
and sides from a seed that each observer's file states, mixes in checks of
attention whose answer is plain, and hands out the choices as a CSV file that
`brainjax.evaluation.human` reads.
"""

import base64
import io
import math
import pathlib
from collections.abc import Sequence

import jinja2
import numpy as np
from PIL import Image

from brainjax.io import files

TEMPLATE = pathlib.Path(__file__).with_name('human_test.html')
MOST_CHOICES = 100  # Per observer, without checks; more tire.
LEAST_CHECKS = 8
LARGEST = 384  # Pixels of the longer side of an embedded picture.


def render(
    path: files.PathLike,
    test: str,
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    made: Sequence[np.ndarray],
) -> None:
    """Writes the page, whole or not at all.

    Args:
      path: file to write.
      test: what tells this test from others, see `human.identity`.
      names: [n] of the pictures, written to the observers' files.
      seen: [n] pictures that were seen, [height, width, 3] uint8 each.
      made: [n] their reconstructions, in the same order.

    Raises:
      InputError: the file cannot be written.
    """
    choices = min(len(names), MOST_CHOICES)
    data = {
        'test': test,
        'most': MOST_CHOICES,
        'checks': max(LEAST_CHECKS, math.ceil(choices / 10)),
        'pictures': [
            {'name': name, 'seen': _embedded(a), 'made': _embedded(b)}
            for name, a, b in zip(names, seen, made)
        ],
    }
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined
    ).from_string(TEMPLATE.read_text(encoding='utf-8'))
    files.write_text(path, template.render(data=data))


def _embedded(image: np.ndarray) -> str:
    """Returns a picture as the data URI of a PNG file."""
    picture = Image.fromarray(image)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format='PNG', optimize=True)
    text = base64.b64encode(stream.getvalue()).decode('ascii')
    return f'data:image/png;base64,{text}'
