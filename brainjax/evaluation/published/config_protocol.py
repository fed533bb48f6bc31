"""What a config asks to be scored beside what every run scores.

`config.preset` is a published protocol of `evaluation.presets`, with pictures
from outside the test set in `config.distractors` (if '', the unpaired ones),
and `config.classes` are example pictures of classes.
"""

import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from ml_collections import ConfigDict

from brainjax.evaluation import class_scores
from brainjax.evaluation.published import papers, presets
from brainjax.evaluation.scores import Score
from brainjax.recordings import Stimuli


def check(config: ConfigDict) -> None:
    """Refuses what could not be scored, before anything is read."""
    papers.beside(config.published.to_dict(), {})
    if config.preset:
        presets.check_ready(config.preset, _outside(config))
    if config.classes:
        class_scores.check_source(config.classes)


def classes_of(config: ConfigDict, stimuli: Stimuli) -> dict[str, str]:
    """Stimulus -> class, '' if not known; {} if none is to be classified."""
    return class_scores.names_of(stimuli) if config.classes else {}


def check_classes(
    config: ConfigDict, stimuli: Stimuli, names: Sequence[str]
) -> None:
    """Refuses test pictures that could not be classified, by their names."""
    if config.classes:
        classes = classes_of(config, stimuli)
        class_scores.check(config.classes, [classes[name] for name in names])


def _outside(config: ConfigDict) -> str:
    return config.distractors or config.pictures.path


def score(
    config: ConfigDict,
    names: Sequence[str],
    targets: np.ndarray,
    images: np.ndarray,
    classes: Mapping[str, str],
    folder: pathlib.Path,
    taken: Collection[str],
) -> tuple[dict[str, Score], list[str]]:
    """Scores by the preset and the classes of a config.

    Args:
      config: of the experiment.
      names, targets, images: [n] of the test pictures, what was seen, and
        reconstructions.
      classes: of `classes_of`.
      folder: gets classes.csv and a bank that was built.
      taken: names of scores that mean something else in a run: those of a
        preset get its name behind them.

    Returns:
      The scores, and sentences on them.
    """
    scores, notes = {}, []
    if config.preset:
        scored = presets.score(
            [*targets],
            [*images],
            config.preset,
            distractors=_outside(config),
            seed=config.seed,
        )
        for name, each in scored.scores.items():
            scores[f'{name}_{config.preset}' if name in taken else name] = each
        about = presets.PRESETS[config.preset].about
        notes += [f'Preset {config.preset}. {about}', *scored.notes]
    if config.classes:
        found, told = class_scores.score(
            names,
            [classes[name] for name in names],
            *([*targets], [*images], config.classes, folder),
            seed=config.seed,
        )
        scores, notes = scores | found, [*notes, *told]
    return scores, notes
