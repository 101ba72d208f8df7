"""ibtools."""

from dataclasses import dataclass

from benchmarks.clock import Allowance
from benchmarks.competitors.base import Attempt, Run
from benchmarks.problem import Problem, Reference
from ibtools.theory import explicit_limit, implicit_limit
from ibtools.trainers import gradient_flow


@dataclass(frozen=True)
class Limit:
    """The limit without the path, by convex optimization."""

    name: str = "implicit_limit"
    group: str = "ours"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        net = problem.net
        return lambda _: Attempt(implicit_limit(net, problem.X, problem.y))


@dataclass(frozen=True)
class ExplicitLimit:
    """The limit of a neuron in closed form."""

    name: str = "explicit_limit"
    group: str = "ours"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        neuron = problem.net
        return lambda _: Attempt(explicit_limit(neuron, problem.X, problem.y).w)


@dataclass(frozen=True)
class FlowToLimit:
    """The path until it is within the default tolerance, 1e-10, of a limit it is not told."""

    name: str = "gradient_flow, to its limit"
    group: str = "ours"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        net = problem.net
        return lambda _: Attempt(gradient_flow(net, problem.X, problem.y).w[-1])


@dataclass(frozen=True)
class Flow:
    """The path, to the same two times as everyone."""

    name: str = "gradient_flow, asked times"
    group: str = "ours"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        net = problem.net

        def run(_: Allowance) -> Attempt:
            path = gradient_flow(net, problem.X, problem.y, times=reference.times).w
            return Attempt(path[-1], path[0])

        return run
