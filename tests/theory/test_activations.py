"""Constants of smooth activations: reference digits, and that they are suprema."""

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ibtools.theory.activations import activation_constants, suprema

MODULES = {
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
}


def test_reference_digits() -> None:
    with mp.workdps(30):
        # κ of GELU is at z = √2: z²ϕ(z) = 2e^(−1)/√(2π)
        gelu = 2 / mp.e / mp.sqrt(2 * mp.pi)
        # κ of SiLU is the maximum of z²σ(1−σ), where z tanh(z/2) = 2
        z = mp.findroot(lambda t: t * mp.tanh(t / 2) - 2, 2.4)
        silu = z**2 / (4 * mp.cosh(z / 2) ** 2)
    assert activation_constants("gelu").kappa == pytest.approx(float(gelu), rel=1e-14, abs=0)
    assert activation_constants("silu").kappa == pytest.approx(float(silu), rel=1e-14, abs=0)
    assert activation_constants("softplus").kappa == pytest.approx(np.log(2), rel=1e-15, abs=0)
    assert activation_constants("gelu").kappa == pytest.approx(0.29352533, abs=5e-9)
    assert activation_constants("silu").kappa == pytest.approx(0.43922884, abs=5e-9)


def test_other_constants() -> None:
    assert activation_constants("gelu").excess == 0.0
    assert activation_constants("silu").excess == 0.0
    assert activation_constants("softplus").excess == pytest.approx(np.log(2), rel=1e-15, abs=0)
    assert activation_constants("softplus").slope == pytest.approx(1.0, rel=1e-15, abs=0)
    # GELU is steepest at √2 as well
    phi = float(mp.npdf(mp.sqrt(2)) * mp.sqrt(2) + mp.ncdf(mp.sqrt(2)))
    assert activation_constants("gelu").slope == pytest.approx(phi, rel=1e-14, abs=0)


@pytest.mark.parametrize("name", MODULES)
@given(z=st.floats(-1e3, 1e3))
def test_they_are_bounds_for_the_modules_of_the_nets(name: str, z: float) -> None:
    constants = activation_constants(name)
    at = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    value = MODULES[name](at)
    (slope,) = torch.autograd.grad(value, at)
    # PyTorch's softplus is z itself from 20 on, 2e-9 below the truth.
    value, at = value.detach(), at.detach()
    assert abs(float(value - at * slope)) <= constants.kappa * (1 + 1e-15) + 1e-12 * abs(z)
    assert abs(float(slope)) <= constants.slope * (1 + 1e-12)
    assert abs(float(value)) - abs(z) <= constants.excess + 1e-12 * abs(z)


def test_gelu_by_tanh_to_all_digits() -> None:
    def value(z: mp.mpf) -> mp.mpf:
        return z / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mp.mpf("0.044715") * z**3)))

    def off_order_one(z: mp.mpf) -> mp.mpf:
        return z * mp.diff(value, z) - value(z)

    with mp.workdps(30):
        kappa = off_order_one(mp.findroot(lambda z: mp.diff(off_order_one, z), 1.5))
        slope = mp.diff(value, mp.findroot(lambda z: mp.diff(value, z, 2), 1.5))
    found = activation_constants("gelu_tanh")
    assert found.kappa == pytest.approx(float(kappa), rel=1e-14, abs=0)
    assert found.slope == pytest.approx(float(slope), rel=1e-14, abs=0)
    assert found.excess == 0.0


def test_an_activation_of_ones_own() -> None:
    found = suprema(
        lambda z: np.where(z > 1, z - 0.5, z * np.abs(z) / 2) * (z > 0), lambda z: np.clip(z, 0, 1)
    )
    assert found.kappa == pytest.approx(0.5, abs=1e-8)
    assert found.slope == 1.0


def test_a_slope_with_rounding_errors_is_a_slope() -> None:
    steep = 1 + 1e-13
    found = suprema(lambda z: steep * np.maximum(z, 0), lambda z: steep * (z > 0))
    assert found.slope == steep
    assert found.excess == pytest.approx(4.5e-12, rel=1e-2, abs=0)
    leaky = suprema(lambda z: np.maximum(z, 0.1 * z), lambda z: np.where(z > 0, 1.0, 0.1))
    assert leaky == (0.0, 1.0, 0.0)


def test_a_supremum_may_lie_at_the_end_of_the_grid() -> None:
    steep = 1 + 5e-13
    found = suprema(lambda z: np.maximum(z, 0.0), lambda z: np.where(z > 44.999, steep, z > 0))
    assert found.slope == steep


def test_an_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"activation must be one of 'gelu', .* got 'tanh'"):
        activation_constants("tanh")


SELU = 1.0507009873554805, 1.6732632423543772


@pytest.mark.parametrize(
    ("function", "derivative", "words"),
    [
        # |φ(z)| − |z| = 0.0507 z has no supremum; that on a grid is where the grid ends.
        (
            lambda z: SELU[0] * np.where(z > 0, z, SELU[1] * np.expm1(np.minimum(z, 0))),
            lambda z: SELU[0] * np.where(z > 0, 1.0, SELU[1] * np.exp(np.minimum(z, 0))),
            r"steeper than \|z\| far from 0, got the slope 1.0507 at 45",
        ),
        (lambda z: -1.5 * np.minimum(z, 0), lambda z: -1.5 * (z < 0), "slope -1.5 at -45"),
        (
            lambda z: (z + np.sqrt(z * z + 1)) / 2,
            lambda z: (1 + z / np.sqrt(z * z + 1)) / 2,
            r"straight beyond \|z\| = 45",
        ),
        (lambda z: np.maximum(z, 0), lambda z: 0.5 * (z > 0), "straight"),
        # 900² and the tangent at −45 are 731025 apart
        (lambda z: z * z, lambda z: 2 * z, r"got 8.1e\+02 \|z\| off the line through -45"),
        # a bump that is over again
        (lambda z: z * ((z < 80) | (z > 100)), np.ones_like, "straight"),
        (lambda z: np.full_like(z, np.nan), lambda z: z, "straight"),
    ],
)
def test_a_supremum_at_the_end_of_the_grid_is_refused(
    function: object, derivative: object, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        suprema(function, derivative)


def test_following_the_message_on_selu_mends_it() -> None:
    found = suprema(
        lambda z: np.where(z > 0, z, SELU[1] * np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1.0, SELU[1] * np.exp(np.minimum(z, 0))),
    )
    # |φ − zφ'| → 1.673 for z → −∞; |φ| − |z| > 0 on the left of 0
    assert found.kappa == pytest.approx(SELU[1], rel=1e-12, abs=0)
    assert found.slope == pytest.approx(SELU[1], rel=2e-3, abs=0)
    # α(1 − eᶻ) + z is largest at z = −log α
    assert found.excess == pytest.approx(SELU[1] - 1 - np.log(SELU[1]), rel=1e-12, abs=0)
