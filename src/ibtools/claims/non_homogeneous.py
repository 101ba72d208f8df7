"""Claims of the chapter on nets that are only nearly homogeneous."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import Polynomial
from scipy.integrate import solve_ivp
from scipy.optimize import linprog
from torch import nn

from ibtools.claims.claim import Comparison, Worst, claim, excess, largest, smallest
from ibtools.data.fans import opposed_fans
from ibtools.metrics.homogeneity_defect import (
    homogeneity_defects,
    worst_defect_ratio,
    worst_gap_ratio,
)
from ibtools.metrics.kkt_of_margins import margin_kkt
from ibtools.metrics.margins import inverse_loss
from ibtools.metrics.modified_margin import separability_start
from ibtools.models import MLP, Net, Residual, ResidualMLP
from ibtools.models.attention import SoftmaxAttention
from ibtools.theory.guaranteed_descent import DescentGuarantee, descent_guarantee
from ibtools.theory.homogeneity import NearHomogeneity, near_homogeneity
from ibtools.theory.max_margin import max_margin
from ibtools.trainers import MarginRun, descend, margin_flow
from ibtools.trainers.margins.psi import psi_flow

_CAI = "Cai et al. 2025"
_OURS = "this book"


def _linear(inputs: int, outputs: int, *, bias: bool = False) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)


def _sines(net: Net, scale: float, order: tuple[str, ...]) -> Net:
    """Set the parameters, in this order of theirs, to scale·sin(1.7 i^1.1), for i from 1 on."""
    named = dict(net.named_parameters())
    at = 1
    with torch.no_grad():
        for name in order:
            i = np.arange(at, at + named[name].numel())
            values = scale * np.sin(1.7 * i**1.1)
            named[name].copy_(torch.tensor(values).view_as(named[name]))
            at += len(i)
    return net


def _at(net: Net, *theta: float) -> Net:
    """Set all parameters of a net, and return it."""
    nn.utils.vector_to_parameters(torch.tensor(theta, dtype=torch.float64), net.parameters())
    return net


def _two_parameters(w: float = 0.5, v: float = 0.5) -> Net:
    """Return the net v(1 + w) at x = 1."""
    return _at(Net(Residual(_linear(1, 1)), _linear(1, 1)), w, v)


def _residual_net() -> Net:
    """Return the net v·(x + W GELU(x)) in four dimensions."""
    net = Net(Residual(nn.GELU(), _linear(4, 4)), _linear(4, 1))
    return _sines(net, 0.4, ("layers.1.weight", "layers.0.inner.1.weight"))


def _linear_net() -> Net:
    """Return the net v·(W₂(W₁x + b₁) + b₂) + c of width 3."""
    net = Net(*(_linear(i, o, bias=True) for i, o in ((2, 3), (3, 3), (3, 1))))
    weights = [f"layers.{i}.weight" for i in (2, 1, 0)]
    return _sines(net, 0.5, (*weights, *(f"layers.{i}.bias" for i in (0, 1, 2))))


_SIX: dict[str, Callable[[], Net]] = {
    "a·softplus(Wx+b)+c": lambda: MLP([2, 4, 1], "softplus", bias=True, seed=0),
    "a·SiLU(Wx)": lambda: MLP([2, 4, 1], "silu", seed=0),
    "v·(x+W₂GELU(W₁x))": lambda: ResidualMLP(4, 4, embed=False, seed=0),
    "v·(h+W₂GELU(W₁h)), h=Ux": lambda: ResidualMLP(2, 4, seed=0),
    "v·(W₂(W₁x+b₁)+b₂)+c": lambda: MLP([4, 3, 3, 1], "identity", bias=True, seed=0),
    "three layers of softplus": lambda: MLP([2, 4, 4, 1], "softplus", bias=True, seed=0),
}


@claim(
    "non_homogeneous.defect",
    title="The defect is bounded, and the bound is sharp",
    source=f"{_CAI}, closure rules; constants: {_OURS}",
    theorem="thm-nh-closure",
    statement="For six nets $|⟨θ,∇f⟩ − M f| ≤ p′(‖θ‖)$ with $p′$ composed from their layers; a "
    "search over $θ$ and $x$ comes within 2 % of equality for each of them and never beyond.",
)
def defect() -> Comparison:
    """Compare 1 with the largest ratio that a search finds, for the worst of six nets."""
    worst = Worst()
    for build in _SIX.values():
        net = build()
        h = near_homogeneity(net, radius=1.0)
        bound = float(h.defect_bound(1.0))
        found = _bound_at_one(worst_defect_ratio, net, h.defect, bound, order=h.order)
        beyond = found > bound * (1 + 1e-9)
        worst.see(np.inf if beyond else abs(1 - found / bound), bound, found)
    return worst.comparison(
        "$p′(1)$, and the least multiple of $p′$ that no defect exceeds",
        "relative distance, worst of 6",
        0.02,
    )


@claim(
    "non_homogeneous.gap",
    title="Far away the net is its homogenization",
    source=_CAI,
    theorem="thm-nh-homogenization",
    statement="For the same nets $|f − f_H| ≤ p_a(‖θ‖)$ with $p_a(ρ) = Σ p′ᵢ ρⁱ/(M − i)$; a "
    "search finds nothing beyond, and comes to more than half of it for each.",
    relation="≥",
)
def gap() -> Comparison:
    """Compare p_a(1) with the least multiple of p_a that a search does not exceed, six times."""
    worst = Worst()
    for build in _SIX.values():
        net = build()
        h = near_homogeneity(net, radius=1.0)
        bound = float(h.gap_bound(1.0))
        found = _bound_at_one(worst_gap_ratio, net, h.gap, bound, homogenized=h.homogenized)
        # A bound that nothing comes near would hold for a wrong constant too.
        error = excess(found, bound) if found > 0.5 * bound else np.inf
        worst.see(error, bound, found, room=1 - found / bound)
    return worst.comparison(
        "$p_a(1)$, and the least multiple of $p_a$ that no gap exceeds",
        "excess over the bound, worst of 6",
        1e-9,
    )


def _bound_at_one(
    search: Callable[..., float], net: Net, polynomial: Polynomial, value: float, **options: Any
) -> float:
    """Return the value at 1 of the least multiple of `polynomial` that a search does not exceed."""
    return search(net, bound=polynomial / value, **options, **_search(net))


def _search(net: Net) -> dict[str, Any]:
    inputs = next(net.parameters()).shape[1]
    return {"radius": 1.0, "input_shape": (inputs,), "starts": 16, "steps": 150, "seed": 0}


@claim(
    "non_homogeneous.two-parameters",
    title="Two parameters: the naive margin falls, the modified one rises",
    source=_OURS,
    theorem="thm-nh-modified",
    statement="For $f = v(1+w)$ and one sample, the flow is a hyperbola: from $v = w = ½$, $f = "
    "e²ˢ − e⁻²ˢ/4$. The naive margin $f/ρ²$ falls from $3/2$ to $1/2$, and $(f − ρ)/ρ²$ rises to "
    "it.",
)
def two_parameters() -> Comparison:
    """Compare simulated parameters with the closed form at every record."""
    net = _two_parameters()
    h = near_homogeneity(net, radius=1.0)
    run = psi_flow(
        net, [[1.0]], [1.0], psi_step=0.5, method="rk4", until_psi=200.0, near_homogeneity=h
    )
    f = _psi(run)
    growth = np.sqrt((f + np.sqrt(f * f + 1)) / 2)
    predicted = np.column_stack([growth + 0.5 / growth - 1, growth - 0.5 / growth])
    r = np.linalg.norm(predicted, axis=1)
    margin = (f - h.gap_bound(r)) / r**2
    error = largest(
        np.linalg.norm(run.states - predicted, axis=1) / r,
        np.abs(run.modified_margin - margin) / margin,
    )
    falls, rises = np.diff(run.normalized_margin) < 0, np.diff(run.modified_margin) > 0
    if not (run.converged and falls.all() and rises.all()):
        error = np.inf
    return Comparison(
        "modified margin at $ψ = 200$",
        margin[-1],
        run.modified_margin[-1],
        error,
        f"largest relative distance of $(w, v)$ and of the margin over {len(f)} records",
        1e-5,
    )


def _modified_margin(loss: str, until_psi: float) -> Comparison:
    X, y = opposed_fans(4)
    net = _residual_net()
    h = near_homogeneity(net, radius=1.0)
    run = psi_flow(
        net, X, y, loss=loss, psi_step=1.0, method="rk4", until_psi=until_psi, near_homogeneity=h
    )
    psi = _psi(run)
    start = separability_start(run.log_loss, h.gap_bound(run.norm), loss)
    if start is None or not run.converged:
        return Comparison("$ψ$", until_psi, psi[-1], np.inf, "strong separability never held", 0.0)
    margin = (psi - h.gap_bound(run.norm)) / run.norm**h.order
    changes = np.diff(margin[start:]) / margin[start + 1 :]
    error = largest(0.0, -changes)
    # The phenomenon: over the same records, the naive margin falls.
    if not np.all(np.diff(run.normalized_margin[start:]) < 0):
        error = np.inf
    return Comparison(
        "steps on which the modified margin falls",
        0.0,
        np.sum(~(changes >= 0)),
        error,
        f"largest fall, relative, over {len(changes)} steps from $ψ = {psi[start]:.1f}$ on",
        1e-12,
    )


@claim(
    "non_homogeneous.modified-margin",
    title="The modified margin never falls",
    source=f"{_CAI}, theorem for gradient flow",
    theorem="thm-nh-modified",
    statement="From strong separability $ψ > p_a(ρ)$ on, $(ψ − p_a(ρ))/ρ^M$ never decreases along "
    "gradient flow with the exponential loss, while the naive margin falls at every step.",
)
def modified_margin() -> Comparison:
    """Follow a residual net to ψ = 999 with a trainer that enforces no margin."""
    return _modified_margin("exponential", 999.0)


@claim(
    "non_homogeneous.modified-margin-logistic",
    title="The same for the logistic loss",
    source=_OURS,
    theorem="thm-nh-modified",
    statement="With $ψ = −log(e^𝓛 − 1)$ the same holds for the logistic loss.",
)
def modified_margin_logistic() -> Comparison:
    """Follow the same net with the other loss to ψ = 200, where the two can no longer differ."""
    return _modified_margin("logistic", 200.0)


@claim(
    "non_homogeneous.norm",
    title="The norm grows at least as the theorem needs",
    source=f"{_CAI}, first step of the proof",
    theorem="thm-nh-modified",
    statement="$⟨θ, ∇ψ⟩ ≥ Mψ − p′(ρ)$ along the flow: the norm grows once $Mψ > p′$. Along the "
    "flow of $v(1 + w)$ from $w = 0.05$, $v = 2$ it is nearly attained.",
    relation="≤",
)
def norm() -> Comparison:
    """Compare both sides along two flows, from the start on."""
    worst = Worst()
    for net, X, y in _two_flows():
        h = near_homogeneity(net, radius=1.0)
        run = psi_flow(net, X, y, psi_step=1.0, method="rk4", until_psi=200.0)
        growth = run.gradient_alignment * run.gradient_norm * run.norm
        defect = (growth - h.order * _psi(run)) / h.defect_bound(run.norm)
        # Both are negative: the defect may use up to −1 of p′, and no more.
        error = largest(0.0, -1 - defect) if run.converged else np.inf
        worst.see(error, -1.0, smallest(defect), room=1 + smallest(defect))
    return worst.comparison(
        "least $(⟨θ, ∇ψ⟩ − Mψ)/p′$", f"excess below $−1$, worst of {worst.cases} flows", 1e-12
    )


def _two_flows() -> list[tuple[Net, np.ndarray, np.ndarray]]:
    """Return the residual net on the fans, and v(1 + w) from where its defect is nearly −ρ."""
    return [
        (_residual_net(), *opposed_fans(4)),
        (_two_parameters(w=0.05, v=2.0), np.ones((1, 1)), np.ones(1)),
    ]


@claim(
    "non_homogeneous.alignment",
    title="What the modified margin gains, misalignment pays for",
    source=f"{_OURS}; for homogeneous nets Lyu & Li 2020",
    theorem="thm-nh-limit",
    statement="$∫(β⁻² − 1) d log ρ$ is at most $1/M$ times the log of the modified margin's "
    "growth, $β = cos∠(θ, ∇ψ)$: as the margin is bounded and $ρ$ is not, $θ$ aligns with the "
    "gradient. Of the homogeneous net $v w x$ and one sample the two are equal.",
    relation="≥",
)
def alignment() -> Comparison:
    """Compare both sides on every step of two flows, from strong separability to ψ = 200."""
    pair = _at(Net(_linear(1, 1), _linear(1, 1)), 0.5, 2.0)
    worst = Worst()
    for net, X, y in ((_residual_net(), *opposed_fans(4)), (pair, np.ones((1, 1)), np.ones(1))):
        h = near_homogeneity(net, radius=1.0)
        run = psi_flow(net, X, y, psi_step=0.5, method="rk4", until_psi=200.0, near_homogeneity=h)
        start = separability_start(run.log_loss, h.gap_bound(run.norm))
        if start is None or not run.converged:
            return Comparison(
                "$ψ$", 200.0, _psi(run)[-1], np.inf, "strong separability never held", 0.0
            )
        margin = (_psi(run) - h.gap_bound(run.norm)) / run.norm**h.order
        growth = np.diff(np.log(margin[start:])) / h.order
        misalignment = run.gradient_alignment[start:] ** -2 - 1
        # It falls: by its value at the end of a step the integral is at least this.
        paid = misalignment[1:] * np.diff(np.log(run.norm[start:]))
        falling = np.all(np.diff(misalignment) <= 1e-12)
        error = excess(paid, growth) if falling else np.inf
        # Where both are rounding there is nothing to compare.
        told = growth > 1e-9
        worst.see(
            largest(np.where(told, error, np.maximum(paid - growth, 0.0))),
            growth.sum(),
            paid.sum(),
            room=smallest(1 - paid[told] / growth[told]),
        )
    return worst.comparison(
        "$∫(β⁻² − 1) d log ρ$, at most",
        f"excess over the bound, worst step of {worst.cases} flows",
        1e-9,
    )


@claim(
    "non_homogeneous.certificate",
    title="Strong separability certifies the homogenization",
    source=f"{_CAI}; {_OURS}",
    theorem="thm-nh-modified",
    statement="At every record $yⱼ f_H(xⱼ) ≥ ψ − p_a(ρ)$: once that is positive, $f_H$ separates "
    "the data, and its normalized margin is at least the modified margin. Along the flow of $v(1 "
    "+ w)$ from $w = 0.05$, $v = 2$ it is nearly attained.",
    relation="≤",
)
def certificate() -> Comparison:
    """Compare the smallest output of the homogenized net with the certificate, on two flows."""
    worst = Worst()
    for net, X, y in _two_flows():
        h = near_homogeneity(net, radius=1.0)
        run = psi_flow(net, X, y, psi_step=1.0, method="rk4", until_psi=200.0)
        outputs = homogeneity_defects(h.homogenized, run.states, X, order=h.order).outputs
        least = (y * outputs).min(axis=1)
        gap_bound = h.gap_bound(run.norm)
        promised = _psi(run) - gap_bound
        slack = (least - promised) / gap_bound
        worst.see(
            largest(0.0, -slack) if run.converged else np.inf,
            promised[-1],
            least[-1],
            room=smallest(slack),
        )
    return worst.comparison(
        "least $y f_H$ at the last record",
        f"shortfall relative to $p_a$, worst of {worst.cases} flows",
        1e-12,
    )


@claim(
    "non_homogeneous.rate-of-loss",
    title="The rate of the loss, with its constant",
    source=f"{_CAI}; the constant: {_OURS}",
    theorem="thm-nh-rates",
    statement="$𝓛·t·(log 1/𝓛)^(2−2/M)·M²γ^(2/M) → 1$, $γ$ the margin of the homogenized problem.",
)
def rate_of_loss() -> Comparison:
    """Compare the linear net with biases at ψ = 500 with the rate; γ is a linear margin."""
    gamma = _linear_optimum()[0]
    X, y = opposed_fans()
    net = _linear_net()
    h = near_homogeneity(net, radius=1.0)
    run = psi_flow(
        net,
        X,
        y,
        psi_step=1.0,
        method="rk4",
        until_psi=500.0,
        record_growth=1.1,
        near_homogeneity=h,
    )
    measured = np.nan
    if run.converged:
        M, log_loss = h.order, run.log_loss[-1]
        measured = math.exp(
            log_loss
            + run.log_time[-1]
            + (2 - 2 / M) * math.log(-log_loss)
            + math.log(M * M * gamma ** (2 / M))
        )
    return Comparison(
        "$𝓛·t·(log 1/𝓛)^(4/3)·9γ^(2/3)$ at $ψ = 500$",
        1.0,
        measured,
        abs(measured - 1),
        "distance from 1",
        2e-3,
    )


@claim(
    "non_homogeneous.rate-of-norm",
    title="The rate of the norm",
    source=_CAI,
    theorem="thm-nh-rates",
    statement="$ρ^M/log(1/𝓛) → 1/γ$: the naive margin tends to that of the homogenized problem.",
)
def rate_of_norm() -> Comparison:
    """Compare a linear net with biases at a loss of e⁻¹⁰⁰⁰⁰⁰⁰ with a support vector machine."""
    gamma = _linear_optimum()[0]
    run, h = _long_run()
    measured = float(-run.log_loss[-1] / run.norm[-1] ** h.order)
    return Comparison("$log(1/𝓛)/ρ³$", gamma, measured, abs(measured / gamma - 1), "relative", 1e-4)


@claim(
    "non_homogeneous.direction",
    title="The direction converges to that of the homogenized problem",
    source=_CAI,
    theorem="thm-nh-limit",
    statement="The end-to-end predictor of the linear net with biases tends to the maximum-margin "
    "predictor with a bias: the first bias stays, the later ones do not count.",
)
def direction() -> Comparison:
    """Compare the direction of the homogenized net's predictor with a support vector machine."""
    target = _linear_optimum()[1]
    run, _ = _long_run()
    layers = [layer for layer in run.net.layers if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        rest = (layers[2].weight @ layers[1].weight)[0]
        measured = torch.cat([rest @ layers[0].weight, (rest @ layers[0].bias)[None]]).numpy()
    measured /= np.linalg.norm(measured)
    return Comparison(
        "first coordinate of the direction",
        float(target[0]),
        float(measured[0]),
        float(np.linalg.norm(measured - target)),
        "distance of the directions",
        1e-4,
    )


@claim(
    "non_homogeneous.kkt-distance",
    title="The KKT distance shrinks like $1/ρ$",
    source=_OURS,
    theorem="thm-nh-limit",
    statement="The relative distance of $θ$ to the cone of the homogenized constraints' gradients "
    "is at least the share of $θ$ that $f_H$ does not depend on, here two biases, which is nearly "
    "half of it; and as far as it was measured its exponent of $ρ$ is $−1$ to 0.02.",
    relation="≤",
)
def kkt_distance() -> Comparison:
    """Compare both, and fit the exponent, over losses from e⁻¹⁰⁰ to e⁻¹⁰⁰⁰⁰⁰⁰."""
    X, y = opposed_fans()
    run, h = _long_run()
    worst, norms, distances = Worst(), [], []
    for i in np.unique(np.linspace(0, len(run.steps) - 1, 12).astype(int)):
        if -run.log_loss[i] > 100:
            f_H = near_homogeneity(run.net_at(int(i)), radius=h.radius).homogenized
            dropped = _dropped_norm(f_H, X) / run.norm[i]
            measured = margin_kkt(f_H, X, y).relative_stationarity
            # A share that explains too little of the distance would be a bound that says nothing.
            error = excess(dropped, measured) if dropped > 0.45 * measured else np.inf
            worst.see(error, dropped, measured, room=1 - dropped / measured)
            norms.append(run.norm[i])
            distances.append(measured)
    if worst.cases:
        exponent = float(np.polyfit(np.log(norms), np.log(distances), 1)[0])
        if not abs(exponent + 1) < 0.02:
            worst.see(np.inf, -1.0, exponent)
    return worst.comparison(
        "relative KKT distance",
        f"excess of the dropped share, worst of {worst.cases} records",
        1e-9,
    )


def _dropped_norm(net: nn.Module, X: np.ndarray) -> float:
    """Return the norm of the parameters that the outputs on X do not depend on."""
    outputs = net(torch.tensor(X))
    # Weights without symmetry, so that nothing cancels.
    mixed = (outputs * torch.arange(1.0, len(X) + 1, dtype=outputs.dtype).sqrt()).sum()
    slopes = torch.autograd.grad(mixed, list(net.parameters()))
    dropped = [
        parameter.detach()[slope == 0]
        for parameter, slope in zip(net.parameters(), slopes, strict=True)
    ]
    return float(torch.cat(dropped).norm())


@claim(
    "non_homogeneous.dropped-bias",
    title="A bias that does not count still grows, like $log ρ$",
    source=_OURS,
    statement="$db₂/d log ρ → s v̂/(3γ)$, $s = Σλy/Σλ$ the imbalance of the multipliers and $v̂ = "
    "v/ρ$: the bias grows without bound and $b₂/ρ$ vanishes; in the end it, too, enters the KKT "
    "distance.",
)
def dropped_bias() -> Comparison:
    """Compare the growth of b₂ between two very small losses with the multipliers' imbalance."""
    gamma, _, imbalance = _linear_optimum()
    run, h = _long_run()
    late, last = len(run.steps) * 3 // 4, len(run.steps) - 1
    biases = [run.net_at(i).layers[1].bias.detach().numpy() for i in (late, last)]
    measured = (biases[1] - biases[0]) / np.log(run.norm[last] / run.norm[late])
    v = run.net.layers[2].weight.detach().numpy()[0] / run.norm[last]
    predicted = imbalance * v / (h.order * gamma)
    return Comparison(
        "$‖db₂/d log ρ‖$",
        float(np.linalg.norm(predicted)),
        float(np.linalg.norm(measured)),
        float(np.linalg.norm(measured - predicted) / np.linalg.norm(predicted)),
        "relative distance as vectors",
        0.02,
    )


def _long_run() -> tuple[MarginRun, NearHomogeneity]:
    """Train the linear net with biases to a loss of e⁻¹⁰⁰⁰⁰⁰⁰."""
    X, y = opposed_fans()
    net = _linear_net()
    h = near_homogeneity(net, radius=1.0)
    start = psi_flow(net, X, y, psi_step=1.0, method="rk4", until_psi=20.0).net
    run = margin_flow(
        start, X, y, until_log10_loss=-1e6 / np.log(10), relative_step=0.02, near_homogeneity=h
    )
    return run, h


def _linear_optimum() -> tuple[float, Float[np.ndarray, " 3"], float]:
    """Margin, predictor and imbalance of the multipliers, by a support vector machine on (x, 1)."""
    X, y = opposed_fans()
    best = max_margin(np.column_stack([X, np.ones(len(X))]), y)
    imbalance = float(best.multipliers @ y / best.multipliers.sum())
    # A product of three factors of equal norm 1/√3 makes the margin 3^(−3/2) times as large.
    return best.margin / 27**0.5, best.direction, imbalance


class _Descent:
    """A descent with the longest step that the theorem allows, or a multiple of it."""

    def __init__(
        self, net: Net, X: np.ndarray, y: np.ndarray, *, hessian: list[float], factor: float = 1.0
    ) -> None:
        self.h = near_homogeneity(net, radius=float(np.linalg.norm(X, axis=1).max()))
        flat = torch.cat([parameter.detach().ravel() for parameter in net.parameters()]).numpy()
        self.start = (float(self._log_loss(net, X, y)), float(np.linalg.norm(flat)))
        self.promise: DescentGuarantee = descent_guarantee(
            self.h, hessian=Polynomial(hessian), log_loss=self.start[0], norm=self.start[1]
        )
        self.step = factor * math.exp(self.promise.log_step_size)
        self.net, self.X, self.y = net, X, y

    @staticmethod
    def _log_loss(net: Net, X: np.ndarray, y: np.ndarray) -> float:
        with torch.no_grad():
            return float(torch.logsumexp(-torch.tensor(y) * net(torch.tensor(X)), 0))

    def run(self, nats: float, *, steps: int = 5000) -> MarginRun:
        """Descend until the loss has fallen by a factor e^nats, and keep every step."""
        target = (self.start[0] - nats) / math.log(10)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # `converged` says the same
            return descend(
                self.net, self.X, self.y, step_size=self.step, until_log10_loss=target,
                max_epochs=steps, record_growth=1.0, near_homogeneity=self.h,
            )  # fmt: skip

    def margin(self, run: MarginRun) -> Float[np.ndarray, " t"]:
        """Return the modified margin at every step, from theory's p_a."""
        return (-run.log_loss - self.h.gap_bound(run.norm)) / run.norm**self.h.order


def _neuron(w: tuple[float, float]) -> Net:
    """Return the net softplus(⟨w, x⟩)."""
    return _at(Net(_linear(2, 1), nn.Softplus()), *w)


def _pair() -> tuple[np.ndarray, np.ndarray]:
    """Return two samples of one class that pull to opposite sides."""
    return np.array([[1.0, 3.0], [1.0, -3.0]]) / 10**0.5, np.ones(2)


def _three_descents() -> list[tuple[_Descent, float]]:
    """Return the two nets of the chapter and a linear predictor, and how far to follow them."""
    X, y = opposed_fans(4)
    separated = psi_flow(_residual_net(), X, y, psi_step=1.0, method="rk4", until_psi=24.0).net
    linear = _at(Net(_linear(2, 1)), 8.0, 6.0)
    return [
        (_Descent(linear, np.array([[1.0, 0.0]]), np.ones(1), hessian=[0.0]), 4.0),
        (_Descent(_neuron((25.0, 10**0.5 / 6)), *_pair(), hessian=[0.25]), 4.0),
        (_Descent(separated, X, y, hessian=[1.0]), 0.5),
    ]


@claim(
    "non_homogeneous.descent",
    title="Descent all but keeps the modified margin",
    source=_OURS,
    theorem="thm-nh-descent",
    statement="With the longest step that the condition allows, $(ρ⁺)ᴹ(γ⁺ − γ) ≥ (1 − β²)u/𝓛 − D$ "
    "at every step, $γ − B(𝓛)$ never decreases, and $γ$ itself does not fall at all.",
    relation="≤",
)
def descent() -> Comparison:
    """Compare what each step gains with what it must gain at least, for three nets."""
    worst = Worst()
    for case, nats in _three_descents():
        run = case.run(nats)
        margin = case.margin(run)
        gained = run.norm[1:] ** case.h.order * np.diff(margin)
        least = case.promise.least_gain(
            defect=case.h.defect_bound(run.norm), log_loss=run.log_loss, norm=run.norm,
            gradient_norm=run.gradient_norm, alignment=run.gradient_alignment,
        )[:-1]  # fmt: skip
        price = np.array([case.promise.margin_price(float(value)) for value in run.log_loss])
        unit = np.exp(case.promise.log_step_size + run.log_loss[:-1]) * run.gradient_norm[:-1] ** 2
        violated = largest(
            0.0, (least - gained) / unit, -np.diff(margin - price) / margin[1:], -np.diff(margin)
        )
        # Where nothing is promised there is nothing to be near to.
        told = least > 0
        room = smallest(np.where(told, 1 - least / np.where(told, gained, 1.0), 1.0))
        at = int(np.argmax(least / gained))
        fine = run.converged and len(run.steps) > 20
        worst.see(
            violated if fine else np.inf, least[at] / unit[at], gained[at] / unit[at], room=room
        )
    return worst.comparison(
        "$(ρ⁺)ᴹ(γ⁺ − γ)$, in units of $u/𝓛$, where the bound is tightest",
        f"largest violation, {worst.cases} nets, every step",
        1e-9,
    )


@claim(
    "non_homogeneous.descent-rate",
    title="The loss goes to 0 under descent, and how fast",
    source=_OURS,
    theorem="thm-nh-descent",
    statement="With the same steps $1/𝓛⁺ − 1/𝓛 ≥ η(1 − ½η𝓛K(ψ))M²γ²ρ²ᴹ⁻²$, hence $1/𝓛 ≥ 1/𝓛₀ + "
    "M²γ₀²ρ₀²ᴹ⁻²T/8$ after steps of total length $T$.",
    relation="≤",
)
def descent_rate() -> Comparison:
    """Compare each step's gain of 1/𝓛 with its lower bound, for three nets."""
    worst = Worst()
    for case, nats in _three_descents():
        run = case.run(nats)
        M, psi = case.h.order, -run.log_loss
        curvature = np.array([case.promise.scaled_curvature(float(value)) for value in psi])
        step = np.exp(case.promise.log_step_size + run.log_loss)  # η𝓛
        least = (
            step * (1 - step * curvature / 2) * (M * case.margin(run) * run.norm ** (M - 1)) ** 2
        )
        gained = np.expm1(np.diff(psi))  # in units of 1/𝓛
        bounds = np.array([case.promise.log_loss_bound(float(t)) for t in run.log_time])
        violated = largest(excess(least[:-1], gained), np.maximum(run.log_loss - bounds, 0.0))
        ratio = least[:-1] / gained
        at = int(np.argmax(ratio))
        fine = run.converged and len(run.steps) > 20
        worst.see(violated if fine else np.inf, least[at], gained[at], room=1 - largest(ratio))
    return worst.comparison(
        "$𝓛(1/𝓛⁺ − 1/𝓛)$ where the bound is tightest",
        f"largest violation, {worst.cases} nets, every step",
        1e-9,
    )


@claim(
    "non_homogeneous.descent-too-long",
    title="Where descent with a longer step loses the margin",
    source=_OURS,
    theorem="thm-nh-descent",
    statement="At six times the longest step, on two samples that pull a neuron apart, the "
    "modified margin falls by more in all than the theorem could allow.",
    relation="moves",
)
def descent_too_long() -> Comparison:
    """Measure by how much the fall exceeds what the theorem allows, relative to the margin."""
    case = _Descent(_neuron((25.0, 10**0.5 / 6)), *_pair(), hessian=[0.25], factor=6.0)
    run = case.run(20.0, steps=6)
    margin = case.margin(run)
    again = _neuron_descent(np.array([25.0, 10**0.5 / 6]), case.X, case.step, len(margin) - 1)
    fall = margin[0] - smallest(margin)
    beyond = (fall - case.promise.margin_price(case.start[0])) / case.promise.margin
    off = largest(np.abs(margin - again)) / case.promise.margin
    return Comparison(
        "fall of the modified margin beyond $B(𝓛₀)$, relative to the margin at the start",
        None,
        beyond,
        off / beyond if beyond > 0 else np.inf,
        "distance of the margins from those of a second program, over the move",
        1e-6,
    )


def _neuron_descent(
    w: np.ndarray, X: np.ndarray, step: float, steps: int
) -> Float[np.ndarray, " t"]:
    """Return the modified margins of descent on the neuron, in plain NumPy."""
    margins = []
    for _ in range(steps + 1):
        z = X @ w
        terms = 1 / (1 + np.exp(z))  # e^(−softplus z)
        margins.append((-np.log(terms.sum()) - np.log(2)) / np.linalg.norm(w))
        w = w + step * (terms * (1 - terms)) @ X
    return np.array(margins)


@claim(
    "non_homogeneous.attention",
    title="Outside: softmax attention",
    source=_OURS,
    theorem="def-near-homogeneous",
    statement="With scores of size 1 the defect of one head against order 1 is $2‖v‖$ times the "
    "variance of $⟨v̂, x⟩$ under its weights, at every norm of $v$: no polynomial of lower degree "
    "bounds it.",
)
def attention() -> Comparison:
    """Compare the measured defect over ‖v‖, at norms 10, 100 and 1000, with the variance."""
    tokens = np.array([[1.0, 0.0], [0.2, 0.9], [-0.5, 0.4]])
    weights = np.exp(tokens @ tokens[0])
    weights /= weights.sum()
    values = tokens[:, 0]
    predicted = 2 * float(weights @ values**2 - (weights @ values) ** 2)
    net = SoftmaxAttention(2)
    identity = np.eye(2).ravel()
    parameters = [np.concatenate([identity, identity, [r, 0.0]]) for r in (10.0, 100.0, 1000.0)]
    defects = homogeneity_defects(net, parameters, tokens[None], order=1).defects[:, 0]
    measured = defects / np.array([10.0, 100.0, 1000.0])
    return Comparison(
        "$defect/‖v‖$",
        predicted,
        measured[-1],
        largest(np.abs(measured - predicted)),
        "largest difference at norms 10, 100, 1000",
        1e-12,
    )


@claim(
    "non_homogeneous.normalization",
    title="Outside: layer normalization",
    source=_OURS,
    theorem="def-near-homogeneous",
    statement="Where the variance of its input is $ε/2$, the defect of a normalized linear layer "
    "against order 1 is $2/√27 = 0.385$ times the norm of its output without $ε$, at every scale.",
)
def normalization() -> Comparison:
    """Compare the measured defect with 2/√27, at factors of 10, 100 and 1000."""
    d, eps = 4, 1e-5
    net = nn.Sequential(_linear(d, d), nn.LayerNorm(d, eps=eps, dtype=torch.float64))
    x = np.array([[1.0, -1.0, 1.0, -1.0]])
    weight = np.eye(d).ravel() * math.sqrt(eps / 2)
    norms = np.array([10.0, 100.0, 1000.0])
    parameters = [np.concatenate([weight, [r] * d, [0.0] * d]) for r in norms]
    defects = homogeneity_defects(net, parameters, x, order=1).defects[:, 0]
    # Without ε the output is x times the factors.
    measured = np.linalg.norm(defects, axis=1) / (norms * np.linalg.norm(x))
    predicted = 2 / math.sqrt(27)
    return Comparison(
        "defect over the norm of the output",
        predicted,
        measured[-1],
        largest(np.abs(measured - predicted)),
        "largest difference at factors 10, 100, 1000",
        1e-9,
    )


@claim(
    "non_homogeneous.steepest",
    title="Steepest descent reaches the largest margin of its own norm",
    source="Gunasekar et al. 2018",
    theorem="prop-nh-steepest",
    statement="For a linear predictor on three samples $ψ/‖w‖$ tends to the largest $ℓₚ$ margin "
    "under sign descent $(p = ∞)$ and coordinate descent $(p = 1)$.",
)
def steepest() -> Comparison:
    """Compare both at ‖w‖ = 20 000 with linear programs."""
    X = np.array([[1.0, 0.6], [1.8, -0.1], [0.8, 1.9]])
    worst = Worst()
    for p in (np.inf, 1.0):
        predicted = _largest_margin(X, p)
        psi, w = _steepest_descent(X, p, length=0.5, steps=40_000)
        measured = psi / float(np.linalg.norm(w, p))
        worst.see(abs(measured / predicted - 1), predicted, measured)
    return worst.comparison("$ψ/‖w‖$", "relative, worse of two norms", 2e-3)


def _largest_margin(X: np.ndarray, p: float) -> float:
    """Return max min x·w over ‖w‖ₚ ≤ 1 for p = 1 or ∞, by a linear program in (w⁺, w⁻, γ)."""
    n, d = X.shape
    constraints, limits = [np.hstack([-X, X, np.ones((n, 1))])], [np.zeros(n)]
    if p == 1:
        constraints.append(np.concatenate([np.ones(2 * d), [0.0]])[None])
        limits.append(np.ones(1))
    sides = [(0, 1)] * (2 * d) + [(None, None)]
    cost = np.concatenate([np.zeros(2 * d), [-1.0]])
    found = linprog(cost, A_ub=np.vstack(constraints), b_ub=np.concatenate(limits), bounds=sides)
    return float(-found.fun)


def _steepest_descent(
    X: np.ndarray, p: float, *, length: float, steps: int
) -> tuple[float, Float[np.ndarray, " d"]]:
    """Return ψ and w after steps of constant ℓₚ length along the steepest direction, p = 1 or ∞."""
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        q = X @ w
        g = np.exp(q.min() - q) @ X
        w = w + length * (
            np.sign(g) if p == np.inf else np.sign(g) * (np.abs(g) == np.abs(g).max())
        )
    q = X @ w
    return float(q.min() - np.log(np.exp(q.min() - q).sum())), w


@claim(
    "non_homogeneous.sign-flow",
    title="Sign descent and a modified margin of its own",
    source=_OURS,
    theorem="prop-nh-steepest",
    statement="For the net with a skip connection, $ρ = ‖θ‖∞$ and $p′ = p_a = max‖x‖₁ρ$, sign "
    "flow obeys $‖∇ψ‖₁ ≥ (2ψ − p′)/ρ$, and from strong separability on $(ψ − p_a)/ρ²$ never falls.",
    relation="≤",
)
def sign_flow() -> Comparison:
    """Compare both sides of the inequality along sign descent by short steps."""
    X, y = opposed_fans(4)
    net = _residual_net()
    radius = float(np.abs(X).sum(axis=1).max())
    psi, rho, slope = _sign_descent(net, X, y, length=0.01, steps=1500)
    least = (2 * psi - radius * rho) / rho
    margin = (psi - radius * rho) / rho**2
    on = int(np.argmax(margin > 0))
    violated = largest(0.0, (least - slope)[on:] / slope[on:], -np.diff(margin[on:]) / margin[-1])
    room = smallest(1 - (least / slope)[on:])
    fine = margin[-1] > 0 and len(psi) - on > 200
    return Comparison(
        "$‖∇ψ‖₁$ at the end",
        least[-1],
        slope[-1],
        violated if fine else np.inf,
        f"largest violation of both, over {len(psi) - on} steps from $ψ = {psi[on]:.0f}$ on",
        1e-9,
        room,
    )


def _sign_descent(
    net: Net, X: np.ndarray, y: np.ndarray, *, length: float, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ψ, ‖θ‖∞ and ‖∇ψ‖₁ along steps of one length for every parameter."""
    parameters, inputs, labels = list(net.parameters()), torch.tensor(X), torch.tensor(y)
    found = []
    for _ in range(steps):
        psi = -torch.logsumexp(-labels * net(inputs), 0)
        slopes = torch.autograd.grad(psi, parameters)
        with torch.no_grad():
            rho = largest([float(parameter.abs().max()) for parameter in parameters])
            found.append((float(psi), rho, sum(float(slope.abs().sum()) for slope in slopes)))
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.add_(slope.sign(), alpha=length)
    columns = np.array(found).T
    return columns[0], columns[1], columns[2]


@claim(
    "non_homogeneous.bias-wins",
    title="A bias that is needed outgrows everything",
    source=f"{_OURS}; quasi-homogeneous nets: Kunin et al. 2023",
    statement="For $f = uvx + b$ with samples at 1 and 3, both on one side of the origin: $b + "
    "2uv → ½ log 3$ and $uv − ψ → log(4/√3)$, so that the data are never strongly separated.",
)
def bias_wins() -> Comparison:
    """Compare both constants at ψ = 500."""
    a = 2.0
    u, v, b = _biased_flow(a, 500.0)
    predicted = np.array([np.log((a + 1) / (a - 1)) / 2, np.log(2 * a / np.sqrt(a * a - 1))])
    measured = np.array([b + a * u * v, u * v - 500.0])
    return Comparison(
        "$b + 2uv$",
        predicted[0],
        measured[0],
        largest(np.abs(measured - predicted)),
        "larger distance of the two constants",
        2e-3,
    )


def _biased_flow(a: float, psi: float) -> Float[np.ndarray, " 3"]:
    """Return u, v, b where the flow of uvx + b on samples at a − 1 and a + 1 reaches ψ.

    The bias has to keep up with uv, which makes this flow stiff, unlike those of `psi_flow`.
    """
    x, sign = np.array([a - 1, a + 1]), np.array([-1.0, 1.0])

    def pulls(theta: np.ndarray) -> tuple[float, np.ndarray]:
        q = sign * (theta[0] * theta[1] * x + theta[2])
        terms = np.exp(q.min() - q)
        return q.min() - np.log(terms.sum()), sign * terms / terms.sum()

    def velocity(_: float, theta: np.ndarray) -> np.ndarray:
        pull = pulls(theta)[1]
        slope = np.array([theta[1] * (pull @ x), theta[0] * (pull @ x), pull.sum()])
        return slope / (slope @ slope)

    start = np.array([0.5, 0.7, 0.1])
    span = (pulls(start)[0], psi)
    return solve_ivp(velocity, span, start, method="LSODA", rtol=1e-9, atol=1e-11).y[:, -1]


def _psi(run: MarginRun) -> Float[np.ndarray, " t"]:
    return inverse_loss(run.log_loss, run.loss)


CLAIMS = (
    defect,
    gap,
    two_parameters,
    modified_margin,
    modified_margin_logistic,
    norm,
    alignment,
    certificate,
    rate_of_loss,
    rate_of_norm,
    direction,
    kkt_distance,
    dropped_bias,
    descent,
    descent_rate,
    descent_too_long,
    attention,
    normalization,
    steepest,
    sign_flow,
    bias_wins,
)
