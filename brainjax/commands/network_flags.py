"""The flags that name a frozen network."""

import argparse

from brainjax.networks import frozen, weights
from brainjax.networks.backbones import feedforward


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = ', '.join(weights.networks())
    parser.add_argument('--network', required=True, metavar='NAME', help=names)
    parser.add_argument(
        '--layers', metavar='A,B', help='by default all before their ReLU'
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
        '--size',
        type=int,
        default=224,
        help='pixels of a side (default %(default)s)',
    )


def load(known: argparse.Namespace) -> frozen.Network:
    """Returns the network that was named."""
    return frozen.load(known.network, known.pool, known.slope)


def layers(known: argparse.Namespace) -> list[str] | None:
    """Returns the layers that were named, or None."""
    return known.layers.split(',') if known.layers else None
