"""Of how low rank a weight matrix is, and how far margins are from being equal."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.sparse.linalg import eigsh

from ibtools._validation import array, entries

# From this size on one eigenvalue by iteration is quicker than all of them.
_LARGE = 200


def stable_rank(W: ArrayLike) -> float:
    r"""Return the stable rank :math:`\|W\|_F^2/\|W\|_2^2` of a matrix.

    It is from 1, where W has rank one, to the rank of W, and moves little when W does.

    Parameters
    ----------
    W
        The matrix, (p, d), finite.

    Raises
    ------
    ValueError
        If `W` is no finite matrix, or zero: it then has no stable rank.

    See Also
    --------
    ibtools.theory.balanced_stable_rank : what it tends to for a two-layer leaky ReLU network.
    layer_alignment : how nearly the layers of a deep linear net have rank one.

    References
    ----------
    Rudelson and Vershynin (2007).

    Examples
    --------
    >>> from ibtools.metrics import stable_rank
    >>> stable_rank([[3.0, 0.0], [0.0, 4.0]])
    1.5625
    """
    W = array("W", W, ndim=2)
    largest = np.abs(W).max()
    if largest == 0:
        raise ValueError(
            f"W must not be zero, got zeros of shape {W.shape}; a zero matrix has no stable rank"
        )
    values = np.linalg.svd(W / largest, compute_uv=False)  # scaled: squares neither over- nor
    return float(np.sum((values / values[0]) ** 2))  # underflow


def stable_rank_gram(gram: Float[np.ndarray, "*batch p p"]) -> Float[np.ndarray, "*batch"]:
    r"""Return the stable rank of W from :math:`WW^\top`: its trace over its largest eigenvalue.

    Parameters
    ----------
    gram
        One matrix WWᵀ or many, (…, p, p): symmetric, positive semidefinite, finite.

    Returns
    -------
    Float[np.ndarray, "*batch"]
        The stable ranks, (…); NaN where `gram` is zero.

    Raises
    ------
    ValueError
        If `gram` has no square matrices as its last two axes, or is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.metrics.rank import stable_rank_gram
    >>> W = np.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    >>> float(stable_rank_gram(W @ W.T))
    1.5625
    """
    gram = entries("gram", gram)
    if gram.ndim < 2 or gram.shape[-1] != gram.shape[-2] or gram.size == 0:
        raise ValueError(
            f"gram must be a square matrix or a stack of them, got shape {gram.shape}; give W Wᵀ"
        )
    if not np.isfinite(gram).all():
        raise ValueError("gram must be finite, got NaN or infinity; give W Wᵀ of finite weights")
    trace = np.trace(gram, axis1=-2, axis2=-1)
    largest = _largest_eigenvalues(gram)
    with np.errstate(invalid="ignore"):
        # Rounding must not push the trace below the largest of the eigenvalues that it sums.
        ranks = np.maximum(trace, largest) / np.where(largest > 0, largest, np.nan)
    return np.asarray(ranks)


def _largest_eigenvalues(gram: Float[np.ndarray, "*batch p p"]) -> Float[np.ndarray, "*batch"]:
    size = gram.shape[-1]
    if size < _LARGE:
        return np.asarray(np.linalg.eigvalsh(gram)[..., -1])
    # Lanczos; the start is fixed, so that the same matrix always gives the same digits.
    start = np.random.default_rng(0).standard_normal(size)
    found = [
        float(eigsh(one, k=1, v0=start, return_eigenvectors=False)[0]) if one.any() else 0.0
        for one in gram.reshape(-1, size, size)
    ]
    return np.array(found).reshape(gram.shape[:-2])


def margin_spread(margins: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch"]:
    r"""Return how far margins are from being equal, :math:`(\max q - \min q)/\max|q|`.

    0 where all are equal, below 1 where all are positive, up to 2 where signs differ. It is the
    same for margins and for normalized margins.

    Parameters
    ----------
    margins
        The margins :math:`q_i = y_i f(x_i)` of one network or of many, (…, n), finite.

    Returns
    -------
    Float[np.ndarray, "*batch"]
        The spreads, (…); 0 where all margins are 0.

    Raises
    ------
    ValueError
        If `margins` is empty or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.metrics import margin_spread
    >>> float(margin_spread(np.array([3.0, 4.0, 5.0])))
    0.4
    """
    margins = entries("margins", margins)
    if margins.ndim == 0 or margins.size == 0:
        raise ValueError(
            f"margins must have at least one entry, got shape {margins.shape}; give one margin "
            "for each sample"
        )
    if not np.isfinite(margins).all():
        raise ValueError("margins must be finite, got NaN or infinity; remove or recompute them")
    largest = np.abs(margins).max(axis=-1)
    gap = margins.max(axis=-1) - margins.min(axis=-1)
    return np.asarray(gap / np.where(largest > 0, largest, 1.0))
