"""The toy problems: their stated truths, and labels chosen from classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from ibtools.data.classification import blobs, choose_classes, three_points, xor


def _margin(X: np.ndarray, y: np.ndarray) -> float:
    """Return the greatest margin: the distance from 0 to the hull of the signed samples.

    Least squares with the multipliers' sum as one more, equal, equation finds the hull's point.
    """
    signed = y[:, None] * X
    scale = np.abs(signed).max()
    system = np.vstack([signed.T / scale, np.ones(len(y))])
    weights, _ = nnls(system, np.append(np.zeros(X.shape[1]), 1.0))
    return float(np.linalg.norm(weights / weights.sum() @ signed))


@given(
    n=st.integers(1, 40),
    d=st.integers(1, 6),
    separation=st.floats(1e-3, 50),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 2**32),
)
def test_blobs_have_the_margin_that_is_guaranteed(
    n: int, d: int, separation: float, fraction: float, seed: int
) -> None:
    margin = min(fraction * separation, separation / 2)
    X, y = blobs(n=n, d=d, separation=separation, margin=margin, seed=seed)
    assert X.shape == (n, d)
    assert X.dtype == y.dtype == np.float64
    assert set(y) <= {-1.0, 1.0}
    assert y.sum() == n % 2
    assert _margin(X, y) >= margin * (1 - 1e-7) - 1e-12


def test_blobs_that_would_overlap_do_not() -> None:
    # Two standard deviations apart, a thousand Gaussian samples are never separable by themselves.
    X, y = blobs(n=1000, d=2, separation=2.0, seed=0)
    assert _margin(X, y) >= 0.5
    ours = blobs(n=1000, d=2, separation=2.0, margin=1.0, seed=0)
    assert _margin(*ours) >= 1.0


def test_blobs_are_gaussian_about_their_centres() -> None:
    n = 4000
    X, y = blobs(n=n, d=3, separation=20.0, seed=1)  # a sample in 3 million is drawn again
    centre = X[y > 0].mean(axis=0) - X[y < 0].mean(axis=0)
    assert abs(np.linalg.norm(centre) - 20) < 5 * 2 / np.sqrt(n)
    noise = X - y[:, None] * centre / 2
    assert np.abs(noise.T @ noise / n - np.eye(3)).max() < 5 * np.sqrt(2 / n)


def test_blobs_default_margin_is_a_quarter_of_the_separation() -> None:
    given_one = blobs(n=300, d=2, separation=2.0, margin=0.5, seed=3)
    default = blobs(n=300, d=2, separation=2.0, seed=3)
    np.testing.assert_array_equal(given_one.X, default.X)
    assert not np.array_equal(default.X, blobs(n=300, d=2, separation=2.0, margin=0.1, seed=3).X)
    assert not np.array_equal(default.X, blobs(n=300, d=2, separation=2.0, seed=4).X)


def test_xor_is_not_separable() -> None:
    X, y = xor()
    assert sorted(map(tuple, X)) == [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    np.testing.assert_array_equal(y, X[:, 0] * X[:, 1])
    assert _margin(X, y) < 1e-12


def test_the_three_points_have_their_margin() -> None:
    X, y = three_points()
    np.testing.assert_array_equal(y[:, None] * X, [[3, -1], [1, 2], [4, 4]])
    assert set(y) == {-1.0, 1.0}
    assert abs(_margin(X, y) - 7 / np.sqrt(13)) < 1e-14
    np.testing.assert_allclose(np.array([4, 9, 0]) / 49 @ (y[:, None] * X), [3 / 7, 2 / 7])


_LABELS = np.array([3, 8, 1, 8, 3, 3, 0, 9, 8])


def test_two_classes_are_minus_and_plus_one_in_the_order_given() -> None:
    rows, y = choose_classes(_LABELS, classes=(3, 8), per_class=None, seed=None)
    np.testing.assert_array_equal(rows, [0, 1, 3, 4, 5, 8])
    np.testing.assert_array_equal(y, [-1.0, 1, 1, -1, -1, 1])
    assert y.dtype == np.float64
    flipped_rows, flipped = choose_classes(_LABELS, classes=[8, 3], per_class=None, seed=None)
    np.testing.assert_array_equal(flipped_rows, rows)
    np.testing.assert_array_equal(flipped, -y)


def test_more_classes_are_their_places_in_the_order_given() -> None:
    rows, y = choose_classes(_LABELS, classes=(9, 3, 0), per_class=None, seed=None)
    np.testing.assert_array_equal(rows, [0, 4, 5, 6, 7])
    np.testing.assert_array_equal(y, [1, 1, 1, 2, 0])
    assert y.dtype == np.int64
    rows, y = choose_classes(_LABELS, classes=None, per_class=None, seed=None)
    np.testing.assert_array_equal(rows, np.arange(9))
    np.testing.assert_array_equal(y, _LABELS)


def test_draws_of_each_class_are_even_random_and_repeatable() -> None:
    labels = np.arange(400) % 10
    rows, y = choose_classes(labels, classes=(2, 5, 7), per_class=6, seed=0)
    np.testing.assert_array_equal(np.bincount(y), [6, 6, 6])
    np.testing.assert_array_equal(np.array([2, 5, 7])[y], labels[rows])
    assert np.all(np.diff(rows) > 0)
    again, _ = choose_classes(labels, classes=(2, 5, 7), per_class=6, seed=0)
    other, _ = choose_classes(labels, classes=(2, 5, 7), per_class=6, seed=1)
    np.testing.assert_array_equal(rows, again)
    assert not np.array_equal(rows, other)
    everything, _ = choose_classes(labels, classes=(2, 5), per_class=40, seed=0)
    np.testing.assert_array_equal(everything, np.flatnonzero(np.isin(labels, (2, 5))))


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"d": 1.5}, TypeError, "d must be an integer"),
        ({"separation": 0.0}, ValueError, "separation must be greater than 0"),
        ({"separation": np.inf}, ValueError, "separation must be finite"),
        ({"margin": 0.0}, ValueError, "margin must be greater than 0"),
        (
            {"margin": 1.1},
            ValueError,
            r"margin must be at most separation / 2 = 1, got 1\.1.*raise",
        ),
        ({"margin": np.nan}, ValueError, "margin must be finite"),
        ({"seed": None}, TypeError, "seed must be an int"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_blobs_say_what_is_wrong(wrong: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        blobs(**{"n": 4, "d": 2, "separation": 2.0, "seed": 0} | wrong)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"classes": 3}, TypeError, r"classes must be a sequence of ints, got 3; .*\(3, 8\)"),
        ({"classes": (3, "8")}, TypeError, "classes must be a sequence of ints"),
        ({"classes": (3.0, 8)}, TypeError, "classes must be a sequence of ints"),
        ({"classes": (3,)}, ValueError, r"two or more different ones of 0 to 9, got \(3,\)"),
        ({"classes": ()}, ValueError, "two or more different ones"),
        ({"classes": (3, 3)}, ValueError, "two or more different ones"),
        ({"classes": (3, 10)}, ValueError, "two or more different ones"),
        ({"classes": (-1, 3)}, ValueError, "classes must be at least 0, got -1"),
        ({"per_class": 0, "seed": 0}, ValueError, "per_class must be at least 1"),
        ({"per_class": 4, "seed": 0}, ValueError, "per_class must be at most 3.*class 3, got 4"),
        ({"per_class": 2}, TypeError, "seed must be given with per_class.*seed=0"),
        ({"per_class": 2, "seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 0}, ValueError, "seed must be left out without per_class"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_choosing_says_what_is_wrong(wrong: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        choose_classes(_LABELS, **{"classes": (3, 8), "per_class": None, "seed": None} | wrong)
