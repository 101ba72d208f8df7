"""The shortest vector that satisfies inequalities: its optimality conditions say all of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.theory.nearest_point import nearest_weights, on_support


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 5), st.floats(-6, 6), st.booleans()
)
def test_optimality(seed: int, n: int, d: int, log_size: float, ones: bool) -> None:
    """The point is the dual of a v with ⟨z_n, v⟩ ≥ b_n, with equality where the weight is not 0."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=d)
    rows = rng.normal(size=(n, d))
    rows *= np.sign(rows @ direction)[:, None] * 10.0**log_size
    bounds = np.ones(n) if ones else rng.uniform(0.5, 2, size=n)
    weights = nearest_weights(rows, bounds, 10.0**-log_size)
    assert np.all(weights >= 0)
    assert bounds @ weights == pytest.approx(1, rel=1e-12, abs=0)
    point = weights @ rows
    v = point / (point @ point)
    slack = rows @ v / bounds - 1
    unit = np.linalg.norm(rows, axis=1).max() * np.linalg.norm(v)
    assert slack.min() >= -1e-9 * unit**2
    np.testing.assert_allclose(weights * slack, 0, atol=1e-9 * unit**2)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_first_scale_does_not_matter(scale: float) -> None:
    rows = np.array([[3.0, 1.0], [1.0, 3.0], [4.0, 4.0]])
    np.testing.assert_allclose(
        nearest_weights(rows, np.ones(3), scale), [0.5, 0.5, 0], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1.0])
def test_a_first_scale_far_too_small_is_sharpened(unit: float) -> None:
    # The nearest point of the segment, by hand: s·(3, 1) + (1 − s)·(1, 4) with s = 10/13.
    rows = unit * np.array([[3.0, 1.0], [1.0, 4.0]])
    weights = nearest_weights(rows, np.ones(2), 1.0)
    np.testing.assert_allclose(weights, [10 / 13, 3 / 13], rtol=1e-13)


def test_inequalities_that_nothing_satisfies_leave_nothing() -> None:
    rows = np.array([[1.0, 0.0], [-1.0, 0.0]])
    weights = nearest_weights(rows, np.ones(2), 1.0)
    np.testing.assert_allclose(weights @ rows, 0, atol=1e-12)


def test_on_support() -> None:
    rng = np.random.default_rng(0)
    rows, bounds = rng.normal(size=(5, 4)), rng.uniform(1, 2, size=5)
    v, multipliers = on_support(rows, bounds, np.array([0, 3]))
    np.testing.assert_allclose(rows[[0, 3]] @ v, bounds[[0, 3]], rtol=1e-12)
    np.testing.assert_allclose(multipliers @ rows, v, rtol=1e-12, atol=1e-12)
    assert np.all(multipliers[[1, 2, 4]] == 0)
