"""What the book's labels stand for: "Theorem 1.2", "(1.5)", the title of a section or a page.

Sphinx numbers the pages of the site; this counts in the same order by the same rules, so that a
notebook speaks of the same Theorem 1.2 as the site (``tests/site`` compares the two).
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from blocks import Directive, MathBlock, Text, parse

PROOF_KINDS = {
    "algorithm", "assumption", "axiom", "conjecture", "corollary", "criterion", "definition",
    "example", "lemma", "notation", "observation", "property", "proposition", "remark", "theorem",
}  # fmt: skip
HEADING = re.compile(r"^(#{1,6}) +(.*?)(?: +#+)?$")
TARGET = re.compile(r"^\(([^()\s]+)\)=\s*$")
# A figure that a cell computes, as it is written: explore(..., anchor="fig-…", caption="…").
COMPUTED = re.compile(r'^ *anchor="(fig-[^"]+)",\n *caption=((?:\s*"(?:[^"\\]|\\.)*")+)', re.M)
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)


@dataclass(frozen=True)
class Label:
    """One thing that can be referred to: its kind, its number ("" if none), its title, its page."""

    kind: str
    number: str
    title: str
    page: str

    @property
    def name(self) -> str:
        """How a sentence calls it: "Theorem 1.2", "(1.5)", or its title."""
        if self.kind == "equation":
            return f"({self.number})"
        return f"{self.kind.capitalize()} {self.number}" if self.number else self.title


@dataclass(frozen=True)
class Book:
    """All pages in reading order, and everything in them that has a number or a label."""

    titles: dict[str, str]  # page -> title
    labels: dict[str, Label]
    numbers: dict[tuple[str, str, int], str]  # (page, kind, how many before on this page) -> number
    lectures: dict[str, list[str]]  # a chapter's front page -> its lectures
    descriptions: dict[str, str]  # page -> what it shows, in a sentence ("" where it does not say)


def read_book(root: Path) -> Book:
    """Read every page of ``_toc.yml`` under `root`."""
    titles, labels, numbers, descriptions, counts = {}, {}, {}, {}, Counter()
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    for page, chapter in reading_order(toc):
        on_page: Counter = Counter()
        waiting: list[str] = []  # targets "(name)=" whose object comes next

        def number(kind, page=page, chapter=chapter, on_page=on_page):
            counts[chapter, kind] += 1
            value = f"{chapter}.{counts[chapter, kind]}" if chapter else str(counts[chapter, kind])
            numbers[page, kind, on_page[kind]] = value
            on_page[kind] += 1
            return value

        def visit(lines, page=page, waiting=waiting, number=number):
            for block in parse(lines):
                names = list(waiting)
                if isinstance(block, Text):
                    visit_text(block, page, waiting)
                    continue
                if isinstance(block, MathBlock):
                    if block.label:
                        labels[block.label] = Label("equation", number("equation"), "", page)
                    continue
                if not isinstance(block, Directive):
                    continue
                kind = numbered_kind(block)
                names += [n for n in (block.options.get("label"), block.options.get("name")) if n]
                if kind:
                    label = Label(kind, number(kind), block.argument, page)
                    labels.update(dict.fromkeys(names, label))
                    waiting.clear()
                elif names:
                    title = block.argument or block.name.removeprefix("prf:").capitalize()
                    labels.update(dict.fromkeys(names, Label("", "", title, page)))
                    waiting.clear()
                if block.name == "code-cell":
                    figure = (block.options.get("mystnb") or {}).get("figure") or {}
                    if figure.get("caption"):
                        label = Label("figure", number("figure"), figure["caption"], page)
                        labels.update(dict.fromkeys(filter(None, [figure.get("name")]), label))
                    for name, caption in COMPUTED.findall("\n".join(block.body)):
                        text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', caption))
                        labels[name] = Label("figure", number("figure"), text, page)
                elif block.name != "math":
                    visit(block.body)

        def visit_text(block, page, waiting):
            for line in block.lines:
                if match := TARGET.match(line):
                    waiting.append(match[1])
                elif match := HEADING.match(line):
                    titles.setdefault(page, match[2])
                    labels.update(dict.fromkeys(waiting, Label("", "", match[2], page)))
                    waiting.clear()

        text = (root / f"{page}.md").read_text()
        descriptions[page] = description(text)
        try:
            visit(FRONT_MATTER.sub("", text).splitlines())
        except ValueError as error:
            raise ValueError(f"{page}.md: {error}") from None
    return Book(titles, labels, numbers, chapters(toc), descriptions)


def description(text: str) -> str:
    """What a page says of itself in its front matter, as search engines and cards show it."""
    match = FRONT_MATTER.match(text)
    matter = yaml.safe_load(match[1]) if match else None
    return ((matter or {}).get("myst") or {}).get("html_meta", {}).get("description", "")


def chapters(toc: dict) -> dict[str, list[str]]:
    """Every page that has pages under it, with these."""
    entries = [entry for part in toc.get("parts") or [toc] for entry in part.get("chapters", [])]
    return {
        entry["file"]: [section["file"] for section in entry["sections"]]
        for entry in entries
        if entry.get("sections")
    }


def numbered_kind(block: Directive) -> str | None:
    """The kind under which Sphinx counts this directive, or None if it bears no number."""
    if "nonumber" in block.options:
        return None
    kind = block.name.removeprefix("prf:")
    if block.name.startswith("prf:") and kind in PROOF_KINDS:
        return kind
    if block.name in ("exercise", "exercise-start"):
        return "exercise"
    if block.name == "math" and block.options.get("label"):
        return "equation"
    if block.name == "figure" and any(line.strip() for line in block.body):
        return "figure"
    if block.name in ("table", "list-table") and block.argument:
        return "table"
    return None


def reading_order(toc: dict) -> list[tuple[str, str]]:
    """Every page with the number of its chapter ("" where chapters are not numbered)."""
    pages, chapter = [(toc["root"], "")], 0
    for part in toc.get("parts") or [{"chapters": toc.get("chapters", [])}]:
        for entry in part["chapters"]:
            if part.get("numbered"):
                chapter += 1
            number = str(chapter) if part.get("numbered") else ""
            pages.append((entry["file"], number))
            pages += [(section["file"], number) for section in entry.get("sections", [])]
    return pages
