"""Protocols against independent forms of their preprocessing."""

import jax
import numpy as np
import pytest
from PIL import Image
from skimage import metrics

from brainjax.errors import InputError
from brainjax.evaluation import identification, network_features, perceptual
from brainjax.evaluation.published import presets, protocols
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES, alexnet

GENERATOR = np.random.default_rng(0)
TRUTH = [
    np.uint8(
        np.kron(GENERATOR.integers(256, size=(8, 8, 3)), np.ones((9, 9, 1)))
    )
    for _ in range(3)
]
MADE = [
    np.asarray(
        Image.fromarray(
            np.uint8(0.5 * x + 0.5 * GENERATOR.integers(256, size=x.shape))
        ).resize((96, 96))
    )
    for x in TRUTH
]


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory):
    """A cache that holds AlexNet, with random weights, and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('BRAINJAX_CACHE', str(tmp_path_factory.mktemp('cache')))
        weights.write(
            weights.path('alexnet'),
            BACKBONES['alexnet'].init(jax.random.key(0)),
        )
        yield


def correlation(x, y):
    return np.corrcoef(np.ravel(x), np.ravel(y))[0, 1]


def ssim(x, y, channel_axis):
    grey = np.array([0.2125, 0.7154, 0.0721])
    return metrics.structural_similarity(
        x @ grey,
        y @ grey,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=channel_axis,
    )


def test_brain_diffuser_is_pillows():
    views = [
        [
            np.asarray(
                Image.fromarray(x).resize((425, 425), Image.Resampling.BICUBIC)
            )
            / 255
            for x in images
        ]
        for images in (TRUTH, MADE)
    ]
    scored = presets.score(TRUTH, MADE, 'brain-diffuser', [], draws=10)
    found = {name: entry['value'] for name, entry in scored.scores.items()}
    assert found['pixcorr'] == pytest.approx(
        np.mean([correlation(x, y) for x, y in zip(*views)])
    )
    assert found['ssim_1d'] == pytest.approx(
        np.mean([ssim(x, y, -1) for x, y in zip(*views)])
    )
    assert 'ssim_2d' not in found


def test_networks_see_what_each_preset_says():
    params = weights.load('alexnet')
    small = [
        np.stack(
            [
                np.asarray(
                    Image.fromarray(x).resize(
                        (224, 224), Image.Resampling.BILINEAR
                    )
                )
                for x in images
            ]
        )
        for images in (TRUTH, MADE)
    ]
    rows = [network_features.extract('alexnet2', params, x) for x in small]
    assert rows[0].shape == (3, 139_968)
    expected = identification.two_way(identification.similarity(*rows)).mean()
    scored = presets.score(
        TRUTH, MADE, 'brain-diffuser', ['alexnet2'], draws=10
    )
    assert scored.scores['two_way_alexnet2']['value'] == expected
    assert 'two_way_alexnet5' not in scored.scores


def test_features_have_the_published_lengths():
    params = weights.load('alexnet')
    images = np.stack(MADE)
    for name, size, length in (
        ('alexnet2', 256, 184_512),
        ('alexnet5', 224, 43_264),
        ('alexnet5', 256, 57_600),
    ):
        found = network_features.of_size(name, params, size)(images)
        assert found.shape == (3, length) and found.dtype == np.float32
    relu = alexnet.apply(params, np.float32(images / 255), ('relu2', 'relu5'))
    np.testing.assert_allclose(
        network_features.extract('alexnet5', params, images, batch=2),
        relu['relu5'].reshape(3, -1),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parity
def test_mindeye2_is_torchs():
    torch = pytest.importorskip('torch')

    def resize(x, size):
        x = torch.nn.functional.interpolate(
            torch.from_numpy(x).permute(0, 3, 1, 2),
            (size, size),
            mode='bilinear',
            align_corners=False,
            antialias=False,
        )
        return x.permute(0, 2, 3, 1).numpy()

    large = [
        np.stack([np.kron(x, np.ones((6, 6, 1)))[:425, :425] for x in images])
        for images in (TRUTH, MADE)
    ]
    large = [np.uint8(x) for x in large]  # They shrink, then grow.
    views = [
        resize(resize(np.float32(x / 255), 256), 425).astype(float)
        for x in large
    ]
    scored = presets.score(*map(list, large), 'mindeye2', [], draws=10)
    found = {name: entry['value'] for name, entry in scored.scores.items()}
    assert found['pixcorr'] == pytest.approx(
        np.mean([correlation(x, y) for x, y in zip(*views)]), abs=1e-5
    )
    assert found['ssim_2d'] == pytest.approx(
        np.mean([ssim(x, y, None) for x, y in zip(*views)]), abs=1e-5
    )
    assert 'ssim_1d' not in found
    # Our own protocol reports both ways, this one antialiased.
    ours = presets.score(*map(list, large), 'ours', [], draws=10).scores
    assert {'ssim_1d', 'ssim_2d', 'ssim_1d_256', 'ssim_2d_256'} <= set(ours)
    assert ours['pixcorr']['value'] == pytest.approx(
        np.mean([correlation(x, y) for x, y in zip(*large)]), abs=1e-5
    )


def test_own_size_leaves_pictures_alone():
    scored = presets.score(TRUTH, TRUTH, networks=[], draws=10)
    np.testing.assert_array_equal(scored.target, np.stack(TRUTH))
    assert scored.scores['ssim_2d']['value'] == pytest.approx(1)
    resized = presets.score(TRUTH, MADE, networks=[], draws=10)
    assert resized.reconstruction.shape == (3, 72, 72, 3)


def test_missing_weights_are_named_and_others_used():
    scored = presets.score(TRUTH, MADE, draws=10)
    assert 'two_way_alexnet5' in scored.scores
    few, note = scored.notes
    assert few.startswith('No score has an interval')
    assert 'inception' in note and '`brainjax fetch clip`' in note
    assert 'alexnet5' not in note
    with pytest.raises(InputError, match='brainjax fetch clip'):
        presets.score(TRUTH, MADE, networks=['clip'], draws=10)


def test_names_of_features():
    scored = presets.score(
        TRUTH, MADE, networks=['alexnet', 'alexnet_relu3'], draws=10
    )
    for name in ('alexnet2', 'alexnet5', 'alexnet_relu3'):
        assert f'two_way_{name}' in scored.scores
    with pytest.raises(InputError, match=r"'clyp'.*Did you mean 'clip'"):
        presets.score(TRUTH, MADE, networks=['clyp'], draws=10)
    with pytest.raises(InputError, match=r"'our'.*Did you mean 'ours'"):
        presets.score(TRUTH, MADE, 'our')
    with pytest.raises(InputError, match='there is 1 test picture'):
        presets.score(TRUTH[:1], MADE[:1])
    assert list(network_features.in_cache()) == ['alexnet2', 'alexnet5']


def test_distances_and_lpips(monkeypatch):
    heads = {
        'lpips': {
            f'lin{i}': GENERATOR.random(n).astype(np.float32)
            for i, n in enumerate((64, 192, 384, 256, 256))
        }
    }
    weights.write(weights.path('lpips_alexnet'), heads)
    scored = presets.score(TRUTH, TRUTH, networks=['lpips_alexnet'], draws=10)
    for name in ('lpips_alexnet', 'lpips_alexnet_baseline'):
        assert scored.scores[name]['value'] == 0
        assert scored.scores[name]['better'] == 'lower'
        assert scored.scores[f'two_way_{name}']['value'] == 1
    weights.path('lpips_alexnet').unlink()
    # A network that is compared by distance, here a small stand-in.
    node = network_features.Node(
        'alexnet', lambda params, x: x.mean((1, 2)), distance=True
    )
    monkeypatch.setitem(network_features.NODES, 'swav', node)
    scored = presets.score(TRUTH, MADE, networks=['swav'], draws=10)
    entry = scored.scores['distance_swav']
    assert entry['better'] == 'lower' and 0 <= entry['value'] <= 2
    assert 'two_way_swav' not in scored.scores


def test_lpips_function_has_heads_only_when_asked(monkeypatch):
    seen = []
    monkeypatch.setattr(
        perceptual, 'distances', lambda *args, heads: seen.append(heads)
    )
    protocols.lpips_function('alexnet')(None, None)
    assert seen == [None]
    with pytest.raises(InputError, match='fetch lpips_alexnet'):
        protocols.lpips_function('lpips_alexnet')
