"""KKT points of the maximum-margin problem of a net, to the last digits and without training."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._validation import count, positive, vector
from ibtools.models.declared import known_order, stated_order
from ibtools.models.margins import Margins
from ibtools.models.reading import (
    as_outputs,
    gradients_of_each,
    number_of_outputs,
    private_copy,
    refuse_frozen,
    refuse_parameters,
    with_parameters,
)
from ibtools.models.samples import finite_inputs, fitting_labels
from ibtools.theory.interpolation import AccuracyWarning
from ibtools.theory.max_margin import MaxMargin, max_margin

# Margins up to this multiple of the least take part in the convex problem of an iteration.
_WORKING = 2.0
# Numbers in a working set's matrix of gradients: 400 MB.
_LARGEST = 50_000_000
_SHORTEST = 2.0**-20
# Below this relative gain in the margin rounding hides whether it climbs.
_CLIMBING = 1e-8


@dataclass(frozen=True, eq=False)
class KKTPoint:
    r"""A KKT point of :math:`\min\tfrac12\|\theta\|^2` subject to :math:`q\ge1`.

    Attributes
    ----------
    margin
        Its normalized margin γ̄ = q_min/‖θ‖^L.
    parameters
        θ̃ with q_min = 1, flat, (p,).
    direction
        θ̃/‖θ̃‖, (p,).
    multipliers
        λ ≥ 0 with :math:`\tilde\theta=\sum\lambda\nabla q(\tilde\theta)`: (n,), or (n, k) for k
        outputs, with 0 for each sample's own class.
    support
        Samples with a multiplier, (m,).
    relative_stationarity
        ‖θ̃ − Σλ∇q(θ̃)‖/‖θ̃‖.
    complementarity
        Σλ(q(θ̃) − 1).
    iterations
        Convex problems solved.
    converged
        Whether the residual is within the tolerance.
    """

    margin: float
    parameters: Float[np.ndarray, " p"]
    direction: Float[np.ndarray, " p"]
    multipliers: Float[np.ndarray, "n *k"]
    support: Int[np.ndarray, " m"]
    relative_stationarity: float
    complementarity: float
    iterations: int
    converged: bool


def kkt_point(
    net: nn.Module,
    X: ArrayLike,
    y: ArrayLike,
    *,
    tolerance: float = 1e-12,
    max_iterations: int = 200,
    order: int | None = None,
) -> KKTPoint:
    r"""Return the KKT point near the direction of a homogeneous net.

    Where θ is a KKT point it solves a convex problem, the support vector machine in its own
    tangent features :math:`\nabla q_n(\theta)`: with :math:`q_n(\theta)=1` for the constraints that
    count, Euler's identity makes :math:`\langle\nabla q_n(\theta),\theta\rangle=L`, and

    .. math:: \theta = \operatorname*{argmin}_w\ \tfrac12\|w\|^2 \quad\text{subject to}\quad
        \langle\nabla q_n(\theta), w\rangle \ge L

    has the same conditions of Karush, Kuhn and Tucker. Iterating θ ← argmin as it stands flips what
    layers can exchange (for a product of factors, log-ratios of their norms change sign) and may
    diverge; going part of the way, at most half, damps that. Part of the way the normalized margin
    climbs: with m the machine's margin at norm 1, its first derivative is at least
    :math:`m - L\bar\gamma \ge 0`, and 0 only at a KKT point. A part is halved until a tenth of that
    is gained; at the end, where rounding hides the gain, until the distance to the argmin shrinks.

    The margin of what is found is one of many: the problem is not convex.

    Parameters
    ----------
    net
        A homogeneous net at the start, differentiable where the iteration goes (squared ReLUs,
        linear layers; a ReLU's kinks may stop it), that separates its data. It is not changed.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.

    Other Parameters
    ----------------
    tolerance
        Of the relative residual, above 0. Rounding allows about 1e-14.
    max_iterations
        Convex problems to solve at most.
    order
        The order L of a net whose layers cannot be read; it is held against the data.

    Raises
    ------
    NotHomogeneousError
        If the net has no order of homogeneity, or on the data not the one that was declared or
        read off its layers.
    TypeError, ValueError
        If the data do not fit the net, something is not finite, or a margin is not positive.

    Warns
    -----
    AccuracyWarning
        If the tolerance is not met; the best point is returned.

    See Also
    --------
    ibtools.metrics.margin_kkt : how nearly a net is one.
    ibtools.trainers.margin_flow : the flow that tends to one.

    References
    ----------
    Lyu & Li (2020) for the problem and its KKT points; the iteration is this book's.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models import DeepLinear
    >>> from ibtools.theory import kkt_point
    >>> X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]
    >>> net = DeepLinear(d=2, depth=2, seed=1)
    >>> _ = net.layers[0].weight.data.copy_(torch.tensor([[2.0, 1.0], [1.0, 1.0]]))
    >>> _ = net.layers[2].weight.data.copy_(torch.tensor([[1.0, 1.0]]))
    >>> round(kkt_point(net, X, y).margin * 2 * 13**0.5, 10)
    7.0
    """
    tolerance = positive("tolerance", tolerance)
    count("max_iterations", max_iterations)
    L = stated_order(net, order)
    refuse_frozen(net)
    features = _Tangents(net, X, y)
    features.check(order)
    part = full = 1.0 if L == 1 else 0.5
    here = _solve(features, features.start)
    if here is None:
        raise ValueError(
            "net must separate its data with a positive margin, in its tangent features too, got "
            f"a smallest margin of {features.margins(features.start).min():.3g} at norm 1; train "
            "it further"
        )
    iterations = 1
    while here.distance > tolerance and part > _SHORTEST and iterations < max_iterations:
        trial = here.theta + part * (here.svm.direction - here.theta)
        there = _solve(features, trial / np.linalg.norm(trial))
        iterations += 1
        gain = here.svm.margin - L * here.margin
        if there is None:
            better = False
        elif gain > _CLIMBING * here.margin:
            better = there.margin >= here.margin + 0.1 * part * gain
        else:
            better = there.distance < here.distance
        if there is not None and better:
            here, part = there, min(full, 1.5 * part)
        else:
            part /= 2
    ended = ""
    if iterations >= max_iterations:
        ended = f"max_iterations={max_iterations} is reached: allow more"
    if here.distance <= tolerance:
        ended = "rounding allows no more: ask for less"
    elif not part > _SHORTEST:
        ended = (
            "no step of any length leads nearer: the point is on a kink of the net or unstable, or "
            "rounding allows no more; start nearer to a KKT point (train the net further)"
        )
    return _finish(features, here, L, iterations, tolerance, ended)


@dataclass(frozen=True, eq=False)
class _Iterate:
    """A point of norm 1 and the support vector machine in its tangent features."""

    theta: Float[np.ndarray, " p"]
    margin: float
    chosen: Int[np.ndarray, " m"]
    svm: MaxMargin

    @property
    def distance(self) -> float:
        """How far the machine's direction is from the point."""
        return float(np.linalg.norm(self.svm.direction - self.theta))


def _solve(features: "_Tangents", theta: Float[np.ndarray, " p"]) -> _Iterate | None:
    """Return the machine at θ, or None where the data are not separated."""
    q = features.margins(theta)
    least = float(q.min())
    if not least > 0:
        return None
    chosen = np.flatnonzero(q <= _WORKING * least)
    most = max(1, _LARGEST // theta.size)
    if chosen.size > most:
        chosen = np.sort(chosen[np.argsort(q[chosen])[:most]])
    rows = features.gradients(theta, chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        return _Iterate(theta, least, chosen, max_margin(rows, np.ones(len(rows))))


def _finish(
    features: "_Tangents",
    found: _Iterate,
    order: int,
    iterations: int,
    tolerance: float,
    ended: str,
) -> KKTPoint:
    direction, chosen, svm = found.theta, found.chosen, found.svm
    q = features.margins(direction)
    margin = float(q.min())
    # The machine's w = Σα∇q has ⟨∇q, w⟩ = 1 where θ̂ has L q: so θ̂ ≈ L γ̄ w, and λ follows.
    mu = order * margin * svm.multipliers
    combined = mu @ features.gradients(direction, chosen)
    relative_stationarity = float(np.linalg.norm(direction - combined))
    lam = np.zeros(q.size)
    lam[chosen] = mu * margin ** (1 - 2 / order)
    converged = relative_stationarity <= 10 * tolerance
    if not converged:
        warnings.warn(
            f"the KKT residual is {relative_stationarity:.1e} after {iterations} iterations, above "
            f"the asked {tolerance:g}: {ended}",
            AccuracyWarning,
            stacklevel=3,
        )
    return KKTPoint(
        margin=margin,
        parameters=direction * margin ** (-1 / order),
        direction=direction,
        multipliers=features.per_class(lam),
        support=np.unique(np.flatnonzero(lam) // features.width),
        relative_stationarity=relative_stationarity,
        complementarity=float(lam @ (q / margin - 1)),
        iterations=iterations,
        converged=converged,
    )


class _Tangents:
    """Margins and their gradients as functions of flat parameters of norm 1."""

    def __init__(self, net: nn.Module, X: ArrayLike, y: ArrayLike) -> None:
        self._net = private_copy(net).double().cpu()
        self._outputs_with = with_parameters(self._net)
        parameters = list(self._net.parameters())
        refuse_parameters(parameters)
        self._shapes = [p.shape for p in parameters]
        flat = torch.cat([p.detach().reshape(-1) for p in parameters]).numpy()
        start = vector("the parameters of net", flat)
        if not start.any():
            raise ValueError("net must not be zero, got parameters that all are; train it first")
        self.start = start / np.linalg.norm(start)
        self._X = finite_inputs(X)
        outputs = number_of_outputs(self._net, self._X)
        labels = fitting_labels(y, n=len(self._X), outputs=outputs)
        self._margins = Margins(torch.tensor(labels), outputs)
        self.width = self._margins.each

    def check(self, order: int | None) -> None:
        """Raise unless the net scales on the data as was declared or read."""
        known_order(self._net, self._X, order)

    def _unflatten(self, theta: Tensor) -> list[Tensor]:
        pieces = theta.split([shape.numel() for shape in self._shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def _of_sample(self, theta: Sequence[Tensor], x: Tensor, form: Tensor) -> Tensor:
        outputs: Tensor = self._outputs_with(self._unflatten(theta[0]), x[None])
        return as_outputs(outputs, 1).reshape(-1) @ form.reshape(-1)

    def margins(self, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, " m"]:
        """Return all margins, sample by sample."""
        parameters = self._unflatten(torch.tensor(theta))
        found = []
        with torch.no_grad():
            for i in range(0, len(self._X), 1024):
                X = self._X[i : i + 1024]
                outputs = as_outputs(self._outputs_with(parameters, X), len(X))
                found.append(self._margins.of(outputs, slice(i, i + 1024)))
        return torch.cat(found).reshape(-1).numpy()

    def gradients(
        self, theta: Float[np.ndarray, " p"], chosen: Int[np.ndarray, " m"]
    ) -> Float[np.ndarray, "m p"]:
        """Return the gradients of chosen margins, one row each."""
        samples = torch.tensor(chosen // self.width)
        forms = self._margins.directions(samples, torch.tensor(chosen % self.width))
        flat = torch.tensor(theta)
        rows = [
            gradients_of_each(self._of_sample, [flat], x, form)[0]
            for x, form in zip(self._X[samples].split(256), forms.split(256), strict=True)
        ]
        return torch.cat(rows).numpy()

    def per_class(self, table: Float[np.ndarray, " m"]) -> Float[np.ndarray, "n *k"]:
        """Return (n,) for one output, (n, k) with 0 for a sample's own class for k."""
        return self._margins.per_class(table.reshape(-1, self.width))
