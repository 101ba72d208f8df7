"""Plain text for people, or the same for machines."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.measure import Row

# What counts as solved: the accuracy that ibtools promises for w.
PROMISED = 1e-8
# What counts as equally accurate on the path: an integrator is quicker the less is asked of it.
EXACT = 1e-11


def header() -> str:
    return (
        f"{'':47}{'CPU s':>9} {'÷ limit':>9} {'÷ path':>8}   {'error of w':>10}\n"
        f"{'':47}{'':>9} {'':>9} {'':>8}   {'end':>10} {'midway':>8}"
    )


def lines(rows: Sequence[Row]) -> list[str]:
    """Return one line for each row."""
    result = []
    for row in rows:
        label = row.name if row.group == "ours" else f"({row.group}) {row.name}"
        if row.seconds is None:
            result.append(f"  {label:45}{'—':>9} {'—':>9} {'—':>8}   {row.note}")
            continue
        capped = "" if row.finished else ">"
        note = row.note if row.finished else ", ".join(filter(None, ["NOT FINISHED", row.note]))
        result.append(
            f"  {label:45}{capped + number(row.seconds):>9} {capped + number(row.limit_ratio):>9} "
            f"{capped + number(row.path_ratio) if row.path_ratio else '':>8}   "
            f"{row.limit_error:>10.1e} "
            f"{'' if row.midway_error is None else format(row.midway_error, '.0e'):>8}  {note}"
        )
    return result


def number(value: float) -> str:
    """Return about three digits, without exponents."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def summary(rows: Sequence[Row]) -> list[str]:
    """Return how far ahead ours is on each problem, by what others reach the promised accuracy."""
    result = []
    for problem in dict.fromkeys(row.problem for row in rows):
        here = [row for row in rows if row.problem == problem and row.seconds is not None]
        solved = [row for row in here if row.finished and row.limit_error <= PROMISED]
        result.append(problem)
        result.append(f"  limit: {_descent([row for row in here if row.group == 'a'])}")
        flows = [row for row in solved if row.group in ("b", "c", "d")]
        result.append(f"  limit, against the best flow (b-d): {_best(flows, 'limit_ratio')}")
        told = [row for row in solved if row.group == "e"]
        result.append(
            f"  limit, against the best told the theorem (e): {_best(told, 'limit_ratio')}"
        )
        result.append(f"  path, against the best flow (b-d): {_best(flows, 'path_ratio')}")
        exact = [row for row in flows if row.midway_error is not None and row.midway_error <= EXACT]
        result.append(
            f"  path, against the best flow within {EXACT:.0e} midway: {_best(exact, 'path_ratio')}"
        )
    return result


def _best(rows: Sequence[Row], ratio: str) -> str:
    if not rows:
        return "none other reached it"
    best = min(rows, key=lambda row: row.seconds)
    value = getattr(best, ratio)
    return f"{number(value)} times as fast as {best.name}"


def _descent(rows: Sequence[Row]) -> str:
    """Say what gradient descent costs, and would cost at equal accuracy.

    Its distance to the flow is proportional to the step and its steps to the inverse of it, so a
    thousandth of the error takes a thousand times as long.
    """
    ended = [row for row in rows if row.finished]
    if not ended:
        return "gradient descent did not reach its loss threshold"
    quick = min(ended, key=lambda row: row.seconds)
    close = min(ended, key=lambda row: row.seconds * row.limit_error)
    needed = close.limit_ratio * max(1.0, close.limit_error / PROMISED)
    return (
        f"{number(quick.limit_ratio)} times as fast as gradient descent, off by "
        f"{quick.limit_error:.0e}; at {PROMISED:.0e}, if error ∝ step: {needed:.0e} times"
    )


def told(section: Callable[..., list[dict[str, Any]]], *, as_json: bool) -> int:
    """Run a section, which says its rows one by one, or print all of them as JSON; return 0."""
    rows = section(say=(lambda *_: None) if as_json else (lambda text: print(text, flush=True)))
    if as_json:
        json.dump(rows, sys.stdout, indent=1)
        print()
    return 0
