"""What a user would pick: one module for each way, one class for each competitor."""

from benchmarks.competitors.base import Attempt, Competitor
from benchmarks.competitors.descent import Descent
from benchmarks.competitors.diffrax_flow import DiffraxDual, DiffraxParameters, DiffraxPredictor
from benchmarks.competitors.optimizers import (
    ConicProgram,
    DualLBFGS,
    DualTrustExact,
    LeastL1,
    LeastNorm,
    TrustConstr,
)
from benchmarks.competitors.ours import ExplicitLimit, Flow, FlowToLimit, Limit
from benchmarks.competitors.scipy_flow import ScipyParameters
from benchmarks.competitors.torchdiffeq_flow import TorchdiffeqParameters

__all__ = [
    "Attempt",
    "Competitor",
    "everyone",
    "everyone_leaky",
    "everyone_neuron",
    "ours",
    "ours_neuron",
]


def ours() -> tuple[Limit, Flow, FlowToLimit]:
    """Return what everything else is measured against: limits with the first, paths the second."""
    return Limit(), Flow(), FlowToLimit()


def ours_neuron() -> tuple[ExplicitLimit, Flow, FlowToLimit, Limit]:
    """Return the same for a neuron, whose limit has a closed form besides the convex solver."""
    return ExplicitLimit(), Flow(), FlowToLimit(), Limit()


def everyone_neuron() -> list[Competitor]:
    """Return those of `everyone` that can follow a neuron: all that take raw parameters."""
    raw = (Descent, ScipyParameters, TorchdiffeqParameters, DiffraxParameters)
    # The neuron's flow is not stiff: an implicit method of p numbers has nothing to gain.
    return [
        *(one for one in everyone() if isinstance(one, raw) and "Radau" not in one.name),
        LeastNorm(),
    ]


def everyone_leaky() -> list[Competitor]:
    """Return those for a leaky neuron, whose kinks cost an integrator many rejected steps."""
    return [Descent(fraction=1.0), ScipyParameters("DOP853")]


def everyone() -> list[Competitor]:
    """Return all others, in the order of the table."""
    return [
        Descent(fraction=1.0),
        Descent(fraction=0.1),
        ScipyParameters("DOP853"),
        ScipyParameters("DOP853", relative=1e-12),
        ScipyParameters("LSODA"),
        ScipyParameters("Radau"),
        TorchdiffeqParameters(),
        DiffraxPredictor(),
        DiffraxDual(),
        DiffraxParameters(),
        TrustConstr(),
        ConicProgram(),
        DualLBFGS(),
        DualTrustExact(),
        LeastL1(),
    ]
