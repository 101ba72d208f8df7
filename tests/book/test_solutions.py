"""The code in solutions runs, after the chapter that it belongs to."""

import re
import warnings
from pathlib import Path

import jupytext
import pytest

BOOK = Path(__file__).parents[2] / "book"
SOLUTION = re.compile(r":::\{solution\} (\S+)\n(.*?)\n:::", re.DOTALL)
EXERCISE = re.compile(r":::\{exercise\}[^\n]*\n:label: (\S+)")
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
CHAPTERS = [page for page in sorted(BOOK.glob("*.md")) if SOLUTION.search(page.read_text())]


def _name(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", CHAPTERS, ids=_name)
def test_every_exercise_has_a_folded_solution(page: Path) -> None:
    text = page.read_text()
    exercises = EXERCISE.findall(text)
    solutions = SOLUTION.findall(text)
    assert len(exercises) >= 6
    assert [name for name, _ in solutions] == exercises
    for name, body in solutions:
        assert body.startswith(":class: dropdown\n"), f"the solution of {name} lies open"


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("page", CHAPTERS, ids=_name)
def test_code_of_solutions_runs(page: Path) -> None:
    notebook = jupytext.read(page)
    state: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{page.name}, a cell", "exec"), state)
        ran = 0
        for name, body in SOLUTION.findall(page.read_text()):
            for code in CODE.findall(body):
                exec(compile(code, f"{page.name}, solution of {name}", "exec"), dict(state))
                ran += 1
    assert ran >= 3
