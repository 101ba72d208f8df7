"""Gradient flow in the clock of ψ = ℓ⁻¹(𝓛): every step raises ψ by the same amount."""

from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._validation import count, one_of, positive, real
from ibtools.metrics.margins import inverse_loss
from ibtools.trainers.margins.driver import Plan, Stepper, drive
from ibtools.trainers.margins.growth import GapBound, order_of_run
from ibtools.trainers.margins.problem import Problem, State
from ibtools.trainers.margins.runs import MarginRun

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
    psi_step: float = 0.25,
    until_psi: float = 1000.0,
    method: str = "euler",
    max_steps: int = 100_000,
    record_growth: float = 1.0,
    near_homogeneity: GapBound | None = None,
    order: int | None = None,
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
    psi_step
        c, above 0. Up to 0.5 is safe for Euler's method, 1 for the other.
    until_psi
        ψ at which to stop; the last step is shortened to end there.
    method
        "euler" (descent) or "rk4" (flow).

    Returns
    -------
    MarginRun
        With ``converged`` whether the asked ψ was reached.

    Other Parameters
    ----------------
    max_steps
        Largest number of steps.
    record_growth
        Steps are recorded when ψ has risen by c and grown by this factor; 1 for all.
    near_homogeneity
        For a net that is only nearly homogeneous: its order and p_a, as
        `ibtools.theory.near_homogeneity` gives them. Of layers
        that can be read the order is known without; such a run is the same, but has no
        ``modified_margin``.
    order
        L, declared for a net whose layers do not say it; it is held against the data.
    resume
        A run of this trainer to continue, on the same data with the same loss and method; it then
        goes as if it had not stopped.

    Raises
    ------
    ValueError, TypeError
        If the data do not fit the net or the loss, something is not finite, a number is out of
        range, the net has no order that is known and no `near_homogeneity` is given, or the outputs
        do not grow on the data as was read off the layers, or as one of these says, or `resume` is
        not a run of this trainer by this method on these data.

    Warns
    -----
    TrainingWarning
        If ψ cannot be raised by a step however short (a kink, or no gradient), or `max_steps` is
        reached.

    See Also
    --------
    margin_flow : implicit steps, to losses as small as one likes; the margin never decreases.
    descend : gradient descent with a step size.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> from ibtools.trainers import psi_flow
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> run = psi_flow(DeepLinear(d=2, depth=1, seed=0), X, y, method="rk4", until_psi=50)
    >>> run.converged, run.steps[-1] < 250, round(-run.log_loss[-1], 6)
    (True, np.True_, np.float64(50.0))
    """
    one_of("method", method, METHODS)
    c = positive("psi_step", psi_step)
    target = real("until_psi", until_psi)
    count("max_steps", max_steps)
    growth = positive("record_growth", record_growth)
    problem = Problem(net, X, y, loss)
    facts = order_of_run(problem, near_homogeneity, order)
    plan = Plan(target, max_steps, f"{target:g}", slack=_SHORTEST * c, growth=growth)
    stepper = _PsiFlow(problem, method, c, target)
    return drive(net, stepper, facts, plan, near_homogeneity=near_homogeneity, resume=resume)


class _PsiFlow(Stepper):
    """Steps that raise ψ by the same amount."""

    name: ClassVar[str] = "psi_flow"
    limit_name: ClassVar[str] = "max_steps"
    goal: ClassVar[str] = "psi"

    def __init__(self, problem: Problem, method: str, psi_step: float, target: float) -> None:
        super().__init__(problem)
        self.method = method
        self.psi_step = psi_step
        self.next_step = psi_step
        self.target = target

    @property
    def height(self) -> float:
        """ψ."""
        return self._psi(self.at.state)

    @property
    def reading(self) -> float:
        """ψ as well."""
        return self.height

    def _psi(self, state: State) -> float:
        return float(inverse_loss(state.log_loss, self.problem.loss))

    def step(self, start: Float[Tensor, " p"]) -> bool:
        """Raise ψ by one step, or say in `trouble` why not."""
        psi, off = self.height, _OFF[self.method]
        asked = min(self.next_step, self.target - psi)
        while asked > _SHORTEST * self.psi_step:
            found = self._move(start, asked)
            if found is not None:
                state, gradient = found
                gained = self._psi(state) - psi
                # A step that gains something else than it should has left the flow.
                near = abs(gained - asked) <= off * asked + _ROUNDING * abs(psi)
                if near and gained > 0:
                    self._advance(state, gradient, gained)
                    if asked == self.next_step:
                        self.next_step = min(2 * asked, self.psi_step)
                    return True
            asked /= 2
            self.next_step = asked
        self.problem.flat.copy_(start)
        self.trouble = "no step raises it, however short (a kink of the net, or no gradient)"
        return False

    def _move(self, start: Float[Tensor, " p"], asked: float) -> tuple[State, Tensor] | None:
        """Go to the end of one step and look; there may be no such point."""
        state, gradient = self.at.state, self.gradient()
        total = torch.zeros_like(gradient)
        slope = None
        for at, weight in _STAGES[self.method]:
            if slope is not None:
                self.problem.flat.copy_(start + (at * asked) * slope)
                state, gradient = self.problem.descend_from()
            rate = _psi_rate(state.log_loss, self.problem.loss)
            size = float(gradient @ gradient) * rate
            if not (0 < size < np.inf):
                return None
            slope = -gradient / size
            total += weight * slope
        self.problem.flat.copy_(start + asked * total)
        state, gradient = self.problem.descend_from()
        return (state, gradient) if np.isfinite(state.log_loss) else None

    def _advance(self, state: State, gradient: Tensor, gained: float) -> None:
        # dτ/dψ of the flow on log 𝓛, by the trapezoid; ∫dτ/𝓛 with log 𝓛 linear in τ is exact.
        before = self.at.state
        slopes = [
            1 / (float(g @ g) * _psi_rate(s.log_loss, self.problem.loss) ** 2)
            for s, g in ((before, self.gradient()), (state, gradient))
        ]
        tau = gained * sum(slopes) / 2
        fall = before.log_loss - state.log_loss
        share = -np.expm1(-fall) / fall
        self.at.advance(np.log(tau) - state.log_loss + np.log(share), tau, tau)
        self.at.state, self.at.gradient = state, gradient

    def memory(self) -> dict[str, Any]:
        """Return the method, and by how much the next step raises ψ."""
        return {"method": self.method, "next_step": self.next_step}

    def recall(self, memory: dict[str, Any]) -> None:
        """Take that up, as far as the present step allows."""
        self.next_step = min(self.psi_step, float(memory["next_step"]))


def _psi_rate(log_loss: float, loss: str) -> float:
    """Return −dψ/d log 𝓛: 1 for the exponential loss, 𝓛/(1 − e^(−𝓛)) else."""
    if loss == "exponential":
        return 1.0
    value = np.exp(min(log_loss, 700.0))
    return float(value / -np.expm1(-value)) if value > 0 else 1.0
