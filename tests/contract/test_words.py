"""What a docstring or a message writes as a name is one: a reader who looks it up finds it.

A name of the package is a public one, or the whole path of another, `ibtools.theory.activations`;
else a parameter, an attribute, or what is returned. Looked at is what can be no formula: words with
an underscore or a capital inside, and calls.
"""

import ast
import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from test_reference import SECTION, methods
from torch import nn
from used import public

import ibtools

PACKAGE = Path(ibtools.__file__).parent
QUOTED = re.compile(r"(?<!`)(?<!:)(``?)([^`]+?)\1(?!`)")
WORD = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)(\(.*\))?", re.S)
FILE = re.compile(r"\w+\.(?:csv|json|npz|toml)")
IN_A_MESSAGE = re.compile(r"(?<![\w.\0$\\\"'/-])([A-Za-z]\w*(?:\.\w+)*)(\(?)")
LAYERS = (nn.Linear(1, 1), nn.Conv2d(1, 1, 1), nn.MaxPool2d(1))
VALUES = {"loss_based"}  # of an option of a command
# Where texts are formulas, pages and styles.
NO_MESSAGES = ("claims/", "course/", "show/block", "show/svg", "show/mathtext")
# Symbols, and what in a mend the user has to put in.
SYMBOLS = {"f", "H", "exp", "softplus", "output", "positive_class"}
BUT = ("claims/claim.py", "claims/__main__.py", "course/registry.py", "course/exercises.py")


@cache
def by_own() -> dict[str, Any]:
    return {name.rpartition(".")[2]: thing for name, thing in public().items()}


@cache
def attributes(kind: type) -> frozenset[str]:
    """Return what an object of a class has, as its class and its docstring say."""
    annotated = (name for c in kind.__mro__ for name in vars(c).get("__annotations__", {}))
    return frozenset({*dir(kind), *annotated, *items(inspect.getdoc(kind) or "")})


@cache
def known() -> frozenset[str]:
    """Return all names that somebody who uses the package meets."""
    found: set[str] = set(by_own()) | set(dir(builtins))
    for name, thing in public().items():
        if inspect.isclass(thing):
            found |= attributes(thing)
            for _, method in methods(name, thing):
                found |= set(inspect.signature(method).parameters)
            if inspect.isfunction(thing.__init__):
                found |= set(inspect.signature(thing).parameters)
        elif callable(thing):
            found |= set(inspect.signature(thing).parameters) | items(inspect.getdoc(thing) or "")
    return frozenset(found)


def items(text: str) -> set[str]:
    """Return what the sections of a docstring have an item for, and what their text returns."""
    found = set()
    for title, body in SECTION.findall(text):
        for line in re.findall(r"^([\w*, ]+)(?: :.*)?$", body, re.M):
            found |= {name.strip("* ") for name in line.split(",")}
        if title in ("Returns", "Yields"):
            found |= set(re.findall(r"\w+", " ".join(QUOTED.sub(r"\2", body).split())))
    return found


@cache
def at(path: str) -> bool:
    """Say whether a whole path leads to something."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            if cut == 1:
                return False
            continue
        for part in parts[cut:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def is_name(word: str, own: set[str] | frozenset[str] = frozenset()) -> bool:
    head, _, rest = word.partition(".")
    if head == "ibtools":
        return at(word)
    if head in by_own() and inspect.isclass(by_own()[head]) and rest:
        return rest.partition(".")[0] in attributes(by_own()[head])
    return head in own or head in by_own() or at(word)


def documented() -> Iterator[tuple[str, Any, type | None]]:
    """Give what has an entry, with the class that it is of."""
    for name, thing in public().items():
        if inspect.isclass(thing):
            yield name, thing, thing
            for own, method in methods(name, thing):
                yield own, method, thing
            for own, member in vars(thing).items():
                if isinstance(member, property) and not own.startswith("_"):
                    yield f"{name}.{own}", member, thing
        elif callable(thing):
            yield name, thing, None


def unknown(name: str, thing: Any, kind: type | None) -> list[str]:
    """Return what a docstring writes as names and nothing has."""
    text = inspect.getdoc(thing) or ""
    own = items(text) | (attributes(kind) if kind else set())
    if inspect.isfunction(thing):
        own |= set(inspect.signature(thing).parameters)
        returned = re.findall(r"\w+", str(inspect.signature(thing).return_annotation))
        for word in {*returned, *own} & set(by_own()):
            if inspect.isclass(by_own()[word]):
                own |= attributes(by_own()[word])
    found = []
    for ticks, words in QUOTED.findall(text):
        match = WORD.fullmatch(words)
        if not match or FILE.fullmatch(words):
            continue
        looks = ticks == "`" or re.search(r"_|[a-z][A-Z]|^[A-Z]{2}", match[1])
        if looks and not is_name(match[1], own) and not in_code(match[1]):
            found.append(words)
    return found


@cache
def _constants() -> frozenset[str]:
    return frozenset(
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def in_code(word: str) -> bool:
    """Say whether it is the name of a variable of the environment that the package asks for."""
    return word.isupper() and "_" in word and word in _constants()


@pytest.mark.parametrize("package", sorted({name.split(".")[1] for name in public()}))
def test_what_a_docstring_writes_as_a_name_is_one(package):
    faults = {
        name: found
        for name, thing, kind in documented()
        if name.split(".")[1] == package and (found := unknown(name, thing, kind))
    }
    assert faults == {}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Give the texts in a file's code, with their lines; what is put in is a null."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            said |= {id(part) for part in node.values}
            parts = [p.value if isinstance(p, ast.Constant) else "\0" for p in node.values]
            yield node.lineno, "".join(parts)
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
        ):
            yield node.lineno, node.value


def words_of_messages() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(NO_MESSAGES) and place not in BUT:
            continue
        for line, text in texts(path):
            if " " not in text.strip():
                continue
            for word, call in IN_A_MESSAGE.findall(text):
                if "_" in word or call or word.startswith("ibtools."):
                    yield f"{place}:{line}", word


def of_torch(word: str) -> bool:
    """Say whether PyTorch has it: a module, a layer, a tensor, or the handle of a hook."""
    own = word.rpartition(".")[2]
    handle = torch.utils.hooks.RemovableHandle
    return any(hasattr(thing, own) for thing in (nn, nn.functional, *LAYERS, torch.ones(1), handle))


def is_told(word: str) -> bool:
    return is_name(word, known() | SYMBOLS) or of_torch(word) or in_code(word) or word in VALUES


def test_what_a_message_writes_as_a_name_is_one():
    found = list(words_of_messages())
    assert [(place, word) for place, word in found if not is_told(word)] == []
    assert len(found) > 150


def test_what_is_no_name_is_seen():
    def function(order):
        """Return `order` and `net_order`, see `margin_flow` and ``modified_bound(x)``.

        `MarginRun.norm` is one, `MarginRun.length` and `ibtools.trainers.length` are none;
        ``IBTOOLS_DATA`` is asked for, ``IBTOOLS_ODD`` is not.
        """

    wrong = ["net_order", "modified_bound(x)", "MarginRun.length", "ibtools.trainers.length"]
    assert unknown("function", function, None) == [*wrong, "IBTOOLS_ODD"]
    assert is_told("near_homogeneity.differences")
    assert not any(is_told(word) for word in ("strong_separability", "ibtools.theory.nothing"))
