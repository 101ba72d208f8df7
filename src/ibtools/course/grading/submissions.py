"""Which files were handed in, and by whom."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ibtools.course.grading.master import Master
from ibtools.course.grading.notebooks import UnreadableError, read_notebook

# How an LMS names what one downloads: Canvas a file, Moodle a folder.
CANVAS = re.compile(r"^(?P<name>[^_]+)(?:_LATE)?_(?P<id>\d+)_\d+_")
MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_file")
PASSED_OVER = {".ipynb_checkpoints", "__MACOSX", "__pycache__"}


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    Attributes
    ----------
    student
        By the name of the folder or of the file.
    lms
        Their number in the LMS, where the names have one.
    path
        The file that is graded.
    notes
        What is unusual about it.
    """

    student: str
    path: Path
    lms: str = ""
    notes: tuple[str, ...] = ()


def find_submissions(folder: Path, master: Master, master_path: Path) -> list[Submission]:
    """Return what was handed in, in the order of the students' names.

    Parameters
    ----------
    folder
        It holds a file for each student, or a folder for each, or both: what Canvas, Moodle and
        JupyterHub give. A file's name counts for nothing in a student's own folder.
    master
        The master; of several files in a folder the one most like it is graded.
    master_path
        Its file, which is passed over if it lies there.

    Returns
    -------
    list of Submission
        One for each student.

    Raises
    ------
    ValueError
        If there is nothing.
    """
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in PASSED_OVER:
            continue
        if entry.is_dir():
            found.setdefault(entry.name, []).extend(_files(entry))
        elif entry.resolve() != master_path.resolve():
            found.setdefault(entry.name, []).append(entry)
    if not found:
        raise ValueError(
            "the folder of submissions must hold a file or a folder for each student, and "
            f"{folder} holds none; unpack what the LMS gave you there"
        )
    names: dict[str, int] = {}
    submissions = []
    for name, paths in found.items():
        student, lms = student_of(name)
        names[student] = names.get(student, 0) + 1
        if names[student] > 1:
            student = f"{student} ({names[student]})"
        submissions.append(_chosen(student, lms, paths, folder / name, master))
    return submissions


def student_of(name: str) -> tuple[str, str]:
    """Return the student and their number in the LMS, by a file's or a folder's name.

    Examples
    --------
    >>> from ibtools.course.grading.submissions import student_of
    >>> student_of("lovelaceada_1815_77_imd.ipynb"), student_of("ada.ipynb")
    (('lovelaceada', '1815'), ('ada', ''))
    >>> student_of("Ada Lovelace_3_assignsubmission_file")
    ('Ada Lovelace', '3')
    """
    for pattern in (MOODLE, CANVAS):
        if match := pattern.match(name):
            return match["name"], match["id"]
    return re.sub(r"(\.(ipynb|json|txt|html))+$", "", name) or name, ""


def _files(folder: Path) -> Iterable[Path]:
    return (
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and not PASSED_OVER & set(path.relative_to(folder).parts)
    )


def _chosen(student: str, lms: str, paths: list[Path], place: Path, master: Master) -> Submission:
    if not paths:
        return Submission(student, place, lms, ("the folder is empty",))
    if len(paths) > 1:
        paths = sorted(paths, key=lambda path: -_likeness(path, master))
        others = f"{len(paths)} files were handed in, graded is {paths[0].name}"
        return Submission(student, paths[0], lms, (others,))
    renamed = paths[0].suffix != ".ipynb"
    return Submission(student, paths[0], lms, ("the file's name is no notebook's",) * renamed)


def _likeness(path: Path, master: Master) -> float:
    try:
        notebook = read_notebook(path)
    except UnreadableError:
        return -1.0
    ids = {cell.id for cell in master.cells}
    return sum(cell.id in ids for cell in notebook.cells) + 0.5 * (path.suffix == ".ipynb")
