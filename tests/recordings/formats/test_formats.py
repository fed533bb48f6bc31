"""One subject in every format: the same trials, and a method that trains."""

import json

import numpy as np
import pytest
import tiny
import tiny_selfsup
from recording_files import write_digits

from brainjax.methods import data as methods_data
from brainjax.methods.data import prepare
from brainjax.methods.selfsup import method as selfsup
from brainjax.recordings import FORMATS, average_repeats, conversion


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
