"""Processes over loopback are hosts: same numbers, no hang, resumable."""

import json
import re
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import tiny_training
from conftest import TESTS
from processes import environment, free_port, run

from brainjax.errors import InputError
from brainjax.training import joining
from brainjax.training.checkpoints import manager


def training(processes, folder, *event):
    return run(processes, TESTS / 'host_run.py', folder, *event)


def numbers(done):
    """The first host's numbers, after every host ended well."""
    assert [status for status, _, _ in done] == [0] * len(done), done
    for _, out, _ in done[1:]:  # Gloo itself says that it is connected.
        assert all(line.startswith('[Gloo]') for line in out.splitlines())
    found = json.loads(done[0][1].splitlines()[-1])
    assert found['hosts'] == len(done)
    return found


def alone(folder):
    """The numbers of one host, in this process."""
    state, history = tiny_training.run(folder, validate=tiny_training.score_of)
    leaves = jax.tree.leaves(state.replace(key=jax.random.key_data(state.key)))
    return {'history': history, 'state': leaves}


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    return alone(tmp_path_factory.mktemp('one'))


def assert_same(found, undisturbed):
    for ours, theirs in zip(found['history'], undisturbed['history']):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4)
    for ours, theirs in zip(found['state'], undisturbed['state']):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_hosts_give_the_numbers_of_one(tmp_path, undisturbed):
    assert_same(numbers(training(2, tmp_path)), undisturbed)
    # And the same checkpoint, which one process reads.
    assert_same(alone(tmp_path), undisturbed)


@pytest.mark.parametrize(('lost', 'then'), [(1, 3), (0, 1)])
def test_lost_host_ends_the_others_and_the_run_goes_on_with_any_number(
    tmp_path, undisturbed, lost, then
):
    done = training(2, tmp_path, lost, 14, 'kill')
    assert time.time() - float((tmp_path / 'killed').read_text()) < 60
    assert done[lost][0] == -9
    status, _, err = done[1 - lost]
    assert status == 130, err
    assert re.search(
        rf'brainjax: host {1 - lost} of 2: .*; the same command on all hosts '
        'resumes from what was saved',
        err,
    )
    assert 'Traceback' not in err
    # JAX itself prints a trace where its store went with the first host.
    assert lost == 0 or 'stack trace' not in err
    with manager(tmp_path) as m:
        assert m.latest_step() in (5, 10)
    found = numbers(training(then, tmp_path)) if then > 1 else alone(tmp_path)
    assert_same(found, undisturbed)


def test_signal_to_one_host_saves_and_stops_all(tmp_path, undisturbed):
    done = training(2, tmp_path, 1, 7, 'stop')
    assert [status for status, _, _ in done] == [130, 130], done
    assert all('stopped after' in err for _, _, err in done)
    with manager(tmp_path) as m:
        assert 5 < m.latest_step() < 20
    assert_same(alone(tmp_path), undisturbed)


def test_bad_input_on_one_host_ends_all(tmp_path):
    done = training(2, tmp_path, 1, 7, 'input')
    assert [status for status, _, _ in done] == [2, 2], done
    assert 'file.npz is missing; bring it.' in done[1][2]


def test_options_from_the_environment():
    assert joining.options({}) is None
    assert joining.options({'BRAINJAX_HOSTS': 'auto'}) == {}
    given = dict(zip(joining.VARIABLES, ('10.0.0.1:1234', '4', '3')))
    assert joining.options(given) == {
        'coordinator_address': '10.0.0.1:1234',
        'num_processes': 4,
        'process_id': 3,
    }


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (('', '2', '0'), 'BRAINJAX_COORDINATOR is not set'),
        (('here', '2', '0'), 'write ADDRESS:PORT'),
        (('a:0', '2', '0'), 'a port from 1 to 65535'),
        (('a:99999', '2', '0'), 'a port from 1 to 65535'),
        (('a:-1', '2', '0'), 'a port from 1 to 65535'),
        (('a:1', '2', '2'), 'count processes from 0'),
        (('a:1', 'two', '0'), 'count processes from 0'),
    ],
)
def test_bad_options(values, message):
    with pytest.raises(InputError, match=message):
        joining.options(dict(zip(joining.VARIABLES, values)))


def test_bad_way():
    with pytest.raises(InputError, match='BRAINJAX_HOSTS'):
        joining.options({'BRAINJAX_HOSTS': 'slurm'})


JOIN = """
import sys
from brainjax.errors import InputError
from brainjax.training import joining

joining.SECONDS_TO_START = 5
try:
    sys.exit(joining.together(lambda: 0))
except InputError as error:
    sys.exit(f'sentence: {error}')
"""


def join(port, process, **changes):
    """What a host prints that cannot join, and how long that takes."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-c', JOIN],
        env={
            **environment(1),
            'BRAINJAX_COORDINATOR': f'127.0.0.1:{port}',
            'BRAINJAX_PROCESSES': '2',
            'BRAINJAX_PROCESS': str(process),
            **changes,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # JAX takes some seconds more than it is given.
    assert time.monotonic() - began < 60
    (line,) = done.stderr.splitlines()
    return done.returncode, line


def test_port_that_is_taken():
    with socket.socket() as other:
        other.bind(('0.0.0.0', 0))
        other.listen()
        port = other.getsockname()[1]
        status, line = join(port, 0)
    assert status == 1 and line == (
        f'sentence: port {port} of this host cannot be used (Address already '
        'in use); give BRAINJAX_COORDINATOR another port, the same on all '
        'hosts.'
    )


@pytest.mark.parametrize('process', [0, 1])
def test_host_that_does_not_come(process):
    port = free_port()
    status, line = join(port, process)
    assert 'the hosts did not find each other' in line
    if process:
        assert status == 1
        assert f'127.0.0.1:{port} did not answer in 5 s' in line
    else:  # JAX has aborted.
        assert status == 2 and 'a host did not come in time' in line


def test_platform_that_is_missing_on_a_host():
    status, line = join(
        free_port(), 0, BRAINJAX_PROCESSES='1', JAX_PLATFORMS='gpuu'
    )
    assert status == 2 and 'cannot compute on JAX_PLATFORMS=gpuu' in line


def test_one_host_needs_no_others():
    assert joining.together(lambda: 7) == 7
