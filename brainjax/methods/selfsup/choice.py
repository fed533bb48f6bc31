"""Settings chosen by predicting training stimuli that are held out.

Each fold takes some training stimuli away, as if they were the test set: what
is left is normalised anew, an encoder learns from it, and each candidate's
decoder decodes the averaged trials of those held out. The candidate with the
highest pixel correlation, on average over all stimuli, is trained in full. The
closed-form posterior of `methods.references` is measured beside them.
"""

import dataclasses
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from brainjax.errors import InputError, check_known
from brainjax.evaluation import pixels
from brainjax.io import files, provenance
from brainjax.methods import references
from brainjax.methods.data import Data, made_from, prepare
from brainjax.methods.selfsup.data import DECODER_KEYS
from brainjax.recordings import Recording, split_trials
from brainjax.training import hosts

# What a candidate may change: nothing that changes the networks' shapes.
CHANGEABLE = {
    'encoder': ('shift', 'dropout'),
    'decoder': (
        *('paired', 'encoder_decoder', 'decoder_encoder'),
        *('pictures_draws', 'pictures_noise', 'pictures_shift'),
        *('dense_absolute', 'dense_group'),
    ),
}
REFERENCE = 'the closed-form posterior'


def check(config: ConfigDict, recording: Recording) -> None:
    """Refuses folds and candidates that cannot be compared."""
    candidates, parts = config.decoder.candidates, config.decoder.choice_folds
    stimuli = len(np.unique(recording.train.stimulus))
    # Ridge inside a fold holds some of its stimuli out once more.
    if parts < 2 or stimuli - -(-stimuli // parts) < 4:
        raise InputError(
            f'config.decoder.choice_folds is {parts}, with {stimuli} training '
            'stimuli; give 2 or more, so that each fold leaves four to learn '
            "from, or set config.decoder.choose to 'config'."
        )
    if not candidates:
        raise InputError(
            "config.decoder.choose='validation' has no "
            'config.decoder.candidates to choose from; name some, or set it to '
            "'config'."
        )
    for name, sections in candidates.items():
        for section, changes in sections.items():
            where = f'config.decoder.candidates.{name}'
            check_known(f'section of {where}', section, CHANGEABLE)
            for key in changes:
                known = CHANGEABLE[section]
                check_known(f'setting of {where}.{section}', key, known)


def choose(
    config: ConfigDict,
    data: Data,
    folder: pathlib.Path,
    fit: Callable,
    reconstruct: Callable,
) -> tuple[ConfigDict, str]:
    """Returns the config with the best candidate's settings, and why.

    Args:
      config: of the experiment.
      data: what the run learns from; its test trials are left alone.
      folder: gets 'choice.json', where an interrupted choice resumes.
      fit: data, config, folder of the encoder, folder of the decoder ->
        fitted.
      reconstruct: fitted, fMRI, config -> pictures.
    """
    path, trials = folder / 'choice.json', folder / 'choice'
    origin = made_from(data.fingerprints, config, DECODER_KEYS)
    scores = hosts.run_on_first(lambda: _resume(path, origin))

    def note(name, fold, found):
        def write():
            values = [float(x) for x in found()]
            scores.setdefault(name, {})[str(fold)] = values
            files.write_json(path, {'made_from': origin, 'scores': scores})
            return scores[name]

        scores[name] = hosts.run_on_first(write)

    candidates = possible(config, data)
    # Candidates with one encoder share its training.
    encoders = [candidate.encoder for candidate in candidates.values()]
    for i, fold in enumerate(folds(config, data)):
        place = trials / str(i)
        if str(i) not in scores.get(REFERENCE, {}):
            note(REFERENCE, i, lambda fold=fold: _of_reference(config, fold))
        for name, candidate in candidates.items():
            if str(i) in scores.get(name, {}):
                continue
            fitted = fit(
                fold,
                shortened(candidate),
                place / f'encoder-{encoders.index(candidate.encoder)}',
                place / 'decoder',
            )
            images = reconstruct(fitted, fold.test.fmri, candidate)
            note(name, i, lambda fold=fold, x=images: _correlations(fold, x))
            _remove(place / 'decoder')
        _remove(place)
    _remove(trials)
    means = {
        name: float(np.mean(np.concatenate([*of.values()])))
        for name, of in scores.items()
    }
    best = max(candidates, key=means.get)
    return FrozenConfigDict(candidates[best]), _in_words(best, means)


def possible(config: ConfigDict, data: Data) -> dict[str, ConfigDict]:
    """Returns the configs of all candidates for whose DE there is fMRI."""
    every = {
        name: with_candidate(config, name) for name in config.decoder.candidates
    }
    if (
        data.recording.unpaired_fmri is not None
        or config.unpaired_fmri
        or config.transductive_test_fmri
    ):
        return every
    return {k: c for k, c in every.items() if not c.decoder.decoder_encoder}


def with_candidate(config: ConfigDict, name: str) -> ConfigDict:
    """Returns the config a candidate is tried with, in full length."""
    changed = ConfigDict(config.to_dict())
    with changed.unlocked():
        changed.update(config.decoder.candidates[name].to_dict())
        changed.decoder.choose = 'config'
    return changed


def folds(config: ConfigDict, data: Data) -> list[Data]:
    """Returns the training stimuli without a part each, which is the test."""
    train = data.recording.train
    stimuli = np.unique(train.stimulus)
    random = np.random.default_rng([config.seed, 7])
    parts = np.array_split(
        random.permutation(stimuli), config.decoder.choice_folds
    )
    found = []
    for part in parts:
        rest, held_out = split_trials(train, part)
        recording = dataclasses.replace(
            data.recording, train=rest, test=held_out
        )
        scale = config.recording.scale
        found.append(
            prepare(
                recording,
                data.pictures,
                depth=data.depth,
                others=data.others,
                scale=scale,
            )
        )
    return found


def shortened(config: ConfigDict) -> ConfigDict:
    """Returns the config with `choice_epochs` of the epochs of both."""
    part = config.decoder.choice_epochs
    changed = ConfigDict(config.to_dict())
    with changed.unlocked():
        for section in (changed.encoder, changed.decoder):
            section.epochs = max(1, round(part * section.epochs))
            section.drops = tuple(
                (max(1, round(part * epoch)), factor)
                for epoch, factor in section.drops
            )
    return changed


def _resume(path: pathlib.Path, origin: dict[str, Any]) -> dict[str, Any]:
    if not path.exists():
        return {}
    remedy = 'use another --workdir'
    found = files.read_json(path, remedy)
    provenance.check_same(path, found['made_from'], origin, 'a choice', remedy)
    return found['scores']


def _remove(folder: pathlib.Path) -> None:
    hosts.barrier()
    if hosts.is_first():
        shutil.rmtree(folder, ignore_errors=True)


def _correlations(fold: Data, images: np.ndarray) -> np.ndarray:
    target = fold.recording.stimuli.images[fold.test.stimulus]
    return pixels.pixel_correlation(target, images)


def _of_reference(config: ConfigDict, fold: Data) -> np.ndarray:
    fitted = references.fit(fold, config.seed)
    images = references.reconstruct(fitted, fold.test.fmri)['bayes']
    return _correlations(fold, images)


def _in_words(best: str, means: dict[str, float]) -> str:
    others = ', '.join(
        f'{name} {value:.3f}'
        for name, value in sorted(means.items(), key=lambda x: -x[1])
        if name != best
    )
    text = (
        f'Chosen on held-out training stimuli, by pixel correlation: {best} '
        f'({means[best]:.3f}; {others}).'
    )
    if means[REFERENCE] > means[best]:
        text += (
            ' There the closed-form posterior was better than every decoder, '
            'which had a part of their training only: see its scores.'
        )
    return text
