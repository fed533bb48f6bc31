"""The methods of a run as a paragraph to paste, from its config and results."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brainjax.evaluation.table.score_table import (
    decimals,
    describe,
    is_defined,
    p_in_words,
)
from brainjax.recordings import Recording, Trials

# Those that are defined and given; all others are in scores.json.
SHOWN = ('pixcorr', 'ssim_2d', 'two_way_pixels', 'fifty_way_pixels')
# config.recording.scale, in words.
_SCALED = {
    'train': 'its training trials',
    'run': 'the training trials of each run, and in runs without any with '
    'those of an average run',
    'session': 'the training trials of each session',
    'own_run': 'all trials of each run, those of the test among them',
}
SHOWN_FEWER = ('pixcorr', 'ssim_2d', 'two_way_pixels', 'all_way_pixels')


def of_run(
    before: Sequence[str],
    measured: str,
    fitting: str,
    results: Mapping[str, Any],
) -> str:
    """Describes a run.

    Args:
      before: sentences to begin with.
      measured: of `measured`.
      fitting: how pictures were made from responses, sentences.
      results: what scores.json holds.
    """
    items = results.get('preregistration', {}).get('items', ())
    primary = [i['registered'] for i in items if i['item'] == 'primary score']
    return ' '.join(
        [
            *before,
            measured,
            *([fitting] if fitting else []),
            *_transductive(results),
            *evaluation(results['scores'], primary),
            *_software(results['versions'], results['config']['seed']),
        ]
    )


def measured(
    recording: Recording, pictures: int, config: Mapping[str, Any]
) -> str:
    """Describes what a run learns from and is tested on.

    Args:
      recording: as it was opened, voxels of the config's ROI.
      pictures: how many unpaired pictures there are.
      config: of the experiment, nested.
    """
    return ' '.join([*_data(recording, config), *_unpaired(pictures, config)])


def of_pictures(results: Mapping[str, Any], preset: str, n: int) -> str:
    """Describes how pictures of any method were scored.

    Args:
      results: what scores.json holds.
      preset: what is compared, sentences.
      n: how many pictures.
    """
    config = results['config']
    made = 'simulated responses' if results['simulated'] else 'fMRI'
    return ' '.join(
        [
            f'{n} reconstructions from {made} by the method '
            f'{results["method"]} were compared with the pictures that were '
            f'seen. {preset}',
            *_transductive(results),
            *evaluation(results['scores'], draws=config['draws']),
            *_software(results['versions'], config['seed']),
        ]
    )


def of_comparison(results: Mapping[str, Any], preset: str) -> str:
    """Describes a comparison of methods, `paired_comparison`.

    Args:
      results: what scores.json holds.
      preset: what is compared, sentences.
    """
    pairs = [each for each in results['scores'].values() if 'other' in each]
    shown = [x for x in pairs if x['score'] in (*SHOWN, *SHOWN_FEWER)]
    made = 'simulated responses' if results['simulated'] else 'fMRI'
    config, methods = results['config'], ' and by '.join(results['compared'])
    return ' '.join(
        [
            f'Reconstructions from {made} by {methods} were compared on the '
            f'same {pairs[0]["n"]} pictures. {preset}',
            *_transductive(results),
            *_listed(map(_difference, shown)),
            'Differences are paired by picture, with 95 % intervals over '
            f'pictures; p, two-sided, is of {config["draws"]} flips of the '
            f'signs of pictures; q corrects it for all {len(pairs)} scores and '
            'pairs (step-down max-T, Westfall and Young 1993); d_z is the '
            'mean in standard deviations of the differences (Cohen 1988).',
            *_software(results['versions'], config['seed']),
        ]
    )


def of_group(results: Mapping[str, Any]) -> str:
    """Describes the scores of several subjects, `group_analysis`.

    Args:
      results: what scores.json holds.
    """
    scores, config = results['scores'], results['config']
    shown = [x for x in dict.fromkeys([*SHOWN, *SHOWN_FEWER]) if x in scores]
    kind = 'simulated subjects' if results['simulated'] else 'subjects'
    number = len(results['subjects'])
    return ' '.join(
        [
            f'{results["method"]} was scored in {number} {kind}.',
            *_transductive(results),
            *_listed(_over_subjects(name, scores[name]) for name in shown),
            "Intervals are 95 % over subjects (Student's t), p is of a t test "
            'over subjects of what each is from its own chance, and q corrects '
            f'it for all {len(scores)} scores (Benjamini and Hochberg 1995). A '
            f'subject is significant with p up to {config["level"]:g} over its '
            'own pictures; from their number follows, with 95 % confidence, '
            'the least share of the population that has an effect (Donhauser '
            'et al. 2018, Ince et al. 2021).',
            *_software(results['versions'], config['seed']),
        ]
    )


def _listed(parts):
    """A sentence of parts, if there are any."""
    text = '; '.join(parts)
    return [f'{text}.'] if text else []


def _difference(pair):
    item = describe(pair['score'])
    value, low, high = (
        decimals(pair[key], item.percent) for key in ('value', 'low', 'high')
    )
    return (
        f'{item.title}, {pair["method"]} less {pair["other"]} {value} (95 % '
        f'interval {low} to {high}; p = {p_in_words(pair["p"])}, q = '
        f'{p_in_words(pair["q"])}; d_z = {decimals(pair["d_z"])})'
    )


def _over_subjects(name, score):
    item = describe(name)
    value, chance, low, high = (
        decimals(score[key], item.percent)
        for key in ('value', 'chance', 'low', 'high')
    )
    return (
        f'{item.title} {value} (95 % interval {low} to {high}; chance '
        f'{chance}; p = {p_in_words(score["p"])}, q = '
        f'{p_in_words(score["q"])}; {score["significant"]} of {score["n"]} '
        'subjects significant, at least '
        f'{decimals(score["prevalence_low"], True)} of the population)'
    )


def _data(recording, config):
    train, test = recording.train, recording.test
    chosen = config['recording']
    what = (
        f'No brain was measured: responses are those of {recording.source}'
        if recording.simulated
        else f'fMRI of the subject {recording.subject} is that of '
        f'{recording.source} (format {recording.format or "arrays"})'
    )
    options = [
        f'{name} {chosen[name]}'
        for name in ('roi', 'options', 'test')
        if chosen.get(name)
    ]
    where = f' ({", ".join(options)})' if options else ''
    yield (
        f'{what}: {_trials(train)} for training and {_trials(test)} for '
        f'testing, of stimuli that training does not hold, in '
        f'{recording.voxels} voxels{where}.'
    )
    yield (
        'Each voxel was z-scored with mean and standard deviation of '
        f'{_SCALED[chosen.get("scale", "train")]}; test responses were '
        f'averaged over {_repeats(test)} of a stimulus before they were '
        'reconstructed.'
    )


def _trials(trials: Trials) -> str:
    stimuli = len(np.unique(trials.stimulus))
    return f'{len(trials)} trials of {stimuli} stimuli'


def _repeats(trials: Trials) -> str:
    _, counts = np.unique(trials.stimulus, return_counts=True)
    low, high = counts.min(), counts.max()
    if low == high:
        return f'the {low} repeats' if low > 1 else 'the single trial'
    return f'the {low} to {high} repeats'


def _unpaired(pictures, config):
    if pictures:
        size = config['size']
        yield (
            f'{pictures} pictures without responses were at hand, of {size} by '
            f'{size} pixels.'
            if size
            else f'{pictures} pictures without responses were at hand.'
        )


def _transductive(results):
    if results['transductive']:
        yield (
            'The fit was transductive: test responses or test pictures took '
            'part in it.'
        )


def evaluation(
    scores: Mapping[str, Mapping[str, Any]],
    more: Sequence[str] = (),
    draws: int = 10_000,
) -> list[str]:
    """Sentences on scores, their definitions, chance, intervals and tests.

    Args:
      scores: all of a run.
      more: names that are given beside the usual ones.
      draws: of bootstrap and permutations.
    """
    given = dict.fromkeys([*SHOWN, *SHOWN_FEWER, *more])
    found = [name for name in given if name in scores]
    if not found:
        return []
    n = scores[found[0]]['n']
    return [
        f'Reconstructions were scored against {n} pictures that were seen:',
        '; '.join(_score(name, scores[name]) for name in found) + '.',
        'Chance is the mean of the same reconstructions permuted across '
        f'stimuli ({draws} permutations), and p, one-sided, is how often they '
        'then score as well; q, where it is given, corrects p for all scores '
        'of the report (step-down max-T, Westfall and Young 1993). Intervals '
        'are 95 % over pictures: the studentised bootstrap (Efron 1981; '
        f"{draws} resamples), no narrower than Student's and no wider than "
        'holds for any scores within the bounds (Gaffke 2005); of hits and '
        'misses that of Clopper and Pearson (1934).',
    ]


def _score(name, score):
    item = describe(name)
    value, chance, low, high = (
        decimals(score[key], item.percent)
        if is_defined(score[key])
        else 'not defined'
        for key in ('value', 'chance', 'low', 'high')
    )
    meaning = re.sub(r'\.$', '', item.meaning.replace('; ', ', '))
    meaning = f' ({meaning[:1].lower()}{meaning[1:]})' if meaning else ''
    corrected = f', q = {p_in_words(score["q"])}' if score.get('q') else ''
    guess = score.get('guess')
    known = f', a guess {decimals(guess, item.percent)}' if guess else ''
    return (
        f'{item.title}{meaning} {value} (95 % interval {low} to {high}; chance '
        f'{chance}{known}; p = {p_in_words(score["p"])}{corrected})'
    )


def _software(versions, seed):
    names = ', '.join(
        f'{name} {version}'
        for name, version in versions.items()
        if name != 'devices'
    )
    yield (
        f'Software: {names}, on {versions["devices"]}; all random draws come '
        f'from the seed {seed}.'
    )
