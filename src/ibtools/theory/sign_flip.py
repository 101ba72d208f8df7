"""Which side of a = 0 a neuron ends on, decided without following it there."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.integrate import RK45
from scipy.optimize import brentq

from ibtools._validation import of_kind, regression_problem, vector
from ibtools.models import LinearNeuron
from ibtools.theory.interpolation import interpolation_problem
from ibtools.theory.warping import layer_sizes

# Decisions are made on inequalities; one that holds by less than rounding is not made.
_MARGIN = 1e-9
# Steps after which a comparison curve is given up; it commonly takes a few dozen.
_MAX_STEPS = 400


class SignDecision(NamedTuple):
    """The sign of the output weight in the limit, with the reason.

    Attributes
    ----------
    sign
        1 or −1; None where no certificate decides.
    reason
        The certificate, or why there is none, as a sentence.
    """

    sign: int | None
    reason: str


def final_sign(neuron: LinearNeuron, X: ArrayLike, y: ArrayLike) -> SignDecision:
    r"""Decide the sign of :math:`a_\infty`, by certificates and not by simulation.

    Flow keeps :math:`c = a^2 - \|\Pi w\|^2`, Π the projection on the row space of X, since it
    leaves :math:`(I-\Pi)w` alone. So for c > 0 the output weight cannot vanish and keeps its sign,
    whatever the sign of δ. For c ≤ 0 it is a question of the path, decided here where

    - there is one sample: then sgn(y wᵀx) cannot change for c < 0, and it is the sign of a∞;
    - a = 0 at the start: the first step decides;
    - the loss at the start is below ½‖y‖², the loss of every network with a = 0;
    - the rows of X are orthogonal and of equal length (linear neuron): then
      :math:`F = w^\top X^+y + a\mu` with :math:`2\mu = c + \sqrt{c^2 + 4\|X^+y\|^2}` obeys
      :math:`\dot F = (\mu - a^2)F` up to a factor of speed, so it keeps its sign, which in the
      limit is that of a;
    - a scalar differential inequality decides (linear neuron). Above that loss |a| only falls, so
      it can serve as the clock of :math:`s = w^\top X^\top y`, whose slope is known up to the angle
      and size of the part of Πw that s does not see. If even the largest solution stays below the
      level at which the loss falls under ½‖y‖², then a reaches 0; if the smallest passes it, a
      never does.

    Parameters
    ----------
    neuron
        The neuron at initialization.
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Raises
    ------
    ValueError
        If the problem does not fit the neuron, or no w has Xw = y (for the linear neuron; for the
        leaky one it depends on the sign, and `explicit_limit` sees to it).

    See Also
    --------
    sign_flip_bracket : between what output weights the sign changes.
    sign_flip_threshold : where it does, for orthogonal rows.

    Examples
    --------
    >>> from ibtools.models import LinearNeuron
    >>> from ibtools.theory import final_sign
    >>> X, y = [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5]
    >>> [final_sign(LinearNeuron(a=a, w=[1, -0.5, 0.2]), X, y).sign for a in (0.1, 0.3, 1.0)]
    [-1, 1, 1]
    """
    of_kind("neuron", neuron, LinearNeuron)
    X, y = regression_problem(X, y, columns=neuron.w.size)
    # Which labels a leaky neuron can reach depends on the sign that is to be decided.
    rows = interpolation_problem(X, y if neuron.slope == 1 else np.zeros_like(y), quick=False).rows
    visible = rows @ neuron.w
    size = float(np.linalg.norm(visible))
    start, sign = abs(neuron.a), int(np.sign(neuron.a))
    margin = start - size
    if sign and margin > _MARGIN * size:
        return SignDecision(sign, "a² − ‖Πw‖² > 0 is conserved, so a never vanishes")
    if not y.any():
        return _settle(sign, "y = 0: the loss of a network with a = 0 is 0, and a only shrinks")
    inputs = X @ neuron.w
    slopes = np.where(inputs >= 0, 1.0, neuron.slope)
    push = float((slopes * inputs) @ y)
    rounding = np.finfo(float).eps * float(np.abs(y) @ (np.abs(X) @ np.abs(neuron.w)))
    if abs(push) <= neuron.w.size * rounding:
        push = 0.0
    if not sign:
        if push == 0:
            return SignDecision(None, "a = 0 and wᵀXᵀy = 0: the neuron is at a saddle point")
        return SignDecision(int(np.sign(push)), "a = 0, and its first step has this sign")
    if y.size == 1 and push != 0:
        if margin < -_MARGIN * size:
            return SignDecision(
                int(np.sign(push)),
                "‖Πw‖ > |a| with one sample: wᵀx cannot vanish, so a takes the sign of y wᵀx",
            )
        if sign * push < 0:
            return SignDecision(
                None,
                "a² = ‖Πw‖² with one sample and a y wᵀx < 0: flow ends in the saddle point "
                "a = 0, Πw = 0",
            )
    quadratic = float(np.sum((slopes * inputs) ** 2))
    if 2 * sign * push > start * quadratic * (1 + _MARGIN):
        return SignDecision(
            sign, "the loss starts below ½‖y‖², which it would have to reach for a to vanish"
        )
    if neuron.slope < 1:
        return SignDecision(
            None,
            "a² ≤ ‖Πw‖², the loss does not start below ½‖y‖², and the differential "
            "inequality is for the linear neuron",
        )
    squared = _common_square(X)
    if squared is not None:
        along, steady = push / squared, neuron.a * _squared_limit(start, size, y, squared)
        if abs(along + steady) <= _MARGIN * (abs(along) + abs(steady)):
            return SignDecision(None, "the start is at the threshold: flow ends at a saddle point")
        return SignDecision(
            int(np.sign(along + steady)),
            "orthogonal rows of equal length: wᵀX⁺y + aμ keeps its sign, and ends with that of a",
        )
    return _compare(X @ rows.T, y, start, sign, sign * visible)


def sign_flip_threshold(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> float:
    r"""Return the output weight below which a changes its sign, for orthogonal rows.

    Where :math:`XX^\top` is a multiple of I, gradient flow of the linear neuron from
    :math:`a_0 > 0` ends with

    .. math:: & \operatorname{sgn} a_\infty = \operatorname{sgn}\Big(\Pi w_0\cdot X^+y
        + \tfrac12 a_0\big(c + \sqrt{c^2 + 4\|X^+y\|^2}\big)\Big), \\
        & c = a_0^2 - \|\Pi w_0\|^2,

    and the right-hand side increases with :math:`a_0`: there is one threshold. For whitened data
    (n = d) this is due to Kunin et al. (2024).

    Parameters
    ----------
    w
        The input weights at initialization, (d,).
    X, y
        The problem: X (n, d) with n < d, its rows orthogonal and of equal length; y (n,).

    Returns
    -------
    float
        :math:`a_0^* \ge 0`, at most :math:`\|\Pi w_0\|`; 0 where no :math:`a_0 > 0` flips.

    Raises
    ------
    ValueError
        If the problem is not one of interpolation or does not fit, or the rows are not orthogonal
        and of equal length.

    See Also
    --------
    sign_flip_bracket : bounds of the threshold for any X.

    Examples
    --------
    >>> from ibtools.theory import sign_flip_threshold
    >>> threshold = sign_flip_threshold([-1.0, 0.5, 2.0], [[1, 0, 0], [0, 1, 0]], [1.0, 1.0])
    >>> round(threshold, 6)
    0.5
    """
    w = vector("w", w)
    X, y = regression_problem(X, y, columns=w.size)
    interpolation_problem(X, y)
    squared = _common_square(X)
    if squared is None:
        gram = X @ X.T
        raise ValueError(
            "X must have orthogonal rows of equal length (XXᵀ = κI), got rows whose products "
            f"differ from that by up to {np.abs(gram - gram[0, 0] * np.eye(y.size)).max():.2g}; "
            "for other data sign_flip_bracket encloses the threshold"
        )
    along = float(w @ (X.T @ y)) / squared
    if along >= 0:
        return 0.0
    size = float(np.linalg.norm(X @ w)) / np.sqrt(squared)
    return float(
        brentq(
            lambda a: along + a * _squared_limit(a, size, y, squared),
            0.0,
            size * (1 + 1e-12),
            xtol=1e-300,
            rtol=8 * np.finfo(float).eps,
        )
    )


def sign_flip_bracket(w: ArrayLike, X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    r"""Return two output weights between which the linear neuron's sign flip sets in.

    From the first, a is certain to change sign; from the second it is certain not to. A threshold
    lies between: there flow ends in a saddle point, on whose stable manifold the start then lies.

    Parameters
    ----------
    w
        The input weights at initialization, (d,).
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Returns
    -------
    tuple
        Lower and upper bound, each to a relative 1e-6; (0, 0) where no a₀ > 0 flips.

    Raises
    ------
    ValueError
        If no w has Xw = y or the problem does not fit.

    See Also
    --------
    sign_flip_threshold : the threshold itself, for orthogonal rows of equal length.

    Notes
    -----
    Each end is found by bisection, and is itself certified; that there is one threshold, so that
    all of (0, low] flips and nothing from high on does, is proven for orthogonal rows of equal
    length and found in every problem tried, not proven in general.

    Examples
    --------
    >>> from ibtools.theory import sign_flip_bracket
    >>> low, high = sign_flip_bracket([1, -0.5, 0.2], [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5])
    >>> low < 0.2283 < high
    True
    """
    w = vector("w", w)
    X, y = regression_problem(X, y, columns=w.size)
    rows = interpolation_problem(X, y, quick=False).rows
    highest = float(np.linalg.norm(rows @ w))
    if w @ (X.T @ y) >= 0:
        return (0.0, 0.0)

    def bisect(wanted: int) -> tuple[float, float]:
        low, high = 0.0, highest * (1 + 1e-6)
        while high - low > 1e-6 * high:
            middle = (low + high) / 2
            decided = final_sign(LinearNeuron(middle, w), X, y).sign
            if (decided == -1) if wanted == -1 else (decided != 1):
                low = middle
            else:
                high = middle
        return low, high

    return bisect(-1)[0], bisect(1)[1]


def _common_square(X: Float[np.ndarray, "n d"]) -> float | None:
    """Return κ where XXᵀ = κI to rounding, else None."""
    gram = X @ X.T
    squared = float(np.trace(gram)) / len(X)
    allowed = 1e-12 * squared
    return squared if np.abs(gram - squared * np.eye(len(X))).max() <= allowed else None


def _squared_limit(a: float, size: float, y: Float[np.ndarray, " n"], squared: float) -> float:
    """Return the a∞² that belongs to c = a² − `size`², where XXᵀ = `squared`·I."""
    least = float(np.linalg.norm(y)) / np.sqrt(squared)
    return float(layer_sizes((a - size) * (a + size), least)[0]) ** 2


def _settle(sign: int, reason: str) -> SignDecision:
    return SignDecision(sign or 1, reason)


def _compare(
    X: Float[np.ndarray, "n k"],
    y: Float[np.ndarray, " n"],
    start: float,
    sign: int,
    visible: Float[np.ndarray, " k"],
) -> SignDecision:
    """Decide by bounds of s = pᵀb as a function of a, for a > 0 at the start.

    With b = Xᵀy, M = XᵀX and p = Πw: a' = s − aR, R = pᵀMp, and s' = a(‖b‖² − a bᵀMp). The loss is
    below ½‖y‖² exactly where 2s > aR; elsewhere a' ≤ −aR/2 < 0, so that s is a function of a. Split
    p = (s/‖b‖²)b + p⟂: ‖p⟂‖ is known and its direction is not, which bounds the slope of s there.
    The curve of steepest slope and that of least slope enclose the path.
    """
    pull = X.T @ y
    moment = X.T @ X
    norm = float(pull @ pull)
    along = float(pull @ moment @ pull) / norm
    across = float(np.linalg.norm(moment @ pull - along * pull))
    basis = np.linalg.qr(np.column_stack([pull, np.eye(pull.size)]))[0][:, 1:]
    spectrum = np.linalg.eigvalsh(basis.T @ moment @ basis) if pull.size > 1 else np.zeros(1)
    gap = float(visible @ visible) - start**2
    angles = np.array([-1.0, 1.0, -1.0, 1.0])
    stretch = spectrum[[0, 0, -1, -1]]
    first = float(visible @ pull)
    unit = np.array([start, abs(first) + start * np.sqrt(norm)])

    def corners(a: float, s: float) -> tuple[Float[np.ndarray, "4"], Float[np.ndarray, "4"]]:
        """Return R and bᵀMp at the extremes of what is not known."""
        hidden = np.sqrt(max(a * a + gap - s * s / norm, 0.0))
        twist = across * hidden * angles
        return along * s * s / norm + 2 * s / norm * twist + stretch * hidden**2, along * s + twist

    def enclose(side: int) -> tuple[bool, bool]:
        """Follow the lower (−1) or upper (1) curve; return whether it met 2s = aR, or else a = 0.

        Its parameter is arc length, in units of a and s at the start.
        """

        def field(_: float, point: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
            a, s = point * unit
            quadratic, turn = corners(a, s)
            rise, fall = a * (norm - a * turn), a * quadratic - s
            # Above the level aR ≥ 2s, and always R ≥ 0: so a falls at |s| at least.
            if fall.min() < abs(s):
                rise, fall = np.repeat(rise, 4), np.tile(np.maximum(fall, abs(s)), 4)
            extreme = int(np.argmax(side * np.arctan2(rise, fall)))
            move = np.array([-fall[extreme], rise[extreme]]) / unit
            length = np.linalg.norm(move)
            return move / length if length > 0 else move

        def level(point: Float[np.ndarray, "2"]) -> float:
            a, s = point * unit
            quadratic = corners(a, s)[0]
            bound = quadratic.max() if side < 0 else max(quadratic.min(), 0.0)
            return (2 * s - a * bound) / unit[1] + side * _MARGIN

        curve = RK45(
            field, 0.0, np.array([start, first]) / unit, np.inf, rtol=1e-9, atol=1e-11, max_step=0.2
        )
        points = [curve.y]
        for _ in range(_MAX_STEPS):
            for point in points:
                if point[0] <= 0:
                    return False, True
                if level(point) > 0:
                    return True, False
            curve.step()
            if curve.status == "failed":
                break
            # A level met and left within a step must not be missed.
            points = list(curve.dense_output()(np.linspace(curve.t_old, curve.t, 6)[1:]).T)
        return False, False

    if enclose(-1)[0]:
        return SignDecision(
            sign, "a differential inequality: the loss falls below ½‖y‖² before a can vanish"
        )
    if enclose(1) == (False, True):
        return SignDecision(
            -sign, "a differential inequality: a vanishes before the loss can fall below ½‖y‖²"
        )
    return SignDecision(
        None,
        "a² ≤ ‖Πw‖², so a may change its sign on the way, and the start is too close to the "
        "threshold for a certificate",
    )
