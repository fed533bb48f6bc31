"""`brainjax sweep`: arms of one experiment in one table."""

import csv
import json

import linear_method
import numpy as np
import pytest
import tiny
from ml_collections import ConfigDict

from brainjax import config_files, sweep
from brainjax.__main__ import main
from brainjax.errors import InputError
from brainjax.evaluation import score_files
from brainjax.methods import METHODS

CONFIG = """
from ml_collections import ConfigDict
import tiny


def get_config():
    config = tiny.get_config()
    arm = {'decoder': {'encoder_decoder': 0.0}}
    config.ablations = ConfigDict({'no_ED': arm})
    return config
"""


@pytest.fixture
def flags(tmp_path, monkeypatch):
    linear_method.take_the_place_of_selfsup(monkeypatch)
    (tmp_path / 'config.py').write_text(CONFIG)
    return [
        *('sweep', '--quiet', '--config', str(tmp_path / 'config.py')),
        *('--workdir', str(tmp_path / 'runs')),
        *tiny.write(tmp_path),
    ]


def test_arms_are_paired_with_the_full_setting_and_not_run_twice(
    tmp_path, flags, monkeypatch, capsys
):
    runs = tmp_path / 'runs'
    flags += ['--vary', 'recording.roi=V1', 'seed=0']
    assert main(flags) == 0
    results = json.loads((runs / 'scores.json').read_text())
    assert results['arms'] == {
        'full': {},
        'no_ED': {'decoder.encoder_decoder': 0.0},
        'recording.roi=V1 seed=0': {'recording.roi': 'V1'},
    }
    values = {
        arm: score_files.read_per_picture(runs / arm / 'per_picture.csv')
        for arm in ('full', 'no_ED', 'recording.roi=V1-seed=0')
    }
    names = [found[0] for found in values.values()]
    assert names[0] == names[1] == names[2]
    row = results['scores']['pixcorr_no_ED']
    away = values['no_ED'][1]['pixcorr'] - values['full'][1]['pixcorr']
    assert row['value'] == pytest.approx(away.mean())
    assert row['low'] < row['value'] < row['high'] and row['n'] == 24
    assert row['of_arm'] - row['of_full'] == pytest.approx(row['value'])
    with open(runs / 'sweep.csv') as stream:
        table = list(csv.DictReader(stream))
    assert {each['arm'] for each in table} == set(results['arms']) - {'full'}
    page = (runs / 'report.html').read_text()
    assert 'decoder.encoder_decoder=0.0' in page and 'no_ED' in page
    for arm in ('full', 'no_ED'):  # All arms see one split and one seed.
        config = json.loads((runs / arm / 'config.json').read_text())
        assert 'no_ED' not in str(config)

    method = METHODS['selfsup']._replace(
        fit=lambda *_: pytest.fail('it was fitted again')
    )
    monkeypatch.setitem(METHODS, 'selfsup', method)
    before = (runs / 'sweep.csv').read_bytes()
    assert main(flags) == 0
    assert (runs / 'sweep.csv').read_bytes() == before
    capsys.readouterr()
    assert main([*flags, '--only', 'no-ED']) == 2
    assert "Did you mean 'no_ED'" in capsys.readouterr().err


def test_what_cannot_be_varied_is_told():
    config = tiny.get_config()
    with pytest.raises(InputError, match='Nothing is varied'):
        sweep.arms_of(config)
    for changes, message in (
        ({'decoder': {'encoder_decodr': 0.0}}, "'config.decoder.encoder_dec"),
        ({'decoder': {'epochs': 'few'}}, "config.decoder.epochs to 'few'"),
    ):
        config.ablations = ConfigDict({'arm': changes})
        with pytest.raises(InputError, match=message):
            sweep.arms_of(config)


def test_shipped_ablations_change_what_they_say():
    config = config_files.load_config('gaziv2022')
    arms = sweep.arms_of(config)
    assert arms['no_ED'].decoder.encoder_decoder == 0
    assert arms['HVC'].recording.roi == 'HVC'
    assert arms['loss_layers_2'].image_loss.taps == ('pool1', 'pool2')
    assert arms['DE_transductive'].transductive_test_fmri
    for arm in arms.values():
        assert len(arm.image_loss.taps) == len(arm.image_loss.tap_weights)
        assert arm.seed == config.seed and arm.validation == config.validation
    changed = [arm for arm in arms.values() if arm.decoder.decoder_encoder]
    assert np.all([arm.transductive_test_fmri for arm in changed])
