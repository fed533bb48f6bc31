"""brainjax inspect: what a recording holds."""

import argparse
import json
import pathlib

from brainjax.commands import flags
from brainjax.errors import InputError
from brainjax.io import files
from brainjax.recordings import description, leakage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('paths', nargs='+', metavar='PATH')
    parser.add_argument('--json', action='store_true')
    parser.add_argument(
        '--plot',
        metavar='FILE.png',
        help='draw it; of several recordings FILE-1.png, FILE-2.png, ...',
    )
    parser.add_argument(
        '--leakage',
        action='store_true',
        help='compare the pictures, names, categories, runs and sessions of '
        'training and test trials',
    )
    flags.add_recording(parser)


def run(known: argparse.Namespace, rest: list[str]) -> None:
    del rest
    if known.plot and pathlib.Path(known.plot).suffix.lower() != '.png':
        raise InputError(f'{known.plot} must be named FILE.png.')
    recordings = description.open_all(
        known.paths, **flags.recording_options(known)
    )
    found, texts = [], []
    for i, recording in enumerate(recordings, 1):
        summary = description.summary(recording)
        texts.append(description.render(summary))
        if known.leakage:
            findings = leakage.check(recording)
            summary['leakage'] = [each._asdict() for each in findings]
            texts[-1] += '\n\n' + leakage.render(findings)
        found.append(summary)
        if known.plot:
            path = pathlib.Path(known.plot)
            if len(recordings) > 1:
                path = path.with_stem(f'{path.stem}-{i}')
            _draw(recording, summary, path)
    if known.json:
        found = files.json_ready(found)
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        print('\n\n'.join(texts))


def _draw(recording, summary: dict, path: pathlib.Path) -> None:
    from brainjax.reports import figures, recording_figure  # Matplotlib.

    figures.save_png(recording_figure.draw(recording, summary), path)
