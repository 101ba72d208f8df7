"""The steps of `make test`: what runs beside what, and what a failure stops."""

import sys
from pathlib import Path

import check
import pytest
from check import Step


def step(name: str, status: int = 0, cheap: bool = False, beside: str = "") -> Step:
    """Return a step that says its name and ends with ``status``."""
    command = (sys.executable, "-c", f"print('{name} speaks'); raise SystemExit({status})")
    return Step(name, f"to see {name}", command, cheap, beside)


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Run steps and return the status, the outcome of each, and the names in the order spoken."""
    monkeypatch.setattr(check, "machine_kept_out", lambda: {"PATH": ""})

    def run(*steps: Step, names: tuple[str, ...] = ()) -> tuple[int, dict[str, str], list[str]]:
        monkeypatch.setattr(check, "steps", lambda: list(steps))
        status = check.main(list(names))
        said, summary = capfd.readouterr().out.split("=== summary")
        rows = [
            line.rsplit(" s ", 1)[0].split() for line in summary.splitlines() if " s   " in line
        ]
        ends = {row[-2]: " ".join(row[:-2]) for row in rows}
        spoken = [line.split()[0] for line in said.splitlines() if line.endswith(" speaks")]
        return status, ends, spoken

    return run


def test_a_guest_speaks_after_its_host_and_counts(outcomes) -> None:
    host, guest = step("host"), step("guest", status=3, beside="host")
    status, ends, spoken = outcomes(guest, host)
    assert status == 1
    assert ends == {"host": "passed", "guest": "FAILED"}
    assert spoken == ["host", "guest"]
    assert outcomes(guest, host, names=("guest",))[1] == {"guest": "FAILED"}


def test_a_cheap_failure_leaves_out_the_dear_ones(outcomes) -> None:
    cheap = step("style", cheap=True), step("types", 1, cheap=True, beside="unit")
    dear = step("book", beside="slow"), step("slow")
    status, ends, _ = outcomes(*cheap, step("unit", cheap=True), *dear)
    assert status == 1
    assert {name for name, end in ends.items() if end == "passed"} == {"style", "unit"}
    assert ends["types"] == "FAILED"
    assert ends["book"] == ends["slow"] == "not run"


def test_a_book_that_does_not_build_is_not_visited(outcomes) -> None:
    _, ends, _ = outcomes(step("book", 1, beside="slow"), step("slow"), step("site"))
    assert ends == {"slow": "passed", "book": "FAILED", "site": "not run"}


def test_the_real_steps() -> None:
    """Every host comes after its guest; no file with a slow test is left out."""
    names = [one.name for one in check.steps()]
    for one in check.steps():
        assert not one.beside or names.index(one.name) < names.index(one.beside)
    slow = next(one for one in check.steps() if one.name == "slow")
    assert str(Path(__file__).relative_to(check.ROOT)) in slow.command  # it speaks of slow ones
    assert all((check.ROOT / name).exists() for name in check.speaking_of_slow())
