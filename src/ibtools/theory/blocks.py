"""Networks that are homogeneous in each block of their parameters, and one that ends on kinks."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import positive, records, vector


def block_norms(
    norm: ArrayLike | float, *, initial: ArrayLike, exponents: Sequence[float]
) -> Float[np.ndarray, "*t k"]:
    r"""Return the norms of all blocks when that of all parameters is ρ.

    Along gradient flow :math:`\|w_i\|^2/k_i` grows equally in all blocks, so that
    :math:`\|w_i\|^2=\|w_i(0)\|^2+\frac{k_i}L(\rho^2-\rho_0^2)` with :math:`L=\sum k_i`.

    Parameters
    ----------
    norm
        ρ, at least the initial one, of any shape.
    initial
        The norms of the blocks at the start, (k,).
    exponents
        k_i > 0, the power with which each block's factor comes out.

    Returns
    -------
    Float[numpy.ndarray, "*t k"]
        A last axis of blocks beside the axes of `norm`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, out of range or of a wrong length.

    References
    ----------
    Du, Hu & Lee (2018), balancedness; Lyu & Li (2020), multi-homogeneous networks.

    Examples
    --------
    >>> from ibtools.theory import block_norms
    >>> block_norms([5.0, 13.0], initial=[3.0, 4.0], exponents=[1, 1]).round(4)
    array([[3.    , 4.    ],
           [9.    , 9.3808]])
    """
    rho = records("norm", norm)
    start = vector("initial", initial)
    k = vector("exponents", exponents, size=start.size)
    if not np.all(k > 0):
        raise ValueError(f"exponents must be above 0, got {k.min():g}; leave constant blocks out")
    grown = rho**2 - float(start @ start)
    if not np.all(grown >= -1e-9 * float(start @ start)):
        raise ValueError(
            f"norm must be at least that of initial, {float(np.linalg.norm(start)):g}, got "
            f"{rho.min():g}; give both of one run"
        )
    return np.sqrt(start**2 + grown[..., None] * k / k.sum())


def block_margin_ratio(exponents: Sequence[float]) -> float:
    r"""Return the least value of :math:`\rho^L/\prod\|w_i\|^{k_i}`, to which it tends.

    It is :math:`\prod(L/k_i)^{k_i/2}`, by the inequality of the means: what the margin over the
    product of norms is larger by than that over the power of the norm.

    Parameters
    ----------
    exponents
        k_i > 0.

    Raises
    ------
    TypeError, ValueError
        If one of them is not a finite number above 0.

    References
    ----------
    This book.

    Examples
    --------
    >>> from ibtools.theory import block_margin_ratio
    >>> round(block_margin_ratio([1, 1, 1]), 12) == round(3**1.5, 12)
    True
    """
    k = vector("exponents", exponents)
    if not np.all(k > 0):
        raise ValueError(f"exponents must be above 0, got {k.min():g}; leave constant blocks out")
    return float(np.prod((k.sum() / k) ** (k / 2)))


class KinkLimit(NamedTuple):
    r"""Where two ReLU neurons end that slide along each other's sample.

    Attributes
    ----------
    slope
        Share of Clarke's interval [0, 1] that the flow uses on the kink, cos φ.
    margin
        Normalized margin of the limit, sin φ/4.
    """

    slope: float
    margin: float


def kink_limit(angle: float) -> KinkLimit:
    r"""Return the limit of two ReLU neurons on two unit samples of opposite labels.

    :math:`\Phi=a_1\max(w_1^\top x,0)+a_2\max(w_2^\top x,0)` on :math:`x_1` (label 1) and
    :math:`x_2` (label −1), which make the angle φ, from a start that exchanges with the samples.
    Each neuron is driven onto the kink of the other's sample and slides along it.

    Parameters
    ----------
    angle
        0 < φ < π/2, in radians.

    Raises
    ------
    TypeError, ValueError
        If `angle` is not in that range: from π/2 on the samples do not disturb each other.

    References
    ----------
    This book.

    Examples
    --------
    >>> import math
    >>> from ibtools.theory import kink_limit
    >>> limit = kink_limit(math.pi / 3)
    >>> round(limit.slope, 12), round(4 * limit.margin, 6)
    (0.5, 0.866025)
    """
    angle = positive("angle", angle)
    if angle >= math.pi / 2:
        raise ValueError(
            f"angle must be below π/2, got {angle:g}; from there on each neuron is inactive on the "
            "other's sample, and the samples separate without kinks"
        )
    return KinkLimit(math.cos(angle), math.sin(angle) / 4)
