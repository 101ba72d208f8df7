"""Ways to a large margin, or to a tiny loss: ours, and what a user would pick instead."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from benchmarks.clock import Allowance
from ibtools.data import digits
from ibtools.models import MLP, DeepLinear


@dataclass(frozen=True)
class Outcome:
    """What a competitor came up with.

    Attributes
    ----------
    margin
        Normalized margin at the end.
    log10_loss
        log₁₀ 𝓛 of the exponential loss, a sum, at the end; None where there is no such thing.
    finished
        Whether the goal was reached.
    note
        What a reader should know about this run.
    """

    margin: float
    log10_loss: float | None
    finished: bool
    note: str = ""


Run = Callable[[Allowance], Outcome]


@dataclass(frozen=True)
class LinearProblem:
    """The linear predictor on digits 3 against 8, until its margin is within `gap` of the best."""

    gap: float
    best: float = 0.207440406931

    @property
    def label(self) -> str:
        return f"linear, digits 3 against 8, to a relative margin gap of {self.gap:.0e}"

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        return tuple(digits(classes=(3, 8)))

    def done(self, margin: float, log_loss: float) -> bool:
        return margin >= (1 - self.gap) * self.best

    @property
    def net(self) -> DeepLinear:
        net = DeepLinear(d=64, depth=1, seed=0)
        net.layers[0].weight.data.mul_(0.1)
        return net

    order = 1
    # Of the logistic loss, whose curvature is at most a quarter of the data's.
    constant_step: float | None = None


@dataclass(frozen=True)
class NetProblem:
    """A squared-ReLU network of 20 neurons on digits 3 against 8, to a loss of 10^log10_loss."""

    log10_loss: float = -100.0

    @property
    def label(self) -> str:
        return f"squared-ReLU net, digits 3 against 8, to a loss of 1e{self.log10_loss:g}"

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        return tuple(digits(classes=(3, 8)))

    def done(self, margin: float, log_loss: float) -> bool:
        return log_loss <= self.log10_loss * np.log(10)

    @property
    def net(self) -> MLP:
        return MLP([64, 20, 1], "squared_relu", scale=0.3, seed=0)

    order = 3
    # 0.1 on the mean loss; three times that and neurons die.
    constant_step = 0.1 / 357


MarginProblem = LinearProblem | NetProblem


class MarginCompetitor(Protocol):
    """A way to the goal of a problem."""

    @property
    def name(self) -> str:
        """How the table calls it."""
        ...

    def prepare(self, problem: MarginProblem) -> Run:
        """Import and convert what is not to be timed; return what is."""
        ...


@dataclass(frozen=True)
class Flow:
    """ibtools' implicit flow; a run beforehand tells it the loss at which the goal is reached."""

    name: str = "ibtools margin_flow"

    def prepare(self, problem: MarginProblem) -> Run:
        from ibtools.trainers import margin_flow

        X, y = problem.data
        net, target = problem.net, _target(problem)

        def run(_: Allowance) -> Outcome:
            found = margin_flow(net, X, y, until_log10_loss=target)
            return _outcome(problem, found, f"{found.evaluations[-1]} evaluations")

        return run


@dataclass(frozen=True)
class Descend:
    """ibtools' descent, full batches."""

    schedule: str

    @property
    def name(self) -> str:
        return f"ibtools descend, {self.schedule}"

    def prepare(self, problem: MarginProblem) -> Run:
        import warnings

        from ibtools.trainers import TrainingWarning, descend

        X, y = problem.data
        net = problem.net

        def run(allowance: Allowance) -> Outcome:
            found, epochs = None, 1000
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TrainingWarning)
                while True:
                    found = descend(
                        net,
                        X,
                        y,
                        schedule=self.schedule,
                        until_log10_loss=_stop(problem),
                        max_epochs=epochs,
                        record_growth=1.002,
                        resume=found,
                    )
                    reached = [
                        problem.done(margin, loss)
                        for margin, loss in zip(
                            found.normalized_margin, found.log_loss, strict=True
                        )
                    ]
                    stuck = not found.converged and not found.message.startswith("max_epochs")
                    if any(reached) or stuck or allowance.spent:
                        break
                    epochs += 1000
            return _outcome(problem, found, f"{found.evaluations[-1]} evaluations")

        return run


@dataclass(frozen=True)
class TorchSchedule:
    """The paper's schedule in plain torch, in the log domain; nothing of ibtools."""

    batch_size: int | None = None

    @property
    def name(self) -> str:
        batches = "full batch" if self.batch_size is None else f"batches of {self.batch_size}"
        return f"torch, the paper's schedule, {batches}"

    def prepare(self, problem: MarginProblem) -> Run:
        import torch

        torch.set_num_threads(1)
        X, y = (torch.tensor(part) for part in problem.data)
        start = [p.detach().clone() for p in problem.net.parameters()]
        size = len(X) if self.batch_size is None else self.batch_size

        def run(allowance: Allowance) -> Outcome:
            weights = [p.clone().requires_grad_() for p in start]
            random = torch.Generator().manual_seed(0)
            alpha, epochs, accepted = 0.1, 0, 0
            log_loss, margin = _look(X, y, weights, problem.order)
            while not problem.done(margin, log_loss) and not allowance.spent:
                saved = [p.detach().clone() for p in weights]
                order = torch.randperm(len(X), generator=random)
                for samples in order.split(size):
                    q = y[samples] * _outputs(X[samples], weights)
                    # The batch's loss over the loss after the last epoch, scaled to all samples.
                    frame = torch.exp(-q - log_loss).sum() * (len(X) / len(samples))
                    pieces = torch.autograd.grad(frame, weights)
                    with torch.no_grad():
                        for p, piece in zip(weights, pieces, strict=True):
                            p -= alpha * piece
                after, new_margin = _look(X, y, weights, problem.order)
                epochs += 1
                if after <= log_loss:
                    log_loss, margin = after, new_margin
                    alpha *= 2 ** (1 / 5)
                    accepted += 1
                else:
                    with torch.no_grad():
                        for p, old in zip(weights, saved, strict=True):
                            p.copy_(old)
                    alpha /= 2 ** (1 / 10)
            return Outcome(
                margin,
                log_loss / np.log(10),
                problem.done(margin, log_loss),
                f"{epochs} epochs, {accepted} accepted",
            )

        return run


@dataclass(frozen=True)
class TorchSGD:
    """torch.optim.SGD on the summed logistic loss, a constant step, full batches."""

    name: str = "torch.optim.SGD, constant step"

    def prepare(self, problem: MarginProblem) -> Run:
        import torch

        torch.set_num_threads(1)
        X, y = (torch.tensor(part) for part in problem.data)
        start = [p.detach().clone() for p in problem.net.parameters()]
        step = problem.constant_step or 4 / np.linalg.norm(problem.data[0], 2) ** 2

        def run(allowance: Allowance) -> Outcome:
            weights = [p.clone().requires_grad_() for p in start]
            optimizer = torch.optim.SGD(weights, lr=step)
            epochs = 0
            while True:
                if epochs % 100 == 0:
                    log_loss, margin = _look(X, y, weights, problem.order)
                    if problem.done(margin, log_loss) or allowance.spent:
                        break
                optimizer.zero_grad()
                torch.nn.functional.softplus(-y * _outputs(X, weights)).sum().backward()
                optimizer.step()
                epochs += 1
            done = problem.done(margin, log_loss)
            return Outcome(margin, log_loss / np.log(10), done, f"{epochs} epochs, step {step:.2g}")

        return run


@dataclass(frozen=True)
class LinearSVC:
    """scikit-learn's LinearSVC without intercept, which knows what it looks for."""

    name: str = "scikit-learn LinearSVC(C=1e6)"

    def prepare(self, problem: MarginProblem) -> Run:
        import warnings

        from sklearn import svm
        from sklearn.exceptions import ConvergenceWarning

        X, y = problem.data

        def run(allowance: Allowance) -> Outcome:
            outcome = Outcome(-np.inf, None, False)
            tolerance, iterations = 1e-2, 10_000
            # Its tolerance is not ours: tightened until the goal is reached.
            while not outcome.finished and not allowance.spent and tolerance > 1e-12:
                machine = svm.LinearSVC(
                    C=1e6,
                    loss="hinge",
                    dual=True,
                    fit_intercept=False,
                    tol=tolerance,
                    max_iter=iterations,
                    random_state=0,
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    machine.fit(X, y)
                outcome = _predictor_outcome(problem, machine.coef_[0], f"tol {tolerance:.0e}")
                tolerance, iterations = tolerance / 10, 4 * iterations
            return outcome

        return run


@dataclass(frozen=True)
class SVC:
    """scikit-learn's SVC; with every sample's mirror image added its intercept is 0."""

    name: str = "scikit-learn SVC(linear, C=1e10)"

    def prepare(self, problem: MarginProblem) -> Run:
        from sklearn import svm

        X, y = problem.data
        both, labels = np.vstack([X, -X]), np.concatenate([y, -y])

        def run(allowance: Allowance) -> Outcome:
            outcome = Outcome(-np.inf, None, False)
            tolerance = 1e-3
            while not outcome.finished and not allowance.spent and tolerance > 1e-12:
                machine = svm.SVC(kernel="linear", C=1e10, tol=tolerance).fit(both, labels)
                outcome = _predictor_outcome(problem, machine.coef_[0], f"tol {tolerance:.0e}")
                tolerance /= 10
            return outcome

        return run


@dataclass(frozen=True)
class MaxMargin:
    """ibtools' convex solver of the margin itself: the answer without the path."""

    name: str = "ibtools max_margin"

    def prepare(self, problem: MarginProblem) -> Run:
        from ibtools.theory.max_margin import max_margin

        X, y = problem.data
        return lambda _: _predictor_outcome(problem, max_margin(X, y).direction, "")


def contenders(problem: MarginProblem) -> list[MarginCompetitor]:
    """Return all that apply to a problem; ratios refer to the first."""
    everyone: list[MarginCompetitor] = [
        Flow(),
        Descend("armijo"),
        Descend("loss_based"),
        TorchSchedule(),
        TorchSchedule(batch_size=100),
        TorchSGD(),
    ]
    if isinstance(problem, LinearProblem):
        everyone += [MaxMargin(), LinearSVC(), SVC()]
    return everyone


def _stop(problem: MarginProblem) -> float:
    """Return a log₁₀ 𝓛 beyond which nobody needs to go."""
    return problem.log10_loss if isinstance(problem, NetProblem) else -1e12


def _target(problem: MarginProblem) -> float:
    """Return the log₁₀ 𝓛 at which flow reaches the goal."""
    from ibtools.trainers import margin_flow

    if isinstance(problem, NetProblem):
        return problem.log10_loss
    run = margin_flow(problem.net, *problem.data, until_log10_loss=-1e9)
    reached = [
        problem.done(margin, loss)
        for margin, loss in zip(run.normalized_margin, run.log_loss, strict=True)
    ]
    return float(-run.log10_inverse_loss[reached.index(True)])


def _outcome(problem: MarginProblem, run: Any, note: str) -> Outcome:
    margin, log_loss = float(run.normalized_margin.max()), float(run.log_loss[-1])
    if isinstance(problem, NetProblem):
        margin = float(run.normalized_margin[-1])
    return Outcome(margin, log_loss / np.log(10), problem.done(margin, log_loss), note)


def _predictor_outcome(problem: MarginProblem, w: np.ndarray, note: str) -> Outcome:
    X, y = problem.data
    margin = float((y * (X @ w)).min() / np.linalg.norm(w))
    return Outcome(margin, None, problem.done(margin, 0.0), note)


def _outputs(X: Any, weights: list[Any]) -> Any:
    """Return the outputs of the networks, written out by hand."""
    if len(weights) == 1:
        return X @ weights[0][0]
    return (X @ weights[0].T).clamp(min=0).square() @ weights[1][0]


def _look(X: Any, y: Any, weights: list[Any], order: int) -> tuple[float, float]:
    """Return log 𝓛 of the exponential loss, and the normalized margin."""
    import torch

    with torch.no_grad():
        q = y * _outputs(X, weights)
        norm = torch.sqrt(sum(p.square().sum() for p in weights))
        margin = q.min()
        for _ in range(order):  # the power itself would overflow after a step that is far too long
            margin = margin / norm
        return float(torch.logsumexp(-q, 0)), float(margin)
