"""Reads damaged files of every kind in a process with little memory.

    python damaged_files.py FOLDER SEED NUMBER

As damage.py, but for single files and their readers. The memory that may be
taken is 2 GiB beyond what the libraries have.
"""

import bz2
import gzip
import io
import json
import lzma
import pathlib
import pickle
import resource
import sys
import tarfile
import zipfile

import caffe_writer
import h5py
import nibabel
import numpy as np
import safetensors.numpy
import scipy.io
import tensorflow_writer
import torch_writer
from bdata_files import write_matlab73
from damage import DAMAGES, attempt, flip
from PIL import Image

from brainjax.evaluation import folders
from brainjax.io import (
    arrays,
    feature_files,
    feature_folders,
    files,
    hdf5,
    matlab,
    matlab73,
    nifti,
)
from brainjax.networks import weights
from brainjax.networks.weights import caffe, pickles, tensorflow, torch
from brainjax.pictures import decoding, loading
from brainjax.recordings.formats.bids.files import read_table

MEMORY = 2 * 2**30
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 16, 16, 3), np.uint8)
NUMBERS = {'a': RNG.normal(size=(4, 5)), 'b': np.arange(6, dtype=np.int16)}
TENSORS = {'x.weight': NUMBERS['a'].astype(np.float32)}


def _picture(kind, **options):
    def write(path):
        Image.fromarray(IMAGES[0]).save(path, kind, **options)

    return write, lambda path: decoding.decode(path, 'x', path)


def _archive(pack):
    def write(path):
        members = io.BytesIO()
        with tarfile.open(fileobj=members, mode='w') as archive:
            for i, image in enumerate(IMAGES):
                stream = io.BytesIO()
                Image.fromarray(image).save(stream, 'PNG')
                member = tarfile.TarInfo(f'{i}.png')
                member.size = stream.tell()
                archive.addfile(member, io.BytesIO(stream.getvalue()))
        path.write_bytes(pack(members.getvalue()))

    return write, lambda path: loading.load(path, 8)


def _zip(path):
    with zipfile.ZipFile(path, 'w') as archive:
        for i, image in enumerate(IMAGES):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, 'BMP')
            archive.writestr(
                zipfile.ZipInfo(f'{i}.bmp'),
                stream.getvalue(),
                zipfile.ZIP_DEFLATED,
            )


def _npz(path):
    with open(path, 'wb') as stream:
        np.savez_compressed(
            stream, images=IMAGES, names=np.array(['a', 'b', 'c'])
        )


def _npy(path):
    with open(path, 'wb') as stream:
        np.save(stream, IMAGES)


def _hdf5(path):
    with h5py.File(path, 'w') as file:
        file.create_dataset('images', data=IMAGES, compression='gzip')
        file['group/x'] = NUMBERS['a']
        file['link'] = h5py.ExternalLink('other.h5', '/x')


def _everything(path):
    with hdf5.opened(path) as file:
        for name in hdf5.names(file):
            if isinstance(file[name], h5py.Dataset):
                hdf5.read(file, name)


def _matlab(path, **options):
    cell = np.empty((1, 2), object)
    cell[0] = 'text', NUMBERS['a']
    scipy.io.savemat(path, {**NUMBERS, 'c': cell, 's': NUMBERS}, **options)


def _nifti(path):
    image = nibabel.Nifti1Image(
        (IMAGES[..., 0] > 99).astype(np.int16), np.eye(4)
    )
    content = image.to_bytes()
    path.write_bytes(
        gzip.compress(content) if path.suffix == '.gz' else content
    )


def _series(path):
    file = nifti.header(path)
    nifti.series(file, np.arange(0, file.shape[0]))
    nifti.volume(path)


def _torch(path):
    torch_writer.write_zip(path, TENSORS)


def _torch_legacy(path):
    torch_writer.write_legacy(path, TENSORS)


def _caffe(path):
    layers = {'conv1': [TENSORS['x.weight'].reshape(4, 5, 1, 1)]}
    path.write_bytes(caffe_writer.model(layers))


def _tensorflow(path):
    tensorflow_writer.write_v1(path, TENSORS)


def _table_of_torch(path):
    path.write_bytes(torch_writer.table(TENSORS))


def _read_table_of_torch(path):
    """Reads a table that no checksum guards, within a whole file."""
    whole = torch_writer.write_zip(
        path.with_suffix('.pth'), TENSORS, path.read_bytes()
    )
    return torch.read(whole)


def _pickle(path):
    path.write_bytes(pickle.dumps({'a': NUMBERS}, 3))


def _read_pickle(path):
    with open(path, 'rb') as stream:
        return pickles.read_numpy(stream, str(path))


def _features(path):
    feature_files.write(path, NUMBERS['a'])


def _json(path):
    files.write_json(path, {'names': ['a', 'b'], 'layers': {'x': [1, 2, None]}})


def _table(path):
    rows = [f'{i}\t1\tpicture-{i}.png' for i in range(20)]
    path.write_text('\n'.join(['onset\tduration\tstim_file', *rows]))


# Name -> how a whole file is written, and what reads it.
KINDS = {
    'a.png': _picture('PNG'),
    'a.jpg': _picture('JPEG'),
    'a.tif': _picture('TIFF', compression='tiff_lzw'),
    'a.bmp': _picture('BMP'),
    'a.gif': _picture('GIF'),
    'a.webp': _picture('WEBP'),
    'a.tar': _archive(bytes),
    'a.tar.gz': _archive(gzip.compress),
    'a.tar.bz2': _archive(bz2.compress),
    'a.tar.xz': _archive(lzma.compress),
    'a.zip': (_zip, lambda path: loading.load(path, 8)),
    'a.npz': (_npz, folders.read),
    'b.npz': (_npz, arrays.read),
    'a.npy': (_npy, lambda path: loading.load(path, 8)),
    'a.h5': (_hdf5, lambda path: loading.load(path, 8)),
    'b.h5': (_hdf5, _everything),
    'a.mat': (_matlab, lambda path: matlab.read(path, ['a', 'b', 'c', 's'])),
    'b.mat': (
        lambda path: _matlab(path, do_compression=True),
        lambda path: matlab.read(path, ['a', 'b', 'c', 's']),
    ),
    'v73.mat': (
        lambda path: write_matlab73(path, {**NUMBERS, 's': NUMBERS}),
        lambda path: matlab73.read(path, ['a', 'b', 's']),
    ),
    'feat.mat': (_features, feature_files.read),
    'a.nii': (_nifti, _series),
    'a.nii.gz': (_nifti, nifti.mask),
    'a.safetensors': (
        lambda path: safetensors.numpy.save_file(TENSORS, path),
        weights.read,
    ),
    'a.pth': (_torch, torch.read),
    'legacy.pth': (_torch_legacy, torch.read),
    'table.pkl': (_table_of_torch, _read_table_of_torch),
    'numpy.pkl': (_pickle, _read_pickle),
    'a.caffemodel': (_caffe, caffe.read),
    'model.ckpt': (_tensorflow, lambda path: tensorflow.read(path, bool)),
    'v2.index': (
        lambda path: tensorflow_writer.write_v2(path.with_suffix(''), TENSORS),
        lambda path: tensorflow.read(path, bool),
    ),
    'features.json': (
        _json,
        lambda path: feature_folders._read_index(path.parent),
    ),
    'a.tsv': (_table, read_table),
}


def main(folder, seed, number):
    rng = np.random.default_rng(seed)
    folder = pathlib.Path(folder)
    wholes = {}
    for name, (write, read) in KINDS.items():
        path = folder / name
        write(path)
        wholes[name] = path.read_bytes()
        assert attempt(read, path)['ending'] == 'read'
    taken = int(pathlib.Path('/proc/self/statm').read_text().split()[0])
    most = taken * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for i in range(number):
        name = [*KINDS][i % len(KINDS)]
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        content = wholes[name]
        content = damage(content, rng)
        if len(content) > 8 and rng.random() < 0.5:
            content = flip(content, rng)
        (folder / name).write_bytes(content)
        line = {
            'file': name,
            'damage': damage.__name__,
            **attempt(KINDS[name][1], folder / name),
        }
        print(json.dumps(line), flush=True)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
