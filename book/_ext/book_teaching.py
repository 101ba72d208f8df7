"""What the pages for teachers take from the other pages: goals and exercises.

``{goals}`` lists what one can do after each lecture, as its lesson plan says; ``{exercise-table}``
lists the exercises with their kind, difficulty, minutes and checkers.
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ibtools.course import exercises

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from labels import read_book

LESSONS = "book/teaching/lessons.md"
GOAL = re.compile(r"^Goal: (.*?)\.\s+Page:\s+\{doc\}`\.\./([^`]+)`", re.MULTILINE | re.DOTALL)


class FromPages(SphinxDirective):
    """A directive whose text is made from other pages."""

    has_content = True

    def shown(self, lines: list[str], kind: str) -> list[nodes.Node]:
        container = nodes.container(classes=[kind])
        self.state.nested_parse(StringList(lines, kind), 0, container)
        return [container]


class Goals(FromPages):
    """Directive ``goals``: what one can do after each lecture."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        book = read_book(root)
        self.env.note_dependency(str(root / LESSONS))
        lessons = (root / LESSONS).read_text(encoding="utf-8")
        goal_of = {f"book/{page}": " ".join(goal.split()) for goal, page in GOAL.findall(lessons)}
        lines: list[str] = []
        for chapter, pages in book.lectures.items():
            lines += [f"**[{book.titles[chapter]}](/{chapter}.md).** Afterwards one can", ""]
            for page in pages:
                if page not in goal_of:
                    raise self.error(f"{LESSONS} has no goal of {page}")
                lines += [f"- {goal_of[page]} ([{book.titles[page]}](/{page}.md));"]
            lines[-1] = f"{lines[-1][:-1]}."
            lines += [""]
        return self.shown(lines, "goals")


class ExerciseTable(FromPages):
    """Directive ``exercise-table``: all exercises of the book, a table for each chapter."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        book = read_book(root)
        by_chapter: dict[str, list[str]] = {}
        for one in exercises():
            self.env.note_dependency(self.env.doc2path(f"book/{one.page}"))
            checker = f'`check("{one.id}", …)`' if one.checked else f"none: {one.by_hand}"
            row = (
                f"| {{ref}}`{one.label}` | {one.title} | {{kind}}`{one.kind} {one.difficulty}` | "
                f"{one.minutes} | {checker} |"
            )
            by_chapter.setdefault(one.page.partition("/")[0], []).append(row)
        lines: list[str] = []
        for folder, rows in by_chapter.items():
            title = book.titles.get(f"book/{folder}", "Before you start")
            lines += [f"**{title}**", ""]
            lines += ["| exercise | title | kind | minutes | checker |"]
            lines += ["|---|---|---|--:|---|", *rows, ""]
        return self.shown(lines, "exercise-table")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("goals", Goals)
    app.add_directive("exercise-table", ExerciseTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
