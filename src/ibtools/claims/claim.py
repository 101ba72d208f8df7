"""A claim: one theorem as a function that runs both of its sides."""

import html
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# The book's theme lays a light panel under outputs in the dark; claims are text like any other. A
# class named twice outweighs the theme's own rule.
_STYLE = (
    "<style>html[data-theme=dark] .bd-content div.cell_output .text_html:has(>.ib-claim.ib-claim),"
    "html[data-theme=dark] .bd-content div.cell_output .text_html:has(>.ib-claims.ib-claims)"
    "{background:none;color:inherit;padding:0}</style>"
)


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
        That number, by theory and by the run.
    error
        How far the two sides are apart, usually as whole vectors.
    error_of
        What `error` measures.
    tolerance
        The largest `error` with which the claim holds.
    """

    quantity: str
    predicted: float
    measured: float
    error: float
    error_of: str
    tolerance: float


@dataclass(frozen=True)
class Outcome:
    """A claim that was run."""

    claim: "Claim"
    comparison: Comparison
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the error is within the tolerance; a NaN never is."""
        return self.comparison.error <= self.comparison.tolerance

    def record(self) -> dict[str, str | float | bool]:
        """Return the outcome as plain data, for machines."""
        claim = self.claim
        return {
            "id": claim.id,
            "title": claim.title,
            "source": claim.source,
            "statement": claim.statement,
            **asdict(self.comparison),
            "holds": self.holds,
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        """Return the outcome as lines of text."""
        c = self.comparison
        return (
            f"{self.claim.title} [{self.claim.id}; {self.claim.source}]\n"
            f"  {self.claim.statement}\n"
            f"  {c.quantity}: predicted {number(c.predicted)}, measured {number(c.measured)}\n"
            f"  error {number(c.error)} ({c.error_of}), tolerance {number(c.tolerance)}: "
            f"{verdict(self)}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        c = self.comparison
        facts = (
            ("predicted", number(c.predicted)),
            ("measured", number(c.measured)),
            (f"error: {c.error_of}", number(c.error)),
            ("tolerance", number(c.tolerance)),
        )
        cells = "".join(
            f'<div style="flex:1 1 {width}">'
            f'<dt style="font-weight:normal;font-size:.85em">{html.escape(name)}</dt>'
            f'<dd style="margin:0;font-weight:bold">{html.escape(value)}</dd></div>'
            for (name, value), width in zip(facts, ("6em", "6em", "12em", "6em"), strict=True)
        )
        return (
            f"{_STYLE}"
            '<div class="ib-claim" style="border:1px solid;border-left-width:4px;padding:.5em 1em">'
            f"<p><strong>{verdict(self)}: {html.escape(self.claim.title)}.</strong> "
            f"{html.escape(self.claim.statement)} <em>({html.escape(self.claim.source)})</em></p>"
            f'<p style="margin-bottom:.2em">{html.escape(c.quantity)}:</p>'
            f'<dl style="display:flex;flex-wrap:wrap;gap:.4em 1em;margin:0">{cells}</dl></div>'
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
        What is claimed, in a sentence.
    compare
        The function that runs the theory and the simulation, which share no code.
    """

    id: str
    title: str
    source: str
    statement: str
    compare: Callable[[], Comparison]

    def run(self) -> Outcome:
        """Run both sides and return what they said, whether or not they agree."""
        started = time.perf_counter()
        comparison = self.compare()
        return Outcome(self, comparison, time.perf_counter() - started)

    def check(self) -> Outcome:
        """Run both sides; raise `ClaimError` unless they agree."""
        outcome = self.run()
        if not outcome.holds:
            raise ClaimError(f"the claim does not hold:\n{outcome}")
        return outcome


def claim(
    identifier: str, *, title: str, source: str, statement: str
) -> Callable[[Callable[[], Comparison]], Claim]:
    """Turn a function that compares both sides into a `Claim`."""

    def decorate(compare: Callable[[], Comparison]) -> Claim:
        return Claim(identifier, title, source, statement, compare)

    return decorate


class Scoreboard:
    """Outcomes as a table: as text, as HTML for a page, as records for machines."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)

    @property
    def all_hold(self) -> bool:
        """Whether every claim holds."""
        return all(outcome.holds for outcome in self.outcomes)

    def statements(self) -> "Statements":
        """Return what the claims say."""
        return Statements([outcome.claim for outcome in self.outcomes])

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                o.claim.id,
                o.claim.source,
                o.comparison.quantity,
                number(o.comparison.predicted),
                number(o.comparison.measured),
                number(o.comparison.error),
                number(o.comparison.tolerance),
                verdict(o),
            )
            for o in self.outcomes
        ]

    _HEAD = ("id", "source", "quantity", "predicted", "measured", "error", "tolerance", "holds?")

    def __str__(self) -> str:
        """Return the table in columns of text."""
        rows = [self._HEAD, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self._HEAD))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        held = sum(o.holds for o in self.outcomes)
        return "\n".join([*lines, "", f"{held} of {len(self.outcomes)} claims hold"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        held = sum(o.holds for o in self.outcomes)
        table = _table(self._HEAD, self._rows(), name="Scoreboard")
        return (
            f'{_STYLE}<div class="ib-claims"><p>{held} of {len(self.outcomes)} claims hold.</p>'
            f"{table}</div>"
        )


class Statements:
    """What claims say, in words, for a page."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = tuple(claims)

    def __repr__(self) -> str:
        """Return one paragraph for each claim."""
        return "\n".join(f"{c.id}: {c.title}. {c.statement} ({c.source})" for c in self.claims)

    def _repr_html_(self) -> str:
        items = "".join(
            f"<dt><code>{html.escape(c.id)}</code> {html.escape(c.title)}</dt>"
            f"<dd>{html.escape(c.statement)} <em>({html.escape(c.source)})</em></dd>"
            for c in self.claims
        )
        return f'{_STYLE}<div class="ib-claims"><dl>{items}</dl></div>'


def relative(difference: Float[np.ndarray, "..."], reference: Float[np.ndarray, "..."]) -> float:
    """Return the norm of a difference, of arrays of any shape, over that of the reference."""
    return float(np.linalg.norm(difference) / np.linalg.norm(reference))


def is_worse(error: float, worst: float) -> bool:
    """Return whether `error` is the worst so far; a NaN is worse than any number, and stays so."""
    return not math.isnan(worst) and not error <= worst


def number(value: float) -> str:
    """Return a number as a reader wants it: short, and never more digits than it has."""
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
