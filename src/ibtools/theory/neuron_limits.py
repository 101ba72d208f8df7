"""Where linear and leaky neurons, and linear networks, end: closed forms, a solver, a bound."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import of_kind, offering, real, regression_problem, sign_of, vector
from ibtools.models import LinearNet, LinearNeuron
from ibtools.theory.interpolation import (
    PROMISED,
    AccuracyWarning,
    Interpolator,
    interpolation_problem,
    unit_rows,
)
from ibtools.theory.sign_flip import final_sign as decide_sign
from ibtools.theory.warping import WarpedPotential, layer_sizes

_MAX_ITERATIONS = 200


class NeuronLimit(NamedTuple):
    """The limit of a neuron's flow.

    Attributes
    ----------
    w
        The predictor w̃∞, (d,).
    a
        The output weight a∞. Where it is not 0, the input weights are w̃∞/a∞.
    """

    w: Float[np.ndarray, " d"]
    a: float


def interpolation_targets(y: ArrayLike, *, slope: float, sign: int) -> Float[np.ndarray, " n"]:
    r"""Return the ỹ with which a leaky neuron's interpolators are :math:`\{X\tilde w = \tilde y\}`.

    For a > 0 the output is :math:`\sigma(\tilde w^\top x)`, and σ is invertible: ỹ = y where y ≥ 0
    and y/ρ elsewhere. For a < 0 it is :math:`-\sigma(-\tilde w^\top x)`: y/ρ where y > 0, y
    elsewhere.

    Parameters
    ----------
    y
        Labels, (n,).
    slope
        ρ in (0, 1]; for 1, ỹ = y.
    sign
        Sign of the output weight, 1 or −1.

    Raises
    ------
    ValueError
        If `slope` or `sign` is not acceptable.

    Examples
    --------
    >>> from ibtools.theory import interpolation_targets
    >>> interpolation_targets([1.0, -1.0], slope=0.1, sign=1)
    array([  1., -10.])
    >>> interpolation_targets([1.0, -1.0], slope=0.1, sign=-1)
    array([10., -1.])
    """
    y, slope = vector("y", y), real("slope", slope)
    if not 0 < slope <= 1:
        raise ValueError(
            f"slope must be above 0 and at most 1, got {slope:g}; at 0 the activation has no "
            "inverse, and its interpolators are no affine space"
        )
    sign_of("sign", sign)
    return np.where(sign * y >= 0, y, y / slope)


def explicit_limit(
    neuron: LinearNeuron, X: ArrayLike, y: ArrayLike, *, final_sign: int | None = None
) -> NeuronLimit:
    r"""Return where gradient flow from a neuron ends, in closed form.

    .. math:: & \tilde w_\infty = X^+\tilde y + a_\infty (I - \Pi) w_0, \\
        & a_\infty^2 = \tfrac12\big(c + \sqrt{c^2 + 4\|X^+\tilde y\|^2}\big), \qquad
        c = a_0^2 - \|\Pi w_0\|^2

    with Π the projection on the row space of X and ỹ of `interpolation_targets`. Flow leaves
    :math:`(I-\Pi)w` alone and keeps :math:`a^2 - \|w\|^2`; interpolation gives :math:`\Pi\tilde w`;
    these determine :math:`a_\infty^2`, and with its sign everything.

    Parameters
    ----------
    neuron
        The neuron at initialization.
    X, y
        The problem: X (n, d), and y (n,) in its range.
    final_sign
        Sign of a∞, 1 or −1, where the caller knows it (from a run, say). Without it
        `ibtools.theory.final_sign` decides; for c > 0 it is the sign of a₀.

    Raises
    ------
    ValueError
        If no w has Xw = y or the problem does not fit the neuron; or if no certificate
        decides the sign of a∞.

    Examples
    --------
    >>> from ibtools.models import LinearNeuron
    >>> from ibtools.theory import explicit_limit
    >>> neuron = LinearNeuron(a=0.1, w=[1, -0.5, 0.2])
    >>> limit = explicit_limit(neuron, [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5])
    >>> limit.w.round(6), round(limit.a, 6)
    (array([-0.355316,  0.646074,  0.126335]), -0.586933)
    """
    of_kind("neuron", neuron, LinearNeuron)
    X, y = regression_problem(X, y, columns=neuron.w.size)
    # By its own factorization and root, which the convex solver of the same problem does not share.
    rank = len(interpolation_problem(X, np.zeros_like(y), quick=False).target)
    scaled, _, exponents = unit_rows(X, y)
    left, singular, rows = np.linalg.svd(scaled, full_matrices=False)
    left, singular, rows = left[:, :rank], singular[:rank], rows[:rank]
    visible = rows @ neuron.w
    size = float(np.linalg.norm(visible))
    sign = final_sign
    if sign is None:
        sign, reason = decide_sign(neuron, X, y)
        if sign is None:
            raise ValueError(
                f"neuron must start where the sign of its output weight in the limit is certain, "
                f"got a={neuron.a:g} and an undecided one ({reason}); run gradient_flow and pass "
                "explicit_limit the sign it finds as final_sign, or start from |a| > "
                f"{size:.4g} = ‖Πw‖, where no sign can change"
            )
    targets = interpolation_targets(y, slope=neuron.slope, sign=sign)
    interpolation_problem(X, targets)
    seen = (np.ldexp(targets, -exponents) @ left) / singular
    kept = (abs(neuron.a) - size) * (abs(neuron.a) + size)
    half = np.hypot(kept / 2, np.linalg.norm(seen)) + abs(kept) / 2
    # c/2 + √… cancels for c < 0; the product with its conjugate is ‖X⁺ỹ‖².
    squared = half if kept >= 0 else (seen @ seen) / half
    a = float(sign * np.sqrt(squared))
    return NeuronLimit((seen - a * visible) @ rows + a * neuron.w, a)


def warped_projection(
    potential: WarpedPotential,
    X: ArrayLike,
    y: ArrayLike,
    *,
    slope: float = 1.0,
    sign: int = 1,
) -> Interpolator:
    r"""Minimize a neuron's potential over the interpolators, as a convex problem.

    Newton's method on :math:`\min q(\tilde w)` over :math:`\{X\tilde w = \tilde y\}`, every iterate
    an interpolator. It knows the potential by its gradient and curvature alone and uses nothing of
    the closed form of `explicit_limit`.

    Parameters
    ----------
    potential
        The potential, of dimension d; convex for every δ.
    X, y
        The problem: X (n, d), and y (n,) in its range.
    slope
        ρ of the neuron, in (0, 1].
    sign
        Sign of the output weight, 1 or −1: for ρ < 1 it decides which w̃ interpolate.

    Returns
    -------
    Interpolator
        The minimizer. Its multipliers ν satisfy ∇q = Xᵀν; those of the leaky neuron's own
        constraints are ν divided by the slope of σ at each sample.

    Raises
    ------
    ValueError
        If no w has Xw = y or the problem does not fit the potential.

    Warns
    -----
    AccuracyWarning
        If the estimated relative error exceeds 1e-8.

    Notes
    -----
    It is where the flow ends if the output weight keeps its sign on the way; for c < 0 see
    `ibtools.theory.final_sign`.

    Examples
    --------
    >>> from ibtools.theory import WarpedPotential, warped_projection
    >>> q = WarpedPotential(delta=0.0, start=[0.06, 0.0, 0.08])
    >>> warped_projection(q, [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5]).w.round(6)
    array([ 0.211492,  0.413053, -0.075197])
    """
    offering(
        "potential",
        potential,
        "dim",
        "start",
        "gradient",
        mend="take ibtools.theory.implicit_potential(net)",
    )
    X, y = regression_problem(X, y, columns=potential.dim)
    targets = interpolation_targets(y, slope=slope, sign=sign)
    constraints = interpolation_problem(X, targets, quick=False)
    rows, conditioning = constraints.rows, constraints.conditioning
    anchor = constraints.target @ rows

    def free(vector: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        return vector - (rows @ vector) @ rows

    w, error, iterations = _newton(potential, anchor, free)
    error = max(error, conditioning * np.finfo(float).eps)
    if not error <= PROMISED:
        warnings.warn(
            f"the minimizer's estimated relative error is {error:.1e}, above the promised "
            f"{PROMISED:g}, after {iterations} Newton steps; the condition number of X is "
            f"{conditioning:.1e}",
            AccuracyWarning,
            stacklevel=2,
        )
    multipliers = constraints.multipliers(rows @ potential.gradient(w))
    return Interpolator(w, multipliers, error, iterations, bool(error <= PROMISED))


def kernel_limit(
    neuron: LinearNeuron | LinearNet, X: ArrayLike, y: ArrayLike
) -> Float[np.ndarray, " d"]:
    r"""Return the limit of the network linearized in its weights at the start.

    The linearized predictor moves in the fixed metric H₀ of the start, hence ends in

    .. math:: \tilde w_0 + H_0^{-1}X^\top (X H_0^{-1} X^\top)^{-1}(y - X\tilde w_0),

    the interpolator closest to :math:`\tilde w_0` in that metric: the kernel regime. For one neuron
    :math:`H_0^{-1} = a_0^2 I + w_0w_0^\top`.

    Parameters
    ----------
    neuron
        The linear network at initialization: one neuron or many.
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Raises
    ------
    ValueError
        If no w has Xw = y or the problem does not fit, the neuron is leaky, or its
        tangent kernel is singular.

    Examples
    --------
    >>> from ibtools.models import LinearNeuron
    >>> from ibtools.theory import kernel_limit
    >>> neuron = LinearNeuron(a=100.0, w=[0.0, 0.0])
    >>> kernel_limit(neuron, [[3.0, 4.0]], [25.0]).round(9)
    array([3., 4.])
    """
    of_kind("neuron", neuron, LinearNeuron, LinearNet)
    X, y = regression_problem(X, y, columns=neuron.predictor.size)
    if isinstance(neuron, LinearNeuron):
        if neuron.slope != 1:
            raise ValueError(
                f"neuron must be linear (slope=1), got slope={neuron.slope:g}; a leaky neuron "
                "linearized in its weights is not linear in x"
            )
        outer, hidden = abs(neuron.a), neuron.w[None, :]
    else:
        outer, hidden = float(np.linalg.norm(neuron.a)), neuron.W
    constraints = interpolation_problem(X, y, quick=False)
    rows, target = constraints.rows, constraints.target
    images = rows @ hidden.T
    kernel = outer**2 * np.eye(len(rows)) + images @ images.T
    spectrum = np.linalg.eigvalsh(kernel) if len(rows) else np.ones(1)
    if spectrum[0] <= y.size * np.finfo(float).eps * spectrum[-1]:
        raise ValueError(
            f"the tangent kernel at the start must be invertible, got eigenvalues from "
            f"{spectrum[0]:.1e} to {spectrum[-1]:.1e}; start from an output weight that is not 0"
        )
    dual = np.linalg.solve(kernel, target - rows @ neuron.predictor)
    return neuron.predictor + outer**2 * (dual @ rows) + (dual @ images) @ hidden


def kernel_regime_gap(shape: float, alignment: float) -> float:
    r"""Return how far the linear neuron stays from its kernel regime as α → ∞ at fixed shape.

    The ratio :math:`\|\tilde w_\infty - \tilde w_K\| / \|\tilde w_K - \tilde w_0\|` of the distance
    to the `kernel_limit` to the way gone has a limit for α → ∞. With the alignment
    :math:`e = \|\Pi\hat u\|^2` of the start with the row space, :math:`t = (1-s)/(1+s)` and
    :math:`\epsilon = et^2`, it is

    .. math:: \frac{\sqrt{1-e}\,\big|\sqrt{1-\epsilon} - 1/(1+\epsilon)\big|}
        {\sqrt{e + (1-e)\,\epsilon^2/(1+\epsilon)^2}},

    which is 0 only for e = 0 (:math:`X\tilde w_0 = 0`), e = 1, or ε = (√5 − 1)/2, where the two
    numbers cross; in the limit s → 1 it is :math:`\tfrac18\sqrt{e(1-e)}\,(1-s)^2`.

    Parameters
    ----------
    shape
        s, strictly between −1 and 1, and such that ε < 1.
    alignment
        e, from 0 to 1.

    Raises
    ------
    ValueError
        If an argument is out of range, or ε ≥ 1: then a may change its sign.

    Examples
    --------
    >>> from ibtools.theory import kernel_regime_gap
    >>> [round(kernel_regime_gap(shape, 0.1), 3) for shape in (0.0, 0.2, 0.5)]
    [0.115, 0.06, 0.016]
    """
    shape, alignment = real("shape", shape), real("alignment", alignment)
    if not -1 < shape < 1:
        raise ValueError(
            f"shape must lie strictly between -1 and 1, got {shape:g}; take a limit such as 0.9999"
        )
    if not 0 <= alignment <= 1:
        raise ValueError(
            f"alignment must lie between 0 and 1, got {alignment:g}; it is a squared cosine"
        )
    share = alignment * ((1 - shape) / (1 + shape)) ** 2
    if share >= 1:
        raise ValueError(
            f"shape and alignment must have alignment·((1−s)/(1+s))² < 1, got {share:g}; the "
            "output weight may otherwise change its sign: raise shape"
        )
    if alignment == 0:
        return 0.0
    # √(1−ε) − 1/(1+ε) = ε(1 − ε − ε²)/((1+ε)(1 + (1+ε)√(1−ε))), free of cancellation.
    missed = share * (1 - share - share**2) / ((1 + share) * (1 + (1 + share) * np.sqrt(1 - share)))
    moved = np.sqrt(alignment + (1 - alignment) * (share / (1 + share)) ** 2)
    return float(np.sqrt(1 - alignment) * abs(missed) / moved)


def small_start_bound(net: LinearNet | LinearNeuron, X: ArrayLike, y: ArrayLike) -> float:
    r"""Bound the distance of a linear network's limit from the least-norm interpolator.

    .. math:: \|\tilde w_\infty - X^+y\| \le \|W_0(I-\Pi)\|
        \sqrt{\tfrac12\big(\lambda + \sqrt{\lambda^2 + 4\|X^+y\|^2}\big)}

    in the operator norm, with λ the largest eigenvalue of the conserved
    :math:`aa^\top - W\Pi W^\top`. For a start of size ε it is of order ε: Theorem 3 of Azulay et
    al. (2021) with a rate. For one neuron it is an equality.

    Parameters
    ----------
    net
        The network at initialization.
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Returns
    -------
    float
        The bound, for a flow that ends in an interpolator (and not in a saddle point).

    Raises
    ------
    ValueError
        If no w has Xw = y or the problem does not fit, or the neuron is leaky.

    Examples
    --------
    >>> from ibtools.models import LinearNet
    >>> from ibtools.theory import small_start_bound
    >>> net = LinearNet(a=[0.1, 0.0], W=[[0.0, 0.0, 0.1], [0.0, 0.1, 0.0]])
    >>> bound = small_start_bound(net, [[3.0, 4.0, 0.0]], [25.0])
    >>> bound < 0.23
    True
    """
    of_kind("net", net, LinearNet, LinearNeuron)
    if isinstance(net, LinearNeuron):
        if net.slope != 1:
            raise ValueError(
                f"net must be linear, got a neuron of slope={net.slope:g}; use explicit_limit, "
                "which is exact"
            )
        net = LinearNet([net.a], net.w[None, :])
    X, y = regression_problem(X, y, columns=net.W.shape[1])
    constraints = interpolation_problem(X, y, quick=False)
    rows, least = constraints.rows, float(np.linalg.norm(constraints.target))
    seen = net.W @ rows.T
    kept = float(np.linalg.eigvalsh(np.outer(net.a, net.a) - seen @ seen.T)[-1])
    hidden = float(np.linalg.norm(net.W - seen @ rows, ord=2))
    return hidden * float(layer_sizes(kept, least)[0])


def _newton(
    potential: WarpedPotential,
    anchor: Float[np.ndarray, " d"],
    free: Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, " d"]],
) -> tuple[Float[np.ndarray, " d"], float, int]:
    """Minimize over `anchor` plus the range of the projection `free`; return w, error, count.

    The Hessian is βI − γw̃w̃ᵀ, and so is its restriction with free(w̃) for w̃: each step costs one
    projection.
    """
    if not anchor.any():
        # The corner is feasible; it is the minimizer if 0 is a subgradient there.
        corner = 1.5 * np.sqrt(max(-potential.delta, 0.0))
        if np.linalg.norm(free(potential.tilt)) <= corner * (1 + 4 * np.finfo(float).eps):
            return anchor, 0.0, 0
    w = anchor + free(potential.start)
    if not w.any():
        w = w - free(potential.tilt)
    best = (w, np.inf)
    stalled = iterations = 0
    while iterations < _MAX_ITERATIONS:
        slope = free(potential.gradient(w))
        across, along = potential.curvature(w)
        size = float(np.linalg.norm(w))
        fixed = float(np.linalg.norm(anchor)) / size
        unit = free(w) / size
        # β − γ‖free(w̃)‖² as a sum of what cannot be negative.
        stiff = along + (across - along) * fixed**2
        step = -(slope + unit * ((across - along) * (unit @ slope) / stiff)) / across
        error = float(np.linalg.norm(step) / size)
        if error < best[1]:
            best, stalled = (w, error), 0
        else:
            stalled += 1
        # Once steps no longer shrink, further ones only stir rounding errors.
        if error <= 1e-14 or (error <= 1e-6 and stalled):
            break
        iterations += 1
        descent = -float(slope @ step)
        # q is convex: along the line its slope rises through 0, and bisection closes in on that.
        # Near the end rounding drowns the slope, and Newton's own step is best.
        low, high, length = 0.0, np.inf, 1.0
        for _ in range(100):
            ahead = float(potential.gradient(w + length * step) @ step)
            if error <= 1e-6 or abs(ahead) <= 0.5 * descent:
                break
            low, high = (low, length) if ahead > 0 else (length, high)
            length = 2 * low if np.isinf(high) else (low + high) / 2
        step = length * step
        w = anchor + free(w + step)
    return *best, iterations
