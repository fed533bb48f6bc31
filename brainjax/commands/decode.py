"""brainjax decode: features of a network from fMRI."""

import argparse
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from brainjax.commands import flags
from brainjax.commands.jax_setup import set_up_jax
from brainjax.errors import InputError, check_known
from brainjax.evaluation import score_files
from brainjax.io import feature_folders, files, memory
from brainjax.methods.inversion import feature_decoding, feature_scores
from brainjax.recordings import (
    Recording,
    open_recording,
    select_roi,
    splits,
)
from brainjax.recordings.transforms import roi_mask
from brainjax.training import hosts, joining


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('recording', metavar='RECORDING')
    parser.add_argument(
        '--features',
        metavar='DIR',
        help='true features of the training stimuli',
    )
    parser.add_argument(
        '--save-decoders',
        metavar='DIR',
        help="keep the weights, in the field's layout: voxels times units "
        'numbers',
    )
    parser.add_argument(
        '--from-decoders',
        metavar='DIR',
        help='in place of --features: fit nothing, take weights that were '
        'saved',
    )
    parser.add_argument('--out', required=True, metavar='DIR')
    parser.add_argument(
        '--layers', metavar='A,B', help='by default all that DIR holds'
    )
    parser.add_argument(
        '--k',
        type=_numbers(int),
        default=feature_decoding.PUBLISHED.k,
        metavar='K[,K]',
        help='voxels of each unit, 0 for all (default %(default)s); of '
        'several, cross-validation chooses for each layer',
    )
    parser.add_argument(
        '--alpha',
        type=_numbers(float),
        default=feature_decoding.PUBLISHED.alpha,
        metavar='A[,A]',
        help='the penalty (default %(default)s), or several likewise',
    )
    parser.add_argument(
        '--single-trials',
        action='store_true',
        help='decode each test trial, not the average of its stimulus',
    )
    parser.add_argument(
        '--score',
        metavar='DIR',
        help='true features of the test stimuli: print, and write to OUT as '
        'CSV, profile and pattern correlation and pairwise identification',
    )
    parser.add_argument(
        '--folds',
        type=int,
        default=0,
        metavar='N',
        help='from 2: all trials by cross-validation, in folders cv-fold1, '
        "cv-fold2 ...; 0 for the recording's own split (default)",
    )
    parser.add_argument(
        '--fold-by',
        default='run',
        metavar='WHAT',
        help='what all trials of are in one fold: run (the default), stimulus, '
        'category or session',
    )
    parser.add_argument(
        '--rois',
        metavar='A,B',
        help='several regions, each in a folder of its own, in place of --roi',
    )
    parser.add_argument(
        '--tests',
        metavar='A,B',
        help='several test sets, such as natural,shape,letter, by one fit; '
        'each in a folder OUT/SET',
    )
    flags.add_recording(parser)


def run(known: argparse.Namespace, rest: list[str]) -> int:
    del rest
    set_up_jax()
    return joining.together(lambda: _run(known))


def _run(known: argparse.Namespace) -> int:
    if bool(known.features) == bool(known.from_decoders):
        raise InputError(
            'brainjax decode fits decoders to --features or takes those of '
            '--from-decoders; give one of them.'
        )
    recordings = _open(known)
    layers = known.layers.split(',') if known.layers else None
    for roi, parts, fold in _parts(known, recordings):
        if known.from_decoders:
            folders = [
                folder
                for out, part in parts.items()
                for folder in feature_decoding.apply(
                    part,
                    known.from_decoders,
                    out,
                    layers=layers,
                    roi=roi,
                    single_trials=known.single_trials,
                )
            ]
        else:
            folders = _fit(known, parts, layers, roi, fold)
        for folder in folders if hosts.is_first() else ():
            print(folder)
        if known.score and hosts.is_first():
            each = len(folders) // len(parts)
            for i, (out, part) in enumerate(parts.items()):
                here = folders[i * each : (i + 1) * each]
                _score(known, part, out, roi, fold, here)
    return 0


def _open(known) -> dict[pathlib.Path, Recording]:
    """Opens the recording, with each test set; folder of OUT -> recording."""
    options, out = flags.recording_options(known), pathlib.Path(known.out)
    if not known.tests:
        return {out: open_recording(known.recording, **options)}
    if known.folds:
        raise InputError('--folds has test sets of its own; leave --tests.')
    sets = known.tests.split(',')
    for name in sets:
        if not feature_folders.is_file_name(name) or sets.count(name) > 1:
            raise InputError(f'--tests {known.tests}: name each set once.')
    return {
        out / name: open_recording(known.recording, **options, test=name)
        for name in sets
    }


def _score(known, recording, out, roi, fold, folders) -> None:
    """Scores what was decoded for one region, and one fold."""
    if known.single_trials:
        raise InputError(
            '--score takes the average of a stimulus; leave --single-trials.'
        )
    names = [folder.parts[-2 - 2 * bool(fold) - 1] for folder in folders]
    true = feature_folders.open_layers(known.score, names)
    shown, seen = (
        [recording.stimuli.names[i] for i in np.unique(part.stimulus)]
        for part in (recording.test, recording.train)
    )
    train = {}
    if known.features:  # Without them nothing is z-scored.
        train = feature_folders.open_layers(known.features, names)
    allowed = memory.budget() / 16
    found = (  # One layer at a time.
        (
            name,
            feature_scores.score_layer(
                feature_folders.open_folder(folder, name),
                *(true[name], shown, train.get(name), seen, allowed),
            ),
        )
        for name, folder in zip(names, folders)
    )
    table = score_files.as_csv(
        feature_scores.COLUMNS, feature_scores.rows(found)
    )
    stem = '-'.join(filter(None, (recording.subject, roi, fold)))
    path = pathlib.Path(out, f'{stem}.csv')
    files.write_text(path, table)
    print(table, end='')
    print(path)


def _fit(known, recordings, layers, roi, fold):
    with hosts.progress('decode', None, unit='units') as show:
        return feature_decoding.decode_sets(
            recordings,
            known.features,
            layers=layers,
            roi=roi,
            setting=feature_decoding.Setting(
                known.k, known.alpha, known.single_trials
            ),
            progress=lambda done, total, layer: show(done, layer, total=total),
            decoders=known.save_decoders,
            fold=fold,
        )


def _parts(
    known, recordings
) -> Iterator[tuple[str, dict[pathlib.Path, Recording], str]]:
    """Yields each region's name and recordings, and each fold's."""
    rois = known.rois.split(',') if known.rois else [known.roi or 'all']
    for roi in rois if known.rois else ():  # All, before the first is decoded.
        for recording in recordings.values():
            roi_mask(recording.rois, roi, recording.source)
    for roi in rois:
        parts = {
            out: select_roi(recording, roi) if known.rois else recording
            for out, recording in recordings.items()
        }
        name = roi.replace('|', '+').replace(' ', '')
        if not known.folds:
            yield name, parts, ''
            continue
        check_known('fold_by', known.fold_by, splits.BY)
        if known.folds < 2 or known.from_decoders or known.fold_by == 'cluster':
            raise InputError(
                '--folds takes 2 or more, by run, stimulus, category or '
                'session, and each fits decoders of its own: leave '
                '--from-decoders.'
            )
        [(out, part)] = parts.items()
        groups = splits.fold_groups(part, known.fold_by, known.folds, 0, None)
        for i, group in enumerate(groups, 1):
            held = splits.hold_out(part, known.fold_by, group, None)
            yield name, {out: held}, f'cv-fold{i}'


def _numbers(kind: type) -> Callable[[str], int | float | tuple]:
    """Returns what turns '500' into a number and '100,500' into a tuple."""

    def numbers(text: str) -> int | float | tuple:
        found = tuple(kind(part) for part in text.split(','))
        return found[0] if len(found) == 1 else found

    return numbers
