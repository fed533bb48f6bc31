"""Compiles the train steps for TPU slices that need not be there.

    pip install -e '.[tpu]'
    python benchmarks/tpu_compile.py --slices v5e:2x2 --json tpu.json
    python benchmarks/tpu_compile.py --steps encoder --scale 0.1  # a smoke test

The TPU's compiler runs on any CPU: it says whether a step compiles, what it
takes of a chip's memory, how many operations and bytes, and what chips say to
one another. Nothing is computed, so there are no times but a bound: the larger
of operations over the chip's peak and bytes over its bandwidth, with the
exchange between chips beside it. Sizes are the published ones: Generic Object
Decoding (4643 voxels, 112 px) for the self-supervised method and the
posterior, 64 px for the VAE-GAN, VGG19 at 224 px for deep image reconstruction.
On a slice of more chips than a published batch divides among, the batch grows
to one that does, which is told.

The compiler tries many schedules of each operation, above all of gradients of
convolutions, which takes minutes of a CPU. `--effort -1` lets it try few, in a
fraction of the time.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from common import write_result

VOXELS = 4643
# Peak bfloat16 operations and bytes of memory a second, bytes of memory, and
# bytes a second to all neighbours together (cloud.google.com/tpu/docs).
CHIPS = {
    'v5e': (197e12, 819e9, 16e9, 200e9),
    'v4': (275e12, 1228e9, 32e9, 300e9),
    'v5p': (459e12, 2765e9, 95e9, 600e9),
}
ACCELERATORS = {'v5e': 'v5litepod-4', 'v4': 'v4-8', 'v5p': 'v5p-8'}
# Bytes of an element, by the compiler's name of its type.
BYTES = {'f32': 4, 'bf16': 2, 'f16': 2, 's32': 4, 'u32': 4, 's8': 1, 'u8': 1}
BYTES |= {'pred': 1, 'f64': 8, 's64': 8, 'u64': 8}
COLLECTIVES = 'all-reduce|all-gather|reduce-scatter|all-to-all'


class Program(NamedTuple):
    """What is compiled, of shapes alone.

    Attributes:
      step: (state, frozen, batch) -> (state, metrics); or, where a chip works
        for itself, a function of `batch`.
      state, frozen: of one device.
      batch: of all devices, [examples, ...] each.
      alone: whether a chip works for itself.
    """

    step: Callable
    state: Any
    frozen: Any
    batch: Any
    alone: bool = False


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--slices', nargs='+', default=['v5e:2x2', 'v5e:2x4'])
    parser.add_argument('--steps', nargs='+', choices=STEPS, default=STEPS)
    parser.add_argument(
        '--types', nargs='+', default=['float32', 'bfloat16'], metavar='TYPE'
    )
    parser.add_argument(
        '--scale', type=float, default=1, help='of voxels, widths and batches'
    )
    parser.add_argument(
        '--effort',
        type=float,
        help='of the compiler, -1 for the least: see the head of this file',
    )
    return parser.parse_args()


def shape(*sizes, dtype='float32'):
    import jax

    return jax.ShapeDtypeStruct(sizes, dtype)


def picture_shapes(n, size):
    return shape(n, size, size, 3, dtype='uint8')


def shapes_of(function, *given):
    """What a function returns, without computing it."""
    import jax

    return jax.eval_shape(function, *given)


def state_shapes(variables, optimizer, metrics):
    import jax

    from brainjax.training import state

    return shapes_of(
        lambda variables, key: state.create(variables, optimizer, key, metrics),
        variables,
        jax.eval_shape(lambda: jax.random.key(0)),
    )


def selfsup_parts(config, voxels):
    """The encoder, its variables and both backbones, as shapes."""
    import jax

    from brainjax.methods.selfsup import networks

    for section in (config.encoder, config.image_loss):
        section.weights = 'random'
    encoder = networks.build_encoder(config, voxels)
    backbones = [
        shapes_of(
            lambda section=section: networks.load_backbone(
                section, 0, config.compute_dtype, config.size
            )
        )
        for section in (config.encoder, config.image_loss)
    ]
    features = networks.feature_shapes(config, backbones[0])
    variables = shapes_of(encoder.init, jax.random.key(0), features)
    return encoder, variables, *backbones


def gaziv(dtype, scale, chips):
    """The published setting, with DE, whose batches divide among chips."""
    from ml_collections import FrozenConfigDict

    from brainjax.methods.selfsup.config import gaziv2022

    config = gaziv2022()
    with config.unlocked():
        config.compute_dtype = dtype
        config.decoder.decoder_encoder = 1.0
        for section, key in (
            (config.encoder, 'batch'),
            (config.decoder, 'batch_paired'),
            (config.decoder, 'batch_pictures'),
            (config.decoder, 'batch_fmri'),
        ):
            section[key] = divisible(section[key] * scale, chips)
        if scale < 1:
            config.encoder.width = config.image_loss.width = scale
    return config, FrozenConfigDict


def divisible(size, chips):
    """The least batch of `size` or more that divides among the chips."""
    return chips * max(1, -(-round(size) // chips))


def encoder(dtype, scale, chips):
    from brainjax.methods.selfsup import steps

    config, frozen_config = gaziv(dtype, scale, chips)
    voxels = round(VOXELS * scale)
    module, variables, backbone, _ = selfsup_parts(config, voxels)
    config = frozen_config(config)
    n = config.encoder.batch
    return Program(
        steps.encoder_step(config, module),
        state_shapes(
            variables,
            steps.build_optimizer(config.encoder),
            steps.ENCODER_METRICS,
        ),
        {'encoder_backbone': backbone},
        {'fmri': shape(n, voxels), 'images': picture_shapes(n, config.size)},
    )


def decoder(dtype, scale, chips):
    import jax

    from brainjax.methods.selfsup import networks, steps

    config, frozen_config = gaziv(dtype, scale, chips)
    voxels = round(VOXELS * scale)
    module, variables, backbone, loss = selfsup_parts(config, voxels)
    config = frozen_config(config)
    c, size = config.decoder, config.size
    network = networks.build_decoder(config)
    frozen = shapes_of(
        lambda variables, backbone: networks.freeze(
            config, module, variables, backbone
        ),
        variables,
        backbone,
    )
    frozen |= {
        'loss_backbone': loss,
        'pixel_scale': shape(3),
        'snr': shape(voxels),
        'inverse_snr': shape(voxels),
    }
    return Program(
        steps.decoder_step(config, module, network),
        state_shapes(
            shapes_of(network.init, jax.random.key(0), shape(1, voxels)),
            steps.build_optimizer(c),
            steps.DECODER_METRICS,
        ),
        frozen,
        {
            'paired': {
                'fmri': shape(c.batch_paired, voxels),
                'images': picture_shapes(c.batch_paired, size),
            },
            'pictures': {'images': picture_shapes(c.batch_pictures, size)},
            'fmri': {'fmri': shape(c.batch_fmri, voxels)},
        },
    )


def vaegan(dtype, scale, chips):
    import jax
    from ml_collections import FrozenConfigDict

    from brainjax.methods.faces import networks, steps
    from brainjax.methods.faces.config import vanrullen2019

    config = vanrullen2019()
    with config.unlocked():
        config.compute_dtype = dtype
        config.networks.width *= scale
    n = divisible(config.training.batch * scale, chips)
    config = FrozenConfigDict(config)
    return Program(
        steps.vaegan_step(config),
        state_shapes(
            shapes_of(
                lambda key: networks.initialise(config, key), jax.random.key(0)
            ),
            steps.build_optimizer(config),
            steps.METRICS,
        ),
        {},
        {'images': picture_shapes(n, config.size)},
    )


def posterior(dtype, scale, chips):
    """A flow at 112 px, with 1200 stimuli behind its closed form."""
    import jax
    from ml_collections import FrozenConfigDict

    from brainjax.methods.posterior import networks, steps
    from brainjax.methods.posterior.closed_form import Eye, Level
    from brainjax.methods.posterior.config import posterior

    config = posterior()
    with config.unlocked():  # As configs/posterior_god.py has it.
        config.compute_dtype, config.size = dtype, 112
        config.flow.channels, config.flow.patch = (64, 128, 256), 4
        batches = {'pictures': 96, 'paired': 16, 'prior': 16}
    config = FrozenConfigDict(config)
    rows = 112 * 112 * 3
    k = max(8, round(500 * scale))  # Axes of the closed form.
    level = Level(
        shape(rows),
        shape(rows, k),
        shape(k, rows),
        shape(k),
        shape(rows),
        *(shape(k, k) for _ in range(3)),
        shape(1),
    )
    eye = Eye(shape(k, rows), shape(k), *(shape(k, k) for _ in range(3)))
    batch = {
        name: {
            'images': shape(divisible(n * scale, chips), rows, dtype='uint8')
        }
        for name, n in batches.items()
    }
    n = len_of(batch['paired'])
    batch['paired']['mean'] = shape(n, rows)
    return Program(
        steps.flow_step(config, (112, 112, 3)),
        state_shapes(
            shapes_of(
                lambda key: networks.init(config, (112, 112, 3), key),
                jax.random.key(0),
            ),
            steps.build_optimizer(config.flow),
            steps.METRICS,
        ),
        {'eye': eye, 'centre': shape(), 'scale': shape()}
        | dict.fromkeys(batches, level),
        batch,
    )


def len_of(part):
    return part['images'].shape[0]


def inversion(dtype, scale, chips):
    """One step of L-BFGS on all layers of VGG19, 8 pictures a chip."""
    import jax

    from brainjax.methods.inversion import problem, search, steps
    from brainjax.networks import frozen
    from brainjax.networks.backbones import BACKBONES

    del dtype, chips  # In float32, each chip its own pictures.
    size, n = 32 * max(2, round(7 * scale)), 8
    architecture = frozen.Architecture('vgg19', 'caffe')
    known = BACKBONES['vgg19']
    params = shapes_of(
        lambda: known.init(jax.random.key(0), scale, size, dense=True)
    )
    targets = shapes_of(
        lambda params, x: architecture.apply(params, x, known.layers),
        params,
        shape(n, size, size, 3),
    )
    settings = problem.Settings(optimiser=steps.QuasiNewton(), size=size)
    data = problem.SearchData(
        params,
        {},
        targets,
        dict.fromkeys(known.layers, shape()),
        {},
        steps.Box(),
        shapes_of(lambda: jax.random.split(jax.random.key(0), n)),
    )
    state = shapes_of(
        lambda x: steps.start_quasi_newton(x, settings.optimiser),
        shape(n, size * size * 3),
    )
    which = problem.Problem(architecture, settings, None, ())

    def step(given):
        data, state = given
        return search.advance(which, data, state, 0)

    return Program(step, {}, {}, (data, state), True)


def ridge(dtype, scale, chips):
    """Weights of 256 units: 1200 trials, 4643 voxels, 500 for each unit."""
    from brainjax.linear.ridge import device

    del dtype, chips
    n, voxels, k = (max(8, round(x * scale)) for x in (1200, VOXELS, 500))

    def step(given):
        return device._solve_primal(*given, k)

    rows = shape(voxels, n)
    given = shape(voxels, voxels), rows, rows, shape(n, 256)
    return Program(step, {}, {}, given, True)


STEPS = {
    f.__name__: f
    for f in (encoder, decoder, vaegan, posterior, inversion, ridge)
}


ALONE = 'inversion', 'ridge'  # In float32 always.


def compile_for(
    program: Program, slice_name: str, effort: float | None
) -> dict[str, Any]:
    """Compiles a step for a slice and says what it takes of a chip."""
    import jax
    from jax.experimental import topologies

    from brainjax.training import parallel

    kind, _, grid = slice_name.partition(':')
    sides = tuple(map(int, grid.split('x')))
    topology = topologies.get_topology_desc(
        platform='tpu',
        topology_name=slice_name,
        chips_per_host_bounds=hosts_of(sides),
    )
    devices = list(topology.devices)
    if program.alone:
        place = jax.sharding.SingleDeviceSharding(devices[0])
        run, given = jax.jit(program.step, in_shardings=place), [program.batch]
    else:
        run = parallel.parallel(program.step, devices)
        given = program.state, program.frozen, spread(program.batch, devices)
    options = {'exec_time_optimization_effort': effort or 0.0}
    began = time.perf_counter(), time.process_time()
    compiled = run.lower(*given).compile(compiler_options=options)
    ended = time.perf_counter(), time.process_time()
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    peak, bandwidth, room, links = CHIPS[kind]
    said = exchanged(compiled.as_text())
    flops, moved = cost.get('flops', np.nan), cost.get('bytes accessed', np.nan)
    held = (
        memory.argument_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
    )
    return {
        'chips': len(devices),
        'arguments_gb': memory.argument_size_in_bytes / 1e9,
        'temporaries_gb': memory.temp_size_in_bytes / 1e9,
        'outputs_gb': memory.output_size_in_bytes / 1e9,
        'donated_gb': memory.alias_size_in_bytes / 1e9,
        'held_gb': held / 1e9,
        'fits': bool(held < room),
        'gflop': flops / 1e9,
        'moved_gb': moved / 1e9,
        'bound_ms': 1e3 * max(flops / peak, moved / bandwidth),
        'collectives': sum(n for n, _ in said.values()),
        'exchanged_mb': sum(size for _, size in said.values()) / 1e6,
        # A ring sends each byte twice but for the share that a chip has.
        'exchange_ms': 2e3
        * (1 - 1 / len(devices))
        * sum(size for _, size in said.values())
        / links,
        'effort': effort,
        'compiled_s': ended[0] - began[0],
        'compiled_cpu_s': ended[1] - began[1],
    }


def spread(batch, devices):
    """Shapes as `parallel.shard` gives them."""
    import jax

    n = len(devices)
    return jax.tree.map(
        lambda x: shape(n, x.shape[0] // n, *x.shape[1:], dtype=x.dtype), batch
    )


def hosts_of(sides):
    """Chips of one host along each axis: four are beside one another."""
    bounds = [min(side, 2) for side in sides[:2]]
    return (*bounds, *([1] * (3 - len(bounds))))


def exchanged(text: str) -> dict[str, tuple[int, int]]:
    """Counts collectives of a compiled program, and the bytes of each kind."""
    found = {}
    text = re.sub(r'/\*.*?\*/', '', text)  # Counts within long tuples.
    pattern = rf'= (\(?[^=]*?\)?) ({COLLECTIVES})(?:-start)?\('
    for shapes, kind in re.findall(pattern, text):
        size = sum(
            BYTES.get(type_, 4)
            * int(np.prod([int(n) for n in sides.split(',') if n], dtype=int))
            for type_, sides in re.findall(r'(\w+)\[([\d,]*)\]', shapes)
        )
        number, total = found.get(kind, (0, 0))
        found[kind] = (number + 1, total + size)
    return found


def main() -> None:
    known = arguments()
    kinds = {name.partition(':')[0] for name in known.slices}
    if kinds - CHIPS.keys() or len(kinds) != 1:
        sys.exit(f'give slices of one kind of {", ".join(CHIPS)}')
    # Before JAX is loaded: no cloud is asked, and CPUs do the rest.
    os.environ |= {
        'TPU_SKIP_MDS_QUERY': '1',
        'JAX_PLATFORMS': 'cpu',
        'TPU_ACCELERATOR_TYPE': ACCELERATORS[kinds.pop()],
        'TPU_WORKER_HOSTNAMES': 'localhost',
        # No chip is used: another process, or a lock that it left, is no harm.
        'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
    }
    results = []
    for slice_name in known.slices:
        sides = slice_name.partition(':')[2].split('x')
        chips = int(np.prod([*map(int, sides)]))
        for name in known.steps:
            for dtype in known.types:
                if name in ALONE and dtype != 'float32':
                    continue
                result = {'name': f'{name} {slice_name} {dtype}', 'unit': 'GB'}
                try:
                    program = STEPS[name](dtype, known.scale, chips)
                    result |= compile_for(program, slice_name, known.effort)
                except Exception as error:  # What does not compile is told.
                    lines = str(error).strip().splitlines() or ['']
                    result['error'] = f'{type(error).__name__}: {lines[0]}'
                results.append(result | {'ours': result.get('held_gb')})
                print(
                    ', '.join(
                        f'{k} {v:.3g}' if isinstance(v, float) else f'{k} {v}'
                        for k, v in result.items()
                    ),
                    flush=True,
                )
                write_result(known.json, results)


if __name__ == '__main__':
    main()
