"""How nearly a point satisfies the Karush-Kuhn-Tucker conditions."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import real, regression_problem, sign_of, vector


class NeuronKKT(NamedTuple):
    """KKT residuals of a neuron's predictor.

    Attributes
    ----------
    stationarity
        Relative distance of the potential's gradient to the span of the constraints' Clarke
        subgradients, from 0 to 1.
    feasibility
        Relative distance of the outputs to the labels.
    multipliers
        The ν of the nearest combination, (n,), one for each sample.
    """

    stationarity: float
    feasibility: float
    multipliers: Float[np.ndarray, " n"]


def neuron_kkt(
    w: ArrayLike,
    gradient: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    *,
    slope: float = 1.0,
    sign: int = 1,
) -> NeuronKKT:
    r"""Return how nearly w̃ is a Clarke KKT point of min q(w̃) subject to f(xⱼ) = yⱼ.

    For a leaky neuron, :math:`f(x) = \sigma(\tilde w^\top x)` where a > 0 and
    :math:`-\sigma(-\tilde w^\top x)` where a < 0. A KKT point in the sense of Clarke is feasible
    and has

    .. math:: \nabla q(\tilde w) = \sum_n \nu_n h_n x_n, \qquad
        h_n \in \partial^\circ f = \begin{cases} \{\sigma'\} & \text{off the kink} \\
        [\rho, 1] & \text{on it.} \end{cases}

    As ρ > 0, the best :math:`\nu_n h_n` are the least-squares coefficients of ∇q in the rows of X;
    on a kink (a label 0) h = 1 is reported.

    Parameters
    ----------
    w
        The predictor w̃, (d,).
    gradient
        ∇q(w̃), (d,), of whatever potential is in question.
    X, y
        The problem: (n, d) and (n,), finite.
    slope
        ρ in (0, 1].
    sign
        Sign of the output weight, 1 or −1.

    Raises
    ------
    ValueError
        If the shapes do not fit, something is not finite, or `slope` or `sign` is out of range.

    References
    ----------
    Azulay et al. (2021), Theorem 4.

    Examples
    --------
    >>> from ibtools.metrics import neuron_kkt
    >>> kkt = neuron_kkt([0.0, -2.0], [0.0, 1.0], [[0.0, 1.0]], [-0.2], slope=0.1)
    >>> kkt.stationarity, round(kkt.feasibility, 12), kkt.multipliers
    (0.0, 0.0, array([10.]))
    """
    w = vector("w", w)
    gradient = vector("gradient", gradient, size=w.size)
    X, y = regression_problem(X, y, columns=w.size)
    slope = real("slope", slope)
    if not 0 < slope <= 1:
        raise ValueError(
            f"slope must be above 0 and at most 1, got {slope:g}; at 0 (ReLU) inactive samples "
            "have no multiplier and this is another problem"
        )
    sign_of("sign", sign)
    inputs = X @ w
    slopes = np.where(sign * inputs >= 0, 1.0, slope)
    coefficients = np.linalg.lstsq(X.T, gradient, rcond=None)[0]
    left = float(np.linalg.norm(gradient - coefficients @ X))
    missed = float(np.linalg.norm(slopes * inputs - y))
    return NeuronKKT(
        stationarity=_share(left, float(np.linalg.norm(gradient))),
        feasibility=_share(missed, float(np.linalg.norm(y))),
        multipliers=coefficients / slopes,
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else (0.0 if part == 0 else np.inf)
