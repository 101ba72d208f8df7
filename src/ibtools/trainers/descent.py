"""Gradient descent in the log domain: losses far below the smallest float are ordinary."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from tqdm.auto import tqdm

from ibtools._validation import count, one_of, plain, positive, quiet
from ibtools.metrics.margins import loss_threshold, smoothed_margin
from ibtools.models.nets import torch_generator
from ibtools.models.two_layer import TwoLayerNet
from ibtools.trainers._classification import Problem, State, few_threads, number
from ibtools.trainers.history import TrainingWarning
from ibtools.trainers.margin_history import (
    MarginRun,
    Offset,
    Recorder,
    check_resumed,
    check_same_point,
    exponents_of,
    order_of_run,
    restorer,
)
from ibtools.trainers.two_layer import TwoLayerRun, train_two_layer

Net = TypeVar("Net", bound=nn.Module)

SCHEDULES = ("constant", "loss_based", "armijo")

_UP, _DOWN = 2 ** (1 / 5), 2 ** (-1 / 10)
_ROUNDING = 8 * np.finfo(np.float64).eps
_PROGRESS = ("state", "gradient", "alpha", "epochs", "steps", "drops", "last_step", "recorded")


@overload
def descend(
    net: TwoLayerNet,
    X: ArrayLike,
    y: ArrayLike,
    *,
    step: float,
    steps: int,
    loss: str = "logistic",
    schedule: str = "constant",
    until_log10_loss: float | None = None,
    records: int = 100,
    method: str = "gram",
    resume: TwoLayerRun | None = None,
) -> TwoLayerRun: ...


@overload
def descend(
    net: Net,
    X: ArrayLike | torch.Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    schedule: str = "constant",
    step: float | int | None = None,
    batch_size: int | None = None,
    seed: int | np.random.Generator | None = None,
    until_log10_loss: float | int = -100.0,
    max_epochs: int = 100_000,
    record_growth: float | int = 1.02,
    offset: Offset | None = None,
    resume: MarginRun[Net] | None = None,
) -> MarginRun[Net]: ...


def descend(
    net: Net | TwoLayerNet, X: ArrayLike | torch.Tensor, y: ArrayLike, **options: Any
) -> MarginRun[Net] | TwoLayerRun:
    r"""Train by gradient descent, of which only the logarithm of the loss is stored.

    What follows is for PyTorch nets; a `TwoLayerNet` goes to `train_two_layer`, with its options
    (there `step` belongs to the mean loss, and ``schedule="loss_based"`` never rejects a step).

    ========== ==========================================================================
    schedule   update
    ========== ==========================================================================
    constant   :math:`\theta \leftarrow \theta - \eta\nabla\mathcal L`
    loss_based :math:`\theta \leftarrow \theta - \alpha\nabla\mathcal L/\mathcal L'` with
               :math:`\mathcal L'` the loss after the last epoch. If an epoch does not raise the
               loss, :math:`\alpha` grows by :math:`2^{1/5}`; else its start is restored and
               :math:`\alpha` shrinks by :math:`2^{-1/10}` (Lyu & Li 2020, exactly).
    armijo     :math:`\theta \leftarrow \theta - \alpha\nabla\log\mathcal L`, :math:`\alpha` halved
               until :math:`\log\mathcal L` falls by :math:`\tfrac12\alpha\|\nabla\log\mathcal
               L\|^2`, doubled for the next step. Full batch only.
    ========== ==========================================================================

    Parameters
    ----------
    net
        The net at its start; it is copied.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    loss
        "exponential", "logistic", or with k outputs "cross_entropy". Sums over samples.
    schedule
        One of the table.
    step
        η of a constant step, on the sum 𝓛, by default 0.1/n; or the first α, by default 0.1 for
        "loss_based" and 1 for "armijo".
    batch_size
        Samples of a minibatch; ``None`` takes all at once. A batch's loss is scaled up to all
        samples, n/batch_size times its sum.
    seed
        Of the order of the samples; required with `batch_size`.
    until_log10_loss
        log₁₀ 𝓛 at which to stop.
    max_epochs
        Largest number of passes over the data, of accepted and rejected ones together.
    record_growth
        Epochs are recorded at numbers that grow by this factor, each one at first; 1 for all.
    offset
        For a net that is only nearly homogeneous, its order and p_a; see `margin_flow`.
    resume
        A run of this trainer to continue, with the same other arguments; it then goes as if it had
        not stopped.

    Returns
    -------
    MarginRun
        With ``converged`` whether the asked loss was reached.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, a number is out of
        range, `seed` is missing for minibatches, Armijo is asked for minibatches, or `resume` is
        not a run of this trainer on these data.
    NotHomogeneousError
        If the outputs' growth with the parameters is not known, or on the data it is not as was
        read off the layers, or as `offset` says; a ValueError.

    Warns
    -----
    TrainingWarning
        If the run diverges (the last finite point is returned), no step lowers the loss, the steps
        are below rounding, or `max_epochs` is reached.

    References
    ----------
    Lyu & Li (2020), training with loss-based learning rate.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> run = descend(net, X, y, schedule="loss_based", until_log10_loss=-1000)
    >>> run.converged
    True
    """
    if isinstance(net, TwoLayerNet):
        return train_two_layer(net, plain("X", X), y, **options)
    return _descend_net(net, X, y, **options)


def _descend_net(
    net: Net,
    X: ArrayLike | torch.Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    schedule: str = "constant",
    step: float | int | None = None,
    batch_size: int | None = None,
    seed: int | np.random.Generator | None = None,
    until_log10_loss: float | int = -100.0,
    max_epochs: int = 100_000,
    record_growth: float | int = 1.02,
    offset: Offset | None = None,
    resume: MarginRun[Net] | None = None,
) -> MarginRun[Net]:
    one_of("schedule", schedule, SCHEDULES)
    target = number("until_log10_loss", until_log10_loss) * np.log(10.0)
    count("max_epochs", max_epochs)
    growth = number("record_growth", record_growth)
    if growth < 1:
        raise ValueError(f"record_growth must be at least 1, got {growth:g}; 1 records every epoch")
    problem = Problem(net, X, y, loss)
    facts = order_of_run(problem, offset)
    order = facts.degree
    batches = None
    if batch_size is not None:
        batches = _Batches(problem.n, batch_size, seed)
        if schedule == "armijo":
            raise ValueError(
                "schedule 'armijo' compares the loss of all samples before and after each step and "
                "takes no minibatches; drop batch_size or use 'loss_based'"
            )
    default = {"constant": 0.1 / problem.n, "loss_based": 0.1, "armijo": 1.0}[schedule]
    work = _Descent(
        problem,
        order,
        schedule,
        default if step is None else positive("step", number("step", step)),
        batches,
    )
    recorder = Recorder(resume)
    if resume is not None:
        check_resumed(resume, trainer="descend", loss=loss, order=order)
        work.restore(resume)
    message, converged = f"max_epochs={max_epochs} reached", False
    total = max(0, round(-target))
    bar = tqdm(total=total, desc="descent", unit="nat", disable=quiet(), leave=False)
    with few_threads(problem.n * problem.flat.numel()), bar:
        work.begin()
        if resume is None:
            work.record(recorder)
        else:
            check_same_point(resume, work.state.log_loss)
        try:
            while work.epochs < max_epochs:
                if work.state.log_loss <= target:
                    message, converged = "the asked loss is reached", True
                    break
                if not work.epoch(len(recorder)):
                    message = work.trouble
                    break
                if work.epochs >= max(work.recorded + 1, work.recorded * growth):
                    work.record(recorder)
                    work.recorded = work.epochs
                bar.update(max(0, round(-work.state.log_loss) - bar.n))
        except KeyboardInterrupt:
            message = "interrupted"
            recorder.cut(work.settle(len(recorder)))
        if recorder.last("steps") != work.steps:
            work.record(recorder)
    restore = restorer(net)
    run = MarginRun(
        **recorder.columns(),
        order=order,
        exponents=exponents_of(facts, problem.layer_names),
        loss=loss,
        net=restore(problem.flat.cpu().numpy()),
        converged=converged,
        message=message,
        offset=offset,
        _restore=restore,
        _progress=work.progress(),
    )
    if not converged and message != "interrupted":
        warnings.warn(
            f"descend stopped at log10 loss {run.log_loss[-1] / np.log(10):.6g}, asked for "
            f"{until_log10_loss:g}: {message}",
            TrainingWarning,
            stacklevel=3,
        )
    return run


class _Batches:
    """The samples in an order that is drawn anew for each epoch."""

    def __init__(self, n: int, size: int, seed: int | np.random.Generator | None) -> None:
        if seed is None:
            raise ValueError(
                "seed is needed with batch_size: the order of the samples is random; pass seed=0, "
                "say"
            )
        if count("batch_size", size) > n:
            raise ValueError(f"batch_size must be at most n={n}, got {size}; leave it out for all")
        self.n, self.size = n, size
        self.generator = torch_generator(seed)

    def __iter__(self) -> Iterator[torch.Tensor]:
        order = torch.randperm(self.n, generator=self.generator)
        return iter(order.split(self.size))


@dataclass
class _Clock:
    log_time: float = -np.inf
    effective_time: float = 0.0

    def advance(self, step: float, log_loss: float) -> None:
        """Add a step on log 𝓛, taken at this log loss."""
        log_step = np.log(step) if step > 0 else -np.inf
        self.log_time = float(np.logaddexp(self.log_time, log_step - log_loss))
        self.effective_time += step


class _Descent:
    """Where the descent is, and how it makes an epoch."""

    def __init__(
        self,
        problem: Problem,
        order: int,
        schedule: str,
        step: float,
        batches: _Batches | None,
    ) -> None:
        self.problem = problem
        self.order = order
        self.schedule = schedule
        self.alpha = step
        self.batches = batches
        self.clock = _Clock()
        self.epochs = 0
        self.steps = 0
        self.drops = 0
        self.trouble = ""
        self.last_step = np.nan
        self.recorded = 0
        self.state: State
        self.gradient: torch.Tensor | None
        self._before: dict[str, Any] | None = None

    def begin(self) -> None:
        """Evaluate the present point, whose gradient the first step takes."""
        self._look()
        if not np.isfinite(self.state.log_loss):
            raise ValueError(
                "net has outputs that are not finite at its start; start it from smaller weights"
            )

    def _look(self) -> None:
        if self.batches is None:
            self.state, self.gradient = self.problem.descend_from()
        else:
            self.state, self.gradient = self.problem.evaluate(), None

    def epoch(self, records: int) -> bool:
        """Make one epoch; return False, with `trouble`, if nothing more can be done."""
        start, before, gradient = self.problem.flat.clone(), self.state, self.gradient
        clock, steps = replace(self.clock), self.steps
        self._before = {
            "flat": start,
            "evaluations": self.problem.evaluations,
            "order": None if self.batches is None else self.batches.generator.get_state(),
            "records": records,
            "own": {name: getattr(self, name) for name in _PROGRESS} | {"clock": clock},
        }
        if self.schedule == "armijo":
            accepted = self._armijo(start, before)
        else:
            self._updates(before)
            self._look()
            finite = np.isfinite(self.state.log_loss)
            accepted = finite and (
                self.schedule == "constant" or self.state.log_loss <= before.log_loss
            )
            if self.schedule == "constant" and not finite:
                self.trouble = (
                    f"diverged after {self.steps} updates with step {self.alpha:g}; take a smaller "
                    "step"
                )
            elif self.schedule == "constant" and torch.equal(self.problem.flat, start):
                self.trouble = (
                    "the steps are below rounding; take another schedule, or a longer step"
                )
                accepted = False
        self.epochs += 1
        if not accepted:
            self.problem.flat.copy_(start)
            self.state, self.gradient = before, gradient
            self.clock, self.steps = clock, steps
            if self.schedule == "loss_based":
                self.alpha *= _DOWN
                if self.alpha < 1e-300:
                    self.trouble = "no step lowers the loss, however short"
            return not self.trouble
        if self.schedule == "loss_based":
            self.alpha *= _UP
        if before.log_loss < loss_threshold(self.problem.loss):
            margin = self._smoothed_margin(before, start)
            after = self._smoothed_margin(self.state, self.problem.flat)
            self.drops += int(after < margin * (1 - _ROUNDING))
        return True

    def _updates(self, before: State) -> None:
        """Move the parameters through one pass over the data."""
        frame = before.log_loss
        step = self.alpha
        if self.schedule == "constant":
            # 0 where the loss is below the smallest float: then no step is left.
            step *= float(np.exp(min(frame, 700.0)))
        self.last_step = self.alpha
        if self.batches is None:
            assert self.gradient is not None
            self.problem.flat.sub_(self.gradient, alpha=step)
            self.clock.advance(step, frame)
            self.steps += 1
            return
        for samples in self.batches:
            share = self.problem.n / len(samples)
            gradient = self.problem.batch_gradient(samples, frame)
            self.problem.flat.sub_(gradient, alpha=step * share)
            self.clock.advance(step, frame)
            self.steps += 1
        self.problem.evaluations += 1

    def _armijo(self, start: torch.Tensor, before: State) -> bool:
        gradient = self.gradient
        assert gradient is not None
        square = float(gradient @ gradient)
        for _ in range(200):
            candidate = self.problem.evaluate(start - self.alpha * gradient)
            wanted = before.log_loss - 0.5 * self.alpha * square
            if candidate.log_loss <= wanted and candidate.log_loss < before.log_loss:
                self.clock.advance(self.alpha, before.log_loss)
                self.steps += 1
                self.last_step = self.alpha
                self.alpha *= 2.0
                self._look()
                return True
            self.alpha *= 0.5
        self.trouble = "no step lowers the loss enough, however short"
        return False

    def _smoothed_margin(self, state: State, flat: torch.Tensor) -> float:
        norm = float(flat.norm())
        return float(smoothed_margin(state.log_loss, norm, self.order, self.problem.loss))

    def record(self, recorder: Recorder) -> None:
        flat = self.problem.flat
        gradient = self.gradient
        if gradient is None:
            gradient = -self.problem.pulled(self.state.weights)
        rho, size = float(flat.norm()), float(gradient.norm())
        recorder.add(
            flat.detach().cpu().numpy().copy(),
            self.problem.layer_norms(),
            steps=self.steps,
            evaluations=self.problem.evaluations,
            log_time=self.clock.log_time,
            effective_time=self.clock.effective_time,
            log_loss=self.state.log_loss,
            norm=rho,
            minimum_margin=self.state.minimum_margin,
            gradient_alignment=-float(flat @ gradient) / (rho * size) if rho * size else np.nan,
            gradient_norm=size,
            slack=self.state.slack,
            step_size=self.last_step,
            smoothed_margin_drops=self.drops,
        )

    def settle(self, records: int) -> int:
        """Return to the start of the last epoch, and say how many records there were then."""
        if self._before is None:
            return records
        self.problem.flat.copy_(self._before["flat"])
        self.problem.evaluations = self._before["evaluations"]
        for name, value in self._before["own"].items():
            setattr(self, name, value)
        if self.batches is not None:
            self.batches.generator.set_state(self._before["order"])
        return int(self._before["records"])

    def progress(self) -> dict[str, Any]:
        kept: dict[str, Any] = {
            "alpha": self.alpha,
            "epochs": self.epochs,
            "recorded": self.recorded,
            "trainer": "descend",
        }
        if self.batches is not None:
            kept["order"] = self.batches.generator.get_state().numpy()
        return kept

    def restore(self, run: MarginRun) -> None:
        flat = torch.cat([p.detach().reshape(-1) for p in run.net.parameters()])
        self.problem.flat.copy_(flat)
        self.alpha = float(run._progress["alpha"])
        self.epochs = int(run._progress["epochs"])
        self.recorded = int(run._progress["recorded"])
        self.steps = int(run.steps[-1])
        self.drops = int(run.smoothed_margin_drops[-1])
        self.clock = _Clock(float(run.log_time[-1]), float(run.effective_time[-1]))
        self.last_step = float(run.step_size[-1])
        self.problem.evaluations = int(run.evaluations[-1]) - 1
        if self.batches is not None:
            self.batches.generator.set_state(torch.tensor(run._progress["order"]))
