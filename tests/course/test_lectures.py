"""What the course takes over from the pages: exercises, hints, set-ups, and no solution."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from book_solutions import SOLUTION
from course_pages import PAGES_OF_COURSE, names_bound, names_used, set_up
from notebooks import of_course

from ibtools.course import exercises, hint, lecture, lectures
from ibtools.course.registry import checkers

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book").rglob("*.md"))


def test_it_is_what_the_pages_say_today() -> None:
    """`make notebooks` writes it."""
    kept = (ROOT / PAGES_OF_COURSE).read_text(encoding="utf-8")
    assert kept == of_course(ROOT) + "\n"


def test_no_solution_is_taken_over() -> None:
    kept = (ROOT / PAGES_OF_COURSE).read_text(encoding="utf-8")
    lines = {
        line.strip()
        for page in PAGES
        for _, body in SOLUTION.findall(page.read_text(encoding="utf-8"))
        for line in body.splitlines()
        if len(line.strip()) > 40 and line.startswith(("assert", " ", "print")) is False
    }
    assert len(lines) > 500
    shown = {line for line in lines if line.replace("\\", "\\\\").replace('"', '\\"') in kept}
    # What a solution imports once more, its page imports as well.
    assert {line for line in shown if not line.startswith(("from ", "import "))} == set()


def test_every_exercise_has_a_hint_and_some_minutes() -> None:
    found = exercises()
    assert len({exercise.id for exercise in found}) == len(found) > 80
    for exercise in found:
        assert len(hint(exercise.id)) > 20
        assert "{" + "eq}" not in hint(exercise.id)
        assert exercise.minutes >= 10
        assert exercise.page in lectures()
        assert exercise.checked == (exercise.id in checkers())


def test_more_hints_may_be_had_than_the_book_has() -> None:
    assert hint("imd.tie", 2) != hint("imd.tie")
    with pytest.raises(ValueError, match=r'`hint\("imd.tie", 2\)`'):
        hint("imd.tie", 3)
    with pytest.raises(ValueError, match="id must be that of an exercise"):
        hint("imd.tei")


def test_a_name_of_a_lecture_is_made_by_the_lectures_own_code() -> None:
    here = lecture("imd/scale-and-shape")
    assert {"few_X", "sparse", "np", "plt", "implicit_limit"} <= set(here)
    assert here.few_X.shape == (5, 12)
    assert here["X"].shape == (100, 1000)
    assert "few_X" in repr(here)
    assert "few_X" in dir(here)
    with pytest.raises(AttributeError, match=r"did you mean .*few_X"):
        here.few_x  # noqa: B018
    with pytest.raises(ValueError, match="did you mean 'imd/scale-and-shape'"):
        lecture("scale-and-shape")


def test_checking_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from ibtools.course import check, checkers, homeworks, lecture, problem\n"
        "for checker in checkers().values():\n"
        "    for question in checker.questions:\n"
        "        question.judge(1.0)\n"
        "for name in homeworks(): problem(name, student='ada').check(None)\n"
        "print(lecture('imd/mirror-flow').two_X.shape)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "(2, 4)", answer.stderr


def test_no_page_imports_the_course() -> None:
    """So that a change there leaves the pages' runs as they are."""
    for page in PAGES:
        for cell in re.findall(r"```\{code-cell\}.*?```", page.read_text(encoding="utf-8"), re.S):
            assert "ibtools.course" not in cell, page
    modules = [*ROOT.glob("src/ibtools/*.py"), *ROOT.glob("src/ibtools/[!c]*/**/*.py")]
    modules += ROOT.glob("src/ibtools/claims/*.py")
    for module in modules:
        assert "ibtools.course" not in module.read_text(encoding="utf-8"), module


SMALL = """\
```{code-cell}
import numpy as np

data = np.ones(3)
```

```{code-cell}
def double(x, n=data):
    return [n * data for data in x]


@staticmethod
def shown(y):
    return draw(y)


wide = double(data)
print(wide)
```
"""


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (set(), ["import numpy as np", "data = np.ones(3)"]),
        ({"wide"}, ["import numpy", "data =", "def double", "wide ="]),
        ({"shown"}, ["import numpy", "data =", "@staticmethod\ndef shown"]),
    ],
)
def test_a_set_up_is_what_is_wanted_and_what_that_needs(wanted, kept) -> None:
    statements = [each["code"] for each in set_up(SMALL, wanted)["statements"]]
    assert len(statements) == len(kept)
    for statement, begins in zip(statements, kept, strict=True):
        assert statement.startswith(begins)


def test_names_of_a_scope_of_its_own_are_not_the_pages() -> None:
    import ast

    tree = ast.parse(
        "a, b = [c for c in d], lambda e: e + f\ndef g(h):\n    i = h + j\n    return i"
    )
    assert names_bound(tree) == {"a", "b", "g"}
    assert names_used(tree) == {"d", "f", "j"}
