"""The README.md of a fitted model: numbers, limits, how to use it.

It begins with the fields that the Hugging Face hub reads from a model's card.
"""

import json
from collections.abc import Mapping
from typing import Any

from brainjax.evaluation.table import score_table

# Scores that come first; of the others a card shows none.
SHOWN = (
    *('two_way_pixels', 'two_way_features', 'pixcorr', 'ssim_2d'),
    *('pixcorr_ridge', 'pixcorr_bayes', 'encoder_correlation'),
)
_METHODS = {
    'selfsup': 'a self-supervised encoder and decoder',
    'inversion': 'deep image reconstruction from decoded features',
    'faces': 'the latents of a VAE-GAN',
    'posterior': 'draws from a posterior over pictures',
}


def write(about: Mapping[str, Any]) -> str:
    """Returns the card.

    Args:
      about: what config.json of the model holds.
    """
    scores = {
        name: about['scores'][name] for name in SHOWN if name in about['scores']
    }
    measured = (
        'simulated: no brain was measured' if about['simulated'] else 'measured'
    )
    of = _METHODS.get(about['method'], about['method'])
    return '\n'.join(
        [
            *_front_matter(about, scores),
            '',
            f'# Pictures from fMRI: {about["subject"]}, {about["method"]}',
            '',
            f'Reconstructs what a subject saw from responses of '
            f'{about["voxels"]} voxels, by {of}; made with '
            '[brainjax](https://pypi.org/project/brainjax). Responses are '
            f'{measured}. It was fitted to {about["train_trials"]} trials of '
            f'{len(about["train_stimuli"])} pictures, and '
            f'{about["pictures"]} pictures without fMRI.',
            '',
            '```python',
            'import brainjax',
            '',
            "model = brainjax.load('THIS_FOLDER')",
            f'images = model.reconstruct(fmri)  # [trials, {about["voxels"]}]',
            'fmri = model.encode(images)',
            '```',
            '',
            'or `brainjax reconstruct THIS_FOLDER RECORDING --out O` and '
            '`brainjax encode THIS_FOLDER PICTURES --out O`.',
            '',
            '## Scores',
            '',
            'On test pictures that the fit had not seen, with 95 % intervals '
            'over pictures; config.json has all scores.',
            '',
            '| score | value | chance | 95 % | n |',
            '|---|---|---|---|---|',
            *(_row(name, score) for name, score in scores.items()),
            '',
            '## Limits',
            '',
            *(f'* {text}' for text in _limits(about)),
            '',
        ]
    )


def _front_matter(about, scores) -> list[str]:
    tags = ['fmri', 'brain-decoding', 'image-reconstruction', about['method']]
    tags += ['simulated'] if about['simulated'] else []
    name = f'{about["method"]}-{about["subject"]}'
    lines = [
        '---',
        'library_name: brainjax',
        'license: unknown',  # The lab's to choose, with the data's.
        'tags:',
        *(f'- {json.dumps(tag)}' for tag in tags),
    ]
    values = {
        k: s['value'] for k, s in scores.items() if s['value'] is not None
    }
    if values:
        lines += [
            'model-index:',
            f'- name: {json.dumps(name)}',
            '  results:',
            '  - task:',
            '      type: image-reconstruction',
            '    dataset:',
            '      type: fmri',
            f'      name: {json.dumps(about["subject"])}',
            '    metrics:',
        ]
    for key, value in values.items():
        lines += [f'    - type: {key}', f'      value: {value:.4f}']
    return [*lines, '---']


def _row(name, score) -> str:
    value, chance, low, high = (
        score_table.decimals(score[key])
        for key in ('value', 'chance', 'low', 'high')
    )
    title = score_table.describe(name).title
    return f'| {title} | {value} | {chance} | {low} to {high} | {score["n"]} |'


def _limits(about) -> list[str]:
    found = [
        'It holds for this subject and these voxels, in this order; other '
        'voxels are refused.',
        'Responses are normalised by the mean and standard deviation of the '
        'training trials. Of another session they drift: '
        '`--scale session` takes those of its own training trials.',
        'Pictures look like those that it learned from, whatever was seen; '
        'the report of the run says what may explain the scores besides.',
    ]
    if about['simulated']:
        found.append(
            'The subject is simulated: the scores say nothing of brains.'
        )
    if about['transductive']:
        found.append(
            'The fit was transductive: test responses or test pictures took '
            'part in it, and the scores are too high for new ones.'
        )
    holds = about['fitted'].get('holds')
    if holds:
        found.append(
            f'The folder holds {holds}: give it away only if those may be '
            'given away.'
        )
    return [*found, *about['problems']]
