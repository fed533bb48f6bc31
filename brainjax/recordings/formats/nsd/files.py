"""The files of the Natural Scenes Dataset: which trial, which voxel, which ROI.

Allen et al. 2022, Nature Neuroscience 25. Volumes are indexed [x, y, z];
voxels chosen by a mask come in the order of `volume[mask]`.
"""

import csv
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import hdf5, matlab, nifti
from brainjax.io.files import PathLike, visible
from brainjax.recordings.transforms import roi_mask
from brainjax.recordings.volume import NOWHERE, Volume, of_mask

BRICK = 'nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5'
DESIGN = 'nsddata/experiments/nsd/nsd_expdesign.mat'
# Written beside a dataset that is not a brain's; see `nsd.write`.
SIMULATED = 'nsddata/SIMULATED.txt'
RUNS = 12  # Runs in a session.

_LARGEST_TEXT = 64 * 2**20  # Bytes.
_SUBJECT = re.compile(r'subj(\d\d)')
_SESSION = re.compile(r'betas_session(\d+)\.hdf5')
# ROI file -> names of its labels from 1 on, where the dataset does not say.
_LABELS = {
    'prf-visualrois': 'V1v V1d V2v V2d V3v V3d hV4',
    'floc-faces': 'OFA FFA-1 FFA-2 mTL-faces aTL-faces',
    'floc-bodies': 'EBA FBA-1 FBA-2 mTL-bodies',
    'floc-places': 'OPA PPA RSC',
    'floc-words': 'OWFA VWFA-1 VWFA-2 mfs-words mTL-words',
    'streams': 'early midventral midlateral midparietal ventral lateral '
    'parietal',
    'Kastner2015': 'V1v V1d V2v V2d V3v V3d hV4 VO1 VO2 PHC1 PHC2 TO2 TO1 LO2 '
    'LO1 V3B V3A IPS0 IPS1 IPS2 IPS3 IPS4 IPS5 SPL1 FEF',
}
# Files whose labels are known by their own name alone.
_BARE = ('prf-visualrois', 'floc-')
_JOINED = {'V1': ('V1v', 'V1d'), 'V2': ('V2v', 'V2d'), 'V3': ('V3v', 'V3d')}


class Layout(NamedTuple):
    """Where one subject's files are."""

    root: pathlib.Path
    subject: int
    space: str
    betas: str

    @property
    def name(self) -> str:
        """The subject's folder, such as subj01."""
        return f'subj{self.subject:02d}'

    @property
    def functional(self) -> pathlib.Path:
        """Folder of masks and ROIs in the space of the betas."""
        return self.root / 'nsddata/ppdata' / self.name / self.space

    @property
    def betas_folder(self) -> pathlib.Path:
        """Folder of the sessions' betas."""
        folder = f'nsddata_betas/ppdata/{self.name}/{self.space}/{self.betas}'
        return self.root / folder

    @property
    def responses(self) -> pathlib.Path:
        """Table of all trials."""
        return self.root / 'nsddata/ppdata' / self.name / 'behav/responses.tsv'

    def session(self, number: int) -> pathlib.Path:
        """File with the betas of a session, counted from 1."""
        return self.betas_folder / f'betas_session{number:02d}.hdf5'

    def names_of(self, roi: str) -> pathlib.Path:
        """Table of a ROI file's labels."""
        label = self.root / 'nsddata/freesurfer' / self.name / 'label'
        return label / f'{roi}.mgz.ctab'


class Design(NamedTuple):
    """What was shown.

    Attributes:
      picture: [trials] int, the 73k number of each trial's picture, from 1.
      shared: the numbers of the pictures that all subjects saw.
    """

    picture: np.ndarray
    shared: np.ndarray


def locate(path: PathLike) -> tuple[pathlib.Path, int | None] | None:
    """Returns the root folder and the subject that a path names, if any.

    The path is the root, or a folder in it such as
    'nsddata_betas/ppdata/subj02'; None for any other path.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        return None
    path = path.absolute()
    for root in (path, *path.parents):
        if (root / 'nsddata').is_dir():
            found = _SUBJECT.search(os.fspath(path.relative_to(root)))
            return root, int(found[1]) if found else None
    return None


def session_numbers(layout: Layout) -> list[int]:
    """Returns the sessions that have a file, ascending."""
    folder = layout.betas_folder
    names = os.listdir(folder) if folder.is_dir() else []
    found = sorted(int(m[1]) for m in map(_SESSION.fullmatch, names) if m)
    if not found:
        raise InputError(
            f'{folder} holds no betas_session01.hdf5 or other session; '
            'download the betas there, or name other betas, subject or space.'
        )
    return found


def design(layout: Layout) -> Design:
    """Reads nsd_expdesign.mat, in any of MATLAB's formats."""
    path = layout.root / DESIGN
    wanted = ('masterordering', 'subjectim', 'sharedix')
    if hdf5.looks_like(path):
        with hdf5.opened(path) as file:
            # MATLAB 7.3 stores the dimensions reversed.
            content = {name: hdf5.read(file, name).T for name in wanted}
    else:
        content = matlab.read(path, wanted)
    for name in wanted:
        values = content.get(name)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in 'iuf':
            raise InputError(
                f'{path} has no numbers {name!r}; give the nsd_expdesign.mat '
                'of the dataset.'
            )
    order, shown, shared = (content[n].astype(np.int64) for n in wanted)
    if shown.ndim != 2 or not 1 <= layout.subject <= len(shown):
        raise InputError(
            f'{path} knows subjects 1 to {len(shown)}; subject '
            f'{layout.subject} is not among them.'
        )
    mine, order = shown[layout.subject - 1], order.ravel()
    if not order.size or order.min() < 1 or order.max() > len(mine):
        raise InputError(
            f'{path}: masterordering must hold numbers from 1 to {len(mine)}, '
            'the columns of subjectim; it is damaged.'
        )
    if mine.min() < 1:
        raise InputError(
            f'{path}: subjectim must count pictures from 1; it is damaged.'
        )
    # masterordering counts the columns of subjectim from 1.
    return Design(mine[order - 1], np.unique(shared))


def runs(
    layout: Layout, sessions: list[int], picture: np.ndarray
) -> np.ndarray | None:
    """Reads the run of each trial from responses.tsv.

    Args:
      sessions: the sessions wanted.
      picture: [sessions, trials] what the design says was shown.

    Returns:
      [sessions, trials] int32, no number in two sessions; or None where there
      is no such file.
    """
    path = layout.responses
    if not path.exists():
        return None
    if path.stat().st_size > _LARGEST_TEXT:
        raise InputError(f'{path} is too large to be a table of responses.')
    names = ('SESSION', 'RUN', '73KID')
    try:
        with open(path, encoding='utf-8', newline='') as stream:
            lines = csv.DictReader(stream, delimiter='\t')
            rows = [[int(line[name]) for name in names] for line in lines]
        session, run, shown = np.array(rows, np.int64).reshape(-1, 3).T
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(
            f'{path} must be a table of tab-separated whole numbers with '
            f'columns {", ".join(names)} ({error!r}); copy or download it '
            'again.'
        ) from error
    stride = max(RUNS, run.max(initial=0))  # Runs count anew each session.
    result = np.empty(picture.shape, np.int32)
    for place, number in enumerate(sessions):
        mine = session == number
        if not np.array_equal(shown[mine], picture[place]):
            raise InputError(
                f'{path} and {DESIGN} differ in the pictures of session '
                f'{number}; both must be of one release.'
            )
        result[place] = run[mine] + (number - 1) * stride
    return result


def volume(path: pathlib.Path) -> np.ndarray:
    """Reads a NIfTI volume, [x, y, z]."""
    if not path.exists():
        raise InputError(
            f'{path} does not exist; download it, or name another ROI, '
            'subject or space.'
        )
    return nifti.volume(path)[0]


@dataclasses.dataclass(frozen=True, eq=False)
class Regions(Mapping[str, np.ndarray]):
    """The ROIs of a subject: name -> [x, y, z] bool, made when asked for.

    Attributes:
      volumes: file name without suffix -> [x, y, z] labels.
      names: ROI -> its file and its labels there.
    """

    volumes: Mapping[str, np.ndarray]
    names: Mapping[str, tuple[str, tuple[int, ...]]]

    def __getitem__(self, name: str) -> np.ndarray:
        file, labels = self.names[name]
        return np.isin(self.volumes[file], labels)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def regions(layout: Layout) -> Regions:
    """Reads every ROI file; of one by hemispheres too, only the whole.

    A file is an ROI under its own name ('nsdgeneral'); where it tells several
    regions apart, each is one as well: 'V1v', 'FFA-1' and the like by their
    name alone, others after the file ('Kastner2015-V3A'). V1, V2 and V3 join
    their ventral and dorsal parts.
    """
    volumes = {}
    files = visible(layout.functional / 'roi', '*.nii.gz')
    there = {path.name for path in files}
    for path in files:
        whole = re.sub(r'^[lr]h\.', '', path.name)
        if path.name == whole or whole not in there:
            volumes[path.name.removesuffix('.nii.gz')] = volume(path)
    shapes = {v.shape: name for name, v in volumes.items()}
    if len(shapes) > 1:
        (one, a), (two, b) = [*shapes.items()][:2]
        raise InputError(
            f'{layout.functional / "roi"}: {a} has shape {one} and {b} has '
            f'{two}; all ROIs must be in one space.'
        )
    names: dict[str, tuple[str, tuple[int, ...]]] = {}
    for file, labels in volumes.items():
        found = [int(x) for x in np.unique(labels) if x > 0]
        names[file] = file, tuple(found)
        if len(found) < 2:
            continue
        known = _label_names(layout, file)
        parts = {known.get(x, f'{file}-{x}'): x for x in found}
        for name, label in parts.items():
            bare = file.startswith(_BARE) and name not in names
            bare |= name.startswith(f'{file}-')
            names[name if bare else f'{file}-{name}'] = file, (label,)
        if file == 'prf-visualrois':
            for name, joined in _JOINED.items():
                there = tuple(parts[x] for x in joined if x in parts)
                if there and name not in names:
                    names[name] = file, there
    return Regions(volumes, names)


def chosen_voxels(
    layout: Layout, found: Regions, roi: str | None
) -> np.ndarray:
    """Returns the [x, y, z] bool mask of the voxels to extract.

    Args:
      found: of `regions`.
      roi: an ROI or several joined by '|'; None or '' for the whole brain.
    """
    if not roi:
        return volume(layout.functional / 'brainmask.nii.gz') > 0
    return roi_mask(found, roi, str(layout.functional / 'roi'))


def places(layout: Layout, mask: np.ndarray) -> Volume | None:
    """Returns where a mask's voxels lie, as the first ROI file states."""
    files = visible(layout.functional / 'roi', '*.nii.gz')
    one = [*files, layout.functional / 'brainmask.nii.gz'][0]
    grid = nifti.header(one)
    return None if grid.about == NOWHERE else of_mask(mask, grid.affine)


def _label_names(layout: Layout, file: str) -> dict[int, str]:
    """Returns label -> name, from the dataset or as published."""
    path = layout.names_of(file)
    if not path.exists():
        return dict(enumerate(_LABELS.get(file, '').split(), start=1))
    with open(path, encoding='utf-8', errors='replace') as stream:
        words = [
            line.split() for line in stream.read(_LARGEST_TEXT).split('\n')
        ]
    return {int(w[0]): w[1] for w in words if len(w) > 1 and w[0].isdigit()}
