"""BData files in the layouts of the field, written with h5py alone."""

import h5py
import numpy as np

VOXELS = 6
PLACES = {'voxel_x': np.arange(VOXELS), 'voxel_y': np.arange(VOXELS) % 3}
ROIS = {
    'ROI_V1': [1, 1, 0, 0, 0, 0],
    'ROI_hV4': [0, 0, 1, 0, 0, 0],
    'ROI_FFA': [0, 0, 0, 1, 1, 0],
    'ROI_VC': [1, 1, 1, 1, 1, 0],
}


def responses(trials, seed=0):
    return np.random.default_rng(seed).normal(size=(trials, VOXELS))


def arrays(fmri, design, about=None, first=()):
    """Returns dataset, keys and values, the design's keys `first` in front.

    Args:
      fmri: [trials, voxels].
      design: key -> [trials], or [trials, columns].
      about: key -> [voxels]; ROIs and places if None.
      first: keys whose columns precede the voxels.
    """
    about = {**ROIS, **PLACES} if about is None else about
    columns = {key: np.reshape(v, (len(fmri), -1)) for key, v in design.items()}
    columns = {
        **{key: columns[key] for key in first},
        'VoxelData': fmri,
        **{k: v for k, v in columns.items() if k not in first},
    }
    dataset = np.concatenate([*columns.values()], axis=1, dtype=np.float64)
    keys = [*columns, *about]
    values = np.full((len(keys), dataset.shape[1]), np.nan)
    start = 0
    for i, block in enumerate(columns.values()):
        values[i, start : start + block.shape[1]] = 1
        start += block.shape[1]
    for i, row in enumerate(about.values(), len(columns)):
        values[i, values[keys.index('VoxelData')] == 1] = row
    return dataset, keys, values


def write(path, fmri, design, about=None, vmap=None, first=(), old=False):
    """Writes a file, with `old` in the older spelling; returns its path."""
    dataset, keys, values = arrays(fmri, design, about, first)
    samples, metadata = (
        ('dataSet', 'metaData')
        if old
        else (
            'dataset',
            'metadata',
        )
    )
    with h5py.File(path, 'w') as file:
        file[samples] = dataset
        file[f'{metadata}/key'] = np.array([k.encode() for k in keys])
        file[f'{metadata}/description'] = np.array(
            [f'1 = {k}'.encode() for k in keys]
        )
        file[f'{metadata}/value'] = values
        for key, texts in (vmap or {}).items():
            for number, text in texts.items():
                file[f'vmap/{key}/{float(number)}'] = np.bytes_(text.encode())
    return path


def god(folder, label='stimulus_id', **changes):
    """Writes Subject3.h5: 8 training, 6 test and 4 imagery trials.

    Categories of the file are wrong, as they were in its first release.
    """
    train = [1518878.010042, 1518878.012028, 1621127.01902, 2416519.5]
    test = [1443537.022563, 4572121.003262]
    stimulus = [*train * 2, *test * 3, *test * 2]
    design = {
        'DataType': np.repeat([1, 2, 3], [8, 6, 4]),
        'Run': np.r_[np.repeat([1, 2], 4), np.repeat([1, 2], 3), [1, 1, 2, 2]],
        label: stimulus,
        'category_index': np.arange(18),
        'image_index': np.r_[[1, 2, 3, 4] * 2, [1, 2] * 3, [1, 2] * 2],
        **changes,
    }
    return write(
        folder / 'Subject3.h5',
        responses(18),
        design,
        first=('DataType', 'Run', label),
    )


def deep_reconstruction(folder):
    """Writes the five files of sub-01; returns the folder.

    Natural pictures have names; shapes, letters and imagery are counted.
    """
    train = ['n01518878_10042', 'n01518878_12028', 'n01621127_19020']
    test = ['n01443537_22563', 'n04572121_3262']
    for part, names, repeats, seed in (
        ('perceptionNaturalImageTraining', train, 2, 1),
        ('perceptionNaturalImageTest', test, 3, 2),
    ):
        code = np.tile(np.arange(1, len(names) + 1), repeats)
        # The last trial repeats the one before, which the subject reports.
        design = {
            'Session': np.ones(len(code) + 1),
            'Run': np.r_[np.repeat(range(1, repeats + 1), len(names)), repeats],
            'Label': np.stack(
                [
                    np.r_[np.ones(len(code)), 2],
                    np.r_[code, code[-1]],
                ],
                axis=1,
            ),
        }
        path = folder / f'sub-01_{part}_original_VC.h5'
        dataset, keys, values = arrays(responses(len(code) + 1, seed), design)
        label = np.flatnonzero(values[keys.index('Label')] == 1)
        own = np.full((2, values.shape[1]), np.nan)
        own[[0, 1], label] = 1
        keys = [*keys, 'event_type', 'stimulus_name']
        with h5py.File(path, 'w') as file:
            file['dataset'] = dataset
            file['metadata/key'] = np.array([k.encode() for k in keys])
            file['metadata/description'] = file['metadata/key'][()]
            file['metadata/value'] = np.concatenate([values, own])
            for number, name in enumerate(names, 1):
                file[f'vmap/stimulus_name/{float(number)}'] = np.bytes_(
                    name.encode()
                )
    for part, numbers, seed in (
        ('perceptionArtificialImage', [2, 40, 2], 3),
        ('perceptionLetterImage', [1, 10], 4),
    ):
        write(
            folder / f'sub-01_{part}_original_VC.h5',
            responses(len(numbers), seed),
            {'Run': np.ones(len(numbers)), 'image_index': numbers},
        )
    write(
        folder / 'sub-01_imagery_original_VC.h5',
        responses(6, 5),
        {
            'Run': np.ones(6),
            # Cue, imagery and evaluation; mislabelled names; then fixation.
            'event_type': [1, 2, 3, 2, 2, 2],
            'category_id': np.arange(6),
            'category_index': [1, 1, 1, 15, 16, 26],
            'evaluation': [3, 3, 3, 4, 1, 5],
        },
    )
    return folder


def write_matlab73(path, variables):
    """Writes a MATLAB 7.3 file as MATLAB does: reversed, with references."""
    with h5py.File(path, 'w', userblock_size=512) as file:
        for name, value in variables.items():
            _store(file, name, value)
    with open(path, 'r+b') as stream:
        text = b'MATLAB 7.3 MAT-file'.ljust(116) + bytes(8) + b'\x00\x02IM'
        stream.write(text)
    return path


def _store(file, name, value):
    if isinstance(value, dict):
        node = file.create_group(name)
        for field, content in value.items():
            _store(file, f'{name}/{field}', content)
        kind = 'struct'
    elif isinstance(value, str):
        data = np.frombuffer(value.encode('utf-16-le'), np.uint16)[:, None]
        empty = np.array([0, 0], np.uint64)
        node = file.create_dataset(name, data=data if value else empty)
        if not value:
            node.attrs['MATLAB_empty'] = np.uint8(1)
        kind = 'char'
    elif value.dtype == object:
        cells = np.empty(value.shape, h5py.ref_dtype)
        for i in np.ndindex(value.shape):
            own = '_'.join([name.removeprefix('#refs#/'), *map(str, i)])
            target = f'#refs#/{own.replace("/", "_")}'
            _store(file, target, value[i])
            cells[i] = file[target].ref
        node = file.create_dataset(name, data=cells.T, dtype=h5py.ref_dtype)
        kind = 'cell'
    elif not value.size:
        node = file.create_dataset(name, data=np.uint64(value.shape))
        node.attrs['MATLAB_empty'] = np.uint8(1)
        kind = 'double'
    else:
        node = file.create_dataset(name, data=value.T)
        kind = {'float64': 'double', 'float32': 'single'}.get(
            value.dtype.name, value.dtype.name
        )
    node.attrs['MATLAB_class'] = np.bytes_(kind)
