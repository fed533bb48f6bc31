"""The published analysis of faces, by the authors' files: `brainjax faces`.

The maps of VanRullen & Reddy 2019 are inverted for their test patterns; the
latents that come out are scored subject by subject and over subjects, beside
the numbers of the paper. With their checkpoint there are pictures too.
"""

import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainjax.errors import InputError, listed
from brainjax.evaluation import score_files
from brainjax.evaluation.faces import analysis, face_files, recognition
from brainjax.evaluation.faces.analysis import Decoded, Gender
from brainjax.evaluation.faces.face_files import TestFaces
from brainjax.evaluation.published import papers
from brainjax.evaluation.scores import Score
from brainjax.io import arrays, files, provenance
from brainjax.io.files import PathLike
from brainjax.linear import latents, pca
from brainjax.methods.faces.pictures import genders
from brainjax.networks import vaegan
from brainjax.networks.weights import vaegan as vaegan_weights
from brainjax.pictures import loading, operations
from brainjax.recordings.formats.faces import derivatives
from brainjax.reports import faces_page, figures

WRITTEN = ('scores.json', 'subjects.csv', 'report.html')
METHOD = "the authors' own map of VAE-GAN latents"
CROP = 'inner:0.8089887640449438'  # 144 of CelebA's 178 px.
OF_EACH_SEX = 500  # Faces that the axis of gender is of, as in a thesis.


class Options(NamedTuple):
    """What `brainjax faces` is asked for.

    Attributes:
      checkpoint: the authors' vaegan_celeba.ckpt, or a VAE-GAN of ours as
        safetensors; '' for none.
      stimuli: folder of the data set's stimuli, for gender; '' for none.
      seed, draws: of bootstrap and permutations.
    """

    checkpoint: str = ''
    stimuli: str = ''
    seed: int = 0
    draws: int = 10_000


class Subject(NamedTuple):
    """What came of one subject's files.

    Attributes:
      faces: that were seen.
      decoded: (kind, region) -> latents.
      imagined: which face; None where it is not known.
      scores: as in scores.json.
      notes: sentences on what was not scored, and why.
    """

    faces: TestFaces
    decoded: Mapping[tuple[str, str], Decoded]
    imagined: int | None
    scores: Mapping[str, Score]
    notes: Sequence[str]


def analyse(
    root: PathLike,
    subjects: Sequence[str],
    out: PathLike,
    options: Options = Options(),  # noqa: B008 - a value, never changed.
) -> dict[str, Any]:
    """Runs the analysis and writes a report.

    Args:
      root: the derivatives of ds001761, a folder `sub-XX` a subject.
      subjects: such as ('01', '02').
      out: folder that gets scores.json, subjects.csv, report.html and, with a
        checkpoint, sub-XX_reconstructions.npz.
      options: see `Options`.

    Returns:
      What scores.json holds.
    """
    began = time.monotonic()
    if len({*subjects}) < len(subjects) or not subjects:
        raise InputError(
            f'the subjects are {listed(subjects) or "none"}; give each once, '
            'such as 01,02,03,04.'
        )
    folders = [face_files.folder_of(root, name) for name in subjects]
    variables = load_network(options.checkpoint)
    out = files.writable_folder(out)
    for name in WRITTEN:
        files.check_replaceable(out / name)
    found = [_subject(folder, root, variables, options) for folder in folders]
    names = [folder.name for folder in folders]
    results = _results(found, names, options)
    shown = []
    for name, each in zip(names, found):
        pictures = make_pictures(each, variables)
        if pictures:
            target, made = pictures
            arrays.write(
                out / f'{name}_reconstructions.npz',
                images=made['from fMRI'],
                target=target,
                names=np.array([f'face{i + 1}' for i in range(len(target))]),
            )
            shown.append(
                (
                    f'Test faces of {name}',
                    'Seen, and made from latents that were decoded from fMRI.',
                    figures.montage(target, made),
                )
            )
    files.write_json(out / 'scores.json', results)
    files.write_text(out / 'subjects.csv', _csv(results))
    seconds = time.monotonic() - began
    faces_page.render(out / 'report.html', results, shown, seconds)
    return results


def load_network(checkpoint: str) -> Any | None:
    """Reads a VAE-GAN of ours or the authors'."""
    if not checkpoint:
        return None
    if checkpoint.endswith('.safetensors'):
        return vaegan_weights.load(checkpoint)
    return vaegan_weights.from_tensorflow(checkpoint)


def _subject(
    folder: pathlib.Path, root: PathLike, variables: Any, options: Options
) -> Subject:
    """Decodes and scores one subject."""
    seen = face_files.read_test_faces(folder)
    if variables is not None:
        _check_latents(variables, seen, options.checkpoint)
    imagined = face_files.read_imagined(folder, seen)
    decoded, notes = {}, []
    for kind in face_files.KINDS:
        if kind not in seen.latents:
            notes.append(
                f'{folder.name}: no {kind} latents of the test faces are in '
                'test_images.mat, nor pictures and components to make them.'
            )
            continue
        for region in face_files.REGIONS:
            path = face_files.map_path(folder, kind, region)
            if path.exists():
                decoded[kind, region] = _decode(folder, path, seen, kind)
            elif (kind, region) == ('VAEGAN', ''):
                raise InputError(f'{path} is missing; download it.')
            else:
                notes.append(f'{folder.name}: {path.name} is not there.')
    if imagined is None:
        notes.append(
            f'{folder.name}: img_image.mat does not tell which face was '
            'imagined.'
        )
    judged = {}
    if options.stimuli:
        judged, said = _genders(folder, root, seen, variables, options)
        notes += said
    scores = analysis.score_subject(
        seen.latents,
        decoded,
        imagined,
        judged,
        seed=options.seed,
        draws=options.draws,
    )
    return Subject(seen, decoded, imagined, scores, notes)


def _decode(
    folder: pathlib.Path, path: pathlib.Path, seen: TestFaces, kind: str
) -> Decoded:
    """Inverts one map for test patterns and, if there is one, imagery."""
    found = derivatives.read_map(path)
    expected = seen.latents[kind].shape
    if len(found.weights) != expected[1] + 1:
        raise InputError(
            f'{path}: W has {len(found.weights)} rows and there are '
            f'{expected[1]} latents, so that {expected[1] + 1} are needed; '
            'take files of one subject.'
        )
    patterns = derivatives.read_patterns(
        folder / 'test_patterns.mat', found.places
    )
    if len(patterns) != expected[0]:
        raise InputError(
            f'{folder / "test_patterns.mat"}: {len(patterns)} patterns and '
            f'latents of {expected[0]} faces; download both again.'
        )
    imagery = folder / 'img_pattern.mat'
    if imagery.exists():
        one = derivatives.read_patterns(imagery, found.places)
        patterns = np.concatenate([patterns, one[:1]])
    x = latents.invert(found.weights, patterns)
    n = expected[0]
    return Decoded(x[:n], x[n] if len(x) > n else None)


def _check_latents(variables: Any, seen: TestFaces, path: str) -> None:
    k = variables['params']['generator']['fc']['kernel'].shape[0]
    if k != seen.latents['VAEGAN'].shape[1]:
        raise InputError(
            f'{path} has {k} latents and the test faces '
            f'{seen.latents["VAEGAN"].shape[1]}; give the checkpoint that the '
            'derivatives were made with.'
        )


def _genders(
    folder: pathlib.Path,
    root: PathLike,
    seen: TestFaces,
    variables: Any,
    options: Options,
) -> tuple[dict[str, Gender], list[str]]:
    """Finds test faces among the stimuli, whose names tell gender."""
    encoders = {}
    if variables is not None:
        encoders['VAEGAN'] = lambda images: vaegan.encode(variables, images)
    if seen.components is not None and 'PCA' in seen.latents:
        encoders['PCA'] = lambda images: pca.encode(seen.components, images)
    if not encoders:
        return {}, [
            f'{folder.name}: gender needs --checkpoint, or PCA_coeffs.mat.'
        ]
    shown = face_files.names_shown(pathlib.Path(root).parent, folder)
    kind = next(iter(encoders))
    size = (
        vaegan.picture_size(variables['params']['generator'])
        if kind == 'VAEGAN'
        else seen.components.mean.shape[0]
    )
    images, names = loading.load(options.stimuli, size, cached=True, fit=CROP)
    kinds = genders(names)
    if kinds is None:
        raise InputError(
            f'{options.stimuli}: the names do not tell male from female faces; '
            "give the data set's stimuli."
        )
    base = [pathlib.PurePosixPath(name).name for name in names]
    test = [i for i, name in enumerate(base) if name in shown['test']]
    places = np.array(test if test else range(len(names)))
    rows = face_files.same_pictures(
        seen.latents[kind], encoders[kind](images[places])
    )
    if rows is None:
        return {}, [
            f'{folder.name}: not every test face is found among the stimuli '
            'by its latents, so that gender is not scored.'
        ]
    mine = places[rows]
    male = np.array(kinds) == 'male'
    others = np.setdiff1d(np.arange(len(names)), mine)
    if shown['train']:
        others = others[[base[i] in shown['train'] for i in others]]
    axis_of = np.concatenate(
        [others[male[others] == sex][:OF_EACH_SEX] for sex in (True, False)]
    )
    return {
        kind: Gender(
            recognition.gender_axis(encode(images[axis_of]), male[axis_of]),
            male[mine],
        )
        for kind, encode in encoders.items()
    }, []


def make_pictures(
    found: Subject, variables: Any
) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Generates what was seen and what was decoded, with a checkpoint.

    Returns:
      Target [n, size, size, 3] and, by label, reconstructions of its shape.
    """
    if variables is None:
        return None
    own = vaegan.generate(variables, found.faces.latents['VAEGAN'])
    size = own.shape[1]
    made = {
        'from its latents': own,
        'from fMRI': vaegan.generate(
            variables, found.decoded['VAEGAN', ''].seen
        ),
    }
    basis = found.faces.components
    if (
        basis is not None
        and len(basis.mean) == size
        and ('PCA', '') in found.decoded
    ):
        made['PCA'] = pca.generate(basis, found.decoded['PCA', ''].seen)
    target = found.faces.images
    if target is None:
        target = made.pop('from its latents')
    elif target.shape[1] != size:
        target = operations.resize(operations.to_uint8(target), size) / 255
    return np.float32(target), made


def _results(
    found: Sequence[Subject], names: Sequence[str], options: Options
) -> dict[str, Any]:
    subjects = [each.scores for each in found]
    counts = [len(each.faces.latents['VAEGAN']) for each in found]
    scores = (
        analysis.over_subjects(subjects, counts)
        if len(found) > 1
        else {k: {**v, 'subjects': [v]} for k, v in subjects[0].items()}
    )
    return files.json_ready(
        {
            'scores': scores,
            'subjects': names,
            'by_subject': dict(zip(names, subjects)),
            'vaegan_less_pca': {
                name: analysis.paired_difference(subjects, name, other)
                for name, other in (
                    ('pairwise_latents', 'pairwise_pca'),
                    ('full_recognition', 'full_recognition_pca'),
                    ('gender', 'gender_pca'),
                    ('imagery', 'imagery_pca'),
                )
            },
            'published': papers.beside(analysis.PUBLISHED, scores),
            'method': METHOD,
            'simulated': False,
            'transductive': False,
            'problems': [],
            'notes': [note for each in found for note in each.notes],
            'config': options._asdict(),
            'versions': provenance.versions(),
        }
    )


def _csv(results: Mapping[str, Any]) -> str:
    keys = ('value', 'chance', 'low', 'high', 'p', 'n')
    rows = [
        [name, subject, *(score[key] for key in keys)]
        for subject, scores in results['by_subject'].items()
        for name, score in scores.items()
    ] + [
        [name, 'all', *(score[key] for key in keys)]
        for name, score in results['scores'].items()
        if len(results['subjects']) > 1
    ]
    return score_files.as_csv(('score', 'subject', *keys), rows)
