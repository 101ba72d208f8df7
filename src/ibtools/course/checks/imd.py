"""Implicit mirror descent: the checkers of its exercises."""

from typing import Any

import numpy as np
import scipy.optimize
from jaxtyping import Float, Shaped

from ibtools.course.questions import array, function, number, option
from ibtools.course.registry import Checker
from ibtools.data import sparse_regression
from ibtools.models import DiagonalNet
from ibtools.theory import (
    HypentropyPotential,
    bregman_projection,
    hessian_map_defect,
    implicit_limit,
    implicit_potential,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
)

Cases = list[tuple[Any, ...]]


def _second_metric(w: Shaped[np.ndarray, "2"]) -> Shaped[np.ndarray, "2 2"]:
    return np.diag([1 + w[1] ** 2, 1 + w[0] ** 2])


_HESSIAN = Checker(
    "imd.hessian",
    minutes=25,
    questions=(
        option(
            "hessians",
            "which of the metrics are Hessians",
            "a and c",
            {
                "a": "There is another one; do not be put off by entries beside the diagonal.",
                "b": "Differentiate its first entry by the second coordinate.",
                "c": "There is another one, and it is easier to see.",
                "a and b": "Differentiate the first entry of the second one.",
                "b and c": "One of the two is none; look at the diagonal one.",
                "a, b and c": "One of them is none.",
            },
        ),
        function(
            "defect",
            "a function of $w$ that returns $T_{112}$ of the metric (b)",
            lambda w: float(hessian_map_defect(_second_metric, w)[0, 0, 1]),
            lambda rng: [(w,) for w in rng.uniform(-1, 1, (3, 2))],
            {
                "the other coordinate": (
                    lambda w: 2 * w[0],
                    "Which coordinate does the first entry depend on?",
                ),
                "the entry itself": (lambda w: 1 + w[1] ** 2, "That is not differentiated yet."),
            },
            rtol=1e-5,
        ),
        function(
            "potential",
            "a function of $w$ that returns the potential of (c), which is 0 at 0 with gradient 0",
            lambda w: float(w @ w / 2 + w[0] ** 2 * w[1] ** 2 / 2),
            lambda rng: [(w,) for w in rng.uniform(-1, 1, (3, 2))],
            {
                "both diagonal entries integrated and added": (
                    lambda w: float(w @ w / 2 + w[0] ** 2 * w[1] ** 2),
                    "A term has been counted twice: differentiate yours twice.",
                ),
                "without the mixed term": (
                    lambda w: float(w @ w / 2),
                    "That has no entries beside the diagonal.",
                ),
            },
            rtol=1e-8,
        ),
    ),
)


def _hyperbola_end() -> Float[np.ndarray, "2"]:
    square = 2 + np.sqrt(5)
    return np.array([np.sqrt(square), 1 / np.sqrt(square)])


def _hyperbola_nearest() -> Float[np.ndarray, "2"]:
    found = scipy.optimize.minimize_scalar(
        lambda u: (u - 2) ** 2 + u**-2, bounds=(1, 3), method="bounded", options={"xatol": 1e-9}
    )
    return np.array([found.x, 1 / found.x])


_NEAREST = Checker(
    "imd.nearest",
    minutes=15,
    questions=(
        array(
            "end",
            "$(u,v)$ where the flow ends",
            _hyperbola_end,
            {
                "the nearest point": (
                    _hyperbola_nearest(),
                    "The quotation says so. Use what the flow conserves.",
                ),
                "the difference conserved, not that of the squares": (
                    [1 + np.sqrt(2), np.sqrt(2) - 1],
                    "Which combination of the two weights does not move?",
                ),
                "forgot to square the start": (
                    [np.sqrt(1 + np.sqrt(2)), 1 / np.sqrt(1 + np.sqrt(2))],
                    "What is the conserved number at the start?",
                ),
            },
            rtol=3e-4,
        ),
        array(
            "nearest",
            "the nearest point of the hyperbola",
            _hyperbola_nearest,
            {
                "where the flow ends": (_hyperbola_end(), "That is where the flow ends."),
                "straight up": ([2.0, 0.5], "Nearest along one axis is not nearest."),
            },
            rtol=3e-4,
        ),
    ),
)


def _entropy_value(w: float, k: float) -> float:
    return float(HypentropyPotential(sqrt_k=[np.sqrt(k)], start=[0.0])(np.array([w])))


_INTEGRAL = Checker(
    "imd.integral",
    minutes=15,
    questions=(
        function(
            "q",
            "a function of the numbers $(w, k)$ that returns $q_k(w)$",
            _entropy_value,
            lambda rng: [tuple(map(float, pair)) for pair in rng.uniform(0.1, 3, (5, 2))],
            {
                "forgot the half before the integral": (
                    lambda w, k: 2 * _entropy_value(w, k),
                    "A constant factor in front of the integral is missing.",
                ),
                "k instead of its root": (
                    lambda w, k: _entropy_value(w, k**2),
                    "Insert the parameter as the definition has it.",
                ),
                "the lower end of the integral forgotten": (
                    lambda w, k: _entropy_value(w, k) - np.sqrt(k) / 4,
                    "What is its value at zero?",
                ),
                "the slope": (
                    lambda w, k: float(np.arcsinh(2 * w / np.sqrt(k)) / 2),
                    "That is the slope.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_SIDES = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 2.5]])


def _least_sum() -> Float[np.ndarray, "3"]:
    return scipy.optimize.linprog(np.ones(3), A_eq=_SIDES, b_eq=np.ones(2)).x


_ENTROPY = Checker(
    "imd.entropy",
    minutes=25,
    questions=(
        array(
            "limit",
            "the limit in the example, for $w(0)\\to0$",
            _least_sum,
            {
                "the interpolator of least l2 norm": (
                    np.linalg.pinv(_SIDES).sum(axis=1),
                    "Which term of the objective grows as the start vanishes? It is no square.",
                ),
                "the other end of the segment": (
                    [1.0, 0.0, 0.0],
                    "Of all that fit, that one has the largest sum.",
                ),
                "the middle, as it must be positive": (
                    [0.5, 0.25, 0.2],
                    "Does the least value have to be attained inside?",
                ),
            },
        ),
    ),
)


def _repeated(rng: np.random.Generator) -> Cases:
    cases = []
    for n in (2, 3, 4):
        X = rng.standard_normal((n, n + 2))
        cases.append((np.vstack([X, X[:1]]), rng.standard_normal(n + 1)))
    return cases


_LABELS = Checker(
    "imd.labels",
    minutes=15,
    questions=(
        function(
            "fitted",
            "a function of $(X, y)$ that returns the labels which the flow ends up fitting",
            lambda X, y: X @ np.linalg.lstsq(X, y)[0],
            _repeated,
            {
                "the given labels": (lambda X, y: y, "No weights fit those."),
                "the part that is not seen": (
                    lambda X, y: y - X @ np.linalg.lstsq(X, y)[0],
                    "That is the part of the labels that the flow does not see.",
                ),
                "the last label wins": (
                    lambda X, y: np.append(y[-1], y[1:]),
                    "Both of the contradicting labels pull, and equally hard.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)


def _tied(first: float, second: float) -> Float[np.ndarray, "2"]:
    """Return the interpolator of the sample (1, 1) with label 1 that two small √k choose."""
    potential = HypentropyPotential(sqrt_k=[first, second], start=[0.0, 0.0])
    return bregman_projection(potential, [[1.0, 1.0]], [1.0]).w


_TIE = Checker(
    "imd.tie",
    minutes=20,
    questions=(
        array(
            "equal",
            "the limit for $k_1=k_2$",
            lambda: _tied(1e-12, 1e-12),
            {
                "a corner of the diamond": (
                    [1.0, 0.0],
                    "Nothing distinguishes this coordinate from the other.",
                ),
                "forgot the constraint": ([1.0, 1.0], "That does not fit the label."),
            },
        ),
        array(
            "unequal",
            r"the limit for $\sqrt{k_1}=\epsilon$ and $\sqrt{k_2}=2\epsilon$",
            lambda: _tied(1e-12, 2e-12),
            {
                "weights by k instead of by its root": (
                    [0.2, 0.8],
                    "Look at which power of the start stands under the logarithm.",
                ),
                "the smaller start gets more": (
                    [2 / 3, 1 / 3],
                    "The other way round: which coordinate is cheaper, that of the larger start or "
                    "that of the smaller?",
                ),
                "the start is forgotten as it vanishes": (
                    [0.5, 0.5],
                    "Both starts vanish, and something of them that the limit sees does not.",
                ),
            },
        ),
    ),
    hints=(
        "What remains is an entropy with weights. Where is its derivative along the segment 0?",
    ),
)

_RECIPE = Checker(
    "imd.recipe",
    minutes=15,
    questions=(
        number(
            "root_k",
            r"the number $\sqrt k$ of this start",
            lambda: float(
                implicit_potential(DiagonalNet(*([v] for v in (1, 1e-9, 1, 1e-9)))).sqrt_k[0]
            ),
            {
                "the formula without shape": (4e-9, "That would be right for equal layers."),
                "forgot the factor 2": (1.0, "A constant factor is missing."),
                "k instead of its root": (4.0, "That is another power of what is asked for."),
            },
        ),
        option(
            "norm",
            "the norm that it nearly minimizes",
            "l2",
            {"l1": "Compare the number with the size of the weights that fit the data."},
        ),
        option(
            "second_layer",
            "which second layer would have been a rich start, with this first one",
            "none",
            {
                "a smaller one": "Which of the two layers decides how large the number is?",
                "a larger one": "Can the number fall when a layer grows?",
                "an equal one": "Then the shape is gone; and how large is the number?",
            },
        ),
    ),
)

_EXPONENTS = np.array([-30.0, -60.0, -3000.0, -6000.0])

_DIGITS = Checker(
    "imd.digits",
    minutes=10,
    questions=(
        array(
            "exponents",
            r"$\log_{10}\sqrt k$ for $\rho=0.9$ with $10^{-3}$ and with $10^{-6}$, then the same "
            r"for $\rho=0.999$",
            lambda: np.array([-m / (1 - rho) for rho in (0.9, 0.999) for m in (3, 6)]),
            {
                "natural logarithms": (
                    _EXPONENTS * np.log(10),
                    "Of these numbers to the base e that would be right.",
                ),
                "those of k": (2 * _EXPONENTS, "That is for another power of what is asked for."),
                "divided by the correlation": (
                    [-3 / 0.9, -6 / 0.9, -3 / 0.999, -6 / 0.999],
                    "A coordinate far from a tie would be the slower one, then. Which exponent "
                    "stands in the law?",
                ),
                "forgot the sign": (-_EXPONENTS, "Is that a small start?"),
            },
        ),
        option(
            "doubles",
            "whether doubles can hold the starts for 0.9, and those for 0.999",
            "yes and no",
            {
                "yes and yes": "Look up the smallest positive double.",
                "no and no": "Doubles go much further down than their relative accuracy.",
                "no and yes": "Which of the two starts is the smaller?",
            },
        ),
    ),
)


def _weighted(_: np.random.Generator) -> Cases:
    # Chosen: both solutions are far apart, and the one asked for is far from a tie.
    cases: Cases = []
    rng = np.random.default_rng(0)
    for seed in (3, 4, 5):
        X, y = sparse_regression(n=5, d=12, sparsity=2, seed=seed)[:2]
        cases.append((X, y, rng.permutation(np.linspace(1, 3, 12))))
    return cases


_POWERS = Checker(
    "imd.powers",
    minutes=30,
    questions=(
        function(
            "limit",
            "a function of $(X, y, p)$ that returns the limit",
            lambda X, y, p: minimum_l1_interpolator(X, y, weights=p),
            _weighted,
            {
                "weights forgotten": (
                    lambda X, y, p: minimum_l1_interpolator(X, y),
                    "All powers go to zero, but not at the same speed: what is left of that?",
                ),
                "weights upside down": (
                    lambda X, y, p: minimum_l1_interpolator(X, y, weights=1 / p),
                    "Is a coordinate with a larger power cheaper or dearer?",
                ),
                "weighted squares": (
                    lambda X, y, p: minimum_norm_interpolator(X, y, weights=p),
                    "That is another norm: which one is left as the start vanishes?",
                ),
            },
            rtol=0.05,
        ),
    ),
)


def _linearized(rng: np.random.Generator) -> Cases:
    return [
        (rng.standard_normal((n, n + 3)), rng.uniform(0.2, 5, n + 3), rng.standard_normal(n))
        for n in (2, 3, 4)
    ]


_LOSS = Checker(
    "imd.loss",
    minutes=30,
    questions=(
        function(
            "left",
            r"a function of $X$, the diagonal of $H$ at the limit, and the residual $r$, that "
            r"returns the move $w_\infty-w$ which is left, to first order",
            lambda X, h, r: minimum_norm_interpolator(X, r, weights=h),
            _linearized,
            {
                "not divided by the kernel": (
                    lambda X, h, r: X.T @ r / h,
                    "That is the velocity. How long does it last, direction by direction?",
                ),
                "the metric forgotten": (
                    lambda X, h, r: np.linalg.pinv(X) @ r,
                    "That is the move of a linear model.",
                ),
                "the metric instead of its inverse": (
                    lambda X, h, r: minimum_norm_interpolator(X, r, weights=1 / h),
                    "Is a coordinate with a large curvature fast or slow?",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_PRODUCT = Checker(
    "imd.product",
    minutes=25,
    questions=(
        option(
            "order",
            r"by what order in $\eta$ the product of all factors differs from 1",
            "first",
            {
                "zeroth": "Then small steps would not approach the flow at all.",
                "second": "That is each single factor. How many of them are there?",
                "third": "The product is farther from one than its factors.",
            },
        ),
        number(
            "ratio",
            r"on the sample of the plane, $x=(1,2)$: the exponent that the second coordinate "
            "loses, over that of the first",
            lambda: 4.0,
            {
                "not squared": (2.0, "What is integrated along the flow is not the pull itself."),
                "the same for both": (1.0, "Are both coordinates pulled equally hard?"),
                "the other way round": (0.25, "Which of the two is pulled harder?"),
            },
            rtol=0.02,
        ),
    ),
)

_ONE = Checker(
    "imd.one",
    minutes=30,
    questions=(
        option(
            "mirror",
            "how far from the minimizer of $q$ mirror descent ends",
            "not at all",
            {
                "proportional to the step": "Does a long step of the mirror variable leave the row "
                "space?",
                "proportional to its square": "No step is too long here: what did the theorem ask "
                "of the path in the row space?",
                "it depends on the order of the samples": "The order changes the path. What does "
                "the theorem say about the end?",
            },
        ),
        option(
            "weights",
            "how far gradient descent on the weights ends",
            "proportional to the step",
            {
                "not at all": "Is what the flow conserves also conserved by a step?",
                "proportional to its square": "Each step errs by that. How many steps are there?",
                "it does not converge": "Training error goes to zero; so it does arrive somewhere.",
            },
        ),
    ),
)


def _seen(X: Any, y: Any, c: Any, least: float = 0.0) -> Float[np.ndarray, " d"]:
    net = DiagonalNet.from_scale_shape(scale=0.1, shape=0.0, d=X.shape[1])
    return implicit_limit(net, X[c > least], y[c > least])


def _weighted_samples(rng: np.random.Generator) -> Cases:
    weights = [np.array(c) for c in ((1.0, 1e-4), (1.0, 0.0), (1e-2, 0.3))]
    return [(rng.standard_normal((2, 4)), rng.standard_normal(2), c) for c in weights]


_FORGOTTEN = Checker(
    "imd.forgotten",
    minutes=20,
    questions=(
        function(
            "limit",
            "a function of $(X, y)$ and the weights $c$ of the samples, some of them 0, that "
            "returns where the diagonal network of the exercise ends",
            _seen,
            _weighted_samples,
            {
                "a forgotten sample is fitted": (
                    lambda X, y, c: _seen(X, y, c, -1.0),
                    "Right for all samples that pull. What pulls at weight 0?",
                ),
                "a nearly forgotten sample is dropped": (
                    lambda X, y, c: _seen(X, y, c, 1e-3),
                    "How long does a small weight hold out, and how long is the flow?",
                ),
                "the weights are fitted": (
                    lambda X, y, c: _seen(X, y * c, c),
                    "The weight stands before the loss of a sample, and not before its label.",
                ),
                "a linear model": (
                    lambda X, y, c: minimum_norm_interpolator(X[c > 0], y[c > 0]),
                    "That is another potential.",
                ),
            },
            rtol=1e-4,
        ),
        number(
            "wait",
            "by what the time that it takes is multiplied, when $c_2$ falls by a factor of a "
            "hundred",
            lambda: 1 / 1e-2,
            {
                "no longer than before": (1.0, "What moves once the first sample is fitted?"),
                "by the root": (10.0, "The weight stands in the velocity, not under a root."),
                "by a logarithm": (
                    float(np.log(100)),
                    "Solve the equation of a residual that falls at a small rate.",
                ),
            },
            rtol=0.15,
        ),
    ),
)

_EARLY = Checker(
    "imd.early",
    minutes=30,
    questions=(
        option(
            "large",
            r"where on the path the population error is least for $\alpha=1$",
            "at the end",
            {
                "before the end": "Is there a time at which the true coordinates alone are on?",
                "at the start": "Nothing of the truth is found there.",
            },
        ),
        option(
            "tiny",
            r"where on the path it is least for $\alpha=10^{-6}$",
            "before the end",
            {
                "at the end": "The true coordinates are on. What is there left to fit?",
                "at the start": "There the predictor is zero.",
            },
        ),
        option(
            "theorem",
            "what the theorem says of a point on the path",
            "it minimizes q among those with its own outputs",
            {
                "nothing": "The mirror variable is in the row space all the way. Whose limit could "
                "the point be?",
                "it minimizes q among those that fit the labels": "It does not fit them yet.",
                "it minimizes the error": "The theorem knows nothing of the truth.",
            },
        ),
    ),
)

_MOMENTUM = Checker(
    "imd.momentum",
    minutes=60,
    questions=(
        option(
            "limit",
            "whether the limit is the minimizer of $q$",
            "it is another point",
            {
                "it is the minimizer": "Compare the two ends to more digits than the plot shows.",
                "there is no limit": "Friction takes the energy out; does it not settle?",
            },
        ),
        option(
            "products",
            r"what becomes of $u_+^2-v_+^2$ and its like",
            "all move",
            {
                "all are conserved": "A growing factor and a shrinking one were inverses of each "
                "other. Are they still?",
                "one is conserved": "Which, and why that one? Print them all.",
            },
        ),
        function(
            "ratios",
            r"a function of $(u_+,v_+,u_-,v_-)$ of one coordinate that returns the two conserved "
            r"ratios: with $u_++v_+$ below, and with $u_-+v_-$ below",
            lambda up, vp, um, vm: np.array([(um - vm) / (up + vp), (up - vp) / (um + vm)]),
            lambda rng: [tuple(map(float, rng.uniform(0.1, 1, 4))) for _ in range(3)],
            {
                "within each pair": (
                    lambda up, vp, um, vm: np.array([(up - vp) / (up + vp), (um - vm) / (um + vm)]),
                    "Those two obey equations with different signs.",
                ),
                "the two sums": (
                    lambda up, vp, um, vm: np.array([(um + vm) / (up + vp), (up + vp) / (um + vm)]),
                    "One of the two grows while the other one shrinks.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

CHECKERS = (
    _HESSIAN,
    _NEAREST,
    _INTEGRAL,
    _ENTROPY,
    _LABELS,
    _RECIPE,
    _DIGITS,
    _TIE,
    _POWERS,
    _LOSS,
    _PRODUCT,
    _ONE,
    _FORGOTTEN,
    _EARLY,
    _MOMENTUM,
)
