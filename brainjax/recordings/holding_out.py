"""Which stimuli to test on where a file does not say."""

from collections.abc import Mapping

import numpy as np

from brainjax.errors import InputError


def last_tenth(
    stimulus: np.ndarray,
    train: np.ndarray,
    category: Mapping[str, str],
    where: str,
) -> tuple[np.ndarray, str]:
    """Holds out the last tenth of each category's stimuli.

    By first appearance, at least one of each category that has several.

    Args:
      stimulus: [trials] names.
      train: [trials] bool, those to hold out of.
      category: of each stimulus; '' for none.
      where: what to name in messages.

    Returns:
      [trials] bool, True for what is held out, and a sentence on it.
    """
    names = [*dict.fromkeys(stimulus[train])]
    if len(names) < 2:
        raise InputError(
            f'{where} holds one stimulus only; at least two are needed, to '
            'train on one and test on the other.'
        )
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(category[name], []).append(name)
    if all(len(group) == 1 for group in members.values()):
        members = {'': names}
    out = [
        name
        for group in members.values()
        if len(group) > 1
        for name in group[-max(1, len(group) // 10) :]
    ]
    return train & np.isin(stimulus, out), (
        f'{where} does not say which trials are for testing; {len(out)} of '
        f'the {len(names)} stimuli, the last tenth of each category, are held '
        'out.'
    )
