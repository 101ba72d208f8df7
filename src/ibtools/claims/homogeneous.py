"""Claims of the chapter on homogeneous networks: margins that grow, and where they end."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import solve_ivp
from torch import Tensor, nn

from ibtools.claims.claim import Comparison, Worst, claim, excess, largest, smallest
from ibtools.data import blobs, digits, three_points, xor
from ibtools.metrics import (
    loss_threshold,
    modified_descent_margin,
    smoothed_margin,
)
from ibtools.metrics.attack import l2_attack
from ibtools.metrics.certificate import certified_radius
from ibtools.metrics.kkt_of_margins import margin_kkt
from ibtools.models import MLP, ConvNet, DeepLinear, DiagonalClassifier, Net, homogeneity_order
from ibtools.theory import (
    SphereBounds,
    deep_linear_bounds,
    deep_linear_gap,
    deep_linear_margin,
    diagonal_bounds,
    diagonal_margin,
    log_descent_step_bound,
    loss_rate_constant,
    max_margin,
    separation_constants,
    two_layer_bounds,
    two_layer_margin,
)
from ibtools.theory.polishing import kkt_point
from ibtools.trainers import MarginRun, descend, margin_flow

_LYU = "Lyu & Li 2020"

Flat = Float[np.ndarray, " p"]


@dataclass(frozen=True, eq=False)
class _Point:
    """What a net does on its data at some parameters: margins (n, c), their weights, −∇log 𝓛."""

    log_loss: float
    velocity: Flat
    margins: Float[np.ndarray, "n c"]
    weights: Float[np.ndarray, "n c"]


class _Landscape:
    """log 𝓛 as a function of a flat vector of parameters, by automatic differentiation alone."""

    def __init__(self, net: Net, X: np.ndarray, y: np.ndarray, loss: str = "exponential") -> None:
        self.net = copy.deepcopy(net)
        self.X, self.y, self.loss = torch.as_tensor(X), torch.as_tensor(y), loss
        if y.dtype.kind == "i":
            self.others = nn.functional.one_hot(self.y) == 0
        self.start = np.concatenate(
            [p.detach().numpy().ravel() for p in self.net.parameters()], dtype=np.float64
        )

    def margins(self) -> Float[Tensor, "n c"]:
        outputs = self.net(self.X)
        if outputs.ndim == 1:
            return (self.y * outputs)[:, None]
        own = outputs.gather(1, self.y[:, None])
        return own - outputs[self.others].view(len(outputs), -1)

    def __call__(self, theta: Flat) -> _Point:
        weights = list(self.net.parameters())
        pieces = torch.tensor(theta).split([p.numel() for p in weights])
        for p, piece in zip(weights, pieces, strict=True):
            p.data = piece.view_as(p)
        margins = self.margins()
        each = torch.logsumexp(-margins, dim=1)
        if self.loss != "exponential":
            each = nn.functional.softplus(each).log()
        log_loss = torch.logsumexp(each, dim=0)
        by_margin, *by_weight = torch.autograd.grad(log_loss, [margins, *weights])
        return _Point(
            float(log_loss.detach()),
            -np.concatenate([g.numpy().ravel() for g in by_weight]),
            margins.detach().numpy(),
            -by_margin.numpy(),
        )


def _exact_flow(
    landscape: _Landscape,
    start: Flat,
    *,
    until: float,
    tolerance: float,
    method: str = "DOP853",
    integrals: Callable[[Flat, _Point, np.ndarray], list[float]] = lambda theta, point, so_far: [],
    initial: tuple[float, ...] = (),
) -> tuple[Float[np.ndarray, "t p"], Float[np.ndarray, "t i"]]:
    """Solve θ' = −∇log 𝓛 as an ODE until log 𝓛 is there, with integrals along the way.

    No step is chosen for the margin's sake: what it does here, it does by itself. The trainers have
    `exact_flow`; this is a witness to it on purpose, by the definitions of `_Landscape`, so that a
    wrong margin or gradient of theirs shows in these claims and is not measured against itself.
    """
    p = start.size

    def slope(_: float, state: np.ndarray) -> np.ndarray:
        point = landscape(state[:p])
        return np.concatenate([point.velocity, integrals(state[:p], point, state[p:])])

    def left(_: float, state: np.ndarray) -> float:
        return landscape(state[:p]).log_loss - until

    left.terminal = True  # type: ignore[attr-defined]
    found = solve_ivp(
        slope, (0.0, 1e12), np.append(start, initial), method=method, rtol=tolerance,
        atol=1e-3 * tolerance, events=left,
    )  # fmt: skip
    if found.status != 1:
        raise RuntimeError(f"the flow did not reach log loss {until:g}: {found.message}")
    return found.y[:p].T, found.y[p:].T


def _three_losses() -> list[tuple[Net, np.ndarray, np.ndarray, str]]:
    """Return nets on digits, one for each loss."""
    two = digits(classes=(3, 8), per_class=10, seed=0)
    three = digits(classes=(0, 1, 2), per_class=7, seed=0)
    return [
        (MLP([64, 6, 1], "squared_relu", scale=0.5, seed=0), *two, "exponential"),
        (MLP([64, 6, 1], "squared_relu", bias="first", scale=0.5, seed=1), *two, "logistic"),
        (DeepLinear(64, 2, width=6, outputs=3, scale=0.5, seed=2), *three, "cross_entropy"),
    ]


def _norms(states: Float[np.ndarray, "t p"]) -> Float[np.ndarray, " t"]:
    return np.asarray(np.linalg.norm(states, axis=1))


@claim(
    "homogeneous.euler",
    title="The order of a net, counted in its layers",
    source="Euler; the orders: Lyu & Li 2020",
    theorem="thm-hm-euler",
    statement="A net of order $L$ has $⟨θ, ∇Φ⟩ = LΦ$ and $Φ(cθ) = c^L Φ(θ)$, where $L$ is 1 for "
    "each linear or convolutional layer, doubled by a squared ReLU; the first layer may have a "
    "bias.",
)
def euler() -> Comparison:
    """Compare the counted order with how outputs and their derivatives grow, for eight nets."""
    nets: list[tuple[Net, tuple[int, ...]]] = [
        (MLP([5, 7, 6, 1], "relu", bias="first", seed=0), (5,)),
        (MLP([5, 7, 6, 3], "leaky_relu", seed=1), (5,)),
        (MLP([5, 7, 1], "squared_relu", bias="first", seed=2), (5,)),
        (MLP([5, 7, 6, 1], "squared_relu", seed=3), (5,)),
        (DeepLinear(d=5, depth=4, width=3, seed=4), (5,)),
        (DiagonalClassifier(np.ones(5), np.ones(5)), (5,)),
        (ConvNet((1, 8, 8), [[4], [6]], hidden=[9], outputs=10, bias="first", seed=5), (1, 8, 8)),
        (ConvNet((2, 8, 8), [[3, 4], [4]], activation="squared_relu", seed=6), (2, 8, 8)),
    ]
    factor = 1.7
    worst = Worst()
    for i, (net, shape) in enumerate(nets):
        source = torch.Generator().manual_seed(i)
        x = torch.randn((20, *shape), generator=source, dtype=torch.float64)
        weights = list(net.parameters())
        with torch.no_grad():
            # Of zero biases the identity would say nothing.
            for p in weights:
                p.normal_(generator=source)
            at_once = net(x)
            for p in weights:
                p.mul_(factor)
        outputs = net(x)
        order = homogeneity_order(net)
        share = torch.randn(outputs.shape, generator=source, dtype=torch.float64)
        slopes = torch.autograd.grad((share * outputs).sum(), weights)
        growth = sum(float((w.detach() * g).sum()) for w, g in zip(weights, slopes, strict=True))
        outputs = outputs.detach()
        measured = growth / float((share * outputs).sum())
        scaled = float((outputs - factor**order * at_once).norm() / outputs.norm())
        worst.see([abs(measured / order - 1), scaled], order, measured)
    return worst.comparison(
        "order $L$, and what $⟨θ, ∇Φ⟩/Φ$ shows",
        "relative difference of $⟨θ, ∇Φ⟩$ and $LΦ$, or of $Φ(cθ)$ and $c^L Φ(θ)$, worst of 8 nets",
        1e-11,
    )


@claim(
    "homogeneous.smoothed-margin",
    title="The smoothed margin climbs",
    source=_LYU,
    theorem="thm-hm-climbs",
    statement="Once $𝓛 < ℓ(0)$, gradient flow never lowers $γ̃ = ℓ⁻¹(𝓛)/ρ^L$, whether the loss is "
    "the exponential, the logistic or cross-entropy. (Error: the largest relative fall.)",
)
def smoothed_margin_climbs() -> Comparison:
    """Watch the smoothed margin along an ODE solver's path, for three losses."""
    falls, times, harm = 0, 0, []
    for net, X, y, loss in _three_losses():
        landscape = _Landscape(net, X, y, loss)
        states, _ = _exact_flow(landscape, landscape.start, until=-12.0, tolerance=1e-7)
        log_loss = np.array([landscape(theta).log_loss for theta in states])
        on = log_loss < loss_threshold(loss)
        margin = smoothed_margin(log_loss[on], _norms(states[on]), net.order, loss)
        rises = np.diff(margin) / margin[1:]
        falls += int(np.sum(~(rises >= 0)))
        times += rises.size
        harm.append(largest(0.0, -rises))
    return Comparison(
        f"times of {times} at which $γ̃$ fell",
        0.0,
        falls,
        largest(harm),
        "largest relative fall",
        1e-9,
    )


@claim(
    "homogeneous.margin-growth",
    title="… at least as fast as the direction moves",
    source=f"{_LYU}; with equality: this book",
    theorem="thm-hm-climbs",
    statement="$d log γ̃ = L‖dθ̂‖²/d log ρ + (ν/(𝓛h(u)) − 1)·L(d log ρ + ‖dθ̂‖²/d log ρ)$, where "
    "$ν ≥ 𝓛h(u)$, $u = log(1/𝓛)$; hence $d log γ̃ ≥ L‖dθ̂‖²/d log ρ$.",
)
def margin_growth() -> Comparison:
    """Integrate identity and bound beside an ODE solver's path; read the margin at its ends."""
    worst = Worst()
    for net, X, y, loss in _three_losses():
        landscape = _Landscape(net, X, y, loss)
        begin, _ = _exact_flow(
            landscape, landscape.start, until=loss_threshold(loss) - 0.5, tolerance=1e-6
        )
        states, sums = _exact_flow(
            landscape, begin[-1], until=-12.0, tolerance=1e-8, initial=(0.0, 0.0),
            integrals=_growth(net.order, loss),
        )  # fmt: skip
        ends = states[[0, -1]]
        margin = smoothed_margin(
            np.array([landscape(theta).log_loss for theta in ends]), _norms(ends), net.order, loss
        )
        measured = float(np.log(margin[1] / margin[0]))
        predicted, least = sums[-1]
        worst.see([abs(measured / predicted - 1), excess(least, measured)], predicted, measured)
    return worst.comparison(
        "growth of $log γ̃$ down to $𝓛 = e⁻¹²$",
        "relative difference, or excess of the bound, worst of three losses",
        1e-8,
    )


def _growth(order: int, loss: str) -> Callable[[Flat, _Point, np.ndarray], list[float]]:
    """Return the speeds of log γ̃ and of its lower bound, from margins and directions."""

    def speeds(theta: Flat, point: _Point, _: np.ndarray) -> list[float]:
        if loss == "exponential":
            h = -point.log_loss
        else:
            # At the margin ℓ⁻¹(𝓛) = −log(e^𝓛 − 1), f′ = (1 − e^(−𝓛))/𝓛.
            total = np.exp(point.log_loss)
            h = -np.log(np.expm1(total)) * -np.expm1(-total) / total
        # The weights are −∂ log 𝓛: Σ weights·margins is ν/𝓛.
        more = float((point.weights * point.margins).sum()) / h - 1
        square = float(theta @ theta)
        radial = float(theta @ point.velocity) / square
        turning = float(point.velocity @ point.velocity) / square - radial**2
        bound = order * turning / radial
        return [bound + more * (order * radial + bound), bound]

    return speeds


@claim(
    "homogeneous.bracket",
    title="Smoothed and normalized margin",
    source=_LYU,
    theorem="def-hm-margins",
    relation="≥",
    statement="With the exponential loss $γ̃ ≤ γ̄ ≤ γ̃ + ρ⁻ᴸ log n$: an equality on the left for "
    "one sample, on the right where all margins are equal.",
)
def bracket() -> Comparison:
    """Measure both sides of the bracket along six runs."""
    crowd = digits(classes=(3, 8), per_class=10, seed=0)
    equal = np.eye(4), np.array([1.0, -1.0, 1.0, -1.0])
    worst = Worst()
    for net, X, y in (
        (MLP([64, 6, 1], "squared_relu", scale=0.5, seed=0), *crowd),
        (MLP([64, 6, 1], "leaky_relu", bias="first", scale=0.5, seed=1), *crowd),
        (DiagonalClassifier([0.2, 0.2], [0.1, 0.3]), *three_points()),
        (DeepLinear(d=64, depth=1, seed=0), crowd.X[:1], crowd.y[:1]),
        (_even_weights(DeepLinear(d=4, depth=1, seed=0), equal[1]), *equal),
        (DiagonalClassifier([1.0, 0.5, 1.0, 0.5], [0.5, 1.0, 0.5, 1.0]), *equal),
    ):
        run = margin_flow(net, X, y, until_log10_loss=-20)
        on = run.log_loss < 0
        low, middle = run.smoothed_margin[on], run.normalized_margin[on]
        high = low + np.log(len(y)) / run.norm[on] ** run.order
        outside = [largest(excess(low, middle)), largest(excess(middle, high))]
        if len(y) in (1, 4):
            outside.append(largest(np.abs(middle / high - 1)))
        room = largest(0.0, smallest(1 - middle / high))
        worst.see(outside, float(high[-1]), float(middle[-1]), room=room)
    return worst.comparison(
        "$γ̄$ at $10⁻²⁰$, and its bound $γ̃ + ρ⁻ᴸ log n$",
        "part of $γ̄$ outside the bracket, or off the equality, worst of 6 runs",
        1e-12,
    )


def _even_weights(net: DeepLinear, y: np.ndarray) -> DeepLinear:
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.as_tensor(y)[None])
    return net


@claim(
    "homogeneous.kkt-identity",
    title="How far from a KKT point: exactly",
    source=_LYU,
    theorem="thm-hm-residual",
    statement="At $θ̃ = θ/q_min^(1/L)$, with $λⱼ = q_min^(1−2/L) ρ e^(−qⱼ)/‖∇𝓛‖$, the residual $ε "
    "= ‖θ̃ − Σλⱼ∇qⱼ(θ̃)‖$ is $√(2(1−β)) γ̄^(−1/L)$, $β$ the cosine between $θ$ and $−∇𝓛$.",
)
def kkt_identity() -> Comparison:
    """Form multipliers and gradients sample by sample at three losses of three nets."""
    two = digits(classes=(3, 8), per_class=10, seed=0)
    pixels, labels = digits(classes=(3, 8), per_class=10, as_images=True, seed=0)
    worst = Worst()
    for net, X, y in (
        (MLP([64, 6, 1], "squared_relu", scale=0.5, seed=0), *two),
        (MLP([64, 6, 4, 1], "relu", bias="first", seed=0), *two),
        (ConvNet((1, 8, 8), [[4]], bias="first", seed=2), pixels, labels),
    ):
        # Where training is does not matter, nor how it came there: the identity is one of θ.
        run = descend(net, X, y, schedule="armijo", until_log10_loss=-10)
        right = np.flatnonzero(run.minimum_margin > 0)
        for i in (right[k] for k in (0, -5, -1) if right.size):
            at = run.net_at(int(i))
            kkt = margin_kkt(at, X, y, multipliers="closed_form")
            size = run.normalized_margin[i] ** (-1 / run.order)
            residual, slack, cosine = _residual(at, X, y, run.order)
            predicted = float(np.sqrt(2 * (1 - cosine)) * size)
            differences = (
                *(residual - each for each in (predicted, run.stationarity[i], kkt.stationarity)),
                *(slack - each for each in (run.complementarity[i], kkt.complementarity)),
            )
            worst.see(np.abs(differences) / size, predicted, residual)
    return worst.comparison(
        "$ε$",
        "difference relative to $‖θ̃‖$, worst of 9; of $δ = Σλⱼ(qⱼ(θ̃) − 1)$ as well",
        1e-12,
    )


def _residual(net: Net, X: np.ndarray, y: np.ndarray, order: int) -> tuple[float, float, float]:
    """Return ‖θ̃ − Σλ∇q(θ̃)‖, Σλ(q(θ̃) − 1) and β, from each sample's own gradient."""
    weights = list(net.parameters())

    def margins_and_gradients() -> tuple[np.ndarray, np.ndarray]:
        q = torch.as_tensor(y) * net(torch.as_tensor(X))
        rows = [torch.autograd.grad(one, weights, retain_graph=True) for one in q]
        gradients = np.array([np.concatenate([g.numpy().ravel() for g in row]) for row in rows])
        return q.detach().numpy(), gradients

    q, gradients = margins_and_gradients()
    theta = np.concatenate([p.detach().numpy().ravel() for p in weights])
    rho, least = np.linalg.norm(theta), q.min()
    h = np.exp(-q) @ gradients
    multipliers = least ** (1 - 2 / order) * rho * np.exp(-q) / np.linalg.norm(h)
    cosine = float(theta @ h / rho / np.linalg.norm(h))
    with torch.no_grad():
        for p in weights:
            p.mul_(float(least) ** (-1 / order))
    unit, slopes = margins_and_gradients()
    stationarity = theta * least ** (-1 / order) - multipliers @ slopes
    return float(np.linalg.norm(stationarity)), float(multipliers @ (unit - 1)), cosine


@claim(
    "homogeneous.complementarity",
    title="Complementarity decays like $1/log(1/𝓛)$",
    source=f"{_LYU}; n − 1 and γ̄ in place of n and γ̃: this book",
    theorem="thm-hm-residual",
    relation="≥",
    statement="With the multipliers that the gradient offers, $δ = Σλⱼ(qⱼ(θ̃) − 1) ≤ (n − 1)/(eL "
    "γ̄^(2/L) log(1/𝓛))$.",
)
def complementarity() -> Comparison:
    """Hold the bound against four runs; one has the two samples that it is sharpest for."""
    X, y = three_points()
    # Multipliers 1 : e, so that the larger margin is the smaller one and 1.
    pair = np.array([[1.0, 0.0], [0.0, np.exp(-0.5)]]), np.ones(2)
    crowd = digits(classes=(3, 8), per_class=10, seed=0)
    worst = Worst()
    for net, samples, labels in (
        (DeepLinear(d=2, depth=1, seed=0), *pair),
        (DeepLinear(d=2, depth=1, seed=0), X, y),
        (DiagonalClassifier([0.3, 0.3], [0.2, 0.4]), X, y),
        (MLP([64, 6, 1], "squared_relu", seed=0), *crowd),
    ):
        run = margin_flow(net, samples, labels, until_log10_loss=-100)
        on = (run.log_loss < 0) & (run.minimum_margin > 0)
        L, delta = run.order, run.complementarity[on]
        scale = run.normalized_margin[on] ** (2 / L) * -run.log_loss[on]
        bound = (len(labels) - 1) / (np.exp(1.0) * L * scale)
        tightest = int(np.argmax(delta / bound))
        worst.see(
            excess(delta, bound),
            float(bound[tightest]),
            float(delta[tightest]),
            room=smallest(1 - delta / bound),
        )
    return worst.comparison(
        "$δ$, where it is nearest to its bound", "excess over the bound in four runs", 1e-12
    )


@claim(
    "homogeneous.complementarity-limit",
    title="… and with which constant",
    source="this book",
    theorem="thm-hm-residual",
    statement="For a linear predictor $δ log t$ tends to $γ⁻² Σpⱼ log(max p/pⱼ)$, $pⱼ$ the "
    "multipliers of $ŵ$ over their sum.",
)
def complementarity_limit() -> Comparison:
    """Compare with the flow on three points of the plane at 10⁻¹⁰⁰⁰⁰."""
    X, y = three_points()
    constants = separation_constants(X, y)
    predicted = constants.margin_gap / constants.margin**2
    run = margin_flow(DeepLinear(d=2, depth=1, seed=0), X, y, until_log10_loss=-10_000)
    measured = float(run.complementarity[-1] * run.log_time[-1])
    return Comparison(
        "$δ log t$ on three points of the plane, at $10⁻¹⁰⁰⁰⁰$",
        predicted,
        measured,
        abs(measured / predicted - 1),
        "relative difference",
        1e-3,
    )


@claim(
    "homogeneous.kkt-residual",
    title="The KKT residual decays like $1/ρ$",
    source="this book",
    theorem="thm-hm-residual",
    statement="$ε q_min^(1/L)$ tends to the norm of what stays of $θ$ beside its growing part: "
    "$ω$ off $ŵ$ for a linear predictor, the singular values but the first of each layer for deep "
    "linear nets.",
)
def kkt_residual() -> Comparison:
    """Compare residuals with Soudry's ω (L = 1) and with the layers' spectra (L = 2, 3)."""
    X, y = three_points()
    constants = separation_constants(X, y)
    along = constants.offset @ constants.w * constants.w / (constants.w @ constants.w)
    worst = Worst()
    for depth, step in ((1, 1.0), (2, 0.02), (3, 0.02)):
        run = margin_flow(
            DeepLinear(d=2, depth=depth, scale=0.5, seed=1), X, y, until_log10_loss=-10_000,
            relative_step=step,
        )  # fmt: skip
        left = _left_beside(run.net)
        if depth == 1:
            left = float(np.linalg.norm(constants.offset - along))
        measured = float(run.stationarity[-1] * run.minimum_margin[-1] ** (1 / depth))
        worst.see(abs(measured / left - 1), left, measured)
    return worst.comparison(
        "$ε q_min^(1/L)$ at $10⁻¹⁰⁰⁰⁰$",
        "relative difference, worst of $L = 1$, 2, 3",
        5e-3,
    )


def _left_beside(net: nn.Module) -> float:
    """Return the root of the sum of squares of all layers' singular values but the largest."""
    spectra = [np.linalg.svd(p.detach().numpy(), compute_uv=False) for p in net.parameters()]
    return float(np.sqrt(sum(float(s[1:] @ s[1:]) for s in spectra)))


@claim(
    "homogeneous.rate",
    title="The loss in time, with its constant",
    source=f"{_LYU}; the constant: this book",
    theorem="thm-hm-rates",
    statement="$𝓛 t (log 1/𝓛)^(2−2/L)$ tends to $1/(L²γ̄^(2/L))$.",
)
def rate() -> Comparison:
    """Solve the flow with its clock as a stiff ODE down to e⁻¹⁰⁰⁰, for L = 1, 2, 3."""
    X, y = three_points()

    def clock(theta: Flat, point: _Point, so_far: np.ndarray) -> list[float]:
        # s = log(1 + t), where dt is the flow's own time over 𝓛.
        return [float(np.exp(-point.log_loss - so_far[0]))]

    worst = Worst()
    for depth in (1, 2, 3):
        landscape = _Landscape(DeepLinear(d=2, depth=depth, scale=0.7, seed=0), X, y)
        _, times = _exact_flow(
            landscape, landscape.start, until=-1000.0, tolerance=1e-7, method="LSODA",
            integrals=clock, initial=(0.0,),
        )  # fmt: skip
        predicted = loss_rate_constant(deep_linear_margin(X, y, depth=depth), depth)
        measured = float(np.exp(times[-1, 0] - 1000.0) * 1000.0 ** (2 - 2 / depth))
        worst.see(abs(measured / predicted - 1), predicted, measured)
    return worst.comparison(
        "$𝓛 t (log 1/𝓛)^(2−2/L)$ at $𝓛 = e⁻¹⁰⁰⁰$",
        "relative difference, worst of $L = 1$, 2, 3",
        1e-3,
    )


@claim(
    "homogeneous.linear-constants",
    title="Linear predictors: direction and what stays beside it",
    source="Soudry et al. 2018; the gaps: this book",
    theorem="thm-hm-linear",
    statement="$w(t) − ŵ log t → ω$ with $e^(−⟨zⱼ,ω⟩) = λⱼ$ on the support vectors; $t𝓛 → 1/γ²$; "
    "the margin's relative gap times $log t → Σpⱼ log(max p/pⱼ)$, the smoothed one's $→ −Σpⱼ log "
    "pⱼ$.",
)
def linear_constants() -> Comparison:
    """Compare all four with the flow on Toy A at 10⁻¹⁰⁰⁰⁰⁰."""
    X, y = three_points()
    predicted = separation_constants(X, y)
    run = margin_flow(DeepLinear(d=2, depth=1, seed=0), X, y, until_log10_loss=-100_000)
    log_t = float(run.log_time[-1])
    offset = run.net.predictor - predicted.w * log_t
    gap = (1 - run.normalized_margin[-1] / predicted.margin) * log_t
    smoothed_gap = (1 - run.smoothed_margin[-1] / predicted.margin) * log_t
    error = largest(
        float(np.linalg.norm(offset - predicted.offset) / np.linalg.norm(predicted.offset)),
        abs(float(np.expm1(run.log_loss[-1] + log_t - np.log(predicted.loss_rate)))),
        abs(gap / predicted.margin_gap - 1),
        abs(smoothed_gap / predicted.smoothed_gap - 1),
    )
    return Comparison(
        "$(1 − γ̄/γ) log t$",
        predicted.margin_gap,
        float(gap),
        error,
        "relative difference, worst of the four, at $10⁻¹⁰⁰⁰⁰⁰$",
        2e-5,
    )


@claim(
    "homogeneous.linear-limit",
    title="Linear predictors end at the largest margin",
    source="Soudry et al. 2018",
    theorem="thm-hm-linear",
    statement="On 357 digits, 3 against 8, the flow of a linear predictor reaches the margin of "
    "the hard-margin support vector machine.",
)
def linear_limit() -> Comparison:
    """Compare the margin at 10⁻¹⁰⁰⁰⁰⁰⁰ with the nearest point of a convex hull."""
    X, y = digits(classes=(3, 8))
    predicted = max_margin(X, y).margin
    run = margin_flow(DeepLinear(d=64, depth=1, seed=0), X, y, until_log10_loss=-1e6)
    measured = float(run.normalized_margin[-1])
    return Comparison(
        "$γ̄$ at $10⁻¹⁰⁰⁰⁰⁰⁰$",
        predicted,
        measured,
        abs(measured / predicted - 1),
        "relative difference",
        1e-6,
    )


@claim(
    "homogeneous.ten-classes",
    title="Cross-entropy: the largest margin over all pairs of classes",
    source=_LYU,
    theorem="thm-hm-pairs",
    statement="With $k$ outputs the flow of a linear predictor on cross-entropy ends at the "
    "largest least $Φ_y − Φ_l$: a hard-margin problem with one constraint for each wrong class.",
)
def ten_classes() -> Comparison:
    """Compare the flow on ten digits with the hard margin of the samples (e_y − e_j) ⊗ x."""
    X, y = digits(per_class=4, seed=0)
    units = np.eye(10)
    pairs = [
        np.kron(units[label] - units[j], x)
        for x, label in zip(X, y, strict=True)
        for j in range(10)
        if j != label
    ]
    predicted = max_margin(np.array(pairs), np.ones(len(pairs))).margin
    net = DeepLinear(d=64, depth=1, outputs=10, seed=0)
    run = margin_flow(net, X, y, loss="cross_entropy", until_log10_loss=-100_000)
    measured = float(run.normalized_margin[-1])
    return Comparison(
        "$γ̄$ at $10⁻¹⁰⁰⁰⁰⁰$",
        predicted,
        measured,
        abs(measured / predicted - 1),
        "relative difference",
        1e-4,
    )


@claim(
    "homogeneous.deep-linear",
    title="Deep linear networks end at the largest margin",
    source="Ji & Telgarsky 2019; the gap: this book",
    theorem="thm-hm-deep",
    statement="$γ̄ L^(L/2) → γ$, the predictor's own largest margin, from below by the relative "
    "gap $½Σmᵢ‖w‖^(−2/L) + Σpⱼ log(max p/pⱼ)/(γ‖w‖)$: $‖w‖ = log(1/𝓛)/γ$, $Σmᵢ$ the sum of "
    "squares of all singular values but each layer's largest.",
)
def deep_linear() -> Comparison:
    """Compare L = 2, 3, 4 at 10⁻¹⁰⁰⁰⁰⁰⁰ with the margin less the gap."""
    X, y = three_points()
    gamma = max_margin(X, y).margin
    worst = Worst()
    for depth in (2, 3, 4):
        run = _deep_run(depth)
        left = _left_beside(run.net) ** 2
        gap = deep_linear_gap(run.log_loss[-1:], X, y, depth=depth, remainder=left)[0]
        limit = deep_linear_margin(X, y, depth=depth)
        measured = float(run.normalized_margin[-1])
        worst.see(
            abs(measured / (limit * (1 - gap)) - 1),
            gamma * (1 - float(gap)),
            measured * depth ** (depth / 2),
        )
    return worst.comparison(
        "$γ̄ L^(L/2)$ at $10⁻¹⁰⁰⁰⁰⁰⁰$",
        "relative difference, worst of $L = 2$, 3, 4",
        1e-6,
    )


def _deep_run(depth: int) -> MarginRun[DeepLinear]:
    net = DeepLinear(d=2, depth=depth, seed=1)
    return margin_flow(net, *three_points(), until_log10_loss=-1e6)


@claim(
    "homogeneous.deep-linear-gap",
    title="Deeper is slower",
    source="this book",
    theorem="thm-hm-deep",
    statement="With hidden layers wider than one neuron, the gap of a deep linear network's "
    "margin falls like $(log 1/𝓛)^(−2/L)$.",
)
def deep_linear_slope() -> Comparison:
    """Measure the slope between 10⁻¹⁰⁰⁰⁰⁰ and 10⁻¹⁰⁰⁰⁰⁰⁰ for L = 2, 3, 4."""
    X, y = three_points()
    worst = Worst()
    for depth in (2, 3, 4):
        run = _deep_run(depth)
        gap = 1 - run.normalized_margin / deep_linear_margin(X, y, depth=depth)
        i = int(np.searchsorted(run.log10_inverse_loss, 1e5))
        measured = float(np.log(gap[-1] / gap[i]) / np.log(run.log_loss[-1] / run.log_loss[i]))
        worst.see(abs(measured + 2 / depth), -2 / depth, measured)
    return worst.comparison(
        "slope of log gap in $log log(1/𝓛)$",
        "difference of the slopes, worst of $L = 2$, 3, 4",
        0.01,
    )


@claim(
    "homogeneous.diagonal",
    title="Diagonal networks end at the largest $ℓ₁$ margin",
    source="Gunasekar et al. 2018; Lyu & Li 2020",
    statement="$⟨u² − v², x⟩$ has order 2, and its normalized margin tends to the largest $ℓ₁$ "
    "margin of a linear predictor: where the $ℓ₂$ solution has 1.41875, it goes to 1.5.",
)
def diagonal() -> Comparison:
    """Compare the flow's margin at 10⁻¹⁰⁰⁰⁰⁰⁰ with a linear program."""
    X, y = np.array([[2.0, 1.0, 0.2], [1.0, 2.0, 0.2]]), np.ones(2)
    predicted = diagonal_margin(X, y)
    net = DiagonalClassifier([0.1] * 3, [0.09] * 3)
    run = margin_flow(net, X, y, until_log10_loss=-1e6, relative_step=0.2)
    measured = float(run.normalized_margin[-1])
    return Comparison(
        "$γ̄$ at $10⁻¹⁰⁰⁰⁰⁰⁰$",
        predicted,
        measured,
        abs(measured / predicted - 1),
        "relative difference",
        1e-6,
    )


@claim(
    "homogeneous.xor",
    title="Exclusive or: $√2/8$",
    source="Chizat & Bach 2020",
    statement="Two layers of ReLUs with neurons in all directions reach the largest margin that "
    "networks of any width have on the four points $(±1, ±1)$, $√2/8$.",
)
def exclusive_or() -> Comparison:
    """Compare the flow of eight neurons with a convex problem over all directions."""
    X, y = xor()
    predicted = two_layer_margin(X, y).margin
    # At the optimum every neuron's kink goes through two samples: the flow slides along kinks, and
    # a step of relative length s lands beside them by about s/3. Hence a second run with short
    # steps, in which no neuron has far to go.
    net = margin_flow(_all_around(8), X, y, until_log10_loss=-5, max_steps=1000).net
    run = margin_flow(net, X, y, until_log10_loss=-7, relative_step=1e-3, max_steps=1000)
    measured = float(run.normalized_margin[-1])
    return Comparison(
        "$γ̄$ at $10⁻⁷$",
        predicted,
        measured,
        abs(measured / predicted - 1),
        "relative difference",
        1e-3,
    )


def _all_around(neurons: int) -> MLP:
    """Return two layers whose neurons look all around, with the sign of their own quadrant."""
    net = MLP([2, neurons, 1], "relu", seed=0)
    angles = 2 * np.pi * np.arange(neurons) / neurons + 0.3
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    first, second = net.parameters()
    with torch.no_grad():
        first.copy_(torch.as_tensor(0.3 * directions))
        second.copy_(torch.as_tensor(0.3 * np.sign(directions.prod(axis=1)))[None])
    return net


@claim(
    "homogeneous.net-limit",
    title="A network's limit is a KKT point",
    source=_LYU,
    theorem="thm-hm-kkt",
    statement="On 357 digits a net with squared ReLUs goes to a direction that is the hard-margin "
    "solution in its own tangent features; its margin's gap falls like $(log 1/𝓛)^(−2/3)$.",
)
def net_limit() -> Comparison:
    """Extrapolate the flow from 10⁻¹⁰⁰⁰⁰ and 10⁻¹⁰⁰⁰⁰⁰⁰; polish its state at 10⁻¹⁰⁰⁰ by theory."""
    X, y = digits(classes=(3, 8))
    net = MLP([64, 20, 1], "squared_relu", scale=0.3, seed=0)
    run = margin_flow(net, X, y, until_log10_loss=-1e6, relative_step=0.1)
    first, middle = (int(np.searchsorted(run.log10_inverse_loss, v)) for v in (1e3, 1e4))
    found = kkt_point(run.net_at(first), X, y)
    late, later = run.normalized_margin[[middle, -1]]
    share = (run.log_loss[-1] / run.log_loss[middle]) ** (2 / 3)
    measured = float(later + (later - late) / (share - 1))
    return Comparison(
        "$γ̄$ at the limit",
        found.margin,
        measured,
        largest(abs(measured / found.margin - 1), found.relative_stationarity),
        "relative difference of the margins, and KKT residual",
        5e-6,
    )


@claim(
    "homogeneous.two-limits",
    title="A KKT point, not the largest margin",
    source="this book",
    theorem="thm-hm-two",
    statement="From two starts a net of three neurons goes to two directions of different margins "
    "on the same data; both are KKT points.",
)
def two_limits() -> Comparison:
    """Compare both flows at 10⁻¹⁰⁰⁰⁰⁰⁰ with the KKT points near them, which differ."""
    X, y = blobs(n=12, d=2, separation=2.0, margin=0.2, seed=0)
    predicted, measured, residuals = [], [], []
    for seed in (0, 1):
        net = MLP([2, 3, 1], "squared_relu", scale=0.5, seed=seed)
        run = margin_flow(net, X, y, until_log10_loss=-1e6, relative_step=0.2)
        found = kkt_point(run.net_at(int(np.searchsorted(run.log10_inverse_loss, 1e3))), X, y)
        predicted.append(found.margin)
        measured.append(float(run.normalized_margin[-1]))
        residuals.append(found.relative_stationarity)
    apart = [abs(m / p - 1) for m, p in zip(measured, predicted, strict=True)]
    # "They differ" is no equation: the error says how often the errors fit into the difference.
    return Comparison(
        "margin of one limit over that of the other",
        predicted[1] / predicted[0],
        measured[1] / measured[0],
        largest(apart, residuals) / largest(abs(1 - predicted[1] / predicted[0]), 1e-300),
        "distance of flow and KKT point, or KKT residual, over the difference of the two margins",
        0.01,
    )


@claim(
    "homogeneous.descent",
    title="Descent keeps the modified margin",
    source=_LYU,
    theorem="thm-hm-descent",
    statement="With the exponential loss on a model that bends smoothly, gradient descent with "
    "steps of $η = μ/(Cκ)$ never lowers $γ̂$ and never raises $𝓛$. $B₁$ and $B₂$ in $C$ are the "
    "largest slope and curvature found on the sphere, and $γ̂$ is the integral it is defined by.",
)
def descent() -> Comparison:
    """Take every step as long as the theorem allows, on five models; measure its constants."""
    toy, full = three_points(), digits(classes=(3, 8))
    harm, worst = [], Worst()
    for net, (X, y), bounds, steps in (
        (DeepLinear(d=64, depth=1, seed=0), full, deep_linear_bounds(full.X, depth=1), 200),
        (DeepLinear(d=2, depth=1, seed=0), toy, deep_linear_bounds(toy.X, depth=1), 100),
        (DeepLinear(d=2, depth=3, seed=0), toy, deep_linear_bounds(toy.X, depth=3), 100),
        (DiagonalClassifier([0.3] * 2, [0.29] * 2), toy, diagonal_bounds(toy.X), 100),
        (MLP([2, 3, 1], "squared_relu", scale=0.5, seed=0), toy, two_layer_bounds(toy.X), 100),
    ):
        path = _longest_steps(net, X, y, bounds, steps=steps)
        harm += [np.diff(path.log_loss), -np.diff(path.margin) / path.margin[1:]]
        harm.append(np.array([0.0 if len(path.log_loss) == steps + 1 else np.inf]))
        slope, curvature = _suprema_on_sphere(net, X)
        for i in (i for i in (0, steps // 10, steps - 1) if i < len(path.log_step)):
            u0, u = -path.log_loss[0], -path.log_loss[i]
            constant = 0.5 * (slope**2 + curvature / path.norm[0] ** net.order)
            constant *= _modified_by_its_integral(path, 0, net.order) ** (-2 + 2 / net.order)
            measured = np.log(u0 / (2 * u)) - np.log(constant)
            measured += u - (2 - 2 / net.order) * np.log(u)
            margins_apart = path.margin[i] / _modified_by_its_integral(path, i, net.order) - 1
            worst.see(
                [abs(np.expm1(path.log_step[i] - measured)), abs(margins_apart)],
                np.exp(path.log_step[i]),
                np.exp(measured),
            )
    worst.see(largest(0.0, *harm), worst.predicted, worst.measured)
    return worst.comparison(
        "longest step $η$",
        "relative difference of $η$, or of $γ̂$, or largest relative fall of $γ̂$ or rise of $log "
        "𝓛$ in 600 steps",
        1e-9,
    )


@dataclass(frozen=True, eq=False)
class _Descent:
    """A descent: log 𝓛, γ̂ and ρ at its points, and the logarithm of each step's length."""

    log_loss: Float[np.ndarray, " t"]
    margin: Float[np.ndarray, " t"]
    norm: Float[np.ndarray, " t"]
    log_step: Float[np.ndarray, " s"]


def _modified_by_its_integral(path: _Descent, i: int, order: int) -> float:
    """Return γ̂ at a point: log γ̂ = log u − L log ρ − ∫ 2μ(1 + 1/(Lv)) dv/v from u, μ = u₀/2v."""
    u0, u = -path.log_loss[0], -path.log_loss[i]
    # With v = u/x the integral goes over 0 < x < 1, and its integrand is a polynomial.
    nodes, weights = np.polynomial.legendre.leggauss(8)
    v = u / ((1 + nodes) / 2)
    spent = weights / 2 @ (2 * u0 / (2 * v) * (1 + 1 / (order * v)) / v * v**2 / u)
    return float(u * np.exp(-spent) / path.norm[i] ** order)


def _suprema_on_sphere(net: Net, X: np.ndarray) -> tuple[float, float]:
    """Return the largest ‖∇q‖ and ‖∇²q‖ found on the unit sphere, over all samples.

    By climbing from random points, in turn in θ and in the direction in which q bends most.
    """
    start = {name: p.detach() for name, p in net.named_parameters()}
    sizes = [p.numel() for p in start.values()]

    def value(theta: Tensor, x: Tensor) -> Tensor:
        pieces = zip(start, theta.split(sizes), strict=True)
        weights = {name: piece.view_as(start[name]) for name, piece in pieces}
        return torch.func.functional_call(net, weights, (x[None],)).reshape(())

    def steepness(theta: Tensor, x: Tensor) -> Tensor:
        return torch.func.grad(value)(theta, x).square().sum() / 2

    def bend(theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        slope = torch.func.grad(lambda at: (torch.func.grad(value)(at, x) * v).sum())(theta)
        return (slope * v).sum()

    def unit(v: Tensor) -> Tensor:
        return v / v.norm(dim=-1, keepdim=True).clamp(min=1e-300)

    samples = torch.as_tensor(X).repeat(1 if net.order == 1 else 4, 1)
    source = torch.Generator().manual_seed(0)
    first = unit(torch.randn(len(samples), sum(sizes), generator=source, dtype=torch.float64))
    theta = first
    for _ in range(30 if net.order > 1 else 1):
        # A step forward keeps what it has, so that it climbs where ½‖∇q‖² is not convex.
        push = torch.func.vmap(torch.func.grad(steepness))(theta, samples)
        level = torch.func.vmap(steepness)(theta, samples)
        theta = unit(push + level[:, None] * theta)
    slope = float((2 * level.max()).sqrt())
    if net.order == 1:
        return slope, float(torch.func.vmap(bend)(first, samples, theta).abs().max())
    hessian = torch.func.vmap(torch.func.jacrev(torch.func.grad(value)))
    theta = first
    for _ in range(30):
        values, vectors = torch.linalg.eigh(hessian(theta, samples))
        top = values.abs().argmax(dim=1)
        v = torch.gather(vectors, 2, top[:, None, None].expand(-1, vectors.shape[1], 1))[:, :, 0]
        level = torch.gather(values, 1, top[:, None])
        if net.order == 2:
            break
        theta = unit(level.sign() * torch.func.vmap(torch.func.grad(bend))(theta, samples, v))
    return slope, float(level.abs().max())


@claim(
    "homogeneous.descent-too-long",
    title="Ten times that step loses it",
    source="this book",
    theorem="thm-hm-descent",
    relation="moves",
    statement="On 357 digits a linear predictor with steps of $10μ/(Cκ)$ soon loses $γ̂$ and "
    "raises its loss: the condition is short of the truth by less than a factor of 10.",
)
def descent_too_long() -> Comparison:
    """Measure how far the modified margin falls; do the same steps once more, in other code."""
    X, y = digits(classes=(3, 8))
    bounds = deep_linear_bounds(X, depth=1)
    net = DeepLinear(d=64, depth=1, seed=0)
    path = _longest_steps(net, X, y, bounds, steps=100, factor=10.0)
    fall, rise = largest(-np.diff(path.margin) / path.margin[:-1]), largest(np.diff(path.log_loss))
    w = _start_of_descent(net, X, y).start
    again = _ten_times_too_long(y[:, None] * X, w, steps=len(path.log_step))
    # That nothing falls is no accuracy: it would be far from what is claimed.
    apart = np.inf if not (fall > 0 and rise > 0) else largest(
        np.abs(np.subtract(again, (fall, rise))) / (fall, rise)
    )  # fmt: skip
    return Comparison(
        "share of $γ̂$ that is lost in one step",
        None,
        fall,
        apart,
        "relative difference of that, or of the rise of $log 𝓛$, to the same descent by hand",
        1e-6,
    )


def _ten_times_too_long(Z: Float[np.ndarray, "n d"], w: Flat, *, steps: int) -> tuple[float, float]:
    """Return the largest fall of γ̂ and rise of log 𝓛 in one step, in extended precision."""
    Z, w = Z.astype(np.longdouble), w.astype(np.longdouble)
    slope = np.sqrt((Z**2).sum(axis=1).max())
    u = -np.log(np.exp(-Z @ w).sum())
    u0, before, fall, rise = u, None, -np.inf, -np.inf
    for _ in range(steps + 1):
        terms = np.exp(-Z @ w)
        now = -np.log(terms.sum())
        kept = now * np.exp(-u0 * (1 / now + 1 / (2 * now**2))) / np.sqrt(w @ w) if now > 0 else 0.0
        if before is not None:
            fall, rise = largest(fall, 1 - kept / before), largest(rise, u - now)
        if not now >= u0:
            break
        before, u = kept, now
        w = w + 10 * (u0 / (2 * u)) / (slope**2 / 2 * terms.sum()) * (terms @ Z)
    return fall, rise


def _start_of_descent(net: Net, X: np.ndarray, y: np.ndarray) -> _Landscape:
    """Return the landscape at a point with 𝓛 ≤ 1/10."""
    return _Landscape(margin_flow(net, X, y, until_log10_loss=-1).net, X, y)


def _longest_steps(
    net: Net,
    X: np.ndarray,
    y: np.ndarray,
    bounds: SphereBounds,
    *,
    steps: int,
    factor: float = 1.0,
) -> _Descent:
    """Descend from 𝓛 ≤ 1/10 with η = factor·μ/(Cκ), while 𝓛 ≤ 𝓛₀."""
    landscape = _start_of_descent(net, X, y)
    theta, L = landscape.start, net.order
    point = landscape(theta)
    first, norm = point.log_loss, float(np.linalg.norm(theta))

    def modified(log_loss: float, theta: Flat) -> float:
        rho = float(np.linalg.norm(theta))
        return float(modified_descent_margin(log_loss, rho, L, initial_log_loss=first))

    initial = modified(first, theta)
    losses, margins, norms, log_steps = [first], [initial], [norm], []
    for _ in range(steps):
        log_steps.append(
            log_descent_step_bound(
                point.log_loss, order=L, initial_log_loss=first, initial_modified_margin=initial,
                initial_norm=norm, bounds=bounds,
            )
        )  # fmt: skip
        # −∇𝓛 is 𝓛 times the velocity of the flow on log 𝓛.
        theta = theta + factor * np.exp(log_steps[-1] + point.log_loss) * point.velocity
        point = landscape(theta)
        losses.append(point.log_loss)
        norms.append(float(np.linalg.norm(theta)))
        if not point.log_loss < 0:
            margins.append(0.0)
            break
        margins.append(modified(point.log_loss, theta))
        if point.log_loss > first:
            break
    return _Descent(*map(np.array, (losses, margins, norms, log_steps)))


@claim(
    "homogeneous.certificate",
    title="A margin is a distance",
    source=f"{_LYU}; for convolutions, and in balls: this book",
    theorem="thm-hm-robust",
    relation="≤",
    statement="Every training sample is at least $L^(L/2) γ̄/√N$ from the decision boundary, $N$ "
    "the product of the largest numbers of windows that one pixel lies in; for linear predictors "
    "at the largest margin the least distance is that, and it is $γ$.",
)
def certificate() -> Comparison:
    """Attack five nets; each layer's own norm certifies more, and never too much."""
    full, crowd = digits(classes=(3, 8)), digits(classes=(3, 8), per_class=10, seed=0)
    images = digits(classes=(3, 8), per_class=10, as_images=True, seed=0)
    worst = Worst()
    for depth in (1, 2):
        predicted = depth ** (depth / 2) * deep_linear_margin(*full, depth=depth)
        net: Net = DeepLinear(d=64, depth=depth, seed=0)
        run = margin_flow(net, *full, until_log10_loss=-1e6)
        promised = depth ** (depth / 2) * float(run.normalized_margin[-1])
        distance = l2_attack(run.net, *full, restarts=1, seed=0).distance
        measured = smallest(distance)
        worst.see(
            largest(
                excess(promised, measured),
                np.abs(certified_radius(run.net, *full) / distance - 1),
                # Two layers are still on their way, by the gap of deep nets.
                abs(measured / predicted - 1) if depth == 1 else 0.0,
            ),
            promised,
            measured,
            room=largest(0.0, 1 - promised / measured),
        )
    for net, (X, y), windows in (
        (MLP([64, 20, 1], "relu", bias="first", seed=0), crowd, 1),
        (MLP([64, 20, 10, 1], "leaky_relu", seed=2), crowd, 1),
        (ConvNet((1, 8, 8), [[4]], bias="first", seed=3), images, 9),
    ):
        run = descend(net, X, y, schedule="armijo", until_log10_loss=-5)
        promised = net.order ** (net.order / 2) * float(run.normalized_margin[-1]) / windows**0.5
        radius = certified_radius(run.net, X, y)
        distance = l2_attack(run.net, X, y, restarts=1, seed=0).distance
        worst.see(
            largest(excess(promised, radius), excess(radius, distance)),
            promised,
            smallest(distance),
            room=1 - promised / smallest(distance),
        )
    return worst.comparison(
        "least distance to the boundary",
        "excess of a bound over any sample's attack, or relative difference if linear, worst of 5 "
        "nets",
        1e-6,
    )


CLAIMS = (
    euler,
    smoothed_margin_climbs,
    margin_growth,
    bracket,
    kkt_identity,
    complementarity,
    complementarity_limit,
    kkt_residual,
    rate,
    linear_constants,
    linear_limit,
    ten_classes,
    deep_linear,
    deep_linear_slope,
    diagonal,
    exclusive_or,
    net_limit,
    two_limits,
    descent,
    descent_too_long,
    certificate,
)
