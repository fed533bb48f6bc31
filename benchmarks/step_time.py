"""Where a step's time goes: arithmetic, data, host.

    python benchmarks/step_time.py --json step_time.json
    python benchmarks/step_time.py --full --compute-dtype bfloat16  # for a GPU

The encoder and the decoder of configs/demo.py, or with --full in the published
setting with random weights, trained on a simulated subject by the training loop
itself, three times:

* T, a step as it is, without validation and checkpoints;
* U, with a batch that is made beforehand, so that only its way to the device
  is left;
* A, the compiled step alone, on a batch that lies on the device.

Arithmetic is A / T, data (T - U) / T and host (U - A) / T: dispatch, the way of
the batch, progress, the vote on stopping. What is made ahead in time, by
another thread, takes no time of a step; `alone` says what it takes.
"""

import argparse
import itertools
import pathlib
import statistics
import tempfile
import time

from common import demo, write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--steps', type=int, default=30)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--full', action='store_true')
    parser.add_argument('--compute-dtype', default='float32')
    options = parser.parse_args()
    config = setting(options.full)
    config.compute_dtype = options.compute_dtype
    for section in (config.encoder, config.decoder):
        section.update(epochs=1, steps=options.steps)
    peak = matrix_product(options.compute_dtype)
    rows = {}
    for name, given in trainings(config).items():
        rows[name] = row = measure(given, options.steps, options.rounds)
        row['flops'] = row['flop'] / row['arithmetic']
        row['of_matrix_product'] = row['flops'] / peak
        parts = {
            part: row[part] / row['step']
            for part in ('arithmetic', 'data', 'host')
        }
        print(
            f'{name}: {1e3 * row["step"]:.1f} ms a step: '
            + ', '.join(f'{part} {x:.1%}' for part, x in parts.items())
            + f'; a batch alone {1e3 * row["alone"]:.1f} ms; '
            f'{row["flop"] / 1e9:.1f} GFLOP a step, '
            f'{row["flops"] / 1e9:.0f} GFLOP/s, '
            f'{row["of_matrix_product"]:.0%} of a matrix product'
        )
    result = {
        'name': 'step_time',
        'unit': 'seconds a step, median of the rounds',
        'ours': rows['decoder']['step'],
        'peer': rows['decoder']['arithmetic'],
        'peer_name': 'the compiled step alone',
        'ratio': rows['decoder']['step'] / rows['decoder']['arithmetic'],
        'rows': rows,
        'matrix_product_flops': peak,
        'compute_dtype': options.compute_dtype,
        'full': options.full,
    }
    write_result(options.json, result)


def setting(full: bool):
    """Returns the config of the demo, or the published one."""
    if full:
        from brainjax.methods.selfsup.config import gaziv2022

        config = gaziv2022()
        config.encoder.weights = config.image_loss.weights = 'random'
        config.decoder.decoder_encoder = 1.0
        config.simulated.voxels = {'V1': 2000, 'V4': 1000, 'HVC': 1643}
        config.simulated.n_train = 100
        config.pictures.number = 100
    else:
        config = demo()
        config.simulated.n_train = 128
        config.pictures.number = 256
    config.simulated.update(n_test=2, n_unpaired_fmri=32, test_repeats=1)
    config.validation = 0.0
    config.voxel_snr = 'uniform'
    return config


def trainings(config) -> dict:
    """Returns what the encoder's and the decoder's training are given."""
    from brainjax import experiment
    from brainjax.commands.jax_setup import set_up_jax
    from brainjax.methods.selfsup import method as selfsup
    from brainjax.methods.selfsup import training as selfsup_training

    set_up_jax()
    given, train = {}, selfsup_training.train

    def note(step, state, frozen, batch_at, **options):
        import jax
        import jax.numpy as jnp

        # Each training consumes its state.
        copy = jax.tree.map(jnp.copy, state)
        given[options['label']] = step, copy, frozen, batch_at
        return train(step, state, frozen, batch_at, **options)

    selfsup_training.train = note
    with tempfile.TemporaryDirectory() as folder:
        selfsup.fit(experiment.open_data(config), config, folder)
    selfsup_training.train = train
    return given


def measure(given, steps: int, rounds: int) -> dict[str, float]:
    """Returns seconds a step of each part, and the step's operations."""
    import jax

    from brainjax.training import parallel

    step, state, frozen, batch_at = given
    batch = batch_at(0)
    run = parallel.parallel(step)
    frozen = parallel.replicate(frozen)
    on_device = parallel.shard(batch)
    compiled = run.lower(state, frozen, on_device).compile()
    found = {'T': [], 'U': [], 'A': [], 'alone': []}
    for _ in range(rounds):  # The parts take turns.
        found['T'].append(loop(given, batch_at, steps))
        found['U'].append(loop(given, lambda i: batch, steps))
        now = parallel.replicate(jax.tree.map(jax.numpy.copy, state))
        now, _ = run(now, frozen, on_device)
        jax.block_until_ready(now)
        began = time.perf_counter()
        for _ in range(steps):
            now, _ = run(now, frozen, on_device)
        jax.block_until_ready(now)
        found['A'].append((time.perf_counter() - began) / steps)
        began = time.perf_counter()
        for i in range(steps):
            jax.block_until_ready(parallel.shard(batch_at(i)))
        found['alone'].append((time.perf_counter() - began) / steps)
    median = {name: statistics.median(times) for name, times in found.items()}
    return {
        'step': median['T'],
        'arithmetic': median['A'],
        'data': median['T'] - median['U'],
        'host': median['U'] - median['A'],
        'alone': median['alone'],
        'flop': compiled.cost_analysis()['flops'],
    }


def loop(given, batch_at, steps: int) -> float:
    """Trains for some steps; returns seconds a step in the later part."""
    import jax

    from brainjax.training.loop import train

    step, state, frozen, _ = given
    asked = []

    def listening(i):
        asked.append(time.perf_counter())
        return batch_at(i)

    with tempfile.TemporaryDirectory() as folder:
        train(
            step,
            jax.tree.map(jax.numpy.copy, state),
            frozen,
            listening,
            epochs=1,
            steps_per_epoch=steps,
            folder=folder,
            label='training',
        )
    # Batches are asked for as steps are done, but for those ahead.
    later = asked[steps // 3 :]
    return statistics.mean(b - a for a, b in itertools.pairwise(later))


def matrix_product(dtype: str, n: int = 4096) -> float:
    """Returns the operations a second of a large square matrix product."""
    import jax
    import jax.numpy as jnp

    if jax.default_backend() == 'cpu':
        n = 1024
    x = jnp.ones((n, n), dtype)
    product = jax.jit(jnp.matmul)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        product(x, x).block_until_ready()
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times)


if __name__ == '__main__':
    main()
