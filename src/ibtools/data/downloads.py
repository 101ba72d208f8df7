"""Data files that are downloaded once, checked always, and never trusted half.

Not pooch: it begins a cut download anew, knows one address a file, and processes do not wait.
"""

import gzip
import hashlib
import http.client
import os
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from ibtools._validation import quiet

_BLOCK = 2**16
_SECONDS_OF_SILENCE = 30.0
# A connection that is cut is taken up again as long as it brings something, but not for ever.
_CONNECTIONS_PER_MIRROR = 5


class DataError(OSError):
    """A data file is missing and cannot be had, or is not what it should be."""


class RemoteFile(NamedTuple):
    """A published file: its name, and the MD5 checksum that tells whether it is whole."""

    name: str
    md5: str


class _MirrorError(Exception):
    """A mirror did not give what was asked of it."""


def local_file(
    file: RemoteFile,
    *,
    folder: str,
    root: str | PathLike[str] | None,
    mirrors: Sequence[str],
    download: bool,
    content: str | None = None,
) -> Path:
    """Return where a file with the right checksum lies, downloading it if it is not there.

    The file lies at ``root/folder/name``. A download grows in ``name.part`` beside it, which
    survives an interruption and is taken up again; under its own name the file appears whole.
    Processes that want the same file wait for the one that downloads it.

    Parameters
    ----------
    file
        Its name and checksum.
    folder
        Which subfolder of `root` is meant for it.
    root
        The folder of all data sets; default `default_root`.
    mirrors
        Addresses (http, https or file) of folders that hold the file, tried in turn.
    download
        Whether a missing file may be downloaded.
    content
        MD5 checksum of what a gzip file holds: the file may then be packed in another way.

    Raises
    ------
    DataError
        If the file is missing and no mirror gives it, or it is there with another checksum.
    TypeError, ValueError
        If `root` is not a path, or `mirrors` not a sequence of addresses.
    """
    mirrors = _addresses(mirrors)
    if not isinstance(download, bool):
        raise TypeError(f"download must be True or False, got {download!r}; give a bool")
    path = folder_of_all(root) / folder / file.name
    if path.exists():
        return _checked(path, file, content)
    if not download:
        raise DataError(
            f"{path} is not there, and download=False forbids to fetch it.\n"
            + _by_hand(path, file, mirrors)
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error

    from filelock import FileLock

    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.exists():  # another process was faster
            return _checked(path, file, content)
        _download(path, file, mirrors, content)
    return path


def default_root() -> Path:
    """Return where data files are kept unless one says otherwise.

    The environment variable ``IBTOOLS_DATA``, else ``ibtools`` in ``XDG_CACHE_HOME`` or
    ``~/.cache``.
    """
    if own := os.environ.get("IBTOOLS_DATA"):
        return Path(own).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "ibtools"


def folder_of_all(root: str | PathLike[str] | None) -> Path:
    """Return the folder of all data sets that `root` names, `default_root` for None."""
    try:
        return default_root() if root is None else Path(root).expanduser()
    except TypeError as error:
        raise TypeError(
            f"root must be the path of a folder, got {root!r}; give a str, a Path or None"
        ) from error
    except RuntimeError as error:
        named = os.environ.get("IBTOOLS_DATA", "~") if root is None else root
        raise DataError(
            f"the folder of the data sets, {str(named)!r}, is in a home folder that is not known "
            "here; give it in full, with root= or the environment variable IBTOOLS_DATA"
        ) from error


def _addresses(mirrors: Sequence[str]) -> tuple[str, ...]:
    listed = (
        tuple(mirrors) if isinstance(mirrors, Iterable) and not isinstance(mirrors, str) else ()
    )
    if not listed or not all(
        isinstance(mirror, str) and mirror.startswith(("http://", "https://", "file://"))
        for mirror in listed
    ):
        raise ValueError(
            "mirrors must be a sequence of addresses that begin with http://, https:// or file://, "
            f"got {mirrors!r}; for example mirrors=('https://example.org/mnist/',)"
        )
    return listed


def _address(mirror: str, file: RemoteFile) -> str:
    return f"{mirror.rstrip('/')}/{file.name}"


def _checked(path: Path, file: RemoteFile, content: str | None) -> Path:
    try:
        found = _checksum(path, file, content)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}; make it a file that you may read, or name "
            "another folder with root= or the environment variable IBTOOLS_DATA"
        ) from error
    if found != file.md5:
        raise DataError(
            f"{path} is corrupt: its MD5 checksum is {found}, expected {file.md5}; "
            "delete it and call again to download it anew"
        )
    return path


def _checksum(path: Path, file: RemoteFile, content: str | None) -> str:
    """Return a file's MD5 checksum, or the one it should have if its content is right."""
    found = _md5(path)
    if found != file.md5 and content is not None:
        try:
            with gzip.open(path) as stream:
                inside = hashlib.md5(stream.read(), usedforsecurity=False).hexdigest()
        except (OSError, EOFError, zlib.error):
            return found
        return file.md5 if inside == content else found
    return found


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(path: Path, file: RemoteFile, mirrors: Sequence[str], content: str | None) -> None:
    """Bring the file to `path`, or raise a DataError that says what every mirror answered."""
    part = path.with_name(f"{path.name}.part")
    failures = []
    try:
        if _size(part) and _checksum(part, file, content) == file.md5:
            part.replace(path)
            return
        for mirror in mirrors:
            address = _address(mirror, file)
            failure = ""
            for _ in range(_CONNECTIONS_PER_MIRROR):
                before = _size(part)
                try:
                    resumed = _receive(address, part)
                except _MirrorError as error:
                    failure = str(error)
                    if _size(part) > before:
                        continue
                    break
                found = _checksum(part, file, content)
                if found == file.md5:
                    part.replace(path)
                    return
                part.unlink()
                failure = f"its MD5 checksum is {found}, expected {file.md5}; removed"
                if not resumed:
                    break  # else the first piece may have been wrong: once more, from nothing
            failures.append(f"  {address}: {failure}")
    except OSError as error:
        raise _unwritable(path, error) from error
    kept = _size(part)
    raise DataError(
        f"{file.name} is not in {path.parent}, and no mirror gives it:\n"
        + "\n".join(failures)
        + "\n"
        + (f"The first {kept} bytes are kept; the next call goes on from there.\n" if kept else "")
        + _by_hand(path, file, mirrors)
    )


def _receive(address: str, part: Path) -> bool:
    """Append what `part` lacks; return whether there was something to append to.

    Whatever goes wrong on the way here is a _MirrorError, and `part` keeps what came; what goes
    wrong on the disk is an OSError.
    """
    import urllib.error
    import urllib.request

    have = _size(part)
    request = urllib.request.Request(address, headers={"User-Agent": "ibtools"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # longer than the whole file, so not a piece of it
            return _receive(address, part)
        raise _MirrorError(str(error)) from error
    except urllib.error.URLError as error:
        raise _MirrorError(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _MirrorError(_words(error)) from error
    with answer:
        partial = getattr(answer, "status", None) == http.client.PARTIAL_CONTENT
        if partial and not re.match(rf"bytes {have}-", answer.headers.get("Content-Range", "")):
            raise _MirrorError(
                f"asked for the bytes from {have} on, it sent "
                f"{answer.headers.get('Content-Range')!r}"
            )
        resumed = partial and have > 0
        length = answer.headers.get("Content-Length", "")
        total = int(length) + have * resumed if length.isdecimal() else None
        _write(answer.read, part, resumed=resumed, total=total)
    return resumed


def _write(read: Callable[[int], bytes], part: Path, *, resumed: bool, total: int | None) -> None:
    from tqdm import tqdm

    with (
        part.open("ab" if resumed else "wb") as stream,
        tqdm(
            desc=part.stem,
            total=total,
            initial=stream.tell(),
            unit="B",
            unit_scale=True,
            disable=quiet(),
        ) as bar,
    ):
        while True:
            try:
                block = read(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise _MirrorError(f"{_words(error)}, after {stream.tell()} bytes") from error
            if not block:
                break
            stream.write(block)
            bar.update(len(block))
        if total is not None and stream.tell() < total:
            raise _MirrorError(f"the connection was cut after {stream.tell()} of {total} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _by_hand(path: Path, file: RemoteFile, mirrors: Sequence[str]) -> str:
    return (
        f"To put it there by hand, fetch {_address(mirrors[0], file)} (MD5 {file.md5}) on a "
        f"machine that can, and save it as {path}. Or name other addresses with mirrors=, or the "
        "folder that has it with root= or the environment variable IBTOOLS_DATA."
    )


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path.name} cannot be kept in {path.parent}: {error.strerror or error}; name a folder "
        "one may write to with root= or the environment variable IBTOOLS_DATA, or make room"
    )
