"""A class of thirty: ten right, ten half right, ten broken in ten ways."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from editions.cells import notebook
from editions.items import Item
from editions.notebooks import asked, homework

from ibtools.course import checkers, problem

REPOSITORY = {"url": "https://host/a/b", "branch": "main"}
EXERCISE, HOMEWORK = "imd.tie", "hw1"
POINTS = 2 + 5

Nb = nbformat.NotebookNode


def master() -> Nb:
    """A homework, and an exercise of the book after it."""
    cells = homework(HOMEWORK, REPOSITORY, "").cells
    cells[2].source += "\nfrom ibtools.course import check"
    return notebook([*cells, *asked(Item("ex-imd-tie", "Exercise", "Which?"))], "sheet 1")


def answers(student: str) -> dict[str, Any]:
    """The right answers of a student, by the names in the notebook."""
    mine = problem(HOMEWORK, student=student)
    return {
        "tie_equal": checkers()[EXERCISE].questions[0].theory(),
        "tie_unequal": checkers()[EXERCISE].questions[1].theory(),
        **{f"{HOMEWORK}_{question.name}": question.theory() for question in mine.questions},
    }


def filled(student: str, given: dict[str, Any]) -> Nb:
    """The master with a name and answers put in."""
    sheet = copy.deepcopy(master())
    for cell in sheet.cells:
        if cell.metadata.ibtools.role != "answer" or cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        for index, line in enumerate(lines):
            name = line.partition(" = ")[0]
            if name == "student":
                lines[index] = f"student = {student!r}"
            elif name in given:
                value = given[name]
                plain = value.tolist() if hasattr(value, "tolist") else value
                lines[index] = f"{name} = {plain!r}"
        cell.source = "\n".join(lines)
    return sheet


def right(student: str) -> Nb:
    return filled(student, answers(student))


def half_right(student: str) -> Nb:
    """The exercise is right; of the homework, what is worth two points of five."""
    known = answers(student)
    wrong = {f"{HOMEWORK}_sparse": [9.0, 9.0, 9.0], f"{HOMEWORK}_limit": [0.0, 0.0, 0.0]}
    return filled(student, known | wrong)


def answer_cell(sheet: Nb, exercise: str) -> Nb:
    found = [
        cell
        for cell in sheet.cells
        if cell.cell_type == "code"
        and cell.metadata.ibtools.role == "answer"
        and cell.metadata.ibtools.get("exercise") == exercise
    ]
    return found[-1]


def with_code(code: str) -> Callable[[str], Nb]:
    """Everything right, and a cell of the student's own before the answers to the homework."""

    def make(student: str) -> Nb:
        sheet = right(student)
        sheet.cells.insert(4, nbformat.v4.new_code_cell(code))
        return sheet

    return make


def syntax_error(student: str) -> Nb:
    sheet = right(student)
    answer_cell(sheet, EXERCISE).source = "tie_equal = [0.5, 0.5\ntie_unequal = ["
    return sheet


def endless(student: str) -> Nb:
    sheet = right(student)
    answer_cell(
        sheet, EXERCISE
    ).source = "while True:\n    try:\n        1 + 1\n    except BaseException:\n        pass"
    return sheet


def deleted(student: str) -> Nb:
    """Cells gone, the check and the given data among them, and no metadata left."""
    sheet = right(student)
    gone = ("check", "given", "statement", "install")
    sheet.cells = [cell for cell in sheet.cells if cell.metadata.ibtools.role not in gone]
    sheet.cells = [c for c in sheet.cells if c.metadata.ibtools.get("exercise") != EXERCISE]
    for cell in sheet.cells:
        cell.metadata = {}
    return sheet


def wrong_kernel(student: str) -> Nb:
    sheet = right(student)
    sheet.metadata.kernelspec = {"display_name": "R", "language": "R", "name": "ir"}
    return sheet


CHEAT = """\
import ibtools.course, ibtools.course.questions, ibtools.course.verdict as verdicts
class Always:
    right, score, parts, message = True, 1.0, (), ""
ibtools.course.check = check = lambda *a, **k: Always()
ibtools.course.problem = lambda *a, **k: type("P", (), {"check": check})()
ibtools.course.questions.Question.judge = lambda self, answer: Always()
verdicts.Verdict.score = property(lambda self: 1.0)
"""

# name -> what is handed in (text or notebook), its file's name, the points it earns, and a word of
# what its row says.
BROKEN: dict[str, tuple[Callable[[str], Nb] | bytes, str, float, str]] = {
    "syntax": (syntax_error, "sheet.ipynb", 5, "SyntaxError"),
    "endless": (endless, "sheet.ipynb", 5, "stop"),
    "deleted": (deleted, "sheet.ipynb", 5, "locked cells were deleted"),
    "renamed": (right, "Final version (2).ipynb.txt", 7, "name is no notebook's"),
    "kernel": (wrong_kernel, "sheet.ipynb", 7, "its kernel is R"),
    "empty": (b"", "sheet.ipynb", 0, "the file is empty"),
    "not-json": (b'{"cells": [{"cell_type"', "sheet.ipynb", 0, "breaks off"),
    "huge": (with_code("print('x' * 10**8)"), "sheet.ipynb", 7, ""),
    "exit": (with_code("import os\nos._exit(3)"), "sheet.ipynb", 7, "exit status 3"),
    "cheat": (
        lambda student: filled(student, {"tie_equal": 1, "tie_unequal": 2} | hopeless()),
        "sheet.ipynb",
        0,
        "",
    ),
}


def hopeless() -> dict[str, Any]:
    return dict.fromkeys((f"{HOMEWORK}_{n}" for n in ("root_k", "limit", "sparse", "excess")), 9)


def hand_in(folder: Path) -> dict[str, tuple[float, str]]:
    """Write what thirty students hand in; return what each earns, and what their row must say."""
    expected = {}
    for number in range(10):
        for kind, make, points in (("right", right, 7.0), ("half", half_right, 4.0)):
            student = f"{kind}-{number}"
            write(folder / student / "sheet.ipynb", nbformat.writes(make(student)))
            expected[student] = (points, "")
    for name, (what, file, points, word) in BROKEN.items():
        if callable(what):
            sheet = what(name)
            if name == "cheat":
                sheet.cells.append(nbformat.v4.new_code_cell(CHEAT))
            text = json.dumps(sheet)
        else:
            text = what.decode()
        write(folder / name / file, text)
        expected[name] = (points, word)
    return expected


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
