"""Systems of Newton's method that are solved by the factor of an earlier one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ibtools.trainers.margins import newton_systems
from ibtools.trainers.margins.newton_systems import NewtonSystems

M = 60


def problem(seed: int, spread: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return K of rank 40, multipliers over so many powers of ten, and two right sides."""
    random = torch.Generator().manual_seed(seed)
    J = torch.randn(M, 40, generator=random, dtype=torch.float64)
    c = 10.0 ** (spread * torch.randn(M, generator=random, dtype=torch.float64))
    return J @ J.T, c, torch.randn(M, 2, generator=random, dtype=torch.float64)


def error(K: Tensor, c: Tensor, rows: Tensor, right: Tensor, x: Tensor) -> float:
    """Return the error in the system's norm, relative to the solution."""
    system = torch.diag(1 / c[rows]) + K[rows[:, None], rows]
    solution = torch.linalg.solve(system, right[rows])
    wrong = x[rows] - solution
    sizes = [(v * (system @ v)).sum(0) for v in (wrong, solution)]
    return float((sizes[0] / sizes[1]).max().sqrt())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of what was factored, in single precision or in double."""
    monkeypatch.setattr(newton_systems, "_LARGE", 20)
    found: list[str] = []
    scaled = newton_systems.scaled

    def counting(K: Tensor, c: Tensor, rows: Tensor, dtype: torch.dtype) -> Tensor:
        found.append("single" if dtype is torch.float32 else "double")
        return scaled(K, c, rows, dtype)

    monkeypatch.setattr(newton_systems, "scaled", counting)
    return found


def test_one_factor_serves_while_the_multipliers_change_little(counted: list[str]) -> None:
    K, c, right = problem(0, 1.0)
    rows, systems = torch.arange(M), NewtonSystems()
    for _ in range(4):
        assert error(K, c, rows, right, systems.solve(K, c, rows, right)) < 2e-2
        c = c * (1 + 0.5 * torch.sin(torch.arange(M)))
    assert counted == ["single"]


def test_where_they_changed_much_there_is_another_factor(
    counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newton_systems, "_PATIENCE", 5)
    K, c, right = problem(1, 1.0)
    rows, systems = torch.arange(M), NewtonSystems()
    systems.solve(K, c, rows, right)
    other = problem(2, 3.0)[1]
    assert error(K, other, rows, right, systems.solve(K, other, rows, right)) < 1.1e-2
    assert counted == ["single", "single"]


def test_what_single_precision_cannot_factor_is_factored_in_double(counted: list[str]) -> None:
    K, c, right = problem(3, 0.0)
    K = K + 1e9 * torch.ones(M, M)  # rounding of this is more than 1
    rows = torch.arange(M)
    found = NewtonSystems().solve(K, c, rows, right)
    assert error(K, c, rows, right, found) < 1e-6
    assert counted[-1] == "double"


@pytest.mark.parametrize("size", [19, 40])
def test_other_rows_are_0_and_a_factor_of_others_serves(counted: list[str], size: int) -> None:
    K, c, right = problem(4, 1.0)
    systems = NewtonSystems()
    for first in (0, 3):
        rows = torch.arange(first, first + size)
        kept = torch.zeros_like(right)
        kept[rows] = right[rows]
        found = systems.solve(K, c, rows, kept)
        assert error(K, c, rows, kept, found) < 0.1
        others = torch.ones(M, dtype=torch.bool)
        others[rows] = False
        assert not bool(found[others].any())
    assert counted == (["double"] * 2 if size < 20 else ["single"])


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), spread=st.floats(0.0, 4.0), factor=st.floats(1e-3, 1e3))
def test_every_system_is_solved(seed: int, spread: float, factor: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newton_systems, "_LARGE", 1)
        K, c, right = problem(seed, spread)
        rows, systems = torch.arange(M), NewtonSystems()
        for each in (c, factor * c, c.flip(0)):
            assert error(K, each, rows, right, systems.solve(K, each, rows, right)) < 5.1e-2
