"""The row space of the data: what a linear predictor of them can be, and which rows count."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


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
    left, singular, rows = np.linalg.svd(X, full_matrices=False)
    kept = singular > singular[0] * max(X.shape) * np.finfo(float).eps
    return RowSpace(left[:, kept], singular[kept], rows[kept])
