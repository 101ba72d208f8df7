"""Claims of the chapter on time warping: neurons and fully connected linear networks."""

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.optimize import minimize

from ibtools.claims.claim import Comparison, claim, is_worse, relative
from ibtools.data import sparse_regression
from ibtools.metrics import neuron_kkt
from ibtools.models import LinearNet, LinearNeuron
from ibtools.theory import (
    explicit_limit,
    hessian_map_defect,
    implicit_potential,
    kernel_limit,
    kernel_regime_gap,
    minimum_norm_interpolator,
    neuron_metric_defect,
    sign_flip_bracket,
    small_start_bound,
    warp,
    warped_projection,
)
from ibtools.trainers import gradient_flow, mirror_flow, warped_flow, weighted_problem

_AZULAY = "Azulay et al. 2021"


def _problem(
    *, n: int = 10, d: int = 30, seed: int
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    X, y, _ = sparse_regression(n=n, d=d, sparsity=3, noise_std=0.1, seed=seed)
    return X, y


def _direction(d: int, *, seed: int) -> Float[np.ndarray, " d"]:
    return np.random.default_rng(seed).standard_normal(d)


def _off_rows(
    X: Float[np.ndarray, "n d"], vector: Float[np.ndarray, "*batch d"]
) -> Float[np.ndarray, "*batch d"]:
    """Return the part of vectors outside the row space of X."""
    return vector - vector @ np.linalg.pinv(X) @ X


@claim(
    "warping.hessian-map-defect",
    title="A neuron's metric is no Hessian",
    source="this book; after Azulay et al. 2021",
    statement="The Hessian-map defect of one linear neuron is exactly "
    "−(δᵢⱼw̃ₗ − δᵢₗw̃ⱼ)/(2Ra⁴), which is not 0 for d ≥ 2.",
)
def defect() -> Comparison:
    """Compare the closed form with the differentiated metric, for δ of both signs."""
    worst, shown = -1.0, (np.nan, np.nan)
    for a, seed in ((2.0, 0), (0.5, 1), (-1.0, 2), (0.1, 3)):
        neuron = LinearNeuron(a, _direction(4, seed=seed))
        predicted = neuron_metric_defect(neuron.balancedness, neuron.predictor)
        measured = hessian_map_defect(neuron.metric_at(), neuron.predictor)
        error = relative(measured - predicted, predicted)
        if is_worse(error, worst):
            worst = error
            shown = (float(np.linalg.norm(predicted)), float(np.linalg.norm(measured)))
    return Comparison("‖T‖", *shown, worst, "relative distance of the tensors, worst of 4", 1e-12)


@claim(
    "warping.warped-metric",
    title="The warp turns it into one",
    source=f"{_AZULAY}, Theorem 2",
    statement="Along the path of the raw weights, the metric tensor times g = (3/2)|a| equals "
    "∇²q(w̃).",
)
def warped_metric() -> Comparison:
    """Compare the metric of simulated weights with the Hessian of the potential."""
    X, y = _problem(seed=1)
    neuron = LinearNeuron.from_scale_shape(
        scale=0.1, shape=0.3, direction=_direction(30, seed=1), sign=-1
    )
    q, delta = implicit_potential(neuron), neuron.balancedness
    run = gradient_flow(neuron, X, y, method="parameters")
    some = range(0, len(run.times), 5)
    predicted = np.stack([q.hessian(run.w[i]) / warp(delta, run.w[i]) for i in some])
    measured = np.stack([run.net_at(i).metric_tensor() for i in some])
    return Comparison(
        "tr H, last of the times",
        float(np.trace(predicted[-1])),
        float(np.trace(measured[-1])),
        float(np.abs(measured - predicted).max() / np.abs(predicted).max()),
        f"largest entry over {len(some)} times, relative",
        1e-9,
    )


@claim(
    "warping.clock",
    title="The same path by another clock",
    source=f"{_AZULAY}, Theorem 2",
    statement="Gradient flow on the raw weights, read when ∫(3/2)|a|dt passes τ, is where mirror "
    "flow of q is at time τ.",
)
def clock() -> Comparison:
    """Compare mirror flow in τ with gradient flow in t, at the times the warped run reports."""
    X, y = _problem(n=4, d=8, seed=2)
    neuron = LinearNeuron.from_scale_shape(scale=0.01, shape=0.2, direction=_direction(8, seed=4))
    taus = np.array([0.1, 0.2, 0.4, 0.8])
    natural = warped_flow(neuron, X, y, times=taus).natural_times
    measured = gradient_flow(neuron, X, y, times=natural, method="parameters").w
    predicted = mirror_flow(implicit_potential(neuron), X, y, start=neuron.predictor, times=taus).w
    norms = np.linalg.norm(predicted, axis=1), np.linalg.norm(measured, axis=1)
    return Comparison(
        "‖w̃‖ at τ = 0.2",
        float(norms[0][1]),
        float(norms[1][1]),
        relative(measured - predicted, predicted),
        f"relative distance over {taus.size} times",
        1e-8,
    )


@claim(
    "warping.mirror-variable",
    title="The mirror variable is the first layer",
    source=_AZULAY,
    statement="Along the whole path of the raw weights, ∇q(w̃) = (3/2) sgn(a)(w − w₀), and it "
    "stays in the row space of X.",
)
def mirror_variable() -> Comparison:
    """Compare the gradient of the potential with the simulated first layer."""
    worst, shown = -1.0, (np.nan, np.nan)
    for seed, (shape, sign) in enumerate(((0.0, 1), (0.6, -1), (-0.1, 1))):
        X, y = _problem(seed=seed)
        neuron = LinearNeuron.from_scale_shape(
            scale=0.3, shape=shape, direction=_direction(30, seed=seed), sign=sign
        )
        run = gradient_flow(neuron, X, y, method="parameters")
        predicted = implicit_potential(neuron).gradient(run.w)
        nets = [run.net_at(i) for i in range(len(run.times))]
        measured = np.stack([1.5 * np.sign(net.a) * (net.w - neuron.w) for net in nets])
        outside = _off_rows(X, predicted)
        error = max(relative(measured - predicted, predicted), relative(outside, predicted))
        if is_worse(error, worst):
            worst = error
            shown = (float(np.linalg.norm(predicted[-1])), float(np.linalg.norm(measured[-1])))
    return Comparison(
        "‖∇q(w̃∞)‖",
        *shown,
        worst,
        "relative distance over the path, and part off the row space, worst of 3",
        1e-9,
    )


@claim(
    "warping.theorem-2",
    title="Theorem 2",
    source=f"{_AZULAY}, Theorem 2",
    statement="From any start with δ ≥ 0, gradient flow on the weights of one linear neuron ends "
    "at the interpolator of least potential q.",
)
def theorem_2() -> Comparison:
    """Compare the flow of the raw weights with the convex minimizer, over 24 starts."""
    X, y = _problem(seed=3)
    return _flow_against_minimizer(
        X,
        y,
        [
            LinearNeuron.from_scale_shape(
                scale=scale, shape=shape, direction=_direction(30, seed=5), sign=sign
            )
            for scale in (1e-6, 1e-2, 1.0, 30.0)
            for shape in (0.0, 0.5, 0.95)
            for sign in (1, -1)
        ],
    )


@claim(
    "warping.weaker-condition",
    title="c > 0 is enough",
    source="this book",
    statement="Theorem 2 holds for δ < 0 too, as long as c = a₀² − ‖Πw₀‖² > 0.",
)
def weaker_condition() -> Comparison:
    """Compare flow and minimizer from starts with δ < 0 < c."""
    X, y = _problem(seed=3)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    neurons = [
        LinearNeuron(a, 3 * _off_rows(X, _direction(30, seed=6)) + 0.3 * a * rows[0])
        for a in (0.1, 1.0, -0.5, -3.0)
    ]
    if max(neuron.balancedness for neuron in neurons) >= 0:
        raise AssertionError("the starts must have δ < 0")
    return _flow_against_minimizer(X, y, neurons)


def _flow_against_minimizer(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], neurons: list[LinearNeuron]
) -> Comparison:
    worst, shown = -1.0, (np.nan, np.nan)
    for neuron in neurons:
        q = implicit_potential(neuron)
        predicted = warped_projection(q, X, y).w
        measured = gradient_flow(neuron, X, y, method="parameters").w[-1]
        error = relative(measured - predicted, predicted)
        if is_worse(error, worst):
            worst, shown = error, (float(q(predicted)), float(q(measured)))
    return Comparison(
        "potential q at the limit",
        *shown,
        worst,
        f"relative distance in w̃, worst of {len(neurons)}",
        1e-8,
    )


@claim(
    "warping.explicit-limit",
    title="The limit in closed form",
    source="this book",
    statement="w̃∞ = X⁺y + a∞(I−Π)w₀ with a∞² = ½(c + √(c² + 4‖X⁺y‖²)): no minimization needed.",
)
def explicit() -> Comparison:
    """Compare the formula with the flow at d = 1000, n = 100."""
    X, y = _problem(n=100, d=1000, seed=0)
    worst, shown = -1.0, (np.nan, np.nan)
    for scale, shape, sign in ((1e-8, 0.0, 1), (0.3, 0.7, -1), (2.0, -0.1, 1), (1e3, 0.0, 1)):
        neuron = LinearNeuron.from_scale_shape(
            scale=scale, shape=shape, direction=_direction(1000, seed=7), sign=sign
        )
        predicted = explicit_limit(neuron, X, y)
        run = gradient_flow(neuron, X, y)
        error = max(
            relative(run.w[-1] - predicted.w, predicted.w), abs(run.net.a / predicted.a - 1)
        )
        if is_worse(error, worst):
            worst, shown = error, (predicted.a, run.net.a)
    return Comparison("a∞", *shown, worst, "relative distance in w̃ and a, worst of 4", 1e-8)


@claim(
    "warping.anti-ntk",
    title="Small starts: least ℓ₂ norm, and how fast",
    source="Azulay et al. 2021, Appendix F; the rate: this book",
    statement="As α → 0 at fixed shape, w̃∞ = X⁺y + √‖X⁺y‖ (I−Π)w₀ + O(α^(3/2)): the distance to "
    "the least-norm interpolator shrinks like √α.",
)
def anti_ntk() -> Comparison:
    """Compare the first correction with the flow at α = 10⁻⁶."""
    X, y = _problem(seed=4)
    least = minimum_norm_interpolator(X, y)
    neuron = LinearNeuron.from_scale_shape(scale=1e-6, shape=0.3, direction=_direction(30, seed=8))
    predicted = np.sqrt(np.linalg.norm(least)) * _off_rows(X, neuron.w)
    run = gradient_flow(neuron, X, y, method="parameters", tolerance=1e-12)
    measured = run.w[-1] - least
    return Comparison(
        "distance to X⁺y at α = 10⁻⁶",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance of the corrections",
        1e-5,
    )


@claim(
    "warping.kernel-gap",
    title="The kernel regime as s → 1, and how fast",
    source="Azulay et al. 2021, Appendix F; the rate: this book",
    statement="As s → 1 at fixed α the limit approaches that of the linearized network; the gap is "
    "‖(I−Π)û‖·‖X⁺y − Πw̃₀‖²·((1−s)/(1+s))²/(2α) to first order.",
)
def kernel_gap() -> Comparison:
    """Compare gap and formula at 1 − s = 10⁻³."""
    X, y = _problem(seed=5)
    scale, shape, direction = 0.7, 0.999, _direction(30, seed=9)
    neuron = LinearNeuron.from_scale_shape(scale=scale, shape=shape, direction=direction)
    start = neuron.predictor
    missing = minimum_norm_interpolator(X, y) - (start - _off_rows(X, start))
    ratio = (1 - shape) / (1 + shape)
    predicted = _off_rows(X, start) / scale * (missing @ missing) * ratio**2 / (2 * scale)
    run = gradient_flow(neuron, X, y, method="parameters", tolerance=1e-13)
    measured = run.w[-1] - kernel_limit(neuron, X, y)
    return Comparison(
        "gap to the kernel regime at 1 − s = 10⁻³",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance of the gaps",
        1e-5,
    )


@claim(
    "warping.kernel-gap-stays",
    title="α → ∞ is not the kernel regime",
    source="this book",
    statement="As α → ∞ at fixed shape with Xw̃₀ ≠ 0, a gap to the linearized network stays: 11, "
    "6 and 2 percent of the way gone, for s = 0, 0.2 and 0.5.",
)
def kernel_gap_stays() -> Comparison:
    """Compare the formula with the flow at α = 10⁶, d = 1000, n = 100."""
    X, y = _problem(n=100, d=1000, seed=0)
    direction = _direction(1000, seed=1)
    seen = direction - _off_rows(X, direction)
    alignment = float(seen @ seen / (direction @ direction))
    predicted, measured = [], []
    for shape in (0.0, 0.2, 0.5):
        neuron = LinearNeuron.from_scale_shape(scale=1e6, shape=shape, direction=direction)
        kernel = kernel_limit(neuron, X, y)
        gap = gradient_flow(neuron, X, y).w[-1] - kernel
        predicted.append(kernel_regime_gap(shape, alignment))
        measured.append(relative(gap, kernel - neuron.predictor))
    return Comparison(
        "gap over way gone, s = 0, α = 10⁶",
        predicted[0],
        measured[0],
        max(abs(m / p - 1) for m, p in zip(measured, predicted, strict=True)),
        "relative difference, worst of 3 shapes",
        1e-6,
    )


@claim(
    "warping.mahalanobis",
    title="A start that the data do not see",
    source="Azulay et al. 2021; the rate: this book",
    statement="If Xw̃₀ = 0, then as α → ∞ at fixed shape the limit minimizes (w̃−w̃₀)ᵀB(w̃−w̃₀) with "
    "B = I − ((1−s)²/2(1+s²))ûûᵀ, and the distance to it is ‖X⁺y‖²((1−s)/(1+s))²/(2α) to first "
    "order.",
)
def mahalanobis() -> Comparison:
    """Compare distance and direction from the B-nearest interpolator at α = 1000."""
    X, y = _problem(seed=6)
    scale, shape = 1e3, 0.2
    neuron = LinearNeuron.from_scale_shape(
        scale=scale, shape=shape, direction=_off_rows(X, _direction(30, seed=10))
    )
    start, unit = neuron.predictor, neuron.predictor / scale
    B = np.eye(30) - (1 - shape) ** 2 / (2 * (1 + shape**2)) * np.outer(unit, unit)
    curvature = implicit_potential(neuron).hessian(start)
    nearest = (
        start
        + scipy.linalg.solve(
            np.block([[B, X.T], [X, np.zeros((10, 10))]]), np.append(np.zeros(30), y - X @ start)
        )[:30]
    )
    size = float(np.linalg.norm(minimum_norm_interpolator(X, y)))
    predicted = unit * size**2 * ((1 - shape) / (1 + shape)) ** 2 / (2 * scale)
    run = gradient_flow(neuron, X, y, method="parameters", tolerance=1e-13)
    measured = run.w[-1] - nearest
    error = max(
        relative(measured - predicted, predicted),
        relative(curvature * abs(neuron.a) / 1.5 - B, B),
    )
    return Comparison(
        "distance to the B-nearest interpolator at α = 1000",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        error,
        "relative distance of the differences, and of (2/3)|a₀|∇²q(w̃₀) from B",
        1e-4,
    )


@claim(
    "warping.sign-flip-one-sample",
    title="One sample: where the sign flips",
    source="this book",
    statement="With one sample that pulls the other way, a changes its sign exactly if "
    "|a₀| < ‖Πw₀‖, that is c < 0.",
)
def sign_flip_one_sample() -> Comparison:
    """Bisect on the sign of the simulated output weight."""
    X, y, w = np.array([[1.0, 2.0, -1.0]]), np.array([1.5]), np.array([0.3, -0.8, 0.4])
    predicted = float(abs(X[0] @ w) / np.linalg.norm(X))
    measured = _threshold(w, X, y, low=0.8 * predicted, high=1.2 * predicted)
    return Comparison(
        "threshold a₀*",
        predicted,
        measured,
        abs(measured / predicted - 1),
        "relative difference",
        1e-6,
    )


@claim(
    "warping.sign-flip-threshold",
    title="More samples: a bracket for the flip",
    source="this book",
    statement="A differential inequality decides the sign of a∞ without following the path, but "
    "for a narrow bracket around the threshold a₀*.",
)
def sign_flip_threshold() -> Comparison:
    """Compare the bracket's ends with a bisection on the simulated sign."""
    X, y, w = reference_problem()
    low, high = sign_flip_bracket(w, X, y)
    measured = _threshold(w, X, y, low=0.22, high=0.24)
    return Comparison(
        "threshold a₀* (predicted: upper end of the bracket)",
        high,
        measured,
        max(abs(measured - low), abs(measured - high)) / measured,
        "relative distance to the farther end of the bracket",
        5e-3,
    )


@claim(
    "warping.sign-flip-limit",
    title="The limit on both sides of the flip",
    source="this book",
    statement="For c < 0 the limit is X⁺y + a∞(I−Π)w₀ with the same a∞², where sgn a∞ may differ "
    "from sgn a₀.",
)
def sign_flip_limit() -> Comparison:
    """Compare formula and flow for five output weights on both sides."""
    X, y, w = reference_problem()
    worst, shown = -1.0, (np.nan, np.nan)
    for a in (0.05, 0.1, 0.2, 0.25, 0.3):
        neuron = LinearNeuron(a, w)
        predicted = explicit_limit(neuron, X, y)
        run = gradient_flow(neuron, X, y, method="parameters")
        error = max(
            relative(run.w[-1] - predicted.w, predicted.w), abs(run.net.a / predicted.a - 1)
        )
        if is_worse(error, worst):
            worst, shown = error, (predicted.a, run.net.a)
    return Comparison("a∞", *shown, worst, "relative distance in w̃ and a, worst of 5", 1e-8)


def reference_problem() -> tuple[
    Float[np.ndarray, "n d"], Float[np.ndarray, " n"], Float[np.ndarray, " d"]
]:
    """Return X (2, 3), y (2,) and input weights w (3,) from which small a₀ > 0 change sign."""
    X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
    return X, np.array([1.0, -0.5]), np.array([1.0, -0.5, 0.2])


def _threshold(
    w: Float[np.ndarray, " d"],
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    *,
    low: float,
    high: float,
) -> float:
    """Bisect between a₀ = `low`, where a flips in simulation, and `high`, where it does not."""
    # Near the threshold flow lingers at the saddle point a = 0, which it leaves at rate ‖Xᵀy‖.
    late = 40 / float(np.linalg.norm(X.T @ y))
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        kept = gradient_flow(LinearNeuron(middle, w), X, y, times=[late]).net.a > 0
        low, high = (low, middle) if kept else (middle, high)
    return (low + high) / 2


@claim(
    "warping.proposition-1",
    title="Proposition 1: many neurons, strictly balanced",
    source=f"{_AZULAY}, Proposition 1",
    statement="If aaᵀ = WWᵀ at the start, gradient flow on any number of neurons minimizes "
    "‖w̃‖^(3/2) − (3/2)‖w̃₀‖^(−1/2) w̃₀ᵀw̃ over the interpolators.",
)
def proposition_1() -> Comparison:
    """Compare the flow of 5 neurons with a generic constrained minimizer."""
    X, y = _problem(n=6, d=12, seed=7)
    net = LinearNet.strictly_balanced(
        0.4 * _direction(5, seed=11), direction=_direction(12, seed=12)
    )
    start = net.predictor
    tilt = 1.5 * start / np.sqrt(np.linalg.norm(start))
    particular, free = np.linalg.pinv(X) @ y, scipy.linalg.null_space(X)

    def potential(step: Float[np.ndarray, " k"]) -> tuple[float, Float[np.ndarray, " k"]]:
        w = particular + free @ step
        size = np.linalg.norm(w)
        return float(size**1.5 - tilt @ w), free.T @ (1.5 * w / np.sqrt(size) - tilt)

    found = minimize(potential, np.zeros(6), jac=True, method="BFGS", options={"gtol": 1e-11})
    predicted = particular + free @ found.x
    measured = gradient_flow(net, X, y, method="parameters").w[-1]
    return Comparison(
        "‖w̃∞‖",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance in w̃",
        1e-8,
    )


@claim(
    "warping.theorem-3",
    title="Theorem 3, with its rate",
    source="Azulay et al. 2021, Theorem 3; the rate: this book",
    statement="From a start of size ε → 0, gradient flow on many neurons ends at "
    "X⁺y + √‖X⁺y‖ (I−Π)W₀ᵀâ + o(ε), with â the direction of a₀ + W₀Xᵀy/‖Xᵀy‖.",
)
def theorem_3() -> Comparison:
    """Compare the first correction with the flow of 5 neurons from ε = 10⁻⁵."""
    X, y = _problem(seed=8)
    least, pull = minimum_norm_interpolator(X, y), X.T @ y
    net = LinearNet.gaussian(neurons=5, d=30, scale=1e-5, seed=13)
    escape = net.a + net.W @ pull / np.linalg.norm(pull)
    predicted = np.sqrt(np.linalg.norm(least)) * _off_rows(X, escape @ net.W)
    predicted /= np.linalg.norm(escape)
    measured = gradient_flow(net, X, y, method="parameters", tolerance=1e-12).w[-1] - least
    return Comparison(
        "distance to X⁺y at ε = 10⁻⁵",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance of the corrections",
        1e-3,
    )


@claim(
    "warping.theorem-3-bound",
    title="A bound for every start",
    source="this book",
    statement="‖w̃∞ − X⁺y‖ ≤ ‖W₀(I−Π)‖ √(½(λ + √(λ² + 4‖X⁺y‖²))), from any start; for one neuron it "
    "is an equality. (Error: by how much the bound is exceeded, or the equality missed.)",
)
def theorem_3_bound() -> Comparison:
    """Compare the bound with the flow for one to six neurons and three sizes."""
    X, y = _problem(n=5, d=12, seed=9)
    least = minimum_norm_interpolator(X, y)
    worst, tightest = 0.0, (1.0, 0.0)
    for neurons in (1, 2, 6):
        for scale in (1e-3, 0.3, 2.0):
            net = LinearNet.gaussian(neurons=neurons, d=12, scale=scale, seed=neurons)
            bound = small_start_bound(net, X, y)
            distance = float(np.linalg.norm(gradient_flow(net, X, y).w[-1] - least))
            excess = distance / bound - 1
            worst = max(worst, abs(excess) if neurons == 1 else excess)
            if neurons > 1 and distance / bound > tightest[1] / tightest[0]:
                tightest = (bound, distance)
    return Comparison(
        "the bound, and the distance that comes nearest to it (m > 1)",
        *tightest,
        worst,
        "excess over the bound, or relative difference for m = 1, worst of 9",
        1e-6,
    )


_WEIGHTS = np.diag([1.0, 5.0, 10.0])


@claim(
    "warping.one-neuron-reweighting",
    title="One neuron: weights on the samples do not matter",
    source="this book",
    statement="Weighting the samples in the loss does not move the limit of one linear neuron with "
    "c > 0; else it may turn the sign with which the neuron ends.",
)
def one_neuron_reweighting() -> Comparison:
    """Compare limits of the raw weights with and without weights on the samples."""
    X, y = _problem(n=3, d=6, seed=2)
    neuron = LinearNeuron(0.7, 0.5 * _direction(6, seed=3))
    plain = gradient_flow(neuron, X, y, method="parameters").w[-1]
    weighted = gradient_flow(neuron, *weighted_problem(X, y, _WEIGHTS), method="parameters").w[-1]
    return Comparison(
        "‖w̃∞‖ with weights",
        float(np.linalg.norm(plain)),
        float(np.linalg.norm(weighted)),
        relative(weighted - plain, plain),
        "relative distance between the two limits",
        1e-8,
    )


@claim(
    "warping.many-neurons-reweighting",
    title="Two neurons or more: they do",
    source="this book",
    statement="Weighting the samples moves the limit of m = 2, 3 and 6 neurons from a start that "
    "is not balanced, so no potential of the predictor alone is minimized there.",
)
def many_neurons_reweighting() -> Comparison:
    """Measure how far the limit moves; it must move by much more than the flow's error."""
    X, y = _problem(n=3, d=6, seed=2)
    moves = []
    for neurons in (2, 3, 6):
        net = LinearNet.gaussian(neurons=neurons, d=6, scale=0.5, seed=3)
        plain = gradient_flow(net, X, y, method="parameters").w[-1]
        weighted = gradient_flow(net, *weighted_problem(X, y, _WEIGHTS), method="parameters").w[-1]
        moves.append(relative(weighted - plain, plain))
    # "It moves" is no equation: the error says how often the flow's accuracy fits into the move.
    return Comparison(
        "least relative move of the limit, 0 if a potential existed",
        0.0,
        min(moves),
        1e-8 / min(moves),
        "accuracy of the flow, 10⁻⁸, over the move",
        1e-4,
    )


_LEAKY_STARTS = ((0.02, 1), (0.1, -1), (0.5, 1), (0.5, -1))


def _leaky(slope: float, sign: int) -> LinearNeuron:
    return LinearNeuron.from_scale_shape(
        scale=0.1, shape=0.5, direction=_direction(30, seed=14), slope=slope, sign=sign
    )


@claim(
    "warping.theorem-4",
    title="Theorem 4: one leaky neuron",
    source=f"{_AZULAY}, Theorem 4",
    statement="Gradient flow on one leaky ReLU neuron ends at the least q with f(xⱼ) = yⱼ for all "
    "samples: with a > 0, Xw̃ = ỹ where ỹ is y divided by the slope at negative labels.",
)
def theorem_4() -> Comparison:
    """Compare the flow across its kinks with the convex minimizer, over 4 neurons."""
    X, y = _problem(seed=10)
    worst, shown = -1.0, (np.nan, np.nan)
    for slope, sign in _LEAKY_STARTS:
        neuron = _leaky(slope, sign)
        q = implicit_potential(neuron)
        predicted = warped_projection(q, X, y, slope=slope, sign=sign).w
        measured = gradient_flow(neuron, X, y, method="parameters").w[-1]
        error = relative(measured - predicted, predicted)
        if is_worse(error, worst):
            worst, shown = error, (float(q(predicted)), float(q(measured)))
    return Comparison(
        "potential q at the limit",
        *shown,
        worst,
        "relative distance in w̃, worst of 4, slopes down to 0.02",
        1e-8,
    )


@claim(
    "warping.theorem-4-kkt",
    title="… is a KKT point in the sense of Clarke",
    source=f"{_AZULAY}, Theorem 4",
    statement="At the simulated limit of a leaky neuron, ∇q is a combination of Clarke "
    "subgradients of its outputs, and the outputs are the labels.",
)
def theorem_4_kkt() -> Comparison:
    """Measure the stationarity and feasibility residuals of three simulated limits."""
    X, y = _problem(seed=10)
    residuals = []
    for slope, sign in _LEAKY_STARTS[1:]:
        neuron = _leaky(slope, sign)
        end = gradient_flow(neuron, X, y, method="parameters").w[-1]
        gradient = implicit_potential(neuron).gradient(end)
        kkt = neuron_kkt(end, gradient, X, y, slope=slope, sign=sign)
        residuals.append(max(kkt.stationarity, kkt.feasibility))
    measured = max(residuals)
    return Comparison(
        "KKT residual", 0.0, measured, measured, "stationarity or feasibility, worst of 3", 1e-8
    )


CLAIMS = (
    defect,
    warped_metric,
    clock,
    mirror_variable,
    theorem_2,
    weaker_condition,
    explicit,
    anti_ntk,
    kernel_gap,
    kernel_gap_stays,
    mahalanobis,
    sign_flip_one_sample,
    sign_flip_threshold,
    sign_flip_limit,
    proposition_1,
    theorem_3,
    theorem_3_bound,
    one_neuron_reweighting,
    many_neurons_reweighting,
    theorem_4,
    theorem_4_kkt,
)
