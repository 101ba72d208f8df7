"""Files that are whole or not there: nobody reads a part, wherever a program is killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, shared: bool = False) -> Iterator[BinaryIO]:
    """Open a file to be written that gets its name when the block ends, in place of any before.

    Parameters
    ----------
    path
        The file. What is written lies beside it, in ``name.part``, until it is whole.
    shared
        Whether several processes may write this file at a time. Each then has a part of its own,
        which stays where its process is killed; otherwise the next one writes over it.

    Raises
    ------
    OSError
        If the file's folder is missing, or there is a folder of the file's name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ibtools._files import whole_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "numbers.txt"
    ...     with whole_file(file) as out:
    ...         _ = out.write(b"1 2 3")
    ...     file.read_text()
    '1 2 3'
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} to write {path.name} in; make it, or name another"
        )
    part = path.with_name(f"{path.name}.{os.getpid()}.part" if shared else f"{path.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def made_folder(path: Path) -> Path:
    """Return a folder, made with those above it if it is not there.

    Raises
    ------
    NotADirectoryError
        If a file is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(one for one in (path, *path.parents) if one.exists())
        raise NotADirectoryError(
            f"{file} is a file where a folder is needed; name another folder, or move the file away"
        ) from error
    return path


def write_whole(path: Path, text: str, *, shared: bool = False) -> None:
    """Write a text so that under its name there is the old one or the new one, never a part."""
    with whole_file(path, shared=shared) as out:
        out.write(text.encode())
