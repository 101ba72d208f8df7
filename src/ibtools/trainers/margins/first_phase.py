"""From a random start to where the smoothed margin begins: Adam on minibatches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ibtools.metrics.margins import loss_threshold
from ibtools.models.nets import torch_generator
from ibtools.trainers.margins.minibatches import Minibatches
from ibtools.trainers.margins.problem import Problem, State

_BATCH = 100
# Kingma and Ba's rate of 1e-3 is this share of the weights of an ordinary start.
_RATE = 0.02
# After so many epochs in a row in which log 𝓛 has not come so far below its least, the rate is
# halved: minibatches leave a noise in proportion to it. At this share of the first hope ends.
_PATIENCE, _FALL = 2, 0.01
_LEAST_RATE = 1e-4


class FirstPhase:
    """Epochs of Adam on minibatches, as long as 𝓛 ≥ ℓ(0) and there is hope.

    Its first rate is a share of the root mean square of the weights at the start, so that a net
    whose weights are scaled goes the same way; where 𝓛 does not fall it is halved.

    Parameters
    ----------
    problem
        At the start.
    seed
        Of the order of the samples.
    """

    def __init__(self, problem: Problem, seed: int | np.random.Generator | None) -> None:
        if seed is None:
            raise ValueError(
                "seed is needed where a first phase of minibatches leads to the flow: their order "
                "is random; pass seed=0, say, or first_phase=False to follow the flow from the "
                "start"
            )
        self._problem = problem
        self._order = torch_generator(seed)
        self._size = min(_BATCH, problem.n)
        self._batches = Minibatches(problem, self._size)
        self._largest = self._rate = _RATE * float(problem.flat.double().square().mean().sqrt())
        self._adam = torch.optim.Adam([problem.flat], lr=self._rate, eps=1e-12)
        self._least, self._stale = np.inf, 0

    def goes_on(self, state: State) -> bool:
        """Return whether another epoch is to be made."""
        above = state.log_loss >= loss_threshold(self._problem.loss)
        return above and self._rate > _LEAST_RATE * self._largest

    def epoch(self) -> State:
        """Go once through the data; return where that leads."""
        problem = self._problem
        order = torch.randperm(problem.n, generator=self._order)
        for taken, gradient in self._batches.epoch(order, float(np.log(self._size))):
            problem.flat.grad = gradient * (self._size / taken)
            self._adam.step()
        problem.flat.grad = None
        state = problem.evaluate()
        if state.log_loss < self._least - _FALL:
            self._least, self._stale = state.log_loss, 0
        else:
            self._stale += 1
        if self._stale == _PATIENCE:
            self._stale = 0
            self._at_rate(0.5 * self._rate)
        return state

    def _at_rate(self, rate: float) -> None:
        self._rate = self._adam.param_groups[0]["lr"] = rate

    def memory(self) -> dict[str, Any]:
        """Return all that the next epoch depends on beside the parameters."""
        moments = self._adam.state.get(self._problem.flat, {})
        return {
            **{f"first_{name}": value.cpu().numpy().copy() for name, value in moments.items()},
            "first_order": self._order.get_state().numpy(),
            "first_largest_rate": self._largest,
            "first_rate": self._rate,
            "first_least": self._least,
            "first_stale": self._stale,
        }

    @staticmethod
    def remembered(memory: Mapping[str, Any]) -> bool:
        """Return whether a run that left this was in its first phase."""
        return "first_rate" in memory

    def recall(self, memory: dict[str, Any]) -> None:
        """Take it up."""
        flat = self._problem.flat
        self._adam.state.clear()  # what an interrupted epoch left
        for name in ("step", "exp_avg", "exp_avg_sq"):
            if (kept := memory.get(f"first_{name}")) is not None:
                place = "cpu" if name == "step" else flat.device
                self._adam.state[flat][name] = torch.tensor(kept, device=place)
        self._order.set_state(torch.tensor(memory["first_order"]))
        self._largest = float(memory["first_largest_rate"])
        self._at_rate(float(memory["first_rate"]))
        self._least = float(memory["first_least"])
        self._stale = int(memory["first_stale"])
