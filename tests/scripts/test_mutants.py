"""The mutation run knows its modules' tests and reads what survived."""

import sqlite3
from pathlib import Path

import mutants
import pytest
import yaml
from mutants import Survivor, argued, main, modules, nearest_tests, progress, session_of, survivors

DIFF = """--- mutation diff ---
--- a/src/ibtools/theory/x.py
+++ b/src/ibtools/theory/x.py
@@ -1,2 +1,2 @@
 def f(x):
-    return 2 * x - 1
+    return 2 * x + 1
"""


@pytest.mark.parametrize("module", modules())
def test_every_module_has_tests_near_it(module: str) -> None:
    assert nearest_tests(module)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session of three changes: one noticed, one not, one that was filtered away."""
    monkeypatch.setattr(mutants, "WORK", tmp_path)
    path = session_of("theory/potentials")
    with sqlite3.connect(path) as database:
        database.executescript(
            """create table work_items (job_id);
            create table mutation_specs (job_id, start_pos_row);
            create table work_results (job_id, worker_outcome, test_outcome, diff);
            insert into work_items values (1), (2), (3), (4);
            insert into mutation_specs values (1, 5), (2, 7), (3, 9), (4, 11);"""
        )
        database.executemany(
            "insert into work_results values (?, ?, ?, ?)",
            [
                (1, "NORMAL", "KILLED", DIFF),
                (2, "NORMAL", "SURVIVED", DIFF),
                (3, "SKIPPED", None, ""),
            ],
        )
    return path


def test_what_survived_is_read(session: Path) -> None:
    assert progress(session) == (2, 1, 3)
    (found,) = survivors("theory/potentials")
    assert (found.line, found.before, found.after) == (7, "return 2 * x - 1", "return 2 * x + 1")


def test_a_survivor_is_passed_over_only_with_a_reason() -> None:
    found = Survivor("theory/x", 7, "a - b", "a + b")
    assert not argued(found, {})
    assert not argued(found, {"theory/x": [{"line": "a - c", "because": "…"}]})
    assert not argued(found, {"theory/x": [{"line": "a - b", "becomes": "a * b", "because": "…"}]})
    assert argued(found, {"theory/x": [{"line": "a - b", "becomes": "a + b", "because": "…"}]})
    assert argued(found, {"theory/x": [{"line": "a - b", "because": "…"}]})


def test_reasons_are_about_lines_that_are_there() -> None:
    for module, entries in (yaml.safe_load(mutants.ARGUED.read_text()) or {}).items():
        source = (mutants.ROOT / "src" / "ibtools" / f"{module}.py").read_text()
        for entry in entries:
            assert entry["line"] in source
            assert entry["because"].strip()


def test_an_unknown_module_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["theory/nothing"])
    assert stopped.value.code == 2
    assert "theory/potentials" in capsys.readouterr().err
