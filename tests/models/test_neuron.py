"""One neuron against its definition: gradients, kernel, metric, scale and shape."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ibtools.models import LinearNeuron, RegressionModel, RowSpaceModel

seeds = st.integers(0, 10_000)
slopes = st.sampled_from([1.0, 0.5, 0.1, 0.02])


def _problem(seed: int, slope: float = 1.0) -> tuple[LinearNeuron, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    neuron = LinearNeuron(float(random.normal()), random.normal(size=4), slope=slope)
    return neuron, random.normal(size=(3, 4)), random.normal(size=3)


def test_output_is_what_the_definition_says() -> None:
    X = np.array([[1.0, 2.0], [-1.0, 1.0], [2.0, 1.0]])
    for a in (2.0, -2.0):
        neuron = LinearNeuron(a=a, w=[1.0, -1.0], slope=0.1)
        # wᵀx = −1, −2, 1, of which the first two are scaled by 0.1.
        expected = a * np.array([-0.1, -0.2, 1.0])
        np.testing.assert_allclose(neuron.predict(X), expected, rtol=1e-15)
    assert isinstance(neuron, RegressionModel)
    assert isinstance(neuron, RowSpaceModel)


@given(seeds, slopes, st.sampled_from([1, -1]))
def test_predictor_and_sign_of_a_determine_the_output(seed: int, slope: float, sign: int) -> None:
    neuron, X, _ = _problem(seed, slope)
    neuron = LinearNeuron(sign * abs(neuron.a), neuron.w, slope=slope)
    inputs = sign * (X @ neuron.predictor)
    expected = sign * np.where(inputs >= 0, inputs, slope * inputs)
    np.testing.assert_allclose(neuron.predict(X), expected, rtol=1e-13, atol=1e-15)


@given(seeds, slopes)
def test_velocity_is_minus_the_gradient_of_the_loss(seed: int, slope: float) -> None:
    neuron, X, y = _problem(seed, slope)

    def loss(parameters: np.ndarray) -> complex:
        inputs = X @ parameters[1:]
        active = np.where(inputs.real >= 0, inputs, slope * inputs)
        return 0.5 * np.sum((parameters[0] * active - y) ** 2)

    steps = neuron.parameters + 1e-100j * np.eye(5)
    gradient = [loss(step).imag / 1e-100 for step in steps]
    np.testing.assert_allclose(
        neuron.velocity(X, y - neuron.predict(X)), -np.array(gradient), rtol=1e-9, atol=1e-12
    )


@given(seeds, slopes)
def test_kernel_and_jacobian_are_derivatives(seed: int, slope: float) -> None:
    neuron, X, y = _problem(seed, slope)
    step = 1e-6

    def shifted(k: int, sign: int) -> LinearNeuron:
        return neuron.replace(neuron.parameters + sign * step * np.eye(5)[k])

    assume(np.abs(X @ neuron.w).min() >= 1e-4)  # no difference quotient across a kink
    outputs = np.array(
        [(shifted(k, 1).predict(X) - shifted(k, -1).predict(X)) / (2 * step) for k in range(5)]
    )
    np.testing.assert_allclose(neuron.tangent_kernel(X), outputs.T @ outputs, rtol=1e-6, atol=1e-6)

    def velocity(net: LinearNeuron) -> np.ndarray:
        return net.velocity(X, y - net.predict(X))

    slopes = [(velocity(shifted(k, 1)) - velocity(shifted(k, -1))) / (2 * step) for k in range(5)]
    np.testing.assert_allclose(
        neuron.velocity_jacobian(X, y), np.array(slopes).T, rtol=1e-5, atol=1e-5
    )


@given(seeds)
def test_metric_tensor_inverts_the_jacobian_product(seed: int) -> None:
    neuron, _, _ = _problem(seed)
    inverse = neuron.a**2 * np.eye(4) + np.outer(neuron.w, neuron.w)
    conditioning = 1 + neuron.w @ neuron.w / neuron.a**2
    np.testing.assert_allclose(
        neuron.metric_tensor() @ inverse, np.eye(4), atol=1e-14 * conditioning
    )


@given(seeds)
def test_metric_as_a_function_of_the_predictor_agrees_for_every_sign_of_delta(seed: int) -> None:
    neuron, _, _ = _problem(seed)
    np.testing.assert_allclose(
        neuron.metric_at()(neuron.predictor), neuron.metric_tensor(), rtol=1e-9
    )


def test_metric_as_a_function_keeps_its_digits_where_a_is_tiny() -> None:
    neuron = LinearNeuron(1e-9, [3.0, 4.0])
    np.testing.assert_allclose(
        neuron.metric_at()(neuron.predictor), neuron.metric_tensor(), rtol=1e-12
    )


@given(
    st.floats(1e-20, 1e3),
    st.floats(-0.99, 0.9999),
    st.sampled_from([1, -1]),
    seeds,
)
def test_scale_shape_and_direction_come_back(
    scale: float, shape: float, sign: int, seed: int
) -> None:
    direction = np.random.default_rng(seed).normal(size=3)
    neuron = LinearNeuron.from_scale_shape(
        scale=scale, shape=shape, direction=direction, sign=sign, slope=0.3
    )
    size = np.linalg.norm(neuron.w)
    assert np.sign(neuron.a) == sign
    assert neuron.slope == 0.3
    np.testing.assert_allclose(abs(neuron.a) * size, scale, rtol=1e-12)
    np.testing.assert_allclose(
        (abs(neuron.a) - size) / (abs(neuron.a) + size), shape, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(
        neuron.predictor / scale, direction / np.linalg.norm(direction), rtol=1e-12
    )
    np.testing.assert_allclose(
        neuron.balancedness, 4 * scale * shape / (1 - shape**2), rtol=1e-10, atol=1e-14 * scale
    )


def test_direction_may_have_any_length() -> None:
    for length in (1e-300, 1.0, 1e300):
        neuron = LinearNeuron.from_scale_shape(
            scale=1.0, shape=0.0, direction=length * np.array([0.6, 0.8])
        )
        np.testing.assert_allclose(neuron.predictor, [0.6, 0.8], rtol=1e-14)


@given(seeds, slopes)
def test_compression_loses_nothing(seed: int, slope: float) -> None:
    neuron, X, y = _problem(seed, slope)
    X = X[:2]
    rows = np.linalg.qr(X.T)[0].T
    small, restore = neuron.compressed(rows)
    np.testing.assert_allclose(restore(small).parameters, neuron.parameters, atol=1e-14)
    np.testing.assert_allclose(small.predict(X @ rows.T), neuron.predict(X), atol=1e-13)
    step = neuron.velocity(X, y[:2])
    moved = restore(small.replace(small.parameters + small.velocity(X @ rows.T, y[:2])))
    np.testing.assert_allclose(moved.parameters, neuron.parameters + step, atol=1e-12)
    assert moved.slope == slope


def test_weights_are_copied_and_read_only() -> None:
    w = np.ones(2)
    neuron = LinearNeuron(1.0, w)
    w[0] = 5.0
    np.testing.assert_array_equal(neuron.w, [1.0, 1.0])
    with pytest.raises(ValueError, match="read-only"):
        neuron.w[0] = 2.0


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"a": np.nan}, "a must be finite"),
        ({"w": []}, "w is empty"),
        ({"w": [1.0, np.inf]}, "w must be finite"),
        ({"slope": 0.0}, "slope must be above 0"),
        ({"slope": -0.1}, "slope must be above 0"),
        ({"slope": 1.1}, "at most 1, got 1.1"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_unusable_weights_are_refused(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearNeuron(**{"a": 1.0, "w": [1.0], **keywords})


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"scale": 0.0}, "scale must be greater than 0"),
        ({"shape": 1.0}, "shape must lie strictly between"),
        ({"shape": -1.0}, "shape must lie strictly between"),
        ({"direction": [0.0, 0.0]}, "direction must not be zero"),
        ({"sign": 0}, "sign must be 1 or -1"),
        ({"slope": 2.0}, "slope must be above 0"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_unusable_scales_and_shapes_are_refused(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearNeuron.from_scale_shape(
            **{"scale": 1.0, "shape": 0.0, "direction": [1.0, 0.0], **keywords}
        )


@pytest.mark.usefixtures("as_a_user")
def test_kinds_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="a must be a real number"):
        LinearNeuron("1", [1.0])
    with pytest.raises(TypeError, match="w must be an array of real numbers"):
        LinearNeuron(1.0, ["x"])


def test_there_is_no_metric_where_the_output_weight_is_zero() -> None:
    with pytest.raises(ValueError, match="output weight a must not be 0"):
        LinearNeuron(0.0, [1.0, 2.0]).metric_tensor()
