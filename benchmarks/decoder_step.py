"""One decoder step in the paper's setting, beside PyTorch on the same machine.

    python benchmarks/decoder_step.py --steps 3 --threads 2 --json out.json
    python benchmarks/decoder_step.py --scale 0.1  # a smoke test

The setting is that of Gaziv et al. 2022 (PyTorch release) with every term on:
4643 voxels, 24 paired examples, 48 unpaired pictures and 16 unpaired fMRI
trials, 112 px, VGG16 image loss, VGG19 encoder, float32, random weights. The
peer is the reference of tests/parity, ordinary eager PyTorch. Both start from
the same numbers, run in a process of their own with the same CPUs, and take
turns step by step. It needs the extra `parity`, and at full size about 8 GB
for each side.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

import numpy as np
from common import REPOSITORY, Side, cpu_name, write_result

LOSSES = ('D', 'ED', 'DE', 'regularisation', 'loss')
SAMPLE = 4096  # Gradient elements of a leaf that are compared.


# The numbers both sides start from, in brainjax's layout.


def setting(scale: float) -> dict[str, int | float]:
    """Returns sizes, shrunk by scale; 1 is the paper."""

    def shrink(n):
        return max(2, round(n * scale))

    return {
        'voxels': max(20, round(4643 * scale)),
        'size': max(32, 16 * round(7 * scale)),
        'width': max(1 / 16, scale),  # Of both VGGs.
        'paired': shrink(24),
        'pictures': shrink(48),
        'fmri': shrink(16),
    }


def _layer(rng, *shape):
    fan_in = np.prod(shape[:-1])
    kernel = rng.standard_normal(shape, np.float32) * np.float32(
        (2 / fan_in) ** 0.5
    )
    bias = 0.01 * rng.standard_normal(shape[-1], np.float32)
    return {'kernel': kernel, 'bias': bias}


def _norm(channels):
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    return {'scale': ones, 'bias': zeros}, {'mean': zeros, 'var': ones}


def make_vgg(rng, convolutions, width):
    """Returns random VGG weights as `brainjax.networks.vgg` has them."""
    params, inputs = {}, 3
    for block, (n, channels) in enumerate(
        zip(convolutions, (64, 128, 256, 512, 512)), 1
    ):
        channels = max(4, 4 * round(channels * width / 4))
        for i in range(1, n + 1):
            params[f'conv{block}_{i}'] = _layer(rng, 3, 3, inputs, channels)
            inputs = channels
    return params


def make_encoder(rng, sizes, channels):
    voxels, size = sizes['voxels'], sizes['size']
    params = {'branch_weights': np.ones((4, voxels), np.float32)}
    statistics_ = {}
    for b, (inputs, kernel, side) in enumerate(
        zip(
            channels, (3, 3, 3, 1), (size // 4, size // 4, size // 8, size // 8)
        )
    ):
        scale_in, moments_in = _norm(inputs)
        scale_out, moments_out = _norm(32)
        params[f'branch_{b}'] = {
            'norm_in': scale_in,
            'conv': _layer(rng, kernel, kernel, inputs, 32),
            'norm_out': scale_out,
        }
        statistics_[f'branch_{b}'] = {
            'norm_in': moments_in,
            'norm_out': moments_out,
        }
        width = side - 2
        params[f'space_{width}'] = _layer(rng, width**2, voxels)['kernel']
        mix = _layer(rng, 288, voxels)
        params[f'channels_{b}'] = mix['kernel']
        params[f'bias_{b}'] = mix['bias']
    return {'params': params, 'batch_stats': statistics_}


def make_decoder(rng, voxels, size):
    grid = size // 8
    params = {
        'dense': _layer(rng, voxels, grid * grid * 64),
        'top': _layer(rng, 5, 5, 64, 3),
    }
    for i in range(3):
        params[f'conv_{i}'] = _layer(rng, 5, 5, 64, 64)
        params[f'norm_{i}'] = _norm(64)[0]
    return params


def make(scale: float) -> dict:
    """Returns weights, batch and voxel weights; the same on every call."""
    rng = np.random.default_rng(0)
    sizes = setting(scale)
    loss_vgg = make_vgg(rng, (2, 2, 3, 3, 3), sizes['width'])
    encoder_vgg = make_vgg(rng, (2, 2, 4, 4), sizes['width'])
    channels = [
        encoder_vgg[name]['bias'].size
        for name in ('conv1_2', 'conv2_2', 'conv3_4', 'conv4_4')
    ]

    def fmri(n):
        return rng.standard_normal((n, sizes['voxels']), np.float32)

    def pictures(n):
        shape = (n, sizes['size'], sizes['size'], 3)
        return rng.integers(0, 256, shape, np.uint8)

    snr = rng.uniform(0.1, 2, sizes['voxels']).astype(np.float32)
    return {
        'sizes': sizes,
        'loss_vgg': loss_vgg,
        'encoder_vgg': encoder_vgg,
        'encoder': make_encoder(rng, sizes, channels),
        'decoder': make_decoder(rng, sizes['voxels'], sizes['size']),
        'paired': {
            'fmri': fmri(sizes['paired']),
            'images': pictures(sizes['paired']),
        },
        'pictures': {'images': pictures(sizes['pictures'])},
        'fmri': {'fmri': fmri(sizes['fmri'])},
        'pixel_scale': np.array([0.48, 0.45, 0.4], np.float32),
        'snr': snr / snr.mean(),
        'inverse_snr': (1 / snr) / np.mean(1 / snr),
    }


def leaves(tree, prefix=''):
    for name, value in sorted(tree.items()):
        if isinstance(value, dict):
            yield from leaves(value, f'{prefix}{name}/')
        else:
            yield prefix + name, value


def sample(tree) -> dict[str, np.ndarray]:
    """Returns evenly spaced elements of every leaf."""
    return {
        name: np.asarray(value).ravel()[:: max(1, value.size // SAMPLE)].copy()
        for name, value in leaves(tree)
    }


def timed(function, repeats: int) -> float:
    """Returns the median seconds of a call, after one that does not count."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


# The two sides. Each is a dict of functions that the parent calls by name.


def jax_side(options):
    if options['device'] == 'cpu':
        os.environ['JAX_PLATFORMS'] = 'cpu'
    os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
    os.environ['NPROC'] = str(options['threads'])
    sys.path.insert(0, str(REPOSITORY))
    import jax
    import jax.numpy as jnp

    from brainjax.methods.selfsup import networks as selfsup_networks
    from brainjax.methods.selfsup import steps as selfsup_steps
    from brainjax.methods.selfsup.config import gaziv2022
    from brainjax.training import parallel
    from brainjax.training import state as training_state

    if jax.local_device_count() != 1:
        raise SystemExit('The benchmark compares one device; hide the others.')
    jax.config.update('jax_default_matmul_precision', 'highest')
    data = make(options['scale'])
    sizes = data['sizes']
    config = gaziv2022()
    config.size = sizes['size']
    config.decoder.decoder_encoder = 1.0
    encoder = selfsup_networks.build_encoder(config, sizes['voxels'])
    decoder = selfsup_networks.build_decoder(config)
    optimizer = selfsup_steps.build_optimizer(config.decoder)
    frozen = parallel.replicate(
        {
            **selfsup_networks.freeze(
                config, encoder, data['encoder'], data['encoder_vgg']
            ),
            'loss_backbone': data['loss_vgg'],
            **{k: data[k] for k in ('pixel_scale', 'snr', 'inverse_snr')},
        }
    )
    step = parallel.parallel(
        selfsup_steps.decoder_step(config, encoder, decoder)
    )
    batches = {'full': {k: data[k] for k in ('paired', 'pictures', 'fmri')}}
    batches['full'] = parallel.shard(batches['full'])
    compiled, state = {}, None

    def start():
        nonlocal state
        state = parallel.replicate(
            training_state.create(
                {'params': data['decoder']},
                optimizer,
                jax.random.key(0),
                selfsup_steps.DECODER_METRICS,
            )
        )

    def compile_step(which='full'):
        begin = time.perf_counter()
        compiled[which] = step.lower(state, frozen, batches[which]).compile()
        return time.perf_counter() - begin

    def one(which='full'):
        nonlocal state
        begin = time.perf_counter()
        state, metrics = jax.block_until_ready(
            compiled[which](state, frozen, batches[which])
        )
        seconds = time.perf_counter() - begin
        return seconds, {k: float(metrics[k]) for k in LOSSES}

    def gradients():
        """After the first step: its gradients, from the first moment."""
        mean = jax.device_get(state.opt_state.mean)
        return sample(jax.tree.map(lambda m: m / np.float32(0.1), mean))

    encode = jax.jit(
        lambda frozen, images: selfsup_networks.encode(
            config, encoder, frozen, selfsup_networks.to_float(images)
        )
    )
    features = jax.jit(
        lambda frozen, images: selfsup_networks.loss_features(
            config, frozen, selfsup_networks.to_float(images)
        )
    )

    def cached(names):
        """Times the step with the predictions, or all, known beforehand."""
        batch = {k: dict(data[k]) for k in ('paired', 'pictures', 'fmri')}
        if 'predictions' in names:
            batch['pictures']['fmri'] = np.asarray(
                encode(frozen, data['pictures']['images'])
            )
        if 'features' in names:
            for part in ('paired', 'pictures'):
                batch[part]['features'] = jax.device_get(
                    features(frozen, data[part]['images'])
                )
        which = '+'.join(names)
        batches[which] = parallel.shard(batch)
        compile_step(which)
        one(which)
        return statistics.median(one(which)[0] for _ in range(options['steps']))

    def split():
        """Times the parts of a step by themselves."""
        pictures = jnp.asarray(data['pictures']['images'])
        everything = jnp.concatenate([data['paired']['images'], pictures])
        gradient = jax.tree.map(jnp.copy, state.opt_state.mean)
        update = jax.jit(
            lambda state, gradient: training_state.advance(
                state, optimizer, gradient, {}, state.totals
            ),
            donate_argnums=0,
        )

        def optimise():
            nonlocal state
            state = jax.block_until_ready(update(state, gradient))

        repeats = options['steps']
        return {
            'encoder_prediction': timed(
                lambda: jax.block_until_ready(encode(frozen, pictures)),
                repeats,
            ),
            'target_features': timed(
                lambda: jax.block_until_ready(features(frozen, everything)),
                repeats,
            ),
            'optimiser': timed(optimise, repeats),
        }

    def memory():
        return _memory(
            (jax.local_devices()[0].memory_stats() or {}).get(
                'peak_bytes_in_use'
            )
        )

    def device():
        return jax.default_backend(), jax.local_devices()[0].device_kind

    def version():
        return f'brainjax, JAX {jax.__version__}'

    start()
    return {
        f.__name__: f
        for f in (
            compile_step,
            one,
            gradients,
            cached,
            split,
            memory,
            device,
            version,
        )
    }


def torch_side(options):
    sys.path.insert(0, str(REPOSITORY / 'tests' / 'parity'))
    import convert
    import reference
    import torch

    torch.set_num_threads(options['threads'])
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    cuda = options['device'] == 'auto' and torch.cuda.is_available()
    place = torch.device('cuda' if cuda else 'cpu')
    data = make(options['scale'])
    sizes = data['sizes']
    channels = [
        data['encoder_vgg'][name]['bias'].size
        for name in ('conv1_2', 'conv2_2', 'conv3_4', 'conv4_4')
    ]
    size = sizes['size']
    encoder = reference.SeparableEncoderReference(
        sizes['voxels'], channels, (size, size // 2, size // 4, size // 8)
    )
    convert.load_separable_encoder(
        encoder, data['encoder']['params'], data['encoder']['batch_stats']
    )
    decoder = reference.DecoderReference(sizes['voxels'], size // 8)
    convert.load_decoder(decoder, data['decoder'])
    encoder.eval().requires_grad_(False).to(place)
    decoder.to(place)
    if options['compile_peer']:
        encoder.compile()
        decoder.compile()
        reference.vgg_taps = torch.compile(reference.vgg_taps)
    optimizer = reference.amsgrad(decoder.parameters(), 5e-3)

    def vgg(name):
        return {
            layer: tuple(w.to(place) for w in pair)
            for layer, pair in convert.vgg(data[name]).items()
        }

    loss_vgg, encoder_vgg = vgg('loss_vgg'), vgg('encoder_vgg')
    vectors = [
        convert.tensor(data[name]).to(place)
        for name in ('pixel_scale', 'snr', 'inverse_snr')
    ]

    def images(part):
        floats = data[part]['images'] / np.float32(255)
        return convert.images_to_torch(floats).to(place)

    batch = {
        'fmri': convert.tensor(data['paired']['fmri']).to(place),
        'images': images('paired'),
        'unpaired_images': images('pictures'),
        'unpaired_fmri': convert.tensor(data['fmri']['fmri']).to(place),
    }

    def wait():
        if cuda:
            torch.cuda.synchronize()

    def one():
        wait()
        begin = time.perf_counter()
        losses = reference.decoder_step(
            decoder, encoder, optimizer, loss_vgg, encoder_vgg, batch, *vectors
        )
        wait()
        seconds = time.perf_counter() - begin
        names = ('d', 'ed', 'de', 'regularisation', 'total')
        return seconds, {
            ours: float(losses[name]) for ours, name in zip(LOSSES, names)
        }

    def gradients():
        return sample(convert.decoder_gradients_to_jax(decoder))

    def split():
        everything = torch.cat([batch['images'], batch['unpaired_images']])

        def predict():
            reference.predict(encoder, encoder_vgg, batch['unpaired_images'])
            wait()

        def features():
            reference.vgg_taps(loss_vgg, everything, reference.POOLED_TAPS)
            wait()

        def optimise():
            optimizer.step()
            wait()

        repeats = options['steps']
        with torch.no_grad():
            return {
                'encoder_prediction': timed(predict, repeats),
                'target_features': timed(features, repeats),
                'optimiser': timed(optimise, repeats),
            }

    def memory():
        return _memory(torch.cuda.max_memory_allocated() if cuda else None)

    def device():
        name = torch.cuda.get_device_name() if cuda else 'cpu'
        return ('gpu' if cuda else 'cpu'), name

    def version():
        return f'PyTorch {torch.__version__}'

    return {
        f.__name__: f for f in (one, gradients, split, memory, device, version)
    }


def _memory(device_bytes):
    """Returns the peak in MiB: of the device, or else of the process."""
    if device_bytes:
        return device_bytes / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == 'darwin' else peak / 2**10


def difference(ours: dict, theirs: dict) -> float:
    """Returns the largest difference, relative to each entry's largest.

    In gradients a single ReLU or maximum that rounding decides otherwise shows
    here, the more the narrower the networks; in float64 it does not happen.
    """
    return max(
        float(np.abs(ours[k] - theirs[k]).max() / np.abs(theirs[k]).max())
        for k in theirs
    )


def measure(options: dict) -> dict:
    """Runs both sides in turns and returns the figures."""
    ours, peer = (
        Side('jax', jax_side, options),
        Side('torch', torch_side, options),
    )
    (backend, device), (peer_backend, _) = ours('device'), peer('device')
    if (backend == 'cpu') != (peer_backend == 'cpu'):
        raise SystemExit(
            f'JAX runs on {backend} and PyTorch on {peer_backend}; '
            'use --device cpu.'
        )
    compile_seconds = ours('compile_step')
    _, our_losses = ours('one')  # Not counted: the first step of each.
    _, peer_losses = peer('one')
    gradient_difference = difference(ours('gradients'), peer('gradients'))
    our_times, peer_times = [], []
    for i in range(options['steps']):
        our_times.append(ours('one')[0])
        peer_times.append(peer('one')[0])
        print(
            f'step {i + 1}: brainjax {our_times[-1]:.3f} s, '
            f'PyTorch {peer_times[-1]:.3f} s',
            file=sys.stderr,
        )
    memory = {'ours': ours('memory'), 'peer': peer('memory')}
    result = {
        'name': 'decoder_step',
        'unit': 'seconds a step (median)',
        'ours': statistics.median(our_times),
        'peer': statistics.median(peer_times),
        'peer_name': peer('version')
        + (' (compiled)' if options['compile_peer'] else ' (eager)'),
        'ours_name': ours('version'),
        'accuracy': difference(our_losses, peer_losses),
        'accuracy_meaning': 'largest relative difference of the first losses',
        'gradient_difference': gradient_difference,
        'threads': options['threads'],
        'device': cpu_name() if backend == 'cpu' else device,
        'setting': setting(options['scale']),
        'scale': options['scale'],
        'steps': options['steps'],
        'losses': our_losses,
        'ours_all': our_times,
        'peer_all': peer_times,
        'compile_seconds': compile_seconds,
        'peak_memory_mib': memory,
    }
    result['ratio'] = result['peer'] / result['ours']
    result['ratio_meaning'] = 'peer / ours: above 1, brainjax is faster'
    result['ours_cached_predictions'] = ours('cached', ('predictions',))
    result['ours_cached_predictions_and_features'] = ours(
        'cached', ('predictions', 'features')
    )
    for name, side in (('ours', ours), ('peer', peer)):
        parts = side('split')
        parts['decoder_and_loss'] = result[name] - sum(parts.values())
        result[f'{name}_split'] = parts
    ours.close()
    peer.close()
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--steps', type=int, default=3, help='timed steps')
    parser.add_argument('--scale', type=float, default=1.0, help='1: paper')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--device', choices=('auto', 'cpu'), default='auto')
    parser.add_argument('--compile-peer', action='store_true')
    parser.add_argument('--json', help='file to write')
    options = parser.parse_args()
    result = measure(vars(options))
    print(json.dumps(result, indent=2))
    write_result(options.json, result)


if __name__ == '__main__':
    main()
