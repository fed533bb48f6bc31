"""Configs by name, by path, with an argument, and what is said otherwise."""

import pytest
from conftest import REPOSITORY

from brainjax import config_files
from brainjax.errors import InputError

CONFIGS = REPOSITORY / 'configs'


def test_every_config_loads_by_its_name():
    names = sorted(path.stem for path in CONFIGS.glob('*.py'))
    assert list(config_files.shipped()) == names
    for name in names:
        assert config_files.load_config(name).is_locked


def test_a_file_of_the_user_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_files.find('demo') == str(CONFIGS / 'demo.py')
    (tmp_path / 'demo').write_text('')
    assert config_files.find('demo') == 'demo'


def test_argument_after_a_colon():
    name = 'faces_demo:photographs'
    assert config_files.find(name) == f'{CONFIGS}/faces_demo.py:photographs'
    given = config_files.load_config(name)
    assert given != config_files.load_config('faces_demo')


@pytest.mark.parametrize(
    ('name', 'overrides', 'message'),
    [
        ('dmeo', {}, "dmeo is no config file.* Did you mean 'demo'"),
        ('configs/demos.py', {}, "Did you mean 'demo'"),
        ('demo', {'decoder.epoch': 1}, "mean 'config.decoder.epochs'"),
        ('demo', {'decoder.epochs': 'x'}, "epochs cannot be 'x'; give .* 11"),
    ],
)
def test_what_cannot_be_loaded(name, overrides, message):
    with pytest.raises(InputError, match=message):
        config_files.load_config(name, overrides)
    changed = config_files.load_config('demo', {'decoder.epochs': 3})
    assert changed.decoder.epochs == 3
