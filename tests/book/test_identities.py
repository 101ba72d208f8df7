"""Every labelled equation of the book is a definition, or is checked."""

import importlib.util
from pathlib import Path

import mpmath
import pytest
from identity_kinds import DIGITS, Asymptotic, Entry, Identity, Inequality, Symbolic
from labels import read_book
from pages import ROOT, chapter_of

LABELS = read_book(ROOT).labels


CHAPTERS = sorted({chapter_of(label.page) for label in LABELS.values() if label.kind == "equation"})


def module_of(chapter: str) -> Path:
    return ROOT / "tests" / "book" / "identities" / f"{chapter.replace('-', '_')}.py"


# Chapters whose entries fill a second module.
FURTHER = {"homogeneous-margins": ("homogeneous_theorems",)}


def entries(chapter: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    first = module_of(chapter)
    for path in (first, *(first.with_stem(name) for name in FURTHER.get(chapter, ()))):
        if not path.exists():
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert not found.keys() & module.ENTRIES.keys(), f"{path.name} repeats an entry"
        found |= module.ENTRIES
    return found


ENTRIES = [(where, name, entry) for where in CHAPTERS for name, entry in entries(where).items()]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_labelled_equation_has_an_entry(chapter: str) -> None:
    there = {name for name, label in LABELS.items() if chapter_of(label.page) == chapter}
    equations = {name for name in there if LABELS[name].kind == "equation"}
    named = {name.split(":")[0] for name in entries(chapter)}
    assert equations <= named, f"without an entry in {module_of(chapter)}"
    assert named <= there, "entries for labels that the chapter does not have"


@pytest.mark.parametrize("entry", [pytest.param(e, id=f"{p}: {n}") for p, n, e in ENTRIES])
def test_equation(entry: Entry) -> None:
    with mpmath.workdps(DIGITS):
        entry.check()


@mpmath.workdps(DIGITS)
def test_a_wrong_equation_is_found() -> None:
    def x_squared(random):
        return (x := random.uniform(0, 1), x * x)

    wrong = [
        Identity(lambda random: (1 + (x := random.uniform(0, 1)), 1 + x + mpmath.mpf("1e-25"))),
        Identity(lambda random: (mpmath.nan, mpmath.nan)),
        Identity(lambda random: (1, 1)),
        Inequality(lambda random: x_squared(random), nearness=1.0),
        Inequality(lambda random: x_squared(random)[::-1], nearness=1e-6),
        Asymptotic(lambda scale: 1 + scale, (1e-1, 1e-2, 1e-3), 1e-4),
        Asymptotic(lambda scale: 1 + 1e-9 / scale, (1e-1, 1e-2, 1e-3), 1e-4),
        Symbolic(lambda: sympy_difference(3)),
    ]
    for entry in wrong:
        with mpmath.workdps(DIGITS), pytest.raises(AssertionError):
            entry.check()
    Inequality(lambda random: x_squared(random)[::-1], nearness=0.05).check()
    Asymptotic(lambda scale: 1 + scale, (1e-1, 1e-2, 1e-3), 1e-2).check()
    Symbolic(lambda: sympy_difference(2)).check()


def sympy_difference(factor: int):
    import sympy

    x = sympy.symbols("x")
    return sympy.sin(2 * x) - factor * sympy.sin(x) * sympy.cos(x)
