"""Checkpoints with Orbax: all or nothing, verified, compatible."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from brainjax.errors import InputError
from brainjax.io import files
from brainjax.io.files import PathLike
from brainjax.io.provenance import difference
from brainjax.training import hosts
from brainjax.training.state import TrainState

_UNFINISHED = '*.orbax-checkpoint-tmp*'


@contextlib.contextmanager
def manager(
    folder: PathLike, keep: int = 2
) -> Iterator[ocp.CheckpointManager | None]:
    """Yields a manager whose pending saves are finished on the way out.

    Of many hosts the first one writes and reads; the others get None. What
    killed processes left half written is removed.
    """
    if not hosts.is_first():
        yield None
        return
    # Orbax would wait for the other hosts, and they do not come here.
    alone = {'active_processes': {0}} if hosts.count() > 1 else {}
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        multiprocessing_options=ocp.options.MultiprocessingOptions(**alone),
        **({'create': False} if alone else {}),
    )
    folder = os.path.abspath(folder)
    with _writing(folder):
        os.makedirs(folder, exist_ok=True)
    # Orbax would remove what a living process is writing, too.
    with files.shared_lock(folder, lambda: _sweep(folder)):
        with _writing(folder):
            m = ocp.CheckpointManager(
                folder, options=options, item_names=('state', 'about')
            )
        try:
            yield m
        finally:
            with _writing(folder):
                m.close()


def _sweep(folder: str) -> None:
    with _writing(folder):
        for left in pathlib.Path(folder).glob(_UNFINISHED):
            shutil.rmtree(left)


@contextlib.contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        # What the system says stands at the end.
        reason = str(error).splitlines()[0].split(': ')[-1]
        raise InputError(
            f'{folder} cannot be written to ({reason}); make room or change '
            'its permissions and run the same command again.'
        ) from error


def _plain(state: TrainState) -> Any:
    """The state as nested dicts and NumPy arrays, its key as numbers."""
    state = state.replace(key=jax.random.key_data(state.key))
    return jax.device_get(state)


def _digest(tree: Any) -> str:
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(str(leaf.dtype).encode())
        digest.update(np.ascontiguousarray(leaf))
    return digest.hexdigest()


def save(
    m: ocp.CheckpointManager | None,
    state: TrainState,
    history: list[dict[str, float]],
    made_from: Mapping[str, Any] | None = None,
) -> None:
    """Saves the state and the epochs' metrics under the state's step.

    A step that is already saved is left as it is. Orbax writes behind the
    training's back, so that a disk that is full shows at the next save.
    """
    if m is None:
        return
    plain = _plain(state)
    step = int(plain.step)
    if step in m.all_steps():
        return
    about = {
        'state': _digest(plain),
        'shapes': _shapes(plain),
        # A copy: Orbax writes it later, when training has added to the list.
        'history': list(history),
        'made_from': dict(made_from or {}),
    }
    about = {'about': about, 'sha256': _text_digest(about)}
    args = ocp.args.Composite(
        state=ocp.args.StandardSave(plain), about=ocp.args.JsonSave(about)
    )
    with _writing(os.fspath(m.directory)):
        m.save(step, args=args)


def steps_done(folder: PathLike) -> int:
    """Returns the step of the newest checkpoint, or 0; alike on every host."""
    saved = pathlib.Path(folder).glob('[0-9]*')
    return hosts.run_on_first(
        lambda: max((int(p.name) for p in saved if p.name.isdigit()), default=0)
    )


def _text_digest(about: dict[str, Any]) -> str:
    text = json.dumps(about, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _shapes(tree: Any) -> dict[str, str]:
    return {
        jax.tree_util.keystr(path): f'{leaf.dtype}{list(leaf.shape)}'
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def resume(
    m: ocp.CheckpointManager | None,
    like: TrainState,
    made_from: Mapping[str, Any] | None = None,
) -> tuple[TrainState, list[dict[str, float]]]:
    """Returns the state and history to go on from, the same on every host.

    They are those of the newest checkpoint of the first host, or `like` and
    none. How many hosts saved it makes no difference.

    Args:
      m: from `manager`.
      like: the state before the first step.
      made_from: what the run is trained on and how, ready for JSON, by names
        such as 'recording' and 'config'.
    """
    state = like

    def read():
        nonlocal state
        found = restore(m, like, made_from)
        if found is None:
            return []
        state, history = found
        return history

    history = hosts.run_on_first(read)
    if hosts.count() > 1:
        plain = hosts.broadcast(_plain(state))
        state = plain.replace(key=jax.random.wrap_key_data(plain.key))
    return state, history


def restore(
    m: ocp.CheckpointManager,
    like: TrainState,
    made_from: Mapping[str, Any] | None = None,
) -> tuple[TrainState, list[dict[str, float]]] | None:
    """Returns the newest state and history, or None if there is none.

    Args:
      m: from `manager`.
      like: a state of the same shapes.
      made_from: see `resume`; None asks nothing.
    """
    step = m.latest_step()
    if step is None:
        return None
    plain = _plain(like)
    folder = os.path.join(m.directory, str(step))
    try:
        found = m.restore(
            step, args=ocp.args.Composite(about=ocp.args.JsonRestore())
        )['about']
        about = found['about']
        intact = _text_digest(about) == found['sha256']
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(_damaged(folder)) from error
    if not intact:
        raise InputError(_damaged(folder))
    expected = _shapes(plain)
    # Parameters first: the optimiser's state differs wherever they do.
    for name in sorted(
        {*expected, *about['shapes']},
        key=lambda name: (not name.startswith('.params'), name),
    ):
        ours, theirs = expected.get(name), about['shapes'].get(name)
        if ours != theirs:
            raise InputError(
                f'{folder} holds another network: {name} is {theirs} there '
                f'and {ours} here; use another --workdir or the config it '
                'was made with.'
            )
    if made_from is not None:
        _check_origin(folder, about.get('made_from', {}), made_from)
    try:
        restored = m.restore(
            step,
            args=ocp.args.Composite(state=ocp.args.StandardRestore(plain)),
        )['state']
    except (OSError, KeyError, ValueError) as error:
        raise InputError(_damaged(folder)) from error
    if _digest(restored) != about['state']:
        raise InputError(_damaged(folder))
    key = jax.random.wrap_key_data(restored.key)
    return restored.replace(key=key), about['history']


def _check_origin(
    folder: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> None:
    found = difference(theirs, ours)
    if found:
        name, old, new = found
        # Hashes tell a reader nothing.
        values = f' ({old!r} there, {new!r} here)' if '.' in name else ''
        raise InputError(
            f'{folder} was trained with another {name} than is given '
            f'now{values}; use another --workdir, or bring back what it was '
            'trained with.'
        )


def _damaged(folder: str) -> str:
    return (
        f'{folder} is a damaged checkpoint; delete that folder to go on from '
        'the one before it.'
    )
