"""Orders of homogeneity computed from layers, against what the nets do when they are scaled."""

import copy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ibtools.models.homogeneity import (
    Homogeneity,
    NotHomogeneousError,
    homogeneity_after,
    homogeneity_of,
    homogeneity_order,
)
from ibtools.models.homogeneity_on_data import euler_defect
from ibtools.models.layers import (
    DifferenceOfSquares,
    Product,
    Residual,
    SquaredReLU,
    Sum,
    parameter_layers,
)
from ibtools.models.nets import MLP, ConvNet, DeepLinear, DiagonalClassifier, Net, ResidualMLP

IMAGES = (1, 4, 4)

# Each kind of net with its order; inputs are vectors of 4 numbers, or images.
HOMOGENEOUS = {
    "linear": (lambda: MLP([4, 1], seed=0), 1),
    "linear with a bias": (lambda: MLP([4, 1], bias="first", seed=0), 1),
    "relu": (lambda: MLP([4, 5, 3, 1], seed=0), 3),
    "relu, first bias, classes": (lambda: MLP([4, 5, 3], bias="first", seed=0), 2),
    "leaky relu": (lambda: MLP([4, 5, 1], "leaky_relu", seed=0), 2),
    "squared relu": (lambda: MLP([4, 5, 1], "squared_relu", bias="first", seed=0), 3),
    "squared relu twice": (lambda: MLP([4, 5, 3, 1], "squared_relu", seed=0), 7),
    "deep linear": (lambda: DeepLinear(4, 4, seed=0), 4),
    "diagonal": (lambda: DiagonalClassifier([1.0, 2.0, 0.5, 1.0], [0.3, 1.0, 1.0, 2.0]), 2),
    "convolutions": (lambda: ConvNet(IMAGES, [[2], [3]], bias="first", outputs=2, seed=0), 3),
    "convolutions, fully connected": (lambda: ConvNet(IMAGES, [[2, 2]], hidden=[3], seed=0), 4),
    "sum": (lambda: Net(Sum(*(nn.Linear(4, 1) for _ in range(2))).double()), 1),
    "product": (lambda: Net(Product(nn.Linear(4, 1), DifferenceOfSquares(4)).double()), 3),
    "residual around nothing of order": (
        lambda: Net(Residual(nn.ReLU()), nn.Linear(4, 1, bias=False).double()),
        1,
    ),
}
TIED = ("sum", "product", "residual around nothing of order")
NEARLY = {
    "a later bias": (lambda: MLP([4, 5, 1], bias=True, seed=0), 2),
    "gelu": (lambda: MLP([4, 5, 1], "gelu", seed=0), 2),
    "silu": (lambda: MLP([4, 5, 1], "silu", seed=0), 2),
    "softplus": (lambda: MLP([4, 5, 3, 1], "softplus", seed=0), 3),
    "a skip": (lambda: ResidualMLP(4, 4, activation="relu", embed=False, seed=0), 3),
    "a skip on an embedding": (lambda: ResidualMLP(4, 3, activation="relu", blocks=2, seed=0), 6),
    "biased convolutions": (lambda: ConvNet(IMAGES, [[2], [2]], bias=True, seed=0), 3),
}


def randomized(net: nn.Module, seed: int) -> nn.Module:
    """Draw every parameter, biases too, so that none of them is 0."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=source, dtype=p.dtype))
    return net


def scaled(net: nn.Module, c: float) -> nn.Module:
    other = copy.deepcopy(net)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(c)
    return other


def inputs(net: nn.Module, seed: int) -> torch.Tensor:
    shape = IMAGES if isinstance(net, ConvNet) else (4,)
    source = torch.Generator().manual_seed(seed + 1)
    return torch.randn(6, *shape, generator=source, dtype=torch.float64)


@pytest.mark.parametrize("kind", HOMOGENEOUS)
@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), c=st.floats(0.1, 10))
def test_outputs_scale_with_the_order(kind: str, seed: int, c: float) -> None:
    make, order = HOMOGENEOUS[kind]
    net = randomized(make(), seed)
    X = inputs(net, seed)
    assert homogeneity_order(net) == order
    outputs = net(X).detach()
    got, scale = scaled(net, c)(X).detach(), float(outputs.abs().max()) * c**order
    torch.testing.assert_close(got, c**order * outputs, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("kind", HOMOGENEOUS)
@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_eulers_identity_holds(kind: str, seed: int) -> None:
    make, order = HOMOGENEOUS[kind]
    net = randomized(make(), seed)
    assume(bool(net(inputs(net, seed)).detach().any()))  # all units of a layer may be off
    assert euler_defect(net, inputs(net, seed), order=order) < 1e-11
    assert euler_defect(net, inputs(net, seed), order=order + 1) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("kind", TIED)
def test_branches_tie_layers_together(kind: str) -> None:
    assert homogeneity_of(HOMOGENEOUS[kind][0]()).exponents is None


@pytest.mark.parametrize("kind", sorted(set(HOMOGENEOUS) - set(TIED)))
def test_each_layer_by_itself_scales_with_its_exponent(kind: str) -> None:
    net = randomized(HOMOGENEOUS[kind][0](), 5)
    X = inputs(net, 5)
    found = homogeneity_of(net)
    assert found.exponents is not None
    # With a bias in it, the first layer scales alone too: nothing came before.
    assert list(found.exponents) == [name for name, _ in parameter_layers(net)]
    assert sum(found.exponents.values()) == found.order
    for name, exponent in found.exponents.items():
        other = copy.deepcopy(net)
        with torch.no_grad():
            for p in other.get_submodule(name).parameters(recurse=False):
                p.mul_(1.7)
        torch.testing.assert_close(other(X), 1.7**exponent * net(X), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", NEARLY)
def test_the_degree_is_how_outputs_grow_and_a_defect_is_there(kind: str) -> None:
    make, order = NEARLY[kind]
    net = randomized(make(), 3)
    X = inputs(net, 3)
    assert homogeneity_of(net).order == order
    assert not net.is_homogeneous
    assert euler_defect(net, X, order=order) > 1e-3
    grown = float((scaled(net, 2e6)(X) / scaled(net, 1e6)(X)).detach().median())
    assert grown == pytest.approx(2**order, rel=1e-4, abs=0)


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (MLP([4, 5, 1], bias=True, seed=0), "the bias of layers.2 does not scale with the layers"),
        (MLP([4, 5, 1], "gelu", seed=0), r"layers.1 \(GELU\) bends at a scale of its own"),
        (
            ResidualMLP(4, 4, activation="relu", embed=False, seed=0),
            "layers.0 adds terms of orders 0 and 2",
        ),
        (
            Net(Sum(nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1)))),
            "layers.0 adds terms of orders 1 and 2",
        ),
        (
            nn.Sequential(Product(nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 1), nn.SiLU()))),
            r"0.factors.1.1 \(SiLU\) bends",
        ),
    ],
)
def test_the_reason_of_a_defect_names_its_layer(net: nn.Module, reason: str) -> None:
    with pytest.raises(NotHomogeneousError, match=reason) as error:
        homogeneity_order(net)
    assert homogeneity_of(net).defect in str(error.value)


def test_several_defects_are_all_named_once() -> None:
    defect = homogeneity_of(MLP([4, 5, 5, 1], "softplus", bias=True, seed=0)).defect
    for name in ("layers.1 (Softplus)", "bias of layers.2", "layers.3 (Soft", "bias of layers.4"):
        assert defect.count(name) == 1


@pytest.mark.parametrize(
    "module", [nn.LayerNorm(4), nn.BatchNorm1d(4), nn.Tanh(), nn.PReLU(), nn.Softmax(dim=1)]
)
def test_what_has_no_known_order_is_refused(module: nn.Module) -> None:
    net = Net(nn.Linear(4, 4), module)
    with pytest.raises(NotHomogeneousError, match=rf"layers.1 \({type(module).__name__}\)"):
        homogeneity_of(net)
    assert not net.is_homogeneous
    with pytest.raises(NotHomogeneousError, match="register a rule"):
        _ = net.order


@pytest.mark.parametrize("feature", [nn.Tanh(), nn.GELU(), nn.Softmax(dim=1), nn.LayerNorm(
    4, elementwise_affine=False
)])  # fmt: skip
def test_what_acts_on_the_input_alone_is_a_feature_map(feature: nn.Module) -> None:
    net = randomized(Net(feature, nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)), 1)
    net = net.double()
    assert homogeneity_of(net) == Homogeneity(2, "", {"layers.1": 1, "layers.3": 1})
    assert euler_defect(net, inputs(net, 1), order=2) < 1e-12


def test_the_order_of_ones_own_layer_can_be_registered() -> None:
    class Cube(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z**3

    net = randomized(Net(nn.Linear(4, 3), Cube(), nn.Linear(3, 1, bias=False)).double(), 2)
    with pytest.raises(NotHomogeneousError, match="Cube"):
        homogeneity_of(net)

    @homogeneity_after.register
    def _(module: Cube, before: Homogeneity, name: str) -> Homogeneity:
        exponents = before.exponents and {k: 3 * v for k, v in before.exponents.items()}
        return Homogeneity(3 * before.order, before.defect, exponents)

    assert homogeneity_of(net) == Homogeneity(4, "", {"layers.0": 3, "layers.2": 1})
    assert euler_defect(net, inputs(net, 2), order=net.order) < 1e-12


def test_exponents_are_none_where_layers_cannot_be_scaled_alone() -> None:
    assert homogeneity_of(ResidualMLP(4, 4, activation="relu", seed=0)).exponents is None
    squared = Net(Sum(nn.Linear(4, 2), nn.Linear(4, 2)), SquaredReLU(), nn.Linear(2, 1, bias=False))
    assert homogeneity_of(squared) == Homogeneity(3, "", None)


def test_eulers_identity_at_zero_parameters_proves_nothing_and_says_zero() -> None:
    net = scaled(MLP([4, 5, 1], bias=True, seed=0), 0.0)
    assert euler_defect(net, torch.ones(2, 4, dtype=torch.float64), order=2) == 0.0


def test_eulers_identity_counts_parameters_that_are_not_used() -> None:
    net = MLP([4, 3, 1], seed=0)
    net.extra = nn.Parameter(torch.ones(2, dtype=torch.float64))
    assert euler_defect(net, inputs(net, 0), order=2) < 1e-12


def test_a_module_that_stands_in_two_places_counts_twice() -> None:
    square = SquaredReLU()
    net = nn.Sequential(nn.Linear(2, 3, bias=False), square, nn.Linear(3, 1, bias=False), square)
    assert homogeneity_order(net) == 6
