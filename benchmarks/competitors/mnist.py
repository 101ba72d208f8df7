"""Ways to a large margin on MNIST, all from the same start: each goes on for as long as it may."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

BATCH = 100
_HIDDEN, _ORDER = 100, 3
# So small a loss is nobody's goal here: time ends a run.
_NEVER = -1e6


@dataclass(frozen=True)
class Digits:
    """The first of MNIST's training images, ten classes, and a net of 100 squared ReLUs.

    Attributes
    ----------
    samples
        How many images.
    root
        The folder of the data sets; None for the usual one.
    """

    samples: int = 1000
    root: str | None = None

    @property
    def label(self) -> str:
        return f"MNIST, {self.samples} digits"

    @cached_property
    def data(self) -> tuple["torch.Tensor", "torch.Tensor"]:
        import torch

        from ibtools.data import mnist

        X, y = mnist(split="train", root=self.root)
        X = X.reshape(len(X), -1)[: self.samples]
        return torch.tensor(X), torch.tensor(y[: self.samples])

    @cached_property
    def start(self) -> list["torch.Tensor"]:
        """Both layers after as many epochs of Adam as bring the summed loss below log 2.

        There every margin is positive, and a margin's growth begins to mean something.
        """
        import torch

        from ibtools.models import MLP

        X, y = self.data
        net = MLP([X.shape[1], _HIDDEN, 10], "squared_relu", bias=False, seed=0)
        weights = [p.detach().clone().requires_grad_() for p in net.parameters()]
        optimizer = torch.optim.Adam(weights, lr=1e-3)
        random = torch.Generator().manual_seed(1)
        before = np.inf
        while (loss := self._summed_loss(weights)) >= np.log(2):
            if loss >= before:
                optimizer.param_groups[0]["lr"] /= 2
            before = loss
            _epoch(optimizer, weights, X, y, random)
        return [w.detach() for w in weights]

    def _summed_loss(self, weights: Any) -> float:
        import torch

        X, y = self.data
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(outputs(X, weights), y, reduction="sum"))

    def margin(self, weights: Any) -> float:
        """Return the normalized margin: the least Φ_y − Φ_j over the cube of the norm."""
        import torch

        X, y = self.data
        with torch.no_grad():
            weights = [w.double() for w in weights]
            q = gaps(outputs(X, weights), y).min()
            norm = torch.sqrt(sum(w.square().sum() for w in weights))
            for _ in range(_ORDER):  # the power itself would overflow where a run diverges
                q = q / norm
        return float(q)


def outputs(X: Any, weights: Any) -> Any:
    """Return the outputs of the net, written out by hand, (n, 10)."""
    return (X @ weights[0].T).clamp(min=0).square() @ weights[1].T


def gaps(found: Any, y: Any) -> Any:
    """Return all Φ_y − Φ_j, (n, 10), with ∞ in the place of j = y."""
    import torch

    right = found.gather(1, y[:, None])
    return (right - found).scatter(1, y[:, None], torch.inf)


class Method(Protocol):
    """A way to large margins."""

    @property
    def name(self) -> str:
        """How the table calls it; methods of one name differ by their setting alone."""
        ...

    @property
    def setting(self) -> str:
        """What was chosen for it, and is tried beside others."""
        ...

    def prepare(self, problem: Digits) -> Iterator[Any]:
        """Convert what is not to be timed; return a run, which yields its weights now and then."""
        ...


@dataclass(frozen=True)
class Flow:
    """ibtools' implicit flow, step by step."""

    name: str = "ibtools margin_flow"
    setting: str = ""

    def prepare(self, problem: Digits) -> Iterator[Any]:
        from ibtools.trainers import margin_flow

        def more(steps: int, run: Any) -> Any:
            return margin_flow(
                net,
                X,
                y,
                loss="cross_entropy",
                until_log10_loss=_NEVER,
                max_steps=steps,
                resume=run,
            )

        X, y, net = _ours(problem)
        return _in_pieces(more, 1)


@dataclass(frozen=True)
class Schedule:
    """ibtools' descent by the loss-based schedule."""

    name: str = "ibtools descend, loss_based"
    setting: str = f"batches of {BATCH}"

    def prepare(self, problem: Digits) -> Iterator[Any]:
        from ibtools.trainers import descend

        def more(epochs: int, run: Any) -> Any:
            return descend(
                net,
                X,
                y,
                loss="cross_entropy",
                schedule="loss_based",
                batch_size=min(BATCH, problem.samples),
                seed=0,
                until_log10_loss=_NEVER,
                max_epochs=epochs,
                record_growth=1e9,
                resume=run,
            )

        X, y, net = _ours(problem)
        return _in_pieces(more, 2 * _epochs_in_a_piece(problem))


@dataclass(frozen=True)
class TorchSchedule:
    """The same schedule in plain torch, in single precision, in the log domain."""

    name: str = "torch, the paper's schedule"
    setting: str = f"batches of {BATCH}, float32"

    def prepare(self, problem: Digits) -> Iterator[Any]:
        import torch

        X, y, weights = _theirs(problem)

        def log_losses(samples: Any) -> Any:
            others = -gaps(outputs(X[samples], weights), y[samples])
            z = torch.logsumexp(others, 1)
            # log log(1 + e^z), which is z where e^z is below rounding.
            return torch.where(z < -15, z, torch.log(torch.log1p(torch.exp(z.clamp(min=-15)))))

        def run() -> Iterator[Any]:
            random = torch.Generator().manual_seed(0)
            alpha, everything = 0.1, torch.arange(len(X))
            with torch.no_grad():
                log_loss = torch.logsumexp(log_losses(everything), 0)
            while True:
                for _ in range(_epochs_in_a_piece(problem)):
                    saved = [w.detach().clone() for w in weights]
                    for samples in torch.randperm(len(X), generator=random).split(BATCH):
                        frame = torch.exp(log_losses(samples) - log_loss).sum()
                        pieces = torch.autograd.grad(frame * (len(X) / len(samples)), weights)
                        with torch.no_grad():
                            for w, piece in zip(weights, pieces, strict=True):
                                w -= alpha * piece
                    with torch.no_grad():
                        after = torch.logsumexp(log_losses(everything), 0)
                        if after <= log_loss:
                            log_loss = after
                            alpha *= 2 ** (1 / 5)
                        else:
                            for w, old in zip(weights, saved, strict=True):
                                w.copy_(old)
                            alpha /= 2 ** (1 / 10)
                yield weights

        return run()


@dataclass(frozen=True)
class Optimizer:
    """One of torch.optim on the mean cross-entropy, in single precision, as anyone writes it."""

    rate: float
    kind: str

    @property
    def name(self) -> str:
        return {"SGD": "torch.optim.SGD, momentum 0.9", "Adam": "torch.optim.Adam"}[self.kind]

    @property
    def setting(self) -> str:
        return f"rate {self.rate:g}, batches of {BATCH}, float32"

    def prepare(self, problem: Digits) -> Iterator[Any]:
        import torch

        X, y, weights = _theirs(problem)

        def run() -> Iterator[Any]:
            options = {"momentum": 0.9} if self.kind == "SGD" else {}
            optimizer = getattr(torch.optim, self.kind)(weights, lr=self.rate, **options)
            random = torch.Generator().manual_seed(0)
            while True:
                for _ in range(_epochs_in_a_piece(problem)):
                    _epoch(optimizer, weights, X, y, random)
                yield weights

        return run()


def methods() -> list[Method]:
    """Return all methods; ratios refer to the first, and of those of one name the best counts."""
    return [
        Flow(),
        Schedule(),
        TorchSchedule(),
        *(Optimizer(rate, "SGD") for rate in (0.03, 0.1, 0.3, 1.0)),
        *(Optimizer(rate, "Adam") for rate in (3e-5, 1e-4, 3e-4, 1e-3)),
    ]


def _epochs_in_a_piece(problem: Digits) -> int:
    return max(1, 5000 // problem.samples)


def _epoch(optimizer: Any, weights: Any, X: Any, y: Any, random: Any) -> None:
    import torch

    for samples in torch.randperm(len(X), generator=random).split(BATCH):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(outputs(X[samples], weights), y[samples]).backward()
        optimizer.step()


def _ours(problem: Digits) -> tuple[Any, Any, Any]:
    """Return data and the net at its start, as ibtools takes them."""
    import torch

    from ibtools.models import MLP

    (X, y), start = problem.data, problem.start
    net = MLP([X.shape[1], _HIDDEN, 10], "squared_relu", bias=False, seed=0)
    with torch.no_grad():
        for p, w in zip(net.parameters(), start, strict=True):
            p.copy_(w)
    return X, y.numpy(), net


def _theirs(problem: Digits) -> tuple[Any, Any, Any]:
    """Return the same in single precision."""
    import torch

    torch.set_num_threads(1)
    X, y = problem.data
    return X.float(), y, [w.float().clone().requires_grad_() for w in problem.start]


def _in_pieces(more: Callable[[int, Any], Any], piece: int) -> Iterator[Any]:
    """Yield the weights of a run of ours that is resumed, `piece` steps or epochs at a time."""
    import warnings

    from ibtools.trainers import TrainingWarning

    run, asked = None, 0
    while True:
        asked += piece
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)
            run = more(asked, run)
        yield list(run.net.parameters())
        if run.converged or not run.message.startswith("max_"):
            return
