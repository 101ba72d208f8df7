"""The warp and the warped potential against their definitions."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.models import LinearNet, LinearNeuron
from ibtools.theory import (
    WarpedPotential,
    hessian_map_defect,
    implicit_potential,
    neuron_metric_defect,
    warp,
)

seeds = st.integers(0, 10_000)
deltas = st.one_of(st.just(0.0), st.floats(1e-6, 1e3), st.floats(-1e3, -1e-6))


def _neuron(seed: int, d: int = 3) -> LinearNeuron:
    random = np.random.default_rng(seed)
    return LinearNeuron(float(random.normal()), random.normal(size=d))


@given(seeds)
def test_the_warp_is_three_halves_of_the_output_weight(seed: int) -> None:
    neuron = _neuron(seed)
    np.testing.assert_allclose(
        warp(neuron.balancedness, neuron.predictor), 1.5 * abs(neuron.a), rtol=1e-12
    )


@given(deltas, seeds)
def test_the_metric_is_no_hessian_by_exactly_the_closed_form(delta: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    w = random.normal(size=3)
    neuron = _neuron_at(delta, w)
    measured = hessian_map_defect(neuron.metric_at(), w)
    expected = neuron_metric_defect(neuron.balancedness, w)
    np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    assert np.abs(expected).max() > 0


@given(deltas, seeds)
def test_the_warped_metric_is_a_hessian(delta: float, seed: int) -> None:
    w = np.random.default_rng(seed).normal(size=3)
    neuron = _neuron_at(delta, w)
    delta = neuron.balancedness
    metric = neuron.metric_at()

    def warped(at: np.ndarray) -> np.ndarray:
        root = np.sqrt(at @ at + delta**2 / 4)
        a_squared = root + delta / 2 if delta >= 0 else at @ at / (root - delta / 2)
        return 1.5 * np.sqrt(a_squared) * metric(at)

    scale = np.abs(warped(w)).max()
    defect = hessian_map_defect(warped, w)
    unwarped = 1.5 * abs(neuron.a) * np.abs(neuron_metric_defect(delta, w)).max()
    np.testing.assert_allclose(defect, 0, atol=1e-9 * max(scale, unwarped))
    q = implicit_potential(neuron)
    np.testing.assert_allclose(q.hessian(w), warped(w), rtol=1e-8, atol=1e-12 * scale)


def _neuron_at(delta: float, w: np.ndarray) -> LinearNeuron:
    """Return the neuron with predictor w and this balancedness."""
    root = np.hypot(np.linalg.norm(w), delta / 2)
    a = np.sqrt(root + delta / 2) if delta >= 0 else np.linalg.norm(w) / np.sqrt(root - delta / 2)
    return LinearNeuron(float(a), w / a)


def test_a_neuron_of_one_input_has_no_defect() -> None:
    assert neuron_metric_defect(0.3, [2.0]) == np.zeros((1, 1, 1))
    with pytest.raises(ValueError, match="w must not be 0"):
        neuron_metric_defect(-1.0, [0.0, 0.0])


@pytest.mark.parametrize("delta", [0.0, 1e-12, 0.3, 5.0, 1e8, -1e-12, -0.3, -5.0, -1e8])
@pytest.mark.parametrize("size", [1e-60, 1e-20, 1e-8, 1e-3, 1.0, 1e3, 1e12, 1e60])
def test_the_potential_is_the_integral_for_tiny_and_huge_arguments(
    delta: float, size: float
) -> None:
    with mpmath.workdps(200):
        half, x = mpmath.mpf(delta) / 2, mpmath.mpf(size)
        root = mpmath.sqrt(x**2 + half**2)
        a, a_start = mpmath.sqrt(root + half), mpmath.sqrt(abs(half) + half)
        # The primitive |a|³ − (3/2)δ|a| in 200 digits, where its cancellation does not show.
        exact = a**3 - 3 * half * a - (a_start**3 - 3 * half * a_start)
        slope = 1.5 * mpmath.sqrt(root - half)
    q = WarpedPotential(delta=delta, start=[0.0, 1.0])
    assert float(q.radial(size)) == pytest.approx(float(exact), rel=1e-14, abs=1e-305)
    gradient = q.gradient(np.array([size, 0.0])) - q.tilt
    assert gradient[0] == pytest.approx(float(slope), rel=1e-14, abs=1e-305)


@pytest.mark.parametrize("delta", [0.0, 0.7, -0.7])
def test_the_primitive_is_the_integral_of_the_definition(delta: float) -> None:
    def slope(z: mpmath.mpf) -> mpmath.mpf:
        return 1.5 * mpmath.sqrt(mpmath.sqrt(z**2 + mpmath.mpf(delta) ** 2 / 4) - delta / 2)

    q = WarpedPotential(delta=delta, start=[1.0])
    for size in (0.01, 1.0, 30.0):
        expected = mpmath.quad(slope, [0, size / 100, size])
        assert float(q.radial(size)) == pytest.approx(float(expected), rel=1e-12, abs=0)


def test_huge_arguments_do_not_overflow_before_the_value_does() -> None:
    q = WarpedPotential(delta=1.0, start=[1e200, 0.0])
    w = np.array([0.0, 1e200])
    assert q(w) == pytest.approx(1e300, rel=1e-12, abs=0)
    assert q.gradient(w)[1] == pytest.approx(1.5e100, rel=1e-12, abs=0)


@given(seeds)
def test_the_mirror_variable_is_the_first_layer(seed: int) -> None:
    start, later = _neuron(seed), _neuron(seed + 1)
    # The same δ: let the later neuron's a follow from its w and the start's δ. Longer than √|δ|, w
    # leaves something for a.
    w = later.w / np.linalg.norm(later.w) * np.hypot(1.0, start.balancedness)
    a = np.sign(start.a) * np.sqrt(max(start.balancedness + w @ w, 0.0))
    later = LinearNeuron(float(a), w)
    q = implicit_potential(start)
    expected = 1.5 * np.sign(start.a) * (later.w - start.w)
    np.testing.assert_allclose(q.gradient(later.predictor), expected, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(q.gradient(start.predictor), 0, atol=1e-14)


@given(seeds, deltas)
def test_gradient_and_hessian_are_derivatives(seed: int, delta: float) -> None:
    random = np.random.default_rng(seed)
    q = WarpedPotential(delta=delta, start=random.normal(size=3))
    w, step = random.normal(size=3), 1e-5
    moves = step * np.eye(3)
    gradient = [(q(w + move) - q(w - move)) / (2 * step) for move in moves]
    scale = np.abs(q.tilt).max() + 1
    np.testing.assert_allclose(q.gradient(w), gradient, rtol=1e-4, atol=1e-5 * scale)
    hessian = [(q.gradient(w + move) - q.gradient(w - move)) / (2 * step) for move in moves]
    top = np.abs(q.hessian(w)).max()
    np.testing.assert_allclose(q.hessian(w), hessian, rtol=1e-4, atol=1e-4 * top)


@given(seeds, deltas)
def test_the_potential_is_convex(seed: int, delta: float) -> None:
    random = np.random.default_rng(seed)
    q = WarpedPotential(delta=delta, start=random.normal(size=3))
    one, two = random.normal(size=(2, 3)) * random.choice([1e-3, 1.0, 1e3])
    assert q((one + two) / 2) <= (q(one) + q(two)) / 2 + 1e-9 * (abs(q(one)) + abs(q(two)))
    across, along = q.curvature(one)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(q.hessian(one)),
        sorted([along, across, across]),
        rtol=1e-9,
        atol=1e-13 * across,
    )


def test_values_of_many_points_at_once() -> None:
    q = WarpedPotential(delta=0.3, start=[0.5, 0.2])
    points = np.random.default_rng(0).normal(size=(4, 5, 2))
    values, slopes = q(points), q.gradient(points)
    assert values.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            assert values[i, j] == pytest.approx(q(points[i, j]), rel=1e-14, abs=0)
            np.testing.assert_allclose(slopes[i, j], q.gradient(points[i, j]), rtol=1e-14)
    assert q(np.zeros(2)) == 0.0
    assert q.dim == 2


@pytest.mark.parametrize("delta", [0.0, -1.0])
def test_a_start_without_output_weight_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="start must not be 0 where delta"):
        WarpedPotential(delta=delta, start=[0.0, 0.0])
    with pytest.raises(ValueError, match="w must not be 0 where delta"):
        WarpedPotential(delta=delta, start=[1.0, 0.0]).hessian([0.0, 0.0])


def test_a_start_at_zero_is_fine_where_the_output_weight_is_not() -> None:
    q = implicit_potential(LinearNeuron(2.0, [0.0, 0.0]))
    np.testing.assert_array_equal(q.tilt, [0.0, 0.0])
    np.testing.assert_allclose(q.hessian([0.0, 0.0]), 0.75 * np.eye(2), rtol=1e-14)


@pytest.mark.parametrize(("delta", "along"), [(0.0, np.inf), (-0.5, 0.0), (2.0, 0.75 * 2**0.5)])
def test_the_potential_at_zero(delta: float, along: float) -> None:
    # Along w̃ it is ¾|a|/R: at 0, |a| = |w̃|/√|δ| for δ < 0 and √|w̃| for δ = 0.
    q = WarpedPotential(delta=delta, start=[0.0, 1.0])
    assert q.radial(0.0) == 0
    assert q.curvature(np.zeros(2))[1] == pytest.approx(along, rel=1e-14, abs=0)
    np.testing.assert_array_equal(q.gradient(np.zeros(2)), q.tilt)


def test_a_value_is_a_number_and_a_start_stays() -> None:
    q = WarpedPotential(delta=1.0, start=[0.0, 1.0])
    assert isinstance(q([1.0, 2.0]), float)
    assert np.shape(q([[1.0, 2.0]])) == (1,)
    with pytest.raises(ValueError, match="read-only"):
        q.start[0] = 1.0


def test_the_smallest_predictors_have_a_length() -> None:
    assert warp(0.0, [3e-200, 4e-200]) == pytest.approx(1.5 * 5e-200**0.5, rel=1e-14, abs=0)


@given(seeds)
def test_balanced_networks_have_the_power_three_halves(seed: int) -> None:
    random = np.random.default_rng(seed)
    net = LinearNet.strictly_balanced(random.normal(size=4), random.normal(size=3))
    q, start = implicit_potential(net), net.predictor
    w = random.normal(size=3)
    expected = np.linalg.norm(w) ** 1.5 - 1.5 * start @ w / np.sqrt(np.linalg.norm(start))
    assert q(w) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_networks_in_general_position_have_no_potential() -> None:
    net = LinearNet.gaussian(neurons=2, d=3, scale=1.0, seed=0)
    with pytest.raises(ValueError, match="net must be a single neuron in disguise"):
        implicit_potential(net)


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="delta must be finite"):
        WarpedPotential(delta=np.nan, start=[1.0])
    with pytest.raises(ValueError, match="start must be finite"):
        WarpedPotential(delta=0.0, start=[np.inf])
    with pytest.raises(ValueError, match="w must be finite"):
        warp(0.0, [np.nan])
