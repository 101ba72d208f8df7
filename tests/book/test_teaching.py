"""The pages for teachers: a plan for each lecture, terms that fit, exams with right numbers."""

import re
from pathlib import Path

import pytest
from labels import read_book
from pages import section, source

ROOT = Path(__file__).parents[2]
BOOK = read_book(ROOT)
LECTURES = [page for pages in BOOK.lectures.values() for page in pages]
LESSONS = source("book/teaching/lessons")
PLANS = dict(re.findall(r"^\(plan-(\S+)\)=\n(.*?)(?=^\(plan-|^## |\Z)", LESSONS, re.M | re.S))
SESSION = 90
EXAMS = sorted((ROOT / "course/exams").glob("*.md"))


def plan_of(page: str) -> str:
    return PLANS[page.removeprefix("book/").replace("/", "-")]


def test_there_is_a_plan_for_each_lecture_in_order() -> None:
    assert list(PLANS) == [page.removeprefix("book/").replace("/", "-") for page in LECTURES]


@pytest.mark.parametrize("page", LECTURES)
def test_a_plan_is_as_long_as_a_session_and_names_its_figure(page: str) -> None:
    plan = plan_of(page)
    assert plan.startswith(f"### {BOOK.titles[page]}\n")
    assert f"{{doc}}`../{page.removeprefix('book/')}`" in plan
    minutes = [int(n) for n in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)]
    assert sum(minutes) == SESSION
    misconception = plan.partition("**The usual misconception.**")[2]
    figures = re.findall(r"\{numref\}`(fig-[\w-]+)`", misconception)
    assert figures
    assert all(BOOK.labels[name].page in (page, page.rpartition("/")[0]) for name in figures)
    for name in re.findall(r"\{(?:ref|prf:ref|numref)\}`([\w-]+)`", plan):
        assert BOOK.labels[name].page in (page, page.rpartition("/")[0]), name


def test_terms_are_as_long_as_they_say() -> None:
    plans = section(source("book/teaching"), "Plans")
    terms = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", plans, re.M | re.S))

    def held(term: str) -> list[str]:
        rows = "\n".join(re.findall(r"^\| \d+ \|.*$", terms[term], re.MULTILINE))
        return re.findall(r"\{doc\}`([^`]+)`", re.sub(r"\[\{doc\}.*?\]", "", rows))

    assert len(held("Two weeks")) == 10
    assert len(held("Six weeks")) == 2 * 6
    assert len(held("Twelve weeks")) == 2 * 12 - 3 == 21
    for term in ("Two weeks", "Six weeks", "Twelve weeks"):
        assert len(set(held(term))) == len(held(term))
        places = [LECTURES.index(f"book/{name}") for name in held(term)]
        assert places == sorted(places), f"{term}: not in the book's order"
    read = re.findall(r"\[\{doc\}`([^`]+)`\]", terms["Twelve weeks"])
    at_home = [name for name in read if not name.startswith("before/")]
    assert len(at_home) == 8
    assert {f"book/{name}" for name in [*held("Twelve weeks"), *at_home]} == set(LECTURES)


@pytest.mark.parametrize("exam", EXAMS, ids=lambda path: path.stem)
def test_an_exam_has_a_hundred_points_and_right_solutions(exam: Path) -> None:
    statement = exam.read_text(encoding="utf-8")
    problems = re.findall(
        r"^## (\d\. .*?) \((\d+) points\)\n(.*?)(?=^## |\Z)", statement, re.M | re.S
    )
    assert sum(int(points) for _, points, _ in problems) == 100
    for title, points, text in problems:
        parts = [int(n) for n in re.findall(r"\((\d+)\)$", text, re.MULTILINE)]
        assert not parts or sum(parts) == int(points), title
    path = ROOT / "course/instructor" / f"{exam.stem}-solutions.md"
    solutions = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", solutions, re.MULTILINE) == [title for title, _, _ in problems]
    code = re.findall(r"^```python\n(.*?)^```", solutions, re.M | re.S)
    assert len(code) == len(problems)
    assert all("assert " in block for block in code)
    exec(compile("\n".join(code), str(path), "exec"), {})


def test_exams_are_no_part_of_the_site() -> None:
    assert len(EXAMS) == 2
    assert not any("exam-" in page for page in BOOK.titles)
