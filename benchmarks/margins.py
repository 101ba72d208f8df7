"""``python -m benchmarks.margins [--json] [--cap SECONDS]``: to a margin, and to a tiny loss."""

from benchmarks.clock import use_one_core

if __name__ == "__main__":
    use_one_core()  # before anything imports numpy

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tqdm import tqdm

from benchmarks.clock import Allowance, cpu
from benchmarks.competitors.margins import (
    LinearProblem,
    MarginCompetitor,
    MarginProblem,
    NetProblem,
    Outcome,
    Run,
    contenders,
)
from benchmarks.report import number, told

_QUICK = 1.0


@dataclass(frozen=True)
class MarginRow:
    """One competitor on one problem. CPU seconds, and their ratio to the first competitor's."""

    problem: str
    name: str
    seconds: float | None = None
    ratio: float | None = None
    repetitions: int = 0
    margin: float | None = None
    log10_loss: float | None = None
    finished: bool = False
    note: str = ""


def compare(
    problem: MarginProblem,
    competitors: Sequence[MarginCompetitor],
    *,
    cap: float,
    repetitions: int,
) -> list[MarginRow]:
    """Return a row for each; the quick ones and the first run `repetitions` times, in turn."""
    ready: dict[str, Run] = {}
    outcomes: dict[str, Outcome] = {}
    times: dict[str, list[float]] = {}
    absent: dict[str, str] = {}
    for competitor in tqdm(competitors, desc=problem.label, leave=False, disable=None):
        try:
            run = competitor.prepare(problem)
        except ImportError as error:
            absent[competitor.name] = f"not run: {error.name or error} is not installed here"
            continue
        ready[competitor.name] = run
        outcomes[competitor.name], taken = _timed(run, cap)
        times[competitor.name] = [taken]
    for _ in range(repetitions - 1):
        for name, run in ready.items():
            if times[name][0] < _QUICK or name == competitors[0].name:
                times[name].append(_timed(run, cap)[1])
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    first = seconds[competitors[0].name]
    rows = []
    for competitor in competitors:
        name = competitor.name
        if name in absent:
            rows.append(MarginRow(problem.label, name, note=absent[name]))
            continue
        outcome = outcomes[name]
        rows.append(
            MarginRow(
                problem.label,
                name,
                seconds[name],
                seconds[name] / first,
                len(times[name]),
                outcome.margin,
                outcome.log10_loss,
                outcome.finished,
                outcome.note,
            )
        )
    return rows


def lines(problem: MarginProblem, rows: Sequence[MarginRow]) -> list[str]:
    """Return a table for people."""
    linear = isinstance(problem, LinearProblem)
    quality = "gap" if linear else "margin"
    found = [
        f"{problem.label}",
        f"  {'':43}{'CPU s':>9} {'÷ first':>9} {quality:>9} {'log10 𝓛':>10}",
    ]
    for row in rows:
        if row.seconds is None:
            found.append(f"  {row.name:43}{'—':>9} {'—':>9} {'—':>9} {'—':>10}  {row.note}")
            continue
        more = "" if row.finished else ">"
        value = f"{1 - row.margin / problem.best:.1e}" if linear else f"{row.margin:.6f}"
        loss = "" if row.log10_loss is None else f"{row.log10_loss:.5g}"
        note = row.note if row.finished else f"NOT REACHED, {row.note}"
        found.append(
            f"  {row.name:43}{more + number(row.seconds):>9} {more + number(row.ratio):>9} "
            f"{value:>9} {loss:>10}  {note}"
        )
    return found


def _timed(run: Run, cap: float) -> tuple[Outcome, float]:
    start = cpu()
    outcome = run(Allowance(cap))
    return outcome, cpu() - start


def problems() -> list[MarginProblem]:
    """Return the problems, in the order of the tables."""
    return [LinearProblem(1e-2), LinearProblem(1e-6), NetProblem()]


def section(*, cap: float, repetitions: int, say: Callable[[str], Any]) -> list[dict[str, Any]]:
    """Print the tables of all problems and return their rows, for ``python -m benchmarks``."""
    say(
        "\nMargins. Exponential loss (SGD: logistic), one core, in one run, taking turns. > :\n"
        f"stopped after {cap:g} CPU seconds, the true number is larger. Everyone is told when the\n"
        "goal is reached.\n"
    )
    rows: list[MarginRow] = []
    for problem in problems():
        found = compare(problem, contenders(problem), cap=cap, repetitions=repetitions)
        rows += found
        say("\n".join(lines(problem, found)) + "\n")
    return [asdict(row) for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.margins", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the same for machines")
    parser.add_argument("--cap", type=float, default=60.0, help="CPU seconds for each run")
    parser.add_argument("--repetitions", type=int, default=5, help="of whatever is quick")
    options = parser.parse_args(arguments)
    made = partial(section, cap=options.cap, repetitions=options.repetitions)
    return told(made, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
