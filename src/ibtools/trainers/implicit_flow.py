"""Gradient flow on log 𝓛 by implicit steps, to losses as small as one likes."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import expit, logsumexp
from torch import nn
from tqdm.auto import tqdm

from ibtools._validation import positive, quiet, real
from ibtools.metrics.margins import inverse_loss, loss_threshold
from ibtools.models.homogeneity import order_of
from ibtools.trainers._classification import Problem, State, few_threads
from ibtools.trainers.history import TrainingWarning
from ibtools.trainers.margin_history import MarginRun, Offset, Recorder, exponents_of, restorer

Net = TypeVar("Net", bound=nn.Module)

Numbers = Float[np.ndarray, " m"]

_ROUNDING = 8 * np.finfo(np.float64).eps
_LARGEST_WORKING_SET = 400


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
    one unknown for each margin that is nearly active, however many parameters there are. A step is
    taken only if 𝓛 falls and, once 𝓛 < ℓ(0), the smoothed margin does not; otherwise h is
    shortened. The direction is that of the flow (which the time of 𝓛 or of log 𝓛 do not change)
    up to the relative step.

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
        A run of this trainer to continue.

    Returns
    -------
    MarginRun
        One record for each step.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, or a number is out of
        range.

    Warns
    -----
    TrainingWarning
        If no step is accepted any more (the flow slides along a kink of a ReLU net) or `max_steps`
        is reached.

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
    target = real("until_log10_loss", float(until_log10_loss)) * np.log(10.0)
    problem = Problem(net, X, y, loss)
    facts = order_of(net)
    order = facts.degree if offset is None else offset.order
    largest = positive(
        "relative_step",
        float((0.05 if order != 1 else 1.0) if relative_step is None else relative_step),
    )
    recorder = Recorder(resume)
    flow = _Flow(problem, order, largest, offset)
    if resume is not None:
        flow.restore(resume)
    message, converged = f"max_steps={max_steps} reached", False
    bar = tqdm(total=round(-target), desc="margin flow", unit="nat", disable=quiet(), leave=False)
    with few_threads(problem.n * problem.flat.numel()), bar:
        if resume is None:
            flow.record(recorder)
        try:
            while flow.steps < max_steps:
                if flow.state.log_loss <= target:
                    message, converged = "the asked loss is reached", True
                    break
                if not flow.step():
                    message = "no step is accepted any more: " + flow.trouble
                    break
                flow.record(recorder)
                bar.update(max(0, round(-flow.state.log_loss) - bar.n))
        except KeyboardInterrupt:
            message = "interrupted"
            flow.settle()
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
        self._safe = problem.flat.clone()

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
        problem, start = self.problem, self._safe
        start.copy_(problem.flat)
        rho = self.norm
        before = self.margin(self.state, rho) if rho > 0 else -np.inf
        guarded = before > 0 if self.offset else self.state.log_loss < loss_threshold(problem.loss)
        gradient = self.gradient()
        size = float(gradient.norm())
        if not rho > 0:
            self.trouble = "all parameters are zero; start from weights that are not"
            return False
        if not size > 0:
            self.trouble = "the gradient is zero"
            return False
        if np.isnan(self.h):
            self.h = 0.1 * self.relative_step * rho / size
        chosen = self._working_set(size * self.relative_step * rho)
        width = self.state.margins.shape[1]
        tangents = problem.tangents(torch.div(chosen, width, rounding_mode="floor"), chosen % width)
        K = tangents.gram()
        nearby = Nearby(self.state, chosen, problem.loss)
        push = self._push_of_others(chosen)
        drift = None if push is None else tangents.along(push)
        for _ in range(60):
            s = nearby.s if drift is None else nearby.s + self.h * drift
            d = tangents.combination(implicit_multipliers(nearby, s, K, self.h))
            if push is not None:
                d += self.h * push
            length = float(d.norm())
            if length > self.relative_step * rho:
                self.h *= max(0.1, 0.9 * self.relative_step * rho / length)
                continue
            candidate = problem.evaluate(start + d)
            new_rho = self.norm
            fell = candidate.log_loss < self.state.log_loss
            after = self.margin(candidate, new_rho)
            kept = after >= before * (1 - _ROUNDING) if guarded else True
            if fell and kept and np.isfinite(candidate.log_loss):
                self._advance(candidate, after < before)
                if length < 0.6 * self.relative_step * rho:
                    self.h *= 2.0
                return True
            self.h *= 0.5
            if length < 1e-14 * rho:
                break
        self.trouble = (
            "the smoothed margin would fall however short the step (a kink of the net, or rounding)"
        )
        problem.evaluate(start)
        return False

    def _advance(self, state: State, dropped: bool) -> None:
        # On a step log 𝓛 is nearly linear in the flow's time; ∫dτ/𝓛 under that line is exact.
        fall = self.state.log_loss - state.log_loss
        share = -np.expm1(-fall) / fall
        self.log_time = float(
            np.logaddexp(self.log_time, np.log(self.h) - state.log_loss + np.log(share))
        )
        self.effective_time += self.h
        self.last_h = self.h
        self.steps += 1
        self.drops += bool(dropped)
        self.state = state
        self._gradient = None

    def _working_set(self, reach: float) -> torch.Tensor:
        """Return which margins a step could make active, as indices into all of them."""
        flat = self.state.margins.reshape(-1)
        least = float(flat.min())
        chosen = torch.nonzero(flat <= least + 40.0 + 0.5 * abs(least) + reach)[:, 0]
        if len(chosen) > _LARGEST_WORKING_SET:
            chosen = torch.topk(flat, _LARGEST_WORKING_SET, largest=False).indices.sort().values
        return chosen

    def _push_of_others(self, chosen: torch.Tensor) -> torch.Tensor | None:
        """Return Σ v∇s of the margins outside the working set, which a step takes as constant."""
        others = self.state.weights.clone()
        others.view(-1)[chosen] = 0
        if float(others.sum()) < 1e-9:
            return None
        return self.problem.pulled(others)

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

    def settle(self) -> None:
        """Return to the last point that was recorded, after an interruption in mid-step."""
        if self.steps and self._gradient is None:
            return
        self.problem.flat.copy_(self._safe)

    def progress(self) -> dict[str, Any]:
        return {"h": self.h, "trainer": "margin_flow"}

    def restore(self, run: MarginRun) -> None:
        if run._progress.get("trainer") != "margin_flow":
            raise ValueError(
                "resume must be a run of margin_flow, got one of "
                f"{run._progress.get('trainer')}; hand its net to margin_flow instead"
            )
        flat = torch.cat([p.detach().reshape(-1) for p in run.net.parameters()])
        self.state = self.problem.evaluate(flat.to(self.problem.flat))
        self.h = float(run._progress["h"])
        self.steps = int(run.steps[-1])
        self.drops = int(run.smoothed_margin_drops[-1])
        self.log_time = float(run.log_time[-1])
        self.effective_time = float(run.effective_time[-1])
        self.problem.evaluations += int(run.evaluations[-1]) - 2


class Nearby:
    """log 𝓛 as a function of the margins of a working set; all other margins stay as they are."""

    def __init__(self, state: State, chosen: Int[torch.Tensor, " m"], loss: str) -> None:
        margins = state.margins.detach().cpu().numpy()
        flat = chosen.cpu().numpy()
        rows = flat // margins.shape[1]
        samples, self._group = np.unique(rows, return_inverse=True)
        self.s = margins.reshape(-1)[flat]
        # Beyond this margin every loss is e^(−s) to the last digit, and only differences matter.
        self._exponential = loss == "exponential" or float(margins.min()) > 60
        self.shift = float(margins.min()) if self._exponential else 0.0
        self._several = margins.shape[1] > 1
        left = np.ones(margins.size, dtype=bool)
        left[flat] = False
        rest = np.where(left.reshape(margins.shape), self.shift - margins, -np.inf)
        self._of_sample = logsumexp(rest[samples], axis=1)
        others = np.setdiff1d(np.arange(len(margins)), samples)
        away = logsumexp(rest[others], axis=1)
        self._away = logsumexp(self._log_loss(away)[0]) if others.size else -np.inf

    def _log_loss(self, z: Numbers) -> tuple[Numbers, Numbers]:
        """Return log ℓ and its derivative at z = −q, q the margin of a sample."""
        if self._exponential:
            return z, np.ones_like(z)
        tail = z < -18.0
        near = np.logaddexp(0.0, np.where(tail, 0.0, z))
        value = np.where(tail, z - np.exp(np.minimum(z, 0.0)) / 2, np.log(near))
        return value, np.where(tail, 1 - np.exp(np.minimum(z, 0.0)) / 2, expit(z) / near)

    def __call__(self, s: Numbers) -> tuple[float, Numbers]:
        """Return log 𝓛, up to a constant, and v = −∂log 𝓛/∂s at the working set's margins `s`."""
        each = self.shift - s
        if self._several:
            top = np.maximum(self._of_sample, -np.inf)
            np.maximum.at(top := top.copy(), self._group, each)
            sums = np.exp(self._of_sample - top)
            np.add.at(sums, self._group, np.exp(each - top[self._group]))
            z = top + np.log(sums)
        else:
            z = each
        value, slope = self._log_loss(z)
        total = np.logaddexp(logsumexp(value), self._away)
        weights = np.exp(value - total) * slope
        if self._several:
            return float(total), weights[self._group] * np.exp(each - z[self._group])
        return float(total), weights


def implicit_multipliers(
    nearby: Callable[[Numbers], tuple[float, Numbers]],
    s: Float[np.ndarray, " m"],
    K: Float[np.ndarray, "m m"],
    h: float,
) -> Float[np.ndarray, " m"]:
    """Return c of least log 𝓛(s + Kc) + cᵀKc/(2h), by Newton's method with a line search.

    The gradient is K(c/h − v), with v = −∂log 𝓛/∂s at s + Kc: the solution has c = h v.
    """
    c = np.zeros_like(s)
    Kc = np.zeros_like(s)
    value, v = nearby(s)
    for _ in range(100):
        residual = c / h - v
        if residual @ (K @ residual) <= 1e-20 * max(float(v @ (K @ v)), 1e-300):
            break
        # Where v is negligible Newton's equation is solved by its diagonal.
        move = -h * residual
        live = np.flatnonzero(v > 1e-12)
        K_live = K[np.ix_(live, live)]
        v_live = v[live]
        system = v_live[:, None] * (K_live - v_live @ K_live)
        away = K[live] @ move - K_live @ move[live]
        right = -residual[live] - v_live * (away - v_live @ away)
        system[np.diag_indices_from(system)] += 1 / h
        move[live] = np.linalg.solve(system, right)
        K_move = K @ move
        slope = float(residual @ K_move)
        if not slope < 0:
            move = -h * residual
            K_move = K @ move
            slope = float(residual @ K_move)
        linear, quadratic = float(c @ K_move) / h, 0.5 * float(move @ K_move) / h
        t = 1.0
        for _ in range(50):
            new_value, new_v = nearby(s + Kc + t * K_move)
            change = (new_value - value) + t * linear + t * t * quadratic
            if change <= 1e-4 * t * slope:
                break
            t *= 0.5
        else:
            break
        c, Kc = c + t * move, Kc + t * K_move
        value, v = new_value, new_v
        if -change < 1e-14 * max(1.0, abs(value)):
            break
    return c
