"""The table of grades: a row for each student, whole on disk whenever one is done."""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ibtools._files import write_whole
from ibtools.course.grading.master import Master
from ibtools.course.grading.pool import Graded
from ibtools.course.grading.submissions import Submission

FIRST = ("student", "lms id", "named in the notebook", "status", "points", "of")
LAST = ("notes", "network", "seconds", "file", "digest")
LMS = ("canvas", "moodle")

Row = dict[str, str]


def row_of(graded: Graded, master: Master, digest: str) -> Row:
    """Return the row of one student."""
    submission, judged = graded.submission, graded.judged
    scores = {
        check.exercise: check.points * judged.results.get(check.exercise, {}).get("score", 0.0)
        for check in master.checks
    }
    cut = {True: "cut off", False: "NOT cut off", None: ""}[judged.network]
    return {
        "student": submission.student,
        "lms id": submission.lms,
        "named in the notebook": judged.student,
        "status": graded.status,
        "points": number(sum(scores.values())),
        "of": number(master.points),
        **{exercise: number(score) for exercise, score in scores.items()},
        "notes": "; ".join(judged.notes),
        "network": cut,
        "seconds": f"{graded.seconds:.1f}",
        "file": submission.path.name,
        "digest": digest,
    }


def number(value: float) -> str:
    """Return points as one writes them."""
    return f"{round(value, 4):g}"


def digest_of(submission: Submission, *what_else: str) -> str:
    """Return what a row depends on, in a word: a row with the same one need not be made again."""
    sha = hashlib.sha256("\0".join(what_else).encode())
    if submission.path.is_file():
        sha.update(submission.path.read_bytes())
    return sha.hexdigest()[:16]


def read_rows(path: Path) -> dict[str, Row]:
    """Return the rows of an earlier run by student, none if there was none."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["student"]: row for row in rows if row.get("student") and row.get("digest")}


def write_rows(path: Path, rows: Sequence[Row], master: Master) -> None:
    """Write the table whole."""
    columns = [*FIRST, *(check.exercise for check in master.checks), *LAST]
    write_whole(path, as_csv(columns, rows))


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """Return a table as text."""
    out = io.StringIO()
    table = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\r\n")
    table.writeheader()
    table.writerows({key: harmless(str(value)) for key, value in row.items()} for row in rows)
    return out.getvalue()


def harmless(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t", "\r") or text[:2] == "-=" else text


def flag_doubles(rows: Sequence[Row]) -> None:
    """Note where two students worked on the data of one name."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        named = " ".join(row["named in the notebook"].casefold().split())
        if named:
            by_name.setdefault(named, []).append(row)
    for named, same in by_name.items():
        if len(same) > 1 or named == "...":
            for row in same:
                others = ", ".join(other["student"] for other in same if other is not row)
                note = "no name was put in, so that the data are nobody's own"
                if named != "...":
                    note = f"the same name, and so the same data, as {others}"
                if note not in row["notes"]:
                    row["notes"] = "; ".join(filter(None, [row["notes"], note]))


def for_lms(which: str, rows: Sequence[Row], assignment: str, points: float) -> str:
    """Return the table that an LMS imports.

    Parameters
    ----------
    which
        ``"canvas"`` or ``"moodle"``.
    rows
        The rows of the table.
    assignment
        What the assignment is called in the LMS.
    points
        What can be had.

    Returns
    -------
    str
        CSV with the columns' names that the LMS asks for. Students are known by their number there,
        which the names of what one downloads from it hold.
    """
    if which == "canvas":
        columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment]
        possible = {"Student": "    Points Possible", assignment: number(points)}
        table = [
            {"Student": row["student"], "ID": row["lms id"], assignment: row["points"]}
            for row in rows
        ]
        return as_csv(columns, [possible, *table])
    columns = ["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]
    return as_csv(
        columns,
        [
            {
                "Identifier": f"Participant {row['lms id']}" if row["lms id"] else "",
                "Full name": row["student"],
                "Grade": row["points"],
                "Maximum Grade": number(points),
                "Feedback comments": row["notes"],
            }
            for row in rows
        ],
    )
