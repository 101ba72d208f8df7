"""Questions: what is asked for, what theory says, and the usual ways to be wrong.

Numbers, arrays, one of several options, or a function that is called on problems which whoever
wrote it has not seen. Each usual mistake is written as the answer of one who makes it: so it is
recognized by its value, and a test can hand it in.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import plain
from ibtools.course.limits import NoAnswerError, limited
from ibtools.course.verdict import Part

Kind = Literal["number", "array", "option", "function"]
_DIGITS = dict(enumerate(("two", "three", "four", "five", "six", "seven", "eight"), 2))


@dataclass(frozen=True)
class Misconception:
    """A usual mistake.

    Attributes
    ----------
    name
        What is wrong, in a few words, for teachers.
    answer
        The answer of one who makes it: as a function of what the question's `theory` takes.
    feedback
        What the reader is told, which does not give the answer away.
    """

    name: str
    answer: Callable[..., Any]
    feedback: str


@dataclass(frozen=True)
class Question:
    """One part of an exercise: a question with one answer.

    Attributes
    ----------
    name
        An identifier, by which the part is given: ``check(id, name=answer)``.
    asks
        What is to be handed in, as a phrase in Markdown.
    kind
        ``"number"``, ``"array"``, ``"option"`` or ``"function"``.
    theory
        What the answer must be: a function of the arguments of `cases`, of none for what is not a
        function.
    wrong
        The usual mistakes.
    cases
        Draws what a function is called with: a list of tuples of arguments.
    options
        What there is to choose from.
    points
        What the part is worth.
    rtol, atol
        Relative and absolute accuracy that is asked for.
    """

    name: str
    asks: str
    kind: Kind
    theory: Callable[..., Any]
    wrong: tuple[Misconception, ...] = ()
    cases: Callable[[np.random.Generator], list[tuple[Any, ...]]] | None = None
    options: tuple[str, ...] = ()
    points: float = 1.0
    rtol: float = 1e-3
    atol: float = 0.0

    def problems(self) -> list[tuple[Any, ...]]:
        """Return the arguments that the answer is tried on, the same at every call."""
        if self.cases is None:
            return [()]
        return self.cases(np.random.default_rng(seed_of("cases", self.name)))

    @cached_property
    def _expected(self) -> tuple[list[tuple[Any, ...]], list[Any]]:
        """What the answer is tried on, and what theory says there."""
        problems = self.problems()
        return problems, [self.theory(*deepcopy(problem)) for problem in problems]

    @property
    def tells_apart(self) -> bool:
        """Whether no mistake passes for another, or for the answer."""
        problems, expected = self._expected
        mistaken = [[wrong.answer(*problem) for problem in problems] for wrong in self.wrong]
        return not any(
            all(self._same(f, e) for f, e in zip(one, other, strict=True))
            for one, other in combinations([expected, *mistaken], 2)
        )

    def judge(self, answer: Any) -> Part:
        """Return what is said of an answer, whatever it is."""
        problems, expected = self._expected
        shapes = [np.shape(each) for each in expected]
        tried: list[tuple[Any, ...]] = []
        try:
            found = limited(lambda: self._read(answer, problems, shapes, tried))
        except NoAnswerError as error:
            where = f" It was called with {_listed(tried[-1])}." if tried else ""
            return Part(self.name, self.points, False, f"{error}{where}")
        agreeing = [self._same(f, e) for f, e in zip(found, expected, strict=True)]
        if all(agreeing):
            return Part(self.name, self.points, True)
        for mistake in self.wrong:
            told = [mistake.answer(*problem) for problem in problems]
            if all(self._same(f, t) for f, t in zip(found, told, strict=True)):
                return Part(self.name, self.points, False, mistake.feedback)
        return Part(self.name, self.points, False, self._otherwise(found, expected, agreeing))

    def _read(
        self,
        answer: Any,
        problems: Sequence[tuple[Any, ...]],
        shapes: Sequence[tuple[int, ...]],
        tried: list[tuple[Any, ...]],
    ) -> list[Any]:
        """Return what was answered on each problem, which `tried` then holds, or raise."""
        if answer is None:
            raise NoAnswerError("There is no answer yet: it is None.")
        if self.kind == "option":
            return [_option(answer, self.options)]
        if self.kind != "function":
            return [_numbers(answer, shapes[0])]
        if not callable(answer):
            raise NoAnswerError(
                f"A function is asked for ({self.asks}), and this is of the type "
                f"{type(answer).__name__}."
            )
        found = []
        for problem, shape in zip(problems, shapes, strict=True):
            tried.append(problem)
            found.append(_numbers(answer(*deepcopy(problem)), shape, "What it returned"))
        return found

    def _same(self, one: Any, other: Any) -> bool:
        if self.kind == "option":
            return bool(one == other)
        one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
        if one.shape != other.shape:
            return False
        size = np.max(np.abs(other), initial=0.0)
        return bool(np.max(np.abs(one - other), initial=0.0) <= self.rtol * size + self.atol)

    def _otherwise(self, found: list[Any], expected: list[Any], agreeing: list[bool]) -> str:
        if self.kind == "option":
            return "That is another of the options."
        if self.kind == "function" and any(agreeing):
            return (
                f"On problems that you have not seen it agrees with theory on {sum(agreeing)} of "
                f"{len(agreeing)}. What is special about the others?"
            )
        pairs = [
            (np.asarray(f, float), np.asarray(e, float))
            for f, e in zip(found, expected, strict=True)
        ]
        if all(_apart(f, e) < max(0.03, 3 * self.rtol) for f, e in pairs):
            return f"That is near; {self._digits} right digits are asked for."
        if all(_apart(-f, e) <= self.rtol for f, e in pairs):
            return "The size is right and the sign is not."
        if all(_apart(np.sort(f, axis=None), np.sort(e, axis=None)) <= self.rtol for f, e in pairs):
            return "The numbers are right, and their order is not."
        if sum(e.size for _, e in pairs) > 1 and self._is_multiple(pairs):
            return "It is right up to a constant factor."
        if self.kind == "function":
            return "On problems that you have not seen it does not agree with theory."
        exact = pairs[0][1]
        right = np.abs(pairs[0][0] - exact) <= self.rtol * np.max(np.abs(exact)) + self.atol
        if np.any(right):
            return "Some of the entries are right, and others are not."
        return "Theory says something else."

    @property
    def _digits(self) -> str:
        return _DIGITS.get(max(2, round(-np.log10(self.rtol))), "more")

    def _is_multiple(self, pairs: Sequence[tuple[Any, Any]]) -> bool:
        """Whether all that was found is one number times what theory says."""
        found = np.concatenate([np.ravel(f) for f, _ in pairs])
        exact = np.concatenate([np.ravel(e) for _, e in pairs])
        factor = float(found @ exact) / float(exact @ exact) if np.any(exact) else 0.0
        return factor != 0 and all(_apart(f, factor * e) <= self.rtol for f, e in pairs)


def _apart(one: ArrayLike, other: ArrayLike) -> float:
    one, other = np.asarray(one), np.asarray(other)
    size = float(np.max(np.abs(other), initial=0.0))
    return float(np.max(np.abs(one - other), initial=0.0)) / size if size else np.inf


def seed_of(*words: str) -> int:
    """Return a seed made of words: the same on every machine and in every session."""
    text = "\0".join(words).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def number(
    name: str,
    asks: str,
    theory: Callable[[], float],
    wrong: Mapping[str, tuple[float, str]],
    **others: Any,
) -> Question:
    """Return a question whose answer is a number."""
    return Question(name, asks, "number", theory, _constants(wrong), **others)


def array(
    name: str,
    asks: str,
    theory: Callable[[], Any],
    wrong: Mapping[str, tuple[Any, str]],
    **others: Any,
) -> Question:
    """Return a question whose answer is an array of the shape of what theory says."""
    return Question(name, asks, "array", theory, _constants(wrong), **others)


def option(
    name: str, asks: str, right: str, wrong: Mapping[str, str], *, points: float = 1.0
) -> Question:
    """Return a question whose answer is one of several words; every wrong one has its feedback."""
    mistakes = tuple(
        Misconception(f"answers {word!r}", lambda word=word: word, told)
        for word, told in wrong.items()
    )
    options = tuple(sorted([right, *wrong]))
    return Question(name, asks, "option", lambda: right, mistakes, options=options, points=points)


def function(
    name: str,
    asks: str,
    theory: Callable[..., Any],
    cases: Callable[[np.random.Generator], list[tuple[Any, ...]]],
    wrong: Mapping[str, tuple[Callable[..., Any], str]],
    **others: Any,
) -> Question:
    """Return a question whose answer is a function, tried on problems drawn by `cases`."""
    mistakes = tuple(Misconception(name, answer, told) for name, (answer, told) in wrong.items())
    return Question(name, asks, "function", theory, mistakes, cases, **others)


def _constants(wrong: Mapping[str, tuple[Any, str]]) -> tuple[Misconception, ...]:
    return tuple(
        Misconception(name, lambda value=value: value, told)
        for name, (value, told) in wrong.items()
    )


def _numbers(
    value: Any, shape: tuple[int, ...], what: str = "The answer"
) -> Float[np.ndarray, "..."]:
    """Return finite numbers of a shape, or raise `NoAnswerError`."""
    if value is None:
        raise NoAnswerError(f"{what} is None.")
    if isinstance(value, str | bytes):
        raise NoAnswerError(f"{what} is a text; {_of(shape)} is asked for.")
    try:
        read = plain("answer", value)
    except (TypeError, ValueError):
        raise NoAnswerError(
            f"{what} cannot be read as real numbers{_kind_of(value)}; {_of(shape)} is asked for."
        ) from None
    if read.dtype.kind == "b":
        raise NoAnswerError(f"{what} is true or false; {_of(shape)} is asked for.")
    if read.shape != shape:
        raise NoAnswerError(f"{what} is {_of(read.shape)}; {_of(shape)} is asked for.")
    read = read.astype(float)
    if not np.all(np.isfinite(read)):
        raise NoAnswerError(f"{what} is not finite.")
    return read


def _kind_of(value: Any) -> str:
    """Say why a value is no array of real numbers, where its type says it."""
    if isinstance(value, list | tuple):
        return ", since its rows differ in length or an entry is no number"
    if isinstance(value, complex) or np.iscomplexobj(value):
        return ", since it is complex"
    return f": it is of the type {type(value).__name__}"


def _listed(arguments: tuple[Any, ...]) -> str:
    """Say what a function was called with, without the numbers."""
    return ", ".join(_of(np.shape(argument)) for argument in arguments) or "no arguments"


def _of(shape: tuple[int, ...]) -> str:
    return f"an array of the shape {shape}" if shape else "a number"


def _option(value: Any, options: tuple[str, ...]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # an order, or the number of a step
    word = value.strip().casefold() if isinstance(value, str) else ""
    for known in options:
        if word == known.casefold():
            return known
    raise NoAnswerError(f"One of these words is asked for: {', '.join(map(repr, options))}.")
