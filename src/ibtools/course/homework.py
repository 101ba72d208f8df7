"""Homework that each student has with data of their own, so that it can count."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ibtools.course.questions import Question, seed_of
from ibtools.course.registry import NOT_GIVEN, judge
from ibtools.course.verdict import Verdict


@dataclass(frozen=True)
class Homework:
    """A homework: drawn for each student, judged by theory.

    Attributes
    ----------
    name
        As in ``hw1``.
    title
        A few words.
    minutes
        How long a student is expected to take.
    draw
        Makes the statement in Markdown, the data by name, and the questions, from a generator of
        random numbers.
    """

    name: str
    title: str
    minutes: int
    draw: Callable[[np.random.Generator], tuple[str, dict[str, Any], tuple[Question, ...]]]


@dataclass(frozen=True)
class Problem:
    """A homework with the data of one student, which are its attributes too: ``problem.X``.

    Attributes
    ----------
    name, title
        As in ``hw1``; a few words.
    student, term
        Whose it is, and when.
    minutes
        How long a student is expected to take.
    statement
        What is asked, in Markdown.
    data
        The data by name.
    questions
        The parts.
    """

    name: str
    title: str
    student: str
    term: str
    minutes: int
    statement: str
    data: dict[str, Any] = field(repr=False)
    questions: tuple[Question, ...] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        """Return the data of a name."""
        data = object.__getattribute__(self, "data")
        if name in data:
            return data[name]
        raise AttributeError(
            f"the problem has no {name!r}; its data are {', '.join(data) or 'in its statement'}"
        )

    def check(self, answer: Any = NOT_GIVEN, /, **parts: Any) -> Verdict:
        """Say whether an answer is right, or what is off; as `ibtools.course.check` does.

        Parameters
        ----------
        answer
            A dictionary of the parts by name, or a sequence of all of them in order.
        **parts
            The parts by name, instead of `answer`.

        Returns
        -------
        Verdict
            It shows itself.
        """
        return judge(self.name, self.questions, answer, parts)

    def __str__(self) -> str:
        """Return title and statement."""
        return f"{self.title} ({self.name}, {self.student})\n\n{self.statement}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"**{self.title}** ({self.name}, {self.student})\n\n{self.statement}"


@cache
def homeworks() -> dict[str, Homework]:
    """Return the homework there is, by name.

    Returns
    -------
    dict[str, Homework]
        ``hw1`` to ``hw5``, one for each chapter; their titles and minutes.

    See Also
    --------
    problem : One of them with the data of a student.

    Examples
    --------
    >>> from ibtools.course import homeworks
    >>> homeworks()["hw1"].title
    'One sample, one network'
    """
    found = import_module("ibtools.course.checks.homework").HOMEWORKS
    return {homework.name: homework for homework in found}


def problem(name: str, *, student: str, term: str = "") -> Problem:
    """Return a homework with the data of one student.

    Parameters
    ----------
    name
        ``"hw1"`` to ``"hw5"``, one for each chapter.
    student
        What the student is known by, such as an e-mail address. Case, and spaces around it, do not
        count.
    term
        Anything that is new each time the course is taught: the data change with it.

    Returns
    -------
    Problem
        Its statement, its data, and ``check``. The same for the same student and term, on every
        machine; for others the data are others.

    Raises
    ------
    ValueError
        If there is no such homework, or `student` is empty.

    See Also
    --------
    check

    Examples
    --------
    >>> from ibtools.course import problem
    >>> mine = problem("hw1", student="ada@example.org", term="2027 spring")
    >>> mine.X.shape
    (1, 3)
    >>> mine.check(None).score
    0.0
    """
    known = homeworks()
    if name not in known:
        near = get_close_matches(str(name), known, n=1)
        raise ValueError(
            f"name must be one of {', '.join(known)}, got {name!r}"
            + (f"; did you mean {near[0]!r}?" if near else f"; for instance {next(iter(known))!r}")
        )
    who = " ".join(unicodedata.normalize("NFKC", str(student)).casefold().split())
    if not who or student is None:
        raise ValueError(
            f"student must be what the student is known by, got {student!r}; "
            'give a name or an address, as in student="ada@example.org"'
        )
    homework = known[name]
    rng = np.random.default_rng(seed_of("homework", name, who, str(term).strip()))
    while True:
        statement, data, questions = homework.draw(rng)
        if all(question.tells_apart for question in questions):
            break
    return Problem(
        name, homework.title, str(student), str(term), homework.minutes, statement, data, questions
    )
