"""Two-layer networks: ``python -m benchmarks.two_layer [--json] [--cap SECONDS]``."""

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

import numpy as np

from benchmarks.clock import Allowance, cpu
from benchmarks.competitors.two_layer import Problem, Trained, Trainer, everyone
from benchmarks.report import number, told

# n, d, neurons of either sign, networks, slope, steps
CASES = (
    (20, 2000, 50, 1, 0.1, 1000),
    (20, 400, 50, 1, 0.3, 1000),
    (100, 400, 50, 1, 0.3, 1000),
    (20, 100, 50, 1, 0.1, 1000),  # below the threshold: neurons never stop switching
    (20, 2000, 50, 16, 0.1, 300),
    (10, 400, 10, 64, 0.3, 1000),
)
# What takes less is worth repeating: its median is steadier.
_QUICK = 1.0


@dataclass(frozen=True)
class Row:
    """One trainer on one problem."""

    problem: str
    group: str
    name: str
    seconds: float
    steps: int
    ratio: float
    distance: float | None
    finished: bool


def draw(*, n: int, d: int, m: int, networks: int, slope: float, steps: int, seed: int) -> Problem:
    """Return Gaussian samples and starts; a step takes about a tenth off the loss at first."""
    random = np.random.default_rng(seed)
    return Problem(
        X=random.standard_normal((n, d)),
        y=np.repeat([1.0, -1.0], [n - n // 2, n // 2]),
        start=1e-3 * random.standard_normal((networks, 2 * m, d)),
        slope=slope,
        step=n * m / (2 * d),
        steps=steps,
    )


def compare(
    problem: Problem, trainers: Sequence[Trainer], *, cap: float, repetitions: int
) -> list[Row]:
    """Return a row for each; ratios are per step and refer to the first, and so do distances."""
    runs = [(trainer, trainer.prepare(problem)) for trainer in trainers]
    found: list[Trained] = []
    times: list[list[float]] = []
    for turn in range(repetitions):
        for k, (_, run) in enumerate(runs):
            if turn and times[k][0] > _QUICK:
                continue
            start = cpu()
            trained = run(Allowance(cap))
            taken = cpu() - start
            if turn:
                times[k].append(taken)
            else:
                found.append(trained)
                times.append([taken])
    seconds = [statistics.median(one) for one in times]
    reference = found[0].W
    size = float(np.linalg.norm(reference))
    rows = []
    for (trainer, _), trained, taken in zip(runs, found, seconds, strict=True):
        finished = trained.steps == problem.steps
        ratio = taken / max(trained.steps, 1) / (seconds[0] / problem.steps)
        distance = float(np.linalg.norm(trained.W - reference)) / size if finished else None
        rows.append(
            Row(
                problem.label,
                trainer.group,
                trainer.name,
                taken,
                trained.steps,
                ratio,
                distance,
                finished,
            )
        )
    return rows


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table of one problem."""
    result = [f"  {'':42}{'CPU s':>8} {'÷ ours, per step':>17}   distance of W"]
    for row in rows:
        label = row.name if row.group == "ours" else f"({row.group}) {row.name}"
        end = f"{row.distance:.0e}" if row.distance is not None else f"stopped at step {row.steps}"
        result.append(f"  {label:42}{number(row.seconds):>8} {number(row.ratio):>17}   {end}")
    return result


def section(
    *, cap: float, repetitions: int, seed: int, say: Callable[[str], Any]
) -> list[dict[str, Any]]:
    """Print the tables of all problems and return their rows, for ``python -m benchmarks``."""
    say(
        "\nGradient descent of two-layer leaky ReLU networks, all on one core, in one run, taking "
        "turns.\n(a) as anyone would write it, (b) the gradient by hand, (c) many networks at once"
    )
    result = []
    for n, d, m, networks, slope, steps in CASES:
        problem = draw(n=n, d=d, m=m, networks=networks, slope=slope, steps=steps, seed=seed)
        rows = compare(problem, everyone(), cap=cap, repetitions=repetitions)
        say("\n".join([f"\n{problem.label}, slope {slope:g}", *lines(rows)]))
        result += [asdict(row) for row in rows]
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.two_layer", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the same for machines")
    parser.add_argument("--cap", type=float, default=20.0, help="CPU seconds for each run")
    parser.add_argument("--repetitions", type=int, default=3, help="of whatever is quick")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    made = partial(section, cap=options.cap, repetitions=options.repetitions, seed=options.seed)
    return told(made, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
