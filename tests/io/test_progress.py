import os
import pty
import re
import subprocess
import sys

from brainjax.io import progress as module
from brainjax.io.progress import progress


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(module.time, 'monotonic', lambda: self.now)


def test_lines_tell_rate_time_left_and_text(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with progress('decoder', 100, start=40) as show:
        clock.now += 30  # The first step compiles.
        show(41, 'loss 9')
        for done in range(42, 101):
            clock.now += 2
            show(done, f'loss {100 - done}')
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == 'decoder: 41/100 steps  loss 9'
    assert lines[1] == (
        'decoder: 46/100 steps, 0.50 steps/s, 108 s left  loss 54'
    )
    assert lines[-1] == (
        'decoder: 100/100 steps, 0.50 steps/s, 0 s left  loss 0'
    )
    # One line in ten seconds, and the last.
    assert len(lines) == 2 + 10 + 1


def test_total_may_become_known_later_or_never(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with progress('vgg19', None, unit='MB') as show:
        for done, total in ((0, None), (50, None), (120, 548), (548, 548)):
            show(done, total=total)
            clock.now += 10
    assert capsys.readouterr().err.splitlines() == [
        'vgg19: 50 MB, 5.00 MB/s',
        'vgg19: 120/548 MB, 6.00 MB/s, 72 s left',
        'vgg19: 548/548 MB, 18.27 MB/s, 0 s left',
    ]


def test_terminals_get_a_bar():
    main, follower = pty.openpty()
    code = (
        'from brainjax.io.progress import progress\n'
        'with progress("encoder", 20) as show:\n'
        '    for i in range(20): show(i + 1, f"loss {i}")\n'
    )
    env = {**os.environ, 'TERM': 'xterm', 'COLUMNS': '100'}
    process = subprocess.Popen(
        [sys.executable, '-c', code], stderr=follower, env=env
    )
    os.close(follower)
    shown = b''
    try:
        while chunk := os.read(main, 1 << 16):
            shown += chunk
    except OSError:  # The other end was closed.
        pass
    os.close(main)
    assert process.wait() == 0
    text = re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', shown.decode())
    assert re.search(r'encoder ━+ 20/20 [\d.]+ steps/s 0:00:00 loss 19', text)
