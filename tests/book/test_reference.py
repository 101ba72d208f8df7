"""The reference has an entry for every public name; the page that helps to choose is right."""

import inspect
import re
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from signatures import made_by_users, signature
from used import called, imported_by, public, theorems

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "book" / "reference"
CHOOSING = (PAGES / "index.md").read_text(encoding="utf-8")
# A call of these takes a file or hours: the example of `MarginRun.save`, the command's help.
WITHOUT_EXAMPLE = ("trainers.load_run", "experiments.train", "experiments.assess")
LISTED = re.compile(r"^```\{public\} (\S+)\n(.*?)^```$", re.M | re.S)
ROWS = re.findall(r"^\| (?!what you train|---|\[|\|)(.*) \|$", CHOOSING, re.M)
NAMES = sorted(public())
SECTION = re.compile(
    r"^([A-Z][\w ]+)\n-{3,}\n(.*?)(?=^[A-Z][\w ]+\n-{3,}\n|^\.\. |\Z)", re.M | re.S
)
CLAIMS = {claim.id: claim for claim in public()["ibtools.claims.CLAIMS"]}


def listed(text: str) -> list[str]:
    """Return the names that a page lists."""
    return [
        f"{package}.{name}"
        for package, names in LISTED.findall(text)
        for name in re.findall(r"\w+", names)
    ]


def test_every_public_name_stands_in_the_reference_once() -> None:
    found = Counter(name for page in PAGES.glob("*.md") for name in listed(page.read_text()))
    assert found == Counter(NAMES)


def test_every_page_shows_the_entries_of_its_package_and_is_in_the_contents() -> None:
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for page in PAGES.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert f"- file: book/reference/{page.stem}\n" in contents
        if page.stem != "index":
            assert text.count(f"```{{entries}} ibtools.{page.stem}\n") == 1
            assert {name.split(".")[1] for name in listed(text)} == {page.stem}
            assert f"({page.name})" in CHOOSING


def missing(name: str) -> list[str]:
    """Return what the docstring of a public name does not say."""
    thing = public()[name]
    text = inspect.getdoc(thing) or ""
    if inspect.ismodule(thing) or not callable(thing):
        return []
    wanted = []
    arguments = (signature(thing) or ("", ""))[0]
    if inspect.isclass(thing):
        if issubclass(thing, BaseException) or getattr(thing, "_is_protocol", False):
            return []
        wanted += ["Examples"] if made_by_users(thing) else []
    else:
        wanted += ["Examples"] if name.removeprefix("ibtools.") not in WITHOUT_EXAMPLE else []
        wanted += ["Parameters"] if arguments != "()" else []
    return [section for section in wanted if f"\n{section}\n---" not in f"\n{text}"]


@pytest.mark.parametrize("package", sorted({name.rpartition(".")[0] for name in NAMES}))
def test_an_entry_says_what_goes_in_and_shows_a_call(package: str) -> None:
    faults = {name: missing(name) for name in NAMES if name.rpartition(".")[0] == package}
    assert {name: found for name, found in faults.items() if found} == {}


def methods(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    """Give the methods of a public class that its entry shows, by their full names."""
    for own in dir(kind):
        member = inspect.getattr_static(kind, own)
        plain = inspect.unwrap(getattr(member, "__func__", member))
        ours = str(getattr(plain, "__module__", "")).startswith("ibtools.")
        if inspect.isfunction(plain) and ours and (own == "__call__" or not own.startswith("_")):
            yield f"{name}.{own}", plain


def described(text: str, *sections: str) -> set[str]:
    """Return what some sections of a docstring have an item for."""
    return {
        name.lstrip("*")
        for title, body in SECTION.findall(text)
        if title in sections
        for line in re.findall(r"^(\S.*)$", body, re.M)
        for name in line.partition(" : ")[0].split(", ")
    }


def undescribed(name: str, thing: Any) -> dict[str, list[str]]:
    """Return the parameters that a docstring does not describe, and those that it makes up."""
    if inspect.isclass(thing):
        found = dict(methods(name, thing))
        faults = {n: f for own, m in found.items() for n, f in undescribed(own, m).items()}
        if not made_by_users(thing) or not thing.__init__.__module__.startswith("ibtools."):
            return faults
    elif not callable(thing):
        return {}
    else:
        faults = {}
    text, given = (
        inspect.getdoc(thing) or "",
        set(inspect.signature(thing).parameters) - {"self", "cls"},
    )
    said = described(text, "Parameters", "Other Parameters")
    fields = described(text, "Attributes") if inspect.isclass(thing) else set()
    if wrong := sorted((given - said - fields) | (said - given)):
        faults[name] = wrong
    return faults


@pytest.mark.parametrize("package", sorted({name.rpartition(".")[0] for name in NAMES}))
def test_every_parameter_is_described_and_no_other(package: str) -> None:
    of_package = {n: thing for n, thing in public().items() if n.rpartition(".")[0] == package}
    faults = [undescribed(name, thing) for name, thing in of_package.items()]
    assert [found for found in faults if found] == []


def test_a_parameter_without_a_description_is_seen() -> None:
    def one(x: float, *, order: int) -> float:
        """Return one.

        Parameters
        ----------
        x, y
            Two.

        Returns
        -------
        order
            Something else.
        """

    class Kind:
        """A class.

        Parameters
        ----------
        d
            Its size.
        """

        def __init__(self, d: int, net: object) -> None: ...

        def call(self, w: float) -> None:
            """Call."""

    for thing in (one, Kind, Kind.__init__, Kind.call):
        thing.__module__ = "ibtools.somewhere"
    assert undescribed("one", one) == {"one": ["order", "y"]}
    assert undescribed("Kind", Kind) == {"Kind": ["net"], "Kind.call": ["w"]}


def test_a_signature_is_what_the_source_says() -> None:
    arguments, returned = signature(public()["ibtools.trainers.margin_flow"])
    assert arguments.startswith("(net: nn.Module, X: ArrayLike | Tensor, y: ArrayLike, *, loss:")
    assert "max_steps: int = 20_000" in arguments
    assert returned == "MarginRun"
    arguments, returned = signature(public()["ibtools.metrics.margin_spread"])
    assert (arguments, returned) == (
        '(margins: Float[ndarray, "*batch n"])',
        'Float[ndarray, "*batch"]',
    )
    assert signature(public()["ibtools.trainers.MarginRun"]) == ("", "")
    assert signature(public()["ibtools.theory.warpability"])[0].startswith(
        '(metric: Callable[[Inexact[ndarray, "d"]], Inexact[ndarray, "d d"]], w: ArrayLike)'
    )
    said = [signature(thing) for thing in public().values() if inspect.isfunction(thing)]
    assert not [one for one in said if " at 0x" in "".join(one) or "Union[" in "".join(one)]


def test_uses_are_found_in_cells_and_in_claims() -> None:
    flows = imported_by(ROOT / "book/imd/scale-and-shape.md")
    assert "ibtools.trainers.gradient_flow" in flows
    assert "thm-diagonal" in theorems()["ibtools.theory.implicit_limit"]
    assert "ibtools.theory.implicit_limit" not in imported_by(PAGES / "index.md")  # no cell


@pytest.mark.parametrize("row", ROWS, ids=[row.split(" | ")[0] for row in ROWS])
def test_a_row_names_what_there_is_and_a_claim_that_calls_it(row: str) -> None:
    _, trained, theory, measured = row.split(" | ")
    model, _, trainer = trained.partition(" → ")
    metric, label, identifier = re.fullmatch(
        r"(.*); \{prf:ref\}`([\w-]+)`, `([\w.-]+)`", measured
    ).groups()
    cells = {"models": model, "trainers": trainer, "theory": theory, "metrics": metric}
    known = {
        f"ibtools.{room}.{name}"
        for room, cell in cells.items()
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert len(known) >= 3
    assert known <= set(NAMES)
    assert CLAIMS[identifier].theorem == label
    calls = {id(thing) for thing in called(CLAIMS[identifier].compare)}
    for room in ("trainers", "theory"):
        of_room = [name for name in known if name.startswith(f"ibtools.{room}.")]
        assert any(id(public()[name]) in calls for name in of_room), (
            f"{identifier} calls none of {sorted(of_room)}"
        )


def test_there_are_rows_for_every_chapter() -> None:
    assert {row.rpartition("`, `")[2].split(".")[0] for row in ROWS} >= {
        claim.split(".")[0] for claim in CLAIMS
    }


@pytest.mark.slow
def test_the_sweep_that_is_shown_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (PAGES / "sweeps.md").read_text(encoding="utf-8")
    call, study = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "study.py").write_text(study, encoding="utf-8")
    (tmp_path / "call.py").write_text(call, encoding="utf-8")
    with joblib.parallel_config(backend="sequential"):
        names = runpy.run_path("call.py", run_name="__main__")
    assert names["runs"].message == "finished"
    assert names["norms"].shape == (3, 5)
    assert (names["norms"] > 0).all()
    assert len(names["load_sweep"]("norms").tasks) == 15


@pytest.mark.slow
def test_what_helps_to_choose_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing to a margin curve, and each of the further cases, in the order of the page."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in re.findall(r"^```python\n(.*?)^```$", CHOOSING, re.M | re.S):
        exec(compile(code, "book/reference/index.md", "exec"), names)
        if "savefig" in code:
            run = names["run"]
            assert run.converged
            assert len(run.normalized_margin) == len(run.log10_inverse_loss) > 10
    assert (tmp_path / "margin.svg").stat().st_size > 1000
    assert abs(names["end"] - names["predicted"]).max() < 1e-6
    assert names["homogeneity_of"](names["smooth"]).defect
    (margin, *_) = [names["margin_of"](**task) for task in names["tasks"][:1]]
    assert margin > 0
