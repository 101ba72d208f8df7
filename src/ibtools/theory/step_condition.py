"""How long a step gradient descent may take without ever losing margin."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ibtools._validation import array, count, offering, positive, real


class SphereBounds(NamedTuple):
    r"""Suprema over all samples and all θ of norm 1.

    Attributes
    ----------
    value
        B₀ of :math:`|q_n(\theta)|`.
    gradient
        B₁ of :math:`\|\nabla q_n(\theta)\|`.
    hessian
        B₂ of :math:`\|\nabla^2 q_n(\theta)\|`, the spectral norm.
    """

    value: float
    gradient: float
    hessian: float


def polynomial_bounds(value: float, *, order: int) -> SphereBounds:
    r"""Return B₀, B₁, B₂ of a homogeneous polynomial of degree L, given the first.

    On a Euclidean space a homogeneous polynomial and its symmetric multilinear form have the same
    norm (Banach 1938), and :math:`\nabla q` and :math:`\nabla^2 q` are L and L(L−1) times that form
    with one and two open slots: :math:`B_1 = L B_0` and :math:`B_2 = L(L-1)B_0`, exactly.

    Parameters
    ----------
    value
        B₀ > 0.
    order
        L ≥ 1, the degree.

    Raises
    ------
    TypeError, ValueError
        If `value` is not a finite number above 0 or `order` no integer of at least 1.

    Examples
    --------
    >>> from ibtools.theory.step_condition import polynomial_bounds
    >>> polynomial_bounds(0.5, order=2)
    SphereBounds(value=0.5, gradient=1.0, hessian=1.0)
    """
    value, order = positive("value", value), count("order", order)
    return SphereBounds(value, order * value, order * (order - 1) * value)


def deep_linear_bounds(X: ArrayLike, *, depth: int) -> SphereBounds:
    r"""Return B₀, B₁, B₂ of a linear network of L layers, exactly; depth 1 is ⟨w, x⟩ itself.

    A polynomial of degree L with :math:`B_0 = L^{-L/2}\max_n\|x_n\|` (see `deep_linear_margin`).

    Parameters
    ----------
    X
        Samples, (n, d), not all 0. Labels do not matter.
    depth
        L ≥ 1.

    Raises
    ------
    TypeError, ValueError
        If X is not finite or vanishes, or `depth` is not an integer of at least 1.

    Examples
    --------
    >>> from ibtools.theory import deep_linear_bounds
    >>> deep_linear_bounds([[3.0, 4.0]], depth=1)
    SphereBounds(value=5.0, gradient=5.0, hessian=0.0)
    """
    depth = count("depth", depth)
    longest = float(np.linalg.norm(_samples(X), axis=1).max())
    return polynomial_bounds(longest * depth ** (-depth / 2), order=depth)


def diagonal_bounds(X: ArrayLike) -> SphereBounds:
    r"""Return B₀, B₁, B₂ of the diagonal network ⟨x, u∘u − v∘v⟩, exactly.

    A polynomial of degree 2 with :math:`B_0 = \max_n\|x_n\|_\infty`.

    Parameters
    ----------
    X
        Samples, (n, d), not all 0.

    Raises
    ------
    TypeError, ValueError
        If X is not finite or vanishes.

    Examples
    --------
    >>> from ibtools.theory import diagonal_bounds
    >>> diagonal_bounds([[3.0, -4.0]])
    SphereBounds(value=4.0, gradient=8.0, hessian=8.0)
    """
    return polynomial_bounds(float(np.abs(_samples(X)).max()), order=2)


def two_layer_bounds(X: ArrayLike, *, power: int = 2) -> SphereBounds:
    r"""Return B₀, B₁, B₂ of Σⱼ aⱼ σ(⟨wⱼ, x⟩)^k, both layers trained, for any width, exactly.

    σ is the ReLU or the identity, and k ≥ 2, so that the gradient is Lipschitz. At each θ the
    network agrees to second order with one in which inactive neurons are left out and the others
    have no ReLU: a polynomial of degree k + 1, and

    .. math:: B_0 = \max_n\|x_n\|^k \max_{a^2 + r^2 = 1} |a|r^k
        = \frac{k^{k/2}}{(k+1)^{(k+1)/2}}\max_n\|x_n\|^k.

    For k = 2 the second derivative jumps where a neuron switches; the supremum is over both sides,
    and a Lipschitz constant of the gradient, which is all that the proof needs.

    Parameters
    ----------
    X
        Samples, (n, d), not all 0.
    power
        k ≥ 2; for the identity and k = 1 see `deep_linear_bounds`.

    Raises
    ------
    TypeError, ValueError
        If X is not finite or vanishes, or `power` is not an integer of at least 2: the gradient of
        a plain ReLU network jumps, and no step is short enough for the theorem.

    Examples
    --------
    >>> from ibtools.theory import two_layer_bounds
    >>> round(two_layer_bounds([[3.0, 4.0]], power=2).value * 27**0.5, 12)
    50.0
    """
    power = count("power", power, least=2)
    longest = float(np.linalg.norm(_samples(X), axis=1).max())
    top = power ** (power / 2) / (power + 1) ** ((power + 1) / 2)
    return polynomial_bounds(top * longest**power, order=power + 1)


def log_descent_step_bound(
    log_loss: float,
    *,
    order: int,
    initial_log_loss: float,
    initial_modified_margin: float,
    initial_norm: float,
    bounds: SphereBounds,
) -> float:
    r"""Return log H(𝓛), the logarithm of the longest step that the theorem allows at loss 𝓛.

    Lyu and Li (2020), gradient descent with the exponential loss (summed) on twice differentiable
    models: from a start with u₀ = log(1/𝓛₀) ≥ 2, steps η ≤ H(𝓛) make the loss fall and the modified
    margin rise at every step, with u = log(1/𝓛) and

    .. math:: & H(\mathcal L) = \frac{\mu}{C\kappa}, \qquad \mu = \frac{u_0}{2u}, \qquad
        \kappa = \mathcal L\,u^{2-2/L}, \\
        & C = \tfrac12\big(B_1^2 + \|\theta_0\|^{-L}B_2\big)\,\hat\gamma_0^{-2+2/L}.

    Why: :math:`\|\nabla^2\mathcal L\| \le \mathcal L\|\theta\|^{2L-2}(B_1^2 + \|\theta\|^{-L}B_2)`
    and :math:`\|\theta\|^L \le u/\hat\gamma_0`, so that :math:`C\kappa` is at least half of the
    curvature of 𝓛 on the whole step, and the step loses at most the share μ of the decrease that
    the flow would make. The paper starts at any loss below 1, where κ has another case, and takes
    the larger of γ̂₀ and B₀ to the power −2 + 2/L in C; as γ̂₀ < B₀, the first is the larger.

    Parameters
    ----------
    log_loss
        log 𝓛, at most `initial_log_loss`.
    order
        L ≥ 1.
    initial_log_loss
        log 𝓛₀ ≤ −2, of the sum over the samples.
    initial_modified_margin
        γ̂₀ > 0, below B₀ as every margin is.
    initial_norm
        ‖θ₀‖ > 0.
    bounds
        B₀, B₁, B₂ of the model, from `deep_linear_bounds` and its like.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range.

    Notes
    -----
    The step grows like 1/(𝓛 (log 1/𝓛)^{3−2/L}) and leaves the range of floats where 𝓛 does: hence
    the logarithm.

    Examples
    --------
    A linear predictor on samples of norm at most 1: H(𝓛₀) = 1/𝓛₀.

    >>> from ibtools.theory import SphereBounds, log_descent_step_bound
    >>> unit = SphereBounds(1.0, 1.0, 0.0)
    >>> start = dict(initial_log_loss=-3.0, initial_modified_margin=0.1, initial_norm=5.0)
    >>> log_descent_step_bound(-3.0, order=1, bounds=unit, **start)
    3.0
    """
    log_loss = real("log_loss", log_loss)
    order = count("order", order)
    initial = real("initial_log_loss", initial_log_loss)
    if initial > -2:
        raise ValueError(
            f"initial_log_loss must be at most -2, got {initial:g}; the theorem starts where the "
            "summed loss is at most exp(-2): train longer before it"
        )
    if log_loss > initial:
        raise ValueError(
            f"log_loss must be at most initial_log_loss={initial:g}, got {log_loss:g}; under the "
            "condition the loss never rises: take the loss where the condition begins as initial"
        )
    margin = positive("initial_modified_margin", initial_modified_margin)
    norm = positive("initial_norm", initial_norm)
    offering("bounds", bounds, "value", "gradient", "hessian", mend="give a SphereBounds")
    zero, one = positive("bounds.value", bounds.value), positive("bounds.gradient", bounds.gradient)
    two = real("bounds.hessian", bounds.hessian)
    if two < 0:
        raise ValueError(f"bounds.hessian must be at least 0, got {two:g}; it bounds a norm")
    if margin >= zero:
        raise ValueError(
            f"initial_modified_margin must be below bounds.value={zero:g}, which no margin at norm "
            f"1 exceeds, got {margin:g}; take both from the same model and data"
        )
    power = 2 - 2 / order
    u = -log_loss
    log_mu = math.log(-initial) - math.log(2 * u)
    log_kappa = log_loss + power * math.log(u)
    log_curvature = 2 * math.log(one)
    if two > 0:
        log_curvature = float(np.logaddexp(log_curvature, math.log(two) - order * math.log(norm)))
    log_constant = log_curvature - math.log(2) - power * math.log(margin)
    return log_mu - log_constant - log_kappa


def _samples(X: ArrayLike) -> np.ndarray:
    X = array("X", X, ndim=2)
    if not X.any():
        raise ValueError("X must not vanish, got zeros only; no model tells such samples apart")
    return X
