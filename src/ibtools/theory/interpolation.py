"""Problems of interpolation, Xw = y with more unknowns than equations, and their solutions."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float

# The relative error in w that is promised; a solution that misses it says so.
PROMISED = 1e-8


class AccuracyWarning(UserWarning):
    """A solution misses its promised accuracy; it is returned all the same."""


@dataclass(frozen=True)
class Interpolator:
    """A minimizer over the interpolators {w : Xw = y}, with what certifies it.

    Attributes
    ----------
    w
        The minimizer, (d,).
    multipliers
        ν of the constraints, (n,): the gradient of the minimized function at `w` is Xᵀν.
    error_estimate
        Estimated relative error of `w`: the next Newton step, or what the conditioning of X allows.
    iterations
        Newton steps taken.
    converged
        Whether `error_estimate` is at most 1e-8.
    """

    w: Float[np.ndarray, " d"]
    multipliers: Float[np.ndarray, " n"]
    error_estimate: float
    iterations: int
    converged: bool


def interpolation_problem(
    X: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n d"], float]:
    """Return X = LQ with orthonormal rows Q, and the condition number; refuse if not full rank.

    All that is solved here depends on X only through its row space and y only through L⁻¹y, so an
    ill-conditioned X costs accuracy once, at the triangular solve, and not in every Newton step.
    """
    n, d = X.shape
    if n >= d:
        raise ValueError(
            f"X must have fewer rows than columns, got {n} rows and {d} columns; the theorem says "
            "which interpolator is found among many, and here there is one at most: drop samples, "
            "add features, or use least squares"
        )
    quick = _cholesky(X)
    if quick is not None:
        return quick
    columns, triangle = scipy.linalg.qr(X.T, mode="economic", check_finite=False)
    singular = scipy.linalg.svdvals(triangle, check_finite=False)
    if singular[-1] <= singular[0] * d * np.finfo(float).eps:
        raise ValueError(
            f"X must have full row rank, got rank "
            f"{int(np.sum(singular > singular[0] * d * np.finfo(float).eps))} for {n} rows; the "
            "theorem speaks of interpolation, and dependent rows allow it for special y only: "
            "remove duplicate or dependent rows"
        )
    return triangle.T, columns.T, float(singular[0] / singular[-1])


def _cholesky(
    X: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n d"], float] | None:
    """Return X = LQ by a Cholesky factor of XXᵀ, for a fifth of the time; None unless X is tame.

    XXᵀ squares the condition number, so Q is orthonormal to eight digits or more, which makes it a
    good basis; and X = LQ still holds to rounding, which is what the answer depends on.
    """
    try:
        factor = scipy.linalg.cholesky(X @ X.T, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    reciprocal = float(scipy.linalg.lapack.dtrcon(factor, uplo="L")[0])
    if reciprocal < 1e-4:
        return None
    rows = scipy.linalg.solve_triangular(factor, X, lower=True, check_finite=False)
    return factor, rows, 1 / reciprocal
