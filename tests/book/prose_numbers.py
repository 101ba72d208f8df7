"""Numbers in the prose of a page, and the numbers that its code produces or asserts."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import jupytext
from blocks import Directive, Text, parse
from labels import FRONT_MATTER

UP_TO_TWENTY = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
WORDS = dict(zip(UP_TO_TWENTY.split(), range(1, 21), strict=True)) | {
    "half": Fraction(1, 2),
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "hundred": 100,
    "thousand": 1000,
}
SPELLED = "|".join(WORDS)
DECIMAL = r"\d+\.\d+|\.\d+"
NUMBER = rf"(?:{DECIMAL}|\d[\d{{}}\\,]*\d|\d)"
POWER = re.compile(r"(?:(\d+(?:\.\d+)?) *(?:\\cdot|\\times|·|×) *)?10\^(?:\{(-?\d+)\}|(\d))")
PERCENT = re.compile(
    rf"({NUMBER}|\b(?:{SPELLED})\b)(?:\\,|\\;|~| |-|\u202f|\u00a0)*(?:\\%|%|per ?cent)"
)
TIMES = re.compile(
    rf"\b({NUMBER}|{SPELLED})[ -](?:times|fold)\b|\bfactor (?:of )?\$?({NUMBER}|{SPELLED})\b"
)
PLAIN = re.compile(rf"(?<![\w.\\])({DECIMAL})(?![\w.]*\d)")
SHOWN = re.compile(r"^```\w*\n.*?^```$", re.M | re.S)  # code to read, which is run nowhere here
NO_PROSE = [
    re.compile(r"\{[a-z:]+\}`[^`]*`"),  # a role: a reference, a citation
    re.compile(r"`[^`]*`"),  # code
    re.compile(r"\]\([^)]*\)"),  # where a link goes
    re.compile(r"https?://\S+"),
    re.compile(r"(?i)\barxiv[: ]?\S+"),
    re.compile(
        r"\b(?:Figures?|Theorems?|Corollary|Lemma|Sections?|Appendix|Python|CC BY) "
        r"[A-Z]?\.?\d+\.\d+(?: and \d+\.\d+)?"
    ),
]
# Literals that place and colour things say nothing about the experiment.
DRAWING = {"figure", "picture", "explore", "live_figure", "linspace", "geomspace", "sequence"}
DRAWN_ON = re.compile(r"^(ax|axes|fig|left|right|top|bottom|plt)\w*$")


@dataclass(frozen=True)
class Number:
    """A number in a sentence: its value, how many decimals are given, and the words around it."""

    value: float
    decimals: int
    text: str
    context: str


def prose(lines: list[str]) -> Iterator[str]:
    """Yield the paragraphs of a page, those inside theorems and solutions too, without any code."""
    for block in parse(lines):
        if isinstance(block, Text):
            shown = SHOWN.sub("", "\n".join(block.lines))
            yield from re.split(r"\n\s*\n", shown)
        elif isinstance(block, Directive) and block.name not in (
            "code-cell",
            "math",
            "bibliography",
        ):
            yield block.argument
            yield from prose(block.body)


def numbers_in(paragraph: str) -> Iterator[Number]:
    """Yield what reads like a measurement: decimals, powers of ten, percentages, factors."""
    for pattern in NO_PROSE:
        paragraph = pattern.sub(" ", paragraph)
    paragraph = re.sub(r"(?<=\d)(?:\{,\}|\\,)(?=\d{3})", "", paragraph)

    def found(match: re.Match, value: float | str) -> Number:
        start, end = max(match.start() - 30, 0), match.end() + 30
        context = " ".join(paragraph[start:end].split())
        digits = str(value)
        given = len(digits.split(".")[1]) if re.fullmatch(DECIMAL, digits) else 0
        value = WORDS.get(digits, digits)
        return Number(float(Fraction(value)), given, match[0].strip(), context)

    taken: list[tuple[int, int]] = []
    for pattern in (POWER, PERCENT, TIMES, PLAIN):
        for match in pattern.finditer(paragraph):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            taken.append(match.span())
            if pattern is POWER:
                exponent = int(match[2] or match[3])
                if exponent < -300 or exponent > 300:
                    exponent_only = found(match, match[1] or "1")
                    yield Number(float(abs(exponent)), 0, exponent_only.text, exponent_only.context)
                else:
                    yield found(match, f"{match[1] or 1}e{exponent}")
            else:
                yield found(match, next(group for group in match.groups() if group))


@dataclass
class Backing:
    """Numbers that code speaks of: asserted ones, settings, intervals asserted by ``a < x < b``."""

    asserted: set[float]
    settings: set[float]
    intervals: set[tuple[float, float]]

    def of(self, number: Number) -> bool:
        """Whether `number` is a setting, or asserted up to the decimals it is given with."""
        factors = (1.0, 0.01) if re.search(r"%|cent", number.text) else (1.0,)
        return any(self._has(number, factor) for factor in factors)

    def _has(self, number: Number, factor: float) -> bool:
        value, rounding = number.value * factor, 0.5 * 10**-number.decimals * factor
        if number.decimals == 0 and factor == 1.0:
            rounding = 0.0
        exact = 1e-9 * abs(value)
        near = max(rounding, exact) * (1 + 1e-9)
        # An interval that is wide against the last digit would hold for another digit, too.
        widest = 4 * rounding if rounding else 0.2 * abs(value)
        return (
            any(abs(abs(single) - value) <= near for single in self.asserted)
            or any(abs(abs(single) - value) <= exact for single in self.settings)
            or any(
                (low <= value <= high or low <= -value <= high)
                and high - low <= widest * (1 + 1e-9)
                for low, high in self.intervals
            )
        )


def constant(node: ast.AST) -> float | None:
    """The value of an arithmetic expression of numbers alone, or None."""
    allowed = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    if not all(isinstance(part, allowed) for part in ast.walk(node)):
        return None
    try:
        value = eval(compile(ast.Expression(node), "a literal", "eval"), {"__builtins__": {}})
        return float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None


def backing(sources: list[str]) -> Backing:
    """Collect the numbers of several pieces of code."""
    found = Backing(set(), set(), set())
    for source in sources:
        _collect(ast.parse(source), found, found.settings)
    return found


def _collect(node: ast.AST, found: Backing, numbers: set[float]) -> None:
    if isinstance(node, ast.Assert):
        numbers = found.asserted
    if isinstance(node, ast.Call) and _draws(node.func):
        # What is drawn is no statement, but a slider's ends are settings.
        for part in [*node.args, *(k.value for k in node.keywords)]:
            if isinstance(part, ast.Call):
                _collect(part, found, numbers)
        if getattr(node.func, "id", None) in ("linspace", "geomspace", "sequence"):
            numbers |= {v for part in node.args if (v := constant(part)) is not None}
        return
    if isinstance(node, ast.Compare) and len(node.ops) == 2 and numbers is found.asserted:
        ends = constant(node.left), constant(node.comparators[1])
        if None not in ends and 0 < max(ends) - min(ends) <= 0.7 * max(map(abs, ends)):
            found.intervals.add((min(ends), max(ends)))
    if isinstance(node, ast.expr) and (value := constant(node)) is not None:
        numbers.add(value)
    for child in ast.iter_child_nodes(node):
        _collect(child, found, numbers)


def _draws(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in DRAWING
    while isinstance(function, ast.Attribute | ast.Subscript):
        function = function.value
    return isinstance(function, ast.Name) and bool(DRAWN_ON.match(function.id))


def claims_on(cells: list[str]) -> list[str]:
    """Sources of the claims that the cells check: a claim asserts what it says."""
    import ibtools.claims as book_claims

    sources = []
    for module, name in re.findall(r"\b(\w+)\.(\w+)\.check\(\)", "\n".join(cells)):
        if hasattr(book_claims, module):
            compare = getattr(getattr(book_claims, module), name).compare
            sources.append(textwrap.dedent(inspect.getsource(compare)))
    return sources


@cache
def backing_of(page: Path) -> Backing:
    """The numbers that the code of a page speaks of: of its cells, solutions and claims."""
    text = page.read_text()
    cells = [
        cell.source for cell in jupytext.read(page, fmt="md:myst").cells if cell.cell_type == "code"
    ]
    solutions = re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return backing([*cells, *map(textwrap.dedent, solutions), *claims_on(cells)])


def without_backing(page: Path, paragraphs: list[str] | None = None) -> list[Number]:
    """Numbers in the prose of a page that nothing in its code produces or asserts.

    With `paragraphs`, the numbers in these instead: in what stands on the page from elsewhere.
    """
    if paragraphs is None:
        paragraphs = list(prose(FRONT_MATTER.sub("", page.read_text()).splitlines()))
    known = backing_of(page)
    return [
        number
        for paragraph in paragraphs
        for number in numbers_in(paragraph)
        if not known.of(number)
    ]
