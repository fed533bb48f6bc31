"""Recordings in other formats: what is kept is exact, the rest is told."""

import dataclasses

import numpy as np
import pytest
from conftest import shared_data
from recording_files import small_recording, write_weizmann

from brainjax.errors import InputError
from brainjax.recordings import Stimuli, conversion, open_recording


def test_to_weizmann_and_back(tmp_path):
    recording = small_recording()
    out = tmp_path / 'new' / 'small.npz'
    written, lost = conversion.convert(recording, out)
    assert written == [out, tmp_path / 'new' / 'small_images.npz']
    assert lost == [
        'stimulus names',
        'categories',
        'runs',
        'sessions',
        'unpaired fMRI',
    ]
    again = open_recording(out, pictures=written[1])
    for part in ('train', 'test'):
        a, b = getattr(recording, part), getattr(again, part)
        np.testing.assert_array_equal(a.fmri, b.fmri)
        np.testing.assert_array_equal(
            recording.stimuli.images[a.stimulus],
            again.stimuli.images[b.stimulus],
        )
    # What the format holds, it holds: nothing is lost the second time.
    _, lost = conversion.convert(again, tmp_path / 'small.npz')
    assert lost == []


def test_real_trials_are_the_same_bit_for_bit(tmp_path):
    recording = open_recording(shared_data('digits69.mat'))
    out = tmp_path / 'digits69.npz'
    _, lost = conversion.convert(recording, out)
    assert lost == ['stimulus names', 'categories']
    again = open_recording(out, pictures=tmp_path / 'digits69_images.npz')
    np.testing.assert_array_equal(recording.train.fmri, again.train.fmri)
    np.testing.assert_array_equal(
        recording.stimuli.images[recording.test.stimulus],
        again.stimuli.images[again.test.stimulus],
    )


def test_to_tfds(tmp_path):
    (folder,), lost = conversion.convert(small_recording(), tmp_path, 'tfds')
    assert folder.is_relative_to(tmp_path)
    assert (folder / 'features.json').exists()
    assert lost == []


def test_every_difference_is_named():
    first = small_recording()
    stimuli = first.stimuli
    train, test = first.train, first.test

    def changed(**changes):
        return dataclasses.replace(first, **changes)

    def with_stimuli(**changes):
        return changed(stimuli=dataclasses.replace(stimuli, **changes))

    images = stimuli.images.copy()
    images[2, 0, 0, 0] ^= 1
    fmri = train.fmri.copy()
    fmri[3, 4] += 0.25
    swapped = np.where(np.arange(27) == 0, 1, train.stimulus)
    for again, words in (
        (first, []),
        (changed(subject='other'), ['the subject']),
        (
            changed(train=dataclasses.replace(train, fmri=fmri)),
            ['the training fMRI (up to 0.25 off)'],
        ),
        (changed(train=dataclasses.replace(train, run=None)), ['runs']),
        (
            changed(test=dataclasses.replace(test, session=test.session + 1)),
            ['sessions'],
        ),
        (with_stimuli(images=images), ['pictures']),
        (with_stimuli(images=None), ['pictures']),
        (with_stimuli(names=tuple('abcdefghijkl')), ['stimulus names']),
        (with_stimuli(categories=None), ['categories']),
        (
            changed(rois={**first.rois, 'V1': ~first.rois['V1']}),
            ['1 of 3 ROIs (V1)'],
        ),
        (changed(snr=None), ['SNR']),
        (changed(noise_ceiling=first.snr), ['noise ceiling']),
        (changed(unpaired_fmri=None), ['unpaired fMRI']),
        (
            changed(train=dataclasses.replace(train, stimulus=swapped)),
            ['which stimulus was shown in which trial'],
        ),
    ):
        assert list(conversion.differences(first, again)) == words
    imagined = dataclasses.replace(first, imagery=test)
    assert [*conversion.differences(imagined, first)] == ['9 imagery trials']
    simulated = dataclasses.replace(first, simulated=True)
    assert [*conversion.differences(simulated, first)] == [
        'that it is simulated'
    ]


def test_nan_in_scores_is_kept(tmp_path):
    snr = small_recording().snr.copy()
    snr[2] = np.nan
    recording = dataclasses.replace(small_recording(), snr=snr)
    _, lost = conversion.convert(recording, tmp_path / 'small.npz')
    assert 'SNR' not in lost


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    recording = small_recording()
    bare = dataclasses.replace(
        recording, stimuli=Stimuli(None, recording.stimuli.names)
    )
    wide = dataclasses.replace(
        recording,
        stimuli=dataclasses.replace(
            recording.stimuli, images=recording.stimuli.images[:, :8]
        ),
    )
    path, _ = write_weizmann(tmp_path)
    itself = dataclasses.replace(recording, source=str(path))
    for given, out, to, words in (
        (recording, 'x.xyz', None, r'does not say which format.*weizmann'),
        (recording, 'x.npz', 'weizman', "mean 'weizmann'"),
        (bare, 'x.npz', None, 'holds no pictures, without which weizmann'),
        (wide, 'x.npz', None, '8 x 16 pixels'),
        (itself, path, None, 'is the recording that is read'),
    ):
        with pytest.raises(InputError, match=words):
            conversion.convert(given, tmp_path / out, to)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'images_16.npz',
        'sbj_3.npz',
    ]
