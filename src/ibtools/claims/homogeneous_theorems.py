"""Further claims on homogeneous networks: constants of rates, other losses, blocks, kinks."""

import numpy as np
import torch
from jaxtyping import Float

from ibtools.claims.claim import Comparison, Worst, claim, excess, largest, smallest
from ibtools.data import digits, three_points
from ibtools.metrics import layer_product_margin, modified_descent_margin, smoothed_margin
from ibtools.metrics.kkt_of_margins import margin_kkt
from ibtools.models import MLP, DeepLinear, DiagonalClassifier, Net
from ibtools.theory import (
    SphereBounds,
    block_margin_ratio,
    block_norms,
    complementarity_bound,
    deep_linear_bounds,
    deep_linear_margin,
    diagonal_bounds,
    growth_cap,
    kink_limit,
    kkt_visit_bound,
    log_descent_step_bound,
    log_time_bracket,
    loss_rate_constant,
    margin_bracket,
    max_margin,
    norm_bound,
    tail_inverse,
)
from ibtools.trainers import descend, exact_flow, margin_flow

_LYU = "Lyu & Li 2020"

_ONE = np.array([[2.0, 1.0]]), np.array([1.0])


def _linear(weights: Float[np.ndarray, "k d"]) -> DeepLinear:
    """Return a linear predictor with one output, or with several, at these weights."""
    net = DeepLinear(d=weights.shape[1], depth=1, outputs=len(weights), seed=0)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.as_tensor(weights))
    return net


def _aligned(depth: int, z: Float[np.ndarray, " d"], size: float) -> DeepLinear:
    """Return a deep linear net of width one, its layers of norm `size`, along z."""
    net = DeepLinear(d=z.size, depth=depth, width=1, seed=0)
    with torch.no_grad():
        for i, weight in enumerate(net.parameters()):
            row = z / np.linalg.norm(z) if i == 0 else np.ones(1)
            weight.copy_(torch.as_tensor(size * row)[None])
    return net


def _three_classes() -> tuple[Float[np.ndarray, "n d"], np.ndarray]:
    X = np.array([[2.0, 0.3], [1.5, -0.4], [-0.8, 1.9], [-1.2, 1.4], [-0.7, -1.8], [-1.3, -1.2]])
    return X, np.array([0, 0, 1, 1, 2, 2])


def _pairs(X: Float[np.ndarray, "n d"], y: np.ndarray) -> Float[np.ndarray, "m p"]:
    """Return (e_y − e_l) ⊗ x for all samples and other classes l."""
    units = np.eye(int(y.max()) + 1)
    return np.array(
        [
            np.kron(units[label] - units[other], x)
            for x, label in zip(X, y, strict=True)
            for other in range(len(units))
            if other != label
        ]
    )


@claim(
    "homogeneous.exists",
    title="The flow exists for all times",
    source="this book",
    theorem="thm-hm-exists",
    statement="$ρ² ≤ ρ₀² + 2Lnct$, $c$ the largest value of $−ℓ′(q)q$: $1/e$ for the exponential "
    "loss, $W(1/e)$ for the logistic one, $W((k−1)/e)$ for $k$ classes, $3/e$ for $e^(−q³)$; at "
    "equal margins of the worst size $ρ²$ grows just so fast.",
    relation="≥",
)
def exists() -> Comparison:
    """Hold the bound against two flows; start four more where it is attained."""
    worst = Worst()
    toy, classes = three_points(), _three_classes()
    for loss, (X, y), net in (
        ("exponential", toy, DeepLinear(2, 2, width=2, scale=0.5, seed=0)),
        ("cross_entropy", classes, DeepLinear(2, 1, outputs=3, scale=0.5, seed=1)),
    ):
        flow = exact_flow(net, X, y, loss=loss, until_log_loss=-5.0, tolerance=1e-6)
        bound = norm_bound(
            np.exp(flow.log_time[1:]), order=net.order, n=len(y),
            initial_norm=float(flow.norm[0]), loss=loss, classes=3,
        )  # fmt: skip
        room = smallest(1 - flow.norm[1:] / bound)
        worst.see(excess(flow.norm[1:], bound), bound[-1], float(flow.norm[-1]), room=room)
    for loss, size in (
        ("exponential", 1.0),
        ("logistic", 0.0),
        ("cross_entropy", 0.0),
        ("cubic", 1.0),
    ):
        k = 4 if loss == "cross_entropy" else 1
        # Where −ℓ′(q)q is largest its value is also q − 1, for the logistic loss and its like.
        q = size or 1 + growth_cap(loss, classes=4)
        X, y = np.eye(4), np.arange(4) if k == 4 else np.ones(4)
        start = _linear(q * (np.eye(4) - 0.25) if k == 4 else np.full((1, 4), q))
        first = exact_flow(
            start, X, y, loss=loss, until_log_loss=_just_below(q, loss), tolerance=1e-9
        )
        bound = norm_bound(
            np.exp(first.log_time[-1:]), order=1, n=4, initial_norm=float(first.norm[0]),
            loss=loss, classes=4,
        )  # fmt: skip
        grown = first.norm[-1] ** 2 - first.norm[0] ** 2
        most = float(bound[0] ** 2 - first.norm[0] ** 2)
        worst.see(abs(grown / most - 1), float(bound[0]), float(first.norm[-1]), room=0.0)
    return worst.comparison(
        "$ρ$ at the end",
        "excess over the bound in 2 flows, or relative difference of $ρ² − ρ₀²$ where it is "
        "attained",
        1e-3,
    )


def _just_below(q: float, loss: str) -> float:
    """Return log 𝓛 of four margins that are by 0.02 above q."""
    q += 0.02
    each = {
        "exponential": np.exp(-q),
        "logistic": np.log1p(np.exp(-q)),
        "cross_entropy": np.log1p(3 * np.exp(-q)),
        "cubic": np.exp(-(q**3)),
    }[loss]
    return float(np.log(4 * each))


@claim(
    "homogeneous.time-bracket",
    title="When a loss is reached: from both sides",
    source=f"{_LYU}; the constants: this book",
    theorem="thm-hm-bracket",
    statement="With $a = 2 − 2/L$, $L²γ̃₀^(2/L) t ≤ ∫eᵛ g^(2/L)/h² dv$ and $∫eᵛ g^(−a) dv ≤ "
    "B₁²γ̃₀^(−a) t$, from $u₀$ to $u = log(1/𝓛)$: equalities for one sample and layers along it.",
    relation="≤",
)
def time_bracket() -> Comparison:
    """Measure times along flows of one, two and three layers, and of a single sample."""
    worst = Worst()
    toy, classes = three_points(), _three_classes()
    for loss, (X, y), net in (
        ("exponential", toy, DeepLinear(2, 1, scale=0.5, seed=0)),
        ("exponential", toy, DeepLinear(2, 2, width=2, scale=0.9, seed=0)),
        ("logistic", toy, DeepLinear(2, 1, scale=0.5, seed=0)),
        ("cross_entropy", classes, DeepLinear(2, 1, outputs=3, scale=0.5, seed=1)),
        *(("exponential", _ONE, _aligned(L, _ONE[0][0], 0.9)) for L in (1, 2, 3)),
    ):
        depth = net.order
        radius = 2**0.5 if loss == "cross_entropy" else 1.0
        begun = margin_flow(net, X, y, loss=loss, until_log10_loss=-0.5).net
        flow = exact_flow(begun, X, y, loss=loss, until_log_loss=-10.0, tolerance=1e-6)
        begin = smoothed_margin(flow.log_loss[0], flow.norm[0], depth, loss)
        early, late = log_time_bracket(
            flow.log_loss[1:], order=depth, initial_log_loss=float(flow.log_loss[0]), loss=loss,
            initial_smoothed_margin=float(begin),
            gradient_bound=radius * deep_linear_bounds(X, depth=depth).gradient,
        )  # fmt: skip
        log_t = flow.log_time[1:]
        error = largest(early - log_t, log_t - late, 0.0)
        if len(y) == 1:
            error = largest(np.abs(early - log_t), np.abs(late - log_t))
        room = 0.0 if len(y) == 1 else smallest(-np.expm1(early - log_t), -np.expm1(log_t - late))
        worst.see(error, float(early[-1]), float(log_t[-1]), room=room)
    return worst.comparison(
        "$log t$ at $𝓛 = e⁻¹⁰$",
        "violation of either side, or difference where both are attained, worst of 7 flows",
        1e-3,
    )


@claim(
    "homogeneous.losses",
    title="Four losses, one bracket",
    source=_LYU,
    theorem="thm-hm-losses",
    statement="$g(u) ≤ q_min ≤ g(u + log n) + log(k − 1)$, $u = log(1/𝓛)$, for the exponential "
    "loss, the logistic one, cross-entropy of $k$ classes and $e^(−q³)$: on the left for one "
    "sample, on the right for equal margins; and $g(u)/ρ^L$ never falls once $𝓛 < ℓ(0)$. (Error: "
    "relative difference, violation, or fall.)",
)
def losses() -> Comparison:
    """Follow flows with one sample, with equal margins, and with three samples in the plane."""
    worst = Worst()
    for loss in ("exponential", "logistic", "cross_entropy", "cubic"):
        classes = 4 if loss == "cross_entropy" else 2
        several = _three_classes() if loss == "cross_entropy" else three_points()
        equal = np.eye(4), np.arange(4) if classes == 4 else np.ones(4)
        alone = np.array([[2.0, 1.0]]), np.array([0]) if classes == 4 else np.ones(1)
        one = _linear(np.array([[0.3, 0.2], [0.0, 0.0]]) if classes == 4 else np.full((1, 2), 0.3))
        even = _linear(np.eye(4) if classes == 4 else np.full((1, 4), 0.5))
        net = DeepLinear(2, 1, outputs=3 if classes == 4 else 1, scale=0.5, seed=1)
        for kind, start, (X, y), k in (
            ("low", one, alone, 2), ("high", even, equal, classes), ("", net, several, 3),
        ):  # fmt: skip
            # The bracket is one of points: along a path of low accuracy it must hold all the same.
            end = -1.5 if kind else -6.0
            flow = exact_flow(start, X, y, loss=loss, until_log_loss=end, tolerance=1e-4)
            on = flow.log_loss < (0.0 if loss in ("exponential", "cubic") else np.log(np.log(2)))
            q = flow.minimum_margin[on]
            low, high = margin_bracket(flow.log_loss[on], n=len(y), loss=loss, classes=k)
            error = largest((low - q) / q, (q - high) / q, 0.0)
            if kind:
                error = largest(np.abs((low if kind == "low" else high) / q - 1))
            margin = tail_inverse(-flow.log_loss[on], loss) / flow.norm[on]
            climbed = np.diff(margin) / margin[1:]
            worst.see(largest(error, -climbed), float(high[-1]), float(q[-1]))
    return worst.comparison("$q_min$", "largest of the three, in twelve flows", 1e-9)


@claim(
    "homogeneous.cubic",
    title="The loss $e^(−q³)$ is the exponential one of order $3L$",
    source="this book",
    theorem="thm-hm-losses",
    statement="For labels $±1$ the loss $e^(−q³)$ of a net of order $L$ is the exponential loss "
    "of its cube, of order $3L$: $𝓛 t u^(2−2/3L) → 1/(9L²γ̄^(2/L))$, $u = log(1/𝓛)$, and $γ̄$ "
    "goes where the exponential loss takes it.",
)
def cubic() -> Comparison:
    """Follow a linear predictor and a diagonal one down to e⁻³⁰⁰."""
    X, y = three_points()
    worst = Worst()
    for depth in (1, 2):
        best = deep_linear_margin(X, y, depth=depth)
        net = _aligned(depth, np.ones(2), 0.7)
        flow = exact_flow(
            net, X, y, loss="cubic", until_log_loss=-300.0, tolerance=1e-5, stiff=True
        )
        power = 2 - 2 / (3 * depth)
        measured = float(
            np.exp(flow.log_time[-1] + flow.log_loss[-1]) * (-flow.log_loss[-1]) ** power
        )
        predicted = loss_rate_constant(best**3, 3 * depth)
        reached = float(flow.minimum_margin[-1] / flow.norm[-1] ** depth)
        worst.see(
            largest(abs(measured / predicted - 1), abs(reached / best - 1)), predicted, measured
        )
    return worst.comparison(
        "$𝓛 t u^(2−2/3L)$ at $𝓛 = e⁻³⁰⁰$",
        "relative difference, of it and of $γ̄$, worst of $L = 1$, 2",
        5e-3,
    )


@claim(
    "homogeneous.other-rates",
    title="The same rate for the logistic loss and cross-entropy",
    source=f"{_LYU}; the constant: this book",
    theorem="thm-hm-rates",
    statement="$𝓛 t (log 1/𝓛)^(2−2/L) → 1/(L²γ̄^(2/L))$ for these as for the exponential loss.",
)
def other_rates() -> Comparison:
    """Compare flows at 10⁻³⁰⁰⁰⁰ with the largest margins, of all pairs for three classes."""
    worst = Worst()
    toy, classes = three_points(), _three_classes()
    pairs = _pairs(*classes)
    for loss, (X, y), net, best in (
        *(
            ("logistic", toy, DeepLinear(2, L, width=1, scale=0.7, seed=0),
             deep_linear_margin(*toy, depth=L))
            for L in (1, 2, 3)
        ),
        (
            "cross_entropy", classes, DeepLinear(2, 1, outputs=3, seed=1),
            max_margin(pairs, np.ones(len(pairs))).margin,
        ),
    ):  # fmt: skip
        run = margin_flow(net, X, y, loss=loss, until_log10_loss=-30_000)
        power = 2 - 2 / net.order
        measured = float(np.exp(run.log_time[-1] + run.log_loss[-1]) * (-run.log_loss[-1]) ** power)
        predicted = loss_rate_constant(best, net.order)
        worst.see(abs(measured / predicted - 1), predicted, measured)
    return worst.comparison(
        "$𝓛 t (log 1/𝓛)^(2−2/L)$ at $10⁻³⁰⁰⁰⁰$",
        "relative difference, worst of 4 flows",
        1e-4,
    )


@claim(
    "homogeneous.kkt-pairs",
    title="KKT points of cross-entropy: one constraint for each wrong class",
    source=f"{_LYU}; the bound: this book",
    theorem="thm-hm-pairs",
    statement="With $λ_jl = q_min^(1−2/L) ρ v_jl/‖∇𝓛‖$, $v_jl = −∂𝓛/∂s_jl$, $ε = √(2(1−β)) "
    "γ̄^(−1/L)$ and $δ ≤ (m−1)κ/(eLγ̄^(2/L)h(u))$, $m = n(k−1)$; for a linear predictor the "
    "$λ_jl$ tend to the multipliers of the hard-margin problem with $s_jl ≥ 1$.",
)
def kkt_pairs() -> Comparison:
    """Form the residuals pair by pair on the way; compare multipliers at 10⁻¹⁰⁰⁰⁰⁰."""
    worst = Worst()
    X, y = _three_classes()
    pairs = _pairs(X, y)
    predicted = max_margin(pairs, np.ones(len(pairs))).multipliers
    line = margin_flow(
        DeepLinear(2, 1, outputs=3, seed=1), X, y, loss="cross_entropy", until_log10_loss=-100_000
    )
    table = margin_kkt(line.net, X, y, multipliers="closed_form").multipliers
    found = table[np.arange(3) != y[:, None]]
    off = np.linalg.norm(found - predicted) / np.linalg.norm(predicted)
    worst.see(float(off), float(predicted.sum()), float(found.sum()))
    crowd = digits(classes=(0, 1, 2), per_class=7, seed=0)
    two = digits(classes=(3, 8), per_class=10, seed=0)
    for loss, (samples, labels), net, m in (
        ("cross_entropy", crowd, DeepLinear(64, 2, width=4, outputs=3, seed=2), 42),
        ("logistic", two, MLP([64, 6, 1], "squared_relu", scale=0.5, seed=0), 20),
    ):
        run = margin_flow(net, samples, labels, loss=loss, until_log10_loss=-8)
        for i in len(run.steps) - np.array([6, 1]):
            at = run.net_at(int(i))
            kkt = margin_kkt(at, samples, labels, multipliers="closed_form", loss=loss)
            now = slice(i, i + 1)
            (bound,) = complementarity_bound(
                run.log_loss[now], run.normalized_margin[now], run.minimum_margin[now],
                order=net.order, pairs=m, loss=loss,
            )  # fmt: skip
            error = abs(kkt.stationarity / run.stationarity[i] - 1)
            error = largest(error, excess(kkt.complementarity, bound))
            worst.see(error, float(run.stationarity[i]), kkt.stationarity)
    return worst.comparison(
        "$Σλ$ of three classes, at $10⁻¹⁰⁰⁰⁰⁰$ (predicted: hard margin)",
        "relative difference of the multipliers or of $ε$, or excess of $δ$ over its bound",
        1e-4,
    )


@claim(
    "homogeneous.kkt-visit",
    title="An approximate KKT point is visited in finite time",
    source=f"{_LYU}; the constant: this book",
    theorem="thm-hm-visit",
    statement="While $log ρ$ grows by $R$ and $γ̃$ from $γ̃₁$ to $γ̃₂$, some point has $ε² ≤ 2(1 "
    "− (1+x)^(−1/2)) γ̃₁^(−2/L)$, $x = log(γ̃₂/γ̃₁)/(LR)$; for one sample $∫(β⁻² − 1) d log ρ = "
    "L⁻¹ log(γ̃₂/γ̃₁)$, so that in a short stretch the bound is attained.",
    relation="≥",
)
def kkt_visit() -> Comparison:
    """Hold the bound against all stretches of two runs, and meet it with one sample."""
    worst = Worst()
    crowd = digits(classes=(3, 8), per_class=10, seed=0)
    for net, (X, y) in (
        (DeepLinear(2, 2, width=2, seed=0), three_points()),
        (MLP([64, 6, 1], "squared_relu", scale=0.5, seed=0), crowd),
    ):
        run = margin_flow(net, X, y, until_log10_loss=-300, relative_step=0.1)
        (on,) = np.nonzero(run.log_loss < -1)
        for first in on[: -1 : len(on) // 8 + 1]:
            later = on[on > first]
            bound = np.array(
                [
                    float(
                        kkt_visit_bound(
                            np.log(run.norm[i] / run.norm[first]), order=net.order,
                            first=float(run.smoothed_margin[first]),
                            last=float(run.smoothed_margin[i]),
                        )
                    )
                    for i in later
                ]
            )  # fmt: skip
            seen = np.minimum.accumulate(run.stationarity[first : on[-1] + 1])[1:]
            room = smallest(1 - seen / bound)
            worst.see(excess(seen, bound), float(bound[-1]), float(seen[-1]), room=room)
    X, y = _ONE
    flow = exact_flow(_linear(np.array([[1.0, 0.1]])), X, y, until_log_loss=-2.105, tolerance=1e-10)
    growth = np.log(flow.norm[-1] / flow.norm[0])
    first, last = smoothed_margin(flow.log_loss[[0, -1]], flow.norm[[0, -1]], 1)
    most = float(kkt_visit_bound(growth, order=1, first=float(first), last=float(last)))
    margins = flow.minimum_margin / flow.norm
    least = smallest(np.sqrt(2 * (1 - flow.gradient_alignment)) / margins)
    worst.see(abs(least / most - 1), most, least, room=0.0)
    budget = float(np.log(last / first))
    worst.see(abs(float(flow.turning[-1]) / budget - 1), budget, float(flow.turning[-1]), room=0.0)
    return worst.comparison(
        "$ε$",
        "excess over the bound in two runs, or relative difference where it is attained",
        1e-2,
    )


@claim(
    "homogeneous.blocks",
    title="Layer by layer: the margin over the product of norms climbs too",
    source=_LYU,
    theorem="thm-hm-blocks",
    statement="With $Φ$ of degree $k_i$ in each block, $‖w_i‖² = ‖w_i(0)‖² + (k_i/L)(ρ² − ρ₀²)$, "
    "and $log(u/Π‖w_i‖^k_i)$ grows by at least $Σk_i∫‖dŵ_i‖²/d log‖w_i‖$, for one sample by just "
    "that; $γ̄ ρ^L/Π‖w_i‖^k_i$ tends to $Π(L/k_i)^(k_i/2)$.",
)
def blocks() -> Comparison:
    """Predict every layer's norm from ρ, and the growth from how the layers' directions turn."""
    worst = Worst()
    two = digits(classes=(3, 8), per_class=3, seed=0)
    single = two.X[:1], two.y[:1]
    for net, (X, y), degrees in (
        (MLP([64, 5, 1], "squared_relu", scale=0.7, seed=0), two, (2, 1)),
        (MLP([64, 5, 1], "squared_relu", scale=0.7, seed=7), single, (2, 1)),
        (DeepLinear(64, 3, width=3, seed=2), single, (1, 1, 1)),
    ):
        begun = margin_flow(net, X, y, until_log10_loss=-0.3).net
        flow = exact_flow(begun, X, y, until_log_loss=-20.0, tolerance=1e-7)
        norms = block_norms(flow.norm, initial=flow.layer_norms[0], exponents=degrees)
        product = (flow.layer_norms ** np.array(degrees)).prod(axis=1)
        margin = -flow.log_loss / product
        grown = float(np.log(margin[-1] / margin[0]))
        least = float(flow.layer_turning[-1] @ np.array(degrees))
        error = largest(np.abs(flow.layer_norms / norms - 1), -np.diff(margin) / margin[1:])
        if len(y) == 1:
            error = largest(error, abs(grown / least - 1))
        error = largest(error, excess(least, grown))
        worst.see(error, least, grown)
        run = margin_flow(begun, X, y, until_log10_loss=-30_000)
        product = layer_product_margin(run.minimum_margin[-1:], run.layer_norms[-1:], degrees)
        ratio = float(product[0] / run.normalized_margin[-1])
        best = block_margin_ratio(degrees)
        worst.see(abs(ratio / best - 1), best, ratio)
    return Comparison(
        "$γ̄ ρ^L/Π‖w_i‖^k_i$ at $10⁻³⁰⁰⁰⁰$, three layers",
        best,
        ratio,
        worst.error,
        "relative difference of it, of norms or of the growth, or a fall, worst of 3 nets",
        1e-4,
    )


@claim(
    "homogeneous.descent-rates",
    title="Gradient descent has the rates of the flow",
    source=f"{_LYU}; the constants: this book",
    theorem="thm-hm-descent-rates",
    statement="With steps of at most the share $s$ of the permitted ones, $(1 − s/2) L² γ_s^(2/L) "
    "T ≤ ∫eᵛ v^(−a) dv ≤ e^(s√e) B₁² γ_s^(−a) T$, $T = Ση$, $a = 2 − 2/L$, $γ_s = "
    "γ̃₀e^(−s(1+1/2u₀))$: for one sample, and $s → 0$, equalities.",
    relation="≤",
)
def descent_rates() -> Comparison:
    """Descend with constant steps, permitted from the start on, on three models."""
    worst = Worst()
    toy = three_points()
    for (X, y), net, bounds, share, until in (
        (toy, _linear(np.array([[0.5, 0.3]])), deep_linear_bounds(toy.X, depth=1), 1.0, -6.5),
        (toy, DiagonalClassifier([0.9, 0.9], [0.2, 0.2]), diagonal_bounds(toy.X), 1.0, -3.6),
        (_ONE, _linear(np.array([[0.2, 0.1]])), deep_linear_bounds(_ONE[0], depth=1), 1e-3, -3.2),
    ):
        begun = margin_flow(net, X, y, until_log10_loss=-3 / np.log(10))
        step = share * _longest(begun.net, begun.log_loss[-1], begun.norm[-1], bounds)
        run = descend(
            begun.net, X, y, step_size=step, record_growth=1.1, until_log10_loss=until / np.log(10)
        )
        early, late = log_time_bracket(
            run.log_loss[1:], order=net.order, initial_log_loss=float(run.log_loss[0]),
            initial_smoothed_margin=float(run.smoothed_margin[0]),
            gradient_bound=bounds.gradient, share=share,
        )  # fmt: skip
        log_t = run.log_time[1:]
        error = largest(early - log_t, log_t - late, 0.0)
        if len(y) == 1:
            error = largest(np.abs(early - log_t), np.abs(late - log_t))
        room = 0.0 if len(y) == 1 else smallest(-np.expm1(early - log_t), -np.expm1(log_t - late))
        worst.see(error, float(early[-1]), float(log_t[-1]), room=room)
    return worst.comparison(
        "$log T$",
        "violation of either side in $log T$, or difference where both are attained, 3 runs",
        5e-3,
    )


def _longest(net: Net, log_loss: float, norm: float, bounds: SphereBounds) -> float:
    """Return the longest step that the theorem allows at the start; later it allows longer ones."""
    margin = modified_descent_margin(log_loss, norm, net.order, initial_log_loss=float(log_loss))
    longest = log_descent_step_bound(
        float(log_loss), order=net.order, initial_log_loss=float(log_loss),
        initial_modified_margin=float(margin), initial_norm=float(norm), bounds=bounds,
    )  # fmt: skip
    return float(np.exp(longest))


@claim(
    "homogeneous.descent-visit",
    title="Gradient descent visits approximate KKT points as well",
    source=f"{_LYU}; the constants: this book",
    theorem="thm-hm-descent-rates",
    statement="With permitted steps $Σr(β⁻² − 1) ≤ L⁻¹ log(γ̂₂/γ̂₁)$, $r = −η⟨θ,∇𝓛⟩/ρ²$, so that "
    "the flow's bound on $ε$ holds with $R = Σr$ and $γ̂$: attained for one sample, $s → 0$ and a "
    "short stretch.",
    relation="≥",
)
def descent_visit() -> Comparison:
    """Descend with constant steps, permitted from the start on; look at every step."""
    worst = Worst()
    toy = three_points()
    for (X, y), net, bounds, share, until in (
        (toy, _linear(np.array([[0.5, 0.3]])), deep_linear_bounds(toy.X, depth=1), 1.0, -6.5),
        (_ONE, _linear(np.array([[1.0, 1.2]])), deep_linear_bounds(_ONE[0], depth=1), 1e-3, -3.21),
    ):
        begun = margin_flow(net, X, y, until_log10_loss=-3 / np.log(10))
        step = share * _longest(begun.net, begun.log_loss[-1], begun.norm[-1], bounds)
        run = descend(
            begun.net, X, y, step_size=step, record_growth=1, until_log10_loss=until / np.log(10)
        )
        u = -run.log_loss
        modified = run.smoothed_margin * np.exp(-share * u[0] * (1 / u + 1 / (2 * u**2)))
        pull = step * np.exp(run.log_loss) * run.gradient_norm / run.norm
        growth = np.cumsum(pull * run.gradient_alignment)[:-1]
        bound = np.array(
            [
                float(kkt_visit_bound(R, order=1, first=float(modified[0]), last=float(last)))
                for R, last in zip(growth, modified[1:], strict=True)
            ]
        )
        seen = np.minimum.accumulate(run.stationarity)[:-1]
        room = smallest(1 - seen / bound)
        error = largest(excess(seen, bound))
        if len(y) == 1:
            error = largest(error, abs(seen[-1] / bound[-1] - 1))
        worst.see(error, float(bound[-1]), float(seen[-1]), room=room)
    return worst.comparison(
        "least $ε$ so far",
        "excess over the bound at any step, or relative difference where it is attained",
        1e-2,
    )


@claim(
    "homogeneous.kink",
    title="A limit on a kink",
    source="this book",
    theorem="thm-hm-kink",
    statement="Two ReLU neurons on two unit samples at the angle $φ$, of opposite labels, slide "
    "along each other's sample: on the kink the flow takes the slope $cos φ$ of Clarke's [0, 1], "
    "and the normalized margin tends to $¼ sin φ$.",
)
def kink() -> Comparison:
    """Descend with short steps, which hop across the kink: count how often they are beyond it."""
    angle = np.pi / 3
    X = np.array([[np.cos(angle / 2), np.sin(angle / 2)], [np.cos(angle / 2), -np.sin(angle / 2)]])
    net = MLP([2, 2, 1], "relu", seed=0)
    inputs, outputs = net.parameters()
    with torch.no_grad():
        inputs.copy_(torch.as_tensor(X) * 0.8)
        outputs.copy_(torch.tensor([[0.8, -0.8]]))
    run = descend(
        net, X, np.array([1.0, -1.0]), step_size=0.02, until_log10_loss=-1.7, record_growth=1
    )
    limit = kink_limit(float(angle))
    weights = run.states[:, :4].reshape(-1, 2, 2)
    other = np.einsum("tij,ij->ti", weights, X[::-1])
    sliding = other[len(other) // 4 :] > 0
    share = float(sliding.mean())
    margin = float(run.normalized_margin[-1])
    error = largest(abs(share / limit.slope - 1), abs(margin / limit.margin - 1))
    return Comparison(
        "share of steps beyond the kink",
        limit.slope,
        share,
        error,
        "relative, of it and of $γ̄$",
        0.01,
    )


CLAIMS = (
    exists,
    time_bracket,
    losses,
    cubic,
    other_rates,
    kkt_pairs,
    kkt_visit,
    blocks,
    descent_rates,
    descent_visit,
    kink,
)
