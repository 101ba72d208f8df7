"""Gradient flow of a net as an ordinary differential equation, to a solver's accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from torch import Tensor, nn

from ibtools._validation import count, one_of, real
from ibtools.metrics.margins import loss_threshold
from ibtools.models.layers import parameter_layers
from ibtools.trainers.margins.problem import Problem, State, few_threads

FLOW_LOSSES = ("exponential", "logistic", "cross_entropy", "cubic")

# Of ∇log 𝓛: where a flow is at rest an explicit solver would never come to an end.
_STILL = 1e-9


@dataclass(frozen=True, eq=False)
class ExactFlow:
    r"""A net's gradient flow at the times that a solver chose.

    Attributes
    ----------
    states
        Parameters, flat, (t, p).
    log_time
        log t, of :math:`\dot\theta=-\nabla\mathcal L`; −inf at the start, (t,).
    log_loss
        log 𝓛 of the sum, (t,).
    norm
        ρ, (t,).
    layer_norms
        Norms of the layers' own parameters, (t, k).
    minimum_margin
        The least margin, (t,).
    gradient_alignment
        β, the cosine between θ and −∇𝓛, (t,).
    turning
        :math:`\int\|d\hat\theta\|^2/d\log\rho` since 𝓛 fell 1 % below ℓ(0), (t,).
    layer_turning
        The same of each layer's own direction and norm, (t, k).
    """

    states: Float[np.ndarray, "t p"]
    log_time: Float[np.ndarray, " t"]
    log_loss: Float[np.ndarray, " t"]
    norm: Float[np.ndarray, " t"]
    layer_norms: Float[np.ndarray, "t k"]
    minimum_margin: Float[np.ndarray, " t"]
    gradient_alignment: Float[np.ndarray, " t"]
    turning: Float[np.ndarray, " t"]
    layer_turning: Float[np.ndarray, "t k"]

    def __repr__(self) -> str:
        """Say how far the flow came."""
        return (
            f"{type(self).__name__}({len(self.log_loss)} records to log loss "
            f"{self.log_loss[-1]:.6g}, minimum margin {self.minimum_margin[-1]:.6g})"
        )


class _Cubic(Problem):
    """The loss e^(−q³), which no trainer but this one knows."""

    def _state(self, margins: Float[Tensor, "n c"]) -> State:
        cubes = margins[:, 0] ** 3
        total = torch.logsumexp(-cubes, 0)
        weights = torch.exp(-cubes - total)[:, None] * 3 * margins.square()
        return State(margins, float(total), weights)


def exact_flow(
    net: nn.Module,
    X: ArrayLike | Tensor,
    y: ArrayLike,
    *,
    loss: str = "exponential",
    until_log_loss: float,
    tolerance: float = 1e-8,
    stiff: bool = False,
    max_steps: int = 5_000,
) -> ExactFlow:
    r"""Follow gradient flow by a solver for differential equations, with its clock.

    Other than `margin_flow` it does nothing for the margin's sake: what happens, happens by itself.
    It is for small nets and moderate losses.

    Parameters
    ----------
    net
        The net at its start, in double precision; it is copied.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    loss
        "exponential", "logistic", "cross_entropy", or "cubic", :math:`e^{-q^3}` for a net with one
        output. Sums over samples.
    until_log_loss
        log 𝓛, the natural logarithm, at which to stop.

    Returns
    -------
    ExactFlow
        Records at the solver's own steps, the start and the end among them.

    Other Parameters
    ----------------
    tolerance
        Relative accuracy of the solver, between 1e-13 and 1e-2.
    stiff
        Whether to use a solver for stiff equations: for a log 𝓛 below about −50.
    max_steps
        Steps of the solver after which to give up.

    Raises
    ------
    TypeError, ValueError
        If the data do not fit the net or the loss, or a number is out of range.
    RuntimeError
        If the loss is not reached.

    See Also
    --------
    margin_flow : the same path by implicit steps, for losses of any size.
    ibtools.theory.log_time_bracket : between what times a loss is reached.

    References
    ----------
    Lyu & Li (2020), gradient flow.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> from ibtools.trainers import exact_flow
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> flow = exact_flow(net, [[3.0, -1.0], [1.0, 2.0]], [1.0, 1.0], until_log_loss=-10)
    >>> round(float(flow.log_loss[-1]), 5)
    -10.0
    """
    one_of("loss", loss, FLOW_LOSSES)
    count("max_steps", max_steps)
    until, tolerance = real("until_log_loss", until_log_loss), real("tolerance", tolerance)
    if not 1e-13 <= tolerance <= 1e-2:
        raise ValueError(
            f"tolerance must lie between 1e-13 and 1e-2, got {tolerance:g}; 1e-8 is the default"
        )
    with few_threads(0):
        problem = _Cubic(net, X, y, "exponential") if loss == "cubic" else Problem(net, X, y, loss)
        if loss == "cubic" and problem.outputs > 1:
            raise ValueError(
                f"net must have one output with loss='cubic', got {problem.outputs}; choose "
                "another loss"
            )
        if problem.flat.dtype != torch.float64:
            raise TypeError(
                f"net must be in double precision, got {problem.flat.dtype}; call net.double()"
            )
        return _solve(problem, until, tolerance, stiff=stiff, max_steps=max_steps)


class _TooManyStepsError(Exception):
    """The solver has taken as many steps as it may."""


def _solve(
    problem: Problem, until: float, tolerance: float, *, stiff: bool, max_steps: int
) -> ExactFlow:
    start = problem.flat.numpy().copy()
    p = start.size
    sizes = [
        sum(w.numel() for w in module.parameters(recurse=False))
        for _, module in parameter_layers(problem.net)
    ]
    blocks = [slice(b - size, b) for b, size in zip(np.cumsum(sizes), sizes, strict=True)]

    def look(theta: Float[np.ndarray, " p"]) -> tuple[State, Float[np.ndarray, " p"]]:
        problem.flat.copy_(torch.from_numpy(theta))
        state, gradient = problem.descend_from()
        return state, -gradient.numpy()

    def slope(_: float, point: np.ndarray) -> Float[np.ndarray, " s"]:
        theta = point[:p]
        state, velocity = look(theta)
        # The clock is log(1 + t), and dt is the time of the flow on log 𝓛 over 𝓛.
        clock = np.exp(np.clip(-state.log_loss - point[p], -700, 700))
        turning = np.zeros(1 + len(blocks))
        # At ℓ(0) itself a single sample's norm does not grow yet.
        if state.log_loss < threshold - 0.01:
            turning[:] = _turning(theta, velocity, [slice(0, p), *blocks])
        return np.concatenate([velocity, [clock], turning])

    def left(_: float, point: np.ndarray) -> float:
        return look(point[:p])[0].log_loss - until

    def moving(time: float, point: np.ndarray) -> float:
        # The solver asks once after each step, and before the first.
        taken.append(time)
        if len(taken) > max_steps + 1:
            raise _TooManyStepsError
        return float(np.linalg.norm(look(point[:p])[1])) - _STILL

    taken: list[float] = []
    left.terminal = moving.terminal = True  # type: ignore[attr-defined]
    first = look(start)[0].log_loss
    threshold = 0.0 if isinstance(problem, _Cubic) else loss_threshold(problem.loss)
    if not first > until:
        raise ValueError(
            f"until_log_loss must be below that of the start, {first:.6g}, got {until:g}; there is "
            "nothing to follow"
        )
    try:
        found = solve_ivp(
            slope, (0.0, 1e12), np.append(start, np.zeros(2 + len(blocks))), events=(left, moving),
            method="LSODA" if stiff else "DOP853", rtol=tolerance, atol=1e-3 * tolerance,
        )  # fmt: skip
    except _TooManyStepsError:
        raise RuntimeError(
            f"the flow did not reach log loss {until:g} in max_steps={max_steps} steps; at a kink "
            "that a net slides along a solver takes ever shorter ones: use margin_flow, which does "
            "not, or an activation without kinks, or raise max_steps or tolerance"
        ) from None
    if not found.t_events[0].size:
        stood = found.t_events[1].size > 0
        why = "its gradient has vanished" if stood else found.message
        raise RuntimeError(
            f"the flow did not reach log loss {until:g}: {why}; ask for a larger loss, or start "
            "elsewhere"
        )
    points = np.vstack([found.y.T[found.t < found.t_events[0][0]], found.y_events[0]])
    states = points[:, :p]
    seen = [look(theta) for theta in states]
    norm = np.linalg.norm(states, axis=1)
    speed = np.array([np.linalg.norm(v) for _, v in seen])
    with np.errstate(divide="ignore"):
        log_time = np.log(np.expm1(np.minimum(points[:, p], 30.0)))
    return ExactFlow(
        states=states,
        log_time=np.where(points[:, p] < 30, log_time, points[:, p]),
        log_loss=np.array([state.log_loss for state, _ in seen]),
        norm=norm,
        layer_norms=np.column_stack([np.linalg.norm(states[:, b], axis=1) for b in blocks]),
        minimum_margin=np.array([state.minimum_margin for state, _ in seen]),
        gradient_alignment=np.array([v @ theta for (_, v), theta in zip(seen, states, strict=True)])
        / (norm * speed),
        turning=points[:, p + 1],
        layer_turning=points[:, p + 2 :],
    )


def _turning(
    theta: Float[np.ndarray, " p"], velocity: Float[np.ndarray, " p"], blocks: Sequence[slice]
) -> list[float]:
    """Return ‖dθ̂‖²/d log ρ per unit of time, of each block."""
    found = []
    for block in blocks:
        w, v = theta[block], velocity[block]
        square = float(w @ w)
        radial = float(w @ v) / square
        across = float(v @ v) / square - radial**2
        found.append(across / radial)
    return found
