"""The exercises of a page in plain Markdown: statement, hint and solution apart from each other."""

import re
from dataclasses import dataclass, field

import jupytext
from blocks import Directive
from plain_markdown import Translator

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Item:
    """One exercise of a page."""

    label: str
    heading: str
    statement: str
    hint: str = ""
    solution: list[tuple[str, str]] = field(default_factory=list)  # ("markdown" or "code", text)

    @property
    def id(self) -> str:
        """By what `ibtools.course` knows it: ``imd.tie`` for ``ex-imd-tie``."""
        return self.label.removeprefix("ex-").replace("-", ".", 1)


class ItemReader(Translator):
    """A translator that keeps the exercises it comes by; what it refers to is in the repository."""

    def __init__(self, *arguments, repository: str) -> None:
        super().__init__(*arguments)
        self.repository = repository  # where the pages are, as a web address
        self.items: dict[str, Item] = {}
        self.last = ""

    def directive(self, block: Directive) -> list[str]:
        if block.name == "exercise":
            self.last = block.options["label"]
            heading, body = self.heading("exercise", block), self.plain(block)
            self.items[self.last] = Item(self.last, heading, body)
        elif block.name == "hint" and self.last:
            self.items[self.last].hint = self.plain(block)
        elif block.name == "solution":
            self.items[block.argument].solution = apart(self.plain(block))
        else:
            return super().directive(block)
        return []

    def plain(self, block: Directive) -> str:
        return "\n".join(self.blocks(block.body)).strip("\n")

    def address(self, page: str) -> str:
        return f"{self.repository}/{page}{'.ipynb' if page in self.notebooks else '.md'}"

    def pointer(self, label, text: str) -> str:
        return f"[{text or label.name}]({self.address(label.page)})"


def apart(solution: str) -> list[tuple[str, str]]:
    """Text and code of a solution, in order."""
    pieces = PYTHON.split(solution)
    kinds = ("markdown", "code") * len(pieces)
    return [(k, piece.strip()) for k, piece in zip(kinds, pieces, strict=False) if piece.strip()]


def read_items(text: str, reader: ItemReader) -> list[Item]:
    """All exercises of a page, from its MyST."""
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        if cell.cell_type == "markdown":
            reader.translate(cell.source)
        elif caption := cell.metadata.get("mystnb", {}).get("figure", {}).get("caption"):
            reader.caption("figure", caption)
    return list(reader.items.values())
