"""Deep image reconstruction of real fMRI: handwritten sixes and nines.

    brainjax fetch vgg16
    brainjax run --config configs/inversion_digits69.py \
      --workdir runs/inversion_digits69 \
      --config.recording.path=digits69.mat

One subject's single responses to 100 digits, V1 to V3 (van Gerven et al.
2010; `brainjax/recordings/formats/digits69.py`). Features of VGG16 trained on
ImageNet are decoded from fMRI and inverted at 56 px, then reduced to the 28 px
of the digits. Add `--config.recording.fold=0` (to 9) for one of ten folds.

Time: 4 minutes 48 on two CPU cores.
Scores to expect on the usual split, 10 digits (95 % intervals):

                                    this       ridge to pixels
  two-way (chance .5)       .989 (.956 1.00)   .933 (.867 .989)
  pixel correlation (.342)  .683 (.647 .713)   .787
  two-way by features       .967 to .978

Pictures found by inversion name the digit at least as well as direct ridge
does, and match its pixels less well. The settings were tried once.
"""

from brainjax.methods.inversion.config import shen2019


def get_config():
    config = shen2019()
    # Given by the user; there is no embedded substitute.
    config.recording.required = (
        'digits69.mat, the data of van Gerven et al. 2010 that '
        'https://github.com/umguec/Decoding-brain-representations gives out'
    )
    config.size = 28
    network = config.network
    network.weights = 'vgg16'
    network.family = 'vgg16'
    network.size = 56
    # The scores above are those of digits enlarged by the bilinear filter.
    network.fit = 'centre'
    network.layers = ('conv1_2', 'conv2_2', 'conv3_2')
    # The published spread holds for the authors' network alone.
    config.decoding.scaling = 'about_training_mean'
    # Ours: descent with its blur is kinder to decoded features than L-BFGS.
    inversion = config.inversion
    inversion.optimiser = 'descent'
    inversion.steps = 100
    inversion.start = 'mean'
    inversion.boxed = False
    inversion.together = 10
    return config
