"""Certificates never exceed what an attack finds, and both are what closed forms say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ibtools.data import digits, xor
from ibtools.metrics.attack import _L2Attack, l2_attack
from ibtools.metrics.certificate import certified_radius, convolution_norm, lipschitz_bound
from ibtools.metrics.margins_of_nets import NetMargins
from ibtools.models import (
    MLP,
    ConvNet,
    DeepLinear,
    DiagonalClassifier,
    Net,
    ResidualMLP,
    SquaredReLU,
)
from ibtools.models.layers import Residual
from ibtools.trainers import margin_flow


def draw_biases(net: nn.Module, seed: int) -> nn.Module:
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim == 1:
                p.copy_(0.3 * torch.randn(p.shape, generator=random, dtype=p.dtype))
    return net


def own_labels(net: nn.Module, X: np.ndarray) -> np.ndarray:
    outputs = net(torch.tensor(X)).detach().numpy()
    return np.where(outputs > 0, 1.0, -1.0) if outputs.ndim == 1 else outputs.argmax(1)


def least_margins(net: nn.Module, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    outputs = net(torch.tensor(X)).detach().numpy()
    if outputs.ndim == 1:
        return y * outputs
    rows = np.arange(len(y))
    own = outputs[rows, y]
    outputs[rows, y] = -np.inf
    return own - outputs.max(1)


NETS = [
    pytest.param(lambda s: MLP([3, 6, 1], "relu", bias=True, seed=s), (3,), id="relu"),
    pytest.param(lambda s: MLP([3, 6, 5, 4], "squared_relu", bias=True, seed=s), (3,), id="square"),
    pytest.param(lambda s: MLP([3, 6, 5, 4], "leaky_relu", seed=s), (3,), id="leaky"),
    pytest.param(lambda s: MLP([3, 6, 1], "gelu", bias=True, seed=s), (3,), id="gelu"),
    pytest.param(lambda s: MLP([3, 6, 1], "silu", bias=True, seed=s), (3,), id="silu"),
    pytest.param(lambda s: MLP([3, 6, 1], "softplus", bias=True, seed=s), (3,), id="softplus"),
    pytest.param(
        lambda s: ResidualMLP(3, 4, activation="tanh", outputs=3, bias=True, seed=s),
        (3,),
        id="residual",
    ),
    pytest.param(
        lambda s: ConvNet((2, 6, 6), [[3], [4]], hidden=[5], outputs=3, bias=True, seed=s),
        (2, 6, 6),
        id="convolutions",
    ),
    pytest.param(
        lambda s: Net(
            nn.Conv2d(1, 3, 3, stride=2, bias=False, dtype=torch.float64),
            SquaredReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(3, 2, dtype=torch.float64),
        ),
        (1, 6, 6),
        id="average",
    ),
    pytest.param(
        lambda s: DiagonalClassifier(*np.random.default_rng(s).normal(size=(2, 3))),
        (3,),
        id="diagonal",
    ),
]


@pytest.mark.parametrize(("build", "shape"), NETS)
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_nothing_within_the_certified_radius_changes_the_class(build, shape, seed) -> None:
    random = np.random.default_rng(seed)
    net = draw_biases(build(seed), seed)
    X = random.normal(size=(6, *shape))
    y = own_labels(net, X)
    radii = certified_radius(net, X, y)
    right = least_margins(net, X, y) > 0
    assert np.all((radii > 0) == right)
    attack = l2_attack(net, X, y, steps=20, restarts=1, seed=0)
    assert np.all(radii <= attack.distance * (1 + 1e-9))
    # On the sphere of that radius too, in directions that an attack may not think of.
    near = np.where(np.isfinite(radii), radii, 1e3)
    for _ in range(20):
        move = random.normal(size=X.shape)
        move *= (near / np.linalg.norm(move.reshape(6, -1), axis=1)).reshape(6, *[1] * (X.ndim - 1))
        assert np.all(least_margins(net, X + move, y)[right] > -1e-9)
    # What the attack returns is across the boundary, at the distance it says.
    found = np.isfinite(attack.distance)
    assert np.all(least_margins(net, attack.X, y)[found] <= 1e-12)
    moved = np.linalg.norm((attack.X - X).reshape(6, -1), axis=1)
    np.testing.assert_allclose(attack.distance[found], moved[found], atol=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([1, 3]))
@settings(max_examples=15)
def test_linear_nets_have_the_closed_form(seed: int, depth: int, outputs: int) -> None:
    X = np.random.default_rng(seed).normal(size=(7, 4))
    net = DeepLinear(d=4, depth=depth, outputs=outputs, seed=seed)
    y = own_labels(net, X)
    w = net.predictor
    if outputs == 1:
        exact = y * (X @ w) / np.linalg.norm(w)
    else:
        apart = w[y][:, None] - w[None]
        size = np.linalg.norm(apart, axis=2)
        shares = np.einsum("nkd,nd->nk", apart, X) / np.where(size > 0, size, np.nan)
        exact = np.nanmin(shares, axis=1)
    for local in (True, False):
        np.testing.assert_allclose(certified_radius(net, X, y, local=local), exact, rtol=1e-9)
    attack = l2_attack(net, X, y, restarts=2, seed=0)
    np.testing.assert_allclose(attack.distance, exact, rtol=1e-6)
    assert np.all(attack.distance >= exact * (1 - 1e-12))


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_local_certificate_is_never_below_the_global_one(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(7, 3))
    net = draw_biases(MLP([3, 8, 6, 4], "relu", bias=True, seed=seed), seed)
    y = own_labels(net, X)
    local, everywhere = (certified_radius(net, X, y, local=one) for one in (True, False))
    assert np.all(local >= everywhere * (1 - 1e-9))
    # q over a Lipschitz constant, which is at least the constant of its own pair of classes.
    bound = least_margins(net, X, y) / lipschitz_bound(net, (3,))
    assert np.all(everywhere >= bound * (1 - 1e-9))


def test_samples_are_treated_one_like_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(5, 3))
    net = draw_biases(MLP([3, 6, 4], "relu", bias=True, seed=0), 0)
    y = own_labels(net, X)
    radii, attack = certified_radius(net, X, y), l2_attack(net, X, y, restarts=1, seed=0)
    for module in ("attack", "certificate"):
        monkeypatch.setattr(f"ibtools.metrics.{module}._SAMPLES", 2)
    np.testing.assert_allclose(certified_radius(net, X, y), radii, rtol=1e-12)
    again = l2_attack(net, X, y, restarts=1, seed=0)
    np.testing.assert_allclose(again.distance, attack.distance, rtol=1e-9)
    np.testing.assert_allclose(again.X, attack.X, atol=1e-6)


def test_a_squared_relu_by_hand() -> None:
    # 5 − max(x, 0)², at x = 1: the boundary is at √5. At x = −1 too, from below the kink.
    net = MLP([1, 1, 1], "squared_relu", bias=True, seed=0)
    for p, value in zip(net.parameters(), (1.0, 0.0, -1.0, 5.0), strict=True):
        p.data.fill_(value)
    X = np.array([[1.0], [-1.0]])
    exact = 5**0.5 - X[:, 0]
    np.testing.assert_allclose(certified_radius(net, X, [1, 1]), exact, rtol=1e-9)
    np.testing.assert_allclose(
        l2_attack(net, X, [1, 1], restarts=5, seed=0).distance[0], exact[0], rtol=1e-6
    )
    with pytest.raises(ValueError, match="no Lipschitz constant"):
        lipschitz_bound(net, (1,))


def test_two_classes_of_a_squared_relu_by_hand() -> None:
    # The margin (2 − 1)·z² at z = 1 loses (2z + r)·r = 1 at most where r = √2 − 1.
    net = MLP([1, 1, 2], "squared_relu", seed=0)
    for p, value in zip(net.parameters(), ([[1.0]], [[2.0], [1.0]]), strict=True):
        p.data.copy_(torch.tensor(value))
    np.testing.assert_allclose(certified_radius(net, [[1.0]], [0]), 2**0.5 - 1, rtol=1e-9)


def test_two_outputs_of_a_leaky_relu_by_hand() -> None:
    # Both lose r at most, but not at once: a step of length r loses √2·r of their difference.
    layer = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    layer.weight.data.copy_(torch.eye(2))
    net = Net(layer, nn.LeakyReLU(0.5))
    np.testing.assert_allclose(certified_radius(net, [[3.0, 1.0]], [0]), 2**0.5, rtol=1e-9)


def test_a_tie_is_certified_nowhere_even_where_nothing_moves() -> None:
    net = MLP([1, 1, 2], "relu", seed=0)
    for p in net.parameters():
        p.data.zero_()
    assert certified_radius(net, [[1.0]], [0]) == 0
    # Nor is it classified correctly, to an attack, which finds nothing else.
    assert l2_attack(net, [[1.0]], [0], restarts=1, seed=0).distance == 0


def linear_map(outputs: int, weights: object, bias: float = 0.0) -> nn.Linear:
    layer = nn.Linear(1, outputs, dtype=torch.float64)
    layer.weight = nn.Parameter(torch.as_tensor(weights, dtype=torch.float64))
    layer.bias = nn.Parameter(torch.full((outputs,), bias, dtype=torch.float64))
    return layer


def threefold() -> Residual:
    return Residual(linear_map(4, 2 * np.eye(4)))


def patches(stride: int) -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, 2, stride=stride, bias=False, dtype=torch.float64)
    layer.weight.data.copy_(torch.tensor([[[[1.0, -2.0], [0.5, 3.0]]]]))
    return layer


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ((nn.AvgPool2d(2), linear_map(1, [[1.0, 2.0, -1.0, 0.5]])), (4, 4)),
        # The last row and column fill no window.
        ((nn.AvgPool2d(2), linear_map(1, [[1.0, 2.0, -1.0, 0.5]])), (5, 5)),
        ((nn.AvgPool2d((1, 3)), linear_map(1, [[1.0, 2.0]])), (2, 4)),
        ((nn.AvgPool2d(2, divisor_override=3), linear_map(1, [[1.0, 2.0, -1.0, 0.5]])), (4, 4)),
        ((patches(2), linear_map(1, [[1.0, 2.0, -1.0, 0.5]])), (4, 4)),
        ((nn.MaxPool2d(2), linear_map(1, [[1.0, 2.0, -1.0, 0.5]])), (4, 4)),
        ((nn.Flatten(), threefold(), linear_map(1, np.ones((1, 4)))), (2, 2)),
    ],
    ids=["average", "with an edge", "long", "divisor", "patches", "largest", "residual"],
)  # fmt: skip
def test_no_layer_costs_anything_where_its_bound_is_attained(layers, size) -> None:
    # Each layer stretches all that matters alike, so that the distance is q over the gradient's
    # norm, and both certificates must reach it: soundness alone would let them be a half of it.
    random = np.random.default_rng(0)
    net = Net(*layers[:-1], nn.Flatten(), layers[-1])
    X = np.zeros((3, 1, *size))
    # One entry of each window far above the others: so it stays while the image moves a little.
    X[:, :, ::2, ::2] = 5 + random.uniform(size=X[:, :, ::2, ::2].shape)
    x = torch.tensor(X, requires_grad=True)
    with torch.no_grad():
        layers[-1].bias -= net(x).min() - 0.1
    outputs = net(x)
    (slopes,) = torch.autograd.grad(outputs.sum(), x)
    exact = outputs.detach().numpy() / slopes.flatten(1).norm(dim=1).numpy()
    near = [0, 1, 2] if not isinstance(layers[0], nn.MaxPool2d) else [int(exact.argmin())]
    for local in (True, False):
        radii = certified_radius(net, X[near], np.ones(len(near)), local=local)
        np.testing.assert_allclose(radii, exact[near], rtol=1e-9)
    attack = l2_attack(net, X[near], np.ones(len(near)), restarts=1, seed=0)
    np.testing.assert_allclose(attack.distance, exact[near], rtol=1e-6)
    bound = lipschitz_bound(net, (1, *size))
    assert bound == pytest.approx(float(slopes.flatten(1).norm(dim=1).max()), rel=1e-12, abs=0)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_kink_that_is_crossed_by_hand(activation: str) -> None:
    # 5 − φ(x) at x = −1: up to the kink at the lower slope, beyond it at 1.
    net = MLP([1, 1, 1], activation, bias=True, seed=0)
    for p, value in zip(net.parameters(), (1.0, 0.0, -1.0, 5.0), strict=True):
        p.data.fill_(value)
    np.testing.assert_allclose(certified_radius(net, [[-1.0]], [1]), 6.0, rtol=1e-9)
    below = 0.0 if activation == "relu" else float(net.layers[1].negative_slope)
    everywhere = certified_radius(net, [[-1.0]], [1], local=False)
    np.testing.assert_allclose(everywhere, 5.0 + below, rtol=1e-9)


@pytest.mark.parametrize(
    "activation",
    [
        nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Softplus(), nn.Tanh(), nn.ReLU(),
        nn.LeakyReLU(0.3), nn.LeakyReLU(2.0), nn.LeakyReLU(-3.0),
    ],
    ids=repr,
)  # fmt: skip
def test_the_steepest_slope_of_an_activation(activation: nn.Module) -> None:
    net = Net(linear_map(1, [[1.0]]), activation, linear_map(1, [[1.0]]))
    z = torch.linspace(-20, 20, 400_001, dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(activation(z).sum(), z)
    steepest = float(slopes.abs().max())
    assert steepest * (1 - 1e-8) <= lipschitz_bound(net, (1,)) <= steepest * (1 + 1e-6)


def test_random_restarts_begin_as_far_away_as_the_nearest_change_so_far() -> None:
    random = np.random.default_rng(0)
    X = 10 * random.normal(size=(40, 6))
    net = MLP([6, 5, 1], "relu", seed=0)
    attack = _L2Attack(NetMargins(net, X, own_labels(net, X)))
    attack.distance = torch.tensor([0.5, 3.0, np.inf, 1.0] * 10, dtype=torch.float64)
    attack.crossed = lambda points, samples=None: torch.ones(len(points), dtype=torch.bool)
    points = attack.deepfool(1, random)
    away = (points - attack.x).norm(dim=1).numpy()
    np.testing.assert_allclose(away, [0.5, 3.0, 1.0, 1.0] * 10, rtol=1e-12)
    # In all directions: the mean of unit vectors is small.
    mean = ((points - attack.x) / (points - attack.x).norm(dim=1, keepdim=True)).mean(0)
    assert float(mean.norm()) < 0.5


def one_sample_deepfool(net: nn.Module, x: np.ndarray, label: int, order: int) -> np.ndarray:
    """Return where 50 steps lead: to the class whose boundary seems nearest, or an `order` later.

    Which is nearest is asked anew before each step; which is an `order` later, at the start.
    """

    def moves(at: torch.Tensor) -> list[torch.Tensor]:
        at = at.clone().requires_grad_(True)
        outputs = net(at[None])[0]
        found = []
        for q in [outputs[label] - outputs[j] for j in range(len(outputs)) if j != label]:
            (slope,) = torch.autograd.grad(q, at, retain_graph=True)
            found.append(-q.detach() / slope.square().sum() * slope)
        return found

    at = torch.tensor(x)
    lengths = [float(move.norm()) for move in moves(at)]
    wanted = int(np.argsort(lengths)[order]) if order else None
    for _ in range(50):
        if net(at[None])[0].argmax() != label:
            break
        found = moves(at)
        nearest = int(np.argmin([float(move.norm()) for move in found]))
        at = at + 1.02 * found[nearest if wanted is None else wanted]
    return at.numpy()


def test_the_attack_starts_where_deepfool_comes_sample_by_sample() -> None:
    X = 3 * np.random.default_rng(0).normal(size=(6, 3))
    net = MLP([3, 8, 4], "squared_relu", seed=0)
    y = own_labels(net, X)
    attack = _L2Attack(NetMargins(net, X, y))
    for order in range(3):
        expected = [
            one_sample_deepfool(net, x, label, order) for x, label in zip(X, y, strict=True)
        ]
        found = attack.deepfool(order, np.random.default_rng(0))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


class UnitCircle(nn.Module):
    """A net that is positive within the unit circle, or without."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * (x.square().sum(1) - 1)


@pytest.mark.parametrize("size", [0.01, 5.0])
@pytest.mark.parametrize(
    ("sign", "x", "end"),
    [
        (-1.0, (0.3, 0.0), (0.0, 2.0)),
        # From without, tangents lead away from the circle: shorter ways must be tried.
        (1.0, (3.0, 0.0), (0.0, 0.9)),
        (1.0, (1.5, 0.0), (0.7, 0.7)),
    ],
)
def test_an_attack_slides_along_a_circle_to_its_nearest_point(size, sign, x, end) -> None:
    attack = _L2Attack(NetMargins(UnitCircle(sign * size), [x], [1]))
    attack.slide(torch.tensor([end], dtype=torch.float64), 50)
    assert float(attack.distance[0]) == pytest.approx(abs(x[0] - 1), rel=2e-6, abs=0)
    np.testing.assert_allclose(attack.best, [[1.0, 0.0]], atol=3e-3)


def test_a_net_that_cannot_be_moved_is_certified_everywhere() -> None:
    net = MLP([2, 1, 1], "relu", bias=True, seed=0)
    for p, value in zip(net.parameters(), (0.0, -1.0, 1.0, 3.0), strict=True):
        p.data.fill_(value)
    assert certified_radius(net, [[1.0, 2.0]], [1]) == np.inf
    attack = l2_attack(net, [[1.0, 2.0]], [1], seed=0)
    assert attack.distance == np.inf
    np.testing.assert_array_equal(attack.X, [[1.0, 2.0]])


@pytest.mark.parametrize("local", [True, False])
def test_no_certificate_depends_on_the_unit_of_the_inputs(local: bool) -> None:
    net = MLP([2, 5, 1], "relu", seed=0)
    X = np.random.default_rng(0).normal(size=(6, 2))
    y = own_labels(net, X)
    radii = certified_radius(net, X, y, local=local)
    assert np.all(radii > 0)
    for unit in (2.0**-60, 2.0**60):
        there = certified_radius(net, unit * X, y, local=local)
        np.testing.assert_allclose(there, unit * radii, rtol=1e-9, atol=0)
    # Nor on that of the weights: however weak they are, something changes the class.
    weak = nn.Sequential(linear_map(1, [[1e-20, 0.0]], bias=1.0))
    np.testing.assert_allclose(certified_radius(weak, [[0.0, 0.0]], [1]), 1e20, rtol=1e-9, atol=0)


def test_the_attack_finds_the_nearest_point_of_the_plane() -> None:
    X, y = xor()
    run = margin_flow(MLP([2, 8, 1], "relu", seed=3), X, y, until_log10_loss=-3)
    axis = np.linspace(-3, 3, 1201)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    outputs = run.net(torch.tensor(grid)).detach().numpy()
    attack = l2_attack(run.net, X, y, seed=0)
    for x, label, distance in zip(X, y, attack.distance, strict=True):
        nearest = np.linalg.norm(grid - x, axis=1)[label * outputs <= 0].min()
        assert distance <= nearest
        assert distance > nearest - 0.01


def carlini_wagner(net: nn.Module, X: np.ndarray, y: np.ndarray, c: float) -> np.ndarray:
    """Return the distances of Carlini and Wagner's attack at one constant c, by Adam."""
    x, labels = torch.tensor(X), torch.tensor(y)
    change = torch.zeros_like(x, requires_grad=True)
    adam = torch.optim.Adam([change], lr=0.01)
    best = np.full(len(X), np.inf)
    for _ in range(300):
        q = labels * net(x + change)
        crossed = (q <= 0).numpy()
        size = change.detach().norm(dim=1).numpy()
        best = np.where(crossed & (size < best), size, best)
        loss = (change.square().sum(1) + c * torch.relu(q + 1e-3)).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return best


def test_the_attack_is_as_good_as_carlini_and_wagners() -> None:
    X, y = digits(classes=(3, 8), per_class=15, seed=0)
    net = margin_flow(MLP([64, 8, 1], "relu", seed=0), X, y, until_log10_loss=-2).net
    q = least_margins(net, X, y)
    theirs = np.min([carlini_wagner(net, X, y, c / q.mean()) for c in (0.3, 1, 3, 10)], axis=0)
    ours = l2_attack(net, X, y, seed=0).distance
    assert np.isfinite(theirs).all()
    assert ours.mean() <= 1.001 * theirs.mean()


@pytest.mark.parametrize(
    ("layer", "size", "looseness"),
    [
        (nn.Conv2d(2, 3, 3, padding=1), (20, 20), 1.05),
        (nn.Conv2d(2, 3, (3, 5), padding=(0, 2), stride=2), (20, 18), 2.0),
        # Wide and without padding, it misses more of the torus.
        (nn.Conv2d(3, 2, 3, dilation=2), (18, 18), 1.2),
    ],
)
def test_the_norm_of_a_convolution_is_bounded_from_above_and_closely(
    layer, size, looseness, monkeypatch
):
    layer = layer.double()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in layer.parameters():
            weights.copy_(torch.rand(weights.shape, generator=random, dtype=torch.float64) - 0.5)
    exact = convolution_norm(layer, size)
    # A power iteration with the adjoint comes from below, slowly where frequencies are close.
    x = torch.randn(1, layer.in_channels, *size, generator=random, dtype=torch.float64)
    map_only = nn.Conv2d.__call__
    for _ in range(500):
        x = (x / x.norm()).requires_grad_(True)
        z = map_only(layer, x) - map_only(layer, torch.zeros_like(x))
        (x,) = torch.autograd.grad(0.5 * z.square().sum(), x)
    assert 0.99 * exact <= float(x.norm()) ** 0.5 <= exact * (1 + 1e-12)
    monkeypatch.setattr("ibtools.metrics.certificate._WRITTEN_OUT", 0)
    bound = convolution_norm(layer, size)
    assert exact * (1 - 1e-12) <= bound <= exact * looseness


def test_a_torus_as_large_as_the_padded_image_loses_nothing(monkeypatch) -> None:
    # Differences of neighbours, and of every second one: (4 + 1) and (4 + 2) frequencies reach the
    # norms 2cos(π/10) and 2cos(π/6) of the two directions exactly, one more or less does not.
    layer = nn.Conv2d(1, 1, 2, dilation=(1, 2), padding=(1, 2), bias=False, dtype=torch.float64)
    layer.weight.data.copy_(torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]]))
    exact = 4 * np.cos(np.pi / 10) * np.cos(np.pi / 6)
    assert convolution_norm(layer, (4, 4)) == pytest.approx(exact, rel=1e-12, abs=0)
    monkeypatch.setattr("ibtools.metrics.certificate._WRITTEN_OUT", 0)
    assert convolution_norm(layer, (4, 4)) == pytest.approx(exact, rel=1e-12, abs=0)


@pytest.mark.parametrize("biases", [(False, False), (False, True), (True, False), (True, True)])
def test_linear_layers_in_a_row_are_the_one_they_multiply_to(biases: tuple[bool, bool]) -> None:
    random = np.random.default_rng(0)
    shapes = ((1, 3), (5, 1), (1, 5))
    first, second, last = (linear_map(o, random.normal(size=(o, i))) for o, i in shapes)
    for layer, has in zip((first, second), biases, strict=True):
        shift = torch.tensor(random.normal(size=len(layer.weight)))
        layer.bias = nn.Parameter(shift) if has else None
    one = linear_map(5, second.weight.detach() @ first.weight.detach())
    one.bias = nn.Parameter(second(first(torch.zeros(3, dtype=torch.float64))).detach())
    apart, together = (Net(*linear, nn.ReLU(), last) for linear in ((first, second), (one,)))
    X = random.normal(size=(6, 3))
    y = own_labels(together, X)
    for local in (True, False):
        radii = certified_radius(together, X, y, local=local)
        np.testing.assert_allclose(certified_radius(apart, X, y, local=local), radii, rtol=1e-9)


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    net = MLP([2, 3, 1], seed=0)
    X, y = np.eye(2), np.ones(2)
    with pytest.raises(ValueError, match="restarts must be at least 1"):
        l2_attack(net, X, y, restarts=0, seed=0)
    with pytest.raises(TypeError, match="seed must be"):
        l2_attack(net, X, y, seed=None)
    with pytest.raises(ValueError, match="X must be finite"):
        certified_radius(net, [[np.inf, 0.0]], [1])
    strange = Net(nn.Linear(2, 3, dtype=torch.float64), nn.LayerNorm(3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"\(LayerNorm\) is a layer for which no bound is known"):
        certified_radius(strange, X, [0, 1])
    overlapping = Net(nn.MaxPool2d(3, stride=1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="overlap"):
        certified_radius(overlapping.double(), np.ones((1, 1, 4, 4)), [0])
    grouped = Net(nn.Conv2d(2, 2, 3, groups=2), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(ValueError, match="groups=1"):
        certified_radius(grouped.double(), np.ones((1, 2, 4, 4)), [0])
