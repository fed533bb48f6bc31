"""What a run would read, train and write: `brainjax run --dry-run`.

It opens the recording and the pictures and builds networks from shapes; it
decodes one unpaired picture at most, trains nothing and writes nothing. What
would end the run before its first step ends it, too.
"""

import contextlib
import copy
from typing import NamedTuple

from ml_collections import ConfigDict

from brainjax import cross_validation, experiment
from brainjax.io import provenance
from brainjax.io.files import PathLike
from brainjax.methods.plans import PLANS, Stage
from brainjax.pictures import sources
from brainjax.recordings import Recording

# brainjax and JAX loaded take 370 MiB; with the programs that configs/demo.py
# compiles a process was seen at 1.1 to 1.4 GiB.
PROGRAM = 1100 * 2**20
KEPT = 2  # Checkpoints of each network.
FEW = 32  # Simulated trials, where their number changes nothing.


class Plan(NamedTuple):
    """What a run would do.

    Attributes:
      reads, writes: sentences.
      stages: of the fit.
      folds: how often that is done.
      memory: [(what, bytes)] held at once.
      disk: [(what, bytes)] written.
    """

    reads: list[str]
    stages: list[Stage]
    folds: int
    writes: list[str]
    memory: list[tuple[str, int]]
    disk: list[tuple[str, int]]


def plan(config: ConfigDict, workdir: PathLike) -> Plan:
    """Says what `experiment.run` would do with the same arguments."""
    experiment.check(config)
    provenance.check_run_folder(workdir, config)
    recording = experiment.load(_few(config)).recording
    stages = []
    if config.method in PLANS:
        stages = PLANS[config.method](config, recording)
    trials, stimuli, test = _sizes(config, recording)
    pictures, where = _pictures(config)
    side = recording.stimuli.images.shape[1]
    picture = side * side * 3
    sizes = {
        'fMRI, as measured and normalised': 8 * trials * recording.voxels,
        'pictures of the stimuli': stimuli * picture,
        'unpaired pictures': pictures * picture,
        'networks, gradients and moments': 16 * max(_trained(stages)),
        'frozen networks': 4 * sum(stage.frozen for stage in stages),
    }
    if config.method == 'selfsup' and config.decoder.cache_predictions:
        sizes['fMRI predicted for pictures'] = 4 * pictures * recording.voxels
    return Plan(
        [_of_recording(config, recording, trials, stimuli, test), where],
        stages,
        config.recording.folds if cross_validation.is_pooled(config) else 1,
        [f'{workdir}: {", ".join(provenance.WRITTEN)}'],
        [('Python, JAX and compiled programs', PROGRAM), *sizes.items()],
        [
            ('checkpoints', KEPT * 12 * sum(_trained(stages))),
            ('model', 4 * sum(s.parameters + s.frozen for s in stages)),
            ('pictures, shown and made', 2 * 5 * test * picture),
        ],
    )


def _trained(stages: list[Stage]) -> list[int]:
    return [0, *(stage.parameters for stage in stages)]


def _few(config: ConfigDict) -> ConfigDict:
    """The config with as few pictures and trials as tell the sizes."""
    few, least = copy.deepcopy(config), FEW
    if 'latents' in config.get('networks', {}):  # The map needs as many faces.
        least += config.networks.latents
    most = 1 if config.recording.path else 2 * least + config.simulated.n_test
    with few.unlocked():
        few.pictures.number = min(config.pictures.number, most)
        for name in ('n_train', 'n_unpaired_fmri'):
            if name in few.simulated:
                few.simulated[name] = min(few.simulated[name], least)
    return few


def _sizes(config: ConfigDict, recording: Recording) -> tuple[int, int, int]:
    """Returns the number of trials, of stimuli, and of those in the test."""
    if config.recording.path:
        trials = len(recording.train) + len(recording.test)
        test = len(set(recording.test.stimulus.tolist()))
        return trials, len(recording.stimuli.names), test
    c = config.simulated
    trials = c.n_train * c.get('train_repeats', 1) + c.n_test * c.test_repeats
    return trials, c.n_train + c.n_test, c.n_test


def _of_recording(config, recording, trials, stimuli, test) -> str:
    where = config.recording.path or 'a simulated subject (no file)'
    return (
        f'{where}: {trials} trials, {recording.voxels} voxels, {stimuli} '
        f'stimuli of {recording.stimuli.images.shape[1]} px, {test} of them '
        'in the test'
    )


def _pictures(config: ConfigDict) -> tuple[int, str]:
    """Returns the number of unpaired pictures, and where they come from."""
    c = config.pictures
    if not c.number:
        return 0, 'no unpaired pictures'
    if not c.path:
        return c.number, f'{c.number} unpaired pictures, generated (no file)'
    with contextlib.ExitStack() as stack:
        found = len(sources.open_source(c.path, None, stack).names)
    number = min(found, c.number)
    return number, f'{c.path}: {number} of {found} unpaired pictures'


def render(found: Plan) -> str:
    """Formats a plan for a terminal."""
    lines = ['Would read', *(f'  {text}' for text in found.reads)]
    lines.append('Would fit')
    if found.folds > 1:
        lines.append(f'  in {found.folds} folds, each of them:')
    for stage in found.stages:
        told = [
            f'{stage.parameters:,} parameters' if stage.parameters else '',
            f'{stage.steps:,} steps' if stage.steps else '',
            f'{stage.frozen:,} frozen parameters beside'
            if stage.frozen
            else '',
            stage.note,
        ]
        lines.append(f'  {stage.name}: {", ".join(filter(None, told))}')
    if not found.stages:
        lines.append('  what is not known: the method has no plan')
    lines += ['Would write', *(f'  {text}' for text in found.writes)]
    for what, parts in (('memory', found.memory), ('disk', found.disk)):
        total = sum(size for _, size in parts)
        lines.append(f'Needs about {_shown(total)} of {what}')
        lines += [f'  {name}: {_shown(size)}' for name, size in parts if size]
    lines.append('Nothing was trained or written.')
    return '\n'.join(lines)


def _shown(size: float) -> str:
    for unit in ('B', 'kB', 'MB'):
        if size < 1000:
            return f'{size:.0f} {unit}'
        size /= 1000
    return f'{size:.1f} GB'
