"""A claim: one theorem as a function that runs both of its sides."""

import html
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._threads import one_thread
from ibtools.claims import kept

Relation = Literal["=", "≤", "≥", "moves"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class ClaimError(AssertionError):
    """A claim that does not hold: the theorem, the run, or one of our two programs is wrong."""


@dataclass(frozen=True)
class Comparison:
    """What the two sides of a claim said.

    Attributes
    ----------
    quantity
        The number that is shown for both sides, in words or symbols.
    predicted, measured
        That number, by theory and by the run. `predicted` is None where theory names no number, as
        in a claim that something moves.
    error
        How far the two sides are apart, usually as whole vectors; for an inequality the largest
        violation, 0 if there is none; for a move the accuracy of what was measured over the move.
    error_of
        What `error` measures.
    tolerance
        The largest `error` with which the claim holds.
    room
        For an inequality, how much of the bound is unused where it is tightest, as a fraction of
        it: 0 is attained, and a bound with much room says little. None for other claims.
    """

    quantity: str
    predicted: float | None
    measured: float
    error: float
    error_of: str
    tolerance: float
    room: float | None = None

    def __post_init__(self) -> None:
        """Turn NumPy's numbers into Python's, which every format knows."""
        for name in ("predicted", "measured", "error", "tolerance", "room"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))


class Worst:
    """The worst of several cases: the largest error, and what both sides said there.

    A NaN is worse than any number and stays the worst, so that no later case can hide it.

    Examples
    --------
    >>> from ibtools.claims.claim import Worst
    >>> worst = Worst()
    >>> for predicted, measured in [(2.0, 2.1), (3.0, 3.0)]:
    ...     worst.see(abs(measured / predicted - 1), predicted, measured)
    >>> worst.cases, worst.measured, round(worst.error, 3)
    (2, 2.1, 0.05)
    """

    def __init__(self) -> None:
        self.cases = 0
        self.error = self.predicted = self.measured = math.nan
        self.room: float | None = None

    def see(
        self,
        error: float | ArrayLike,
        predicted: float,
        measured: float,
        *,
        room: float | None = None,
    ) -> None:
        """Take one case into account; of an array of errors its largest counts.

        `room`, for an inequality, is what this case leaves unused of its bound; the least is kept.
        """
        here = largest(error)
        if self.cases == 0 or (not math.isnan(self.error) and not here <= self.error):
            self.error, self.predicted, self.measured = here, float(predicted), float(measured)
        if room is not None:
            self.room = room if self.room is None else float(np.minimum(self.room, room))
        self.cases += 1

    def comparison(self, quantity: str, error_of: str, tolerance: float) -> Comparison:
        """Return the comparison of the worst case; NaN on both sides if none was seen."""
        return Comparison(
            quantity,
            self.predicted,
            self.measured,
            self.error,
            error_of,
            tolerance,
            self.room,
        )


@dataclass(frozen=True)
class Outcome:
    """A claim that was run."""

    claim: "Claim"
    comparison: Comparison
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the error is within the tolerance and every number is one: a NaN never holds."""
        c, relation = self.comparison, self.claim.relation
        numbers = [c.measured, c.error, c.tolerance]
        if relation != "moves":
            numbers.append(math.nan if c.predicted is None else c.predicted)
        if relation in ("≤", "≥"):
            numbers.append(math.nan if c.room is None else c.room)
        return all(map(math.isfinite, numbers)) and 0 <= c.error <= c.tolerance

    def keep(self) -> None:
        """Keep it for the pages of this build, if it holds and a build asks for it."""
        if self.holds:
            comparison = asdict(self.comparison)
            kept.keep(self.claim.id, {"comparison": comparison, "seconds": self.seconds})

    def record(self) -> dict[str, str | float | bool | None]:
        """Return the outcome as plain data, for machines."""
        claim = self.claim
        return {
            **{f.name: getattr(claim, f.name) for f in fields(claim) if f.name != "compare"},
            **asdict(self.comparison),
            "holds": self.holds,
            "seconds": self.seconds,
        }

    def shown(self) -> dict[str, str | bool | None]:
        """Return what a page shows of the outcome: words, and numbers as a reader wants them."""
        claim, c = self.claim, self.comparison
        return {
            **{f.name: getattr(claim, f.name) for f in fields(claim) if f.name != "compare"},
            "quantity": c.quantity,
            "predicted": None if c.predicted is None else number(c.predicted),
            "measured": number(c.measured),
            "error": number(c.error),
            "error_of": c.error_of,
            "tolerance": number(c.tolerance),
            "room": None if c.room is None else number(c.room),
            "holds": self.holds,
        }

    def __str__(self) -> str:
        """Return the outcome as lines of text."""
        c = self.comparison
        return plain(
            f"{self.claim.title} [{self.claim.id}; {self.claim.source}]\n"
            f"  {self.claim.statement}\n"
            f"  {c.quantity}: {self._sides()}\n"
            f"  error {number(c.error)} ({c.error_of}), tolerance {number(c.tolerance)}: "
            f"{verdict(self)}"
        )

    __repr__ = __str__

    def _sides(self) -> str:
        """Return both numbers with the relation between them, and the room it leaves."""
        c, relation = self.comparison, self.claim.relation
        if relation == "moves":
            return f"moves by {number(c.measured)}"
        room = "" if c.room is None else f" (room {number(c.room)} of the bound)"
        return f"predicted {number(c.predicted)} {relation} measured {number(c.measured)}{room}"

    def _repr_html_(self) -> str:
        lines = [html.escape(line.strip()) for line in str(self).splitlines()]
        title = f"<strong>{verdict(self)}: {html.escape(plain(self.claim.title))}.</strong>"
        source = f"<em>({html.escape(self.claim.source)})</em>"
        return (
            f'<div class="ib-claim" data-claim="{_data(self.shown())}" '
            'style="border:1px solid;border-left-width:4px;padding:.5em 1em">'
            f"<p>{title} {lines[1]} {source}</p><p>{lines[2]}; {lines[3]}</p></div>"
        )


@dataclass(frozen=True)
class Claim:
    """One theorem, with a function that runs both of its sides on a stated problem.

    Attributes
    ----------
    id
        ``chapter.name``.
    title
        A few words.
    source
        Paper and theorem, or "this book".
    statement
        What is claimed, in a sentence. Formulas stand between dollars, here as in the title and in
        the words of a `Comparison`; they are written in Unicode, so that they can be read as they
        are, and the book's pages set them.
    relation
        What is asserted of the two numbers: ``"="``; predicted ``"≤"`` measured, a lower bound;
        predicted ``"≥"`` measured, an upper bound; or that the measured one ``"moves"``.
    compare
        The function that runs the theory and the simulation, which share no code.
    theorem
        The book's label of the theorem that is run; None where the claim stands for itself.
    """

    id: str
    title: str
    source: str
    statement: str
    relation: Relation
    compare: Callable[[], Comparison]
    theorem: str | None = None

    def run(self) -> Outcome:
        """Run both sides and return what they said, whether or not they agree."""
        started = time.perf_counter()
        with one_thread():  # claims are small
            comparison = self.compare()
        return Outcome(self, comparison, time.perf_counter() - started)

    def outcome(self) -> Outcome:
        """Return what both sides said, from an earlier run if this build has kept it."""
        found = self._kept()
        if found is None:
            found = self.run()
            found.keep()
        return found

    def _kept(self) -> Outcome | None:
        found = kept.find(self.id)
        if found is None:
            return None
        try:
            return Outcome(self, Comparison(**found["comparison"]), found["seconds"])
        except (TypeError, KeyError):
            return None  # as another version wrote it

    def check(self) -> Outcome:
        """Return the outcome of both sides; raise `ClaimError` unless they agree."""
        outcome = self.outcome()
        if not outcome.holds:
            raise ClaimError(f"the claim does not hold:\n{outcome}")
        return outcome


def claim(
    identifier: str,
    *,
    title: str,
    source: str,
    statement: str,
    relation: Relation = "=",
    theorem: str | None = None,
) -> Callable[[Callable[[], Comparison]], Claim]:
    """Turn a function that compares both sides into a `Claim`.

    Parameters
    ----------
    identifier
        ``chapter.name``.
    title, source, statement
        What it is called, where the theorem stands, and what is claimed: see `Claim`.
    relation
        What is asserted of the two numbers: ``"="``, ``"≤"``, ``"≥"`` or ``"moves"``.
    theorem
        The book's label of the theorem, if it is one of the book's.

    Returns
    -------
    Callable
        The decorator of a function without arguments that returns a `Comparison`.

    Raises
    ------
    ValueError
        If there is no such relation.

    Examples
    --------
    >>> from ibtools.claims import Comparison, claim
    >>> @claim("mine.half", title="A half", source="this example", statement="It is 0.5.")
    ... def half() -> Comparison:
    ...     predicted, measured = 0.5, 1 / 2
    ...     error = abs(measured - predicted)
    ...     return Comparison("½", predicted, measured, error, "difference", 1e-12)
    >>> half.run().holds
    True
    """
    if relation not in get_args(Relation):
        raise ValueError(f"relation must be one of {get_args(Relation)}, got {relation!r}")

    def decorate(compare: Callable[[], Comparison]) -> Claim:
        return Claim(identifier, title, source, statement, relation, compare, theorem)

    return decorate


class Scoreboard:
    """Outcomes as a table: as text, as HTML for a page, as records for machines."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)

    @property
    def all_hold(self) -> bool:
        """Whether every claim holds."""
        return all(outcome.holds for outcome in self.outcomes)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                o.claim.id,
                o.claim.source,
                plain(o.comparison.quantity),
                number(o.comparison.predicted),
                o.claim.relation,
                number(o.comparison.measured),
                "" if o.comparison.room is None else number(o.comparison.room),
                number(o.comparison.error),
                number(o.comparison.tolerance),
                verdict(o),
            )
            for o in self.outcomes
        ]

    _HEAD = (
        *("id", "source", "quantity", "predicted", "relation", "measured", "room"),
        *("error", "tolerance", "holds?"),
    )

    def __str__(self) -> str:
        """Return the table in columns of text."""
        rows = [self._HEAD, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self._HEAD))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, "", self._count()])

    __repr__ = __str__

    def _count(self) -> str:
        held = sum(o.holds for o in self.outcomes)
        return f"{held} of {len(self.outcomes)} claims hold"

    def _repr_html_(self) -> str:
        table = _table(self._HEAD, self._rows(), name="Scoreboard")
        return (
            f'<div class="ib-claims" data-claims="{_data([o.shown() for o in self.outcomes])}">'
            f"<p>{self._count()}.</p>{table}</div>"
        )


def relative(difference: Float[np.ndarray, "..."], reference: Float[np.ndarray, "..."]) -> float:
    """Return the norm of a difference, of arrays of any shape, over that of the reference."""
    return float(np.linalg.norm(difference) / np.linalg.norm(reference))


def largest(*values: float | ArrayLike) -> float:
    """Return the largest number in all `values`, floats or arrays; NaN if one of them is NaN.

    Python's ``max(0.0, nan)`` is 0.0: a claim that uses it holds on a run that produced nothing.
    """
    return float(np.max([np.max(value) for value in values]))


def smallest(*values: float | ArrayLike) -> float:
    """Return the smallest number in all `values`, floats or arrays; NaN if one of them is NaN."""
    return float(np.min([np.min(value) for value in values]))


def excess(value: float | ArrayLike, bound: float | ArrayLike) -> Float[np.ndarray, "..."]:
    """Return by which part of a positive `bound` each `value` exceeds it, 0 where it does not."""
    return np.asarray(np.maximum(np.asarray(value) / np.asarray(bound) - 1, 0.0))


def number(value: float | None) -> str:
    """Return a number as a reader wants it: short, and never more digits than it has."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.6g}".replace("-", "−")
    digits, exponent = f"{value:.1e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return (power if digits == "1.0" else f"{digits}·{power}").replace("-", "−")


def verdict(outcome: Outcome) -> str:
    """Return the verdict with a sign that does not depend on colour."""
    return "✔ holds" if outcome.holds else "✘ fails"


def plain(text: str) -> str:
    """Return a text without the dollars around its formulas."""
    return text.replace("$", "")


def _data(value: object) -> str:
    """Return what is to be shown as an attribute, from which the book's pages make their boxes."""
    return html.escape(json.dumps(value, ensure_ascii=False))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, name: str) -> str:
    """Return a table in a container of its own that scrolls sideways, also by keyboard."""
    top = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>"
        + f'<th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div role="group" aria-label="{html.escape(name)}" tabindex="0" style="overflow-x:auto">'
        f'<table class="table"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )
