"""Predictors measured by hand, and the laws of a distance between paths."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools import metrics

_coordinates = st.floats(-10, 10)
_paths = st.integers(1, 6).flatmap(
    lambda t: arrays.arrays(np.float64, (t, 3), elements=_coordinates)
)


def test_errors_by_hand() -> None:
    X, y = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([4.0, -1.0])
    w = np.array([2.0, -1.0])  # residuals −4 and −2
    assert metrics.training_loss(w, X, y) == 10.0
    assert metrics.mean_squared_error(w, X, y) == 10.0
    assert metrics.mean_squared_error(w, np.vstack([X, X]), np.tile(y, 2)) == 10.0
    assert metrics.population_error(w, [0.0, 1.0]) == 8.0
    assert metrics.excess_l1_norm(w, [-1.0, 1.0]) == 0.5
    assert metrics.excess_l1_norm(w, w) == 0.0


def test_population_error_is_the_expected_square() -> None:
    w, truth = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    X = np.random.default_rng(0).standard_normal((200_000, 3))
    seen = np.mean((X @ (w - truth)) ** 2)
    assert abs(seen / metrics.population_error(w, truth) - 1) < 5 * np.sqrt(2 / 200_000)


def test_support_recovery_counts_the_largest_entries() -> None:
    truth = [0.0, 1.0, -1.0, 0.0]
    assert metrics.support_recovery([0.1, -0.2, 0.3, 0.0], truth) == 1.0
    assert metrics.support_recovery([0.5, -0.2, 0.6, 0.0], truth) == 0.5
    assert metrics.support_recovery([0.5, 0.0, 0.1, -0.6], truth) == 0.0


@given(_paths, _paths)
def test_path_distance_is_symmetric_and_zero_on_itself(one: np.ndarray, other: np.ndarray) -> None:
    assert metrics.path_distance(one, one) == 0.0
    assert metrics.path_distance(one, other) == metrics.path_distance(other, one)
    # Moving all of a path by c moves it away from itself by at most |c|, and no distance exceeds
    # that of the farthest pair of records.
    pairs = np.linalg.norm(one[:, None] - other[None], axis=2)
    assert metrics.path_distance(one, other) <= pairs.max() * (1 + 1e-12) + 1e-12
    shifted = metrics.path_distance(one, one + np.array([0.3, 0.0, -0.4]))
    assert shifted <= 0.5 * (1 + 1e-12)
    assert metrics.path_distance(one[:1], other[:1]) == pytest.approx(pairs[0, 0], abs=1e-12)


@given(_paths, st.lists(st.floats(0, 1), min_size=1, max_size=5), st.data())
def test_path_distance_sees_no_clock(path: np.ndarray, shares: list, data: st.DataObject) -> None:
    # More records on the same polygon, and standing still: the same path by another clock.
    where = data.draw(st.integers(0, len(path) - 1))
    following = min(where + 1, len(path) - 1)
    extra = [path[where] + share * (path[following] - path[where]) for share in sorted(shares)]
    slower = np.vstack([path[: where + 1], *extra, path[where + 1 :]])
    assert metrics.path_distance(path, slower) <= 1e-7


@given(_paths, _paths, st.floats(0.1, 10), st.integers(0, 99))
def test_path_distance_is_the_same_in_any_frame(
    one: np.ndarray, other: np.ndarray, scale: float, seed: int
) -> None:
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    moved = metrics.path_distance(scale * one @ rotation + 1, scale * other @ rotation + 1)
    assert moved == pytest.approx(scale * metrics.path_distance(one, other), rel=1e-6, abs=1e-5)


def test_path_distance_is_the_largest_gap_either_way() -> None:
    straight = np.array([[0.0, 0.0], [4.0, 0.0]])
    detour = np.array([[0.0, 0.0], [2.0, 3.0], [4.0, 0.0]])
    assert metrics.path_distance(straight, detour) == 3.0
    half = np.array([[0.0, 0.0], [1.0, 0.0]])  # lies on the straight one, which goes on
    assert metrics.path_distance(half, straight) == 3.0
    # A circle and its polygon: the gap is that of chord and arc, 1 − cos(π/n).
    angle = np.linspace(0, 2 * np.pi, 241)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert metrics.path_distance(circle, circle[::40]) == pytest.approx(
        1 - np.cos(np.pi / 6), rel=1e-12, abs=0
    )


def test_a_path_does_not_go_on_beyond_its_ends() -> None:
    for path in ([[-0.5, 0.0], [1.0, 0.0]], [[0.0, 0.0], [1.5, 0.0]]):
        assert metrics.path_distance(path, [[0.0, 0.0], [1.0, 0.0]]) == 0.5


X, Y, W = np.ones((2, 3)), np.ones(2), np.ones(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.population_error(W, np.ones(2)), "truth must have 3 entries, got 2"),
        (lambda: metrics.population_error([[1.0]], W), r"w must have 1 axis.*shape \(1, 1\)"),
        (lambda: metrics.population_error([], []), "w is empty"),
        (lambda: metrics.training_loss([1, np.nan, 1], X, Y), r"w must be finite, got nan at"),
        (lambda: metrics.training_loss(W[:2], X, Y), "X must have 2 columns"),
        (lambda: metrics.training_loss(W, X, Y[:, None]), r"y must have 1 axis.*\(n, 1\)"),
        (lambda: metrics.mean_squared_error(W, X, np.ones(3)), "same number of rows"),
        (lambda: metrics.excess_l1_norm(W, 0 * W), "reference must not be all zeros"),
        (lambda: metrics.excess_l1_norm(W, Y), "reference must have 3 entries"),
        (lambda: metrics.support_recovery(W, 0 * W), "truth must not be all zeros"),
        (lambda: metrics.path_distance(X, np.ones((2, 2))), "the same dimension"),
        (lambda: metrics.path_distance(W, X), "first must have 2 axis"),
        (lambda: metrics.path_distance(X, X * np.inf), "second must be finite, got inf"),
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
