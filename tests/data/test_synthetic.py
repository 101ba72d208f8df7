"""The law of the sparse regression problem, and what its arguments may be."""

import numpy as np
import pytest

from ibtools.data import sparse_regression


def test_draws_the_law_of_the_paper() -> None:
    n, d = 2000, 50
    X, y, truth = sparse_regression(n=n, d=d, sparsity=5, noise_std=0.3, seed=0)
    # Five standard errors each: seeds are fixed, so this never flickers.
    assert abs(X.mean()) < 5 / np.sqrt(n * d)
    assert abs(X.var() - 1) < 5 * np.sqrt(2 / (n * d))
    assert abs((X**4).mean() - 3) < 5 * np.sqrt(96 / (n * d))
    covariance = X.T @ X / n
    assert np.abs(covariance - np.eye(d)).max() < 6 * np.sqrt(2 / n)
    noise = y - X @ truth
    assert abs(noise.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * n)
    assert np.abs(X.T @ noise / n).max() < 5 * 0.3 / np.sqrt(n)


def test_truth_has_unit_norm_and_equal_nonzeros() -> None:
    truth = sparse_regression(n=3, d=40, sparsity=7, seed=0).truth
    np.testing.assert_array_equal(np.flatnonzero(truth), np.arange(7))
    np.testing.assert_allclose(truth[:7], 1 / np.sqrt(7), rtol=1e-15)


def test_noise_is_asked_for_as_a_standard_deviation() -> None:
    quiet = sparse_regression(n=30, d=4, sparsity=2, noise_std=0.0, seed=3)
    np.testing.assert_array_equal(quiet.y, quiet.X @ quiet.truth)
    loud = sparse_regression(n=30, d=4, sparsity=2, noise_std=2.0, seed=3)
    default = sparse_regression(n=30, d=4, sparsity=2, seed=3)
    np.testing.assert_array_equal(loud.X, quiet.X)
    np.testing.assert_allclose(loud.y - quiet.y, 20 * (default.y - quiet.y), rtol=1e-12)


def test_same_seed_same_problem_and_a_generator_moves_on() -> None:
    first, again, other = (sparse_regression(n=5, d=6, sparsity=2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.X, other.X)
    random = np.random.default_rng(1)
    one = sparse_regression(n=5, d=6, sparsity=2, seed=random)
    two = sparse_regression(n=5, d=6, sparsity=2, seed=random)
    np.testing.assert_array_equal(one.X, first.X)
    assert not np.array_equal(one.X, two.X)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"n": 0}, ValueError, "n must be at least 1, got 0"),
        ({"d": -3}, ValueError, "d must be at least 1, got -3"),
        ({"n": 2.0}, TypeError, r"n must be an integer, got 2\.0"),
        ({"n": True}, TypeError, "n must be an integer, got True"),
        ({"sparsity": 0}, ValueError, "sparsity must be at least 1"),
        ({"sparsity": 9}, ValueError, "sparsity must be at most d=8, got 9.*raise d"),
        ({"noise_std": -0.1}, ValueError, r"noise_std must be at least 0, got -0\.1"),
        ({"noise_std": np.nan}, ValueError, "noise_std must be finite, got nan"),
        ({"noise_std": "0.1"}, TypeError, "noise_std must be a real number, got str"),
        ({"noise_std": 1j}, TypeError, "noise_std must be a real number, got complex"),
        ({"noise_std": 10**400}, ValueError, "noise_std must be finite, got inf"),
        ({"seed": None}, TypeError, "seed must be an int or a numpy.random.Generator.*seed=0"),
        ({"seed": True}, TypeError, "seed must be an int .*got True"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": "0"}, TypeError, "seed must be an int"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(wrong: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        sparse_regression(**{"n": 4, "d": 8, "sparsity": 2, "seed": 0} | wrong)


@pytest.mark.usefixtures("as_a_user")
def test_the_seed_is_never_left_out() -> None:
    with pytest.raises(TypeError, match="seed"):
        sparse_regression(n=4, d=8, sparsity=2)
