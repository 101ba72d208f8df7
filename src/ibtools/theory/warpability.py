"""Which metric tensors become Hessians by a change of clock, by which clock, and what follows."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float, Inexact
from numpy.typing import ArrayLike

from ibtools._validation import array, regression_problem, vector
from ibtools.theory.interpolation import PROMISED, Interpolator, interpolation_problem
from ibtools.theory.metric import complex_step, metric_and_derivative

Metric = Callable[[Inexact[np.ndarray, " d"]], Inexact[np.ndarray, "d d"]]

# What derivatives by a step in the reals leave of a zero, with room to spare.
_NOTHING = 1e-6
_MAX_ITERATIONS = 60


class Warpability(NamedTuple):
    r"""What a metric tensor says at one point about a positive g that makes gH a Hessian.

    Attributes
    ----------
    gradient
        :math:`\phi = \nabla\log g` of the only g that can, (d,).
    curl
        :math:`\partial\phi_l/\partial w_j - \partial\phi_j/\partial w_l`, (d, d) with entry (j, l):
        where it is not 0, φ is no gradient.
    defect
        What φ leaves of the Hessian-map defect, T(gH)/g at the point, (d, d, d).
    obstruction
        The larger of `defect` and `curl`, each relative to what it is made of: a pure number, 0 up
        to 1e-8 or so where a warp exists.
    """

    gradient: Float[np.ndarray, " d"]
    curl: Float[np.ndarray, "d d"]
    defect: Float[np.ndarray, "d d d"]
    obstruction: float


def warpability(metric: Metric, w: ArrayLike) -> Warpability:
    r"""Decide at one point whether a change of clock can make a metric the Hessian of a potential.

    If gH is a Hessian, its defect :math:`gT_{ijl} + H_{ij}\partial_lg - H_{il}\partial_jg`
    vanishes. Contracted with :math:`H^{-1}`, this determines g up to a factor:

    .. math:: \partial_l \log g = \phi_l := -\frac1{d-1} \sum_{ij} (H^{-1})_{ij} T_{ijl},
        \qquad T_{ijl} = \partial_l H_{ij} - \partial_j H_{il}.

    Conversely g exists, on a simply connected domain, exactly if φ has no curl and
    :math:`T_{ijl} + H_{ij}\phi_l - H_{il}\phi_j = 0`, everywhere. For d = 2 the second always
    holds; for d ≥ 3 it implies the first.

    Parameters
    ----------
    metric
        H as an analytic function of w, (d,) → (d, d), symmetric and positive definite, made of
        operations that accept complex numbers, as in `hessian_map_defect`.
    w
        The point, (d,), with d ≥ 2: in one dimension every metric is a Hessian.

    Returns
    -------
    Warpability
        ``gradient``, ``curl``, ``defect``, ``obstruction``.

    Raises
    ------
    ValueError
        If d < 2, or H(w) is not a finite, symmetric and positive definite (d, d) matrix.
    TypeError
        If H is not an analytic function of w, as far as its values show.

    See Also
    --------
    log_warp : g itself, along a path.
    metric_limit : where flow in a warpable metric ends.

    Notes
    -----
    First derivatives of H are exact to rounding (`hessian_map_defect`); the curl needs second ones,
    which are extrapolated from central differences of the first (Ridders) to 1e-9 or so.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory import warpability
    >>> def innocent(w):
    ...     return np.eye(w.size) + np.outer(w, w)
    >>> found = warpability(innocent, [1.0, 2.0, -1.0])
    >>> found.gradient.round(12), found.obstruction < 1e-8
    (array([ 1.,  2., -1.]), True)
    """
    w = vector("w", w)
    if w.size < 2:
        raise ValueError(
            f"w must have at least 2 entries, got {w.size}: in one dimension every metric is a "
            "Hessian and any g is a warp; there is nothing to decide"
        )
    value, derivative = metric_and_derivative(metric, w)
    phi = _candidate(value, derivative)
    tensor = derivative - derivative.swapaxes(1, 2)
    pairs = np.einsum("ij,l->ijl", value, phi)
    defect = tensor + pairs - pairs.swapaxes(1, 2)

    second = _differentiate(lambda at: complex_step(metric, at)[1], w)
    # Mixed derivatives commute; what is left of their difference is error.
    second = (second + second.swapaxes(2, 3)) / 2
    inverse = np.linalg.inv(value)
    turned = np.einsum("ij,jkm,kl->ilm", inverse, derivative, inverse)
    slope = np.einsum("ijm,ijl->lm", turned, tensor)
    slope -= np.einsum("ij,ijlm->lm", inverse, second - second.swapaxes(1, 2))
    curl = (slope.T - slope) / (w.size - 1)
    size = float(np.linalg.norm(inverse))
    steep = float(np.linalg.norm(derivative))
    bend = size * float(np.linalg.norm(second)) + (size * steep) ** 2
    left, turn = float(np.linalg.norm(defect)), float(np.linalg.norm(curl))
    obstruction = max(left / steep if steep > 0 else 0.0, turn / bend if bend > 0 else 0.0)
    return Warpability(phi, curl, defect, obstruction)


def log_warp(metric: Metric, points: ArrayLike) -> Float[np.ndarray, " t"]:
    r"""Return log g along a path, relative to its first point, from the metric alone.

    It is the line integral of the only possible :math:`\nabla\log g` (`warpability`) over the
    straight lines between the points; where that has no curl, the way does not matter.

    Parameters
    ----------
    metric
        H as an analytic function of w, as in `warpability`.
    points
        The path, (t, d) with d ≥ 2.

    Raises
    ------
    ValueError, TypeError
        As `warpability`.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory import log_warp
    >>> def innocent(w):
    ...     return np.eye(w.size) + np.outer(w, w)
    >>> log_warp(innocent, [[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]]).round(9)
    array([0. , 0.5, 2.5])
    """
    path = array("points", points, ndim=2)
    if path.shape[1] < 2:
        raise ValueError(
            f"points must have at least 2 columns, got {path.shape[1]}: in one dimension any g is "
            "a warp"
        )
    metric_and_derivative(metric, path[0])
    gains = [_along(metric, *ends)[0] for ends in pairwise(path)]
    return np.concatenate([[0.0], np.cumsum(gains)])


def metric_limit(metric: Metric, X: ArrayLike, y: ArrayLike, *, start: ArrayLike) -> Interpolator:
    r"""Return where flow in a warpable metric ends, with no formula for its potential.

    The flow :math:`\dot w = H^{-1}X^\top r` ends, if it ends at an interpolator, where
    :math:`\nabla q(w) - \nabla q(w_0) = \int_{w_0}^w gH\,dw` lies in the row space of X. Both g and
    the integral are computed along the straight line from the start; Newton's method does the rest.

    Parameters
    ----------
    metric
        H as an analytic function of w, as in `warpability`; positive definite on a convex set that
        contains the start and the limit.
    X, y
        The problem, (n, d) and (n,), with some w for which Xw = y.
    start
        :math:`w_0`, (d,).

    Returns
    -------
    Interpolator
        The limit. Its multipliers ν satisfy :math:`\nabla q(w) - \nabla q(w_0) = X^\top\nu`, with
        the g that is 1 at the start.

    Raises
    ------
    ValueError
        If the problem is not one of interpolation or does not fit the start; if the metric is not
        warpable at the start or at the limit; or if Newton's method does not arrive.
    TypeError
        As `warpability`.

    See Also
    --------
    ibtools.trainers.metric_flow : the flow itself.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory import metric_limit
    >>> def innocent(w):
    ...     return np.eye(w.size) + np.outer(w, w)
    >>> limit = metric_limit(innocent, [[1.0, 2.0, 0.5]], [1.0], start=[0.5, 0.0, -0.5])
    >>> limit.w.round(6)
    array([ 0.61601 ,  0.291366, -0.397486])
    """
    start = vector("start", start)
    X, y = regression_problem(X, y, columns=start.size)
    constraints = interpolation_problem(X, y, quick=False)
    free = scipy.linalg.null_space(constraints.rows)
    anchor = constraints.rows.T @ constraints.target + free @ (free.T @ start)
    _require_warp(metric, start)

    def reach(step: Float[np.ndarray, " k"]) -> tuple[float, Float[np.ndarray, " d"]]:
        return _along(metric, start, anchor + free @ step)

    step = np.zeros(free.shape[1])
    gain, mirror = reach(step)
    error, iterations = np.inf, 0
    while iterations < _MAX_ITERATIONS:
        w = anchor + free @ step
        curvature = np.exp(gain) * (free.T @ metric(w) @ free)
        move = -np.linalg.solve(curvature, free.T @ mirror)
        size = max(float(np.linalg.norm(w)), float(np.linalg.norm(start))) or 1.0
        error = float(np.linalg.norm(move)) / size
        if error <= 1e-13:
            break
        iterations += 1
        length, slope = 1.0, -float(move @ free.T @ mirror)
        while True:
            ahead = reach(step + length * move)
            # q is convex: a step is short enough where its slope along the line has not turned up.
            if error <= 1e-6 or float(move @ free.T @ ahead[1]) <= 0.5 * slope or length < 1e-9:
                break
            length /= 2
        step, (gain, mirror) = step + length * move, ahead
        if error <= 1e-11:
            break
    w = anchor + free @ step
    error = max(error, constraints.conditioning * np.finfo(float).eps)
    if not error <= PROMISED:
        raise ValueError(
            f"metric must be positive definite all the way from start to the interpolators: after "
            f"{iterations} Newton steps the estimated error is {error:.1e}; start nearer"
        )
    _require_warp(metric, w)
    multipliers = np.linalg.lstsq(X.T, mirror, rcond=None)[0]
    return Interpolator(w, multipliers, error, iterations, True)


def _require_warp(metric: Metric, w: Float[np.ndarray, " d"]) -> None:
    obstruction = warpability(metric, w).obstruction
    if not obstruction <= _NOTHING:
        raise ValueError(
            f"metric must be warpable, got an obstruction of {obstruction:.2g} at w={w}: its flow "
            "minimizes no potential by any clock; follow it with metric_flow"
        )


def _candidate(
    value: Float[np.ndarray, "d d"], derivative: Float[np.ndarray, "d d d"]
) -> Float[np.ndarray, " d"]:
    """Return the only possible ∇log g, from H and its derivatives."""
    try:
        factor = scipy.linalg.cho_factor(value, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "metric(w) must be positive definite, got one that is not at a point that was asked "
            "for or lies between such; take points where the flow has a metric"
        ) from error
    tensor = derivative - derivative.swapaxes(1, 2)
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(value)), check_finite=False)
    return -np.einsum("ij,ijl->l", inverse, tensor) / (len(value) - 1)


def _along(
    metric: Metric, start: Float[np.ndarray, " d"], end: Float[np.ndarray, " d"]
) -> tuple[float, Float[np.ndarray, " d"]]:
    """Return log g at the end, relative to the start, and ∫gH dw along the straight line.

    By Gauss's rule with twice the nodes until nothing changes; log g at the nodes is the integral
    of the polynomial through its slopes there.
    """
    move = end - start
    if not move.any():
        return 0.0, np.zeros_like(start)
    metric_and_derivative(metric, end)
    before = now = scale = np.full(start.size + 1, np.inf)
    for count in (8, 16, 32, 64, 128):
        nodes, weights, running = _gauss(count)
        slopes, pulls = np.empty(count), np.empty((count, start.size))
        for i, share in enumerate(nodes):
            value, derivative = complex_step(metric, start + share * move)
            slopes[i] = _candidate(value, derivative) @ move
            pulls[i] = value @ move
        pull = weights @ (np.exp(running @ slopes)[:, None] * pulls)
        now = np.append(weights @ slopes, pull)
        scale = np.append(1.0, np.full(start.size, np.linalg.norm(pull)))
        if np.all(np.abs(now - before) <= 1e-12 * scale):
            return float(now[0]), now[1:]
        before = now
    raise ValueError(
        f"metric must be smooth on the straight line from {start} to {end}: its integral there "
        f"still moved by {np.max(np.abs(now - before) / scale):.1e} with {count} points; give "
        "points in between, or a start nearer to the interpolators"
    )


@cache
def _gauss(
    count: int,
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, "k k"]]:
    """Return nodes and weights on [0, 1], and the matrix that integrates from 0 to the nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    powers = np.polynomial.legendre.legvander(nodes, count - 1)
    integrals = np.stack(
        [
            np.polynomial.legendre.legval(nodes, np.polynomial.legendre.legint(row, lbnd=-1))
            for row in np.eye(count)
        ],
        axis=1,
    )
    return (nodes + 1) / 2, weights / 2, np.linalg.solve(powers.T, integrals.T).T / 2


def _differentiate(
    function: Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, "d d d"]],
    w: Float[np.ndarray, " d"],
) -> Float[np.ndarray, "d d d d"]:
    """Return the derivative along every axis, last index, by Ridders' extrapolation.

    Central differences of halved steps, extrapolated to step 0; for each axis the column of the
    tableau whose last two entries agree best.
    """
    unit = float(np.abs(w).max()) or 1.0
    columns = []
    for move in unit * np.eye(w.size):
        best, least, row = np.zeros(()), np.inf, list[np.ndarray]()
        for level in range(12):
            step = 0.1 / 2**level
            entry = (function(w + step * move) - function(w - step * move)) / (2 * step * unit)
            fresh = [entry]
            for order, before in enumerate(row, start=1):
                fresh.append(fresh[-1] + (fresh[-1] - before) / (4**order - 1))
                error = max(
                    float(np.abs(fresh[-1] - fresh[-2]).max()),
                    float(np.abs(fresh[-1] - before).max()),
                )
                if error <= least:
                    best, least = fresh[-1], error
            if level > 3 and least <= 1e-12 * float(np.abs(best).max()):
                break
            row = fresh
        columns.append(best)
    return np.stack(columns, axis=-1)
