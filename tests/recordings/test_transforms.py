import numpy as np
import pytest
import scipy.stats
from recording_parts import TEST, TRAIN, WHOLE, parts

from brainjax.errors import InputError
from brainjax.recordings import (
    Recording,
    Trials,
    average_repeats,
    normalise,
    select_roi,
    split_trials,
    take_voxels,
)


def test_voxels_are_taken_by_mask_or_index_everywhere():
    whole = Recording(**parts())
    for voxels, order in (
        (np.array([True, False, False, True, False]), [0, 3]),
        (np.array([3, 0, 1]), [3, 0, 1]),
    ):
        some = take_voxels(whole, voxels)
        for values, expected in (
            (some.train.fmri, whole.train.fmri[:, order]),
            (some.test.fmri, whole.test.fmri[:, order]),
            (some.unpaired_fmri, whole.unpaired_fmri[:, order]),
            (some.snr, whole.snr[order]),
            (some.noise_ceiling, whole.noise_ceiling[order]),
            (some.rois['V2'], whole.rois['V2'][order]),
        ):
            np.testing.assert_array_equal(values, expected)
        assert some.train.fmri.flags.c_contiguous
        assert some.train.run is whole.train.run
    bare = {'unpaired_fmri': None, 'snr': None, 'noise_ceiling': None}
    some = take_voxels(Recording(**{**parts(), **bare}), np.array([1]))
    assert some.unpaired_fmri is some.snr is some.noise_ceiling is None


def test_roi_selection_joins_rois_and_names_what_is_missing():
    whole = Recording(**parts())
    np.testing.assert_array_equal(select_roi(whole, 'V2').snr, [1, 3])
    np.testing.assert_array_equal(select_roi(whole, 'V1 | V2').snr, [0, 1, 3])
    with pytest.raises(
        InputError, match=r"S1.file has no ROI 'v1', only V1, V2, none. Did"
    ):
        select_roi(whole, 'v1')
    with pytest.raises(InputError, match="ROI 'none' holds no voxel"):
        select_roi(whole, 'none')


def test_repeats_are_averaged_in_order_of_stimulus():
    rng = np.random.default_rng(1)
    stimulus = rng.integers(3, 9, 40).astype(np.int32)
    fmri = rng.normal(100, 1, (40, 7)).astype(np.float32)
    average = average_repeats(Trials(fmri, stimulus, stimulus))
    np.testing.assert_array_equal(average.stimulus, sorted(set(stimulus)))
    for row, i in zip(average.fmri, average.stimulus):
        expected = fmri[stimulus == i].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(row, expected, rtol=1e-7)
    assert average.fmri.dtype == np.float32
    assert average.run is None


def test_normalising_uses_training_trials_only():
    recording = Recording(**parts())
    scaled = normalise(recording)
    np.testing.assert_allclose(
        scaled.train.fmri, scipy.stats.zscore(TRAIN.fmri), rtol=1e-4
    )
    for after, before in (
        (scaled.test.fmri, TEST.fmri),
        (scaled.unpaired_fmri, WHOLE['unpaired_fmri']),
    ):
        np.testing.assert_allclose(
            after,
            scipy.stats.zmap(before, TRAIN.fmri),
            rtol=1e-4,
            atol=1e-6,
        )
        assert after.dtype == np.float32
    assert scaled.snr is recording.snr


def test_trials_are_split_by_stimulus():
    kept, out = split_trials(TRAIN, [2])
    np.testing.assert_array_equal(kept.stimulus, [0, 1, 0])
    np.testing.assert_array_equal(out.stimulus, [2, 2, 2])
    np.testing.assert_array_equal(kept.fmri, TRAIN.fmri[[0, 2, 3]])
    np.testing.assert_array_equal(out.run, [1, 2, 2])
