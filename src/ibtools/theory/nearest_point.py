"""The shortest vector that satisfies linear inequalities, by non-negative least squares."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls


def nearest_weights(
    rows: Float[np.ndarray, "n d"], bounds: Float[np.ndarray, " n"], scale: float
) -> Float[np.ndarray, " n"]:
    r"""Return p ≥ 0 with ⟨b, p⟩ = 1 for which :math:`\sum_n p_n z_n` is shortest.

    By duality it is along the shortest v with :math:`\langle z_n, v\rangle \ge b_n`, and for b = 1
    it is the point of the rows' convex hull that is nearest to the origin. The least-squares
    problem :math:`\|c Z^\top\alpha\|^2 + (\langle b, \alpha\rangle - 1)^2` over α ≥ 0 has its
    solution along p for every c; it is best conditioned where 1/c is the distance that is sought.

    Parameters
    ----------
    rows
        The zⱼ, (n, d).
    bounds
        b, (n,), at least 0 and not all 0.
    scale
        A first c > 0.

    References
    ----------
    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems* (1974), ch. 23.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory.nearest_point import nearest_weights
    >>> nearest_weights(np.array([[3.0, 1.0], [1.0, 3.0]]), np.ones(2), 0.2).round(12)
    array([0.5, 0.5])
    """
    target = np.append(np.zeros(rows.shape[1]), 1.0)
    for _ in range(12):
        alpha = nnls(np.vstack([scale * rows.T, bounds]), target, maxiter=100 * len(rows))[0]
        weights = alpha / (bounds @ alpha)
        distance = float(np.linalg.norm(weights @ rows))
        # Below the last bound there is nothing to be sharpened: no v satisfies the inequalities.
        if not 1e-14 < scale * distance < 0.1:
            break
        scale = 1 / distance
    return weights


def on_support(
    rows: Float[np.ndarray, "n d"],
    bounds: Float[np.ndarray, " n"],
    support: Int[np.ndarray, " k"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " n"]]:
    """Return v and its multipliers once more, with equality on the support and zeros elsewhere.

    It goes by way of v, so that the condition number of the rows enters once and not squared.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory.nearest_point import on_support
    >>> v, multipliers = on_support(np.array([[2.0, 0.0], [0.0, 1.0]]), np.ones(2), np.array([0]))
    >>> v.round(12), multipliers.round(12)
    (array([0.5, 0. ]), array([0.25, 0.  ]))
    """
    v = np.linalg.lstsq(rows[support], bounds[support], rcond=None)[0]
    multipliers = np.zeros(len(rows))
    multipliers[support] = np.linalg.lstsq(rows[support].T, v, rcond=None)[0]
    return v, multipliers
