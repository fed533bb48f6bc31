"""What the convolutions of our own gain beside JAX's, a step as a whole.

    python benchmarks/convolutions.py --json convolutions.json
    python benchmarks/convolutions.py --full  # VGG19 at 224 px, and width 1

Each row is a step (the encoder's and the decoder's of configs/demo.py, the
VAE-GAN's of configs/faces_demo.py, an iteration of an inversion) compiled as
it is and once more with one trick taken out. Both take turns in one process,
and the fastest run of each counts, which other work on the machine disturbs
least. A trick that gains less than 5 % of a step is not worth its lines.
"""

import argparse
import contextlib
import pathlib
import sys
import time
from unittest import mock

import numpy as np
from common import write_result

# What is replaced, and the steps whose networks use it.
TRICKS = {
    'convolve': ('decoder',),
    'kernel_gradient': ('decoder',),
    'transposed_convolve': ('vaegan',),
    'max_pool': ('encoder', 'decoder', 'inversion', 'quasi_newton'),
    'winograd': ('inversion', 'quasi_newton'),
    'frozen': ('encoder', 'decoder'),  # Winograd's in networks of 64 channels.
}


@contextlib.contextmanager
def without(trick: str):
    """Takes one trick out of what is compiled meanwhile."""
    import jax

    from brainjax.methods.inversion import problem
    from brainjax.networks import encoder, layers
    from brainjax.networks.backbones import feedforward, winograd

    names = ('NHWC', 'HWIO', 'NHWC')

    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), 'VALID', dimension_numbers=names
        )

    def transposed_convolve(x, kernel):
        return jax.lax.conv_transpose(
            x,
            kernel,
            (2, 2),
            'SAME',
            dimension_numbers=names,
            transpose_kernel=True,
        )

    def max_pool(x, window, stride, ceiling=False):
        sizes, strides = (1, window, window, 1), (1, stride, stride, 1)
        padding = 'SAME' if ceiling else 'VALID'
        return jax.lax.reduce_window(
            x, -np.inf, jax.lax.max, sizes, strides, padding
        )

    replaced = {
        'convolve': [(layers, 'convolve', convolve)],
        'kernel_gradient': [(layers, '_LARGE', sys.maxsize)],
        'transposed_convolve': [
            (layers, 'transposed_convolve', transposed_convolve)
        ],
        'max_pool': [
            (feedforward, 'max_pool', max_pool),
            (encoder, 'max_pool', max_pool),
        ],
        'winograd': [(problem, '_fast', jax.device_put)],
        'frozen': [(winograd, 'freeze', dict)],
    }
    with contextlib.ExitStack() as stack:
        for module, name, value in replaced.get(trick, []):
            stack.enter_context(mock.patch.object(module, name, value))
        if trick == 'max_pool':
            pools = {'max': max_pool}
            stack.enter_context(mock.patch.dict(feedforward.POOLS, pools))
        yield


def selfsup(options) -> dict:
    """Returns 'encoder' and 'decoder' -> what compiles their steps."""
    from step_time import setting, trainings

    config = setting(options.full)
    for section in (config.encoder, config.decoder):
        section.update(epochs=1, steps=1)
    given = trainings(config)

    def compiler(name):
        from brainjax.training import parallel

        step, state, frozen, batch_at = given[name]
        rest = parallel.replicate(frozen), parallel.shard(batch_at(0))
        return lambda: compiled(step, state, rest)

    return {name: compiler(name) for name in ('encoder', 'decoder')}


def compiled(step, state, rest):
    """Compiles a step; returns a function that takes one and then waits."""
    import jax

    from brainjax.training import parallel

    # A function of its own, so that nothing traced before is taken.
    run = parallel.parallel(lambda *arguments: step(*arguments))
    run = run.lower(state, *rest).compile()
    held = [parallel.replicate(jax.tree.map(jax.numpy.copy, state))]

    def one():
        held[0], _ = jax.block_until_ready(run(held[0], *rest))

    return one


def vaegan(options):
    """Returns what compiles the step of the VAE-GAN."""
    import jax

    from brainjax.methods.faces import config as faces_config
    from brainjax.methods.faces import networks, steps
    from brainjax.training import parallel
    from brainjax.training import state as training_state

    config = faces_config.narrow()
    if options.full:
        config = faces_config.vanrullen2019()
    shape = (config.training.batch, config.size, config.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    state = training_state.create(
        networks.initialise(config, jax.random.key(0)),
        steps.build_optimizer(config),
        jax.random.key(1),
        steps.METRICS,
    )
    rest = {}, parallel.shard({'images': images})
    return lambda: compiled(steps.vaegan_step(config), state, rest)


def inversion(options, optimiser: str):
    """Returns what compiles iterations of an inversion, one at full size."""
    import jax

    from brainjax.methods.inversion import networks, search, steps
    from brainjax.methods.inversion.problem import Settings, build_problem
    from brainjax.networks import frozen

    family, width, size, count = 'vgg16', 0.25, 48, 10
    layers = ('conv1_2', 'conv2_2', 'conv3_1')  # As configs/inversion_demo.py.
    if options.full:
        family, width, size, count = 'vgg19', 1.0, 224, 2
    network = frozen.init_random(jax.random.key(0), family, width)
    if options.full:
        layers = frozen.layers(network)
    images = np.random.default_rng(0).random((count, size, size, 3), np.float32)
    targets = networks.features(network, images, layers)
    chosen = {'inversion': steps.Descent, 'quasi_newton': steps.QuasiNewton}
    settings = Settings(chosen[optimiser](steps=200), size=size)
    names = [f'picture{i}' for i in range(count)]
    iterations = 1 if options.full else 10

    def build():
        problem, data, x = build_problem(
            targets, names, network, settings, None
        )
        start = steps.OPTIMISERS[type(settings.optimiser)].start
        state = start(x, settings.optimiser)

        def advance(data, state, step):
            return search.advance.__wrapped__(problem, data, state, step)

        run = jax.jit(advance).lower(data, state, 0).compile()

        def iterate():
            now = state
            for step in range(iterations):
                now = run(data, now, step)
            jax.block_until_ready(now)

        return iterate

    return build


def measure(options) -> list[dict]:
    """Returns the seconds of each step with and without each trick."""
    import jax

    makers = {
        'encoder': lambda: selfsup(options)['encoder'],
        'decoder': lambda: selfsup(options)['decoder'],
        'vaegan': lambda: vaegan(options),
        'inversion': lambda: inversion(options, 'inversion'),
        'quasi_newton': lambda: inversion(options, 'quasi_newton'),
    }
    rows = []
    for name in options.rows or makers:
        build = makers[name]()
        tricks = [
            trick
            for trick, used in TRICKS.items()
            if name in used and trick in (options.tricks or TRICKS)
        ]
        runs = {}
        for trick in ('', *tricks):
            jax.clear_caches()
            with without(trick):
                runs[trick] = build()
        times = {trick: [] for trick in runs}
        for _ in range(options.rounds):
            for trick, run in runs.items():  # They take turns.
                times[trick].append(timed(run))
        best = {trick: np.min(each, 0) for trick, each in times.items()}
        for trick in tricks:
            ratio, ratio_processor = best[trick] / best['']
            row = {
                'name': f'convolutions_{name}_{trick}',
                'unit': 'seconds a step, the fastest of the rounds',
                'ours': best[''][0],
                'peer': best[trick][0],
                'peer_name': "JAX's own in its place",
                'ratio': ratio,
                'ratio_processor': ratio_processor,
                'ratio_meaning': 'peer / ours: above 1, the trick gains',
                'full': options.full,
            }
            rows.append(row)
            print(
                f'{name:14s} {trick:20s} {1e3 * row["ours"]:8.1f} ms with, '
                f'{1e3 * row["peer"]:8.1f} without: {ratio:.2f}, '
                f'of the processor {ratio_processor:.2f}',
                flush=True,
            )
    return rows


def timed(run) -> tuple[float, float]:
    """Returns the seconds of one run, and those of the processor's cores."""
    began, used = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - began, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=pathlib.Path, help='file to write')
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--rows', nargs='*', help='steps; by default all')
    parser.add_argument('--tricks', nargs='*', help='by default all')
    parser.add_argument('--full', action='store_true', help='published sizes')
    options = parser.parse_args()
    write_result(options.json, measure(options))


if __name__ == '__main__':
    main()
