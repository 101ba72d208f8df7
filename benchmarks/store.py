"""The last full run, kept in ``results/benchmarks.json``: the book's page draws it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import defined
from benchmarks.measure import LEFT_OUT
from ibtools.experiments.results import (
    Result,
    commit_of_code,
    folder_of_results,
    load_result,
    provenance,
    write_result,
)

NAME = "benchmarks"
_COMPETITORS = ("scikit-learn", "torchdiffeq", "diffrax", "jax", "cvxpy", "clarabel")


def spent() -> float:
    """Return the CPU seconds of this process so far, and of those that it has started."""
    return sum(os.times()[:4])


def about_section(section: str, *, command: str, begun: float, cap: float) -> dict[str, Any]:
    """Return how a section's rows were made, which began at `begun` CPU seconds."""
    made = provenance("make bench", commit_of_code(), "cpu", spent() - begun, 0.0)
    return {
        "section": section,
        "command": command,
        "date": made["date"],
        "commit": made["commit"],
        "cpu_seconds": made["seconds"],
        "cap": cap,
    }


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows of the same names as a list for each name."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def figure_rows(seconds: float, others: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the section *figure* as rows."""
    found = {defined.FIGURE_OURS: (seconds, None, True), **others}
    return [
        {
            "problem": defined.FIGURE,
            "name": name,
            "seconds": taken,
            "ratio": taken / seconds,
            "limit_error": error,
            "finished": finished,
        }
        for name, (taken, error, finished) in found.items()
    ]


def import_rows(times: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Return the section *imports* as rows."""
    return [
        {"problem": defined.IMPORTS, "name": line, "seconds": taken}
        for line, taken in times.items()
    ]


def differing(runs: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Return for each section the rows that are defined and not there, or there and not defined."""
    wanted = defined.rows()
    there = {
        run["section"]: {*zip(run.get("problem", ()), run.get("name", ()), strict=True)}
        for run in runs
    }
    found = {
        name: sorted(wanted.get(name, set()) ^ there.get(name, set()))
        for name in {**wanted, **there}
    }
    return {name: rows for name, rows in found.items() if rows}


def keep(
    sections: Mapping[str, Mapping[str, Any]], folder: str | os.PathLike[str] | None = None
) -> str:
    """Write what was run, and of sections that were not what is there; return a sentence about it.

    Parameters
    ----------
    sections
        Of each how it was made, and its columns.
    folder
        Where results are kept; by default those of the package.

    Raises
    ------
    ValueError
        If not all rows of a section were run, or what is there and stays is of another machine or
        of other versions.
    """
    place = folder_of_results() if folder is None else Path(folder)
    lost = {name: rows for name, rows in differing(sections.values()).items() if name in sections}
    absent = {
        name
        for section, run in sections.items()
        for name, seconds, note in zip(
            run["name"], run["seconds"], run.get("note", run["name"]), strict=True
        )
        if seconds is None and not note.startswith(LEFT_OUT)
    }
    if lost or absent:
        raise ValueError(
            f"not all rows were run ({lost or absent}); install benchmarks/requirements.txt, and "
            "run whole sections with their defaults"
        )
    about = provenance("make bench", commit_of_code(), "cpu", 0.0, 0.0)
    about["versions"] |= {name: _version(name) for name in _COMPETITORS}
    runs = dict(sections)
    if (place / f"{NAME}.json").exists():
        before = load_result(NAME, place)
        rest = [run for run in before.runs if run["section"] not in runs]
        for what in ("machine", "versions"):
            if rest and before.about[what] != about[what]:
                raise ValueError(
                    f"what is kept has other {what} ({before.about[what]}) than this run "
                    f"({about[what]}); run all sections"
                )
        runs |= {run["section"]: run for run in rest}
    about["seconds"] = round(sum(run["cpu_seconds"] for run in runs.values()), 1)
    del about["memory"]
    ordered = tuple(runs[name] for name in defined.SECTIONS if name in runs)
    return f"kept in {write_result(Result(NAME, about, ordered, {}), place)}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
