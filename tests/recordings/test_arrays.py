"""Recordings of arrays, lists, tables and images that are at hand."""

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.recordings import from_arrays

RNG = np.random.default_rng(0)
TRIALS, VOXELS, STIMULI = 20, 12, 10
FMRI = RNG.standard_normal((TRIALS, VOXELS)).astype(np.float32)
NUMBERS = [i % STIMULI for i in range(TRIALS)]
NAMES = [f'p{i:02d}' for i in NUMBERS]
IMAGES = RNG.integers(0, 256, (STIMULI, 8, 8, 3), np.uint8)
NAMED = {f'p{i:02d}.png': image for i, image in enumerate(IMAGES)}
TESTED = np.array(NUMBERS) >= 7

MASK = np.zeros((4, 3, 5), bool)
MASK.ravel()[RNG.permutation(60)[:VOXELS]] = True
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def image_of(fmri):
    values = np.zeros((*MASK.shape, len(fmri)), np.float32)
    values[MASK] = fmri.T
    return nibabel.Nifti1Image(values, AFFINE)


def check(recording):
    """The responses and pictures are those above, seven stimuli to train."""
    for part, rows in (('train', ~TESTED), ('test', TESTED)):
        trials = getattr(recording, part)
        np.testing.assert_array_equal(trials.fmri, FMRI[rows])
        np.testing.assert_array_equal(
            recording.stimuli.images[trials.stimulus],
            IMAGES[np.array(NUMBERS)[rows]],
        )
    assert not recording.problems and recording.format == 'arrays'


@pytest.mark.parametrize(
    ('fmri', 'labels', 'pictures', 'options'),
    [
        (FMRI, NUMBERS, IMAGES, {}),
        (FMRI.tolist(), np.array(NUMBERS), [*IMAGES], {}),
        (np.float64(FMRI), np.float64(NUMBERS), IMAGES / 255, {}),
        (FMRI, NAMES, NAMED, {}),
        (FMRI, [f'{name}.png' for name in NAMES], NAMED, {}),
        (FMRI, [f'stimuli/{name}.PNG' for name in NAMES], NAMED, {}),
        (FMRI, NUMBERS, NAMED, {}),  # The numbers in the pictures' names.
        (FMRI, NUMBERS, {str(i): x for i, x in enumerate(IMAGES)}, {}),
        (FMRI, pd.Series(NAMES, dtype='category'), NAMED, {}),
        (pd.DataFrame(FMRI), pd.DataFrame({'label': NAMES}), NAMED, {}),
        (FMRI, NUMBERS, IMAGES, {'test': [7, 8, 9]}),
        (FMRI, NAMES, NAMED, {'test': ['p07', 'p08.png', 'p09']}),
        (FMRI, NUMBERS, IMAGES, {'test': pd.Series(TESTED)}),
        (FMRI, {'stimulus': NUMBERS, 'part': TESTED}, IMAGES, {'test': None}),
        (
            FMRI,
            {'name': NAMES, 'split': np.where(TESTED, 'test', 'Training')},
            NAMED,
            {'test': None},
        ),
        (
            FMRI[~TESTED],
            np.array(NUMBERS)[~TESTED],
            IMAGES,
            {'test': (FMRI[TESTED], np.array(NUMBERS)[TESTED])},
        ),
        (image_of(FMRI), NUMBERS, IMAGES, {'mask': MASK, 'affine': AFFINE}),
        (image_of(FMRI).get_fdata(), NUMBERS, IMAGES, {'mask': MASK}),
    ],
)
def test_what_is_given_is_the_recording(fmri, labels, pictures, options):
    if 'mask' in options:
        options = {'affine': AFFINE, **options}
    recording = from_arrays(
        fmri, labels, pictures, **{'test': TESTED, **options}
    )
    check(recording)
    if 'mask' in options:
        places = recording.volume.indices
        np.testing.assert_array_equal(places, np.argwhere(MASK))


def test_a_masker_of_nilearn_and_files(tmp_path):
    maskers = pytest.importorskip('nilearn.maskers')
    mask = nibabel.Nifti1Image(MASK.astype(np.uint8), AFFINE)
    masker = maskers.NiftiMasker(mask, standardize=None).fit()
    image, path = image_of(FMRI), tmp_path / 'fmri.nii.gz'
    nibabel.save(image, path)
    nibabel.save(mask, tmp_path / 'mask.nii.gz')
    upper = np.zeros_like(MASK)
    upper[:2] = True
    roi = nibabel.Nifti1Image(upper.astype(np.uint8), AFFINE)
    options = {'test': TESTED, 'rois': {'V1': roi}}
    taken = masker.transform(image)
    for fmri, more in (
        (taken, {'mask': masker}),
        (image, {'masker': masker}),
        (path, {'mask': tmp_path / 'mask.nii.gz'}),
    ):
        recording = from_arrays(fmri, NUMBERS, IMAGES, **options, **more)
        check(recording)
        inside = recording.volume.indices[:, 0] < 2
        np.testing.assert_array_equal(recording.rois['V1'], inside)
        np.testing.assert_array_equal(recording.volume.affine, AFFINE)
    with pytest.raises(InputError, match=r'masker\.fit\(\)'):
        from_arrays(taken, NUMBERS, IMAGES, masker=maskers.NiftiMasker())


def test_a_folder_of_pictures(tmp_path):
    for name, image in NAMED.items():
        Image.fromarray(image).save(tmp_path / name)
    check(from_arrays(FMRI, NAMES, tmp_path, test=TESTED))
    recording = from_arrays(FMRI, NAMES, [*tmp_path.iterdir()], size=4)
    assert recording.stimuli.images.shape == (STIMULI, 4, 4, 3)


def test_what_is_known_of_trials_and_voxels():
    regions = ['V1'] * 5 + ['V2'] * 7
    columns = [f'{name}_{i}' for i, name in enumerate(regions)]
    labels = pd.DataFrame(
        {
            'Stimulus': NAMES,
            'run': ['a', 'b'] * 10,
            'session': [1] * 10 + [2] * 10,
            'category': ['even' if i % 2 == 0 else 'odd' for i in NUMBERS],
            'part': ['train'] * 7 + ['test'] * 3 + ['imagery'] * 10,
        }
    )
    data = pd.DataFrame(FMRI, columns=columns)
    recording = from_arrays(data, labels, unpaired_fmri=FMRI[:3] + 1)
    assert recording.stimuli.images is None
    assert recording.stimuli.categories[:2] == ('even', 'odd')
    assert [len(recording.train), len(recording.test)] == [7, 3]
    assert recording.train.run.tolist() == [1, 2, 1, 2, 1, 2, 1]
    assert recording.imagery.run.tolist() == [3, 4] * 5  # None shared.
    assert recording.imagery.session.tolist() == [2] * 10
    assert len(recording.unpaired_fmri) == 3
    v1 = np.array(regions) == 'V1'
    two = pd.MultiIndex.from_arrays([regions, range(VOXELS)])
    for fmri, rois in (
        (data, None),
        (pd.DataFrame(FMRI, columns=two), None),
        (FMRI, regions),
        (FMRI, {'V1': v1, 'V2': np.flatnonzero(~v1)}),
        (FMRI, pd.DataFrame({'V1': v1, 'V2': ~v1})),
    ):
        found = from_arrays(fmri, labels, rois=rois).rois
        assert found.keys() == {'V1', 'V2'}
        np.testing.assert_array_equal(found['V1'], v1)
    assert not from_arrays(FMRI, labels).rois


def test_without_a_division_some_stimuli_are_held_out():
    recording = from_arrays(FMRI, NAMES, NAMED)
    assert 'the last tenth of each category' in recording.problems[0]
    parts = [from_arrays(FMRI, NAMES, test=0.3, seed=i) for i in (0, 0, 1)]
    tested = [set(part.test.stimulus.tolist()) for part in parts]
    assert tested[0] == tested[1] != tested[2] and len(tested[0]) == 3


BROKEN = FMRI.copy()
BROKEN[3, 4], BROKEN[:, 5], BROKEN[0, 6] = np.nan, 1, np.inf


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'fmri': FMRI.T}, r'\[voxels, trials\], so give fmri\.T'),
        ({'fmri': FMRI[0]}, r'fmri has shape \(12,\)'),
        ({'fmri': FMRI > 0}, 'fmri holds bool'),
        ({'fmri': 'subject.csv'}, 'open_recording reads'),
        ({'fmri': image_of(FMRI)}, 'say which of its voxels with mask'),
        ({'fmri': [[1.0], [1.0, 2.0]]}, 'fmri cannot be made an array'),
        ({'fmri': BROKEN}, r'1 NaN, 1 infinite, 1 constant.*voxel 4.*drop='),
        ({'labels': NUMBERS[:-1]}, 'labels has 19; give one label a trial'),
        ({'labels': ['image', *NAMES]}, r"first, 'image', a heading\?"),
        ({'labels': [None, *NUMBERS[1:]]}, 'None in trial 0'),
        ({'labels': [*NAMES[1:], 'nan']}, "'nan' in trial 19"),
        ({'labels': [True, *NUMBERS[1:]]}, 'True in trial 0'),
        ({'labels': np.eye(20)}, r'labels has shape \(20, 20\)'),
        ({'labels': 'p00'}, "labels is 'p00'"),
        ({'labels': {'a': NAMES, 'b': NAMES}}, r"\(a, b\).*name it 'stimulus'"),
        ({'labels': [i + 1 for i in NUMBERS]}, 'one if you subtract 1'),
        ({'labels': [i - 1 for i in NUMBERS]}, 'one if you add 1'),
        ({'labels': [i * 2 for i in NUMBERS]}, 'numbers count from 0 to 9'),
        ({'labels': NAMES}, 'no names, so give a dictionary'),
        (
            {'labels': ['p10', *NAMES[1:]], 'pictures': NAMED},
            r"no picture for 1 of the 11 stimuli: p10;.*Did you mean 'p0",
        ),
        (
            {'labels': NAMES, 'pictures': {**NAMED, 'p01.bmp': IMAGES[0]}},
            'two pictures for stimulus p01',
        ),
        ({'pictures': IMAGES / 2.0}, 'divide by 255'),
        ({'pictures': [*IMAGES[1:], IMAGES[0, :4]]}, 'name a size'),
        ({'test': [True] * 3}, '3 booleans for 20 trials'),
        ({'test': [0, 1] * 10}, 'give True or False'),
        ({'test': 1.5}, r'test is 1\.5'),
        ({'test': True}, 'test is True'),
        ({'test': 0.97}, 'leaves none to train on'),
        ({'test': [11]}, "test names '11', which no label does"),
        ({'test': [False] * 20}, 'leaves 20 training and 0 test trials'),
        ({'test': [True] * 5 + [False] * 15}, 'in training and in test trials'),
        ({'test': (FMRI[:, :5], NUMBERS)}, 'has 5 voxels and fmri 12'),
        ({'test': (FMRI, NUMBERS[1:])}, 'test: fmri has 20 trials.*has 19'),
        ({'runs': [1, 2]}, '2 runs for 20 labels'),
        ({'runs': [None] * 20}, 'runs is None in trial 0'),
        ({'rois': {'V1': [True] * 5}}, 'a mask over 5 voxels'),
        ({'rois': {'V1': [1, 12]}}, 'from 1 to 12.*subtract 1'),
        ({'rois': {'V1': [0.5]}}, "ROI 'V1' is float64"),
        ({'rois': ['V1'] * 5}, 'rois names 5 regions for 12 voxels'),
        ({'rois': {'V1': image_of(FMRI)}}, 'give mask or masker'),
        ({'affine': AFFINE}, 'affine is given without mask'),
        ({'mask': MASK}, 'affine must be given beside it'),
        ({'mask': np.ones(5), 'affine': AFFINE}, r'mask is float64 of shape'),
        ({'mask': ~MASK, 'affine': AFFINE}, 'mask holds 48 voxels and fmri 12'),
        (
            {'fmri': image_of(FMRI), 'mask': MASK, 'affine': 2 * AFFINE},
            'resample the mask',
        ),
        ({'unpaired_fmri': FMRI[:, 1:]}, 'has 11 voxels and fmri 12'),
        ({'drop': 'empty'}, "no drop 'empty'"),
    ],
)
def test_what_is_wrong_is_one_sentence(changes, says):
    given = {'fmri': FMRI, 'labels': NUMBERS, 'pictures': IMAGES, **changes}
    with pytest.raises(InputError, match=says) as found:
        from_arrays(**given)
    assert '\n' not in str(found.value) and len(str(found.value)) < 300


def test_voxels_are_left_out_on_request():
    recording = from_arrays(
        BROKEN, NUMBERS, drop=('nan', 'infinite', 'constant')
    )
    assert recording.voxels == 9
    assert '3 of the 12 voxels are left out' in recording.problems[1]


class Unreadable:
    """As an array of a library that is on a device."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError('two\nlines')


JUNK = (
    *(None, True, -1, 2.5, np.nan, 2**70, 10**400, '', 'a', 'a.nii', b'a'),
    *([], {}, [[1], [2, 3]], {1, 2}, object(), iter([1]), Unreadable()),
    *([None] * TRIALS, ['\ud800'] * TRIALS, [10**400] * TRIALS, [1e300] * 20),
    *(np.array(3), np.zeros((0, 5)), np.eye(4) * np.nan, FMRI + 1j, FMRI > 0),
    *(FMRI.astype('>f8'), pd.DataFrame(FMRI), pd.Series([pd.NA] * TRIALS)),
    *(pd.to_datetime(['2020-01-01'] * TRIALS), {'V1': None}, (FMRI, NUMBERS)),
    *(
        [Unreadable()] * TRIALS,
        IMAGES,
        NAMED,
        image_of(FMRI),
        Image.new('L', (1, 1)),
    ),
)
ARGUMENTS = (
    *('fmri', 'labels', 'pictures', 'test', 'rois', 'runs', 'sessions', 'mask'),
    *('affine', 'masker', 'unpaired_fmri', 'snr', 'noise_ceiling', 'size'),
    *('fit', 'alpha', 'upright', 'drop', 'seed'),
)


@pytest.mark.parametrize('name', ARGUMENTS)
def test_whatever_is_given_is_a_recording_or_one_sentence(name):
    said = []
    for junk in JUNK:
        given = {
            'fmri': FMRI,
            'labels': NUMBERS,
            'pictures': IMAGES,
            name: junk,
        }
        try:
            from_arrays(**{'test': 0.3, **given})
        except InputError as error:
            said.append(str(error))
    assert len(said) > len(JUNK) // 2 and '\n' not in ''.join(said)


def test_what_is_masked_is_no_number():
    masked = np.ma.masked_array(FMRI, np.zeros(FMRI.shape, bool))
    masked[2, 3] = np.ma.masked
    with pytest.raises(InputError, match='1 NaN'):
        from_arrays(masked, NAMES)
    assert from_arrays(masked, NAMES, drop='nan').voxels == FMRI.shape[1] - 1
    masked = np.ma.masked_array(np.arange(len(FMRI)) % 4, mask=False)
    masked[0] = np.ma.masked
    with pytest.raises(InputError, match='labels is None in trial 0'):
        from_arrays(FMRI, masked)
