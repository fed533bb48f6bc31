"""Small files in the layouts of the field, whole or damaged on purpose."""

import itertools

import h5py
import numpy as np
import scipy.io

from brainjax.recordings import Recording, Stimuli, Trials

VOXELS = 12


def weizmann_arrays(seed=0):
    """8 training pictures shown once, 3 test pictures shown 5 times."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(3, VOXELS))
    label = rng.permutation(np.repeat(np.arange(3), 5))
    test = signal[label] + rng.normal(size=(15, VOXELS))
    voxel = np.arange(VOXELS)
    return {
        'arr_0': rng.normal(size=(8, VOXELS)),
        'arr_1': test,
        'arr_2': np.stack([test[label == i].mean(0) for i in range(3)]),
        'arr_3': rng.permutation(8),
        'arr_4': label,
        'arr_5': rng.random(VOXELS),
        'arr_6': rng.random(VOXELS) + 0.1,
        'V1': (voxel >= 1) & (voxel < 4),
        'V2': (voxel >= 3) & (voxel < 7),
        'FFA': np.zeros(VOXELS, bool),
        'VC': voxel < 10,
    }


def weizmann_pictures(seed=1, size=16):
    rng = np.random.default_rng(seed)
    return {
        'train_images': rng.random((8, size, size, 3)),
        'test_images': rng.random((3, size, size, 3)),
    }


def write_weizmann(folder, pictures=None, without=(), **changes):
    """Writes sbj_3.npz and images_16.npz; returns their paths."""
    arrays = {**weizmann_arrays(), **changes}
    for name in without:
        del arrays[name]
    paths = folder / 'sbj_3.npz', folder / 'images_16.npz'
    np.savez(paths[0], **arrays)
    np.savez(paths[1], **{**weizmann_pictures(), **(pictures or {})})
    return paths


def digits_variables(seed=0):
    """The variables of digits69.mat with 100 digits and few voxels."""
    rng = np.random.default_rng(seed)
    primary = rng.random((4, 5, 3)) < 0.4
    parts = [primary, *(primary & (rng.random(primary.shape) < 0.3),) * 12]
    hemispheres = itertools.product(('lh', 'rh'), '123', 'dv')
    names = ['primary.nii', *(f'{h}.V{n}{p}.nii' for h, n, p in hemispheres)]
    return {
        'X': rng.integers(0, 256, (100, 784)).astype(np.uint8),
        'X_prior': rng.integers(0, 256, (6, 784)).astype(np.uint8),
        'Y': rng.normal(size=(100, int(primary.sum()))),
        'stimulus_label': np.repeat(np.uint8([1, 2]), 50)[:, None],
        'region_of_interest_label': cell(names),
        'region_of_interest_mask': cell(m.astype(np.uint8) for m in parts),
    }


def write_digits(folder, without=(), **changes):
    """Writes digits69.mat; returns its path."""
    variables = {**digits_variables(), **changes}
    for name in without:
        del variables[name]
    path = folder / 'digits69.mat'
    scipy.io.savemat(path, variables, do_compression=True)
    return path


def cell(items):
    """Makes what `savemat` writes as a cell array of one row."""
    items = list(items)
    array = np.empty((1, len(items)), object)
    for i, item in enumerate(items):
        array[0, i] = item
    return array


def small_recording(repeats=3, seed=0):
    """12 pictures of 4 categories, 9 trained and 3 tested, in 6 runs."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
    signal = rng.normal(size=(12, VOXELS))

    def trials(stimuli, first_run, session):
        order = np.tile(stimuli, repeats).astype(np.int32)
        run = first_run + np.repeat(np.arange(repeats), len(stimuli))
        noise = rng.normal(size=(len(order), VOXELS))
        return Trials(
            (signal[order] + noise + run[:, None]).astype(np.float32),
            order,
            run.astype(np.int32),
            np.full(len(order), session, np.int32),
        )

    voxel = np.arange(VOXELS)
    return Recording(
        subject='small',
        train=trials(np.arange(9), 1, 1),
        test=trials(np.arange(9, 12), 1 + repeats, 2),
        stimuli=Stimuli(
            images,
            tuple(f'n{i // 3}_{i}' for i in range(12)),
            tuple('abcd'[i // 3] for i in range(12)),
        ),
        rois={'V1': voxel < 5, 'V2': voxel >= 7, 'VC': voxel < 12},
        source='small.npz',
        simulated=False,
        unpaired_fmri=rng.normal(size=(4, VOXELS)).astype(np.float32),
        snr=rng.random(VOXELS).astype(np.float32),
        noise_ceiling=rng.random(VOXELS).astype(np.float32),
    )


def vim1_variables(seed=0):
    """6 training and 3 test pictures, as HDF5 holds them; 2 voxels are NaN."""
    rng = np.random.default_rng(seed)
    found = {
        'stimTrn': rng.uniform(-0.5, 0.5, (8, 8, 6)).astype(np.float32),
        'stimVal': rng.uniform(-0.5, 0.5, (8, 8, 3)).astype(np.float32),
    }
    for subject in (1, 3):
        train = rng.normal(size=(6, 20)).astype(np.float32)
        test = rng.normal(size=(3, 20)).astype(np.float32)
        train[:, [4, 11]] = test[:, [4, 11]] = np.nan
        found |= {
            f'dataTrnS{subject}': train,
            f'dataValS{subject}': test,
            f'roiS{subject}': rng.permutation(np.arange(20.0) % 8)[None],
            f'voxIdxS{subject}': np.arange(1.0, 21)[None],
        }
    return found


def write_vim1(folder, without=(), **changes):
    """Writes EstimatedResponses.mat and Stimuli.mat; returns their paths."""
    variables = {**vim1_variables(), **changes}
    paths = folder / 'EstimatedResponses.mat', folder / 'Stimuli.mat'
    for path in paths:
        with h5py.File(path, 'w', userblock_size=512) as file:
            for name, values in variables.items():
                belongs = name.startswith('stim') == (path == paths[1])
                if belongs and name not in without:
                    file[name] = values
    return paths
