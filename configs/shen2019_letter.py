"""Shen et al. 2019: letters, decoded by what natural pictures taught.

As configs/shen2019_natural.py, tested on the 10 letters.
"""

from brainjax.methods.inversion.config import shen2019


def get_config():
    config = shen2019()
    config.recording.required = (
        'the BData files of one subject, natural training and letter trials, '
        'with config.recording.images'
    )
    config.recording.roi = 'VC'
    config.recording.test = 'letter'
    return config
