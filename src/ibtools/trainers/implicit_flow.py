"""Gradient flow on log 𝓛 by implicit steps, to losses as small as one likes."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from tqdm.auto import tqdm

from ibtools._validation import count, positive, quiet
from ibtools.metrics.margins import inverse_loss, loss_threshold
from ibtools.trainers._classification import Linearization, Problem, State, few_threads, number
from ibtools.trainers.history import TrainingWarning
from ibtools.trainers.implicit_step import Nearby, few_margins_step, many_margins_step
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

Net = TypeVar("Net", bound=nn.Module)

_ROUNDING = 8 * np.finfo(np.float64).eps
# Up to so many margins their Gram matrix is factored; a step that needs more uses products with J.
_FEW = 1500
# Margins that a step ignores have together at most this share of the gradient's weights at its end.
_IGNORED = 1e-6
# Weights e^(−s) that many nats below the largest are ignored at a step's start.
_DECAY = 20.0
# What equations solved by iteration may add to a step's error, which is of first order.
_SHARE = 0.05
_PROGRESS = ("state", "h", "last_h", "steps", "drops", "log_time", "effective_time")


def margin_flow(
    net: Net,
    X: ArrayLike | torch.Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    until_log10_loss: float | int = -100.0,
    relative_step: float | int | None = None,
    max_steps: int = 20_000,
    offset: Offset | None = None,
    resume: MarginRun[Net] | None = None,
) -> MarginRun[Net]:
    r"""Follow gradient flow of log 𝓛 by implicit steps; the smoothed margin never decreases.

    A step from θ of length h in the flow's time solves

    .. math:: \min_d\; \log\mathcal L(s + Jd) + \frac{\|d\|^2}{2h}

    on the margins s linearized at θ. Its solution is :math:`d = J^\top c`, so that the problem has
    one unknown for each margin that is nearly active, however many parameters there are. Where
    very many are, conjugate gradients solve it. While 𝓛 ≥ ℓ(0) for the logistic loss and
    cross-entropy, whose logarithms are not convex there, 𝓛 over its value at θ takes the place of
    log 𝓛. A step is taken only if 𝓛 falls and, once 𝓛 < ℓ(0), the smoothed margin does not;
    otherwise h is shortened. The direction is that of the flow, which the time of 𝓛 or of log 𝓛
    does not change, up to an error in proportion to the relative step.

    Parameters
    ----------
    net
        The net at its start; it is copied.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    loss
        "exponential", "logistic", or with k outputs "cross_entropy". Sums over samples.
    until_log10_loss
        log₁₀ 𝓛 at which to stop; −10⁶ is fine.
    relative_step
        Largest ‖d‖/ρ of a step: 0.05 by default, 1 for a net of order 1, where the linearization
        is exact.
    max_steps
        Largest number of steps.
    offset
        For a net that is only nearly homogeneous: its order and p_a, as
        `ibtools.theory.homogeneity.near_homogeneity` gives them. Then what never decreases is the
        modified margin, from strong separability on, and the smoothed one may.
    resume
        A run of this trainer to continue, with the same other arguments; it then goes as if it had
        not stopped.

    Returns
    -------
    MarginRun
        One record for each step.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, a number is out of
        range, or `resume` is not a run of this trainer on these data.
    NotHomogeneousError
        If the outputs' growth with the parameters is not known, or on the data it is not as was
        read off the layers, or as `offset` says; a ValueError.

    Warns
    -----
    TrainingWarning
        If no step is accepted any more (the flow slides along a kink of a ReLU net, or all
        parameters are zero) or `max_steps` is reached.

    References
    ----------
    Lyu & Li (2020); the implicit step is this book's.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> run = margin_flow(DeepLinear(d=2, depth=1, seed=0), X, y, until_log10_loss=-10_000)
    >>> bool(abs(run.normalized_margin[-1] - 7 / 13**0.5) < 1e-3), run.smoothed_margin_drops[-1]
    (True, np.int64(0))
    """
    target = number("until_log10_loss", until_log10_loss) * np.log(10.0)
    count("max_steps", max_steps)
    problem = Problem(net, X, y, loss)
    facts = order_of_run(problem, offset)
    order = facts.degree
    default = 0.05 if order != 1 else 1.0
    largest = positive(
        "relative_step",
        number("relative_step", default if relative_step is None else relative_step),
    )
    recorder = Recorder(resume)
    flow = _Flow(problem, order, largest, offset)
    if resume is not None:
        check_resumed(resume, trainer="margin_flow", loss=loss, order=order)
        flow.restore(resume)
    elif not np.isfinite(flow.state.log_loss):
        raise ValueError(
            "net has outputs that are not finite at its start; start it from smaller weights"
        )
    message, converged = f"max_steps={max_steps} reached", False
    total = max(0, round(-target))
    bar = tqdm(total=total, desc="margin flow", unit="nat", disable=quiet(), leave=False)
    with few_threads(problem.n * problem.flat.numel()), bar:
        if resume is None:
            flow.record(recorder)
        flow.keep(len(recorder))
        try:
            while flow.steps < max_steps:
                if flow.state.log_loss <= target:
                    message, converged = "the asked loss is reached", True
                    break
                if not flow.step():
                    message = "no step is accepted any more: " + flow.trouble
                    break
                flow.record(recorder)
                flow.keep(len(recorder))
                bar.update(max(0, round(-flow.state.log_loss) - bar.n))
        except KeyboardInterrupt:
            message = "interrupted"
            recorder.cut(flow.settle())
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
        _progress=flow.progress(),
    )
    if not converged and message != "interrupted":
        warnings.warn(
            f"margin_flow stopped at log10 loss {run.log_loss[-1] / np.log(10):.6g}, asked for "
            f"{until_log10_loss:g}: {message}",
            TrainingWarning,
            stacklevel=2,
        )
    return run


def _log_integral(length: float, start: float, end: float) -> float:
    """Return log ∫ e^f over an interval on which f goes from `start` to `end` along a line."""
    rise = abs(end - start)
    share = -np.expm1(-rise) / rise if rise > 0 else 1.0
    return float(np.log(length) + max(start, end) + np.log(share))


class _Flow:
    """Where the flow is, and how it takes a step."""

    def __init__(
        self, problem: Problem, order: int, relative_step: float, offset: Offset | None
    ) -> None:
        self.problem = problem
        self.order = order
        self.relative_step = relative_step
        self.offset = offset
        self.state = problem.evaluate()
        self.h = np.nan
        self.last_h = np.nan
        self.steps = 0
        self.drops = 0
        self.log_time = -np.inf
        self.effective_time = 0.0
        self.trouble = ""
        self._gradient: torch.Tensor | None = None
        self._kept: tuple[torch.Tensor, dict[str, Any], int, int]

    @property
    def norm(self) -> float:
        return float(self.problem.flat.norm())

    def margin(self, state: State, norm: float) -> float:
        """Return what must not decrease: the smoothed or the modified margin."""
        psi = float(inverse_loss(state.log_loss, self.problem.loss))
        if self.offset is not None:
            psi -= float(self.offset.gap_bound(norm))
        return psi / norm**self.order

    def gradient(self) -> torch.Tensor:
        if self._gradient is None:
            self._gradient = -self.problem.pulled(self.state.weights)
        return self._gradient

    def step(self) -> bool:
        """Take one step, or say in `trouble` why there is none."""
        problem = self.problem
        start = problem.flat.clone()
        rho = self.norm
        before = self.margin(self.state, rho) if rho > 0 else -np.inf
        guarded = before > 0 if self.offset else self.state.log_loss < loss_threshold(problem.loss)
        gradient = self.gradient()
        size = float(gradient.norm())
        if not size > 0:
            zero = "all parameters are zero; start from weights that are not"
            self.trouble = "the gradient is zero" if rho > 0 else zero
            return False
        # From zero parameters, which only a net of order 1 leaves, log 𝓛 gives the scale instead.
        longest = self.relative_step * (rho if rho > 0 else 1.0 / size)
        if np.isnan(self.h):
            self.h = 0.1 * longest / size
        steps = _Steps(
            problem, self.state, reach=size * longest, tolerance=_SHARE * self.relative_step
        )
        grown = 2.0
        for _ in range(60):
            d = steps(self.h)
            length = float(d.norm())
            if length > longest:
                self.h *= max(0.1, 0.9 * longest / length)
                continue
            candidate = problem.evaluate(start + d)
            if steps.misses(candidate):
                continue
            new_rho = self.norm
            fell = candidate.log_loss < self.state.log_loss
            after = self.margin(candidate, new_rho)
            kept = after >= before * (1 - _ROUNDING) if guarded else True
            if fell and kept and np.isfinite(candidate.log_loss):
                self._advance(candidate, self._falls(candidate, rho, new_rho))
                self.h *= min(grown, 0.9 * longest / length)
                return True
            self.h *= 0.5
            grown = 1.0
            if length < 1e-14 * rho:
                break
        self.trouble = (
            "the smoothed margin would fall however short the step (a kink of the net, or rounding)"
        )
        problem.evaluate(start)
        return False

    def _falls(self, candidate: State, rho: float, new_rho: float) -> bool:
        loss = self.problem.loss
        if not self.state.log_loss < loss_threshold(loss):
            return False
        psi, new_psi = (
            float(inverse_loss(state.log_loss, loss)) for state in (self.state, candidate)
        )
        return bool(new_psi / new_rho**self.order < psi / rho**self.order * (1 - _ROUNDING))

    def _advance(self, state: State, dropped: bool) -> None:
        old, new = self.gradient(), -self.problem.pulled(state.weights)
        # Along the flow v = log(1/𝓛) grows by ‖∇log 𝓛‖² in the time τ, and dt = dτ/𝓛.
        fall = self.state.log_loss - state.log_loss
        slowness = [-2 * np.log(float(g.norm()) or np.nan) for g in (old, new)]
        slowness = [value if np.isfinite(value) else slowness[0] for value in slowness]
        self.effective_time += float(np.exp(_log_integral(fall, *slowness)))
        slowness[0] -= self.state.log_loss
        slowness[1] -= state.log_loss
        self.log_time = float(np.logaddexp(self.log_time, _log_integral(fall, *slowness)))
        self.last_h = self.h
        self.steps += 1
        self.drops += dropped
        self.state = state
        self._gradient = new

    def record(self, recorder: Recorder) -> None:
        flat = self.problem.flat
        gradient = self.gradient()
        rho, size = float(flat.norm()), float(gradient.norm())
        recorder.add(
            flat.detach().cpu().numpy().copy(),
            self.problem.layer_norms(),
            steps=self.steps,
            evaluations=self.problem.evaluations,
            log_time=self.log_time,
            effective_time=self.effective_time,
            log_loss=self.state.log_loss,
            norm=rho,
            minimum_margin=self.state.minimum_margin,
            gradient_alignment=-float(flat @ gradient) / (rho * size) if rho * size else np.nan,
            gradient_norm=size,
            slack=self.state.slack,
            step_size=self.last_h,
            smoothed_margin_drops=self.drops,
        )

    def keep(self, records: int) -> None:
        """Note the present point, which has been recorded, as the one to come back to."""
        numbers = {name: getattr(self, name) for name in _PROGRESS}
        self._kept = (self.problem.flat.clone(), numbers, self.problem.evaluations, records)

    def settle(self) -> int:
        """Return to the last point that was kept, and say how many records there were then."""
        flat, numbers, self.problem.evaluations, records = self._kept
        self.problem.flat.copy_(flat)
        for name, value in numbers.items():
            setattr(self, name, value)
        return records

    def progress(self) -> dict[str, Any]:
        return {"h": self.h, "trainer": "margin_flow"}

    def restore(self, run: MarginRun) -> None:
        flat = torch.cat([p.detach().reshape(-1) for p in run.net.parameters()])
        self.state = self.problem.evaluate(flat.to(self.problem.flat))
        check_same_point(run, self.state.log_loss)
        self.h = float(run._progress["h"])
        self.last_h = float(run.step_size[-1])
        self.steps = int(run.steps[-1])
        self.drops = int(run.smoothed_margin_drops[-1])
        self.log_time = float(run.log_time[-1])
        self.effective_time = float(run.effective_time[-1])
        self.problem.evaluations = int(run.evaluations[-1])


class _Steps:
    """The implicit steps of every length from one point."""

    def __init__(self, problem: Problem, state: State, *, reach: float, tolerance: float) -> None:
        self._problem = problem
        self._start = problem.flat.clone()
        self._state = state
        self._reach = reach
        self._tolerance = tolerance
        # Before every sample is on its right side log 𝓛 is not convex, except for this loss.
        self.relative = problem.loss != "exponential" and state.log_loss >= loss_threshold(
            problem.loss
        )
        self._window = 1.0
        self._solve = self._prepared()

    def __call__(self, h: float) -> torch.Tensor:
        """Return the displacement of the step of length `h` in the flow's time."""
        self._problem.flat.copy_(self._start)
        return self._solve(h)

    def misses(self, candidate: State) -> bool:
        """Return whether a step led where ignored margins matter; they are then no longer so."""
        if self._ignored is None or float(candidate.weights[self._ignored].sum()) <= _IGNORED:
            return False
        self._window *= 2.0
        self._problem.flat.copy_(self._start)
        self._solve = self._prepared()
        return True

    def _prepared(self) -> Callable[[float], torch.Tensor]:
        problem, margins = self._problem, self._state.margins
        near = margins <= margins.min() + self._window * (_DECAY + self._reach)
        if self.relative or int(near.sum()) > _FEW:
            self._ignored = None
            return self._with_all(Linearization(problem))
        self._ignored = ~near
        chosen = torch.nonzero(near.reshape(-1))[:, 0]
        width = margins.shape[1]
        tangents = problem.tangents(torch.div(chosen, width, rounding_mode="floor"), chosen % width)
        nearby = Nearby(margins.cpu(), chosen.cpu(), problem.loss)
        K = tangents.gram()
        return lambda h: tangents.combination(few_margins_step(nearby, K, h))

    def _with_all(self, linear: Linearization) -> Callable[[float], torch.Tensor]:
        margins = self._state.margins
        every = torch.arange(margins.numel(), device=margins.device)
        nearby = Nearby(margins, every, self._problem.loss, relative=self.relative)
        return lambda h: many_margins_step(nearby, linear, h, tolerance=self._tolerance)
