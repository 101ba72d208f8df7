"""Cut MyST Markdown into text, display math, plain code fences and directives."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}(?=[^`]*$)|~{3,}|:{3,})(?P<info>.*)$")
NAMED = re.compile(r"^\{(?P<name>[^}\s]+)\}\s*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<key>[A-Za-z][\w-]*):(?:\s+(?P<value>.*))?$")
MATH = re.compile(r"^(?P<indent> *)\$\$(?P<rest>.*)$")
MATH_END = re.compile(r"^(?P<tex>.*?)\$\$\s*(?:\((?P<label>[^()\s]+)\))?\s*$")


@dataclass
class Text:
    """Lines without any block structure that matters here."""

    lines: list[str]


@dataclass
class Code:
    """A fence that is no directive, kept letter by letter."""

    lines: list[str]


@dataclass
class MathBlock:
    """Display math between double dollars."""

    tex: str
    label: str | None
    indent: str = ""


@dataclass
class Directive:
    """``{name} argument`` in a fence of backticks or colons."""

    name: str
    argument: str
    options: dict
    body: list[str]
    indent: str = ""
    line: int = field(default=0, compare=False)


def parse(lines: list[str]) -> Iterator[Text | Code | MathBlock | Directive]:
    """Yield the blocks of `lines` in order; what is inside a directive stays unparsed."""
    text: list[str] = []
    at = 0
    while at < len(lines):
        fence, math = FENCE.match(lines[at]), MATH.match(lines[at])
        if not fence and not math:
            text.append(lines[at])
            at += 1
            continue
        if text:
            yield Text(text)
            text = []
        if fence:
            end = end_of_fence(lines, at, fence["marks"])
            yield from read_fence(lines, at, end, fence)
            at = end + 1
        else:
            block, at = read_math(lines, at, math)
            yield block
    if text:
        yield Text(text)


def end_of_fence(lines: list[str], start: int, marks: str) -> int:
    closing = re.compile(rf"^\s*{re.escape(marks[0])}{{{len(marks)},}}\s*$")
    for at in range(start + 1, len(lines)):
        if closing.match(lines[at]):
            return at
    raise ValueError(f"the fence is never closed: {lines[start].strip()}")


def read_fence(lines, start, end, fence) -> Iterator[Code | Directive]:
    indent, info = fence["indent"], fence["info"].strip()
    named = NAMED.match(info)
    if not named:
        if fence["marks"][0] == ":":
            raise ValueError(f"a fence of colons without a directive: {lines[start].strip()}")
        yield Code(lines[start : end + 1])
        return
    body = [line.removeprefix(indent) for line in lines[start + 1 : end]]
    options, body = read_options(body)
    yield Directive(named["name"], named["argument"].strip(), options, body, indent, start)


def read_options(body: list[str]) -> tuple[dict, list[str]]:
    """Split ``:key: value`` lines, or a YAML block between ``---``, from the content."""
    if body and body[0].strip() == "---":
        end = next(at for at in range(1, len(body)) if body[at].strip() == "---")
        return yaml.safe_load("\n".join(body[1:end])) or {}, body[end + 1 :]
    options = {}
    while body and (match := OPTION.match(body[0].strip())):
        options[match["key"]] = (match["value"] or "").strip()
        body = body[1:]
    return options, body


def read_math(lines, start, opening) -> tuple[MathBlock, int]:
    rest, at, tex = opening["rest"], start, []
    while not (end := MATH_END.match(rest)):
        tex.append(rest)
        at += 1
        if at == len(lines):
            raise ValueError(f"the display math is never closed: {lines[start].strip()}")
        rest = lines[at]
    tex.append(end["tex"])
    content = "\n".join(line.strip() for line in tex).strip()
    return MathBlock(content, end["label"], opening["indent"]), at + 1
