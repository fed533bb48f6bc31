"""One fit, several test sets: `brainjax run` with `config.recording.tests`.

Deep image reconstruction fits a decoder for each of millions of units, which
takes hours and whose weights are too many to keep. So the trials of all sets
are decoded while a unit's weights are there; each set then is a run of its own
in W/SET, which finds its features decoded.
"""

import dataclasses
import hashlib
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax import experiment, finished
from brainjax.errors import InputError
from brainjax.evaluation import test_subsets
from brainjax.io import arrays, feature_folders, files, provenance
from brainjax.linear.arrays import evenly
from brainjax.methods import references
from brainjax.methods.data import Data, hash_trials
from brainjax.methods.inversion import files as inversion_files
from brainjax.methods.inversion import method as inversion
from brainjax.methods.inversion import subsets
from brainjax.methods.inversion.training import fit_ridge
from brainjax.recordings import Trials, average_repeats
from brainjax.reports import sets_page
from brainjax.training import hosts

SHOWN = 12  # Pictures of each set on the page.


class TestSet(NamedTuple):
    """What is decoded of one test set.

    Attributes:
      config: of its run.
      names: of its stimuli, see `inversion.test_names`.
      fmri: label of what was decoded -> [stimuli, voxels], normalised.
      data: what it is tested on; all sets share the training responses.
    """

    __test__ = False  # Not one of pytest's.
    config: ConfigDict
    names: list[str]
    fmri: Mapping[str, np.ndarray]
    data: Data


def run(config: ConfigDict, workdir: files.PathLike) -> dict[str, Any]:
    """Fits once; reconstructs, scores and reports each test set.

    Args:
      config: of the experiment; `config.recording.tests` names the sets.
      workdir: gets features/ of the training stimuli, a folder a set as of
        `experiment.run`, and scores.json and report.html, which list them.

    Returns:
      What scores.json holds: the score NAME of SET is 'NAME_of_SET'; {} on all
      hosts but the first.
    """
    began = time.monotonic()
    check(config)
    done = finished.early(workdir, config)
    if done is not None:
        return done
    with provenance.open_run_folder(
        workdir, config, hosts.is_first()
    ) as folder:
        found = _open(config)

        def make():
            _decode(config, folder, found)
            return _conclude(config, folder, found, began)

        data = {name: each.data for name, each in found.items()}
        return finished.once(
            folder,
            config,
            {name: each.fingerprints for name, each in data.items()},
            [(x.recording, x.problems, x.test_kept) for x in data.values()],
            make,
            [*found],
        )


def _conclude(
    config: ConfigDict,
    folder: pathlib.Path,
    found: Mapping[str, TestSet],
    began: float,
) -> dict[str, Any]:
    """Runs each set, whose features are decoded, and tells of all."""
    fit_references = references.fit_once()
    results = {
        name: experiment.run_opened(
            each.config,
            folder / name,
            lambda each=each: each.data,
            fit_references=fit_references,
        )
        for name, each in found.items()
    }
    if not hosts.is_first():
        return {}
    told = _together(config, results)
    files.write_json(folder / finished.SCORES, told)
    sets_page.render(
        folder / 'report.html',
        told,
        results,
        {name: _shown(folder / name) for name in results},
        time.monotonic() - began,
    )
    return told


def check(config: ConfigDict) -> None:
    """Refuses what a config says amiss, before anything is read."""
    c = config.recording
    if config.method != 'inversion' or not c.path:
        raise InputError(
            'config.recording.tests is for deep image reconstruction of '
            'recordings in files; fit others once, and give the model other '
            'trials by brainjax reconstruct.'
        )
    if c.folds or config.preregistration.path:
        raise InputError(
            'config.recording.tests goes with neither config.recording.folds '
            'nor config.preregistration.path; leave one of them.'
        )
    for name in c.tests:
        if not feature_folders.is_file_name(name) or c.tests.count(name) > 1:
            raise InputError(
                f'config.recording.tests is {c.tests}; name each set once, '
                "such as ('natural', 'shape', 'letter')."
            )
    experiment.check(config)


def config_of(config: ConfigDict, name: str) -> ConfigDict:
    """The config of the run of one set; published scores are of the first."""
    changed = config.copy_and_resolve_references()
    changed.recording.test = name
    if name != config.recording.tests[0]:
        changed.published = ConfigDict()
    return changed


def _open(config: ConfigDict) -> dict[str, TestSet]:
    """Opens the data of all sets, which have to be trained on the same."""
    found, first, trained = {}, None, None
    left = {*config.recording.groups}
    for name in config.recording.tests:
        each = config_of(config, name)
        data = experiment.open_data(each)
        now = _trained_on(data)
        if trained not in (None, now):
            raise InputError(
                f'{config.recording.path} has other training trials or '
                f'voxels with the test set {name!r} than with '
                f'{config.recording.tests[0]!r}; run it on its own.'
            )
        trained = now
        each.recording.groups = tuple(_groups(data, config))
        left -= {*each.recording.groups}
        fmri = {label: trials() for label, _, trials in _parts(data, config)}
        first = first or data
        data = _with_responses_of(first, data)
        found[name] = TestSet(each, inversion.test_names(data), fmri, data)
    if left:
        test_subsets.rows(found[name].names, [*left])  # Says what is wrong.
    return found


def _decode(
    config: ConfigDict, folder: pathlib.Path, found: Mapping[str, TestSet]
) -> None:
    """Decodes the trials of all sets, from each region, into their folders."""
    name = config.recording.tests[0]
    config, first = found[name].config, found[name].data
    fitted = inversion.fit(first, config, folder / name)
    fitted = fitted._replace(folder=folder)  # Gets metrics.csv of decoding.
    for label, prepared, _ in _parts(first, config):
        inversion.decode_sets(
            fitted,
            prepared() or fitted.prepared,
            label,
            {
                folder / name: (each.names, each.fmri[label])
                for name, each in found.items()
            },
            config,
        )


def _parts(
    data: Data, config: ConfigDict
) -> Iterator[tuple[str, Callable, Callable]]:
    """Yields label, the ridge if it is of a region, and the test's fMRI."""
    yield inversion_files.DECODED, lambda: None, lambda: data.test.fmri
    for roi in config.subsets.rois:
        part = subsets.region(data, roi)
        yield (
            subsets.label_of(roi),
            lambda part=part: fit_ridge(part.train, config),
            lambda part=part: average_repeats(part.test).fmri,
        )


def _trained_on(data: Data) -> tuple[str, str]:
    train = data.normalised.train
    shown, rows = np.unique(train.stimulus, return_inverse=True)
    names = '\n'.join(data.recording.stimuli.names[i] for i in shown)
    digest = hashlib.sha256(names.encode()).hexdigest()
    rows = rows.astype(np.int32)
    raw = Trials(data.recording.train.fmri, rows)
    return digest, hash_trials(raw, Trials(train.fmri, rows))


def _with_responses_of(first: Data, data: Data) -> Data:
    """The same, where equal training responses are in memory once."""

    def shared(name):
        own, other = getattr(data, name), getattr(first, name)
        train = dataclasses.replace(own.train, fmri=other.train.fmri)
        return dataclasses.replace(own, train=train)

    return data._replace(
        recording=shared('recording'), normalised=shared('normalised')
    )


def _groups(data: Data, config: ConfigDict) -> Iterator[str]:
    """Yields the groups of which this set has pictures."""
    names = [data.recording.stimuli.names[i] for i in data.test.stimulus]
    for group in config.recording.groups:
        try:
            test_subsets.rows(names, [group])
        except InputError:
            continue
        yield group


def _together(
    config: ConfigDict, results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What scores.json of all sets holds."""
    every = [*results.values()]
    return {
        'scores': {
            f'{score}_of_{name}': value
            for name, each in results.items()
            for score, value in each['scores'].items()
        },
        'tests': [*results],
        'method': config.method,
        'simulated': any(each['simulated'] for each in every),
        'transductive': any(each['transductive'] for each in every),
        'problems': [
            *dict.fromkeys(text for each in every for text in each['problems'])
        ],
        'config': every[0]['config'] | {'recording': _plain(config)},
        'versions': every[0]['versions'],
    }


def _plain(config: ConfigDict) -> dict[str, Any]:
    return files.json_ready(config.recording.to_dict())


def _shown(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Some pictures of a set, seen and reconstructed."""
    targets, images = (
        arrays.read(folder / f'{name}.npz')['images']
        for name in ('targets', 'reconstructions')
    )
    shown = evenly(len(images), SHOWN)
    return targets[shown], images[shown]
