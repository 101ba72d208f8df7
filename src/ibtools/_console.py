"""What the package's commands share: any terminal, errors in one sentence, exit statuses."""

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

# What mends an operation on a file, by what went wrong.
_MENDS = {
    errno.ENOSPC: "make room there, or name a folder on another disk",
    errno.EDQUOT: "make room there, or name a folder on another disk",
    errno.EACCES: "name a file or folder that you may read and write",
    errno.EPERM: "name a file or folder that you may read and write",
    errno.EROFS: "name a folder that can be written to",
    errno.ENOTDIR: "a part of this path is a file: name another folder, or move the file away",
    errno.EEXIST: "a file is where a folder must be: name another folder, or move the file away",
    errno.EISDIR: "a folder is where a file must be: name another file",
    errno.ENOENT: "the folder or file that holds it must be there: create it, or name another",
    errno.ENAMETOOLONG: "name a shorter path",
}


def run_command(command: Callable[[], int]) -> int:
    """Run a command and return its exit status, whatever the terminal and the files are like.

    What the terminal cannot show is written as an escape. An `OSError` becomes one sentence on
    standard error and the status 1. Who reads our output may stop before its end.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(sentence(error), file=sys.stderr)
        return 1
    return status


def sentence(error: OSError) -> str:
    """Return what went wrong with which file, and what mends it."""
    if error.strerror is None:  # one of our own, which says it all
        return str(error)
    file = f"{error.filename}: " if error.filename is not None else ""
    mend = _MENDS.get(error.errno or 0, "")
    return f"{file}{error.strerror}" + (f"; {mend}" if mend else "")


def read_record(path: Path, mend: str) -> dict[str, object]:
    """Return the JSON object in a file; an OSError with `mend` where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text)
    except FileNotFoundError as error:
        raise OSError(f"{path} is missing; {mend}") from error
    except ValueError as error:
        raise OSError(f"{path} is no whole JSON file ({error}); {mend}") from error
    if not isinstance(record, dict):
        raise OSError(f"{path} holds no JSON object; {mend}")
    return record
