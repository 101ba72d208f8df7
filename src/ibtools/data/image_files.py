"""The file formats that MNIST and CIFAR-10 are published in."""

import gzip
import math
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ibtools.data.downloads import DataError

_CIFAR10_FOLDER = "cifar-10-batches-bin"
_CIFAR10_SHAPE = (3, 32, 32)
_UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError)


def read_idx(path: Path, *, ndim: int) -> UInt8[np.ndarray, "..."]:
    """Return the bytes of an IDX file, gzipped or not, an array of `ndim` axes.

    The format (LeCun): two zero bytes, the type (8, unsigned bytes), the number of axes, the size
    of each axis as a big-endian 32-bit integer, then the values, the last axis fastest.
    """
    content = unpacked(path)
    magic = bytes([0, 0, 8, ndim])
    if content[:4] != magic:
        raise _broken(path, f"it must begin with the bytes {magic.hex()}, not {content[:4].hex()}")
    body = 4 + 4 * ndim
    if len(content) < body:
        raise _broken(path, f"its header has {len(content)} of {body} bytes")
    shape = tuple(int(size) for size in np.frombuffer(content[4:body], dtype=">u4"))
    if len(content) - body != math.prod(shape) or 0 in shape:
        raise _broken(
            path,
            f"its header promises shape {shape}, and {len(content) - body} bytes follow it",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=body).reshape(shape)


def unpacked(path: Path) -> bytes:
    """Return what an IDX file holds, gzipped or not."""
    try:
        with path.open("rb") as plain:
            if plain.read(3) == bytes([0, 0, 8]):
                return bytes([0, 0, 8]) + plain.read()
        with gzip.open(path) as stream:
            return stream.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _broken(path, f"it is not a whole gzip file ({error})") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}; make it a file that you may read"
        ) from error


def find_idx(
    top: Path, folders: Sequence[str], name: str, accept: Callable[[bytes, Path], str]
) -> Path | None:
    """Return the file that holds what is wanted, under any of the names it goes by.

    Parameters
    ----------
    top, folders
        Where to look: these subfolders, or absolute folders.
    name
        The published name, ``train-images-idx3-ubyte.gz``.
    accept
        What is wrong with a content, in words for the reader; nothing if it is right.

    Raises
    ------
    DataError
        If there are files of such a name, and none is right.
    """
    plain = name.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")
    wrong = []
    for folder in folders:
        for called in (name, plain, dotted, f"{dotted}.gz"):
            path = top / folder / called
            if not path.is_file():
                continue
            try:
                told = accept(unpacked(path), path)
            except DataError as error:
                told = str(error)
            if not told:
                return path
            wrong.append(told)
    if wrong:
        raise DataError("\n".join(wrong))
    return None


def read_cifar10(
    path: Path, *, batches: Sequence[str]
) -> tuple[UInt8[np.ndarray, "n 3 32 32"], UInt8[np.ndarray, " n"]]:
    """Return the images and labels of some of the batches in CIFAR-10's binary archive.

    The format (Krizhevsky): one record after another, each a byte for the class and 3·32·32 bytes
    for the red, green and blue pixels, row by row.
    """
    wanted = {f"{_CIFAR10_FOLDER}/{name}": name for name in batches}
    contents: dict[str, bytes] = {}
    try:
        # Members are read as they come, into memory: looking for each would decompress the archive
        # again and again, and nothing is written where a member's name says.
        with tarfile.open(path, mode="r|gz") as archive:
            for member in archive:
                name = wanted.get(member.name.removeprefix("./"))
                stream = archive.extractfile(member) if name else None
                if name and stream:
                    contents[name] = stream.read()
                if len(contents) == len(wanted):
                    break
    except _UNREADABLE as error:
        raise _broken(path, f"it is not a whole gzipped tar archive ({error})") from error
    if missing := [name for name in batches if name not in contents]:
        raise _broken(path, f"it lacks {', '.join(missing)}")
    record = 1 + math.prod(_CIFAR10_SHAPE)
    for name, content in contents.items():
        if not content or len(content) % record:
            raise _broken(
                path, f"{name} has {len(content)} bytes, not a multiple of {record}, one record"
            )
    values = np.frombuffer(b"".join(contents[name] for name in batches), dtype=np.uint8)
    values = values.reshape(-1, record)
    labels = values[:, 0]
    if labels.max() > 9:
        raise _broken(path, f"it has a label {labels.max()}, and the classes are 0 to 9")
    return values[:, 1:].reshape(-1, *_CIFAR10_SHAPE), labels


def _broken(path: Path, what: str) -> DataError:
    return DataError(f"{path} cannot be used: {what}; delete it and call again to download it anew")
