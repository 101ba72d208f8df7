"""Where gradient descent takes two-layer ReLU and leaky ReLU networks, found without training.

Once no neuron becomes active or inactive on a sample any more, the margins are linear in the
weights and descent is logistic regression in the features that the pattern selects. What that
converges to is known in closed form; whether it keeps the pattern can be checked.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from ibtools._validation import count, of_kind, one_of, positive, real, vector
from ibtools.models.two_layer import TwoLayerNet, leaky_slope, signed_problem
from ibtools.theory.nearest_point import nearest_weights, on_support

# Inner products this small against the norms are those of orthogonal samples in floats.
_ORTHOGONAL = 1e-12
# Beyond this condition number nothing is known of the multipliers.
_CONDITION = 1e12
# A margin this near to 1 is one.
_TIGHT = 1e-9
_EPS = float(np.finfo(np.float64).eps)


class InconsistentPatternError(ValueError):
    """The predicted limit has neurons on the wrong side of samples: descent cannot end there."""


@dataclass(frozen=True, eq=False)
class TwoLayerLimit:
    r"""The limit direction of a two-layer network, and what follows from it.

    It solves :math:`\min \tfrac12\|W\|_F^2` subject to all margins being at least 1, with every
    neuron held active on the samples on which it is.

    Attributes
    ----------
    W
        The solution, (2m, d): descent ends in the direction W/‖W‖.
    multipliers
        α ≥ 0, (n,): with the features' Gram matrix K, (Kα)ᵢ = 1 where αᵢ > 0. Row r of W is
        :math:`s_r \sum_i \alpha_i y_i c_{ri} x_i` with the neuron's sign s and slopes c.
    kernel
        K, (n, n): :math:`K_{ik} = y_i y_k \langle x_i, x_k\rangle \frac1m\sum_r c_{ri}c_{rk}`.
    slopes
        c, (2m, n): the slope of each neuron at each sample, 1 or γ; between them where the limit
        has the neuron on its kink there.
    consistency
        The smallest input of a neuron at a sample, counted positive on the side on which the
        pattern has it, over all pairs that the limit moves; above 0 where the limit keeps its own
        pattern. In units of the margin 1; kinks along which it slides do not count.
    slope
        γ.
    determined
        Whether the multipliers are unique. Repeated samples share theirs equally, as they do in
        training; where other samples' features depend on each other, W is unique and α is not.
    """

    W: Float[np.ndarray, "rows d"]
    multipliers: Float[np.ndarray, " n"]
    kernel: Float[np.ndarray, "n n"]
    slopes: Float[np.ndarray, "rows n"]
    consistency: float
    slope: float
    determined: bool = True

    @property
    def m(self) -> int:
        """The number of neurons of either sign."""
        return len(self.W) // 2

    @property
    def net(self) -> TwoLayerNet:
        """The network with the limit's weights: its smallest margin is 1."""
        return TwoLayerNet(self.W, slope=self.slope)

    @property
    def direction(self) -> Float[np.ndarray, "rows d"]:
        """W/‖W‖, (2m, d)."""
        return self.W * self.margin

    @property
    def margin(self) -> float:
        r"""The limit of the normalized margin, :math:`1/\sqrt{m\sum\alpha}` = 1/‖W‖."""
        return float(1 / np.sqrt(self.m * self.multipliers.sum()))

    @property
    def margins(self) -> Float[np.ndarray, " n"]:
        """The margins of the solution, Kα, (n,): 1 for support vectors, more for others."""
        return self.kernel @ self.multipliers

    @property
    def equal_margins(self) -> bool:
        """Whether all margins become equal: those of the solution are all 1."""
        return bool(_tight(self.multipliers, self.kernel).all())

    @property
    def sliding(self) -> Bool[np.ndarray, "rows n"]:
        """Which neuron slides along its kink at which sample, (2m, n)."""
        return (self.slopes > self.slope) & (self.slopes < 1)

    @property
    def v_plus(self) -> Float[np.ndarray, " d"]:
        """The mean row of W₊, (d,); for a leaky ReLU in the labels' pattern, every row."""
        return self.W[: self.m].mean(axis=0)

    @property
    def v_minus(self) -> Float[np.ndarray, " d"]:
        """The mean row of W₋, (d,); for a leaky ReLU in the labels' pattern, every row."""
        return self.W[self.m :].mean(axis=0)

    @property
    def stable_rank(self) -> float:
        """The limit of the stable rank of the whole W."""
        return _stable_rank(self.W)

    @property
    def stable_rank_signed(self) -> Float[np.ndarray, "2"]:
        """The limits of the stable ranks of W₊ and W₋, (2,); NaN where that part stays bounded."""
        return np.array([_stable_rank(self.W[: self.m]), _stable_rank(self.W[self.m :])])

    def loss_time(self, *, schedule: str = "constant", step_size: float | None = None) -> float:
        r"""Return the limit of L·τ, mean loss times τ = Σ η.

        With constant steps it is :math:`m\sum\alpha = 1/\bar\gamma^2`; so :math:`t L_t` tends to
        this over η. With η_t = η/L_t each step multiplies the loss by :math:`e^{-\Delta}`,
        :math:`\Delta = \eta\bar\gamma^2`, and the sum of a geometric series leaves
        :math:`\eta/(e^{\Delta} - 1)`.

        Parameters
        ----------
        schedule
            ``"constant"`` or ``"loss_based"``.
        step_size
            η > 0; needed for ``"loss_based"``.

        Raises
        ------
        ValueError
            If the schedule is unknown, or its step is missing or not above 0.
        """
        one_of("schedule", schedule, ("constant", "loss_based"))
        total = self.m * float(self.multipliers.sum())
        if schedule == "constant":
            return total
        if step_size is None:
            raise ValueError("step_size must be given for schedule='loss_based'; pass its η")
        return float(step_size / np.expm1(positive("step_size", step_size) / total))

    def margin_gap(self) -> float:
        r"""Return the limit of :math:`\max q - \min q`, which is log(max α/min α).

        Infinite where margins do not become equal. The spread :math:`1-\min q/\max q` times log τ
        tends to the same number.

        Raises
        ------
        ValueError
            If the multipliers are not unique (`determined` is False): the gap then depends on the
            start.
        """
        if not self.equal_margins:
            return np.inf
        if not self.determined:
            raise ValueError(
                "the samples' features depend on each other, so that Kα = 1 has many solutions and "
                "the gap depends on the start; train the network and measure it, or drop samples "
                "until their features are independent"
            )
        with np.errstate(divide="ignore"):
            return float(np.log(self.multipliers.max() / self.multipliers.min()))


def two_layer_limit(
    net: TwoLayerNet, X: ArrayLike, y: ArrayLike, *, check: bool = True
) -> TwoLayerLimit:
    r"""Return where gradient descent takes `net`, without training it.

    For a leaky ReLU (γ > 0) from a small start on nearly orthogonal data, every neuron ends up
    active exactly on the samples whose label is its sign. With

    .. math:: K_{ik} = \langle x_i, x_k\rangle \cdot
        \begin{cases} 1+\gamma^2 & y_i = y_k \\ -2\gamma & y_i \ne y_k \end{cases},
        \qquad K\alpha = \mathbf 1,

    all rows of W₊ then tend to the direction of
    :math:`v_+ = \sum_{y_i=+}\alpha_i x_i - \gamma\sum_{y_i=-}\alpha_i x_i`, those of W₋ to that of
    :math:`v_- = \sum_{y_i=-}\alpha_i x_i - \gamma\sum_{y_i=+}\alpha_i x_i`.

    For the ReLU (γ = 0) on orthogonal data the pattern of the start decides: a neuron stays active
    on the samples of its own sign on which it is active at the start, and dies on the others. Then
    :math:`\alpha_i = 1/(\beta_i\|x_i\|^2)`, β the active share of a sample's own neurons.

    Parameters
    ----------
    net
        The network at initialization. A leaky ReLU's limit depends on m and γ only.
    X, y
        The problem: X (n, d), labels ±1, (n,).
    check
        Whether to refuse a limit that does not keep its pattern. ``False`` returns it, with
        ``consistency`` below 0, to compare with.

    Returns
    -------
    TwoLayerLimit
        The limit.

    Raises
    ------
    InconsistentPatternError
        If the limit has neurons on the wrong side of a sample, with the sample and the sign.
    ValueError
        If the problem is not finite, does not fit the network or has labels other than ±1; if
        nothing separates the samples; if a ReLU network's samples are not orthogonal, or no neuron
        of a sample's sign is active on it.

    See Also
    --------
    frozen_limit : the same for the pattern of a trained network.
    own_pattern_limit : only the pattern on samples of a neuron's own sign has to be known.

    Notes
    -----
    That the pattern forms from a small start is a theorem on nearly orthogonal data (the paper's
    assumption); see `first_step_slack` for the first step. That nothing else can happen once it has
    formed is the convergence of logistic regression to its hard-margin solution (Soudry et al.
    2018). Where Kα = 1 has no positive solution some samples are no support vectors: α is then
    the solution with α ≥ 0, and margins do not become equal. A sample that is there twice is one
    that counts twice: the direction is that without the copy, and its two margins are smaller by
    log 2 than they would be.

    References
    ----------
    Kou, Chen and Gu (2023); the limits in closed form are this book's.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.theory import two_layer_limit
    >>> net = TwoLayerNet.initialize(m=5, d=4, slope=0.5, scale=1e-3, seed=0)
    >>> limit = two_layer_limit(net, 2 * np.eye(4), [1, 1, -1, -1])
    >>> limit.multipliers, round(limit.margin, 6), round(limit.stable_rank, 6)
    (array([0.2, 0.2, 0.2, 0.2]), 0.5, 1.111111)
    """
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    own = np.outer(net.signs, y) > 0
    if net.slope > 0:
        limit = _limit(X, y, np.where(own, 1.0, net.slope), net, own)
    else:
        _need_orthogonal(X, y)
        active = own & (net.W @ X.T >= 0)
        share = active.sum(axis=0) / net.m
        if not share.all():
            i = int(np.flatnonzero(share == 0)[0])
            raise ValueError(
                f"no neuron of sign {_sign(float(y[i]))} is active on sample {i} at the start, so "
                "that it is never learned; take more neurons or another seed"
            )
        limit = _limit(X, y, active.astype(float), net, active)
    if not check or net.slope == 0:
        return limit
    return _checked(
        limit,
        own,
        X,
        y,
        "take a larger slope, more features or fewer samples, or see sliding_limit",
    )


def sliding_limit(net: TwoLayerNet, X: ArrayLike, y: ArrayLike) -> TwoLayerLimit:
    r"""Return the limit of a leaky ReLU network also where no pattern is consistent.

    Where a sample pulls the neurons of the opposite sign less than the other samples push them,
    these neurons neither stay active nor inactive: they slide along their kink ⟨w, x⟩ = 0. As long
    as neurons end up active on the samples of their own sign, the limit solves the convex problem

    .. math:: \min_{v_+, v_-} \|v_+\|^2 + \|v_-\|^2 \quad\text{s.t.}\quad
        \begin{cases} \langle v_+, x_i\rangle - \sigma(\langle v_-, x_i\rangle) \ge 1 & y_i = + \\
        \langle v_-, x_i\rangle - \sigma(\langle v_+, x_i\rangle) \ge 1 & y_i = - \end{cases}

    and every row of W± is v±. Where the pattern is consistent it is `two_layer_limit`.

    Parameters
    ----------
    net
        The network; its limit depends on m and γ only, and γ > 0.
    X, y
        The problem: X (n, d), labels ±1, (n,).

    Returns
    -------
    TwoLayerLimit
        The limit; its slopes at kinks are those of Clarke's subgradients.

    Raises
    ------
    InconsistentPatternError
        If the solution has a neuron inactive on a sample of its own sign.
    ValueError
        If the problem is not finite, does not fit the network or has labels other than ±1; if
        nothing separates the samples; or if the network is a ReLU.

    Notes
    -----
    σ is convex, hence so are the constraints, and every Karush-Kuhn-Tucker point in the sense of
    Clarke with the own neurons strictly active is the solution. Such points are the limit
    directions of gradient flow (Lyu and Li 2020); for descent see `own_pattern_limit`. The problem
    over all 2m rows has the same solution: it is strictly convex and does not tell the neurons of
    one sign apart.

    References
    ----------
    This book.

    Examples
    --------
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.theory import sliding_limit, two_layer_limit
    >>> net = TwoLayerNet.initialize(m=2, d=2, slope=0.1, scale=1e-3, seed=0)
    >>> X, y = [[1.0, 0.0], [0.6, 0.8]], [1, -1]
    >>> two_layer_limit(net, X, y, check=False).consistency < 0
    True
    >>> limit = sliding_limit(net, X, y)
    >>> limit.equal_margins, int(limit.sliding.sum())
    (True, 4)
    """
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    _need_leaky(net.slope)
    own = np.outer(net.signs, y) > 0
    limit = _program(X, y, own, net)
    return _checked(
        limit,
        own | (limit.slopes == 1),
        X,
        y,
        "the problem is convex only where neurons stay active on own samples; train the network "
        "and see own_pattern_limit",
    )


def own_pattern_limit(
    net: TwoLayerNet, X: ArrayLike, y: ArrayLike, *, check: bool = True
) -> TwoLayerLimit:
    r"""Return where descent goes if neurons of `net` keep their pattern on their own samples.

    That is on the samples whose label is the neuron's sign; on all others they may become active
    and inactive as often as they like. With the slopes c that `net` has on own samples, descent
    ends in the direction of the solution of the convex problem

    .. math:: \min_W \|W\|_F^2 \quad\text{s.t.}\quad
        \frac1m \sum_{s_r = y_i} c_{ri} \langle w_r, x_i\rangle
        - \frac1m \sum_{s_r \ne y_i} \sigma(\langle w_r, x_i\rangle) \ge 1
        \quad\text{for all } i,

    for a ReLU as for a leaky one, on any data, for steps of any size. On nearly orthogonal data a
    ReLU network's own pattern only grows, and so comes to rest.

    Parameters
    ----------
    net
        The network, at some time late in training.
    X, y
        The problem: X (n, d), labels ±1, (n,).
    check
        Whether to refuse a solution that does not keep the pattern on own samples. ``False``
        returns it, with ``consistency`` below 0.

    Returns
    -------
    TwoLayerLimit
        The limit; its slopes at kinks are those of Clarke's subgradients.

    Raises
    ------
    InconsistentPatternError
        If the solution has a neuron on the other side of a sample of its own sign.
    ValueError
        If the problem is not finite, does not fit the network or has labels other than ±1; or if
        no weights with this pattern separate the samples.

    See Also
    --------
    frozen_limit : every neuron is held on its side of every sample.
    sliding_limit : all neurons are active on all samples of their own sign.

    Notes
    -----
    σ is convex, so the margins that have σ in them with a minus are concave. A step of descent is
    then one of the subgradient method on a convex loss, and pulls towards the solution at least as
    much as its own length grows: the argument that bounds the mistakes of a perceptron.

    References
    ----------
    This book.

    Examples
    --------
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.theory import own_pattern_limit
    >>> net = TwoLayerNet([[3.0, 0.1], [-0.1, -0.2], [0.2, 2.0], [-0.3, 1.0]], slope=0.0)
    >>> limit = own_pattern_limit(net, [[1.0, 0.0], [0.6, 0.8]], [1, -1])
    >>> limit.equal_margins, limit.stable_rank_signed
    (True, array([1., 1.]))
    """
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    own = np.outer(net.signs, y) > 0
    active = net.W @ X.T >= 0
    limit = _program(X, y, active, net)
    if not check:
        return limit
    return _checked(
        limit,
        np.where(own, active, limit.slopes == 1),
        X,
        y,
        "train until the pattern on own samples has stopped moving",
    )


def frozen_limit(net: TwoLayerNet, X: ArrayLike, y: ArrayLike) -> TwoLayerLimit:
    """Return where descent goes if no neuron of `net` becomes active or inactive from now on.

    It is the hard-margin solution in the features of the network's own pattern, for a ReLU as for a
    leaky one, on any data. Use it on a trained network whose pattern has stopped moving.

    Parameters
    ----------
    net
        The network, at some time late in training.
    X, y
        The problem: X (n, d), labels ±1, (n,).

    Returns
    -------
    TwoLayerLimit
        The limit, with α ≥ 0.

    Raises
    ------
    InconsistentPatternError
        If the limit would move a neuron to the other side of a sample.
    ValueError
        If the problem does not fit, or no weights separate the samples within this pattern.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.theory import frozen_limit
    >>> net = TwoLayerNet([[3.0, -0.1], [-0.1, -0.2], [-1.0, 2.0], [-0.3, 1.0]], slope=0.0)
    >>> limit = frozen_limit(net, np.eye(2), [1, -1])
    >>> limit.multipliers, limit.stable_rank_signed
    (array([2., 1.]), array([1., 1.]))
    """
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    active = net.W @ X.T >= 0
    limit = _limit(X, y, np.where(active, 1.0, net.slope), net, active)
    return _checked(limit, active, X, y, "train until the pattern has stopped moving")


def signed_rank_constants(net: TwoLayerNet, X: ArrayLike, y: ArrayLike) -> Float[np.ndarray, "2"]:
    r"""Return the limits of :math:`(\operatorname{sr}(W_\pm) - 1)\,\|W_\pm\|_F^2` of a leaky ReLU.

    In the labels' pattern all neurons of one sign take the same steps, so the part E of their rows
    that is off their mean never changes again. With :math:`\hat v` the limit of the rows'
    direction, the limits are :math:`\|E\|_F^2 - \|E\hat v\|^2`: the stable ranks approach 1 like
    1/‖W‖², that is 1/log²τ.

    Parameters
    ----------
    net
        The network at any time after the pattern has formed.
    X, y
        The problem: X (n, d), labels ±1, (n,).

    Returns
    -------
    Float[np.ndarray, "2"]
        The constants of W₊ and of W₋.

    Raises
    ------
    ValueError
        As `two_layer_limit`, or if the network is not in the labels' pattern, or is a ReLU.

    References
    ----------
    This book; the rate is that of Kou, Chen and Gu (2023).

    Examples
    --------
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.theory import signed_rank_constants
    >>> W = [[1.0, -2.0, 0.3], [1.0, -2.0, -0.3], [-2.0, 1.0, 0.1], [-2.0, 1.0, 0.1]]
    >>> net = TwoLayerNet(W, slope=0.5)
    >>> signed_rank_constants(net, [[1, 0, 0], [0, 1, 0]], [1, -1])
    array([0.18, 0.  ])
    """
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    _need_leaky(net.slope)
    own = np.outer(net.signs, y) > 0
    wrong = np.argwhere((net.W @ X.T >= 0) != own)
    if wrong.size:
        r, i = (int(index) for index in wrong[0])
        raise ValueError(
            f"net must be in the labels' pattern, but neuron {r} of sign "
            f"{_sign(float(net.signs[r]))} is {'inactive' if own[r, i] else 'active'} on sample "
            f"{i} of label {_sign(float(y[i]))}; train it until the pattern has formed"
        )
    limit = two_layer_limit(net, X, y)
    constants = []
    for rows, v in ((net.W_plus, limit.v_plus), (net.W_minus, limit.v_minus)):
        off_mean = rows - rows.mean(axis=0)
        along = off_mean @ (v / np.linalg.norm(v))
        constants.append(np.sum(off_mean**2) - np.sum(along**2))
    return np.array(constants)


def first_step_slack(net: TwoLayerNet, X: ArrayLike, y: ArrayLike, *, step_size: float) -> float:
    r"""Return by how much the first step of descent is sure to bring about the labels' pattern.

    That step moves the input of neuron r at sample i towards its right side by at least

    .. math:: \frac{\eta}{nm}\Big(c_{ri}\,g_i\|x_i\|^2
        - \sum_{k\ne i} c_{rk}\,g_k\,|\langle x_i, x_k\rangle|\Big),

    with the slopes c at the start and g = −ℓ′ of its margins (logistic), ½ where the start is
    small. The pattern is right after the step if this exceeds |⟨w, xᵢ⟩| wherever the start is on
    the wrong side: for a small start, a step that is not too small, and nearly orthogonal data. On
    orthogonal data the condition is necessary, too.

    Parameters
    ----------
    net
        The network at the start; a leaky ReLU.
    X, y
        The problem: X (n, d), labels ±1, (n,).
    step_size
        η > 0, on the mean loss.

    Returns
    -------
    float
        How far beyond 0 on its right side an input is sure to be, relative to what its own sample
        moves it by; the smallest over all. Above 0 the pattern is right after one step; below 0
        nothing follows on data that are not orthogonal.

    Raises
    ------
    ValueError
        If the problem does not fit the network, a sample is zero, `step_size` is not above 0, or
        the network is a ReLU.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.theory import first_step_slack
    >>> net = TwoLayerNet.initialize(m=5, d=4, slope=0.5, scale=1e-3, seed=0)
    >>> first_step_slack(net, np.eye(4), [1, 1, -1, -1], step_size=1.0) > 0
    True
    """
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    _need_leaky(net.slope)
    gram = np.abs(X @ X.T)
    squares = np.diag(gram).copy()
    if not squares.all():
        raise ValueError(f"X must have no zero rows, got one at {int(squares.argmin())}; drop it")
    inputs = net.W @ X.T
    slopes = np.where(inputs >= 0, 1.0, net.slope)
    pull = np.exp(-np.logaddexp(0.0, y * ((net.signs / net.m) @ (slopes * inputs))))
    np.fill_diagonal(gram, 0.0)
    alone = slopes * (pull * squares)
    unit = positive("step_size", step_size) / (len(y) * net.m)
    moved = unit * (alone - (slopes * pull) @ gram)
    return float(((np.outer(net.signs, y) * inputs + moved) / (unit * alone)).min())


def consistency_statistic(*, n: int, d: int, slope: float) -> float:
    r"""Return :math:`\rho = d\gamma^2/(n\log n)`, on which consistency of Gaussian data depends.

    A sample pulls its opposite neurons by γd, all others together by noise of size √(nd), of which
    the largest over n samples counts: the pattern is consistent where ρ is above a constant.

    Parameters
    ----------
    n
        Samples, at least 2.
    d
        Features, at least 1.
    slope
        γ in [0, 1].

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> from ibtools.theory import consistency_statistic
    >>> round(consistency_statistic(n=20, d=2000, slope=0.1), 4)
    0.3338
    """
    n, d = count("n", n, least=2), count("d", d)
    return float(d * leaky_slope(slope) ** 2 / (n * np.log(n)))


def balanced_stable_rank(slope: float) -> float:
    r"""Return :math:`2(1+\gamma^2)/(1+\gamma)^2`, the limit of the stable rank of the whole W.

    On orthogonal samples of equal norm, as many of either label. It is 2 at γ → 0 and 1 at γ = 1.

    Parameters
    ----------
    slope
        γ in [0, 1].

    Raises
    ------
    ValueError
        If `slope` is not in [0, 1].

    Examples
    --------
    >>> from ibtools.theory import balanced_stable_rank
    >>> round(balanced_stable_rank(0.1), 4)
    1.6694
    """
    slope = leaky_slope(slope)
    return 2 * (1 + slope**2) / (1 + slope) ** 2


def relu_rank_bound(shares: ArrayLike, weights: ArrayLike | None = None) -> float:
    r"""Return the bound on the stable rank of W₊ (or W₋) of a ReLU network on orthogonal data.

    It is the mean of 1/β over the samples of that sign, weighted by 1/‖x‖², hence at most
    1/min β: about 2, as a random neuron is active on half of the samples.

    Parameters
    ----------
    shares
        β, (k,): the share of neurons of that sign that are active at the start on each of its
        samples, in (0, 1].
    weights
        1/‖x‖² of these samples, (k,), above 0; default equal.

    Raises
    ------
    ValueError
        If a share is not in (0, 1], a weight is not above 0, or their numbers differ.

    References
    ----------
    Kou, Chen and Gu (2023) bound it by a constant; this one is the book's.

    Examples
    --------
    >>> from ibtools.theory import relu_rank_bound
    >>> relu_rank_bound([0.5, 0.4])
    2.25
    """
    beta = vector("shares", shares)
    weight = np.ones(beta.size) if weights is None else vector("weights", weights, size=beta.size)
    if not ((beta > 0) & (beta <= 1)).all():
        raise ValueError(
            f"shares must be above 0 and at most 1, got {beta.min():g} to {beta.max():g}; they are "
            "shares of neurons, and a sample with none is never learned"
        )
    if not (weight > 0).all():
        raise ValueError(f"weights must be above 0, got {weight.min():g}; they are 1/‖x‖²")
    return float(np.average(1 / beta, weights=weight))


def wide_relu_stable_rank(n: int) -> float:
    r"""Return :math:`2n_+/(n_++1)`, the stable rank of W₊ for many ReLU neurons.

    For orthogonal samples of equal norm and a Gaussian start, as m → ∞.

    Parameters
    ----------
    n
        n₊, the number of samples of that sign, at least 1.

    Raises
    ------
    ValueError
        If `n` is below 1.

    Examples
    --------
    >>> from ibtools.theory import wide_relu_stable_rank
    >>> wide_relu_stable_rank(4)
    1.6
    """
    n = count("n", n)
    return 2 * n / (n + 1)


def start_input_bound(
    *, m: int, n: int, scale: float, radius: float, failure: float = 0.05
) -> float:
    r"""Return what the neurons' inputs at the start stay below, but for a small probability.

    Of the 2mn inputs ⟨w, xᵢ⟩ each is N(0, σ₀²‖xᵢ‖²), and a standard normal number exceeds u in
    absolute value with probability at most e^{−u²/2}. So all are below
    :math:`\sigma_0 R\sqrt{2\log(2mn/\delta)}` with probability at least 1 − δ.

    Parameters
    ----------
    m, n
        Neurons of either sign; samples.
    scale
        σ₀ > 0.
    radius
        R > 0, the largest norm of a sample.
    failure
        δ, above 0 and below 1.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> from ibtools.theory import start_input_bound
    >>> round(start_input_bound(m=10, n=20, scale=1e-3, radius=50.0), 4)
    0.212
    """
    pairs = 2 * count("m", m) * count("n", n)
    height = float(np.sqrt(2 * np.log(pairs / _probability("failure", failure))))
    return positive("scale", scale) * positive("radius", radius) * height


def relu_share_bound(*, m: int, n: int, failure: float = 0.05) -> float:
    r"""Return the least share of neurons that are active on a sample of their sign at a start.

    Each is with probability ½, so by Hoeffding's inequality all n shares are at least
    :math:`\tfrac12 - \sqrt{\log(n/\delta)/(2m)}` with probability at least 1 − δ.

    Parameters
    ----------
    m, n
        Neurons of either sign; samples.
    failure
        δ, above 0 and below 1.

    Returns
    -------
    float
        The bound; with few neurons it is below 0 and says nothing.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> from ibtools.theory import relu_share_bound
    >>> round(relu_share_bound(m=100, n=20), 4)
    0.3269
    """
    m, n = count("m", m), count("n", n)
    return 0.5 - float(np.sqrt(np.log(n / _probability("failure", failure)) / (2 * m)))


def relu_gap_bound(*, share: float, spread: float = 1.0) -> float:
    r"""Return log(6D/b), what the gap of a ReLU network's margins stays below.

    On nearly orthogonal data, C ≥ 48D²/b², from the first step on.

    Parameters
    ----------
    share
        b, in (0, 1]: of the neurons of a sample's sign at least this share starts active on it.
    spread
        D ≥ 1, the largest squared norm of a sample over the smallest.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    This book.

    Examples
    --------
    >>> from ibtools.theory import relu_gap_bound
    >>> round(relu_gap_bound(share=0.5), 4)
    2.4849
    """
    return float(np.log(6 * _spread(spread) / _share(share)))


def relu_loss_bound(
    *, m: int, n: int, step_size: float, share: float, least_square: float
) -> float:
    r"""Return nm/(ηbR²(1 − b/8)), which t times a ReLU network's mean loss ends at or below.

    On nearly orthogonal data, C ≥ 48D²/b², at constant steps η ≤ nm/(DR²).

    Parameters
    ----------
    m, n
        Neurons of either sign; samples.
    step_size
        η > 0.
    share
        b, in (0, 1]: of the neurons of a sample's sign at least this share starts active on it.
    least_square
        R² > 0, the smallest squared norm of a sample.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    The rate is that of Kou, Chen and Gu (2023), the constant the book's.

    Examples
    --------
    >>> from ibtools.theory import relu_loss_bound
    >>> relu_loss_bound(m=10, n=20, step_size=1.0, share=0.5, least_square=2000.0)
    0.21333333333333335
    """
    share = _share(share)
    size = positive("step_size", step_size) * share * positive("least_square", least_square)
    return count("n", n) * count("m", m) / (size * (1 - share / 8))


def nearly_orthogonal_rank_bound(
    *, share: float, orthogonality: float, spread: float = 1.0, balance: float = 1.0
) -> float:
    r"""Return what the stable rank of W₊ (or W₋) of a ReLU network ends below.

    On nearly orthogonal data, C ≥ 48D²/b², it is
    :math:`D\,\frac{C+1}{C-1}\big(\frac1b + \frac{n_-}{64\,n_+}\big)`.

    Parameters
    ----------
    share
        b, in (0, 1]: of the neurons of a sample's sign at least this share starts active on it.
    orthogonality
        C > 1.
    spread
        D ≥ 1, the largest squared norm of a sample over the smallest.
    balance
        n₋/n₊ > 0, samples of the other label over those of this one.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Kou, Chen and Gu (2023) bound it by a constant; this one is the book's.

    See Also
    --------
    relu_rank_bound : on orthogonal data.

    Examples
    --------
    >>> from ibtools.theory import nearly_orthogonal_rank_bound
    >>> round(nearly_orthogonal_rank_bound(share=0.5, orthogonality=192.0), 4)
    2.0367
    """
    c = _above_one("orthogonality", orthogonality)
    rest = 1 / _share(share) + positive("balance", balance) / 64
    # (C + 1)/(C − 1), which is 1 at C = ∞.
    return _spread(spread) * (1 + 2 / (c - 1)) * rest


def linear_margin_bound(*, orthogonality: float, spread: float = 1.0) -> float:
    r"""Return the part of the largest linear margin that a leaky ReLU's hyperplane is sure to have.

    On nearly orthogonal data, C ≥ 4D max(12D, 1/γ), it is (C − 1 − 2D)/(C − 1 + 2D): the normal
    :math:`\sum_i\alpha_i y_i x_i` of the limit's boundary is nearly that of a support vector
    machine.

    Parameters
    ----------
    orthogonality
        C > 1 + 2D.
    spread
        D ≥ 1, the largest squared norm of a sample over the smallest.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    After Frei, Vardi, Bartlett, Srebro and Hu (2023); the constant is the book's.

    Examples
    --------
    >>> from ibtools.theory import linear_margin_bound
    >>> round(linear_margin_bound(orthogonality=48.0), 4)
    0.9184
    """
    d = _spread(spread)
    c = _above_one("orthogonality", orthogonality)
    if not c > 1 + 2 * d:
        raise ValueError(
            f"orthogonality must be above 1 + 2·spread = {1 + 2 * d:g}, got {c:g}; take more "
            "features or fewer samples"
        )
    return (c - 1 - 2 * d) / (c - 1 + 2 * d) if np.isfinite(c) else 1.0


def _probability(name: str, value: float) -> float:
    value = real(name, value)
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value:g}; give a probability")
    return value


def _share(value: float) -> float:
    value = real("share", value)
    if not 0 < value <= 1:
        raise ValueError(
            f"share must be above 0 and at most 1, got {value:g}; it is a share of neurons"
        )
    return value


def _spread(value: float) -> float:
    value = real("spread", value)
    if not value >= 1:
        raise ValueError(
            f"spread must be at least 1, got {value:g}; divide the largest squared norm by the "
            "smallest"
        )
    return value


def _above_one(name: str, value: float) -> float:
    if isinstance(value, float) and value == np.inf:
        return np.inf
    value = real(name, value)
    if not value > 1:
        raise ValueError(f"{name} must be above 1, got {value:g}; the bound holds for none other")
    return value


def _limit(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    slopes: Float[np.ndarray, "rows n"],
    net: TwoLayerNet,
    active: Bool[np.ndarray, "rows n"],
    multipliers: Float[np.ndarray, " n"] | None = None,
    *,
    sides_free: bool = False,
) -> TwoLayerLimit:
    """Return the hard-margin solution with these slopes of neurons at samples.

    Its multipliers are found if not given. If sides are free, opposite inputs have chosen theirs,
    and only rounding can put them on another.
    """
    gram = X @ X.T
    kernel = (slopes.T @ slopes) * gram * np.outer(y, y) / net.m
    lost = np.flatnonzero(np.diag(kernel) == 0)
    if lost.size:
        raise ValueError(
            f"sample {lost[0]} is zero, or no neuron is active on it: nothing can separate it; "
            "drop it, or take more neurons"
        )
    first, back, times = _distinct(X, y)
    computed = sides_free or multipliers is None
    if multipliers is None:
        multipliers = (_hard_margin(kernel[np.ix_(first, first)]) / times)[back]
    tight = first[_tight(multipliers, kernel)[first]]
    determined = _condition(kernel[np.ix_(tight, tight)]) <= _CONDITION
    W = (net.signs[:, None] * slopes * multipliers * y) @ X
    inputs = np.where(active, 1.0, -1.0) * (W @ X.T)
    # What sums of n products of d numbers each may be off by, and computed multipliers, of samples
    # that have none; what is below it has not been moved.
    size = np.sqrt(np.diag(gram))
    rounding = 4 * (len(y) + np.sqrt(X.shape[1])) * _EPS
    pulls = multipliers * size
    spurious = pulls.max() if computed else 0.0
    moved = np.abs(inputs) > rounding * np.outer(slopes @ pulls + spurious, size)
    moved &= (slopes <= net.slope) | (slopes >= 1)  # the others are on their kinks
    if sides_free:
        moved &= (np.outer(net.signs, y) > 0) | (inputs > 0)
    consistency = np.inf if net.slope == 1 else float(inputs[moved].min(initial=np.inf))
    return TwoLayerLimit(W, multipliers, kernel, slopes, consistency, net.slope, determined)


def _tight(
    multipliers: Float[np.ndarray, " n"], kernel: Float[np.ndarray, "n n"]
) -> Bool[np.ndarray, " n"]:
    """Return which margins of the solution are 1."""
    return (multipliers > 0) | (kernel @ multipliers <= 1 + _TIGHT)


def _distinct(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " n"], Int[np.ndarray, " k"]]:
    """Return the indices of distinct samples, which of them each sample is, and how often."""
    _, first, back, times = np.unique(
        np.column_stack([X, y]), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    return first[order], np.argsort(order)[back.ravel()], times[order]


def _condition(kernel: Float[np.ndarray, "n n"]) -> float:
    """Return the condition number of features by their Gram matrix, lengths divided out."""
    size = np.sqrt(np.diag(kernel))
    return float(np.linalg.cond(kernel / np.outer(size, size)))


def _hard_margin(kernel: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """Return argmin ½αᵀKα − Σα over α ≥ 0: the multipliers of the least-norm separator."""
    size = np.sqrt(np.diag(kernel))
    scaled = kernel / np.outer(size, size)
    if np.linalg.cond(scaled) <= _CONDITION:
        alpha = np.linalg.solve(scaled, 1 / size)
        if (alpha > 0).all():
            return alpha / size
    values, vectors = np.linalg.eigh(scaled)
    kept = values > len(values) * _EPS * values[-1]
    return _least_norm(vectors[:, kept] * np.sqrt(values[kept]), 1 / size) / size


def _least_norm(
    features: Float[np.ndarray, "k p"], bounds: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Return the multipliers of the shortest v with Fv ≥ b; F may have dependent rows."""
    unit = float(np.linalg.norm(features, axis=1).max())
    rows = features / unit
    support = np.flatnonzero(nearest_weights(rows, bounds / bounds.max(), 1.0))
    v, multipliers = on_support(rows, bounds, support)
    if (bounds - rows @ v).max() > 1e-6 * bounds.max():
        raise ValueError("no weights separate the samples; remove samples of contradicting labels")
    return multipliers / unit**2


def _program(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    active: Bool[np.ndarray, "rows n"],
    net: TwoLayerNet,
) -> TwoLayerLimit:
    """Return the limit with this pattern on own samples.

    Each opposite input is held on one side of its kink, which leaves linear constraints. Where a
    multiplier is beyond what Clarke's subdifferential allows, crossing the kink is shorter: it is
    crossed. The norm falls each time, so no choice of sides comes back.
    """
    if not (nonzero := X.any(axis=1)).all():
        raise ValueError(
            f"sample {int(nonzero.argmin())} is zero: nothing can separate it; drop it"
        )
    first, back, times = _distinct(X, y)
    samples, labels = X[first], y[first]
    coordinates = np.transpose(np.linalg.qr(samples.T, mode="r"))
    # Neurons of one sign with one pattern on own samples have the same row in the solution.
    own_active = active[:, first] & (np.outer(net.signs, labels) > 0)
    kinds, kind, number = np.unique(
        np.column_stack([net.signs, own_active]), axis=0, return_inverse=True, return_counts=True
    )
    kind, signs = kind.ravel(), kinds[:, 0]
    own = np.outer(signs, labels) > 0
    held = np.where(kinds[:, 1:] > 0, 1.0, net.slope)
    g, i = np.nonzero(~own) if net.slope < 1 else np.empty((2, 0), dtype=int)
    unit = np.sqrt(number)[:, None]

    def solve(
        above: Bool[np.ndarray, "kinds k"],
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "kinds k"]]:
        """Return the samples' multipliers and those of the kinks, opposite inputs held so."""
        edge = np.where(own, held, np.where(above, 1.0, net.slope))
        factor = signs[:, None] * labels * edge * unit / net.m
        outputs = np.einsum("gi,ik->igk", factor, coordinates).reshape(len(labels), -1)
        kinks = np.zeros((g.size, *kinds.shape[:1], coordinates.shape[1]))
        side = np.where(above, 1.0, -1.0) * unit
        kinks[np.arange(g.size), g] = side[g, i, None] * coordinates[i]
        features = np.vstack([outputs, kinks.reshape(g.size, outputs.shape[1])])
        found = _least_norm(features, np.repeat([1.0, 0.0], [len(labels), g.size]))
        kink = np.zeros(own.shape)
        kink[g, i] = found[len(labels) :]
        return found[: len(labels)] / net.m, kink

    above = np.zeros(own.shape, dtype=bool)
    try:
        alpha, kink = solve(above)
    except ValueError:
        above[g, i] = _feasible_sides(coordinates, labels, signs, held, number / net.m, net.slope)
        alpha, kink = solve(above)
    before = np.inf
    # ‖W‖² = mΣα; where it falls no more only rounding is left.
    while (
        alpha.sum() < before
        and (crossed := kink > (1 - net.slope) * alpha + _TIGHT * alpha.max()).any()
    ):
        before = alpha.sum()
        above ^= crossed
        alpha, kink = solve(above)
    share = np.clip(kink / np.where(alpha > 0, alpha, 1.0), 0.0, 1 - net.slope)
    slopes = np.where(own, held, np.where(above, 1.0 - share, net.slope + share))
    full = slopes[kind][:, back]
    now = np.where(np.outer(net.signs, y) > 0, active, full == 1)
    return _limit(X, y, full, net, now, (alpha / times)[back], sides_free=True)


def _feasible_sides(
    coordinates: Float[np.ndarray, "k p"],
    labels: Float[np.ndarray, " k"],
    signs: Float[np.ndarray, " kinds"],
    held: Float[np.ndarray, "kinds k"],
    shares: Float[np.ndarray, " kinds"],
    slope: float,
) -> Bool[np.ndarray, " opposite"]:
    """Return on which side of their kinks opposite inputs are for some separating weights."""
    rows = coordinates / np.linalg.norm(coordinates, axis=1).max()
    own = np.outer(signs, labels) > 0
    g, i = np.nonzero(~own)
    weights = signs.size * rows.shape[1]
    # Variables: the rows of W, σ of every opposite input or more, and the least margin.
    outputs = np.einsum("gi,ik->igk", -held * own * shares[:, None], rows)
    opposite = np.zeros((len(labels), g.size))
    opposite[i, np.arange(g.size)] = shares[g]
    margins = np.hstack([outputs.reshape(len(labels), -1), opposite, np.ones((len(labels), 1))])
    inputs = np.zeros((g.size, signs.size, rows.shape[1]))
    inputs[np.arange(g.size), g] = rows[i]
    inputs = inputs.reshape(g.size, weights)
    rest = np.hstack([-np.eye(g.size), np.zeros((g.size, 1))])
    constraints = np.vstack([margins, np.hstack([inputs, rest]), np.hstack([slope * inputs, rest])])
    found = linprog(
        np.append(np.zeros(constraints.shape[1] - 1), -1.0),
        A_ub=constraints,
        b_ub=np.zeros(len(constraints)),
        bounds=[(-1, 1)] * weights + [(None, None)] * g.size + [(None, 1)],
    )
    return inputs @ found.x[:weights] > 0


def _checked(
    limit: TwoLayerLimit,
    active: Bool[np.ndarray, "rows n"],
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    remedy: str,
) -> TwoLayerLimit:
    """Return the limit if it keeps its pattern, or say which neuron at which sample does not."""
    if limit.consistency > 0:
        return limit
    inputs = limit.W @ X.T
    r, i = np.unravel_index(np.where(active, inputs, -inputs).argmin(), inputs.shape)
    neuron = "+" if r < limit.m else "−"
    raise InconsistentPatternError(
        f"the pattern is inconsistent: at the limit the neurons of sign {neuron} would have input "
        f"{inputs[r, i]:.3g} at sample {i} of label {_sign(float(y[i]))}, where they have to be "
        f"{'active' if active[r, i] else 'inactive'} (margins are 1); descent cannot end "
        f"there: {remedy}"
    )


def _need_orthogonal(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> None:
    """Refuse samples that are not orthogonal; copies of one sample are one sample."""
    size = np.linalg.norm(X, axis=1)
    if not size.all():
        raise ValueError(f"X must have no zero rows, got one at {int(size.argmin())}; drop it")
    cosines = np.abs((X / size[:, None]) @ (X / size[:, None]).T)
    copies = _distinct(X, y)[1]
    cosines[np.equal.outer(copies, copies)] = 0.0
    if cosines.max() > _ORTHOGONAL:
        i, k = np.unravel_index(cosines.argmax(), cosines.shape)
        raise ValueError(
            "a ReLU network's limit is known in advance for orthogonal samples only, and samples "
            f"{min(i, k)} and {max(i, k)} have cosine {cosines[i, k]:.3g}; train it and use "
            "own_pattern_limit, or take a slope above 0"
        )


def _need_leaky(slope: float) -> None:
    if slope == 0:
        raise ValueError(
            "net must be a leaky ReLU, got slope 0: the labels' pattern never forms in a ReLU "
            "network; take a slope above 0"
        )


def _sign(label: float) -> str:
    return "+" if label > 0 else "−"


def _stable_rank(W: Float[np.ndarray, "p d"]) -> float:
    values = np.linalg.svd(W, compute_uv=False)
    if values[0] == 0:
        return np.nan
    return float(np.sum((values / values[0]) ** 2))
