"""The editions of the exercises: no solution reaches a student, all reach an instructor."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace

import book_course
import nbformat
import pytest
from book_solutions import SOLUTION
from course_pages import names_changed
from editions.notebooks import homework, instructor, student
from write_course import chapters, editions, settings

from ibtools.course import checkers, exercises, homeworks, lectures

ROOT = Path(__file__).resolve().parents[2]
RUN = ("warping/clocks", "warping/one-neuron", "homework/hw1")  # quick ones
SHORTEST = 25  # letters; what is shorter says nothing by itself


@pytest.fixture(scope="module")
def both():
    return {path.with_suffix("").as_posix(): text for path, text in editions(ROOT).items()}


@pytest.fixture(scope="module")
def students(both):
    return {name: text for name, text in both.items() if name.startswith("student/")}


@pytest.fixture(scope="module")
def instructors(both):
    return {name: text for name, text in both.items() if name.startswith("instructor/")}


def strings(value: object) -> str:
    """Every text in a notebook, of metadata and names too."""
    if isinstance(value, dict):
        return "\n".join(strings(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        if all(isinstance(each, str) for each in value):
            return "".join(value)
        return "\n".join(strings(each) for each in value)
    return str(value)


def bare(text: str) -> str:
    """Text without spaces and without what a translation changes."""
    return re.sub(r"[\s>*`]", "", text)


def leaks(text: str, page: str) -> list[str]:
    """Return the lines of a page's solutions that stand in a notebook, and in no statement."""
    shown = bare(strings(json.loads(text)))
    asked = bare(SOLUTION.sub("", page))
    lines = [line for _, body in SOLUTION.findall(page) for line in body.splitlines()]
    sought = {line: bare(line) for line in lines}
    return [
        line for line, b in sought.items() if len(b) >= SHORTEST and b in shown and b not in asked
    ]


@pytest.mark.parametrize("name", lectures())
def test_a_student_notebook_holds_no_line_of_a_solution(name, students):
    page = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    assert leaks(students[f"student/{name}"], page) == []
    assert '"role": "solution"' not in students[f"student/{name}"]


def test_a_leak_is_found_wherever_it_stands(students, instructors):
    name = "imd/scale-and-shape"
    page = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    assert len(leaks(instructors[f"instructor/{name}"], page)) > 30
    line = "norms = [np.abs(w).sum() for w in both]"
    page = f":::{{solution}} ex-imd-tie\n{line}\n:::\n"
    for hidden in ({"metadata": {"x": {"y": line}}}, {"cells": [{"source": ["a\n", line]}]}):
        assert leaks(json.dumps(hidden), page) == [line]


def test_every_exercise_is_in_both_editions_and_every_checker_is_asked(students, instructors):
    for edition, role in ((students, "answer"), (instructors, "marking")):
        cells = [
            cell.metadata.ibtools
            for text in edition.values()
            for cell in nbformat.reads(text, 4).cells
        ]
        for wanted in ("statement", role):
            found = {
                about.exercise for about in cells if about.role == wanted and "exercise" in about
            }
            assert found - set(homeworks()) == {exercise.id for exercise in exercises()}
    checked = re.findall(r'check\(\\"([\w.-]+)\\",', "".join(students.values()))
    assert sorted(checked) == sorted(checkers())
    assert {f"student/homework/{name}" for name in homeworks()} < set(students)


def test_what_is_ours_is_locked_and_what_is_theirs_is_not(students):
    for name, text in students.items():
        notebook = nbformat.reads(text, 4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            locked = cell.metadata.get("editable", True) is cell.metadata.get("deletable", True)
            assert locked
            assert cell.metadata.get("editable", True) == (cell.metadata.ibtools.role == "answer")
            assert cell.metadata.tags == [cell.metadata.ibtools.role]
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids), name
        setup = next(c for c in notebook.cells if c.metadata.ibtools.role == "setup")
        assert len(setup.source.splitlines()) <= 8


def test_an_id_names_what_the_cell_is_for(students):
    """So it stays when another exercise comes before it."""
    cells = nbformat.reads(students["student/imd/scale-and-shape"], 4).cells
    about = {cell.id: cell.metadata.ibtools for cell in cells}
    assert about["ex-imd-tie-check"] == {"role": "check", "exercise": "imd.tie", "points": 2.0}
    assert not any(re.search(r"-\d+$", name) for name in about)


def test_a_check_takes_what_the_answer_cell_gives(students):
    for text in students.values():
        for cell in nbformat.reads(text, 4).cells:
            about = cell.metadata.ibtools
            if about.role != "check":
                continue
            exercise = about.exercise
            blanks = next(
                c.source
                for c in nbformat.reads(text, 4).cells
                if c.metadata.ibtools.get("exercise") == exercise
                and re.fullmatch(r"(\w+ = \.\.\.\n?)+", c.source)
            )
            names = re.findall(r"^\w+", blanks, re.M)
            assert re.findall(r"=(\w+)", cell.source) == names
            asked = next(
                c.source
                for c in nbformat.reads(text, 4).cells
                if c.metadata.ibtools.get("exercise") == exercise and "**Hand in**" in c.source
            )
            assert all(f"- `{name}`" in asked for name in names)


def test_marking_says_points_minutes_and_misconceptions(instructors):
    known = {exercise.id: exercise for exercise in exercises()}
    for text in instructors.values():
        for cell in nbformat.reads(text, 4).cells:
            if cell.metadata.ibtools.role != "marking":
                continue
            exercise = known.get(cell.metadata.ibtools.exercise)
            if exercise is None:
                assert cell.metadata.ibtools.exercise in homeworks()
                continue
            assert f"{exercise.minutes} minutes" in cell.source
            scheme = cell.source.partition("**Misconceptions**")[0]
            listed = re.findall(r"^- (?:`\w+`, )?([\d.]+) points?:", scheme, re.M)
            assert len(listed) == scheme.count("\n- ") > 0
            total = float(re.search(r"\*\*Marking\*\*: ([\d.]+)", cell.source)[1])
            assert sum(map(float, listed)) == total
            assert ("**Misconceptions**" in cell.source) == exercise.checked


def test_what_an_edition_names_is_the_tag_of_the_term():
    repository = settings(ROOT, "2027-spring")
    name, title, address, items = next(chapters(ROOT, repository))
    for made in (
        student(name, title, address, items, repository),
        instructor(name, title, address, items, repository),
        homework("hw1", repository, "2027-spring"),
    ):
        text = nbformat.writes(made)
        assert "@2027-spring" in text
        assert "@main" not in text
        assert "/blob/main/" not in text
    assert 'term=\\"2027-spring\\"' in text


@pytest.mark.parametrize("name", RUN)
def test_an_instructor_notebook_runs(name, instructors):
    """All of its cells, one after the other, as in a kernel; a claim of the solution must hold."""
    space: dict[str, object] = {"__name__": "__main__"}
    for cell in nbformat.reads(instructors[f"instructor/{name}"], 4).cells:
        if cell.cell_type == "code" and cell.metadata.ibtools.role != "install":
            exec(compile(cell.source, cell.id, "exec"), space)
    assert {"lecture", "problem"} & set(space)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("w[0] = 1", {"w"}),
        ("net.scale.x = 2", {"net"}),
        ("with no_grad():\n    net.layers[0].weight.copy_(start)", {"net"}),
        ("def f(w):\n    w[0] = 1", set()),
        ("y = w[0] + net.scale", set()),
    ],
)
def test_a_lecture_sets_up_what_its_cells_change_in_place(code, names):
    assert names_changed(ast.parse(code)) == names


def test_the_site_has_the_notebooks_of_students_and_nothing_for_instructors(tmp_path):
    for name in ("imd/steps.ipynb", "instructor/imd/steps.ipynb", "exams/a.ipynb", "exams/a.md"):
        (tmp_path / "course" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "course" / name).write_text(name)
    builder = SimpleNamespace(format="html")
    app = SimpleNamespace(confdir=tmp_path, outdir=tmp_path / "html", builder=builder)
    book_course.copy(app, None)
    (copied,) = [path for path in (tmp_path / "html").rglob("*") if path.is_file()]
    assert copied.relative_to(tmp_path / "html").as_posix() == "course/imd/steps.ipynb"
