"""One VAE-GAN step at the published sizes, beside PyTorch on one machine.

    python benchmarks/vaegan_step.py --steps 5 --json out.json
    python benchmarks/vaegan_step.py --size 64 --width 0.1 --batch 32  # smaller

The setting is that of VanRullen & Reddy 2019: 128 px, 1024 latents, batches of
64, float32, random weights; encoder, generator and discriminator all take
their step. The peer is the reference of tests/parity, ordinary eager PyTorch.
Both start from the same numbers, run in a process of their own with the same
CPUs, and take turns step by step. It needs the extra `parity`, and at full
size on a CPU about 20 GB for each side.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time

import numpy as np
from common import REPOSITORY, Side, cpu_name, write_result

PUBLISHED_STEPS = 50_000
PARTS = ('encoder', 'generator', 'discriminator')
TERMS = ('kl', 'reconstruction', 'real', 'fake')


def get_config(options):
    from brainjax.methods.faces.config import vanrullen2019

    c = vanrullen2019()
    layers = int(math.log2(options['size'] // 4))
    c.size = options['size']
    for name in ('channels', 'discriminator_channels'):
        c.networks[name] = tuple(c.networks[name][-layers:])
    c.networks.generator_channels = tuple(
        c.networks.generator_channels[:layers]
    )
    c.networks.latents = options['latents']
    c.networks.width = options['width']
    c.training.batch = options['batch']
    c.training.first_feature = layers - 2
    # Wide enough that no gate ever shuts.
    c.training.margin = 1e9
    return c


def pictures(options):
    rng = np.random.default_rng(0)
    shape = (options['batch'], options['size'], options['size'], 3)
    return rng.integers(0, 256, shape, np.uint8)


def jax_side(options):
    if options['device'] == 'cpu':
        os.environ['JAX_PLATFORMS'] = 'cpu'
    os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
    os.environ['NPROC'] = str(options['threads'])
    import jax

    from brainjax.methods.faces import networks, steps
    from brainjax.training import parallel
    from brainjax.training import state as training_state

    if jax.local_device_count() != 1:
        raise SystemExit('The benchmark compares one device; hide the others.')
    jax.config.update('jax_default_matmul_precision', options['precision'])
    config = get_config(options)
    variables = networks.initialise(config, jax.random.key(0))
    state = parallel.replicate(
        training_state.create(
            variables,
            steps.build_optimizer(config),
            jax.random.key(1),
            steps.METRICS,
        )
    )
    batch = parallel.shard({'images': pictures(options)})
    step = parallel.parallel(steps.vaegan_step(config))
    draws = jax.vmap(
        lambda images: steps.draws(config, state, images),
        axis_name=parallel.AXIS,
    )
    start = {
        'variables': jax.device_get(variables),
        'draws': [np.array(x[0]) for x in draws(batch['images'])],
    }
    begin = time.perf_counter()
    compiled = step.lower(state, {}, batch).compile()
    compile_seconds = time.perf_counter() - begin

    def numbers():
        """Weights and draws of the first step, and how long it compiled."""
        return start, compile_seconds

    def one():
        nonlocal state
        begin = time.perf_counter()
        state, metrics = jax.block_until_ready(compiled(state, {}, batch))
        seconds = time.perf_counter() - begin
        return seconds, {name: float(metrics[name]) for name in TERMS}

    def device():
        memory = jax.local_devices()[0].memory_stats() or {}
        return (
            jax.default_backend(),
            jax.local_devices()[0].device_kind,
            f'brainjax, JAX {jax.__version__}',
            memory.get('peak_bytes_in_use'),
        )

    return {'numbers': numbers, 'one': one, 'device': device}


def torch_side(options):
    sys.path.insert(0, str(REPOSITORY / 'tests' / 'parity'))
    import torch
    import vaegan_reference as reference

    torch.set_num_threads(options['threads'])
    tf32 = options['precision'] != 'highest'
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    cuda = options['device'] == 'auto' and torch.cuda.is_available()
    place = torch.device('cuda' if cuda else 'cpu')
    config = get_config(options)
    networks, optimizers, inputs = None, None, None

    def wait():
        if cuda:
            torch.cuda.synchronize()

    def numbers(start):
        """Takes over weights and draws."""
        nonlocal networks, optimizers, inputs
        params = start['variables']['params']
        latents = options['latents']

        def channels(part):
            kernels = [
                params[part][f'layer{i + 1}']['convolution']['kernel']
                for i in range(len(config.networks.channels))
            ]
            return tuple(kernel.shape[-1] for kernel in kernels)

        size = options['size']
        networks = [
            reference.EncoderReference(size, channels('encoder'), latents),
            reference.GeneratorReference(size, channels('generator'), latents),
            reference.DiscriminatorReference(size, channels('discriminator')),
        ]
        for part, network in zip(PARTS, networks):
            reference.load(network, params[part])
            network.to(place)
        optimizers = reference.adam(networks, config.training.learning_rate)
        images, noise, prior = (
            torch.from_numpy(x).to(place) for x in start['draws']
        )
        inputs = images.permute(0, 3, 1, 2).contiguous(), noise, prior

    def one():
        wait()
        begin = time.perf_counter()
        terms = reference.step(
            networks,
            optimizers,
            *inputs,
            first_feature=config.training.first_feature,
            margin=config.training.margin,
        )
        wait()
        seconds = time.perf_counter() - begin
        return seconds, {name: terms[name] for name in TERMS}

    def device():
        return (
            'gpu' if cuda else 'cpu',
            torch.cuda.get_device_name() if cuda else 'cpu',
            f'PyTorch {torch.__version__}',
            torch.cuda.max_memory_allocated() if cuda else None,
        )

    return {'numbers': numbers, 'one': one, 'device': device}


def measure(options: dict) -> dict:
    """Runs both sides in turns and returns the figures."""
    ours, peer = (
        Side('jax', jax_side, options),
        Side('torch', torch_side, options),
    )
    start, compile_seconds = ours('numbers')
    peer('numbers', start)
    _, first = ours('one')  # Not counted: the first step of each.
    _, expected = peer('one')
    our_times, peer_times = [], []
    for i in range(options['steps']):
        our_times.append(ours('one')[0])
        peer_times.append(peer('one')[0])
        print(
            f'step {i + 1}: brainjax {our_times[-1]:.3f} s, '
            f'PyTorch {peer_times[-1]:.3f} s',
            file=sys.stderr,
        )
    backend, device, version, memory = ours('device')
    peer_backend, _, peer_version, peer_memory = peer('device')
    ours.close()
    peer.close()
    if (backend == 'cpu') != (peer_backend == 'cpu'):
        raise SystemExit(
            f'JAX ran on {backend} and PyTorch on {peer_backend}; '
            'use --device cpu.'
        )
    rate, peer_rate = (
        options['batch'] / statistics.median(times)
        for times in (our_times, peer_times)
    )
    return {
        'name': 'vaegan_step',
        'unit': 'images a second (median step)',
        'ours': rate,
        'peer': peer_rate,
        'peer_name': f'{peer_version} (eager)',
        'ours_name': version,
        'ratio': rate / peer_rate,
        'ratio_meaning': 'ours / peer: above 1, brainjax is faster',
        'accuracy': max(abs(first[k] / expected[k] - 1) for k in TERMS),
        'accuracy_meaning': 'largest relative difference of the first losses',
        'hours_for_published_steps': (
            PUBLISHED_STEPS * options['batch'] / rate / 3600
        ),
        'threads': options['threads'],
        'device': cpu_name() if backend == 'cpu' else device,
        'setting': {
            name: options[name]
            for name in ('size', 'width', 'latents', 'batch', 'precision')
        },
        'steps': options['steps'],
        'ours_seconds': our_times,
        'peer_seconds': peer_times,
        'compile_seconds': compile_seconds,
        'peak_device_bytes': {'ours': memory, 'peer': peer_memory},
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--steps', type=int, default=5, help='timed steps')
    parser.add_argument('--size', type=int, default=128, help='pixels')
    parser.add_argument('--width', type=float, default=1.0, help='1: paper')
    parser.add_argument('--latents', type=int, default=1024)
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--device', choices=('auto', 'cpu'), default='auto')
    parser.add_argument(
        '--precision',
        choices=('highest', 'default'),
        default='highest',
        help="of products on a GPU; 'default' lets both sides use TF32",
    )
    parser.add_argument('--json', help='file to write')
    options = parser.parse_args()
    result = measure(vars(options))
    print(json.dumps(result, indent=2))
    write_result(options.json, result)


if __name__ == '__main__':
    main()
