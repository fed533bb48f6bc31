"""Draws from the posterior on real fMRI: sixes and nines, V1 to V3.

    brainjax run --config configs/posterior_digits69.py --workdir runs/draws \
      --config.recording.path=digits69.mat --config.pictures.path=digits69.mat

File: see `configs/digits69.py`; `--config.recording.fold=0` (to 9) likewise.

Time: 4 minutes a fold on one CPU core. Scores to expect over ten folds (closed
form, ridge): pixel correlation .846 (.800, .737), two-way identification .982
(.969, .894); 90 % intervals cover .912.
"""

from brainjax.methods.posterior.config import posterior


def get_config():
    config = posterior()
    config.recording.required = (
        'digits69.mat (also as config.pictures.path), the data of van Gerven '
        'et al. 2010 that '
        'https://github.com/umguec/Decoding-brain-representations gives out'
    )
    config.size = 28
    config.pictures.number = 2000
    return config
