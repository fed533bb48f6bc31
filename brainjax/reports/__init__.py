"""Pages and figures, and the only importer of Matplotlib.

Methods and audits find arrays; `draw` makes figures of them. What it draws
needs four attributes: title, caption, kind and values, the arrays by the
names of the drawing's arguments.
"""

from typing import Any

from matplotlib.figure import Figure

from brainjax.reports import (
    calibration_figures,
    ceiling_figures,
    encoder_figures,
    figures,
)

# Kind of a finding -> function from its values to a figure.
DRAWINGS = {
    'montage': figures.montage,
    'loss_curves': figures.loss_curves,
    'voxel_correlation': figures.voxel_correlation,
    'receptive_fields': encoder_figures.receptive_fields,
    'picture_grid': figures.picture_grid,
    'posterior_montage': calibration_figures.posterior_montage,
    'rank_histogram': calibration_figures.rank_histogram,
    'repeat_curves': ceiling_figures.repeat_curves,
    'coverage_curve': calibration_figures.coverage_curve,
}


def draw(finding: Any) -> Figure:
    """Draws the values of a finding, see `DRAWINGS`."""
    return DRAWINGS[finding.kind](**finding.values)
