"""The published analysis of faces, from files of its true layout."""

import csv
import json

import jax
import numpy as np
import pytest
import tiny_faces
from published import faces_files

from brainjax import face_analysis
from brainjax.__main__ import main
from brainjax.linear import pca
from brainjax.methods.faces.networks import initialise
from brainjax.networks import vaegan
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.pictures import loading

FACES, TRAIN = 10, 30
# Faces whose patterns are exchanged, by subject: as many misses.
EXCHANGED = {'01': [1, 0], '02': [3, 0, 1, 2]}


def reordered(places):
    order = np.arange(FACES)
    order[: len(places)] = places
    return order


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Two subjects, a network, stimuli and events."""
    root = tmp_path_factory.mktemp('ds001761')
    config = tiny_faces.get_config()
    variables = initialise(config, jax.random.key(0))
    vaegan_weights.save(root / 'network.safetensors', variables)
    held = {}
    for i, (subject, places) in enumerate(EXCHANGED.items()):
        images = tiny_faces.pictures(FACES + TRAIN, seed=i)
        # Larger than the network's, for the stimuli are cut and resized.
        large = images.repeat(2, axis=1).repeat(2, axis=2)
        male = np.arange(len(images)) % 2 == 0
        names = faces_files.write_stimuli(
            root / 'stimuli', large, male, f'sub{subject}'
        )
        cut, _ = loading.load(
            {name: image for name, image in zip(names, large)},
            tiny_faces.SIZE,
            fit=face_analysis.CROP,
        )
        test = cut[:FACES]
        latents = vaegan.encode(variables, test)
        basis = pca.fit(cut, 6)
        imagery = latents[4] + 0.7 * latents[5]
        faces_files.write(
            root / 'derivatives',
            subject,
            np.float32(test) / 255,
            latents,
            pca=(basis.mean, basis.components, pca.encode(basis, test)),
            order=reordered(places),
            imagined=4,
            imagery=imagery,
            seed=i,
        )
        folder = root / f'sub-{subject}' / 'func'
        folder.mkdir(parents=True)
        rows = [
            f'{6 + 3 * j}\t3\t{"test" if j < FACES else "train"}_face\t'
            f'stimuli/{name}\t0'
            for j, name in enumerate(names)
        ]
        (folder / f'sub-{subject}_task-faces_run-01_events.tsv').write_text(
            '\n'.join(
                ['onset\tduration\ttrial_type\tstim_file\toneback', *rows]
            )
            + '\n'
        )
        held[subject] = latents, cut, male
    return root, variables, held


@pytest.fixture(scope='module')
def results(dataset, tmp_path_factory):
    root, *_ = dataset
    out = tmp_path_factory.mktemp('out') / 'faces'
    arguments = ['faces', root / 'derivatives', '--out', out]
    arguments += ['--subjects', '01,02', '--stimuli', root / 'stimuli']
    arguments += ['--checkpoint', root / 'network.safetensors']
    assert main([*map(str, arguments), '--draws', '200']) == 0
    return out, json.loads((out / 'scores.json').read_text())


def pairwise(latents, order):
    """By its definition, one pair at a time."""
    wins = []
    for j, i in enumerate(order):
        alike = [np.corrcoef(z, latents[i])[0, 1] for z in latents]
        wins += [alike[j] > alike[m] for m in range(len(latents)) if m != j]
    return np.mean(wins)


def test_planted_scores_are_found(dataset, results):
    _, _, held = dataset
    _, found = results
    for subject, places in EXCHANGED.items():
        scores = found['by_subject'][f'sub-{subject}']
        order = reordered(places)
        expected = pairwise(held[subject][0], order)
        assert expected < 1
        full = 1 - len(places) / FACES
        for region in ('', *(f'_{name}' for name in faces_files.REGIONS)):
            np.testing.assert_allclose(
                scores[f'pairwise_latents{region}']['value'], expected
            )
            for kind in ('', '_pca'):
                value = scores[f'full_recognition{kind}{region}']['value']
                np.testing.assert_allclose(value, full)
    scores = found['scores']
    np.testing.assert_allclose(scores['full_recognition']['value'], 0.7)
    assert scores['full_recognition']['n'] == 2  # Subjects are the unit.


def test_imagery_and_gender(dataset, results):
    _, variables, held = dataset
    _, found = results
    for subject, places in EXCHANGED.items():
        latents, cut, male = held[subject]
        scores = found['by_subject'][f'sub-{subject}']
        imagined = latents[4] + 0.7 * latents[5]
        alike = np.array([np.corrcoef(z, imagined)[0, 1] for z in latents])
        np.testing.assert_allclose(
            scores['imagery']['value'], (alike < alike[4]).sum() / (FACES - 1)
        )
        train = vaegan.encode(variables, cut[FACES:])
        of = male[FACES:]
        axis = train[of].mean(0) - train[~of].mean(0)
        said = latents[reordered(places)] @ axis > 0
        np.testing.assert_allclose(
            scores['gender']['value'], np.mean(said == male[:FACES])
        )
        assert 'gender_pca' in scores
    assert 0 < found['scores']['imagery']['p_places'] <= 1


def test_published_numbers_stand_beside_ours(results):
    out, found = results
    row = found['published']['full_recognition']
    assert row['value'] == 0.65
    np.testing.assert_allclose(row['difference'], 0.05)
    assert not row['verified']
    page = (out / 'report.html').read_text()
    assert 'Beside the published numbers' in page
    assert 'Test faces of sub-02' in page
    with open(out / 'subjects.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert {row['subject'] for row in rows} == {'sub-01', 'sub-02', 'all'}
    with np.load(out / 'sub-01_reconstructions.npz') as made:
        assert made['images'].shape == made['target'].shape


def test_one_subject_without_a_network(dataset, tmp_path):
    root, *_ = dataset
    assert (
        main(
            [
                'faces',
                str(root / 'derivatives'),
                *('--out', str(tmp_path), '--subjects', '02'),
                *('--draws', '200'),
            ]
        )
        == 0
    )
    found = json.loads((tmp_path / 'scores.json').read_text())
    assert found['scores']['full_recognition']['n'] == FACES
    assert 'gender' not in found['scores']


def test_files_that_do_not_fit(dataset, tmp_path, capsys):
    root, *_ = dataset
    where = str(root / 'derivatives')
    assert main(['faces', where, '--out', str(tmp_path / 'a')]) == 2
    said = capsys.readouterr().err
    assert 'sub-03' in said and 'sub-01, sub-02' in said
    assert main(['faces', where, '--out', str(tmp_path), '--subjects', '']) == 2
    assert not (tmp_path / 'a').exists()
