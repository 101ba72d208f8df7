"""Compose the notebooks of an edition from exercises, checkers and homework."""

from collections.abc import Sequence
from functools import cache

from nbformat import NotebookNode

from editions.cells import cell, notebook, variable
from editions.items import Item
from editions.marking import by_parts, number, scheme
from ibtools.course import Exercise, checkers, exercises, lecture, problem

INSTALL = """\
# On Colab this installs the book's package; anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "ibtools[show] @ git+{repository}@{ref}"\
"""
SETUP = """\
import ibtools.course
from ibtools.course import check, hint

lecture = ibtools.course.lecture("{name}")
globals().update(lecture)  # what the lecture has: {names}\
"""
NAMES_SHOWN = 4
BY_HAND = {"pencil", "find-the-error"}  # what is answered in words, whatever is checked
PREDICTED = "predict-then-run"
HOW = {
    "number": "a number",
    "array": "a list or an array of numbers",
    "option": "one of the words {}",
    "function": "a function",
}


def install(repository: dict) -> NotebookNode:
    source = INSTALL.format(repository=repository["url"], ref=repository["branch"])
    return cell(source, "install", code=True)


def setup(name: str, title: str, address: str, names: Sequence[str], edition: str):
    shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    yield cell(
        f"# {title}: {edition}\n\nThe lecture is [{name}]({address}). Run the next cell first.",
        "statement",
        part="title",
    )
    yield cell(SETUP.format(name=name, names=shown), "setup", code=True)


def student(name: str, title: str, address: str, items: Sequence[Item], repository: dict):
    """The student notebook of a lecture: it holds nothing of any solution."""
    mentioned = names_mentioned(name, items)
    cells = [install(repository), *setup(name, title, address, mentioned, "exercises")]
    for item in items:
        cells += asked(item)
    return notebook(cells, name)


def instructor(name: str, title: str, address: str, items: Sequence[Item], repository: dict):
    """The instructor notebook of a lecture: solutions that run, marking, misconceptions."""
    mentioned = names_mentioned(name, items)
    cells = [install(repository), *setup(name, title, address, mentioned, "solutions")]
    for item in items:
        cells.append(cell(statement(item), "statement", item.id))
        for at, (kind, text) in enumerate(item.solution):
            if not at:
                text = f"**Solution.** {text}" if kind == "markdown" else text
            code = kind == "code"
            cells.append(cell(text, "solution", item.id, code=code, part=str(at)))
        told = scheme(known()[item.id], checkers().get(item.id))
        cells.append(cell(told, "marking", item.id))
    return notebook(cells, name)


def asked(item: Item) -> list[NotebookNode]:
    """Statement, place for the answer, and check of one exercise."""
    checker = checkers().get(item.id)
    exercise = known()[item.id]
    cells = [cell(statement(item, checker), "statement", item.id)]
    if exercise.kind in BY_HAND or exercise.kind == PREDICTED or not checker:
        named = item.heading.partition(" (")[0]
        words = f"*Your answer to {named}, in words.*"
        if exercise.kind == PREDICTED:
            words = f"*Your prediction for {named}, and its reason, before you run anything.*"
        cells.append(cell(words, "answer", item.id, part="words"))
    if checker:
        names = {question.name: variable(item.id, question.name) for question in checker.questions}
        blank = "\n".join(f"{name} = ..." for name in names.values())
        given = ", ".join(f"{name}={value}" for name, value in names.items())
        cells.append(cell(blank, "answer", item.id, code=True))
        points = sum(question.points for question in checker.questions)
        check = f'check("{item.id}", {given})'
        cells.append(cell(check, "check", item.id, code=True, points=points))
    elif exercise.kind not in BY_HAND:
        cells.append(cell("", "answer", item.id, code=True))
    return cells


def statement(item: Item, checker=None) -> str:
    lines = [f"## {item.heading}", "", item.statement]
    if checker:
        lines += ["", "**Hand in**", ""]
        for question in checker.questions:
            how = HOW[question.kind].format(", ".join(map(repr, question.options)))
            lines.append(f"- `{variable(item.id, question.name)}`, {how}: {question.asks}")
    if item.hint:
        lines += ["", "<details>", "<summary>Hint</summary>", "", item.hint, "", "</details>"]
    return "\n".join(lines)


@cache
def known() -> dict[str, Exercise]:
    return {exercise.id: exercise for exercise in exercises()}


def names_mentioned(name: str, items: Sequence[Item]) -> list[str]:
    """Names of the lecture that a statement writes in code, in their order; then any others."""
    text = "\n".join(item.statement for item in items)
    names = list(lecture(name))
    return sorted(names, key=lambda each: (f"`{each}`" not in text, each in ("np", "plt")))


def marked_homework(name: str, repository: dict, term: str) -> NotebookNode:
    """A homework for instructors: the answers of any student, by theory, and the marking."""
    example = problem(name, student="example")
    total = number(sum(question.points for question in example.questions))
    head = f"**Marking**: {total}; {example.minutes} minutes."
    marking = "\n".join([head, "", *by_parts(example.questions)])
    answers = (
        f'{name} = problem("{name}", student=student, term="{term}")\n'
        f"for question in {name}.questions:\n"
        '    print(question.name, question.theory() if question.cases is None else "a function")'
    )
    return notebook(
        [
            install(repository),
            cell(f"# {example.title} ({name}): solutions", "statement", name, part="title"),
            cell("from ibtools.course import problem", "setup", name, code=True),
            cell('student = "example"', "answer", name, code=True, part="student"),
            cell(answers, "solution", name, code=True),
            cell(marking, "marking", name),
        ],
        name,
    )


def homework(name: str, repository: dict, term: str) -> NotebookNode:
    """The notebook of a homework, whose data come with the student's name and the term."""
    example = problem(name, student="example")
    wanted = {question.name: variable(name, question.name) for question in example.questions}
    given = ", ".join(f"{part}={value}" for part, value in wanted.items())
    points = sum(question.points for question in example.questions)
    title = (
        f"# {example.title} ({name})\n\nSay who you are: the data are yours alone. The notebook "
        f"takes about {example.minutes} minutes."
    )
    asks = [
        f"- `{wanted[question.name]}`, "
        f"{HOW[question.kind].format(', '.join(map(repr, question.options)))}: {question.asks}"
        for question in example.questions
    ]
    cells = [
        install(repository),
        cell(title, "statement", name, part="title"),
        cell("from ibtools.course import problem", "setup", name, code=True),
        cell(
            'student = "..."  # as your instructor knows you',
            "answer",
            name,
            code=True,
            part="student",
        ),
        cell(
            f'{name} = problem("{name}", student=student, term="{term}")\n{name}',
            "given",
            name,
            code=True,
        ),
        cell("\n".join(["**Hand in**", "", *asks]), "statement", name, part="parts"),
        cell(
            "\n".join(f"{value} = ..." for value in wanted.values()), "answer", name, code=True
        ),
        cell("*How you found it, in words.*", "answer", name, part="words"),
        cell(f"{name}.check({given})", "check", name, code=True, points=points),
    ]  # fmt: skip
    return notebook(cells, name)
