"""``python -m benchmarks [--json] [--scales …] [--cap SECONDS]``."""

from benchmarks.clock import use_one_core

use_one_core()  # before anything imports numpy

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import defined, figure, imports, margins, mnist, report, store, two_layer
from benchmarks.competitors import (
    Competitor,
    everyone,
    everyone_leaky,
    everyone_neuron,
    ours,
    ours_neuron,
)
from benchmarks.measure import Row, compare
from benchmarks.problem import HORIZON_ERROR, Problem, solve


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the same for machines")
    parser.add_argument(
        "--keep", action="store_true", help="keep the rows in results/, for the book"
    )
    parser.add_argument("--scales", type=float, nargs="+", default=defined.SCALES)
    parser.add_argument("--cap", type=float, default=5.0, help="CPU seconds for each run")
    # The paper's schedule takes half a minute to a loss of 1e-100.
    parser.add_argument("--margin-cap", type=float, default=60.0, help="the same, to a margin")
    parser.add_argument("--budget", type=float, default=mnist.BUDGET, help="the same, on MNIST")
    parser.add_argument("--samples", type=int, default=1000, help="how many digits of MNIST")
    parser.add_argument("--root", help="the folder with MNIST; IBTOOLS_DATA by default")
    parser.add_argument("--repetitions", type=int, default=5, help="of whatever is quick")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--skip", nargs="*", default=[], choices=defined.SECTIONS)
    chosen.add_argument("--only", nargs="+", choices=defined.SECTIONS)
    options = parser.parse_args(arguments)
    say = (lambda *_: None) if options.json else (lambda text: print(text, flush=True))
    given = sys.argv[1:] if arguments is None else arguments
    # Where the images lie is nobody's business but the machine's.
    command = " ".join(["python -m benchmarks", *_without_root(given)])
    result: dict[str, object] = {}
    kept: dict[str, dict[str, Any]] = {}
    for name, (run, cap) in _SECTIONS.items():
        if name in options.skip or name not in (options.only or defined.SECTIONS):
            continue
        begun = store.spent()
        result[name], rows = run(options, say)
        about = store.about_section(name, command=command, begun=begun, cap=getattr(options, cap))
        kept[name] = about | store.columns(rows)
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    if options.keep:
        try:
            print(store.keep(kept), file=sys.stderr)
        except (ValueError, OSError) as error:
            print(f"not kept: {error}", file=sys.stderr)
            return 1
    return 0


def _without_root(given: Sequence[str]) -> list[str]:
    return [
        word
        for before, word in zip(["", *given], given, strict=False)
        if "--root" not in (before, word.partition("=")[0])
    ]


Rows = list[dict[str, Any]]
# What is printed for machines, and the same as rows.
Found = tuple[object, Rows]


def _limits(options: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    say(_explanation(options.cap))
    problems = defined.limit_problems(options.scales, seed=options.seed)
    rows = _tables(problems, ours(), everyone(), options, say)
    return rows, rows


def _neuron(options: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    say(_about_neurons())
    linear = defined.neuron_problems(seed=options.seed)
    rows = [
        *_tables(linear, ours_neuron(), everyone_neuron(), options, say),
        *_tables(defined.leaky_problems(), ours_neuron(), everyone_leaky(), options, say),
    ]
    return rows, rows


def _figure(options: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    taken = figure.ours(repetitions=3, seed=options.seed)
    chosen = [one for one in everyone() if one.name in defined.FIGURE_COMPETITORS]
    compared = figure.others(chosen, cap=options.cap, seed=options.seed)
    say("\nThe 100 limits of Figure 7.1, 20 scales × 5 shapes (others: 20 times five of them)")
    say(f"  {defined.FIGURE_OURS:45}{report.number(taken):>9}")
    for name, (seconds, error, finished) in compared.items():
        more = "" if finished else ">"
        say(
            f"  {name:45}{more + report.number(seconds):>9} "
            f"{more + report.number(seconds / taken):>9}   worst error {error:.1e}"
        )
    found = {defined.FIGURE_OURS: taken, "others": compared}
    return found, store.figure_rows(taken, compared)


def _margins(options: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    rows = margins.section(cap=options.margin_cap, repetitions=options.repetitions, say=say)
    return rows, rows


def _mnist(options: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    rows = mnist.section(samples=options.samples, budget=options.budget, root=options.root, say=say)
    return rows, rows


def _two_layer(options: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    rows = two_layer.section(
        cap=options.cap, repetitions=options.repetitions, seed=options.seed, say=say
    )
    return rows, rows


def _imports(_: argparse.Namespace, say: Callable[[str], Any]) -> Found:
    times = {line: imports.seconds(line, repetitions=2) for line in imports.STATEMENTS}
    say("\nImport, CPU seconds beyond the interpreter's start")
    for line, taken in times.items():
        say(f"  {line:45}{'not here' if taken is None else report.number(taken):>9}")
    return times, store.import_rows(times)


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


# Each with the option that says how many CPU seconds a run of it has.
_SECTIONS: dict[str, tuple[Callable[[argparse.Namespace, Callable[[str], Any]], Found], str]] = {
    "limits": (_limits, "cap"),
    "neuron": (_neuron, "cap"),
    "figure": (_figure, "cap"),
    "margins": (_margins, "margin_cap"),
    "mnist": (_mnist, "budget"),
    "two_layer": (_two_layer, "cap"),
    "imports": (_imports, "cap"),
}


if __name__ == "__main__":
    sys.exit(main())
