"""What a run on a regression problem records."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float

from ibtools._validation import place
from ibtools.models import RegressionModel

Net = TypeVar("Net", bound=RegressionModel)


@dataclass(frozen=True, eq=False)
class RegressionRun(Generic[Net]):
    """The path of a regression run, and how it ended.

    Attributes
    ----------
    times
        Times of the records, increasing, (t,). Of gradient descent: step size × step.
    w
        Predictor at each time, (t, d).
    loss
        L = ½‖Xw − y‖² at each time, (t,).
    net
        The network at the last time.
    converged
        Whether the last predictor is within the asked tolerance of the limit.
    remaining
        Estimated distance of the last predictor to the limit, relative to its norm: the tail of the
        flow is linear in the tangent kernel and can be summed. NaN where there is no estimate.
    message
        Why the run ended.
    """

    times: Float[np.ndarray, " t"]
    w: Float[np.ndarray, "t d"]
    loss: Float[np.ndarray, " t"]
    net: Net
    converged: bool
    remaining: float
    message: str
    _states: Float[np.ndarray, "t p"] = field(repr=False)
    _restore: Callable[[np.ndarray], Net] = field(repr=False)

    def net_at(self, index: int) -> Net:
        """Return the whole network at record `index` (negative counts from the end).

        Parameters
        ----------
        index
            The place of the record, from 0; −1 is the last.

        Raises
        ------
        IndexError
            If there is no such record.
        """
        return self._restore(self._states[place("index", index, len(self.times))])

    def __repr__(self) -> str:
        """Say how far the run came and why it ended."""
        return (
            f"{type(self).__name__}({len(self.times)} records to t={self.times[-1]:.6g}, "
            f"loss={self.loss[-1]:.3g}, converged={self.converged}: {self.message})"
        )
