"""The flags that several commands have."""

import argparse
from typing import Any

from brainjax.errors import InputError
from brainjax.pictures import decoding
from brainjax.recordings import parse_options

USUAL_SIZE = 224  # Pixels of a side of ImageNet's pictures in training.


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Adds those that say how a recording is read."""
    parser.add_argument(
        '--pictures', metavar='P', help='the file or folder of the pictures'
    )
    parser.add_argument(
        '--roi',
        metavar='R',
        help="one ROI or several joined by '|'; '' for all voxels",
    )
    parser.add_argument(
        '--option',
        metavar='NAME=VALUE',
        action='append',
        default=[],
        help='another option of the format, such as test=imagery',
    )


def recording_options(known: argparse.Namespace) -> dict[str, Any]:
    """Returns the options of `open_recording` that were given."""
    found = parse_options(known.option)
    for name in ('pictures', 'roi'):
        if getattr(known, name) is not None:
            found[name] = getattr(known, name)
    return found


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Adds those that say how picture files are read."""
    parser.add_argument(
        '--alpha',
        default='grey',
        choices=(*decoding.BACKGROUNDS, decoding.REFUSE),
        help='what transparent pictures are put on (default %(default)s)',
    )
    parser.add_argument(
        '--as-stored',
        action='store_true',
        help='do not turn pictures as their EXIF data say',
    )


def add_scoring(parser: argparse.ArgumentParser) -> None:
    """Adds those that say how pictures are scored."""
    parser.add_argument(
        '--preset',
        default='own-size',
        help='own-size (default), ours, brain-diffuser, mindeye2, weizmann '
        'or god',
    )
    parser.add_argument(
        '--networks',
        metavar='A,B',
        help='alexnet, inception, clip, efficientnet, swav, lpips_vgg16, '
        'vgg16_relu4_2 ...; by default all whose weights are fetched',
    )
    parser.add_argument(
        '--distractors',
        metavar='SOURCE',
        help='pictures from outside the test set, for the preset weizmann',
    )
    parser.add_argument(
        '--simulated', action='store_true', help='no brain was measured'
    )
    parser.add_argument(
        '--transductive',
        action='store_true',
        help='responses to the test pictures were used to fit',
    )
    add_draws(parser)


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Adds those of what is drawn at random."""
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--draws',
        type=int,
        default=10_000,
        help='of bootstrap and permutations (default %(default)s)',
    )


def check_draws(known: argparse.Namespace) -> None:
    """Refuses a seed and a number of draws that cannot be used."""
    if known.draws < 1 or known.seed < 0:
        raise InputError(
            f'--draws {known.draws} and --seed {known.seed} cannot be used; '
            'give at least one draw and a seed from 0 up.'
        )


def add_network(parser: argparse.ArgumentParser) -> None:
    """Adds those that name a frozen network."""
    # Here, as commands without a network need no JAX.
    from brainjax.networks import weights
    from brainjax.networks.backbones import BACKBONES, feedforward

    sizes = ', '.join(
        f'{name} {found.size}'
        for name, found in BACKBONES.items()
        if found.size != USUAL_SIZE
    )
    names = ', '.join(weights.networks())
    parser.add_argument('--network', required=True, metavar='NAME', help=names)
    parser.add_argument(
        '--layers',
        metavar='A,B',
        help='by default every convolution and fully connected layer before '
        'its ReLU or, of a network made of blocks, what each block puts out '
        'and what comes after them',
    )
    parser.add_argument(
        '--pool',
        choices=tuple(feedforward.POOLS),
        default='max',
        help='of a VGG (default %(default)s; the paper: average for imagery)',
    )
    parser.add_argument(
        '--slope',
        type=float,
        default=0.0,
        help="of a VGG's ReLU below 0 (default 0; the paper: 0.2 for imagery)",
    )
    parser.add_argument(
        '--mean',
        metavar='FILE',
        default='',
        help='mean picture of its training, such as ilsvrc_2012_mean.npy',
    )
    parser.add_argument(
        '--size',
        type=int,
        help='pixels of a side; by default those that the network was trained '
        f'on, {USUAL_SIZE} but for {sizes}',
    )


def load_network(known: argparse.Namespace) -> Any:
    """Returns the network that was named, see `frozen.load`."""
    from brainjax.networks import frozen

    network = frozen.load(known.network, known.pool, known.slope)
    return frozen.with_mean(network, known.mean)


def picture_size(known: argparse.Namespace, network: Any) -> int:
    """Returns the pixels of a side of the pictures that a network gets."""
    from brainjax.networks.backbones import BACKBONES

    if known.size is None:
        return BACKBONES[network.architecture.family].size
    if known.size < 1:
        raise InputError('--size must be at least 1.')
    return known.size


def network_layers(known: argparse.Namespace) -> list[str] | None:
    """Returns the layers that were named, or None."""
    return known.layers.split(',') if known.layers else None
