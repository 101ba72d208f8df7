"""The largest normalized margins that homogeneous networks can have, by convex problems."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import array, count, real, regression_problem, vector
from ibtools.theory.interpolation import AccuracyWarning
from ibtools.theory.max_margin import MaxMargin, max_margin
from ibtools.theory.separation import separation_constants

_PROMISED = 1e-8
_MAX_ROUNDS = 100


def deep_linear_margin(X: ArrayLike, y: ArrayLike, *, depth: int) -> float:
    r"""Return the largest normalized margin of a linear network of L layers.

    The network is :math:`W_L\cdots W_1 x`, of order L, and its normalized margin
    :math:`\bar\gamma = \min_n q_n/\|\theta\|^L` with :math:`\|\theta\|^2 = \sum_i\|W_i\|_F^2`. With
    γ the ℓ₂ margin, the largest is

    .. math:: \bar\gamma^* = \gamma L^{-L/2},

    whatever the widths, by :math:`\|W_L\cdots W_1\| \le \prod_i\|W_i\|_F \le
    (\|\theta\|^2/L)^{L/2}`, with equality for balanced layers of rank one. Gradient flow tends to
    it: its layers align and its predictor tends to the ℓ₂ max-margin direction (Ji and Telgarsky
    2019). The constant is our own.

    Parameters
    ----------
    X, y
        The problem: X (n, d), labels y (n,) of ±1, separable through the origin.
    depth
        L ≥ 1, the number of layers.

    Raises
    ------
    TypeError, ValueError
        If `depth` is not an integer of at least 1, or `max_margin` refuses the problem.

    Examples
    --------
    >>> from ibtools.theory import deep_linear_margin
    >>> deep_linear_margin([[3, -1], [1, 2], [4, 4]], [1, 1, 1], depth=2) * 2 * 13**0.5
    7.0
    """
    depth = count("depth", depth)
    return max_margin(X, y).margin * depth ** (-depth / 2)


def deep_linear_gap(
    log_loss: ArrayLike, X: ArrayLike, y: ArrayLike, *, depth: int, remainder: float = 0.0
) -> Float[np.ndarray, " t"]:
    r"""Return how far below its limit the normalized margin of a deep linear network lies.

    .. math:: 1 - \frac{\bar\gamma L^{L/2}}{\gamma} \simeq \tfrac12\Big(\sum_i m_i\Big)\,
        s^{-2/L} + \frac{1}{\gamma s}\sum_n p_n\log\frac{\max p}{p_n}, \qquad
        s = \frac{\log 1/\mathcal L}{\gamma}

    with :math:`m_i = \lim\|W_i\|_F^2 - \|W_i\|_2^2`, what is left in layer i beside its growing
    singular value. It is our own: with s the norm of the predictor, balancedness leaves
    :math:`\|\theta\|^2 = L s^{2/L} + \sum_i m_i + O(s^{-2/L})`, which is the first term; the
    second is that of a linear predictor (`separation_constants`), at the same loss. Hence the slope
    −2/L of the gap in log(1/𝓛), for L ≥ 3 and hidden layers wider than one neuron; where
    :math:`m_i = 0`, and for L = 1, the slope is −1.

    Parameters
    ----------
    log_loss
        log 𝓛 < 0 of the summed exponential loss, (t,).
    X, y
        The problem: X (n, d), labels y (n,) of ±1, separable through the origin, whose support
        vectors span ℝᵈ and have positive multipliers.
    depth
        L ≥ 1.
    remainder
        Σmᵢ ≥ 0. It depends on the start by way of the whole path: measure it on the network.

    Returns
    -------
    Float[np.ndarray, "t"]
        The two leading terms of the relative gap.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, `max_margin` refuses the problem, or its support vectors
        are not as said.

    Examples
    --------
    >>> from ibtools.theory import deep_linear_gap
    >>> toy = [[3, -1], [1, 2], [4, 4]], [1, 1, 1]
    >>> deep_linear_gap([-1e3, -1e6], *toy, depth=4, remainder=2.0).round(6)
    array([0.044311, 0.001394])
    """
    v = -vector("log_loss", log_loss)
    if np.any(v <= 0):
        raise ValueError(
            f"log_loss must be below 0, got {-v.min():g}; the expansion is for losses near 0"
        )
    depth = count("depth", depth)
    remainder = real("remainder", remainder)
    if remainder < 0:
        raise ValueError(
            f"remainder must be at least 0, got {remainder:g}; it is a sum of squared singular "
            "values"
        )
    X, y = regression_problem(X, y)
    constants = separation_constants(X, y)
    rank = int(np.linalg.matrix_rank(X[constants.support]))
    if rank < X.shape[1] or constants.reason:
        raise ValueError(
            f"X and y must have support vectors that span all {X.shape[1]} dimensions, with "
            f"multipliers above 0, got {constants.support.size} of rank {rank}; off their span the "
            "gap depends on the start: use fewer features or more samples"
        )
    size = v / constants.margin
    return np.asarray(remainder / 2 * size ** (-2 / depth) + constants.margin_gap / v)


def diagonal_margin(X: ArrayLike, y: ArrayLike) -> float:
    r"""Return the largest normalized margin of the diagonal network ⟨x, u∘u − v∘v⟩.

    The network has order 2 and :math:`\|\theta\|^2 = \|u\|^2 + \|v\|^2 \ge \|u\circ u - v\circ
    v\|_1`, with equality where :math:`u_i v_i = 0`: the largest normalized margin is the ℓ₁ margin.
    (That its flow has the ℓ₁ max-margin problem for its bias is due to Gunasekar et al. 2018 and
    Lyu and Li 2020.) The untied ⟨x, u∘v⟩ has half of it.

    Parameters
    ----------
    X, y
        The problem: X (n, d), labels y (n,) of ±1, separable through the origin.

    Raises
    ------
    ValueError
        If `max_margin` refuses the problem.

    Examples
    --------
    >>> from ibtools.theory import diagonal_margin
    >>> round(diagonal_margin([[2, 1, 0.2], [1, 2, 0.2]], [1, 1]), 12)
    1.5
    """
    return max_margin(X, y, norm="l1").margin


class TwoLayerMargin(NamedTuple):
    """The largest normalized margin of two-layer networks, and a network that has it.

    Attributes
    ----------
    margin
        γ̄ in ‖θ‖² = ‖a‖² + ‖W‖²_F, of the network below.
    upper_bound
        No network of this kind, of any width, has a larger one; NaN where it is not computed, for
        inputs of other than 2 dimensions.
    coefficients
        c, (m,), with Σ|c| = 1.
    directions
        Unit vectors u, (m, d): the network is Σⱼ cⱼ σ(⟨uⱼ, x⟩), with ‖wⱼ‖ = |aⱼ| = √|cⱼ|.
    """

    margin: float
    upper_bound: float
    coefficients: Float[np.ndarray, " m"]
    directions: Float[np.ndarray, "m d"]


def two_layer_margin(
    X: ArrayLike, y: ArrayLike, *, slope: float = 0.0, directions: ArrayLike | None = None
) -> TwoLayerMargin:
    r"""Return the largest normalized margin of Σⱼ aⱼ σ(⟨wⱼ, x⟩), both layers trained, any width.

    Here σ(z) = max(z, ρz) is the ReLU, leaky for ρ > 0. The network has order 2, and
    :math:`a_j^2 + \|w_j\|^2 \ge 2|a_j|\|w_j\| =: 2|c_j|`, so the problem is one of least variation
    norm, convex in the measure c on the unit sphere:

    .. math:: \bar\gamma^* = \tfrac12 \max_{\sum|c_j| \le 1} \min_n y_n \sum_j c_j
        \sigma(\langle u_j, x_n\rangle) = \tfrac12 \min_p \max_{\|u\|=1} \Big|\sum_n p_n y_n
        \sigma(\langle u, x_n\rangle)\Big|.

    On a finite set of directions it is an ℓ₁ margin, hence a linear program. For 2-dimensional
    inputs the inner maximum over *all* directions is exact, arc by arc of constant activation; the
    directions that attain it are added until both sides agree. Chizat and Bach (2020) show that
    the flow of infinitely wide networks, if it converges, ends at this margin.

    Parameters
    ----------
    X, y
        The problem: X (n, d), labels y (n,) of ±1.
    slope
        ρ in [−1, 1]: 0 for the ReLU, 1 for a linear network, −1 for the absolute value.
    directions
        Directions of the first layer, (m, d), of any lengths but 0. For d = 2 they are optional
        and only a beginning; otherwise they are all that is considered, and `margin` is a lower
        bound for what other directions could reach.

    Raises
    ------
    TypeError, ValueError
        If `max_margin` refuses the problem or the features, `slope` is out of range, `directions`
        do not fit, or are missing where d ≠ 2.

    Warns
    -----
    AccuracyWarning
        If the two sides differ by more than a relative 1e-8 in the end.

    Examples
    --------
    Exclusive or, at the corners of a square:

    >>> from ibtools.theory import two_layer_margin
    >>> X, y = [[1, 1], [-1, -1], [1, -1], [-1, 1]], [1, 1, -1, -1]
    >>> found = two_layer_margin(X, y)
    >>> round(8 * found.margin / 2**0.5, 12), round(8 * found.upper_bound / 2**0.5, 12)
    (1.0, 1.0)
    >>> found.coefficients.round(12)
    array([ 0.25, -0.25,  0.25, -0.25])
    """
    X, y = regression_problem(X, y)
    slope = real("slope", slope)
    if not -1 <= slope <= 1:
        raise ValueError(
            f"slope must lie in [-1, 1], got {slope:g}; it is σ's slope on negative inputs, where "
            "the other slope is 1"
        )
    plane = X.shape[1] == 2
    units = _units(directions, X.shape[1]) if directions is not None else np.empty((0, X.shape[1]))
    if plane:
        kinks = _kinks(X)
        units = np.vstack([kinks, _between(kinks), units])
    elif directions is None:
        raise ValueError(
            f"directions must be given for inputs of {X.shape[1]} dimensions, got None; only in 2 "
            "dimensions can all of them be searched: give an array (m, d) of candidates"
        )
    if not plane:
        best = max_margin(_activate(X @ units.T, slope), y, norm="l1")
        return _two_layer(best, units, np.nan)
    return _all_directions(X, y, slope, kinks, units)


def _all_directions(
    X: Float[np.ndarray, "n 2"],
    y: Float[np.ndarray, " n"],
    slope: float,
    kinks: Float[np.ndarray, "k 2"],
    units: Float[np.ndarray, "m 2"],
) -> TwoLayerMargin:
    """Add directions until the margin meets its bound: column generation."""
    margin, upper, idle = 0.0, np.inf, 0
    for _ in range(_MAX_ROUNDS):
        with warnings.catch_warnings():
            # Only the last of these linear programs has to be accurate, and this function says so.
            warnings.simplefilter("ignore", AccuracyWarning)
            best = max_margin(_activate(X @ units.T, slope), y, norm="l1")
        gap = upper - margin
        if best.margin > margin:
            margin, found, used = best.margin, best, units
        p = best.multipliers * best.margin**2
        peaks, heights = _peaks(kinks, X, p * y, slope)
        upper = min(upper, float(heights.max()))
        if upper <= margin * (1 + _PROMISED / 100):
            break
        idle = 0 if upper - margin < gap * 0.99 else idle + 1
        if idle == 10:
            break
        carrying = best.direction != 0
        merged = _merged(kinks, units[carrying], best.direction[carrying])
        high = peaks[heights > best.margin * (1 + _PROMISED / 1000)]
        units = np.vstack([units, merged, high])
    if upper > margin * (1 + _PROMISED):
        warnings.warn(
            f"the two-layer margin lies between {margin / 2:.17g} and {upper / 2:.17g}, further "
            f"apart than the promised relative {_PROMISED:g}",
            AccuracyWarning,
            stacklevel=3,
        )
    return _two_layer(found, used, upper)


def _two_layer(best: MaxMargin, units: Float[np.ndarray, "m d"], upper: float) -> TwoLayerMargin:
    carrying = np.flatnonzero(best.direction)
    return TwoLayerMargin(best.margin / 2, upper / 2, best.direction[carrying], units[carrying])


def _merged(
    kinks: Float[np.ndarray, "k 2"],
    units: Float[np.ndarray, "m 2"],
    coefficients: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "s 2"]:
    """Return one direction in place of all on the same arc with the same sign.

    On an arc σ(⟨u, x⟩) is linear in u, so that c₁u₁ + c₂u₂ does what both do, at a lower norm.
    """
    starts = np.arctan2(kinks[:, 1], kinks[:, 0])
    arcs = np.searchsorted(starts, np.arctan2(units[:, 1], units[:, 0]), side="right") % len(kinks)
    keys = np.column_stack([arcs, np.sign(coefficients)])
    groups, index = np.unique(keys, axis=0, return_inverse=True)
    sums = np.zeros((len(groups), 2))
    np.add.at(sums, index.ravel(), np.abs(coefficients)[:, None] * units)
    return sums / np.linalg.norm(sums, axis=1)[:, None]


def _activate(z: Float[np.ndarray, "n m"], slope: float) -> Float[np.ndarray, "n m"]:
    return np.where(z >= 0, z, slope * z)


def _units(directions: ArrayLike, d: int) -> Float[np.ndarray, "m d"]:
    result = array("directions", directions, ndim=2)
    if result.shape[1] != d:
        raise ValueError(
            f"directions must have {d} columns, one for each of X, got shape {result.shape}; give "
            "an array (m, d)"
        )
    lengths = np.linalg.norm(result, axis=1)
    if lengths.min() == 0:
        raise ValueError(
            f"directions must not vanish, got a row of zeros at index {int(lengths.argmin())}; "
            "drop it: a neuron without weights computes nothing"
        )
    return result / lengths[:, None]


def _kinks(X: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "k 2"]:
    """Return, in order of angle, the unit directions at which some sample's activation switches."""
    lengths = np.linalg.norm(X, axis=1)
    rows = X[lengths > 0] / lengths[lengths > 0, None]
    if not len(rows):
        rows = np.array([[1.0, 0.0]])
    normals = np.column_stack([-rows[:, 1], rows[:, 0]])
    both = np.vstack([normals, -normals])
    angles = np.arctan2(both[:, 1], both[:, 0])
    order = np.argsort(angles)
    # Neighbours closer than rounding are one; an arc between them would have no middle.
    distinct = np.diff(angles[order], prepend=-np.inf) > 1e-14
    return both[order][distinct]


def _between(kinks: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
    """Return the middle of the arc that begins at each kink, in order."""
    angles = np.arctan2(kinks[:, 1], kinks[:, 0])
    middle = angles + np.diff(angles, append=angles[0] + 2 * np.pi) / 2
    return np.column_stack([np.cos(middle), np.sin(middle)])


def _peaks(
    kinks: Float[np.ndarray, "k 2"],
    X: Float[np.ndarray, "n 2"],
    weights: Float[np.ndarray, " n"],
    slope: float,
) -> tuple[Float[np.ndarray, "p 2"], Float[np.ndarray, " p"]]:
    """Return where |Σ weights σ(⟨u, x⟩)| may be largest on each arc and at its ends, and its value.

    On an arc the function is ⟨g, u⟩, a cosine: its extrema are ±g/‖g‖, if they lie on the arc.
    """
    middles = _between(kinks)
    slopes = np.where(middles @ X.T >= 0, 1.0, slope)
    gradients = slopes * weights @ X
    sizes = np.linalg.norm(gradients, axis=1)
    tops = gradients[sizes > 0] / sizes[sizes > 0, None]
    candidates = np.vstack([kinks, middles, tops, -tops])
    # A candidate of another arc is no extremum, but its value is a true one all the same.
    heights = np.abs(_activate(candidates @ X.T, slope) @ weights)
    return candidates, heights
