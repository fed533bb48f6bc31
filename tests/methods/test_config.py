"""Settings without sense are refused in a sentence before anything is read."""

import math

import pytest
from conftest import TESTS

from brainjax import __main__
from brainjax.errors import InputError
from brainjax.methods import METHODS
from brainjax.methods.faces import data as faces_data
from brainjax.methods.inversion import data as inversion_data
from brainjax.methods.posterior import data as posterior_data
from brainjax.methods.selfsup import data as selfsup_data

BOUNDS = {
    'selfsup': selfsup_data.BOUNDS,
    'inversion': inversion_data.BOUNDS,
    'faces': faces_data.BOUNDS,
    'posterior': posterior_data.BOUNDS,
}
BAD = {
    'a whole number from 1': (0, -3),
    'a number above 0': (0.0, -1.0, math.nan, math.inf),
    '0 or a number above 1': (-1.0, 0.5, math.nan, math.inf),
    'a number from 0': (-1.0, math.nan, math.inf),
    'a part from 0 to below 1': (-0.1, 1.0, math.nan),
    'a part above 0 and up to 1': (0.0, 1.1, math.nan),
}


def like(value, bad):
    """The bad value in the type and shape of the setting's own."""
    if isinstance(value, tuple):
        return (*value[:-1], like(value[-1], bad)) if value else (bad,)
    if isinstance(value, int) and not math.isfinite(bad):
        return None
    return type(value)(bad)


@pytest.mark.parametrize('method', METHODS)
def test_each_bounded_setting_is_refused_before_a_file_is_looked_for(method):
    for kind, names in BOUNDS[method].items():
        for name in names:
            for bad in BAD[kind]:
                config = METHODS[method].config()
                config.recording.path = '/there/is/none.npz'
                value = like(_get(config, name), bad)
                if value is None or (name.endswith('drops') and not value):
                    continue
                if name.endswith('drops') and not isinstance(value[-1], tuple):
                    value = ((1, bad),)
                config.update_from_flattened_dict({name: value})
                with pytest.raises(
                    InputError, match=rf'config\.{name} is'
                ) as e:
                    METHODS[method].load(config)
                assert str(e.value).endswith(f'give {kind}.')


def _get(config, name):
    for part in name.split('.'):
        config = config[part]
    return config


@pytest.mark.parametrize('drops', [((1,),), (3,), ((-1, 0.5),), ((1, 2, 3),)])
def test_drops_are_pairs(drops):
    config = METHODS['selfsup'].config()
    config.encoder.drops = drops
    with pytest.raises(InputError, match='give pairs of an epoch'):
        METHODS['selfsup'].load(config)


@pytest.mark.parametrize(
    'override',
    [
        '--config.encoder.epochs=0',
        '--config.decoder.epochs=-3',
        '--config.decoder.learning_rate=-1',
    ],
)
def test_a_run_ends_with_status_2_and_one_sentence(tmp_path, capfd, override):
    config = str(TESTS.parent / 'configs' / 'demo.py')
    workdir = str(tmp_path / 'w')
    status = __main__.main(
        ['run', '--config', config, '--workdir', workdir, override]
    )
    assert status == 2
    (line,) = capfd.readouterr().err.splitlines()
    name, _, value = override.removeprefix('--').partition('=')
    assert line.startswith(f'brainjax: {name} is {value}; give a ')
    assert not (tmp_path / 'w' / 'report.html').exists()
