"""A fitted model, kept without its training data and used again.

model = load('runs/demo')
images = model.reconstruct(fmri)  # [trials, voxels] -> pictures
fmri = model.encode(images)

`io.model_files` has the folder's layout, `reports.model_card` its README.md.
"""

import contextlib
import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from brainjax.errors import InputError, check_known
from brainjax.io import files, model_files, untrusted
from brainjax.linear.arrays import as_numbers, check_finite
from brainjax.methods import METHODS, packing
from brainjax.methods.data import Data
from brainjax.pictures import operations
from brainjax.recordings import preparing
from brainjax.recordings import volume as volumes
from brainjax.recordings.volume import Volume
from brainjax.reports import model_card

_PATHS = (
    *(('recording', 'path'), ('recording', 'images'), ('pictures', 'path')),
    *(('preregistration', 'path'), ('networks', 'weights'), ('init', 'path')),
    ('network', 'features'),
)
LARGEST = 4096  # Pixels a side; shapes alone of more would fill the memory.
_NEEDED = {
    'method': str,
    'config': dict,
    'subject': str,
    'simulated': bool,
    'rois': list,
    'train_stimuli': list,
    'fingerprints': dict,
    'scores': dict,
    'fitted': dict,
}


class Model(NamedTuple):
    """A fitted method with all that new fMRI needs.

    Attributes:
      method: one of METHODS.
      config: of the run; where settings follow from the data, with those.
      fitted: what the method's functions take.
      mean, std: [voxels] float64 of the training trials, by which fMRI is
        normalised; where each run was by its own, of an average run.
      rois: region of interest -> [voxels] bool.
      volume: where the voxels lie; None where the recording did not say.
      about: 'subject', 'source', 'simulated', 'transductive', 'trials' that a
        test response averages, 'train_stimuli' by name, 'fingerprints' of the
        data, 'scores' as in scores.json, 'problems', 'versions'.
    """

    method: str
    config: ConfigDict
    fitted: Any
    mean: np.ndarray
    std: np.ndarray
    rois: Mapping[str, np.ndarray]
    volume: Volume | None
    about: Mapping[str, Any]

    @property
    def voxels(self) -> int:
        """How many voxels it was fitted to."""
        return len(self.mean)

    def normalise(self, fmri: np.ndarray) -> np.ndarray:
        """Returns fMRI [trials, voxels] as the model takes it, float32."""
        fmri = as_numbers(fmri, 'the fMRI')
        if fmri.ndim != 2 or fmri.shape[1] != self.voxels:
            raise InputError(
                f'the fMRI has shape {fmri.shape} and the model was fitted to '
                f'{self.voxels} voxels; give [trials, {self.voxels}].'
            )
        check_finite(fmri, 'the fMRI', 'trial', 'voxel')
        return ((fmri - self.mean) / self.std).astype(np.float32)

    def reconstruct(
        self,
        fmri: np.ndarray,
        *,
        normalised: bool = False,
        repeats: float | None = None,
        imagined: bool = False,
        folder: files.PathLike | None = None,
    ) -> np.ndarray:
        """Reconstructs pictures.

        Args:
          fmri: [trials, voxels] in the recording's unit.
          normalised: whether it is z-scored already.
          repeats: how many trials each response averages, for methods that
            use it; None for as many as the test responses of the run.
          imagined: whether the pictures were imagined, likewise.
          folder: for what a method writes on the way, from which it goes on
            if it was interrupted; None for one that is removed.

        Returns:
          [trials, size, size, 3] float32 in 0..1.
        """
        fmri = np.float32(fmri) if normalised else self.normalise(fmri)
        fields = getattr(self.fitted, '_fields', ())
        with _folder(folder if 'folder' in fields else None) as made:
            told = {'folder': made, 'imagined': imagined}
            if repeats is not None:
                told['repeats'] = float(repeats)
            told = {name: v for name, v in told.items() if name in fields}
            fitted = self.fitted._replace(**told) if told else self.fitted
            found = METHODS[self.method].reconstruct(fitted, fmri, self.config)
        return found

    def encode(
        self, images: np.ndarray, *, normalised: bool = False
    ) -> np.ndarray:
        """Predicts fMRI [n, voxels] float32.

        Args:
          images: [n, size, size, 3], uint8 or floats in 0..1, of the config's
            size; see `picture_fit`. With depth a fourth channel; for depth
            alone grey pictures of it.
          normalised: whether to return it z-scored, not in the recording's
            unit.
        """
        encode = METHODS[self.method].encode
        if encode is None:
            raise InputError(f'The method {self.method} predicts no fMRI.')
        images, size = np.asarray(images), self.config.size
        operations.check_kind(images)
        rgbd = self.config.get('channels', 'rgb') == 'rgbd'
        shape = (size, size, 4 if rgbd else 3)
        if images.ndim != 4 or images.shape[1:] != shape:
            raise InputError(
                f'the pictures have shape {images.shape}; the model sees '
                f'[n, {size}, {size}, {shape[2]}]'
                f'{", the last channel depth" if rgbd else ""}.'
            )
        images = operations.to_uint8(images)
        fmri = encode(self.fitted, images, self.config)
        return fmri if normalised else np.float32(fmri * self.std + self.mean)

    @property
    def picture_fit(self) -> str:
        """How pictures come to the config's size; see `pictures.load`."""
        return self.about['fitted']['fit']


@contextlib.contextmanager
def _folder(given: files.PathLike | None) -> Iterator[pathlib.Path]:
    if given is not None:
        yield files.writable_folder(given)
        return
    with tempfile.TemporaryDirectory() as made:
        yield pathlib.Path(made)


def save(
    folder: files.PathLike,
    fitted: Any,
    data: Data,
    config: ConfigDict,
    results: Mapping[str, Any],
) -> None:
    """Writes a fitted method as `load` reads it, with a model card.

    Args:
      folder: to write; W/model of a run.
      fitted: of the method.
      data: that it was fitted to.
      config: of the experiment.
      results: what scores.json holds.
    """
    packed = METHODS[config.method].pack(fitted, config)
    config = getattr(fitted, 'config', None) or config
    recording = data.recording
    mean, std = preparing.usual(recording, config.recording.scale)
    rois = sorted(recording.rois)
    arrays = {
        'fitted': packed.arrays,
        'mean': mean,
        'std': std,
        'rois': np.array([recording.rois[name] for name in rois], bool).reshape(
            len(rois), recording.voxels
        ),
    }
    if recording.volume is not None:
        arrays['volume'] = {
            name: np.asarray(value)
            for name, value in dataclasses.asdict(recording.volume).items()
        }
    shown = np.unique(recording.train.stimulus)
    about = {
        'library': 'brainjax',
        'method': config.method,
        'subject': recording.subject,
        'source': pathlib.PurePath(recording.source).name,
        'simulated': recording.simulated,
        'transductive': results['transductive'],
        'voxels': recording.voxels,
        'rois': rois,
        'size': config.size,
        'trials': len(recording.test) / len(data.test),
        'train_trials': len(recording.train),
        'train_stimuli': [recording.stimuli.names[i] for i in shown],
        'pictures': len(data.pictures),
        'fingerprints': dict(data.fingerprints),
        'fitted': packed.about,
        'scores': results['scores'],
        'problems': _without_place(results['problems'], recording.source),
        'versions': results['versions'],
        'config': _without_folders(json.loads(config.to_json_best_effort())),
    }
    about = files.json_ready(about)
    model_files.write(folder, arrays, about, model_card.write(about))


def _without_folders(config: dict[str, Any]) -> dict[str, Any]:
    """Files without where they lay: the model may be given away."""
    for section, name in _PATHS:
        if config.get(section, {}).get(name):
            path = config[section][name]
            config[section][name] = pathlib.PurePath(path).name
    return config


def _without_place(sentences: Sequence[str], source: str) -> list[str]:
    """Sentences that name a file, without the folders that it lay in."""
    place = str(pathlib.PurePath(source).parent)
    return [
        text if place == '.' else text.replace(f'{place}/', '')
        for text in sentences
    ]


def load(folder: files.PathLike) -> Model:
    """Reads a model; nothing of the training data is needed.

    Args:
      folder: the workdir of a run, its folder 'model', or a copy of that.

    Raises:
      InputError: a byte of it has changed, or it is none.
    """
    found = model_files.find(folder)
    arrays, about = model_files.read(found)
    try:
        with untrusted.as_input_error(found, 'model'):
            return _from_files(arrays, about)
    except InputError as error:
        if str(error).startswith(str(found)):
            raise
        raise InputError(f'{found}: {error}') from error


def _from_files(arrays: dict[str, Any], about: dict[str, Any]) -> Model:
    for name, kind in _NEEDED.items():
        if not isinstance(about.get(name), kind):
            raise InputError(f'config.json says no {name}; fit it again.')
    method = about['method']
    check_known('method', method, METHODS)
    config = packing.as_config(METHODS[method].config(), about['config'])
    config.log.tensorboard = False  # What is made on the way is thrown away.
    if not 1 <= config.size <= LARGEST:
        raise InputError(f'config.size is {config.size}, not 1 to {LARGEST}.')
    voxels = len(arrays['mean'])
    own = {name: v for name, v in arrays.items() if name != 'fitted'}
    wanted = {
        'mean': (voxels,),
        'std': (voxels,),
        'rois': (len(about['rois']), voxels),
    }
    if 'volume' in own:
        sides = {'indices': (voxels, 3), 'shape': (3,), 'affine': (4, 4)}
        wanted['volume'] = sides
    packing.check_shapes(own, wanted)
    if not (arrays['std'] > 0).all():
        raise InputError('the standard deviation of a voxel is not above 0.')
    # What is made on the way gets a folder when there is something to make.
    fitted = METHODS[method].unpack(
        packing.Packed(arrays['fitted'], about['fitted']),
        config,
        voxels,
        tempfile.gettempdir(),
    )
    return Model(
        method,
        config,
        fitted,
        arrays['mean'],
        arrays['std'],
        dict(zip(about['rois'], arrays['rois'].astype(bool))),
        _volume(arrays['volume']) if 'volume' in arrays else None,
        about,
    )


def _volume(arrays: Mapping[str, np.ndarray]) -> Volume:
    found = Volume(
        arrays['indices'], tuple(arrays['shape'].tolist()), arrays['affine']
    )
    volumes.check(found, len(found.indices), 'its volume')
    return found
