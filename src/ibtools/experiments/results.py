"""What a finished experiment leaves: one small file with its curves and how they were made."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ibtools._console import read_record
from ibtools._files import made_folder, write_whole

_DIGITS = 6
_VERSIONS = ("numpy", "scipy", "torch")


@dataclass(frozen=True)
class Result:
    """What is kept of an experiment.

    Attributes
    ----------
    name
        The experiment's name.
    about
        How it was made: "command", "commit", "date", "machine", "versions", "seconds" (processor
        time of all runs), "memory" (most that a run held, GB).
    runs
        For each run its settings and its columns.
    first
        Numbers of the first steps on the images kept for that, by name, for each kind of run.
    """

    name: str
    about: Mapping[str, Any]
    runs: tuple[Mapping[str, Any], ...]
    first: Mapping[str, Any]

    def run(self, **settings: object) -> Mapping[str, Any]:
        """Return the one run with these settings.

        Parameters
        ----------
        **settings
            What tells it from the others.

        Raises
        ------
        ValueError
            If there is none, or more than one.
        """
        found = [one for one in self.runs if all(one.get(key) == v for key, v in settings.items())]
        if len(found) != 1:
            raise ValueError(
                f"settings must single out one of the {len(self.runs)} runs of {self.name}, "
                f"{settings} is said of {len(found)}; name others"
            )
        return found[0]

    def column(self, name: str, **settings: object) -> Shaped[np.ndarray, "..."]:
        """Return a column of the one run with these settings.

        Parameters
        ----------
        name
            Of the column.
        **settings
            As for `run`.

        Raises
        ------
        ValueError
            If there is no such run or column.
        """
        run = self.run(**settings)
        if name not in run:
            raise ValueError(f"name must be one of {sorted(run)}, got {name!r}; take one of those")
        return np.array([math.nan if x is None else x for x in np.atleast_1d(run[name])])


def folder_of_results() -> Path:
    """Return the folder with the results that come with the package.

    See Also
    --------
    load_result : Reads one of them.
    """
    return Path(__file__).resolve().parent / "_results"


def load_result(name: str, folder: str | os.PathLike[str] | None = None) -> Result:
    """Return what is kept of an experiment.

    Parameters
    ----------
    name
        Its name; ``python -m ibtools.experiments list`` has them all.
    folder
        Where results are kept; default those that come with the package.

    Returns
    -------
    Result
        Its curves, and how they were made.

    Raises
    ------
    OSError
        If there is none, or the file is damaged.

    Examples
    --------
    >>> from ibtools.experiments import load_result
    >>> load_result("mnist-20-two-layer").run(noise=0.1, scale=1e-3, seed=0)["samples"]
    20
    """
    place = folder_of_results() if folder is None else Path(folder)
    path = place / f"{name}.json"
    mend = f"python -m ibtools.experiments run {name} makes it"
    record = read_record(path, mend)
    try:
        about, runs, first = record["about"], record["runs"], record["first"]
        return Result(name, dict(about), tuple(map(dict, runs)), dict(first))  # type: ignore[call-overload]
    except (KeyError, TypeError, ValueError) as error:
        raise OSError(f"{path} holds no result ({error!r}); {mend}") from error


def write_result(result: Result, folder: str | os.PathLike[str]) -> Path:
    """Write a result, whole or not at all, over the one before; return its file.

    Parameters
    ----------
    result
        What to keep; numbers are kept to six digits.
    folder
        Where results are kept; it is made.
    """
    place = made_folder(Path(folder))
    path = place / f"{result.name}.json"
    record = {
        "about": dict(result.about),
        "first": rounded(result.first),
        "runs": rounded(list(result.runs)),
    }
    write_whole(path, _text(record))
    return path


def rounded(value: Any) -> Any:
    """Return the same with six digits, arrays as lists and what is not finite as None."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return rounded(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(one) for one in value]
    if isinstance(value, np.generic):
        return rounded(value.item())
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def provenance(
    command: str, commit: str, device: str, seconds: float, memory: float
) -> dict[str, Any]:
    """Return what a result says of how it was made; no name of a person, host or folder is in it.

    Parameters
    ----------
    command
        That makes it anew.
    commit
        Of the code when it began.
    device
        "cpu" or a PyTorch device.
    seconds
        Processor time of all runs.
    memory
        The most that a run held, GB.
    """
    return {
        "command": command,
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": _machine(device),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _VERSIONS},
        },
        "seconds": round(seconds, 3),
        "memory": round(memory, 2),
    }


def commit_of_code() -> str:
    """Return the commit of the package's code, and whether anything was changed since."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
    except (OSError, subprocess.CalledProcessError):
        return _release()
    return f"{commit} and changes" if changed else commit


def _release() -> str:
    try:
        return f"release {metadata.version('ibtools')}"
    except metadata.PackageNotFoundError:
        return "code that is neither installed nor in a repository"


def _machine(device: str) -> dict[str, Any]:
    about: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": round(memory_of_machine(), 1),
    }
    if device.startswith("cuda"):
        import torch

        about["gpu"] = torch.cuda.get_device_name(device)
    return about


def memory_of_machine() -> float:
    """Return the memory that there is, GB; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, OSError, ValueError):
        return 0.0


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _text(record: Mapping[str, Any]) -> str:
    """Return the record as JSON, each column on a line of its own."""

    def columns(named: Mapping[str, Any], indent: str) -> str:
        lines = [f"{indent} {_json(key)}: {_json(value)}" for key, value in named.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"

    about = columns(record["about"], " ")
    first = ",\n".join(f"  {_json(k)}: {columns(v, '  ')}" for k, v in record["first"].items())
    runs = ",\n".join(f"  {columns(run, '  ')}" for run in record["runs"])
    return f'{{\n "about": {about},\n "first": {{\n{first}\n }},\n "runs": [\n{runs}\n ]\n}}\n'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
