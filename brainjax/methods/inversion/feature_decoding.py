"""From a recording and true features to decoded features in folders.

Every unit of every layer is decoded by the ridge of `linear.ridge`, blocks of
units after each other, and written in the field's layout,
OUT/LAYER/SUBJECT/ROI/PICTURE.mat. Blocks lie in a folder of their own until
their layer is whole. OUT/SUBJECT-ROI.json, the manifest, tells which layers are
whole, by size and hash of each file, and what they were made from (of true
features, those of three pictures), so that an interrupted run resumes and
something else is not taken for its result. Many hosts share the blocks; all of
them see the folder OUT.
"""

import functools
import hashlib
import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.io import feature_folders, files
from brainjax.io.files import PathLike
from brainjax.linear import ridge
from brainjax.methods.data import hash_trials
from brainjax.methods.inversion import decoder_files, decoding_blocks
from brainjax.methods.inversion.manifest import Manifest
from brainjax.networks import frozen
from brainjax.recordings import Recording, Trials, average_repeats
from brainjax.training import hosts

UNITS_AT_A_TIME = 4096  # Read and decoded between two marks of progress.
CHOSEN_ON = 500  # Units of a layer that k and alpha are chosen on.


class Setting(NamedTuple):
    """How features are decoded; the published values.

    Where several values of k or alpha are given, cross-validation over
    training stimuli chooses for each layer.

    Attributes:
      k: voxels of each unit, 0 for all.
      alpha: the penalty.
      single_trials: decode each test trial, not the average of a stimulus.
    """

    k: int | Sequence[int] = 500
    alpha: float | Sequence[float] = 100.0
    single_trials: bool = False


PUBLISHED = Setting()


def decode(
    recording: Recording, true: PathLike, out: PathLike, **options: Any
) -> list[pathlib.Path]:
    """Decodes the features of the test stimuli from their fMRI.

    Args:
      recording: already restricted to the voxels of a region.
      true: folder with the true features of the training stimuli.
      out: folder for the decoded features.
      **options: of `decode_sets`.

    Returns:
      The folders OUT/LAYER/SUBJECT/ROI.
    """
    return decode_sets({pathlib.Path(out): recording}, true, **options)


def decode_sets(
    sets: Mapping[pathlib.Path, Recording],
    true: PathLike,
    *,
    layers: Sequence[str] | None = None,
    roi: str = 'all',
    setting: Setting = PUBLISHED,
    units_at_a_time: int = UNITS_AT_A_TIME,
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    decoders: PathLike | None = None,
    fold: str = '',
) -> list[pathlib.Path]:
    """Decodes several test sets, for which each unit is fitted once.

    The ridge is fitted to single training trials. A layer that the manifest
    calls whole is left as it is. The files hold what the ridge gave; whoever
    reads them corrects their spread with `linear.scaling`.

    Args:
      sets: folder for the decoded features -> recording, already restricted to
        the voxels of `roi`; their training trials are the same.
      true: folder with the true features of the training stimuli, by their
        names; see `feature_folders.open_layers`.
      layers: which; None for all that `true` holds.
      roi: name for the folders.
      setting: of the ridge.
      units_at_a_time: bounds the memory: so many units of all training
        stimuli and of all test trials, but at least one channel.
      threads: of the CPU; None for all.
      progress: called with units done, units in all and the layer.
      decoders: a folder for the weights, see `decoder_files`; they take
        voxels times units numbers.
      fold: of a cross-validation, whose recording this is: files then lie in
        OUT/LAYER/SUBJECT/ROI/FOLD/decoded_features.

    Returns:
      The folders OUT/LAYER/SUBJECT/ROI, set by set.
    """
    for k, alpha in itertools.product(*map(np.atleast_1d, setting[:2])):
        ridge.check_penalty(k, alpha)
    found = feature_folders.open_layers(true, layers)
    recording, names, rows = _training(sets)
    for layer in found.values():
        feature_folders.check_names(layer, names)
    tested = [_test_trials(x, setting.single_trials) for x in sets.values()]
    manifests = [
        _open_manifest(each, true, out, roi, setting, names, fold)
        for out, each in sets.items()
    ]
    inside = (fold, 'decoded_features') if fold else ()
    fmri = np.asarray(recording.train.fmri)
    test = np.concatenate([trials.fmri for _, trials in tested])
    others = [hash_trials(trials) for _, trials in tested[1:]]

    @functools.lru_cache(maxsize=1)  # Layers share k and alpha as a rule.
    def prepare(k: int, alpha: float) -> ridge.Prepared:
        return ridge.prepare(fmri, rows, k=k, alpha=alpha)

    @functools.lru_cache(maxsize=1)
    def decoder(k: int, alpha: float) -> decoding_blocks.Decoder:
        return ridge.decoder(prepare(k, alpha), test, threads=threads)

    total = sum(layer.units for layer in found.values())
    folders, before = [], 0
    for name, layer in found.items():
        here = [
            pathlib.Path(out, name, each.subject, roi, *inside)
            for out, each in sets.items()
        ]
        folders.append(here)
        origin = _layer_origin(layer, names)
        there = [m.whole(name, x, origin) for m, x in zip(manifests, here)]
        if not all(there):
            # One host chooses, as rounding could decide otherwise elsewhere.
            k, alpha = hosts.run_on_first(
                lambda layer=layer: _choose(
                    setting, fmri, rows, layer, names, threads
                )
            )
            blocks = decoding_blocks.decode(
                decoder(k, alpha),
                layer,
                names,
                manifests[0].unfinished(name, [origin, [k, alpha], *others]),
                units_at_a_time,
                lambda done, at=before, name=name: (
                    progress and progress(at + done, total, name)
                ),
            )
            made_from, start = {**origin, 'k': k, 'alpha': alpha}, 0
            for (labels, _), folder, manifest in zip(tested, here, manifests):
                hosts.run_on_first(
                    lambda x=(folder, labels, layer, blocks, start): _write(*x)
                )
                manifest.add(name, folder, labels, made_from)
                start += len(labels)
        if decoders:
            whole = manifests[0].made_from(name)
            hosts.run_on_first(
                lambda layer=layer, name=name, whole=whole: decoder_files.write(
                    pathlib.Path(decoders, name, recording.subject, roi, fold),
                    prepare(whole['k'], whole['alpha']),
                    layer,
                    names,
                    manifests[0].key(name),
                    threads,
                )
            )
        if progress:
            progress(before + layer.units, total, name)
        manifests[0].clear(name)
        before += layer.units
    return [folder for each in zip(*folders) for folder in each]


def _training(
    sets: Mapping[pathlib.Path, Recording],
) -> tuple[Recording, list[str], np.ndarray]:
    """Returns the first recording, its training stimuli, that of each trial."""
    found = []
    for recording in sets.values():
        train = recording.train
        shown, rows = np.unique(train.stimulus, return_inverse=True)
        names = [recording.stimuli.names[i] for i in shown]
        trials = Trials(train.fmri, rows.astype(np.int32))
        found.append((names, hash_trials(trials), recording.subject))
        if found[0] != found[-1]:
            raise InputError(
                f'{recording.source} has other training trials or voxels with '
                'one test set than with another; decode each on its own.'
            )
    return next(iter(sets.values())), names, rows


def apply(
    recording: Recording,
    decoders: PathLike,
    out: PathLike,
    *,
    layers: Sequence[str] | None = None,
    roi: str = 'all',
    single_trials: bool = False,
) -> list[pathlib.Path]:
    """Decodes the test stimuli by decoders that were saved before.

    Args:
      recording: restricted to the voxels of `roi`; nothing is fitted to it.
      decoders: folder of `decode`, or of the field's own programs.
      out: folder for the decoded features.
      layers: which; None for all that there are.
      roi: name of the folders.
      single_trials: decode each test trial, not the average of a stimulus.

    Returns:
      The folders OUT/LAYER/SUBJECT/ROI.
    """
    decoders, place = pathlib.Path(decoders), (recording.subject, roi)
    model = decoder_files.MODEL
    there = sorted(
        path.name
        for path in (decoders.iterdir() if decoders.is_dir() else ())
        if path.joinpath(*place, model).is_dir()
    )
    if not there:
        raise InputError(
            f'{decoders} has no decoders LAYER/{recording.subject}/{roi}/'
            f'{model}; check the subject and the ROI.'
        )
    for name in layers or ():
        check_known('layer', name, there)
    labels, test = _test_trials(recording, single_trials)
    folders = []
    for name in layers or there:
        parts = [
            *decoder_files.predict(decoders.joinpath(name, *place), test.fmri)
        ]
        folder = pathlib.Path(out, name, *place)
        feature_folders.write_features(
            folder, '', labels, np.concatenate(parts, axis=1)
        )
        folders.append(folder)
    return folders


def _open_manifest(
    recording: Recording,
    true: PathLike,
    out: PathLike,
    roi: str,
    setting: Setting,
    names: Sequence[str],
    fold: str = '',
) -> Manifest:
    """Notes in `out` what is decoded, or checks that it is what was decoded."""

    def copy() -> None:
        frozen.copy_provenance(true, files.writable_folder(out))
        feature_folders.copy_index(true, out)

    hosts.run_on_first(copy)
    parts = filter(None, (recording.subject, roi, fold))
    stem = '-'.join(map(feature_folders.file_name, parts))
    origin = _origin(recording, setting, names)
    origin['network'] = frozen.read_provenance(true)
    return Manifest(pathlib.Path(out, f'{stem}.json'), origin)


def _test_trials(
    recording: Recording, single: bool
) -> tuple[list[str], Trials]:
    """Returns the names of what is decoded, and its trials."""
    test = recording.test if single else average_repeats(recording.test)
    names = [recording.stimuli.names[i] for i in test.stimulus]
    if single:
        names = [f'sample{i:06d}-{name}' for i, name in enumerate(names, 1)]
    return names, test


def _choose(
    setting: Setting,
    fmri: np.ndarray,
    rows: np.ndarray,
    layer: feature_folders.Layer,
    names: Sequence[str],
    threads: int | None,
) -> tuple[int, float]:
    """Returns k and alpha of a layer, by cross-validation if there is choice.

    It looks at units of a few channels, evenly spaced.
    """
    ks = [int(k) for k in np.atleast_1d(setting.k)]
    alphas = [float(alpha) for alpha in np.atleast_1d(setting.alpha)]
    if len(ks) == len(alphas) == 1:
        return ks[0], alphas[0]
    sample = feature_folders.read_some(layer, names, CHOSEN_ON)
    choice = ridge.select_alpha_k(
        fmri, rows, sample, ks=ks, alphas=alphas, threads=threads
    )
    return choice.k, choice.alpha


def _write(
    folder: pathlib.Path,
    labels: Sequence[str],
    layer: feature_folders.Layer,
    blocks: Sequence[pathlib.Path],
    first: int,
) -> None:
    """Writes a file a picture, some at a time, from a row of the blocks on."""
    last = first + len(labels)
    for row, part in decoding_blocks.rows(blocks, layer, first, last):
        some = labels[row - first : row - first + len(part)]
        feature_folders.write_features(folder, '', some, part)


def _origin(
    recording: Recording, setting: Setting, names: Sequence[str]
) -> dict[str, Any]:
    """What all layers depend on, ready for JSON."""
    return {
        'recording': recording.source,
        'fmri': hash_trials(recording.train, recording.test),
        'stimuli': hashlib.sha256('\n'.join(names).encode()).hexdigest(),
        'voxels': recording.voxels,
        'k': np.asarray(setting.k).tolist(),
        'alpha': np.asarray(setting.alpha).tolist(),
        'single_trials': setting.single_trials,
        'simulated': recording.simulated,
    }


def _layer_origin(
    layer: feature_folders.Layer, names: Sequence[str]
) -> dict[str, Any]:
    """What tells true features from others: three pictures of them."""
    digest = hashlib.sha256()
    for i in sorted({0, len(names) // 2, len(names) - 1}):
        digest.update(feature_folders.read(layer, [names[i]]))
    return {'shape': [*layer.shape], 'true_features': digest.hexdigest()}
