"""Files of published experiments at their true size, with stand-in values.

A module an experiment, each with an `EXPERIMENT`; `published.py` runs them.
"""

import io
import os
import pathlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES

GIB = 2**30


class Experiment(NamedTuple):
    """A published config, its files, and how its run is cut.

    Attributes:
      about: what stands in and what is cut, sentences for the result.
      write: makes the files in a folder, once.
      flags: folder -> flags of `brainjax run` that name the files.
      cuts: flags that shorten the run; memory is to stay what it is.
      steps: label of a progress line -> its steps in full.
      factors: stage that is timed -> how many times longer it takes in full.
      adds: stage -> bytes that the cuts leave out of it, by arithmetic.
      limit: of the peak, in GiB.
      saves: label of a training -> checkpoints that it writes in full, where
        no epochs between two of them take five minutes.
      writes: bytes of other files that the cuts leave out.
      config: the shipped config, by its name; '' for the experiment's own.
      arguments: in place of `run --config ... --workdir ...`, the commands
        that take its place, (folder, workdir) -> arguments of `brainjax`.
    """

    about: str
    write: Callable[[pathlib.Path], None]
    flags: Callable[[pathlib.Path], list[str]]
    cuts: Sequence[str]
    steps: Mapping[str, int]
    limit: float
    factors: Mapping[str, float] = MappingProxyType({})
    adds: Mapping[str, int] = MappingProxyType({})
    saves: Mapping[str, int] = MappingProxyType({})
    writes: int = 0
    config: str = ''
    arguments: Callable[[pathlib.Path, pathlib.Path], list[list[str]]] = None


def write_weights(cache: pathlib.Path, *names: str) -> None:
    """Writes random weights of the true shapes where `weights.load` looks.

    Args:
      cache: what BRAINJAX_CACHE will be.
      names: of `weights.SOURCES`, of networks that `brainjax` can draw.
    """
    for name in names:
        source = weights.SOURCES[name]
        wanted, backbone = weights.shapes(name), BACKBONES[source.backbone]
        dense = any(layer.startswith('fc') for layer in wanted)
        params = backbone.init(jax.random.key(0), 1.0, None, dense)
        params = {layer: params[layer] for layer in wanted}
        path = cache / 'weights' / f'{name}.safetensors'
        weights.write(
            path,
            jax.device_get(params),
            {'name': name, 'preprocessing': source.preprocessing},
        )


def clouds(n: int, height: int, width: int, seed: int) -> np.ndarray:
    """Coloured clouds, [n, height, width, 3] uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 6, 6, 3), np.uint8)
    side = width, height
    return np.stack(
        [
            Image.fromarray(each).resize(side, Image.Resampling.BICUBIC)
            for each in coarse
        ]
    )


def write_tar(
    path: pathlib.Path, names: Sequence[str], pictures: np.ndarray
) -> None:
    """Writes a tar archive of JPEGs; pictures repeat where names are more."""
    encoded = []
    for each in pictures:
        stream = io.BytesIO()
        Image.fromarray(each).save(stream, 'JPEG', quality=90)
        encoded.append(stream.getvalue())
    temporary = path.with_suffix('.part')
    with tarfile.open(temporary, 'w') as archive:
        for i, name in enumerate(names):
            content = encoded[i % len(encoded)]
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    os.replace(temporary, path)
