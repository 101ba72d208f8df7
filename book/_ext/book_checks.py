"""Who reads an exercise that `ibtools.course.check` knows is told how to hand the answer in.

It stands folded in the exercise's box, made from the checker: no page says it by hand. When a
checker changes, the pages are read again; none is run again.
"""

import hashlib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx_exercise.directive import ExerciseDirective

import ibtools.course
from ibtools.course import Checker, checkers


class CheckedExercise(ExerciseDirective):
    """Directive ``exercise``, with a last fold on how to check one's answer."""

    def run(self) -> list[nodes.Node]:
        known = {checker.exercise: checker for checker in checkers().values()}
        if checker := known.get(self.options.get("label", "")):
            for line in how_to(checker):
                self.content.append(line, *self.get_source_info())
        return super().run()


def how_to(checker: Checker) -> list[str]:
    """How an answer is handed in, in MyST."""
    parts = [
        f"- `{question.name}`: {question.asks}"
        + (
            f" ({', '.join(f'`{word}`' for word in question.options)})"
            if question.options and "`" not in question.asks
            else ""
        )
        for question in checker.questions
    ]
    return [
        "",
        "```{admonition} Check your answer",
        ":class: dropdown check-answer",
        "~~~python",
        "from ibtools.course import check",
        "",
        checker.call,
        "~~~",
        "",
        *parts,
        "```",
    ]


def digest() -> str:
    sha = hashlib.sha256()
    for file in sorted(Path(ibtools.course.__file__).parent.rglob("*.py")):
        sha.update(file.read_bytes())
    return sha.hexdigest()[:16]


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx_exercise")
    app.add_directive("exercise", CheckedExercise, override=True)
    app.add_config_value("checkers_digest", digest(), "env")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
