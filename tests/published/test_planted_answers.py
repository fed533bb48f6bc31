"""Each protocol finds what was planted in the fMRI, up to sampling error.

A linear method decodes a recording without noise: the responses to a third of
the test pictures are of these, all others of pictures that nobody was shown. A
third is then told among any number; of the others every place is as likely, so
that n-way scores are SHARE + (1 - SHARE) / n.
"""

import jax
import linear_method
import numpy as np
import pytest
import tiny
from PIL import Image

from brainjax import experiment
from brainjax.evaluation import classification, distractors
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES
from brainjax.recordings import Recording, Stimuli, Trials

SIZE, TRAIN, TEST, SHARE = 16, 60, 60, 1 / 3
POOL = CLASSES = 1000
WAYS = (2, 5, 10, 50, 100, 500, 1000)


def scenes(latents):
    """Pictures linear in 12 latents [n, 2, 2, 3] in 0..255, as uint8."""
    return np.stack(
        [
            Image.fromarray(each).resize((SIZE, SIZE), Image.Resampling.BOX)
            for each in latents
        ]
    )


def drawn(n, seed):
    rng = np.random.default_rng([11, seed])
    return rng.integers(0, 256, (n, 2, 2, 3), np.uint8)


def class_name(i):
    return f'n{10_000_000 + i}'


def recording():
    latents = np.concatenate([drawn(TRAIN, 0), drawn(TEST, 1)])
    told = latents.copy()
    planted = round(SHARE * TEST)
    told[TRAIN + planted :] = drawn(TEST - planted, 2)
    mixing = np.random.default_rng(3).normal(size=(12, 24))
    fmri = (told.reshape(-1, 12) / 255.0 - 0.5) @ mixing
    number = np.arange(TRAIN + TEST, dtype=np.int32)
    # Test pictures are of the bank's first classes, training ones of none.
    of = np.roll(number, TEST) % (TRAIN + TEST)
    return Recording(
        'planted',
        *(
            Trials(np.float32(fmri[part]), number[part])
            for part in (slice(0, TRAIN), slice(TRAIN, None))
        ),
        stimuli=Stimuli(
            scenes(latents),
            tuple(f'picture-{i}' for i in number),
            categories=tuple(map(class_name, of)),
        ),
        rois={},
        source='planted',
        simulated=True,
    )


@pytest.fixture(scope='module')
def scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp('planted')
    networks = {
        'vgg16': BACKBONES['vgg16'].init(jax.random.key(0), 1 / 16),
        'alexnet': BACKBONES['alexnet'].init(jax.random.key(1), 1 / 16),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, 'load', networks.__getitem__)
        patch.setattr(weights, 'check_fetched', networks.__getitem__)
        patch.setattr(distractors, 'SIZE', 32)  # As quick as they are small.
        patch.setattr(classification, 'SIZE', 64)
        linear_method.take_the_place_of_selfsup(patch)
        found = recording()
        write_bank(folder / 'bank.npz', found)
        np.savez(folder / 'outside.npz', images=scenes(drawn(POOL, 4)))
        config = tiny.get_config()
        config.decoder.encoder_decoder = 0.0  # Of the ridge.
        config.preset = 'weizmann'
        config.distractors = str(folder / 'outside.npz')
        config.classes = str(folder / 'bank.npz')
        pictures = tiny.pictures(8, 9)
        return experiment.run(config, folder / 'run', found, pictures)['scores']


def write_bank(path, recording):
    """The test pictures' own classes, and others of pictures not shown."""
    shown = recording.stimuli.images[TRAIN:]
    images = np.concatenate([shown, scenes(drawn(CLASSES - TEST, 5))])
    side = classification.SIZE
    large = np.stack(
        [
            Image.fromarray(x).resize((side, side), Image.Resampling.BILINEAR)
            for x in images
        ]
    )
    bank = classification.Bank(
        tuple(map(class_name, range(CLASSES))),
        classification.alexnet_embedding()(large),
        np.full(CLASSES, 100),
    )
    classification.write(path, bank)


def check(score, chance, square):
    """A score against what was planted.

    Args:
      score: of the run.
      chance: mean of a picture without an answer.
      square: mean of its square, at the most.
    """
    expected = SHARE + (1 - SHARE) * chance
    others = (1 - SHARE) * TEST
    error = (1 - SHARE) * np.sqrt((square - chance**2) / others)
    assert score['n'] == TEST
    assert abs(score['value'] - expected) < 4 * error + 1e-3


@pytest.mark.parametrize('n', WAYS)
def test_identification_among_outside_pictures(scores, n):
    score = scores[f'identification_{n}way_perceptual_vgg16']
    assert score['guess'] == pytest.approx(1 / n)
    # With places u uniform in 0..1 success is (1 - u)^(n - 1).
    check(score, 1 / n, 1 / (2 * n - 1))


@pytest.mark.parametrize('n', [n for n in WAYS if n != 5])
def test_classification(scores, n):
    check(scores[f'top1_{n}way'], 1 / n, 1 / (2 * n - 1))


def test_five_guesses_of_a_thousand_classes(scores):
    check(scores['top5_1000way'], 0.005, 0.005)


def test_pairwise_and_among_all_of_the_test_set(scores):
    check(scores['two_way_pixels'], 1 / 2, 1 / 3)
    check(scores['fifty_way_pixels'], 1 / 50, 1 / 99)
