"""The command ``python -m ibtools.course grade``."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from ibtools._files import made_folder, write_whole
from ibtools._threads import ONE_THREAD
from ibtools._validation import quiet
from ibtools.course.grading.feedback import file_name, page
from ibtools.course.grading.judge import Limits
from ibtools.course.grading.master import Master, read_master
from ibtools.course.grading.pool import grade_all
from ibtools.course.grading.submissions import Submission, find_submissions
from ibtools.course.grading.table import (
    LMS,
    Row,
    digest_of,
    flag_doubles,
    for_lms,
    read_rows,
    row_of,
    write_rows,
)

IMAGE = (
    r"printf 'FROM python:3.12\nCOPY . /book\nRUN pip install /book[nets,show]\n'"
    " | docker build -t ibtools -f - ."
)
CONTAINER = (
    "docker run --rm --network none --memory 4g --cpus 2 --pids-limit 256 --read-only "
    "--tmpfs /tmp --user $(id -u):$(id -g) -v $PWD:/class -w /class ibtools "
    "python -m ibtools.course grade MASTER submissions --csv grades.csv"
)
_ABOUT = f"""\
Grade a folder of notebooks: a CSV with a row for each student, and a page of feedback for each. A
row is on disk as soon as it is done; the same command goes on where it stopped. Submissions run as
you, within limits on time and memory; they can read and remove what you can. Code that you do not
trust belongs in a container. Its image is built once, in the book's folder; the second line grades:

  {IMAGE}

  {CONTAINER}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = _ABOUT
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("master", type=Path, help="the notebook that was handed out")
    parser.add_argument(
        "submissions", type=Path, nargs="?", help="folder of a file or a folder for each student"
    )
    parser.add_argument("--csv", type=Path, default=Path("grades.csv"), help="the table to write")
    parser.add_argument(
        "--feedback", type=Path, help="folder of the pages; default beside the table"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument(
        "--seconds", type=float, default=60, help="of CPU, for one cell; default 60"
    )
    parser.add_argument(
        "--memory", type=int, default=2048, help="MB for a submission; default 2048"
    )
    parser.add_argument("--seed", type=int, default=0, help="each student's own comes from it")
    parser.add_argument("--lms", choices=LMS, help="write a table for it too, beside the other")
    parser.add_argument(
        "--otter", type=Path, metavar="FOLDER", help="grade nothing: write MASTER for otter assign"
    )
    parser.add_argument("--assignment", help="its name in the LMS; default the master's")


def run(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run the command; 0 whatever the submissions are like."""
    if not asked.master.is_file():
        parser.error(f"MASTER must be a file, got {asked.master}")
    if asked.otter is not None:
        return _export(asked, parser)
    if asked.submissions is None or not asked.submissions.is_dir():
        parser.error(f"submissions must be a folder, got {asked.submissions}")
    for name in ("jobs", "seconds", "memory"):
        if not getattr(asked, name) > 0:
            parser.error(f"--{name} must be positive, got {getattr(asked, name)}")
    if not asked.csv.parent.is_dir():
        parser.error(f"--csv must be in a folder that is there, got {asked.csv}")
    if not hasattr(os, "fork"):
        parser.error("grading needs Linux or macOS; on Windows run it in WSL or in a container")
    try:
        rows = grade(
            asked.master,
            asked.submissions,
            asked.csv,
            feedback=asked.feedback,
            jobs=asked.jobs,
            limits=Limits(asked.seconds, asked.memory),
            seed=asked.seed,
            lms=asked.lms,
            assignment=asked.assignment,
        )
    except ValueError as error:
        parser.error(str(error))
    print(_summary(rows, asked.csv))
    return 0


def _export(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from ibtools.course.grading.otter import export

    try:
        name = asked.assignment or asked.master.stem
        path = export(read_master(asked.master), name, asked.otter)
    except ValueError as error:
        parser.error(str(error))
    print(
        f"{path} is written; with otter-grader and ibtools installed\n"
        f"    otter assign {path} {asked.otter / 'dist'}\n"
        "makes the notebook for students and autograder.zip, which Gradescope takes."
    )
    return 0


def grade(
    master: Path,
    submissions: Path,
    csv: Path,
    *,
    feedback: Path | None = None,
    jobs: int = 1,
    limits: Limits | None = None,
    seed: int = 0,
    lms: str | None = None,
    assignment: str | None = None,
) -> list[Row]:
    """Grade a class.

    Parameters
    ----------
    master
        The notebook that was handed out; its check cells count, and no others.
    submissions
        A folder that holds a file or a folder for each student.
    csv
        The table; rows that are there already, of the same files, are kept as they are.
    feedback
        Folder of the students' pages; default ``feedback`` beside the table.
    jobs
        How many submissions are graded at a time.
    limits
        What each may use; default `Limits()`.
    seed
        Each student's own seed comes from it and from their name.
    lms
        ``"canvas"`` or ``"moodle"``: write ``grades.canvas.csv``, say, beside ``grades.csv``.
    assignment
        What the LMS calls it; default the master's name.

    Returns
    -------
    list of dict
        The rows of the table.

    Raises
    ------
    ValueError
        If the master has no checks or a set-up that fails, or nothing was handed in.
    """
    from threadpoolctl import threadpool_limits

    os.environ.setdefault("MPLBACKEND", "Agg")
    for name, one in ONE_THREAD.items():  # many notebooks at a time, each on one core
        os.environ.setdefault(name, one)
    read, limits = read_master(master), limits or Limits()
    found = find_submissions(submissions, read, master)
    feedback = made_folder(feedback or csv.parent / "feedback")
    keys = (repr(read), repr(limits), str(seed))
    digests = {each.student: digest_of(each, *keys) for each in found}
    earlier = read_rows(csv)
    rows: dict[str, Row] = {
        student: earlier[student]
        for student, digest in digests.items()
        if earlier.get(student, {}).get("digest") == digest
        and (feedback / file_name(student)).is_file()
    }
    waiting = [each for each in found if each.student not in rows]
    tqdm.monitor_interval = 0  # its thread would be copied into every process
    with _own_folder(), threadpool_limits(1), tqdm(
        total=len(found), initial=len(rows), desc="graded", disable=quiet()
    ) as bar:  # fmt: skip
        for graded in grade_all(read, waiting, limits=limits, jobs=jobs, seed=seed):
            student = graded.submission.student
            rows[student] = row_of(graded, read, digests[student])
            write_whole(feedback / file_name(student), page(graded, read))
            _write(csv, rows, found, read)
            bar.update()
    ordered = _write(csv, rows, found, read)
    if lms is not None:
        name = assignment or master.stem
        write_whole(csv.with_suffix(f".{lms}.csv"), for_lms(lms, ordered, name, read.points))
    return ordered


@contextlib.contextmanager
def _own_folder() -> Iterator[None]:
    """Keep IPython out of the home of whoever grades."""
    before = os.environ.get("IPYTHONDIR")
    with tempfile.TemporaryDirectory(prefix="grading-") as folder:
        os.environ["IPYTHONDIR"] = folder
        try:
            yield
        finally:
            del os.environ["IPYTHONDIR"]
            if before is not None:
                os.environ["IPYTHONDIR"] = before


def _write(csv: Path, rows: dict[str, Row], found: list[Submission], master: Master) -> list[Row]:
    ordered = [rows[each.student] for each in found if each.student in rows]
    flag_doubles(ordered)
    write_rows(csv, ordered, master)
    return ordered


def _summary(rows: list[Row], csv: Path) -> str:
    lines = [f"{len(rows)} graded; the table is {csv}"]
    for status in ("partly run", "not run"):
        names = [row["student"] for row in rows if row["status"] == status]
        lines += [f"  {status}: {', '.join(names)}"] * bool(names)
    if any(row["network"] == "NOT cut off" for row in rows):
        lines.append("  the network could not be cut off; see --help on containers")
    return "\n".join(lines)


def main_of(arguments: list[str]) -> int:
    """Run the command with its arguments."""
    parser = argparse.ArgumentParser(prog="python -m ibtools.course grade")
    add_arguments(parser)
    return run(parser.parse_args(arguments), parser)


if __name__ == "__main__":
    sys.exit(main_of(sys.argv[1:]))
