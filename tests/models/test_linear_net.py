"""The fully connected linear network against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.models import LinearNet, LinearNeuron, RegressionModel, RowSpaceModel

seeds = st.integers(0, 10_000)


def _problem(seed: int, neurons: int = 3) -> tuple[LinearNet, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    net = LinearNet(random.normal(size=neurons), random.normal(size=(neurons, 4)))
    return net, random.normal(size=(2, 4)), random.normal(size=2)


def test_predictor_is_what_the_definition_says() -> None:
    net = LinearNet([1.0, -2.0], [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(net.predictor, [1.0, 0.0, 3.0])
    np.testing.assert_array_equal(net.predict(np.array([[1.0, 1.0, 1.0]])), [4.0])
    assert net.neurons == 2
    assert isinstance(net, RegressionModel)
    assert isinstance(net, RowSpaceModel)


@given(seeds)
def test_velocity_kernel_and_metric_are_derivatives(seed: int) -> None:
    net, X, y = _problem(seed)
    # The predictor is bilinear in the layers, so that a difference quotient is exact.
    ahead, behind = (
        [net.replace(net.parameters + move).predictor for move in sign * np.eye(15)]
        for sign in (1, -1)
    )
    jacobian = (np.array(ahead) - np.array(behind)).T / 2
    residual = y - net.predict(X)
    np.testing.assert_allclose(
        net.velocity(X, residual), jacobian.T @ (X.T @ residual), rtol=1e-9, atol=1e-12
    )
    product = jacobian @ jacobian.T
    np.testing.assert_allclose(net.tangent_kernel(X), X @ product @ X.T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(net.metric_tensor() @ product, np.eye(4), atol=1e-7)


@given(seeds)
def test_velocity_jacobian_is_the_derivative_of_the_velocity(seed: int) -> None:
    net, X, y = _problem(seed)

    def velocity(parameters: np.ndarray) -> np.ndarray:
        at = net.replace(parameters)
        return at.velocity(X, y - at.predict(X))

    moves = 1e-5 * np.eye(15)
    columns = [
        (velocity(net.parameters + move) - velocity(net.parameters - move)) / 2e-5 for move in moves
    ]
    np.testing.assert_allclose(
        net.velocity_jacobian(X, y), np.array(columns).T, rtol=1e-6, atol=1e-6
    )


def test_one_neuron_is_a_linear_neuron() -> None:
    net, X, y = _problem(0, neurons=1)
    neuron = net.as_neuron()
    assert isinstance(neuron, LinearNeuron)
    np.testing.assert_array_equal(neuron.parameters, net.parameters)
    np.testing.assert_allclose(neuron.velocity(X, y), net.velocity(X, y), rtol=1e-14)
    np.testing.assert_allclose(neuron.metric_tensor(), net.metric_tensor(), rtol=1e-9)
    np.testing.assert_allclose(neuron.balancedness, net.balancedness[0, 0], rtol=1e-12)


@given(seeds)
def test_strictly_balanced_starts_are_balanced_and_one_neuron(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, direction = random.normal(size=3), random.normal(size=5)
    net = LinearNet.strictly_balanced(a, direction)
    np.testing.assert_allclose(np.outer(a, a), net.W @ net.W.T, atol=1e-13)
    assert net.is_strictly_balanced()
    np.testing.assert_allclose(
        net.predictor, a @ a * direction / np.linalg.norm(direction), rtol=1e-12
    )
    neuron = net.as_neuron()
    assert neuron is not None
    np.testing.assert_allclose(neuron.predictor, net.predictor, rtol=1e-12)
    assert abs(neuron.balancedness) <= 1e-12 * (a @ a)


def test_networks_in_general_position_are_neither() -> None:
    net, _, _ = _problem(0)
    assert not net.is_strictly_balanced()
    assert net.as_neuron() is None
    nearly = LinearNet.strictly_balanced([1.0, 2.0], [1.0, 0.0])
    moved = LinearNet(nearly.a, nearly.W + np.array([[0.0, 1e-4], [0.0, 0.0]]))
    assert not moved.is_strictly_balanced()
    assert moved.as_neuron() is None


def test_one_neuron_need_not_be_balanced() -> None:
    balanced = LinearNet.strictly_balanced([1.0, 2.0], [1.0, 0.0])
    longer = LinearNet(balanced.a, 3 * balanced.W)
    assert not longer.is_strictly_balanced()
    neuron = longer.as_neuron()
    assert neuron is not None
    np.testing.assert_allclose(neuron.predictor, longer.predictor, rtol=1e-14)


def test_a_network_without_input_weights_is_one_neuron() -> None:
    neuron = LinearNet([3.0, 4.0], np.zeros((2, 3))).as_neuron()
    assert neuron is not None
    assert neuron.a == 5.0
    assert LinearNet([0.0, 0.0], np.ones((2, 3))).as_neuron() is None


@pytest.mark.parametrize("neurons", [1, 2, 3, 4, 30])
def test_compression_loses_nothing(neurons: int) -> None:
    net, X, y = _problem(neurons, neurons=neurons)
    rows = np.linalg.qr(X.T)[0].T
    small, restore = net.compressed(rows)
    assert small.neurons == min(neurons, 3)
    np.testing.assert_allclose(restore(small).parameters, net.parameters, atol=1e-13)
    np.testing.assert_allclose(small.predict(X @ rows.T), net.predict(X), atol=1e-12)
    moved = restore(small.replace(small.parameters + small.velocity(X @ rows.T, y)))
    np.testing.assert_allclose(moved.parameters, net.parameters + net.velocity(X, y), atol=1e-11)


def test_gaussian_starts_are_reproducible_and_scale() -> None:
    one = LinearNet.gaussian(neurons=200, d=50, scale=0.1, seed=3)
    two = LinearNet.gaussian(neurons=200, d=50, scale=0.1, seed=3)
    np.testing.assert_array_equal(one.parameters, two.parameters)
    drawn = [
        LinearNet.gaussian(neurons=200, d=50, scale=0.1, seed=np.random.default_rng(4)).parameters
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(one.parameters, drawn[0])
    assert 0.095 < one.W.std() < 0.105


@pytest.mark.usefixtures("as_a_user")
def test_unusable_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="W must have one row for each of the 2"):
        LinearNet([1.0, 2.0], np.ones((3, 2)))
    with pytest.raises(ValueError, match="W must have 2 axis"):
        LinearNet([1.0], [1.0])
    with pytest.raises(ValueError, match="a must be finite"):
        LinearNet([np.nan], [[1.0]])
    with pytest.raises(ValueError, match="direction must not be zero"):
        LinearNet.strictly_balanced([1.0], [0.0])
    with pytest.raises(ValueError, match="scale must be greater than 0"):
        LinearNet.gaussian(neurons=1, d=1, scale=0.0, seed=0)
    with pytest.raises(ValueError, match="neurons must be at least 1"):
        LinearNet.gaussian(neurons=0, d=1, scale=1.0, seed=0)
    with pytest.raises(TypeError, match="seed must be an int"):
        LinearNet.gaussian(neurons=1, d=1, scale=1.0, seed=0.5)
    with pytest.raises(ValueError, match="output weights a must not all be 0"):
        LinearNet([0.0], [[1.0, 2.0]]).metric_tensor()
