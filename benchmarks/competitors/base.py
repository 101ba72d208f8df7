"""What a competitor is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.clock import Allowance
from benchmarks.problem import Problem, Reference


@dataclass(frozen=True)
class Attempt:
    """What a competitor came up with.

    Attributes
    ----------
    w
        Its predictor at the end, (d,).
    midway
        Its predictor at the reference's time midway, (d,), if it got there and follows a path.
    finished
        Whether it ended by its own rule, and not by the allowance.
    note
        What a reader should know about this run.
    hopeless
        Whether it did not take a single step within its allowance.
    """

    w: np.ndarray
    midway: np.ndarray | None = None
    finished: bool = True
    note: str = ""
    hopeless: bool = False


Run = Callable[[Allowance], Attempt]


class Competitor(Protocol):
    """A way to the limit, and perhaps along the path."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    @property
    def group(self) -> str:
        """(a) to (d) simulate the flow; (e) know the theorem and minimize."""
        ...

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        """Import, convert and compile what is not to be timed; return what is.

        Integrators take from the reference the two times asked for, gradient descent its largest
        curvature: more than they could know by themselves.
        """
        ...
