"""Which metrics are Hessians: exact defects, and metrics that cannot be differentiated so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.theory import hessian_map_defect

_seeds = st.integers(0, 10_000)


def _symmetric(seed: int, d: int) -> np.ndarray:
    half = np.random.default_rng(seed).normal(size=(d, d))
    return half + half.T


@given(_seeds, st.integers(1, 5), st.floats(-10, 4))
def test_a_hessian_has_no_defect(seed: int, d: int, log_k: float) -> None:
    random = np.random.default_rng(seed)
    w, mixing = random.normal(size=d), random.normal(size=(d + 2, d))

    def separable(w: np.ndarray) -> np.ndarray:
        return np.diag(1 / np.sqrt(10**log_k + 4 * w**2))

    def logsumexp(w: np.ndarray) -> np.ndarray:
        p = np.exp(mixing @ w)
        p = p / p.sum()
        return mixing.T @ (np.diag(p) - np.outer(p, p)) @ mixing + np.eye(d)

    np.testing.assert_array_equal(hessian_map_defect(separable, w), 0.0)
    np.testing.assert_allclose(hessian_map_defect(logsumexp, w), 0.0, atol=1e-11)


@given(_seeds, st.integers(2, 5))
def test_the_innocent_metric_s_defect_is_exact(seed: int, d: int) -> None:
    w, A = np.random.default_rng(seed).normal(size=d), _symmetric(seed, d)
    defect = hessian_map_defect(lambda w: A + np.outer(w, w), w)
    # ∂_k(w_i w_j) − ∂_j(w_i w_k) = δ_ik w_j − δ_ij w_k
    eye = np.eye(d)
    exact = np.einsum("ik,j->ijk", eye, w) - np.einsum("ij,k->ijk", eye, w)
    np.testing.assert_allclose(defect, exact, atol=1e-12)


@given(_seeds)
def test_defect_is_antisymmetric_and_linear(seed: int) -> None:
    w, A, B = np.random.default_rng(seed).normal(size=3), _symmetric(seed, 3), _symmetric(-~seed, 3)

    def one(w: np.ndarray) -> np.ndarray:
        return A * np.sin(w[0]) + B * w[1] * w[2]

    def other(w: np.ndarray) -> np.ndarray:
        return B * np.exp(w[2])

    first, second = hessian_map_defect(one, w), hessian_map_defect(other, w)
    np.testing.assert_allclose(first, -first.swapaxes(1, 2), atol=1e-12)
    both = hessian_map_defect(lambda w: one(w) + 2 * other(w), w)
    np.testing.assert_allclose(both, first + 2 * second, atol=1e-10)
    assert np.abs(first).max() > 1e-6


def test_no_digit_is_lost_where_finite_differences_lose_all() -> None:
    # A step of 1e-5 would be ten thousand times the whole width of this metric.
    def narrow(w: np.ndarray) -> np.ndarray:
        return np.array([[1 + (w[1] / 1e-9) ** 2, 0.0], [0.0, 1.0]])

    defect = hessian_map_defect(narrow, [0.0, 1e-9])
    np.testing.assert_allclose(defect[0, 0, 1], 2e9, rtol=1e-14)


@pytest.mark.parametrize(
    "value", [np.eye(2), np.diag([1.0, 2.0]), np.array([[2.0, 1.0], [1.0, 3.0]])]
)
def test_a_constant_metric_is_a_hessian(value: np.ndarray) -> None:
    np.testing.assert_array_equal(hessian_map_defect(lambda w: value, [1.0, 2.0]), 0.0)


def test_an_even_metric_at_its_symmetric_point_is_not_mistaken() -> None:
    # Its derivative there is exactly 0, though the metric moves.
    defect = hessian_map_defect(lambda w: np.diag(1 / np.sqrt(1e-8 + 4 * w**2)), [0.0, 0.0])
    np.testing.assert_array_equal(defect, 0.0)


@pytest.mark.parametrize(
    "metric",
    [
        lambda w: np.eye(2) * np.abs(w[0]),
        lambda w: np.eye(2) + np.abs(w[0] * w[1]) * np.eye(2)[::-1],
        lambda w: np.diag(1 / np.hypot(1.0, 2 * w)),
        lambda w: np.eye(2) + np.outer(w, w).real,
        lambda w: np.eye(2) * (1 + np.abs(w[0]) ** 2) + 0j * w[0],
        lambda w: np.eye(2) * float(w[0]),
    ],
)
def test_a_metric_that_drops_the_imaginary_part_is_refused(metric) -> None:
    with pytest.raises(TypeError, match=r"metric must .*complex"):
        hessian_map_defect(metric, [1.0, 2.0])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda w: 1 / w, r"finite matrix of shape \(2, 2\), got shape \(2,\).*not its diagonal"),
        (lambda w: np.eye(3), r"got shape \(3, 3\)"),
        (lambda w: np.full((2, 2), np.inf), "entries that are not finite"),
        (lambda w: np.array([[1.0, w[0]], [0.0, 1.0]]), "must be symmetric"),
        (lambda w: np.array([[1.0, 0.5], [0.5 + 1e-6, 1.0]]), "must be symmetric"),
    ],
)
def test_a_metric_that_is_none_is_refused(metric, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hessian_map_defect(metric, [1.0, 2.0])


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong_with_the_point() -> None:
    with pytest.raises(ValueError, match="w must be finite, got nan"):
        hessian_map_defect(lambda w: np.eye(1), [np.nan])
    with pytest.raises(ValueError, match="w must have 1 axis"):
        hessian_map_defect(lambda w: np.eye(1), [[1.0]])


@pytest.mark.parametrize("at", [[0.0, 0.3], [1e6, 1.0], [1e-6, -2.0]])
def test_a_dropped_imaginary_part_shows_at_every_size_of_an_entry(at: list[float]) -> None:
    def dropped(w: np.ndarray) -> np.ndarray:
        return np.eye(2) * (2 + np.sin(0.5 + w[0].real / max(1.0, abs(at[0]))))

    with pytest.raises(TypeError, match="along entry 0 of w it moves"):
        hessian_map_defect(dropped, at)


def test_the_neighbours_that_are_tried_are_near() -> None:
    # Where the metric is the ball's, a step of its size would leave it.
    def of_the_ball(w: np.ndarray) -> np.ndarray:
        return np.eye(2) / np.sqrt(1 - w @ w)

    defect = hessian_map_defect(of_the_ball, [0.8, 0.5])
    slope = np.array([0.8, 0.5]) * (1 - 0.89) ** -1.5
    np.testing.assert_allclose(defect[0, 0], [0.0, slope[1]], rtol=1e-13)
