"""The theorem on descent: its step, its price and its rate, against the formulas and a descent."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from mpmath import mp
from numpy.polynomial import Polynomial
from torch import nn

from ibtools.models import Net, Residual
from ibtools.theory import DescentGuarantee, descent_guarantee, near_homogeneity
from ibtools.theory.homogeneity import NearHomogeneity

pytestmark = pytest.mark.usefixtures("as_a_user")


def bounds(order: int, gap: list[float], gradient: list[float]) -> NearHomogeneity:
    net = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Softplus())
    h = near_homogeneity(net, radius=1.0)
    return replace(h, order=order, gap=Polynomial(gap), gradient=Polynomial(gradient))


CASES = {
    1: (bounds(1, [0.7], [1.5]), [0.25], 30.0, 20.0),
    2: (bounds(2, [0.1, 1.0], [1.0, 1.4]), [1.0, 0.5, 0.3], 40.0, 15.0),
    3: (bounds(3, [0.0, 0.2, 0.3], [0.5, 0.0, 0.8]), [0.1, 0.2, 0.0, 0.4, 0.05], 700.0, 9.0),
}


def found(order: int) -> DescentGuarantee:
    h, hessian, psi, norm = CASES[order]
    return descent_guarantee(h, hessian=Polynomial(hessian), log_loss=-psi, norm=norm)


@pytest.mark.parametrize("order", CASES)
def test_the_step_makes_the_condition_an_equation(order: int) -> None:
    h, hessian, psi, norm = CASES[order]
    p_a = sum(c * norm**i for i, c in enumerate(h.gap.coef))
    r = norm * (2 * psi / (psi - p_a)) ** (1 / order)
    slope = sum(c * r**i for i, c in enumerate(h.gradient.coef))
    G = slope**2 + sum(c * r**i for i, c in enumerate(hessian))
    guarantee = found(order)
    assert guarantee.log_step_size == pytest.approx(psi - math.log(G), rel=1e-13, abs=0)
    assert guarantee.margin == pytest.approx((psi - p_a) / norm**order, rel=1e-13, abs=0)
    assert guarantee.least_margin == guarantee.margin / 2
    assert guarantee.scaled_curvature(psi) == pytest.approx(G, rel=1e-12, abs=0)
    w = order * (psi - p_a) / 2
    e = (1 + 1 / (2 * w)) / w
    C = 1 + (1 + order * (1 + 1 / (2 * w)) ** 2 * math.exp(order * e)) / w
    assert guarantee.constant == pytest.approx(C, rel=1e-13, abs=0)


@pytest.mark.parametrize("order", CASES)
@pytest.mark.parametrize("beyond", [0.0, 3.0])
def test_the_price_is_the_integral(order: int, beyond: float) -> None:
    guarantee, (_, _, psi, norm) = found(order), CASES[order]
    with mp.workdps(30):

        def integrand(x: mp.mpf) -> mp.mpf:
            r = (2 * x / mp.mpf(guarantee.margin)) ** (mp.one / order)
            return sum(mp.mpf(c) * r**i for i, c in enumerate(guarantee.curvature.coef)) * mp.exp(
                -(x - psi)
            )

        integral = mp.quad(integrand, [psi + beyond, psi + beyond + 10, psi + 100, mp.inf])
        eta = mp.exp(guarantee.log_step_size - psi)  # less the factor e^ψ that the integral lacks
        expected = float(guarantee.constant * eta * integral / mp.mpf(norm) ** order)
    price = guarantee.margin_price(-psi - beyond)
    assert price == pytest.approx(expected, rel=1e-10, abs=0)
    third = guarantee.margin_price(-psi - beyond, share=0.3)
    assert third == pytest.approx(0.3 * price, rel=1e-12, abs=0)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 8, 50])
def test_all_falls_together_are_below_what_the_book_says(order: int) -> None:
    # The worst case: ψ₀ = 6, no gap, one power of G.
    h = bounds(order, [0.0], [*[0.0] * (order - 1), 1.0])
    worst = descent_guarantee(h, hessian=Polynomial([0.0]), log_loss=-6.0, norm=1.0)
    share = worst.margin_price(-6.0) / worst.margin
    assert worst.constant <= 2.01
    assert share <= worst.constant / (4 + 2 / order) <= 0.37
    # Not loose by much either.
    assert share > 0.9 * worst.constant / (4 + 2 / order)


def test_the_bound_of_the_loss() -> None:
    guarantee, (_, _, psi, norm) = found(2), CASES[2]
    rate = 4 * guarantee.margin**2 * norm**2 / 8
    log_time = psi + 2.0
    expected = -math.log(math.exp(psi) + rate * math.exp(log_time))
    assert guarantee.log_loss_bound(log_time) == pytest.approx(expected, rel=1e-13, abs=0)
    assert guarantee.log_loss_bound(-math.inf) == -psi


def skip_net() -> tuple[Net, NearHomogeneity, np.ndarray]:
    net = Net(
        Residual(nn.GELU(), nn.Linear(2, 2, bias=False, dtype=torch.float64)),
        nn.Linear(2, 1, bias=False, dtype=torch.float64),
    )
    X = np.array([[0.6, 0.8], [0.6, -0.7], [1.0, 0.0]])
    return net, near_homogeneity(net, radius=1.0), X


def test_curvature_of_the_loss_is_below_its_bound() -> None:
    # The two networks of the book, at random weights; ∇²𝓛 by automatic differentiation.
    net, h, X = skip_net()
    neuron = Net(nn.Linear(2, 1, bias=False, dtype=torch.float64), nn.Softplus())
    rng = np.random.default_rng(0)
    nearest = {"skip": 0.0, "neuron": 0.0}
    for name, module, near, hessian, samples in (
        ("skip", net, h, [1.0], X),
        ("neuron", neuron, near_homogeneity(neuron, radius=1.0), [0.25], X[2:]),
    ):
        inputs = torch.tensor(samples)
        shapes = [(key, p.shape) for key, p in module.named_parameters()]

        def loss(theta: torch.Tensor, module=module, shapes=shapes, inputs=inputs) -> torch.Tensor:
            pieces = theta.split([shape.numel() for _, shape in shapes])
            named = {k: p.view(shape) for (k, shape), p in zip(shapes, pieces, strict=True)}
            return torch.exp(-torch.func.functional_call(module, named, (inputs,))).sum()

        size = sum(shape.numel() for _, shape in shapes)
        for _ in range(60):
            theta = torch.tensor(rng.normal(size=size) * 10 ** rng.uniform(-1, 0.7))
            r = float(theta.norm())
            second = torch.autograd.functional.hessian(loss, theta).numpy()
            G = float(near.gradient(r)) ** 2 + Polynomial(hessian)(r)
            ratio = np.linalg.norm(second, 2) / (float(loss(theta)) * G)
            nearest[name] = max(nearest[name], ratio)
    assert 0.2 < nearest["skip"] <= 1
    assert 0.5 < nearest["neuron"] <= 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"log_loss": -5.0}, ValueError, "log_loss must be at most"),
        ({"log_loss": math.nan}, ValueError, "log_loss must be finite"),
        ({"norm": 0.0}, ValueError, "norm must be greater"),
        ({"norm": "1"}, TypeError, "norm must be a real number"),
        ({"hessian": Polynomial([-1.0])}, ValueError, "hessian must have coefficients"),
        ({"hessian": Polynomial([0.0, 1.0])}, ValueError, "hessian must have degree at most"),
    ],
)
def test_bad_input(change: dict, error: type, words: str) -> None:
    arguments = {"hessian": Polynomial([0.25, 0.0]), "log_loss": -30.0, "norm": 20.0} | change
    with pytest.raises(error, match=words):
        descent_guarantee(CASES[1][0], **arguments)


def test_following_the_message_mends_it() -> None:
    h = CASES[1][0]
    with pytest.raises(ValueError, match=r"at most −p_a\(ρ\) − 6 = -6.7"):
        descent_guarantee(h, hessian=Polynomial([0.25]), log_loss=-1.0, norm=20.0)
    descent_guarantee(h, hessian=Polynomial([0.25]), log_loss=-6.7, norm=20.0)


def test_no_promise_outside_of_the_theorem() -> None:
    guarantee = found(1)
    with pytest.raises(ValueError, match="log_loss must be at most that of the start"):
        guarantee.margin_price(-29.0)
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="share must be above 0 and at most 1"):
            guarantee.margin_price(-30.0, share=share)
    with pytest.raises(ValueError, match="psi must be at least 0"):
        guarantee.scaled_curvature(-1.0)


@pytest.mark.parametrize("order", CASES)
def test_the_least_gain_of_a_step_by_its_formula(order: int) -> None:
    guarantee, (_, _, psi, norm) = found(order), CASES[order]
    # A little later, twice: a gradient as it is on the way, and one that leaves the alignment.
    at = {
        "defect": np.array([0.3, 1.7]),
        "log_loss": np.array([-psi - 0.2, -psi - 1.5]),
        "norm": np.array([1.1 * norm, 1.3 * norm]),
        "gradient_norm": np.array([1.2 * order * psi / norm, 2.5 * order * psi / norm]),
        "alignment": np.array([0.95, 0.4]),
    }
    exact = []
    with mp.workdps(40):
        for defect, log_loss, rho, slope, beta in zip(*map(list, at.values()), strict=True):
            later, M = -mp.mpf(log_loss), mp.mpf(order)
            eta = mp.exp(guarantee.log_step_size - later)  # times the loss, as u is over the loss
            mu, sigma = M * later - defect, eta * slope / rho
            u, e = eta * mp.mpf(slope) ** 2, beta * sigma + sigma**2 / 2
            curvature = mp.mpf(guarantee.scaled_curvature(float(later)))
            lack = u * (eta * curvature / 2 + eta * mu / (2 * mp.mpf(rho) ** 2))
            lack += mu * ((mp.exp(M * e) - 1) / M - e)
            exact.append(float((1 - mp.mpf(beta) ** 2) * u - lack))
    np.testing.assert_allclose(guarantee.least_gain(**at), exact, rtol=1e-10)
