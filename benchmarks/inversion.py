"""Inversion of VGG19's features beside bdpy's, on the same numbers.

    python benchmarks/inversion.py --peer-site SITE --json inversion.json

All 19 layers of VGG19 at 224 px and gradient descent with the settings of Shen
et al. 2019 (blur on). Weights and targets are random, which costs what the
published ones cost. Each side has a process and the same threads, and they
take turns. bdpy 0.26 searches one picture at a time, so that its seconds for a
picture are those of 1 picture whatever the number.

bdpy's loop computes gradients of the network's weights too unless they are
frozen, which its examples do not do: 'peer' is bdpy as it comes, 'peer_frozen'
the same call with frozen weights. SITE is a folder with bdpy and what it
imports, beside PyTorch in this environment:

    pip install --no-deps --target SITE bdpy==0.26 hdf5storage pandas \
        python-dateutil six pyyaml tqdm typing-extensions
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from common import cpu_name, write_result

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PICTURES = 8
STEPS = 200  # of the schedules; fewer are taken


def drawn(width: float, size: int):
    """Returns layer -> (kernel OIHW or [out, in], bias): torch's layouts."""
    from brainjax.networks.backbones import vgg

    rng = np.random.default_rng(0)
    result, side = {}, size // 32
    for layer, parts in vgg.shapes('vgg19', width, size, dense=True).items():
        shape = parts['kernel']
        spread = np.sqrt(2 / np.prod(shape[:-1]), dtype=np.float32)
        if len(shape) == 4:
            shape = (shape[3], shape[2], *shape[:2])
        else:
            shape = shape[::-1]
        kernel = rng.standard_normal(shape, np.float32) * spread
        result[layer] = kernel, np.zeros(shape[0], np.float32)
    return result, side


def our_network(width: float, size: int):
    from brainjax.networks import frozen

    tensors, side = drawn(width, size)
    params = {}
    for layer, (kernel, bias) in tensors.items():
        if kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0)
        else:
            if layer == 'fc6':
                kernel = kernel.reshape(len(kernel), -1, side, side)
                kernel = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
            kernel = kernel.T
        params[layer] = {'kernel': np.ascontiguousarray(kernel), 'bias': bias}
    return frozen.Network(
        'random', frozen.Architecture('vgg19', 'caffe'), params, ''
    )


def smooth_pictures(count: int, size: int) -> np.ndarray:
    import scipy.ndimage

    noise = np.random.default_rng(1).random((count, size, size, 3))
    images = scipy.ndimage.gaussian_filter(noise, (0, size / 16, size / 16, 0))
    low, high = images.min(), images.max()
    return ((images - low) / (high - low)).astype(np.float32)


def ours(options):
    """Returns count -> (seconds a step, losses), and the device's name."""
    import jax

    from brainjax.methods.inversion import search, steps
    from brainjax.methods.inversion.networks import features
    from brainjax.methods.inversion.problem import Settings, build_problem

    network = our_network(options.width, options.size)
    layers = tuple(network.params)
    settings = Settings(steps.Descent(steps=STEPS), size=options.size)
    images = smooth_pictures(PICTURES, options.size)
    targets = [features(network, image[None], layers) for image in images]
    np.savez(
        options.shared / 'targets.npz',
        **{
            layer: np.moveaxis(x, -1, 1) if x.ndim == 4 else x
            for layer, x in targets[0].items()
        },
    )

    @functools.cache
    def problem(count):
        held, data, x = build_problem(
            {
                layer: np.concatenate([each[layer] for each in targets[:count]])
                for layer in layers
            },
            [f'picture{i}' for i in range(count)],
            network,
            settings,
            None,
        )
        if count == 1:
            np.save(options.shared / 'start.npy', np.asarray(x[0]))
        state = steps.start_descent(x, settings.optimiser)
        # The first call compiles.
        jax.block_until_ready(search.advance(held, data, state, 0))
        return held, data, state

    def run(count):
        held, data, state = problem(count)
        seconds = []
        for step in range(options.steps):
            begin = time.perf_counter()
            state = search.advance(held, data, state, step)
            jax.block_until_ready(state)
            seconds.append(time.perf_counter() - begin)
        losses = np.asarray(state.losses[: options.steps, 0])
        return {'seconds': seconds, 'losses': losses.tolist()}

    return run, f'JAX {jax.__version__} on {jax.devices()[0].device_kind}'


def peer(options):
    """Returns frozen or not -> (seconds a step, losses), and the version."""
    sys.path.insert(0, str(options.peer_site))
    import torch
    from bdpy.dl.torch.models import VGG19
    from bdpy.recon.torch.icnn import reconstruct

    torch.set_num_threads(options.threads)
    cuda = options.device == 'auto' and torch.cuda.is_available()
    place = 'cuda' if cuda else 'cpu'
    tensors, _ = drawn(options.width, options.size)
    encoder = VGG19()
    places = _places(encoder)
    state = {}
    for (layer, (kernel, bias)), name in zip(
        tensors.items(), places.values(), strict=True
    ):
        del layer
        state[f'{name}.weight'] = torch.from_numpy(kernel)
        state[f'{name}.bias'] = torch.from_numpy(bias)
    encoder.load_state_dict(state)
    encoder.eval().to(place)
    targets = dict(np.load(options.shared / 'targets.npz'))
    targets = {layer: targets[layer] for layer in tensors}
    start = np.load(options.shared / 'start.npy')[..., ::-1].transpose(2, 0, 1)
    squares = {layer: 1 / np.sum(t**2) for layer, t in targets.items()}
    total = sum(squares.values())
    steps = options.steps

    def cut(start, end):
        return start, start + (end - start) * steps / STEPS

    def run(frozen):
        encoder.requires_grad_(not frozen)
        stamps = []

        def stamp(x):
            if cuda:
                torch.cuda.synchronize()
            stamps.append(time.perf_counter())
            return x

        with contextlib.redirect_stdout(None):
            _, losses = reconstruct(
                targets,
                encoder,
                layer_mapping={
                    layer: _bracketed(name)
                    for layer, name in zip(tensors, places.values())
                },
                n_iter=steps,
                lr=cut(2.0, 1e-10),
                momentum=(0.9, 0.9),
                decay=cut(0.2, 1e-10),
                blurring=True,
                sigma=cut(2.0, 0.5),
                layer_weights={
                    layer: x / total for layer, x in squares.items()
                },
                initial_image=start,
                encoder_preproc=stamp,
                return_loss=True,
                save_snapshot=False,
                output_dir=str(options.shared),
                device=place,
            )
        stamp(None)
        return {
            'seconds': np.diff(stamps).tolist(),
            'losses': losses.tolist(),
        }

    return run, f'bdpy 0.26 on PyTorch {torch.__version__}, {place}'


def _places(encoder) -> dict[str, str]:
    """Returns number -> name, such as features.0, of layers with weights."""
    return {
        str(i): name
        for i, name in enumerate(
            name
            for name, module in encoder.named_modules()
            if hasattr(module, 'weight')
        )
    }


def _bracketed(name: str) -> str:
    part, index = name.split('.')
    return f'{part}[{index}]'


def serve(options) -> None:
    """Answers one line of JSON with another."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    if hasattr(os, 'sched_setaffinity'):
        cpus = sorted(os.sched_getaffinity(0))[: options.threads]
        os.sched_setaffinity(0, cpus)
    run, version = {'ours': ours, 'peer': peer}[options.side](options)
    print(json.dumps(version), file=answers, flush=True)
    for line in sys.stdin:
        result = run(json.loads(line))
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result['peak_mib'] = kilobytes / 1024
        print(json.dumps(result), file=answers, flush=True)


class Side:
    """A process that holds one side."""

    def __init__(self, name, options, shared):
        environment = dict(
            os.environ,
            OMP_NUM_THREADS=str(options.threads),
            PYTHONPATH=str(REPOSITORY),
        )
        if options.device == 'cpu':
            environment['JAX_PLATFORMS'] = 'cpu'
        command = [sys.executable, __file__, '--side', name]
        for flag in (
            'steps',
            'threads',
            'device',
            'peer_site',
            'size',
            'width',
        ):
            value = getattr(options, flag)
            if value is not None:
                command += [f'--{flag.replace("_", "-")}', str(value)]
        self._process = subprocess.Popen(
            [*command, '--shared', str(shared)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.version = None

    def read(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit('one side ended early; see above')
        return json.loads(line)

    def __call__(self, request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self.read()

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def measure(options, shared) -> dict:
    """Runs both sides in turns."""
    us = Side('ours', options, shared)
    us.version = us.read()
    many = f'ours_{PICTURES}'
    found = {name: [] for name in ('ours_1', many, 'peer', 'peer_frozen')}
    found['ours_1'].append(us(1))  # Writes what the peer begins with.
    them = None
    if options.peer_site:
        them = Side('peer', options, shared)
        them.version = them.read()
    for round_number in range(options.rounds):
        if round_number:
            found['ours_1'].append(us(1))
        found[many].append(us(PICTURES))
        if them:
            found['peer_frozen'].append(them(True))
            found['peer'].append(them(False))
    us.close()
    if them:
        them.close()

    def median(name):
        rounds = found[name]
        return rounds and statistics.median(
            second for each in rounds for second in each['seconds'][1:]
        )

    def fastest(name):
        return min(min(each['seconds'][1:]) for each in found[name])

    def peak(name):
        return max((each['peak_mib'] for each in found[name]), default=None)

    alone, each = median('ours_1'), median(many) / PICTURES
    result = {
        'name': 'inversion',
        'unit': 'seconds an iteration and picture (median)',
        'ours': each,
        'ours_1_picture': alone,
        'ours_name': us.version,
        'pictures': PICTURES,
        'threads': options.threads,
        'device': cpu_name() if options.device == 'cpu' else us.version,
        'setting': f'VGG19, width {options.width}, 19 layers, '
        f'{options.size} px, gradient descent with blur',
        'rounds': found,
        'peak_memory_mib': {name: peak(name) for name in found},
    }
    if them:
        theirs, frozen = median('peer'), median('peer_frozen')
        losses = np.array(found['ours_1'][0]['losses'])
        peer_losses = np.array(found['peer'][0]['losses'])
        result |= {
            'peer': theirs,
            'peer_frozen': frozen,
            'peer_name': them.version,
            'ratio': theirs / each,
            'ratio_1_picture': theirs / alone,
            'ratio_frozen': frozen / each,
            'ratio_frozen_1_picture': frozen / alone,
            'ratio_fastest': fastest('peer') / (fastest(many) / PICTURES),
            'ratio_frozen_fastest': fastest('peer_frozen')
            / (fastest(many) / PICTURES),
            'ratio_fastest_meaning': 'of the fastest iteration of each, which '
            'other work on the machine disturbs least',
            'ratio_meaning': 'peer / ours: above 1, brainjax is faster',
            'accuracy': float(np.max(np.abs(losses / peer_losses - 1))),
            'accuracy_meaning': 'largest relative difference of the losses',
        }
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--steps', type=int, default=3, help='timed: one less')
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--device', choices=('auto', 'cpu'), default='auto')
    parser.add_argument('--peer-site', type=pathlib.Path)
    parser.add_argument('--size', type=int, default=224)
    parser.add_argument('--width', type=float, default=1.0)
    parser.add_argument('--json', help='file to write')
    parser.add_argument('--side', help=argparse.SUPPRESS)
    parser.add_argument('--shared', type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(options)
        return
    with tempfile.TemporaryDirectory() as shared:
        result = measure(options, pathlib.Path(shared))
    print(json.dumps(result, indent=2))
    write_result(options.json, result)


if __name__ == '__main__':
    main()
