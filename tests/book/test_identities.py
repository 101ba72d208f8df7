"""Every labelled equation of the book is a definition, or is checked."""

import importlib.util
from pathlib import Path

import mpmath
import pytest
from identity_kinds import DIGITS, Asymptotic, Entry, Identity, Inequality, Symbolic
from labels import read_book

ROOT = Path(__file__).parents[2]
LABELS = read_book(ROOT).labels
PAGES = sorted({label.page for label in LABELS.values() if label.kind == "equation"})


def module_of(page: str) -> Path:
    name = page.removeprefix("book/").replace("-", "_").replace("/", "__")
    return ROOT / "tests" / "book" / "identities" / f"{name}.py"


# Pages whose entries fill a second module.
FURTHER = {"book/homogeneous-margins": ("homogeneous_theorems",)}


def entries(page: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    first = module_of(page)
    for path in (first, *(first.with_stem(name) for name in FURTHER.get(page, ()))):
        if not path.exists():
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert not found.keys() & module.ENTRIES.keys(), f"{path.name} repeats an entry"
        found |= module.ENTRIES
    return found


ENTRIES = [(page, name, entry) for page in PAGES for name, entry in entries(page).items()]


@pytest.mark.parametrize("page", PAGES)
def test_every_labelled_equation_has_an_entry(page: str) -> None:
    on_page = {name for name, label in LABELS.items() if label.page == page}
    equations = {name for name in on_page if LABELS[name].kind == "equation"}
    named = {name.split(":")[0] for name in entries(page)}
    assert equations <= named, f"without an entry in {module_of(page)}"
    assert named <= on_page, "entries for labels that the page does not have"


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
