"""The checkers of all exercises, and `check`, which hands an answer to one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ibtools.course.limits import NoAnswerError, limited
from ibtools.course.questions import Question
from ibtools.course.verdict import Part, Verdict

CHAPTERS = ("before", "imd", "warping", "homogeneous", "non_homogeneous", "two_layer")
NOT_GIVEN: Any = object()


@dataclass(frozen=True)
class Checker:
    """What judges the answers to one exercise.

    Attributes
    ----------
    id
        That of the exercise: its label without ``ex-``, as in ``imd.tie`` for ``ex-imd-tie``.
    minutes
        How long a student is expected to take.
    questions
        The parts of the answer.
    hints
        Hints beyond the one that the book has.

    Examples
    --------
    >>> from ibtools.course import checkers
    >>> [question.name for question in checkers()["imd.tie"].questions]
    ['equal', 'unequal']
    """

    id: str
    minutes: int
    questions: tuple[Question, ...]
    hints: tuple[str, ...] = ()

    @property
    def exercise(self) -> str:
        """The label of the exercise in the book."""
        return "ex-" + self.id.replace(".", "-", 1)

    @property
    def call(self) -> str:
        """How the checker is called, as a line of code; ``...`` stands for no answer yet."""
        if len(self.questions) == 1:
            return f'check("{self.id}", {self.questions[0].name})'
        parts = ", ".join(f"{question.name}=..." for question in self.questions)
        return f'check("{self.id}", {parts})'


@cache
def checkers() -> dict[str, Checker]:
    """Return the checkers of the book's exercises, by id, in the order of the chapters.

    Returns
    -------
    dict[str, Checker]
        Those of exercises that have one.

    See Also
    --------
    exercises : All exercises, with and without a checker.

    Examples
    --------
    >>> from ibtools.course import checkers
    >>> checkers()["imd.tie"].exercise
    'ex-imd-tie'
    """
    found: dict[str, Checker] = {}
    for chapter in CHAPTERS:
        for checker in import_module(f"ibtools.course.checks.{chapter}").CHECKERS:
            if checker.id in found:
                raise ValueError(f"two checkers have the id {checker.id!r}")
            found[checker.id] = checker
    return found


def checker_of(id: str) -> Checker:  # noqa: A002
    """Return the checker with an id, or say which there are."""
    known = checkers()
    if id not in known:
        near = get_close_matches(str(id), known, n=3, cutoff=0.5)
        raise ValueError(
            f"id must be that of an exercise with a checker, got {id!r}; "
            + (f"did you mean {' or '.join(map(repr, near))}? " if near else "")
            + "`ibtools.course.exercises()` lists them all"
        )
    return known[id]


def check(id: str, answer: Any = NOT_GIVEN, /, **parts: Any) -> Verdict:  # noqa: A002
    """Say whether the answer to an exercise is right, or what is off.

    The answer is compared with theory: numbers with the numbers that theory gives, a function with
    theory on problems that it has not seen. It may be anything: whatever is wrong with it is said
    in the verdict, also if it raises an error or never ends (10 s are allowed).

    Parameters
    ----------
    id
        The exercise, as in ``"imd.tie"``; the book shows it in the exercise's box.
    answer
        The answer. For an exercise of several parts a dictionary of them by name, or a sequence of
        all of them in order.
    **parts
        The parts of the answer by name, instead of `answer`; those left out earn nothing.

    Returns
    -------
    Verdict
        It shows itself. `Verdict.right` and `Verdict.score` are for programs.

    Raises
    ------
    ValueError
        If no exercise with a checker has this id.

    See Also
    --------
    hint, problem

    Examples
    --------
    >>> from ibtools.course import check
    >>> check("imd.tie", equal=[0.5, 0.5], unequal=[0.5, 0.5]).score
    0.5
    >>> check("imd.tie", None).right
    False
    """
    checker = checker_of(id)
    return judge(checker.id, checker.questions, answer, parts)


def judge(
    id: str,  # noqa: A002
    questions: Sequence[Question],
    answer: Any,
    parts: Mapping[str, Any],
) -> Verdict:
    """Return what is said of an answer to several questions, whatever it is."""
    message = ""
    try:
        given, message = limited(lambda: _by_name(questions, answer, parts))
    except NoAnswerError as error:
        given, message = {}, str(error)
    judged = []
    for question in questions:
        if question.name not in given:
            judged.append(Part(question.name, question.points, False, "Not answered yet."))
            continue
        judged.append(question.judge(given[question.name]))
    return Verdict(id, tuple(judged), message)


def _length(answer: Any) -> int:
    return 0 if isinstance(answer, np.ndarray) and answer.ndim == 0 else len(answer)


def _by_name(
    questions: Sequence[Question], answer: Any, parts: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Return the parts of an answer by name, and what is off with it as a whole."""
    names = [question.name for question in questions]
    given = dict(parts)
    if answer is not NOT_GIVEN:
        if isinstance(answer, Mapping):
            given = {**{str(key): value for key, value in answer.items()}, **given}
        elif len(names) == 1:
            given = {names[0]: answer, **given}
        elif isinstance(answer, list | tuple | np.ndarray) and _length(answer) == len(names):
            given = {**dict(zip(names, answer, strict=True)), **given}
        else:
            raise NoAnswerError(
                f"This exercise has the parts {', '.join(names)}: give them by name, or all of "
                "them in this order."
            )
    given = {name: value for name, value in given.items() if value is not ...}
    unknown = [name for name in given if name not in names]
    if unknown:
        return given, (
            f"There is no part {', '.join(map(repr, unknown))} here; the parts are "
            f"{', '.join(names)}."
        )
    return given, ""
