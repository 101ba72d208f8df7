"""The modified margin and strong separability: formulas, extremes, bad input."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.metrics.modified_margin import (
    modified_margin,
    separability_start,
    strong_separability,
)


def test_picture_of_two_parameters() -> None:
    # f = v(1 + w) from (½, ½) with one sample: f(s) = e²ˢ − e⁻²ˢ/4, p_a = r
    f = np.array([0.75, np.exp(2) - np.exp(-2) / 4])
    assert f[1] == pytest.approx(7.355222, abs=5e-7)
    v, w = 0.5, 0.5
    r = float(np.hypot(v, w))
    assert float(modified_margin(-f[0], r, 2, r)) == pytest.approx(0.085786, abs=5e-7)
    assert f[0] / r**2 == pytest.approx(1.5, rel=1e-12, abs=0)


@given(
    log_loss=st.floats(-1e6, -1e-3),
    norm=st.floats(1e-2, 1e4),
    order=st.integers(1, 6),
    gap=st.floats(0, 1e4),
    loss=st.sampled_from(["exponential", "logistic", "cross_entropy"]),
)
def test_against_many_digits(
    log_loss: float, norm: float, order: int, gap: float, loss: str
) -> None:
    with mp.workdps(40):
        if loss == "exponential":
            psi = -mp.mpf(log_loss)
        else:
            psi = -mp.log(mp.expm1(mp.exp(mp.mpf(log_loss))))
        expected = (psi - mp.mpf(gap)) / mp.mpf(norm) ** order
        scale = (abs(psi) + gap) / mp.mpf(norm) ** order
    measured = float(modified_margin(log_loss, norm, order, gap, loss))
    assert abs(measured - float(expected)) <= 1e-13 * float(scale) + 1e-300
    if abs(float(psi) - gap) > 1e-12 * float(abs(psi) + gap):
        assert bool(strong_separability(log_loss, gap, loss)) == (float(psi) > gap)


def test_start_of_strong_separability() -> None:
    log_loss = -np.array([1.0, 5.0, 3.0, 6.0, 7.0])
    assert separability_start(log_loss, np.full(5, 4.0)) == 3  # record 1 was a false start
    assert separability_start(log_loss, np.full(5, 0.5)) == 0
    assert separability_start(log_loss, np.full(5, 9.0)) is None
    assert separability_start(log_loss, [0.0, 0.0, 0.0, 0.0, 8.0]) is None


def test_a_loss_that_the_gap_accounts_for_is_not_separable() -> None:
    np.testing.assert_array_equal(
        strong_separability([-2.0, -1.5, -2.5], 3 * [2.0]), [False, False, True]
    )


def test_a_loss_of_zero_is_separable() -> None:
    assert bool(strong_separability(-np.inf, 1e300))
    assert float(modified_margin(-np.inf, 1.0, 2, 1.0)) == np.inf


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.0, 2, 1.0), r"norm must be above 0, got 0"),
        ((-1.0, 1.0, 0, 1.0), r"order must be greater than 0"),
        ((-1.0, 1.0, 2, -1.0), r"gap must be at least 0, got -1"),
        ((np.nan, 1.0, 2, 1.0), r"log_loss must not be NaN, got 1 such of 1"),
        ((-1.0, np.nan, 2, 1.0), r"norm must not be NaN, got 1"),
        ((-1.0, 1.0, 2, np.nan), r"gap must not be NaN, got 1"),
        ((-1.0, 1.0, 2, 1.0, "hinge"), r"loss must be one of"),
    ],
)
def test_bad_input(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        modified_margin(*arguments)
