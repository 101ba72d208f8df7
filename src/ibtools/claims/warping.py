"""Claims of the chapter on time warping: neurons and fully connected linear networks."""

from dataclasses import replace

import numpy as np
import scipy.linalg
from jaxtyping import Float, Inexact
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize

from ibtools.claims.claim import Comparison, Worst, claim, excess, largest, relative
from ibtools.data import sparse_regression
from ibtools.metrics import neuron_kkt
from ibtools.models import LinearNet, LinearNeuron
from ibtools.theory import (
    WarpedPotential,
    explicit_limit,
    hessian_map_defect,
    implicit_potential,
    interpolation_targets,
    kernel_limit,
    kernel_regime_gap,
    log_warp,
    metric_limit,
    minimum_norm_interpolator,
    neuron_metric_defect,
    sign_flip_bracket,
    sign_flip_threshold,
    small_start_bound,
    warp,
    warpability,
    warped_projection,
)
from ibtools.trainers import (
    gradient_flow,
    metric_flow,
    mirror_flow,
    warped_flow,
    weighted_problem,
)

_AZULAY = "Azulay et al. 2021"
_KUNIN = "Kunin et al. 2024"


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
    theorem="thm-warp-defect",
    statement="The Hessian-map defect of one linear neuron is exactly $−(δᵢⱼw̃ₗ − "
    "δᵢₗw̃ⱼ)/(2Ra⁴)$, which is not 0 for $d ≥ 2$.",
)
def defect() -> Comparison:
    """Compare the closed form with the differentiated metric, for δ of both signs."""
    worst = Worst()
    for a, seed in ((2.0, 0), (0.5, 1), (-1.0, 2), (0.1, 3)):
        neuron = LinearNeuron(a, _direction(4, seed=seed))
        pairs = np.einsum("ij,l->ijl", np.eye(4), neuron.predictor)
        predicted = (pairs.swapaxes(1, 2) - pairs) / ((a**2 + neuron.w @ neuron.w) * a**4)
        closed = neuron_metric_defect(neuron.balancedness, neuron.predictor)
        measured = hessian_map_defect(neuron.metric_at(), neuron.predictor)
        worst.see(
            largest(
                relative(measured - predicted, predicted), relative(closed - predicted, predicted)
            ),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(measured)),
        )
    return worst.comparison("$‖T‖$", "relative distance of the tensors, worst of 4", 1e-12)


@claim(
    "warping.warp-found",
    title="The warp, found and not guessed",
    source="this book",
    theorem="thm-warp-unique",
    statement="$∂ₗ log g = −Σᵢⱼ(H⁻¹)ᵢⱼTᵢⱼₗ/(d − 1)$, computed from the neuron's metric alone and "
    "integrated along a path of the raw weights, is the change of $log|a|$ there.",
)
def warp_found() -> Comparison:
    """Compare the integrated candidate with the simulated output weight, δ of both signs."""
    X, y = _problem(n=2, d=4, seed=1)
    worst = Worst()
    for shape, sign, seed in ((0.4, 1, 20), (0.0, -1, 21), (-0.1, 1, 22)):
        neuron = LinearNeuron.from_scale_shape(
            scale=0.2, shape=shape, direction=_direction(4, seed=seed), sign=sign
        )
        run = gradient_flow(neuron, X, y, times=np.linspace(0, 3, 7), method="parameters")
        predicted = log_warp(neuron.metric_at(), run.w)
        measured = np.log(run.a / neuron.a)
        worst.see(
            relative(measured - predicted, predicted), float(predicted[-1]), float(measured[-1])
        )
    return worst.comparison(
        "$log g$ at the end less at the start", "relative distance over 7 times, worst of 3", 1e-8
    )


def cyclic_metric(w: Inexact[np.ndarray, " d"]) -> Inexact[np.ndarray, "d d"]:
    """Return diag(1 + w²) with the entries of w moved on by one place, (d, d)."""
    return np.diag(1 + np.roll(w, 1) ** 2)


def innocent_metric(w: Inexact[np.ndarray, " d"]) -> Inexact[np.ndarray, "d d"]:
    """Return I + wwᵀ, (d, d)."""
    return np.eye(w.size) + np.outer(w, w)


def disguised_metric(w: Inexact[np.ndarray, " d"]) -> Inexact[np.ndarray, "d d"]:
    """Return the Hessian of ½‖w‖² + log Σ exp(w) divided by a positive function, (d, d)."""
    shares = np.exp(w) / np.sum(np.exp(w))
    hessian = np.eye(w.size) + np.diag(shares) - np.outer(shares, shares)
    return hessian / (2 + np.sin(w[0] * w[1]) + w[-1] ** 2)


@claim(
    "warping.any-metric",
    title="Any metric that a clock can mend",
    source="this book",
    theorem="thm-warp-unique",
    statement="Where the only possible $g$ makes $gH$ a Hessian, the flow ends where $∫gH dw$ "
    "from its start lies in the row space of $X$: for $I + wwᵀ$, for a Hessian in disguise, for "
    "the cyclic metric in the plane, and for the neuron. No formula for $g$ or $q$ is used.",
)
def any_metric() -> Comparison:
    """Compare the limit by the found warp with flow in the metric, and with that of a neuron."""
    worst = Worst()
    starts = {
        innocent_metric: np.array([0.5, -0.3, 0.2]),
        disguised_metric: np.array([0.4, 0.9, -0.5, 0.1]),
        cyclic_metric: np.array([1.0, -0.4]),
    }
    for metric, start in starts.items():
        X, y = _direction(2 * start.size, seed=24).reshape(2, -1), np.array([0.8, -0.5])
        X, y = X[: start.size // 2], y[: start.size // 2]
        predicted = metric_limit(metric, X, y, start=start).w
        measured = metric_flow(metric, X, y, start=start).w[-1]
        worst.see(
            relative(measured - predicted, predicted),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(measured)),
        )
    X, y = _problem(n=2, d=4, seed=3)
    neuron = LinearNeuron(0.8, np.array([0.3, 0.5, -0.2, 0.1]))
    predicted = metric_limit(neuron.metric_at(), X, y, start=neuron.predictor).w
    measured = gradient_flow(neuron, X, y, method="parameters").w[-1]
    worst.see(
        relative(measured - predicted, predicted),
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
    )
    return worst.comparison("$‖w(∞)‖$", "relative distance in $w$, worst of 4 metrics", 1e-8)


@claim(
    "warping.not-warpable",
    title="A metric that no clock can mend",
    source="this book",
    theorem="thm-warp-unique",
    statement="For $Hᵢᵢ = 1 + wᵢ₋₁²$ and $d ≥ 3$ the only possible $g$ is $Π(1 + "
    "wₗ²)^(−1/(d−1))$, and $T(gH) ≠ 0$ for it: no warp makes this metric a Hessian.",
)
def not_warpable() -> Comparison:
    """Compare the candidate and its remaining defect, worked out by hand, with the search."""
    worst = Worst()
    for d, seed in ((3, 0), (4, 1)):
        w = _direction(d, seed=seed)
        found = warpability(cyclic_metric, w)
        gradient = -2 * w / ((d - 1) * (1 + w**2))
        eye, before = np.eye(d), np.roll(np.eye(d), -1, axis=1)
        entries = 1 + np.roll(w, 1) ** 2
        # ∂H_ij/∂w_l = δ_ij · 2w_{i−1} · δ_{l,i−1}
        slopes = np.einsum("ij,il->ijl", eye, 2 * np.roll(w, 1)[:, None] * before)
        half = slopes + np.einsum("ij,l->ijl", np.diag(entries), gradient)
        predicted = half - half.swapaxes(1, 2)
        worst.see(
            largest(
                relative(found.defect - predicted, predicted),
                relative(found.gradient - gradient, gradient),
            ),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(found.defect)),
        )
    return worst.comparison(
        "$‖T(gH)‖/g$, 0 if $g$ were a warp",
        "relative distance in $T(gH)$ and $∇log g$, worst of 2",
        1e-10,
    )


@claim(
    "warping.warped-metric",
    title="The warp turns it into one",
    source=f"{_AZULAY}, Theorem 2",
    statement="Along the path of the raw weights, the metric tensor times $g = (3/2)|a|$ equals "
    "$∇²q(w̃)$.",
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
        "$tr H$, last of the times",
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
    theorem="prop-before-clock",
    statement="Gradient flow on the raw weights, read when $∫(3/2)|a|dt$ passes $τ$, is where "
    "mirror flow of $q$ is at time $τ$.",
)
def clock() -> Comparison:
    """Compare mirror flow in τ with gradient flow in t, and the two clocks, ∫dτ/g with t."""
    X, y = _problem(n=4, d=8, seed=2)
    neuron = LinearNeuron.from_scale_shape(scale=0.01, shape=0.2, direction=_direction(8, seed=4))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    taus, late = 0.4 * (nodes + 1), 0.8
    natural = warped_flow(neuron, X, y, times=np.append(taus, late)).natural_times
    measured = gradient_flow(neuron, X, y, times=natural, method="parameters").w
    q = implicit_potential(neuron)
    predicted = mirror_flow(q, X, y, start=neuron.predictor, times=np.append(taus, late)).w
    speeds = np.array([warp(q.delta, w) for w in predicted[:-1]])
    return Comparison(
        "$t$ at $τ = 0.8$",
        float(0.4 * weights @ (1 / speeds)),
        float(natural[-1]),
        largest(
            relative(measured - predicted, predicted),
            abs(0.4 * weights @ (1 / speeds) / natural[-1] - 1),
        ),
        f"relative distance in $w̃$ over {natural.size} times, and between the clocks",
        1e-8,
    )


@claim(
    "warping.mirror-variable",
    title="The mirror variable is the first layer",
    source=_AZULAY,
    theorem="thm-warp-neuron",
    statement="Along the whole path of the raw weights, $∇q(w̃) = (3/2) sgn(a)(w − w₀)$, and it "
    "stays in the row space of $X$.",
)
def mirror_variable() -> Comparison:
    """Compare the gradient of the potential with the simulated first layer."""
    worst = Worst()
    for seed, (shape, sign) in enumerate(((0.0, 1), (0.6, -1), (-0.1, 1))):
        X, y = _problem(seed=seed)
        neuron = LinearNeuron.from_scale_shape(
            scale=0.3, shape=shape, direction=_direction(30, seed=seed), sign=sign
        )
        run = gradient_flow(neuron, X, y, method="parameters")
        predicted = implicit_potential(neuron).gradient(run.w)
        nets = [run.net_at(i) for i in range(len(run.times))]
        measured = np.stack([1.5 * np.sign(net.a) * (net.w - neuron.w) for net in nets])
        worst.see(
            largest(
                relative(measured - predicted, predicted),
                relative(_off_rows(X, predicted), predicted),
            ),
            float(np.linalg.norm(predicted[-1])),
            float(np.linalg.norm(measured[-1])),
        )
    return worst.comparison(
        "$‖∇q(w̃∞)‖$",
        "relative distance over the path, and part off the row space, worst of 3",
        1e-9,
    )


@claim(
    "warping.theorem-2",
    title="Theorem 2",
    source=f"{_AZULAY}, Theorem 2",
    theorem="thm-warp-neuron",
    statement="From any start with $δ ≥ 0$, gradient flow on the weights of one linear neuron "
    "ends at the interpolator of least potential $q$.",
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
    title="$c > 0$ is enough",
    source="this book",
    theorem="thm-warp-neuron",
    statement="Theorem 2 holds for $δ < 0$ too, as long as $c = a₀² − ‖Πw₀‖² > 0$.",
)
def weaker_condition() -> Comparison:
    """Compare flow and minimizer from starts with δ < 0 < c."""
    X, y = _problem(seed=3)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    neurons = [
        LinearNeuron(a, 3 * _off_rows(X, _direction(30, seed=6)) + 0.3 * a * rows[0])
        for a in (0.1, 1.0, -0.5, -3.0)
    ]
    if any(neuron.balancedness >= 0 for neuron in neurons):
        raise AssertionError("the starts must have δ < 0")
    return _flow_against_minimizer(X, y, neurons)


def _flow_against_minimizer(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], neurons: list[LinearNeuron]
) -> Comparison:
    worst = Worst()
    for neuron in neurons:
        predicted = warped_projection(implicit_potential(neuron), X, y).w
        measured = gradient_flow(neuron, X, y, method="parameters").w[-1]
        worst.see(
            relative(measured - predicted, predicted),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(measured)),
        )
    return worst.comparison("$‖w̃∞‖$", f"relative distance in $w̃$, worst of {len(neurons)}", 1e-8)


def _potential_by_quadrature(neuron: LinearNeuron, w: Float[np.ndarray, " d"]) -> float:
    """Return q by its definition: (3/2)∫‖w‖ up to ‖w̃‖, less (3/2) sgn(a₀)w₀ᵀw̃."""
    delta = neuron.balancedness

    def slope(root: float) -> float:
        # By the substitution x = u², which takes the root's singularity at 0 away.
        x = root**2
        whole = np.hypot(x, delta / 2) + abs(delta) / 2
        layer = x / np.sqrt(whole) if delta >= 0 else np.sqrt(whole)
        return float(1.5 * layer * 2 * root)

    radial = quad(slope, 0, np.sqrt(np.linalg.norm(w)), epsabs=0, epsrel=1e-12)[0]
    return float(radial - 1.5 * np.sign(neuron.a) * neuron.w @ w)


@claim(
    "warping.least-potential",
    title="What the limit has the least of",
    source=f"{_AZULAY}, Theorem 2",
    theorem="thm-warp-neuron",
    statement="From the limit of the raw weights every other interpolator lies higher in $q$, by "
    "just so much as the closed form $|a|³ − (3/2)δ|a| + zᵀw̃$ says; for $δ$ of either sign.",
)
def least_potential() -> Comparison:
    """Compare rises of the closed form with those of the integral, from the simulated limit."""
    X, y = _problem(n=3, d=6, seed=3)
    random, unseen = np.random.default_rng(15), scipy.linalg.null_space(X)
    worst = Worst()
    for a, size in ((1.2, 0.4), (-0.6, 0.6), (0.4, 1.5)):
        w = size * _off_rows(X, _direction(6, seed=16)) + 0.1 * X[0]
        neuron = LinearNeuron(a, w)
        q, limit = implicit_potential(neuron), gradient_flow(neuron, X, y).w[-1]
        level = _potential_by_quadrature(neuron, limit)
        for length in (0.03, 0.3, 3.0):
            step = unseen @ random.standard_normal(3)
            there = limit + length * np.linalg.norm(limit) * step / np.linalg.norm(step)
            predicted = q(there) - q(warped_projection(q, X, y).w)
            measured = _potential_by_quadrature(neuron, there) - level
            worst.see(
                abs(measured - predicted) / predicted if predicted > 0 else np.inf,
                float(predicted),
                measured,
            )
    return worst.comparison(
        "rise of $q$ from the limit", "relative difference, worst of 9 steps", 1e-6
    )


@claim(
    "warping.explicit-limit",
    title="The limit in closed form",
    source="this book",
    theorem="thm-warp-explicit",
    statement="$w̃∞ = X⁺y + a∞(I−Π)w₀$ with $a∞² = ½(c + √(c² + 4‖X⁺y‖²))$: no minimization needed.",
)
def explicit() -> Comparison:
    """Compare the formula with the flow at d = 1000, n = 100."""
    X, y = _problem(n=100, d=1000, seed=0)
    worst = Worst()
    for scale, shape, sign in ((1e-8, 0.0, 1), (0.3, 0.7, -1), (2.0, -0.1, 1), (1e3, 0.0, 1)):
        neuron = LinearNeuron.from_scale_shape(
            scale=scale, shape=shape, direction=_direction(1000, seed=7), sign=sign
        )
        predicted, run = explicit_limit(neuron, X, y), gradient_flow(neuron, X, y)
        worst.see(
            largest(
                relative(run.w[-1] - predicted.w, predicted.w), abs(run.net.a / predicted.a - 1)
            ),
            predicted.a,
            run.net.a,
        )
    return worst.comparison("$a∞$", "relative distance in $w̃$ and $a$, worst of 4", 1e-8)


@claim(
    "warping.anti-ntk",
    title="Small starts: least $ℓ₂$ norm, and how fast",
    source="Azulay et al. 2021, Appendix F; the rate: this book",
    theorem="thm-warp-explicit",
    statement="As $α → 0$ at fixed shape, $w̃∞ = X⁺y + sgn(a∞)√‖X⁺y‖ (I−Π)w₀ + O(α^(3/2))$: the "
    "distance to the least-norm interpolator shrinks like $√α$. For $c > 0$, $sgn a∞ = sgn a₀$; "
    "else it is the sign of $a₀ + w₀ᵀXᵀy/‖Xᵀy‖$.",
)
def anti_ntk() -> Comparison:
    """Compare the first correction with the flow at α = 10⁻⁶, either sign, c > 0 and c < 0."""
    X, y = _problem(seed=4)
    least, pull = minimum_norm_interpolator(X, y), X.T @ y
    pull /= np.linalg.norm(pull)
    worst = Worst()
    for shape, sign, turn in ((0.3, 1, 0.0), (0.3, -1, 0.0), (-0.7, 1, -3.0), (-0.7, -1, -3.0)):
        direction = _direction(30, seed=8) + turn * pull
        neuron = LinearNeuron.from_scale_shape(
            scale=1e-6, shape=shape, direction=direction, sign=sign
        )
        toward = np.sign(neuron.a + neuron.w @ pull) if turn else np.sign(neuron.a)
        predicted = toward * np.sqrt(np.linalg.norm(least)) * _off_rows(X, neuron.w)
        run = gradient_flow(neuron, X, y, method="parameters", tolerance=1e-12)
        measured = run.w[-1] - least
        worst.see(
            relative(measured - predicted, predicted),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(measured)),
        )
    return worst.comparison(
        "distance to $X⁺y$ at $α = 10⁻⁶$", "relative distance of the corrections, worst of 4", 1e-5
    )


@claim(
    "warping.kernel-gap",
    title="The kernel regime as $s → 1$, and how fast",
    source="Azulay et al. 2021, Appendix F; the rate: this book",
    theorem="thm-warp-gap",
    statement="As $s → 1$ at fixed $α$ the limit approaches that of the linearized network; the "
    "gap is $‖(I−Π)û‖·‖X⁺y − Πw̃₀‖²·((1−s)/(1+s))²/(2α)$ to first order.",
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
        "gap to the kernel regime at $1 − s = 10⁻³$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance of the gaps",
        1e-5,
    )


@claim(
    "warping.kernel-gap-stays",
    title="$α → ∞$ is not the kernel regime",
    source="this book",
    theorem="thm-warp-gap",
    statement="As $α → ∞$ at fixed shape with $Xw̃₀ ≠ 0$, a gap to the linearized network stays: "
    "11, 6 and 2 percent of the way gone, for $s = 0$, 0.2 and 0.5.",
)
def kernel_gap_stays() -> Comparison:
    """Compare the formula with the flow at α = 10⁶, d = 1000, n = 100."""
    X, y = _problem(n=100, d=1000, seed=0)
    direction = _direction(1000, seed=1)
    seen = direction - _off_rows(X, direction)
    alignment = float(seen @ seen / (direction @ direction))
    worst = Worst()
    for shape in (0.0, 0.2, 0.5):
        neuron = LinearNeuron.from_scale_shape(scale=1e6, shape=shape, direction=direction)
        kernel = kernel_limit(neuron, X, y)
        gap = gradient_flow(neuron, X, y).w[-1] - kernel
        predicted = kernel_regime_gap(shape, alignment)
        measured = relative(gap, kernel - neuron.predictor)
        worst.see(abs(measured / predicted - 1), predicted, measured)
    return worst.comparison(
        "gap over way gone, $α = 10⁶$", "relative difference, worst of 3 shapes", 1e-6
    )


@claim(
    "warping.mahalanobis",
    title="A start that the data do not see",
    source="Azulay et al. 2021; the rate: this book",
    theorem="thm-warp-gap",
    statement="If $Xw̃₀ = 0$, then as $α → ∞$ at fixed shape the limit minimizes "
    "$(w̃−w̃₀)ᵀB(w̃−w̃₀)$ with $B = I − ((1−s)²/2(1+s²))ûûᵀ$, and the distance to it is "
    "$‖X⁺y‖²((1−s)/(1+s))²/(2α)$ to first order.",
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
    error = largest(
        relative(measured - predicted, predicted),
        relative(curvature * abs(neuron.a) / 1.5 - B, B),
    )
    return Comparison(
        "distance to the B-nearest interpolator at $α = 1000$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        error,
        "relative distance of the differences, and of $(2/3)|a₀|∇²q(w̃₀)$ from $B$",
        1e-4,
    )


@claim(
    "warping.sign-flip-one-sample",
    title="One sample: where the sign flips",
    source="this book; for whitened data Kunin et al. 2024",
    statement="With one sample that pulls the other way, $a$ changes its sign exactly if $|a₀| < "
    "‖Πw₀‖$, that is $c < 0$.",
)
def sign_flip_one_sample() -> Comparison:
    """Bisect on the sign of the simulated output weight."""
    X, y, w = np.array([[1.0, 2.0, -1.0]]), np.array([1.5]), np.array([0.3, -0.8, 0.4])
    predicted = sign_flip_threshold(w, X, y)
    size = float(abs(X[0] @ w) / np.linalg.norm(X))
    measured, drift = _threshold(w, X, y, low=0.8 * size, high=1.2 * size)
    return Comparison(
        "threshold $a₀*$",
        predicted,
        measured,
        largest(abs(measured / predicted - 1), abs(predicted / size - 1), drift),
        "relative difference, from $‖Πw₀‖$ too, or drift of $c$ in the runs",
        1e-6,
    )


@claim(
    "warping.sign-flip-orthogonal",
    title="Orthogonal samples: the threshold in closed form",
    source=f"this book; for whitened data {_KUNIN}",
    theorem="thm-warp-orthogonal",
    statement="If $XXᵀ$ is a multiple of $I$, $sgn a∞$ is the sign of $Πw₀·X⁺y + ½a₀(c + √(c² + "
    "4‖X⁺y‖²))$: there is one threshold $a₀*$, its zero.",
)
def sign_flip_orthogonal() -> Comparison:
    """Bisect on the simulated sign for three samples in six dimensions."""
    X = 1.7 * np.linalg.qr(_direction(18, seed=17).reshape(6, 3))[0].T
    y, w = np.array([1.0, -0.5, 0.8]), _direction(6, seed=18)
    w -= (1 + np.sign(w @ X.T @ y)) * np.linalg.pinv(X) @ (X @ w)
    predicted = sign_flip_threshold(w, X, y)
    measured, drift = _threshold(w, X, y, low=0.9 * predicted, high=1.1 * predicted)
    return Comparison(
        "threshold $a₀*$",
        predicted,
        measured,
        largest(abs(measured / predicted - 1), drift),
        "relative difference, or drift of $c$ in the runs",
        1e-6,
    )


@claim(
    "warping.sign-flip-threshold",
    title="More samples: a bracket for the flip",
    source="this book",
    statement="A differential inequality decides the sign of $a∞$ without following the path, but "
    "for a narrow bracket around the threshold $a₀*$.",
)
def sign_flip_bracketed() -> Comparison:
    """Compare the bracket's ends with a bisection on the simulated sign."""
    X, y, w = reference_problem()
    low, high = sign_flip_bracket(w, X, y)
    measured, drift = _threshold(w, X, y, low=0.22, high=0.24)
    inside = low <= measured <= high * (1 + 1e-6)
    return Comparison(
        "threshold $a₀*$ (predicted: upper end of the bracket)",
        high,
        measured,
        largest(abs(measured - low) / measured, abs(measured - high) / measured, 1e3 * drift)
        if inside
        else np.inf,
        "relative distance to the farther end of the bracket, infinite outside of it",
        5e-3,
    )


@claim(
    "warping.sign-flip-limit",
    title="The limit on both sides of the flip",
    source="this book",
    theorem="thm-warp-explicit",
    statement="For $c < 0$ the limit is $X⁺y + a∞(I−Π)w₀$ with the same $a∞²$, where $sgn a∞$ may "
    "differ from $sgn a₀$.",
)
def sign_flip_limit() -> Comparison:
    """Compare formula and flow for five output weights on both sides."""
    X, y, w = reference_problem()
    worst = Worst()
    for a in (0.05, 0.1, 0.2, 0.25, 0.3):
        neuron = LinearNeuron(a, w)
        predicted = explicit_limit(neuron, X, y)
        run = gradient_flow(neuron, X, y, method="parameters")
        worst.see(
            largest(
                relative(run.w[-1] - predicted.w, predicted.w), abs(run.net.a / predicted.a - 1)
            ),
            predicted.a,
            run.net.a,
        )
    return worst.comparison("$a∞$", "relative distance in $w̃$ and $a$, worst of 5", 1e-8)


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
) -> tuple[float, float]:
    """Bisect between a₀ = `low`, where a flips in simulation, and `high`, where it does not.

    Return the threshold; and by how much the runs moved c = a² − ‖Πw‖², relative to ‖Πw₀‖², since a
    sign alone would not show a wrong run.
    """
    # Near the threshold flow lingers at the saddle point a = 0, which it leaves at rate ‖Xᵀy‖.
    late = 40 / float(np.linalg.norm(X.T @ y))
    seen = w - _off_rows(X, w)
    drifts = []
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        end = gradient_flow(LinearNeuron(middle, w), X, y, times=[late])
        visible = end.w_layer[-1] - _off_rows(X, end.w_layer[-1])
        kept = middle**2 - seen @ seen
        drifts.append(abs(end.a[-1] ** 2 - visible @ visible - kept) / (seen @ seen))
        low, high = (low, middle) if end.a[-1] > 0 else (middle, high)
    return (low + high) / 2, largest(*drifts)


@claim(
    "warping.proposition-1",
    title="Proposition 1: many neurons, strictly balanced",
    source=f"{_AZULAY}, Proposition 1",
    theorem="thm-warp-balanced",
    statement="If $aaᵀ = WWᵀ$ at the start, gradient flow on any number of neurons minimizes "
    "$‖w̃‖^(3/2) − (3/2)‖w̃₀‖^(−1/2) w̃₀ᵀw̃$ over the interpolators.",
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
        "$‖w̃∞‖$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance in $w̃$",
        1e-8,
    )


@claim(
    "warping.theorem-3",
    title="Theorem 3, with its rate",
    source="Azulay et al. 2021, Theorem 3; the rate: this book",
    theorem="thm-warp-small",
    statement="From a start of size $ε → 0$, gradient flow on many neurons ends at $X⁺y + √‖X⁺y‖ "
    "(I−Π)W₀ᵀâ + o(ε)$, with $â$ the direction of $a₀ + W₀Xᵀy/‖Xᵀy‖$.",
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
        "distance to $X⁺y$ at $ε = 10⁻⁵$",
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
    theorem="thm-warp-small",
    statement="$‖w̃∞ − X⁺y‖ ≤ ‖W₀(I−Π)‖ √(½(λ + √(λ² + 4‖X⁺y‖²)))$, from any start, in the "
    "operator norm; for one neuron it is an equality, and for more it can be one.",
    relation="≥",
)
def theorem_3_bound() -> Comparison:
    """Compare the bound with the flow for one to six neurons, three sizes, and where it is met."""
    X, y = _problem(n=5, d=12, seed=9)
    least = minimum_norm_interpolator(X, y)
    nets = [
        LinearNet.gaussian(neurons=neurons, d=12, scale=scale, seed=neurons)
        for neurons in (1, 2, 6)
        for scale in (1e-3, 0.3, 2.0)
    ]
    # Both neurons see the same, so a cannot turn; what they do not see has rank 2, and the larger
    # part of it belongs to the direction of a.
    unseen = scipy.linalg.null_space(X)[:, :2].T
    together, apart = np.array([0.6, 0.8]), np.array([0.8, -0.6])
    W = np.outer(together, 0.1 * X[0] + 0.5 * unseen[0]) + np.outer(apart, 0.4 * unseen[1])
    nets.append(LinearNet(0.7 * together, W))
    worst = Worst()
    for net in nets:
        bound = small_start_bound(net, X, y)
        distance = float(np.linalg.norm(gradient_flow(net, X, y).w[-1] - least))
        if net.neurons == 1 or net is nets[-1]:
            worst.see(abs(distance / bound - 1), bound, distance)
        else:
            worst.see(excess(distance, bound), bound, distance, room=1 - distance / bound)
    return worst.comparison(
        "the bound, and the distance to $X⁺y$",
        "excess over the bound, or relative difference where it is met, worst of 10",
        1e-6,
    )


_WEIGHTS = np.diag([1.0, 5.0, 10.0])


@claim(
    "warping.one-neuron-reweighting",
    title="One neuron: weights on the samples do not matter",
    source="this book",
    theorem="thm-warp-neuron",
    statement="Weighting the samples in the loss does not move the limit of one linear neuron "
    "with $c > 0$; else it may turn the sign with which the neuron ends.",
)
def one_neuron_reweighting() -> Comparison:
    """Compare limits of the raw weights, with and without weights, with the one formula."""
    X, y = _problem(n=3, d=6, seed=2)
    neuron = LinearNeuron(0.7, 0.5 * _direction(6, seed=3))
    predicted = explicit_limit(neuron, X, y).w
    worst = Worst()
    for problem in ((X, y), weighted_problem(X, y, _WEIGHTS)):
        measured = gradient_flow(neuron, *problem, method="parameters").w[-1]
        worst.see(
            relative(measured - predicted, predicted),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(measured)),
        )
    return worst.comparison(
        "$‖w̃∞‖$, with weights and without", "relative distance in $w̃$, worst of 2", 1e-8
    )


@claim(
    "warping.many-neurons-reweighting",
    title="Two neurons or more: they do",
    source="this book",
    theorem="thm-warp-none",
    statement="Weighting the samples moves the limit of $m = 2$, 3 and 6 neurons from a start "
    "that is not balanced, so no potential of the predictor alone is minimized there.",
    relation="moves",
)
def many_neurons_reweighting() -> Comparison:
    """Measure how far the limit moves, and how exact it is against another integration."""
    X, y = _problem(n=3, d=6, seed=2)
    worst = Worst()
    for neurons in (2, 3, 6):
        net = LinearNet.gaussian(neurons=neurons, d=6, scale=0.5, seed=3)
        limits, errors = [], []
        for problem in ((X, y), weighted_problem(X, y, _WEIGHTS)):
            limits.append(gradient_flow(net, *problem, method="parameters").w[-1])
            again = _integrate(net, *problem)
            errors.append(relative(limits[-1] - again, again))
        move = relative(limits[1] - limits[0], limits[0])
        worst.see(largest(*errors) / move, 0.0, move)
    found = worst.comparison(
        "relative move of the limit, where it is hardest to tell from error",
        "distance to another integrator's limits, over the move",
        1e-4,
    )
    return replace(found, predicted=None)


def _integrate(
    net: LinearNet, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " d"]:
    """Return the limit by an integrator and a velocity of its own, for the accuracy of a run."""
    m = net.neurons

    def velocity(_: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        a, W = state[:m], state[m:].reshape(m, -1)
        pull = X.T @ (y - X @ (W.T @ a))
        return np.concatenate([W @ pull, np.outer(a, pull).ravel()])

    start = np.concatenate([net.a, net.W.ravel()])
    slowest = np.linalg.svd(X, compute_uv=False)[-1] ** 2 * float(net.a @ net.a)
    span = (0.0, 40 / slowest)
    end = solve_ivp(velocity, span, start, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    return end[:m] @ end[m:].reshape(m, -1)


@claim(
    "warping.own-clocks",
    title="Every neuron has a mirror variable of its own",
    source=f"{_AZULAY}, Appendix D",
    statement="While no $aₖ$ changes sign, $sgn(aₖ)(wₖ − wₖ₀) = Xᵀνₖ$ with $νₖ = ∫|aₖ|r dt$, "
    "neuron by neuron; and the $νₖ$ do not point the same way.",
)
def own_clocks() -> Comparison:
    """Integrate |aₖ|r along a run of three neurons, and compare with each first layer at its end.

    The angle between the νₖ, 0 if one clock served all neurons, must be there.
    """
    X, y = _problem(n=3, d=6, seed=2)
    y = 4 * y
    net = LinearNet([0.9, -0.3, 0.2], 0.7 * _direction(18, seed=19).reshape(3, 6))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    times, late = 2 * (nodes + 1), 4.0
    run = gradient_flow(net, X, y, times=np.append(times, late), method="parameters")
    residuals = y - run.w[:-1] @ X.T
    nus = 2 * np.einsum("t,tk,tj->kj", weights, np.abs(run.a[:-1]), residuals)
    if np.any(run.a * net.a <= 0):
        raise AssertionError("no output weight may change its sign")
    predicted = nus @ X
    measured = np.sign(net.a)[:, None] * (run.w_layer[-1] - net.W)
    units = nus / np.linalg.norm(nus, axis=1, keepdims=True)
    sines = np.sqrt(1 - (units @ units.T)[np.triu_indices(3, 1)] ** 2)
    return Comparison(
        "$‖w₁ − w₁₀‖$ at $t = 4$",
        float(np.linalg.norm(predicted[0])),
        float(np.linalg.norm(measured[0])),
        largest(relative(measured - predicted, predicted), np.inf if np.any(sines < 0.02) else 0.0),
        "relative distance over 3 neurons; infinite if two $νₖ$ are within a degree of each other",
        1e-7,
    )


@claim(
    "warping.isotropic-start",
    title="Many neurons that have a potential",
    source="this book",
    theorem="thm-warp-isotropic",
    statement="If the $d + 1$ columns of $[a₀ W₀]$ are orthogonal and of length $s$, the metric "
    "along the path of the raw weights is that of one neuron with $δ = 2s²$: $∇²q̂_δ(w̃)$ divided "
    "by the warp.",
)
def isotropic_start() -> Comparison:
    """Compare the metric of nine simulated neurons with the Hessian of one neuron's potential."""
    X, y = _problem(n=3, d=6, seed=2)
    size = 0.6
    columns = size * np.linalg.qr(_direction(63, seed=23).reshape(9, 7))[0]
    net = LinearNet(columns[:, 0], columns[:, 1:])
    run = gradient_flow(net, X, y, times=np.linspace(0, 3, 6), method="parameters")
    delta = 2 * size**2
    q = WarpedPotential(delta=delta, start=np.zeros(6))
    predicted = np.stack([q.hessian(w) / warp(delta, w) for w in run.w])
    measured = np.stack([run.net_at(i).metric_tensor() for i in range(len(run.times))])
    return Comparison(
        "$tr H$ at $t = 3$",
        float(np.trace(predicted[-1])),
        float(np.trace(measured[-1])),
        relative(measured - predicted, predicted),
        "relative distance over 6 times",
        1e-8,
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
    theorem="thm-warp-leaky",
    statement="Gradient flow on one leaky ReLU neuron ends at the least $q$ with $f(xⱼ) = yⱼ$ for "
    "all samples: with $a > 0$, $Xw̃ = ỹ$ where $ỹ$ is $y$ divided by the slope at negative "
    "labels.",
)
def theorem_4() -> Comparison:
    """Compare the flow across its kinks with the convex minimizer, over 4 neurons."""
    X, y = _problem(seed=10)
    worst = Worst()
    for slope, sign in _LEAKY_STARTS:
        neuron = _leaky(slope, sign)
        predicted = warped_projection(implicit_potential(neuron), X, y, slope=slope, sign=sign).w
        measured = gradient_flow(neuron, X, y, method="parameters").w[-1]
        worst.see(
            relative(measured - predicted, predicted),
            float(np.linalg.norm(predicted)),
            float(np.linalg.norm(measured)),
        )
    return worst.comparison(
        "$‖w̃∞‖$", "relative distance in $w̃$, worst of 4, slopes down to 0.02", 1e-8
    )


@claim(
    "warping.theorem-4-kkt",
    title="… is a KKT point in the sense of Clarke",
    source=f"{_AZULAY}, Theorem 4",
    theorem="thm-warp-leaky",
    statement="At the simulated limit of a leaky neuron, $∇q$ is the sum of the gradients of its "
    "outputs in $w̃$, each multiplied by the multiplier $νⱼ$ of its sample, and the outputs are "
    "the labels.",
)
def theorem_4_kkt() -> Comparison:
    """Measure stationarity, with output slopes by differences, and feasibility of three limits."""
    X, y = _problem(seed=10)
    worst = Worst()
    for slope, sign in _LEAKY_STARTS[1:]:
        neuron = _leaky(slope, sign)
        end = gradient_flow(neuron, X, y, method="parameters").net
        gradient = implicit_potential(neuron).gradient(end.predictor)
        kkt = neuron_kkt(end.predictor, gradient, X, y, slope=slope, sign=sign)
        # f in the direction of each sample, by a step that crosses no kink.
        step = 1e-3 * np.abs(X @ end.w).min() / np.sum(X**2, axis=1)
        ahead = [
            LinearNeuron(end.a, end.w + h * x, slope=slope).predict(x[None, :])[0]
            for h, x in zip(step, X, strict=True)
        ]
        slopes = (ahead - end.predict(X)) / (step * end.a * np.sum(X**2, axis=1))
        combined = (kkt.multipliers * slopes) @ X
        targets = interpolation_targets(y, slope=slope, sign=sign)
        worst.see(
            largest(
                relative(combined - gradient, gradient),
                kkt.feasibility,
                kkt.stationarity,
                relative(X @ end.predictor - targets, targets),
            ),
            float(np.linalg.norm(gradient)),
            float(np.linalg.norm(combined)),
        )
    return worst.comparison(
        "$‖∇q‖$, and the norm of the combination",
        "stationarity or feasibility, relative, worst of 3",
        1e-8,
    )


@claim(
    "warping.leaky-wait",
    title="How long a leaky neuron waits at its kink",
    source="this book",
    theorem="lem-warp-wait",
    statement="One sample with $y > 0 > w₀ᵀx$ and $a₀ > ‖Πw₀‖$: $wᵀx$ reaches 0 at a time that is "
    "an integral of elementary functions, and $a$ and $wᵀx$ are then equal to $√c$ and 0; as $ρ → "
    "0$ the wait is like $1/ρ$.",
)
def leaky_wait() -> Comparison:
    """Compare the time of the simulated kink, and a there, with the integral, for three slopes."""
    x, y, w = np.array([1.0, -0.5, 0.8]), 1.3, np.array([-0.7, 0.4, -0.2])
    size, a = float(np.linalg.norm(x)), 1.1
    before = float(w @ x) / size
    plus, minus = a + before, a - before
    worst = Worst()
    for slope in (0.9, 0.3, 0.03):

        def pace(way: float, slope: float = slope) -> float:
            """Return dt/dP, where a ± p = (a₀ ± p₀)exp(±P)."""
            product = (plus**2 * np.exp(2 * way) - minus**2 * np.exp(-2 * way)) / 4
            return float(1 / (slope * size * (y - slope * size * product)))

        predicted = quad(pace, 0, np.log(minus / plus) / 2, epsabs=0, epsrel=1e-12)[0]
        run = gradient_flow(LinearNeuron(a, w, slope=slope), x[None, :], np.array([y]))
        (kink,) = run.kinks
        there = int(np.argmin(np.abs(run.times - kink.time)))
        worst.see(
            largest(
                abs(kink.time / predicted - 1),
                abs(run.a[there] / np.sqrt(plus * minus) - 1),
                relative(run.w[-1] @ x - y, np.array(y)),
            ),
            predicted,
            kink.time,
        )
    return worst.comparison(
        "time at which the kink is crossed",
        "relative difference in the time, in $a$ there and in the limit's output, worst of 3",
        1e-7,
    )


CLAIMS = (
    defect,
    warp_found,
    any_metric,
    not_warpable,
    warped_metric,
    clock,
    mirror_variable,
    theorem_2,
    weaker_condition,
    least_potential,
    explicit,
    anti_ntk,
    kernel_gap,
    kernel_gap_stays,
    mahalanobis,
    sign_flip_one_sample,
    sign_flip_orthogonal,
    sign_flip_bracketed,
    sign_flip_limit,
    proposition_1,
    theorem_3,
    theorem_3_bound,
    one_neuron_reweighting,
    many_neurons_reweighting,
    own_clocks,
    isotropic_start,
    theorem_4,
    theorem_4_kkt,
    leaky_wait,
)
