"""Least of a log-sum-exp of linear functions plus a square, by Newton's method on its dual."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

# A multiplier c with c‖∇s‖² below this does not move the others.
_STILL = 1e-3
# Shares of all weight that an unknown starts from at least, and below which none is followed.
_START, _LEAST = 1e-5, 1e-9

Vector = Float[np.ndarray, " m"]


class _Point(NamedTuple):
    """A point of the dual: multipliers, that of the constant, Kc, and the value there."""

    c: Vector
    constant: float
    Kc: Vector
    value: float


def entropy_step(
    s: Vector,
    K: Float[np.ndarray, "m m"],
    h: float,
    *,
    log_constant: float,
    start: Vector,
    tolerance: float,
) -> Vector:
    r"""Return c of least :math:`\log(C+\sum e^{-(s+Kc)_i})+c^\top Kc/(2h)`.

    Its dual, the least of :math:`\sum c_i\log c_i+s\cdot c+\frac12c^\top Kc` over :math:`c\ge0` of
    sum h (with one more multiplier for C), has the same c. Newton's method is much faster there
    where the step changes the exponentials by many powers of e.

    Parameters
    ----------
    s
        Margins, (m,).
    K
        Gram matrix of their gradients, (m, m).
    h
        Length of the step in the flow's time, above 0.
    log_constant
        log C; −inf for none.
    start
        A guess of c, (m,), entries at least 0.
    tolerance
        Of the residual c/h − v, v the weights at s + Kc, in the norm of K and relative to v. Where
        h is large, rounding of the dual's value ends the iteration near 1e-6.
    """
    log_constant = float(log_constant)
    has_constant = np.isfinite(log_constant)
    diagonal = np.diag(K)
    least = h * _LEAST / len(s)

    def at(c: Vector, constant: float) -> _Point:
        factor = h / (float(c.sum()) + constant)
        c, constant = c * factor, constant * factor
        Kc = K @ c
        value = float(c @ (np.log(c / h) + s + 0.5 * Kc))
        if has_constant:
            value += constant * (np.log(constant / h) - log_constant)
        return _Point(c, constant, Kc, value)

    point = at(np.maximum(start, h * _START / len(s)), 1e-3 * h if has_constant else 0.0)
    for _ in range(100):
        u = s + point.Kc
        low = max(float(-u.min()), log_constant)
        v = np.exp(-u - low)
        v /= float(v.sum()) + (np.exp(log_constant - low) if has_constant else 0.0)
        residual = point.c / h - v
        error = np.sqrt(max(residual @ (K @ residual), 0.0) / max(v @ (K @ v), 1e-300))
        if error <= tolerance:
            break
        forces = np.log(point.c / h) + u
        force = np.log(point.constant / h) - log_constant if has_constant else 0.0
        mean = (float(point.c @ forces) + point.constant * force) / h
        x, y = _newton(K, diagonal, point.c, forces - mean)
        first, second = float(x.sum()), float(y.sum())
        if has_constant:
            first -= point.constant * (force - mean)
            second += point.constant
        # What keeps the sum of all c at h.
        level = first / second
        ratios = (x - level * y) / point.c
        ratio = -(force - mean) - level
        t = 1.0
        for _ in range(40):
            c = np.maximum(point.c * _factors(t * ratios), least)
            constant = point.constant * float(_factors(np.array(t * ratio)))
            new = at(c, max(constant, 1e-30 * h) if has_constant else 0.0)
            if new.value <= point.value + 1e-13 * abs(point.value):
                break
            t *= 0.5
        else:
            break
        point = new
    return point.c


def _factors(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return 1 + x, and where that may be negative something positive with the same slope at 0."""
    return np.where(x >= 0, 1 + x, np.exp(np.minimum(x, 0.0)))


def _newton(
    K: Float[np.ndarray, "m m"], diagonal: Vector, c: Vector, forces: Vector
) -> tuple[Vector, Vector]:
    """Solve (1/c + K)x = −forces and (1/c + K)y = 1; where c is tiny, by the diagonal."""
    live = np.flatnonzero(c * diagonal > _STILL)
    every = len(live) == len(c)
    rows = K if every else K[:, live]
    root = np.sqrt(c[live])
    right = np.stack([-root * forces[live], root], axis=1)
    inner = K if every else rows[live]
    system = root[:, None] * inner
    system *= root
    system[np.diag_indices_from(system)] += 1.0
    # Transposed it is in Fortran's order, which is not copied.
    factor = cho_factor(system.T, lower=True, overwrite_a=True, check_finite=False)
    z = cho_solve(factor, right, check_finite=False)
    solved = root[:, None] * z
    if every:
        return solved[:, 0], solved[:, 1]
    pulled = rows @ solved
    x, y = c * (-forces - pulled[:, 0]), c * (1.0 - pulled[:, 1])
    x[live], y[live] = solved[:, 0], solved[:, 1]
    return x, y
