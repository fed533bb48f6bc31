"""Gaziv et al. 2022 as their Keras release has it, the one that classifies.

    brainjax fetch vgg16 && brainjax fetch alexnet
    brainjax run --config configs/gaziv2022_keras.py \
      --workdir runs/gaziv2022_keras \
      --config.recording.path=sbj_3.npz \
      --config.recording.images=images_112.npz \
      --config.recording.options=names=tables \
      --config.pictures.path=pictures --config.classes=examples \
      --config.distractors=ILSVRC2012_img_val.tar

Files: as configs/gaziv2022.py, but for the unpaired pictures: 50 of each class
of ImageNet's *training* set, in a folder, without the classes whose synsets
are tested (49 000 pictures of 980 classes for Generic Object Decoding); and
100 examples of each class in a folder of its own, the tested ones among them;
and the lab's tables of stimulus names (imageID_training.csv, imageID_test.csv)
in a folder, which tell the classes of the test pictures. Distractors of the
n-way identification are pictures that ED has not learned from; the release drew
them from 5000 of ImageNet's validation set.

Time: 900 encoder and 11 250 decoder steps of 32 pictures, a task for a GPU.
Score to expect: none that could be verified; the release classifies each
reconstruction among up to 1000 classes and does not print how well.

What is its own: no DE, initialisers and batch norm of Keras, branch weights
kept from falling below 0, the last epoch of both networks, ED on shifted
pictures with dropout in the frozen encoder. Not followed, as they look like
slips: pictures are prepared for VGG once, not twice, and group norm has groups
of channels, not of pixels. Not followed either: its frozen encoder normalises
by the statistics of each batch, and TensorFlow 1 upsamples from the corners of
pixels, here from their middles.

The release divides pixels by constants that it stores, and this by their mean
over the training pictures; --config.image_loss.pixel_scale=img_norm.npz takes
the stored ones.
"""

from brainjax.methods.selfsup.config import gaziv2022


def get_config():
    config = gaziv2022()
    config.paper = 'Gaziv et al. 2022, Keras release'
    config.recording.required = (
        'sbj_3.npz, with config.recording.images=images_112.npz, from '
        'https://github.com/WeizmannVision/SelfSuperReconst/releases'
    )
    config.recording.roi = 'VC'
    config.pictures.number = 49_000
    config.pictures.on_disk = True
    config.preset = 'weizmann'

    encoder = config.encoder
    encoder.release = 'keras'
    encoder.backbone = encoder.weights = 'vgg16'
    encoder.taps = ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3')
    encoder.strides = (2, 2, 1, 1)
    encoder.cosine = 0.2  # -0.1 cos, up to a constant.
    encoder.convolutions = 1e-5
    encoder.second_moment = 0.0
    encoder.map_uses = (1.0, 1.0)
    encoder.map_padding = 'symmetric'
    encoder.optimizer = 'amsgrad'
    encoder.drops = ((21, 0.1), (31, 0.1), (36, 0.1))
    encoder.steps = 18
    encoder.shift = 5
    encoder.select = 'last'

    loss = config.image_loss
    loss.taps = ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3', 'relu5_3')
    loss.tap_weights = (2.0,) * 5  # 10 times the mean of five.

    decoder = config.decoder
    decoder.release = 'keras'
    decoder.upsampling = 'bilinear'
    decoder.padding = 'zero'
    decoder.activation = 'relu'
    decoder.order = 'upsample conv activation norm'
    # One batch of 16 paired and 16 unpaired examples and one mean over it.
    decoder.paired = decoder.encoder_decoder = 0.5
    decoder.batch_paired = decoder.batch_pictures = 16
    decoder.all_pairs = True
    decoder.dense_absolute = 20.0
    decoder.dense_neighbours = 4
    decoder.dense_padding = 'symmetric'
    decoder.convolutions = 1e-5
    decoder.pictures_shift = 5  # Its target is not shifted.
    decoder.pictures_dropout = 0.25
    decoder.learning_rate = 1e-3
    # None at 89, unlike in Beliy et al. 2019.
    decoder.drops = ((29, 0.2), (59, 0.2), (119, 0.2), (149, 0.2))
    decoder.steps = 75
    return config
