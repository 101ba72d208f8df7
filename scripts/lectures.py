"""How long a page is, and how long it takes to read."""

import math
import re

from blocks import Code, Directive, MathBlock, Text, parse
from labels import FRONT_MATTER

WORDS_A_MINUTE = 130  # of mathematics, read with a pencil at hand
SECONDS_A_FORMULA = 15  # on a line of its own
UNREAD = {"code-cell", "bibliography", "lectures", "contents", "tableofcontents", "image"}


def prose(source: str) -> tuple[int, int]:
    """Count the words of a page and its displayed formulas.

    Code, and what lies folded (solutions, hints), is not counted.
    """
    return _count(FRONT_MATTER.sub("", source).splitlines())


def _count(lines: list[str]) -> tuple[int, int]:
    words = formulas = 0
    for block in parse(lines):
        if isinstance(block, MathBlock):
            formulas += 1
        elif isinstance(block, Text):
            words += len(re.findall(r"\S*\w\S*", "\n".join(block.lines)))
        elif isinstance(block, Directive):
            if block.name == "math":
                formulas += 1
            elif block.name not in UNREAD and "dropdown" not in block.options.get("class", ""):
                more, inside = _count(block.body)
                words += more + len(block.argument.split())
                formulas += inside
        else:
            assert isinstance(block, Code)
    return words, formulas


def minutes_to_read(source: str) -> int:
    """Minutes for a first reading, in steps of five."""
    words, formulas = prose(source)
    minutes = words / WORDS_A_MINUTE + formulas * SECONDS_A_FORMULA / 60
    return max(5, 5 * math.ceil(minutes / 5))
