"""One subject in every format: the same trials, and a method that trains."""

import contextlib
import json

import numpy as np
import pytest
import scipy.io
import tiny
import tiny_selfsup
from recording_files import write_digits

from brainjax.errors import InputError
from brainjax.methods import data as methods_data
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import method as selfsup
from brainjax.recordings import (
    FORMATS,
    average_repeats,
    conversion,
    open_recording,
)
from brainjax.recordings.formats import options_of


def config_of(path, form, **changes):
    c = tiny_selfsup.config(**tiny_selfsup.ONE_LAYER)
    c.encoder.update(epochs=1, steps=2)
    c.decoder.update(epochs=1, steps=2)
    c.recording.path = str(path)
    c.recording.options = ';'.join(
        f'{name}={json.dumps(value)}' for name, value in form.whole.items()
    )
    c.update_from_flattened_dict(changes)
    return c


def responses_by_name(recording):
    """Averaged test responses; names sort as their numbers in all formats."""
    averaged = average_repeats(recording.test)
    names = [recording.stimuli.names[i] for i in averaged.stimulus]
    return averaged.fmri[np.argsort(names)]


@pytest.mark.parametrize(
    'name', [name for name, form in FORMATS.items() if form.write]
)
def test_the_self_supervised_method_runs_from(name, tmp_path):
    if name == 'bids':
        pytest.importorskip('nilearn')
    form, subject = FORMATS[name], tiny.subject()
    path = tmp_path / f'subject{form.suffix}'
    written, _ = conversion.convert(subject, path, name)
    c = config_of(path, form)
    if form.pictures:
        c.recording.images = str(written[1])
    recording = methods_data.load_recording(c)
    assert recording.format == name
    # Single trials or their averages, the responses are the subject's.
    a, b = (responses_by_name(r) for r in (recording, subject))
    tolerance = 0.01 if name == 'nsd' else 1e-5  # Whole numbers / 300.
    np.testing.assert_allclose(a, b, atol=tolerance)
    fitted = selfsup.fit(
        prepare(recording, tiny.pictures(64, seed=1)), c, tmp_path / 'run'
    )
    images = selfsup.reconstruct(fitted, np.asarray(a[:3]), c)
    assert images.shape == (3, 16, 16, 3) and np.isfinite(images).all()


def test_and_from_digits69(tmp_path):
    path = write_digits(tmp_path)
    c = config_of(path, FORMATS['digits69'], size=28)
    recording = methods_data.load_recording(c)
    pictures = np.repeat(tiny.pictures(16, 1, 28), 4, axis=0)
    fitted = selfsup.fit(prepare(recording, pictures), c, tmp_path / 'run')
    images = selfsup.reconstruct(fitted, recording.test.fmri, c)
    assert images.shape == (10, 28, 28, 3) and np.isfinite(images).all()


def test_options_of_another_type_are_one_sentence_in_every_format(tmp_path):
    for name, form in FORMATS.items():
        path = tmp_path / f'{name}{form.suffix}'
        if form.write is None:
            path, given = write_digits(tmp_path), {}
        else:
            written, _ = conversion.convert(tiny.subject(), path, name)
            given = {'pictures': written[1]} if form.pictures else {}
        # BIDS has a test of its own.
        for option in options_of(name) if name != 'bids' else ():
            with contextlib.suppress(InputError):
                open_recording(path, **{**given, option: 1.5})
        for option, value in (('size', 'x'), ('roi', [1]), ('fit', True)):
            if option in options_of(name):
                with pytest.raises(InputError, match=f'{option}'):
                    open_recording(path, **{**given, option: value})


def test_what_is_no_recording_says_what_to_give(tmp_path):
    folder = tmp_path / 'there'
    conversion.convert(tiny.subject(), folder / 'subject.h5', 'bdata')
    conversion.convert(tiny.subject(), tmp_path / 'set', 'bids')
    (tmp_path / 'empty.npz').touch()
    scipy.io.savemat(tmp_path / 'betas.mat', {'betas': np.ones((3, 4))})
    np.savez(tmp_path / 'other.npz', X=np.ones(3))
    for path, words in (
        (tmp_path, 'there is one .bdata., so give that|set is one .bids.'),
        (tmp_path / 'set/sub-tiny/func', r'the data set .* of, .*set\.$'),
        (tmp_path / 'empty.npz', 'it is empty'),
        (tmp_path / 'betas.mat', 'fmri.npy and labels.csv into a folder'),
        (tmp_path / 'other.npz', 'fmri.npy and labels.csv into a folder'),
    ):
        with pytest.raises(InputError, match=f'no recording .*{words}'):
            open_recording(path)
