"""Few stimuli: 10 to 200 of them, of 10 to 112 px, whatever the recording.

    brainjax run --config configs/small.py --workdir runs/small \
      --config.recording.path=subject.h5 --config.pictures.path=folder

Pictures have the size of the recording's. Without files a simulated subject
looks at 20 scenes, six times each.

An encoder of few stimuli is unsure of most pictures, and says so: evidence
chooses its read-out's regularisation, and ED learns from responses drawn with
all that is open (`brainjax/methods/selfsup/readout.py`). Grids follow from the
size of the pictures; whether ED helps, and with how much noise, is chosen by
predicting training stimuli that are held out. The report says what was chosen,
and how the closed-form posterior does beside it.

Time: 2 to 3 minutes on a shared CPU core for 8 pictures of 10 px and 797
voxels, most of it for the choice; it grows with the pictures' area.
Scores to expect: docs/selfsup.md has those of ten pictures with real fMRI.
"""

from ml_collections import ConfigDict

from brainjax.methods.selfsup.config import gaziv2022


def get_config():
    config = gaziv2022()
    config.size = 0  # As the recording's.
    config.pictures.number = 2000
    config.simulated.n_train = 20
    config.simulated.train_repeats = 6
    config.simulated.n_unpaired_fmri = 0
    # Every stimulus trains, and the last epoch is taken.
    config.validation = 0.0
    config.voxel_snr = 'uniform'

    encoder = config.encoder
    encoder.kind = 'dense'
    encoder.backbone = 'vgg16'
    encoder.weights = 'random'
    encoder.width = 0.25
    encoder.taps = ('relu1_1',)
    encoder.layers = 0  # From the size.
    encoder.channels = 16
    encoder.convolutions = 1e-5
    encoder.dense_absolute = 1.0
    encoder.dense_group = 100.0
    encoder.drops = ((8, 0.3), (12, 0.3))
    encoder.epochs = 15
    encoder.steps = 10
    encoder.batch = 16
    encoder.shift = 0.03

    # The mean of what may have been seen, and no features of a network that
    # knows nothing of the pictures.
    loss = config.image_loss
    loss.weights = 'random'
    loss.width = 0.25
    loss.taps = ()
    loss.tap_weights = ()
    loss.pixels = 0.2
    loss.pixel_distance = 'squared'
    loss.variation = 0.0

    decoder = config.decoder
    decoder.blocks = 0  # From the size.
    decoder.channels = 16
    decoder.groups = 8
    decoder.kernel = 3
    decoder.batch_paired = 16
    decoder.batch_pictures = 32
    decoder.learning_rate = 3e-3
    decoder.drops = ((6, 0.2), (8, 0.2))
    decoder.epochs = 10
    decoder.steps = 40
    decoder.pictures_draws = True
    decoder.choose = 'validation'
    # In full: with a part of the epochs ED has not come as far as D.
    decoder.choice_epochs = 1.0
    # D alone learns a map by heart and has to be held back; ED does not.
    decoder.dense_absolute = 4.0
    decoder.dense_group = 40.0
    decoder.paired = 0.3
    decoder.candidates = ConfigDict(
        {
            'D': {
                'decoder': {
                    'paired': 1.0,
                    'encoder_decoder': 0.0,
                    'dense_absolute': 40.0,
                    'dense_group': 400.0,
                }
            },
            'D + ED': {
                'decoder': {'pictures_draws': False, 'pictures_noise': 0.5}
            },
            # With the noise of a trial, and of an average of eight.
            'D + ED, draws of trials': {'decoder': {'pictures_noise': 1.0}},
            'D + ED, draws': {'decoder': {'pictures_noise': 0.35}},
            'D + ED + DE': {
                'decoder': {'pictures_noise': 0.35, 'decoder_encoder': 1.0}
            },
        }
    )
    return config
