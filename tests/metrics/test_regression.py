"""Predictors measured by hand."""

import numpy as np
import pytest

from ibtools import metrics


def test_errors_by_hand() -> None:
    X, y = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([4.0, -1.0])
    w = np.array([2.0, -1.0])  # residuals −4 and −2
    assert metrics.mean_squared_error(w, X, y) == 10.0
    assert metrics.mean_squared_error(w, np.vstack([X, X]), np.tile(y, 2)) == 10.0
    assert metrics.population_error(w, [0.0, 1.0]) == 8.0


def test_population_error_is_the_expected_square() -> None:
    w, truth = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    X = np.random.default_rng(0).standard_normal((200_000, 3))
    seen = np.mean((X @ (w - truth)) ** 2)
    assert abs(seen / metrics.population_error(w, truth) - 1) < 5 * np.sqrt(2 / 200_000)


X, Y, W = np.ones((2, 3)), np.ones(2), np.ones(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.population_error(W, np.ones(2)), "truth must have 3 entries, got 2"),
        (lambda: metrics.population_error([[1.0]], W), r"w must have 1 axis.*shape \(1, 1\)"),
        (lambda: metrics.population_error([], []), "w is empty"),
        (lambda: metrics.mean_squared_error([1, np.nan, 1], X, Y), r"w must be finite, got nan at"),
        (lambda: metrics.mean_squared_error(W[:2], X, Y), "X must have 2 columns"),
        (lambda: metrics.mean_squared_error(W, X, Y[:, None]), r"y must have 1 axis.*\(n, 1\)"),
        (lambda: metrics.mean_squared_error(W, X, np.ones(3)), "same number of rows"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", ["abc", [1j, 2j], None, [[1], [2, 3]], object()])
@pytest.mark.usefixtures("as_a_user")
def test_asks_for_real_numbers(value: object) -> None:
    with pytest.raises(TypeError, match=r"w must be an array of real numbers, got .*;"):
        metrics.population_error(value, W)
