"""What the course takes from the book's pages, as ``src/ibtools/course/pages.json``.

The package is installed without the book. So what `ibtools.course` says of exercises, their hints,
and what a lecture sets up before its exercises, are taken over by ``make notebooks``; no
solution is.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

from blocks import Directive, parse
from kinds import read_kind
from labels import Book
from plain_markdown import Translator

PAGES_OF_COURSE = Path("src/ibtools/course/pages.json")
KIND = re.compile(r"\{kind\}`([^`]*)`")
IN_TICKS = re.compile(r"`([A-Za-z_]\w*)`")
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def course_pages(sources: dict[str, str], book: Book, translators: dict[str, Translator]) -> str:
    """The text of the file, from the MyST of each page that has exercises."""
    exercises: dict[str, Any] = {}
    lectures: dict[str, Any] = {}
    for page, text in sources.items():
        found, wanted = exercises_of(page, text, book, translators[page])
        if not found:
            continue
        exercises.update(found)
        name = page.removeprefix("book/")
        lectures[name] = {"title": book.titles[page], **set_up(text, wanted)}
    return f"{{{in_lines('exercises', exercises)},\n{in_lines('lectures', lectures)}}}"


def in_lines(name: str, entries: dict[str, Any]) -> str:
    """As JSON with one entry a line, so that a change shows what it is about."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in entries.items()
    ]
    return f'"{name}": {{\n' + ",\n".join(lines) + "\n}"


def exercises_of(
    page: str, text: str, book: Book, translator: Translator
) -> tuple[dict[str, Any], set[str]]:
    """The exercises of a page, and the names of its code that they or their solutions use."""
    found: dict[str, Any] = {}
    wanted: set[str] = set()
    last = ""
    for block in parse(text.splitlines()):
        if not isinstance(block, Directive):
            continue
        body = "\n".join(block.body)
        if block.name == "exercise":
            last = block.options["label"].removeprefix("ex-").replace("-", ".", 1)
            kind = read_kind(KIND.search(body)[1])
            label = book.labels[block.options["label"]]
            found[last] = {
                "title": block.argument,
                "number": label.number,
                "page": page.removeprefix("book/"),
                "kind": kind.name,
                "difficulty": kind.difficulty,
                "hint": "",
            }
            wanted |= set(IN_TICKS.findall(body))
        elif block.name == "hint" and last:
            found[last]["hint"] = translator.translate(body)
        elif block.name == "solution":
            for code in CODE.findall(body):
                tree = ast.parse(code)
                wanted |= names_used(tree) - names_bound(tree)
    return found, wanted


def set_up(text: str, wanted: set[str]) -> dict[str, Any]:
    """The statements of a page's first cell, those that define what is wanted, and all they need.

    A statement counts for the names that it binds; one that binds none, as one that shows a figure,
    is left out.
    """
    cells = [
        "\n".join(block.body)
        for block in parse(text.splitlines())
        if isinstance(block, Directive) and block.name == "code-cell"
    ]
    statements = []
    for index, cell in enumerate(cells):
        lines = cell.splitlines()
        for node in ast.parse(cell).body:
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
            code = "\n".join(lines[first - 1 : node.end_lineno])
            binds, uses = _names(node)
            statements.append((code, binds | names_changed(node), uses, index == 0))
    needed = {name for _, binds, _, first in statements if first for name in binds} | wanted
    while True:
        more = {
            name for _, binds, uses, _ in statements if binds & needed for name in uses - needed
        }
        if not more:
            break
        needed |= more
    kept = [statement for statement in statements if statement[1] & needed]
    known = {name for _, binds, *_ in kept for name in binds}
    return {
        "statements": [
            {"code": code, "binds": sorted(binds), "uses": sorted(uses & known)}
            for code, binds, uses, _ in kept
        ]
    }


def names_bound(node: ast.AST) -> set[str]:
    """The names that a statement gives to the scope it stands in."""
    return _names(node)[0]


def names_changed(node: ast.AST) -> set[str]:
    """The names whose objects a statement changes, as ``w[0] = 1`` does, or ``w.zero_()``."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
        return set()  # it changes nothing before it is called
    changed = set().union(*map(names_changed, ast.iter_child_nodes(node)))
    if isinstance(node, ast.Subscript | ast.Attribute):
        in_place = isinstance(node, ast.Attribute) and node.attr.endswith("_")  # PyTorch's way
        if in_place or isinstance(node.ctx, ast.Store):
            changed.add(root_of(node))
    return changed - {""}


def root_of(node: ast.AST) -> str:
    """The name that a chain of attributes and items begins with."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_used(node: ast.AST) -> set[str]:
    """The names that a statement takes from outside, also those of a function that it defines."""
    return _names(node)[1]


def _names(node: ast.AST) -> tuple[set[str], set[str]]:
    if isinstance(node, ast.Name):
        stored = isinstance(node.ctx, ast.Store)
        return ({node.id}, set()) if stored else (set(), {node.id})
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}, set()
    bound, used = set(), set()
    for child in ast.iter_child_nodes(node):
        here, outside = _names(child)
        bound |= here
        used |= outside
    if isinstance(node, ast.arg):
        return {node.arg}, used
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
        return set(), used - bound
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}, used - bound
    return bound, used
