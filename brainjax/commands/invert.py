"""brainjax invert: pictures from features of a network."""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence

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
        '--tests',
        metavar='A,B',
        help='several test sets, as of decode --tests: from FEATURES/SET to '
        'DIR/SET',
    )
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
        '--rate', type=float, help='of descent, at its begin (default 2)'
    )
    parser.add_argument(
        '--decay',
        metavar='A[,B]',
        help='of descent, from and to (default 0.2,1e-10; of codes 0.01)',
    )
    parser.add_argument(
        '--momentum', type=float, default=0.9, help='default %(default)s'
    )
    parser.add_argument(
        '--blur',
        metavar='A,B',
        help='of descent, in pixels, from and to (default 2,0.5); 0 for none',
    )
    parser.add_argument(
        '--scaling',
        default='none',
        metavar='NAME',
        help='spread that features get: none (the default), published '
        '(vgg19_caffe only), about_zero, about_grand_mean, '
        'about_training_mean_recentred, about_training_mean, '
        'over_test_pictures_transductive',
    )
    parser.add_argument(
        '--true',
        metavar='DIR',
        help='true features of the training pictures, which a scaling '
        'measures; those of pictures that are searched are left out',
    )
    parser.add_argument(
        '--transductive-true',
        action='store_true',
        help='measure true features of pictures that are searched, too',
    )
    parser.add_argument(
        '--spread',
        metavar='FILE',
        help="a .mat file of the layers' standard deviations, in place of "
        'those of --true',
    )
    parser.add_argument(
        '--published-scales',
        action='store_const',
        dest='scaling',
        const='published',
        help='the same as --scaling published',
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
    network = flags.load_network(known)
    size = flags.picture_size(known, network)
    every = []
    for name in known.tests.split(',') if known.tests else ['']:
        if name and not feature_folders.is_file_name(name):
            raise InputError(f'--tests {known.tests}: {name!r} is no folder.')
        source, out = (
            pathlib.Path(x, name) for x in (known.features, known.out)
        )
        every.append((_open(known, network, size, source), out))
    tested = {name for layers, _ in every for name in _names(layers)}
    for layers, out in every:
        _invert(known, network, size, layers, out, tested)
    return 0


def _open(known: argparse.Namespace, network, size: int, source: pathlib.Path):
    from brainjax.networks import frozen

    frozen.check_provenance(source, network, size)
    return feature_folders.open_layers(
        source,
        flags.network_layers(known),
        subject=known.subject,
        roi=known.roi,
    )


def _names(layers) -> Sequence[str]:
    return next(iter(layers.values())).names


def _invert(
    known: argparse.Namespace,
    network,
    size: int,
    layers,
    out: pathlib.Path,
    tested: set[str],
) -> None:
    """Inverts the features of a folder, and prints how well they agree."""
    from brainjax.methods.inversion import files, generators
    from brainjax.training import hosts

    with hosts.progress('invert', None) as show:
        errors = files.invert(
            layers,
            _names(layers),
            network,
            _settings(known, size),
            out,
            generators.load(known.generator, known.upper)
            if known.generator
            else None,
            _scales(known, network, layers, tested),
            known.together,
            lambda done, total, text: show(done, text, total),
        )
    if not hosts.is_first():
        return
    for note in files.unmoved(out):
        print(f'Note: {note}', file=sys.stderr)
    for layer in layers:
        mean = np.mean([each[layer] for each in errors.values()])
        print(f'{layer:20s} relative error {mean:.4f}')
    print(out / 'reconstructions.npz')


def _scales(known: argparse.Namespace, network, layers, tested: set[str]):
    from brainjax.methods.inversion import scales
    from brainjax.networks import frozen

    check_known('scaling', known.scaling, scales.SCALINGS)
    for flag, given, unused in (
        ('--true', known.true, ('none', 'published')),
        ('--spread', known.spread, ('none',)),
    ):
        if given and known.scaling in unused:
            raise InputError(
                f'{flag} has no part in scaling {known.scaling!r}; name '
                'another with --scaling, or leave it.'
            )
    if known.scaling == 'published':
        frozen.check_scales(network)
    true = names = None
    searched = 0
    if known.true and known.scaling not in ('none', 'published'):
        true = feature_folders.open_layers(known.true, list(layers))
        names, searched = _measured(known, _names(true), tested)
    found = scales.measure(layers, true, names, known.scaling, known.spread)
    return found._replace(searched=searched)


def _measured(
    known: argparse.Namespace, names: Sequence[str], tested: set[str]
) -> tuple[list[str], int]:
    """Pictures of --true that a scaling measures; how many are searched."""
    from brainjax.training import hosts

    others = [name for name in names if name not in tested]
    shared = len(names) - len(others)
    if not others and not known.transductive_true:
        raise InputError(
            f'--true {known.true} has only pictures that are searched; name '
            'the folder of those of the training pictures, or measure these '
            'with --transductive-true.'
        )
    if shared and hosts.is_first():
        how = 'measured' if known.transductive_true else 'left out'
        print(
            f'Note: {shared} of the {len(names)} pictures of {known.true} are '
            f'searched, too, and {how}.',
            file=sys.stderr,
        )
    return ([*names], shared) if known.transductive_true else (others, 0)


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
        optimiser = _descent(known, CODE_DESCENT)
    else:
        optimiser = _descent(known, Descent())
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


def _descent(known: argparse.Namespace, usual):
    """The descent of the flags, those that are not given as in the paper."""
    changes = {'steps': known.steps, 'momentum': (known.momentum,) * 2}
    if known.rate is not None:
        changes['rate'] = (known.rate, usual.rate[1])
    if known.decay is not None:
        changes['decay'] = _pair('decay', known.decay)
    if known.blur is not None:
        pair = _pair('blur', known.blur)
        changes['blur'] = pair if any(pair) else None
    for name in ('rate', 'momentum', 'decay', 'blur'):
        if not all(x >= 0 for x in changes.get(name) or ()):
            raise InputError(f'--{name} must be at least 0.')
    return dataclasses.replace(usual, **changes)


def _pair(name: str, text: str) -> tuple[float, float]:
    """Reads '2,0.5', or '0.01' for both."""
    try:
        numbers = [float(part) for part in text.split(',')]
        first, last = numbers * 2 if len(numbers) == 1 else numbers
    except ValueError:
        raise InputError(
            f'--{name} {text} is no pair of numbers; write --{name} 2,0.5.'
        ) from None
    return first, last


def _term(text: str) -> tuple[str, float]:
    name, _, factor = text.partition('=')
    try:
        return name, float(factor or 1)
    except ValueError:
        raise InputError(
            f'--loss {text} has no number behind the sign; write '
            f'--loss {name}=2.'
        ) from None
