"""Small files with the traits of those of Generic Object Decoding.

Names, keys, types and order are those that the authors' loaders read
(Gaziv et al. 2022; Horikawa and Kamitani 2017); only the numbers of trials,
voxels and pixels are small. What the voxels hold is linear in the pictures.
"""

import tarfile

import numpy as np
import tiny
from PIL import Image

VOXELS, SIZE, REPEATS = 40, 32, 3
# WordNet ids of the test pictures, and their numbers, in the tables' order.
TEST = (
    *('n01443537_22563', 'n01621127_19020', 'n01677366_18182'),
    *('n01846331_17038', 'n01858441_11077', 'n01943899_24131'),
)
TRAINING = tuple(
    f'n{1518878 + 1000 * synset:08d}_{10042 + i}'
    for synset in range(15)
    for i in range(2)
)
ROIS = ('V1', 'V2', 'V3', 'V4', 'FFA', 'PPA', 'LOC', 'LVC', 'HVC', 'VC')


def write(folder):
    """Writes all of it; returns overrides of a config that name the files."""
    recording(folder)
    tables(folder / 'tables')
    val = pictures(folder)
    examples(folder / 'examples')
    return {
        'recording.path': str(folder / 'sbj_3.npz'),
        'recording.images': str(folder / 'images_112.npz'),
        'recording.options': f'names={folder / "tables"}',
        'pictures.path': str(val),
        'classes': str(folder / 'examples'),
    }


def recording(folder):
    """sbj_3.npz and images_112.npz: arr_0 to arr_6, regions by their names."""
    rng = np.random.default_rng(0)
    train, test = (
        tiny.pictures(len(names), seed, SIZE)
        for seed, names in enumerate((TRAINING, TEST))
    )
    mixing = rng.normal(size=(SIZE * SIZE * 3, VOXELS)) / SIZE

    def fmri(images, noise):
        signal = (images.reshape(len(images), -1) / 255 - 0.5) @ mixing
        return signal + noise * rng.normal(size=signal.shape)

    shown = rng.permutation(len(train))
    label = rng.permutation(np.repeat(np.arange(len(test)), REPEATS))
    single = fmri(test[label], 0.3)
    voxel = np.arange(VOXELS)
    np.savez(
        folder / 'sbj_3.npz',
        arr_0=fmri(train[shown], 0.3),
        arr_1=single,
        arr_2=np.stack([single[label == i].mean(0) for i in range(len(test))]),
        arr_3=shown,
        arr_4=label,
        arr_5=rng.random(VOXELS),
        arr_6=rng.random(VOXELS) + 0.1,
        **{
            roi: voxel < 36 if roi == 'VC' else voxel % 9 == i
            for i, roi in enumerate(ROIS)
        },
    )
    # Floats in 0..1, in the order of the tables.
    np.savez(
        folder / 'images_112.npz',
        train_images=train / 255,
        test_images=test / 255,
    )


def tables(folder):
    """The lab's tables: a float id, and the name of the file."""
    folder.mkdir()
    for file, names in (
        ('imageID_training.csv', TRAINING),
        ('imageID_test.csv', TEST),
    ):
        rows = [
            f'{int(a[1:])}.{int(b):06d},{a}_{b}.JPEG'
            for a, b in (name.split('_') for name in names)
        ]
        (folder / file).write_text('\n'.join(rows) + '\n')


def pictures(folder, n=30):
    """ImageNet's validation pictures as their archive has them: flat JPEGs."""
    path = folder / 'ILSVRC2012_img_val.tar'
    with tarfile.open(path, 'w') as archive:
        for i, image in enumerate(tiny.pictures(n, 5, 40), 1):
            name = f'ILSVRC2012_val_{i:08d}.JPEG'
            Image.fromarray(image[:36]).save(folder / name, 'JPEG')
            archive.add(folder / name, name)
    return path


def examples(folder, each=2):
    """Examples of the tested and other synsets, a folder a synset."""
    synsets = [name.split('_')[0] for name in TEST]
    synsets += ['n02094433', 'n03000134', 'n04070727', 'n07745940']
    for i, synset in enumerate(synsets):
        (folder / synset).mkdir(parents=True)
        for j, image in enumerate(tiny.pictures(each, 100 + i, 40)):
            path = folder / synset / f'{synset}_{j + 1}.JPEG'
            Image.fromarray(image).save(path)
