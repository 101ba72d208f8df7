"""Maximum-margin predictors through the origin, by solvers that know nothing of descent."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from ibtools._validation import one_of, regression_problem
from ibtools.theory.interpolation import AccuracyWarning
from ibtools.theory.nearest_point import nearest_weights, on_support

# The relative duality gap that is promised; a solution that misses it says so.
_PROMISED = 1e-10
# A margin this far below the longest sample is rounding, and no answer could be certified.
_LEAST_MARGIN = 1e-12
# How far above the margin, relative to ‖zⱼ‖‖w‖, a sample is still called active.
_ACTIVE = 1e-10
# The same for rounding alone.
_ROUNDING = 1e-14
_LARGEST, _SMALLEST = 1e120, 1e-120
# So many samples that contradict each other are named.
_NAMED = 10


@dataclass(frozen=True, eq=False)
class MaxMargin:
    r"""A hard-margin predictor without bias, with what certifies it.

    Attributes
    ----------
    norm
        ``"l2"`` or ``"l1"``: the norm ‖·‖ of w in which the margin is measured.
    margin
        γ > 0, the largest :math:`\min_n y_n\langle w, x_n\rangle` over ‖w‖ = 1.
    direction
        The w of norm 1 that has it, (d,).
    w
        The normal solution ŵ = direction/γ, (d,): it minimizes :math:`\tfrac12\|w\|^2` subject to
        :math:`y_n\langle w, x_n\rangle \ge 1`.
    multipliers
        α ≥ 0 of those constraints, (n,): :math:`\sum_n\alpha_n y_n x_n` is a subgradient of
        :math:`\tfrac12\|w\|^2` at ŵ, which for ℓ₂ is ŵ itself. In either norm Σα = 1/γ².
    support
        Indices of the samples on the margin, (k,). Multipliers may vanish there.
    duality_gap
        Relative gap between the margin of `direction` and the bound on every margin that α gives,
        :math:`\|\sum_n\alpha_n y_n x_n\|_* / \sum_n\alpha_n`. It bounds the error of `margin`.
    """

    norm: str
    margin: float
    direction: Float[np.ndarray, " d"]
    w: Float[np.ndarray, " d"]
    multipliers: Float[np.ndarray, " n"]
    support: Int[np.ndarray, " k"]
    duality_gap: float


def max_margin(X: ArrayLike, y: ArrayLike, *, norm: str = "l2") -> MaxMargin:
    r"""Return the predictor without bias of largest margin, in the ℓ₂ or the ℓ₁ norm.

    With :math:`z_n = y_n x_n` and p ranging over the probability vectors, minimax duality reads

    .. math:: \gamma = \max_{\|w\| \le 1} \min_n \langle w, z_n\rangle
        = \min_p \Big\|\sum_n p_n z_n\Big\|_*.

    For ℓ₂ the right-hand side is the distance from the origin to the convex hull of the
    :math:`z_n`, found by non-negative least squares (Lawson and Hanson). For ℓ₁ it is a linear
    program, solved by HiGHS's dual simplex method. Both answers are then solved for once more on
    their active sets, which removes the solvers' tolerances.

    Parameters
    ----------
    X
        Samples, (n, d), any n and d; the largest entry from 1e-120 to 1e120.
    y
        Labels, (n,), each 1 or −1. One class only is allowed.
    norm
        ``"l2"`` or ``"l1"``.

    Returns
    -------
    MaxMargin
        γ to a relative 1e-10, mostly to rounding, or with a warning.

    Raises
    ------
    ValueError
        If the data are not finite, y holds anything but ±1, entries are out of range, or no
        hyperplane through the origin separates the classes with a margin above 1e-12 of the longest
        sample. Where other units of the columns, their means, or a bias would mend it, the message
        says so.

    Warns
    -----
    AccuracyWarning
        If the relative duality gap exceeds 1e-10.

    See Also
    --------
    separation_constants : how fast gradient flow comes near it.
    deep_linear_margin : the largest margin of a deep linear network.
    two_layer_margin : the largest margin of a two-layer network.
    minimum_norm_interpolator : the same for regression, in ℓ₂.
    minimum_l1_interpolator : the same for regression, in ℓ₁.

    Notes
    -----
    The ℓ₂ direction is unique. Its multipliers are not where support vectors depend on each other,
    duplicates for instance; those returned then have a linearly independent support, with the rest
    of their weight on others. An ℓ₁ direction is unique for data in general position; where it is
    not, a vertex of the set of solutions is returned, hence one with at most n entries other
    than 0, and which of the vertices is the simplex method's choice.

    A bias that is part of the norm is a constant column in X.

    References
    ----------
    Lawson and Hanson (1974), *Solving Least Squares Problems*, ch. 23.

    Examples
    --------
    >>> from ibtools.theory import max_margin
    >>> found = max_margin([[3, -1], [1, 2], [-4, -4]], [1, 1, -1])
    >>> found.w.round(12), round(found.margin * 13**0.5, 12)
    (array([0.42857143, 0.28571429]), 7.0)
    >>> (49 * found.multipliers).round(12), found.support
    (array([4., 9., 0.]), array([0, 1]))
    """
    one_of("norm", norm, ("l2", "l1"))
    X, y = regression_problem(X, y)
    Z, unit = _signed_samples(X, y)
    try:
        w, weights = _least_norm(Z) if norm == "l2" else _least_l1_norm(Z)
    except _NoMarginError as error:
        raise _not_separable(X, y, error.bound) from None
    size = _norm(w, norm)
    direction = w / size
    margins = Z @ direction
    margin = float(margins.min())
    bound = _norm(weights @ Z, "l2" if norm == "l2" else "linf")
    gap = max(0.0, 1 - margin / bound)
    if not margin > 0:
        raise _not_separable(X, y, bound)
    if gap > _PROMISED:
        warnings.warn(
            f"the margin's relative duality gap is {gap:.1e}, above the promised {_PROMISED:g}: "
            f"it lies between {margin * unit:.17g} and {bound * unit:.17g}; the margin is "
            f"{margin:.1e} of the largest entry of X",
            AccuracyWarning,
            stacklevel=2,
        )
    lengths = np.linalg.norm(Z, axis=1) * np.linalg.norm(direction)
    return MaxMargin(
        norm=norm,
        margin=margin * unit,
        direction=direction,
        w=direction / margin / unit,
        multipliers=weights / margin**2 / unit**2,
        support=np.flatnonzero(margins - margin <= _ACTIVE * lengths),
        duality_gap=gap,
    )


class _NoMarginError(Exception):
    """No margin was found above what is resolved; `bound` is in units of the largest entry.

    It is that of the samples in `rows` alone, of which there are at most d + 1.
    """

    def __init__(self, bound: float, rows: Int[np.ndarray, " k"]) -> None:
        super().__init__(bound)
        self.bound = bound
        self.rows = rows


def _signed_samples(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n d"], float]:
    """Return yⱼxⱼ in units of a power of two near the largest entry, and that power."""
    odd = np.flatnonzero(np.abs(y) != 1)
    if odd.size:
        raise ValueError(
            f"y must hold labels 1 and -1, got {y[odd[0]]:g} at index {odd[0]}; code one class "
            "as 1 and the other as -1: y = numpy.where(y == first, 1, -1)"
        )
    largest = float(np.abs(X).max())
    if largest == 0:
        raise _not_separable(X, y, 0.0)
    if not _SMALLEST <= largest <= _LARGEST:
        raise ValueError(
            f"X must have its largest entry between {_SMALLEST:g} and {_LARGEST:g}, got "
            f"{largest:g}; multipliers grow like its inverse square and leave the range of "
            "floats: rescale X, and the margin with it"
        )
    unit = 2.0 ** np.floor(np.log2(largest))
    return y[:, None] * (X / unit), float(unit)


def _not_separable(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], bound: float
) -> ValueError:
    """Say what mends it; each mend is tried first, so that none is promised in vain."""
    told = f"no margin exceeds {bound:.1e} of the largest entry of X"
    constant = (X[0] == X).all(axis=0) & (X[0] != 0)
    # Multiples of columns, and of a constant one added to others, separate what was separable.
    centred = X - np.where(constant, 0.0, X.mean(axis=0))
    scaled, both = _unit_columns(X), _unit_columns(centred)
    mend = ""
    if constant.any() and _is_separable(centred, y):
        mend = "subtract their means from all columns but the constant one"
    elif _is_separable(scaled, y):
        mend = "divide each column by its largest absolute value"
    elif constant.any() and _is_separable(both, y):
        mend = (
            "subtract their means from all columns but the constant one, then divide each column "
            "by its largest absolute value"
        )
    if mend:
        return ValueError(
            f"X and y are separable by a hyperplane through the origin, but {told}, which is lost "
            f"in rounding: the columns of X are badly scaled; {mend}, which separates what was "
            "separable and makes the margin that of the new X. There is no need to append a "
            "constant column or to drop samples"
        )
    told = f"X and y must be separable by a hyperplane through the origin, and {told}"
    ones = np.ones((len(X), 1))
    if not constant.any():
        if _is_separable(np.hstack([X, ones]), y):
            return ValueError(f"{told}; append a constant column to X for a bias")
        if _is_separable(np.hstack([both, ones]), y):
            return ValueError(
                f"{told}; subtract from each column of X its mean, divide it by its largest "
                "absolute value, and append a constant column for a bias"
            )
    rows = _contradicting(both if constant.any() else np.hstack([both, ones]), y)
    named = ", ".join(map(str, rows[:_NAMED])) + (", …" if len(rows) > _NAMED else "")
    first = f"; rows {named} do, whatever the others: begin with one of these" if named else ""
    return ValueError(
        f"{told}; to append a constant column does not help, they are not separable with a bias "
        f"either: add features, or drop the samples that contradict each other{first}"
    )


def _contradicting(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " k"]:
    """Return samples, as few as can be, that no hyperplane through the origin separates."""
    try:
        _least_norm(_signed_samples(X, y)[0])
    except _NoMarginError as error:
        return error.rows
    return np.arange(0)


def _unit_columns(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    largest = np.abs(X).max(axis=0)
    return X / np.where(largest > 0, largest, 1.0)


def _is_separable(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> bool:
    """Whether `max_margin` answers."""
    largest = float(np.abs(X).max())
    if not _SMALLEST <= largest <= _LARGEST:
        return False
    Z, _ = _signed_samples(X, y)
    try:
        w, _ = _least_norm(Z)
    except _NoMarginError:
        return False
    return bool((Z @ w).min() > 0)


def _norm(w: Float[np.ndarray, " d"], norm: str) -> float:
    return float(np.linalg.norm(w, {"l2": 2, "l1": 1, "linf": np.inf}[norm]))


def _least_norm(
    Z: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " n"]]:
    """Return w along the max-margin direction, and p of the hull's point nearest to the origin."""
    n, d = Z.shape
    lengths = np.linalg.norm(Z, axis=1)
    # Few samples carry the answer: solve for some, then for those near it and those that it leaves
    # too close. The distance falls each time, so that no set of samples comes back.
    rows = np.unique(np.linspace(0, n - 1, min(n, 4 * (d + 1))).astype(int))
    scale, nearest = 1 / float(lengths.max()), np.inf
    weights = np.zeros(n)
    while True:
        some = nearest_weights(Z[rows], np.ones(rows.size), scale)
        point = some @ Z[rows]
        size = float(np.linalg.norm(point))
        if size <= _LEAST_MARGIN * float(lengths.max()):
            raise _NoMarginError(size, rows[some > _LEAST_MARGIN])
        w, some = _sharpened(Z[rows], some, point / size**2)
        short = 1 - Z @ w
        missing = short > _ROUNDING * lengths * float(np.linalg.norm(w))
        missing[rows] = False
        if size >= nearest or not missing.any():
            weights[rows] = some
            return w, weights
        scale, nearest = 1 / size, size
        worst = np.argsort(-np.where(missing, short, -np.inf))[: min(d + 1, missing.sum())]
        rows = np.union1d(rows[(some > 0) | (short[rows] > -0.5)], worst)


def _sharpened(
    Z: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], w: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " n"]]:
    """Solve once more on the support for w and p; keep the new pair if it is better certified."""
    refined, alpha = on_support(Z, np.ones(len(Z)), np.flatnonzero(weights))
    if np.any(alpha < 0) or not alpha.sum() > 0:
        return w, weights
    new = alpha / alpha.sum()
    better = _gap(Z, refined, new) <= _gap(Z, w, weights)
    return (refined, new) if better else (w, weights)


# Within the function above its annotations would be made at each call.
def _gap(
    Z: Float[np.ndarray, "n d"], w: Float[np.ndarray, " d"], p: Float[np.ndarray, " n"]
) -> float:
    return float(np.linalg.norm(p @ Z) - (Z @ w).min() / np.linalg.norm(w))


def _least_l1_norm(
    Z: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " n"]]:
    """Return w along an ℓ₁ max-margin direction, and p of the hull's point of least ‖·‖∞."""
    # HiGHS's tolerances are absolute, and w may be huge: in units of the ℓ₂ solution it is not.
    # That solution also decides, more sharply than a linear program, whether there is any.
    shortest = _least_norm(Z)[0]
    scaled = Z * float(np.linalg.norm(shortest))
    n, d = Z.shape
    answer = linprog(
        np.ones(2 * d), A_ub=np.hstack([-scaled, scaled]), b_ub=-np.ones(n), method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )  # fmt: skip
    if answer.x is None:
        raise RuntimeError(
            f"the linear program was not solved, on data that are separable: {answer.message}"
        )
    w = answer.x[:d] - answer.x[d:]
    dual = np.clip(-answer.ineqlin.marginals, 0.0, None)
    columns = np.flatnonzero(np.abs(w) > 1e-9 * np.abs(w).max())
    reach = np.linalg.norm(scaled, axis=1) * np.linalg.norm(w)
    active = np.flatnonzero(scaled @ w - 1 <= 1e-9 * reach)
    carrying = np.flatnonzero(dual > 1e-9 * dual.max())
    refined, weights = np.zeros(d), np.zeros(n)
    refined[columns] = np.linalg.lstsq(
        Z[np.ix_(active, columns)], np.ones(active.size), rcond=None
    )[0]
    weights[carrying] = np.linalg.lstsq(
        Z[np.ix_(carrying, columns)].T, np.sign(w[columns]), rcond=None
    )[0]
    w = max((w, refined), key=lambda v: (Z @ v).min() / max(_norm(v, "l1"), 1e-300))
    candidates = [p / p.sum() for p in (dual, weights) if p.min() >= 0 and p.sum() > 0]
    return w, min(candidates, key=lambda p: _norm(p @ Z, "linf"))
