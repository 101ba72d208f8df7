"""The tests themselves: what lets a test pass without having looked."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_FILES = sorted(_TESTS.rglob("*.py"))


def _approximations_without_abs(tree: ast.AST) -> list[int]:
    """Return the lines where PyTest's own absolute tolerance of 1e-12 would come in.

    It lets 0 pass for 1e-13, whatever `rel` says.
    """
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("pytest.approx", "approx")
        and "abs" not in {keyword.arg for keyword in node.keywords}
    ]


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a function, without the functions defined in it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _own_nodes(node)


def _early_ends(tree: ast.AST) -> list[int]:
    """Return the lines where a test ends before its end, and is counted as passed."""
    return [
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
        for node in _own_nodes(function)
        if isinstance(node, ast.Return)
    ]


@cache
def _trees() -> list[tuple[Path, ast.AST]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in _FILES]


def _offences(find) -> list[str]:
    return [f"{path.relative_to(_TESTS)}:{line}" for path, tree in _trees() for line in find(tree)]


def test_every_approximation_states_its_absolute_tolerance() -> None:
    assert _offences(_approximations_without_abs) == [], "add abs=0 where rel= is all that counts"


def test_no_test_returns_early() -> None:
    assert _offences(_early_ends) == [], "draw until it fits: hypothesis.assume, or two tests"


@pytest.mark.parametrize(
    ("find", "red", "green"),
    [
        (_approximations_without_abs, "x == pytest.approx(1)", "x == pytest.approx(1, abs=0)"),
        (_approximations_without_abs, "x == approx(y, rel=1)", "x == approx(y, rel=1, abs=0)"),
        (
            _early_ends,
            "def test_a():\n    for x in y:\n        if x:\n            return",
            "def test_a():\n    def f():\n        return 1\n    assert f()",
        ),
    ],
)
def test_the_rules_see_what_they_forbid(find, red: str, green: str) -> None:
    assert find(ast.parse(red))
    assert not find(ast.parse(green))
