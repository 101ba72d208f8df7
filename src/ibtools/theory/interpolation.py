"""Problems of interpolation, Xw = y with more unknowns than equations, and their solutions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

# The relative error in w that is promised; a solution that misses it says so.
PROMISED = 1e-8


class AccuracyWarning(UserWarning):
    """A solution misses its promised accuracy; it is returned all the same."""


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Constraints:
    """The interpolators {w : Xw = y} as {w : Qw = target} with independent, orthonormal rows Q.

    Attributes
    ----------
    rows
        Q, (r, d), a basis of the row space of X; r is the rank of X.
    target
        Coordinates in that basis of every interpolator, (r,).
    conditioning
        Condition number of X on its row space, its rows scaled to about the same size.
    """

    rows: Float[np.ndarray, "r d"]
    target: Float[np.ndarray, " r"]
    conditioning: float
    _lift: Callable[[Float[np.ndarray, " r"]], Float[np.ndarray, " n"]]

    def multipliers(self, dual: Float[np.ndarray, " r"]) -> Float[np.ndarray, " n"]:
        """Return a ν, (n,), with Xᵀν = Qᵀ`dual`: the only one, or the least if rows depend."""
        return self._lift(dual)


def interpolation_problem(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], *, quick: bool = True
) -> Constraints:
    """Return the interpolators in an orthonormal basis of the row space; refuse if there are none.

    All that is solved here depends on X only through its row space and y only through the
    coordinates of an interpolator in it, so an ill-conditioned X costs accuracy once, at the
    triangular solve, and not in every Newton step. Rows may depend on each other, as those of a
    repeated sample do, and they may outnumber the columns: what counts is that y is in the range
    of X. With `quick`, Q may be orthonormal to eight digits only; Qw = target holds to rounding
    nevertheless.
    """
    found = _cholesky(X, y) if quick else None
    return found or _orthogonal(X, y)


def unit_rows(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return X and y with each row divided by a power of two, the size of its largest entry.

    They are the same constraints, and nothing is rounded; but which rows depend on each other can
    only be seen among rows of one size. The exponents of the powers are returned as well.
    """
    exponents = np.frexp(np.abs(X).max(axis=1))[1]
    return np.ldexp(X, -exponents[:, None]), np.ldexp(y, -exponents), exponents


def _orthogonal(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> Constraints:
    n, d = X.shape
    scaled, labels, exponents = unit_rows(X, y)
    negligible = max(n, d) * np.finfo(float).eps
    if n <= d:
        columns, triangle = scipy.linalg.qr(scaled.T, mode="economic", check_finite=False)
        singular = scipy.linalg.svdvals(triangle, check_finite=False)
        if singular[-1] > negligible * singular[0]:
            return Constraints(
                columns.T,
                scipy.linalg.solve_triangular(triangle, labels, trans="T"),
                float(singular[0] / singular[-1]),
                lambda dual: np.ldexp(scipy.linalg.solve_triangular(triangle, dual), -exponents),
            )
    left, singular, rows = scipy.linalg.svd(scaled, full_matrices=False, check_finite=False)
    rank = int(np.sum(singular > negligible * singular[0]))
    left, singular, rows = left[:, :rank], singular[:rank], rows[:rank]
    seen = labels @ left
    missed = labels - left @ seen
    size = float(np.linalg.norm(labels))
    if np.linalg.norm(missed) > PROMISED * size:
        raise ValueError(
            f"y must be in the range of X, got X of rank {rank} with {n} rows and a y that misses "
            f"its range by a relative {np.linalg.norm(missed) / size:.1e}, most at row "
            f"{int(np.abs(missed).argmax())}: no w has Xw = y, and the theorems speak of "
            "interpolation. Give rows that depend on each other labels that agree (repeated "
            "samples: their mean), or take what least squares can reach, "
            "y = X @ np.linalg.lstsq(X, y)[0]"
        )
    return Constraints(
        rows,
        seen / singular,
        float(singular[0] / singular[-1]) if rank else 1.0,
        lambda dual: np.ldexp(left @ (dual / singular), -exponents),
    )


def _cholesky(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> Constraints | None:
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
    solve = partial(scipy.linalg.solve_triangular, factor, lower=True, check_finite=False)
    return Constraints(solve(X), solve(y), 1 / reciprocal, lambda dual: solve(dual, trans="T"))
