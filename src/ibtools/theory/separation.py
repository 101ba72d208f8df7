"""Linear predictors on separable data: to which constants gradient flow converges, without it."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from ibtools._validation import regression_problem, vector
from ibtools.theory.max_margin import max_margin

# A probability below this is none: the support vector has a multiplier of 0.
_LEAST_WEIGHT = 1e-7
# A sample further than this from a span, relative to its length, is outside.
_OUTSIDE = 1e-9
_MAX_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class SeparationConstants:
    r"""What gradient flow on :math:`\mathcal L = \sum_n e^{-y_n\langle w, x_n\rangle}` tends to.

    Attributes
    ----------
    margin
        γ, the ℓ₂ margin.
    w
        The normal solution ŵ, of margin 1, (d,): w(t)/log t → ŵ.
    support
        Indices of the samples with :math:`y_n\langle\hat w, x_n\rangle = 1`, (k,).
    multipliers
        The α to which :math:`t\,e^{-y_n\langle w(t), x_n\rangle}` tends, (n,): multipliers of ŵ, 0
        off the support. Where ŵ has several, the flow's are those of largest
        :math:`\sum_n\alpha_n(1 - \log\alpha_n)`.
    span_offset
        The part of w̃ in the span of the support vectors, (d,); it does not depend on the start.
    offset
        :math:`\tilde w = \lim w(t) - \hat w\log t`, (d,), or NaN where `reason` says why.
    loss_rate
        The limit of 𝓛·t, which is Σα = 1/γ².
    margin_gap
        The limit of :math:`(1 - \bar\gamma(t)/\gamma)\log t`, γ̄ the normalized margin.
    smoothed_gap
        The limit of :math:`(1 - \tilde\gamma(t)/\gamma)\log t`, with
        :math:`\tilde\gamma = \log(1/\mathcal L)/\|w\|`.
    reason
        Empty, or why something above is NaN.
    """

    margin: float
    w: Float[np.ndarray, " d"]
    support: Int[np.ndarray, " k"]
    multipliers: Float[np.ndarray, " n"]
    span_offset: Float[np.ndarray, " d"]
    offset: Float[np.ndarray, " d"]
    loss_rate: float
    margin_gap: float
    smoothed_gap: float
    reason: str


def separation_constants(
    X: ArrayLike, y: ArrayLike, *, start: ArrayLike | None = None
) -> SeparationConstants:
    r"""Return the constants of gradient flow for a linear predictor on separable data.

    .. math:: & w(t) = \hat w\log t + \tilde w + o(1), \qquad
        e^{-\langle z_n, \tilde w\rangle} = \alpha_n \text{ on the support}, \\
        & \hat w = \sum_n\alpha_n z_n, \qquad z_n = y_n x_n,

    by Soudry et al. (2018), Theorem 4. With p = α/Σα, our own consequences are

    .. math:: \Big(1 - \frac{\bar\gamma}{\gamma}\Big)\log t \to \sum_n p_n\log\frac{\max p}{p_n},
        \qquad \Big(1 - \frac{\tilde\gamma}{\gamma}\Big)\log t \to -\sum_n p_n\log p_n.

    The part of w̃ in the span of the support minimizes the convex function
    :math:`\sum_{\text{support}} e^{-\langle z_n, v\rangle} + \langle\hat w, v\rangle`, which also
    covers support vectors that depend on each other. The part off the span is that of w(0) plus
    what the other samples have pushed: it is w(0)'s own where all samples lie in the span, and
    otherwise an integral over the whole path, for which there is no formula.

    Parameters
    ----------
    X, y
        The problem: X (n, d), labels y (n,) of ±1, separable through the origin.
    start
        w(0), (d,); default zeros. Only its part off the span of the support matters.

    Raises
    ------
    ValueError
        If `max_margin` refuses the problem, or `start` does not fit it.

    Warns
    -----
    AccuracyWarning
        If the margin is not found to its promised accuracy.

    Notes
    -----
    Where every choice of multipliers leaves some support vector at 0 (below 1e-7 of their sum),
    which needs support vectors in special position, that vector's loss falls faster than 1/t,
    w(t) − ŵ log t has no limit (it grows like log log t), and offsets and gaps are NaN.

    The logistic loss has the same tail and the same constants. For the mean of the losses in place
    of their sum, read t/n for t.

    References
    ----------
    Soudry et al. (2018), Theorem 4; the constants of the margins are this book's.

    Examples
    --------
    >>> from ibtools.theory import separation_constants
    >>> found = separation_constants([[3, -1], [1, 2], [4, 4]], [1, 1, 1])
    >>> found.offset.round(8), round(found.margin_gap, 6), round(found.smoothed_gap, 6)
    (array([0.95794966, 0.36832303]), 0.249517, 0.617242)
    """
    X, y = regression_problem(X, y)
    start = np.zeros(X.shape[1]) if start is None else vector("start", start, size=X.shape[1])
    best = max_margin(X, y)
    # In units of the margin the normal solution has norm 1 and the multipliers sum to 1.
    Z = y[:, None] * (X / best.margin)
    basis, coordinates = _span(Z[best.support])
    target = basis @ best.direction
    first = _positive_weights(coordinates, target)
    if first is None:
        nowhere = np.full(X.shape[1], np.nan)
        return SeparationConstants(
            best.margin, best.w, best.support, best.multipliers, nowhere, nowhere,
            1 / best.margin**2, np.nan, np.nan,
            "a support vector has multiplier 0, so w(t) − ŵ log t has no limit; move the samples "
            "by a little to leave this special position",
        )  # fmt: skip
    v, p = _exponential_solution(coordinates, target, first)
    span_offset = (v @ basis + 2 * np.log(best.margin) * best.direction) / best.margin
    off = start - (basis @ start) @ basis
    left = np.linalg.norm(Z - (Z @ basis.T) @ basis, axis=1)
    inside = bool(np.all(left <= _OUTSIDE * np.linalg.norm(Z, axis=1)))
    multipliers = np.zeros(len(Z))
    multipliers[best.support] = p / best.margin**2
    return SeparationConstants(
        margin=best.margin,
        w=best.w,
        support=best.support,
        multipliers=multipliers,
        span_offset=span_offset,
        offset=span_offset + off if inside else np.full(X.shape[1], np.nan),
        loss_rate=1 / best.margin**2,
        margin_gap=float(p @ np.log(p.max() / p)),
        smoothed_gap=float(-p @ np.log(p)),
        reason=""
        if inside
        else "some samples lie outside the span of the support vectors: the offset off that span "
        "depends on the whole path, and only span_offset is determined",
    )


def _span(
    rows: Float[np.ndarray, "k d"],
) -> tuple[Float[np.ndarray, "r d"], Float[np.ndarray, "k r"]]:
    """Return an orthonormal basis of the rows' span, and the rows in it."""
    left, singular, right = np.linalg.svd(rows, full_matrices=False)
    rank = int(np.sum(singular > _OUTSIDE * singular[0]))
    return right[:rank], left[:, :rank] * singular[:rank]


def _positive_weights(
    rows: Float[np.ndarray, "k r"], target: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " k"] | None:
    """Return p > 0 with Σ p_n z_n = target, or None if every choice has a zero."""
    k, r = rows.shape
    if k == r:
        p = np.linalg.solve(rows.T, target)
    else:
        # Maximize the least weight s: p = q + s with q ≥ 0.
        size = float(np.abs(rows).max())
        answer = linprog(
            np.append(np.zeros(k), -1.0),
            A_eq=np.column_stack([rows.T, rows.sum(axis=0)]) / size,
            b_eq=target / size,
            method="highs",
        )
        if answer.x is None:
            raise RuntimeError(f"the linear program was not solved: {answer.message}")
        p = answer.x[:-1] + answer.x[-1]
    return p if p.min() > _LEAST_WEIGHT else None


def _exponential_solution(
    rows: Float[np.ndarray, "k r"], target: Float[np.ndarray, " r"], first: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " k"]]:
    """Minimize Σ exp(−z_n·v) + target·v by damped Newton; return v and p = exp(−z_n·v)."""

    def value(v: Float[np.ndarray, " r"]) -> float:
        return float(np.exp(np.minimum(-rows @ v, 700.0)).sum() + target @ v)

    v = np.linalg.lstsq(rows, -np.log(first), rcond=None)[0]
    for _ in range(_MAX_ITERATIONS):
        p = np.exp(np.minimum(-rows @ v, 700.0))
        descent = p @ rows - target
        # The Hessian is RᵀR; forming it would lose half of the digits.
        triangle = np.linalg.qr(np.sqrt(p)[:, None] * rows, mode="r")
        half = scipy.linalg.solve_triangular(triangle, descent, trans="T")
        step = scipy.linalg.solve_triangular(triangle, half)
        size, here = 1.0, value(v)
        while size > 1e-3 and value(v + size * step) > here:
            size /= 2
        v = v + size * step
        if float(np.abs(rows @ step).max()) <= 1e-12:
            break
    return v, np.exp(-rows @ v)
