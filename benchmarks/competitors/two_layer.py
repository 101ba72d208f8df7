"""Ways to train two-layer networks in d dimensions, and ibtools' way through the Gram matrix."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.clock import Allowance
from ibtools.models.two_layer import TwoLayerNet
from ibtools.trainers.two_layer import train_two_layer, train_two_layer_batch


@dataclass(frozen=True)
class Problem:
    """Gradient descent of B two-layer networks on the mean logistic loss of the same samples."""

    X: np.ndarray
    y: np.ndarray
    start: np.ndarray
    slope: float
    step: float
    steps: int

    @property
    def number(self) -> int:
        """How many networks there are."""
        return len(self.start)

    @property
    def nets(self) -> list[TwoLayerNet]:
        """The networks at the start, for ibtools."""
        return [TwoLayerNet(W, slope=self.slope) for W in self.start]

    @property
    def label(self) -> str:
        """What tells it from others."""
        n, d = self.X.shape
        many = "one network" if self.number == 1 else f"{self.number} networks"
        return f"{many}, n={n}, d={d}, 2m={self.start.shape[1]}, {self.steps} steps"


class Trained(NamedTuple):
    """Weights of all networks, (B, 2m, d), and the steps that were taken."""

    W: np.ndarray
    steps: int


Run = Callable[[Allowance], Trained]


class Trainer(Protocol):
    """A way to train."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    @property
    def group(self) -> str:
        """Return "ours", or (a) anyone's way, (b) by hand, (c) many at once."""
        ...

    def prepare(self, problem: Problem) -> Run:
        """Import and convert what is not to be timed; return what is."""
        ...


@dataclass(frozen=True)
class Gram:
    """All networks as one batch, records at the start and the end."""

    name: str = "train_two_layer"
    group: str = "ours"

    def prepare(self, problem: Problem) -> Run:
        nets, X, y = problem.nets, problem.X, problem.y
        options: dict[str, Any] = {
            "step_size": problem.step,
            "steps": problem.steps,
            "record_count": 1,
        }

        def run(_: Allowance) -> Trained:
            if len(nets) == 1:
                runs = [train_two_layer(nets[0], X, y, **options)]
            else:
                runs = list(train_two_layer_batch(nets, X, y, **options))
            return Trained(np.stack([one.net.W for one in runs]), problem.steps)

        return run


@dataclass(frozen=True)
class Weights:
    """The same in d dimensions, one network after the other."""

    name: str = 'train_two_layer, method="weights"'
    group: str = "ours"

    def prepare(self, problem: Problem) -> Run:
        nets, X, y = problem.nets, problem.X, problem.y

        def run(allowance: Allowance) -> Trained:
            return _one_by_one(
                problem,
                allowance,
                lambda i, steps: (
                    train_two_layer(
                        nets[i],
                        X,
                        y,
                        step_size=problem.step,
                        steps=steps,
                        record_count=1,
                        method="weights",
                    ).net.W
                ),
            )

        return run


def _one_by_one(
    problem: Problem, allowance: Allowance, train: Callable[[int, int], np.ndarray]
) -> Trained:
    """Train all to the end, or as many as there is time for: those not reached stay as they are."""
    W = problem.start.copy()
    for i in range(problem.number):
        W[i] = train(i, problem.steps)
        if allowance.spent and i + 1 < problem.number:
            return Trained(W, problem.steps * (i + 1) // problem.number)
    return Trained(W, problem.steps)


def _loss(torch: Any, W: Any, X: Any, y: Any, slope: float) -> Any:
    """Return the mean logistic loss as anyone would write it."""
    m = W.shape[0] // 2
    hidden = torch.nn.functional.leaky_relu(X @ W.T, slope)
    outputs = hidden[:, :m].mean(dim=1) - hidden[:, m:].mean(dim=1)
    return torch.nn.functional.softplus(-y * outputs).mean()


@dataclass(frozen=True)
class Autograd:
    """A loop with loss.backward(), one network after the other."""

    name: str = "torch autograd loop"
    group: str = "a"

    def prepare(self, problem: Problem) -> Run:
        import torch

        torch.set_num_threads(1)
        X, y = torch.tensor(problem.X), torch.tensor(problem.y)

        def run(allowance: Allowance) -> Trained:
            result, taken = [], 0
            for start in problem.start:
                W = torch.tensor(start, requires_grad=True)
                for _ in range(problem.steps):
                    if allowance.spent:
                        break
                    _loss(torch, W, X, y, problem.slope).backward()
                    with torch.no_grad():
                        W -= problem.step * W.grad
                        W.grad = None
                    taken += 1
                result.append(W.detach().numpy())
            return Trained(np.stack(result), taken // problem.number)

        return run


@dataclass(frozen=True)
class Vmap:
    """torch.func.vmap of torch.func.grad over all networks at once."""

    name: str = "torch.func.vmap(grad)"
    group: str = "c"

    def prepare(self, problem: Problem) -> Run:
        import torch

        torch.set_num_threads(1)
        X, y = torch.tensor(problem.X), torch.tensor(problem.y)
        gradient = torch.func.vmap(torch.func.grad(lambda W: _loss(torch, W, X, y, problem.slope)))

        def run(allowance: Allowance) -> Trained:
            W, taken = torch.tensor(problem.start), 0
            while taken < problem.steps and not allowance.spent:
                W = W - problem.step * gradient(W)
                taken += 1
            return Trained(W.numpy(), taken)

        return run


@dataclass(frozen=True)
class ByHand:
    """The gradient written out, all networks at once, in NumPy or torch."""

    library: str
    group: str = "b"

    @property
    def name(self) -> str:
        return f"{self.library}, gradient by hand"

    def prepare(self, problem: Problem) -> Run:
        X, y = problem.X, problem.y
        W_start: Any = problem.start
        one, slope = np.array(1.0), np.array(problem.slope)  # torch's own scalars are float32
        sigmoid: Callable[[Any], Any]
        if self.library == "torch":
            import torch

            torch.set_num_threads(1)
            X, y, W_start = torch.tensor(X), torch.tensor(y), torch.tensor(W_start)
            one, slope = torch.tensor(one), torch.tensor(slope)
            where, sigmoid = torch.where, torch.sigmoid
        else:
            from scipy.special import expit

            where, sigmoid = np.where, expit
        m, n = problem.start.shape[1] // 2, len(problem.y)

        def run(allowance: Allowance) -> Trained:
            W, taken = W_start, 0
            while taken < problem.steps and not allowance.spent:
                inputs = W @ X.T
                slopes = where(inputs > 0, one, slope)
                hidden = slopes * inputs
                outputs = (hidden[:, :m].sum(1) - hidden[:, m:].sum(1)) / m
                pull = y * sigmoid(-y * outputs) * (problem.step / (n * m))
                change = slopes * pull[:, None, :]
                change[:, m:] *= -1
                W = W + change @ X
                taken += 1
            return Trained(np.asarray(W), taken)

        return run


def everyone() -> list[Trainer]:
    """Return all, ours first."""
    return [Gram(), Weights(), Autograd(), ByHand("NumPy"), ByHand("torch"), Vmap()]
