"""The sbj_N.npz and images_112.npz layout, whole and damaged."""

import dataclasses
import io
import re
import zipfile

import numpy as np
import pytest
from recording_files import (
    VOXELS,
    weizmann_arrays,
    weizmann_pictures,
    write_weizmann,
)

from brainjax.errors import InputError
from brainjax.io import arrays as npz
from brainjax.recordings import Recording, average_repeats
from brainjax.recordings.formats import weizmann


def changed(name, index, value):
    array = weizmann_arrays()[name].astype(np.float64)
    array[index] = value
    return {name: array}


def assert_same(a, b):
    for part in ('train', 'test'):
        one, other = getattr(a, part), getattr(b, part)
        np.testing.assert_array_equal(one.fmri, other.fmri)
        np.testing.assert_array_equal(one.stimulus, other.stimulus)
    np.testing.assert_array_equal(a.stimuli.images, b.stimuli.images)
    assert a.rois.keys() == b.rois.keys()
    for name, mask in a.rois.items():
        np.testing.assert_array_equal(mask, b.rois[name])
    np.testing.assert_array_equal(a.snr, b.snr)
    np.testing.assert_array_equal(a.noise_ceiling, b.noise_ceiling)


def test_every_array_lands_where_it_belongs(tmp_path):
    path, pictures = write_weizmann(tmp_path)
    arrays, images = weizmann_arrays(), weizmann_pictures()
    recording = weizmann.read(path, pictures)
    inside = slice(0, 10)  # VC.
    for values, name in (
        (recording.train.fmri, 'arr_0'),
        (recording.test.fmri, 'arr_1'),
        (recording.noise_ceiling, 'arr_5'),
        (recording.snr, 'arr_6'),
    ):
        expected = arrays[name][..., inside].astype(np.float32)
        np.testing.assert_array_equal(values, expected)
        assert values.dtype == np.float32
    np.testing.assert_array_equal(recording.train.stimulus, arrays['arr_3'])
    np.testing.assert_array_equal(recording.test.stimulus, arrays['arr_4'] + 8)
    for name in ('V1', 'V2', 'FFA', 'VC'):
        np.testing.assert_array_equal(
            recording.rois[name], arrays[name][inside]
        )
    everything = np.concatenate([images['train_images'], images['test_images']])
    np.testing.assert_array_equal(
        recording.stimuli.images, np.floor(everything * 255)
    )
    assert recording.stimuli.images.dtype == np.uint8
    assert recording.stimuli.names[0] == 'train-0001'
    assert recording.stimuli.names[7:9] == ('train-0008', 'test-0001')
    assert recording.subject == 'sbj_3'
    assert not recording.simulated
    assert recording.problems == ()
    np.testing.assert_allclose(
        average_repeats(recording.test).fmri,
        arrays['arr_2'][:, inside],
        rtol=1e-5,
        atol=1e-6,
    )


def test_pictures_are_truncated_not_rounded(tmp_path):
    values = np.zeros((3, 16, 16, 3))
    values[0, 0, 0] = [0.5, 1.0, 0.999]
    values[0, 0, 1] = [1.02, -0.02, 0.00392]
    path, pictures = write_weizmann(tmp_path, {'test_images': values})
    image = weizmann.read(path, pictures).stimuli.images[8]
    np.testing.assert_array_equal(image[0, 0], [127, 255, 254])
    np.testing.assert_array_equal(image[0, 1], [255, 0, 0])


@pytest.mark.parametrize(
    ('roi', 'kept'),
    [
        ('V1', [1, 2, 3]),
        ('V1|V2', [1, 2, 3, 4, 5, 6]),
        (None, range(VOXELS)),
        ('', range(VOXELS)),
    ],
)
def test_roi_is_selected_while_reading(tmp_path, roi, kept):
    recording = weizmann.read(*write_weizmann(tmp_path), roi)
    expected = weizmann_arrays()['arr_6'][list(kept)].astype(np.float32)
    np.testing.assert_array_equal(recording.snr, expected)
    assert recording.train.fmri.shape == (8, len(kept))


@pytest.mark.parametrize(
    ('selection', 'kept'),
    [
        (np.array([False, True, False, True, True, False]), [2, 4, 5]),
        (np.array([5, 0]), [6, 1]),
    ],
)
def test_voxels_can_be_selected_by_a_file(tmp_path, selection, kept):
    chosen = tmp_path / 'chosen.npz'
    np.savez(chosen, select_voxels=selection)
    recording = weizmann.read(*write_weizmann(tmp_path), 'V1|V2', chosen)
    expected = weizmann_arrays()['arr_6'][kept].astype(np.float32)
    np.testing.assert_array_equal(recording.snr, expected)


def test_a_selection_that_does_not_fit_is_refused(tmp_path):
    files = write_weizmann(tmp_path)
    chosen = tmp_path / 'chosen.npz'
    for selection in (
        np.ones(5, bool),
        np.zeros(6, bool),
        np.array([6]),
        np.array([-1]),
        np.array([0.5]),
        np.zeros(0, int),
    ):
        np.savez(chosen, select_voxels=selection)
        with pytest.raises(InputError, match=r'chosen.npz.* among 6 voxels'):
            weizmann.read(*files, 'V1|V2', chosen)
    np.savez(chosen, voxels=np.ones(6, bool))
    with pytest.raises(InputError, match='has no array select_voxels'):
        weizmann.read(*files, 'V1|V2', chosen)


def test_round_trip_is_exact(tmp_path):
    first = weizmann.read(*write_weizmann(tmp_path), None)
    copy = tmp_path / 'copy.npz', tmp_path / 'pictures.npz'
    weizmann.write(first, *copy)
    assert_same(weizmann.read(*copy, None), first)
    # A stranger's order of pictures: test pictures before training pictures.
    turned = dataclasses.replace(
        first,
        train=dataclasses.replace(
            first.train, stimulus=first.train.stimulus + np.int32(3)
        ),
        test=dataclasses.replace(
            first.test, stimulus=first.test.stimulus - np.int32(8)
        ),
        stimuli=dataclasses.replace(
            first.stimuli, images=np.roll(first.stimuli.images, 3, axis=0)
        ),
        snr=None,
        noise_ceiling=None,
    )
    weizmann.write(turned, *copy)
    assert 'arr_6' not in npz.names(copy[0])
    again = weizmann.read(*copy, None)
    assert again.snr is None
    assert_same(
        dataclasses.replace(
            again, snr=first.snr, noise_ceiling=first.noise_ceiling
        ),
        first,
    )


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (changed('arr_2', (1, 4), 9), r'arr_2 differs .* of arr_1 is used'),
        ({'arr_2': np.ones((2, VOXELS))}, 'arr_2 has 2 rows, fewer'),
        ({'xyz': np.ones((3, 2))}, r'xyz has shape \(3, 2\) and is ignored'),
        ({'arr_3': np.zeros(8, int)}, '7 of the 8 train_images have no'),
    ],
)
def test_what_is_odd_but_no_error_is_noted(tmp_path, change, words):
    recording = weizmann.read(*write_weizmann(tmp_path, **change))
    (problem,) = recording.problems
    assert re.search(words, problem)


@pytest.mark.parametrize('missing', ['arr_2', 'arr_5', 'arr_6', 'V1'])
def test_some_arrays_may_be_absent(tmp_path, missing):
    files = write_weizmann(tmp_path, without=[missing])
    assert isinstance(weizmann.read(*files), Recording)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (
            changed('arr_0', (3, 6), np.nan),
            r'1 of the 10 voxels .*\(1 NaN\), the first is voxel 6; leave',
        ),
        (
            changed('arr_1', (0, 2), np.inf),
            r'\(1 infinite\), the first is voxel 2;',
        ),
        (
            changed('arr_0', (slice(None), 4), 1.5),
            r'\(1 constant\), the first is voxel 4; leave them out .*drop=',
        ),
        (
            changed('arr_3', 5, 8),
            r'arr_3 labels trial 5 with 8.0, .* no row of the 8 pictures',
        ),
        (changed('arr_3', 5, -1), 'arr_3 labels trial 5 with -1'),
        (changed('arr_4', 2, 1.5), 'arr_4 labels trial 2 with 1.5'),
        (changed('arr_4', 2, np.nan), 'arr_4 labels trial 2 with nan'),
        (changed('arr_4', 2, 3), 'no row of the 3 pictures'),
        ({'V1': np.full(VOXELS, 2)}, "ROI 'V1' holds values other than 0"),
        ({'VC': np.zeros(VOXELS, bool)}, "ROI 'VC' holds no voxel"),
        ({'arr_3': np.arange(7)}, r'arr_3 has shape \(7,\), .* it \(8,\)'),
        ({'arr_4': np.zeros(3)}, r'arr_4 has shape \(3,\)'),
        ({'arr_1': np.zeros((15, 3))}, r'arr_1 has shape \(15, 3\)'),
        ({'arr_2': np.zeros((3, 5))}, r'arr_2 has shape \(3, 5\)'),
        ({'arr_6': np.zeros(3)}, r'arr_6 has shape \(3,\)'),
        ({'arr_0': np.zeros(8)}, r'arr_0 has shape \(8,\); it must be'),
        ({'arr_0': np.array(['a', 'b'])}, 'arr_0 has dtype <U1, .* never'),
        ({'arr_0': np.array([None, {}])}, 'arr_0 has dtype object'),
    ],
)
def test_bad_fmri_files(tmp_path, change, words):
    path, pictures = write_weizmann(tmp_path, **change)
    with pytest.raises(InputError, match=rf'^{path}.*{words}'):
        weizmann.read(path, pictures)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (
            {'test_images': np.zeros((3, 12, 12, 3))},
            'train_images are 16 and test_images 12 pixels wide',
        ),
        ({'train_images': np.zeros((8, 16, 12, 3))}, 'must be square'),
        ({'train_images': np.zeros((8, 16, 16, 4))}, 'square and coloured'),
        ({'train_images': np.zeros((8, 768))}, r'shape \(8, 768\)'),
        (
            {'test_images': np.full((3, 16, 16, 3), 200.0)},
            'values from 200 to 200; pictures must be finite floats in 0..1',
        ),
        ({'test_images': np.full((3, 16, 16, 3), np.nan)}, 'from nan to nan'),
    ],
)
def test_bad_picture_files(tmp_path, change, words):
    path, pictures = write_weizmann(tmp_path, change)
    with pytest.raises(InputError, match=rf'^{pictures}.*{words}'):
        weizmann.read(path, pictures)


def test_bad_voxels_outside_the_roi_do_no_harm(tmp_path):
    files = write_weizmann(tmp_path, **changed('arr_0', (0, 11), np.nan))
    assert weizmann.read(*files).voxels == 10
    with pytest.raises(InputError, match='voxel 11;'):
        weizmann.read(*files, None)


@pytest.mark.parametrize('name', ['arr_0', 'arr_1'])
def test_voxels_are_left_out_where_one_asks_for_it(tmp_path, name):
    whole = weizmann.read(*write_weizmann(tmp_path))
    change = changed(name, (2, 6), np.nan) | changed('arr_0', (1, 3), np.nan)
    files = write_weizmann(tmp_path, **change)
    left = [3] if name == 'arr_0' else [3, 6]
    recording = weizmann.read(*files, drop='nan,constant')
    kept = np.delete(np.arange(10), left)
    np.testing.assert_array_equal(recording.snr, whole.snr[kept])
    np.testing.assert_array_equal(
        recording.train.fmri, whole.train.fmri[:, kept]
    )
    for roi, mask in recording.rois.items():
        np.testing.assert_array_equal(mask, whole.rois[roi][kept])
    said = f'{len(left)} of the 10 voxels are left out ({len(left)} NaN)'
    assert any(said in problem for problem in recording.problems)


def test_missing_things_are_named(tmp_path):
    path, pictures = write_weizmann(tmp_path, without=['arr_3'])
    for arguments, words in (
        ((path, pictures), 'has no arr_3 .it holds arr_0, arr_1'),
        ((tmp_path / 'no.npz', pictures), 'no.npz does not exist'),
        ((pictures, pictures), 'has no arr_0, arr_1, arr_3, arr_4'),
        ((tmp_path, pictures), 'is not a complete npz file'),
    ):
        with pytest.raises(InputError, match=words):
            weizmann.read(*arguments)
    path, pictures = write_weizmann(tmp_path)
    for arguments, words in (
        ((path, tmp_path / 'no.npz'), 'no.npz does not exist'),
        ((path, path), 'sbj_3.npz has no train_images; give images_112'),
        ((path, None), 'sbj_3.npz holds no pictures; name the file'),
        ((path, pictures, 'V3'), "sbj_3.npz has no ROI 'V3', only V1, V2"),
    ):
        with pytest.raises(InputError, match=words):
            weizmann.read(*arguments)


def test_truncated_files_are_named(tmp_path):
    files = write_weizmann(tmp_path)
    for path in files:
        content = path.read_bytes()
        for length in np.linspace(0, len(content) - 1, 12).astype(int):
            path.write_bytes(content[:length])
            with pytest.raises(
                InputError, match=f'^{path} is not a complete npz file'
            ):
                weizmann.read(*files)
        path.write_bytes(content)


def test_flipped_bytes_never_change_the_numbers(tmp_path):
    files = write_weizmann(tmp_path)
    whole = weizmann.read(*files)
    content = bytearray(files[0].read_bytes())
    rng = np.random.default_rng(0)
    sentences = []
    for place in rng.integers(0, len(content), 150):
        before = content[place]
        content[place] ^= 1 << int(rng.integers(8))
        files[0].write_bytes(content)
        try:
            assert_same(weizmann.read(*files), whole)
        except InputError as error:
            sentences.append(str(error))
        content[place] = before
    assert len(sentences) > 75
    assert all(text.startswith(str(files[0])) for text in sentences)


def test_an_array_of_absurd_size_is_refused_before_it_is_loaded(tmp_path):
    path, pictures = write_weizmann(tmp_path)
    for shape, words in (
        ((10**6, 10**6), 'arr_0 declares 7450.6 GiB in a file of 0.0 MiB'),
        ((10**3, 10**3), 'arr_0 holds 0 of 8000000 bytes'),
    ):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {'descr': '<f8', 'fortran_order': False, 'shape': shape}
        )
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('arr_0.npy', header.getvalue())
        with pytest.raises(InputError, match=words):
            weizmann.read(path, pictures)


def test_each_array_is_loaded_once(tmp_path, monkeypatch):
    files = write_weizmann(tmp_path)
    loaded = []
    original = npz.load

    def load(path, wanted):
        loaded.extend((str(path), name) for name in wanted)
        return original(path, wanted)

    monkeypatch.setattr(npz, 'load', load)
    weizmann.read(*files)
    assert len(loaded) == len(set(loaded)) == 13


def test_file_without_the_usual_roi(tmp_path):
    path, pictures = write_weizmann(tmp_path)
    with np.load(path) as arrays:
        np.savez(path, **{k: v for k, v in arrays.items() if k != 'VC'})
    with pytest.raises(InputError, match=r"no ROI 'VC', .* such as roi=V1"):
        weizmann.read(path, pictures)
    assert weizmann.read(path, pictures, roi='').voxels == VOXELS


def test_names_come_from_the_labs_tables(tmp_path):
    path, pictures = write_weizmann(tmp_path)
    images = weizmann_pictures()
    for part, suffix, mark in (('training', 'tsv', '\t'), ('test', 'csv', ',')):
        n = len(images[f'{part.removesuffix("ing")}_images'])
        of = 'n01443530' if part == 'training' else 'n01443531'
        rows = (f'{of}_{i}.JPEG{mark}{i}' for i in range(n))
        text = f'name{mark}number\n' + '\n'.join(rows)
        (tmp_path / f'imageID_{part}.{suffix}').write_text(text)
    recording = weizmann.read(path, pictures, names=tmp_path)
    n = len(images['train_images'])
    names = recording.stimuli.names
    assert names[0] == 'n01443530_0' and names[n] == 'n01443531_0'
    assert len(set(names)) == len(recording.stimuli)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('n01443537_1\nn01443537_2', 'names 2 stimuli .*, 2 of them diff'),
        ('', 'names 0 stimuli'),
        (None, r'holds 0 tables \*train\*\.csv or \.tsv'),
    ],
)
def test_tables_of_other_pictures_are_refused(tmp_path, text, message):
    path, pictures = write_weizmann(tmp_path)
    (tmp_path / 'tables').mkdir()
    if text is not None:
        (tmp_path / 'tables/training.csv').write_text(text)
    with pytest.raises(InputError, match=message):
        weizmann.read(path, pictures, names=tmp_path / 'tables')
