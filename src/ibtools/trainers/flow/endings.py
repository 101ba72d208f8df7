"""The end of a flow, where it is stiff and nearly linear: long steps of high order.

A gradient flow ends as its linearization does: fast directions have come to rest, slow ones still
creep. An explicit method is held back by what no longer moves, and an implicit one of low order by
the accuracy asked. Here the linear flow is solved exactly, by an eigendecomposition, and only what
is left to the nonlinearity is collocated, at all nodes of a long step at once.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Complex, Float
from numpy.polynomial import legendre
from scipy.integrate import DenseOutput, OdeSolver

State = Float[np.ndarray, " p"]

# Nodes of a step: with more of them, steps grow less than they cost.
_NODES = 12
# Where a sweep over the nodes leaves more than this share of the error, the linearization is
# renewed after the step; after so many sweeps the step is given up.
_FRESH, _MOST_SWEEPS = 0.005, 8
# Sweeps end once the next would change less than this share of the allowed error.
_LEFT = 0.1
# Attempts at one step, each shorter than the last.
_ATTEMPTS = 12
# A step grows at most so much.
_GROWTH = 6.0
# The error within a step, as a share of the last coefficient of the collocation polynomial times
# the length: integrated, it counts 1/2s, and the next ones, which are left out, are smaller.
_LEFT_OUT = 0.005
# Directions without noticeable decay: there the linear flow is a motion at constant speed.
_STILL = 1e-8


class _Collocation(NamedTuple):
    """Radau's nodes on (0, 1] and what goes with them.

    Attributes
    ----------
    nodes
        Increasing, the last 1, (s,).
    integrals
        What takes values at the nodes to the integrals from 0 to the nodes of the polynomial
        through them, (s, s).
    at_start
        What takes them to that polynomial's value at 0, (s,).
    eigenvalues, to, back
        ``integrals = back @ diag(eigenvalues) @ to``.
    coefficients
        What takes them, and a value 0 at 0, to the Legendre coefficients of the polynomial
        through all s + 1, (s + 1, s).
    """

    nodes: Float[np.ndarray, " s"]
    integrals: Float[np.ndarray, "s s"]
    at_start: Float[np.ndarray, " s"]
    eigenvalues: Complex[np.ndarray, " s"]
    to: Complex[np.ndarray, "s s"]
    back: Complex[np.ndarray, "s s"]
    coefficients: Float[np.ndarray, "s1 s"]


@cache
def _radau(s: int) -> _Collocation:
    highest = np.zeros(s + 1)
    highest[s - 1 :] = -1, 1
    points = np.sort(legendre.legroots(highest).real)
    points[-1] = 1.0
    values = legendre.legvander(points, s - 1)
    integrals = legendre.legval(points, legendre.legint(np.eye(s), lbnd=-1, scl=0.5)).T
    integrals = np.linalg.solve(values.T, integrals.T).T
    at_start = np.linalg.solve(values.T, legendre.legvander(np.array([-1.0]), s - 1)[0])
    eigenvalues, back = np.linalg.eig(integrals)
    all_values = legendre.legvander(np.concatenate([[-1.0], points]), s)
    return _Collocation(
        (points + 1) / 2,
        integrals,
        at_start,
        eigenvalues,
        np.linalg.inv(back),
        back,
        np.linalg.inv(all_values)[:, 1:],
    )


def _decayed(
    duration: Float[np.ndarray, " q"], decay: Float[np.ndarray, " p"]
) -> tuple[Float[np.ndarray, "q p"], Float[np.ndarray, "q p"]]:
    """Return e^(−λt) and its integral from 0 to t."""
    exponent = duration[:, None] * decay
    lost = -np.expm1(-exponent)
    still = exponent < _STILL
    integral = np.where(still, duration[:, None], lost / np.where(still, 1.0, decay))
    return 1 - lost, integral


class Ending(OdeSolver):
    """A stepper through the end of a gradient flow y' = F(y).

    Parameters
    ----------
    velocities
        F of many states at once, (s, p) → (s, p).
    curvature
        A symmetric, positive semidefinite matrix M, (p, p), of a state, with the Jacobian
        −diag(σ) M diag(1/σ).
    scale
        σ, (p,).
    time, state, horizon
        Where to begin, and where to end at the latest.
    first_step
        The length of the first step; it is shortened as need be.
    rtol, atol
        Errors per step, relative to the size of each entry and absolute.
    """

    t: float
    y: State
    t_bound: float

    def __init__(
        self,
        velocities: Callable[[Float[np.ndarray, "s p"]], Float[np.ndarray, "s p"]],
        curvature: Callable[[State], Float[np.ndarray, "p p"]],
        scale: Float[np.ndarray, " p"],
        time: float,
        state: State,
        horizon: float,
        *,
        first_step: float,
        rtol: float,
        atol: float,
    ) -> None:
        def field(_: float, state: State) -> State:
            return velocities(state[None])[0]

        super().__init__(field, time, state, horizon, vectorized=False)
        self._velocities, self._curvature, self._scale = velocities, curvature, scale
        self._length, self._rtol, self._atol = first_step, rtol, atol
        self._linearize()

    def _linearize(self) -> None:
        """Take the linearization at the present state."""
        matrix = self._curvature(self.y)
        decay, basis = scipy.linalg.eigh(matrix, check_finite=False, driver="evd")
        self._decay = np.maximum(decay, 0.0)
        # Rows of states times `_to` are rows of eigencoordinates, and these times `_back` states.
        self._to = basis / self._scale[:, None]
        self._back = (self._scale[:, None] * basis).T
        self._fresh = True

    def _step_impl(self) -> tuple[bool, str | None]:
        try:
            speed = self._velocities(self.y[None])[0]
            for _ in range(_ATTEMPTS):
                length = min(self._length, self.t_bound - self.t)
                allowed = self._atol + self._rtol * np.abs(self.y)
                done = self._collocate(length, speed, allowed)
                if done is None:
                    self._length = length / 4
                    if not self._fresh:
                        self._linearize()
                    continue
                path, rate, error = done
                wanted = 0.9 * max(error, 1e-12) ** (-1 / (_NODES + 1))
                if error > 1:
                    self._length = length * max(0.2, wanted)
                    continue
                self._path = path
                at_bound = length == self.t_bound - self.t
                self.t = self.t_bound if at_bound else self.t + length
                self.y = path.end
                self._length = length * min(_GROWTH, wanted)
                self._fresh = False
                if rate > _FRESH:
                    self._linearize()
                return True, None
        except np.linalg.LinAlgError:
            pass
        return False, "the flow is not nearly linear here"

    def _collocate(
        self, length: float, speed: State, allowed: State
    ) -> "tuple[_Path, float, float] | None":
        """Return the path over a step, the share that a sweep left of the last, and the error."""
        radau, start = _radau(_NODES), speed @ self._to
        decayed, integral = _decayed(length * radau.nodes, self._decay)
        linear, straight = start * decayed, self.y + (start * integral) @ self._back
        damping = 1 / (1 + length * radau.eigenvalues[:, None] * self._decay)
        bend, before = np.zeros_like(linear), np.inf
        for _ in range(_MOST_SWEEPS):
            states = straight + bend @ self._back
            excess = self._velocities(states) @ self._to - linear
            missing = length * (radau.integrals @ excess) - bend
            change = (radau.back @ (damping * (radau.to @ missing))).real
            bend = bend + change
            size = _size(change @ self._back, allowed)
            rate = size / before
            if not np.isfinite(size) or rate > 0.5:
                return None
            if size * (rate / (1 - rate) if before < np.inf else 1.0) < _LEFT:
                break
            before = size
        else:
            return None
        excess -= change * self._decay  # of the states after the last change
        bending = radau.coefficients @ excess
        error = _size((_LEFT_OUT * length * bending[-1] @ self._back)[None], allowed)
        end = straight[-1] + bend[-1] @ self._back
        path = _Path(self, length, start, bending, end)
        return path, rate, error

    def _dense_output_impl(self) -> DenseOutput:
        return self._path


class _Path(DenseOutput):
    """The path over one step: that of the linear flow, and what bends it."""

    def __init__(
        self,
        solver: Ending,
        length: float,
        start: State,
        bending: Float[np.ndarray, "s1 p"],
        end: State,
    ) -> None:
        super().__init__(solver.t, solver.t + length)
        self.end = end
        self._from, self._length, self._start = solver.y, length, start
        self._decay, self._back = solver._decay, solver._back
        self._bend = legendre.legint(bending, lbnd=-1, scl=length / 2)

    def _call_impl(self, t: Float[np.ndarray, "*q"]) -> Float[np.ndarray, "p *q"]:
        passed = np.atleast_1d(t) - self.t_old
        integral = _decayed(passed, self._decay)[1]
        bend = legendre.legval(2 * passed / self._length - 1, self._bend).T
        states = self._from + (self._start * integral + bend) @ self._back
        return states.T.reshape(-1, *np.shape(t))


def _size(change: Float[np.ndarray, "s p"], allowed: State) -> float:
    """Return the size of a change, relative to the allowed error, at the node where it is most."""
    return float(np.sqrt(np.mean((change / allowed) ** 2, axis=1).max()))
