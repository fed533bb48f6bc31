"""The VAE-GAN of faces against as many principal components, on faces held out.

    brainjax fetch squeezenet && brainjax fetch lpips_alexnet
    python benchmarks/vaegan_pictures.py faces_6k.tar --out OUT

Trains with the setting of `configs/faces_demo.py:photographs` on all faces but
500, in OUT/training, from which it resumes; with --batch-norm, with the narrow
setting, batch norm before mu, encoder rate .5 and KL .05. Both are judged by
squared error, SSIM and LPIPS (AlexNet; the perceptual loss is SqueezeNet's) of
pictures from the faces' own latents; intervals of paired differences are over
faces (bootstrap). Writes OUT/pictures.json and the sheet OUT/faces.png: seen,
VAE-GAN, PCA.
"""

import argparse
import pathlib
import runpy
import time

import numpy as np
from common import REPOSITORY, write_result

from brainjax.evaluation import perceptual, ssim
from brainjax.evaluation.intervals import interval
from brainjax.linear import pca
from brainjax.methods.faces import pictures, training
from brainjax.methods.faces.config import narrow
from brainjax.networks import vaegan, weights
from brainjax.reports import figures

HELD_OUT = 500
SHOWN = 10


def judge(target: np.ndarray, made: np.ndarray) -> dict[str, np.ndarray]:
    """Returns squared error, SSIM and LPIPS of each picture."""
    pairs = zip(target[:, None], made[:, None])
    heads = weights.load('lpips_alexnet')['lpips']
    params = weights.load('alexnet')
    return {
        'squared_error': ((made - target) ** 2).mean((1, 2, 3)),
        'ssim': np.array([ssim.table('ssim_2d', *p)[0, 0] for p in pairs]),
        'lpips': perceptual.distance('alexnet', params, target, made, heads),
    }


def photographs():
    demo = runpy.run_path(str(REPOSITORY / 'configs' / 'faces_demo.py'))
    return demo['get_config']('photographs')


def batch_norm():
    """The narrow setting, but for what keeps its latents from saturating."""
    config = narrow()
    config.pictures.number = 6000
    config.networks.normalise_mu = True
    config.training.kl = 0.05
    config.training.rates = (0.5, 1.0, 0.05)
    return config


def divided(config, known):
    """Loads faces: those held out, the same for every seed, and the rest."""
    config.pictures.path = known.faces
    images, _, _ = pictures.load_faces(config)
    config.seed = known.seed
    order = np.random.default_rng(5).permutation(len(images))
    return images[order[:HELD_OUT]], images[order[HELD_OUT:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('faces')
    parser.add_argument('--out', required=True, type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=0, help='of the training')
    parser.add_argument('--batch-norm', action='store_true')
    known = parser.parse_args()
    config = batch_norm() if known.batch_norm else photographs()
    held, rest = divided(config, known)
    began = time.process_time()
    variables, _ = training.fit_vaegan(rest, config, known.out / 'training')
    seconds = time.process_time() - began
    basis = pca.fit(rest, config.networks.latents)
    latents = vaegan.encode(variables, held)
    made = {
        'VAE-GAN': vaegan.generate(
            variables, latents, config.networks.brightness
        ),
        'PCA': pca.generate(basis, pca.encode(basis, held)),
    }
    target = np.float32(held) / 255
    ours, theirs = (judge(target, each) for each in made.values())
    scores = {}
    for name, mine in ours.items():
        difference = mine - theirs[name]
        low, high = interval(difference, (-1, 1))
        scores[name] = {
            'vaegan': float(mine.mean()),
            'pca': float(theirs[name].mean()),
            'difference': float(difference.mean()),
            'low': low,
            'high': high,
        }
        print(name, scores[name])
    saturated = float((np.abs(latents) > 0.97).mean())
    print(f'{saturated:.3f} of latents saturated, {seconds:.0f} CPU s')
    figures.save_png(
        figures.montage(
            target[:SHOWN], {k: x[:SHOWN] for k, x in made.items()}
        ),
        known.out / 'faces.png',
    )
    write_result(
        known.out / 'pictures.json',
        {
            'name': 'vaegan_pictures',
            'unit': 'LPIPS',
            'ours': scores['lpips']['vaegan'],
            'peer': scores['lpips']['pca'],
            'peer_name': 'PCA of as many components',
            'ratio': scores['lpips']['pca'] / scores['lpips']['vaegan'],
            'seed': known.seed,
            'saturated': saturated,
            'cpu_seconds': seconds,
            'scores': scores,
        },
    )


if __name__ == '__main__':
    main()
