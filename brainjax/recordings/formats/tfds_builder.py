"""Recordings as a TFDS data set, read by `tfds.data_source` and grain.

    tfds_builder.prepare(recording, 'data')
    trials = tfds.data_source(
        'brainjax_recording/sbj_3', split='train', data_dir='data',
        download=False,
    )
    trials[0]['fmri'], trials[0]['image'], trials[0]['stimulus']

Splits are 'train', 'test' and, where there is such fMRI, 'unpaired'. An
example has `fmri` [voxels] float32, `stimulus` its name, `run` and `session`
int32 (-1 where they are not known), `category` if the stimuli have one, and
`image` (a PNG file) if there are pictures. In 'unpaired' the stimulus is ''
and the image black. `info.metadata` holds subject, source, simulated and, as
JSON, the voxels of each ROI, SNR, noise ceiling and the voxels' places.

Files are ArrayRecord shards, read at random places without TensorFlow and
without this package; `prepare` needs no TensorFlow either. One subject is one
config. Trials keep the order of measurement.
"""

import contextlib
import io
import json
import logging
import pathlib
import re
import shutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from brainjax.errors import InputError, optional
from brainjax.io.files import (
    PathLike,
    exclusive_lock,
    writable_folder,
    write_json,
)
from brainjax.pictures import operations
from brainjax.recordings.formats import open_recording
from brainjax.recordings.recording import Recording, Trials

NAME = 'brainjax_recording'
VERSION = '1.0.0'


def prepare(
    recording: Recording | PathLike,
    data_dir: PathLike,
    name: str | None = None,
    shards: int | None = None,
    **options: Any,
) -> pathlib.Path:
    """Writes a recording as a TFDS data set, whole or not at all.

    The first subject in a folder is also found as 'brainjax_recording', by no
    config.

    Args:
      recording: a recording, or the path of one.
      data_dir: TFDS's folder of data sets.
      name: of the config; by default the subject.
      shards: files a split; TFDS chooses by size if None.
      **options: of `open_recording`, if a path is given.

    Returns:
      The folder written.
    """
    tfds = _tfds()
    if not isinstance(recording, Recording):
        recording = open_recording(recording, **options)
    name = re.sub(r'[^\w.-]', '_', name or recording.subject)
    folder = writable_folder(data_dir)
    home = folder / NAME / name
    version = home / VERSION
    if version.exists():
        raise InputError(
            f'{version} exists; name another folder, or remove it first.'
        )
    home.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(home), _quiet():
        for left in home.glob(f'{tfds.core.constants.INCOMPLETE_PREFIX}*'):
            shutil.rmtree(left)  # By a process that was killed.
        builder = _builder(recording)(
            config=tfds.core.BuilderConfig(name=name),
            data_dir=folder,
            file_format='array_record',
        )
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(num_shards=shards)
        )
    default = folder / NAME / '.config' / 'metadata.json'
    if not default.exists():
        write_json(default, {'default_config_name': name})
    return version


def _tfds() -> ModuleType:
    """Only who asks for it needs it, or waits .6 s for its import."""
    return optional('tensorflow_datasets', 'tfds', 'A TFDS data set')


def _builder(recording: Recording) -> type:
    """Returns a TFDS builder class of one recording."""
    tfds = _tfds()

    # Unregistered: prepared files are then read by what they say of themselves.
    with tfds.core.registered.skip_registration():

        class BrainjaxRecording(tfds.core.GeneratorBasedBuilder):
            """The trials of one subject."""

            VERSION = tfds.core.Version(VERSION)
            name = NAME

            def _info(self) -> tfds.core.DatasetInfo:
                return tfds.core.DatasetInfo(
                    builder=self,
                    description='One subject of fMRI and the pictures seen.',
                    features=_features(recording),
                    disable_shuffling=True,
                    metadata=tfds.core.MetadataDict(_metadata(recording)),
                )

            def _split_generators(self, _) -> dict[str, Iterator]:
                return {
                    part: self._generate_examples(trials)
                    for part, trials in _parts(recording).items()
                }

            def _generate_examples(self, trials: Trials) -> Iterator:
                return _examples(recording, trials)

    return BrainjaxRecording


def _features(recording: Recording) -> Any:
    """Returns the types of an example as TFDS's FeaturesDict."""
    tfds = _tfds()

    stimuli = recording.stimuli
    features = {
        'fmri': tfds.features.Tensor(
            shape=(recording.voxels,), dtype=np.float32
        ),
        'stimulus': tfds.features.Text(),
        'run': np.int32,
        'session': np.int32,
    }
    if stimuli.categories is not None:
        features['category'] = tfds.features.Text()
    if stimuli.images is not None:
        features['image'] = tfds.features.Image(
            shape=stimuli.images.shape[1:], encoding_format='png'
        )
    return tfds.features.FeaturesDict(features)


def _parts(recording: Recording) -> dict[str, Trials]:
    """Returns the trials of each split; those of stimulus -1 are unpaired."""
    found = {'train': recording.train, 'test': recording.test}
    unpaired = recording.unpaired_fmri
    if unpaired is not None:
        unknown = np.full(len(unpaired), -1, np.int32)
        found['unpaired'] = Trials(unpaired, unknown)
    return found


def _examples(
    recording: Recording, trials: Trials
) -> Iterator[tuple[int, dict[str, Any]]]:
    stimuli = recording.stimuli
    png: dict[int, bytes] = {}  # Of each stimulus, encoded once.
    for i, shown in enumerate(trials.stimulus.tolist()):
        known = shown >= 0
        example = {
            'fmri': trials.fmri[i : i + 1][0].astype(np.float32),
            'stimulus': stimuli.names[shown] if known else '',
            'run': -1 if trials.run is None else trials.run[i],
            'session': -1 if trials.session is None else trials.session[i],
        }
        if stimuli.categories is not None:
            example['category'] = stimuli.categories[shown] if known else ''
        if stimuli.images is not None:
            if shown not in png:
                image = stimuli.images[shown]
                png[shown] = operations.png_bytes(image if known else 0 * image)
            example['image'] = png[shown]
        yield i, example


def _metadata(recording: Recording) -> dict[str, Any]:
    def listed(values: np.ndarray | None) -> str:
        return json.dumps(None if values is None else values.tolist())

    return {
        'subject': recording.subject,
        'source': recording.source,
        'simulated': recording.simulated,
        'rois': json.dumps(
            {
                name: np.flatnonzero(mask).tolist()
                for name, mask in recording.rois.items()
            }
        ),
        'snr': listed(recording.snr),
        'noise_ceiling': listed(recording.noise_ceiling),
        'volume': json.dumps(
            None
            if recording.volume is None
            else {
                'indices': recording.volume.indices.tolist(),
                'shape': recording.volume.shape,
                'affine': recording.volume.affine.tolist(),
            }
        ),
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences TFDS, which logs and draws bars for what takes seconds."""
    tfds = _tfds()

    logger = logging.getLogger('absl')
    level = logger.level
    tfds.disable_progress_bar()
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
