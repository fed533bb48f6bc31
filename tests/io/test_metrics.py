"""Metrics of stages: whole files, no line twice, event files that are read."""

import struct
import sys
import threading

import pytest
import tiny
from tiny_training import batch_at, run

from brainjax import experiment
from brainjax.errors import InputError
from brainjax.io import metrics
from brainjax.training.loop import Interrupted


def lines(folder):
    return (folder / metrics.FILE).read_text().splitlines()


def scalars(folder):
    """Step -> loss, as TensorBoard shows them: what is purged is dropped."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found = {}
    files = folder.glob('*tfevents*')
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from('<Q', data, at)
            event = Event.FromString(data[at + 12 : at + 12 + size])
            at += size + 16  # Length and data have a checksum each.
            if event.session_log.status == SessionLog.START:
                found = {k: v for k, v in found.items() if k < event.step}
            for value in event.summary.value:
                assert value.tag == 'loss' and event.step not in found
                found[event.step] = value.simple_value
    return found


def test_a_killed_run_has_each_line_once(tmp_path):
    def logged(folder, **options):
        log = metrics.logger(folder, 'encoder', tensorboard=True)
        return run(folder / 'checkpoints', log=log, **options)

    def kill(i):
        if i == 12:
            raise KeyboardInterrupt
        return batch_at(i)

    metrics.logger(tmp_path, 'before')([{'step': 10, 'loss': 0.5}])
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        # Its last checkpoint is of an epoch before the last that was told.
        logged(tmp_path, batches=kill, checkpoint_every=100)
    assert len(lines(tmp_path)) > 2
    _, history = logged(tmp_path)
    assert lines(tmp_path) == [
        'stage,step,name,value',
        'before,10,loss,0.5',
        *(f'encoder,{r["epoch"]},loss,{r["loss"]!r}' for r in history),
    ]
    told = scalars(tmp_path / 'tensorboard' / 'encoder')
    assert told == pytest.approx({r['epoch']: r['loss'] for r in history})
    # No thread is left that looks for events without a pause.
    kinds = [type(thread).__module__ for thread in threading.enumerate()]
    assert not any(name.startswith('tensorboardX') for name in kinds)
    # A run that is done adds nothing.
    events = [*(tmp_path / 'tensorboard' / 'encoder').iterdir()]
    logged(tmp_path)
    assert [*(tmp_path / 'tensorboard' / 'encoder').iterdir()] == events


def test_missing_tensorboard_is_told_before_anything(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    config = tiny.get_config()
    config.log.tensorboard = True
    with pytest.raises(InputError, match=r"pip install 'brainjax\[tensorb"):
        experiment.run(config, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()
