"""brainjax invert: pictures from features of a network."""

import argparse
import dataclasses
import pathlib

import numpy as np

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError, check_known
from brainjax.io import feature_folders


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('features', metavar='FEATURES')
    flags.add_network(parser)
    parser.add_argument('--out', required=True, metavar='DIR')
    parser.add_argument(
        '--subject', default='', help='of decoded features', metavar='S'
    )
    parser.add_argument(
        '--roi', default='', help='of decoded features', metavar='R'
    )
    parser.add_argument(
        '--optimiser',
        choices=('descent', 'lbfgs'),
        default='descent',
        help='default %(default)s',
    )
    parser.add_argument('--steps', type=int, default=200)
    parser.add_argument(
        '--loss',
        action='append',
        metavar='NAME[=FACTOR]',
        help='squared (the default), absolute, inner, gram, '
        'target_normalised, dists; may be given several times',
    )
    parser.add_argument(
        '--weights',
        default='inverse_square',
        help='of layers: inverse_square (the default), equal',
    )
    parser.add_argument('--start', help='noise or mean; zeros or normal')
    parser.add_argument(
        '--generator',
        metavar='NAME',
        help='search the codes of this generator, such as relu7',
    )
    parser.add_argument(
        '--upper', metavar='FILE', help='upper bounds of the codes, as text'
    )
    parser.add_argument(
        '--published-scales',
        action='store_true',
        help='give features the published spread (vgg19_caffe only)',
    )
    parser.add_argument(
        '--together',
        type=int,
        default=8,
        help='pictures at a time (default %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0)


def run(known: argparse.Namespace, rest: list[str]) -> int:
    del rest
    for name in ('steps', 'together'):
        if getattr(known, name) < 1:
            raise InputError(f'--{name} must be at least 1.')
    set_up_jax()
    from brainjax.training import joining

    return joining.together(lambda: _run(known))


def _run(known: argparse.Namespace) -> int:
    from brainjax.methods.inversion import files
    from brainjax.networks import frozen
    from brainjax.training import hosts

    network = flags.load_network(known)
    size = flags.picture_size(known, network)
    frozen.check_provenance(known.features, network, size)
    layers = feature_folders.open_layers(
        known.features,
        flags.network_layers(known),
        subject=known.subject,
        roi=known.roi,
    )
    names = next(iter(layers.values())).names
    with hosts.progress('invert', None) as show:
        errors = files.invert(
            layers,
            names,
            network,
            _settings(known, size),
            known.out,
            _generator(known),
            _scales(known, network, layers),
            known.together,
            lambda done, total, text: show(done, text, total),
        )
    if not hosts.is_first():
        return 0
    for layer in layers:
        mean = np.mean([each[layer] for each in errors.values()])
        print(f'{layer:20s} relative error {mean:.4f}')
    print(pathlib.Path(known.out, 'reconstructions.npz'))
    return 0


def _scales(known: argparse.Namespace, network, layers):
    from brainjax.methods.inversion import scales
    from brainjax.networks import frozen

    if not known.published_scales:
        return scales.UNSCALED
    frozen.check_scales(network)
    return scales.published(layers)


def _settings(known: argparse.Namespace, size: int):
    from brainjax.methods.inversion.problem import Settings
    from brainjax.methods.inversion.steps import (
        CODE_DESCENT,
        Descent,
        QuasiNewton,
    )

    codes = known.generator is not None
    if known.optimiser == 'lbfgs':
        optimiser = QuasiNewton(known.steps)
    elif codes:
        optimiser = dataclasses.replace(CODE_DESCENT, steps=known.steps)
    else:
        optimiser = Descent(known.steps)
    start = 'mean' if known.optimiser == 'lbfgs' else 'noise'
    return Settings(
        optimiser=optimiser,
        terms=tuple(_term(text) for text in known.loss or ['squared']),
        weights=known.weights,
        start=known.start or ('zeros' if codes else start),
        size=size,
        boxed=codes or known.optimiser == 'lbfgs',
        seed=known.seed,
    )


def _term(text: str) -> tuple[str, float]:
    name, _, factor = text.partition('=')
    try:
        return name, float(factor or 1)
    except ValueError:
        raise InputError(
            f'--loss {text} has no number behind the sign; write '
            f'--loss {name}=2.'
        ) from None


def _generator(known: argparse.Namespace):
    from brainjax.methods.inversion.problem import Generator
    from brainjax.networks import weights
    from brainjax.networks.backbones import generator

    if known.generator is None:
        return None
    check_known('generator', known.generator, generator.GENERATORS)
    params = weights.load(f'generator_{known.generator}')
    upper = None
    if known.upper:
        upper = read_bounds(known.upper, generator.code_shape(known.generator))
    return Generator(known.generator, params, upper)


def read_bounds(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Reads numbers with spaces between them: one a unit, or one for all."""
    try:
        text = pathlib.Path(path).read_text(encoding='ascii')
        bounds = np.array([float(word) for word in text.split()], np.float32)
    except (OSError, ValueError) as error:
        raise InputError(
            f'{path} is no file of bounds ({error}); give one number a unit, '
            'with spaces between them.'
        ) from error
    if bounds.size == 1:
        return np.full(shape, bounds[0])
    if bounds.size != np.prod(shape) or not np.all(bounds >= 0):
        raise InputError(
            f'{path} holds {bounds.size} bounds; give one of at least 0 for '
            f'each of the {np.prod(shape)} units.'
        )
    if len(shape) == 3:  # channels first, as the field writes them
        bounds = bounds.reshape(shape[2], *shape[:2]).transpose(1, 2, 0)
    return bounds.reshape(shape)
