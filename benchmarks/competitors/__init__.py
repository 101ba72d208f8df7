"""What a user would pick: one module for each way, one class for each competitor."""

from benchmarks.competitors.base import Attempt, Competitor
from benchmarks.competitors.descent import Descent
from benchmarks.competitors.diffrax_flow import DiffraxDual, DiffraxParameters, DiffraxPredictor
from benchmarks.competitors.optimizers import (
    ConicProgram,
    DualLBFGS,
    DualTrustExact,
    LeastL1,
    TrustConstr,
)
from benchmarks.competitors.ours import Flow, FlowToLimit, Limit
from benchmarks.competitors.scipy_flow import ScipyParameters
from benchmarks.competitors.torchdiffeq_flow import TorchdiffeqParameters

__all__ = ["Attempt", "Competitor", "everyone", "ours"]


def ours() -> tuple[Limit, Flow, FlowToLimit]:
    """Return what everything else is measured against: limits with the first, paths the second."""
    return Limit(), Flow(), FlowToLimit()


def everyone() -> list[Competitor]:
    """Return all others, in the order of the table."""
    return [
        Descent(fraction=1.0),
        Descent(fraction=0.1),
        ScipyParameters("DOP853"),
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
