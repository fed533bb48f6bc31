"""All that is to be known of one accelerator, in one call of nine minutes.

    pip install -e '.[test,parity]' 'jax[cuda12]'
    python benchmarks/gpu.py --json gpu.json
    python benchmarks/gpu.py --scale 0.05 --steps 2  # a smoke test, on a CPU

Each row is a process of its own, so that none holds memory of another's. The
train steps of all methods, in float32, tf32 and bfloat16, and the two linear
solvers are those of `tpu_compile.py` at the published sizes, on numbers of no
meaning; operations are the compiler's count. Then come the peers, each in its
own benchmark: PyTorch (eager, and compiled) for the decoder's step, PyTorch for
the VAE-GAN's, bdpy for the search of pictures. From the steps follow the times
of whole experiments. What does not fit into the time is told as not run.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import tpu_compile
from common import write_result

# Name of a type -> what networks compute in, how exact float32 products are.
TYPES = {
    'float32': ('float32', 'highest'),
    'tf32': ('float32', 'tensorfloat32'),
    'bfloat16': ('bfloat16', 'tensorfloat32'),
}
HERE = pathlib.Path(__file__).parent
# Steps of Gaziv et al. 2022; units of 19 layers of VGG19; steps of a search.
ENCODER_STEPS, DECODER_STEPS = 950, 7500
ALL_UNITS, SEARCH_STEPS = 14_861_288, 200
UNITS, PICTURES = 256, 8  # Of one call of `tpu_compile`'s programs.
PEERS = {
    'decoder beside PyTorch': ('decoder_step.py', '--steps', '20'),
    'decoder beside compiled PyTorch': (
        *('decoder_step.py', '--steps', '20', '--compile-peer'),
    ),
    'VAE-GAN beside PyTorch': ('vaegan_step.py', '--steps', '20'),
    'search beside bdpy': ('inversion.py', '--steps', '6'),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--json', type=pathlib.Path)
    parser.add_argument('--steps', type=int, default=50, help='timed steps')
    parser.add_argument(
        '--scale', type=float, default=1, help='of voxels, widths and batches'
    )
    parser.add_argument('--seconds', type=float, default=530, help='for all')
    parser.add_argument('--no-peers', action='store_true')
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)
    known = parser.parse_args()
    if known.one:
        found = measure(*known.one, known.scale, known.steps)
        write_result(known.json, found)
        return
    until = time.monotonic() + known.seconds
    rows = [
        run(
            f'{name} {kind}',
            [
                *(__file__, '--one', name, kind, '--scale', known.scale),
                *('--steps', known.steps),
            ],
            until,
        )
        for name in tpu_compile.STEPS
        for kind in TYPES
        if name not in tpu_compile.ALONE or kind == 'float32'
    ]
    if not known.no_peers:
        rows += [
            run(name, [HERE / command[0], *command[1:]], until)
            for name, command in PEERS.items()
        ]
    show(rows, projected(rows))
    first = next((row for row in rows if 'seconds' in row), {})
    result = {
        'name': 'gpu',
        'unit': 'hours of one subject in full, by type',
        'ours': projected(rows).get('Gaziv et al. 2022, hours, float32'),
        'device': first.get('device'),
        'rows': rows,
        'projected': projected(rows),
    }
    write_result(known.json, result)


def run(name: str, command: list, until: float) -> dict:
    """Runs a benchmark; returns its result, or why there is none."""
    print(f'{name} ...', file=sys.stderr, flush=True)
    left = until - time.monotonic()
    if left < 1:
        return {'name': name, 'error': 'not run: the time was up'}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, 'out.json')
        try:
            done = subprocess.run(
                [sys.executable, *map(str, command), '--json', out],
                capture_output=True,
                text=True,
                timeout=left,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {'name': name, 'error': f'stopped after {left:.0f} s'}
        if done.returncode or not out.exists():
            lines = done.stderr.strip().splitlines() or ['']
            return {'name': name, 'error': lines[-1]}
        return json.loads(out.read_text()) | {'name': name}


def filled(tree):
    """Arrays of these shapes: small positive numbers, which keep finite."""
    import jax

    rng = np.random.default_rng(0)

    def one(x):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            keys = jax.random.split(jax.random.key(0), max(1, x.size))
            return keys.reshape(x.shape)
        if np.issubdtype(x.dtype, np.integer):
            high = 256 if x.dtype == np.uint8 else 1
            return rng.integers(0, high, x.shape).astype(x.dtype)
        drawn = 0.01 + 0.02 * rng.random(x.shape, np.float32)
        return jax.numpy.asarray(drawn, x.dtype)

    return jax.tree.map(one, tree)


def measure(name: str, kind: str, scale: float, steps: int) -> dict:
    """Times a step of `tpu_compile.STEPS` on the device that is here."""
    import jax

    from brainjax.training import parallel

    dtype, precision = TYPES[kind]
    jax.config.update('jax_default_matmul_precision', precision)
    program = tpu_compile.STEPS[name](dtype, scale, jax.device_count())
    batch = filled(program.batch)
    if program.alone:
        given, call = jax.device_put(batch), jax.jit(program.step)
        lowered = call.lower(given)
    else:
        given = parallel.replicate(filled(program.frozen))
        state = parallel.replicate(filled(program.state))
        batch = parallel.shard(batch)
        call = parallel.parallel(program.step)
        lowered = call.lower(state, given, batch)
    began = time.perf_counter()
    compiled = lowered.compile()
    compile_seconds = time.perf_counter() - began
    # The first call is not counted.
    for i in range(steps + 1):
        if i == 1:
            began = time.perf_counter()
        if program.alone:
            made = compiled(given)
        else:
            state, made = compiled(state, given, batch)
        if i in (0, steps):
            jax.block_until_ready(made)
    seconds = (time.perf_counter() - began) / steps
    flop = (compiled.cost_analysis() or {}).get('flops', np.nan)
    held = (jax.local_devices()[0].memory_stats() or {}).get(
        'peak_bytes_in_use', np.nan
    )
    return {
        'unit': 'seconds a step',
        'ours': seconds,
        'seconds': seconds,
        'compile_seconds': compile_seconds,
        'gflop': flop / 1e9,
        'tflop_a_second': flop / seconds / 1e12,
        'peak_gb': held / 1e9,
        'scale': scale,
        'steps': steps,
    }


def projected(rows: list[dict]) -> dict[str, float]:
    """Times of whole experiments, and rates, from the steps."""
    took = {row['name']: row.get('seconds') for row in rows}
    found = {}
    for kind in TYPES:
        first, second = (
            took.get(f'{n} {kind}') for n in ('encoder', 'decoder')
        )
        if first and second:
            hours = (ENCODER_STEPS * first + DECODER_STEPS * second) / 3600
            found[f'Gaziv et al. 2022, hours, {kind}'] = hours
    if took.get('ridge float32'):
        rate = UNITS / took['ridge float32']
        found['ridge, units a second'] = rate
        found['ridge, hours of all units of VGG19'] = ALL_UNITS / rate / 3600
    if took.get('inversion float32'):
        found['search, pictures a second'] = PICTURES / (
            SEARCH_STEPS * took['inversion float32']
        )
    return found


def show(rows: list[dict], whole: dict[str, float]) -> None:
    """Prints tables as the documents have them."""
    print(
        '| step | time | TFLOP/s | peak | compiled in |\n|---|---|---|---|---|'
    )
    for row in rows:
        if 'seconds' in row:
            numbers = [
                float('nan') if row[key] is None else row[key]
                for key in (
                    *('seconds', 'tflop_a_second', 'peak_gb'),
                    'compile_seconds',
                )
            ]
            print(
                '| {} | {:.4g} ms | {:.2f} | {:.1f} GB | {:.0f} s |'.format(
                    row['name'], 1e3 * numbers[0], *numbers[1:]
                )
            )
    print('\n| beside | ours | peer | peer / ours |\n|---|---|---|---|')
    for row in rows:
        if 'seconds' not in row and 'error' not in row:
            print(
                f'| {row["name"]} | {row["ours"]:.4g} | {row["peer"]:.4g} '
                f'| {row["ratio"]:.2f} |'
            )
    print('\n| in full, by these steps | |\n|---|---|')
    for name, value in whole.items():
        print(f'| {name} | {value:.3g} |')
    for row in rows:
        if 'error' in row:
            print(f'{row["name"]}: {row["error"]}')


if __name__ == '__main__':
    main()
