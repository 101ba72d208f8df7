"""Rates of the loss: the constant and the prediction, against flows of known models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ibtools.theory.loss_rates import loss_rate_constant, predicted_log_loss
from ibtools.theory.separation import separation_constants


def power_flow(scale: float, order: int, log_times: np.ndarray) -> np.ndarray:
    """Return log 𝓛 of the flow of 𝓛 = exp(−sθᴸ), one parameter; its margin is s.

    dθ/dt = sLθ^{L−1}𝓛, in the clock τ = log t from t = 1.
    """
    answer = solve_ivp(
        lambda tau, theta: (
            order * scale * theta ** (order - 1) * np.exp(tau - scale * theta**order)
        ),
        (0, log_times[-1]),
        [1.0],
        method="LSODA",
        t_eval=log_times,
        rtol=1e-11,
        atol=1e-11,
    )
    return -scale * answer.y[0] ** order


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_prediction_meets_the_flow(order: int, scale: float) -> None:
    times = np.array([50.0, 500.0, 5000.0])
    error = np.abs(
        predicted_log_loss(times, margin=scale, order=order) - power_flow(scale, order, times)
    )
    # The next term of ∫ eᵛ v^{−a} dv is a/v, a = 2 − 2/L.
    power = 2 - 2 / order
    np.testing.assert_allclose(error * times, power, rtol=0.2, atol=1e-4)
    assert error[-1] < 1e-3


def test_the_constant_is_the_limit() -> None:
    times = np.array([1e4])
    for order in (1, 2, 3):
        v = -power_flow(0.7, order, times)
        logarithm = -v + times + (2 - 2 / order) * np.log(v)
        assert logarithm[0] == pytest.approx(np.log(loss_rate_constant(0.7, order)), abs=1e-3)


def test_a_linear_predictor_is_the_case_of_order_one() -> None:
    toy = separation_constants([[3, -1], [1, 2], [4, 4]], [1, 1, 1])
    assert loss_rate_constant(toy.margin, 1) == pytest.approx(toy.loss_rate, rel=1e-14, abs=0)


@given(st.floats(1e-6, 1e6), st.integers(1, 9), st.floats(0, 1e7))
def test_prediction_solves_its_equation(margin: float, order: int, later: float) -> None:
    power = 2 - 2 / order
    least = power - power * np.log(power) if power > 0 else 0.0
    target = least + 1e-3 + later
    log_time = target + np.log(loss_rate_constant(margin, order))
    v = -predicted_log_loss([log_time], margin=margin, order=order)[0]
    assert v >= power
    assert v - power * (np.log(v) if v > 0 else 0) == pytest.approx(target, rel=1e-9, abs=1e-9)


def test_the_first_time_that_has_a_prediction() -> None:
    # At v = a the branch begins; Newton meets a slope of 0 there.
    power = 1.0
    log_time = power - power * np.log(power) + np.log(loss_rate_constant(1.0, 2))
    assert -predicted_log_loss([log_time], margin=1.0, order=2)[0] == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match="log_time must be at least"):
        predicted_log_loss([log_time - 0.01], margin=1.0, order=2)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: loss_rate_constant(0.0, 2), ValueError, "margin must be greater than 0"),
        (lambda: loss_rate_constant(np.nan, 2), ValueError, "margin must be finite"),
        (lambda: loss_rate_constant(1.0, 0), ValueError, "order must be at least 1"),
        (lambda: loss_rate_constant(1.0, 1.5), TypeError, "order must be an integer"),
        (lambda: predicted_log_loss([-9.0], margin=1, order=1), ValueError, "log_time must be"),
        (lambda: predicted_log_loss([], margin=1, order=1), ValueError, "log_time is empty"),
        (lambda: predicted_log_loss([np.inf], margin=1, order=1), ValueError, "finite"),
    ],
)
def test_bad_input(call: object, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        call()  # type: ignore[operator]


def test_the_prediction_begins_where_its_branch_does() -> None:
    # γ = L = 1: e^v = t, from t = 1 on. L = 2: v − log v = τ, whose least is 1, at v = 1.
    np.testing.assert_allclose(predicted_log_loss([0.0], margin=1.0, order=1), [0.0], atol=1e-15)
    with pytest.raises(ValueError, match="log_time must be at least 0 "):
        predicted_log_loss([-0.5], margin=1.0, order=1)
    edge = 1 + np.log(loss_rate_constant(1.0, 2))
    np.testing.assert_allclose(predicted_log_loss([edge], margin=1.0, order=2), [-1.0], atol=1e-7)
