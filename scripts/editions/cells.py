"""The cells of an edition: what each is for stands in its metadata, and its id says it too."""

import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

# Roles that a grader tells apart; all but "answer" are locked.
ROLES = ("install", "setup", "given", "statement", "answer", "check", "solution", "marking")


def cell(source: str, role: str, exercise: str = "", *, code: bool = False, part: str = "", **more):
    """A cell of a role, locked unless it is there to be written in."""
    assert role in ROLES
    about = {"role": role} | ({"exercise": exercise} if exercise else {}) | more
    metadata = {"ibtools": about, "tags": [role]}
    if role != "answer":
        metadata |= {"deletable": False, "editable": False}
    name = "-".join(filter(None, ["ex", exercise.replace(".", "-"), role, part]))
    make = new_code_cell if code else new_markdown_cell
    return make(source, metadata=metadata, id=re.sub(r"[^\w-]", "-", name)[-64:])


def notebook(cells: list[NotebookNode], about: str) -> NotebookNode:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=metadata | {"ibtools": {"assignment": about}})


def variable(exercise: str, question: str) -> str:
    """What a student calls the answer to a part: ``tie_equal`` for that of ``imd.tie``."""
    return re.sub(r"\W", "_", f"{exercise.partition('.')[2] or exercise}_{question}")
