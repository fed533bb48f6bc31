"""A frozen network with its weights and the preprocessing they belong to.

    network = frozen.load('vgg19_caffe')
    taps = ['conv3_1', 'fc7']
    features = network.architecture.apply(network.params, images, taps)

Weights of one origin expect pictures preprocessed in one way, and statistics
of features hold for one set of weights. What was computed with which is kept
beside the features (`write_provenance`), and a mixture is refused.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import flax.traverse_util
import jax
import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.io import arrays, files
from brainjax.io import provenance as manifests
from brainjax.io.files import PathLike
from brainjax.networks import weights
from brainjax.networks.backbones import (
    BACKBONES,
    Backbone,
    backbone,
    feedforward,
)

PROVENANCE = 'network.json'
# The scales of Shen et al. (2019), `linear.scaling.CAFFE_VGG19`, are theirs.
SCALED = 'vgg19_caffe'
_REMEDY = (
    'name that network and size or extract the features again, as those of '
    'other weights, preprocessing or options have other scales'
)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What a network computes, but for its weights.

    Attributes:
      family: one of BACKBONES.
      preprocessing: of `feedforward.PREPROCESSING`.
      pool: 'max', or 'average' (VGG only).
      slope: of the ReLU below 0 (VGG only).
      mean: pixel that is subtracted, RGB in 0..255; () for the one that
        belongs to the preprocessing.
    """

    family: str
    preprocessing: str
    pool: str = 'max'
    slope: float = 0.0
    mean: tuple[float, ...] = ()

    @property
    def mean_pixel(self) -> tuple[float, ...]:
        """What the network sees as 0: RGB in 0..255."""
        return self.mean or feedforward.MEAN_PIXEL[self.preprocessing]

    def apply(
        self, params: feedforward.Params, images: jax.Array, taps: Iterable[str]
    ) -> dict[str, jax.Array]:
        """Computes features of images [n, height, width, 3] in 0..1."""
        known = BACKBONES[self.family]
        options = {name: getattr(self, name) for name in known.options}
        if self.mean:  # Their difference, as the preprocessing has its own.
            usual = feedforward.MEAN_PIXEL[self.preprocessing]
            images += np.float32(np.subtract(usual, self.mean) / 255)
        return known.apply(params, images, taps, self.preprocessing, **options)


class Network(NamedTuple):
    """A network ready to be applied.

    Attributes:
      name: of its weights; 'random' if they were drawn.
      architecture: what it computes.
      params: its weights.
      sha256: of the published file; '' if drawn.
    """

    name: str
    architecture: Architecture
    params: feedforward.Params
    sha256: str


def read_mean(path: PathLike) -> tuple[float, ...]:
    """Reads a mean picture as Caffe has it; returns its mean pixel, RGB.

    Args:
      path: of an npy file [3, ...], BGR in 0..255, such as
        ilsvrc_2012_mean.npy.
    """
    picture = arrays.open_npy(path)
    if picture.ndim < 1 or len(picture) != 3 or picture.dtype.kind != 'f':
        raise InputError(
            f'{path} is {picture.dtype} of shape {picture.shape}; a mean '
            'picture is floating point, [3, height, width], BGR.'
        )
    pixel = np.mean(picture.reshape(3, -1), axis=1, dtype=np.float64)[::-1]
    if not ((pixel >= 0) & (pixel <= 255)).all():
        raise InputError(f'{path}: its mean pixel {pixel} is not in 0 to 255.')
    return tuple(pixel.tolist())


def with_mean(network: Network, path: PathLike) -> Network:
    """Returns a network that subtracts the mean of a file; '' for its own."""
    if not path:
        return network
    changed = dataclasses.replace(network.architecture, mean=read_mean(path))
    return network._replace(architecture=changed)


def load(name: str, pool: str = 'max', slope: float = 0.0) -> Network:
    """Reads a network from the cache, and how its pictures are preprocessed.

    Args:
      name: of the weights, one of `weights.networks()`.
      pool, slope: 'average' and 0.2 for imagery (Shen et al. 2019); VGG only.
    """
    check_known('network', name, weights.networks())
    family = weights.SOURCES[name].backbone
    found = backbone(family, 'target')
    _check_options(name, found, pool, slope)
    params, path = weights.load(name), weights.path(name)
    metadata = weights.read_metadata(path)
    preprocessing = _preprocessing(
        found, metadata.get('preprocessing', ''), f'(said by {path})'
    )
    return Network(
        name,
        Architecture(family, preprocessing, pool, slope),
        params,
        metadata.get('sha256', ''),
    )


def init_random(
    key: jax.Array,
    family: str,
    width: float = 1.0,
    size: int | None = None,
    *,
    dense: bool = False,
    preprocessing: str = 'torchvision',
    pool: str = 'max',
    slope: float = 0.0,
) -> Network:
    """Draws a network's weights at random.

    Args:
      key: a JAX random key.
      family: one of BACKBONES.
      width, size, dense: see `Backbone.init`.
      preprocessing, pool, slope: see `Architecture`; a network that has one
        preprocessing keeps it.
    """
    found = backbone(family, 'target')
    _check_options(family, found, pool, slope)
    preprocessing = _preprocessing(found, preprocessing, f'of {family}')
    return Network(
        'random',
        Architecture(family, preprocessing, pool, slope),
        found.init(key, width, size, dense),
        '',
    )


def _preprocessing(found: Backbone, said: str, where: str) -> str:
    if len(found.preprocessing) == 1:  # Then it is the network's own.
        return found.preprocessing[0]
    check_known(f'preprocessing {where}', said, found.preprocessing)
    return said


def _check_options(name: str, found: Backbone, pool: str, slope: float) -> None:
    if (pool, slope) != ('max', 0.0) and not found.options:
        raise InputError(
            f'{name} has no other pool or slope; leave them, or take a VGG.'
        )


def layers(network: Network) -> tuple[str, ...]:
    """Returns the layers that are computed if none are named."""
    found = BACKBONES[network.architecture.family]
    # Its weights may be without the fully connected layers.
    taps = found.taps(network.params)
    return tuple(layer for layer in found.layers if layer in taps)


def channels_last(features: np.ndarray) -> np.ndarray:
    """Takes features as on disk, [n, C, H, W] or [n, units], to ours."""
    return features.transpose(0, 2, 3, 1) if features.ndim == 4 else features


def channels_first(features: np.ndarray) -> np.ndarray:
    """Takes our features, [n, H, W, C] or [n, units], to those on disk."""
    return features.transpose(0, 3, 1, 2) if features.ndim == 4 else features


def provenance(network: Network) -> dict[str, str | float]:
    """Returns what features of a network depend on."""
    about = dataclasses.asdict(network.architecture)
    mean = about.pop('mean')
    if mean:
        about['mean'] = [*mean]
    return {'network': network.name, **about, 'sha256': network.sha256}


def hash_weights(params: feedforward.Params) -> str:
    """Returns the SHA-256 of a network's parameters."""
    return manifests.hash_tree(flax.traverse_util.flatten_dict(params, sep='.'))


def write_provenance(
    root: PathLike, network: Network, pictures: Mapping[str, Any]
) -> None:
    """Writes ROOT/network.json beside the features of a network.

    Args:
      root: the folder, whose features must be of the same network.
      network: whose features they are.
      pictures: how pictures became inputs: 'size', 'fit' and so on.
    """
    about = provenance(network) | {'weights': hash_weights(network.params)}
    path = pathlib.Path(root, PROVENANCE)
    manifests.claim(path, {**about, **pictures}, 'features', _REMEDY)


def check_provenance(root: PathLike, network: Network, size: int) -> None:
    """Checks that features are of this network, where the folder says it.

    Args:
      root: the folder.
      network: whose features they should be.
      size: of the pictures, in pixels.
    """
    path = pathlib.Path(root, PROVENANCE)
    if not path.exists():
        return
    found = files.read_json(path, 'extract the features again')
    ours = provenance(network) | {'size': size}
    if 'weights' in found:
        ours['weights'] = hash_weights(network.params)
    # Older folders say less.
    ours = {name: value for name, value in ours.items() if name in found}
    manifests.check_same(path, found, ours, 'features', _REMEDY)


def read_provenance(root: PathLike) -> dict[str, Any] | None:
    """Returns what a folder says of its features, or None."""
    path = pathlib.Path(root, PROVENANCE)
    return files.read_json(path) if path.exists() else None


def copy_provenance(source: PathLike, out: PathLike) -> None:
    """Says of features made from others what is said of those."""
    found = read_provenance(source)
    if found is not None:
        manifests.claim(pathlib.Path(out, PROVENANCE), found, 'features')


def check_scales(network: Network) -> None:
    """Checks that the published scales of Shen et al. hold for a network."""
    # The mean picture of the files is the mean pixel of the preprocessing.
    found = dataclasses.replace(network.architecture, mean=())
    if network.name != SCALED or found != Architecture('vgg19', 'caffe'):
        raise InputError(
            f'The published scales of features are those of {SCALED} with '
            'maximum pooling, whose pictures are BGR in 0 to 255; '
            f'{network.name} with preprocessing {found.preprocessing!r} and '
            f'pool {found.pool!r} '
            'has others, so measure them with linear.scaling.reference.'
        )
