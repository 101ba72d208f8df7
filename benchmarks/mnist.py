"""MNIST: ``python -m benchmarks.mnist [--samples 60000] [--budget SECONDS] [--against NAME]``."""

from benchmarks.clock import use_one_core

if __name__ == "__main__":
    use_one_core()  # before anything imports numpy

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tqdm import tqdm

from benchmarks.clock import cpu
from benchmarks.competitors.mnist import Digits, Method, methods
from benchmarks.report import number, told
from ibtools.data import DataError

BUDGET = 25.0
# Whoever is quickest at first sets a goal as well: its margin after so much of the budget.
_AT_FIRST = 0.04
# Everyone works for so much of the budget, then it is the next one's turn.
_TURN = 0.02


@dataclass(frozen=True)
class Reached:
    """When a method had reached which margin: CPU seconds, and the margin."""

    method: Method
    path: tuple[tuple[float, float], ...]

    def best(self, until: float = float("inf")) -> float:
        """Return the largest margin so far."""
        return max((margin for seconds, margin in self.path if seconds <= until), default=0.0)

    def time_to(self, goal: float) -> float | None:
        """Return the CPU seconds to a margin, or None if it was not reached."""
        return next((seconds for seconds, margin in self.path if margin >= goal), None)


@dataclass(frozen=True)
class GoalRow:
    """One method, in its best setting, on the way to one margin.

    CPU seconds, and their ratio to the first method's; where the goal was not reached, all seconds
    that there were, and `margin` is the largest reached.
    """

    problem: str
    name: str
    seconds: float
    ratio: float
    goal: float
    margin: float
    finished: bool
    note: str


def race(problem: Digits, contenders: Sequence[Method], *, budget: float) -> list[Reached]:
    """Let all work in turn until each has used up its CPU seconds; looking at margins is free."""
    runs = [method.prepare(problem) for method in contenders]
    paths: list[list[tuple[float, float]]] = [[] for _ in contenders]
    spent = [0.0] * len(contenders)
    going = set(range(len(contenders)))
    bar = tqdm(total=round(budget * len(going)), desc=problem.label, leave=False, disable=None)
    with bar:
        while going:
            for k in sorted(going):
                end = min(spent[k] + _TURN * budget, budget)
                while spent[k] < end:
                    begun = cpu()
                    weights = next(runs[k], None)
                    taken = cpu() - begun
                    spent[k] += taken
                    bar.update(taken)
                    if weights is None:
                        break
                    paths[k].append((spent[k], problem.margin(weights)))
                if weights is None or spent[k] >= budget:
                    going.remove(k)
    return [Reached(m, tuple(path)) for m, path in zip(contenders, paths, strict=True)]


def goals(problem: Digits, found: Sequence[Reached], *, budget: float) -> dict[str, float]:
    """Return the margins to be reached, by their labels: everyone's own best, and a quick one."""
    at_first = max(one.best(_AT_FIRST * budget) for one in found)
    result = {label_at_first(problem, budget): at_first}
    for name in _names(one.method for one in found):
        if name != found[0].method.name:
            result[label_of(problem, name)] = max(
                one.best() for one in found if one.method.name == name
            )
    return result


def label_at_first(problem: Digits, budget: float) -> str:
    return f"{problem.label}, to the best of anyone in the first {_AT_FIRST * budget:g} s"


def label_of(problem: Digits, name: str) -> str:
    return f"{problem.label}, to the best of {name}"


def opponents() -> list[str]:
    """Return the names of all methods but the first."""
    return _names(methods())[1:]


def labels(problem: Digits, budget: float = BUDGET) -> list[str]:
    """Return the labels of all goals."""
    return [label_at_first(problem, budget), *(label_of(problem, name) for name in opponents())]


def rows_of(problem: Digits, found: Sequence[Reached], *, budget: float) -> list[GoalRow]:
    """Return a row for each goal and each name, in the setting that gets there first."""
    rows = []
    for label, goal in goals(problem, found, budget=budget).items():
        first = None
        for name in _names(one.method for one in found):
            group = [one for one in found if one.method.name == name]
            times = {one: taken for one in group if (taken := one.time_to(goal)) is not None}
            chosen = min(times, key=times.__getitem__) if times else max(group, key=Reached.best)
            taken = times.get(chosen, chosen.path[-1][0] if chosen.path else budget)
            first = taken if first is None else first
            tried = f", best of {len(group)} rates" if len(group) > 1 else ""
            rows.append(
                GoalRow(
                    label,
                    name,
                    taken,
                    taken / first,
                    goal,
                    chosen.best(),
                    bool(times),
                    chosen.method.setting + tried,
                )
            )
    return rows


def lines(rows: Sequence[GoalRow]) -> list[str]:
    """Return a table for each goal."""
    result = []
    for label in dict.fromkeys(row.problem for row in rows):
        here = [row for row in rows if row.problem == label]
        result.append(f"{label}: {here[0].goal:.3g}")
        result.append(f"  {'':43}{'CPU s':>9} {'÷ first':>9} {'reached':>9}")
        for row in here:
            more = "" if row.finished else ">"
            note = row.note if row.finished else ", ".join(filter(None, ["NOT REACHED", row.note]))
            result.append(
                f"  {row.name:43}{more + number(row.seconds):>9} {more + number(row.ratio):>9} "
                f"{row.margin:>9.2e}  {note}"
            )
    return result


def section(
    *,
    samples: int,
    budget: float,
    root: str | None,
    say: Callable[[str], Any],
    against: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Print the tables and return their rows, for ``python -m benchmarks``.

    Against some only, by their names, if any are given.
    """
    problem = Digits(samples, root)
    first, *others = methods()
    contenders = [first, *(other for other in others if not against or other.name in against)]
    say(
        f"\nMargins on MNIST, {samples} digits, a net of 100 squared ReLUs, cross-entropy, all on\n"
        f"one core, in one run, taking turns, {budget:g} CPU seconds each. All begin where Adam\n"
        "brought the summed loss below log 2, which is not counted. Goals are the best that each\n"
        "of the others reaches, and the best of anyone at first."
    )
    try:
        rows = rows_of(problem, race(problem, contenders, budget=budget), budget=budget)
    except DataError as error:
        say(f"  not run: {str(error).splitlines()[0]}")
        return []
    say("\n".join(lines(rows)))
    return [asdict(row) for row in rows]


def _names(contenders: Any) -> list[str]:
    return list(dict.fromkeys(method.name for method in contenders))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mnist", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the same for machines")
    parser.add_argument("--samples", type=int, default=1000, help="how many digits; 60000 are all")
    parser.add_argument("--budget", type=float, default=BUDGET, help="CPU seconds for each")
    parser.add_argument("--root", help="the folder of the data sets; IBTOOLS_DATA by default")
    parser.add_argument(
        "--against", nargs="+", default=(), choices=opponents(), help="default: all"
    )
    options = parser.parse_args(arguments)
    made = partial(
        section,
        samples=options.samples,
        budget=options.budget,
        root=options.root,
        against=options.against,
    )
    return told(made, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
