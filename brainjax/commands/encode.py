"""brainjax encode: the fMRI that a kept model predicts of pictures."""

import argparse

from brainjax.commands.jax_setup import set_up_jax


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        'Predicts the fMRI of pictures by the encoder of a finished run. '
        "Writes fmri.npz with fmri [n, voxels] in the recording's unit, "
        'normalised (the same in standard deviations) and names.'
    )
    parser.add_argument(
        'model', metavar='W', help='workdir of a finished run, or its model/'
    )
    parser.add_argument(
        'pictures', metavar='PICTURES', help='a folder, archive, npz file ...'
    )
    parser.add_argument('--out', required=True, metavar='O')


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    set_up_jax()
    from brainjax import new_data

    print(new_data.encode(known.model, known.pictures, known.out))
