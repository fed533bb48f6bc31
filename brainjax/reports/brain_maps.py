"""Maps of the brain as pictures, drawn by nilearn where it is installed."""

import pathlib
from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

from brainjax.errors import InputError
from brainjax.io import nifti
from brainjax.reports.figures import plain

HOW = ('glass', 'slices')

_LEAST = 1e-12  # Draws all but 0.
_SIZES = {'glass': (9.2, 3.4), 'slices': (9.2, 3.6)}


def nilearn_plotting() -> ModuleType:
    """Imports what draws; one sentence where it is not installed."""
    try:
        from nilearn import plotting
    except ImportError as error:
        raise InputError(
            f'nilearn cannot be imported ({error}), which draws maps of the '
            "brain; install it with: pip install 'brainjax[bids]'"
        ) from error
    return plotting


def draw(
    path: pathlib.Path,
    how: str = 'glass',
    background: pathlib.Path | None = None,
    threshold: float = 0.0,
) -> Figure:
    """Draws a map.

    Args:
      path: of the map, such as W/maps/influence.nii.gz.
      how: 'glass', projections of the highest absolute values onto the outline
        of a brain in MNI space, or 'slices' through the volume.
      background: an image behind the slices, such as the subject's T1w.
      threshold: values nearer to 0 than this are left transparent; so is 0.
    """
    plotting = nilearn_plotting()
    values, header = nifti.volume(path)
    if background is not None:
        nifti.header(background)  # What is no image is told in one sentence.
    name = pathlib.Path(path).name.removesuffix('.nii.gz')
    title = f'{name}: {header.about}' if header.about else name
    figure = Figure(figsize=_SIZES[how])
    signed = bool((values < 0).any())
    options = {
        'figure': figure,
        'threshold': threshold or _LEAST,
        'cmap': 'RdBu_r' if signed else 'inferno_r',
        'colorbar': True,
        'vmin': None if signed else 0.0,
        'vmax': float(np.abs(values).max()) or 1.0,
    }
    if how == 'glass':
        plotting.plot_glass_brain(
            str(path), plot_abs=not signed, symmetric_cbar=signed, **options
        )
    else:
        plotting.plot_stat_map(
            str(path),
            bg_img=None if background is None else str(background),
            symmetric_cbar=signed,
            **options,
        )
    figure.suptitle(plain(title), x=0.01, y=0.99, ha='left', size=9)
    figure.set_label(f'{title}, {int((values != 0).sum())} voxels')
    return figure
