"""Stable ranks and margin spreads against their definitions and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.metrics.rank import margin_spread, stable_rank, stable_rank_gram

seeds = st.integers(0, 10_000)


def _matrix(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=random.integers(1, 7, size=2)) * 10.0 ** random.integers(-3, 4)


@given(seeds)
def test_it_is_the_quotient_of_the_norms(seed: int) -> None:
    W = _matrix(seed)
    expected = np.linalg.norm(W) ** 2 / np.linalg.norm(W, ord=2) ** 2
    assert stable_rank(W) == pytest.approx(expected, rel=1e-12, abs=0)
    assert float(stable_rank_gram(W @ W.T)) == pytest.approx(expected, rel=1e-12, abs=0)


@given(seeds, st.integers(-200, 200))
def test_its_laws(seed: int, power: int) -> None:
    W = _matrix(seed)
    value = stable_rank(W)
    assert 1 - 1e-14 <= value <= min(W.shape) + 1e-12
    assert stable_rank(W * 10.0**power) == pytest.approx(value, rel=1e-12, abs=0)
    assert stable_rank(W.T) == pytest.approx(value, rel=1e-12, abs=0)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(W), len(W))))[0]
    assert stable_rank(turn @ W) == pytest.approx(value, rel=1e-12, abs=0)


def test_rank_one_and_the_identity_are_the_ends() -> None:
    assert stable_rank(np.outer([1.0, 2.0, 3.0], [4.0, 5.0])) == pytest.approx(1, abs=1e-15)
    assert stable_rank(np.eye(5)) == pytest.approx(5, abs=1e-14)


def test_many_matrices_at_once_and_zeros() -> None:
    random = np.random.default_rng(0)
    W = random.normal(size=(2, 3, 4, 6))
    ranks = stable_rank_gram(W @ np.swapaxes(W, -1, -2))
    assert ranks.shape == (2, 3)
    for i in np.ndindex(2, 3):
        assert ranks[i] == pytest.approx(stable_rank(W[i]), rel=1e-12, abs=0)
    W[1, 2] = 0
    ranks = stable_rank_gram(W @ np.swapaxes(W, -1, -2))
    assert np.isnan(ranks[1, 2])
    assert np.isfinite(ranks[0]).all()


def test_large_matrices_take_another_route_to_the_same_number() -> None:
    random = np.random.default_rng(1)
    W = random.normal(size=(300, 50)) + 3 * np.outer(random.normal(size=300), np.ones(50))
    stack = np.stack([W @ W.T, np.zeros((300, 300))])
    ranks = stable_rank_gram(stack)
    assert ranks[0] == pytest.approx(stable_rank(W), rel=1e-12, abs=0)
    assert np.isnan(ranks[1])
    # Two equal largest eigenvalues, as of a W whose two signs mirror each other.
    twice = np.kron(np.eye(2), W @ W.T)
    assert stable_rank_gram(twice) == pytest.approx(2 * stable_rank(W), rel=1e-10, abs=0)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("W", "message"),
    [
        (np.zeros((2, 3)), r"W must not be zero, got zeros of shape \(2, 3\)"),
        ([[1.0, np.nan]], r"W must be finite"),
        (np.empty((0, 3)), r"W is empty"),
        ([1.0], r"W must have 2 axis/axes"),
    ],
)
def test_what_has_no_stable_rank_is_refused(W: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stable_rank(W)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("gram", "message"),
    [
        (np.ones((2, 3)), r"square matrix or a stack of them, got shape \(2, 3\)"),
        (np.ones(3), r"square matrix or a stack"),
        (np.full((2, 2), np.inf), r"gram must be finite"),
    ],
)
def test_bad_gram_matrices_are_refused(gram: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stable_rank_gram(gram)


@given(seeds, st.floats(1e-6, 1e6))
def test_the_spread_does_not_depend_on_scale_or_order(seed: int, scale: float) -> None:
    margins = np.random.default_rng(seed).normal(size=7)
    spread = float(margin_spread(margins))
    assert 0 <= spread <= 2
    assert float(margin_spread(scale * margins[::-1])) == pytest.approx(spread, rel=1e-12, abs=0)


def test_the_spread_of_known_margins() -> None:
    margins = np.array([[1.0, 1.0], [1.0, 2.0], [-1.0, 1.0], [0.0, 0.0], [-1.0, -2.0]])
    np.testing.assert_array_equal(margin_spread(margins), [0, 0.5, 2, 0, 0.5])


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("margins", [np.array([]), np.array(1.0), np.array([1.0, np.nan])])
def test_bad_margins_are_refused(margins: np.ndarray) -> None:
    with pytest.raises(ValueError, match="margins must"):
        margin_spread(margins)


@pytest.mark.parametrize("size", [3, 200])
def test_stacks_hold_zero_and_large_matrices(size: int) -> None:
    # From 200 rows on the largest eigenvalue is Lanczos's; NumPy warns where nothing is divided.
    one = np.diag(np.linspace(1.0, 0.5, size))
    found = stable_rank_gram(np.stack([[one, np.zeros_like(one), 4 * one]]))
    assert found.shape == (1, 3)
    expected = 0.75 * size
    np.testing.assert_allclose(found, [[expected, np.nan, expected]], rtol=1e-9)


def test_margins_that_are_all_zero_have_no_spread() -> None:
    np.testing.assert_array_equal(margin_spread(np.array([[0.0, 0.0], [1.0, 0.0]])), [0.0, 1.0])
