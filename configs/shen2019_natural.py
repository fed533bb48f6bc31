"""Shen et al. 2019: natural pictures, visual cortex, VGG19, pixels by L-BFGS.

    brainjax fetch deeprecon-original-sub-01
    brainjax fetch vgg19_caffe --from VGG_ILSVRC_19_layers.caffemodel
    brainjax run --config configs/shen2019_natural.py --workdir runs/natural \
      --config.recording.path=FOLDER --config.recording.images=STIMULI

FOLDER holds one subject's BData files, STIMULI the pictures by name, which the
Kamitani lab gives out on request. The paper's figures of single regions and
layers: --config.subsets.rois="('V1', 'V2', 'V3', 'V4', 'HVC', 'VC')" and
--config.subsets.layers="('conv1_1|conv1_2', 'fc6|fc7|fc8')". One fit for
several sets: --config.recording.tests="('natural', 'shape', 'letter')".

Time: a task for a GPU; 14.9 million units are decoded, each with its own
voxels. Nothing of it was run for want of the files.
Scores to expect: pairwise identification by pixel correlation about .80 over
five subjects in a later pipeline of the same group (generator, other scaling);
the published values of this setting were not checked.
"""

from ml_collections import ConfigDict

from brainjax.evaluation.published.papers import number
from brainjax.methods.inversion.config import shen2019


def get_config():
    config = shen2019()
    config.recording.required = (
        'the BData files of one subject of deep image reconstruction '
        "('brainjax fetch --list' names them), with config.recording.images"
    )
    config.recording.roi = 'VC'
    config.published = ConfigDict(
        {
            'two_way_pixels': number(
                0.805,
                "the same group's InterSiteNeuralCodeConversion, CSV files",
                spread=0.022,
                spread_of='standard deviation over subjects',
                subject='five subjects',
                differs='a later pipeline: a generator, another loss and '
                'scaling; not the values of the 2019 paper, which were not '
                'checked',
            )
        }
    )
    return config
