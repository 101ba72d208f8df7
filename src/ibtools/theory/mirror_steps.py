"""How long the steps of mirror descent may be."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import offering, regression_problem
from ibtools.theory.optima import bregman_projection
from ibtools.theory.potentials import HypentropyPotential

# Each halving of an interval gains a bit; a float has 53, and the first guess a few more to lose.
_HALVINGS = 70


def mirror_descent_step_bound(potential: HypentropyPotential, X: ArrayLike, y: ArrayLike) -> float:
    r"""Return a step with which mirror descent of the squared loss is certain to arrive.

    Steps :math:`\nabla q(w_{k+1}) = \nabla q(w_k) + \eta X^\top(y - Xw_k)` end at the Bregman
    projection :math:`w_\infty` of the start if :math:`\eta X^\top X \preceq \nabla^2 q(w)` on the
    convex hull of :math:`S = \{w : D_q(w_\infty, w) \le D_q(w_\infty, w_0)\}`: then the divergence
    falls by :math:`\eta(L_k + L_{k+1})` or more in each step, and no step leaves S. Here S is put
    into a box, :math:`|w_i| \le B_i`, where the potential's Hessian is at least
    :math:`1/\sqrt{k_i + 4B_i^2}`, and

    .. math:: \eta = 1/\lambda_{\max}\Big(X \operatorname{diag}\big(\sqrt{k_i + 4B_i^2}\big)
        X^\top\Big).

    A step beyond :math:`2/\lambda_{\max}` of the tangent kernel at the limit can not settle there.

    Parameters
    ----------
    potential
        The potential, of dimension d, with the start :math:`w_0`.
    X, y
        The problem: X (n, d), and y (n,) in its range.

    Returns
    -------
    float
        η > 0; inf if X = 0.

    Raises
    ------
    ValueError
        As `bregman_projection`.

    See Also
    --------
    ibtools.trainers.mirror_descent : the iteration.

    References
    ----------
    Azizan and Hassibi (2019), where :math:`q - \eta L` is convex everywhere; Bauschke, Bolte and
    Teboulle (2017) on that condition.

    Examples
    --------
    >>> from ibtools.theory import HypentropyPotential, mirror_descent_step_bound
    >>> q = HypentropyPotential(sqrt_k=[2.0], start=[0.0])
    >>> round(mirror_descent_step_bound(q, [[1.0]], [0.0]), 12)
    0.5
    """
    offering(
        "potential",
        potential,
        "dim",
        "start",
        "terms",
        mend="take ibtools.theory.implicit_potential(net)",
    )
    X, y = regression_problem(X, y, columns=potential.dim)
    limit = bregman_projection(potential, X, y).w
    radius = float(np.sum(potential.terms(limit) - potential.terms(potential.start)))
    largest = _box(potential, limit, radius)
    reach = X * np.sqrt(np.hypot(potential.sqrt_k, 2 * largest))
    size = float(np.linalg.norm(reach, 2)) ** 2
    return 1 / size if size > 0 else float("inf")


def _box(
    potential: HypentropyPotential, limit: Float[np.ndarray, " d"], radius: float
) -> Float[np.ndarray, " d"]:
    """Return the largest |w_i| at which coordinate i's share of D_q(limit, w) is `radius`."""
    mirror, value = potential.gradient(limit), potential.terms(limit)

    def divergence(point: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        w = potential.inverse_gradient(point)
        return value - potential.terms(w) - point * (limit - w)

    ends = []
    for side in (-1.0, 1.0):
        # The divergence is convex in the mirror variable and 0 at the limit's.
        inner, outer = np.zeros_like(limit), np.ones_like(limit)
        while np.any(short := divergence(mirror + side * outer) < radius):
            outer = np.where(short, 2 * outer, outer)
        for _ in range(_HALVINGS):
            middle = (inner + outer) / 2
            within = divergence(mirror + side * middle) < radius
            inner, outer = np.where(within, middle, inner), np.where(within, outer, middle)
        ends.append(np.abs(potential.inverse_gradient(mirror + side * outer)))
    return np.maximum(*ends)
