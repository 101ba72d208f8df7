"""What there is to compare: every section's problems, and the rows that a run has for them."""

from collections.abc import Callable, Iterable, Sequence

from benchmarks import imports, margins, mnist, two_layer
from benchmarks.competitors import (
    Competitor,
    everyone,
    everyone_leaky,
    everyone_neuron,
    ours,
    ours_neuron,
)
from benchmarks.competitors.margins import contenders
from benchmarks.competitors.mnist import Digits, methods
from benchmarks.competitors.two_layer import everyone as everyone_two_layer
from benchmarks.neuron import NeuronProblem, draw_neuron
from benchmarks.problem import DiagonalProblem, Problem, draw

SECTIONS = ("limits", "neuron", "figure", "margins", "mnist", "two_layer", "imports")
SCALES = (1e-1, 1e-3, 1e-5, 1e-8)
NEURON_SCALES = (1e-1, 1e-3, 1e-8)
NEURON_SHAPES = (0.0, 0.5)
FIGURE = "the 100 limits of Figure 7.1"
FIGURE_OURS = "implicit_limit"
FIGURE_COMPETITORS = (
    "torch GD, step 1/λmax, to loss 1e-08",
    "scipy DOP853, parameters",
    "scipy trust-exact, dual",
)
IMPORTS = "import, beyond the interpreter's start"

Row = tuple[str, str]


def limit_problems(scales: Sequence[float] = SCALES, *, seed: int = 0) -> list[DiagonalProblem]:
    return [draw(n=100, d=1000, scale=scale, seed=seed) for scale in scales]


def neuron_problems(*, seed: int = 0) -> list[NeuronProblem]:
    return [
        draw_neuron(n=100, d=1000, scale=scale, shape=shape, seed=seed)
        for scale in NEURON_SCALES
        for shape in NEURON_SHAPES
    ]


def leaky_problems() -> list[NeuronProblem]:
    # With many samples the neuron slides along kinks, where raw parameters chatter without end
    # and no reference exists; these three it crosses.
    return [draw_neuron(n=3, d=1000, scale=1e-3, shape=0.5, slope=0.1, seed=0)]


def rows() -> dict[str, set[Row]]:
    """Return for each section the rows that a run of it has: problem and name."""
    return {section: set(_ROWS[section]()) for section in SECTIONS}


def _pairs(problems: Iterable[Problem], everyone: Iterable[Competitor]) -> list[Row]:
    names = [one.name for one in everyone]
    return [(problem.label, name) for problem in problems for name in names]


def _two_layer() -> list[Row]:
    labels = [
        two_layer.draw(n=n, d=d, m=m, networks=networks, slope=slope, steps=steps, seed=0).label
        for n, d, m, networks, slope, steps in two_layer.CASES
    ]
    return [(label, one.name) for label in labels for one in everyone_two_layer()]


_ROWS: dict[str, Callable[[], list[Row]]] = {
    "limits": lambda: _pairs(limit_problems(), [*ours(), *everyone()]),
    "neuron": lambda: [
        *_pairs(neuron_problems(), [*ours_neuron(), *everyone_neuron()]),
        *_pairs(leaky_problems(), [*ours_neuron(), *everyone_leaky()]),
    ],
    "figure": lambda: [(FIGURE, name) for name in (FIGURE_OURS, *FIGURE_COMPETITORS)],
    "margins": lambda: [
        (problem.label, one.name) for problem in margins.problems() for one in contenders(problem)
    ],
    "mnist": lambda: [(label, one.name) for label in mnist.labels(Digits()) for one in methods()],
    "two_layer": _two_layer,
    "imports": lambda: [(IMPORTS, line) for line in imports.STATEMENTS],
}
