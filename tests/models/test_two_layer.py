"""The two-layer network against its definition and automatic differentiation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibtools.data import nearly_orthogonal
from ibtools.models.linear_net import LinearNet
from ibtools.models.two_layer import TwoLayerNet, signed_problem

seeds = st.integers(0, 10_000)
slopes = st.sampled_from([0.0, 0.1, 0.5, 1.0])


def _problem(seed: int, slope: float) -> tuple[TwoLayerNet, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    net = TwoLayerNet(random.normal(size=(6, 4)), slope=slope)
    return net, random.normal(size=(5, 4)), random.normal(size=5)


def _torch_outputs(net: TwoLayerNet, W: torch.Tensor, X: np.ndarray) -> torch.Tensor:
    hidden = torch.nn.functional.leaky_relu(torch.tensor(X) @ W.T, net.slope)
    return hidden[:, : net.m].mean(dim=1) - hidden[:, net.m :].mean(dim=1)


def test_output_is_what_the_definition_says() -> None:
    net = TwoLayerNet([[1.0, 0.0], [0.0, -1.0], [1.0, 1.0], [0.0, 0.0]], slope=0.1)
    # Inputs at (2, 3): 2 and −3 of sign +; 5 and 0 of sign −.
    expected = (2 - 0.3) / 2 - 5 / 2
    np.testing.assert_allclose(net.predict(np.array([[2.0, 3.0]])), [expected], rtol=1e-15)
    assert net.m == 2
    np.testing.assert_array_equal(net.signs, [1, 1, -1, -1])
    np.testing.assert_array_equal(np.vstack([net.W_plus, net.W_minus]), net.W)


@given(seeds, slopes)
def test_velocity_and_kernel_are_those_of_automatic_differentiation(
    seed: int, slope: float
) -> None:
    net, X, residual = _problem(seed, slope)
    W = torch.tensor(net.W.copy(), requires_grad=True)
    outputs = _torch_outputs(net, W, X)
    np.testing.assert_allclose(net.predict(X), outputs.detach().numpy(), rtol=1e-13, atol=1e-15)
    rows = [
        torch.autograd.grad(output, W, retain_graph=True)[0].numpy().ravel() for output in outputs
    ]
    jacobian = np.stack(rows)
    np.testing.assert_allclose(net.velocity(X, residual), residual @ jacobian, atol=1e-14)
    np.testing.assert_allclose(net.tangent_kernel(X), jacobian @ jacobian.T, atol=1e-14)


@given(seeds, slopes, st.floats(1e-3, 1e3))
def test_it_is_homogeneous_of_order_one(seed: int, slope: float, factor: float) -> None:
    net, X, _ = _problem(seed, slope)
    scaled = net.replace(factor * net.parameters)
    np.testing.assert_allclose(scaled.predict(X), factor * net.predict(X), rtol=1e-12)
    # Euler: ⟨∇f, W⟩ = f, sample by sample.
    euler = [net.velocity(X, unit) @ net.parameters for unit in np.eye(5)]
    np.testing.assert_allclose(euler, net.predict(X), rtol=1e-12, atol=1e-14)


def test_on_a_kink_the_slope_is_one() -> None:
    net = TwoLayerNet([[1.0, 0.0], [0.0, 1.0]], slope=0.2)
    X = np.array([[0.0, -1.0]])
    np.testing.assert_array_equal(net.activity(X), [[True], [False]])
    np.testing.assert_array_equal(net.slopes(X), [[1.0], [0.2]])


def test_weights_are_copied_and_read_only() -> None:
    W = np.ones((2, 3))
    net = TwoLayerNet(W, slope=0.5)
    W[0, 0] = 7
    assert net.W[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        net.W[0, 0] = 2
    assert net.replace(np.arange(6.0)).W.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_random_start_has_the_asked_size_and_is_reproducible() -> None:
    net = TwoLayerNet.initialize(m=50, d=200, slope=0.0, scale=1e-3, seed=3)
    assert net.W.shape == (100, 200)
    assert 0.98e-3 < net.W.std() < 1.02e-3
    again = TwoLayerNet.initialize(m=50, d=200, slope=0.0, scale=1e-3, seed=3)
    np.testing.assert_array_equal(net.W, again.W)
    other = TwoLayerNet.initialize(
        m=50, d=200, slope=0.0, scale=1e-3, seed=np.random.default_rng(4)
    )
    assert not np.array_equal(net.W, other.W)


def test_one_seed_draws_data_and_weights_that_are_independent() -> None:
    X = nearly_orthogonal(n=20, d=1000, seed=3).X
    W = TwoLayerNet.initialize(m=10, d=1000, slope=0.1, scale=1.0, seed=3).W
    cosines = W @ X.T / np.outer(np.linalg.norm(W, axis=1), np.linalg.norm(X, axis=1))
    assert np.abs(cosines).max() < 0.15
    net = LinearNet.gaussian(neurons=20, d=999, scale=1.0, seed=3)
    assert abs(np.corrcoef(np.column_stack([net.a, net.W]).ravel(), X.ravel())[0, 1]) < 0.03


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("W", "slope", "message"),
    [
        ([[1.0, 2.0]], 0.1, r"even number of rows, got shape \(1, 2\)"),
        ([[1.0], [np.nan]], 0.1, r"W must be finite"),
        ([1.0, 2.0], 0.1, r"W must have 2 axis/axes"),
        (np.empty((0, 2)), 0.1, r"W is empty"),
        ([[1.0], [2.0]], -0.1, r"slope must be from 0 to 1, got -0.1"),
        ([[1.0], [2.0]], 1.5, r"slope must be from 0 to 1, got 1.5"),
        ([[1.0], [2.0]], np.nan, r"slope must be finite"),
    ],
)
def test_bad_weights_are_refused(W: object, slope: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TwoLayerNet(W, slope=slope)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"m": 0}, ValueError, "m must be at least 1"),
        ({"d": 2.5}, TypeError, "d must be an integer"),
        ({"scale": 0.0}, ValueError, "scale must be greater than 0"),
        ({"seed": None}, TypeError, "randomness here is always explicit"),
    ],
)
def test_bad_starts_are_refused(change: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        TwoLayerNet.initialize(**{"m": 2, "d": 3, "slope": 0.1, "scale": 1.0, "seed": 0, **change})


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 0], r"labels 1 and -1 only, got 0 at index 1"),
        ([1, -2], r"labels 1 and -1 only, got -2 at index 1"),
        ([1, -1, 1], r"same number of rows"),
        ([1, np.inf], r"y must be finite"),
    ],
)
def test_labels_are_signs(y: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        signed_problem(np.eye(2), y)


@pytest.mark.usefixtures("as_a_user")
def test_columns_fit_the_network() -> None:
    with pytest.raises(ValueError, match=r"X must have 3 columns.*build the network with d=2"):
        signed_problem(np.eye(2), [1, -1], columns=3)
    X, y = signed_problem(np.eye(2), [True, -1], columns=2)
    assert X.dtype == y.dtype == np.float64
