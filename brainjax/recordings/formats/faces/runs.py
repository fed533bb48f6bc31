"""Runs of a BIDS subject who saw faces, as regressors and time series.

Faces followed each other every 3 s and most were seen once, so that no
response of a single trial is taken: training faces enter as one regressor a
latent, which the model of all runs weighs (`linear.glm`). The regressors that
runs share are, in this order:

    latents    of training faces, times the face's response
    face       1 for each training face: the bias of the map
    tests      one for each test face
    repeat     one-back repeats, of training and test faces
    imagery    all imagery trials

Each run has its own drifts, confounds and constant beside them. Source: faces
spec section 4.3; events are those of the preset ds001761.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.io.files import PathLike
from brainjax.recordings.formats.bids import files
from brainjax.recordings.formats.bids.events import (
    PRESETS,
    Event,
    read_events,
)
from brainjax.recordings.formats.bids.masks import Masks, subject_masks
from brainjax.recordings.formats.bids.responses import Timing, need_nilearn
from brainjax.recordings.formats.bids.runs import (
    MODELLED,
    confounds_of,
    events_of,
)

MOTION = ('trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z')
FACE_SECONDS = 1.0  # A face was shown; its trial lasted 3 s.
HIGH_PASS = 128.0


class Columns(NamedTuple):
    """Where the regressors are; see the module.

    Attributes:
      latents: how many.
      tests: how many test faces.
    """

    latents: int
    tests: int

    @property
    def count(self) -> int:
        """Number of all regressors."""
        return self.latents + self.tests + 3

    @property
    def face(self) -> int:
        """The constant of training faces."""
        return self.latents

    @property
    def repeat(self) -> int:
        """One-back repeats."""
        return self.count - 2

    @property
    def imagery(self) -> int:
        """Imagery trials."""
        return self.count - 1

    @property
    def test(self) -> slice:
        """Test faces."""
        return slice(self.latents + 1, self.repeat)


class Subject(NamedTuple):
    """What is known of a subject before any images are read.

    Attributes:
      runs: in order.
      events: of each run.
      train, test: names of the faces, each once, in the order of their first
        appearance. The gender is the letter before a name's number.
      voxels: which to read.
    """

    root: pathlib.Path
    runs: tuple[files.Run, ...]
    events: tuple[tuple[Event, ...], ...]
    train: tuple[str, ...]
    test: tuple[str, ...]
    voxels: Masks


def find(
    path: PathLike,
    *,
    subject: str | None = None,
    task: str | None = None,
    space: str | None = None,
    masks: PathLike | None = None,
    roi: str | None = None,
) -> Subject:
    """Finds the runs and events of a subject.

    Args:
      path: of the data set, laid out and named as ds001761.
      subject, task, space, masks, roi: see `bids.read`.
    """
    root = pathlib.Path(path)
    name = files.find_subject(root, subject)
    root = files.with_images(root, name)
    runs = files.find_runs(root, name, task, {'space': space})
    events = []
    for run in runs:
        file, rows = events_of(run, root)
        found = read_events(rows, run, PRESETS['ds001761'], str(file))
        events.append(tuple(found))
    shown = {
        part: tuple(
            dict.fromkeys(
                event.stimulus
                for each in events
                for event in each
                if event.stimulus and event.part == part
            )
        )
        for part in ('train', 'test')
    }
    if not shown['train']:
        raise InputError(
            f'{root / name}: no event has the trial_type train_face; give runs '
            'in which training faces were seen with `task`.'
        )
    both = {*shown['train']} & {*shown['test']}
    if both:
        raise InputError(
            f'{root / name}: {min(both)} is a training and a test face; '
            'correct trial_type in events.tsv.'
        )
    voxels = subject_masks(root, name, runs[0].bold, masks, roi)
    return Subject(
        root, tuple(runs), tuple(events), shown['train'], shown['test'], voxels
    )


def read(
    subject: Subject,
    latents: np.ndarray,
    *,
    high_pass: float = HIGH_PASS,
    confounds: Sequence[str] = (),
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Reads runs, one at a time.

    Latents are best given with mean 0 over the training faces, so that the
    face constant is the response to the mean face.

    Args:
      subject: from `find`.
      latents: [faces, latents] of `subject.train`, in order.
      high_pass: period in seconds above which drifts are modelled.
      confounds: columns of desc-confounds_timeseries.tsv, such as MOTION.

    Yields:
      Regressors [volumes, Columns.count], nuisance [volumes, n] and fMRI
      [volumes, voxels] float32, as `glm.Run`.
    """
    latents = np.asarray(latents)
    if latents.ndim != 2 or len(latents) != len(subject.train):
        raise InputError(
            f'the latents have shape {latents.shape}; give a row for each of '
            f'the {len(subject.train)} training faces of {subject.root}.'
        )
    for run, events in zip(subject.runs, subject.events):
        image = nifti.header(run.bold)
        nifti.check_grid(
            image,
            subject.voxels.grid,
            'masks must be on the grid of the images',
        )
        timing = files.timing(run, subject.root, image.volumes, image.seconds)
        extra = confounds_of(run, subject.root, confounds, image.volumes)
        regressors = design(
            events, subject.train, subject.test, latents, timing
        )
        nuisance = drifts(timing, high_pass)
        if extra is not None:
            nuisance = np.concatenate([nuisance, extra], axis=1)
        fmri = nifti.series(image, subject.voxels.voxels)
        yield regressors, nuisance, fmri


def design(
    events: Sequence[Event],
    train: Sequence[str],
    test: Sequence[str],
    latents: np.ndarray,
    timing: Timing,
) -> np.ndarray:
    """Makes the regressors that runs share, of one run.

    Each event is convolved with SPM's canonical response; regressors are sums
    of these, weighted by latents. As convolution is linear, that equals
    modulating trains of events by latents, without 1,024 convolutions.

    Args:
      events: of one run; what begins after it is left out.
      train, test: names of all faces.
      latents: [len(train), latents].

    Returns:
      [volumes, Columns.count]
    """
    columns = Columns(latents.shape[1], len(test))
    rows = {name: i for i, name in enumerate(train)}
    tests = {name: i for i, name in enumerate(test, columns.test.start)}
    begun = [e for e in events if -MODELLED < e.onset < timing.end]
    weights = np.zeros((len(begun), columns.count))
    for row, event in zip(weights, begun):
        if not event.stimulus:
            # A repeat knows its set; imagery has none.
            row[columns.repeat if event.part else columns.imagery] = 1
        elif event.part == 'test':
            row[tests[event.stimulus]] = 1
        else:
            row[: columns.face] = latents[rows[event.stimulus]]
            row[columns.face] = 1
    return _responses(begun, timing) @ weights


def drifts(timing: Timing, high_pass: float) -> np.ndarray:
    """Returns a constant and slow cosines, [volumes, n].

    Args:
      high_pass: period in seconds above which cosines are taken; 0 for none.
    """
    first_level = need_nilearn('nilearn.glm.first_level')
    return first_level.make_first_level_design_matrix(
        timing.times,
        drift_model='cosine' if high_pass else 'polynomial',
        high_pass=1 / high_pass if high_pass else None,
        drift_order=0,
    ).to_numpy()


def _responses(events: Sequence[Event], timing: Timing) -> np.ndarray:
    """Returns the response to each event, [volumes, events].

    Not through nilearn's design matrix, which alters regressors that depend
    on each other, as those of single events at the end of a run may.
    """
    first_level = need_nilearn('nilearn.glm.first_level')
    found = np.empty((timing.volumes, len(events)))
    for i, event in enumerate(events):
        # events.tsv states 3 s, the time to the next face.
        duration = FACE_SECONDS if event.part else event.duration
        once = np.array([[event.onset], [duration], [1.0]])
        found[:, i] = first_level.compute_regressor(once, 'spm', timing.times)[
            0
        ][:, 0]
    return found
