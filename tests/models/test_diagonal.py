"""The diagonal network against its definition: gradients, metric, exact dynamics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.models import DiagonalNet, DualModel, RegressionModel

# Reference 4 of the 40-digit table: a general start.
GENERAL = ([0.5, 0.2, 0.3], [0.4, -0.1, 0.6], [0.1, 0.3, 0.2], [0.3, 0.5, -0.4])


def _random_net(seed: int, d: int = 4) -> DiagonalNet:
    return DiagonalNet(*np.random.default_rng(seed).normal(size=(4, d)))


def test_predictor_is_what_the_definition_says() -> None:
    net = DiagonalNet(*GENERAL)
    np.testing.assert_allclose(
        net.predictor, [0.5 * 0.4 - 0.1 * 0.3, -0.02 - 0.15, 0.18 + 0.08], rtol=1e-15
    )
    X = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(net.predict(X), X @ net.predictor, rtol=1e-15)
    assert isinstance(net, RegressionModel)
    assert isinstance(net, DualModel)


@given(st.integers(0, 10_000))
def test_velocity_is_minus_the_gradient_of_the_loss(seed: int) -> None:
    random = np.random.default_rng(seed)
    net, X, y = _random_net(seed), random.normal(size=(3, 4)), random.normal(size=3)

    def loss(parameters: np.ndarray) -> complex:
        u_plus, v_plus, u_minus, v_minus = np.split(parameters, 4)
        return 0.5 * np.sum((X @ (u_plus * v_plus - u_minus * v_minus) - y) ** 2)

    steps = net.parameters + 1e-100j * np.eye(16)
    gradient = [loss(step).imag / 1e-100 for step in steps]
    np.testing.assert_allclose(net.velocity(X, y - net.predict(X)), -np.array(gradient), rtol=1e-9)


@given(st.integers(0, 10_000))
def test_metric_and_kernel_are_those_of_the_jacobian(seed: int) -> None:
    net, X = _random_net(seed), np.random.default_rng(seed).normal(size=(3, 4))
    jacobian = np.hstack([np.diag(c) for c in (net.v_plus, net.u_plus, -net.v_minus, -net.u_minus)])
    np.testing.assert_allclose(
        net.metric_tensor() @ jacobian @ jacobian.T, np.eye(4), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        net.tangent_kernel(X), X @ jacobian @ jacobian.T @ X.T, rtol=1e-10, atol=1e-12
    )


@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(-3, 3))
def test_after_is_the_flow_of_the_weights_in_the_accumulated_gradient(
    seed: int, first: float, second: float
) -> None:
    net = _random_net(seed)
    one, two = first * np.arange(1, 5) / 4, second * np.ones(4)
    # A flow: composition adds P; backwards undoes it; its velocity is the definition's with
    # Xᵀr = dP. With these three it is the flow.
    both, stepwise = net.after(one + two), net.after(one).after(two)
    np.testing.assert_allclose(both.parameters, stepwise.parameters, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        net.after(one).after(-one).parameters, net.parameters, rtol=1e-9, atol=1e-9
    )
    step = 1e-6
    derivative = (
        net.after(np.full(4, step)).parameters - net.after(np.full(4, -step)).parameters
    ) / (2 * step)
    np.testing.assert_allclose(
        derivative, net.velocity(np.eye(4), np.ones(4)), rtol=1e-6, atol=1e-9
    )


@given(st.integers(0, 10_000), st.floats(-5, 5))
def test_predictor_after_is_the_predictor_of_after(seed: int, reach: float) -> None:
    net = _random_net(seed)
    accumulated = reach * np.linspace(-1, 1, 4)
    w, slope = net.predictor_after(accumulated)
    moved = net.after(accumulated)
    size = np.abs(moved.u_plus * moved.v_plus) + np.abs(moved.u_minus * moved.v_minus)
    assert np.all(np.abs(w - moved.predictor) <= 1e-13 * (size + np.abs(w)) + 1e-13)
    np.testing.assert_allclose(slope, 1 / np.diag(moved.metric_tensor()), rtol=1e-10)
    np.testing.assert_allclose(
        net.conserved_quantities(), moved.conserved_quantities(), rtol=1e-9, atol=1e-9
    )


def test_predictor_after_keeps_digits_far_in_the_kernel_regime() -> None:
    net = DiagonalNet.from_scale_shape(scale=1e8, shape=0.0, d=1)
    w, slope = net.predictor_after(np.array([1e-15]))
    # w = (u₀² + v₀²) sinh 2P exactly, and sinh 2P = 2P to 30 digits here.
    np.testing.assert_allclose(w, 4e8 * 1e-15, rtol=1e-12)
    np.testing.assert_allclose(slope, 4e8, rtol=1e-12)


def test_a_wild_trial_step_stays_finite() -> None:
    for net in (_random_net(0, d=2), DiagonalNet.from_scale_shape(scale=1e9, shape=0.5, d=2)):
        for w, slope in (net.predictor_after(np.array([1e30, -1e30])),):
            assert np.isfinite(w).all()
            assert np.isfinite(slope).all()
            assert w[0] > 1e290 > -1e290 > w[1]


def test_dead_weights_stay_dead_however_hard_they_are_pulled() -> None:
    net = DiagonalNet([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, -1.0])
    moved = net.after(np.array([1e6, 0.1]))
    np.testing.assert_array_equal(moved.predictor[0], 0.0)
    assert np.isfinite(moved.parameters).all()
    with pytest.raises(ValueError, match="all four weights of coordinate 0 are 0"):
        net.metric_tensor()


@given(st.floats(1e-20, 1e3), st.floats(-0.99, 0.9999))
def test_scale_and_shape_are_those_of_the_weights(scale: float, shape: float) -> None:
    net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=3)
    np.testing.assert_array_equal(net.predictor, 0.0)
    u, v = net.u_plus, net.v_plus
    np.testing.assert_allclose(u * v, scale, rtol=1e-13)
    np.testing.assert_allclose((u - v) / (u + v), shape, atol=1e-13)
    np.testing.assert_array_equal(net.u_minus, u)
    np.testing.assert_array_equal(net.v_minus, v)
    # The metric at the start is 1/√k, √k = 4α(1+s²)/(1−s²).
    sqrt_k = 4 * scale * (1 + shape**2) / ((1 - shape) * (1 + shape))
    np.testing.assert_allclose(np.diag(net.metric_tensor()), 1 / sqrt_k, rtol=1e-12)


def test_parameters_and_replace_undo_each_other() -> None:
    net = DiagonalNet(*GENERAL)
    again = net.replace(net.parameters)
    for name in ("u_plus", "v_plus", "u_minus", "v_minus"):
        np.testing.assert_array_equal(getattr(again, name), getattr(net, name))
    np.testing.assert_array_equal(net.parameters[:3], GENERAL[0])


def test_weights_are_the_networks_own() -> None:
    mine = np.ones(2)
    net = DiagonalNet(mine, mine, mine, mine)
    mine[0] = 7.0
    assert net.u_plus[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        net.u_plus[0] = 7.0


_ONES = np.ones(3)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: DiagonalNet(_ONES, _ONES, np.ones(2), _ONES),
            ValueError,
            "u_minus must have 3 entries, got 2",
        ),
        (
            lambda: DiagonalNet(_ONES, _ONES * np.nan, _ONES, _ONES),
            ValueError,
            r"v_plus must be finite, got nan at index \(0,\) \(3 such entries\)",
        ),
        (lambda: DiagonalNet([], [], [], []), ValueError, "u_plus is empty"),
        (
            lambda: DiagonalNet(_ONES[:, None], _ONES, _ONES, _ONES),
            ValueError,
            r"u_plus must have 1 axis.*got shape \(3, 1\)",
        ),
        (lambda: DiagonalNet("abc", _ONES, _ONES, _ONES), TypeError, "u_plus must be an array"),
        (
            lambda: DiagonalNet(_ONES * 1j, _ONES, _ONES, _ONES),
            TypeError,
            "u_plus must be an array",
        ),
        *[
            (
                lambda shape=shape: DiagonalNet.from_scale_shape(scale=1.0, shape=shape, d=3),
                ValueError,
                r"shape must lie strictly between -1 and 1.*shape=0\.9999",
            )
            for shape in (1, -1, 1.5, -2.0)
        ],
        *[
            (
                lambda scale=scale: DiagonalNet.from_scale_shape(scale=scale, shape=0.0, d=3),
                ValueError,
                "scale must be greater than 0.*positive",
            )
            for scale in (0, -1e-3)
        ],
        (
            lambda: DiagonalNet.from_scale_shape(scale=np.inf, shape=0.0, d=3),
            ValueError,
            "scale must be finite, got inf",
        ),
        (
            lambda: DiagonalNet.from_scale_shape(scale="1", shape=0.0, d=3),
            TypeError,
            "scale must be a real number, got str",
        ),
        (
            lambda: DiagonalNet.from_scale_shape(scale=1.0, shape=np.nan, d=3),
            ValueError,
            "shape must be finite, got nan",
        ),
        (
            lambda: DiagonalNet.from_scale_shape(scale=1.0, shape=0.0, d=0),
            ValueError,
            "d must be at least 1",
        ),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(call, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
