"""The opposed fans: their numbers, and that they can be separated."""

import numpy as np
import pytest

from ibtools.data.fans import opposed_fans
from ibtools.theory.max_margin import max_margin


def test_their_numbers() -> None:
    X, y = opposed_fans(4)
    assert X.shape == (10, 4)
    assert y.tolist() == [1.0] * 5 + [-1.0] * 5
    np.testing.assert_array_equal(X[:, 2:], 0)
    np.testing.assert_allclose(X[0, :2], [np.cos(-0.9), np.sin(-0.9)])
    np.testing.assert_allclose(X[5], -0.9 * X[4])
    np.testing.assert_allclose(X[9], -0.9 * X[0])
    assert np.linalg.norm(X, axis=1).max() == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_array_equal(opposed_fans()[0], X[:, :2])


def test_a_line_separates_them() -> None:
    assert max_margin(*opposed_fans()).margin > 0.3


@pytest.mark.usefixtures("as_a_user")
def test_too_few_features() -> None:
    with pytest.raises(ValueError, match=r"d must be at least 2, got 1"):
        opposed_fans(1)
