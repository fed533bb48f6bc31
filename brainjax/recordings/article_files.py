"""Files of a figshare article that are found by its own listing.

Of the features of deep image reconstruction there is an archive a layer, some
250 in all, whose numbers and checksums the article's listing tells
(https://docs.figshare.com, `GET /articles/ID/files`).
"""

import contextlib
import fnmatch
import json
import pathlib
from typing import NamedTuple

from brainjax.errors import InputError, listed
from brainjax.io import archives, download, files, memory, web

API = 'https://api.figshare.com/v2'
LISTING = 'listing.json'
_PAGE = 1000  # Files of an answer, the most there can be.


class File(NamedTuple):
    """One file.

    Attributes:
      name: as it is kept.
      number: what follows the base of the address.
      md5: its MD5 in hexadecimal, or the first digits of it; '' where it is
        not known, so that only the name the server gives is checked.
    """

    name: str
    number: int
    md5: str = ''


def find(
    article: int,
    pattern: str,
    folder: pathlib.Path,
    base: files.PathLike | None = None,
) -> tuple[File, ...]:
    """Returns the files of an article whose names match, by name.

    Args:
      article: its number.
      pattern: of the names, as `fnmatch` has it.
      folder: keeps the listing, which is fetched once.
      base: a folder of copies, which is listed instead; or anything else.
    """
    if base and not web.is_url(str(base)):
        found = [File(p.name, 0) for p in files.visible(base, '*')]
    else:
        found = _listed(article, folder)
    # Figshare leaves dashes out of some names.
    chosen = [
        each
        for each in found
        if fnmatch.fnmatch(*(x.replace('-', '') for x in (each.name, pattern)))
    ]
    if not chosen:
        some = listed([each.name for each in found[:3]]) or 'none'
        raise InputError(
            f'{base or f"figshare article {article}"} has no file {pattern}, '
            f'but {some}; name a folder of copies by --from.'
        )
    return tuple(sorted(chosen))


def _listed(article: int, folder: pathlib.Path) -> list[File]:
    path = folder / LISTING
    if not path.exists():
        entries, page = [], 1
        while len(entries) == _PAGE * (page - 1):
            part = folder / f'{LISTING}.page'
            where = f'{API}/articles/{article}/files'
            download.download(f'{where}?page_size={_PAGE}&page={page}', part)
            entries += _page(part, where)
            page += 1
        # Nothing is kept that cannot be used.
        found = [_file(entry, article) for entry in entries]
        files.write_json(path, {'files': found})
    held = files.read_json(path, 'remove it, and it is fetched again')
    try:
        return [File(str(a), int(b), str(c)) for a, b, c in held['files']]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f'{path} is damaged ({error}); remove it, and it is fetched again.'
        ) from error


def _page(path: pathlib.Path, where: str) -> list:
    """Reads one answer, which goes."""
    try:
        found = json.loads(files.read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f'{where} gives no JSON ({error}); try again later.'
        ) from error
    finally:
        path.unlink()
    if not isinstance(found, list):
        raise InputError(f'{where} gives no list; try again later.')
    return found


def _file(entry: object, article: int) -> File:
    """Reads one entry: 'id', 'name', and an MD5 where figshare has one."""
    try:
        name, number = entry['name'], entry['id']
        md5 = entry.get('computed_md5') or entry.get('supplied_md5') or ''
        if pathlib.PurePath(name).name == name and int(md5 or '0', 16) >= 0:
            return File(name, int(number), md5.lower())
    except (TypeError, KeyError, ValueError, AttributeError):
        pass
    raise InputError(
        f'The listing of figshare article {article} holds {entry!r:.80}, which '
        'is no file with a name and a number; try again later.'
    )


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpacks an archive into a folder, each file whole, and removes it.

    Paths are those in the archive, which stay inside the folder.
    """
    with contextlib.ExitStack() as stack:
        held = archives.open_archive(archive, stack)
        for place, name in enumerate(held.names):
            path = folder / name
            inside = folder.resolve() in path.resolve().parents
            if not inside or '\0' in name:
                raise InputError(
                    f'{archive} holds {name!r}, which leads out of its folder; '
                    'remove it and fetch it again.'
                )
            content = held.read(place)
            memory.check_disk(folder, len(content), 'what is unpacked')
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.atomic(path) as part:
                pathlib.Path(part).write_bytes(content)
    files.write_text(unpacked(archive), '')
    archive.unlink()


def unpacked(archive: pathlib.Path) -> pathlib.Path:
    """Returns the file that says that an archive was unpacked."""
    return archive.with_name(f'{archive.name}.unpacked')
