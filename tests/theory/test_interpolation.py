"""The interpolators in a basis of the row space: ranks, ranges, and how accurate they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.theory import AccuracyWarning, minimum_norm_interpolator, optima
from ibtools.theory.interpolation import interpolation_problem, unit_rows

seeds = st.integers(0, 10_000)


def _graded(seed: int, conditioning: float) -> np.ndarray:
    """Return a matrix (3, 6) of that condition number with rows of about the same size."""
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.normal(size=(3, 3)))[0]
    right = np.linalg.qr(random.normal(size=(6, 3)))[0].T
    return left * np.geomspace(1, 1 / conditioning, 3) @ right


@settings(max_examples=25)
@given(seeds, st.sampled_from([1.0, 1e3, 1e5, 1e7]), st.booleans())
def test_the_basis_is_one(seed: int, conditioning: float, quick: bool) -> None:
    random = np.random.default_rng(seed)
    sizes = 10 ** random.uniform(-4, 4, 3)
    X, w = _graded(seed, conditioning) * sizes[:, None], random.normal(size=6)
    found = interpolation_problem(X, X @ w, quick=quick)
    rows = found.rows
    # Independent rows, orthonormal to eight digits or more, or to rounding; they span X's rows.
    np.testing.assert_allclose(rows @ rows.T, np.eye(3), rtol=0, atol=1e-7 if quick else 1e-14)
    outside = X - X @ np.linalg.pinv(rows) @ rows
    np.testing.assert_allclose(outside / sizes[:, None], 0.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(rows @ w, found.target, rtol=0, atol=1e-13 * found.conditioning)
    dual = random.normal(size=3)
    back = X.T @ found.multipliers(dual)
    np.testing.assert_allclose(back, dual @ rows, rtol=0, atol=1e-12 * found.conditioning)
    # The estimate is within the little that scaling rows to powers of two can do.
    true = np.linalg.cond(X / sizes[:, None])
    assert true / 30 < found.conditioning < 30 * true * (sizes.max() / sizes.min() if quick else 1)


@pytest.mark.parametrize(("gap", "rank"), [(1e-9, 2), (1e-12, 2), (1e-17, 1)])
def test_nearly_dependent_rows_are_independent(gap: float, rank: int) -> None:
    X = np.array([[1.0, 2.0, 0.5], [1.0, 2.0, 0.5 + gap]])
    assert len(interpolation_problem(X, np.ones(2)).target) == rank
    # Whatever the units of the second sample.
    tiny = interpolation_problem(X * [[1.0], [1e-200]], np.array([1.0, 1e-200]))
    assert len(tiny.target) == rank


@pytest.mark.parametrize(("off", "accepted"), [(1e-9, True), (1e-7, False)])
def test_labels_of_one_sample_may_differ_by_less_than_is_promised(
    off: float, accepted: bool
) -> None:
    X, y = np.ones((2, 3)), np.array([1.0, 1.0 + off])
    if accepted:
        np.testing.assert_allclose(minimum_norm_interpolator(X, y), np.full(3, 1 / 3), rtol=off)
    else:
        with pytest.raises(ValueError, match="y must be in the range of X"):
            minimum_norm_interpolator(X, y)
    # A contradiction is one in a tiny sample too.
    with pytest.raises(ValueError, match="most at row"):
        minimum_norm_interpolator(X * [[1.0], [1e-12]], np.array([1.0, 3e-12]))


def test_dependent_rows_report_the_conditioning_of_the_others() -> None:
    X = _graded(0, 1e4)
    X = np.vstack([X, X[0] + X[1]])
    found = interpolation_problem(X, X @ np.ones(6))
    assert len(found.target) == 3
    assert 1e3 < found.conditioning < 1e5
    # The quick way estimates it as well.
    assert 1e2 < interpolation_problem(_graded(0, 1e3), np.ones(3)).conditioning < 1e4


def test_multipliers_of_dependent_rows_are_those_of_the_rows_as_given() -> None:
    X = np.random.default_rng(0).normal(size=(2, 4))
    X = np.vstack([X, 3 * X[0] - X[1]]) * [[1e-3], [1e2], [1e5]]
    found, dual = interpolation_problem(X, X @ np.ones(4)), np.array([0.3, -2.0])
    np.testing.assert_allclose(X.T @ found.multipliers(dual), dual @ found.rows, rtol=1e-12)


def test_the_row_that_contradicts_is_named() -> None:
    X, y = np.ones((5, 3)), np.array([1.0, 1.0, 1.0, 4.0, 1.0])
    with pytest.raises(ValueError, match=r"rank 1 with 5 rows.*most at row 3"):
        minimum_norm_interpolator(X, y)


@given(seeds)
def test_rows_are_scaled_by_powers_of_two(seed: int) -> None:
    random = np.random.default_rng(seed)
    X, y = (
        random.normal(size=(4, 3)) * 10.0 ** random.integers(-200, 200, (4, 1)),
        random.normal(size=4),
    )
    scaled, labels, exponents = unit_rows(X, y)
    largest = np.abs(scaled).max(axis=1)
    assert np.all((largest >= 0.5) & (largest < 1))
    np.testing.assert_array_equal(np.ldexp(scaled, exponents[:, None]), X)
    np.testing.assert_array_equal(np.ldexp(labels, exponents), y)


def test_a_linear_program_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        message = "numerical trouble"

        def __init__(self, x: np.ndarray | None) -> None:
            self.x = x

    X, y = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]]), np.array([1.0, -0.5])
    monkeypatch.setattr(optima, "linprog", lambda *_, **__: Answer(None))
    with pytest.raises(RuntimeError, match="not solved: numerical trouble"):
        optima.minimum_l1_interpolator(X, y)
    # A support of one column cannot carry two equations.
    monkeypatch.setattr(optima, "linprog", lambda *_, **__: Answer(np.array([1.0, *[0.0] * 5])))
    with pytest.raises(RuntimeError, match=r"misses Xw = y by a relative .*rescale"):
        optima.minimum_l1_interpolator(X, y)


def test_the_error_estimate_knows_of_the_conditioning() -> None:
    q = optima.HypentropyPotential(np.ones(6), np.zeros(6))
    X = _graded(1, 1e9)
    with pytest.warns(AccuracyWarning):
        bad = optima.bregman_projection(q, X, X @ np.ones(6))
    assert not bad.converged
    good = optima.bregman_projection(q, _graded(1, 1e5), _graded(1, 1e5) @ np.ones(6))
    assert good.converged
    assert 1e5 / 4 < good.error_estimate / np.finfo(float).eps < 4e5


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_either_way_finds_the_same_interpolators(samples: int) -> None:
    # One row, two of three columns, and more rows than columns: the three ways through it.
    random = np.random.default_rng(samples)
    X, w = random.normal(size=(samples, 3)) + 1.0, random.normal(size=3)
    for quick in (True, False):
        found = interpolation_problem(X, X @ w, quick=quick)
        rank = min(samples, 3)
        np.testing.assert_allclose(found.rows @ found.rows.T, np.eye(rank), atol=1e-12)
        np.testing.assert_allclose(found.rows @ w, found.target, atol=1e-12)
        # The same projection onto the row space.
        own = found.rows.T @ found.rows
        np.testing.assert_allclose(own, np.linalg.pinv(X) @ X, atol=1e-12)


def test_the_quick_way_tells_the_condition_number_of_a_diagonal() -> None:
    for X, conditioning in (([[2.0, 0.0]], 1.0), ([[3.0, 0.0], [0.0, 12.0]], 4.0)):
        found = interpolation_problem(np.array(X), np.ones(len(X)))
        assert found.conditioning == pytest.approx(conditioning, rel=1e-14, abs=0)


def test_rows_of_zeros_ask_for_nothing() -> None:
    found = interpolation_problem(np.zeros((2, 3)), np.zeros(2))
    assert found.target.size == 0
    assert found.conditioning == 1.0
