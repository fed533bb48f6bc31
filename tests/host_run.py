"""One host's part of a short training run, for test_joining.py.

    python host_run.py FOLDER [HOST STEP EVENT]

At that step that host kills itself ('kill'), gets SIGTERM ('stop'), or finds
that something given cannot be used ('input').
"""

import json
import os
import pathlib
import signal
import sys
import time

import jax
import numpy as np
import tiny_training

from brainjax.errors import InputError
from brainjax.training import hosts, joining, parallel
from brainjax.training.batches import indices
from brainjax.training.loop import Interrupted

FOLDER, EVENT = sys.argv[1], sys.argv[2:]


def batch_at(i):
    if EVENT and (hosts.index(), i) == (int(EVENT[0]), int(EVENT[1])):
        if EVENT[2] == 'kill':
            pathlib.Path(FOLDER, 'killed').write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)
        elif EVENT[2] == 'stop':
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            raise InputError('file.npz is missing; bring it.')
    n, batch = len(tiny_training.INPUTS), tiny_training.BATCH
    rows = parallel.local_rows(indices(0, 0, n, i, batch))
    return {'x': tiny_training.INPUTS[rows], 'y': tiny_training.TARGETS[rows]}


def work():
    try:
        state, history = tiny_training.run(
            FOLDER, batches=batch_at, validate=tiny_training.score_of
        )
    except Interrupted as error:
        print(error, file=sys.stderr)
        return joining.INTERRUPTED
    if hosts.is_first():
        leaves = jax.tree.leaves(
            state.replace(key=jax.random.key_data(state.key))
        )
        print(
            json.dumps(
                {
                    'hosts': hosts.count(),
                    'history': history,
                    'state': [np.asarray(x).tolist() for x in leaves],
                }
            )
        )
    return 0


if __name__ == '__main__':
    sys.exit(joining.together(work))
