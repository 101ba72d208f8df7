"""The modified margin of nets that are only nearly homogeneous, and when it begins to climb."""

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from ibtools._validation import positive, records
from ibtools.metrics.margins import inverse_loss

Numbers = Float[np.ndarray, "*t"]


def modified_margin(
    log_loss: ArrayLike | float,
    norm: ArrayLike | float,
    order: float,
    gap: ArrayLike | float,
    loss: str = "exponential",
) -> Numbers:
    r"""Return the modified margin :math:`(\psi - p_a(r))/r^M`, :math:`\psi=\ell^{-1}(\mathcal L)`.

    From strong separability on, :math:`\psi > p_a(r)`, gradient flow never lowers it.

    Parameters
    ----------
    log_loss
        log 𝓛, 𝓛 the sum over samples, of any shape.
    norm
        r = ‖θ‖, of the same shape, above 0.
    order
        M, above 0.
    gap
        p_a(r), the bound on |f − f_H|, of the same shape, at least 0.
    loss
        "exponential", "logistic" or "cross_entropy".

    Raises
    ------
    ValueError
        If the order or a norm is not positive, a gap is negative, something is NaN, or there is no
        such loss.

    References
    ----------
    Cai et al. (2025), modified margin; for the logistic loss, this book.

    Examples
    --------
    >>> from ibtools.metrics import modified_margin
    >>> modified_margin([-6.0, -1e6], [2.0, 1e3], order=2, gap=[2.0, 1e3])
    array([1.   , 0.999])
    """
    order = positive("order", order)
    r = records("norm", norm)
    if not np.all(r > 0):
        raise ValueError(
            f"norm must be above 0, got {r.min():g}; at zero parameters there is no margin"
        )
    excess = _excess(log_loss, gap, loss)
    if excess.shape != r.shape:
        raise ValueError(
            f"norm must have one entry for each log loss, {excess.shape}, got {r.shape}; take both "
            "from the same records"
        )
    return np.asarray(excess / r**order)


def strong_separability(
    log_loss: ArrayLike | float, gap: ArrayLike | float, loss: str = "exponential"
) -> Bool[np.ndarray, "*t"]:
    r"""Return where :math:`\psi > p_a(r)`: the loss is below what the gap could account for.

    The homogenization f_H then separates the data: :math:`y_n f_H(x_n) \ge \psi - p_a(r) > 0`.

    Parameters
    ----------
    log_loss
        log 𝓛, 𝓛 the sum over samples, of any shape.
    gap
        p_a(r), of the same shape, at least 0.
    loss
        "exponential", "logistic" or "cross_entropy".

    Raises
    ------
    ValueError
        If a gap is negative, something is NaN, or there is no such loss.

    References
    ----------
    Cai et al. (2025), strong separability condition.

    Examples
    --------
    >>> from ibtools.metrics.modified_margin import strong_separability
    >>> strong_separability([-1.0, -3.0], [2.0, 2.0])
    array([False,  True])
    """
    return np.asarray(_excess(log_loss, gap, loss) > 0)


def separability_start(
    log_loss: ArrayLike | float, gap: ArrayLike | float, loss: str = "exponential"
) -> int | None:
    r"""Return the index of the record from which on strong separability holds to the end.

    It is :math:`\psi > p_a(r)`: the loss is below what the gap could account for. From there on the
    `modified_margin` is positive, and gradient flow never lowers it.

    Parameters
    ----------
    log_loss
        log 𝓛 along a run, 𝓛 the sum over samples, (t,).
    gap
        p_a(r) along it, (t,), at least 0: `NearHomogeneity.gap_bound` of the norms.
    loss
        "exponential", "logistic" or "cross_entropy".

    Returns
    -------
    int or None
        ``None`` if it does not hold at the last record.

    Raises
    ------
    ValueError
        If a gap is negative, something is NaN, the shapes differ, or there is no such loss.

    See Also
    --------
    near_homogeneity : the bounds of a network.
    modified_margin : what never falls from there on.

    References
    ----------
    Cai et al. (2025), strong separability condition.

    Examples
    --------
    >>> from ibtools.metrics import separability_start
    >>> separability_start([-1.0, -3.0, -4.0], [2.0, 2.0, 2.1])
    1
    """
    holds = np.atleast_1d(strong_separability(log_loss, gap, loss))
    failed = np.flatnonzero(~holds)
    start = int(failed[-1]) + 1 if failed.size else 0
    return start if start < holds.size else None


def _excess(log_loss: ArrayLike | float, gap: ArrayLike | float, loss: str) -> Numbers:
    """Return ψ − p_a."""
    p_a = records("gap", gap)
    if np.any(p_a < 0):
        raise ValueError(f"gap must be at least 0, got {p_a.min():g}; it bounds an absolute value")
    psi = inverse_loss(records("log_loss", log_loss), loss)
    if psi.shape != p_a.shape:
        raise ValueError(
            f"gap must have one entry for each log loss, {psi.shape}, got {p_a.shape}; take the "
            "bound at the norm of each record"
        )
    return np.asarray(psi - p_a)
