"""How good a linear predictor is, and how far apart two paths are."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import array, regression_problem, vector


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
    >>> population_error([1.0, 0.0], [0.0, 2.0])
    5.0
    """
    w = vector("w", w)
    return float(np.sum((w - vector("truth", truth, size=w.size)) ** 2))


def training_loss(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> float:
    r"""Return :math:`L = \frac12\|Xw - y\|^2`, the sum over samples and not their mean.

    Parameters
    ----------
    w
        Predictor, (d,).
    X, y
        The problem: (n, d) and (n,).

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit.

    Examples
    --------
    >>> training_loss([1.0, 0.0], [[1.0, 5.0]], [3.0])
    2.0
    """
    w = vector("w", w)
    X, y = regression_problem(X, y, columns=w.size)
    return float(0.5 * np.sum((X @ w - y) ** 2))


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
    >>> mean_squared_error([1.0], [[1.0], [2.0]], [1.0, 4.0])
    2.0
    """
    w = vector("w", w)
    X, y = regression_problem(X, y, columns=w.size)
    return float(np.mean((X @ w - y) ** 2))


def excess_l1_norm(w: ArrayLike, reference: ArrayLike) -> float:
    r"""Return :math:`\|w\|_1 / \|\text{reference}\|_1 - 1`.

    With the least-ℓ₁ interpolator as the reference it is at least 0 for every interpolator, and 0
    for a minimizer only.

    Parameters
    ----------
    w, reference
        Each (d,); the reference is not all zeros.

    Raises
    ------
    ValueError
        If one is not finite, their lengths differ, or the reference is zero.

    Examples
    --------
    >>> excess_l1_norm([1.0, -2.0], [2.0, 0.0])
    0.5
    """
    w = vector("w", w)
    size = np.abs(vector("reference", reference, size=w.size)).sum()
    if size == 0:
        raise ValueError("reference must not be all zeros: an excess over 0 has no scale; y = 0?")
    return float(np.abs(w).sum() / size - 1)


def support_recovery(w: ArrayLike, truth: ArrayLike) -> float:
    """Return the share of the truth's non-zeros that are among as many largest entries of |w|.

    No threshold is involved: with `s` non-zeros in the truth, the `s` largest |w| are its guess.

    Parameters
    ----------
    w, truth
        Each (d,); the truth is not all zeros.

    Returns
    -------
    float
        From 0 (none found) to 1 (all found).

    Raises
    ------
    ValueError
        If one is not finite, their lengths differ, or the truth is zero.

    Examples
    --------
    >>> support_recovery([0.9, 0.1, -0.8, 0.0], [1.0, 1.0, 0.0, 0.0])
    0.5
    """
    w = vector("w", w)
    support = np.flatnonzero(vector("truth", truth, size=w.size))
    if support.size == 0:
        raise ValueError("truth must not be all zeros: it has no support to recover")
    guess = np.argsort(-np.abs(w), kind="stable")[: support.size]
    return float(np.isin(support, guess).mean())


def path_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Hausdorff distance of two paths, whatever their clocks.

    Each path is the polygon through its records. The distance is the largest one from a record of
    either path to the other polygon, so it does not see *when* a point is reached; records too far
    apart show as the gap between chord and arc.

    Parameters
    ----------
    first, second
        Records in order, (t, d) and (t', d).

    Raises
    ------
    ValueError
        If one is not finite or their dimensions differ.

    Examples
    --------
    >>> path_distance([[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.5, 0.0], [2.0, 0.1]])
    0.1
    """
    one, other = array("first", first, ndim=2), array("second", second, ndim=2)
    if one.shape[1] != other.shape[1]:
        raise ValueError(
            f"first and second must have the same dimension, got shapes {one.shape} and "
            f"{other.shape}; each row is a point of the path"
        )
    return max(_farthest(one, other), _farthest(other, one))


def _farthest(points: Float[np.ndarray, "t d"], polygon: Float[np.ndarray, "s d"]) -> float:
    starts, chords = polygon[:-1], np.diff(polygon, axis=0)
    if len(chords) == 0:
        starts, chords = polygon, np.zeros_like(polygon)
    lengths = np.sum(chords**2, axis=1)
    lengths[lengths == 0] = 1.0
    farthest = 0.0
    for point in points:
        away = point - starts
        along = np.clip(np.sum(away * chords, axis=1) / lengths, 0, 1)
        farthest = max(farthest, float(np.sum((away - along[:, None] * chords) ** 2, axis=1).min()))
    return float(np.sqrt(farthest))
