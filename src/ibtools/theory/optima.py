"""Where theorems say that training ends: constrained minimizers, found without training."""

import warnings
from collections.abc import Callable

import numpy as np
import scipy.linalg
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from ibtools._validation import of_kind, offering, regression_problem, vector
from ibtools.models import DiagonalNet, LinearNet, LinearNeuron
from ibtools.models.two_layer import TwoLayerNet
from ibtools.theory.interpolation import (
    PROMISED,
    AccuracyWarning,
    Interpolator,
    interpolation_problem,
)
from ibtools.theory.neuron_limits import explicit_limit
from ibtools.theory.potentials import HypentropyPotential, implicit_potential
from ibtools.theory.warping import single_neuron

# No Newton step moves an exponent 2P by more than this: a hyperbolic sine is then known, within a
# factor of e³, over the whole step, which is what makes Newton's quadratic model useful.
_LARGEST_MOVE = 3.0
_MAX_ITERATIONS = 500
# A move of the exponents 2P from which on Newton steps need no new Hessian.
_CLOSE = 1e-3


def implicit_limit(
    net: DiagonalNet | LinearNeuron | LinearNet, X: ArrayLike, y: ArrayLike
) -> Float[np.ndarray, " d"]:
    r"""Return where gradient flow from `net` ends on a regression problem, without simulating it.

    The minimizer of ``implicit_potential(net)`` over the interpolators :math:`\{w : Xw = y\}`
    (Azulay et al. 2021, Theorem 1 and Appendix A). For a neuron, linear or leaky, it is
    `explicit_limit` (Theorems 2 and 4), which also covers an output weight that changes its sign.

    Parameters
    ----------
    net
        The network at initialization.
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Returns
    -------
    Float[np.ndarray, " d"]
        w(∞), to a relative 1e-8 or with a warning.

    Raises
    ------
    TypeError
        If the network is of another kind.
    ValueError
        If the problem is not finite, does not fit the network, or has no interpolator, y being
        outside the range of X; if the final sign of a neuron's output weight cannot be decided; or
        if a fully connected network has no potential.

    Warns
    -----
    AccuracyWarning
        If the estimated relative error exceeds 1e-8.

    See Also
    --------
    two_layer_limit : for the classifier `TwoLayerNet`, whose weights grow without end.

    Examples
    --------
    >>> from ibtools.models import DiagonalNet
    >>> from ibtools.theory import implicit_limit
    >>> net = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3)
    >>> implicit_limit(net, [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5]).round(6)
    array([ 0.037056,  0.484766, -0.013175])
    """
    if isinstance(net, TwoLayerNet):
        raise TypeError(
            "net must be a network for regression, got TwoLayerNet, a classifier; use "
            "ibtools.theory.two_layer_limit(net, X, y)"
        )
    of_kind("net", net, DiagonalNet, LinearNeuron, LinearNet)
    X, y = regression_problem(X, y, columns=net.predictor.size)
    if isinstance(net, LinearNet):
        net = single_neuron(net)
    if isinstance(net, LinearNeuron):
        return explicit_limit(net, X, y).w
    return bregman_projection(implicit_potential(net), X, y).w


def bregman_projection(potential: HypentropyPotential, X: ArrayLike, y: ArrayLike) -> Interpolator:
    r"""Minimize a diagonal network's potential over the interpolators.

    Damped Newton on the n-dimensional dual :math:`\min_\nu q^*(X^\top\nu) - y^\top\nu`, reached by
    continuation: at √k far above w the problem is a least-norm problem, and from there log √k and
    the start are moved to their values along the tangent of the solution.

    Parameters
    ----------
    potential
        The potential, of dimension d.
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Returns
    -------
    Interpolator
        The minimizer with its multipliers and error estimate.

    Raises
    ------
    ValueError
        If the problem is not finite, does not fit the potential, or has no interpolator, y being
        outside the range of X.

    Warns
    -----
    AccuracyWarning
        If the estimated relative error exceeds 1e-8.

    Examples
    --------
    >>> from ibtools.theory import bregman_projection
    >>> from ibtools.theory.potentials import HypentropyPotential
    >>> q = HypentropyPotential(sqrt_k=[1e-9, 1e-9], start=[0.0, 0.0])
    >>> bregman_projection(q, [[1.0, 2.0]], [1.0]).w.round(4)
    array([0. , 0.5])
    """
    offering(
        "potential",
        potential,
        "dim",
        "start",
        "gradient",
        mend="take ibtools.theory.implicit_potential(net)",
    )
    X, y = regression_problem(X, y, columns=potential.dim)
    constraints = interpolation_problem(X, y)
    rows, target, conditioning = constraints.rows, constraints.target, constraints.conditioning
    if not target.size:
        return Interpolator(potential.start, np.zeros(y.size), 0.0, 0, True)
    start = _continue(potential, rows, target)
    w, dual, error, iterations = _newton(potential, rows, target, start)
    error = max(error, conditioning * np.finfo(float).eps)
    if not error <= PROMISED:
        warnings.warn(
            f"the minimizer's estimated relative error is {error:.1e}, above the promised "
            f"{PROMISED:g}, after {iterations} Newton steps; the condition number of X is "
            f"{conditioning:.1e} and sqrt_k spans {potential.sqrt_k.min():.1e} to "
            f"{potential.sqrt_k.max():.1e}",
            AccuracyWarning,
            stacklevel=2,
        )
    multipliers = constraints.multipliers(dual)
    return Interpolator(w, multipliers, error, iterations, bool(error <= PROMISED))


def minimum_norm_interpolator(
    X: ArrayLike,
    y: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    anchor: ArrayLike | None = None,
) -> Float[np.ndarray, " d"]:
    r"""Return the interpolator that minimizes :math:`\sum_i c_i (w_i - w^0_i)^2`.

    With unit weights and anchor 0 it is :math:`X^+ y`. With weights 1/√k it has the least norm in
    the RKHS of the diagonal network's tangent kernel :math:`X \operatorname{diag}(\sqrt k)X^\top`.

    Parameters
    ----------
    X, y
        The problem: X (n, d), and y (n,) in its range.
    weights
        c > 0, (d,); default ones.
    anchor
        w⁰, (d,); default zeros.

    Raises
    ------
    ValueError
        If no w has Xw = y, or a weight is not above 0.

    Examples
    --------
    >>> from ibtools.theory import minimum_norm_interpolator
    >>> minimum_norm_interpolator([[3.0, 4.0]], [25.0]).round(12)
    array([3., 4.])
    """
    X, y = regression_problem(X, y)
    constraints = interpolation_problem(X, y)
    rows, target = constraints.rows, constraints.target
    root = np.sqrt(_weights(weights, X.shape[1]))
    anchor = np.zeros(X.shape[1]) if anchor is None else vector("anchor", anchor, size=X.shape[1])
    # lstsq returns the least-norm solution of an underdetermined system.
    return anchor + np.linalg.lstsq(rows / root, target - rows @ anchor, rcond=None)[0] / root


def minimum_l1_interpolator(
    X: ArrayLike, y: ArrayLike, *, weights: ArrayLike | None = None
) -> Float[np.ndarray, " d"]:
    r"""Return an interpolator that minimizes :math:`\sum_i c_i |w_i|` (basis pursuit).

    Solved as a linear program by HiGHS, in the split w = w₊ − w₋ with w₊, w₋ ≥ 0. The minimizer is
    unique for data in general position.

    Parameters
    ----------
    X, y
        The problem: X (n, d), and y (n,) in its range.
    weights
        c > 0, (d,); default ones.

    Raises
    ------
    ValueError
        If no w has Xw = y, or a weight is not above 0.
    RuntimeError
        If the solver reports that it failed, or its answer does not interpolate.

    Examples
    --------
    >>> from ibtools.theory import minimum_l1_interpolator
    >>> minimum_l1_interpolator([[3.0, 4.0]], [20.0]) + 0.0
    array([0., 5.])
    """
    X, y = regression_problem(X, y)
    constraints = interpolation_problem(X, y)
    cost = _weights(weights, X.shape[1])
    # HiGHS's tolerances are absolute: it gets orthonormal rows and a target of size 1, whatever the
    # units of X, y and the weights; y = 1e-9 would otherwise be as good as 0 to it.
    weighted = (constraints.rows / cost).T
    columns, triangle = scipy.linalg.qr(weighted, mode="economic", check_finite=False)
    target = scipy.linalg.solve_triangular(triangle, constraints.target, trans="T")
    unit = float(np.abs(target).max(initial=0.0))
    if unit == 0:
        return np.zeros(X.shape[1])
    rows, target = columns.T, target / unit
    answer = linprog(
        np.ones(2 * cost.size), A_eq=np.hstack([rows, -rows]), b_eq=target, method="highs"
    )
    if answer.x is None:
        raise RuntimeError(f"the linear program was not solved: {answer.message}")
    positive, negative = np.split(answer.x, 2)
    support = np.flatnonzero(positive - negative)
    w = np.zeros(X.shape[1])
    # A vertex is known by its support; solving for it again removes the solver's 1e-7 tolerance.
    w[support] = np.linalg.lstsq(rows[:, support], target, rcond=None)[0]
    missed = float(np.linalg.norm(rows @ w - target) / np.linalg.norm(target))
    if missed > PROMISED:
        raise RuntimeError(
            f"the linear program's vertex misses Xw = y by a relative {missed:.1e}; X or the "
            "weights are too badly scaled for it: rescale their columns"
        )
    return w * unit / cost


def _weights(weights: ArrayLike | None, size: int) -> Float[np.ndarray, " d"]:
    result = np.ones(size) if weights is None else vector("weights", weights, size=size)
    if np.any(result <= 0):
        raise ValueError(
            f"weights must be greater than 0, got {result.min():g}; a column of weight 0 could "
            "grow for nothing"
        )
    return result


def _continue(
    potential: HypentropyPotential, rows: Float[np.ndarray, "n d"], target: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Follow the dual solution from the least-norm problem to `potential`, by Euler and Newton.

    Along 0 ≤ τ ≤ 1, log √k and the offset c move linearly, from a common large √k and c = 0.
    """
    least_norm = target @ rows
    largest = max(10 * float(np.abs(least_norm).max()), float(potential.sqrt_k.max()))
    speed, offset = np.log(potential.sqrt_k / largest), potential.offset
    dual, tau = target / largest, 0.0
    while tau < 1:
        w, slope = _scaled_sinh(largest, tau * speed, 2 * (dual @ rows) + tau * offset)
        # At first slopes are alike to 2 %, and rows orthonormal: K is a multiple of the identity.
        solve = _solver(slope, rows) if tau else lambda b: b / largest
        # A corrector, then the tangent K dν = −Q(∂w/∂τ) dτ, as long as exponents move little.
        correction = solve(target - rows @ w)
        tangent = solve(-(rows @ (w * speed + slope * offset / 2)))
        reach = float(np.abs(2 * (tangent @ rows) + offset).max())
        step = min(1 - tau, _LARGEST_MOVE / reach) if reach > 0 else 1 - tau
        dual = dual + _capped(correction, rows) + step * tangent
        tau += step
    return dual


def _newton(
    potential: HypentropyPotential,
    rows: Float[np.ndarray, "n d"],
    target: Float[np.ndarray, " n"],
    dual: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " n"], float, int]:
    """Solve Q w(Qᵀν) = target by damped Newton; return w, ν, the next step's size, the count."""
    w, residual = _state(potential, rows, target, dual)
    best, close = (w, dual, np.inf), False
    stalled = iterations = 0
    while iterations < _MAX_ITERATIONS:
        slope = 1 / potential.curvature(w)
        if not close:
            solve = _solver(slope, rows)
        full = solve(residual)
        turn = full @ rows
        # No entry of K's slopes changes by more from here on: each step wins three digits.
        close = 2 * float(np.abs(turn).max()) < _CLOSE
        move = float(np.linalg.norm(slope * turn))
        size = float(np.linalg.norm(w))
        error = move / size if size > 0 else (0.0 if move == 0 else np.inf)
        if error < best[2]:
            best, stalled = (w, dual, error), 0
        else:
            stalled += 1
        # Once steps no longer shrink, further ones only stir rounding errors. A step with a new
        # Hessian squares what is left, the others do not.
        if error <= (1e-15 if close else 1e-13) or (error <= 1e-6 and stalled) or stalled >= 20:
            break
        iterations += 1
        step = _capped(full, rows)
        descent = residual @ step
        # The dual is convex: past its minimum along the line the slope turns and grows.
        for _ in range(60):
            w, residual = _state(potential, rows, target, dual + step)
            if np.isfinite(residual).all() and -(residual @ step) <= 0.5 * descent:
                break
            step, descent = step / 2, descent / 2
        dual = dual + step
    return *best, iterations


def _state(
    potential: HypentropyPotential,
    rows: Float[np.ndarray, "n d"],
    target: Float[np.ndarray, " n"],
    dual: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " n"]]:
    with np.errstate(over="ignore", invalid="ignore"):
        w = potential.inverse_gradient(dual @ rows)
        return w, target - rows @ w


def _scaled_sinh(
    largest: float, log_scale: Float[np.ndarray, " d"], angle: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Return w = (√k/2) sinh(angle) and dw/dP = √k cosh(angle) for √k = largest·exp(log_scale)."""
    rise = np.exp(np.clip(log_scale + angle, None, 600.0))
    fall = np.exp(np.clip(log_scale - angle, None, 600.0))
    return largest * (rise - fall) / 4, largest * (rise + fall) / 2


def _capped(
    step: Float[np.ndarray, " n"], rows: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " n"]:
    move = float(np.abs(2 * (step @ rows)).max())
    return step if move <= _LARGEST_MOVE else step * (_LARGEST_MOVE / move)


def _solver(
    slope: Float[np.ndarray, " d"], rows: Float[np.ndarray, "n d"]
) -> Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]:
    """Return a solver of K x = b for K = Q diag(slope) Qᵀ.

    By Cholesky, or, where K is too ill-conditioned for that, by a QR factorization of √slope Qᵀ,
    which never forms K and so keeps twice as many digits.
    """
    half_kernel = rows * np.sqrt(slope)
    # A product of a matrix with its own transpose: half of the work of any other.
    kernel = half_kernel @ half_kernel.T
    try:
        factor = scipy.linalg.cho_factor(kernel, check_finite=False)
        diagonal = np.abs(np.diag(factor[0]))
        if diagonal.min() > 1e-6 * diagonal.max():
            return lambda b: scipy.linalg.cho_solve(factor, b, check_finite=False)
    except np.linalg.LinAlgError:
        pass
    # Householder QR is row-wise stable when the rows come in decreasing size.
    order = np.argsort(-slope)
    triangle = scipy.linalg.qr(
        np.sqrt(slope[order])[:, None] * rows.T[order], mode="r", check_finite=False
    )[0][: len(rows)]

    def solve(b: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        half = scipy.linalg.solve_triangular(triangle, b, trans="T", check_finite=False)
        return scipy.linalg.solve_triangular(triangle, half, check_finite=False)

    return solve
