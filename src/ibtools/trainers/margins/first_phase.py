"""From a random start to where the smoothed margin begins: Adam on minibatches."""

from typing import Any

import numpy as np
import torch

from ibtools.metrics.margins import loss_threshold
from ibtools.models.nets import torch_generator
from ibtools.trainers.margins.problem import Problem, State

_BATCH = 100
# Kingma and Ba's means; their rate of 1e-3 is this share of the weights of an ordinary start.
_FORGET, _FORGET_SQUARES = 0.9, 0.999
_RATE = 0.02
# So many epochs in a row without a new least loss, and there is no hope.
_PATIENCE = 30


class FirstPhase:
    """Epochs of Adam on minibatches, as long as 𝓛 ≥ ℓ(0) and there is hope.

    Its rate is a share of the root mean square of the weights at the start, so that a net whose
    weights are scaled goes the same way.

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
        self._rate = _RATE * float(problem.flat.double().square().mean().sqrt())
        self._mean = torch.zeros_like(problem.flat)
        self._squares = torch.zeros_like(problem.flat)
        self._updates = 0
        self._least, self._stale = np.inf, 0

    def goes_on(self, state: State) -> bool:
        """Return whether another epoch is to be made."""
        above = state.log_loss >= loss_threshold(self._problem.loss)
        return above and self._stale < _PATIENCE and self._rate > 0

    def epoch(self) -> State:
        """Go once through the data; return where that leads."""
        problem = self._problem
        for samples in torch.randperm(problem.n, generator=self._order).split(_BATCH):
            gradient = problem.batch_gradient(samples, float(np.log(len(samples))))
            self._updates += 1
            self._mean.lerp_(gradient, 1 - _FORGET)
            self._squares.mul_(_FORGET_SQUARES)
            self._squares.addcmul_(gradient, gradient, value=1 - _FORGET_SQUARES)
            size = (self._squares / (1 - _FORGET_SQUARES**self._updates)).sqrt_().add_(1e-12)
            step = self._rate / (1 - _FORGET**self._updates)
            problem.flat.addcdiv_(self._mean, size, value=-step)
        state = problem.evaluate()
        self._stale = 0 if state.log_loss < self._least else self._stale + 1
        self._least = min(self._least, state.log_loss)
        return state

    def memory(self) -> dict[str, Any]:
        """Return all that the next epoch depends on beside the parameters."""
        return {
            "first_mean": self._mean.cpu().numpy().copy(),
            "first_squares": self._squares.cpu().numpy().copy(),
            "first_order": self._order.get_state().numpy(),
            "first_updates": self._updates,
            "first_rate": self._rate,
            "first_least": self._least,
            "first_stale": self._stale,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Take it up."""
        self._mean.copy_(torch.as_tensor(memory["first_mean"]))
        self._squares.copy_(torch.as_tensor(memory["first_squares"]))
        self._order.set_state(torch.tensor(memory["first_order"]))
        self._updates = int(memory["first_updates"])
        self._rate = float(memory["first_rate"])
        self._least = float(memory["first_least"])
        self._stale = int(memory["first_stale"])
