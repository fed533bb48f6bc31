"""The frozen networks: one table of them, and what each can be used for.

    backbone = BACKBONES['vgg16']
    params = backbone.init(key, width=0.25)
    features = backbone.apply(params, images, ['relu2_2'])

Weights are an argument, so that they are never trained by accident. To add a
network, write a module like `squeezenet` and a row here; its published
weights get a row in `weights.catalogue`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax

from brainjax.errors import InputError, check_known
from brainjax.networks.backbones import (
    alexnet,
    clip,
    efficientnet,
    feedforward,
    inception,
    resnet,
    squeezenet,
    vgg,
)
from brainjax.networks.layers import Window

# What a network is used for -> what that is called in messages.
ROLES = {
    'target': 'a network whose features are decoded or inverted',
    'encoder': "an encoder's backbone",
    'evaluation': 'a network that scores pictures',
}


class Backbone(NamedTuple):
    """A network, but for its weights.

    Attributes:
      shapes: (width=, size=, dense=) -> {layer: {part: shape}}, as in the
        parameters; see `init`.
      steps: (params, preprocessing, **options) -> (tap, function) in order.
      apply: (params, images, taps, preprocessing, **options) -> {tap:
        features}; images [n, height, width, 3] in 0..1.
      layers: taps whose features are computed if none are named.
      preprocessing: those its weights may expect, of
        `feedforward.PREPROCESSING`; the first is the default. Where there is
        one, it belongs to the network.
      smallest: height and width below which nothing is left at some tap.
      size: height and width of the pictures it was trained on.
      options: names of what `apply` takes beside: 'pool', 'slope'.
      torch_names: layer -> torchvision's names of it and of the batch norm
        after it, if any.
      epsilon: of that norm.
      draw: (key, shapes) -> random parameters.
      unfit: role -> in one sentence, why it cannot be used so.
      windows: (tap, window) of each layer that strides, the tap being the
        first that has it behind; or None, where units are spread evenly over
        the picture as far as is known.
      channels: how many pictures may have; `shapes` takes `channels` where
        that is not 3 alone.
    """

    shapes: Callable
    steps: Callable
    apply: Callable
    layers: tuple[str, ...]
    preprocessing: tuple[str, ...]
    smallest: int
    size: int = 224
    options: tuple[str, ...] = ()
    torch_names: Callable | None = None
    epsilon: float = 0.0
    draw: Callable = feedforward.init
    unfit: Mapping[str, str] = {}
    windows: tuple[tuple[str, Window], ...] | None = None
    channels: tuple[int, ...] = (3,)

    def init(
        self,
        key: jax.Array,
        width: float = 1.0,
        size: int | None = None,
        dense: bool = False,
        channels: int = 3,
    ) -> feedforward.Params:
        """Draws random parameters.

        Args:
          key: a JAX random key.
          width: factor of the channels, rounded to multiples of 4.
          size: height and width of the pictures, where layers depend on it
            (fully connected ones, CLIP's positions); by default `self.size`.
          dense: whether the fully connected layers are wanted.
          channels: of the pictures: 4 with depth, 1 for depth alone.
        """
        size = self.size if size is None else size
        options = {} if channels == 3 else {'channels': channels}
        if channels not in self.channels:
            raise InputError(
                f'this network takes pictures of {self.channels[0]} channels, '
                f'not of {channels}; take a VGG for depth.'
            )
        return self.draw(
            key, self.shapes(width=width, size=size, dense=dense, **options)
        )

    def taps(self, params: Mapping) -> tuple[str, ...]:
        """Returns the taps in order; params may be their shapes."""
        return tuple(name for name, _ in self.steps(params) if name)

    def windows_of(
        self, params: Mapping, tap: str, units: int, pixels: int
    ) -> list[Window]:
        """Returns how a tap samples a side, for `layers.unit_centres`.

        Args:
          params: of the network, or their shapes.
          tap: whose units.
          units: of them along a side.
          pixels: along a side of the picture.
        """
        if self.windows is None:
            spacing = pixels / units
            return [Window(spacing, spacing)]
        order = self.taps(params)
        before = order[: order.index(tap) + 1]
        return [window for name, window in self.windows if name in before]


_DENSE = ('fc6', 'fc7', 'fc8')


def _vgg(name: str) -> Backbone:
    return Backbone(
        functools.partial(vgg.shapes, name),
        vgg.steps,
        vgg.apply,
        layers=(*vgg.shapes(name), *_DENSE),
        preprocessing=('torchvision', 'caffe', 'none'),
        smallest=32,
        options=('pool', 'slope'),
        torch_names=functools.partial(vgg.torch_names, name=name),
        windows=tuple((f'pool{i}', Window(2, 2)) for i in range(1, 6)),
        channels=(3, 4, 1),
    )


_POOLS = tuple((f'pool{i}', Window(3, 2)) for i in (1, 2, 5))
_ALEXNET = Backbone(
    alexnet.shapes,
    alexnet.steps,
    alexnet.apply,
    layers=(*alexnet.shapes(), *_DENSE),
    preprocessing=('torchvision', 'none'),
    smallest=63,
    torch_names=alexnet.torch_names,
    windows=(('conv1', Window(11, 4, 2)), *_POOLS),
)
_STRIDE2 = {'stride': 2, 'padding': 'SAME'}
_ELSEWHERE = "its weights are AlexNet's, trained at stride 4; take 'alexnet'"
# The encoder of Beliy et al. 2019 reads the first layer at stride 2, where
# the fully connected layers do not fit.
_ALEXNET_STRIDE2 = _ALEXNET._replace(
    shapes=lambda width=1.0, size=224, dense=False: alexnet.shapes(width),
    steps=functools.partial(alexnet.steps, **_STRIDE2),
    apply=functools.partial(alexnet.apply, **_STRIDE2),
    layers=tuple(alexnet.shapes()),
    smallest=29,
    # SAME puts 4 in front where the picture's side is even.
    windows=(('conv1', Window(11, 2, 4)), *_POOLS),
    unfit={'target': _ELSEWHERE, 'evaluation': _ELSEWHERE},
)
_POOLED = ('layer1', 'layer2', 'layer3', 'layer4', 'avgpool')
BACKBONES = {
    'vgg16': _vgg('vgg16'),
    'vgg19': _vgg('vgg19'),
    'alexnet': _ALEXNET,
    'alexnet_stride2': _ALEXNET_STRIDE2,
    'squeezenet': Backbone(
        squeezenet.shapes,
        squeezenet.steps,
        squeezenet.apply,
        layers=(
            'conv1',
            *(f'{fire}_expand' for fire in squeezenet.FIRES),
            'conv10',
        ),
        preprocessing=('caffe', 'torchvision', 'none'),
        smallest=21,
        windows=(
            ('conv1', Window(7, 2)),
            *((f'pool{i}', Window(3, 2)) for i in (1, 4, 8)),
        ),
    ),
    'resnet50': Backbone(
        resnet.shapes,
        resnet.steps,
        resnet.apply,
        layers=_POOLED,
        preprocessing=('torchvision', 'none'),
        smallest=1,
        torch_names=resnet.torch_names,
        epsilon=resnet.EPSILON,
        windows=(
            ('relu1', Window(7, 2, 3)),
            ('pool1', Window(3, 2, 1)),
            *((f'layer{i}', Window(3, 2, 1)) for i in (2, 3, 4)),
        ),
    ),
    'inception': Backbone(
        inception.shapes,
        inception.steps,
        inception.apply,
        layers=(*inception.BLOCKS, 'avgpool'),
        preprocessing=('inception',),
        smallest=75,
        size=299,
        torch_names=inception.torch_names,
        epsilon=inception.EPSILON,
    ),
    'efficientnet_b1': Backbone(
        efficientnet.shapes,
        efficientnet.steps,
        efficientnet.apply,
        layers=(*(f'features{i}' for i in range(1, 9)), 'avgpool'),
        preprocessing=('torchvision', 'none'),
        smallest=1,
        size=240,
        torch_names=efficientnet.torch_names,
        epsilon=efficientnet.EPSILON,
    ),
    'clip': Backbone(
        clip.shapes,
        clip.steps,
        clip.apply,
        layers=(*(f'block{i:02d}' for i in range(clip.BLOCKS)), 'embedding'),
        preprocessing=('clip',),
        smallest=clip.SIZE,
        size=clip.SIZE,
        draw=clip.draw,
    ),
}


def backbone(name: str, role: str) -> Backbone:
    """Returns a network that can be used for something.

    Args:
      name: one of BACKBONES.
      role: one of ROLES.
    """
    check_known('network', name, BACKBONES)
    found = BACKBONES[name]
    if role in found.unfit:
        raise InputError(
            f'{name} cannot be {ROLES[role]}: {found.unfit[role]}.'
        )
    return found
