"""A claim is run once in a build; what is kept is found by the same package only."""

from pathlib import Path

import numpy as np
import pytest

from ibtools.claims import Claim, ClaimError, Comparison, kept
from ibtools.claims.claim import claim


@pytest.fixture
def runs() -> list[float]:
    """One entry for each time that the claim of these tests was run."""
    return []


@pytest.fixture
def counted(runs: list[float]) -> Claim:
    @claim("test.counted", title="Counted", source="nobody", statement="It is run.")
    def counted() -> Comparison:
        runs.append(1e-4)
        return Comparison("a", np.float64(1), 1.0, runs[-1], "difference", 1e-3)

    return counted


def test_without_a_folder_each_outcome_is_a_run(
    counted: Claim, runs: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(kept.VARIABLE, raising=False)
    counted.check()
    counted.check()
    assert len(runs) == 2


def test_an_outcome_is_kept_and_found(
    counted: Claim, runs: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path / "new"))
    first, second = counted.check(), counted.check()
    assert len(runs) == 1
    assert first == second
    counted.run()
    assert len(runs) == 2, "run() runs"


def test_another_package_finds_nothing(
    counted: Claim, runs: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path))
    counted.check()
    monkeypatch.setattr(kept, "_digest", lambda: "another")
    counted.check()
    assert len(runs) == 2


def test_what_cannot_be_read_is_run_again(
    counted: Claim, runs: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path))
    counted.check()
    (file,) = tmp_path.rglob("*.json")
    for broken in ("", "{", "[]", '{"seconds": 1}', '{"comparison": {"x": 1}, "seconds": 1}'):
        file.write_text(broken)
        counted.check()
    assert len(runs) == 6


def test_a_claim_that_fails_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @claim("test.fails", title="Fails", source="nobody", statement="No.")
    def fails() -> Comparison:
        return Comparison("a", 1.0, 2.0, 1.0, "difference", 1e-3)

    monkeypatch.setenv(kept.VARIABLE, str(tmp_path))
    with pytest.raises(ClaimError):
        fails.check()
    assert list(tmp_path.rglob("*.json")) == []
