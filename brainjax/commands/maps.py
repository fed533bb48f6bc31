"""brainjax maps: what a run tells of each voxel, listed and drawn."""

import argparse
import pathlib

from brainjax.errors import InputError, check_known
from brainjax.io import files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        'Lists what a run tells of each voxel. With --plot its NIfTI maps are '
        'drawn, by nilearn.'
    )
    parser.add_argument('folder', metavar='W', help='of a run')
    parser.add_argument(
        '--plot',
        choices=('glass', 'slices'),
        help='glass: flat glass brain, for data in MNI space; slices: through '
        'the volume, in any space',
    )
    parser.add_argument(
        '--only', metavar='NAME,...', help='maps to draw; all by default'
    )
    parser.add_argument(
        '--background',
        metavar='FILE.nii.gz',
        help="behind the slices, such as the subject's T1w",
    )
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.0,
        metavar='X',
        help='leave out values nearer to 0',
    )
    parser.add_argument(
        '--out', metavar='FOLDER', help='for the pictures; W/maps by default'
    )


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    from brainjax.evaluation.voxels import voxel_values

    found = voxel_values.read(known.folder)
    wanted = [*found.values]
    if known.only:
        wanted = [name.strip() for name in known.only.split(',')]
        for name in wanted:
            check_known('value of voxels', name, found.values)
    if not known.plot:
        print(voxel_values.listed(found, wanted))
        return
    if found.volume is None:
        raise InputError(
            f'{known.folder} holds no maps, as its recording does not say '
            'where its voxels lie; voxels.csv has their values.'
        )
    from brainjax.reports import brain_maps, figures

    maps = pathlib.Path(known.folder) / voxel_values.MAPS
    out = pathlib.Path(known.out or maps)
    for name in wanted:
        figure = brain_maps.draw(
            maps / f'{name}.nii.gz',
            known.plot,
            known.background,
            known.threshold,
        )
        path = out / f'{name}_{known.plot}.png'
        figures.save_png(figure, files.writable_folder(out) / path.name)
        print(path)
