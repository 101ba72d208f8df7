"""Least of a log-sum-exp of linear functions plus a square, by Newton's method on its dual."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibtools.trainers.margins.newton_systems import NewtonSystems, factored, scaled

# A multiplier c with c‖∇s‖² below this does not move the others.
_STILL = 1e-3
# Shares of all weight that an unknown starts from at least, and below which none is followed.
_START, _LEAST = 1e-5, 1e-9

Vector = Float[Tensor, " m"]
Group = Int[Tensor, " m"]


class _Point(NamedTuple):
    """A point of the dual: multipliers, that of the constant, Kc, and the value there."""

    c: Vector
    constant: float
    Kc: Vector
    value: float


def entropy_step(
    s: Vector,
    K: Float[Tensor, "m m"],
    h: float,
    *,
    log_constant: float,
    start: Vector,
    tolerance: float,
    group: Group | None = None,
    sharpness: float = 1.0,
    systems: NewtonSystems | None = None,
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
        Margins, (m,), in double precision, on any device.
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
        h is large, rounding of the dual's value ends the iteration near 1e-6, of groups near 1e-5.
    group
        The group of each row, (m,), from 0 on; each row is one by default.
    sharpness
        p, at least 1: the least of k nearly equal margins is taken for log(k)/p less.
    systems
        What is remembered from another call with nearly the same K.
    """
    log_constant = float(log_constant)
    has_constant = math.isfinite(log_constant)
    groups = _Groups(torch.arange(len(s), device=s.device) if group is None else group, sharpness)
    systems = NewtonSystems() if systems is None else systems
    diagonal = K.diagonal()
    least = h * _LEAST / len(s)

    def at(c: Vector, constant: float) -> _Point:
        factor = h / (float(c.sum()) + constant)
        c, constant = c * factor, constant * factor
        Kc = K @ c
        value = float(c @ (groups.entropy_slopes(c / h) + s + 0.5 * Kc))
        if has_constant:
            value += constant * (math.log(constant / h) - log_constant)
        return _Point(c, constant, Kc, value)

    point = at(start.clamp(min=h * _START / len(s)), 1e-3 * h if has_constant else 0.0)
    for _ in range(100):
        u = s + point.Kc
        low = max(float(-u.min()), log_constant)
        v = groups.weights(-u - low)
        v = v / (float(v.sum()) + (math.exp(log_constant - low) if has_constant else 0.0))
        residual = point.c / h - v
        pair = torch.stack([residual, v], dim=1)
        wrong, whole = (pair * (K @ pair)).sum(0).tolist()
        if math.sqrt(max(wrong, 0.0) / max(whole, 1e-300)) <= tolerance:
            break
        forces = groups.entropy_slopes(point.c / h) + u
        force = math.log(point.constant / h) - log_constant if has_constant else 0.0
        mean = (float(point.c @ forces) + point.constant * force) / h
        x, y = _newton(K, diagonal, point.c, forces - mean, groups, systems)
        first, second = float(x.sum()), float(y.sum())
        if has_constant:
            first -= point.constant * (force - mean)
            second += point.constant
        # What keeps the sum of all c at h.
        level = first / second
        ratios = (x - level * y) / point.c
        ratio = torch.tensor(-(force - mean) - level, dtype=torch.float64)
        t = 1.0
        for _ in range(40):
            c = (point.c * _factors(t * ratios)).clamp(min=least)
            constant = point.constant * float(_factors(t * ratio))
            new = at(c, max(constant, 1e-30 * h) if has_constant else 0.0)
            if new.value <= point.value + 1e-13 * abs(point.value):
                break
            t *= 0.5
        else:
            break
        point = new
    return point.c


def _factors(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return 1 + x, and where that may be negative something positive with the same slope at 0."""
    return torch.where(x >= 0, 1 + x, x.clamp(max=0.0).exp())


class _Groups:
    """Rows that count as one, with the least of their margins."""

    def __init__(self, group: Group, sharpness: float) -> None:
        self.of = group
        self._sharpness = sharpness
        size = torch.bincount(group)
        self._count = len(size)
        #: Of each row, whether it is one of several.
        self.shared = (size > 1)[group]
        self.several = bool(self.shared.any())

    def sums(self, c: Vector) -> Vector:
        """Return of each row the sum over its group."""
        if not self.several:
            return c
        return c.new_zeros(self._count).index_add_(0, self.of, c)[self.of]

    def entropy_slopes(self, c: Vector) -> Vector:
        """Return log of each c, or of a group the mixture of log c and of the log of the sum."""
        if not self.several:
            return c.log()
        return c.log() / self._sharpness + (1 - 1 / self._sharpness) * self.sums(c).log()

    def weights(self, x: Vector) -> Vector:
        """Return e^x of each row, or its share of the e^x of its group."""
        if not self.several:
            return x.exp()
        top = x.new_full((self._count,), -torch.inf).scatter_reduce_(0, self.of, x, "amax")[self.of]
        share = (self._sharpness * (x - top)).exp()
        total = self.sums(share)
        return share / total * (top + total.log() / self._sharpness).exp()

    def scaled_curvature(self, c: Vector, rows: Int[Tensor, " k"]) -> Float[Tensor, "k k"]:
        """Return √c times the second derivative of the entropy times √c, less the diagonal of 1."""
        of, root = self.of[rows], (c[rows] / self.sums(c)[rows]).sqrt()
        system = (1 - 1 / self._sharpness) * (of[:, None] == of) * root[:, None] * root
        system.diagonal().add_(1 / self._sharpness - 1)
        return system


def _newton(
    K: Float[Tensor, "m m"],
    diagonal: Vector,
    c: Vector,
    forces: Vector,
    groups: _Groups,
    systems: NewtonSystems,
) -> tuple[Vector, Vector]:
    """Solve (H + K)x = −forces and (H + K)y = 1, H the entropy's second derivative, mostly 1/c.

    Where c is tiny the diagonal does.
    """
    live = torch.nonzero((c * diagonal > _STILL) | groups.shared)[:, 0]
    right = torch.zeros(len(c), 2, dtype=c.dtype, device=c.device)
    right[live] = torch.stack([-forces[live], torch.ones_like(live, dtype=c.dtype)], dim=1)
    if groups.several:
        solved = _of_groups(K, c, live, right, groups)
    else:
        solved = systems.solve(K, c, live, right)
    if len(live) < len(c):
        pulled = K @ solved
        others = c[:, None] * (torch.stack([-forces, torch.ones_like(c)], dim=1) - pulled)
        others[live] = solved[live]
        solved = others
    return solved[:, 0], solved[:, 1]


def _of_groups(
    K: Float[Tensor, "m m"],
    c: Vector,
    live: Int[Tensor, " l"],
    right: Float[Tensor, "m 2"],
    groups: _Groups,
) -> Float[Tensor, "m 2"]:
    """Solve the system of live rows, of which several count as one; 0 elsewhere."""
    root = c[live].sqrt()[:, None]
    system = scaled(K, c, live, c.dtype)
    both = torch.nonzero(groups.shared[live])[:, 0]
    system[both[:, None], both] += groups.scaled_curvature(c, live[both])
    found = torch.zeros_like(right)
    found[live] = root * torch.cholesky_solve(root * right[live], factored(system))
    return found
