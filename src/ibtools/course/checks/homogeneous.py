"""Homogeneous networks and margins: the checkers of its exercises."""

from typing import Any

import numpy as np
import scipy.integrate
import scipy.optimize
from jaxtyping import Float

from ibtools.course.questions import array, function, number, option
from ibtools.course.registry import Checker
from ibtools.data import three_points
from ibtools.theory import loss_rate_constant, max_margin, separation_constants

Cases = list[tuple[Any, ...]]


def _pairs(low: float, high: float) -> Any:
    return lambda rng: [tuple(map(float, pair)) for pair in rng.uniform(low, high, (4, 2))]


_ORDER = Checker(
    "hm.order",
    minutes=10,
    questions=(
        option(
            "first_bias",
            "(b): the order, or `none`",
            "3",
            {
                "none": "Multiply weights and bias of the first layer by a factor and follow it.",
                "4": "The bias is no further layer.",
            },
        ),
        option(
            "last_bias",
            "(c): the order, or `none`",
            "none",
            {
                "3": "One of the two terms of the output has another order.",
                "1": "That is the order of one of two terms.",
            },
        ),
        option(
            "fixed_output",
            "(d): the order, or `none`",
            "2",
            {
                "3": "Which of the weights are multiplied by the factor?",
                "1": "What does the activation do with a factor?",
            },
        ),
        option(
            "normalized",
            "(e): the order, or `none`",
            "0",
            {
                "1": "Does the output change at all if the weights are doubled?",
                "none": "It has one: what is the factor before the output?",
            },
        ),
        option(
            "residual",
            "(f): the order, or `none`",
            "none",
            {
                "2": "The stream is added to that term. Which factor does it get?",
                "1": "Which factor does the input itself get?",
            },
        ),
    ),
)

_TOY_X, _TOY_Y = three_points()


def _hard_margin() -> Any:
    return max_margin(_TOY_X, _TOY_Y)


def _gaps(copies: int = 1) -> Float[np.ndarray, "2"]:
    index = np.array([0] * copies + [1, 2])
    found = separation_constants(_TOY_X[index], _TOY_Y[index])
    return np.array([found.margin_gap, found.smoothed_gap])


_TOY = Checker(
    "hm.toy",
    minutes=20,
    questions=(
        array(
            "w",
            r"$\hat w$",
            lambda: _hard_margin().w,
            {
                "all three samples on the margin": (
                    np.linalg.lstsq(_TOY_Y[:, None] * _TOY_X, np.ones(3))[0],
                    "Is each of the three samples a support vector?",
                ),
                "of length one": (
                    np.array([3, 2]) / np.sqrt(13),
                    "That is its direction. Which margin do the support vectors get?",
                ),
            },
        ),
        array(
            "multipliers",
            r"the multipliers of $z_1$ and $z_2$",
            lambda: _hard_margin().multipliers[:2],
            {
                "as shares": (
                    np.array([4, 9]) / 13,
                    "What must their weighted sum of the samples be?",
                ),
                "exchanged": (np.array([9, 4]) / 49, "Which of the two belongs to which sample?"),
            },
        ),
        number(
            "margin",
            r"$\gamma$",
            lambda: float(_hard_margin().margin),
            {
                "the length of the solution": (
                    np.sqrt(13) / 7,
                    "The longer that vector is, the smaller the margin.",
                ),
                "its square": (49 / 13, "That is another power of it."),
            },
        ),
        array(
            "gaps",
            r"of {eq}`eq-hm-gaps`, the constants of the normalized and of the smoothed margin",
            _gaps,
            {
                "binary logarithms": (_gaps() / np.log(2), "To the base e, please."),
                "exchanged": (_gaps()[::-1], "Which of the two margins comes nearer to its limit?"),
            },
        ),
    ),
)

_REPEAT = Checker(
    "hm.repeat",
    minutes=30,
    questions=(
        function(
            "gap",
            r"a function of $k$ that returns the constant of the normalized margin $\bar\gamma$",
            lambda k: float(_gaps(k)[0]),
            lambda _: [(2,), (5,), (30,)],
            {
                "copies do not count": (
                    lambda k: float(_gaps()[0]),
                    "The largest margin does not see copies. The loss does.",
                ),
                "the whole logarithm": (
                    lambda k: float(_gaps()[0] + np.log(k)),
                    "Only one of the two support vectors has copies.",
                ),
                "they come nearer": (
                    lambda k: float(_gaps()[0] - 4 / 13 * np.log(k)),
                    "Does a crowd speed the margin up, or delay it?",
                ),
            },
            rtol=1e-5,
        ),
    ),
)


def _clouds(rng: np.random.Generator) -> Cases:
    cases = []
    for kappa, first in ((0.5, 1.0), (1.0, -1.0), (3.0, 1.0)):
        X = rng.standard_normal((6, 2)) + np.repeat([[3.0, 1.0], [0.0, -1.0]], 3, axis=0)
        X[:3] += 1.5
        cases.append((X, np.repeat([first, -first], 3), kappa))
    return cases


def _with_bias(X: Any, y: Any, kappa: float) -> Float[np.ndarray, "3"]:
    return max_margin(np.column_stack([X, np.full(len(X), kappa)]), y).w


_BIAS = Checker(
    "hm.bias",
    minutes=30,
    questions=(
        function(
            "limit",
            r"a function of $(X, y, \kappa)$ that returns the limit $(w_1,w_2,b')$, with least "
            r"margin 1 "
            r"and with the bias $b'=\kappa b$ that the output sees",
            lambda X, y, kappa: _with_bias(X, y, kappa) * [1, 1, kappa],
            _clouds,
            {
                "the weight instead of the bias": (
                    _with_bias,
                    "The output sees the weight times the constant feature.",
                ),
                "the bias is free": (
                    lambda X, y, kappa: _with_bias(X, y, 1e4) * [1, 1, 1e4],
                    "That machine does not count the bias in the norm.",
                ),
                "without a bias": (
                    lambda X, y, kappa: _with_bias(X, y, 1e-3) * [1, 1, 0],
                    "There is no bias in that.",
                ),
            },
            rtol=1e-3,
        ),
    ),
)

_FLOATS = Checker(
    "hm.floats",
    minutes=30,
    questions=(
        number(
            "single",
            "the margin from which on the loss is 0 in single precision",
            lambda: float(-np.log(np.finfo(np.float32).eps / 2)),
            {
                "where the exponential underflows": (
                    103.3,
                    "That is where the gradient ends. Which operation of the loss ends earlier?",
                ),
                "decimal logarithms": (
                    24 * np.log10(2),
                    "So many decimal digits a float has; the exponential has another base.",
                ),
            },
            rtol=0.03,
        ),
        number(
            "double",
            "the same in double precision",
            lambda: float(-np.log(np.finfo(np.float64).eps / 2)),
            {
                "where the exponential underflows": (
                    745.2,
                    "The exponential is still there; what is it added to?",
                ),
                "as many bits as margins": (53.0, "Bits are powers of another base."),
            },
            rtol=0.03,
        ),
        function(
            "log_loss",
            r"a function of a margin $q$ that returns $\log\mathcal L$ of one sample",
            lambda q: float(np.log(np.log1p(np.exp(-q))) if q < 36 else -q),
            lambda _: [(0.3,), (5.0,), (29.0,), (300.0,), (1000.0,)],
            {
                "the exponential loss": (
                    lambda q: -q,
                    "For large margins that is right; try one near zero.",
                ),
                "cut off": (
                    lambda q: float(np.log(np.log1p(np.exp(-min(q, 36.0))))),
                    "Large margins all get the same loss, then.",
                ),
            },
            rtol=1e-8,
        ),
    ),
)

_AHEAD = Checker(
    "hm.ahead",
    minutes=20,
    questions=(
        number(
            "conserved",
            r"what $\lVert W_1\rVert^2-\lVert W_2\rVert^2$ is in the end",
            lambda: 3.0**2 - 0.1**2,
            {
                "the difference of the norms": (2.9, "Which power of the norms does not move?"),
                "it goes to zero": (0.0, "Does a difference that the flow conserves go away?"),
                "the sum": (9.01, "That one grows without bound."),
            },
            rtol=1e-3,
        ),
        option(
            "predictor",
            "which of the two tells more about the predictor",
            "the margin over the product",
            {
                "the normalized margin": "It changes if one layer is made longer and the other "
                "shorter, and the predictor does not.",
                "both alike": "They agree only where both layers are alike.",
            },
        ),
    ),
)


def _lasting() -> Float[np.ndarray, "2"]:
    Z = _TOY_Y[:, None] * _TOY_X

    def total(angle: float) -> float:
        return float(np.sum((Z @ [np.cos(angle), np.sin(angle)]) ** -2.0))

    best = scipy.optimize.minimize_scalar(total, bounds=(0.0, 1.2), method="bounded")
    return np.array([np.cos(best.x), np.sin(best.x)])


def _of_mean() -> Float[np.ndarray, "2"]:
    mean = (_TOY_Y[:, None] * _TOY_X).sum(axis=0)
    return mean / np.linalg.norm(mean)


_TAIL = Checker(
    "hm.tail",
    minutes=45,
    questions=(
        array(
            "direction",
            "for the three samples, the limit as a vector of length 1",
            _lasting,
            {
                "the largest margin": (
                    np.array([3, 2]) / np.sqrt(13),
                    "That is where the exponential loss ends. Does this one forget the others?",
                ),
                "the mean of the samples": (
                    _of_mean(),
                    "So it would begin from zero. Which function of the direction is maximized?",
                ),
                "the nearest support vector": (
                    np.array([3, -1]) / np.sqrt(10),
                    "One sample alone does not decide.",
                ),
            },
            rtol=1e-3,
        ),
    ),
)


def _steps(right: str, wrong: dict[str, str]) -> Any:
    return option("step", "the number of the step that is wrong", right, wrong)


_LEAST = Checker(
    "hm.least",
    minutes=25,
    questions=(
        _steps(
            "4",
            {
                "1": "The other terms are not negative, by the assumption.",
                "2": "Euler's identity is the inner product with the weights.",
                "3": "That is the first two, put together.",
                "5": "It follows from the others. One of these is wrong.",
            },
        ),
    ),
)

_MEAN = Checker(
    "hm.mean",
    minutes=10,
    questions=(
        function(
            "excess",
            r"a function of $(n, \rho, L)$ that returns by how much the smoothed margin of the "
            r"mean "
            r"exceeds that of the sum (exponential loss)",
            lambda n, rho, L: float(np.log(n) / rho**L),
            lambda rng: [
                (int(n), float(r), L) for L, (n, r) in enumerate(rng.uniform(2, 9, (3, 2)), start=1)
            ],
            {
                "not normalized": (
                    lambda n, rho, L: float(np.log(n)),
                    "The margin is normalized; so is the excess.",
                ),
                "the factor itself": (
                    lambda n, rho, L: n / rho**L,
                    "How does a factor of the loss enter its inverse?",
                ),
                "decimal logarithms": (
                    lambda n, rho, L: float(np.log10(n) / rho**L),
                    "The inverse of the exponential has another base.",
                ),
            },
        ),
    ),
)


def _log_times(*, minus: float = 2.0, square: bool = True) -> Float[np.ndarray, "3"]:
    u = 100 * np.log(10)
    L = np.array([1.0, 2.0, 3.0])
    return (u - (2 if square else 1) * np.log(L) - (minus - 2 / L) * np.log(u)) / np.log(10)


_TIME = Checker(
    "hm.time",
    minutes=20,
    questions=(
        array(
            "exponents",
            r"$\log_{10}t$ for $L=1,2,3$",
            lambda: np.array(
                [
                    (np.log(loss_rate_constant(1.0, L)) + u - (2 - 2 / L) * np.log(u)) / np.log(10)
                    for u in [100 * np.log(10)]
                    for L in (1, 2, 3)
                ]
            ),
            {
                "natural logarithms": (
                    _log_times() * np.log(10),
                    "To the base e that would be right.",
                ),
                "the same for all depths": (
                    np.full(3, 100.0),
                    "So it is for one layer. What does the exponent do for more?",
                ),
                "the exponent as for one layer more": (
                    _log_times(minus=3.0),
                    "Look again at the power of the logarithm of the loss.",
                ),
            },
            rtol=1e-4,
        ),
    ),
)

_CAP = Checker(
    "hm.cap",
    minutes=30,
    questions=(
        function(
            "square",
            r"a function of $(t, n)$ that returns $\rho^2$ from this start, for $n$ orthonormal "
            r"samples "
            "and a linear model",
            lambda t, n: float(n * np.log(np.e + t) ** 2),
            lambda rng: [(float(t), int(n)) for t, n in rng.uniform(2, 50, (4, 2))],
            {
                "the cap itself": (
                    lambda t, n: float(n + 2 * n * t / np.e),
                    "As fast as that it grows for a moment only.",
                ),
                "the norm, not its square": (
                    lambda t, n: float(np.sqrt(n) * np.log(np.e + t)),
                    "That is the norm.",
                ),
                "from margins zero": (
                    lambda t, n: float(n * np.log(1 + t) ** 2),
                    "With which margins does this start begin?",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_CUBE = Checker(
    "hm.cube",
    minutes=45,
    questions=(
        function(
            "constant",
            r"a function of $(\bar\gamma, L)$ that returns the limit of $\mathcal "
            r"L\,t\,u^{2-2/3L}$",
            lambda margin, L: float(loss_rate_constant(margin**3, 3 * L)),
            lambda rng: [
                (float(g), int(L)) for g, L in zip(rng.uniform(0.3, 2, 3), (1, 2, 3), strict=True)
            ],
            {
                "as for the exponential loss": (
                    lambda margin, L: float(loss_rate_constant(margin, L)),
                    "The exponential loss of which network is this?",
                ),
                "the margin not cubed": (
                    lambda margin, L: float(loss_rate_constant(margin, 3 * L)),
                    "The order is right. What is the margin of that network?",
                ),
                "the order not tripled": (
                    lambda margin, L: float(loss_rate_constant(margin**3, L)),
                    "The margin is right. What is the order of that network?",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_MULTIPLIERS = Checker(
    "hm.multipliers",
    minutes=15,
    questions=(
        function(
            "total",
            r"a function of $(\bar\gamma, L)$ that returns $\sum_j\lambda_j$",
            lambda margin, L: float(margin ** (-2 / L) / L),
            lambda rng: [
                (float(g), int(L)) for g, L in zip(rng.uniform(0.3, 2, 3), (2, 3, 4), strict=True)
            ],
            {
                "Euler's factor forgotten": (
                    lambda margin, L: float(margin ** (-2 / L)),
                    "What does Euler's identity put before the sum?",
                ),
                "as for a linear model": (
                    lambda margin, L: float(margin**-2),
                    "For one layer that is it. Which power of the norm is the margin?",
                ),
                "the power upside down": (
                    lambda margin, L: float(margin ** (2 / L) / L),
                    "A larger margin is a shorter vector.",
                ),
            },
        ),
    ),
)


def _corner(s: float, *, factor: float = 2.0) -> Float[np.ndarray, "2"]:
    return np.linalg.solve(factor * np.array([[4.0, s], [0.5, 3.0]]), [1.0, 1.0])


_TOUCH = Checker(
    "hm.touch",
    minutes=30,
    questions=(
        function(
            "multipliers",
            r"a function of $s$ that returns $(\lambda_1,\lambda_2)$ in the corner",
            _corner,
            lambda rng: [(float(s),) for s in rng.uniform(0, 3.9, 4)],  # from 4 on there is none
            {
                "the derivative of the square": (
                    lambda s: _corner(s, factor=1.0),
                    "Differentiate the squares of the weights.",
                ),
                "exchanged": (
                    lambda s: _corner(s)[::-1],
                    "Which multiplier belongs to which sample?",
                ),
            },
            rtol=1e-6,
        ),
        number(
            "threshold",
            "the $s$ beyond which the corner is no KKT direction any more",
            lambda: float(scipy.optimize.brentq(lambda s: _corner(s)[0], 0, 10)),
            {
                "where the equations have no solution": (
                    24.0,
                    "A multiplier has changed its sign long before.",
                ),
                "the first sample's entry": (4.0, "Solve for where the first multiplier vanishes."),
            },
        ),
    ),
)

_CYCLE = Checker(
    "hm.cycle",
    minutes=30,
    questions=(
        number(
            "least",
            "the least $g$ for which this order is consistent",
            lambda: float(np.roots([4, 4, -9]).max()),
            {
                "the first condition alone": (
                    float(np.roots([9, -4, -4]).max()),
                    "There are two more steps in the cycle, and one of them asks for more.",
                ),
                "any growth will do": (1.0, "Try 1.05 in code: is that the order?"),
            },
            rtol=2e-3,
        ),
        number(
            "largest",
            "the largest",
            lambda: float((9 + np.sqrt(17)) / 8),
            {
                "where the samples begin to alternate": (
                    2.25,
                    "Just below that it is a mixture already.",
                ),
                "the growth of the schedule": (
                    2**0.2,
                    "That is one for which it is consistent, not the last one.",
                ),
            },
            rtol=2e-3,
        ),
    ),
)

_RESTART = Checker(
    "hm.restart",
    minutes=40,
    questions=(
        _steps(
            "4",
            {
                "1": "The theorem does not care when the clock was started.",
                "2": "Insert the constants for one layer once more: that is right.",
                "3": "That is the theorem, for a single step.",
            },
        ),
    ),
)

_SHARED = Checker(
    "hm.shared",
    minutes=30,
    questions=(
        number(
            "without",
            "the distance that would be promised without the factor $N$",
            lambda: 1.2,
            {
                "the normalized margin": (
                    0.6,
                    "A change of the input enters with another constant.",
                ),
                "the length of the image": (0.8, "So long is the image: compare it with that."),
            },
        ),
        number(
            "promise",
            "the distance that is promised",
            lambda: 1.2 / np.sqrt(9),
            {
                "divided by the number itself": (
                    1.2 / 9,
                    "Sums of squares have that factor. And lengths?",
                ),
                "the pixels of the kernel's edge": (
                    1.2 / np.sqrt(3),
                    "In how many windows does one pixel lie?",
                ),
            },
        ),
    ),
)

_SQUARE = Checker(
    "hm.square",
    minutes=40,
    questions=(
        number(
            "margin",
            "the largest normalized margin",
            lambda: 2 * np.sqrt(1 / 12) / 6,
            {
                "two neurons for all": (
                    1 / (3 * np.sqrt(3)),
                    "How many groups of neurons share the norm?",
                ),
                "both layers equally long": (
                    2 * np.sqrt(1 / 8) / 8,
                    "Which division between the layers makes the product largest?",
                ),
                "the point's length forgotten": (
                    1 / (12 * np.sqrt(3)),
                    "How large is the square of the input of a neuron on its own point?",
                ),
            },
        ),
    ),
)

_LOCAL = Checker(
    "hm.local",
    minutes=45,
    questions=(
        function(
            "angle",
            r"a function of $e$ that returns the angle $\varphi$ at which both margins are equal",
            lambda e: float(
                scipy.optimize.brentq(
                    lambda phi: (1 + e) ** 1.5 * np.cos(2 * phi) - (1 - e) ** 1.5, 0, np.pi / 4
                )
            ),
            lambda rng: [(float(e),) for e in rng.uniform(0.05, 0.9, 4)],
            {
                "forgot that the angle is doubled": (
                    lambda e: float(np.arccos(((1 - e) / (1 + e)) ** 1.5)),
                    "The activation squares the cosine; and what does that make of the angle?",
                ),
                "the wrong power of the share": (
                    lambda e: float(np.arccos((1 - e) / (1 + e)) / 2),
                    "A neuron's margin goes with the third power of its length.",
                ),
                "it need not turn": (lambda e: 0.0, "Then the stronger one has more margin."),
            },
            rtol=1e-5,
            atol=1e-9,
        ),
    ),
)


def _worst(W: Any, X: Any, labels: Any, *, own: bool = False) -> float:
    """Return the least difference of scores, that to the class itself among them if asked for."""
    scores = X @ W.T
    mine = scores[np.arange(len(X)), labels]
    others = mine[:, None] - scores
    if not own:
        others[np.arange(len(X)), labels] = np.inf
    return float(others.min())


def _classes(rng: np.random.Generator) -> Cases:
    cases = []
    for k, d in ((3, 8), (5, 16), (10, 40)):
        W = rng.standard_normal((k, d))
        labels = np.arange(2 * k) % k
        cases.append((W, 2 * W[labels] + 0.3 * rng.standard_normal((2 * k, d)), labels))
    return cases


_TEN = Checker(
    "hm.ten",
    minutes=30,
    questions=(
        function(
            "margin",
            "a function of the weights $W$, one row for each class, the samples $X$ and the labels "
            "$0,1,\\dots$, that returns the normalized margin",
            lambda W, X, y: _worst(W, X, y) / float(np.linalg.norm(W)),
            _classes,
            {
                "not normalized": (
                    _worst,
                    "If all weights double, yours doubles.",
                ),
                "against zero instead of the other classes": (
                    lambda W, X, y: float(
                        (X @ W.T)[np.arange(len(X)), y].min() / np.linalg.norm(W)
                    ),
                    "A score alone says nothing: with which one is it compared?",
                ),
                "the mean of the other classes": (
                    lambda W, X, y: float(
                        np.min(
                            (X @ W.T)[np.arange(len(X)), y]
                            - ((X @ W.T).sum(1) - (X @ W.T)[np.arange(len(X)), y]) / (len(W) - 1)
                        )
                        / np.linalg.norm(W)
                    ),
                    "There is a constraint for each of the other classes.",
                ),
                "the class against itself": (
                    lambda W, X, y: _worst(W, X, y, own=True) / float(np.linalg.norm(W)),
                    "One of the differences is that of a class to itself.",
                ),
            },
            rtol=1e-6,
        ),
        option(
            "unique",
            "why a KKT point is the solution here",
            "the problem is convex",
            {
                "the data are separable": "So they are for every network of this chapter.",
                "the loss is a cross-entropy": "Which loss leads there does not matter at the end.",
                "it is not": "Look at objective and constraints: of which degree are they in the "
                "weights?",
            },
        ),
    ),
)

_KINK = Checker(
    "hm.kink",
    minutes=10,
    questions=(
        function(
            "end",
            "a function of $a$ that returns the end of the segment which is not 0, as "
            r"$(\partial_a,\partial_w)$",
            lambda a: np.array([0.0, a]),
            lambda rng: [(float(a),) for a in rng.uniform(-2, 2, 4)],
            {
                "the entries exchanged": (
                    lambda a: np.array([a, 0.0]),
                    "Which of the two derivatives has the factor $a$?",
                ),
                "the middle": (
                    lambda a: np.array([0.0, a / 2]),
                    "That is in the hull. Which limits span it?",
                ),
                "its length": (
                    lambda a: np.array([0.0, abs(a)]),
                    "What if $a$ is negative?",
                ),
            },
            rtol=1e-6,
        ),
        option(
            "euler",
            "for which elements Euler's identity holds at $w=0$",
            "for each",
            {
                "for the two ends only": "Take the inner product with $(a,0)$.",
                "for none": "What is the output there?",
            },
        ),
        option(
            "origin",
            "the subdifferential at the origin",
            "a point",
            {
                "a segment": "How large are the gradients nearby?",
                "the whole plane": "It is bounded by the gradients nearby, and those are small.",
            },
        ),
    ),
)

_OTHER = Checker(
    "hm.other",
    minutes=30,
    questions=(
        option(
            "seed_one",
            "what the run from seed 1 still has, and that from seed 0 does not",
            "two neurons of one sign that share the work of one",
            {
                "all of its neurons": "Sort them by size: most count for nothing.",
                "neurons of one sign only": "Both classes have to be separated.",
                "a neuron that grows against the others": "Compare the sizes at two losses: which "
                "falls behind?",
            },
        ),
        option(
            "later",
            "what will become of it",
            "the weaker one falls behind, slowly",
            {
                "it stays as it is": "Compare the shares at $10^{-100}$ and at $10^{-10000}$.",
                "both vanish": "Who would do their work?",
            },
        ),
    ),
)


def _records(rng: np.random.Generator) -> Cases:
    cases = []
    for slope in rng.uniform(0.1, 0.8, 4):
        q, margin, factor = rng.uniform(10, 100), rng.uniform(0.01, 0.1), rng.uniform(1.5, 4)
        cases.append((q, q * factor, margin, margin * factor**slope))
    return [tuple(map(float, case)) for case in cases]


def _growth(q0: float, q1: float, margin0: float, margin1: float) -> float:
    return float(np.log(margin1 / margin0) / np.log(q1 / q0))


_ANGLE = Checker(
    "hm.angle",
    minutes=15,
    questions=(
        function(
            "cosine",
            r"a function of $(\bar q_0,\bar q_1,\tilde\gamma_0,\tilde\gamma_1)$ of two records "
            r"that returns the least $\beta$ between them",
            lambda *records: float(np.sqrt(1 - _growth(*records))),
            _records,
            {
                "its square": (
                    lambda *records: 1 - _growth(*records),
                    "It is the square of the cosine that stands in the bound.",
                ),
                "the sine": (
                    lambda *records: float(np.sqrt(_growth(*records))),
                    "What should come out if the margin stands still?",
                ),
                "a slope without logarithms": (
                    lambda q0, q1, g0, g1: float(np.sqrt(1 - (g1 - g0) / (q1 - q0))),
                    "Both axes are logarithms.",
                ),
            },
            rtol=1e-5,
        ),
    ),
)


def _tail(p: float, a: float) -> float:
    return float(scipy.integrate.quad(lambda v: p * np.exp(-a * v), 0, np.inf)[0])


def _until(p: float, a: float, share: float = 0.9) -> float:
    def left(v: float) -> float:
        return _tail(p * np.exp(-a * v), a) + np.log(share)

    return float(np.exp(scipy.optimize.brentq(left, 0, 100, xtol=1e-12)))


def _slopes(rng: np.random.Generator) -> Cases:
    drawn = zip(rng.uniform(0.15, 0.4, 3), rng.uniform(0.3, 0.8, 3), strict=True)
    return [(float(p), float(a)) for p, a in drawn]


_LONGER = Checker(
    "hm.longer",
    minutes=35,
    questions=(
        function(
            "left",
            r"a function of $(p,a)$ that returns the factor by which $\tilde\gamma$ still grows",
            lambda p, a: float(np.exp(_tail(p, a))),
            _slopes,
            {
                "the integral itself": (
                    _tail,
                    "The integral is that of the logarithm.",
                ),
                "the slope kept": (
                    lambda p, a: float(np.exp(p)),
                    "How fast the slope falls matters as well.",
                ),
                "the exponent on the wrong side": (
                    lambda p, a: float(np.exp(p * a)),
                    "Does a slope that falls faster leave more to grow, or less?",
                ),
            },
            rtol=1e-5,
        ),
        function(
            "factor",
            r"a function of $(p,a)$ that returns by which factor $\log(1/\mathcal L)$ must grow "
            "until the margin is within ten percent of its end",
            _until,
            _slopes,
            {
                "a power forgotten": (
                    lambda p, a: p / (a * np.log(1 / 0.9)),
                    "So much smaller the slope has to be. When is it?",
                ),
                "ten percent of the end": (
                    lambda p, a: float((p / (a * np.log(10))) ** (1 / a)),
                    "Which share of the end is reached?",
                ),
                "the slope alone": (
                    lambda p, a: float((p / np.log(1 / 0.9)) ** (1 / a)),
                    "It is not the slope that must be small, but what is left to grow.",
                ),
            },
            rtol=1e-4,
        ),
    ),
)

_CERTIFIED = Checker(
    "hm.certified",
    minutes=15,
    questions=(
        function(
            "distance",
            r"a function of $\gamma$ that returns the certified distance",
            lambda margin: margin / float(np.linalg.norm([1.0, -1.0])),
            lambda rng: [(float(margin),) for margin in rng.uniform(0.01, 0.2, 3)],
            {
                "one output": (
                    lambda margin: margin,
                    "So it is for one output. Of how many is a margin here?",
                ),
                "two outputs that move by themselves": (
                    lambda margin: margin / 2,
                    "Both outputs come from one vector: how long is the difference of two rows?",
                ),
                "the constant on the wrong side": (
                    lambda margin: margin * float(np.sqrt(2)),
                    "A larger Lipschitz constant certifies less.",
                ),
            },
        ),
    ),
)

CHECKERS = (
    _ORDER,
    _TOY,
    _REPEAT,
    _BIAS,
    _FLOATS,
    _AHEAD,
    _TAIL,
    _LEAST,
    _MEAN,
    _TIME,
    _CAP,
    _CUBE,
    _MULTIPLIERS,
    _TOUCH,
    _SQUARE,
    _LOCAL,
    _CYCLE,
    _RESTART,
    _SHARED,
    _TEN,
    _KINK,
    _OTHER,
    _ANGLE,
    _LONGER,
    _CERTIFIED,
)
