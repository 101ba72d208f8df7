"""Margins in the log domain, against 60-digit arithmetic and against each other."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.metrics.margins import (
    inverse_loss,
    layer_product_margin,
    loss_threshold,
    modified_descent_margin,
    normalized_margin,
    smoothed_margin,
)

LOGISTIC = ("logistic", "cross_entropy")
# From where every sample is badly wrong to far below the smallest float.
LOG_LOSSES = [
    *(-1e6, -1e5 - 0.1, -1e4, -1000.0, -745.2, -100.0, -40.0, -20.0, -18.1, -18.0, -17.9, -10.0),
    *(-5.0, -1.0, -0.4, -0.36651292058166433, -0.3, 0.0, 0.1, 1.0, 3.0, 5.9, 6.0, 6.1, 6.5),
]


def inverse_by_definition(log_loss: float) -> mp.mpf:
    """Return q with log(1 + e^(−q)) = e^log_loss."""
    with mp.workdps(60 + int(abs(log_loss) / 2)):
        return -mp.log(mp.expm1(mp.exp(mp.mpf(log_loss))))


@pytest.mark.parametrize("loss", LOGISTIC)
@pytest.mark.parametrize("log_loss", LOG_LOSSES)
def test_inverse_of_the_logistic_loss_to_the_last_digits(loss: str, log_loss: float) -> None:
    expected = float(inverse_by_definition(log_loss)) if log_loss > -2e4 else -log_loss
    measured = float(inverse_loss(log_loss, loss))
    assert measured == pytest.approx(expected, rel=2e-14, abs=4e-16)


@given(st.floats(-1e6, 700))
def test_inverse_of_the_exponential_loss(log_loss: float) -> None:
    assert float(inverse_loss(log_loss)) == -log_loss


@given(st.floats(-1e6, 6), st.floats(1e-9, 1))
def test_a_smaller_loss_is_a_larger_margin(log_loss: float, less: float) -> None:
    below = min(log_loss * (1 - less), log_loss * (1 + less)) - less
    for loss in ("exponential", *LOGISTIC):
        assert inverse_loss(below, loss) > inverse_loss(log_loss, loss)


def test_the_threshold_is_the_loss_at_margin_zero() -> None:
    assert loss_threshold("exponential") == 0.0
    for loss in LOGISTIC:
        assert loss_threshold(loss) == pytest.approx(float(mp.log(mp.log(2))), abs=1e-16)
        assert float(inverse_loss(loss_threshold(loss), loss)) == pytest.approx(0.0, abs=1e-15)


def test_infinite_and_missing_losses_pass_through_in_silence() -> None:
    for loss in ("exponential", *LOGISTIC):
        got = inverse_loss([-np.inf, np.nan, np.inf], loss)
        assert got[0] == np.inf
        assert np.isnan(got[1])
        assert got[2] == -np.inf


@settings(max_examples=50)
@given(
    q=st.lists(st.floats(0.5, 1e5), min_size=1, max_size=20),
    rho=st.floats(0.1, 50),
    order=st.integers(1, 6),
)
def test_smoothed_and_normalized_margin_differ_by_at_most_log_n(
    q: list[float], rho: float, order: int
) -> None:
    margins = np.array(q)
    log_loss = np.logaddexp.reduce(-margins)
    smoothed = float(smoothed_margin(log_loss, rho, order))
    normalized = float(normalized_margin(margins.min(), rho, order))
    rounding = 1e-12 * normalized
    assert smoothed <= normalized + rounding
    assert normalized <= smoothed + np.log(margins.size) / rho**order + rounding


@settings(max_examples=50)
@given(st.floats(1e-3, 1e5), st.floats(0.1, 50), st.floats(0.2, 5), st.integers(1, 6))
def test_margins_do_not_change_when_parameters_are_scaled(
    q: float, rho: float, c: float, order: int
) -> None:
    before = float(normalized_margin(q, rho, order))
    assert float(normalized_margin(c**order * q, c * rho, order)) == pytest.approx(
        before, rel=1e-12, abs=0
    )
    norms = np.array([rho, 2.0, 3.0])
    exponents = [1, 2, 1]
    product = float(layer_product_margin(q, norms, exponents))
    scaled = layer_product_margin(2.0 * c * c * q, norms * [2.0, c, 1.0], exponents)
    assert float(scaled) == pytest.approx(product, rel=1e-12, abs=0)


def test_margins_of_many_records() -> None:
    rho = np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(normalized_margin([3.0, 8.0, -64.0], rho, 3), [3.0, 1.0, -1.0])
    np.testing.assert_array_equal(smoothed_margin([-3.0, -8.0, 64.0], rho, 3), [3.0, 1.0, -1.0])
    layers = np.array([[1.0, 2.0], [3.0, 0.5]])
    np.testing.assert_allclose(layer_product_margin([4.0, 9.0], layers, [1, 2]), [1.0, 12.0])


def test_a_norm_whose_power_is_no_float_still_has_a_margin() -> None:
    assert float(normalized_margin(4e240, 1e100, 4)) == pytest.approx(4e-160, rel=1e-12, abs=0)
    assert float(smoothed_margin(-3e300, 1e110, 3)) == pytest.approx(3e-30, rel=1e-12, abs=0)


def modified_by_its_integral(v: float, v0: float, rho: float, order: int) -> float:
    """Return e^φ/ρ^L with φ = log v − ∫_v^∞ 2(1 + λ/L)μ du/u, μ = v₀/2u and λ = 1/u."""
    with mp.workdps(30):
        spent = mp.quad(
            lambda u: 2 * (1 + 1 / (order * u)) * (v0 / (2 * u)) / u, [v, 2 * v, 10 * v, mp.inf]
        )
        return float(mp.mpf(v) * mp.exp(-spent) / mp.mpf(rho) ** order)


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize(("v", "v0"), [(2.0, 2.0), (3.0, 2.5), (50.0, 7.0), (1e6, 2.0), (0.5, 2.0)])
def test_modified_margin_is_the_integral_of_its_definition(v: float, v0: float, order: int) -> None:
    expected = modified_by_its_integral(v, v0, 1.7, order)
    measured = float(modified_descent_margin(-v, 1.7, order, initial_log_loss=-v0))
    assert measured == pytest.approx(expected, rel=1e-12, abs=0)


def test_modified_margin_is_below_the_smoothed_one_and_meets_it_in_the_end() -> None:
    v = np.geomspace(2, 1e12, 30)
    modified = modified_descent_margin(-v, np.ones(30), 2, initial_log_loss=-2.0)
    smoothed = smoothed_margin(-v, np.ones(30), 2)
    assert np.all(modified < smoothed)
    assert np.all(np.diff(modified / smoothed) > 0)
    assert modified[-1] / smoothed[-1] == pytest.approx(1.0, abs=1e-11)


def test_modified_margin_next_to_a_loss_of_one_is_zero_in_silence() -> None:
    assert float(modified_descent_margin(-1e-200, 1.0, 2, initial_log_loss=-2.0)) == 0.0


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: loss_threshold("hinge"), "loss must be one of 'exponential', .*, got 'hinge'"),
        (lambda: inverse_loss(-1.0, "hinge"), "loss must be one of"),
        (lambda: smoothed_margin(-1.0, 1.0, 2, "hinge"), "loss must be one of"),
        (lambda: normalized_margin(1.0, 0.0, 2), "norm must be above 0, got 0"),
        (lambda: normalized_margin([1.0, 1.0], [1.0, -2.0], 2), "norm must be above 0, got -2"),
        (lambda: normalized_margin(1.0, 1.0, 0), "order must be greater than 0"),
        (lambda: smoothed_margin(-1.0, 1.0, -1), "order must be greater than 0"),
        (lambda: smoothed_margin(-1.0, 1.0, np.nan), "order must be finite"),
        (lambda: normalized_margin([1.0, 2.0], [1.0], 2), r"norm must have .*\(2,\), got \(1,\)"),
        (lambda: smoothed_margin([[1.0], [2.0]], [1.0, 2.0], 2), "norm must have one entry"),
        (
            lambda: modified_descent_margin([-3.0, -4.0], [1.0], 2, initial_log_loss=-3.0),
            "norm must have one entry",
        ),
        (
            lambda: modified_descent_margin(-3.0, 1.0, 2, initial_log_loss=-1.9),
            "initial_log_loss must be at most -2, got -1.9",
        ),
        (
            lambda: modified_descent_margin(-3.0, 1.0, 2, initial_log_loss=np.nan),
            "initial_log_loss must be finite, got nan",
        ),
        (
            lambda: modified_descent_margin([-3.0, 0.0], [1.0, 1.0], 2, initial_log_loss=-2.0),
            "log_loss must be below 0",
        ),
        (lambda: layer_product_margin([1.0], np.ones((1, 3)), [1, 1]), "one column for each of 2"),
        (
            lambda: layer_product_margin([1.0], np.array([[1.0, 0.0]]), [1, 1]),
            "layer_norms must be",
        ),
        (lambda: layer_product_margin([1.0], np.ones((2, 2)), [1, 1]), "minimum_margin must have"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
