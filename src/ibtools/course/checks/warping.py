"""Time warping: the checkers of its exercises."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from ibtools.course.questions import function, number, option
from ibtools.course.registry import Checker
from ibtools.models import LinearNeuron
from ibtools.theory import WarpedPotential, explicit_limit, kernel_limit, warpability

Cases = list[tuple[Any, ...]]


def _cyclic(w: Shaped[np.ndarray, " d"]) -> Shaped[np.ndarray, "d d"]:
    return np.diag(1 + np.roll(w, 1) ** 2)


def _hopeless(w: Shaped[np.ndarray, "2"]) -> Shaped[np.ndarray, "2 2"]:
    return np.diag([np.exp(w[0] * w[1]), 1 + 0 * w[0]])


_UNIQUE = Checker(
    "warp.unique",
    minutes=35,
    questions=(
        function(
            "gradient",
            r"a function of $w\in\mathbb R^2$ that returns $\nabla\log g$ for the cyclic metric",
            lambda w: warpability(_cyclic, w).gradient,
            lambda rng: [(w,) for w in rng.uniform(-2, 2, (4, 2))],
            {
                "the inverse warp": (
                    lambda w: 2 * w / (1 + w**2),
                    "That is right up to its sign: what does the warp multiply?",
                ),
                "the logarithm not differentiated to the end": (
                    lambda w: -w / (1 + w**2),
                    "A constant factor is missing: the inner derivative.",
                ),
                "the coordinates exchanged": (
                    lambda w: -2 * w[::-1] / (1 + w[::-1] ** 2),
                    "Which entry of the metric is differentiated by which coordinate?",
                ),
            },
            rtol=1e-5,
        ),
        number(
            "curl",
            r"the curl $\partial_1\varphi_2-\partial_2\varphi_1$ for $H_{11}=e^{w_1w_2}$, "
            r"$H_{22}=1$",
            lambda: float(warpability(_hopeless, np.array([0.4, -0.3])).curl[0, 1]),
            {
                "the sign": (1.0, "The size is right. Keep track of the minus sign."),
                "both terms alike": (0.0, "Is that metric mended by a warp, then?"),
            },
        ),
    ),
)


def _neurons(rng: np.random.Generator) -> Cases:
    return [
        (
            float(rng.uniform(0.5, 2)),
            0.3 * rng.standard_normal(n + 2),
            rng.standard_normal((n, n + 2)),
            rng.standard_normal(n),
        )
        for n in (1, 2, 3)
    ]


def _square(
    a0: float, w0: Any, X: Any, y: Any, *, c: float | None = None, four: float = 4.0
) -> float:
    seen = np.linalg.pinv(X) @ X @ w0
    c = a0**2 - float(seen @ seen) if c is None else c
    least = np.linalg.pinv(X) @ y
    return (c + float(np.sqrt(c**2 + four * (least @ least)))) / 2


_TWO_WAYS = Checker(
    "warp.two-ways",
    minutes=15,
    questions=(
        function(
            "square",
            r"a function of $(a_0, w_0, X, y)$ that returns $a_\infty^2$ without following the "
            r"flow",
            lambda a, w, X, y: explicit_limit(LinearNeuron(a, w), X, y).a ** 2,
            _neurons,
            {
                "all of the first layer counts": (
                    lambda a, w, X, y: _square(a, w, X, y, c=a**2 - w @ w),
                    "Which part of the input weights do the data see?",
                ),
                "only what the data do not see counts": (
                    lambda a, w, X, y: _square(
                        a, w, X, y, c=a**2 - w @ w + 2 * np.sum((np.linalg.pinv(X) @ X @ w) ** 2)
                    ),
                    "Compare the two parts of the input weights: which of them is frozen?",
                ),
                "the discriminant": (
                    lambda a, w, X, y: _square(a, w, X, y, four=1.0),
                    "Solve the quadratic equation once more.",
                ),
                "the start again": (
                    lambda a, w, X, y: a**2,
                    "That would be a network whose last layer does not move.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)


def _sizes(low: float, high: float) -> Any:
    return lambda rng: [
        (float(x), float(delta))
        for x, delta in zip(10 ** rng.uniform(low, high, 4), rng.uniform(0.5, 4, 4), strict=True)
    ]


def _radial(x: float, delta: float) -> float:
    return float(WarpedPotential(delta=delta, start=[1.0]).radial(x))


_REGIMES = Checker(
    "warp.regimes",
    minutes=20,
    questions=(
        function(
            "small",
            r"a function of $(x,\delta)$ that approximates $\hat q_\delta(x)$ for $x\ll\delta$",
            _radial,
            _sizes(-4.0, -3.0),
            {
                "forgot to integrate": (
                    lambda x, delta: 1.5 * x / np.sqrt(delta),
                    "That is the slope.",
                ),
                "the factor of the integral": (
                    lambda x, delta: 1.5 * x**2 / np.sqrt(delta),
                    "Integrate the power of $x$ once more.",
                ),
            },
            rtol=0.01,
        ),
        function(
            "large",
            r"the same for $x\gg\delta$",
            _radial,
            _sizes(7.0, 8.0),
            {
                "the slope": (lambda x, delta: 1.5 * np.sqrt(x), "Integrate the slope."),
                "quadratic again": (
                    lambda x, delta: 0.75 * x**2 / np.sqrt(delta),
                    "That is for the other end: which of the two terms of the root wins?",
                ),
            },
            rtol=0.01,
        ),
        function(
            "negative",
            r"the same for a negative shape, as a function of $(x,|\delta|)$, for $x\ll|\delta|$",
            lambda x, delta: _radial(x, -delta),
            _sizes(-4.0, -3.0),
            {
                "as for a positive one": (
                    lambda x, delta: 0.75 * x**2 / np.sqrt(delta),
                    "The two terms of the slope have the same sign now.",
                ),
                "without the shape": (
                    lambda x, delta: 1.5 * x,
                    "Does it not depend on how large the shape is?",
                ),
            },
            rtol=0.01,
        ),
    ),
)


def _left(a: Any, W: Any, *, balance: bool = True, order: int | None = None) -> float:
    if balance:
        factor = np.sqrt(np.linalg.norm(W, axis=1) / np.abs(a))
        a, W = a * factor, W / factor[:, None]
    inner = W @ W.T
    left = np.outer(a, a) - inner
    return float(np.linalg.norm(left, order) / np.linalg.norm(inner, order))


def _layers(rng: np.random.Generator) -> Cases:
    return [(rng.standard_normal(m), rng.standard_normal((m, 2 * m))) for m in (4, 10, 25)]


_XAVIER = Checker(
    "warp.xavier",
    minutes=25,
    questions=(
        function(
            "share",
            r"a function of $(a, W)$ that balances each neuron and returns what is left of "
            r"$aa^\top-WW^\top$, relative to $\lVert WW^\top\rVert$ in the Frobenius norm",
            _left,
            _layers,
            {
                "nothing is left": (
                    lambda a, W: 0.0,
                    "What is made zero is a part of the matrix. Which?",
                ),
                "not balanced": (
                    lambda a, W: _left(a, W, balance=False),
                    "Both layers of a neuron are to have the same length first.",
                ),
                "in the operator norm": (
                    lambda a, W: _left(a, W, order=2),
                    "That is another norm.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)


def _with_start(rng: np.random.Generator) -> Cases:
    return [
        (rng.standard_normal(n + 2), rng.standard_normal((n, n + 2)), rng.standard_normal(n))
        for n in (1, 2, 3)
    ]


def _parts(w: Any, X: Any, y: Any) -> tuple[float, ...]:
    least = np.linalg.pinv(X) @ y
    seen = np.linalg.pinv(X) @ X @ w
    return tuple(float(np.linalg.norm(part)) for part in (least, w - seen, seen))


def _stays(w: Any, X: Any, y: Any) -> float:
    end = explicit_limit(LinearNeuron(0.0, 1e5 * w), X, y).w
    return float(np.linalg.norm(end - np.linalg.pinv(X) @ y))


_ZERO_OUTPUT = Checker(
    "warp.zero-output",
    minutes=25,
    questions=(
        function(
            "distance",
            r"a function of $(w_0, X, y)$ that returns $\lVert\tilde w_\infty-X^+y\rVert$ from "
            r"$a_0=0$ "
            r"and very large multiples of $w_0$",
            _stays,
            _with_start,
            {
                "it approaches the least norm": (
                    lambda w, X, y: 0.0,
                    "The last weight vanishes, and the first layer grows: what of their product?",
                ),
                "only what the data do not see": (
                    lambda w, X, y: _parts(w, X, y)[1],
                    "That grows with the factor. How fast does the last weight fall?",
                ),
                "the inverse quotient": (
                    lambda w, X, y: _parts(w, X, y)[0] * _parts(w, X, y)[2] / _parts(w, X, y)[1],
                    "Does more of what the data see bring the end nearer, or take it away?",
                ),
            },
            rtol=1e-4,
        ),
        option(
            "first_layer",
            r"what the part of the first layer that the data see does",
            "keeps its length and turns",
            {
                "stays": "If it stayed, in which direction would the predictor point?",
                "grows": "Look at what the flow conserves, with a last weight that vanishes.",
                "vanishes": "Its length is tied to the last weight by a law.",
            },
        ),
    ),
)

_HOW_OFTEN = Checker(
    "warp.how-often",
    minutes=30,
    questions=(
        function(
            "mean_square",
            r"a function of $(n, d)$ that returns the mean of $\lVert\Pi w_0\rVert^2$",
            lambda n, d: 2 * n / (d + 1),
            lambda rng: [(int(n), int(n + m)) for n, m in rng.integers(2, 15, (4, 2))],
            {
                "the whole vector": (
                    lambda n, d: 2 * d / (d + 1),
                    "How many dimensions does the projection have?",
                ),
                "each entry of variance one": (
                    lambda n, d: float(n),
                    "Which variance does the rule give to an entry?",
                ),
                "a share of length one": (
                    lambda n, d: n / d,
                    "The vector has another mean square than one.",
                ),
            },
        ),
        option(
            "flips",
            "in which share of the starts the sign flips, roughly",
            "between 10 and 20 %",
            {
                "half": "That many have the sign of $c$ that is needed. Is that sufficient?",
                "a quarter": "Two signs must be opposite as well; and is that sufficient?",
                "none": "Count again; the conditions are not that rare.",
            },
        ),
    ),
)


def _escapes(rng: np.random.Generator) -> Cases:
    cases = []
    for m in (2, 3):
        X, y = rng.standard_normal((3, 6)), rng.standard_normal(3)
        weights = np.diag(rng.uniform(0.2, 3, 3))
        cases.append((rng.standard_normal(m), rng.standard_normal((m, 6)), X, y, weights))
    return cases


def _escape(a: Any, W: Any, X: Any, y: Any, weights: Any, *, unit: bool = True) -> Any:
    pull = X.T @ weights @ y
    direction = a + W @ pull / (np.linalg.norm(pull) if unit else 1.0)
    direction = direction / np.linalg.norm(direction)
    least = np.linalg.pinv(X) @ y
    return np.sqrt(np.linalg.norm(least)) * (W - W @ np.linalg.pinv(X) @ X).T @ direction


_WEIGHTS = Checker(
    "warp.weights",
    minutes=60,
    questions=(
        function(
            "move",
            r"a function of $(a, W, X, y, \Omega)$ that returns by how much the weights $\Omega$ "
            r"move "
            r"the limit from the start $\varepsilon(a, W)$, divided by $\varepsilon$",
            lambda a, W, X, y, O: _escape(a, W, X, y, O) - _escape(a, W, X, y, np.eye(len(y))),
            _escapes,
            {
                "weights change nothing": (
                    lambda a, W, X, y, O: np.zeros(X.shape[1]),
                    "So it is for one neuron. Is the direction of escape the same for several?",
                ),
                "the limit, not its move": (
                    _escape,
                    "That is the first order itself. By how much do the weights move it?",
                ),
                "the pull is not of length one": (
                    lambda a, W, X, y, O: (
                        _escape(a, W, X, y, O, unit=False)
                        - _escape(a, W, X, y, np.eye(len(y)), unit=False)
                    ),
                    "In which direction, and with which length, does the linear phase go?",
                ),
            },
            rtol=1e-6,
        ),
    ),
)


def _one_negative(rng: np.random.Generator) -> Cases:
    cases = []
    for n in (2, 3, 4):
        y = np.abs(rng.standard_normal(n)) + 0.2
        y[0] = -y[0]
        cases.append((rng.standard_normal((n, n + 3)), y))
    return cases


def _steepest(X: Any, y: Any) -> Any:
    start = LinearNeuron(3.0, np.full(X.shape[1], 0.1), slope=1e-10)
    return 1e-10 * explicit_limit(start, X, y).w


_NEGATIVE = Checker(
    "warp.negative",
    minutes=30,
    questions=(
        function(
            "leading",
            r"a function of $(X, y)$, the first label negative, that returns the limit of "
            r"$\rho\,\tilde w_\infty$ as $\rho\to0$",
            _steepest,
            _one_negative,
            {
                "the least-norm interpolator": (
                    lambda X, y: np.linalg.pinv(X) @ y,
                    "The labels that the neuron has to fit depend on the slope. Which one is "
                    "large?",
                ),
                "the label forgotten": (
                    lambda X, y: np.linalg.pinv(X)[:, 0],
                    "The direction is right; its length depends on a label.",
                ),
                "the sample instead of its dual vector": (
                    lambda X, y: y[0] * X[0],
                    "That vector does not give the other samples an output of zero.",
                ),
            },
            rtol=1e-3,
        ),
        number(
            "rate",
            r"the power of $\rho$ with which the distance to it goes to zero",
            lambda: 0.5,
            {
                "as fast as the labels grow": (
                    1.0,
                    "The distance grows with the last weight, not with its square.",
                ),
                "before multiplying": (
                    -0.5,
                    "That is how the distance itself grows, before it is multiplied.",
                ),
            },
        ),
    ),
)

_EQUAL_STEPS = Checker(
    "warp.equal-steps",
    minutes=30,
    questions=(
        option(
            "fixed",
            r"how the number of fixed steps depends on $\alpha$",
            "like log(1/alpha)",
            {
                "not at all": "By what factor does a fixed step multiply weights near the origin?",
                "like 1/alpha": "Near the origin the weights grow by a factor with every step. How "
                "many factors lead out?",
            },
        ),
        option(
            "warped",
            r"how the number of steps of length $0.04/|a_k|$ depends on it",
            "hardly at all",
            {
                "it grows like log(1/alpha)": "What does one such step add to $w$, if $a$ is tiny?",
                "it grows like 1/alpha": "A longer step where the weights are small: does that "
                "cost steps, or save them?",
            },
        ),
        option(
            "ends",
            r"the two ends, as $\alpha$ falls",
            "approach each other",
            {
                "are the same for each start": "A step of finite length leaves the flow; and the "
                "two leave it in different ways.",
                "stay apart": "Compare the two at the smallest start.",
            },
        ),
    ),
)


def _chain(v: Any, w0: Any, depth: int, *, factor: float | None = None, layers: int = 0) -> float:
    power = ((layers or depth) + 1) / (layers or depth)
    return float(np.linalg.norm(v) ** power / power * (factor or 1.0) - w0 @ v)


_DEPTH = Checker(
    "warp.depth",
    minutes=60,
    questions=(
        function(
            "potential",
            r"a function of the predictor, $w_0$ and $D$ that returns the potential whose gradient "
            r"along the path is $w-w_0$, if all $a_k>0$, and which is 0 at 0",
            _chain,
            lambda rng: [(rng.standard_normal(3), rng.standard_normal(3), D) for D in (2, 3, 5)],
            {
                "two layers, whatever the depth": (
                    lambda v, w0, D: _chain(v, w0, D, layers=2),
                    "That is one hidden layer. What stands before $X^\\top r$ in a deeper chain?",
                ),
                "not centered at the start": (
                    lambda v, w0, D: _chain(v, 0 * w0, D),
                    "Its gradient is not 0 at the start.",
                ),
                "the factor of the norm": (
                    lambda v, w0, D: _chain(v, w0, D, factor=(D + 1) / D),
                    "Differentiate it: does the inner derivative cancel?",
                ),
                "the exponent upside down": (
                    lambda v, w0, D: float(np.linalg.norm(v) ** (D / (D + 1)) - w0 @ v),
                    "Is that convex?",
                ),
            },
            rtol=1e-6,
        ),
        number(
            "power",
            r"the exponent of the norm for $D\to\infty$",
            lambda: 1.0,
            {
                "as for one layer": (2.0, "That is the shallow end."),
                "none is left": (0.0, "Which of the two terms of the exponent stays?"),
            },
        ),
    ),
)


def _moved(a: float, w: Any, X: Any, y: Any, *, swapped: bool = False) -> Float[np.ndarray, "3"]:
    start = LinearNeuron(a, w)
    limit = explicit_limit(start, X, y)
    end = LinearNeuron(limit.a, limit.w / limit.a)
    sizes = [
        np.linalg.norm(end.parameters - start.parameters),
        np.linalg.norm(end.tangent_kernel(X) - start.tangent_kernel(X)),
        np.linalg.norm(limit.w - kernel_limit(start, X, y)),
    ]
    by = end if swapped else start
    units = [np.linalg.norm(by.parameters), np.linalg.norm(by.tangent_kernel(X))]
    return np.array(sizes) / [*units, np.linalg.norm(np.linalg.pinv(X) @ y)]


def _lazy_and_rich(rng: np.random.Generator) -> Cases:
    cases = []
    for scale, shape in ((0.05, 0.0), (1.0, 0.99), (0.5, 0.5)):
        net = LinearNeuron.from_scale_shape(
            scale=scale, shape=shape, direction=rng.standard_normal(4)
        )
        cases.append((net.a, net.w, rng.standard_normal((2, 4)), rng.standard_normal(2)))
    return cases


_LAZY = Checker(
    "warp.lazy",
    minutes=30,
    questions=(
        function(
            "moves",
            r"a function of $(a_0, w_0, X, y)$, with $c>0$, that returns how far the weights and "
            "the tangent kernel move, each over its norm at the start (of the kernel, the "
            "Frobenius norm), and how far the limit is "
            r"from that of the linearized network, over $\lVert X^+y\rVert$",
            _moved,
            _lazy_and_rich,
            {
                "relative to the end": (
                    lambda a, w, X, y: _moved(a, w, X, y, swapped=True),
                    "Relative to which of the two ends?",
                ),
                "not relative": (
                    lambda a, w, X, y: (
                        _moved(a, w, X, y)
                        * [
                            np.linalg.norm(LinearNeuron(a, w).parameters),
                            np.linalg.norm(LinearNeuron(a, w).tangent_kernel(X)),
                            np.linalg.norm(np.linalg.pinv(X) @ y),
                        ]
                    ),
                    "Each of the three is asked for as a share of something.",
                ),
                "compared with the least norm": (
                    lambda a, w, X, y: np.append(
                        _moved(a, w, X, y)[:2],
                        np.linalg.norm(
                            explicit_limit(LinearNeuron(a, w), X, y).w - np.linalg.pinv(X) @ y
                        )
                        / np.linalg.norm(np.linalg.pinv(X) @ y),
                    ),
                    "Two are right. Where does a linearized network end that starts elsewhere than "
                    "at zero?",
                ),
            },
            rtol=1e-2,
        ),
        option(
            "kernel",
            "which of the two starts of the exercise is in the kernel regime",
            "that of large shape",
            {
                "that of small scale": "Its kernel grows by orders of magnitude.",
                "both": "Look at how far the kernel moves in each of them.",
                "none": "One of the two hardly moves.",
            },
        ),
    ),
)


def _hyperbolic(a: float, p: float, P: float) -> Float[np.ndarray, "2"]:
    return np.array([a * np.cosh(P) + p * np.sinh(P), p * np.cosh(P) + a * np.sinh(P)])


_ONE_SAMPLE = Checker(
    "warp.one-sample",
    minutes=20,
    questions=(
        function(
            "path",
            r"a function of $(a_0,p_0,P)$ that returns $(a,p)$, with $P=\lVert x\rVert\int r\,dt$",
            _hyperbolic,
            lambda rng: [tuple(map(float, rng.uniform(-1, 1, 3))) for _ in range(4)],
            {
                "both grow": (
                    lambda a, p, P: np.array([a, p]) * np.exp(P),
                    "Sum and difference: do both of them grow?",
                ),
                "a rotation": (
                    lambda a, p, P: np.array(
                        [a * np.cos(P) - p * np.sin(P), p * np.cos(P) + a * np.sin(P)]
                    ),
                    "That conserves the sum of the squares. Which combination is conserved here?",
                ),
                "the other direction": (
                    lambda a, p, P: _hyperbolic(a, p, -P),
                    "Does the sum grow while the residual is positive, or does the difference?",
                ),
            },
            rtol=1e-6,
        ),
        option(
            "saddle",
            "which starts with $c=0$ end in the saddle point, for $y>0$",
            "a + p = 0",
            {
                "a - p = 0": "What sign has the product of the two there, and what sign has the "
                "label?",
                "all": "One half of them can reach the label.",
                "none": "One factor is 0 for ever. Which values of the product are left?",
            },
        ),
    ),
)

_FORGETFUL = Checker(
    "warp.forgetful",
    minutes=10,
    questions=(
        option(
            "lost",
            r"what the predictor 0, with the balance, does not tell of the weights",
            "the direction of the input weights",
            {
                "the length of the input weights": "The balance is conserved. What does it say "
                "where the output weight is 0?",
                "the output weight": "It is what makes the predictor 0.",
                "nothing": "Write down the weights of two such networks.",
            },
        ),
        option(
            "ends",
            "two starts that flip, on the same data, end at predictors that",
            "agree on the data and may differ elsewhere",
            {
                "are the same": "What do the data not see of the weights, and who changes it?",
                "may differ on the data": "Both fit the labels.",
            },
        ),
    ),
)

_WIDE = Checker(
    "warp.wide",
    minutes=20,
    questions=(
        number(
            "norm",
            r"what the operator norm of $W$ tends to as $m$ grows, for entries of variance $2/m$",
            lambda: np.sqrt(2),
            {
                "single weights vanish": (0.0, "A column has many of them. How long is it?"),
                "the variance": (2.0, "A length is not a square."),
                "another rule": (1.0, "Whose variance is that?"),
            },
            rtol=0.02,
        ),
        option(
            "bound",
            "what the bound does as the network grows wide",
            "it stays",
            {
                "it falls": "Which number in it would have to fall?",
                "it grows": "The columns keep their lengths.",
            },
        ),
        number(
            "power",
            r"the power of $m$ with which the distance to $X^+y$ changes",
            lambda: -0.5,
            {
                "it stays": (0.0, "That is the bound. Measure the distance."),
                "as a variance": (-1.0, "How far from orthogonal are two long random columns?"),
            },
            rtol=0.1,
        ),
    ),
)

_RELU = Checker(
    "warp.relu",
    minutes=30,
    questions=(
        option(
            "limit",
            r"what the limit does as $\rho$ falls to $0.05$",
            "it stays the same",
            {
                "it moves to zero": "The theorem has a condition on the start, and on the slope "
                "only that it is positive.",
                "it moves to that of one sample": "Both samples are fitted. How many weights do "
                "that, from this start?",
            },
        ),
        option(
            "time",
            "what the time does that it takes",
            "it grows",
            {
                "it falls": "A sample on the wrong side pulls with the small slope only.",
                "it stays": "Print the times.",
            },
        ),
        number(
            "relu",
            r"the loss at which the neuron with $\rho=0$ stops, for labels 1 and 2",
            lambda: 0.5 * 2.0**2,
            {
                "it fits all": (0.0, "Which sample exerts no force?"),
                "it fits nothing": (2.5, "One of the samples is on the right side."),
                "the other sample": (0.5, "Which of the two samples is on the wrong side?"),
                "forgot the half": (4.0, "A factor of the loss is missing."),
            },
            rtol=0.02,
        ),
    ),
)

_SWAPPED = Checker(
    "warp.swapped",
    minutes=20,
    questions=(
        option(
            "error",
            "where the error is",
            "two limits are exchanged",
            {
                "the flow is not continuous in the slope": "At any fixed time it is.",
                "zero loss is not reached for small slopes": "The theorem says that it is, for "
                "every positive one.",
                "the neuron does not stay where it started": "At slope 0 nothing pulls there.",
            },
        ),
        number(
            "move",
            r"by what the move of the weights until $t=10$ is multiplied, if $\rho$ is divided by "
            "ten",
            lambda: 0.1,
            {
                "not at all": (1.0, "Does the pull depend on the slope, behind the kink?"),
                "by the root": (0.1**0.5, "Is the pull proportional to the slope, or to its root?"),
            },
            rtol=0.05,
        ),
    ),
)

CHECKERS = (
    _UNIQUE,
    _TWO_WAYS,
    _REGIMES,
    _XAVIER,
    _ZERO_OUTPUT,
    _HOW_OFTEN,
    _WEIGHTS,
    _NEGATIVE,
    _EQUAL_STEPS,
    _DEPTH,
    _LAZY,
    _ONE_SAMPLE,
    _FORGETFUL,
    _WIDE,
    _RELU,
    _SWAPPED,
)
