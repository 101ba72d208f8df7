"""The quiz of a lecture stands before its exercises, and needs no kernel.

Without scripts the questions are there to read, and the answers lie folded under each; with them a
choice is answered in the page (static/quizzes.js) and kept by the reader's browser alone.
"""

import sys
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from labels import Book, read_book
from quizzes import Question, html_of, named, quiz_file, read_quiz

logger = logging.getLogger(__name__)
TITLE = "Questions"
INTRODUCTION = "Choose, and check. What you chose stays in your browser, and nowhere else."


class quiz(nodes.Element):  # noqa: N801 (docutils names nodes so)
    """Where the questions will be, when the theorems have their numbers."""


def insert(app: Sphinx, doctree: nodes.document) -> None:
    """Put the quiz before the exercises; before the contents of the page are collected."""
    path = quiz_file(Path(app.srcdir), app.env.docname)
    if not path.is_file():
        return
    app.env.note_dependency(str(path))
    section = nodes.section("", nodes.title("", TITLE), quiz(), ids=["quiz"], names=["quiz"])
    for exercises in doctree.findall(nodes.section):
        if "exercises" in exercises["ids"]:
            exercises.parent.insert(exercises.parent.index(exercises), section)
            return
    next(doctree.findall(nodes.section)).append(section)


def write(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the questions, with what stands behind their answers."""
    for place in list(doctree.findall(quiz)):
        path = quiz_file(Path(app.srcdir), docname)
        try:
            questions = read_quiz(path)
            html = form(docname, questions, read_book(Path(app.srcdir)))
        except ValueError as error:
            logger.warning("quiz: %s", error, location=docname)
            html = ""
        place.replace_self(nodes.raw("", html, format="html"))


def form(page: str, questions: list[Question], book: Book) -> str:
    asked = "\n".join(
        one(page, number, question, book) for number, question in enumerate(questions, start=1)
    )
    return (
        f'<form class="quiz" data-quiz="{escape(page.removeprefix("book/"))}" autocomplete="off">\n'
        f'<p class="quiz-introduction" hidden>{INTRODUCTION}</p>\n{asked}\n'
        '<p class="quiz-again" hidden><button type="reset">Forget my answers</button></p>\n</form>'
    )


def one(page: str, number: int, question: Question, book: Book) -> str:
    name = f"quiz-{number}"
    choices, answers = [], []
    for index, choice in enumerate(question.choices):
        choices.append(
            f'<li><label><input type="radio" name="{name}" value="{index}" hidden>'
            f"<span>{html_of(choice.text)}</span></label></li>"
        )
        word = "Right." if choice.right else "Not so."
        answers.append(
            f"<li{' data-right' if choice.right else ''}><strong>{word}</strong> "
            f"{html_of(choice.feedback)}</li>"
        )
    return (
        f'<fieldset class="quiz-question" aria-labelledby="{name}">\n'
        f'<p class="quiz-asked" id="{name}"><strong>{number}.</strong> '
        f"{html_of(question.text)}</p>\n"
        f'<ol class="quiz-choices" type="A">\n{chr(10).join(choices)}\n</ol>\n'
        '<p class="quiz-check" hidden><button type="button">Check</button></p>\n'
        '<div class="quiz-feedback" role="status"></div>\n'
        '<details class="quiz-answers"><summary>All answers</summary>\n'
        f'<ol type="A">\n{chr(10).join(answers)}\n</ol>\n'
        f'<p class="quiz-behind">Behind it: {behind(page, question, book)}.</p>\n'
        "</details>\n</fieldset>"
    )


def behind(page: str, question: Question, book: Book) -> str:
    links = []
    for name in question.behind:
        label = book.labels.get(name)
        if label is None or label.page != page:
            raise ValueError(f"behind an answer stands {name!r}, which is no label of {page}.md")
        anchor = f"equation-{name}" if label.kind == "equation" else name
        links.append(f'<a class="reference internal" href="#{anchor}">{escape(named(label))}</a>')
    return ", ".join(links)


def load(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if quiz_file(Path(app.srcdir), pagename).is_file():
        app.add_js_file("quizzes.js", loading_method="defer")
        app.add_css_file("quizzes.css")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(quiz)
    app.connect("doctree-read", insert, priority=400)
    app.connect("doctree-resolved", write)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
