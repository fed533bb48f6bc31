"""Test pictures among the unpaired ones are left out, and a run says so."""

import html
import json

import numpy as np
import pytest
import tiny
import tiny_faces
import tiny_inversion
import tiny_posterior
from PIL import Image

from brainjax import experiment
from brainjax.errors import InputError
from brainjax.methods.data import prepare
from brainjax.recordings import leakage

CONFIGS = {
    'selfsup': tiny.get_config,
    'inversion': tiny_inversion.get_config,
    'faces': tiny_faces.get_run_config,
    'posterior': tiny_posterior.get_config,
}
TURNS = (
    lambda image: image,
    lambda image: image[:, ::-1],
    np.rot90,
    lambda image: np.rot90(image, 2),
    lambda image: np.rot90(image[:, ::-1]),
    lambda image: np.uint8(image * 0.9),
)


def leak(folder, method):
    """A config whose unpaired pictures hold ten test pictures, turned."""
    recording = tiny.subject()
    flags = tiny.write(folder, recording)
    test = np.unique(recording.test.stimulus)[:10]
    for i, stimulus in enumerate(test):
        image = TURNS[i % len(TURNS)](recording.stimuli.images[stimulus])
        image = Image.fromarray(np.ascontiguousarray(image))
        image.save(folder / 'unpaired' / f'leak-{i}.png')
    c = CONFIGS[method]()
    c.size, c.pictures.number = 16, 1000
    for flag in flags:
        key, value = flag.removeprefix('--config.').split('=')
        c.update_from_flattened_dict({key: value})
    return c


@pytest.mark.parametrize('method', CONFIGS)
def test_they_are_left_out_whatever_the_method(method, tmp_path):
    c = leak(tmp_path, method)
    if method == 'faces':
        c.gender = False
    data = experiment.open_data(c)
    assert len(data.pictures) == 64 and not data.test_kept
    [told] = [text for text in data.problems if 'unpaired' in text]
    assert told.startswith('10 of 24 test pictures are among')
    assert 'these 10 unpaired pictures were left out' in told
    c.pictures.keep_test = True
    kept = experiment.open_data(c)
    assert len(kept.pictures) == 74 and kept.test_kept == 10
    # A checkpoint of one is refused by the other.
    assert kept.fingerprints['pictures'] != data.fingerprints['pictures']
    assert kept.fingerprints['recording'] == data.fingerprints['recording']


@pytest.mark.parametrize('keep', [False, True])
def test_terminal_scores_and_report_say_so(keep, tmp_path, capsys):
    c = leak(tmp_path, 'inversion')  # The fastest.
    c.pictures.keep_test, c.inversion.steps = keep, 2
    c.references = False
    folder = tmp_path / 'run'
    experiment.run(c, folder)
    found = json.loads((folder / 'scores.json').read_text())
    [told] = [text for text in found['problems'] if 'unpaired' in text]
    assert '10 of 24 test pictures' in told
    assert ('were left out' in told) is not keep
    assert found['transductive'] is keep
    assert f'Note: {told}\n' in capsys.readouterr().err
    head = (folder / 'report.html').read_text().partition('How close are')[0]
    assert html.escape(told) in head
    assert ('Transductive: 10 of the test pictures' in head) is keep


def test_nothing_but_test_pictures():
    recording = tiny.subject()
    shown = recording.stimuli.images[np.unique(recording.test.stimulus)]
    with pytest.raises(InputError, match=r'24 of 24 .* no others are left'):
        prepare(recording, shown)


def test_names_count_where_pictures_are_alike():
    recording = tiny.subject()
    test = np.unique(recording.test.stimulus)[:2]
    names = [f'other/{recording.stimuli.names[i].upper()}.JPG' for i in test]
    shown = recording.stimuli.images[test[0]]
    # Another crop of the first is no near duplicate; the second differs.
    crop = Image.fromarray(shown[2:, 2:]).resize((16, 16))
    unlike = tiny.pictures(1, seed=5)[0]
    pictures = np.stack([np.asarray(crop), unlike])
    nameless = leakage.among_unpaired(recording, pictures)
    assert nameless == ([], [])
    found = leakage.among_unpaired(recording, pictures, names)
    assert found.pairs == [(0, test[0])] and found.named == [(1, test[1])]
    problems = prepare(
        recording, np.concatenate([pictures, tiny.pictures(3, 6)]), (),
        [*names, 'a', 'b', 'c'],
    ).problems  # fmt: skip
    assert any('1 unpaired pictures are named like' in x for x in problems)
