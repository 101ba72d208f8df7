"""Gradient flow on log 𝓛 by implicit steps, to losses as small as one likes."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._validation import count, generator, positive
from ibtools.metrics.margins import inverse_loss, loss_threshold
from ibtools.trainers.margins.driver import Plan, Stepper, drive, margin_fell
from ibtools.trainers.margins.first_phase import FirstPhase
from ibtools.trainers.margins.growth import GapBound, order_of_run
from ibtools.trainers.margins.implicit_step import Nearby, few_margins_step, many_margins_step
from ibtools.trainers.margins.problem import Linearization, Problem, State, number
from ibtools.trainers.margins.reduced_step import ReducedSteps
from ibtools.trainers.margins.runs import MarginRun

Net = TypeVar("Net", bound=nn.Module)

# Up to so many margins all of them vary one by one; beyond, the heaviest do, and the others as one.
_FEW = 1500
MANY = 20_000
"""Beyond so many margins an epoch is dear: a run begins with minibatches."""
ROWS = 4000
"""So many margins vary one by one where more matter."""
# Margins that a step ignores have together at most this share of the gradient's weights at its end.
_IGNORED = 1e-6
# Weights e^(−s) that many nats below the largest are ignored at a step's start.
_DECAY = 20.0
# Steps that gain fewer nats need few iterations, though many margins of similar weight matter.
_GENTLE = 4.0
# What equations solved by iteration may add to a step's error, which is of first order.
_SHARE = 0.05
# Share of the largest length that the next step is to have were the gradient as now; it grows, and
# where a step costs much none is to be rejected for its length.
_AIM, _CAREFUL = 0.9, 0.8
# A step that the net's kinks spoil is repeated so often with what was seen behind them.
_CUTS = 6


def margin_flow(
    net: Net,
    X: ArrayLike | torch.Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    until_log10_loss: float = -100.0,
    relative_step: float | None = None,
    max_steps: int = 20_000,
    near_homogeneity: GapBound | None = None,
    order: int | None = None,
    first_phase: bool | None = None,
    seed: int | np.random.Generator | None = None,
    resume: MarginRun[Net] | None = None,
) -> MarginRun[Net]:
    r"""Follow gradient flow of log 𝓛 by implicit steps; the smoothed margin never decreases.

    A step from θ of length h in the flow's time solves

    .. math:: \min_d\; \log\mathcal L(s + Jd) + \frac{\|d\|^2}{2h}

    on the margins s linearized at θ. Its solution is :math:`d = J^\top c`, so that the problem has
    one unknown for each margin that is nearly active, however many parameters there are. Where
    more than 1500 are, the heaviest, 4000 at most (5000, where these have all weight), vary one by
    one, and all others as one with their mean gradient; that is repeated about where it led, with
    the heaviest there, until the step's equation holds for all margins as accurately as otherwise.
    Besides the data and the net that takes less than 2 GB. While 𝓛 ≥ ℓ(0) for the logistic loss and
    cross-entropy, whose logarithms are not convex there, 𝓛 over its value at θ takes the place of
    log 𝓛, and conjugate gradients solve the problem; so they do at first, while a step gains less
    than four nats of log 𝓛 and there are no more than 20 000 margins. A step is taken only if 𝓛
    falls and, once 𝓛 < ℓ(0), the smoothed margin does not; otherwise h is shortened. The direction
    is that of the flow, which the time of 𝓛 or of log 𝓛 does not change, up to an error in
    proportion to the relative step.

    A ReLU net's flow comes to kinks and slides along them, where the linearization at θ promises
    what no step keeps, however short. A step that is refused is therefore repeated, up to six
    times, with what was seen where it led: each margin that fell short there is the least of its
    linearizations at either end. The step then has a mean of gradients from both sides of the kink
    for its direction, as the flow has (an element of Clarke's subdifferential, as h gets small).

    With more than 20 000 margins the flow begins where 𝓛 < ℓ(0), and Adam on minibatches leads
    there from a start above: a first phase, of which each epoch counts as one step, without time.
    Its rate is halved where 𝓛 does not fall. `MarginRun.first_epochs` tells how many there were.

    Parameters
    ----------
    net
        The net at its start; it is copied.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    loss
        "exponential", "logistic", or with k outputs "cross_entropy". Sums over samples.
    until_log10_loss
        log₁₀ 𝓛 to reach; −10⁶ is fine. The run ends at the first record at or below it.

    Returns
    -------
    MarginRun
        One record for each step.

    Other Parameters
    ----------------
    relative_step
        Largest ‖d‖/ρ of a step: 0.05 by default, 1 for a net of order 1, where the linearization
        is exact.
    max_steps
        Largest number of steps.
    near_homogeneity
        Required for a net that is only nearly homogeneous: its order and p_a, as
        `ibtools.theory.near_homogeneity` gives them. Then what never decreases is the
        modified margin, from strong separability on (ψ = ℓ⁻¹(𝓛) above p_a(ρ), which bounds how far
        f is from homogeneous); the smoothed one may.
    order
        L, declared for a net whose layers do not say it; it is held against the data.
    first_phase
        Whether to begin with minibatches while 𝓛 ≥ ℓ(0); by default with more than 20 000 margins.
    seed
        Of the minibatches' order; required where there is a first phase.
    resume
        A run of this trainer to continue, with the same other arguments; it then goes as if it had
        not stopped.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, a number is out of
        range, `seed` is missing for a first phase, or `resume` is not a run of this trainer on
        these data.
    NotHomogeneousError
        If the outputs' growth with the parameters is not known, is no power and comes without
        `near_homogeneity`, or on the data it is not as was read off the layers, or as one of these
        says; a ValueError.

    Warns
    -----
    TrainingWarning
        If no step is accepted any more (at the rounding of a ReLU net's kinks, or all parameters
        are zero) or `max_steps` is reached.

    See Also
    --------
    psi_flow : plain gradients, many and cheap, and no margin enforced.
    descend : gradient descent itself, in steps as long as one likes.
    exact_flow : the flow with its clock, for moderate losses.
    load_run : a run that was saved, to look at or to go on from.
    ibtools.metrics.margin_kkt : how nearly a net that was trained elsewhere is a KKT point.

    Notes
    -----
    When to use which: this one where the direction matters, and the loss is to be as small as one
    likes; its steps are few and each solves a problem of as many unknowns as there are margins that
    count. `psi_flow` where there are so many samples that one gradient is all one can afford, or
    where it is to be seen whether a margin grows by itself. `descend` where the question is about
    step sizes or minibatches. `exact_flow` where it is about time.

    "cross_entropy" goes with k outputs, the other losses with one. A net whose layers have no
    common power (a smooth activation, a bias after the first layer, a skip connection) has no
    order: give `near_homogeneity` (with k outputs its ``differences()``), and then no `order`.

    References
    ----------
    Lyu & Li (2020); the implicit step is this book's.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> from ibtools.trainers import margin_flow
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> run = margin_flow(DeepLinear(d=2, depth=1, seed=0), X, y, until_log10_loss=-10_000)
    >>> bool(abs(run.normalized_margin[-1] - 7 / 13**0.5) < 1e-3), run.smoothed_margin_drops[-1]
    (True, np.int64(0))
    """
    target = number("until_log10_loss", until_log10_loss) * np.log(10.0)
    count("max_steps", max_steps)
    if seed is not None:
        generator(seed)
    problem = Problem(net, X, y, loss)
    facts = order_of_run(problem, near_homogeneity, order, exact=True)
    default = 0.05 if facts.order != 1 else 1.0
    largest = positive(
        "relative_step",
        number("relative_step", default if relative_step is None else relative_step),
    )
    plan = Plan(-target, max_steps, f"{until_log10_loss:g}", least=1.0)
    first = None
    if _begins_with_minibatches(problem, first_phase, resume):
        first = FirstPhase(problem, seed)
    stepper = _Flow(problem, facts.order, largest, near_homogeneity, first)
    return drive(net, stepper, facts, plan, near_homogeneity=near_homogeneity, resume=resume)


def _begins_with_minibatches(
    problem: Problem, asked: bool | None, resume: MarginRun | None
) -> bool:
    """Return whether a run has a first phase, or goes on in one."""
    if not (asked is None or isinstance(asked, bool)):
        raise TypeError(
            f"first_phase must be True, False or None, got {type(asked).__name__}; leave it out to "
            "let the size of the problem decide"
        )
    if resume is not None:
        return FirstPhase.remembered(resume._progress)
    if asked is None:
        asked = problem.n * problem.margins.each > MANY
    if not asked:
        return False
    above = problem.evaluate().log_loss >= loss_threshold(problem.loss)
    problem.evaluations = 0
    return above


def _log_integral(length: float, start: float, end: float) -> float:
    """Return log ∫ e^f over an interval on which f goes from `start` to `end` along a line."""
    rise = abs(end - start)
    share = -np.expm1(-rise) / rise if rise > 0 else 1.0
    return float(np.log(length) + max(start, end) + np.log(share))


class _Flow(Stepper):
    """Implicit steps whose length adapts."""

    name: ClassVar[str] = "margin_flow"
    limit_name: ClassVar[str] = "max_steps"
    goal: ClassVar[str] = "loss"

    def __init__(
        self,
        problem: Problem,
        order: int,
        relative_step: float,
        near_homogeneity: GapBound | None,
        first: FirstPhase | None,
    ) -> None:
        super().__init__(problem)
        self.first = first
        self.first_epochs = 0
        self.order = order
        self.relative_step = relative_step
        self.near_homogeneity = near_homogeneity
        self.h = np.nan

    def look(self) -> tuple[State, Tensor | None]:
        """Evaluate the present parameters; of the gradient nothing is known yet."""
        return self.problem.evaluate(), None

    def kept_up(self, state: State, norm: float) -> float:
        """Return ψ or, for a nearly homogeneous net, ψ − p_a: over ρ^L it must not decrease."""
        psi = float(inverse_loss(state.log_loss, self.problem.loss))
        return (
            psi
            if self.near_homogeneity is None
            else psi - float(self.near_homogeneity.gap_bound(norm))
        )

    def step(self, start: Float[Tensor, " p"]) -> bool:
        """Take one step, or say in `trouble` why there is none."""
        if self.first is not None and self.first.goes_on(self.at.state):
            return self._first_epoch(self.first, start)
        self.first = None
        problem, state = self.problem, self.at.state
        rho = float(start.norm())
        before = self.kept_up(state, rho)
        guarded = state.log_loss < loss_threshold(problem.loss)
        if self.near_homogeneity is not None:
            guarded = rho > 0 and before > 0
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
            problem,
            start,
            state,
            gradient=gradient,
            longest=longest,
            tolerance=_SHARE * self.relative_step,
        )
        grown, cuts = 2.0, 0
        for _ in range(60):
            if not self.h > 0:
                break
            d = steps(self.h)
            if d is None:
                self.h *= 0.3
                grown = 1.0
                continue
            length = float(d.norm())
            if not length > 0:
                break
            if length > longest:
                self.h *= max(0.1, 0.9 * longest / length)
                continue
            candidate = problem.evaluate(start + d)
            if steps.misses(candidate):
                continue
            new_rho = float(problem.flat.norm())
            fell = candidate.log_loss < state.log_loss
            after = (self.kept_up(candidate, new_rho), new_rho)
            kept = not (guarded and margin_fell((before, rho), after, self.order))
            if fell and kept and np.isfinite(candidate.log_loss):
                self._advance(candidate)
                self.h *= min(grown if cuts <= _CUTS // 2 else 1.0, steps.aim * longest / length)
                return True
            if cuts < _CUTS and np.isfinite(candidate.log_loss) and steps.cut(d, candidate):
                cuts += 1
                continue
            self.h *= 0.5
            grown = 1.0
            if length < 1e-14 * rho:
                break
        self.trouble = (
            "no step is accepted any more: the smoothed margin would fall however short the step "
            "(a kink of the net, or rounding)"
        )
        problem.flat.copy_(start)
        return False

    def _first_epoch(self, first: FirstPhase, start: Float[Tensor, " p"]) -> bool:
        """Make one epoch of the first phase; of the flow's time it takes none."""
        state = first.epoch()
        if not np.isfinite(state.log_loss):
            self.problem.flat.copy_(start)
            self.trouble = "the first phase diverged; start it from other weights"
            return False
        self.first_epochs += 1
        self.at.steps += 1
        self.at.state, self.at.gradient = state, None
        return True

    def _advance(self, state: State) -> None:
        old, new = self.gradient(), -self.problem.pulled(state.weights)
        # Along the flow v = log(1/𝓛) grows by ‖∇log 𝓛‖² in the time τ, and dt = dτ/𝓛.
        log_loss = self.at.state.log_loss
        fall = log_loss - state.log_loss
        slowness = [-2 * np.log(float(g.norm()) or np.nan) for g in (old, new)]
        slowness = [value if np.isfinite(value) else slowness[0] for value in slowness]
        effective = float(np.exp(_log_integral(fall, *slowness)))
        log_duration = _log_integral(fall, slowness[0] - log_loss, slowness[1] - state.log_loss)
        self.at.advance(log_duration, effective, self.h)
        self.at.state, self.at.gradient = state, new

    def memory(self) -> dict[str, Any]:
        """Return the length of the next step, and what the first phase depends on."""
        kept: dict[str, Any] = {"h": self.h}
        if self.first_epochs:
            kept["first_epochs"] = self.first_epochs
        return kept if self.first is None else kept | self.first.memory()

    def recall(self, memory: dict[str, Any]) -> None:
        """Take them up."""
        self.h = float(memory["h"])
        self.first_epochs = int(memory.get("first_epochs", 0))
        if not FirstPhase.remembered(memory):
            self.first = None
        elif self.first is not None:
            self.first.recall(memory)


class _Steps:
    """The implicit steps of every length from one point."""

    def __init__(
        self,
        problem: Problem,
        start: Float[Tensor, " p"],
        state: State,
        *,
        gradient: Float[Tensor, " p"],
        longest: float,
        tolerance: float,
    ) -> None:
        self._problem = problem
        self._start = start
        self._state = state
        self._gradient = gradient
        self._longest = longest
        self._reach = float(gradient.norm()) * longest
        self._tolerance = tolerance
        # Before every sample is on its right side log 𝓛 is not convex, except for this loss.
        self.relative = problem.loss != "exponential" and state.log_loss >= loss_threshold(
            problem.loss
        )
        self._window = 1.0
        self._ignored: torch.Tensor | None = None
        self.aim = _AIM
        self._solve = self._prepared()

    def __call__(self, h: float) -> torch.Tensor | None:
        """Return the displacement of the step of length `h` in the flow's time, if it is found."""
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

    def cut(self, d: Float[Tensor, " p"], candidate: State) -> bool:
        """Take up what was seen where a step led that was refused; return whether that helps."""
        if self.relative:
            return False
        self._problem.flat.copy_(self._start)
        if not isinstance(self._solve, ReducedSteps):
            self._ignored = None
            self._solve = self._reduced(candidate.weights)
        return self._solve.cut(d, candidate)

    def _reduced(self, weights: Float[Tensor, "n c"] | None = None) -> ReducedSteps:
        return ReducedSteps(
            self._problem,
            self._state,
            gradient=self._gradient,
            rows=ROWS,
            longest=self._longest,
            tolerance=self._tolerance,
            weights=weights,
        )

    def _prepared(self) -> Callable[[float], torch.Tensor | None]:
        problem, margins = self._problem, self._state.margins
        near = margins <= margins.min() + self._window * (_DECAY + self._reach)
        self._ignored = None
        many = int(near.sum()) > _FEW
        if self.relative or (many and self._reach < _GENTLE and margins.numel() <= MANY):
            return self._with_all(Linearization(problem))
        if many:
            if margins.numel() > MANY:
                self.aim = _CAREFUL
            return self._reduced()
        self._ignored = ~near
        chosen = torch.nonzero(near.reshape(-1))[:, 0]
        width = margins.shape[1]
        tangents = problem.tangents(torch.div(chosen, width, rounding_mode="floor"), chosen % width)
        nearby = Nearby(margins.cpu(), chosen.cpu(), problem.loss)
        K = tangents.gram().cpu().numpy()
        return lambda h: tangents.combination(torch.from_numpy(few_margins_step(nearby, K, h)))

    def _with_all(self, linear: Linearization) -> Callable[[float], torch.Tensor]:
        margins = self._state.margins
        every = torch.arange(margins.numel(), device=margins.device)
        nearby = Nearby(margins, every, self._problem.loss, relative=self.relative)
        return lambda h: many_margins_step(nearby, linear, h, tolerance=self._tolerance)
