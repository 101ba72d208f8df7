"""Two opposed fans of points in the plane, on which the naive margin of a residual net falls."""

import numpy as np
from jaxtyping import Float

from ibtools._validation import count


def opposed_fans(d: int = 2) -> tuple[Float[np.ndarray, "10 d"], Float[np.ndarray, " 10"]]:
    r"""Return five points on an arc, labelled +1, and their shrunken opposites, labelled −1.

    The points are :math:`(1 - 0.08k)(\cos\varphi_k, \sin\varphi_k)` with
    :math:`\varphi_k = -0.9 + 0.45k`, k = 0, …, 4. The opposites are −0.9 times them, in reverse
    order. The largest norm is 1.

    Parameters
    ----------
    d
        Number of features, at least 2; the further ones are 0.

    Returns
    -------
    X, y
        Points (10, d) and labels (10,).

    Raises
    ------
    ValueError
        If `d` is less than 2.

    Examples
    --------
    >>> from ibtools.data import opposed_fans
    >>> X, y = opposed_fans()
    >>> X[2].round(6), X[7].round(6), y[[2, 7]]
    (array([0.84, 0.  ]), array([-0.756, -0.   ]), array([ 1., -1.]))
    """
    count("d", d, least=2)
    k = np.arange(5)
    angle = -0.9 + 0.45 * k
    fan = (1 - 0.08 * k)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    X = np.zeros((10, d))
    X[:5, :2] = fan
    X[5:, :2] = -0.9 * fan[::-1]
    return X, np.repeat([1.0, -1.0], 5)
