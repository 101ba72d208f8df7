"""Losses with exponential tails: what the theorems on margins need to know of each of them."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import lambertw

from ibtools._validation import array, count, one_of, positive, real, records

TAILS = ("exponential", "logistic", "cross_entropy", "cubic")

Numbers = Float[np.ndarray, "*t"]

# Beyond this u, e^-u is below the last digit of 1 in everything that is formed of it here.
_FAR = 40.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)
_REACH = 50.0


def tail_inverse(u: ArrayLike | float, loss: str = "exponential") -> Numbers:
    r"""Return :math:`g(u)`, the margin at which a single sample has the loss :math:`e^{-u}`.

    ================ ================================= ============================
    loss             :math:`\ell(q)`                   :math:`g(u)`
    ================ ================================= ============================
    exponential      :math:`e^{-q}`                    :math:`u`
    logistic         :math:`\log(1+e^{-q})`            :math:`-\log(e^{e^{-u}}-1)`
    cross_entropy    the same, of :math:`\tilde q_j`   the same
    cubic            :math:`e^{-q^3}`                  :math:`u^{1/3}`
    ================ ================================= ============================

    Parameters
    ----------
    u
        log(1/𝓛), of any shape.
    loss
        One of the table.

    Returns
    -------
    Float[numpy.ndarray, "*t"]
        Of the shape of `u`.

    Raises
    ------
    ValueError
        If something is NaN, or there is no such loss.

    See Also
    --------
    ibtools.metrics.inverse_loss : the same of a measured loss, for the first three.

    References
    ----------
    Lyu & Li (2020), assumption on the loss.

    Examples
    --------
    >>> from ibtools.theory import tail_inverse
    >>> tail_inverse([8.0], "cubic")
    array([2.])
    """
    u, loss = records("u", u), one_of("loss", loss, TAILS)
    if loss == "exponential":
        return u
    if loss == "cubic":
        return np.cbrt(u)
    small = np.exp(-u)
    near = -np.log(np.expm1(np.where(u < _FAR, small, 1.0)))
    return np.where(u < _FAR, near, u - small / 2)


def tail_growth(u: ArrayLike | float, loss: str = "exponential") -> Numbers:
    r"""Return :math:`h(u)=f'(g(u))\,g(u)`, the least that a loss of :math:`e^{-u}` makes ρ grow.

    With :math:`\ell=e^{-f}`, :math:`\frac{d}{dt}\frac12\rho^2\ge L\,\mathcal L\,h(u)` along
    gradient flow; h is u, 3u for the cubic loss, and approaches u for the logistic one.

    Parameters
    ----------
    u
        log(1/𝓛) > log(1/ℓ(0)), of any shape.
    loss
        "exponential", "logistic", "cross_entropy" or "cubic", e^(−q³).

    Returns
    -------
    Float[numpy.ndarray, "*t"]
        Of the shape of `u`.

    Raises
    ------
    ValueError
        If something is NaN, or there is no such loss.

    References
    ----------
    Lyu & Li (2020), g and g' in their general theorem: h = g/g'.

    Examples
    --------
    >>> from ibtools.theory import tail_growth
    >>> tail_growth([2.0, 5.0], "cubic")
    array([ 6., 15.])
    """
    u, loss = records("u", u), one_of("loss", loss, TAILS)
    if loss == "exponential":
        return u
    if loss == "cubic":
        return 3 * u
    # f′(g) = (1 − e^(−ℓ))/ℓ at ℓ = e^(−u).
    small = np.exp(-u)
    slope = np.where(u < _FAR, -np.expm1(-small) / np.where(small > 0, small, 1.0), 1 - small / 2)
    return np.asarray(slope * tail_inverse(u, loss))


def growth_cap(loss: str = "exponential", *, classes: int = 2) -> float:
    r"""Return the largest value of :math:`-\ell'(q)\,q`, the most a sample makes the norm grow.

    :math:`\frac{d}{dt}\frac12\rho^2=L\nu` with :math:`\nu` at most n times this: 1/e, 3/e for the
    cubic loss, and W((k−1)/e) for k classes, W being Lambert's function.

    Parameters
    ----------
    loss
        "exponential", "logistic", "cross_entropy" or "cubic", e^(−q³).
    classes
        k ≥ 2, for cross-entropy; the logistic loss is that of two classes.

    Raises
    ------
    TypeError, ValueError
        If `classes` is not an integer of at least 2, or there is no such loss.

    References
    ----------
    This book.

    Examples
    --------
    >>> from ibtools.theory import growth_cap
    >>> round(growth_cap("logistic"), 6)
    0.278465
    """
    loss, classes = one_of("loss", loss, TAILS), count("classes", classes, least=2)
    if loss == "exponential":
        return float(np.exp(-1))
    if loss == "cubic":
        return float(3 * np.exp(-1))
    others = classes - 1 if loss == "cross_entropy" else 1
    return float(lambertw(others / np.e).real)


def norm_bound(
    time: ArrayLike | float,
    *,
    order: float,
    n: int,
    initial_norm: float,
    loss: str = "exponential",
    classes: int = 2,
) -> Numbers:
    r"""Return the largest norm that gradient flow can have reached at a time.

    :math:`\sqrt{\rho_0^2+2Lnct}` with c from `growth_cap`: whatever the network and the data, the
    flow of a homogeneous network exists for all times.

    Parameters
    ----------
    time
        t ≥ 0, of any shape.
    order
        L > 0.
    n
        The number of samples, at least 1.
    initial_norm
        ρ₀ > 0.
    loss, classes
        As in `growth_cap`.

    Returns
    -------
    Float[numpy.ndarray, "*t"]
        Of the shape of `time`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range.

    References
    ----------
    This book.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory import norm_bound
    >>> norm_bound([0.0, np.e * 4], order=2, n=2, initial_norm=2.0)
    array([2., 6.])
    """
    t = records("time", time)
    if np.any(t < 0):
        raise ValueError(f"time must be at least 0, got {t.min():g}; count it from the start")
    order, rho = positive("order", order), positive("initial_norm", initial_norm)
    most = count("n", n) * growth_cap(loss, classes=classes)
    return np.sqrt(rho**2 + 2 * order * most * t)


def margin_bracket(
    log_loss: ArrayLike | float, *, n: int, loss: str = "exponential", classes: int = 2
) -> tuple[Numbers, Numbers]:
    r"""Return the least and the largest least margin that n samples can have at a loss.

    :math:`g(u)\le q_{\min}\le g(u+\log n)`, and for cross-entropy log(k−1) more: on the left for
    one sample (and two classes), on the right for equal margins.

    Parameters
    ----------
    log_loss
        log 𝓛, of the sum over the samples, of any shape.
    n
        The number of samples, at least 1.
    loss
        "exponential", "logistic", "cross_entropy" or "cubic", e^(−q³).
    classes
        k ≥ 2, for cross-entropy.

    Returns
    -------
    tuple of Float[numpy.ndarray, "*t"]
        Both of the shape of `log_loss`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range.

    References
    ----------
    Lyu & Li (2020), smoothed and normalized margin.

    Examples
    --------
    >>> from ibtools.theory import margin_bracket
    >>> low, high = margin_bracket([-8.0], n=20, loss="cubic")
    >>> low, high.round(6)
    (array([2.]), array([2.223692]))
    """
    one_of("loss", loss, TAILS)
    u = -records("log_loss", log_loss)
    more = np.log(count("n", n))
    k = count("classes", classes, least=2)
    others = k - 1 if loss == "cross_entropy" else 1
    return tail_inverse(u, loss), np.asarray(tail_inverse(u + more, loss) + np.log(others))


def log_time_bracket(
    log_loss: ArrayLike,
    *,
    order: float,
    initial_log_loss: float,
    initial_smoothed_margin: float,
    gradient_bound: float,
    loss: str = "exponential",
    share: float = 0.0,
) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    r"""Return log t, the earliest and the latest at which a loss can be reached.

    Along gradient flow that begins with :math:`u_0=\log(1/\mathcal L_0)`, 𝓛₀ < ℓ(0),

    .. math:: L^2\tilde\gamma_0^{2/L}\,t \le \int_{u_0}^u\frac{e^v g(v)^{2/L}}{h(v)^2}\,dv,
        \qquad \int_{u_0}^u\frac{e^v}{g(v)^{2-2/L}}\,dv \le B_1^2\tilde\gamma_0^{-2+2/L}\,t.

    Gradient descent with steps of at most the share s of those that its theorem allows has the same
    in :math:`T=\sum\eta`, with :math:`\tilde\gamma_0e^{-s(1+1/2u_0)}` for γ̃₀, a factor 1 − s/2 on
    the left of the first and :math:`e^{s\sqrt e}` on the right of the second.

    Parameters
    ----------
    log_loss
        log 𝓛 below `initial_log_loss`, (t,).
    order
        L ≥ 1.
    initial_log_loss
        log 𝓛₀ < log ℓ(0).
    initial_smoothed_margin
        γ̃₀ > 0.
    gradient_bound
        B₁, the largest norm of a margin's gradient on the unit sphere, for instance from
        `deep_linear_bounds`.
    loss
        "exponential", "logistic" or "cross_entropy".
    share
        s in [0, 1]; 0 is the flow. Above 0 for the exponential loss and log 𝓛₀ ≤ −2 only.

    Returns
    -------
    tuple of Float[numpy.ndarray, " t"]
        The earliest and the latest log t.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range.

    See Also
    --------
    loss_rate_constant : the limit of both, when the direction has converged.

    References
    ----------
    Lyu & Li (2020), rates up to constants; the constants: this book.

    Examples
    --------
    One sample of norm 2 and a linear predictor along it: 1/𝓛 grows by 4t, exactly.

    >>> import numpy as np
    >>> from ibtools.theory import log_time_bracket
    >>> early, late = log_time_bracket(
    ...     [-3.0], order=1, initial_log_loss=-1.0, initial_smoothed_margin=2.0, gradient_bound=2.0
    ... )
    >>> np.exp([early[0], late[0]]).round(6)
    array([4.341814, 4.341814])
    """
    one_of("loss", loss, TAILS[:3])
    u, start = (
        -array("log_loss", log_loss, ndim=1),
        -real("initial_log_loss", initial_log_loss),
    )
    L, B = _order(order), positive("gradient_bound", gradient_bound)
    margin, s = (
        positive("initial_smoothed_margin", initial_smoothed_margin),
        real("share", share),
    )
    least = 0.0 if loss == "exponential" else float(-np.log(np.log(2)))
    if not start > least:
        raise ValueError(
            f"initial_log_loss must be below {-least:.6g}, got {-start:g}; the theorem begins "
            "where the loss proves that every sample is right: train longer before it"
        )
    if not np.all(u > start):
        raise ValueError(
            f"log_loss must be below initial_log_loss={-start:g}, got {-u.min():g}; leave out what "
            "comes before the start"
        )
    if not 0 <= s <= 1 or (s > 0 and (loss != "exponential" or start < 2)):
        raise ValueError(
            f"share must be 0, or at most 1 with the exponential loss and log 𝓛₀ ≤ −2, got {s:g}; "
            "the theorem on descent says nothing else"
        )
    margin *= np.exp(-s * (1 + 1 / (2 * start)))
    power = 2 - 2 / L
    slow = _log_integral(
        u, start, lambda v: tail_inverse(v, loss) ** (2 / L) / tail_growth(v, loss) ** 2
    )
    fast = _log_integral(u, start, lambda v: tail_inverse(v, loss) ** -power)
    earliest = fast - 2 * np.log(B) + power * np.log(margin) - s * np.sqrt(np.e)
    latest = slow - 2 * np.log(L) - 2 / L * np.log(margin) - np.log1p(-s / 2)
    return earliest, latest


def kkt_visit_bound(
    log_growth: ArrayLike | float,
    *,
    order: float,
    first: float,
    last: float,
) -> Numbers:
    r"""Return an ε below which the KKT residual has been while the norm grew by a factor.

    While log ρ grows by R and the smoothed margin from γ̃₁ to γ̃₂, gradient flow visits a point with

    .. math:: \varepsilon^2\le 2\Big(1-\frac1{\sqrt{1+x}}\Big)\tilde\gamma_1^{-2/L}, \qquad
        x = \frac1{LR}\log\frac{\tilde\gamma_2}{\tilde\gamma_1}.

    Nothing need be known of γ̃₂ but that it is at most the largest normalized margin.

    Parameters
    ----------
    log_growth
        R > 0, of any shape.
    order
        L ≥ 1.
    first, last
        0 < γ̃₁ ≤ γ̃₂, the second or an upper bound on it.

    Returns
    -------
    Float[numpy.ndarray, "*t"]
        Of the shape of `log_growth`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range.

    References
    ----------
    Lyu & Li (2020), convergence to approximate KKT points; the constant: this book.

    Examples
    --------
    >>> from ibtools.theory import kkt_visit_bound
    >>> kkt_visit_bound([1.0, 100.0], order=1, first=0.5, last=1.0).round(4)
    array([1.3608, 0.1661])
    """
    R, L = records("log_growth", log_growth), _order(order)
    if not np.all(R > 0):
        raise ValueError(f"log_growth must be above 0, got {R.min():g}; wait until the norm grows")
    first, last = positive("first", first), positive("last", last)
    if last < first:
        raise ValueError(
            f"last must be at least first={first:g}, got {last:g}; the smoothed margin never "
            "falls: give them in the order of time"
        )
    x = np.log(last / first) / (L * R)
    return np.asarray(np.sqrt(-2 * np.expm1(-np.log1p(x) / 2)) * first ** (-1 / L))


def kkt_log_loss(
    stationarity: float,
    *,
    order: float,
    log_loss: float,
    first: float,
    last: float,
) -> float:
    r"""Return a log 𝓛 by which gradient flow has visited a point with a KKT residual of at most ε.

    Log(1/𝓛) need grow by the factor :math:`(\gamma^*/\tilde\gamma_1)^{1+\xi}`,
    :math:`\xi=1/x(\varepsilon)`, x the inverse of what `kkt_visit_bound` says; for small ε,
    :math:`\xi\approx\varepsilon^{-2}\tilde\gamma_1^{-2/L}`.

    Parameters
    ----------
    stationarity
        ε > 0.
    order
        L ≥ 1.
    log_loss
        log 𝓛₁ < 0, where one begins to look; exponential loss.
    first
        γ̃₁ > 0, there.
    last
        γ* ≥ γ̃₁, an upper bound on the normalized margin of all networks.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range, or log 𝓛 leaves the range of floats.

    References
    ----------
    Lyu & Li (2020), convergence to approximate KKT points; the constant: this book.

    Examples
    --------
    >>> from ibtools.theory import kkt_log_loss
    >>> round(kkt_log_loss(0.5, order=1, log_loss=-2.0, first=0.8, last=1.0), 4)
    -8.5498
    """
    epsilon, L = positive("stationarity", stationarity), _order(order)
    u = positive("-log_loss", -real("log_loss", log_loss))
    first, last = positive("first", first), positive("last", last)
    if last < first:
        raise ValueError(
            f"last must be at least first={first:g}, got {last:g}; it bounds every margin: compute "
            "it for all networks"
        )
    cosine = 1 - (epsilon * first ** (1 / L)) ** 2 / 2
    if cosine <= 0:
        return -u * last / first
    x = cosine**-2 - 1
    exponent = (1 + 1 / x) * np.log(last / first)
    if exponent + np.log(u) > 709:
        raise ValueError(
            f"stationarity={epsilon:g} asks for log 𝓛 = −e^{exponent + np.log(u):.4g}, beyond all "
            "floats; ask for a larger one"
        )
    return -float(u * np.exp(exponent))


def complementarity_bound(
    log_loss: ArrayLike,
    normalized_margin: ArrayLike,
    minimum_margin: ArrayLike,
    *,
    order: float,
    pairs: int,
    loss: str = "exponential",
) -> Float[np.ndarray, " t"]:
    r"""Return the largest δ = Σλ(s(θ̃) − 1) that the gradient's own multipliers can have.

    .. math:: \delta\le\frac{(m-1)\,\kappa(q_{\min})}{e\,L\,\bar\gamma^{2/L}\,h(u)}

    for m margins (n, or n(k − 1) with k classes), with :math:`\kappa=1` for the exponential loss
    and :math:`\kappa(q)=e^{-q}/\log(1+e^{-q})` for the others.

    Parameters
    ----------
    log_loss
        log 𝓛 < log ℓ(0), (t,).
    normalized_margin, minimum_margin
        γ̄ and q_min, above 0, (t,).
    order
        L ≥ 1.
    pairs
        m ≥ 1.
    loss
        "exponential", "logistic" or "cross_entropy".

    Returns
    -------
    Float[numpy.ndarray, " t"]
        The bound, at least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or out of range.

    References
    ----------
    Lyu & Li (2020) for the exponential loss; the others: this book.

    Examples
    --------
    >>> from ibtools.theory import complementarity_bound
    >>> complementarity_bound([-10.0], [1.0], [10.0], order=1, pairs=11).round(6)
    array([0.367879])
    """
    one_of("loss", loss, TAILS[:3])
    u, L = -array("log_loss", log_loss, ndim=1), _order(order)
    margin = array("normalized_margin", normalized_margin, ndim=1)
    least = array("minimum_margin", minimum_margin, ndim=1)
    h = tail_growth(u, loss)
    for name, value in (("normalized_margin", margin), ("minimum_margin", least), ("h", h)):
        if not np.all(value > 0):
            raise ValueError(
                f"{name} must be above 0, got {value.min():g}; begin where the loss is below ℓ(0)"
            )
    z = np.exp(-least)
    kappa = np.where(z > 0, z, 1.0) / np.where(z > 0, np.log1p(z), 1.0)
    if loss == "exponential":
        kappa = np.ones_like(z)
    return np.asarray((count("pairs", pairs) - 1) * kappa / (np.e * L * margin ** (2 / L) * h))


def _log_integral(
    u: Float[np.ndarray, " t"], start: float, weight: Callable[[Numbers], Numbers]
) -> Float[np.ndarray, " t"]:
    """Return log ∫ e^v w(v) dv from `start` to each u; what lies 50 below u is below rounding."""
    span = np.minimum(u - start, _REACH)
    x = span[:, None] * (1 + _NODES) / 2
    inside = np.exp(-x) * weight(u[:, None] - x) @ _WEIGHTS
    return np.asarray(u + np.log(inside * span / 2))


def _order(order: float) -> float:
    order = positive("order", order)
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order:g}; the theorems ask for it")
    return order
