"""Writes derivatives of ds001761 with their names, layout and traits.

MATLAB 7.3, double precision, bias last, `validindices` from 1 with the first
dimension fastest, NaN outside of the brain. Names that are not known
(`PCA_coeffs.mat`, the imagined face) are of the likeliest layout.
"""

import pathlib

import numpy as np
from PIL import Image

from brainjax.io import matlab73

GRID = (6, 5, 4)
REGIONS = ('occipital', 'temporal', 'frontoparietal')


def write(
    root,
    subject,
    images,
    latents,
    *,
    pca=None,
    order=None,
    imagined=0,
    imagery=None,
    noise=0.0,
    seed=0,
):
    """Writes one subject.

    Args:
      root: the derivatives folder.
      subject: such as '01'.
      images: [faces, size, size, 3] in 0..1 of the test faces.
      latents: [faces, K] of them.
      pca: (mean, components, scores) of the same, or None.
      order: whose latents each pattern is made of; by default its own.
      imagined: which face, of which `imagery` [K] are the latents decoded.
      noise: standard deviation of a pattern's noise; weights have 1.
    """
    rng = np.random.default_rng(seed)
    folder = pathlib.Path(root, f'sub-{subject}')
    folder.mkdir(parents=True)
    n, k = latents.shape
    order = np.arange(n) if order is None else order
    imagery = latents[imagined] if imagery is None else imagery
    volumes = np.full((*GRID, n), np.nan)
    image = np.full(GRID, np.nan)
    flat = volumes.reshape(-1, n, order='F')
    flat_image = image.reshape(-1, order='F')
    places = np.sort(rng.permutation(np.prod(GRID))[:99])
    # The same patterns must be those of both kinds of latents.
    both = latents if pca is None else np.hstack([latents, pca[2]])
    # Of unequal rows, which are orthogonal within each region, so that either
    # kind of latents is decoded as if the other were not there.
    rows = both.shape[1] + 1
    weights = np.concatenate(
        [np.linalg.qr(rng.normal(size=(33, rows)))[0].T for _ in REGIONS],
        axis=1,
    ) * np.linspace(3, 9, rows)[:, None]  # fmt: skip
    patterns = np.c_[both[order], np.ones(n)] @ weights
    patterns += noise * rng.standard_normal(patterns.shape)
    flat[places] = patterns.T
    seen = imagery if pca is None else np.r_[imagery, pca[2][imagined]]
    flat_image[places] = np.r_[seen, 0.3] @ weights
    volumes = flat.reshape((*GRID, n), order='F')
    image = flat_image.reshape(GRID, order='F')
    kinds = {'VAEGAN': [*range(k), -1]}
    if pca is not None:
        kinds['PCA'] = [*range(k, rows - 1), -1]
    for kind, mine in kinds.items():
        own = weights[mine]
        for region, part in [('', slice(0, 99))] + [
            (name, slice(33 * i, 33 * i + 33)) for i, name in enumerate(REGIONS)
        ]:
            end = f'_{region}' if region else ''
            matlab73.write(
                folder / f'ROI_{kind}{end}.mat',
                {
                    'W': own[:, part],
                    'invcovW': np.linalg.inv(own[:, part] @ own[:, part].T),
                    'validindices': 1.0 + places[None, part],
                },
            )
    matlab73.write(folder / 'test_patterns.mat', {'vol': volumes})
    matlab73.write(folder / 'img_pattern.mat', {'vol': image})
    matlab73.write(
        folder / 'test_images.mat',
        {
            'testimage_vaeganlatentvars': np.float64(latents),
            'testimages': np.float64(255 * images).transpose(1, 2, 3, 0),
        },
    )
    matlab73.write(
        folder / 'img_image.mat',
        {'img_vaeganlatentvars': np.float64(latents[imagined])[None]},
    )
    if pca is not None:
        mean, components, _ = pca
        matlab73.write(
            folder / 'PCA_coeffs.mat',
            {
                'coeff': np.stack(
                    [np.float64(c).ravel(order='F') for c in components], axis=1
                ),
                'mu': np.float64(mean).ravel(order='F')[None],
            },
        )
    return folder


def write_stimuli(folder, images, male, name):
    """Writes pictures named as the stimuli are; returns their names."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for i, (image, is_male) in enumerate(zip(images, male)):
        names.append(f'{name}_{"M" if is_male else "F"}{i + 1}.png')
        Image.fromarray(image).save(folder / names[-1])
    return names
