"""The layers that nets are built of, against their definitions."""

import pytest
import torch
from torch import nn

from ibtools.models.layers import (
    ACTIVATIONS,
    DifferenceOfSquares,
    Product,
    Residual,
    SquaredReLU,
    Sum,
    activation_named,
    parameter_layers,
)

Z = torch.tensor([[-2.0, -0.5, 0.0], [0.5, 1.5, 3.0]], dtype=torch.float64)


def test_squared_relu_is_the_square_of_the_positive_part() -> None:
    expected = torch.tensor([[0.0, 0.0, 0.0], [0.25, 2.25, 9.0]], dtype=torch.float64)
    torch.testing.assert_close(SquaredReLU()(Z), expected, rtol=0, atol=0)


def test_squared_relu_has_a_slope_at_its_kink() -> None:
    z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(SquaredReLU()(z).sum(), z)
    assert float(slope) == 0.0


def test_a_residual_block_adds_what_is_inside_to_its_input() -> None:
    torch.testing.assert_close(Residual(SquaredReLU(), nn.ReLU())(Z), Z + torch.relu(Z) ** 2)


def test_a_residual_block_that_changes_the_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"inner must keep the shape .* \(2, 3\) in and \(2, 1\)"):
        Residual(nn.Linear(3, 1, dtype=torch.float64))(Z)


def test_sum_and_product_go_entry_by_entry_and_broadcast() -> None:
    column = nn.Linear(3, 1, dtype=torch.float64)
    torch.testing.assert_close(Sum(nn.Identity(), column)(Z), Z + column(Z))
    torch.testing.assert_close(
        Product(nn.ReLU(), column, column)(Z), torch.relu(Z) * column(Z) ** 2
    )


def test_difference_of_squares_is_linear_in_its_input() -> None:
    layer = DifferenceOfSquares(3)
    with torch.no_grad():
        layer.u.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.v.copy_(torch.tensor([3.0, 1.0, -1.0]))
    weights = torch.tensor([-8.0, 3.0, 8.0], dtype=torch.float64)
    torch.testing.assert_close(layer(Z), (Z @ weights)[:, None])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_named_and_keep_the_shape(name: str) -> None:
    layer = activation_named(name)
    assert layer(Z).shape == Z.shape
    assert activation_named(name) is not layer


def test_an_unknown_activation_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"activation must be one of 'relu', .*, got 'swish'"):
        activation_named("swish")


def test_parameter_layers_are_those_that_own_parameters_in_the_order_of_the_parameters() -> None:
    net = nn.Sequential(
        nn.Linear(3, 3), nn.ReLU(), Residual(nn.Linear(3, 2), nn.Linear(2, 3)), nn.Linear(3, 1)
    )
    layers = parameter_layers(net)
    assert [name for name, _ in layers] == ["0", "2.inner.0", "2.inner.1", "3"]
    own = [p for _, layer in layers for p in layer.parameters(recurse=False)]
    assert all(a is b for a, b in zip(own, net.parameters(), strict=True))
