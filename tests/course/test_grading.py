"""A class is graded: every row says what happened, whatever was handed in."""

import csv
import json
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import the_class
from editions.cells import cell, notebook

from ibtools.course.grading import CONTAINER
from ibtools.course.grading.fences import LARGEST_FILE
from ibtools.course.grading.master import read_master
from ibtools.course.grading.notebooks import UnreadableError, read_notebook
from ibtools.course.grading.plain import Foreign, from_json, to_json
from ibtools.course.grading.submissions import find_submissions
from ibtools.course.grading.table import as_csv, for_lms

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it forks")


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "ibtools.course", "grade", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True)


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def write(path: Path, *cells: nbformat.NotebookNode) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(list(cells), "test"), path)
    return path


def code(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class of thirty, graded by the command."""
    folder = tmp_path_factory.mktemp("class")
    master = folder / "sheet.ipynb"
    nbformat.write(the_class.master(), master)
    expected = the_class.hand_in(folder / "in")
    asked = (master, folder / "in", "--csv", folder / "grades.csv", "--seconds", 2, "--jobs", 2)
    done = command(*asked, "--lms", "canvas")
    assert done.returncode == 0, done.stderr
    return folder, expected, asked, done


@pytest.mark.slow
def test_a_class_of_thirty_gets_what_each_earned(graded):
    folder, expected, _, done = graded
    table = rows(folder / "grades.csv")
    assert len(expected) == 30
    assert {name: float(row["points"]) for name, row in table.items()} == {
        name: points for name, (points, _) in expected.items()
    }
    for name, (_, word) in expected.items():
        row = table[name]
        assert float(row["of"]) == the_class.POINTS
        assert word in row["notes"], name
        assert word or not row["notes"], (name, row["notes"])
        assert row["network"] in ("cut off", "NOT cut off") or row["status"] == "not run"
        assert float(row["hw1"]) + float(row["imd.tie"]) == float(row["points"])
    assert {name for name, row in table.items() if row["status"] == "not run"} == {
        "empty",
        "not-json",
    }
    assert "not run: empty, not-json" in done.stdout


@pytest.mark.slow
def test_each_gets_a_page_that_says_what_was_off_and_no_answer(graded):
    folder, expected, *_ = graded
    assert {path.stem for path in (folder / "feedback").iterdir()} == set(expected)
    page = (folder / "feedback" / "half-3.html").read_text(encoding="utf-8")
    assert "half-3: 4 of 7 points" in page
    assert "3 of 4 parts right" not in page
    assert "2 of 4 parts right" in page
    assert "Exercise 1.9 (A tie" in page
    assert "<details><summary>What was run" in page
    stopped = (folder / "feedback" / "syntax.html").read_text(encoding="utf-8")
    assert "No cell that ran gave tie_equal a value." in stopped
    assert "<details open><summary>What was run" in stopped
    assert "http" not in page.replace("https://host/a/b", "")
    right = the_class.answers("half-3")["hw1_sparse"]
    assert not any(f"{value:.4g}" in page for value in right if value)
    huge = folder / "feedback" / "huge.html"
    assert huge.stat().st_size < 50_000


@pytest.mark.slow
def test_what_is_done_is_not_done_again(graded):
    folder, _, asked, _ = graded
    before = rows(folder / "grades.csv")
    changed = folder / "in" / "right-0" / "sheet.ipynb"
    nbformat.write(the_class.half_right("right-0"), changed)
    assert command(*asked).returncode == 0
    after = rows(folder / "grades.csv")
    assert {name for name in after if after[name] != before[name]} == {"right-0"}
    assert after["right-0"]["points"] == "4"


@pytest.mark.slow
def test_the_table_for_canvas_has_its_columns(graded):
    folder, expected, *_ = graded
    with (folder / "grades.canvas.csv").open(encoding="utf-8", newline="") as file:
        head, possible, *table = csv.reader(file)
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "sheet"]
    assert possible[0].strip() == "Points Possible"
    assert possible[-1] == "7"
    assert len(table) == len(expected)


SETUP = cell("import math\nfrom ibtools.course import check", "setup", code=True)
SQUARE = cell(
    "assert square(3.0) == 9.0 and math.pi\nassert square(2.0) == 4.0, 'not of 2'",
    "check",
    "square",
    code=True,
)
LIST = cell("assert sum(values) == 6", "check", "list", code=True, points=3)

FUNCTIONS = {
    "right": ("def square(x):\n    return x * x\nvalues = [1, 2, 3]", 4, ""),
    "in-part": ("square = lambda x: 9.0\nvalues = (1, 5)", 3, "not of 2"),
    "raises": ("def square(x):\n    return x / 0\nvalues = [6]", 3, "division by zero"),
    "dies": ("import os\ndef square(x):\n    os._exit(0)\nvalues = [6]", 3, "ended its process"),
    "hangs": ("def square(x):\n    while True:\n        pass\nvalues = [6]", 3, "stopped after"),
    "object": (
        "class Nine:\n    def __eq__(self, other):\n        return True\n"
        "square = lambda x: Nine()\nvalues = [6]",
        3,
        "",
    ),
    "lies": (
        "import ibtools.course.grading.shell as ours\n"
        "ours.to_json = lambda *a: {'of': 'nonsense'}\nvalues = [6]",
        0,
        "no answer",
    ),
    "forks": ("import os\nos.fork()\nsquare = lambda x: x * x\nvalues = [6]", 4, ""),
    "calls": (
        "import socket\nsquare = lambda x: x * x\ntry:\n"
        "    socket.create_connection(('127.0.0.1', PORT), 2)\nexcept OSError:\n    values = [6]",
        4,
        "",
    ),
    "magics": ("%matplotlib inline\n%pip install x\nsquare = lambda x: x * x\nvalues = 6", 1, ""),
}
if sys.platform == "linux":  # elsewhere the system does not keep to the limit
    FUNCTIONS["hoards"] = ("values = [6]\nhoard = bytearray(10**10)", 3, "MemoryError")


@pytest.mark.slow
def test_functions_stay_where_they_are_and_are_asked(tmp_path):
    """Each ends in its own way; none of them ends the grading, or is believed."""
    master = write(tmp_path / "master.ipynb", SETUP, SQUARE, LIST)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for name, (source, *_) in FUNCTIONS.items():
            text = code(source.replace("PORT", port))
            write(tmp_path / "in" / f"{name}.ipynb", SETUP, text, SQUARE)
        done = command(master, tmp_path / "in", "--csv", tmp_path / "g.csv", "--seconds", 1)
    assert done.returncode == 0, done.stderr
    table = rows(tmp_path / "g.csv")
    for name, (_, points, word) in FUNCTIONS.items():
        page = (tmp_path / "feedback" / f"{name}.html").read_text(encoding="utf-8")
        if name == "calls" and table[name]["network"] == "NOT cut off":
            continue  # this system does not allow it, and the row says so
        assert float(table[name]["points"]) == points, (name, table[name])
        assert word in page, name


@pytest.mark.parametrize(
    "value",
    [
        None,
        ...,
        True,
        3,
        10**40,
        -2.5,
        1j,
        "text",
        [1, (2.0, "x")],
        {"a": np.arange(3), 2: None},
        np.float64(0.1),
        np.ones((2, 0, 3), dtype=np.float32),
        np.array(["a", "bc"]),
    ],
    ids=repr,
)
def test_plain_values_cross_as_they_are(value):
    sent = json.loads(json.dumps(to_json(value, lambda function: 0)))
    back = from_json(sent, lambda index: None)
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_what_could_run_does_not_cross():
    class Trap:
        def __reduce__(self):
            raise AssertionError("it was pickled")

    for value in (Trap(), [Trap()], np.array([Trap()], dtype=object)):
        back = from_json(to_json(value, lambda function: 0), lambda index: None)
        found = back[0] if isinstance(back, list) else back
        assert isinstance(found, Foreign)
    endless: list = []
    endless.append(endless)
    json.dumps(to_json(endless, lambda function: 0))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\0" * 10, "holds nothing"),
        (b"%PDF-1.4\xff", "a PDF"),
        (b"PK\3\4\xff", "zip"),
        (b"<html>", "web page"),
        (b'{"cells": [', "breaks off"),
        (b"my answer is 3", "plain text"),
        (b"[1, 2]", "no notebook"),
        (b'{"a": 1}', "no cells"),
        (b'{"cells": []}', "no cells"),
        (b"[" * 100_000, "no notebook"),
        (b"\xff\xfe\0\1", "no notebook"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_notebook_is_told_as_what_it_is(content, word, tmp_path):
    file = tmp_path / "x.ipynb"
    file.write_bytes(content)
    with pytest.raises(UnreadableError, match=word):
        read_notebook(file)


def test_a_notebook_of_any_age_is_read(tmp_path):
    file = tmp_path / "x.ipynb"
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1\n", "b"]}]}]}
    file.write_text(json.dumps(old))
    (only,) = read_notebook(file).cells
    assert (only.kind, only.source) == ("code", "a = 1\nb")
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"cells": [{"source": 7}, 3]}).encode())
    assert [each.source for each in read_notebook(file).cells] == ["7"]


def test_a_locked_cell_is_known_by_metadata_id_or_text(tmp_path):
    """A student's copy of a check is not run, whatever of it an editor or they changed."""
    master = read_master(write(tmp_path / "m.ipynb", SETUP, SQUARE, LIST))
    without_metadata = nbformat.v4.new_code_cell(SQUARE.source, id=SQUARE.id)
    text_alone = code(SQUARE.source.replace("'", '"') + "\n\n")
    changed = cell("print('mine')", "check", "square", code=True)
    changed.id = "an-editor-s-own"
    for copy in (SQUARE, without_metadata, text_alone, changed):
        sheet = write(tmp_path / "s.ipynb", SETUP, code("a = 1"), copy, LIST)
        steps, notes = master.steps(read_notebook(sheet))
        assert [step.source for step in steps] == ["a = 1"]
        assert notes == (["1 locked cell had been changed"] if copy is changed else [])


def test_another_notebook_is_noticed(tmp_path):
    master = read_master(write(tmp_path / "m.ipynb", SETUP, SQUARE))
    _, notes = master.steps(read_notebook(write(tmp_path / "s.ipynb", code("a = 1"))))
    assert "another notebook" in notes[0]


def test_a_master_without_checks_is_refused(tmp_path):
    file = write(tmp_path / "m.ipynb", SETUP, code("x = 1"))
    with pytest.raises(ValueError, match=r"make course"):
        read_master(file)
    (tmp_path / "in").mkdir()
    done = command(file, tmp_path / "in", "--csv", tmp_path / "g.csv")
    assert done.returncode == 2
    assert "check cells" in done.stderr


def test_students_are_named_as_canvas_moodle_and_folders_name_them(tmp_path):
    master = read_master(write(tmp_path / "m.ipynb", SETUP, SQUARE))
    place = tmp_path / "in"
    for name in (
        "lovelaceada_LATE_1815_77_sheet.ipynb",
        "Emmy Noether_1882_assignsubmission_file/sheet.ipynb",
        "sofia/notes.txt",
        "sofia/.ipynb_checkpoints/sheet-checkpoint.ipynb",
        "sofia/sheet (1).ipynb",
    ):
        write(place / name, SETUP, SQUARE)
    (place / "sofia" / "notes.txt").write_text("I could not do it.")
    (place / "nobody").mkdir()
    found = find_submissions(place, master, tmp_path / "m.ipynb")
    assert [(each.student, each.lms) for each in found] == [
        ("Emmy Noether", "1882"),
        ("lovelaceada", "1815"),
        ("nobody", ""),
        ("sofia", ""),
    ]
    assert found[3].path.name == "sheet (1).ipynb"
    assert "2 files" in found[3].notes[0]
    table = [
        {"student": each.student, "lms id": each.lms, "points": "1", "notes": ""} for each in found
    ]
    moodle = list(csv.DictReader(for_lms("moodle", table, "sheet", 4.0).splitlines()))
    assert moodle[0] == {
        "Identifier": "Participant 1882",
        "Full name": "Emmy Noether",
        "Grade": "1",
        "Maximum Grade": "4",
        "Feedback comments": "",
    }


def test_an_assignment_for_otter_is_right_by_itself_and_tells_no_answer(tmp_path):
    """Run as Otter Assign runs it: every test shows True; what students get shows no solution."""
    nbformat.write(the_class.master(), tmp_path / "sheet.ipynb")
    done = command(tmp_path / "sheet.ipynb", "--otter", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"otter assign {tmp_path / 'out' / 'sheet.ipynb'}" in done.stdout
    made = nbformat.read(tmp_path / "out" / "sheet.ipynb", 4)
    nbformat.validate(made)
    raw = [cell.source.splitlines()[0] for cell in made.cells if cell.cell_type == "raw"]
    one = ["QUESTION", "SOLUTION", "SOLUTION", "TESTS", "TESTS", "QUESTION"]
    begun = ["BEGIN", "BEGIN", "END", "BEGIN", "END", "END"]
    each = [f"# {word} {what}" for word, what in zip(begun, one, strict=True)]
    assert raw == ["# ASSIGNMENT CONFIG", *each, *each]
    assert "- ibtools[show] @ git+https://host/a/b@main" in made.cells[0].source
    space: dict[str, object] = {}
    points = 0.0
    for part in made.cells:
        if part.cell_type != "code":
            continue
        if part.outputs:
            points += float(part.source.splitlines()[1].partition("points: ")[2])
            assert part.outputs[0].data["text/plain"] == repr(
                eval(part.source.split("\n", 3)[3], space)
            )
        else:
            exec(part.source, space)
        if "theory" in part.source:
            assert all("# SOLUTION" in line for line in part.source.splitlines())
    assert points == the_class.POINTS


def test_a_name_is_no_formula_in_a_spreadsheet():
    assert "'=cmd" in as_csv(["student"], [{"student": "=cmd|' /C calc'!A0"}])


def test_help_says_where_untrusted_code_belongs():
    done = command("--help")
    assert done.returncode == 0
    assert CONTAINER in done.stdout
    assert "--network none" in CONTAINER
    assert LARGEST_FILE < 2**30
