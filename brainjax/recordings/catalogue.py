"""Public recordings, and how they get into the cache.

Stimulus pictures are in none of these files: the laboratory gives them out on
request.
"""

import pathlib
import shutil
from collections.abc import Callable
from typing import NamedTuple

from brainjax.errors import InputError, check_known
from brainjax.io import download, files, web
from brainjax.recordings import article_files
from brainjax.recordings.article_files import File

BASE = 'https://ndownloader.figshare.com/files'

Progress = Callable[[str, int, int | None], None]


class Source(NamedTuple):
    """Files that belong together.

    Attributes:
      about: what they are, in a few words.
      article: the figshare article that holds them.
      files: the files.
      pattern: of the names of further ones, archives that the article's own
        listing tells and that are unpacked.
    """

    about: str
    article: int
    files: tuple[File, ...] = ()
    pattern: str = ''

    @property
    def terms(self) -> str:
        """What the fetch command says of the data's licence."""
        return (
            f'From figshare article {self.article}, which states its licence: '
            f'https://figshare.com/articles/dataset/_/{self.article}. Cite '
            'its authors, and ask them for the stimulus pictures.'
        )


_DEEP = 7033577  # Shen et al. 2019, deep image reconstruction.
_GOD = 7387130  # Horikawa and Kamitani 2017, generic object decoding.


def _original(subject: str, training: int, test: int) -> Source:
    return Source(
        f'deep image reconstruction, {subject}, visual cortex (SPM)',
        _DEEP,
        tuple(
            File(f'{subject}_perceptionNaturalImage{part}_original_VC.h5', n)
            for part, n in (('Training', training), ('Test', test))
        ),
    )


def _fmriprep(subject: str, *parts: tuple[str, int, str]) -> Source:
    return Source(
        f'deep image reconstruction, {subject}, whole volume (fMRIPrep)',
        _DEEP,
        tuple(
            File(f'{subject}_{part}_fmriprep_volume_native.h5', n, md5)
            for part, n, md5 in parts
        ),
    )


def _features(about: str, pattern: str) -> Source:
    return Source(
        f'deep image reconstruction, {about}', _DEEP, pattern=f'{pattern}.zip'
    )


# As files are called -> as configs and commands call these pictures.
_DECODED = {
    'natural-VGG19': 'natural',
    'color_shape-VGG19': 'shape',
    'alphabet-VGG19': 'letter',
    'imagery-VGG19_leaky': 'imagery',
}
_TRUE = {
    'ImageNetTraining': 'training',
    'ImageNetTest': 'natural',
    'ArtificialShapes': 'shape',
}

SOURCES = {
    'deeprecon-original-sub-01': _original('sub-01', 14830643, 14830631),
    'deeprecon-original-sub-02': _original('sub-02', 14830712, 14830697),
    'deeprecon-original-sub-03': _original('sub-03', 14830862, 14830856),
    'deeprecon-fmriprep-sub-01': _fmriprep(
        'sub-01',
        ('ImageNetTraining', 37838826, 'f0aba206'),
        ('ImageNetTest', 37838595, '7ab3fd89'),
        ('ArtificialShapes', 37838487, '2899d192'),
    ),
    'deeprecon-fmriprep-sub-02': _fmriprep(
        'sub-02',
        ('ImageNetTraining', 37848333, '8a66fcc1'),
        ('ImageNetTest', 37848300, '3524e5ca'),
    ),
    'deeprecon-fmriprep-sub-03': _fmriprep(
        'sub-03',
        ('ImageNetTraining', 37850397, '889a3afe'),
        ('ImageNetTest', 37849986, 'b7ee9934'),
    ),
    'deeprecon-feature-std': Source(
        'deep image reconstruction, standard deviation of VGG19 features and '
        'mean picture',
        _DEEP,
        (
            File('estimated_vgg19_cnn_feat_std.mat', 13004384, '080d8a32'),
            File(
                'estimated_vgg19LeakyReluAvePool_cnn_feat_std.mat',
                13004381,
                'e839cf27',
            ),
            File('ilsvrc_2012_mean.npy', 13004387, '28a998b8'),
        ),
    ),
    **{
        f'deeprecon-decoded-{kind}-s{i}': _features(
            f'published decoded features ({kind}), subject {i}',
            f'decodedfeatures-{called}-*-S{i}',
        )
        for called, kind in _DECODED.items()
        for i in (1, 2, 3)
    },
    **{
        f'deeprecon-true-{kind}': _features(
            f'published true features of VGG19 ({kind} pictures)',
            f'features-{called}-caffe-VGG19-*',
        )
        for called, kind in _TRUE.items()
    },
    # The newer generation; the older has wrong category and image indices.
    # The numbers of subjects 2 to 4 are counted from those of 1 and 5.
    **{
        f'god-subject{i}': Source(
            f'generic object decoding, subject {i}',
            _GOD,
            (File(f'Subject{i}.h5', 24080117 + 3 * i),),
        )
        for i in range(1, 6)
    },
}


def folder(name: str) -> pathlib.Path:
    """Returns where the files of a source are kept."""
    return files.cache_folder('recordings', name)


def fetch(
    name: str,
    base: files.PathLike | None = None,
    progress: Progress | None = None,
    show_terms: Callable[[str], None] = lambda terms: None,
) -> list[pathlib.Path]:
    """Puts the files of a public recording into the cache.

    Files that are there are kept. A download that ends early goes on from
    there when started again.

    Args:
      name: one of SOURCES.
      base: an address to use instead of BASE, or a folder that holds the
        files.
      progress: called with the name of a file, the bytes that have come and
        the bytes in all (None if not known).
      show_terms: called with the terms of use, the first time only.

    Returns:
      The files; of archives that were unpacked, the folder.
    """
    check_known('recording', name, SOURCES)
    source = SOURCES[name]
    # The terms of an article are shown once, not with each of its sources.
    seen = files.cache_folder('recordings', 'terms', str(source.article))
    if not seen.exists():
        show_terms(source.terms)
        files.write_text(seen, source.terms + '\n')
    if source.pattern:
        return _fetch_archives(source, folder(name), base, progress)
    return fetch_files(source.files, folder(name), base, progress)


def _fetch_archives(
    source: Source,
    target: pathlib.Path,
    base: files.PathLike | None,
    progress: Progress | None,
) -> list[pathlib.Path]:
    """Fetches one archive after the other; the disk holds one of them."""
    found = article_files.find(source.article, source.pattern, target, base)
    for file in found:
        archive = target / file.name
        if not article_files.unpacked(archive).exists():
            fetch_files((file,), target, base, progress)
            article_files.unpack(archive, target)
    return [target]


def fetch_files(
    wanted: tuple[File, ...],
    target: pathlib.Path,
    base: files.PathLike | None = None,
    progress: Progress | None = None,
) -> list[pathlib.Path]:
    """Puts files into a folder, each whole and checked or not at all.

    Args:
      wanted: the files.
      target: the folder.
      base: as for `fetch`.
      progress: as for `fetch`.

    Returns:
      The files, in the order wanted.
    """
    base = str(base or BASE)
    for file in wanted:
        path = target / file.name
        if path.exists():
            continue
        if not web.is_url(base):
            _copy(pathlib.Path(base) / file.name, path, file.md5)
            continue

        def show(done: int, total: int | None, name: str = file.name) -> None:
            if progress is not None:
                progress(name, done, total)

        download.download(
            f'{base.rstrip("/")}/{file.number}',
            path,
            md5=file.md5,
            # A whole MD5 says more than a name, which figshare may change.
            filename=None if len(file.md5) == 32 else file.name,
            progress=show,
        )
    return [target / file.name for file in wanted]


def _copy(local: pathlib.Path, path: pathlib.Path, md5: str) -> None:
    if not local.is_file():
        raise InputError(
            f'{local} is not a file; give an address, or a folder that holds '
            'it.'
        )
    try:
        download.check_hash(local, 'md5', md5)
    except InputError as error:
        raise InputError(
            f'{local} has {error}; copy or download it again.'
        ) from error
    with files.atomic(path) as temporary:
        shutil.copyfile(local, temporary)
