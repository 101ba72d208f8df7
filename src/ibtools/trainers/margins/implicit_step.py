"""One implicit step of the flow on log 𝓛, on margins linearized at its start.

The step solves min over d of φ(s + Jd) + ‖d‖²/(2h). Where few margins matter, d = Jᵀc and the
unknowns are their multipliers c; where many do, Newton's equations are solved by conjugate
gradients. Both find the same d.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibtools.trainers.margins.problem import Linearization, log_logistic

# Beyond this margin every loss is e^(−s) to the last digit, and only differences matter.
_FAR = 60.0
# A margin of smaller weight v·h·‖∇s‖² does not bend the loss within a step.
_FLAT = 1e-4


@dataclass(frozen=True, eq=False)
class Point:
    """The value of φ, v = −∂φ/∂s, and what is needed for second derivatives."""

    value: float
    weights: Float[Tensor, " m"]
    _group: Int[Tensor, " m"]
    _samples: int
    _curb: float | None

    def curved(self, u: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """Return Hu, H the second derivative of φ or, for log 𝓛, one above it; never negative."""
        v = self.weights
        if self._curb is None:
            return v * (u - v @ u)
        sums = u.new_zeros(self._samples).index_add_(0, self._group, v * u)
        return v * (u - self._curb * sums[self._group])


class Nearby:
    """φ as a function of some margins; the others stay as they are.

    Parameters
    ----------
    margins
        All margins at the start, (n, c).
    chosen
        Which of them are variables, as indices into all.
    loss
        Name of the loss.
    relative
        Whether φ is 𝓛 over its value at the start, which is convex for every loss, and not log 𝓛,
        which is convex for the exponential loss, and for the others once 𝓛 is small.
    """

    def __init__(
        self,
        margins: Float[Tensor, "n c"],
        chosen: Int[Tensor, " m"],
        loss: str,
        *,
        relative: bool = False,
    ) -> None:
        rows = torch.div(chosen, margins.shape[1], rounding_mode="floor")
        samples, self._group = torch.unique(rows, return_inverse=True)
        self._samples = len(samples)
        self.s = margins.reshape(-1)[chosen]
        least = float(margins.min())
        self._exponential = loss == "exponential" or least > _FAR
        self._shift = least if self._exponential else 0.0
        self._several = margins.shape[1] > 1
        left = torch.ones(margins.numel(), dtype=torch.bool, device=margins.device)
        left[chosen] = False
        rest = torch.where(left.view_as(margins), self._shift - margins, -torch.inf)
        rest = torch.logsumexp(rest, dim=1)
        self._of_sample = rest[samples]
        away = torch.ones(len(margins), dtype=torch.bool, device=margins.device)
        away[samples] = False
        self._away = torch.logsumexp(self._log_loss(rest[away])[0], 0)
        self._start: float | None = None
        if relative:
            self._start = float(torch.logaddexp(self._total(self.s)[1], self._away))

    def _log_loss(self, z: Float[Tensor, " n"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Return log ℓ and its derivative at z = −q, q the margin of a sample."""
        return (z, torch.ones_like(z)) if self._exponential else log_logistic(z)

    def _total(self, s: Float[Tensor, " m"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return log ℓ of each sample, log Σℓ, ∂log ℓ/∂z, and each margin's share in its z."""
        each = self._shift - s
        if not self._several:
            value, slope = self._log_loss(each)
            return value, torch.logsumexp(value, 0), slope, torch.ones_like(s)
        top = self._of_sample.clone().scatter_reduce_(0, self._group, each, "amax")
        sums = (self._of_sample - top).exp()
        sums.index_add_(0, self._group, (each - top[self._group]).exp())
        z = top + sums.log()
        value, slope = self._log_loss(z)
        return value, torch.logsumexp(value, 0), slope, (each - z[self._group]).exp()

    def __call__(self, s: Float[Tensor, " m"]) -> Point:
        """Return φ at the margins `s`."""
        value, total, slope, share = self._total(s)
        total = torch.logaddexp(total, self._away)
        if self._start is None:
            frame = float(total)
            result, curb = frame, None
        else:
            frame = self._start
            result = float((total - frame).exp())
            curb = 0.0 if self._exponential else float(np.exp(frame))
        weights = ((value - frame).exp() * slope)[self._group if self._several else slice(None)]
        return Point(result, weights * share, self._group, self._samples, curb)


def few_margins_step(
    nearby: Nearby, K: Float[np.ndarray, "m m"], h: float
) -> Float[np.ndarray, " m"]:
    """Return c of least φ(s + Kc) + cᵀKc/(2h), by Newton's method with a line search.

    Parameters
    ----------
    nearby
        φ = log 𝓛, of m margins.
    K
        Their Gram matrix JJᵀ.
    h
        Length of the step in the flow's time.

    Returns
    -------
    array
        The multipliers c = hv of d = Jᵀc, with v = −∂φ/∂s at s + Kc.
    """
    s = nearby.s.numpy()

    def at(Kc: Float[np.ndarray, " m"]) -> tuple[float, Float[np.ndarray, " m"]]:
        point = nearby(torch.from_numpy(s + Kc))
        return point.value, point.weights.numpy()

    c = np.zeros_like(s)
    Kc = np.zeros_like(s)
    diagonal = np.diag(K)
    value, v = at(Kc)
    for _ in range(100):
        residual = c / h - v
        if residual @ (K @ residual) <= 1e-20 * max(float(v @ (K @ v)), 1e-300):
            break
        # Where v is so small that the loss is flat, Newton's equation is solved by its diagonal.
        move = -h * residual
        live = np.flatnonzero(h * v * diagonal > _FLAT)
        if live.size:
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
            new_value, new_v = at(Kc + t * K_move)
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


def many_margins_step(
    nearby: Nearby, linear: Linearization, h: float, *, tolerance: float
) -> Float[Tensor, " p"]:
    """Return d of least φ(s + Jd) + ‖d‖²/(2h), by Newton's method with conjugate gradients.

    Parameters
    ----------
    nearby
        φ of all margins.
    linear
        J.
    h
        Length of the step in the flow's time.
    tolerance
        Size of the gradient at which to stop, relative to that at d = 0.
    """
    s = nearby.s
    point = nearby(s)

    def pull(v: Float[Tensor, " m"]) -> Float[Tensor, " p"]:
        return linear.pulled(v.view(linear.shape))

    force = pull(point.weights)
    first = float(force.norm())
    d = torch.zeros_like(force)
    Jd = torch.zeros_like(s)
    for _ in range(50):
        residual = force - d / h
        size = float(residual.norm())
        if size <= tolerance * first:
            break
        # Solving each equation as far as the method's progress deserves keeps it superlinear.
        enough = max(size * min(0.1, (size / first) ** 0.5), 0.3 * tolerance * first)
        move = torch.zeros_like(d)
        J_move = torch.zeros_like(s)
        left, search = residual.clone(), residual.clone()
        square = size**2
        for _ in range(200):
            J_search = linear.along(search).reshape(-1)
            image = search / h + pull(point.curved(J_search))
            step = square / float(search @ image)
            move += step * search
            J_move += step * J_search
            left -= step * image
            before, square = square, float(left @ left)
            if square <= enough**2:
                break
            search = left + (square / before) * search
        slope = -float(residual @ move)
        t = 1.0
        for _ in range(30):
            new = nearby(s + Jd + t * J_move)
            change = (new.value - point.value) + float((t * d + 0.5 * t * t * move) @ move) / h
            if change <= 1e-4 * t * slope:
                break
            t *= 0.5
        else:
            break
        d, Jd, point = d + t * move, Jd + t * J_move, new
        force = pull(point.weights)
    return d
