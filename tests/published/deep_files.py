"""Small files with the traits of those of deep image reconstruction.

BData of one subject: natural pictures to train and to test on, shapes, letters
and imagery (Shen et al. 2019); and all their pictures by name.
"""

import bdata_files
import numpy as np
import tiny
from PIL import Image

from brainjax.recordings import stimulus_names

SIZE = 16
TRAINING = ('n01518878_10042', 'n01518878_12028', 'n01621127_19020')
SHOWN = {
    'natural': ('n01443537_22563', 'n04572121_3262'),
    'shape': (stimulus_names.SHAPES[1], stimulus_names.SHAPES[39]),
    'letter': (stimulus_names.LETTERS[0], stimulus_names.LETTERS[9]),
    'imagery': tuple(stimulus_names.IMAGERY[i - 1] for i in (1, 15, 17, 26)),
}
# What makes configs/shen2019_*.py small.
SMALL = {
    **{'size': SIZE, 'references': False, 'network.weights': 'random'},
    **{'network.size': SIZE, 'network.width': 1 / 16},
    **{'network.layers': ('conv1_1', 'conv2_1'), 'decoding.k': 3},
    **{'decoding.scaling': 'about_training_mean', 'inversion.steps': 2},
    'inversion.recovered': 1,
}


def write(folder):
    """Writes all of it; returns overrides of a config that name the files."""
    (folder / 'bdata').mkdir()
    bdata_files.deep_reconstruction(folder / 'bdata')
    bdata_files.write(
        folder / 'bdata/sub-01_imagery_original_VC.h5',
        bdata_files.responses(7),
        {  # Cue, imagery, evaluation; the last imagined nothing.
            'Run': np.ones(7),
            'event_type': [1, 2, 3, 2, 2, 2, 2],
            'category_id': np.arange(7),
            'category_index': [1, 1, 1, 15, 17, 26, 16],
            'evaluation': [3, 3, 3, 4, 1, 5, 1],
        },
    )
    names = {*stimulus_names.IMAGERY, *(x for y in SHOWN.values() for x in y)}
    names |= {*TRAINING}
    (folder / 'stimuli').mkdir()
    for name, image in zip(sorted(names), tiny.pictures(len(names), 3, SIZE)):
        Image.fromarray(image).save(folder / f'stimuli/{name}.png')
    return {
        'recording.path': str(folder / 'bdata'),
        'recording.images': str(folder / 'stimuli'),
        'recording.roi': 'V1',
    }
