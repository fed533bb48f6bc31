"""A recording as a TFDS data set, read back without TensorFlow."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from conftest import REPOSITORY, TESTS
from PIL import Image
from recording_files import small_recording, write_digits

from brainjax.errors import InputError
from brainjax.io.files import exclusive_lock
from brainjax.pictures import loading
from brainjax.recordings import Stimuli, open_recording
from brainjax.recordings.formats import tfds_builder


def source(folder, split, name='brainjax_recording', **options):
    return tfds.data_source(
        name, split=split, data_dir=folder, download=False, **options
    )


@pytest.mark.parametrize('shards', [None, 4])
def test_read_back_exactly(tmp_path, shards):
    recording = small_recording()
    folder = tfds_builder.prepare(recording, tmp_path, shards=shards)
    assert folder == tmp_path / 'brainjax_recording' / 'small' / '1.0.0'
    stimuli = recording.stimuli
    for part in ('train', 'test'):
        trials = getattr(recording, part)
        files = [*folder.glob(f'*-{part}.array_record-*')]
        assert len(files) == (shards or 1)
        read = source(tmp_path, part)
        assert len(read) == len(trials)
        for i, example in enumerate(read):
            shown = trials.stimulus[i]
            assert example['fmri'].dtype == np.float32
            np.testing.assert_array_equal(example['fmri'], trials.fmri[i])
            np.testing.assert_array_equal(
                example['image'], stimuli.images[shown]
            )
            assert example['stimulus'].decode() == stimuli.names[shown]
            assert example['category'].decode() == stimuli.categories[shown]
            assert example['run'] == trials.run[i]
            assert example['session'] == trials.session[i]
    unpaired = source(tmp_path, 'unpaired', 'brainjax_recording/small')
    np.testing.assert_array_equal(
        [e['fmri'] for e in unpaired], recording.unpaired_fmri
    )
    assert not unpaired[0]['image'].any() and unpaired[0]['stimulus'] == b''
    metadata = unpaired.dataset_info.metadata
    assert metadata['subject'] == 'small'
    assert json.loads(metadata['rois'])['V1'] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(
        np.float32(json.loads(metadata['snr'])), recording.snr
    )


def test_pictures_stay_png_where_decoding_is_skipped(tmp_path):
    recording = small_recording()
    tfds_builder.prepare(recording, tmp_path)
    read = source(
        tmp_path, 'test', decoders={'image': tfds.decode.SkipDecoding()}
    )
    with Image.open(io.BytesIO(read[0]['image']), formats=['PNG']) as image:
        np.testing.assert_array_equal(image, recording.stimuli.images[9])
    images, _ = loading.load(
        'tfds:brainjax_recording/small/test', 16, data_dir=tmp_path
    )
    np.testing.assert_array_equal(
        images, recording.stimuli.images[recording.test.stimulus]
    )


def test_two_subjects_and_a_recording_named_by_its_path(tmp_path):
    path = write_digits(tmp_path)
    tfds_builder.prepare(small_recording(), tmp_path / 'out')
    tfds_builder.prepare(path, tmp_path / 'out', name='six/nine', roi='lh.V1d')
    expected = open_recording(path, roi='lh.V1d')
    read = source(tmp_path / 'out', 'test', 'brainjax_recording/six_nine')
    np.testing.assert_array_equal([e['fmri'] for e in read], expected.test.fmri)
    assert read[0]['run'] == read[0]['session'] == -1
    assert len(source(tmp_path / 'out', 'test')) == 9  # The first subject's.


def test_without_pictures_and_categories(tmp_path):
    recording = small_recording()
    bare = dataclasses.replace(
        recording, stimuli=Stimuli(None, recording.stimuli.names)
    )
    tfds_builder.prepare(bare, tmp_path)
    assert sorted(source(tmp_path, 'train')[0]) == [
        'fmri',
        'run',
        'session',
        'stimulus',
    ]


def test_a_data_set_that_is_there_is_not_overwritten(tmp_path):
    tfds_builder.prepare(small_recording(), tmp_path)
    with pytest.raises(InputError, match=r'1\.0\.0 exists; name another'):
        tfds_builder.prepare(small_recording(), tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written to'):
        tfds_builder.prepare(small_recording(), tmp_path / 'file')


KILLED = """
import os, signal, sys
from recording_files import small_recording
from brainjax.recordings.formats import tfds_builder

def killed(*arguments):
    yield from [*examples(*arguments)][:3]
    os.kill(os.getpid(), signal.SIGKILL)

examples, tfds_builder._examples = tfds_builder._examples, killed
tfds_builder.prepare(small_recording(), sys.argv[1])
"""


def test_what_a_killed_process_left_is_removed(tmp_path):
    process = subprocess.run(
        [sys.executable, '-c', KILLED, tmp_path],
        env={**os.environ, 'PYTHONPATH': f'{REPOSITORY}:{TESTS}'},
        capture_output=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    home = tmp_path / 'brainjax_recording' / 'small'
    assert [p.name[:11] for p in home.iterdir()] == ['incomplete.']
    with (
        exclusive_lock(home),
        pytest.raises(InputError, match='is being written by another run'),
    ):
        tfds_builder.prepare(small_recording(), tmp_path)
    tfds_builder.prepare(small_recording(), tmp_path)
    assert [p.name for p in home.iterdir()] == ['1.0.0']


def test_neither_tensorflow_nor_the_package_is_needed_to_read(tmp_path):
    tfds_builder.prepare(small_recording(), tmp_path)
    code = (
        'import sys, tensorflow_datasets as tfds\n'
        "s = tfds.data_source('brainjax_recording', split='train', "
        f'data_dir={str(tmp_path)!r}, download=False)\n'
        "assert s[3]['fmri'].shape == (12,) and s[3]['image'].any()\n"
        "assert not {'tensorflow', 'brainjax'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_importing_recordings_does_not_import_tfds():
    code = (
        'import sys, brainjax.recordings, brainjax.commands.convert\n'
        "assert 'tensorflow_datasets' not in sys.modules\n"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
