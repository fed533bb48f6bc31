"""Which latents tell faces apart better, the VAE-GAN's or as many components?

    python benchmarks/vaegan_pictures.py faces_6k.tar --out OUT
    python benchmarks/face_identification.py faces_6k.tar --out OUT

Simulated subjects, each with 2000 of the training faces seen once and 40 of the
faces held out seen ten times, noise ceiling .5. Both kinds of latents go
through `methods.faces`: the map, its published inversion, pictures. PCA's are
of the faces that the subject saw; of all that the VAE-GAN saw, too.

A map and its inversion go along with any rescaling of latents. A correlation
over latents does not: over raw ones it is that of those that vary most. So
recognition is told by several measures, each the same for both kinds but for
the first:

    raw           correlation of latents as they come
    standardised  of latents in units of the subject's training faces
    responses     of measured voxels, by their noise, and those that the map
                  predicts from each face's latents; no scaling matters here
    pixels        of pictures less the mean training face; as raw PCA, but for
                  what the components leave out
    LPIPS         distance of pictures, as AlexNet sees them

Means over subjects, with t intervals of the paired difference.
"""

import argparse
import dataclasses
import functools
import pathlib

import numpy as np
from common import write_result
from scipy import stats
from vaegan_pictures import divided, photographs

from brainjax.evaluation import perceptual
from brainjax.evaluation.faces import recognition
from brainjax.evaluation.identification import n_way, similarity, two_way
from brainjax.linear import latents, pca
from brainjax.methods.data import prepare
from brainjax.methods.faces import method, training
from brainjax.methods.faces.data import mean_response
from brainjax.methods.faces.latents import decode, fit_map
from brainjax.networks import weights
from brainjax.recordings import Stimuli
from brainjax.simulation.face_subject import simulate_faces

TRAIN, TEST, REPEATS = 2000, 40, 10
VOXELS = {'V1': 250, 'V2': 150, 'V3': 100, 'V4': 100, 'FFA': 400}
SCORES = {'pairwise': two_way, 'full': lambda m: n_way(m, len(m))}


def matrices(space, fmri, target, mean, config):
    """Protocol -> similarity of each test face with each decoded one."""
    encoded = space.encode(target)
    decoded = decode(space, fmri, config, REPEATS)
    by = recognition.spread(space.latents)
    made = space.generate(decoded)
    predicted = latents.predict(space.weights, encoded) - space.baseline
    seen = np.float32(target) / 255
    heads = weights.load('lpips_alexnet')['lpips']
    alexnet = weights.load('alexnet')
    return {
        'raw': similarity(encoded, decoded),
        'standardised': similarity(
            recognition.standardise(encoded, by),
            recognition.standardise(decoded, by),
        ),
        'responses': similarity(
            *(x / np.sqrt(space.noise) for x in (predicted, fmri))
        ),
        'pixels': similarity(
            *((x - mean).reshape(len(x), -1) for x in (seen, made))
        ),
        'LPIPS': -perceptual.distances('alexnet', alexnet, seen, made, heads),
    }


def components(faces, k, seed):
    """Encodes and generates by principal components, as `method.coders`."""
    fitted = pca.fit(faces, k, seed=seed)
    return (
        functools.partial(pca.encode, fitted),
        functools.partial(pca.generate, fitted),
    )


def subject(seed, rest, held, kinds, config):
    """(protocol, score) -> kind of latents -> value, of one subject."""
    rng = np.random.default_rng([seed, 11])
    parts = {
        name: Stimuli(
            images[np.sort(rng.choice(len(images), n, replace=False))],
            tuple(f'{name}{i:04d}' for i in range(n)),
        )
        for name, images, n in (('train', rest, TRAIN), ('test', held, TEST))
    }
    recording = simulate_faces(
        *parts.values(),
        seed=seed,
        voxels=VOXELS,
        imagined=0,
        test_repeats=REPEATS,
        noise_ceiling=0.5,
    )
    data = prepare(recording, rest[:0])
    baseline = mean_response(recording, config)
    train = data.normalised.train
    fmri = np.asarray(train.fmri) + baseline
    train = dataclasses.replace(train, fmri=fmri)
    shown = recording.stimuli.images[np.unique(train.stimulus)]
    target = recording.stimuli.images[data.test.stimulus]
    mean = (shown / np.float32(255)).mean(axis=0)
    k = config.networks.latents
    kinds = kinds | {'PCA': components(shown, k, seed)}
    found = {}
    for kind, coders in kinds.items():
        space = fit_map(shown, train, baseline, config, *coders)
        every = matrices(space, data.test.fmri, target, mean, config)
        for protocol, matrix in every.items():
            for score, of in SCORES.items():
                row = found.setdefault((protocol, score), {})
                row[kind] = float(of(matrix).mean())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('faces')
    parser.add_argument('--out', required=True, type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=0, help='of the training')
    parser.add_argument('--subjects', type=int, default=4)
    parser.add_argument('--first-subject', type=int, default=0)
    parser.add_argument('--json')
    known = parser.parse_args()
    config = photographs()
    held, rest = divided(config, known)
    variables, _ = training.fit_vaegan(rest, config, known.out / 'training')
    kinds = {
        'VAE-GAN': method.coders(variables, config),
        'PCA of all': components(rest, config.networks.latents, known.seed),
    }
    seeds = range(known.first_subject, known.first_subject + known.subjects)
    found = []
    for seed in seeds:
        found.append(subject(seed, rest, held, kinds, config))
        print(seed, found[-1], flush=True)
    rows = [
        summary(*key, [each[key] for each in found], other)
        for key in found[0]
        for other in ('PCA', 'PCA of all')
    ]
    for row in rows:
        print(row)
    main_row = next(
        row
        for row in rows
        if (row['protocol'], row['score']) == ('standardised', 'full')
    )
    write_result(
        known.json,
        {
            'name': 'face_identification',
            'unit': 'full recognition among 40 faces, standardised latents',
            'ours': main_row['VAE-GAN'],
            'peer': main_row['PCA'],
            'peer_name': 'PCA of as many components',
            'ratio': main_row['VAE-GAN'] / main_row['PCA'],
            'subjects': known.subjects,
            'seed': known.seed,
            'simulated': True,
            'accuracy': rows,
        },
    )


def summary(protocol, score, subjects, other):
    """A row of the table: means and the paired difference over subjects."""
    ours, theirs = (
        np.array([each[kind] for each in subjects])
        for kind in ('VAE-GAN', other)
    )
    gain = ours - theirs
    half = np.inf
    if len(gain) > 1:
        half = stats.t.ppf(0.975, len(gain) - 1) * stats.sem(gain)
    return {
        'protocol': protocol,
        'score': score,
        'peer': other,
        'VAE-GAN': float(ours.mean()),
        'PCA': float(theirs.mean()),
        'difference': float(gain.mean()),
        'low': float(gain.mean() - half),
        'high': float(gain.mean() + half),
    }


if __name__ == '__main__':
    main()
