"""What is said of an answer: for each part whether it is right, and what is off."""

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One part of an answer.

    Attributes
    ----------
    name
        Its name, by which an answer of several parts gives it.
    points
        What it is worth, in points of the exercise.
    right
        Whether it is right.
    feedback
        What is off, in a sentence or two that do not give the answer away; empty if it is right.
    """

    name: str
    points: float
    right: bool
    feedback: str = ""


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer. It shows itself as text, HTML and Markdown.

    Attributes
    ----------
    id
        The exercise or homework, as in ``imd.tie``.
    parts
        Its parts, each judged by itself, in the order of the question.
    message
        What is off with the answer as a whole, for instance that a part was given a wrong name.

    Examples
    --------
    >>> from ibtools.course import Part, Verdict
    >>> parts = Part("equal", 1.0, True), Part("unequal", 1.0, False, "Not so.")
    >>> verdict = Verdict("imd.tie", parts)
    >>> verdict.right, verdict.score
    (False, 0.5)
    >>> print(verdict)
    imd.tie: 1 of 2 parts right
      equal: right
      unequal: Not so.
    """

    id: str
    parts: tuple[Part, ...]
    message: str = ""

    @property
    def right(self) -> bool:
        """Whether every part is right."""
        return bool(self.parts) and all(part.right for part in self.parts)

    @property
    def score(self) -> float:
        """The share of the points that the answer earns, from 0 to 1."""
        total = sum(part.points for part in self.parts)
        return sum(part.points for part in self.parts if part.right) / total if total else 0.0

    @property
    def summary(self) -> str:
        """The verdict in a few words."""
        if self.right:
            return "right"
        if len(self.parts) < 2:
            return "not yet"
        return f"{sum(part.right for part in self.parts)} of {len(self.parts)} parts right"

    def _lines(self) -> list[tuple[str, str]]:
        if len(self.parts) == 1 and not self.parts[0].right:
            return [("", self.parts[0].feedback)]
        if len(self.parts) == 1:
            return []
        return [(part.name, "right" if part.right else part.feedback) for part in self.parts]

    def __str__(self) -> str:
        """Return the verdict as lines of text."""
        lines = [f"{self.id}: {self.summary}"]
        lines += [f"  {self.message}"] * bool(self.message)
        lines += [f"  {name}: {said}" if name else f"  {said}" for name, said in self._lines()]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        lines = [f"**{self.id}: {self.summary}.**"]
        lines += ["", self.message] * bool(self.message)
        said = [f"*{name}:* {text}" if name else text for name, text in self._lines()]
        return "\n".join([*lines, "", *(f"- {line}" for line in said)]).rstrip()

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li>{f'<em>{html.escape(name)}:</em> ' if name else ''}{html.escape(text)}</li>"
            for name, text in self._lines()
        )
        message = f"<p>{html.escape(self.message)}</p>" if self.message else ""
        return (
            f'<div class="ib-verdict" data-right="{str(self.right).lower()}" '
            'style="border:1px solid;border-left-width:4px;padding:.5em 1em">'
            f"<p>{'✓' if self.right else '✗'} <strong>{html.escape(self.id)}: {self.summary}."
            f"</strong></p>{message}{f'<ul>{items}</ul>' if items else ''}</div>"
        )
