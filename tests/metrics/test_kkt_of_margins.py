"""KKT residuals of nets: identities, optimality of the multipliers, kinks, reference numbers."""

import copy
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ibtools.data import digits, three_points
from ibtools.metrics.kkt_of_margins import MarginKKT, margin_kkt
from ibtools.models import MLP, DeepLinear, Net, ResidualMLP, SquaredReLU
from ibtools.models.reading import gradients_of_each
from ibtools.theory.max_margin import max_margin
from ibtools.trainers import margin_flow


def gradients(net: nn.Module, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all margins (n, c) and their gradients (n, c, p), one backward pass for each."""
    margins, rows = [], []
    for x, label in zip(torch.tensor(X), y, strict=True):
        outputs = net(x[None])[0]
        if outputs.ndim == 0:
            every = [label * outputs]
        else:
            label = int(label)
            every = [outputs[label] - outputs[j] for j in range(len(outputs)) if j != label]
        for q in every:
            pieces = torch.autograd.grad(q, list(net.parameters()), retain_graph=True)
            rows.append(torch.cat([piece.reshape(-1) for piece in pieces]).numpy())
            margins.append(q.item())
    return np.array(margins), np.array(rows)


def own_labels(net: nn.Module, X: np.ndarray) -> np.ndarray:
    """Return the labels that a net gives itself: it separates them."""
    outputs = net(torch.tensor(X)).detach().numpy()
    return np.sign(outputs) if outputs.ndim == 1 else outputs.argmax(1)


def separated(
    build: Callable[[int], nn.Module], seed: int, n: int
) -> tuple[nn.Module, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the first net from `seed` on with no margin near 0: X, y, its margins, gradients."""
    for attempt in count(seed):
        X = np.random.default_rng(attempt).normal(size=(n, 3))
        net = build(attempt)
        y = own_labels(net, X)
        q, J = gradients(net, X, y)
        if q.min() >= 1e-3:
            return net, X, y, q, J
    raise AssertionError  # there is always one


def flat(net: nn.Module) -> np.ndarray:
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()]).numpy()


def stationarity(net: nn.Module, X: np.ndarray, y: np.ndarray, kkt: MarginKKT) -> float:
    """Return ‖θ̃ − Σλ∇q(θ̃)‖ from its definition, at θ̃ itself."""
    q, _ = gradients(net, X, y)
    unit = copy.deepcopy(net)
    with torch.no_grad():
        for p in unit.parameters():
            p.mul_(q.min() ** (-1 / net.order))
    q, J = gradients(unit, X, y)
    assert q.min() == pytest.approx(1, rel=1e-12, abs=0)
    lam = kkt.multipliers
    if lam.ndim == 2:
        wrong = np.arange(lam.shape[1])[None] != y[:, None]
        assert np.all(lam[~wrong] == 0)
        lam = lam[wrong]
    assert kkt.complementarity == pytest.approx(lam @ (q - 1), rel=1e-9, abs=1e-12)
    return float(np.linalg.norm(flat(unit) - lam @ J))


NETS = [
    pytest.param(lambda seed: DeepLinear(d=3, depth=1, seed=seed), id="linear"),
    pytest.param(lambda seed: MLP([3, 5, 1], "squared_relu", seed=seed), id="squared"),
    pytest.param(lambda seed: MLP([3, 5, 4, 1], "relu", bias="first", seed=seed), id="bias"),
    pytest.param(lambda seed: MLP([3, 6, 4], "squared_relu", seed=seed), id="classes"),
]


@pytest.mark.parametrize("build", NETS)
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_both_multipliers_are_what_they_are_said_to_be(build, seed, scale) -> None:
    net, X, y, q, J = separated(build, seed, 8)
    order, theta = net.order, flat(net)
    length = (q.min() / np.linalg.norm(theta) ** order) ** (-1 / order)
    best = margin_kkt(net, X, y, slack=1e6)
    closed = margin_kkt(net, X, y, multipliers="closed_form")
    for kkt in (best, closed):
        assert np.all(kkt.multipliers >= 0)
        assert stationarity(net, X, y, kkt) == pytest.approx(kkt.stationarity, abs=1e-9 * length)
        assert kkt.relative_stationarity == pytest.approx(
            kkt.stationarity / length, rel=1e-12, abs=0
        )
    # Lyu & Li: the residual is exactly √(2(1−β))·γ̄^(−1/L), with β the loss's alignment.
    if y.dtype == float:
        push = np.exp(q.min() - q) @ J
        beta = push @ theta / np.linalg.norm(push) / np.linalg.norm(theta)
        assert closed.beta == pytest.approx(beta, abs=1e-12)
    assert closed.relative_stationarity == pytest.approx(np.sqrt(2 * (1 - closed.beta)), abs=1e-7)
    # The best residual is a sine, it is smaller, and optimal: no constraint could lower it.
    assert best.relative_stationarity == pytest.approx(np.sqrt(1 - best.beta**2), abs=1e-7)
    assert best.relative_stationarity <= closed.relative_stationarity + 1e-12
    unit = theta / np.linalg.norm(theta)
    J = J / np.linalg.norm(theta) ** (order - 1)
    lam = best.multipliers
    if lam.ndim == 2:
        lam = lam[np.arange(lam.shape[1])[None] != y[:, None]]
    mu = lam * length ** (order - 2)
    left = unit - mu @ J
    assert (J @ left).max() < 1e-9 * np.linalg.norm(J, axis=1).max()
    assert np.abs((J @ left)[mu > 0]).max(initial=0) < 1e-9 * np.linalg.norm(J, axis=1).max()
    # The direction decides, not how far the net has grown.
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(scale)
    again = margin_kkt(net, X, y, slack=1e6)
    np.testing.assert_allclose(again.multipliers, best.multipliers, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("classes", "loss"), [((3, 8), "exponential"), ((3, 8), "logistic"), ((0, 1, 2), None)]
)
def test_closed_form_is_what_runs_record(classes, loss) -> None:
    X, y = digits(classes=classes, per_class=15, seed=0)
    net = MLP([64, 5, 1 if len(classes) == 2 else 3], "squared_relu", scale=0.3, seed=0)
    run = margin_flow(net, X, y, loss=loss or "cross_entropy", until_log10_loss=-5)
    kkt = margin_kkt(run.net, X, y, multipliers="closed_form", loss=loss)
    assert kkt.beta == pytest.approx(run.gradient_alignment[-1], abs=1e-10)
    assert kkt.stationarity == pytest.approx(run.stationarity[-1], rel=1e-8, abs=0)
    assert kkt.complementarity == pytest.approx(run.complementarity[-1], rel=1e-8, abs=0)
    assert margin_kkt(run.net, X, y, slack=1e6).relative_stationarity < kkt.relative_stationarity


def test_a_max_margin_predictor_is_a_kkt_point_with_its_multipliers() -> None:
    X, y = three_points()
    best = max_margin(X, y)
    net = DeepLinear(d=2, depth=1, seed=0)
    net.layers[0].weight.data.copy_(torch.tensor(best.w * 17)[None])
    kkt = margin_kkt(net, X, y)
    assert kkt.relative_stationarity < 1e-14
    assert kkt.complementarity < 1e-14
    assert kkt.beta == pytest.approx(1, rel=1e-12, abs=0)
    np.testing.assert_allclose(kkt.multipliers, [4 / 49, 9 / 49, 0], atol=1e-14)
    # Any w between the support vectors is a combination of theirs: only complementarity tells.
    net.layers[0].weight.data += torch.tensor([[1e-3, 0.0]])
    near = margin_kkt(net, X, y)
    assert near.relative_stationarity < 1e-14
    assert 1e-6 < near.complementarity < 1e-4
    alone = margin_kkt(net, X, y, slack=0)
    assert alone.relative_stationarity > 0.1
    w = net.layers[0].weight.detach().numpy()[0]
    length = np.linalg.norm(w) / np.min(y * (X @ w))
    expected = alone.relative_stationarity * length
    assert alone.stationarity == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("loss", [None, "exponential", "logistic"])
def test_the_closed_form_of_a_linear_net_by_hand(loss: str | None) -> None:
    X, y = three_points()
    w = np.array([0.7, 0.4])
    net = DeepLinear(d=2, depth=1, seed=0)
    net.layers[0].weight.data.copy_(torch.tensor(w)[None])
    Z = y[:, None] * X
    q = Z @ w
    push = 1 / (1 + np.exp(q)) if loss == "logistic" else np.exp(-q)
    # λ = q_min^(1 − 2/L)·‖θ‖·push/‖Σ push z‖ at L = 1.
    lam = np.linalg.norm(w) * push / np.linalg.norm(push @ Z) / q.min()
    kkt = margin_kkt(net, X, y, multipliers="closed_form", loss=loss)
    np.testing.assert_allclose(kkt.multipliers, lam, rtol=1e-12)
    left = w / q.min() - lam @ Z
    assert kkt.stationarity == pytest.approx(np.linalg.norm(left), rel=1e-12, abs=0)
    assert kkt.complementarity == pytest.approx(lam @ (q / q.min() - 1), rel=1e-12, abs=0)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.5, 3.0]))
@settings(max_examples=30)
def test_slack_decides_who_takes_part_and_bounds_complementarity(seed, slack) -> None:
    net, X, y, q, _ = separated(lambda seed: MLP([3, 5, 1], "squared_relu", seed=seed), seed, 12)
    kkt = margin_kkt(net, X, y, slack=slack)
    close = q <= q.min() * (1 + slack) * (1 + 1e-12)
    assert kkt.constraints == close.sum()
    assert np.all(kkt.multipliers[~close] == 0)
    length = np.linalg.norm(flat(net)) / q.min() ** (1 / 3)
    assert -1e-12 <= kkt.complementarity <= slack * length**2 / 3 + 1e-12


def test_chunks_change_nothing_and_a_limit_takes_the_smallest_margins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = np.random.default_rng(3).normal(size=(9, 3))
    net = MLP([3, 5, 1], "squared_relu", seed=3)
    y = own_labels(net, X)
    q, p = gradients(net, X, y)[0], len(flat(net))
    whole = [margin_kkt(net, X, y, slack=1e6, multipliers=m) for m in ("nnls", "closed_form")]
    with monkeypatch.context() as patch:
        patch.setattr("ibtools.metrics.margins_of_nets._SAMPLES", 4)
        patch.setattr("ibtools.metrics.margins_of_nets._CHUNK", 2 * p)
        again = [margin_kkt(net, X, y, slack=1e6, multipliers=m) for m in ("nnls", "closed_form")]
    for one, other in zip(whole, again, strict=True):
        assert one.constraints == other.constraints == 9
        size = one.multipliers.max()
        np.testing.assert_allclose(other.multipliers, one.multipliers, atol=1e-9 * size)
    at_once = []

    def recorded(function: object, values: list[torch.Tensor], *per_sample: torch.Tensor) -> object:
        at_once.append(len(per_sample[0]))
        return gradients_of_each(function, values, *per_sample)

    with monkeypatch.context() as patch:
        patch.setattr("ibtools.metrics.margins_of_nets.gradients_of_each", recorded)
        for numbers, sizes in ((4 * p + 1, [4, 4, 1]), (p - 1, [1] * 9)):
            patch.setattr("ibtools.metrics.margins_of_nets._CHUNK", numbers)
            margin_kkt(net, X, y, slack=1e6)
            assert at_once == sizes
            at_once.clear()
    # Memory for three gradients: the three smallest margins take part.
    monkeypatch.setattr("ibtools.metrics.kkt_of_margins._LARGEST", 3 * p)
    few = margin_kkt(net, X, y, slack=1e6)
    assert few.constraints == 3
    assert set(np.flatnonzero(few.multipliers)) <= set(np.argsort(q)[:3])


def kinked_net() -> tuple[Net, np.ndarray, np.ndarray]:
    """Return a net whose second neuron is on its kink at the first sample, a KKT point by hand.

    With x₁ = (1, 0), x₂ = (−.6, .8): w₁ = a₁x₁ and w₂ = a₂(0, 1) = λ₂a₂x₂ + λ₁t a₂x₁ for λ = (1,
    1.25) and t = .75, a point between the two slopes 0 and 1 at the kink.
    """
    net = MLP([2, 2, 1], "relu", seed=0)
    a = 1 / np.sqrt(0.8)
    net.layers[0].weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, a]]))
    net.layers[2].weight.data.copy_(torch.tensor([[1.0, a]]))
    return net, np.array([[1.0, 0.0], [-0.6, 0.8]]), np.array([1.0, 1.0])


def test_on_a_kink_all_of_clarkes_gradients_count() -> None:
    net, X, y = kinked_net()
    plain = margin_kkt(net, X, y)
    assert plain.relative_stationarity > 0.2
    kkt = margin_kkt(net, X, y, kink_tolerance=1e-9)
    assert kkt.relative_stationarity < 1e-14
    np.testing.assert_allclose(kkt.multipliers, [1.0, 1.25], rtol=1e-12)
    # Off the kink there is nothing to add.
    net.layers[0].weight.data[1, 0] = 0.01
    away = margin_kkt(net, X, y, kink_tolerance=1e-9)
    assert away.relative_stationarity == margin_kkt(net, X, y).relative_stationarity > 1e-3
    assert (
        margin_kkt(net, X, y, kink_tolerance=0.2).relative_stationarity < away.relative_stationarity
    )


class Spelled(nn.Module):
    """The layers of a net with the ReLU between them written in a forward of its own."""

    def __init__(self, layers: nn.Sequential, relu: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.relu, self.last = layers[0], relu, layers[2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.relu(self.first(x)))


def _in_place(z: torch.Tensor) -> torch.Tensor:
    z.relu_()
    return z


SPELLINGS = {
    "functional.relu": nn.functional.relu,
    "functional.relu in place": lambda z: nn.functional.relu(z, inplace=True),
    "torch.relu": torch.relu,
    "method": lambda z: z.relu(),
    "method in place": _in_place,
    "module in place": nn.ReLU(inplace=True),
    "clamp": lambda z: z.clamp(min=0),
    "clamp_min": lambda z: torch.clamp_min(z, 0.0),
    "leaky with slope 0": lambda z: nn.functional.leaky_relu(z, 0.0),
    "half of z + |z|": lambda z: (z + z.abs()) / 2,
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_kink_is_one_however_it_is_written(name: str) -> None:
    net, X, y = kinked_net()
    kkt = margin_kkt(Spelled(net.layers, SPELLINGS[name]), X, y, kink_tolerance=1e-9, order=2)
    assert kkt.relative_stationarity < 1e-14
    np.testing.assert_allclose(kkt.multipliers, [1.0, 1.25], rtol=1e-12)


def test_kinks_that_are_not_seen_are_refused_and_none_are_made_up() -> None:
    net, X, y = kinked_net()
    for unknown in (lambda z: torch.maximum(z, 0 * z), lambda z: nn.functional.hardtanh(z, 0, 1e9)):
        with pytest.raises(ValueError, match=r"one that calls .*; write it by"):
            margin_kkt(Spelled(net.layers, unknown), X, y, kink_tolerance=1e-9, order=2)
        assert margin_kkt(Spelled(net.layers, unknown), X, y, order=2).relative_stationarity > 0.05
    turned = Spelled(net.layers, lambda z: torch.relu(z.T).T)
    with pytest.raises(ValueError, match="without an axis of samples in front"):
        margin_kkt(turned, X, y, kink_tolerance=1e-9, order=2)
    # The square of a ReLU has a gradient everywhere.
    smooth = Spelled(net.layers, SquaredReLU())
    plain = margin_kkt(smooth, X, y, order=3)
    near = margin_kkt(smooth, X, y, kink_tolerance=0.5, order=3)
    assert near.relative_stationarity == plain.relative_stationarity


def test_an_input_is_small_beside_those_of_its_own_sample() -> None:
    net, X, y = kinked_net()
    net.layers[0].weight.data[1, 0] = 0.01
    # The first sample's inputs are then 1e-3 and 1e-5, and the second's are as they were.
    X = X * np.array([[1e-3], [1.0]])
    plain = margin_kkt(net, X, y, slack=1e6).relative_stationarity
    with_kinks = [
        margin_kkt(net, X, y, slack=1e6, kink_tolerance=tolerance).relative_stationarity
        for tolerance in (0.009, 0.011)
    ]
    assert with_kinks[0] == plain > with_kinks[1]


def test_neurons_that_never_see_anything_take_no_place_among_the_kinks() -> None:
    net, X, y = kinked_net()
    wide = MLP([2, 12, 1], "relu", seed=0)
    for layer, part in ((0, slice(10, 12)), (2, (slice(None), slice(10, 12)))):
        wide.layers[layer].weight.data.zero_()
        wide.layers[layer].weight.data[part] = net.layers[layer].weight.data
    kkt = margin_kkt(wide, X, y, kink_tolerance=1e-9)
    assert kkt.relative_stationarity < 1e-14
    # Nor does it matter how many samples there are, here more than parameters.
    kkt = margin_kkt(net, np.tile(X, (4, 1)), np.tile(y, 4), kink_tolerance=1e-9)
    assert kkt.relative_stationarity < 1e-14


@pytest.mark.slow
def test_reference_5_and_its_decay() -> None:
    X, y = digits(classes=(3, 8))
    net = MLP([64, 20, 1], "squared_relu", scale=0.3, seed=0)
    run, relative, norms = None, [], []
    for log10_loss in (-10, -100, -1000, -1e4, -1e6):
        run = margin_flow(net, X, y, until_log10_loss=log10_loss, resume=run)
        relative.append(margin_kkt(run.net, X, y).relative_stationarity)
        norms.append(run.norm[-1])
    np.testing.assert_allclose(relative, [0.37, 0.18, 0.084, 0.038, 0.0094], rtol=0.15)
    # Proportional to 1/ρ from the second on; at the first the net is far from its limit.
    distances = np.array(relative[1:]) * norms[1:]
    assert distances.max() / distances.min() < 1.15


@pytest.mark.slow
def test_relu_flow_slides_along_kinks_and_only_clarke_sees_how_close_it_is() -> None:
    X, y = digits(classes=(3, 8), per_class=20, seed=0)
    run = margin_flow(MLP([64, 6, 1], "relu", seed=1), X, y, until_log10_loss=-1000)
    assert run.converged
    plain = margin_kkt(run.net, X, y)
    clarke = margin_kkt(run.net, X, y, kink_tolerance=1e-2)
    assert clarke.relative_stationarity < 0.35 * plain.relative_stationarity
    assert clarke.relative_stationarity < 0.05


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    net, X, y = kinked_net()
    with pytest.raises(ValueError, match="multipliers must be one of"):
        margin_kkt(net, X, y, multipliers="best")
    with pytest.raises(ValueError, match="slack must be at least 0"):
        margin_kkt(net, X, y, slack=-0.1)
    with pytest.raises(ValueError, match="kink_tolerance is for multipliers='nnls'"):
        margin_kkt(net, X, y, multipliers="closed_form", kink_tolerance=0.1)
    with pytest.raises(ValueError, match="smallest margin of -1"):
        margin_kkt(net, X, -y)
    with pytest.raises(ValueError, match="'cross_entropy' does not fit"):
        margin_kkt(net, X, y, multipliers="closed_form", loss="cross_entropy")
    with pytest.raises(ValueError, match="not homogeneous"):
        margin_kkt(ResidualMLP(d=2, width=2, seed=0), X, y)
    with pytest.raises(ValueError, match="y must be ±1"):
        margin_kkt(net, X, [0, 1])
    with pytest.raises(ValueError, match="one label for each of 2 samples"):
        margin_kkt(net, X, [[1], [1]])
    with pytest.raises(ValueError, match="X must be finite"):
        margin_kkt(net, [[np.nan, 0.0], [0.0, 1.0]], y)
    with pytest.raises(ValueError, match="samples along its first axis"):
        margin_kkt(net, [], [])
    with pytest.raises(TypeError, match="X must be an array"):
        margin_kkt(net, "digits", y)
    with pytest.raises(ValueError, match="classes 0 … 2"):
        margin_kkt(MLP([2, 3], seed=0), X, [0, 3])
    net.layers[0].weight.data[0, 0] = np.inf
    with pytest.raises(ValueError, match="parameters that are not finite"):
        margin_kkt(net, X, y)
