"""Margins of a net on its data, whatever the size of its parameters, in the log domain.

Losses are sums over samples, and only their logarithms are used: a loss of 10⁻¹⁰⁰⁰⁰ is ordinary.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import one_of, positive, real, records, vector

LOSSES = ("exponential", "logistic", "cross_entropy")

# log(1 + e^z) = e^z(1 − e^z/2 + …): below this z the series is exact to the last digit.
_TAIL = -18.0

Numbers = Float[np.ndarray, "*t"]


def loss_threshold(loss: str) -> float:
    r"""Return log ℓ(0), the log loss below which every sample is on its right side.

    Parameters
    ----------
    loss
        "exponential" (:math:`\ell(q)=e^{-q}`), "logistic" (:math:`\log(1+e^{-q})`) or
        "cross_entropy" (logistic of :math:`\tilde q_n=-\log\sum_{j\ne y_n}e^{-s_{nj}}`).

    Raises
    ------
    ValueError
        If there is no such loss.

    References
    ----------
    Lyu & Li (2020), assumption (B4).

    Examples
    --------
    >>> from ibtools.metrics import loss_threshold
    >>> loss_threshold("exponential"), round(loss_threshold("logistic"), 6)
    (0.0, -0.366513)
    """
    one_of("loss", loss, LOSSES)
    return 0.0 if loss == "exponential" else float(np.log(np.log(2.0)))


def inverse_loss(log_loss: ArrayLike | float, loss: str = "exponential") -> Numbers:
    r"""Return :math:`\ell^{-1}(\mathcal L)`, the margin at which one sample alone has this loss.

    Parameters
    ----------
    log_loss
        log 𝓛 of any shape; −10⁶ is as good as −1.
    loss
        One of "exponential", "logistic", "cross_entropy".

    Raises
    ------
    ValueError
        If there is no such loss.

    Examples
    --------
    >>> from ibtools.metrics import inverse_loss
    >>> inverse_loss([-3.0, -1e6], "logistic").round(6)
    array([2.975003e+00, 1.000000e+06])
    """
    one_of("loss", loss, LOSSES)
    v = records("log_loss", log_loss, nan=True)
    if loss == "exponential":
        return np.asarray(-v)
    value = np.exp(np.minimum(v, 700.0))
    inner = np.where(v < _TAIL, -v - value / 2, 0.0)
    middle = np.clip(v, _TAIL, 6.0)
    with np.errstate(over="ignore"):
        return np.where(
            v < _TAIL, inner, np.where(v > 6.0, -np.exp(v), -np.log(np.expm1(np.exp(middle))))
        )


def normalized_margin(
    minimum_margin: ArrayLike | float, norm: ArrayLike | float, order: float
) -> Numbers:
    r"""Return the normalized margin :math:`\bar\gamma = q_{\min}/\rho^L`.

    Parameters
    ----------
    minimum_margin
        q_min = min yⱼΦ(θ; xⱼ), of any shape.
    norm
        ρ = ‖θ‖, of the same shape, above 0.
    order
        L, above 0.

    Raises
    ------
    ValueError
        If the order or a norm is not positive, or the shapes differ.

    See Also
    --------
    smoothed_margin : what gradient flow never lowers.
    layer_product_margin : over the product of the layers' norms.
    ibtools.theory.max_margin : the largest there is, for a linear predictor.

    References
    ----------
    Lyu & Li (2020).

    Examples
    --------
    >>> from ibtools.metrics import normalized_margin
    >>> normalized_margin([8.0], [2.0], order=3)
    array([1.])
    """
    q = records("minimum_margin", minimum_margin, nan=True)
    return _over_power(q, norm, order)


def smoothed_margin(
    log_loss: ArrayLike | float,
    norm: ArrayLike | float,
    order: float,
    loss: str = "exponential",
) -> Numbers:
    r"""Return the smoothed margin :math:`\tilde\gamma = \ell^{-1}(\mathcal L)/\rho^L`.

    Gradient flow never lowers it once 𝓛 < ℓ(0). For the exponential loss
    :math:`\bar\gamma - \rho^{-L}\log n \le \tilde\gamma \le \bar\gamma`.

    Parameters
    ----------
    log_loss
        log 𝓛, 𝓛 the sum over samples, of any shape.
    norm
        ρ = ‖θ‖, of the same shape, above 0.
    order
        L, above 0.
    loss
        One of "exponential", "logistic", "cross_entropy".

    Raises
    ------
    ValueError
        If the order or a norm is not positive, the shapes differ, or there is no such loss.

    See Also
    --------
    normalized_margin : with the least margin itself.
    modified_margin : for a net that is only nearly homogeneous.
    modified_descent_margin : what gradient descent never lowers.

    References
    ----------
    Lyu & Li (2020), Theorem on the smoothed margin.

    Examples
    --------
    >>> from ibtools.metrics import smoothed_margin
    >>> smoothed_margin([-8000.0], [20.0], order=3)
    array([1.])
    """
    psi = inverse_loss(log_loss, loss)
    return _over_power(psi, norm, order)


def modified_descent_margin(
    log_loss: ArrayLike | float,
    norm: ArrayLike | float,
    order: float,
    *,
    initial_log_loss: float,
) -> Numbers:
    r"""Return Lyu and Li's modified margin :math:`\hat\gamma=e^{\varphi(\mathcal L)}/\rho^L`.

    Gradient descent on a smooth net with the exponential loss never lowers it while its steps obey
    their step condition. In closed form, with :math:`v=\log(1/\mathcal L)` and :math:`v_0\ge 2` its
    value at the start,

    .. math:: \hat\gamma = \frac{v}{\rho^L}\exp\Bigl(-v_0\Bigl(\frac1v+\frac1{2Lv^2}\Bigr)\Bigr).

    Parameters
    ----------
    log_loss
        log 𝓛 = −v, of any shape, below 0.
    norm
        ρ = ‖θ‖, of the same shape, above 0.
    order
        L, above 0.
    initial_log_loss
        −v₀, at most −2.

    Raises
    ------
    ValueError
        If the order or a norm is not positive, a log loss not negative, v₀ < 2, or shapes differ.

    References
    ----------
    Lyu & Li (2020), gradient descent; the closed form is this book's.

    Examples
    --------
    >>> from ibtools.metrics import modified_descent_margin
    >>> modified_descent_margin([-1e9], [1e3], order=3, initial_log_loss=-2.0).round(6)
    array([1.])
    """
    order, initial_log_loss = positive("order", order), real("initial_log_loss", initial_log_loss)
    if not initial_log_loss <= -2:
        raise ValueError(
            f"initial_log_loss must be at most -2, got {initial_log_loss:g}; the theorem starts "
            "when the loss is below exp(-2)"
        )
    v = np.asarray(-records("log_loss", log_loss, nan=True))
    if not np.all(v > 0):
        raise ValueError(
            f"log_loss must be below 0, got {-v.min():g}; the theorem starts when the loss is "
            "below exp(-2)"
        )
    v0 = -initial_log_loss
    with np.errstate(over="ignore", divide="ignore"):  # next to a loss of 1 the margin is 0
        shrunk = np.exp(-v0 * (1 / v + 1 / (2 * order * v * v)))
    return np.asarray(_over_power(v, norm, order) * shrunk)


def layer_product_margin(
    minimum_margin: ArrayLike | float,
    layer_norms: Float[np.ndarray, "*t k"],
    exponents: Sequence[float],
) -> Numbers:
    r"""Return the margin over the product of layer norms, :math:`q_{\min}/\prod_i\|w_i\|^{k_i}`.

    Parameters
    ----------
    minimum_margin
        q_min, of any shape.
    layer_norms
        ‖wᵢ‖ of each layer, (…, k), above 0.
    exponents
        kᵢ, the order of the output in each layer by itself.

    Raises
    ------
    ValueError
        If the sizes do not fit or a norm is not positive.

    References
    ----------
    Lyu & Li (2020), multi-homogeneous nets.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.metrics import layer_product_margin
    >>> layer_product_margin([12.0], np.array([[2.0, 3.0]]), [1, 1])
    array([2.])
    """
    norms = records("layer_norms", layer_norms, nan=True)
    k = vector("exponents", exponents)
    if norms.shape[-1:] != k.shape:
        raise ValueError(
            f"layer_norms must have one column for each of {k.size} exponents, got "
            f"{norms.shape}; give one exponent for each layer, in the same order"
        )
    if not np.all(norms > 0):
        raise ValueError(
            f"layer_norms must be above 0, got {norms.min():g}; leave out layers that are zero"
        )
    powers = np.asarray(np.prod(norms**k, axis=-1))
    q = records("minimum_margin", minimum_margin, nan=True)
    if q.shape != powers.shape:
        raise ValueError(
            f"minimum_margin must have one entry for each row of layer_norms {norms.shape}, got "
            f"shape {q.shape}; take both from the same records"
        )
    return np.asarray(q / powers)


def _over_power(value: Numbers, norm: ArrayLike | float, order: float) -> Numbers:
    """Return value/ρ^L."""
    order = positive("order", order)
    rho = records("norm", norm, nan=True)
    if rho.shape != value.shape:
        raise ValueError(
            f"norm must have one entry for each margin or loss, {value.shape}, got {rho.shape}; "
            "take both from the same records"
        )
    if np.any(rho <= 0):
        raise ValueError(
            f"norm must be above 0, got {np.nanmin(rho):g}; at zero parameters there is no margin"
        )
    with np.errstate(over="ignore"):
        power = rho ** float(order)
    # Descent on log 𝓛 can run away to norms whose power is no float, while the margin is one.
    half = rho ** (order / 2)
    return np.where(np.isinf(power), value / half / half, value / power)
