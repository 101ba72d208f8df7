"""The row space of the data: what a linear predictor of them can be, and which rows count."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

# Below this many entries a decomposition costs nothing.
_LARGE = 10_000
# A squared condition number up to which squaring it costs less than two digits of sixteen.
_TAME = 50.0


class RowSpace(NamedTuple):
    """The singular value decomposition of data of rank k, X = U diag(σ) Q, without what is 0.

    Attributes
    ----------
    left
        U, (n, k): an orthonormal basis of what the columns of X can fit.
    singular
        σ > 0, falling, (k,).
    rows
        Q, (k, d): an orthonormal basis of the row space.
    """

    left: Float[np.ndarray, "n k"]
    singular: Float[np.ndarray, " k"]
    rows: Float[np.ndarray, "k d"]


def row_space(X: Float[np.ndarray, "n d"]) -> RowSpace:
    """Return the row space of data.

    A singular value counts as 0 below max(n, d)·ε·σ₁, with ε the rounding of floats: by so much the
    decomposition itself is uncertain. It is the rule of `numpy.linalg.matrix_rank`.

    Parameters
    ----------
    X
        The data, (n, d), finite.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models.row_space import row_space
    >>> found = row_space(np.array([[3.0, 4.0], [6.0, 8.0]]))
    >>> found.rows.shape, float(found.singular[0].round(6))
    ((1, 2), 11.18034)
    """
    left, singular, rows = _quick(X) or np.linalg.svd(X, full_matrices=False)
    kept = singular > singular[0] * max(X.shape) * np.finfo(float).eps
    return RowSpace(left[:, kept], singular[kept], rows[kept])


def basis_of_rows(X: Float[np.ndarray, "n d"]) -> RowSpace:
    """Return a row space whose basis Q need not be orthonormal, and U not either: X = U diag(σ) Q.

    Where the rows of X are nearly orthogonal, as those of a few random samples in many dimensions
    are, they are as good a basis as any, of which nothing need be computed.

    Parameters
    ----------
    X
        The data, (n, d), finite.
    """
    if X.shape[0] <= X.shape[1] and X.size >= _LARGE and (gram := _tame_gram(X)) is not None:
        factor, failed = scipy.linalg.lapack.dpotrf(gram, lower=1)
        norm = float(np.abs(gram).sum(axis=0).max())
        if not failed and scipy.linalg.lapack.dpocon(factor, norm, uplo="L")[0] > 1 / _TAME:
            size = float(np.sqrt(np.trace(gram) / len(X)))
            return RowSpace(np.eye(len(X)), np.full(len(X), size), X / size)
    return row_space(X)


def _tame_gram(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"] | None:
    """Return XXᵀ; None if it is not within the range of floats."""
    with np.errstate(over="ignore", invalid="ignore"):
        gram = X @ X.T
    size = float(np.trace(gram))
    return gram if np.finfo(float).tiny * 1e20 < size < np.inf else None


def _quick(
    X: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, " k"], Float[np.ndarray, "k d"]] | None:
    """Return the decomposition by that of XXᵀ, for a fifth of the time; None unless X is tame.

    The rows are then orthonormal to the rounding of XXᵀ times its condition number, and U diag(σ) Q
    is X to rounding nevertheless.
    """
    n, d = X.shape
    if n > d or X.size < _LARGE:
        return None
    gram = _tame_gram(X)
    if gram is None:
        return None
    squares, left = np.linalg.eigh(gram)
    if not squares[-1] < _TAME * squares[0]:
        return None
    singular, left = np.sqrt(squares[::-1]), np.ascontiguousarray(left[:, ::-1])
    return left, singular, (left / singular).T @ X
