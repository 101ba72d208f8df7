"""Gradient flow in the clock of ψ = ℓ⁻¹(𝓛): every step raises ψ by the same amount."""

import warnings
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from tqdm.auto import tqdm

from ibtools._validation import count, one_of, positive, quiet, real
from ibtools.metrics.margins import inverse_loss
from ibtools.trainers._classification import Problem, State, few_threads
from ibtools.trainers.history import TrainingWarning
from ibtools.trainers.margin_history import (
    MarginRun,
    Offset,
    Recorder,
    exponents_of,
    order_of_run,
    restorer,
)

Net = TypeVar("Net", bound=nn.Module)

METHODS = ("euler", "rk4")

# Stages of a step: where each one looks, in units of the step, and its weight.
_STAGES = {
    "euler": ((0.0, 1.0),),
    "rk4": ((0.0, 1 / 6), (0.5, 1 / 3), (0.5, 1 / 3), (1.0, 1 / 6)),
}
# How far the gain of a step may be from what was asked, relative to it; a step beyond is shortened.
_OFF = {"euler": 0.5, "rk4": 1e-4}
_SHORTEST = 1e-9
_ROUNDING = 8 * np.finfo(np.float64).eps


def psi_flow(
    net: Net,
    X: ArrayLike | torch.Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    rise: float | int = 0.25,
    until_psi: float | int = 1000.0,
    method: str = "euler",
    max_steps: int = 100_000,
    record_growth: float | int = 1.0,
    offset: Offset | None = None,
    resume: MarginRun[Net] | None = None,
) -> MarginRun[Net]:
    r"""Train so that each step raises :math:`\psi = \ell^{-1}(\mathcal L)` by the same amount c.

    Gradient flow moves along ∇ψ, whatever the clock. In the clock of ψ itself

    .. math:: \frac{d\theta}{d\psi} = \frac{\nabla\psi}{\|\nabla\psi\|^2},

    where ψ rises at rate 1. This is not stiff: a step of c ≤ 1 changes the ratios of the samples'
    losses by factors of order e^c, however small the loss. A step that raises ψ by something else
    is shortened, as happens near a saddle point. One Euler step is gradient descent with

    .. math:: \theta \leftarrow \theta + c\,\frac{\nabla\psi}{\|\nabla\psi\|^2};

    the Runge–Kutta method follows the flow to :math:`O(c^4)`. No margin is enforced: whether one
    grows is left to be seen.

    Parameters
    ----------
    net
        The net at its start; it is copied.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    loss
        "exponential", "logistic", or with k outputs "cross_entropy". Sums over samples.
    rise
        c, above 0. Up to 0.5 is safe for Euler's method, 1 for the other.
    until_psi
        ψ at which to stop; the last step is shortened to end there.
    method
        "euler" (descent) or "rk4" (flow).
    max_steps
        Largest number of steps.
    record_growth
        Steps are recorded when ψ has risen by c and grown by this factor; 1 for all.
    offset
        For a net that is only nearly homogeneous: its order and p_a, as
        `ibtools.theory.homogeneity.near_homogeneity` gives them.
    resume
        A run of this trainer to continue; it then goes as if it had not stopped.

    Returns
    -------
    MarginRun
        With ``converged`` whether the asked ψ was reached.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, a number is out of
        range, the net has no order that is known and there is no `offset`, or the outputs do not
        grow on the data as was read off the layers, or as `offset` says.

    Warns
    -----
    TrainingWarning
        If ψ cannot be raised by a step however short (a kink, or no gradient), or `max_steps` is
        reached.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> run = psi_flow(DeepLinear(d=2, depth=1, seed=0), X, y, method="rk4", until_psi=50)
    >>> run.converged, run.steps[-1] < 250, round(-run.log_loss[-1], 6)
    (True, np.True_, np.float64(50.0))
    """
    one_of("method", method, METHODS)
    c = positive("rise", rise)
    target = real("until_psi", until_psi)
    count("max_steps", max_steps)
    growth = positive("record_growth", record_growth)
    problem = Problem(net, X, y, loss)
    facts = order_of_run(problem, offset)
    order = facts.degree
    recorder = Recorder(resume)
    work = _PsiFlow(problem, order, method, c)
    if resume is not None:
        work.restore(resume)
    message, converged = f"max_steps={max_steps} reached", False
    bar = tqdm(total=round(target), desc="psi flow", unit="nat", disable=quiet(), leave=False)
    with few_threads(problem.n * problem.flat.numel()), bar:
        work.begin()
        if resume is None:
            work.record(recorder)
        recorded = work.psi
        try:
            while True:
                if work.psi >= target - _SHORTEST * c:
                    message, converged = "the asked psi is reached", True
                    break
                if work.steps >= max_steps:
                    break
                if not work.step(target):
                    message = work.trouble
                    break
                if work.psi >= max(recorded, recorded * growth):
                    recorded = work.psi
                    work.record(recorder)
                bar.update(max(0, round(work.psi) - bar.n))
        except KeyboardInterrupt:
            message = "interrupted"
            work.settle()
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
        _progress={"trainer": "psi_flow", "next_rise": work.next_rise},
    )
    if not converged and message != "interrupted":
        warnings.warn(
            f"psi_flow stopped at psi {work.psi:.6g}, asked for {target:g}: {message}",
            TrainingWarning,
            stacklevel=2,
        )
    return run


class _PsiFlow:
    """Where the flow is, and how it takes a step."""

    def __init__(self, problem: Problem, order: int, method: str, rise: float) -> None:
        self.problem = problem
        self.order = order
        self.rise = rise
        self.next_rise = rise
        self.off = _OFF[method]
        self.stages = _STAGES[method]
        self.steps = 0
        self.drops = 0
        self.log_time = -np.inf
        self.effective_time = 0.0
        self.last_step = np.nan
        self.trouble = ""
        self.state: State
        self.gradient: torch.Tensor
        self._safe = problem.flat.clone()

    def begin(self) -> None:
        """Evaluate the present point."""
        self.state, self.gradient = self.problem.descend_from()
        if not np.isfinite(self.state.log_loss):
            raise ValueError(
                "net has outputs that are not finite at its start; start it from smaller weights"
            )

    @property
    def psi(self) -> float:
        return float(inverse_loss(self.state.log_loss, self.problem.loss))

    def step(self, target: float) -> bool:
        """Raise ψ by one step, or say in `trouble` why not."""
        self._safe.copy_(self.problem.flat)
        before, gradient = self.state, self.gradient
        psi = self.psi
        margin = self._smoothed_margin()
        asked = min(self.next_rise, target - psi)
        while asked > _SHORTEST * self.rise:
            if self._move(before, gradient, asked):
                gained = self.psi - psi
                # A step that gains something else than it should has left the flow.
                if abs(gained - asked) <= self.off * asked + _ROUNDING * abs(psi):
                    self._advance(before, gradient, gained)
                    after = self._smoothed_margin()
                    self.drops += int(after < margin * (1 - np.sign(margin) * _ROUNDING))
                    if asked == self.next_rise:
                        self.next_rise = min(2 * asked, self.rise)
                    return True
            self.problem.flat.copy_(self._safe)
            self.state, self.gradient = before, gradient
            asked /= 2
            self.next_rise = asked
        self.trouble = "no step raises it, however short (a kink of the net, or no gradient)"
        return False

    def _move(self, before: State, gradient: torch.Tensor, asked: float) -> bool:
        """Go to the end of one step; return False if there is no such point."""
        total = torch.zeros_like(gradient)
        slope = None
        for at, weight in self.stages:
            if slope is not None:
                self.problem.flat.copy_(self._safe + (at * asked) * slope)
                before, gradient = self.problem.descend_from()
            rate = _psi_rate(before.log_loss, self.problem.loss)
            size = float(gradient @ gradient) * rate
            if not (0 < size < np.inf):
                return False
            slope = -gradient / size
            total += weight * slope
        self.problem.flat.copy_(self._safe + asked * total)
        self.state, self.gradient = self.problem.descend_from()
        return bool(np.isfinite(self.state.log_loss))

    def _advance(self, before: State, gradient: torch.Tensor, gained: float) -> None:
        # dτ/dψ of the flow on log 𝓛, by the trapezoid; ∫dτ/𝓛 with log 𝓛 linear in τ is exact.
        slopes = [
            1 / (float(g @ g) * _psi_rate(state.log_loss, self.problem.loss) ** 2)
            for state, g in ((before, gradient), (self.state, self.gradient))
        ]
        tau = gained * sum(slopes) / 2
        fall = before.log_loss - self.state.log_loss
        share = -np.expm1(-fall) / fall
        self.log_time = float(
            np.logaddexp(self.log_time, np.log(tau) - self.state.log_loss + np.log(share))
        )
        self.effective_time += tau
        self.last_step = tau
        self.steps += 1

    def _smoothed_margin(self) -> float:
        norm = float(self.problem.flat.norm())
        return self.psi / norm**self.order if norm > 0 else -np.inf

    def record(self, recorder: Recorder) -> None:
        flat, gradient = self.problem.flat, self.gradient
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
            step_size=self.last_step,
            smoothed_margin_drops=self.drops,
        )

    def settle(self) -> None:
        """Return to the start of the step that was interrupted."""
        self.problem.flat.copy_(self._safe)
        self.begin()

    def restore(self, run: MarginRun) -> None:
        trainer: Any = run._progress.get("trainer")
        if trainer != "psi_flow":
            raise ValueError(
                f"resume must be a run of psi_flow, got one of {trainer}; hand its net to psi_flow "
                "instead"
            )
        flat = torch.cat([p.detach().reshape(-1) for p in run.net.parameters()])
        self.problem.flat.copy_(flat)
        self.next_rise = min(self.rise, float(run._progress["next_rise"]))
        self.steps = int(run.steps[-1])
        self.drops = int(run.smoothed_margin_drops[-1])
        self.log_time = float(run.log_time[-1])
        self.effective_time = float(run.effective_time[-1])
        self.last_step = float(run.step_size[-1])
        self.problem.evaluations += int(run.evaluations[-1]) - 1


def _psi_rate(log_loss: float, loss: str) -> float:
    """Return −dψ/d log 𝓛: 1 for the exponential loss, 𝓛/(1 − e^(−𝓛)) else."""
    if loss == "exponential":
        return 1.0
    value = np.exp(min(log_loss, 700.0))
    return float(value / -np.expm1(-value)) if value > 0 else 1.0
