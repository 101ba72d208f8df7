"""Before you start: checkers of the exercises on convexity and on flows."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from ibtools.course.questions import function, number, option
from ibtools.course.registry import Checker
from ibtools.theory import HypentropyPotential

Cases = list[tuple[Any, ...]]


def _definite(rng: np.random.Generator) -> Cases:
    cases = []
    for d in (2, 3, 4):
        root = rng.standard_normal((d, d))
        cases.append((root @ root.T + np.eye(d), rng.standard_normal(d)))
    return cases


def _hyperbolic_conjugate(p: float, k: float) -> float:
    q = HypentropyPotential(sqrt_k=[k**0.5], start=[0.0])
    w = q.inverse_gradient(np.array([p]))
    return float(p * w[0] - q(w))


_CONJUGATE = Checker(
    "before.conjugate",
    minutes=15,
    questions=(
        function(
            "quadratic",
            "a function of $(A, p)$ that returns $q^*(p)$ of (a)",
            lambda A, p: float(p @ np.linalg.solve(A, p) / 2),
            _definite,
            {
                "A instead of its inverse": (
                    lambda A, p: float(p @ A @ p / 2),
                    "Solve for the weights at which the supremum is attained before you insert.",
                ),
                "forgot the half": (
                    lambda A, p: float(p @ np.linalg.solve(A, p)),
                    "A part of the supremum has not been subtracted.",
                ),
            },
            rtol=1e-8,
        ),
        function(
            "entropy",
            "a function of the number $p$ that returns $q^*(p)$ of (b)",
            lambda p: float(np.exp(p)),
            lambda rng: [(float(p),) for p in rng.uniform(-2, 3, 4)],
            {
                "the gradient's inverse read off backwards": (
                    lambda p: float(np.log(np.abs(p) + 1)),
                    "Which of the two maps is the inverse of the other?",
                ),
                "the value of q at the maximum": (
                    lambda p: float(np.exp(p) * (p - 1)),
                    "That is what is subtracted.",
                ),
            },
            rtol=1e-8,
        ),
        function(
            "hyperbolic",
            "a function of the numbers $(p, k)$ that returns $q^*(p)$ of (c)",
            _hyperbolic_conjugate,
            lambda rng: [(float(p), float(k)) for p, k in rng.uniform(0.2, 2, (4, 2))],
            {
                "forgot the half before the arcsinh": (
                    lambda p, k: float(np.sqrt(k) / 2 * (np.cosh(p) - 1)),
                    "What stands before the area function in the slope of $q$?",
                ),
                "not zero at zero": (
                    lambda p, k: float(np.sqrt(k) / 4 * np.cosh(2 * p)),
                    "What is the value at zero, if $q$ has its minimum zero there?",
                ),
            },
            rtol=1e-8,
        ),
    ),
)

_SWAPPED = Checker(
    "before.swapped",
    minutes=25,
    questions=(
        function(
            "nearest",
            "a function of the start $(w_1,w_2)$, both positive, that returns the point on "
            "$w_1=w_2$ with the least $D_q(w,w_0)$",
            lambda w: np.full(2, np.sqrt(w[0] * w[1])),
            lambda rng: [(w,) for w in rng.uniform(0.5, 5, (4, 2))],
            {
                "the other order of the arguments": (
                    lambda w: np.full(2, np.mean(w)),
                    "In which of its two arguments does the minimization move?",
                ),
                "forgot the root": (
                    lambda w: np.full(2, w[0] * w[1]),
                    "Both coordinates are the same number: the product is that of two of them.",
                ),
            },
            rtol=5e-3,
        ),
        function(
            "swapped",
            "a function of the start that returns the point with the least $D_q(w_0,w)$",
            lambda w: np.full(2, np.mean(w)),
            lambda rng: [(w,) for w in rng.uniform(0.5, 5, (4, 2))],
            {
                "the same point for both": (
                    lambda w: np.full(2, np.sqrt(w[0] * w[1])),
                    "That is the nearest point in the other sense; the two problems differ.",
                ),
                "the harmonic mean": (
                    lambda w: np.full(2, 2 / np.sum(1 / w)),
                    "Look again at which of the two is divided by which in the condition.",
                ),
            },
            rtol=5e-3,
        ),
    ),
)


def _log_logistic(q: Float[np.ndarray, " n"]) -> float:
    small = np.exp(-np.maximum(q, 40))
    tail = -np.maximum(q, 40) + np.log1p(-small / 2)
    with np.errstate(over="ignore"):
        near = np.log(np.logaddexp(0, -np.minimum(q, 40)))
    return float(logsumexp(np.where(q > 40, tail, near)))


_LOGISTIC = Checker(
    "before.logistic",
    minutes=30,
    questions=(
        function(
            "log_loss",
            r"the function `log_loss(q)` of an array of margins",
            _log_logistic,
            lambda rng: [
                (rng.uniform(2000, 3000, 3),),
                (np.array([-1e6, 5.0]),),
                (rng.uniform(-3, 3, 4),),
                (rng.uniform(1e5, 1e6, 2),),
                (np.array([36.0, 38.0, 39.5]),),
            ],
            {
                "the exponential loss": (
                    lambda q: float(logsumexp(-q)),
                    "For large margins that is right to all digits, and for small ones it is "
                    "another loss.",
                ),
                "a tiny number added before the logarithm": (
                    lambda q: float(np.log(np.sum(np.logaddexp(0, -q)) + 1e-300)),
                    "Nothing is infinite now, and large margins all have the same loss.",
                ),
                "the mean instead of the sum": (
                    lambda q: _log_logistic(q) - float(np.log(q.size)),
                    "Is the loss a sum over the samples, or their mean?",
                ),
                "only the worst sample": (
                    lambda q: _log_logistic(np.array([q.min()])),
                    "The other samples have a part in the loss, too.",
                ),
            },
            rtol=1e-12,
        ),
    ),
    hints=("Try it on one margin first: 40, 1000 and 100000, and then on those less than zero.",),
)

_CUBIC = Checker(
    "before.cubic",
    minutes=15,
    questions=(
        number(
            "factor",
            r"the number $c$ for which $u^2-c\,v^2$ is conserved",
            lambda: 2.0,
            {
                "as for the product of two": (1.0, "That is what two single layers conserve."),
                "the wrong layer counted twice": (
                    0.5,
                    "Which of the two squares grows faster along the flow?",
                ),
                "forgot the chain rule's factor": (4.0, "Compare the two derivatives once more."),
            },
        ),
        function(
            "speed",
            r"a function of $(u,v)$ that returns $JJ^\top$",
            lambda u, v: 4 * u**2 * v**2 + u**4,
            lambda rng: [tuple(map(float, pair)) for pair in rng.uniform(0.3, 1.5, (4, 2))],
            {
                "forgot the layer that is free": (
                    lambda u, v: 4 * u**2 * v**2,
                    "The predictor depends on both parameters.",
                ),
                "the entries are not squared": (
                    lambda u, v: 2 * u * v + u**2,
                    "That is the sum of the entries of the Jacobian.",
                ),
            },
            rtol=1e-8,
        ),
        number(
            "exponent",
            r"the power of $|w|$ with which $JJ^\top$ goes to zero in the balanced case",
            lambda: 4 / 3,
            {
                "as for the product of two": (1.0, "That is the power for two layers."),
                "the power of v": (4.0, "In terms of the predictor, not of a weight."),
                "the power of the root": (2 / 3, "That is the power for the length of a row."),
            },
        ),
    ),
)


def _one_step(eta: float, r: float) -> float:
    u, v = 1.3, (1 - r) / 1.3
    after = u + eta * r * v, v + eta * r * u
    return (after[0] ** 2 - after[1] ** 2) / (u**2 - v**2)


_DRIFT = Checker(
    "before.drift",
    minutes=25,
    questions=(
        function(
            "factor",
            r"a function of the step $\eta$ and the residual $r$ that returns by what one step "
            r"multiplies $\delta$",
            _one_step,
            lambda rng: [tuple(map(float, pair)) for pair in rng.uniform(0.1, 0.9, (4, 2))],
            {
                "conserved": (
                    lambda eta, r: 1.0,
                    "That is the flow. A step of finite length leaves something over.",
                ),
                "it grows": (
                    lambda eta, r: 1 + eta**2 * r**2,
                    "Look at the sign of the last term when you multiply out.",
                ),
                "of first order": (
                    lambda eta, r: 1 - eta * r,
                    "The terms of first order cancel, by the law that the flow conserves.",
                ),
            },
            rtol=1e-8,
        ),
    ),
)

_TWICE = Checker(
    "before.twice",
    minutes=15,
    questions=(
        option(
            "undetermined",
            "with a copy of $z_1$: what is not determined any more",
            "single multipliers",
            {
                "the weights": "Does a copy of a sample change which weights are allowed?",
                "the margin": "The allowed region decides it, and a copy leaves that as it is.",
                "the sum of all multipliers": "By duality the margin tells it.",
            },
        ),
        option(
            "longer",
            "the multiplier of the copy $2z_1$",
            "zero",
            {
                "half of that of the first sample": "Where the first constraint is met with "
                "equality, is this one?",
                "any share of what the first sample had": "That is so for a copy of the same "
                "length.",
                "that of the first sample": "Both would have to be active at once.",
            },
        ),
    ),
)


def _bounds(X: Any, y: Any, root_k: Any, start: Any, nu: Any) -> Float[np.ndarray, "2"]:
    q = HypentropyPotential(sqrt_k=root_k, start=start)
    w = q.inverse_gradient(X.T @ nu)
    mended = w + np.linalg.pinv(X) @ (y - X @ w)
    return np.array([y @ nu - (X.T @ nu @ w - q(w)), q(mended)])


def _duals(rng: np.random.Generator) -> Cases:
    return [
        (
            rng.standard_normal((2, 3)),
            rng.standard_normal(2),
            rng.uniform(0.2, 2, 3),
            0.3 * rng.standard_normal(3),
            0.4 * rng.standard_normal(2),
        )
        for _ in range(3)
    ]


def _bounds_as_they_are(X: Any, y: Any, root_k: Any, start: Any, nu: Any) -> Any:
    q = HypentropyPotential(sqrt_k=root_k, start=start)
    return [_bounds(X, y, root_k, start, nu)[0], q(q.inverse_gradient(X.T @ nu))]


_CLIMB = Checker(
    "before.climb",
    minutes=30,
    questions=(
        function(
            "bounds",
            r"a function of $(X, y)$, the arrays $\sqrt k$ and $w_0$ of a hyperbolic entropy, and "
            r"$\nu$, that returns the lower and the upper bound which belong to this $\nu$",
            _bounds,
            _duals,
            {
                "the upper one from weights that do not fit": (
                    _bounds_as_they_are,
                    "One is right. For the other one the weights have to be allowed.",
                ),
                "the conjugate forgotten": (
                    lambda X, y, k, w0, nu: [y @ nu, _bounds(X, y, k, w0, nu)[1]],
                    "One is right. The dual has a second term.",
                ),
                "the other way round": (
                    lambda X, y, k, w0, nu: _bounds(X, y, k, w0, nu)[::-1],
                    "Which of your two is below the other?",
                ),
                "the potential instead of its conjugate": (
                    lambda X, y, k, w0, nu: [
                        y @ nu - _bounds_as_they_are(X, y, k, w0, nu)[1],
                        _bounds(X, y, k, w0, nu)[1],
                    ],
                    "One is right. The dual has the conjugate in it, and not the potential.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_REST = Checker(
    "before.rest",
    minutes=20,
    questions=(
        option(
            "mended",
            r"what becomes right if $\nabla L$ is Lipschitz along the path",
            "the gradient tends to zero",
            {
                "the loss converges": "That was right before.",
                "where it rests is a minimum": "The gradient also vanishes where a loss is no "
                "least, however smooth it is.",
                "the weights converge": "Along $e^{-w}$ the gradient is as tame as one could wish. "
                "Where do the weights go?",
            },
        ),
        number(
            "saddle",
            r"the loss that the flow of $\frac12(1-uv)^2$ tends to from $u=-v$",
            lambda: 0.5 * (1 - 0.0) ** 2,
            {
                "a minimum": (0.0, "Which points does the line of the start lead to?"),
                "forgot the half": (1.0, "The point is right. Insert it once more."),
            },
        ),
        option(
            "leaves",
            "the loss of the page on which the weights do not converge",
            "exp(-w)",
            {
                "(1-uv)^2 / 2": "Its valley runs off to infinity, and what the flow conserves "
                "keeps the weights from going there.",
                "none": "On one of them the loss has no least value that it attains.",
            },
        ),
    ),
)

CHECKERS = (
    _CONJUGATE,
    _SWAPPED,
    _CUBIC,
    _DRIFT,
    _LOGISTIC,
    _TWICE,
    _CLIMB,
    _REST,
)
