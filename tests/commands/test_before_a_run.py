"""What is told before a run: versions, configs, keys, what it would do."""

import json

import pytest

from brainjax import __version__, config_files
from brainjax.__main__ import main
from brainjax.commands import config_help


def dry_run(config, workdir, *flags):
    arguments = ['--config', str(config), '--workdir', str(workdir)]
    return main(['run', *arguments, '--dry-run', *map(str, flags)])


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(['--version'])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f'brainjax {__version__}\n'


def test_configs_are_listed_with_what_they_need(capsys):
    assert main(['configs', '--json']) == 0
    found = {each['name']: each for each in json.loads(capsys.readouterr().out)}
    assert list(found) == list(config_files.shipped())
    assert found['demo']['method'] == 'selfsup'
    assert found['demo']['time'].startswith('1 minute 50')
    assert found['demo']['needs'] == []
    assert found['gaziv2022']['needs'][0].startswith('sbj_3.npz')
    assert found['gaziv2022']['needs'][1:] == [
        'brainjax fetch vgg16',
        'brainjax fetch vgg19',
    ]
    assert main(['configs']) == 0
    assert 'needs: nothing' in capsys.readouterr().out


def test_help_has_every_key_its_value_and_its_comment(capsys):
    flags = ['--config', 'demo', '--config.decoder.epochs=3', '--help']
    assert main(['run', *flags]) == 0
    text = capsys.readouterr().out
    config = config_files.load_config('demo', {'decoder.epochs': 3})
    lines = text.splitlines()
    for key, value in config_files.keys(config):
        if not hasattr(value, 'items'):
            shown = value if isinstance(value, str) else repr(value)
            assert f'--config.{key}={shown}' in lines
    assert text.startswith('The self-supervised method, small')
    told = lines[lines.index('--config.decoder.paired=1.0') + 1]
    assert told == '    Weight of D.'
    # The config's own comment stands before the method's.
    told = lines[lines.index('--config.decoder.pictures_noise=0.5') + 1]
    assert told.startswith("    Ours: the test trials' noise")
    assert main(['run', '--help']) == 0
    assert '--dry-run' in capsys.readouterr().out


def test_comments_above_and_beside_a_key():
    source = (
        'c.a = 1  # Beside.\n# Above,\n# too.\nd = c.part\nd.b = 2\n'
        '# Of it.\nd.c = (  # Begins.\n    3,\n)\n# Of nothing.\nx = 1\n'
    )
    assert config_help.comments(source) == {
        'a': 'Beside.',
        'part.c': 'Of it. Begins.',
    }


@pytest.mark.parametrize(
    ('config', 'trained'),
    [
        ('demo', 'decoder: 881,283 parameters, 220 steps'),
        ('inversion_demo', 'to 64,512 units of 3 layers'),
        ('faces_demo', 'VAE-GAN: 778,522 parameters, 1,500 steps'),
        ('posterior_demo', 'flow: '),
        ('posterior_latents', 'autoencoder: '),
    ],
)
def test_dry_run_says_what_would_be_done(config, trained, tmp_path, capsys):
    workdir = tmp_path / 'run'
    assert dry_run(config, workdir) == 0
    text = capsys.readouterr().out
    assert trained in text
    assert f'{workdir}: scores.json' in text
    assert 'of memory' in text and 'of disk' in text
    assert not workdir.exists()


def test_dry_run_ends_as_the_run_would(tmp_path, capsys):
    for name, flags, words in (
        ('gaziv2022', [], 'this config wants sbj_3.npz'),
        ('demo', ['--config.recording.path=no.npz'], 'no.npz'),
        ('demo', ['--config.pictures.path=no'], 'no does not exist'),
        ('demo', ['--config.decoder.channels=7'], '7 channels'),
        ('demo', ['--config.preset=weizman'], "Did you mean 'weizmann'"),
    ):
        assert dry_run(name, tmp_path / 'run', *flags) == 2
        assert words in capsys.readouterr().err
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'scores.json').write_text('{}')
    assert dry_run('demo', tmp_path / 'run') == 2
    assert 'holds scores.json' in capsys.readouterr().err
