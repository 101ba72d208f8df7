"""The row space of data, by whichever decomposition they allow."""

import numpy as np
import pytest

from ibtools.models import row_space as module
from ibtools.models.row_space import basis_of_rows, row_space


def data(kind):
    X = np.random.default_rng(0).standard_normal((40, 400))
    if kind == "dependent":
        X[1] = X[0]
    if kind == "nearly dependent":
        X[1] = X[0] + 1e-3 * X[1]
    if kind == "tall":
        X = X.T.copy()
    return X * float(kind) if kind[0].isdigit() else X


KINDS = ["1", "1e-140", "1e-160", "1e150", "dependent", "nearly dependent", "tall"]


@pytest.mark.parametrize("kind", KINDS)
def test_data_are_their_decomposition_and_rows_span_the_same_space(kind, monkeypatch):
    X = data(kind)
    size = np.abs(X).max()
    found, basis = row_space(X), basis_of_rows(X)
    for left, singular, rows in (found, basis):
        assert np.abs((left * (singular / size)) @ rows - X / size).max() < 1e-14
    monkeypatch.setattr(module, "_LARGE", np.inf)
    left, singular, rows = row_space(X)
    assert np.allclose(found.singular, singular, rtol=1e-12, atol=0)
    assert np.abs(found.rows @ found.rows.T - np.eye(len(singular))).max() < 1e-13
    assert np.abs(found.left.T @ found.left - np.eye(len(singular))).max() < 1e-13
    for space in (found.rows, basis.rows):
        assert np.abs(space - (space @ rows.T) @ rows).max() < 1e-13


@pytest.mark.parametrize("kind", KINDS)
def test_only_tame_data_are_taken_as_they_are(kind):
    _, singular, rows = basis_of_rows(data(kind))
    as_they_are = len(set(singular)) == 1
    assert as_they_are == (kind in ("1", "1e-140", "1e150"))
    if as_they_are:
        assert np.linalg.cond(rows) < 7
