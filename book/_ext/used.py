"""Where a public name is used: by what lecture's code, and by the claims of what theorem."""

import ast
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = (
    *("data", "models", "trainers", "metrics", "theory"),
    *("claims", "show", "sweeps", "course", "experiments"),
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.M | re.S)


@cache
def public() -> dict[str, Any]:
    """Return every public name, `ibtools.theory.max_margin`, with what it names."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(f"ibtools.{package}")
        found |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    return found


def imported_by(page: Path) -> list[str]:
    """Return the public names that a page's cells import from the package, in order."""
    code = "\n".join(CELL.findall(page.read_text(encoding="utf-8")))
    code = re.sub(r"^:\w.*$|^[%!].*$", "", code, flags=re.M)
    found = dict.fromkeys(
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    )
    return [name for name in found if name in public()]


@cache
def theorems() -> dict[str, list[str]]:
    """Return for each public name the labels of the theorems whose claims call it."""
    names = {id(thing): name for name, thing in public().items() if callable(thing)}
    found: dict[str, list[str]] = {}
    for claim in public()["ibtools.claims.CLAIMS"]:
        if claim.theorem is None:
            continue
        for thing in called(claim.compare):
            if name := names.get(id(thing)):
                labels = found.setdefault(name, [])
                if claim.theorem not in labels:
                    labels.append(claim.theorem)
    return found


def called(function: Any) -> Iterator[Any]:
    """Give everything that a function of a module names, and what the module's own functions do."""
    function = inspect.unwrap(function)
    waiting, seen = [function], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or not isinstance(one, types.FunctionType):
            continue
        seen.add(id(one))
        for name in _names(one.__code__):
            thing = one.__globals__.get(name)
            yield thing
            if getattr(thing, "__module__", "") == function.__module__:
                waiting.append(inspect.unwrap(thing) if callable(thing) else thing)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
