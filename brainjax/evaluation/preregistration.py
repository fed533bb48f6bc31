"""What was said before a run, and whether it was kept.

A preregistration is a JSON file that names one primary score, its alpha, the
number of test pictures, what is left out, the seed, all settings and hashes of
the data. It holds its date and its own hash, so that an edit is noticed; who
writes a new file with another date is told apart by depositing the hash
elsewhere (a registry, a mail) before the run.
"""

import datetime
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from brainjax.errors import InputError, suggestion
from brainjax.evaluation.table.score_table import (
    SCORES,
    decimals,
    describe,
    is_defined,
    p_in_words,
)
from brainjax.io import files, provenance
from brainjax.io.files import PathLike

# What of a recording is used; the rest of it is left out.
USED = ('roi', 'options', 'test', 'subject', 'fold')
# Where files lie says nothing: their hashes do.
_PLACES = (
    *('recording.path', 'recording.images', 'pictures.path'),
    'preregistration.path',
)
_KEYS = {
    *('preregistration', 'date', 'primary', 'alpha', 'pictures'),
    *('exclusions', 'seed', 'config', 'fingerprints', 'sha256'),
}


class Item(NamedTuple):
    """One thing that was registered.

    Attributes:
      item: what.
      registered, found: in words.
      kept: whether the run did so.
    """

    item: str
    registered: str
    found: str
    kept: bool


class Outcome(NamedTuple):
    """What came of a preregistration.

    Attributes:
      date, sha256: of the file.
      items: one a thing that was registered.
      above: whether the primary score is above chance at alpha; None if it
        was not scored.
      verdict: the same, a sentence.
    """

    date: str
    sha256: str
    items: list[Item]
    above: bool | None
    verdict: str


def write(
    path: PathLike,
    config: Mapping[str, Any],
    pictures: int,
    fingerprints: Mapping[str, str],
    primary: str,
    alpha: float = 0.05,
    exclusions: str = 'none beyond the settings',
) -> str:
    """Writes a preregistration; never over another one.

    Args:
      path: of the file.
      config: of the experiment, nested.
      pictures: how many test pictures there are.
      fingerprints: hashes of what the run learns from.
      primary: name of the score that decides, as in scores.json.
      alpha: of its test.
      exclusions: in words, what will be left out besides.

    Returns:
      The file's own hash.
    """
    _check(primary, alpha, pictures)
    if pathlib.Path(path).exists():
        raise InputError(
            f'{path} exists, and a preregistration is not written over; name '
            'another file with --out.'
        )
    now = datetime.datetime.now(datetime.UTC)
    content = {
        'preregistration': 1,
        'date': now.isoformat(timespec='seconds'),
        'primary': primary,
        'alpha': alpha,
        'pictures': pictures,
        'exclusions': exclusions,
        'seed': config['seed'],
        'config': files.json_ready(config),
        'fingerprints': dict(fingerprints),
    }
    content['sha256'] = _hash(content)
    files.write_json(path, content)
    return content['sha256']


def _check(primary, alpha, pictures):
    """Refuses what cannot be judged after the run."""
    item = describe(primary)
    if not item.meaning:
        raise InputError(
            f'{primary!r} is no score of scores.json; name one, such as '
            f'two_way_pixels.{suggestion(primary, SCORES)}'
        )
    if item.calibrated:
        raise InputError(
            f'{primary} has a nominal value and is not meant to be above '
            'chance; name another primary score.'
        )
    if primary.startswith('fifty_way') and pictures < 50:
        raise InputError(
            f'{primary} needs 50 test pictures and there are {pictures}; name '
            f'{primary.replace("fifty", "all", 1)}.'
        )
    if not 0 < alpha < 1:
        raise InputError(f'--alpha is {alpha:g}; give a number from 0 to 1.')


def _hash(content):
    rest = {key: content[key] for key in sorted(content) if key != 'sha256'}
    text = json.dumps(rest, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: PathLike) -> dict[str, Any] | None:
    """Reads a preregistration as `write` wrote it; None of no path."""
    if not path:
        return None
    content = files.read_json(path, 'write it with brainjax preregister')
    if content.keys() != _KEYS:
        raise InputError(
            f'{path} is no preregistration; write it with brainjax preregister.'
        )
    if content['sha256'] != _hash(content) or not _is_date(content['date']):
        raise InputError(
            f'{path} was edited after it was written on {content["date"]}: its '
            'hash does not fit; bring back the file that was registered.'
        )
    return content


def _is_date(text):
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def check(
    said: Mapping[str, Any],
    config: Mapping[str, Any],
    pictures: int,
    fingerprints: Mapping[str, str],
    scores: Mapping[str, Mapping[str, Any]],
    began: datetime.datetime,
) -> Outcome:
    """Compares a preregistration with the run that followed.

    Args:
      said: from `read`.
      config, pictures, fingerprints: as `write` takes them, of the run.
      scores: all that the run has.
      began: when the run began, with its time zone.
    """
    above, found, verdict = _verdict(said, scores)
    changes = _changes(said['config'], config)
    used = {f'recording.{name}' for name in USED}
    left_out = {k: v for k, v in changes.items() if k in used}
    settings = {
        k: v for k, v in changes.items() if k not in used and k != 'seed'
    }
    data = [
        f'another {name}'
        for name, value in said['fingerprints'].items()
        if fingerprints.get(name) != value
    ]
    date = datetime.datetime.fromisoformat(said['date'])
    started = began.astimezone(datetime.UTC).isoformat(timespec='seconds')
    return Outcome(
        said['date'],
        said['sha256'],
        [
            Item(
                'date', said['date'], f'the run began {started}', date <= began
            ),
            Item('primary score', said['primary'], found, above is not None),
            Item('alpha', f'{said["alpha"]:g}', f'{said["alpha"]:g}', True),
            Item(
                'test pictures',
                f'{said["pictures"]}',
                f'{pictures}',
                said['pictures'] == pictures,
            ),
            Item(
                'exclusions',
                f'{_used(said["config"])}; stated: {said["exclusions"]}',
                _listed(left_out),
                not left_out,
            ),
            Item(
                'seed',
                f'{said["seed"]}',
                f'{config["seed"]}',
                said['seed'] == config['seed'],
            ),
            Item(
                'settings', 'all of the config', _listed(settings), not settings
            ),
            Item(
                'data',
                ' and '.join(said['fingerprints']),
                ' and '.join(data) or 'the same',
                not data,
            ),
        ],
        above,
        verdict,
    )


def changed(outcome: Outcome) -> list[str]:
    """A sentence on each thing that is not as registered."""
    return [
        f'{each.item[0].upper()}{each.item[1:]}: registered was '
        f'{each.registered}; now it is {each.found}.'
        for each in outcome.items
        if not each.kept
    ]


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """An outcome as scores.json holds it."""
    items = [each._asdict() for each in outcome.items]
    return outcome._asdict() | {'items': items}


def _verdict(said, scores):
    """Whether the primary score is above chance, its value, a sentence."""
    name, alpha = said['primary'], said['alpha']
    score, item = scores.get(name), describe(name)
    if score is None or not all(
        is_defined(score[key]) for key in ('value', 'chance', 'p')
    ):
        verdict = f'The primary score {name} was not scored.'
        return None, 'not scored', verdict
    better = score['value'] > score['chance']
    if item.lower:
        better = score['value'] < score['chance']
    above = bool(better and score['p'] < alpha)
    value, chance = (
        decimals(score[key], item.percent) for key in ('value', 'chance')
    )
    word = 'better than chance' if item.lower else 'above chance'
    return (
        above,
        f'{name}: {value}',
        f'The primary score, {item.title}, is {value} (chance {chance}, p = '
        f'{p_in_words(score["p"])}): {"" if above else "not "}{word} at alpha '
        f'= {alpha:g}.',
    )


def _changes(theirs, ours):
    """{setting: (registered, now)} of all that differ, but places of files."""
    found = provenance.differences(theirs, files.json_ready(ours))
    return {name: pair for name, *pair in found if name not in _PLACES}


def _used(config):
    chosen = {
        name: config['recording'][name]
        for name in USED
        if config['recording'].get(name) not in ('', -1, None)
    }
    words = ', '.join(f'{name} {value}' for name, value in chosen.items())
    return words or 'the whole recording'


def _listed(changes):
    shown = [
        f'{name} {old!r} became {new!r}'
        for name, (old, new) in list(changes.items())[:5]
    ]
    more = len(changes) - len(shown)
    return (
        '; '.join([*shown, *([f'{more} more'] if more else [])]) or 'the same'
    )
