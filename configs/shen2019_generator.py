"""Shen et al. 2019: natural pictures within the reach of a generator.

    brainjax fetch generator_relu7 --from generator.caffemodel
    brainjax run --config configs/shen2019_generator.py --workdir runs/prior \
      --config.recording.path=FOLDER --config.recording.images=STIMULI \
      --config.inversion.upper=act_range/3x/fc7.txt

As configs/shen2019_natural.py, but for what is searched: codes of the generator
of Dosovitskiy & Brox 2016, by gradient descent within bounds of the codes that
natural pictures have (mean and three standard deviations), from zeros.
"""

from brainjax.methods.inversion.config import shen2019_generator


def get_config():
    config = shen2019_generator()
    config.recording.required = (
        'the BData files of one subject of deep image reconstruction '
        "('brainjax fetch --list' names them), with config.recording.images"
    )
    config.recording.roi = 'VC'
    return config
