"""The master notebook: which cells are the course's own; the others are the student's."""

import ast
import builtins
from dataclasses import dataclass
from pathlib import Path

from ibtools.course.grading.notebooks import Cell, Notebook, UnreadableError, read_notebook

LOCKED = ("install", "setup", "given", "check")  # code of these roles is the master's alone


@dataclass(frozen=True)
class Check:
    """A check cell of the master.

    Attributes
    ----------
    exercise
        What it checks.
    source
        Its code.
    points
        What a right answer earns.
    wanted
        The names that it takes from the student's notebook.
    """

    exercise: str
    source: str
    points: float
    wanted: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A cell that is run, and where it stands in the notebook that was handed in, from 1."""

    place: int
    source: str
    own: bool  # the student's, and not the master's


@dataclass(frozen=True)
class Master:
    """What a submission is graded by."""

    cells: tuple[Cell, ...]
    setup: str
    given: tuple[str, ...]
    asks: tuple[str, ...]  # what the given cells take from the student's notebook
    checks: tuple[Check, ...]

    @property
    def points(self) -> float:
        """What all right answers earn."""
        return sum(check.points for check in self.checks)

    def steps(self, notebook: Notebook) -> tuple[list[Step], list[str]]:
        """Return what is run of a submission, in its order, and notes on what is amiss.

        A cell of ours is known by its metadata, by its id, or by its text, where an editor dropped
        both. What it says in the submission does not count: it is run as the master has it, or not.
        """
        ours: dict[str, Cell] = {cell.id: cell for cell in self.cells if cell.id}
        texts = {cell.words: cell for cell in self.cells if cell.role in LOCKED and cell.words}
        steps, found, changed = [], set(), 0
        for place, cell in enumerate(notebook.cells, start=1):
            known = self._known(cell, ours, texts)
            if known is not None:
                found.add(known.id)
                changed += known.words != cell.words and known.role in LOCKED
                if known.role == "given":
                    steps.append(Step(place, known.source, own=False))
            elif cell.kind == "code" and cell.source.strip():
                steps.append(Step(place, cell.source, own=True))
        notes = list(notebook.notes)
        locked = [cell for cell in self.cells if cell.role in LOCKED and cell.role != "install"]
        missing = [cell for cell in locked if cell.id not in found]
        if locked and len(missing) == len(locked):
            notes.append("none of the master's cells is in it: is it another notebook?")
        elif missing:
            names = sorted({cell.about.get("exercise", cell.role) for cell in missing})
            notes.append(f"locked cells were deleted ({', '.join(map(str, names))})")
        if changed:
            notes.append(f"{changed} locked cell{'s' * (changed > 1)} had been changed")
        first = next((at for at, step in enumerate(steps) if step.own), 0)
        lost = [cell for cell in missing if cell.role == "given"]
        steps[first + 1 : first + 1] = [Step(0, cell.source, own=False) for cell in lost]
        return steps, notes

    def _known(self, cell: Cell, ours: dict[str, Cell], texts: dict[str, Cell]) -> Cell | None:
        """Return the master's locked cell that a cell of a submission is, if it is one."""
        if cell.kind != "code" or cell.role == "answer":
            return None
        if cell.role in LOCKED:
            same = [m for m in self.cells if m.role == cell.role and m.about == cell.about]
            if same:
                return next((m for m in same if m.id == cell.id), same[0])
        named = ours.get(cell.id)
        if named is not None and named.role in LOCKED:
            return named
        return texts.get(cell.words)


def read_master(path: Path) -> Master:
    """Read the notebook that was handed out.

    Parameters
    ----------
    path
        A student notebook that ``make course`` wrote, or one with check cells like its own: code
        cells whose metadata say ``{"ibtools": {"role": "check", "exercise": ..., "points": ...}}``.

    Returns
    -------
    Master
        Its set-up and its checks.

    Raises
    ------
    ValueError
        If it is no notebook, or has no check.
    """
    try:
        cells = read_notebook(path).cells
    except UnreadableError as error:
        raise ValueError(f"MASTER must be a notebook, and of {path} {error}") from None
    code = [cell for cell in cells if cell.kind == "code"]
    setup = "\n".join(cell.source for cell in code if cell.role == "setup")
    given = tuple(cell.source for cell in code if cell.role == "given")
    known = names_bound(setup) | set(dir(builtins))
    asks = tuple(name for name in names_used("\n".join(given)) if name not in known)
    known |= names_bound("\n".join(given))
    checks = tuple(
        Check(
            str(cell.about.get("exercise", f"check {number}")),
            cell.source,
            float(cell.about.get("points", 1)),
            tuple(name for name in names_used(cell.source) if name not in known),
        )
        for number, cell in enumerate((c for c in code if c.role == "check"), start=1)
    )
    if not checks:
        raise ValueError(
            f"MASTER must have check cells, and {path} has none; take a notebook of "
            "_build/course/student, which `make course` writes"
        )
    return Master(cells, setup, given, asks, checks)


def names_used(source: str) -> list[str]:
    """Return the names that code takes from outside, in order."""
    tree = ast.parse(source)
    loads = [
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    ]
    return [name for name in dict.fromkeys(loads) if name not in names_bound(source)]


def names_bound(source: str) -> set[str]:
    """Return the names that code defines at its top; all, where it says ``globals().update``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names
