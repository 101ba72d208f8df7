"""Regression problems whose truth is known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ibtools._validation import count, generator, real


class SparseRegression(NamedTuple):
    """A regression problem with its truth; unpacks as ``X, y, truth``."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    truth: Float[np.ndarray, " d"]


def sparse_regression(
    *,
    n: int,
    d: int,
    sparsity: int,
    noise_std: float = 0.1,
    seed: int | np.random.Generator,
) -> SparseRegression:
    r"""Draw a sparse linear regression problem.

    The law of Azulay et al. (2021), Figure 7.1: rows :math:`x_n \sim N(0, I_d)`; the truth
    :math:`\beta^*` has `sparsity` entries equal to :math:`1/\sqrt{\text{sparsity}}`, so that
    :math:`\|\beta^*\| = 1`, and zeros elsewhere; :math:`y = X\beta^* + \epsilon` with
    :math:`\epsilon_n \sim N(0, \text{noise\_std}^2)`. The non-zeros are the first entries, which
    loses nothing: the law of `X` does not change when columns are permuted.

    Parameters
    ----------
    n, d
        Samples and dimensions, at least 1.
    sparsity
        Number of non-zeros of the truth, from 1 to `d`.
    noise_std
        Standard deviation of the label noise, at least 0. The paper's variance of 0.01 is the
        default 0.1 here.
    seed
        An int, or a generator to draw from.

    Returns
    -------
    SparseRegression
        ``X`` of shape (n, d), ``y`` of shape (n,), ``truth`` of shape (d,).

    Raises
    ------
    ValueError
        If a count is below 1, `sparsity` exceeds `d`, or `noise_std` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.data import sparse_regression
    >>> X, y, truth = sparse_regression(n=100, d=1000, sparsity=5, noise_std=0.1, seed=0)
    >>> X.shape, y.shape, round(float(np.linalg.norm(truth)), 12)
    ((100, 1000), (100,), 1.0)
    """
    n, d, sparsity = count("n", n), count("d", d), count("sparsity", sparsity)
    if sparsity > d:
        raise ValueError(
            f"sparsity must be at most d={d}, got {sparsity}; a vector has no more non-zeros than "
            "entries: lower sparsity or raise d"
        )
    noise_std = real("noise_std", noise_std)
    if noise_std < 0:
        raise ValueError(
            f"noise_std must be at least 0, got {noise_std:g}; give a standard deviation"
        )
    random = generator(seed)
    X = random.standard_normal((n, d))
    truth = np.zeros(d)
    truth[:sparsity] = 1 / np.sqrt(sparsity)
    y = X @ truth + noise_std * random.standard_normal(n)
    return SparseRegression(X, y, truth)
