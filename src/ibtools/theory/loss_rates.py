"""How fast the loss of a homogeneous network falls once its direction has converged."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import count, positive, vector

_MAX_ITERATIONS = 200


def loss_rate_constant(margin: float, order: int) -> float:
    r"""Return the limit of :math:`\mathcal L\,t\,(\log 1/\mathcal L)^{2-2/L}` along the flow.

    It is :math:`1/(L^2\bar\gamma^{2/L})`, where γ̄ is the normalized margin of the limit direction
    and L the order of homogeneity. Lyu and Li (2020) prove the order of magnitude, Θ; the constant
    is our own: with θ and −∇𝓛 aligned, :math:`\|\nabla\mathcal L\|\,\|\theta\| \simeq L\mathcal L
    \log(1/\mathcal L)` and :math:`\log(1/\mathcal L) \simeq \bar\gamma\|\theta\|^L`, so that

    .. math:: -\dot{\mathcal L} = \|\nabla\mathcal L\|^2 \simeq
        L^2\bar\gamma^{2/L}\mathcal L^2(\log 1/\mathcal L)^{2-2/L}.

    It holds for the exponential and the logistic loss, summed or averaged over the samples.

    Parameters
    ----------
    margin
        γ̄ > 0 of the limit direction.
    order
        L ≥ 1.

    Raises
    ------
    TypeError, ValueError
        If `margin` is not a finite number above 0 or `order` no integer of at least 1.

    Examples
    --------
    >>> from ibtools.theory import loss_rate_constant
    >>> loss_rate_constant(0.5, 1)  # a linear predictor: 1/γ²
    4.0
    """
    margin, order = positive("margin", margin), count("order", order)
    return float(margin ** (-2 / order) / order**2)


def predicted_log_loss(
    log_time: ArrayLike, *, margin: float, order: int
) -> Float[np.ndarray, " t"]:
    r"""Return log 𝓛 at each log t, as the rate predicts it.

    The v = log(1/𝓛) that solves :math:`v - (2-2/L)\log v = \log t + \log(L^2\bar\gamma^{2/L})`. The
    difference to the flow's own log 𝓛 tends to 0, like a power of 1/log t, and for L = 1 and
    support vectors in general position like a power of 1/t. It is all logarithms: any t will do.

    Parameters
    ----------
    log_time
        log t, (t,), late enough for the equation to have a solution on its branch v ≥ 2 − 2/L.
    margin
        γ̄ > 0 of the limit direction.
    order
        L ≥ 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range, or a time is too early for the prediction.

    Examples
    --------
    >>> from ibtools.theory import predicted_log_loss
    >>> predicted_log_loss([100.0], margin=1.0, order=1)
    array([-100.])
    >>> predicted_log_loss([100.0], margin=1.0, order=2).round(6)
    array([-106.050207])
    """
    times = vector("log_time", log_time)
    margin, order = positive("margin", margin), count("order", order)
    power = 2 - 2 / order
    target = times - np.log(loss_rate_constant(margin, order))
    least = power - power * np.log(power) if power > 0 else 0.0
    if np.any(target < least):
        raise ValueError(
            f"log_time must be at least {least + np.log(loss_rate_constant(margin, order)):.6g} "
            f"for this margin and order, got {times.min():g}; the prediction is asymptotic and "
            "says nothing about earlier times"
        )
    if power == 0:
        return -target
    # Convex and increasing on the branch: Newton from the right falls monotonically to the root.
    v = 2 * (target + 2 * power + 1)
    for _ in range(_MAX_ITERATIONS):
        excess = v - power * np.log(v) - target
        slope = 1 - power / v
        step = np.divide(excess, slope, out=np.zeros_like(v), where=slope > 0)
        v = np.maximum(v - step, power)
        if np.all(np.abs(step) <= 1e-15 * v):
            break
    return -v
