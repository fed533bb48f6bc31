"""The authors' derivatives, in files laid out as theirs."""

import h5py
import numpy as np
import pytest

from brainjax.errors import InputError
from brainjax.io import matlab73
from brainjax.linear import latents, pca
from brainjax.recordings.formats.faces import derivatives as face_files

SHAPE = (5, 4, 3)
LATENTS, VOXELS = 6, 20


@pytest.fixture
def folder(tmp_path):
    """Files of one subject, written with MATLAB's places and dimensions."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(LATENTS + 1, VOXELS))
    seen = rng.uniform(-1, 1, (3, LATENTS))
    volumes = np.full((*SHAPE, 3), np.nan)
    # MATLAB: vol(x, y, z, j), with validindices = sub2ind(size, x, y, z).
    places = rng.permutation(np.prod(SHAPE))[:VOXELS]
    x = places % 5
    y = places // 5 % 4
    z = places // 20
    volumes[x, y, z] = (np.c_[seen, np.ones(3)] @ weights).T
    matlab73.write(
        tmp_path / 'ROI_VAEGAN.mat',
        {
            'W': weights,
            'invcovW': np.linalg.inv(weights @ weights.T),
            'validindices': 1.0 + places[None],
        },
    )
    matlab73.write(tmp_path / 'test_patterns.mat', {'vol': volumes})
    matlab73.write(
        tmp_path / 'test_images.mat', {'testimage_vaeganlatentvars': seen}
    )
    matlab73.write(tmp_path / 'FacevsFix.mat', {'map': volumes[..., 0]})
    return tmp_path


def test_latents_are_decoded_from_the_files(folder):
    found = face_files.read_map(folder / 'ROI_VAEGAN.mat')
    patterns = face_files.read_patterns(
        folder / 'test_patterns.mat', found.places
    )
    seen = face_files.read_latents(folder / 'test_images.mat', faces=3)
    decoded = latents.invert(found.weights, patterns)
    np.testing.assert_allclose(decoded, seen, atol=1e-5)
    # The published formula, with the stored inverse.
    stored = (patterns @ found.weights.T @ found.inverse)[:, :-1]
    np.testing.assert_allclose(stored, seen, atol=1e-5)
    # One place further, as in a thesis that took places for counted from 0.
    shifted = np.minimum(found.places + 1, np.prod(SHAPE) - 1)
    wrong = face_files.read_patterns(folder / 'test_patterns.mat', shifted)
    assert np.abs(latents.invert(found.weights, wrong) - seen).max() > 0.1


def test_places_of_a_numpy_volume(folder):
    found = face_files.read_map(folder / 'ROI_VAEGAN.mat')
    volume = face_files.read_array(folder / 'FacevsFix.mat')
    assert volume.shape == SHAPE
    flat = face_files.flat(found.places, SHAPE)
    patterns = face_files.read_patterns(folder / 'FacevsFix.mat', found.places)
    assert patterns.shape == (1, VOXELS)
    np.testing.assert_array_equal(np.float32(volume.ravel()[flat]), patterns[0])
    with pytest.raises(InputError, match=r'2 x 2 x 2 voxels has no place'):
        face_files.flat(found.places, (2, 2, 2))


def test_values_that_are_no_numbers_are_zero(folder):
    patterns = face_files.read_patterns(
        folder / 'test_patterns.mat', np.arange(np.prod(SHAPE))
    )
    assert np.isfinite(patterns).all()
    assert (patterns == 0).sum() == 3 * (np.prod(SHAPE) - VOXELS)


@pytest.mark.parametrize('transposed', [False, True])
def test_principal_components(tmp_path, transposed):
    images = np.random.default_rng(1).uniform(size=(30, 4, 4, 3))
    fitted = pca.fit(np.float32(images), 5)
    basis = np.stack([c.ravel(order='F') for c in fitted.components], axis=1)
    path = tmp_path / 'PCA_coeffs.mat'
    matlab73.write(
        path,
        {
            'coeff': np.float64(basis.T if transposed else basis),
            'mu': fitted.mean.ravel(order='F')[None],
        },
    )
    mean, components = face_files.read_pca(path, size=4)
    np.testing.assert_allclose(mean, fitted.mean, atol=1e-7)
    np.testing.assert_allclose(components, fitted.components, atol=1e-7)
    with pytest.raises(InputError, match=r'holds coeff \(.*mean of 49152'):
        face_files.read_pca(path)


def change(path, name, values):
    with h5py.File(path, 'r+') as file:
        del file[name]
        file.create_dataset(name, data=np.asarray(values, float).T)
        file[name].attrs['MATLAB_class'] = np.bytes_('double')


@pytest.mark.parametrize(
    ('name', 'values', 'message'),
    [
        ('validindices', np.zeros((1, VOXELS)), 'different whole numbers'),
        ('validindices', np.ones((1, VOXELS)), 'different whole numbers'),
        ('validindices', np.full((1, VOXELS), np.nan), 'different whole num'),
        ('validindices', 1 + np.arange(VOXELS - 1.0)[None], 'must be of the'),
        ('invcovW', np.eye(LATENTS), 'must be of the same'),
        (
            'invcovW',
            np.full((LATENTS + 1,) * 2, np.nan),
            'hold NaN or infinite',
        ),
        ('W', np.zeros((2, 2, 2)), 'W must hold numbers in 2 dimensions'),
    ],
)
def test_maps_that_cannot_be(folder, name, values, message):
    path = folder / 'ROI_VAEGAN.mat'
    change(path, name, values)
    with pytest.raises(InputError, match=message):
        face_files.read_map(path)


def test_other_files_are_one_sentence(folder):
    path = folder / 'test_patterns.mat'
    with pytest.raises(InputError, match=r"no variable 'W', only vol \(5, 4"):
        face_files.read_map(path)
    with pytest.raises(InputError, match='volumes of 60 voxels have no place'):
        face_files.read_patterns(path, np.array([60]))
    with pytest.raises(InputError, match='name the one to read'):
        face_files.read_array(folder / 'ROI_VAEGAN.mat')
    with pytest.raises(InputError, match='latents of 20 faces are needed'):
        face_files.read_latents(folder / 'test_images.mat', faces=20)
    with pytest.raises(InputError, match='does not exist'):
        face_files.read_map(folder / 'ROI_PCA.mat')


def test_damaged_files_are_one_sentence(folder):
    rng = np.random.default_rng(2)
    sentences = []
    for path, read in (
        (folder / 'ROI_VAEGAN.mat', face_files.read_map),
        (folder / 'FacevsFix.mat', face_files.read_array),
        (folder / 'test_images.mat', face_files.read_latents),
        (
            folder / 'test_patterns.mat',
            lambda path: face_files.read_patterns(path, np.arange(9)),
        ),
    ):
        whole = path.read_bytes()
        for number in range(25):
            damaged = bytearray(whole)
            if number % 2:
                del damaged[rng.integers(len(whole)) :]
            else:
                at = int(rng.integers(512, min(len(whole), 4096)))
                damaged[at : at + 8] = rng.bytes(8)
            path.write_bytes(damaged)
            try:
                read(path)
            except InputError as error:
                sentences.append(str(error))
    assert len(sentences) > 40
    assert not any('\n' in sentence for sentence in sentences)
