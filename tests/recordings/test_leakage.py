"""What training and test trials share is found, and nothing else."""

import dataclasses
import io

import numpy as np
import pytest
from conftest import shared_data
from PIL import Image
from recording_files import small_recording

from brainjax.pictures import duplicates, loading
from brainjax.recordings import Stimuli, leakage
from brainjax.simulation.scenes import scenes


def with_stimuli(images=None, **changes):
    recording = small_recording()
    if images is not None:
        changes['images'] = images
    return dataclasses.replace(
        recording, stimuli=dataclasses.replace(recording.stimuli, **changes)
    )


def found(recording, **options):
    return {f.what: f for f in leakage.check(recording, **options)}


def jpeg(image, quality=40):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, 'JPEG', quality=quality)
    return np.asarray(Image.open(stream))


def cropped(image, by):
    side = len(image)
    inner = Image.fromarray(image[by:-by, by:-by])
    return np.asarray(inner.resize((side, side), Image.Resampling.BICUBIC))


def test_a_clean_division_has_no_findings():
    result = leakage.check(small_recording())
    assert [f.what for f in result] == [
        'identical pictures',
        'near duplicates',
        'names',
        'categories',
        'runs',
        'sessions',
    ]
    assert [f.shared for f in result] == [0] * 6
    assert [f.of for f in result] == [3, 3, 3, 1, 3, 1]
    assert all(f.verdict == f'None of {f.of} shared.' for f in result)


def test_identical_pictures_are_named():
    images = small_recording().stimuli.images.copy()
    images[10] = images[11] = images[4]
    result = found(with_stimuli(images))
    same = result['identical pictures']
    assert (same.shared, same.of) == (2, 3)
    assert same.examples == (('n1_4', 'n3_10'), ('n1_4', 'n3_11'))
    assert 'pixel by pixel' in same.verdict
    assert result['near duplicates'].shared == 0


def test_each_identical_pair_is_found():
    recording = small_recording()
    images = recording.stimuli.images.copy()
    images[5] = images[10] = images[4]
    assert leakage.identical(with_stimuli(images)) == [(4, 10), (5, 10)]
    assert leakage.identical(recording) == []
    bare = dataclasses.replace(recording.stimuli, images=None)
    bare = dataclasses.replace(recording, stimuli=bare)
    assert leakage.identical(bare) == []


@pytest.mark.parametrize(
    'change',
    [
        jpeg,
        lambda image: image[:, ::-1],
        lambda image: np.rot90(image),
        lambda image: np.rot90(jpeg(image), 2),
        lambda image: np.rot90(image[:, ::-1]),
        lambda image: cropped(image, 1),
        lambda image: (image * 0.8).astype(np.uint8),
        lambda image: np.repeat(image.mean(2, keepdims=True), 3, 2).astype(
            np.uint8
        ),
    ],
    ids=[
        'jpeg',
        'mirrored',
        'left',
        'half',
        'both',
        'cropped',
        'darker',
        'grey',
    ],
)
def test_changed_copies_are_near_duplicates(change):
    images, _, _ = scenes(12, 64, 3)
    images[9] = change(images[2])
    near = found(with_stimuli(images))['near duplicates']
    assert (near.shared, near.examples) == (1, (('n0_2', 'n3_9'),))


def test_thresholds_are_those_that_were_given():
    images, _, _ = scenes(12, 64, 3)
    images[9] = cropped(images[2], 2)
    recording = with_stimuli(images)
    small = [
        np.asarray(
            Image.fromarray(images[i])
            .convert('L')
            .resize((16, 16), Image.Resampling.BOX),
            float,
        )
        for i in (2, 9)
    ]
    r = np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1]
    for correlation, shared in ((r - 1e-4, 1), (r + 1e-4, 0)):
        result = found(recording, correlation=correlation, bits=64)
        assert ('n0_2', 'n3_9') in result['near duplicates'].examples or (
            not shared
        )
        assert (result['near duplicates'].shared >= 1) == bool(shared)
    signs = duplicates._prints(images[[2, 9]]).signs
    apart = (signs[0] != signs[1]).sum()
    assert apart > 0
    assert not found(recording, bits=int(apart) - 1)['near duplicates'].shared


def test_pairs_of_other_pictures_are_not_near_duplicates():
    images, _ = loading.load(
        shared_data('tiny_imagenet_10k.tar'), 64, limit=600
    )
    assert duplicates.near(images[:300], images[300:]) == []


def test_names_without_folder_suffix_and_case():
    names = [f'train/A{i}.png' for i in range(9)]
    result = found(with_stimuli(names=(*names, 'test/a3.JPEG', 'b', 'a.4')))
    assert result['names'].examples == ('a3',)
    assert (result['names'].shared, result['names'].of) == (1, 3)
    # One name in two spellings of Unicode.
    names[0] = 'caf\u00e9.jpg'
    result = found(with_stimuli(names=(*names, 'CAFE\u0301.jpg', 'b', '4')))
    assert result['names'].examples == ('caf\u00e9',)


def test_shared_categories_runs_and_sessions():
    recording = with_stimuli(categories=tuple('abc' * 4))
    test = dataclasses.replace(
        recording.test, run=recording.test.run - 2, session=None
    )
    result = found(dataclasses.replace(recording, test=test))
    assert result['categories'].examples == ('a', 'b', 'c')
    assert result['runs'].examples == (2, 3)
    assert (result['runs'].shared, result['runs'].of) == (2, 3)
    assert result['sessions'].shared is None
    assert 'cannot be checked' in result['sessions'].verdict


def test_without_pictures_and_categories():
    recording = small_recording()
    recording = dataclasses.replace(
        recording, stimuli=Stimuli(None, recording.stimuli.names)
    )
    result = found(recording)
    for what in ('identical pictures', 'near duplicates', 'categories'):
        assert result[what].shared is None


def test_text_for_a_terminal():
    images = small_recording().stimuli.images.copy()
    images[10] = images[4]
    text = leakage.render(leakage.check(with_stimuli(images)))
    assert text.splitlines()[0].startswith(
        'identical pictures  1 of 3        1 of 3 test pictures are a training'
    )
    assert text.splitlines()[1] == ' ' * 34 + 'n1_4 = n3_10'


def test_trials_that_are_there_twice_are_told():
    recording = small_recording()
    assert not any('response' in x for x in leakage.problems(recording))
    train, test = recording.train, recording.test
    fmri = train.fmri.copy()
    fmri[1], fmri[2] = fmri[0], test.fmri[0]
    twice = dataclasses.replace(
        recording, train=dataclasses.replace(train, fmri=fmri)
    )
    [told] = [x for x in leakage.problems(twice) if 'response' in x]
    assert told.startswith('2 trials have the very response of another one, 1')
