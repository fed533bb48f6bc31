"""Simulated subjects: recordings whose truth is known.

`voxels.voxel_parameters` draws a subject's voxels and `voxels.responses` is the
whole truth about their signal; `simulate` shows pictures and adds noise, and
`simulated_subject` shows generated scenes. Every result follows from its
arguments alone.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.recordings.recording import Recording, Stimuli, Trials
from brainjax.simulation.scenes import PICTURES
from brainjax.simulation.voxels import (
    VOXELS,
    Voxels,
    depth_responses,
    responses,
    voxel_parameters,
)

# Pictures of these come from seeds of their own: none is in two of them.
_SETS = ('train', 'test', 'unpaired fMRI', 'unpaired pictures')
_SOURCES = 6  # of the noise that voxels share


def simulate(
    train: Stimuli,
    test: Stimuli,
    unpaired: np.ndarray | None = None,
    *,
    voxels: Voxels,
    seed: int,
    respond: Callable[[np.ndarray, Voxels], np.ndarray] = responses,
    noise_ceiling: float | Mapping[str, float] = 0.7,
    train_repeats: int = 1,
    test_repeats: int = 10,
    unpaired_repeats: int = 1,
    shared_noise: float = 0.25,
    trials_per_run: int = 50,
) -> Recording:
    """Shows pictures to a simulated subject.

    A trial is the response plus Gaussian noise that differs between trials.
    Of its variance the part `shared_noise` comes from a few sources that all
    voxels share; the rest is each voxel's own.

    Args:
      train: pictures of the training trials.
      test: pictures of the test trials; none of them in `train`.
      unpaired: [n, height, width, 3] pictures whose responses become the
        recording's unpaired fMRI, or None.
      voxels: from `voxel_parameters`, or what `respond` takes, with `area`.
      seed: of the noise and the order of the trials.
      respond: (pictures, voxels) -> [n, voxels] noiseless responses, of mean
        0 and variance 1 over pictures like these; with depth, where the
        stimuli have it, as fourth channel.
      noise_ceiling: median over voxels, for all areas or by area, of the
        correlation between the noiseless response and the average of the
        `test_repeats` trials of a picture. Voxels spread around it.
      train_repeats: trials of each training picture, kept apart.
      test_repeats: trials of each test picture, kept apart.
      unpaired_repeats: trials averaged in each row of the unpaired fMRI.
      shared_noise: in 0..1.
      trials_per_run: run numbers go up after so many trials.

    Returns:
      A recording, marked as simulated. Its `noise_ceiling` and `snr` are the
      truth and take nothing from the test trials: with the variances S = 1
      of the response over scenes and N of the noise of one trial,
      noise_ceiling = sqrt(S / (S + N / test_repeats)) and snr = S / N. Its
      ROIs are the areas, LVC (V1 to V3) and VC (all voxels).
    """
    _check_counts(
        {
            'the number of training pictures': len(train),
            'the number of test pictures': len(test),
            'train_repeats': train_repeats,
            'test_repeats': test_repeats,
            'unpaired_repeats': unpaired_repeats,
            'trials_per_run': trials_per_run,
        }
    )
    if not 0 <= shared_noise <= 1:
        raise InputError(
            f'simulated subject: shared_noise is {shared_noise}; it must lie '
            'between 0 and 1.'
        )
    ceiling = _ceilings(voxels, noise_ceiling, seed)
    variance = test_repeats * (ceiling**-2.0 - 1)
    noisy = _noise(variance, shared_noise, seed)

    def trials(images, repeats, stream, first_stimulus, first_run):
        random = np.random.default_rng([seed, stream])
        order = np.concatenate(
            [random.permutation(len(images)) for _ in range(repeats)]
        )
        fmri = noisy(respond(images, voxels)[order], random)
        run = first_run + np.arange(len(order)) // trials_per_run
        return Trials(
            fmri, np.int32(first_stimulus + order), run.astype(np.int32)
        )

    training = trials(_shown(train), train_repeats, 3, 0, 1)
    testing = trials(
        _shown(test), test_repeats, 4, len(train), int(training.run[-1]) + 1
    )
    if unpaired is not None:
        seen = trials(unpaired, unpaired_repeats, 5, 0, 0)
        unpaired = seen.fmri[np.argsort(seen.stimulus, kind='stable')]
        unpaired = unpaired.reshape(-1, unpaired_repeats, len(ceiling)).mean(1)
    categories = None
    if train.categories is not None and test.categories is not None:
        categories = (*train.categories, *test.categories)
    rois = {name: voxels.area == name for name in _areas(voxels)}
    rois['LVC'] = np.isin(voxels.area, ['V1', 'V2', 'V3'])
    rois['VC'] = np.ones(len(voxels.area), bool)
    return Recording(
        subject=f'simulated-{seed}',
        train=training,
        test=testing,
        stimuli=Stimuli(
            np.concatenate([train.images, test.images]),
            (*train.names, *test.names),
            categories,
            _joined(train.depth, test.depth),
        ),
        rois={name: mask for name, mask in rois.items() if mask.any()},
        source=f'a simulated subject (seed {seed})',
        simulated=True,
        unpaired_fmri=unpaired,
        snr=(1 / variance).astype(np.float32),
        noise_ceiling=ceiling.astype(np.float32),
    )


def _shown(stimuli: Stimuli) -> np.ndarray:
    if stimuli.depth is None:
        return stimuli.images
    return np.concatenate([stimuli.images, stimuli.depth[..., None]], axis=-1)


def _joined(*depth: np.ndarray | None) -> np.ndarray | None:
    return None if any(d is None for d in depth) else np.concatenate(depth)


def simulated_subject(
    *,
    seed: int = 0,
    size: int = 64,
    n_train: int = 600,
    n_test: int = 50,
    n_unpaired_fmri: int = 0,
    voxels: Mapping[str, int] = VOXELS,
    pictures: str = 'scenes',
    depth: float = 0.0,
    **options,
) -> Recording:
    """Shows generated pictures to a simulated subject.

    The scenes of the training trials, the test trials, the unpaired fMRI and
    `unpaired_scenes` come from different seeds; none is in two of them.

    Args:
      seed: of the subject and of everything it sees.
      size: height and width of the pictures in pixels.
      n_train: number of training pictures.
      n_test: number of test pictures.
      n_unpaired_fmri: number of responses to pictures that are not known.
      voxels: area -> number of voxels.
      pictures: 'scenes' or 'silhouettes'.
      depth: part of the responses' variance that follows how near what is
        seen is; above 0 the stimuli, which must be scenes, have depth maps.
      **options: of `simulate`.
    """
    draw = _drawer(pictures, depth)

    def stimuli(n, part):
        images, *named = draw(n, size, _scene_seed(seed, part))
        near = images[..., 3] if depth else None
        return Stimuli(images[..., :3], *named, near)

    train, test = stimuli(n_train, 'train'), stimuli(n_test, 'test')
    unpaired = None
    if n_unpaired_fmri:
        unpaired, _, _ = draw(
            n_unpaired_fmri, size, _scene_seed(seed, 'unpaired fMRI')
        )
    if depth:
        options['respond'] = functools.partial(depth_responses, part=depth)
    return simulate(
        train,
        test,
        unpaired,
        voxels=voxel_parameters(seed=seed, voxels=voxels),
        seed=seed,
        **options,
    )


def unpaired_scenes(
    n: int,
    *,
    seed: int,
    size: int = 64,
    pictures: str = 'scenes',
    depth: float = 0.0,
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Returns pictures that `simulated_subject(seed=seed)` never sees.

    Returns:
      [n, size, size, 3] uint8, n names and n categories; see `scenes.scenes`.
      With `depth` above 0 there are four channels.
    """
    draw = _drawer(pictures, depth)
    return draw(n, size, _scene_seed(seed, 'unpaired pictures'))


def _drawer(pictures: str, depth: float) -> Callable:
    """Returns what draws pictures, with depth if it is above 0."""
    check_known('config.simulated.pictures', pictures, PICTURES)
    if not 0 <= depth < 1:
        raise InputError(
            f'simulated subject: depth is {depth}; give the part of the '
            'responses that follows it, from 0 to below 1.'
        )
    if depth and pictures != 'scenes':
        raise InputError(
            f'simulated subject: {pictures} have no depth; show it scenes.'
        )
    draw = PICTURES[pictures]
    return functools.partial(draw, depth=True) if depth else draw


def _check_counts(counts: Mapping[str, int]) -> None:
    for what, value in counts.items():
        if value < 1:
            raise InputError(
                f'simulated subject: {what} is {value}; it must be 1 or more.'
            )


def _noise(
    variance: np.ndarray, shared_noise: float, seed: int
) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Returns noisy(fmri [trials, voxels], random) -> fmri with noise.

    Args:
      variance: [voxels] of a trial's noise.
      shared_noise: the part of it that comes from sources that all share.
      seed: of what each source does to each voxel.
    """
    loadings = np.random.default_rng([seed, 2]).standard_normal(
        (_SOURCES, len(variance))
    )
    loadings *= np.sqrt(shared_noise * variance) / np.linalg.norm(
        loadings, axis=0
    )
    independent = np.sqrt((1 - shared_noise) * variance)

    def noisy(fmri, random):
        shared = random.standard_normal((len(fmri), _SOURCES)) @ loadings
        noise = random.standard_normal(fmri.shape, np.float32) * independent
        return (fmri + (noise + shared)).astype(np.float32)

    return noisy


def _ceilings(voxels: Voxels, noise_ceiling, seed: int) -> np.ndarray:
    """Draws each voxel's noise ceiling around its area's."""
    if not isinstance(noise_ceiling, Mapping):
        noise_ceiling = dict.fromkeys(_areas(voxels), noise_ceiling)
    for name in np.unique(voxels.area):
        if not 0 < noise_ceiling.get(name, 0) < 1:
            raise InputError(
                f'simulated subject: the noise ceiling of {name} is '
                f'{noise_ceiling.get(name)}; give one between 0 and 1.'
            )
    middle = np.array([noise_ceiling[name] for name in voxels.area])
    spread = np.random.default_rng([seed, 1]).normal(0, 0.25, len(middle))
    return np.clip(np.tanh(np.arctanh(middle) + spread), 0.05, 0.99)


def _areas(voxels: Voxels) -> list[str]:
    """Returns the areas in the order of their first voxels."""
    return [*dict.fromkeys(voxels.area.tolist())]


def _scene_seed(seed: int, part: str) -> int:
    return 10 * seed + 1 + _SETS.index(part)
