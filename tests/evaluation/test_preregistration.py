"""A preregistration: written, read and compared with a run."""

import datetime
import json

import pytest

from brainjax.errors import InputError
from brainjax.evaluation import preregistration

CONFIG = {
    'seed': 3,
    'size': 16,
    'recording': {'path': 'a.h5', 'roi': 'V1', 'options': '', 'fold': -1},
    'decoder': {'epochs': 5, 'drops': (1, 2)},
}
DATA = {'recording': 'ab', 'pictures': 'cd'}
SCORE = {'value': 0.8, 'chance': 0.5, 'low': 0.6, 'high': 0.9, 'p': 0.01}
LATER = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def said(tmp_path):
    path = tmp_path / 'said.json'
    preregistration.write(path, CONFIG, 20, DATA, 'two_way_pixels')
    return preregistration.read(path)


def check(said, config=None, **changes):
    given = {
        'pictures': 20,
        'fingerprints': DATA,
        'scores': {'two_way_pixels': SCORE},
        'began': LATER,
    }
    return preregistration.check(said, config or CONFIG, **(given | changes))


def not_kept(outcome):
    return [each.item for each in outcome.items if not each.kept]


def test_what_is_as_registered_is_kept(said):
    outcome = check(said)
    assert not_kept(outcome) == [] and preregistration.changed(outcome) == []
    assert outcome.above and outcome.verdict == (
        'The primary score, Two-way, pixels, is 80.0\N{NO-BREAK SPACE}% '
        '(chance 50.0\N{NO-BREAK SPACE}%, p = 0.010): above chance at alpha = '
        '0.05.'
    )
    # Where files lie is not registered; what is in them is.
    moved = CONFIG | {'recording': CONFIG['recording'] | {'path': 'b.h5'}}
    assert not_kept(check(said, moved)) == []


def changed(section, **values):
    return CONFIG | {section: CONFIG[section] | values}


@pytest.mark.parametrize(
    ('item', 'config', 'changes', 'words'),
    [
        ('seed', CONFIG | {'seed': 4}, {}, 'registered was 3; now it is 4'),
        ('test pictures', None, {'pictures': 19}, 'was 20; now it is 19'),
        ('exclusions', changed('recording', roi='V2'), {}, "'V1' became 'V2'"),
        ('settings', changed('decoder', epochs=9), {}, 'epochs 5 became 9'),
        ('data', None, {'fingerprints': {'recording': 'x'}}, 'another recordi'),
        ('primary score', None, {'scores': {}}, 'now it is not scored'),
        ('date', None, {'began': datetime.datetime(1999, 1, 1).astimezone()},
         'the run began 1999'),
    ],
)  # fmt: skip
def test_what_was_changed_is_said(said, item, config, changes, words):
    outcome = check(said, config, **changes)
    assert not_kept(outcome) == [item]
    [sentence] = preregistration.changed(outcome)
    assert words in sentence and sentence.startswith(item[0].upper())


@pytest.mark.parametrize(
    ('score', 'above'),
    [
        (SCORE | {'p': 0.049}, True),
        (SCORE | {'p': 0.05}, False),
        (SCORE | {'value': 0.4}, False),
        (SCORE | {'p': None}, None),
    ],
)
def test_the_primary_score_is_judged_at_alpha(said, score, above):
    assert check(said, scores={'two_way_pixels': score}).above is above


def test_a_distance_is_better_below_chance(tmp_path):
    path = tmp_path / 'said.json'
    preregistration.write(path, CONFIG, 20, DATA, 'mse', 0.01)
    said = preregistration.read(path)
    low = SCORE | {'value': 0.1, 'p': 0.001}
    outcome = check(said, scores={'mse': low})
    assert outcome.above and 'better than chance at alpha = 0.01' in (
        outcome.verdict
    )
    assert not check(said, scores={'mse': SCORE}).above


def test_an_edited_file_is_noticed(said, tmp_path):
    path = tmp_path / 'said.json'
    content = json.loads(path.read_text())
    for key, value in (
        ('alpha', 0.5),
        ('date', '2001-01-01T00:00:00+00:00'),
        ('primary', 'pixcorr'),
        ('sha256', 'ab'),
    ):
        path.write_text(json.dumps(content | {key: value}))
        with pytest.raises(InputError, match='was edited after') as caught:
            preregistration.read(path)
        assert '\n' not in str(caught.value)
    path.write_text(json.dumps({'date': ''}))
    with pytest.raises(InputError, match='is no preregistration'):
        preregistration.read(path)
    # Another layout of the same content is the same.
    path.write_text(json.dumps(content, indent=7))
    assert preregistration.read(path) == said
    assert preregistration.read('') is None


@pytest.mark.parametrize(
    ('primary', 'alpha', 'message'),
    [
        ('two_way_pixel', 0.05, None),
        ('pixcor', 0.05, "Did you mean 'pixcorr'"),
        ('coverage_90', 0.05, 'has a nominal value'),
        ('fifty_way_pixels', 0.05, 'needs 50 test pictures and there are 20'),
        ('pixcorr', 0.0, 'give a number from 0 to 1'),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path, primary, alpha, message):
    path = tmp_path / 'said.json'
    given = path, CONFIG, 20, DATA, primary, alpha
    if message is None:  # Features of a network may be called anything.
        assert preregistration.write(*given)
        return
    with pytest.raises(InputError, match=message):
        preregistration.write(*given)
    assert not path.exists()
