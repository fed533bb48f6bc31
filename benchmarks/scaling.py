"""Weak scaling: what the parallel layer itself costs.

    python benchmarks/scaling.py --json scaling.json

The encoder of configs/demo.py with 16 examples a device, on 1, 2, 4 and 8
simulated devices of one process and on 1 and 2 processes of one device. All
share the same CPU, so that more devices have more work and not more cores:
each is compared with one device that takes the whole batch, in time and, where
others use the machine too, in CPU seconds. What is more than 1 is the parallel
layer: splitting, summing gradients and batch statistics, voting, and, between
processes, loopback.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from common import REPOSITORY, demo, write_result

EACH = 16  # Examples a device.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--steps', type=int, default=30)
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--work', type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps < 8:
        parser.error('give 8 steps or more: the first are not counted')
    if options.work:
        from brainjax.training import joining

        sys.exit(joining.together(lambda: work(options.work, options.steps)))
    cases = [
        ('1 device', 1, 1, 1),
        ('2 devices', 1, 2, 2),
        ('4 devices', 1, 4, 4),
        ('8 devices', 1, 8, 8),
        ('2 processes', 2, 1, 2),
    ]
    found = {}
    for _ in range(options.rounds):  # The sides take turns.
        for name, processes, devices, parts in cases:
            batch = EACH * parts
            whole = measure(1, 1, batch, options.steps)
            split = (
                whole
                if parts == 1
                else measure(processes, devices, batch, options.steps)
            )
            sides = found.setdefault(name, ([], []))
            sides[0].append(split)
            sides[1].append(whole)
            gradient_bytes = whole['bytes']
    rows = {}
    for name, _, _, parts in cases:
        split, whole = (
            {key: min(x[key] for x in side) for key in ('seconds', 'cpu')}
            for side in found[name]
        )
        rows[name] = {
            'batch': EACH * parts,
            'seconds': split['seconds'],
            'seconds_one_device': whole['seconds'],
            'ratio': split['seconds'] / whole['seconds'],
            'cpu': split['cpu'],
            'cpu_one_device': whole['cpu'],
            'cpu_ratio': split['cpu'] / whole['cpu'],
        }
        print(f'{name:12s} batch {EACH * parts:3d}', end='')
        for label, key in ((' ', 'seconds'), (' CPU ', 'cpu')):
            print(
                f' {label}{1e3 * split[key]:7.1f} ms, one device '
                f'{1e3 * whole[key]:7.1f} ms, {split[key] / whole[key]:.2f}',
                end='',
            )
        print()
    print(f'gradients: {gradient_bytes / 1e6:.2f} MB')
    result = {
        'name': 'scaling',
        'unit': 'seconds a step, fastest of the rounds',
        'ours': rows['4 devices']['seconds'],
        'peer': rows['4 devices']['seconds_one_device'],
        'peer_name': 'one device with the whole batch',
        'ratio': rows['4 devices']['ratio'],
        'rows': rows,
        'gradient_bytes': gradient_bytes,
    }
    write_result(options.json, result)


def measure(processes: int, devices: int, batch: int, steps: int) -> dict:
    """Runs the workers; returns what they printed, CPU seconds together."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, f'--work={batch}', f'--steps={steps}']
    started = []
    for i in range(processes):
        environment = os.environ | {
            'JAX_PLATFORMS': 'cpu',
            'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}',
            'PYTHONPATH': str(REPOSITORY),
        }
        if processes > 1:
            environment |= {
                'BRAINJAX_COORDINATOR': f'127.0.0.1:{port}',
                'BRAINJAX_PROCESSES': str(processes),
                'BRAINJAX_PROCESS': str(i),
            }
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
    outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f'a worker failed: {" ".join(command)}')
    told = [json.loads(output.splitlines()[-1]) for output in outputs]
    return told[0] | {'cpu': sum(x['cpu'] for x in told)}


def work(batch: int, steps: int) -> int:
    """Trains for some steps; prints time and CPU seconds of one, and bytes."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from ml_collections import FrozenConfigDict

    from brainjax import experiment
    from brainjax.commands.jax_setup import set_up_jax
    from brainjax.methods.selfsup import networks as selfsup_networks
    from brainjax.methods.selfsup import steps as selfsup_steps
    from brainjax.training import parallel, state
    from brainjax.training.batches import indices
    from brainjax.training.loop import train

    set_up_jax()
    config = demo()
    config.simulated.update(n_train=64, n_test=2, n_unpaired_fmri=0)
    config.encoder.steps = steps
    config = FrozenConfigDict(config)
    recording = experiment.open_data(config).normalised
    backbone = selfsup_networks.load_backbone(config.encoder, config.seed)
    encoder = selfsup_networks.build_encoder(config, recording.voxels)
    shapes = selfsup_networks.feature_shapes(config, backbone)
    variables = state.initialise(
        encoder,
        jax.random.key(0),
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes),
    )
    asked = []

    def batch_at(step):
        asked.append((time.monotonic(), time.process_time()))
        i = parallel.local_rows(
            indices(0, 2, len(recording.train), step, batch)
        )
        return {
            'fmri': recording.train.fmri[i],
            'images': recording.stimuli.images[recording.train.stimulus[i]],
        }

    with tempfile.TemporaryDirectory() as folder:
        train(
            selfsup_steps.encoder_step(config, encoder),
            state.create(
                variables,
                selfsup_steps.build_optimizer(config.encoder),
                jax.random.key(1),
                selfsup_steps.ENCODER_METRICS,
            ),
            {'encoder_backbone': backbone},
            batch_at,
            epochs=1,
            steps_per_epoch=steps,
            folder=folder,
            label='encoder',
        )
    # Batches are asked for as steps are done, but for those ahead; the first
    # step is compiled.
    seconds, cpu = np.diff(asked, axis=0)[max(steps // 3, 5) :].mean(axis=0)
    numbers = sum(x.size for x in jax.tree.leaves(variables['params']))
    print(json.dumps({'seconds': seconds, 'cpu': cpu, 'bytes': 4 * numbers}))
    return 0


if __name__ == '__main__':
    main()
