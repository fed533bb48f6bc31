"""What the derivatives of ds001761 tell of one subject's test faces.

Only some names are known (faces spec section 1): `testimage_vaeganlatentvars`
in test_images.mat, `vol` in test_patterns.mat. Everything else is found by its
shape, or by 'pca' in its name.
"""

import pathlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError, listed
from brainjax.io import tables
from brainjax.io.files import PathLike
from brainjax.linear import pca
from brainjax.linear.correlation import all_pairs
from brainjax.recordings.formats.faces import derivatives

KINDS = ('VAEGAN', 'PCA')  # Of latents, as in the files' names.
REGIONS = ('', 'occipital', 'temporal', 'frontoparietal')  # '': all voxels.
ALIKE = 0.9  # Correlation from which two pictures' latents are of one picture.


class TestFaces(NamedTuple):
    """The faces that a subject was tested on, in the order of the patterns.

    Attributes:
      latents: kind -> [faces, K]; without 'PCA' where no file tells it.
      images: [faces, size, size, 3] float32 in 0..1; None without any.
      components: of the subject's PCA; None without PCA_coeffs.mat.
    """

    # Pytest takes classes of this name for tests.
    __test__ = False

    latents: Mapping[str, np.ndarray]
    images: np.ndarray | None
    components: pca.Pca | None


def folder_of(root: PathLike, subject: str) -> pathlib.Path:
    """Returns the folder of a subject, ROOT/sub-XX or ROOT/XX."""
    root = pathlib.Path(root)
    for name in (f'sub-{subject.removeprefix("sub-")}', subject):
        if (root / name / 'test_patterns.mat').exists():
            return root / name
    found = sorted(p.parent.name for p in root.glob('*/test_patterns.mat'))
    raise InputError(
        f'{root} holds no sub-{subject.removeprefix("sub-")}/test_patterns.mat,'
        f' but {listed(found) or "no such file of any subject"}; give the '
        'derivatives folder of ds001761 and subjects that are there.'
    )


def map_path(folder: pathlib.Path, kind: str, region: str) -> pathlib.Path:
    """Returns where the weights of a kind of latents and a region are."""
    end = f'_{region}' if region else ''
    return folder / f'ROI_{kind}{end}.mat'


def read_test_faces(folder: pathlib.Path) -> TestFaces:
    """Reads test_images.mat, and PCA_coeffs.mat where it is there.

    PCA's latents are those of the file, by 'pca' in the name of a variable, or
    else the scores of the pictures.
    """
    path = folder / 'test_images.mat'
    latents = {'VAEGAN': derivatives.read_latents(path)}
    faces = len(latents['VAEGAN'])
    shapes = derivatives.variables(path)
    images = None
    for name, shape in shapes.items():
        if is_pictures(shape, faces):
            images = _pictures(derivatives.read_array(path, name), faces)
            break
    components = None
    if (folder / 'PCA_coeffs.mat').exists():
        size = images.shape[1] if images is not None else 128
        mean, basis = derivatives.read_pca(folder / 'PCA_coeffs.mat', size)
        ones = np.ones(len(basis), np.float32)
        components = pca.Pca(mean, basis, ones, ones)
    named = [
        name
        for name, shape in shapes.items()
        if 'pca' in name.lower() and len(shape) == 2 and shape[0] == faces
    ]
    if named:
        latents['PCA'] = np.float32(derivatives.read_array(path, named[0]))
    elif images is not None and components is not None:
        latents['PCA'] = pca.encode(components, images)
    return TestFaces(latents, images, components)


def is_pictures(shape: tuple[int, ...], faces: int) -> bool:
    """Whether an array of this shape holds so many colour pictures."""
    sizes = sorted(shape)
    for known in (3, faces):
        if known not in sizes:
            return False
        sizes.remove(known)
    return len(sizes) == 2 and sizes[0] == sizes[1] > 3


def _pictures(values: np.ndarray, faces: int) -> np.ndarray:
    """Brings pictures to [faces, size, size, 3], floats in 0..1."""
    axes = list(range(4))
    which = next(i for i in (0, 3, 1, 2) if values.shape[i] == faces)
    axes.remove(which)
    colours = next(i for i in reversed(axes) if values.shape[i] == 3)
    axes.remove(colours)
    images = np.float32(values.transpose(which, *axes, colours))
    return images / 255 if images.max() > 1 else images.clip(0, 1)


def read_imagined(folder: pathlib.Path, faces: TestFaces) -> int | None:
    """Tells which test face was imagined, of img_image.mat.

    Its layout is not known: latents, a picture, or the number of the face,
    from 1. None where the file is not there, or tells none of them.
    """
    path = folder / 'img_image.mat'
    if not path.exists():
        return None
    known, n = faces.latents['VAEGAN'], len(faces.latents['VAEGAN'])
    for name, shape in derivatives.variables(path).items():
        values = np.float32(derivatives.read_array(path, name)).ravel()
        size = len(values)
        if size == known.shape[1] and len(shape) == 2:
            return _most_alike(known, values)
        if faces.images is not None and size == faces.images[0].size:
            seen = faces.images.reshape(n, -1)
            if shape[-1] != 3:
                return None
            return _most_alike(seen, values.reshape(shape).ravel())
        if size == 1 and 1 <= values[0] <= n and values[0] % 1 == 0:
            return int(values[0]) - 1
    return None


def _most_alike(known: np.ndarray, one: np.ndarray) -> int | None:
    alike = all_pairs(known, one[None], constant=-1.0)[:, 0]
    return int(alike.argmax()) if alike.max() > ALIKE else None


def same_pictures(
    known: np.ndarray, candidates: np.ndarray
) -> np.ndarray | None:
    """Finds each test face among candidates, by latents.

    Returns:
      [faces] rows of `candidates`; None unless each has a different one, at a
      correlation above ALIKE.
    """
    alike = all_pairs(known, candidates, constant=-1.0)
    best = alike.argmax(axis=1)
    if alike.max(axis=1).min() < ALIKE or len({*best}) < len(best):
        return None
    return best


def names_shown(
    root: PathLike, folder: pathlib.Path
) -> Mapping[str, frozenset[str]]:
    """Returns the file names of training and test faces by events.tsv.

    Args:
      root: of the data set that the derivatives belong to.
      folder: of the subject's derivatives.

    Returns:
      {'train', 'test'} -> names, both empty where there are no events.
    """
    shown = {'train': set(), 'test': set()}
    for path in sorted(pathlib.Path(root, folder.name).glob('**/*events.tsv')):
        for kind, name in _events(path):
            part = kind.removesuffix('_face')
            if kind.endswith('_face') and part in shown:
                shown[part].add(pathlib.PurePosixPath(name).name)
    return {part: frozenset(names) for part, names in shown.items()}


def _events(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    header, *rows = tables.read_texts(path)
    if {'trial_type', 'stim_file'} <= {*header}:
        kind, name = header.index('trial_type'), header.index('stim_file')
        for row in rows:
            yield row[kind].strip(), row[name].strip()
