import jax
import numpy as np
import pytest
import tensorflow_writer as writer
import tiny_faces

from brainjax.errors import InputError
from brainjax.methods.faces.networks import initialise
from brainjax.networks import vaegan
from brainjax.networks.weights import cache as weights
from brainjax.networks.weights import vaegan as vaegan_weights

AVERAGE = {'mean': 'Squeeze', 'var': 'Squeeze_1'}


@pytest.fixture(scope='module')
def variables():
    """A narrow network whose every number is random."""
    config = tiny_faces.get_config()
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda x: rng.random(x.shape, np.float32) - 0.4,
        initialise(config, jax.random.key(0)),
    )


def authors(variables, first=1):
    """The same under the authors' names, with an optimiser's slots."""
    named = {'global_step': np.array(7)}
    for part, kind in (('encoder', 'conv2d'), ('generator', 'deconv2d')):
        for name, leaf in variables['params'][part].items():
            if name.startswith('layer'):
                scope = f'{part}/layer{int(name[5:]) - 1 + first}'
                named |= {
                    f'{scope}/{kind}/W': leaf['convolution']['kernel'],
                    f'{scope}/{kind}/b': leaf['convolution']['bias'],
                    f'{scope}/bn/gamma': leaf['norm']['scale'],
                    f'{scope}/bn/beta': leaf['norm']['bias'],
                }
                norm = variables['batch_stats'][part][name]['norm']
                for own, theirs in AVERAGE.items():
                    named[
                        f'{scope}/bn/{scope}/bn/moments/{theirs}'
                        '/ExponentialMovingAverage'
                    ] = norm[own]
            else:
                scope = f'{part}/{name}'
                if name in ('mu', 'log_sigma'):
                    scope = f'{part}/variational/{name}'
                named |= {
                    f'{scope}/W': leaf['kernel'],
                    f'{scope}/b': leaf['bias'],
                }
    slots = {
        f'{name}/Adam{suffix}': np.zeros_like(value)
        for name, value in named.items()
        for suffix in ('', '_1')
        if value.ndim and 'Average' not in name
    }
    return named | slots


def assert_same(found, variables):
    for kind in ('params', 'batch_stats'):
        for part in ('encoder', 'generator'):
            jax.tree.map(
                np.testing.assert_array_equal,
                found[kind][part],
                variables[kind][part],
            )


@pytest.mark.parametrize('first', [0, 1])
def test_v2(tmp_path, variables, first):
    path = writer.write_v2(
        tmp_path / 'vaegan_celeba.ckpt', authors(variables, first), shards=2
    )
    for source in (path, path.with_name(path.name + '.index')):
        assert_same(vaegan_weights.from_tensorflow(source), variables)


def test_v1(tmp_path, variables):
    path = writer.write_v1(tmp_path / 'vaegan_celeba.ckpt', authors(variables))
    found = vaegan_weights.from_tensorflow(path)
    assert_same(found, variables)
    # What was converted works.
    images = np.float32(tiny_faces.pictures(3)) / 255
    encoder = jax.jit(vaegan.Encoder(6, (4, 8)).apply)(
        {k: found[k]['encoder'] for k in found}, images
    )
    latents = vaegan.encode(found, images)
    np.testing.assert_allclose(latents, encoder.mean, atol=1e-6)
    assert vaegan.generate(found, latents).shape == images.shape


def test_saved_and_loaded(tmp_path, variables):
    path = tmp_path / 'vaegan.safetensors'
    vaegan_weights.save(path, variables)
    assert_same(vaegan_weights.load(path), variables)


def test_missing_and_strange_variables(tmp_path, variables):
    whole = authors(variables)

    def read(tensors):
        path = writer.write_v1(tmp_path / 'x.ckpt', tensors)
        return vaegan_weights.from_tensorflow(path)

    def without(name):
        return {k: v for k, v in whole.items() if k != name}

    with pytest.raises(InputError, match=r"a VAE-GAN: 'params' is missing"):
        read({'other': np.zeros(3, np.float32)})
    with pytest.raises(InputError, match='encoder/layer2/norm/bias is absent'):
        read(without('encoder/layer2/bn/beta'))
    with pytest.raises(InputError, match='layer1/norm/mean is absent'):
        read(
            without(
                'generator/layer1/bn/generator/layer1/bn/moments/Squeeze'
                '/ExponentialMovingAverage'
            )
        )
    for name, shape in (
        ('encoder/layer1/conv2d/W', (3, 3, 3, 5)),
        ('generator/fc/W', (7, 128)),
        ('generator/layer2/deconv2d/W', ()),
        ('encoder/variational/mu/b', ()),
    ):
        with pytest.raises(InputError, match='does not hold'):
            read(whole | {name: np.zeros(shape, np.float32)})
    twice = whole['encoder/layer1/bn/beta']
    with pytest.raises(InputError, match='moving_mean'):
        read(whole | {'encoder/layer1/bn/moving_mean': twice})


def test_damaged_safetensors(tmp_path, variables):
    path = tmp_path / 'vaegan.safetensors'
    vaegan_weights.save(path, variables)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match='not a whole safetensors file'):
        vaegan_weights.load(path)


NO_KERNEL = {
    'layer1': {'convolution': {'kernel': np.zeros((3, 3, 3, 0))}},
    'mu': {'bias': np.zeros(1)},
    'fc': {'bias': np.zeros(4)},
}


@pytest.mark.parametrize(
    'params',
    [
        np.zeros(3),
        {'encoder': np.zeros(2), 'generator': np.zeros(2)},
        {'encoder': {'mu': np.zeros(2)}, 'generator': {'fc': np.zeros(2)}},
        {'encoder': NO_KERNEL, 'generator': NO_KERNEL},
    ],
)
def test_safetensors_of_something_else(tmp_path, params):
    path = tmp_path / 'odd.safetensors'
    weights.write(path, {'params': params})
    with pytest.raises(InputError, match='does not hold'):
        vaegan_weights.load(path)
