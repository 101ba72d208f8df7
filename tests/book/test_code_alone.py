"""What counts as code: every change of what is computed, and no change of what is only said."""

import re
import shutil
from pathlib import Path

import pytest
from book_execution import digest
from code_alone import code_digest

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''\
"""What it is."""

from math import pi  # of the circle

SIZES = (1, 2)
"""A constant."""


class Net:
    """A net."""

    order: int = 2

    def __call__(self, x, *, scale=1.0):
        """Return it."""
        return f"{scale * x:.2f}" if x > 0 else -x


async def later(one, other):
    """Come later."""
    assert one
    return one - other
'''
SAID = [
    ("What it is", "What it was"),
    ('"""What it is."""\n', ""),
    ("A net", "Another"),
    ("Return it.", "Return it.\n\n        >>> 1 + 1\n        2\n        "),
    ('        """Return it."""\n', ""),
    ("Come later", "Come soon"),
    ("# of the circle", "# of no circle"),
    ("  # of the circle", ""),
    ("\n\n\nclass", "\n\nclass"),
    ("(1, 2)", "(\n    1,\n    2,\n)"),
]
DONE = [
    ("import pi", "import e"),
    ("(1, 2)", "(1, 3)"),
    ("(1, 2)", "[1, 2]"),
    ("A constant", "A number"),  # no docstring: it costs a run that such a text changes
    ("order: int = 2", "order: int = 3"),
    ("order: int", "order: float"),
    ("x, *, scale", "x, scale"),
    ("scale=1.0", "scale=1"),
    (":.2f}", ":.3f}"),
    ("x > 0", "x >= 0"),
    ("-x", "x"),
    ("async def", "def"),
    ("one - other", "other - one"),
    ("    assert one\n", ""),
]


def changed(tmp_path: Path, old: str, new: str) -> bool:
    assert old in MODULE
    file = tmp_path / "module.py"
    file.write_text(MODULE)
    before = code_digest(file)
    file.write_text(MODULE.replace(old, new, 1))
    return code_digest(file) != before


@pytest.mark.parametrize(("old", "new"), SAID)
def test_what_is_said_does_not_count(tmp_path, old, new):
    assert not changed(tmp_path, old, new)


@pytest.mark.parametrize(("old", "new"), DONE)
def test_what_is_done_counts(tmp_path, old, new):
    assert changed(tmp_path, old, new)


@pytest.mark.parametrize("name", ["one.js", "one.json", "one.py"])
def test_of_what_is_no_python_each_byte_counts(tmp_path, name):
    file = tmp_path / name
    found = set()
    for text in ("x = (", "x = ( ", '"""a"""(', '"""b"""('):
        file.write_text(text)
        found.add(code_digest(file))
    assert len(found) == 4


def test_a_run_of_a_page_depends_on_the_code_of_the_package_and_not_on_its_docstrings(tmp_path):
    for name in ("src/ibtools/theory", "book/_ext", "requirements.txt", "book/conftest.py"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    module = tmp_path / "src/ibtools/theory/interpolation.py"
    text, before = module.read_text(), digest(tmp_path)
    module.write_text(text.replace('"""', '"""Now: ', 1))
    assert module.read_text() != text
    assert digest(tmp_path) == before
    module.write_text(text.replace("1 / reciprocal", "2 / reciprocal"))
    assert module.read_text() != text
    assert digest(tmp_path) != before
    module.write_text(text)
    (tmp_path / "requirements.txt").write_text("numpy==2\n")
    assert digest(tmp_path) != before


# Reads a function of the user's, and looks for an argument in the code of one of ours.
READERS = {"src/ibtools/sweeps/sweep.py": 1, "book/imd/diagonal-network.md": 1}


def test_nothing_that_runs_reads_a_docstring():
    """Else a change of it would have to run the pages again; see `code_digest`."""
    reads = re.compile(r"^(?!\s*>>> ).*(?:__doc__|\bgetdoc\b|\bgetsource\w*|\bhelp\()", re.M)
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "book").rglob("*.md")]
    found = {
        str(path.relative_to(ROOT)): len(reads.findall(path.read_text(encoding="utf-8")))
        for path in files
    }
    assert {path: times for path, times in found.items() if times} == READERS
