"""The Clarke KKT residual of a neuron: zero at the solution, not elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.metrics import neuron_kkt
from ibtools.models import LinearNeuron
from ibtools.theory import explicit_limit, implicit_potential


@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.3, 0.02]), st.sampled_from([1, -1]))
def test_limits_are_kkt_points_and_other_interpolators_are_not(
    seed: int, slope: float, sign: int
) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(3, 6)), random.normal(size=3)
    y[0] = 0.0  # on the kink, where the subdifferential is an interval
    neuron = LinearNeuron.from_scale_shape(
        scale=0.5, shape=0.4, direction=random.normal(size=6), slope=slope, sign=sign
    )
    q = implicit_potential(neuron)
    w = explicit_limit(neuron, X, y).w
    kkt = neuron_kkt(w, q.gradient(w), X, y, slope=slope, sign=sign)
    assert kkt.stationarity < 1e-9
    assert kkt.feasibility < 1e-9 * (1 + np.linalg.norm(w) / np.linalg.norm(y))
    inputs = X @ w
    active = np.where(sign * inputs >= 0, 1.0, slope)
    np.testing.assert_allclose(
        (kkt.multipliers * active) @ X, q.gradient(w), atol=1e-8 * np.linalg.norm(q.gradient(w))
    )
    other = w + np.linalg.svd(X)[2][5]
    moved = neuron_kkt(other, q.gradient(other), X, y, slope=slope, sign=sign)
    assert moved.stationarity > 1e-3
    assert moved.feasibility < 1e-9 * (1 + np.linalg.norm(other) / np.linalg.norm(y))
    assert neuron_kkt(1.1 * w, q.gradient(w), X, y, slope=slope, sign=sign).feasibility > 0.05


def test_slopes_enter_by_the_sign_of_the_output_weight() -> None:
    X, w = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0])
    gradient = np.array([3.0, 5.0])
    above = neuron_kkt(w, gradient, X, [1.0, -0.1], slope=0.1)
    below = neuron_kkt(w, gradient, X, [0.1, -1.0], slope=0.1, sign=-1)
    np.testing.assert_allclose(above.multipliers, [3.0, 50.0])
    np.testing.assert_allclose(below.multipliers, [30.0, 5.0])
    assert above.feasibility < 1e-15
    assert below.feasibility < 1e-15


def test_a_gradient_across_the_data_is_not_stationary_at_all() -> None:
    kkt = neuron_kkt([1.0, 0.0], [0.0, 2.0], [[1.0, 0.0]], [1.0])
    assert kkt.stationarity == 1.0
    assert neuron_kkt([1.0, 0.0], [0.0, 0.0], [[1.0, 0.0]], [1.0]).stationarity == 0.0
    assert neuron_kkt([1.0, 0.0], [0.0, 0.0], [[1.0, 0.0]], [0.0]).feasibility == np.inf


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    good = ([1.0, 0.0], [0.0, 1.0], [[1.0, 0.0]], [1.0])
    with pytest.raises(ValueError, match="slope must be above 0"):
        neuron_kkt(*good, slope=0.0)
    with pytest.raises(ValueError, match="sign must be 1 or -1"):
        neuron_kkt(*good, sign=2)
    with pytest.raises(ValueError, match="gradient must have 2 entries"):
        neuron_kkt(good[0], [1.0], *good[2:])
    with pytest.raises(ValueError, match="X must have 2 columns"):
        neuron_kkt(good[0], good[1], [[1.0]], [1.0])
    with pytest.raises(ValueError, match="w must be finite"):
        neuron_kkt([np.nan, 1.0], *good[1:])
