"""The diabetes problem against the raw data it is made of."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from ibtools.data import diabetes_interactions


def _rows(problem) -> np.ndarray:
    return np.vstack([problem.X, problem.X_test])


def test_every_column_is_what_its_name_says() -> None:
    raw = load_diabetes(scaled=False)
    measured = (raw.data - raw.data.mean(axis=0)) / raw.data.std(axis=0)
    by_name = dict(zip(raw.feature_names, measured.T, strict=True))
    problem = diabetes_interactions(n=50, seed=0)
    assert len(set(problem.names)) == 64
    # Which patient is which row is settled by age, bmi, … together: no two patients agree.
    order = [int(np.argmin(np.abs(measured - row).sum(axis=1))) for row in _rows(problem)[:, :10]]
    assert sorted(order) == list(range(442))
    for column, name in zip(_rows(problem).T, problem.names, strict=True):
        factors = [name[:-1]] * 2 if name.endswith("²") else name.split("·")
        expected = np.prod([by_name[factor] for factor in factors], axis=0)
        expected = (expected - expected.mean()) / expected.std()
        np.testing.assert_allclose(column, expected[order], atol=1e-12, err_msg=name)
    assert "sex²" not in problem.names
    np.testing.assert_allclose(
        np.concatenate([problem.y, problem.y_test]) * raw.target[order[:50]].std()
        + raw.target[order[:50]].mean(),
        raw.target[order],
        rtol=1e-12,
    )


def test_columns_are_standardized_and_rows_independent() -> None:
    for n in (2, 50, 63):
        problem = diabetes_interactions(n=n, seed=1)
        assert problem.X.shape == (n, 64)
        np.testing.assert_allclose(_rows(problem).mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(_rows(problem).std(axis=0), 1, rtol=1e-12)
        assert np.linalg.matrix_rank(problem.X) == n


def test_test_responses_are_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    before = diabetes_interactions(n=40, seed=2)
    np.testing.assert_allclose([before.y.mean(), before.y.std()], [0, 1], atol=1e-12)
    raw = load_diabetes(scaled=False)
    train = np.random.default_rng(2).permutation(442)[:40]
    poisoned = raw.target.copy()
    poisoned[np.setdiff1d(np.arange(442), train)] = 1e9
    raw.target = poisoned
    monkeypatch.setattr("sklearn.datasets.load_diabetes", lambda **_: raw)
    after = diabetes_interactions(n=40, seed=2)
    np.testing.assert_array_equal(after.y, before.y)
    assert after.y_test.min() > 1e5


def test_same_seed_same_split() -> None:
    one, two, other = (diabetes_interactions(n=20, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.y_test, two.y_test)
    assert not np.array_equal(one.X, other.X)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"n": 1}, ValueError, "n must be at least 2, got 1"),
        ({"n": 64}, ValueError, "n must be below 64, the number of features, got 64"),
        ({"n": 20.0}, TypeError, "n must be an integer"),
        ({"seed": None}, TypeError, "seed must be an int"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(wrong: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        diabetes_interactions(**{"n": 20, "seed": 0} | wrong)
