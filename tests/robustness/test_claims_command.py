"""The claims' command: what it measured is kept, whatever the terminal or a claim does."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from ibtools.claims import Claim, Comparison
from ibtools.claims.__main__ import main


def good() -> Comparison:
    return Comparison("Γ₀", np.float64(1), np.float64(1), np.float64(0), "error", np.float64(1e-9))


def broken() -> Comparison:
    raise FloatingPointError("a trainer's own words")


def nan() -> Comparison:
    return Comparison("q", np.nan, np.inf, np.nan, "error", 1e-9)


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [
        Claim(f"test.{f.__name__}", "title", "source", "θ → ∞", "=", f) for f in (good, broken, nan)
    ]
    monkeypatch.setattr("ibtools.claims.__main__.CLAIMS", tuple(known))


@pytest.mark.usefixtures("claims")
def test_a_claim_that_breaks_takes_no_other_with_it(tmp_path, capsys) -> None:
    out = tmp_path / "claims.json"
    assert main(["--json", "--out", str(out)]) == 1
    printed = capsys.readouterr()
    records = json.loads(printed.out, parse_constant=pytest.fail)
    assert json.loads(out.read_text()) == records
    assert [record["holds"] for record in records] == [True, False, False]
    assert records[1]["failed"] == "FloatingPointError: a trainer's own words"
    assert records[2]["measured"] is None
    assert "test.broken could not be run" in printed.err


@pytest.mark.usefixtures("claims")
def test_what_was_measured_before_an_interruption_is_kept(tmp_path, capsys, monkeypatch) -> None:
    def interrupted() -> Comparison:
        raise KeyboardInterrupt

    known = [Claim(f"test.{f.__name__}", "t", "s", "s", "=", f) for f in (good, interrupted)]
    monkeypatch.setattr("ibtools.claims.__main__.CLAIMS", tuple(known))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 130
    (file,) = tmp_path.iterdir()
    assert str(file) in capsys.readouterr().err
    assert [record["id"] for record in json.loads(file.read_text())] == ["test.good"]


@pytest.mark.usefixtures("claims")
@pytest.mark.parametrize("out", ["", "nowhere/claims.json"])
def test_a_place_that_cannot_be_is_told_before_anything_runs(out, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--out", str(tmp_path / out)])
    assert stopped.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.usefixtures("claims")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ([], ["--json"]):
        terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main([*options, "test.good"]) == 0
        terminal.flush()
        assert "test.good" in terminal.buffer.getvalue().decode(encoding)


def test_a_reader_that_stops_early_is_no_failure_of_ours() -> None:
    code = (
        "import sys; from ibtools._console import run_command; "
        "sys.exit(run_command(lambda: print('line\\n' * 99999) or 0))"
    )
    command = f'{sys.executable} -c "{code}" | head -n 1'
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert answer.stdout == "line\n"
    assert answer.stderr == ""
