"""A simulated subject who looks at faces, and imagines some of them.

Its voxels respond to the pictures and know nothing of any model's latents.
V1 to V4 are those of `voxels`: luminance, colour and oriented energy in
receptive fields. The voxels of the fusiform face area (FFA) take the faces'
parts (rectified filters of a place, a size, an orientation and a colour) in
pairs, so that they answer to how parts go together. No voxel is linear in
latents.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.simulation.subject import simulate
from brainjax.simulation.visual_features import box
from brainjax.simulation.voxels import Voxels, responses, voxel_parameters

VOXELS = {'V1': 500, 'V2': 300, 'V3': 200, 'V4': 200, 'FFA': 800}

_SIDE = 32  # Pixels along what the FFA sees.
_PARTS = 192
_PAIRS = 24  # Pairs of parts that drive a voxel.


class FaceVoxels(NamedTuple):
    """The truth about the voxels of a face-viewing subject.

    Attributes:
      area: [voxels] the name of each voxel's area.
      early: of all areas but the FFA, or None.
      filters: [parts, 32 * 32 * 3] of the faces' parts.
      pairs: [FFA voxels, pairs, 2] which parts drive a voxel together.
      weights: [FFA voxels, pairs] of their products.
      mean, std: [voxels] of the raw responses over faces.
    """

    area: np.ndarray
    early: Voxels | None
    filters: np.ndarray
    pairs: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    std: np.ndarray


def face_voxels(
    images: np.ndarray, *, seed: int, voxels: Mapping[str, int] = VOXELS
) -> FaceVoxels:
    """Draws the voxels of a subject.

    Args:
      images: [n, height, width, 3] uint8 faces, over which responses get
        mean 0 and variance 1.
      seed: of the subject.
      voxels: area -> number of voxels; 'FFA' and areas of `voxels.AREAS`.
    """
    early = {name: n for name, n in voxels.items() if name != 'FFA'}
    late = voxels.get('FFA', 0)
    if min(voxels.values(), default=0) < 1:
        raise InputError(
            f'simulated subject: voxels is {dict(voxels)}; give each area '
            'one voxel or more.'
        )
    random = np.random.default_rng([seed, 6])
    drawn = voxel_parameters(seed=seed, voxels=early) if early else None
    area = [] if drawn is None else drawn.area.tolist()
    raw = FaceVoxels(
        np.array(area + ['FFA'] * late),
        drawn,
        _filters(random),
        random.integers(_PARTS, size=(late, _PAIRS, 2)),
        random.standard_normal((late, _PAIRS)).astype(np.float32),
        np.float32(0),
        np.float32(1),
    )
    found = face_responses(images, raw)
    std = found.std(axis=0)
    if not std.all():
        raise InputError(
            'simulated subject: the faces do not differ for some voxels; '
            'give pictures that differ.'
        )
    return raw._replace(mean=found.mean(axis=0), std=std)


def face_responses(images: np.ndarray, voxels: FaceVoxels) -> np.ndarray:
    """Computes the noiseless responses.

    Args:
      images: [n, height, width, 3] uint8.
      voxels: from `face_voxels`.

    Returns:
      [n, voxels] float32.
    """
    late = _fusiform(images, voxels)
    if voxels.early is not None:
        late = np.concatenate([responses(images, voxels.early), late], axis=1)
    return (late - voxels.mean) / voxels.std


def simulate_faces(
    train: Stimuli,
    test: Stimuli,
    *,
    seed: int,
    voxels: Mapping[str, int] = VOXELS,
    imagined: int = 5,
    imagery_gain: float = 0.3,
    imagery_repeats: int = 54,
    test_repeats: int = 54,
    **options,
) -> Recording:
    """Shows faces to a simulated subject, the training faces once each.

    Args:
      train: faces of the training trials.
      test: faces of the test trials; none of them in `train`.
      seed: of the subject and its noise.
      voxels: area -> number of voxels.
      imagined: how many of the test faces, the first ones, are imagined
        without being seen; 0 for no imagery.
      imagery_gain: response to an imagined face, as a part of that to a seen
        one. The noise is the same.
      imagery_repeats: imagery trials of each of these faces.
      test_repeats: trials of each test face.
      **options: of `simulate`, as `noise_ceiling`, which is that of the
        average over `test_repeats` trials.

    Returns:
      A recording, marked as simulated, with imagery trials.
    """
    if not 0 <= imagined <= len(test) or not 0 <= imagery_gain <= 1:
        raise InputError(
            f'simulated subject: imagined is {imagined} and imagery_gain '
            f'{imagery_gain}; give up to {len(test)} faces, and a gain '
            'between 0 and 1.'
        )
    drawn = face_voxels(train.images[:256], seed=seed, voxels=voxels)
    recording = simulate(
        train,
        test,
        voxels=drawn,
        seed=seed,
        respond=face_responses,
        test_repeats=test_repeats,
        **options,
    )
    random = np.random.default_rng([seed, 7])
    # Of any face, as against no picture.
    baseline = random.lognormal(1, 0.5, len(drawn.area)).astype(np.float32)
    recording = dataclasses.replace(
        recording,
        train=_above(baseline, recording.train),
        test=_above(baseline, recording.test),
    )
    if not imagined:
        return recording
    stimulus = np.tile(np.arange(imagined), imagery_repeats)
    signal = face_responses(test.images[:imagined], drawn) + baseline
    signal *= imagery_gain
    noise = random.standard_normal((len(stimulus), len(drawn.area)))
    fmri = signal[stimulus] + noise / np.sqrt(recording.snr)
    return dataclasses.replace(
        recording,
        imagery=Trials(
            fmri.astype(np.float32), np.int32(len(train) + stimulus)
        ),
    )


def _above(baseline: np.ndarray, trials: Trials) -> Trials:
    return dataclasses.replace(trials, fmri=trials.fmri + baseline)


def _filters(random: np.random.Generator) -> np.ndarray:
    """Draws Gabor-like filters over the middle of the picture."""
    place = (np.arange(_SIDE) + 0.5) / _SIDE
    column = (_PARTS, 1, 1)
    x = place - random.uniform(0.25, 0.75, column)
    y = place[:, None] - random.uniform(0.2, 0.85, column)
    angle, phase = random.uniform(0, 2 * np.pi, (2, *column))
    width = random.uniform(0.05, 0.15, column)
    wave = np.cos((np.cos(angle) * x + np.sin(angle) * y) * 2 / width + phase)
    wave = wave * np.exp(-(x**2 + y**2) / (2 * width**2))
    colour = 1 + 0.7 * random.standard_normal((_PARTS, 1, 1, 3))
    filters = (wave[..., None] * colour).reshape(_PARTS, -1)
    norm = np.linalg.norm(filters, axis=1, keepdims=True)
    return (filters / norm).astype(np.float32)


def _fusiform(images: np.ndarray, voxels: FaceVoxels) -> np.ndarray:
    """Returns the raw responses [n, FFA voxels]."""
    found = np.empty((len(images), len(voxels.pairs)), np.float32)
    for start in range(0, len(images), 64):
        part = slice(start, start + 64)
        seen = _small(images[part]).reshape(len(images[part]), -1)
        parts = np.maximum(seen @ voxels.filters.T, 0)
        first, second = (parts[:, voxels.pairs[..., k]] for k in (0, 1))
        found[part] = np.einsum(
            'nvp,vp->nv', np.sqrt(first * second), voxels.weights
        )
    return found


def _small(images: np.ndarray) -> np.ndarray:
    """Averages over areas to [n, 32, 32, 3] in -0.5..0.5."""
    pixels = np.float32(images) / 255 - 0.5
    for axis in (1, 2):
        pixels = np.moveaxis(pixels, axis, -1)
        pixels = np.moveaxis(pixels @ box(_SIDE, pixels.shape[-1]).T, -1, axis)
    return pixels
