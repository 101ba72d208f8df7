"""Every exercise has its solution; what code there is in it, the notebooks' run executes."""

import re
from pathlib import Path

import pytest
from book_solutions import SOLUTION, code_of_solutions

BOOK = Path(__file__).parents[2] / "book"
EXERCISE = re.compile(r":::\{exercise\}[^\n]*\n:label: (\S+)")
PAGES = [page for page in sorted(BOOK.rglob("*.md")) if EXERCISE.search(page.read_text())]


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


def test_every_chapter_has_solutions_with_code() -> None:
    """`book/conftest.py` runs them, after the cells of their page."""
    chapters = {_name(page).partition("/")[0] for page in PAGES}
    with_code = [page for page in PAGES if code_of_solutions(page.read_text())]
    assert {_name(page).partition("/")[0] for page in with_code} == chapters
    assert len(with_code) > 20


def test_code_of_solutions_is_found() -> None:
    page = (
        "```python\nno = 1\n```\n:::{solution} a\n:class: dropdown\n```python\nx = 1\n```\nand\n"
        "```python\nx = 2\n```\n:::\n:::{solution} b\nIn words.\n:::\n"
    )
    assert code_of_solutions(page) == {"a": ["x = 1\n", "x = 2\n"]}
