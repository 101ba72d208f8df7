"""Least of a log-sum-exp of linear functions plus a square, by Newton's method on its dual."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

# A multiplier c with c‖∇s‖² below this does not move the others.
_STILL = 1e-3
# Shares of all weight that an unknown starts from at least, and below which none is followed.
_START, _LEAST = 1e-5, 1e-9

Vector = Float[np.ndarray, " m"]
Group = Int[np.ndarray, " m"]

SHARPNESS = 8.0
"""The least of several linear functions s is taken for −log(Σe^(−ps))/p, with this p: they differ by
log(k)/p at most, k the number that are nearly least."""


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
    group: Group | None = None,
) -> Vector:
    r"""Return c of least :math:`\log(C+\sum e^{-(s+Kc)_i})+c^\top Kc/(2h)`.

    Its dual, the least of :math:`\sum c_i\log c_i+s\cdot c+\frac12c^\top Kc` over :math:`c\ge0` of
    sum h (with one more multiplier for C), has the same c. Newton's method is much faster there
    where the step changes the exponentials by many powers of e.

    Rows of one group count as one, whose margin is the least of theirs, softly: as
    :math:`-\frac1p\log\sum e^{-p(s+Kc)_i}`. In the dual :math:`\sum c_i\log c_i` then becomes
    :math:`\frac1p\sum c_i\log c_i+(1-\frac1p)\sum C_g\log C_g`, with the sum :math:`C_g` of each.

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
    group
        The group of each row, (m,), from 0 on; each row is one by default.
    """
    log_constant = float(log_constant)
    has_constant = np.isfinite(log_constant)
    groups = _Groups(np.arange(len(s)) if group is None else group)
    diagonal = np.diag(K)
    least = h * _LEAST / len(s)

    def at(c: Vector, constant: float) -> _Point:
        factor = h / (float(c.sum()) + constant)
        c, constant = c * factor, constant * factor
        Kc = K @ c
        value = float(c @ (groups.entropy_slopes(c / h) + s + 0.5 * Kc))
        if has_constant:
            value += constant * (np.log(constant / h) - log_constant)
        return _Point(c, constant, Kc, value)

    point = at(np.maximum(start, h * _START / len(s)), 1e-3 * h if has_constant else 0.0)
    for _ in range(100):
        u = s + point.Kc
        low = max(float(-u.min()), log_constant)
        v = groups.weights(-u - low)
        v /= float(v.sum()) + (np.exp(log_constant - low) if has_constant else 0.0)
        residual = point.c / h - v
        error = np.sqrt(max(residual @ (K @ residual), 0.0) / max(v @ (K @ v), 1e-300))
        if error <= tolerance:
            break
        forces = groups.entropy_slopes(point.c / h) + u
        force = np.log(point.constant / h) - log_constant if has_constant else 0.0
        mean = (float(point.c @ forces) + point.constant * force) / h
        x, y = _newton(K, diagonal, point.c, forces - mean, groups)
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


class _Groups:
    """Rows that count as one, with the least of their margins."""

    def __init__(self, group: Group) -> None:
        self.of = group
        size = np.bincount(group)
        self.several = bool((size > 1).any())
        #: Of each row, whether it is one of several.
        self.shared = size[group] > 1

    def sums(self, c: Vector) -> Vector:
        """Return of each row the sum over its group."""
        return np.bincount(self.of, c)[self.of] if self.several else c

    def entropy_slopes(self, c: Vector) -> Vector:
        """Return log of each c, or of a group the mixture of log c and of the log of the sum."""
        if not self.several:
            return np.log(c)
        return np.log(c) / SHARPNESS + (1 - 1 / SHARPNESS) * np.log(self.sums(c))

    def weights(self, x: Vector) -> Vector:
        """Return e^x of each row, or its share of the e^x of its group."""
        if not self.several:
            return np.exp(x)
        top = np.full(self.of.max() + 1, -np.inf)
        np.maximum.at(top, self.of, x)
        share = np.exp(SHARPNESS * (x - top[self.of]))
        total = self.sums(share)
        return share / total * np.exp(top[self.of] + np.log(total) / SHARPNESS)

    def scaled_curvature(self, c: Vector, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k k"]:
        """Return √c times the second derivative of the entropy times √c, less the diagonal of 1."""
        of, root = self.of[rows], np.sqrt(c[rows] / self.sums(c)[rows])
        system = (1 - 1 / SHARPNESS) * (of[:, None] == of) * root[:, None] * root
        system[np.diag_indices_from(system)] += 1 / SHARPNESS - 1
        return system


def _newton(
    K: Float[np.ndarray, "m m"], diagonal: Vector, c: Vector, forces: Vector, groups: _Groups
) -> tuple[Vector, Vector]:
    """Solve (H + K)x = −forces and (H + K)y = 1, H the entropy's second derivative, mostly 1/c.

    Where c is tiny the diagonal does.
    """
    live = np.flatnonzero((c * diagonal > _STILL) | groups.shared)
    every = len(live) == len(c)
    rows = K if every else K[:, live]
    root = np.sqrt(c[live])
    right = np.stack([-root * forces[live], root], axis=1)
    inner = K if every else rows[live]
    system = root[:, None] * inner
    system *= root
    system[np.diag_indices_from(system)] += 1.0
    if groups.several:
        both = np.flatnonzero(groups.shared[live])
        system[np.ix_(both, both)] += groups.scaled_curvature(c, live[both])
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
