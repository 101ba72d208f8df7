"""Flow of neurons and linear networks: the reduction against the definition, limits, layers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.data import sparse_regression
from ibtools.models import LinearNet, LinearNeuron
from ibtools.theory import (
    implicit_limit,
    minimum_norm_interpolator,
    small_start_bound,
)
from ibtools.trainers import (
    LinearNetRun,
    NeuronRun,
    TrainingWarning,
    gradient_descent,
    gradient_flow,
)
from ibtools.trainers.flow.row_space import _neuron_field

X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])
FLIPPING = [1.0, -0.5, 0.2]


@pytest.mark.parametrize("method", ["reduced", "parameters"])
@pytest.mark.parametrize(
    ("neuron", "w"),
    [
        (
            LinearNeuron.from_scale_shape(scale=0.1, shape=0.0, direction=[0.6, 0.0, 0.8]),
            [0.21149224460304748, 0.41305318832985826, -0.075197242525527993],
        ),
        (
            LinearNeuron(0.1, FLIPPING),
            [-0.35531588371376936, 0.64607430774899407, 0.12633453643156244],
        ),
    ],
    ids=["linear", "flip"],
)
def test_flows_end_at_the_limits_of_the_table(
    neuron: LinearNeuron, w: list[float], method: str
) -> None:
    run = gradient_flow(neuron, X, Y, method=method)
    assert run.converged
    np.testing.assert_allclose(run.w[-1], w, atol=1e-9)


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from(["neuron", "net"]))
def test_reduction_and_definition_agree_along_the_path(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(2, 5)), random.normal(size=2)
    net = (
        LinearNeuron(float(random.normal()), random.normal(size=5))
        if kind == "neuron"
        else LinearNet(random.normal(size=4), random.normal(size=(4, 5)))
    )
    times = [0.1, 0.5, 2.0]
    reduced = gradient_flow(net, A, y, times=times)
    plain = gradient_flow(net, A, y, times=times, method="parameters")
    scale = np.abs(plain.net.parameters).max()
    np.testing.assert_allclose(reduced.w, plain.w, atol=1e-8 * scale)
    np.testing.assert_allclose(reduced.net.parameters, plain.net.parameters, atol=1e-8 * scale)
    np.testing.assert_allclose(
        reduced.net.conserved_quantities(), net.conserved_quantities(), atol=1e-8 * scale**2
    )


def test_a_network_of_many_neurons_is_reduced_on_both_sides() -> None:
    random = np.random.default_rng(0)
    A, y = random.normal(size=(3, 40)), random.normal(size=3)
    net = LinearNet.gaussian(neurons=20, d=40, scale=0.1, seed=1)
    reduced = gradient_flow(net, A, y)
    assert reduced._states.shape[1] == 4 + 4 * 3
    plain = gradient_flow(net, A, y, method="parameters")
    np.testing.assert_allclose(reduced.w[-1], plain.w[-1], atol=1e-8)
    np.testing.assert_allclose(reduced.net.balancedness, net.balancedness, atol=1e-9)


def test_layers_are_recorded() -> None:
    neuron = LinearNeuron(0.3, FLIPPING)
    run = gradient_flow(neuron, X, Y, times=[0.0, 1.0, 2.0])
    assert isinstance(run, NeuronRun)
    assert run.a.shape == (3,)
    assert run.w_layer.shape == (3, 3)
    assert run.a[0] == pytest.approx(0.3, rel=1e-12, abs=0)
    np.testing.assert_allclose(run.a[:, None] * run.w_layer, run.w, atol=1e-14)
    np.testing.assert_allclose(run.w_layer[0], FLIPPING, atol=1e-14)
    net = LinearNet.gaussian(neurons=4, d=3, scale=0.5, seed=0)
    wide = gradient_flow(net, X, Y, times=[0.0, 1.0])
    assert isinstance(wide, LinearNetRun)
    assert wide.w_layer.shape == (2, 4, 3)
    np.testing.assert_allclose(np.einsum("tm,tmd->td", wide.a, wide.w_layer), wide.w, atol=1e-13)
    steps = gradient_descent(neuron, X, Y, step_size=0.01, steps=5)
    assert isinstance(steps, NeuronRun)
    assert steps.a.shape == (6,)


@pytest.mark.parametrize("scale", [1e-20, 1e-8, 1e-2, 1.0, 1e3])
@pytest.mark.parametrize("shape", [-0.5, 0.0, 0.9999])
def test_flow_ends_where_theorem_2_says(scale: float, shape: float) -> None:
    A, y, _ = sparse_regression(n=10, d=40, sparsity=3, seed=0)
    direction = np.random.default_rng(1).normal(size=40)
    neuron = LinearNeuron.from_scale_shape(scale=scale, shape=shape, direction=direction)
    run = gradient_flow(neuron, A, y)
    limit = implicit_limit(neuron, A, y)
    assert run.converged
    assert np.linalg.norm(run.w[-1] - limit) <= 1e-8 * np.linalg.norm(limit)


def test_balanced_networks_end_where_proposition_1_says() -> None:
    net = LinearNet.strictly_balanced([0.1, -0.2, 0.3], [1.0, 2.0, -1.0])
    run = gradient_flow(net, X, Y)
    np.testing.assert_allclose(run.w[-1], implicit_limit(net, X, Y), atol=1e-9)
    assert run.net.is_strictly_balanced(tolerance=1e-8)


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4])
def test_limits_of_small_starts_obey_the_bound_and_its_rate(size: float) -> None:
    random = np.random.default_rng(5)
    net = LinearNet(size * random.normal(size=4), size * random.normal(size=(4, 3)))
    run = gradient_flow(net, X, Y)
    distance = np.linalg.norm(run.w[-1] - minimum_norm_interpolator(X, Y))
    bound = small_start_bound(net, X, Y)
    assert 0.01 * bound < distance <= bound


def test_a_thousand_dimensions_take_well_under_a_hundred_thousand_evaluations() -> None:
    A, y, _ = sparse_regression(n=100, d=1000, sparsity=5, seed=0)
    neuron = LinearNeuron.from_scale_shape(scale=1e-3, shape=0.0, direction=np.ones(1000))
    run = gradient_flow(neuron, A, y)
    assert run._states.shape[1] == 101
    assert len(run.times) < 1000
    np.testing.assert_allclose(run.w[-1], implicit_limit(neuron, A, y), atol=1e-9)


def test_dependent_rows_and_many_samples_are_followed_all_the_same() -> None:
    random = np.random.default_rng(0)
    A = random.normal(size=(6, 3))
    y = random.normal(size=6)
    run = gradient_flow(LinearNeuron(1.0, [0.1, 0.2, 0.3]), A, y)
    assert run.converged
    np.testing.assert_allclose(run.w[-1], np.linalg.lstsq(A, y, rcond=None)[0], atol=1e-8)
    doubled = gradient_flow(
        LinearNeuron(1.0, [0.1, 0.2, 0.3]), np.vstack([X, X[:1]]), np.append(Y, Y[0])
    )
    np.testing.assert_allclose(X @ doubled.w[-1], Y, atol=1e-8)


def test_a_saddle_point_is_no_limit_to_be_content_with() -> None:
    for neuron in (
        LinearNeuron(0.0, [0.0, 0.0, 0.0]),
        # Balanced, and straight against the only sample: the flow ends in the saddle point.
        LinearNeuron(1.0, [-1.0, 0.0, 0.0]),
    ):
        with pytest.warns(TrainingWarning, match="flow: "):
            run = gradient_flow(neuron, [[1.0, 0.0, 0.0]], [1.0])
        assert not run.converged
        assert run.remaining == np.inf
        assert run.loss[-1] == pytest.approx(0.5, rel=1e-6, abs=0)


def test_methods_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="method='dual' needs a network whose weights"):
        gradient_flow(LinearNeuron(1.0, [1.0, 1.0, 1.0]), X, Y, method="dual")
    with pytest.raises(ValueError, match="X must have 3 columns"):
        gradient_flow(LinearNeuron(1.0, [1.0, 1.0, 1.0]), np.ones((1, 2)), np.ones(1))


def test_a_neuron_moves_in_singular_coordinates_as_its_model_says() -> None:
    random = np.random.default_rng(0)
    singular, target = random.uniform(0.5, 2.0, size=3), random.normal(size=3)
    net = LinearNeuron(a=0.7, w=random.normal(size=3))
    X = np.diag(singular)
    expected = net.velocity(X, target - net.predict(X))
    field = _neuron_field(X @ target, singular**2)
    np.testing.assert_allclose(field(0.0, net.parameters), expected, rtol=1e-13)
