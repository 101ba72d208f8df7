"""The code in solutions runs, after the page that it belongs to."""

import ast
import re
import symtable
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import jupytext
import pytest

BOOK = Path(__file__).parents[2] / "book"
SOLUTION = re.compile(r":::\{solution\} (\S+)\n(.*?)\n:::", re.DOTALL)
EXERCISE = re.compile(r":::\{exercise\}[^\n]*\n:label: (\S+)")
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
PAGES = [page for page in sorted(BOOK.rglob("*.md")) if EXERCISE.search(page.read_text())]
WITH_CODE = [
    page
    for page in PAGES
    if any(CODE.search(body) for _, body in SOLUTION.findall(page.read_text()))
]


def _name(page: Path) -> str:
    return page.relative_to(BOOK).with_suffix("").as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_exercise_has_a_folded_solution(page: Path) -> None:
    text = page.read_text()
    exercises = EXERCISE.findall(text)
    solutions = SOLUTION.findall(text)
    assert len(exercises) >= 2
    assert [name for name, _ in solutions] == exercises
    for name, body in solutions:
        assert body.startswith(":class: dropdown\n"), f"the solution of {name} lies open"


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for inner in table.get_children():
        yield from _tables(inner)


def _binds(code: str) -> set[str]:
    """Names that a cell gives a value to, as a whole or in part (``x[0] = 1``, ``x.y = 1``)."""
    whole = symtable.symtable(code, "cell", "exec").get_symbols()
    parts = [
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    return {name.get_name() for name in whole if name.is_assigned() or name.is_imported()} | {
        part.id for part in parts if isinstance(part, ast.Name)
    }


def _uses(code: str) -> set[str]:
    """Names of the page that a cell reads, also from within its functions."""
    top = symtable.symtable(code, "cell", "exec")
    return {
        name.get_name()
        for table in _tables(top)
        for name in table.get_symbols()
        if name.is_referenced() and (table is top or name.is_global())
    }


def cells_needed(cells: Sequence[str], code: str) -> list[int]:
    """Indices of the cells without which `code` would not run as at the end of the page."""
    names, needed = _uses(code), set[int]()
    while new := {
        index for index, cell in enumerate(cells) if index not in needed and names & _binds(cell)
    }:
        needed |= new
        names |= {name for index in new for name in _uses(cells[index])}
    return sorted(needed)


def test_cells_needed_are_found() -> None:
    cells = [
        "import numpy as np\nimport math",
        "x = np.ones(3)",
        "def f(a):\n    y = 2\n    return a + x",
        "y = 4",
        "x[0] = 2",
        "print(f(1))",
        "z = f(y)",
    ]
    assert cells_needed(cells, "math.pi") == [0]
    assert cells_needed(cells, "y + 1") == [3]
    assert cells_needed(cells, "f(1)") == [0, 1, 2, 4]
    assert cells_needed(cells, "print(z)") == [0, 1, 2, 3, 4, 6]
    assert cells_needed(cells, "def g(x):\n    return y") == [3]


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("page", WITH_CODE, ids=_name)
def test_code_of_solutions_runs(page: Path) -> None:
    cells = [cell.source for cell in jupytext.read(page, fmt="md:myst").cells if cell.cell_type == "code"]
    solutions = {
        name: CODE.findall(body)
        for name, body in SOLUTION.findall(page.read_text())
        if "```" in body
    }
    everything = "\n".join(code for codes in solutions.values() for code in codes)
    state: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The rest of the page runs elsewhere, as a notebook and as a page.
        for index in cells_needed(cells, everything):
            exec(compile(cells[index], f"{page.name}, a cell", "exec"), state)
        for name, codes in solutions.items():
            for code in codes:
                exec(compile(code, f"{page.name}, solution of {name}", "exec"), dict(state))
