"""``python -m benchmarks [--json] [--scales …] [--cap SECONDS]``."""

from benchmarks.clock import use_one_core

use_one_core()  # before anything imports numpy

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import figure, imports, margins, report, two_layer
from benchmarks.competitors import (
    Competitor,
    everyone,
    everyone_leaky,
    everyone_neuron,
    ours,
    ours_neuron,
)
from benchmarks.measure import Row, compare
from benchmarks.neuron import draw_neuron
from benchmarks.problem import HORIZON_ERROR, Problem, draw, solve

SECTIONS = ("limits", "neuron", "figure", "margins", "two_layer", "imports")
NEURON_SCALES = (1e-1, 1e-3, 1e-8)
NEURON_SHAPES = (0.0, 0.5)
FIGURE_COMPETITORS = (
    "torch GD, step 1/λmax, to loss 1e-08",
    "scipy DOP853, parameters",
    "scipy trust-exact, dual",
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the same for machines")
    parser.add_argument("--scales", type=float, nargs="+", default=[1e-1, 1e-3, 1e-5, 1e-8])
    parser.add_argument("--cap", type=float, default=5.0, help="CPU seconds for each run")
    parser.add_argument("--repetitions", type=int, default=5, help="of whatever is quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip", nargs="*", default=[], choices=SECTIONS)
    options = parser.parse_args(arguments)
    say = (lambda *_: None) if options.json else (lambda text: print(text, flush=True))
    result: dict[str, object] = {}

    if "limits" not in options.skip:
        say(_explanation(options.cap))
        problems = [draw(n=100, d=1000, scale=scale, seed=options.seed) for scale in options.scales]
        result["limits"] = _tables(problems, ours(), everyone(), options, say)

    if "neuron" not in options.skip:
        say(_about_neurons())
        linear = [
            draw_neuron(n=100, d=1000, scale=scale, shape=shape, seed=options.seed)
            for scale in NEURON_SCALES
            for shape in NEURON_SHAPES
        ]
        # With many samples the neuron slides along kinks, where raw parameters chatter without end
        # and no reference exists; these three it crosses.
        leaky = [draw_neuron(n=3, d=1000, scale=1e-3, shape=0.5, slope=0.1, seed=0)]
        result["neuron"] = [
            *_tables(linear, ours_neuron(), everyone_neuron(), options, say),
            *_tables(leaky, ours_neuron(), everyone_leaky(), options, say),
        ]

    if "figure" not in options.skip:
        taken = figure.ours(repetitions=3, seed=options.seed)
        chosen = [one for one in everyone() if one.name in FIGURE_COMPETITORS]
        compared = figure.others(chosen, cap=options.cap, seed=options.seed)
        result["figure"] = {"implicit_limit": taken, "others": compared}
        say("\nThe 100 limits of Figure 7.1, 20 scales × 5 shapes (others: 20 times five of them)")
        say(f"  {'implicit_limit':45}{report.number(taken):>9}")
        for name, (seconds, error, finished) in compared.items():
            more = "" if finished else ">"
            say(
                f"  {name:45}{more + report.number(seconds):>9} "
                f"{more + report.number(seconds / taken):>9}   worst error {error:.1e}"
            )

    if "margins" not in options.skip:
        # The paper's schedule takes half a minute to a loss of 1e-100.
        result["margins"] = margins.section(
            cap=max(options.cap, 60.0), repetitions=options.repetitions, say=say
        )

    if "two_layer" not in options.skip:
        result["two_layer"] = two_layer.section(
            cap=options.cap, repetitions=options.repetitions, seed=options.seed, say=say
        )

    if "imports" not in options.skip:
        times = {line: imports.seconds(line, repetitions=2) for line in imports.STATEMENTS}
        result["imports"] = times
        say("\nImport, CPU seconds beyond the interpreter's start")
        for line, taken in times.items():
            say(f"  {line:45}{'not here' if taken is None else report.number(taken):>9}")

    if options.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    return 0


def _tables(
    problems: Sequence[Problem],
    ours: Sequence[Competitor],
    others: Sequence[Competitor],
    options: argparse.Namespace,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Print a table for each problem and their summary; return the rows."""
    rows: list[Row] = []
    hopeless: set[str] = set()
    for problem in problems:
        reference = solve(problem)
        found = compare(
            problem,
            reference,
            ours,
            others,
            cap=options.cap,
            repetitions=options.repetitions,
            hopeless=hopeless,
        )
        stiffness = reference.horizon * reference.largest_curvature
        say(f"\n{problem.label} (time × λmax = {stiffness:.0f})")
        say(report.header())
        say("\n".join(report.lines(found)))
        rows += found
    say("\nHow far ahead ibtools is (below 1: behind)")
    say("\n".join(f"  {line}" for line in report.summary(rows)))
    return [row.as_dict() for row in rows]


def _about_neurons() -> str:
    return """
One neuron: linear on the same data, leaky on 3 samples. Columns and letters as above; ÷ limit
refers to explicit_limit, and (b)-(d) integrate the raw parameters."""


def _explanation(cap: float) -> str:
    return f"""\
Gradient flow of the diagonal network, d=1000, N=100, all on one core, in one run, taking turns.

CPU s     CPU seconds, median of several where quick; imports and compilation are not counted
÷ limit   that, divided by ibtools' implicit_limit (the limit without the path)
÷ path    that, divided by ibtools' gradient_flow asked for the same two times
error     ‖w − reference‖/‖reference‖, of the limit and of a point midway on the path
>         stopped after {cap:g} CPU seconds: the true number is larger, the error is the one so far

(a) descent as research code runs it; (b)-(d) integrators of the flow. They are given what a user
would not know: the largest curvature on the path (a), the time at which the flow is within
{HORIZON_ERROR:.0e} of its limit (b-d). (e) minimizes the potential of Theorem 1 by a general
optimizer: those of the dual use the same convex dual as implicit_limit. Who is quicker at a larger
error has been asked for less: read both columns; DOP853 is there with a second tolerance."""


if __name__ == "__main__":
    sys.exit(main())
