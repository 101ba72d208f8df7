"""Measured defects: against formulas, and a search that finds the worst."""

import numpy as np
import pytest
import torch
from numpy.polynomial import Polynomial
from torch import nn

from ibtools.metrics.homogeneity_defect import (
    homogeneity_defects,
    worst_defect_ratio,
    worst_gap_ratio,
)
from ibtools.models import MLP, ResidualMLP


def linear(inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)


def test_defects_of_a_linear_layer() -> None:
    rng = np.random.default_rng(0)
    theta, X = rng.normal(size=(5, 6)), rng.normal(size=(4, 2))
    W, b = theta[:, :4].reshape(5, 2, 2), theta[:, 4:]
    outputs = np.einsum("nd,tkd->tnk", X, W) + b[:, None, :]
    measured = homogeneity_defects(linear(2, 2), theta, X, order=3)
    np.testing.assert_allclose(measured.outputs, outputs, rtol=1e-12)
    # order 1: f − 3f
    np.testing.assert_allclose(measured.defects, -2 * outputs, rtol=1e-12)


def test_defects_against_a_difference_quotient() -> None:
    net = ResidualMLP(d=3, width=4, bias=True, seed=0)
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(3, sum(p.numel() for p in net.parameters())))
    X, h = rng.normal(size=(5, 3)), 1e-5
    measured = homogeneity_defects(net, theta, X, order=4)
    up, down = (homogeneity_defects(net, theta * (1 + s), X, order=4).outputs for s in (h, -h))
    expected = (up - down) / (2 * h) - 4 * measured.outputs
    np.testing.assert_allclose(measured.defects, expected, rtol=1e-6, atol=1e-6)


def test_a_homogeneous_net_has_none() -> None:
    net = MLP([3, 4, 1], "relu", seed=0)
    measured = homogeneity_defects(
        net, np.random.default_rng(0).normal(size=(4, 16)), np.eye(3), order=2
    )
    np.testing.assert_allclose(measured.defects, 0, atol=1e-12)


def test_the_search_finds_a_known_supremum() -> None:
    # f = a x + c, order 3: the defect is 2|ax + c|, at most 2√2‖θ‖ for |x| = 1; the bound is r/2.
    net = linear(1, 1)
    bound = Polynomial([0.0, 0.5])
    options = {"radius": 1.0, "input_shape": (1,), "starts": 8, "steps": 200, "seed": 0}
    assert worst_defect_ratio(net, bound, order=3, **options) == pytest.approx(
        4 * 2**0.5, rel=1e-4, abs=0
    )
    # The gap to a quarter of f is ¾|f|.
    assert worst_gap_ratio(net, _Quarter(linear(1, 1)), bound, **options) == pytest.approx(
        1.5 * 2**0.5, rel=1e-4, abs=0
    )


class _Quarter(nn.Module):
    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.weight * x + self.bias) / 4


@pytest.mark.usefixtures("as_a_user")
def test_bad_input() -> None:
    net = linear(2, 1)
    with pytest.raises(ValueError, match=r"3 columns, one for each parameter of the net, got 2"):
        homogeneity_defects(net, [[1.0, 2.0]], [[1.0, 2.0]], order=1)
    with pytest.raises(ValueError, match=r"parameters must be finite"):
        homogeneity_defects(net, [[1.0, np.nan, 0.0]], [[1.0, 2.0]], order=1)
    with pytest.raises(ValueError, match=r"X must be finite"):
        homogeneity_defects(net, [[1.0, 2.0, 3.0]], [[1.0, np.inf]], order=1)
    options = {"radius": 1.0, "input_shape": (2,), "seed": 0}
    for bad in (Polynomial([0.0]), Polynomial([1.0, -1.0])):
        with pytest.raises(ValueError, match=r"bound must be a polynomial with coefficients ≥ 0"):
            worst_gap_ratio(net, net, bad, **options)
    good = Polynomial([0.0, 1.0])
    with pytest.raises(ValueError, match=r"radius must be greater than 0"):
        worst_defect_ratio(net, good, order=2, **{**options, "radius": 0.0})
    with pytest.raises(ValueError, match=r"input_shape\[0\] must be at least 1"):
        worst_defect_ratio(net, good, order=2, **{**options, "input_shape": (0,)})
    with pytest.raises(ValueError, match=r"order must be finite"):
        worst_defect_ratio(net, good, order=np.nan, **options)
