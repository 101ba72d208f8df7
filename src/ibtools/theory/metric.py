"""When a metric tensor is the Hessian of a potential."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Inexact
from numpy.typing import ArrayLike

from ibtools._validation import function, vector

# A complex step subtracts nothing, so it may be small enough that its square is exactly 0.
_STEP = 1e-200
# A step in the reals, only to see whether H moves at all.
_TRIAL = 1e-4


def hessian_map_defect(
    metric: Callable[[Inexact[np.ndarray, " d"]], Inexact[np.ndarray, "d d"]], w: ArrayLike
) -> Float[np.ndarray, "d d d"]:
    r"""Return how far a metric tensor is from being a Hessian at one point.

    .. math:: T_{ijk} = \partial_k H_{ij} - \partial_j H_{ik}

    A metric H(w) on an open convex set is the Hessian of some potential if and only if it is
    symmetric and T vanishes everywhere (Gunasekar, Woodworth and Srebro 2021).

    The derivatives are exact to rounding: the imaginary part of H at a complex point
    (:math:`w + ihe_k`, with h so small that h² underflows) is h times the derivative along k.

    Parameters
    ----------
    metric
        H as an analytic function of w, (d,) → (d, d), made of operations that accept complex
        numbers: ``np.sqrt(k + 4 * w**2)``, not ``np.hypot`` or ``np.abs``.
    w
        The point, (d,), real.

    Returns
    -------
    Float[np.ndarray, "d d d"]
        T, antisymmetric in its last two indices; all zeros, up to rounding, for a Hessian.

    Raises
    ------
    ValueError
        If H(w) is not a finite symmetric (d, d) matrix.
    TypeError
        If H is not an analytic function of w, as far as its values show.

    See Also
    --------
    warpability : whether another clock makes it a Hessian.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory import hessian_map_defect
    >>> def innocent(w):
    ...     return np.eye(w.size) + np.outer(w, w)
    >>> hessian_map_defect(innocent, [1.0, 2.0])[0].round(12)
    array([[ 0., -2.],
           [ 2.,  0.]])
    """
    derivative = metric_and_derivative(metric, vector("w", w))[1]
    return derivative - derivative.swapaxes(1, 2)


def metric_and_derivative(
    metric: Callable[[Inexact[np.ndarray, " d"]], Inexact[np.ndarray, "d d"]],
    w: Float[np.ndarray, " d"],
) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d d"]]:
    """Return H(w) and its derivatives, entry (i, j, k) being ∂H_ij/∂w_k, exact to rounding."""
    function("metric", metric, of="w that returns the matrix H(w)")
    d = w.size
    value = np.asarray(metric(w))
    if value.shape != (d, d) or not np.isfinite(value).all():
        raise ValueError(
            f"metric(w) must be a finite matrix of shape {(d, d)}, got shape {value.shape}"
            f"{'' if value.shape != (d, d) else ' with entries that are not finite'}; "
            "return the tensor H, not its diagonal, at a point where it exists"
        )
    if not np.allclose(value, value.T, rtol=1e-9, atol=1e-12 * np.abs(value).max()):
        raise ValueError("metric(w) must be symmetric, got a matrix that is not; return H, not J")
    value, derivative = complex_step(metric, w)
    for k in range(d):
        # A dropped imaginary part leaves a derivative of exactly 0 where H does move.
        ahead = np.eye(d)[k] * _TRIAL * max(1.0, abs(w[k]))
        change = np.abs(np.asarray(metric(w + ahead)) - np.asarray(metric(w - ahead)))
        if np.any((derivative[:, :, k] == 0) & (change > _TRIAL**2 * np.abs(value).max())):
            raise TypeError(
                "metric must be analytic and return complex values at complex w: along entry "
                f"{k} of w it moves, yet an operation such as np.abs or .real dropped the "
                "imaginary part; replace it by an analytic one"
            )
    return value, derivative


def complex_step(
    metric: Callable[[Inexact[np.ndarray, " d"]], Inexact[np.ndarray, "d d"]],
    w: Float[np.ndarray, " d"],
) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d d"]]:
    """Return the same of a metric that was found acceptable, at another point."""
    derivative = np.empty((w.size, w.size, w.size))
    for k in range(w.size):
        point = w.astype(complex)
        point[k] += 1j * _STEP
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                shifted = np.asarray(metric(point))
        except (TypeError, np.exceptions.ComplexWarning) as error:
            raise TypeError(
                f"metric must accept complex w, got {error}; write it with analytic operations, "
                "np.sqrt(a**2 + b**2) in place of np.hypot(a, b)"
            ) from error
        derivative[:, :, k] = shifted.imag / _STEP
    return np.asarray(metric(w)).real, derivative
