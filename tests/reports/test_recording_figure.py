"""A recording drawn on one page."""

import dataclasses

import numpy as np
import pytest
from recording_files import small_recording

from brainjax.recordings import Stimuli, description, reliability
from brainjax.reports import recording_figure


def drawn(recording):
    figure = recording_figure.draw(recording, description.summary(recording))
    figure.draw_without_rendering()
    return figure


def test_what_is_drawn_is_what_was_counted():
    recording = small_recording()
    voxels, reliable, repeats, *pictures = drawn(recording).axes
    labels = [text.get_text() for text in voxels.get_yticklabels()]
    widths = [bar.get_width() for bar in voxels.patches]
    assert dict(zip(labels, widths)) == {'V1': 5, 'V2': 5, 'VC': 12}
    labels = [text.get_text() for text in reliable.get_yticklabels()]
    assert labels == ['VC', 'V2', 'V1', 'all voxels']
    ceiling = reliability.noise_ceiling_from_repeats(recording.train, 3)
    medians = [line.get_xdata()[0] for line in reliable.lines]
    assert medians[2] == pytest.approx(np.median(ceiling[:5]))
    assert 'training trials' in reliable.get_title('left')
    assert [bar.get_height() for bar in repeats.patches] == [9, 3]
    shown = [a for a in pictures if a.images]
    assert len(shown) == 8 + 3
    np.testing.assert_array_equal(
        shown[8].images[0].get_array(), recording.stimuli.images[9]
    )


def test_without_repeats_regions_and_pictures():
    recording = small_recording(repeats=1)
    recording = dataclasses.replace(
        recording, rois={}, stimuli=Stimuli(None, recording.stimuli.names)
    )
    figure = drawn(recording)
    assert len(figure.axes) == 3
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ['no ROIs', 'no stimulus was repeated']


def test_names_with_dollar_signs_are_drawn():
    recording = small_recording()
    rois = {f'$\\{name}$': mask for name, mask in recording.rois.items()}
    recording = dataclasses.replace(recording, rois=rois, subject='$a$')
    labels = [
        text.get_text() for text in drawn(recording).axes[0].get_yticklabels()
    ]
    assert r'\$\V1\$' in labels
