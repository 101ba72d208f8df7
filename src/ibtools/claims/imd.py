"""Claims of the chapter on infinitesimal mirror descent: regression with diagonal networks."""

from collections.abc import Callable

import numpy as np
import scipy.linalg
from jaxtyping import Float, Inexact
from scipy.integrate import solve_ivp
from scipy.optimize import linprog, minimize

from ibtools.claims.claim import Comparison, Worst, claim, excess, largest, relative, smallest
from ibtools.data import sparse_regression
from ibtools.metrics import population_error
from ibtools.models import DiagonalNet, TiedDiagonalNet
from ibtools.theory import (
    HypentropyPotential,
    bregman_projection,
    hessian_map_defect,
    implicit_limit,
    implicit_potential,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
    mirror_descent_step_bound,
)
from ibtools.trainers import gradient_descent, gradient_flow, metric_flow, mirror_descent

_AZULAY = "Azulay et al. 2021"


def _random_net(d: int, *, seed: int) -> DiagonalNet:
    return DiagonalNet(*np.random.default_rng(seed).normal(scale=0.4, size=(4, d)))


@claim(
    "imd.theorem-1",
    title="Theorem 1",
    source=f"{_AZULAY}, Theorem 1",
    theorem="thm-diagonal",
    statement="From an unbiased start of any scale and shape, gradient flow on the weights ends at "
    "the interpolator of least potential.",
)
def theorem_1() -> Comparison:
    """Compare the flow of the raw weights with the minimizer, over 12 starts."""
    X, y, _ = sparse_regression(n=15, d=40, sparsity=3, noise_std=0.1, seed=1)
    worst = Worst()
    for scale in (1e-4, 1e-2, 1.0):
        for shape in (-0.9, 0.0, 0.5, 0.99):
            net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=40)
            predicted = implicit_limit(net, X, y)
            measured = gradient_flow(net, X, y, method="parameters").w[-1]
            error, q = relative(measured - predicted, predicted), implicit_potential(net)
            worst.see(error, float(q(predicted)), float(q(measured)))
    return worst.comparison(
        "potential $q$ at the limit", f"relative distance in $w$, worst of {worst.cases}", 1e-8
    )


@claim(
    "imd.theorem-1-at-scale",
    title="Theorem 1 at full size, from $10⁻²⁰$ to $10³$",
    source=f"{_AZULAY}, Theorem 1",
    theorem="thm-diagonal",
    statement="The same with 1000 dimensions and 100 samples, where scale and shape are extreme.",
)
def theorem_1_at_scale() -> Comparison:
    """Compare the dual flow with the minimizer at the corners of what is promised."""
    X, y, _ = sparse_regression(n=100, d=1000, sparsity=5, noise_std=0.1, seed=0)
    worst = Worst()
    for scale, shape in ((1e-20, 0.0), (1e-20, 0.9999), (1e-5, -0.99), (1e3, -0.99), (1e3, 0.9999)):
        net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=1000)
        predicted = implicit_limit(net, X, y)
        measured = gradient_flow(net, X, y).w[-1]
        error = relative(measured - predicted, predicted)
        worst.see(error, float(np.abs(predicted).sum()), float(np.abs(measured).sum()))
    return worst.comparison("$‖w(∞)‖₁$", f"relative distance in $w$, worst of {worst.cases}", 1e-8)


@claim(
    "imd.general-start",
    title="Any start",
    source=f"{_AZULAY}, Appendix A",
    theorem="thm-diagonal",
    statement="From any start, with four different weights in every coordinate, gradient flow ends "
    "at the Bregman projection of the start.",
)
def general_start() -> Comparison:
    """Compare the flow of the raw weights with the minimizer, over 8 random starts."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=2)
    worst = Worst()
    for seed in range(8):
        net = _random_net(30, seed=seed)
        predicted = implicit_limit(net, X, y)
        measured = gradient_flow(net, X, y, method="parameters").w[-1]
        error, q = relative(measured - predicted, predicted), implicit_potential(net)
        worst.see(error, float(q(predicted)), float(q(measured)))
    return worst.comparison(
        "potential $q$ at the limit", f"relative distance in $w$, worst of {worst.cases}", 1e-8
    )


@claim(
    "imd.repeated-sample",
    title="A sample that is there twice",
    source="this book; after Azulay et al. 2021, Theorem 1",
    theorem="thm-diagonal",
    statement="If $y$ is in the range of $X$, dependent rows change the path and not the limit: "
    "with two samples repeated, gradient flow ends at the minimizer over the same interpolators.",
)
def repeated_sample() -> Comparison:
    """Compare the flow of raw weights with two rows repeated with the minimizer without."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=2)
    net = _random_net(30, seed=20)
    rows = np.append(np.arange(10), [3, 3, 7])
    once, again = (
        implicit_limit(net, X, y),
        bregman_projection(implicit_potential(net), X[rows], y[rows]),
    )
    measured = gradient_flow(net, X[rows], y[rows], method="parameters").w[-1]
    return Comparison(
        "$‖w(∞)‖₁$",
        float(np.abs(once).sum()),
        float(np.abs(measured).sum()),
        largest(relative(measured - once, once), relative(measured - again.w, once)),
        "relative distance in $w$ to the minimizer, worse of with and without the repeated rows",
        1e-8,
    )


@claim(
    "imd.row-space",
    title="The mirror variable stays in the row space",
    source=_AZULAY,
    theorem="thm-mirror",
    statement="Along the whole path of the raw weights, $∇q(w(t))$ is a combination of rows of "
    "$X$.",
)
def row_space() -> Comparison:
    """Project the mirror variable of simulated weights off the row space."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=3)
    net = _random_net(30, seed=3)
    run = gradient_flow(net, X, y, method="parameters")
    mirror = implicit_potential(net).gradient(run.w)
    rows = np.linalg.qr(X.T)[0]
    outside = np.linalg.norm(mirror - mirror @ rows @ rows.T, axis=1)
    measured = largest(outside) / largest(np.linalg.norm(mirror, axis=1))
    return Comparison(
        "part of $∇q(w(t))$ off the row space",
        0.0,
        measured,
        measured,
        f"largest over {len(run.times)} times, relative to $‖∇q‖$",
        1e-9,
    )


@claim(
    "imd.conservation",
    title="What never changes",
    source=f"{_AZULAY}, Appendix A",
    statement="$u₊² − v₊²$, $u₋² − v₋²$ and $(u₊ + v₊)∘(u₋ + v₋)$ keep their initial values; $k$ "
    "is a function of the three.",
)
def conservation() -> Comparison:
    """Follow the three conserved vectors, and the k they make, along the raw weights' flow."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=4)
    net = _random_net(30, seed=4)
    run = gradient_flow(net, X, y, method="parameters")
    initial = net.conserved_quantities()
    kept = np.stack([run.net_at(i).conserved_quantities() for i in range(len(run.times))])
    # k = AB is a sum of four squares of products that stay; the fourth follows from three.
    plus, minus, tie = kept.swapaxes(0, 1)
    measured = np.sqrt(plus**2 + minus**2 + tie**2 + (plus * minus / tie) ** 2)
    predicted = implicit_potential(net).sqrt_k
    drift = largest(np.abs(kept - initial)) / largest(np.abs(initial))
    return Comparison(
        "$‖√k‖$ from the weights at the limit",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured[-1])),
        largest(drift, np.abs(measured / predicted - 1)),
        f"relative, over {len(run.times)} times: of the three vectors, and of $√k$",
        1e-9,
    )


@claim(
    "imd.woodworth",
    title="Tied weights: Woodworth et al.",
    source="Woodworth et al. 2020, Theorem 1",
    statement="The network $w = u² − v²$ follows the same path as the untied one with $√k = 4α²$, "
    "twice as fast, and ends where the untied one does.",
)
def woodworth() -> Comparison:
    """Compare the tied flow at t/2 with the untied at t, and its limit with the minimizer."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=5)
    alpha = np.full(30, 0.05)
    times = np.array([0.02, 0.05, 0.1, 0.5])
    tied = TiedDiagonalNet(alpha, alpha)
    untied = DiagonalNet(alpha, alpha, alpha, alpha)
    fast = gradient_flow(tied, X, y, times=times / 2).w
    slow = gradient_flow(untied, X, y, times=times, method="parameters").w
    limit = gradient_flow(tied, X, y).w[-1]
    predicted = bregman_projection(
        HypentropyPotential(sqrt_k=4 * alpha**2, start=np.zeros(30)), X, y
    ).w
    error = largest(relative(fast - slow, slow), relative(limit - predicted, predicted))
    return Comparison(
        "$‖w(∞)‖₁$",
        float(np.abs(predicted).sum()),
        float(np.abs(limit).sum()),
        error,
        "relative distance, worse of path and limit",
        1e-8,
    )


@claim(
    "imd.hessian-map",
    title="The network's metric is a Hessian",
    source=_AZULAY,
    theorem="thm-hessian-map",
    statement="Along the path of the raw weights, the metric tensor of the network equals "
    "$∇²q(w)$.",
)
def hessian_map() -> Comparison:
    """Compare the metric of simulated weights with the Hessian of the potential."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=6)
    net = _random_net(30, seed=6)
    q = implicit_potential(net)
    run = gradient_flow(net, X, y, method="parameters")
    predicted = np.stack([q.hessian(w) for w in run.w])
    measured = np.stack([run.net_at(i).metric_tensor() for i in range(len(run.times))])
    return Comparison(
        "$tr H$ at the limit",
        float(np.trace(predicted[-1])),
        float(np.trace(measured[-1])),
        largest(np.abs(measured - predicted)) / largest(np.abs(predicted)),
        f"largest entry over {len(run.times)} times, relative",
        1e-9,
    )


def innocent_metric(w: Inexact[np.ndarray, " d"]) -> Inexact[np.ndarray, "d d"]:
    """Return I + wwᵀ, (d, d): smooth, positive definite, and not a Hessian for d ≥ 2."""
    return np.eye(w.size) + np.outer(w, w)


@claim(
    "imd.hessian-map-fails",
    title="A metric that is no Hessian",
    source="Gunasekar et al. 2021",
    theorem="thm-hessian-map",
    statement="For $H = I + wwᵀ$ the mixed derivatives differ by $δᵢₖwⱼ − δᵢⱼwₖ$: no potential "
    "exists.",
)
def hessian_map_fails() -> Comparison:
    """Compare the defect worked out by hand with the differentiated one."""
    w = np.array([0.7, -1.2, 2.0])
    identity = np.eye(3)
    predicted = np.einsum("ik,j->ijk", identity, w) - np.einsum("ij,k->ijk", identity, w)
    measured = hessian_map_defect(innocent_metric, w)
    return Comparison(
        "$‖T‖$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance of the tensors",
        1e-12,
    )


@claim(
    "imd.reweighting",
    title="Weights on the samples do not matter",
    source="this book; after Gunasekar et al. 2018",
    theorem="thm-mirror",
    statement="Weighting the squared residuals changes the path of gradient flow, not its limit.",
)
def reweighting() -> Comparison:
    """Compare limits of the raw weights under two weightings of the same samples."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=7)
    net = _random_net(30, seed=7)
    importance = np.sqrt(np.linspace(0.2, 3.0, 10))
    plain = gradient_flow(net, X, y, method="parameters")
    weighted = gradient_flow(net, X * importance[:, None], y * importance, method="parameters")
    predicted = implicit_limit(net, X, y)
    return Comparison(
        "$‖w(∞)‖₁$ with weights",
        float(np.abs(predicted).sum()),
        float(np.abs(weighted.w[-1]).sum()),
        largest(*(relative(run.w[-1] - predicted, predicted) for run in (plain, weighted))),
        "relative distance in $w$ to the minimizer, worse of with and without weights",
        1e-8,
    )


def cyclic_metric(w: Inexact[np.ndarray, " d"]) -> Inexact[np.ndarray, "d d"]:
    """Return diag(1 + w²) with the entries of w moved on by one place, (d, d)."""
    return np.diag(1 + np.roll(w, 1) ** 2)


@claim(
    "imd.reweighting-matters",
    title="… unless the metric is no Hessian",
    source="this book",
    theorem="thm-hessian-map",
    statement="In the metric with $Hᵢᵢ = 1 + wᵢ₋₁²$, whose Hessian-map defect is not 0, the same "
    "change of weights moves the limit, so nothing that depends on the constraints $Xw = y$ alone "
    "is minimized there.",
    relation="moves",
)
def reweighting_matters() -> Comparison:
    """Measure how far the limit moves, and how far another integration differs from the first."""
    X, y, _ = sparse_regression(n=2, d=4, sparsity=2, noise_std=0.1, seed=2)
    importance = np.array([[1.0], [3.0]])
    start = np.full(4, 0.5)
    problems = ((X, y), (X * importance, y * importance[:, 0]))
    plain, weighted = (metric_flow(cyclic_metric, A, b, start=start).w[-1] for A, b in problems)
    moved = relative(weighted - plain, plain)
    again = [_integrated(cyclic_metric, A, b, start) for A, b in problems]
    off = largest(*(relative(w - v, v) for w, v in zip((plain, weighted), again, strict=True)))
    # T_iij = 2w_j for j = i − 1, by hand; antisymmetric in the last two indices.
    defect = hessian_map_defect(cyclic_metric, start)
    by_hand = np.zeros((4, 4, 4))
    for i in range(4):
        by_hand[i, i, i - 1] = 2 * start[i - 1]
        by_hand[i, i - 1, i] = -2 * start[i - 1]
    return Comparison(
        "the limit, by this fraction of its norm",
        None,
        moved,
        largest(off / moved, relative(defect - by_hand, by_hand)),
        "distance to another integrator's limits over the move; of the defect to that by hand",
        1e-4,
    )


def _integrated(
    metric: Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, "d d"]],
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    start: Float[np.ndarray, " d"],
) -> Float[np.ndarray, " d"]:
    """Return the limit of w' = H⁻¹Xᵀr by a fixed explicit method, which the trainers do not use."""
    path = solve_ivp(
        lambda _, w: np.linalg.solve(metric(w), X.T @ (y - X @ w)),
        (0.0, 60.0),
        start,
        method="DOP853",
        rtol=1e-9,
        atol=1e-12,
    )
    return np.asarray(path.y[:, -1])


@claim(
    "imd.innocent-warped",
    title="No Hessian, and yet a potential: a change of clock",
    source="this book; after Azulay et al. 2021",
    theorem="thm-hessian-map",
    statement="$I + wwᵀ$ times $exp(‖w‖²/2)$ is the Hessian of $exp(‖w‖²/2)$, so flow in the "
    "metric $I + wwᵀ$ still ends at the Bregman projection of its start in that potential.",
)
def innocent_warped() -> Comparison:
    """Compare the flow in the innocent metric with a generic constrained minimizer."""
    X, y, _ = sparse_regression(n=2, d=5, sparsity=2, noise_std=0.1, seed=3)
    start = np.array([0.5, -0.3, 0.2, 0.1, 0.4])
    pull = start * np.exp(start @ start / 2)
    particular, free = np.linalg.pinv(X) @ y, scipy.linalg.null_space(X)

    def bregman(step: Float[np.ndarray, " k"]) -> tuple[float, Float[np.ndarray, " k"]]:
        w = particular + free @ step
        growth = np.exp(w @ w / 2)
        return float(growth - pull @ w), free.T @ (growth * w - pull)

    found = minimize(bregman, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-11})
    predicted = particular + free @ found.x
    measured = metric_flow(innocent_metric, X, y, start=start).w[-1]
    return Comparison(
        "$‖w(∞)‖₂$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance in $w$",
        1e-8,
    )


@claim(
    "imd.collapse",
    title="Only $√k$ matters",
    source="this book",
    theorem="thm-diagonal",
    statement="Unbiased starts of different scale and shape but equal $√k = 4α(1+s²)/(1−s²)$ "
    "share one path.",
)
def collapse() -> Comparison:
    """Compare paths of raw weights from three starts with equal √k."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=8)
    sqrt_k, times = 0.05, [0.05, 0.1, 0.3, 1.0, 100.0]
    paths = [
        gradient_flow(
            DiagonalNet.from_scale_shape(
                scale=sqrt_k * (1 - s**2) / (4 * (1 + s**2)), shape=s, d=30
            ),
            X,
            y,
            times=times,
            method="parameters",
        ).w
        for s in (0.0, 0.7, -0.95)
    ]
    potential = HypentropyPotential(sqrt_k=np.full(30, sqrt_k), start=np.zeros(30))
    predicted = bregman_projection(potential, X, y).w
    limits = [path[-1] for path in paths]
    return Comparison(
        "$‖w(∞)‖$, measured from $s = −0.95$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(limits[-1])),
        largest(
            *(relative(path - paths[0], paths[0]) for path in paths[1:]),
            *(relative(limit - predicted, predicted) for limit in limits),
        ),
        "relative distance of the paths to the first, and of their ends to the minimizer",
        1e-8,
    )


@claim(
    "imd.rich-limit",
    title="Rich limit: least $ℓ₁$ norm",
    source=f"{_AZULAY}; Woodworth et al. 2020",
    theorem="thm-rich",
    statement="As $√k → 0$ the limit of gradient flow is the least-$ℓ₁$ interpolator.",
)
def rich_limit() -> Comparison:
    """Compare the flow from scale 1e-20 with a linear program."""
    X, y = _clear_cut_problem()
    predicted = minimum_l1_interpolator(X, y)
    net = DiagonalNet.from_scale_shape(scale=1e-20, shape=0.0, d=X.shape[1])
    measured = gradient_flow(net, X, y).w[-1]
    return Comparison(
        "$‖w(∞)‖₁$",
        float(np.abs(predicted).sum()),
        float(np.abs(measured).sum()),
        relative(measured - predicted, predicted),
        "relative distance in $w$, at $α = 10⁻²⁰$",
        1e-6,
    )


@claim(
    "imd.rich-rate",
    title="How fast the rich limit is reached",
    source="this book",
    theorem="thm-rich",
    statement="A coordinate outside the support of the least-$ℓ₁$ interpolator dies like "
    "$(√k)^(1−ρ)$, where $ρ = |xᵢᵀν| < 1$ is its column's correlation with the dual certificate "
    "$ν$.",
)
def rich_rate() -> Comparison:
    """Compare exponents from the linear program's dual with slopes of flow limits."""
    X, y = _clear_cut_problem()
    d = X.shape[1]
    # The dual of min ‖w‖₁ s.t. Xw = y: max yᵀν s.t. |Xᵀν| ≤ 1.
    certificate = linprog(
        -y, A_ub=np.vstack([X.T, -X.T]), b_ub=np.ones(2 * d), bounds=(None, None)
    ).x
    correlation, sparse = np.abs(X.T @ certificate), minimum_l1_interpolator(X, y)
    # At ρ near 0 a sinh is not yet an exponential, and the exponent shows only at smaller √k.
    dying = (sparse == 0) & (correlation > 0.15)
    sqrt_ks = np.array([1e-9, 1e-12])
    limits = np.stack(
        [
            gradient_flow(DiagonalNet.from_scale_shape(scale=sqrt_k / 4, shape=0.0, d=d), X, y).w[
                -1
            ][dying]
            for sqrt_k in sqrt_ks
        ]
    )
    predicted = 1 - correlation[dying]
    measured = np.diff(np.log(np.abs(limits)), axis=0)[0] / np.diff(np.log(sqrt_ks))
    slowest = predicted.argmin()
    return Comparison(
        "exponent $1 − ρ$ of the slowest coordinate",
        float(predicted[slowest]),
        float(measured[slowest]),
        # The certificate is one: yᵀν is the least norm.
        largest(
            np.abs(measured / predicted - 1), np.abs(np.abs(sparse).sum() / (y @ certificate) - 1)
        ),
        f"relative difference, worst of {dying.sum()} coordinates and of the programs' values, "
        "$√k$ from $10⁻⁹$ to $10⁻¹²$",
        1e-3,
    )


def _clear_cut_problem() -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Return a problem whose least-ℓ₁ interpolator wins clearly: no column is near a tie."""
    X, y, _ = sparse_regression(n=5, d=12, sparsity=2, noise_std=0.1, seed=2)
    return X, y


@claim(
    "imd.kernel-limit",
    title="Kernel limit: least norm in the RKHS of the tangent kernel",
    source=_AZULAY,
    theorem="thm-kernel",
    statement="As $√k → ∞$ the limit is $argmin Σ wᵢ²/√kᵢ$ over the interpolators, also where "
    "$√k$ differs from coordinate to coordinate.",
)
def kernel_limit() -> Comparison:
    """Compare the flow from a huge uneven start with weighted least norm."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=9)
    u = 300 * np.linspace(1.0, 3.0, 30)
    net = DiagonalNet(u, u / 2, u, u / 2)
    # The tangent kernel at the start is X diag(u₊² + v₊² + u₋² + v₋²) Xᵀ.
    predicted = minimum_norm_interpolator(X, y, weights=1 / (2 * (u**2 + u**2 / 4)))
    measured = gradient_flow(net, X, y).w[-1]
    return Comparison(
        "$‖w(∞)‖₂$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance in $w$, at $√k ≥ 2·10⁵$",
        1e-9,
    )


@claim(
    "imd.kernel-rate",
    title="How fast the kernel limit is reached",
    source="this book",
    theorem="thm-kernel",
    statement="For equal $√k$, $w(∞) = X⁺y + (I−Π)(2/3k)(X⁺y)³ + O(k⁻²)$: the distance to the "
    "least-norm interpolator shrinks like $1/k$.",
)
def kernel_rate() -> Comparison:
    """Compare the first correction with the flow at √k = 40."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=10)
    least_norm = minimum_norm_interpolator(X, y)
    sqrt_k = 40.0
    pull = 2 / 3 * least_norm**3 / sqrt_k**2
    predicted = pull - np.linalg.pinv(X) @ (X @ pull)
    net = DiagonalNet.from_scale_shape(scale=sqrt_k / 4, shape=0.0, d=30)
    measured = gradient_flow(net, X, y, tolerance=1e-12).w[-1] - least_norm
    return Comparison(
        "distance to $X⁺y$ at $√k = 40$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        relative(measured - predicted, predicted),
        "relative distance of the corrections",
        1e-3,
    )


@claim(
    "imd.least-norm-error",
    title="Least $ℓ₂$ norm misses the share $1 − n/d$ of the truth",
    source="folklore; this book",
    theorem="prop-imd-least-norm",
    statement="Over truths $β*$ from an orthonormal basis, the mean of $‖w(∞) − β*‖²$ is $1 − "
    "n/d$ from a huge start, whatever the data.",
)
def least_norm_error() -> Comparison:
    """Train on each unit vector as the truth, and average the errors."""
    n, d = 4, 10
    X = sparse_regression(n=n, d=d, sparsity=1, noise_std=0.0, seed=13).X
    net = DiagonalNet.from_scale_shape(scale=1e6, shape=0.0, d=d)
    truths = np.eye(d)
    limits = np.stack([gradient_flow(net, X, X @ truth).w[-1] for truth in truths])
    least = np.stack([minimum_norm_interpolator(X, X @ truth) for truth in truths])
    errors = [population_error(w, truth) for w, truth in zip(limits, truths, strict=True)]
    predicted, measured = 1 - n / d, float(np.mean(errors))
    return Comparison(
        "mean of $‖w(∞) − β*‖²$",
        predicted,
        measured,
        largest(abs(measured / predicted - 1), relative(limits - least, least)),
        "relative, worse of the mean error and of the distance of the limits to least $ℓ₂$ norm",
        1e-8,
    )


@claim(
    "imd.joint-limit",
    title="Small scale, yet not rich: the joint limit",
    source=_AZULAY,
    theorem="thm-diagonal",
    statement="As $α → 0$ and $s → 1$ with $α/(1−s²) → μ$, the limit is the one of $√k = 8μ$: a "
    "tiny scale alone does not make the bias rich.",
)
def joint_limit() -> Comparison:
    """Compare the flow at α = 1e-9 with the minimizer at √k = 8μ."""
    X, y, _ = sparse_regression(n=10, d=30, sparsity=3, noise_std=0.1, seed=11)
    mu, scale = 0.01, 1e-9
    shape = float(np.sqrt(1 - scale / mu))
    net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=30)
    predicted = bregman_projection(
        HypentropyPotential(sqrt_k=np.full(30, 8 * mu), start=np.zeros(30)), X, y
    ).w
    measured = gradient_flow(net, X, y, method="parameters").w[-1]
    return Comparison(
        "$‖w(∞)‖₁$",
        float(np.abs(predicted).sum()),
        float(np.abs(measured).sum()),
        relative(measured - predicted, predicted),
        "relative distance in $w$, at $α = 10⁻⁹$",
        1e-6,
    )


@claim(
    "imd.incremental",
    title="When the first coordinate switches on",
    source="this book; after Woodworth et al. 2020",
    statement="From a tiny start the first coordinate reaches a small level $c$ at time "
    "$arcsinh(2c/√k)/(2‖Xᵀy‖∞) ≈ log(1/√k)/(2‖Xᵀy‖∞)$.",
)
def incremental() -> Comparison:
    """Read the first coordinate off the flow at the predicted time."""
    X, y, _ = sparse_regression(n=100, d=1000, sparsity=5, noise_std=0.1, seed=0)
    level, sqrt_k = 1e-5, 4e-16
    pull = np.abs(X.T @ y)
    net = DiagonalNet.from_scale_shape(scale=sqrt_k / 4, shape=0.0, d=1000)
    # While r = y, P = tXᵀy: the mirror variable is that of the level when t‖Xᵀy‖∞ is.
    mirror = implicit_potential(net).gradient(np.full(1000, level))
    predicted = float(mirror[pull.argmax()] / pull.max())
    grid = predicted * np.linspace(0.9, 1.1, 401)
    first = np.abs(gradient_flow(net, X, y, times=grid).w[:, pull.argmax()])
    # log |w| is nearly linear in t while the residual is nearly y.
    measured = float(np.interp(np.log(level), np.log(first), grid))
    return Comparison(
        "time of the first switch",
        predicted,
        measured,
        abs(measured - predicted) / predicted,
        "relative difference, at $√k = 4·10⁻¹⁶$",
        1e-5,
    )


@claim(
    "imd.descent-order",
    title="Gradient descent departs from flow linearly in its step",
    source="this book",
    theorem="thm-before-steps",
    statement="The limit of gradient descent differs from the flow's by an amount proportional to "
    "the step size $η$, as $η → 0$.",
)
def descent_order() -> Comparison:
    """Measure the order from two small steps, on raw weights."""
    X, y, _ = sparse_regression(n=4, d=8, sparsity=2, noise_std=0.1, seed=12)
    net = DiagonalNet.from_scale_shape(scale=0.1, shape=0.3, d=8)
    limit = implicit_limit(net, X, y)
    steps = np.array([8e-3, 2e-3])
    gaps = [
        np.linalg.norm(
            gradient_descent(
                net, X, y, step_size=float(eta), steps=round(40 / eta), record_every=10**6
            ).w[-1]
            - limit
        )
        for eta in steps
    ]
    measured = float(np.diff(np.log(gaps))[0] / np.diff(np.log(steps))[0])
    return Comparison(
        "order in $η$", 1.0, measured, abs(measured - 1), "difference of the orders", 0.02
    )


@claim(
    "imd.mirror-descent",
    title="Mirror descent with steps ends where the flow does",
    source="Azizan and Hassibi 2019; the bound on the step: this book",
    theorem="thm-mirror-descent",
    statement="With steps $η$ of the size that `mirror_descent_step_bound` permits, mirror "
    "descent ends exactly at the Bregman projection of its start.",
)
def mirror_descent_limit() -> Comparison:
    """Compare the end of mirror descent with the minimizer, from three starts."""
    X, y, _ = sparse_regression(n=4, d=8, sparsity=2, noise_std=0.1, seed=12)
    worst = Worst()
    for net in (
        DiagonalNet.from_scale_shape(scale=0.1, shape=0.3, d=8),
        DiagonalNet.from_scale_shape(scale=10.0, shape=0.0, d=8),
        _random_net(8, seed=1),
    ):
        q = implicit_potential(net)
        step = mirror_descent_step_bound(q, X, y)
        predicted = bregman_projection(q, X, y).w
        measured = mirror_descent(net, X, y, step_size=step, steps=3000, record_every=3000).w[-1]
        error = relative(measured - predicted, predicted)
        worst.see(error, float(q(predicted)), float(q(measured)))
    return worst.comparison(
        "potential $q$ at the limit", f"relative distance in $w$, worst of {worst.cases}", 1e-8
    )


@claim(
    "imd.mirror-descent-fall",
    title="Each step of mirror descent comes nearer",
    source="Azizan and Hassibi 2019; the bound on the step: this book",
    theorem="thm-mirror-descent",
    statement="With a permitted step, $η(L_k + L_{k+1}) ≤ D_q(w∞, w_k) − D_q(w∞, w_{k+1})$.",
    relation="≥",
)
def mirror_descent_fall() -> Comparison:
    """Compare the losses of a run with the falls of the divergence from the minimizer."""
    X, y, _ = sparse_regression(n=4, d=8, sparsity=2, noise_std=0.1, seed=12)
    net = DiagonalNet.from_scale_shape(scale=0.1, shape=0.3, d=8)
    q = implicit_potential(net)
    limit, step = bregman_projection(q, X, y).w, mirror_descent_step_bound(q, X, y)
    run = mirror_descent(net, X, y, step_size=step, steps=300)
    divergence = q(limit) - q(run.w) - np.sum(q.gradient(run.w) * (limit - run.w), axis=1)
    falls, losses = -np.diff(divergence), step * (run.loss[:-1] + run.loss[1:])
    return Comparison(
        "fall of the divergence in the first step, and $η(L₀ + L₁)$",
        falls[0],
        losses[0],
        # The first divergence is known as well: q is 0 at w = 0, where this start is.
        largest(excess(losses, falls), np.abs(divergence[0] / q(limit) - 1)),
        f"largest excess over the fall, relative, in {len(falls)} steps",
        1e-9,
        room=smallest(1 - losses / falls),
    )


@claim(
    "imd.descent-smaller-start",
    title="Steps act as a smaller start",
    source="after Even et al. 2023",
    statement="To first order in $η$, gradient descent ends at the minimizer of the potential "
    "whose $√k$ is multiplied by $∏(1 − (ηp)²)$, over the pulls $p$ of its steps: what is left "
    "falls like $η²$.",
)
def descent_smaller_start() -> Comparison:
    """Measure the order of the distance to the minimizer with the k that the steps leave."""
    X, y = np.array([[1.0, 2.0]]), np.array([1.0])
    net = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=2)
    steps, gaps = np.array([1e-2, 2.5e-3]), []
    for eta in steps:
        run = gradient_descent(net, X, y, step_size=float(eta), steps=round(12 / eta))
        pulls = (y - run.w[:-1] @ X.T) @ X
        left = implicit_potential(net).sqrt_k * np.prod(1 - (eta * pulls) ** 2, axis=0)
        predicted = bregman_projection(HypentropyPotential(left, np.zeros(2)), X, y).w
        gaps.append(np.linalg.norm(run.w[-1] - predicted))
    measured = float(np.diff(np.log(gaps))[0] / np.diff(np.log(steps))[0])
    return Comparison(
        "order in $η$", 2.0, measured, abs(measured - 2), "difference of the orders", 0.02
    )


CLAIMS = (
    theorem_1,
    theorem_1_at_scale,
    general_start,
    repeated_sample,
    row_space,
    conservation,
    woodworth,
    hessian_map,
    hessian_map_fails,
    reweighting,
    reweighting_matters,
    innocent_warped,
    collapse,
    rich_limit,
    rich_rate,
    kernel_limit,
    kernel_rate,
    least_norm_error,
    joint_limit,
    incremental,
    descent_order,
    mirror_descent_limit,
    mirror_descent_fall,
    descent_smaller_start,
)
