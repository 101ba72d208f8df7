"""Two-layer networks: the checkers of the exercises."""

from typing import Any

import numpy as np
from jaxtyping import Float

from ibtools.course.questions import function, number, option
from ibtools.course.registry import Checker
from ibtools.data import noisy_digits, orthogonality
from ibtools.models import TwoLayerNet
from ibtools.theory import (
    TwoLayerLimit,
    balanced_stable_rank,
    sliding_limit,
    two_layer_limit,
    wide_relu_stable_rank,
)

Cases = list[tuple[Any, ...]]


def _orthonormal(rho: float, m: int, plus: int, minus: int) -> TwoLayerLimit:
    n = plus + minus
    net = TwoLayerNet.initialize(m=m, d=n, slope=rho, scale=1e-4, seed=0)
    return two_layer_limit(net, np.eye(n), np.repeat([1.0, -1.0], [plus, minus]))


def _slopes(rng: np.random.Generator) -> Cases:
    return [(float(rho),) for rho in rng.uniform(0.1, 0.9, 3)]


def _starts(rng: np.random.Generator) -> Cases:
    cases = []
    for m, n, d, eta in ((2, 3, 4, 0.7), (3, 4, 6, 0.4)):
        W, X = rng.standard_normal((2 * m, d)), rng.standard_normal((n, d))
        y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
        cases.append((W, np.repeat([1.0, -1.0], m), X, y, float(rng.uniform(0.1, 0.6)), eta))
    return cases


def _step(
    W: Any,
    signs: Any,
    X: Any,
    y: Any,
    rho: float,
    eta: float,
    *,
    mean: bool = True,
    leak: bool = True,
) -> Float[np.ndarray, "r d"]:
    m, n = len(signs) // 2, len(y)
    slopes = np.where(W @ X.T >= 0, 1.0, rho)
    outputs = signs / m @ (slopes * (W @ X.T))
    pulls = y / (1 + np.exp(y * outputs))
    used = slopes if leak else np.ones_like(slopes)
    return W + eta / m / (n if mean else 1) * signs[:, None] * ((used * pulls) @ X)


_OWN = Checker(
    "two.own",
    minutes=20,
    questions=(
        function(
            "step",
            r"a function of $(W, s, X, y, \rho, \eta)$, $s$ the signs of the neurons, that "
            r"returns $W$ "
            "after one step on the logistic loss",
            _step,
            _starts,
            {
                "the sum instead of the mean": (
                    lambda *start: _step(*start, mean=False),
                    "Is the loss a mean over the samples?",
                ),
                "the slope of the activation forgotten": (
                    lambda *start: _step(*start, leak=False),
                    "A neuron is pushed less on a sample where it is inactive.",
                ),
                "up instead of down": (
                    lambda W, *rest: 2 * W - _step(W, *rest),
                    "Does this step lower the loss?",
                ),
            },
            rtol=1e-8,
        ),
    ),
)

_EVERY_SLOPE = Checker(
    "two.every-slope",
    minutes=25,
    questions=(
        option(
            "right_for",
            "the pairs for which the sentence is right: `active` or `inactive` ones that are wrong",
            "active",
            {
                "inactive": "With which slope does an input move on the flat side of the kink?",
                "both": "One of the two kinds moves more slowly.",
                "neither": "For one of the two kinds nothing is missing.",
            },
        ),
        number(
            "steps",
            r"how many steps inputs of $-0.15$ take on two orthonormal samples, for $\rho=0.1$ "
            r"and the "
            "longest step",
            lambda: 4.0,
            {
                "as quoted": (1.0, "The slope slows them down."),
                "the slope's inverse": (10.0, "They need not come from as far as that."),
            },
            rtol=0.01,
        ),
    ),
)

_ORTHOGONAL = Checker(
    "two.orthogonal",
    minutes=25,
    questions=(
        function(
            "alpha",
            r"a function of $\rho$ that returns $\alpha_i$",
            lambda rho: float(_orthonormal(rho, 2, 2, 1).multipliers[0]),
            _slopes,
            {
                "the opposite neurons do not count": (
                    lambda rho: 1.0,
                    "The neurons of the other sign see the sample as well.",
                ),
                "the slope, not its square": (
                    lambda rho: 1 / (1 + rho),
                    "How often does the slope enter, by input and by gradient?",
                ),
            },
            rtol=1e-6,
        ),
        function(
            "margin",
            r"a function of $(\rho,m,n)$ that returns $\bar\gamma$",
            lambda rho, m, n: float(_orthonormal(rho, m, n - 1, 1).margin),
            lambda rng: [
                (float(rho), int(m), int(n))
                for rho, (m, n) in zip(
                    rng.uniform(0.1, 0.9, 3), ((2, 3), (4, 5), (3, 6)), strict=True
                )
            ],
            {
                "the width forgotten": (
                    lambda rho, m, n: float(np.sqrt((1 + rho**2) / n)),
                    "The network takes the mean over its neurons.",
                ),
                "its square": (
                    lambda rho, m, n: (1 + rho**2) / (m * n),
                    "That is another power of it.",
                ),
            },
            rtol=1e-6,
        ),
        function(
            "rank",
            r"a function of $(\rho,n_+,n_-)$ that returns the limit of $\operatorname{sr}(W)$",
            lambda rho, plus, minus: float(_orthonormal(rho, 3, plus, minus).stable_rank),
            lambda rng: [
                (float(rho), plus, minus)
                for rho, (plus, minus) in zip(
                    rng.uniform(0.1, 0.6, 3), ((2, 3), (4, 2), (6, 2)), strict=True
                )
            ],
            {
                "a count of directions": (
                    lambda rho, plus, minus: 2.0,
                    "The stable rank is no count: compare the two singular values.",
                ),
                "as if the two were orthogonal": (
                    lambda rho, plus, minus: (
                        (1 + rho**2)
                        * (plus + minus)
                        / max(plus + rho**2 * minus, minus + rho**2 * plus)
                    ),
                    "The two directions have an inner product.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_RANK_TWO = Checker(
    "two.rank-two",
    minutes=15,
    questions=(
        function(
            "rank",
            r"a function of $\rho$ that returns the limit of the stable rank on orthogonal "
            r"samples, as "
            "many of either label",
            lambda rho: float(balanced_stable_rank(rho)),
            _slopes,
            {
                "a count of directions": (
                    lambda rho: 2.0,
                    "So it would be for two directions that are orthogonal and equally long.",
                ),
                "the inner product forgotten": (
                    lambda rho: 2 / (1 + rho) ** 2,
                    "What becomes of it when the slope is one? It cannot be less than one.",
                ),
                "not twice": (
                    lambda rho: (1 + rho**2) / (1 + rho) ** 2,
                    "A stable rank is never less than one.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_WAIT = Checker(
    "two.wait",
    minutes=10,
    questions=(
        number(
            "excess",
            r"$\log_{10}$ of the step at which the excess is $10^{-5}$, for $t=10^4$",
            lambda: 4 * np.sqrt(1e-3 / 1e-5),
            {
                "a power law": (5.0, "It falls with the logarithm of the time."),
                "the square forgotten": (400.0, "Which power of the logarithm is it?"),
            },
        ),
        number(
            "spread",
            r"$\log_{10}$ of the step at which the spread is a tenth of a percent",
            lambda: 4 * 1e-2 / 1e-3,
            {
                "a power law": (5.0, "So fast it would be in the logarithm's own clock."),
                "as if it were squared": (
                    4 * np.sqrt(10),
                    "This one falls with another power than the excess.",
                ),
            },
        ),
    ),
)

_STABLE = Checker(
    "two.stable",
    minutes=45,
    questions=(
        function(
            "largest",
            r"a function of $\bar\gamma$ that returns the largest $\eta$",
            lambda margin: 2 / margin**2,
            lambda rng: [(float(margin),) for margin in rng.uniform(0.1, 0.9, 3)],
            {
                "without overshooting": (
                    lambda margin: 1 / margin**2,
                    "Beyond that the deviations change their sign. Do they grow?",
                ),
                "the margin, not its square": (
                    lambda margin: 2 / margin,
                    "By how much does a step change a margin? Count the margins in it.",
                ),
                "the margin on the wrong side": (
                    lambda margin: 2 * margin**2,
                    "Does a large margin allow longer steps, or shorter ones?",
                ),
            },
        ),
    ),
)


def _twice() -> float:
    net = TwoLayerNet.initialize(m=3, d=2, slope=0.5, scale=1e-4, seed=0)
    return float(two_layer_limit(net, np.eye(2)[[0, 0, 1]], [1.0, 1.0, -1.0]).margin_gap())


_TWICE = Checker(
    "two.twice",
    minutes=20,
    questions=(
        number(
            "gap",
            r"the limit of $\max q-\min q$",
            _twice,
            {
                "equal margins": (0.0, "How do the two copies share the pull?"),
                "the number of copies": (2.0, "A margin is a logarithm of a pull."),
                "decimal logarithms": (np.log10(2), "The pull is an exponential to another base."),
            },
        ),
    ),
)


def _on_the_kink(c: float, rho: float) -> Float[np.ndarray, "2"]:
    X = np.array([[1.0, 0.0], [c, np.sqrt(1 - c**2)]])
    net = TwoLayerNet.initialize(m=3, d=2, slope=rho, scale=1e-6, seed=0)
    return np.linalg.solve(X.T, sliding_limit(net, X, [1.0, -1.0]).v_plus)


_PAIR = Checker(
    "two.pair",
    minutes=25,
    questions=(
        function(
            "threshold",
            r"a function of $c\in(0,1)$ that returns the $\rho$ above which the pattern is "
            r"consistent",
            lambda c: c,
            lambda rng: [(float(c),) for c in rng.uniform(0.1, 0.9, 4)],
            {
                "always": (lambda c: 0.0, "Look at the input of one sign on the other's sample."),
                "twice the inner product": (
                    lambda c: 2 * c,
                    "That entry stands in the system, not in the input.",
                ),
            },
        ),
        function(
            "v_plus",
            r"a function of $(c,\rho)$ with $c>\rho$ that returns the coefficients of $v_+$ in "
            r"$(x_1,x_2)$",
            _on_the_kink,
            lambda rng: [
                (float(c), float(rho))
                for c, rho in zip(rng.uniform(0.5, 0.9, 3), rng.uniform(0.1, 0.4, 3), strict=True)
            ],
            {
                "as if it were consistent": (
                    lambda c, rho: np.array([1.0, -rho]) / (1 + rho**2 - 2 * rho * c),
                    "With these coefficients the input on the other sample has the wrong sign.",
                ),
                "the first sample alone": (
                    lambda c, rho: np.array([1.0, 0.0]),
                    "It slides along the kink: what is its input on the other sample?",
                ),
            },
            rtol=1e-5,
        ),
    ),
)


def _three(rng: np.random.Generator) -> Cases:
    return [
        (np.eye(3, 4) + 0.2 * rng.standard_normal((3, 4)), np.array([own, -1.0, -own]), rho)
        for rho, own in ((0.3, 1.0), (0.5, -1.0), (0.7, 1.0))
    ]


def _inputs(X: Any, y: Any, rho: float, *, own: bool = True) -> Float[np.ndarray, " n"]:
    net = TwoLayerNet.initialize(m=2, d=X.shape[1], slope=rho, scale=1e-3, seed=0)
    limit = two_layer_limit(net, X, y, check=False)
    inputs = X @ np.stack([limit.v_plus, limit.v_minus]).T
    return np.where((y > 0) == own, inputs[:, 0], inputs[:, 1])


_HALF = Checker(
    "two.half",
    minutes=30,
    questions=(
        function(
            "own",
            r"a function of $(X, y, \rho)$ that returns the own inputs $v_{y_i}^\top x_i$ of the "
            "labels' pattern",
            _inputs,
            _three,
            {
                "the opposite inputs": (
                    lambda X, y, rho: _inputs(X, y, rho, own=False),
                    "That is the other half.",
                ),
                "all of them one": (
                    lambda X, y, rho: np.ones(3),
                    "The margin is made by the neurons of both signs.",
                ),
                "the opposite part added": (
                    lambda X, y, rho: 1 - rho * _inputs(X, y, rho, own=False),
                    "With which sign do neurons of the other sign enter the output?",
                ),
            },
            rtol=1e-5,
        ),
    ),
)

_WIDE = Checker(
    "two.wide",
    minutes=25,
    questions=(
        function(
            "rank",
            r"a function of $n_+$ that returns the limit of $\operatorname{sr}(W_+)$",
            lambda n: float(wide_relu_stable_rank(n)),
            lambda _: [(2,), (6,), (15,)],
            {
                "its own limit": (lambda n: 2.0, "So it is for very many samples only."),
                "as many as samples": (
                    lambda n: float(n),
                    "The rows of a network of fair coins are not orthogonal in the mean.",
                ),
                "upside down": (
                    lambda n: (n + 1) / (2 * n),
                    "A stable rank is never less than one.",
                ),
            },
        ),
    ),
)

_SINGULAR = Checker(
    "two.singular",
    minutes=30,
    questions=(
        function(
            "log_time",
            r"a function of $(\beta,z_0,\rho)$ that returns $\log t$, up to a constant",
            lambda beta, z, rho: beta * z / rho,
            lambda rng: [tuple(map(float, case)) for case in rng.uniform(0.05, 0.9, (3, 3))],
            {
                "the others do not carry the margin": (
                    lambda beta, z, rho: z / rho,
                    "The margin is carried by a share of the neurons: how fast does it grow?",
                ),
                "the share on the wrong side": (
                    lambda beta, z, rho: z / (beta * rho),
                    "With fewer active neurons, how far do these have to go for the same margin?",
                ),
                "the time, not its logarithm": (
                    lambda beta, z, rho: float(np.log(beta * z / rho)),
                    "What grows in proportion to the input: the time, or the margin?",
                ),
            },
        ),
    ),
)

_WAKE = Checker(
    "two.wake",
    minutes=30,
    questions=(
        function(
            "guide",
            r"a function of $(n_+,\beta)$ that returns the stable rank of many neurons",
            lambda n, beta: float(
                n
                * beta
                / np.linalg.eigvalsh(np.full((n, n), beta**2) + (beta - beta**2) * np.eye(n))[-1]
            ),
            lambda rng: [
                (n, float(beta))
                for n, beta in zip((3, 6, 10), rng.uniform(0.2, 0.9, 3), strict=True)
            ],
            {
                "of fair coins": (
                    lambda n, beta: 2 * n / (n + 1),
                    "The share is not one half any more.",
                ),
                "of very many samples": (
                    lambda n, beta: 1 / beta,
                    "That is what it tends to for many samples.",
                ),
                "the diagonal forgotten": (
                    lambda n, beta: n / (1 + n * beta),
                    "The entries on the diagonal are others than those beside it.",
                ),
            },
        ),
    ),
)


def _change(name: str, asks: str, right: str, wrong: dict[str, str]) -> Any:
    return option(name, f"{asks}: `grows`, `falls` or `stays`", right, wrong)


_PADDING = Checker(
    "two.padding",
    minutes=15,
    questions=(
        _change(
            "ten_times",
            "all samples times ten",
            "stays",
            {
                "grows": "Numerator and denominator are of one degree in the samples.",
                "falls": "What does a common factor do to a quotient of such products?",
            },
        ),
        _change(
            "zeros",
            "more coordinates of zeros",
            "stays",
            {
                "grows": "Which inner product changes when a zero is appended?",
                "falls": "Which squared norm changes when a zero is appended?",
            },
        ),
        _change(
            "noise",
            "more coordinates of noise",
            "grows",
            {
                "falls": "Noise adds to which more: to squared norms, or to inner products?",
                "stays": "A squared norm becomes larger. By as much as an inner product?",
            },
        ),
        _change(
            "fewer",
            "only the first ten samples",
            "grows",
            {
                "falls": "Where does the number of samples stand?",
                "stays": "The number of samples is a part of the quotient.",
            },
        ),
    ),
)

_SAME = Checker(
    "two.same",
    minutes=30,
    questions=(
        function(
            "moved",
            r"a function of $(\rho, c, g_1, g_2)$ that returns how far, in units of $h$, one step "
            "moves the input on $x_2$ of a neuron of sign + that is active on $x_1$ only; both "
            "labels are +, and $c$ is the inner product",
            lambda rho, c, g1, g2: rho * g2 + c * g1,
            lambda rng: [
                (float(rho), float(c), float(g1), float(g2))
                for rho, c, g1, g2 in zip(
                    rng.uniform(0.1, 0.9, 4),
                    rng.uniform(-0.8, 0.8, 4),
                    rng.uniform(0.2, 0.5, 4),
                    rng.uniform(0.2, 0.5, 4),
                    strict=True,
                )
            ],
            {
                "the slope on the wrong sample": (
                    lambda rho, c, g1, g2: g2 + rho * c * g1,
                    "On which of the two samples is the neuron inactive?",
                ),
                "orthogonal samples": (
                    lambda rho, c, g1, g2: rho * g2,
                    "The other sample moves it, too.",
                ),
                "the sign of the label": (
                    lambda rho, c, g1, g2: rho * g2 - c * g1,
                    "Both labels are of one sign now.",
                ),
            },
            rtol=1e-6,
        ),
        option(
            "opposed",
            r"for the inner product $-0.6$ and $\rho=0.3$: where a neuron of sign + stays that "
            "starts active on one sample only",
            "on that sample",
            {
                "on both": "Which sign has the move, if the two pulls are alike?",
                "on neither": "Its own sample pulls it in.",
                "on the other sample": "Does its own sample let it go?",
            },
        ),
    ),
)

_CONSPIRE = Checker(
    "two.conspire",
    minutes=20,
    questions=(
        function(
            "product",
            r"a function of $(n, \rho, R)$ that returns the inner product $\mu$ beyond which the "
            r"pattern of your data is inconsistent, to first order in $\rho$",
            lambda n, rho, R: 2 * rho * R**2 / n,
            lambda rng: [
                (int(n), float(rho), float(R))
                for n, rho, R in zip(
                    (10, 20, 40), rng.uniform(0.01, 0.1, 3), rng.uniform(0.7, 2, 3), strict=True
                )
            ],
            {
                "all samples push": (
                    lambda n, rho, R: rho * R**2 / n,
                    "How many of the samples have the other label?",
                ),
                "random signs": (
                    lambda n, rho, R: rho * R**2 / np.sqrt(n / 2),
                    "So large it has to be if the signs are random. Here they are chosen.",
                ),
                "one sample pushes": (
                    lambda n, rho, R: rho * R**2,
                    "How many samples push the one?",
                ),
                "unit norms": (
                    lambda n, rho, R: 2 * rho / n,
                    "Samples need not be of length 1.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)


def _digit_support(noise: float, seed: int) -> int:
    A, signs = noisy_digits(noise=noise, seed=seed)
    net = TwoLayerNet.initialize(m=2, d=A.shape[1], slope=0.3, scale=1e-3, seed=0)
    return int((sliding_limit(net, A, signs).multipliers > 0).sum())


_SUPPORT = Checker(
    "two.support",
    minutes=30,
    questions=(
        function(
            "count",
            r"a function of the noise and the seed that returns how many of the twenty digits are "
            r"support vectors, at $\rho=0.3$",
            _digit_support,
            lambda rng: [(0.02, 7), (0.05, 9)],
            {
                "all of them": (
                    lambda noise, seed: 20,
                    "So it is at large noise only. Which multipliers are positive?",
                ),
                "those that are none": (
                    lambda noise, seed: 20 - _digit_support(noise, seed),
                    "Those are the others.",
                ),
            },
            rtol=1e-6,
        ),
        option(
            "slope",
            "which slope makes consistency a problem",
            "a smaller one",
            {
                "a larger one": "With which power of the slope does what keeps the pattern fall?",
                "none": "Try a tenth of it.",
            },
        ),
    ),
)

_CENTRED = Checker(
    "two.centred",
    minutes=15,
    questions=(
        function(
            "largest",
            r"a function of $n$ that returns the largest $C$ of $n$ samples whose sum is zero",
            lambda n: orthogonality(np.eye(n) - 1 / n),
            lambda _: [(3,), (7,), (20,)],
            {
                "not reached": (
                    lambda n: 1.0,
                    "How many inner products share one squared norm?",
                ),
                "the number of samples forgotten": (
                    lambda n: n - 1.0,
                    "The number of samples stands in the denominator.",
                ),
                "upside down": (
                    lambda n: n / (n - 1),
                    "Which is larger, the number of samples or that of the others?",
                ),
            },
        ),
        option(
            "noise",
            "which noise breaks the argument: added `before` the mean is subtracted, or `after`",
            "after",
            {
                "before": "What is the sum of the samples then?",
                "neither": "What becomes of the sum if something is added to each sample?",
            },
        ),
    ),
)


def _late_slope(log_time: Any, spread: Any, *, late: bool = True) -> float:
    used = slice(len(spread) // 2, None) if late else slice(None)
    return float(-np.polyfit(np.log(log_time[used]), np.log(spread[used]), 1)[0])


def _curves(rng: np.random.Generator) -> Cases:
    cases = []
    for p, records in ((1.0, 22), (0.3, 17), (0.05, 30)):
        log_time = np.geomspace(1.3, rng.uniform(300, 900), records)
        spread = log_time**-p * (0.9 + rng.uniform(0.5, 2) / log_time)
        cases.append((log_time, spread * np.exp(0.01 * rng.standard_normal(records))))
    return cases


_MERGING = Checker(
    "two.merging",
    minutes=20,
    questions=(
        function(
            "exponent",
            r"a function of the columns $\log\tau$ and spread that returns $p$",
            _late_slope,
            _curves,
            {
                "all records": (
                    lambda log_time, spread: _late_slope(log_time, spread, late=False),
                    "The first records are not on the law yet. Which ones are asked for?",
                ),
                "the sign": (
                    lambda log_time, spread: -_late_slope(log_time, spread),
                    "What falls has a positive exponent here.",
                ),
                "one logarithm": (
                    lambda log_time, spread: _late_slope(np.exp(log_time / 1e3), spread) / 1e3,
                    "So you fit an exponential. A power is a line in two logarithms.",
                ),
            },
            rtol=1e-5,
        ),
    ),
)

_SENTENCE = Checker(
    "two.sentence",
    minutes=15,
    questions=(
        option(
            "follows",
            "what equal margins show of the images: that they are `nearly orthogonal`, that they "
            "are `all support vectors`, or `nothing`",
            "all support vectors",
            {
                "nearly orthogonal": "Which of the two is assumed by the theorem?",
                "nothing": "What do samples have in common that have one margin?",
            },
        ),
        number(
            "wanted",
            "the least $C$ for which the theorem on the pattern can apply, for any slope and norms",
            lambda: 48.0,
            {
                "what it has to exceed for a positive solution": (
                    2.0,
                    "That is what the linear system needs. The first step needs more.",
                ),
                "the factor forgotten": (12.0, "There is a factor before the maximum."),
                "the other term": (4.0, "Which of the two terms is the larger?"),
            },
        ),
        option(
            "more",
            "what the share of support vectors does with more images: `grows`, `falls` or `stays`",
            "falls",
            {
                "grows": "Compare four images with nineteen.",
                "stays": "It has been computed for several numbers of images.",
            },
        ),
    ),
)

CHECKERS = (
    _OWN,
    _EVERY_SLOPE,
    _ORTHOGONAL,
    _RANK_TWO,
    _WAIT,
    _STABLE,
    _TWICE,
    _PAIR,
    _HALF,
    _WIDE,
    _SINGULAR,
    _WAKE,
    _PADDING,
    _SAME,
    _CONSPIRE,
    _SUPPORT,
    _CENTRED,
    _MERGING,
    _SENTENCE,
)
