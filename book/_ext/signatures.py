"""Signatures as the source has them: `ArrayLike` is `ArrayLike`, and a default what was typed."""

import ast
import inspect
import re
import sys
import textwrap
from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar

from used import public

# What the source says longer than a reader needs it.
SHORTER = (
    (re.compile(r"\bnp\.(?:typing\.)?(ndarray|ArrayLike)\b"), r"\1"),
    (re.compile(r"\btorch\.Tensor\b"), "Tensor"),
    (re.compile(r"""(["']) ?([^"']*?) ?\1"""), r'"\2"'),  # jaxtyping's " d", which flake8 asks for
    (re.compile(r"\s+"), " "),
)


def signature(thing: Any) -> tuple[str, str] | None:
    """Return the parameters, in brackets, and what is returned; of a class those of a call."""
    if inspect.isclass(thing):
        if not made_by_users(thing):
            return "", ""
        found = next((c for c in thing.__mro__ if "__init__" in vars(c)), object)
        if is_dataclass(thing) and is_dataclass(found) and not _written(found):
            return _plain(f"({', '.join(_fields(thing))})", thing.__module__), ""
        if not (found.__module__.startswith("ibtools") and _written(found)):
            return "()", ""
        return _plain(_of_function(vars(found)["__init__"])[0], found.__module__), ""
    plain = inspect.unwrap(getattr(thing, "__func__", thing))
    if not inspect.isfunction(plain):
        return None
    arguments, returned = _of_function(plain)
    return _plain(arguments, plain.__module__), _plain(returned, plain.__module__)


def _plain(said: str, module: str) -> str:
    """Write out what a module has an abbreviation for."""
    return _without_variables(spelled_out(said, module), vars(sys.modules[module]))


def spelled_out(said: str, module: str) -> str:
    """Write for `Numbers`, a name that no reader knows, the type that it stands for."""
    own = _abbreviations(module)
    known = {name: text for name, text in _all_abbreviations().items() if name not in own} | own

    def longer(found: re.Match[str]) -> str:
        return known.get(found[0], found[0])

    return re.sub(r'"[^"]*"|(?<![\w.])[A-Z]\w+\b', longer, said)


@cache
def _abbreviations(module: str) -> dict[str, str]:
    """Return the types that a module gives a name, as its source has them."""
    text = inspect.getsource(sys.modules[module])
    return {
        line.targets[0].id: _segment(text, line.value)
        for line in ast.parse(text).body
        if isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and re.fullmatch(r"[A-Z][a-z]\w*", line.targets[0].id)
        and isinstance(line.value, ast.Subscript | ast.BinOp)
    }


@cache
def _all_abbreviations() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted(sys.modules):
        if name.startswith("ibtools") and getattr(sys.modules[name], "__file__", None):
            found |= _abbreviations(name)
    return {name: text for name, text in found.items() if name not in _PUBLIC}


_PUBLIC = {path.rpartition(".")[2] for path in public()}


def _without_variables(said: str, known: dict[str, Any]) -> str:
    """Write for a type variable what it stands for: it is of use to checkers of types alone."""
    for name, variable in known.items():
        if isinstance(variable, TypeVar):
            said = said.replace(f"[{name}]", "")
            bound = getattr(variable.__bound__, "__name__", "Any").replace("Module", "nn.Module")
            said = re.sub(rf": {name}\b", f": {bound}", said)
            said = re.sub(rf"\b{name}\b(?!\()", bound, said)
    return said


def made_by_users(kind: type) -> bool:
    """Whether a class's own example calls it: others are what functions return."""
    if issubclass(kind, BaseException):
        return False
    text = inspect.getdoc(kind) or ""
    return bool(re.search(rf"^>>> .*\b{kind.__name__}\(", text, re.M)) or "\nParameters\n" in text


def annotations(kind: type) -> dict[str, str]:
    """Return the types of a class's fields, as its source has them."""
    found: dict[str, str] = {}
    for ours in reversed(kind.__mro__):
        if not ours.__module__.startswith("ibtools"):
            continue
        text, node = _parsed(ours)
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                found[line.target.id] = _plain(_segment(text, line.annotation), ours.__module__)
            if isinstance(line, ast.FunctionDef) and line.returns is not None:
                found[line.name] = _plain(_segment(text, line.returns), ours.__module__)
    return found


def _written(kind: type) -> bool:
    return inspect.isfunction(vars(kind).get("__init__")) and "__init__" in {
        line.name for line in _parsed(kind)[1].body if isinstance(line, ast.FunctionDef)
    }


def _fields(kind: type) -> list[str]:
    """Return a dataclass's fields, as its `__init__` takes them."""
    found: dict[str, str] = {}
    for ours in reversed(kind.__mro__):
        if not is_dataclass(ours):
            continue
        text, node = _parsed(ours)
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                known = vars(ours)["__dataclass_fields__"].get(line.target.id)
                if known is None or not known.init or known._field_type.name != "_FIELD":
                    continue
                one = ast.arg(known.name, line.annotation)
                found[known.name] = _parameter(text, one, _default(line.value))
    return list(found.values())


def _default(value: ast.expr | None) -> ast.expr | None:
    """Return a field's default, also where `field` is told it."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        told = {keyword.arg: keyword.value for keyword in value.keywords}
        return told.get("default") or told.get("default_factory")
    return value


def _of_function(function: Any) -> tuple[str, str]:
    text, node = _parsed(function)
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    parts = []
    for number, (one, default) in enumerate(zip(positional, defaults, strict=True)):
        if number or one.arg not in ("self", "cls"):
            parts.append(_parameter(text, one, default))
        if given.posonlyargs and number == len(given.posonlyargs) - 1:
            parts.append("/")
    if given.vararg:
        parts.append("*" + _parameter(text, given.vararg, None))
    elif given.kwonlyargs:
        parts.append("*")
    for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        parts.append(_parameter(text, one, default))
    if given.kwarg:
        parts.append("**" + _parameter(text, given.kwarg, None))
    returned = _segment(text, node.returns) if node.returns is not None else ""
    return f"({', '.join(parts)})", returned


def _parameter(text: str, one: ast.arg, default: ast.expr | None) -> str:
    said = one.arg
    if one.annotation is not None:
        said += f": {_segment(text, one.annotation)}"
    return said if default is None else f"{said} = {ast.get_source_segment(text, default)}"


def _segment(text: str, node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # a name that comes later
        said = node.value
    else:
        said = ast.get_source_segment(text, node) or ast.unparse(node)
    for longer, shorter in SHORTER:
        said = longer.sub(shorter, said)
    return said


@cache
def _parsed(thing: Any) -> tuple[str, Any]:
    text = textwrap.dedent(inspect.getsource(thing))
    return text, ast.parse(text).body[0]
