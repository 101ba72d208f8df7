"""How good a linear predictor is."""

import numpy as np
from numpy.typing import ArrayLike

from ibtools._validation import regression_problem, vector


def population_error(w: ArrayLike, truth: ArrayLike) -> float:
    r"""Return :math:`\|w - \beta^*\|^2`.

    For inputs x ~ N(0, I) it is the expected squared error of wᵀx beyond the label noise (Azulay et
    al. 2021).

    Parameters
    ----------
    w, truth
        Predictor and truth β*, each (d,).

    Raises
    ------
    ValueError
        If one is not finite or their lengths differ.

    Examples
    --------
    >>> from ibtools.metrics import population_error
    >>> population_error([1.0, 0.0], [0.0, 2.0])
    5.0
    """
    w = vector("w", w)
    return float(np.sum((w - vector("truth", truth, size=w.size)) ** 2))


def mean_squared_error(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> float:
    r"""Return :math:`\frac1n\|Xw - y\|^2`, for a test set.

    Parameters
    ----------
    w
        Predictor, (d,).
    X, y
        The test set: (n, d) and (n,).

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit.

    Examples
    --------
    >>> from ibtools.metrics import mean_squared_error
    >>> mean_squared_error([1.0], [[1.0], [2.0]], [1.0, 4.0])
    2.0
    """
    w = vector("w", w)
    X, y = regression_problem(X, y, columns=w.size)
    return float(np.mean((X @ w - y) ** 2))
