"""A figure that the page computes is the same figure in a notebook: it has the page's controls."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from live_figures import LIVE

import ibtools.show
from ibtools.show import Grid, choices

BOOK = Path(__file__).resolve().parents[2] / "book"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
# The page counts the records of a run, and writes their losses; a notebook has the losses.
OTHERWISE = {("margins", "record"): "power"}


def called(node: ast.AST) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def figures() -> list[tuple[str, ast.Module, ast.Call]]:
    """The pages, and on them the cells that show such a figure and the calls that do."""
    found = []
    for path in sorted(BOOK.rglob("*.md")):
        for code in CELL.findall(path.read_text(encoding="utf-8")):
            if re.search(r"^live_figure\(", code, re.M):
                cell = ast.parse(re.sub(r"^:.*\n", "", code, flags=re.M))
                page = str(path.relative_to(BOOK).with_suffix(""))
                found += [
                    (page, cell, node) for node in ast.walk(cell) if called(node) == "live_figure"
                ]
    return found


FIGURES = figures()


def value(node: ast.expr) -> Any:
    """What is written there, with the names of `ibtools.show` and no other."""
    expression = compile(ast.Expression(node), "page", "eval")
    return eval(expression, {**vars(ibtools.show), "range": range})


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """The arguments of a call by name, those of a dictionary that is passed among them."""
    return {word.arg: word.value for word in call.keywords if word.arg is not None}


def grids(call: ast.Call) -> dict[str, Grid]:
    """The values of a notebook's controls, by name."""
    taken = ("alt", "anchor", "caption", "start", "presets", "data")
    written = {n: value(node) for n, node in keywords(call).items() if n not in taken}
    for word in call.keywords:
        written |= value(word.value) if word.arg is None else {}
    return {n: v if isinstance(v, Grid) else choices(v, label=n) for n, v in written.items()}


def in_a_notebook(cell: ast.Module, call: ast.Call) -> tuple[dict[str, Grid], dict[str, Any]]:
    """A notebook's controls, and where they are at first."""
    still = next(node for node in call.args if called(node) == "explore")
    own = grids(still)
    draw = next(
        node
        for node in cell.body
        if isinstance(node, ast.FunctionDef) and node.name == ast.unparse(still.args[0])
    ).args
    by_default = draw.args[len(draw.args) - len(draw.defaults) :]
    start = {a.arg: value(node) for a, node in zip(by_default, draw.defaults, strict=True)}
    first = {name: grid.values[0] for name, grid in own.items()}
    asked = keywords(still).get("start")
    return own | grids(call), start | first | (value(asked) if asked else {})


def completed(presets: dict[str, dict[str, Any]], start: dict[str, Any]) -> dict[str, Any]:
    """Where everything is after each button, by the words on it."""
    return {words.casefold(): start | values for words, values in presets.items()}


def presets_in_a_notebook(call: ast.Call, start: dict[str, Any]) -> dict[str, Any]:
    still = next(node for node in call.args if called(node) == "explore")
    given = [keywords(of)["presets"] for of in (still, call) if "presets" in keywords(of)]
    return completed({k: v for written in given for k, v in value(written).items()}, start)


def presets_on_the_page(live_page, call: ast.Call) -> dict[str, Any]:
    name = value(call.args[0])
    start = {key: about["start"] for key, about in on_the_page(live_page, call).items()}
    given = live_page.evaluate(f"ibtoolsLive['{name}'].presets")
    return completed(
        {
            one["label"]: {OTHERWISE.get((name, k), k): v for k, v in one["state"].items()}
            for one in given
        },
        start,
    )


def on_the_page(live_page, call: ast.Call) -> dict[str, dict[str, Any]]:
    """The parameters of the page's script, at first where the page says."""
    name = value(call.args[0])
    parameters = live_page.evaluate(f"JSON.parse(JSON.stringify(ibtoolsLive['{name}'].parameters))")
    asked = keywords(call).get("start")
    for parameter, at in (value(asked) if asked else {}).items():
        parameters[parameter]["start"] = at
    return {OTHERWISE.get((name, key), key): about for key, about in parameters.items()}


def test_each_script_has_its_figure() -> None:
    assert {value(call.args[0]) for _, _, call in FIGURES} == set(LIVE)
    assert len(FIGURES) > len(LIVE)


@pytest.mark.parametrize(("page", "cell", "call"), FIGURES, ids=[page for page, _, _ in FIGURES])
def test_a_notebook_has_the_controls_of_the_page(live_page, page, cell, call) -> None:
    here, start = in_a_notebook(cell, call)
    there = on_the_page(live_page, call)
    assert set(here) == set(there)
    for name in set(here) - set(OTHERWISE.values()):
        numbers, about = here[name].values, there[name]
        assert list(numbers) == sorted(numbers), "the slider moves the same way"
        assert (numbers[0], numbers[-1]) == (about["from"], about["to"]), name
        assert start[name] == pytest.approx(about["start"], rel=1e-12, abs=0), name
        assert about["start"] in numbers
        assert len(numbers) >= min(6, about["steps"] + 1), name
        assert (here[name].spacing == "geometric") <= (about.get("spacing") == "geometric"), name


@pytest.mark.parametrize(("page", "cell", "call"), FIGURES, ids=[page for page, _, _ in FIGURES])
def test_a_notebook_has_the_presets_of_the_page(live_page, page, cell, call) -> None:
    _, start = in_a_notebook(cell, call)
    here, there = presets_in_a_notebook(call, start), presets_on_the_page(live_page, call)
    assert there
    assert [words for words in here if words in there] == list(there), "in the page's order"
    for words, setting in there.items():
        for name in setting.keys() - set(OTHERWISE.values()):
            assert here[words][name] == pytest.approx(setting[name], rel=1e-12, abs=0), (
                words,
                name,
            )
