"""The same path by another clock, and limits that move with the weights of the residuals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.models import DiagonalNet, LinearNet, LinearNeuron, RegressionModel
from ibtools.theory import implicit_potential, warp
from ibtools.trainers import (
    TrainingWarning,
    gradient_flow,
    mirror_flow,
    warped_flow,
    weighted_problem,
)

X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])


def _neuron(seed: int) -> LinearNeuron:
    random = np.random.default_rng(seed)
    return LinearNeuron.from_scale_shape(
        scale=float(random.uniform(0.05, 2)),
        shape=float(random.uniform(0.0, 0.9)),
        direction=random.normal(size=3),
        sign=int(random.choice([-1, 1])),
    )


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_the_warped_flow_is_the_mirror_flow_of_the_potential(seed: int) -> None:
    neuron, times = _neuron(seed), [0.2, 1.0, 3.0]
    warped = warped_flow(neuron, X, Y, times=times)
    mirrored = mirror_flow(implicit_potential(neuron), X, Y, start=neuron.predictor, times=times)
    np.testing.assert_allclose(warped.w, mirrored.w, atol=1e-8)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_the_warped_flow_passes_where_gradient_flow_passes(seed: int) -> None:
    neuron = _neuron(seed)
    warped = warped_flow(neuron, X, Y, times=[0.2, 1.0, 3.0])
    plain = gradient_flow(neuron, X, Y, times=warped.natural_times)
    np.testing.assert_allclose(warped.w, plain.w, atol=1e-8)
    np.testing.assert_allclose(warped.a, plain.a, atol=1e-8)


def test_the_clock_runs_by_the_warp() -> None:
    neuron = _neuron(3)
    times = np.linspace(0.5, 0.51, 3)
    run = warped_flow(neuron, X, Y, times=times)
    rate = (times[2] - times[0]) / (run.natural_times[2] - run.natural_times[0])
    assert rate == pytest.approx(warp(neuron.balancedness, run.w[1]), rel=1e-4, abs=0)


def test_limits_and_paths_are_the_same_in_either_clock() -> None:
    neuron = _neuron(1)
    warped, plain = warped_flow(neuron, X, Y), gradient_flow(neuron, X, Y)
    assert warped.converged
    np.testing.assert_allclose(warped.w[-1], plain.w[-1], atol=1e-9)
    length = np.linalg.norm(plain.w[-1] - plain.w[0])
    # Each record of one is near a chord of the other.
    for points, path in ((warped.w, plain.w), (plain.w, warped.w)):
        assert max(_distance(point, path) for point in points) < 1e-3 * length


def _distance(point: np.ndarray, path: np.ndarray) -> float:
    chords = np.diff(path, axis=0)
    squares = np.maximum((chords**2).sum(axis=1), 1e-300)
    share = np.clip(((point - path[:-1]) * chords).sum(axis=1) / squares, 0, 1)
    return float(np.linalg.norm(path[:-1] + share[:, None] * chords - point, axis=1).min())


def test_the_clock_stops_where_the_output_weight_vanishes() -> None:
    neuron = LinearNeuron(0.1, [1.0, -0.5, 0.2])
    with pytest.warns(TrainingWarning, match="changes its sign"):
        run = warped_flow(neuron, X, Y)
    assert not run.converged
    assert np.all(run.a > 0)
    assert run.a[-1] < 1e-2
    plain = gradient_flow(neuron, X, Y, times=run.natural_times[1:])
    np.testing.assert_allclose(plain.w, run.w[1:], atol=1e-6)


def test_neurons_without_this_clock_are_refused() -> None:
    for neuron in (
        LinearNeuron(0.0, [1.0, 1.0, 1.0]),
        LinearNeuron(1.0, [1.0, 1.0, 1.0], slope=0.5),
    ):
        with pytest.raises(ValueError, match="neuron must be linear with a ≠ 0"):
            warped_flow(neuron, X, Y)


def test_a_weighted_problem_has_the_weighted_loss() -> None:
    random = np.random.default_rng(0)
    root = random.normal(size=(2, 2))
    weights, w = root @ root.T, random.normal(size=3)
    A, y = weighted_problem(X, Y, weights)
    residual = Y - X @ w
    np.testing.assert_allclose(np.sum((y - A @ w) ** 2), residual @ weights @ residual, rtol=1e-12)
    np.testing.assert_allclose(A.T @ (y - A @ w), X.T @ weights @ residual, rtol=1e-10)


def _moves(net: RegressionModel) -> float:
    plain = gradient_flow(net, X, Y).w[-1]
    weighted = gradient_flow(net, *weighted_problem(X, Y, [[3.0, 0.5], [0.5, 0.4]])).w[-1]
    return float(np.linalg.norm(plain - weighted))


@pytest.mark.parametrize("neurons", [2, 3, 6])
def test_limits_of_many_unbalanced_neurons_move_with_the_weights(neurons: int) -> None:
    assert _moves(LinearNet.gaussian(neurons=neurons, d=3, scale=0.5, seed=0)) > 1e-4


@pytest.mark.parametrize(
    "net",
    [
        LinearNet([0.8], [[0.3, -0.2, 0.4]]),
        LinearNet.strictly_balanced([0.3, -0.5], [1.0, 2.0, 3.0]),
        LinearNet([0.3, -0.5], np.zeros((2, 3))),
        DiagonalNet.from_scale_shape(scale=0.1, shape=0.3, d=3),
    ],
    ids=["one neuron", "balanced", "no input weights", "diagonal"],
)
def test_limits_that_have_a_potential_do_not_move(net: RegressionModel) -> None:
    assert _moves(net) < 1e-8


@pytest.mark.usefixtures("as_a_user")
def test_unusable_weights_are_refused() -> None:
    for weights, message in (
        ([[1.0]], "symmetric matrix of shape"),
        ([[1.0, 2.0], [0.0, 1.0]], "not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "positive definite"),
        ([1.0, 2.0], "2 axis"),
    ):
        with pytest.raises(ValueError, match=message):
            weighted_problem(X, Y, weights)
