"""1000-way classification against brute force and the published draws."""

import contextlib
import io
import tarfile

import jax
import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.evaluation import classification
from brainjax.networks import weights
from brainjax.networks.backbones import BACKBONES, alexnet

GENERATOR = np.random.default_rng(0)


def mean_colour(images):
    """A stand-in embedding that can be computed by hand."""
    return images.reshape(len(images), -1, 3).mean(1).astype(np.float32)


def write_classes(folder, counts):
    """Writes one-colour pictures; returns class -> their colours."""
    colours = {}
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            colour = GENERATOR.integers(256, size=3)
            colours.setdefault(name, []).append(colour)
            image = np.broadcast_to(np.uint8(colour), (9, 9, 3))
            Image.fromarray(np.array(image)).save(
                folder / name / f'{name}_{i}.png'
            )
    return colours


def test_bank_holds_mean_embeddings_of_the_first_examples(tmp_path):
    colours = write_classes(tmp_path, {'cat': 4, 'dog': 3})
    bank = classification.build(
        tmp_path, mean_colour, examples=3, without=['cat_1']
    )
    assert bank.names == ('cat', 'dog')
    assert bank.examples.tolist() == [3, 3]
    expected = [
        np.mean([colours['cat'][i] for i in (0, 2, 3)], axis=0),
        np.mean(colours['dog'], axis=0),
    ]
    np.testing.assert_allclose(bank.means, expected, rtol=1e-6)
    classification.write(tmp_path / 'bank.npz', bank)
    again = classification.read(tmp_path / 'bank.npz')
    assert again.names == bank.names
    np.testing.assert_array_equal(again.means, bank.means)
    assert classification.classes_of(tmp_path) == {'cat', 'dog'}


def test_bank_from_a_tar_archive(tmp_path):
    write_classes(tmp_path / 'all', {'n01443537': 2, 'n02129165': 2})
    with tarfile.open(tmp_path / 'all.tar', 'w') as archive:
        archive.add(tmp_path / 'all', 'all')
    folder = classification.build(tmp_path / 'all', mean_colour)
    bank = classification.build(tmp_path / 'all.tar', mean_colour)
    assert bank.names == folder.names == ('n01443537', 'n02129165')
    np.testing.assert_array_equal(bank.means, folder.means)


def test_bank_from_labels_of_a_data_set(monkeypatch):
    from brainjax.pictures.sources import Source

    images = [np.full((4, 4, 3), i, np.uint8) for i in range(6)]
    source = Source(
        [f'set/train/{i}' for i in range(6)],
        lambda indices: [images[i] for i in indices],
        '',
        lambda indices: [('even', 'odd')[i % 2] for i in indices],
    )
    monkeypatch.setattr(
        classification,
        'open_source',
        lambda source_, data_dir, stack: source,
    )
    bank = classification.build('tfds:set/train', mean_colour, examples=2)
    assert bank.names == ('even', 'odd')
    np.testing.assert_allclose(bank.means[:, 0], [1, 2])


def test_classes_are_told_by_synset_or_folder():
    for path, expected in (
        ('n01443537_22563.JPEG', 'n01443537'),
        ('test/cats/x1.png', 'cats'),
        ('test/cats/n02129165_3.png', 'n02129165'),
        ('x1.png', ''),
    ):
        assert classification.class_of(path) == expected


def random_bank(classes, units=20):
    return classification.Bank(
        tuple(f'c{i:04d}' for i in range(classes)),
        GENERATOR.normal(size=(classes, units)).astype(np.float32),
        np.full(classes, 100),
    )


def test_scores_are_the_expectation_of_the_published_draws():
    bank = random_bank(60)
    labels = [3, 17, 59, 17]
    embeddings = bank.means[labels] + 1.5 * GENERATOR.normal(size=(4, 20))
    found = classification.classify(
        embeddings,
        [bank.names[i] for i in labels],
        bank,
        ways=((10, 1), (50, 5)),
        draws=99,
    )
    similarity = np.array(
        [[np.corrcoef(e, m)[0, 1] for m in bank.means] for e in embeddings]
    )
    own = similarity[range(4), labels]
    np.testing.assert_array_equal(
        found.own, (similarity >= own[:, None]).sum(1)
    )
    for n, top in ((10, 1), (50, 5)):
        hits = []
        for j, label in enumerate(labels):
            others = np.delete(np.arange(60), label)
            for _ in range(1000):
                drawn = GENERATOR.choice(others, n - 1, replace=False)
                hits.append((similarity[j, drawn] >= own[j]).sum() < top)
        entry = found.scores[f'top{top}_{n}way']
        assert entry['value'] == pytest.approx(np.mean(hits), abs=0.03)
        assert entry['guess'] == top / n
    assert found.scores['top5_classes']['value'] == np.mean(found.own <= 5)
    assert found.scores['rank_class']['value'] == found.own.mean()
    assert 'top1_100way' not in found.scores


def test_perfect_embeddings_and_random_ones():
    bank = random_bank(1000)
    names = bank.names[:30]
    perfect = classification.classify(bank.means[:30], names, bank, draws=99)
    assert perfect.scores['top1_1000way']['value'] == 1
    assert perfect.scores['top1_1000way']['p'] == 0.01
    guess = classification.classify(
        GENERATOR.normal(size=(30, 20)), names, bank, draws=99
    )
    assert abs(guess.scores['top1_2way']['value'] - 0.5) < 0.25
    assert guess.scores['top5_1000way'].get('guess', 0.005) == 0.005


def test_alexnet_embedding_is_the_published_one(monkeypatch):
    params = BACKBONES['alexnet'].init(jax.random.key(0), 1 / 16)
    monkeypatch.setattr(weights, 'load', lambda name: params)
    images = GENERATOR.integers(256, size=(3, 112, 112, 3), dtype=np.uint8)
    found = classification.alexnet_embedding()(images)
    expected = alexnet.apply(
        params, np.float32(images / 127.5 - 1), ('relu4',), 'none'
    )['relu4']
    assert expected.shape[1:3] == (6, 6)
    np.testing.assert_allclose(
        found, expected.reshape(3, -1), rtol=1e-4, atol=1e-5
    )


def test_bad_banks_are_named(tmp_path):
    bank = random_bank(5)
    with pytest.raises(InputError, match=r"5 classes has no 'c0009'"):
        classification.classify(bank.means, ['c0009'] * 5, bank)
    write_classes(tmp_path / 'one', {'cat': 2})
    with pytest.raises(InputError, match='has 1 classes'):
        classification.build(tmp_path / 'one', mean_colour)
    np.savez(tmp_path / 'bank.npz', means=bank.means)
    with pytest.raises(InputError, match='is no bank of classes'):
        classification.read(tmp_path / 'bank.npz')
    flat = tmp_path / 'flat'
    flat.mkdir()
    Image.new('RGB', (8, 8)).save(flat / 'x.png')
    with pytest.raises(InputError, match='lies in no class folder'):
        classification.build(flat, mean_colour)
    with pytest.raises(InputError, match='lies in no class folder'):
        classification.classes_of(flat)


def test_archive_without_pictures(tmp_path):
    path = tmp_path / 'empty.tar'
    with contextlib.closing(tarfile.open(path, 'w')) as archive:
        archive.addfile(tarfile.TarInfo('readme.txt'), io.BytesIO())
    with pytest.raises(InputError, match='has 0 classes'):
        classification.build(path, mean_colour)


def test_a_test_picture_is_no_example_of_its_class(tmp_path):
    coarse = GENERATOR.integers(256, size=(7, 8, 8, 3), dtype=np.uint8)
    pictures = [
        Image.fromarray(x).resize((150, 120), Image.Resampling.BICUBIC)
        for x in coarse
    ]
    for i, picture in enumerate(pictures[:6]):
        folder = tmp_path / ('cats' if i < 3 else 'dogs')
        folder.mkdir(exist_ok=True)
        picture.save(folder / f'example{i}.png')
    whole = classification.build(tmp_path, mean_colour)
    assert whole.examples.tolist() == [3, 3] and whole.excluded == 0
    # The first cat was a test picture, at another size and by another name.
    targets = {
        'cats': [np.asarray(pictures[0].resize((500, 400)))],
        'dogs': [np.asarray(pictures[6])],
        'birds': [np.asarray(pictures[3])],
    }
    bank = classification.build(tmp_path, mean_colour, targets=targets)
    assert bank.examples.tolist() == [2, 3] and bank.excluded == 1
    by_name = classification.build(tmp_path, mean_colour, without=['example0'])
    np.testing.assert_array_equal(bank.means, by_name.means)
