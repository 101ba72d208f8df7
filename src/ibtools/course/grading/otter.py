"""An assignment for otter-grader, and with it for Gradescope.

The notebook is in the format of Otter Assign: raw cells say where a question, its solution and its
tests begin and end. Each part of an answer is a test, worth its points. Solutions are theory's, by
name, so that no answer stands in the file.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

from ibtools._files import made_folder, write_whole
from ibtools.course.grading.master import Check, Master
from ibtools.course.grading.notebooks import Cell
from ibtools.course.homework import homeworks, problem
from ibtools.course.questions import Question
from ibtools.course.registry import checkers

_CONFIG = """\
# ASSIGNMENT CONFIG
name: {name}
check_all_cell: true
generate: true
requirements:
  - {package}\
"""
_PACKAGE = re.compile(r'"(ibtools(?:\[[a-z,]+\])? @ [^"]+)"')


def export(master: Master, name: str, folder: Path) -> Path:
    """Write the notebook for ``otter assign``.

    Parameters
    ----------
    master
        The notebook that is handed out.
    name
        The assignment's name, and the file's.
    folder
        Where to write it; it is made if it is not there.

    Returns
    -------
    Path
        The file.
    """
    made_folder(folder)
    path = folder / f"{name}.ipynb"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = cells_for_otter(master, name)
    for number, cell in enumerate(cells):
        cell["id"] = f"otter-{number}"
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def cells_for_otter(master: Master, name: str) -> list[dict[str, Any]]:
    """Return the cells of the notebook."""
    package = _PACKAGE.search("\n".join(cell.source for cell in master.cells))
    cells = [_raw(_CONFIG.format(name=name, package=package[1] if package else "ibtools"))]
    checks = {check.exercise: check for check in master.checks}
    for cell in master.cells:
        check = checks.get(str(cell.about.get("exercise", "")))
        if cell.role == "install":  # Gradescope installs what the config names
            continue
        if cell.kind == "code" and check and cell.role == "answer" and "= ..." in cell.source:
            cells += _question(check, cell, master)
        elif cell.kind == "code" and check and cell.role == "answer":
            cells.append(_code(cell.source.replace('"..."', '"example"')))
        elif cell.kind == "code" and check and cell.role == "check":
            cells += _tests(check, cell)
        else:
            cells.append(_code(cell.source) if cell.kind == "code" else _markdown(cell.source))
    return cells


def _question(check: Check, cell: Cell, master: Master) -> list[dict[str, Any]]:
    known = questions_of(check.exercise)
    where = f'checkers()["{check.exercise}"]' if check.exercise in checkers() else check.exercise
    imported = ["from ibtools.course import checkers  # SOLUTION NO PROMPT"]
    lines = imported if check.exercise in checkers() else []
    named = {value: part for part, value in parts_of(check).items()}
    for line in cell.source.splitlines():
        variable = line.partition(" = ")[0]
        index = next((i for i, q in enumerate(known) if q.name == named.get(variable)), None)
        if index is None:
            lines.append(f"{line}  # SOLUTION")
        else:
            call = "" if known[index].kind == "function" else "()"
            lines.append(f"{variable} = {where}.questions[{index}].theory{call}  # SOLUTION")
    name = re.sub(r"\W", "_", check.exercise)
    return [
        _raw(f"# BEGIN QUESTION\nname: {name}\npoints: {check.points:g}"),
        _raw("# BEGIN SOLUTION"),
        _code("\n".join(lines)),
        _raw("# END SOLUTION"),
    ]


def _tests(check: Check, cell: Cell) -> list[dict[str, Any]]:
    known = questions_of(check.exercise)
    cells = [_raw("# BEGIN TESTS")]
    for index, question in enumerate(known):
        config = f'""" # BEGIN TEST CONFIG\npoints: {question.points:g}\n""" # END TEST CONFIG\n'
        cells.append(_code(f"{config}{cell.source}.parts[{index}].right", shows="True"))
    if not known:  # a check of the teacher's own, which raises if the answer is wrong
        cells.append(_code(cell.source))
    return [*cells, _raw("# END TESTS"), _raw("# END QUESTION")]


def questions_of(exercise: str) -> tuple[Question, ...]:
    """Return the questions of an exercise or a homework, none where we know of neither."""
    if exercise in homeworks():
        return problem(exercise, student="example").questions
    return checkers()[exercise].questions if exercise in checkers() else ()


def parts_of(check: Check) -> dict[str, str]:
    """Return the student's name for each part, from the call in a check cell."""
    return {
        keyword.arg: keyword.value.id
        for node in ast.walk(ast.parse(check.source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg and isinstance(keyword.value, ast.Name)
    }


def _raw(source: str) -> dict[str, Any]:
    return {"cell_type": "raw", "metadata": {}, "source": source}


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, shows: str = "") -> dict[str, Any]:
    output = {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {"text/plain": shows},
    }
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "execution_count": 1 if shows else None,
        "outputs": [output] if shows else [],
    }
