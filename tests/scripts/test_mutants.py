"""The mutation run: what it tries, what it remembers, and that what it finds is true."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import mutants
import pytest
import yaml
from mutants import (
    Change,
    Telling,
    argued,
    changes,
    import_changed,
    main,
    modules,
    nearest_tests,
    new_bodies,
    place,
    report,
    results,
)

SOURCE = "def f(x, y=1):\n    return 2 * x - y\n"
STATEMENT = {"line": 2, "first": 1, "before": SOURCE}


def change(after: str) -> dict[str, object]:
    return STATEMENT | {"after": SOURCE.replace("2 * x - y", after)}


@pytest.mark.parametrize("module", modules())
def test_every_module_has_tests_near_it(module: str) -> None:
    assert nearest_tests(module)


def test_a_change_is_made_where_its_statement_stands() -> None:
    found = Change("theory/x", 4, 3, SOURCE, SOURCE.replace("-", "+"))
    assert found.lines == ("return 2 * x - y", "return 2 * x + y")
    assert found.applied(f"a = 1\n\n{SOURCE}b = 2\n").split("\n")[1:] == [
        *["", "def f(x, y=1):", "    return 2 * x + y", "b = 2", ""]
    ]
    assert found.key == Change("theory/x", 9, 8, found.before, found.after).key
    assert found.key != Change("theory/x", 4, 3, SOURCE, SOURCE.replace("2", "3")).key


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three changes of a module were listed, one of them twice; results may be added."""
    monkeypatch.setattr(mutants, "WORK", tmp_path)
    listed = [change(after) for after in ("2 * x + y", "2 / x - y", "3 * x - y", "3 * x - y")]
    (tmp_path / "theory.potentials.changes.json").write_text(json.dumps({"changes": listed}))
    return tmp_path / "theory.potentials.results.jsonl"


def test_what_survived_is_told(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noticed, survived, untried = changes("theory/potentials")
    by = "tests/theory/test_potentials.py::test_closed_form_is_the_integral"
    seals = (
        mutants.seal_of(by, mutants.ROOT),
        mutants.tests_digest("theory/potentials", mutants.ROOT),
    )
    entries = [
        {"key": noticed.key, "outcome": "killed", "by": by, "seal": seals[0]},
        {"key": survived.key, "outcome": "survived", "by": "", "seal": seals[1]},
    ]
    kept.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert untried.key not in results("theory/potentials")
    assert report(["theory/potentials"]) == 1
    told = capsys.readouterr().out
    assert "2 of    3 tried,   1 survived,   1 unargued" in told
    assert told.endswith("potentials.py:2\n  - return 2 * x - y\n  + return 2 / x - y\n")


def test_what_was_found_counts_until_the_test_changes(kept: Path) -> None:
    noticed, survived, _ = changes("theory/potentials")
    here = "tests/theory/test_potentials.py::"
    for by in (here + "test_closed_form_is_the_integral", here + "test_gone[a::b]", "import", ""):
        of_all = mutants.tests_digest("theory/potentials", mutants.ROOT)
        seal = mutants.seal_of(by, mutants.ROOT) if by else of_all
        good = {"key": noticed.key, "by": by, "seal": seal}
        kept.write_text(f"{json.dumps(good)}\n{json.dumps(good | {'key': survived.key})}\n")
        assert set(results("theory/potentials")) == {noticed.key, survived.key}
        kept.write_text(f"{json.dumps(good)}\n{json.dumps(good | {'seal': 'other'})}\n")
        assert results("theory/potentials") == {}


def test_what_is_said_of_a_function_is_no_part_of_a_change() -> None:
    def found(said: str, sign: str = "-") -> str:
        source = SOURCE.replace("\n", f'\n    """{said}"""\n', 1)
        return Change("theory/x", 3, 1, source, source.replace("x - y", f"x {sign} y")).key

    assert found("One.", "+") == found("Another.", "+") != found("One.", "*")


def test_a_survivor_is_passed_over_only_with_a_reason() -> None:
    found = Change("theory/x", 7, 7, "a - b\n", "a + b\n")
    assert not argued(found, {})
    assert not argued(found, {"theory/x": [{"line": "a - c", "because": "…"}]})
    assert not argued(
        found, {"theory/x": [{"line": "a - b", "becomes": ["a * b"], "because": "…"}]}
    )
    assert argued(
        found, {"theory/x": [{"line": "a - b", "becomes": ["a * b", "a + b"], "because": "…"}]}
    )
    assert argued(found, {"theory/x": [{"line": "a - b", "because": "…"}]})


def test_reasons_are_about_lines_that_are_there() -> None:
    for module, entries in (yaml.safe_load(mutants.ARGUED.read_text()) or {}).items():
        lines = mutants.source_of(module).read_text().splitlines()
        for entry in entries:
            assert entry["line"] in map(str.strip, lines)
            assert entry["line"] not in entry.get("becomes", [])
            assert entry["because"].strip()


def test_an_unknown_module_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["theory/nothing"])
    assert stopped.value.code == 2
    assert "theory/potentials" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("after", "value"),
    [("return 2 * x + y", 7), ("return (lambda: 2 * x)()", 6), ("return 2 * x - y - y", 4)],
)
def test_a_function_gets_its_other_body_wherever_it_is_held(after: str, value: int) -> None:
    room: dict[str, FunctionType] = {}
    old = compile(SOURCE, "here", "exec")
    exec(old, room)
    held = room["f"]
    new = compile(SOURCE.replace("return 2 * x - y", after), "here", "exec")
    ((function, body),) = new_bodies(old, new, {place(held.__code__): [held]})
    assert held(3) == 5
    function.__code__ = body
    assert held(3) == value


@pytest.mark.parametrize("after", ["def f(x, y=2):", "a = 3\ndef f(x, y=1):", "@g\ndef f(x, y=1):"])
def test_what_importing_does_is_no_body(after: str) -> None:
    changed = SOURCE.replace("def f(x, y=1):", after)
    old, new = (compile(source, "here", "exec") for source in (SOURCE, changed))
    assert new_bodies(old, new, {}) is None


def test_a_function_that_is_not_found_has_no_body_to_change() -> None:
    old, new = (compile(source, "here", "exec") for source in (SOURCE, SOURCE.replace("-", "+")))
    assert new_bodies(old, new, {}) is None
    assert new_bodies(old, old, {}) == []


def test_a_lambda_is_imported_with_its_change() -> None:
    old, new = (compile(f"f = lambda x: x {sign} 1\n", "here", "exec") for sign in "+-")
    room: dict[str, FunctionType] = {}
    exec(old, room)
    assert new_bodies(old, new, {place(room["f"].__code__): [room["f"]]}) is None


def test_a_watched_function_tells_which_statements_it_runs() -> None:
    source = """\
def f(x):
    y = 1
    def g():
        nonlocal y
        y = 2
    if x:
        g()
    else:
        y = 3
    return y
"""
    told = mutants.ast.unparse(Telling().visit(mutants.ast.parse(source)))
    for x, y, rows in ((True, 2, {1, 2, 3, 5, 6, 7, 10}), (False, 3, {1, 2, 3, 6, 9, 10})):
        room: dict[str, object] = {mutants.SEEN: set()}
        exec(told, room)
        assert room["f"](x) == y
        assert room[mutants.SEEN] == rows


def test_a_module_is_imported_changed_whatever_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = importlib.machinery.SourceFileLoader
    for name in ("get_data", "set_data"):  # to have the old ones back afterwards
        monkeypatch.setattr(loader, name, getattr(loader, name), raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "changed_here.py"
    path.write_text(SOURCE)
    module = importlib.import_module("changed_here")
    assert module.f(3) == 5
    import_changed(str(path), SOURCE.replace("-", "+"))
    assert importlib.reload(module).f(3) == 7
    monkeypatch.undo()
    assert path.read_text() == SOURCE


@pytest.mark.slow
def test_a_run_finds_what_is_guarded_and_what_is_not(tmp_path: Path) -> None:
    source = mutants.source_of("metrics/alignment").read_text()
    start = source.index("def layer_alignment")
    first = source[:start].count("\n") + 1
    made = {
        "values[0] / np.sqrt": "values[0] * np.sqrt",  # a body, noticed
        "weights: Sequence[ArrayLike]": "weights: Sequence[ArrayLike] = 1 / 0",  # ... importing it
        '"has no direction"': '"has not"',  # a body, not noticed
    }
    listed = [
        {
            "line": first,
            "first": first,
            "before": source[start:],
            "after": source[start:].replace(before, after),
        }
        for before, after in made.items()
    ]
    program = f"""
import json, pathlib, mutants
mutants.WORK = pathlib.Path({str(tmp_path)!r})
mutants.TREE = mutants.WORK / "tree"
mutants.list_changes = lambda module: None
mutants.kept("metrics/alignment", "changes.json").write_text({json.dumps({"changes": listed})!r})
raise SystemExit(mutants.main(["--minutes", "5", "metrics/alignment"]))
"""
    environment = os.environ | {"PYTHONPATH": str(mutants.ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert "3 of    3 tried,   1 survived,   1 unargued" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith('  - "has no direction"\n  + "has not"\n')
    lines = (tmp_path / "metrics.alignment.results.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    # Tried with a changed body, then imported and against all tests.
    found[:2] = sorted(found[:2], key=lambda entry: entry["outcome"])  # they come in any order
    outcomes = [(entry["outcome"], entry["sure"]) for entry in found]
    assert outcomes == [
        ("killed", False), ("survived", False), ("killed", True), ("survived", True)
    ]  # fmt: skip
    assert "test_layers_by_hand" in found[0]["by"]
    assert found[2]["by"] == "import"
    assert mutants.source_of("metrics/alignment").read_text() == source
