r"""Write MyST Markdown in the plain Markdown that Jupyter and Colab show.

Theorems become quotations with a bold heading, solutions fold away in ``<details>``, equations
carry their number in ``\tag``, references and citations become words. A directive or role without
a translation is an error that names it: nothing reaches the reader as raw markup.
"""

import posixpath
import re
from dataclasses import dataclass, field

from blocks import Code, Directive, MathBlock, Text, parse
from citations import cite
from kinds import read_kind
from labels import PROOF_KINDS, TARGET, Book
from pybtex.database import BibliographyData

ADMONITIONS = {
    "attention", "caution", "danger", "error", "hint", "important", "note", "seealso", "tip",
    "warning",
}  # fmt: skip
SILENT = {"contents", "tableofcontents", "bibliography", "solution-end", "exercise-end"}
TRANSPARENT = {"div", "tab-set", "grid"}
TITLED = {"admonition", "card", "epigraph", "grid-item-card", "margin", "sidebar", "tab-item"}
NAMED_TARGET = re.compile(r"^(?P<text>.*?)\s*<(?P<target>[^<>]+)>$", re.S)
INLINE_MATH = re.compile(r"(?<![\\$])\$(?!\$)(?:\\.|[^$\\])+\$(?!\$)")
INLINE = re.compile(
    r"\{(?P<role>[a-z][\w:-]*)\}(?P<ticks>`+)(?P<content>.+?)(?P=ticks)"
    r"|(?P<code_ticks>`+).+?(?P=code_ticks)(?!`)"
    rf"|{INLINE_MATH.pattern}"
    r"|(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)",
    re.S,
)
DISPLAY_MATH = re.compile(r"\$\$.+?\$\$", re.S)


class NoTranslationError(ValueError):
    """The page uses markup that plain Markdown has no counterpart for."""


@dataclass
class Translator:
    """Translates the cells of one page, in order (it counts the theorems as it goes)."""

    page: str
    book: Book
    bibliography: BibliographyData
    notebooks: set[str]  # the pages that have a notebook
    cited: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)

    def translate(self, text: str) -> str:
        """The plain Markdown of one cell's MyST `text`."""
        return "\n".join(self.blocks(text.splitlines())).strip("\n")

    def blocks(self, lines: list[str]) -> list[str]:
        out: list[str] = []
        for block in parse(lines):
            if isinstance(block, Text):
                out += self.text(block.lines)
            elif isinstance(block, Code):
                out += block.lines
            elif isinstance(block, MathBlock):
                number = self.next_number("equation") if block.label else None
                out += indented(block.indent, ["", *display_math(block.tex, number), ""])
            else:
                out += indented(block.indent, ["", *self.directive(block), ""])
        return one_blank_line(out)

    def directive(self, block: Directive) -> list[str]:
        name, classes = block.name, str(block.options.get("class", "")).split()
        kind = name.removeprefix("prf:")
        folded = "dropdown" in classes or name == "dropdown"
        if name == "math":
            number = self.next_number("equation") if block.options.get("label") else None
            tex = "\n".join([block.argument, *block.body]).strip()
            return display_math(tex, number)
        if name in SILENT:
            return []
        if name == "lectures":
            # On the book's own front page these are the chapters.
            below = self.book.lectures.get(self.page) or self.book.lectures
            return [
                f"{number}. [{self.book.titles[page]}]({self.address(page)}): "
                f"{self.book.descriptions[page]}"
                for number, page in enumerate(below, start=1)
            ]
        if name in TRANSPARENT:
            return self.blocks(block.body)
        if name == "prf:proof":
            body = [*self.blocks(block.body), "", "∎"]
            title = self.inline(block.argument) or "Proof"
            return fold(title, body) if folded else [f"*{title}.*", "", *body]
        if name.startswith("prf:") and kind in PROOF_KINDS:
            heading = self.heading(kind, block)
            body = self.blocks(block.body)
            return fold(heading, body) if folded else quote([f"**{heading}**", "", *body])
        if name in ("exercise", "exercise-start"):
            heading = self.heading("exercise", block)
            return [f"**{heading}**", "", *self.blocks(block.body)]
        if name in ("solution", "solution-start"):
            heading = f"Solution to {self.label(block.argument).name}"
            if name == "solution-start":
                return [f"**{heading}**", "", *self.blocks(block.body)]
            body = self.blocks(block.body)
            return fold(heading, body) if folded else [f"**{heading}**", "", *body]
        if name in ADMONITIONS:
            title, first = name.capitalize().replace("Seealso", "See also"), [block.argument]
            body = self.blocks([*first, "", *block.body] if block.argument else block.body)
            return fold(title, body) if folded else quote([f"**{title}**", "", *body])
        if name in TITLED or name == "dropdown":
            title, body = self.inline(block.argument), self.blocks(block.body)
            if folded:
                return fold(title or "More", body)
            return quote([f"**{title}**", "", *body] if title else body)
        if name in ("image", "figure"):
            return self.image(block)
        if name in ("code-block", "code", "sourcecode"):
            return [f"```{block.argument}", *block.body, "```"]
        if name == "table":
            return [*self.caption("table", block.argument), "", *self.blocks(block.body)]
        raise NoTranslationError(
            f"{self.page}.md uses the directive {{{name}}}, which scripts/plain_markdown.py does "
            "not know how to write in plain Markdown; teach it, or write the page without it"
        )

    def heading(self, kind: str, block: Directive) -> str:
        words = kind.capitalize()
        if "nonumber" not in block.options:
            words += f" {self.next_number(kind)}"
        return f"{words} ({self.inline(block.argument)})" if block.argument else words

    def image(self, block: Directive) -> list[str]:
        alt = block.options.get("alt", "")
        picture = f"![{alt}]({block.argument})"
        if block.name == "image" or not any(line.strip() for line in block.body):
            return [picture]
        return [picture, "", *self.caption("figure", " ".join(block.body).strip())]

    def caption(self, kind: str, text: str) -> list[str]:
        """The numbered caption of the page's next figure or table."""
        if not text:
            return []
        return [f"**{kind.capitalize()} {self.next_number(kind)}.** {self.inline(text)}"]

    def next_number(self, kind: str) -> str:
        index = self.seen.get(kind, 0)
        self.seen[kind] = index + 1
        return self.book.numbers[self.page, kind, index]

    def text(self, lines: list[str]) -> list[str]:
        kept = [line for line in lines if not TARGET.match(line) and not line.startswith("%")]
        for line in kept:
            if re.match(r"^:\s+\S", line):
                raise NoTranslationError(
                    f"{self.page}.md has a definition list ({line!r}), which Jupyter does not show"
                )
            if re.match(r"^\s*\\begin\{(align|equation|gather|multline)\}", line):
                raise NoTranslationError(
                    f"{self.page}.md has a bare {line.strip()}; write $$ ... $$ (label) instead"
                )
        return self.inline("\n".join(kept)).split("\n")

    def inline(self, text: str) -> str:
        """Translate roles and links; code and formulas stay as they are."""

        def replace(match: re.Match) -> str:
            if match["role"]:
                return self.role(match["role"], match["content"].strip())
            if match["target"]:
                return self.link(match["text"], match["target"])
            return match[0]

        return INLINE.sub(replace, text)

    def role(self, name: str, content: str) -> str:
        named = NAMED_TARGET.match(content)
        text, target = (named["text"], named["target"]) if named else ("", content)
        if name in ("cite", "cite:p", "cite:ps", "cite:t", "cite:ts"):
            self.cited |= {key.strip() for key in content.split(",")}
            return cite(self.bibliography, content, in_sentence=name.startswith("cite:t"))
        if name == "doc":
            page = self.page_at(target)
            return f"[{text or self.book.titles[page]}]({self.address(page)})"
        if name == "eq":
            return self.pointer(self.label(target), "")
        if name in ("ref", "prf:ref"):
            return self.pointer(self.label(target), text)
        if name == "numref":
            label = self.label(target)
            return self.pointer(label, text.replace("%s", label.number))
        if name == "math":
            return f"${content}$"
        if name in ("code", "file", "py:func", "py:class", "samp"):
            return f"`{content}`"
        if name in ("sub", "sup", "kbd"):
            return f"<{name}>{content}</{name}>"
        if name in ("term", "abbr"):
            return text or content
        if name == "kind":
            return read_kind(content).in_words
        raise NoTranslationError(
            f"{self.page}.md uses the role {{{name}}}, which scripts/plain_markdown.py does not "
            "know how to write in plain Markdown; teach it, or write the page without it"
        )

    def link(self, text: str, target: str) -> str:
        if target.startswith("#") and target[1:] in self.book.labels:
            return self.pointer(self.label(target[1:]), text)
        file = target.partition("#")[0]
        if file.endswith(".md") and "://" not in file:
            page = self.page_at(file)
            if page in self.book.titles:
                return f"[{text or self.book.titles[page]}]({self.address(page)})"
        return f"[{text}]({target})"

    def label(self, name: str):
        if name not in self.book.labels:
            raise ValueError(f"{self.page}.md refers to the label {name!r}, which no page defines")
        return self.book.labels[name]

    def pointer(self, label, text: str) -> str:
        words = text or label.name
        return words if label.page == self.page else f"[{words}]({self.address(label.page)})"

    def page_at(self, target: str) -> str:
        """The page that `target` leads to from here; with a slash at its front, from the root."""
        folder = "/" if target.startswith("/") else posixpath.dirname(f"/{self.page}")
        path = posixpath.normpath(posixpath.join(folder, target.removesuffix(".md")))
        return path.lstrip("/")

    def address(self, page: str) -> str:
        ending = ".ipynb" if page in self.notebooks else ".md"
        return posixpath.relpath(page, posixpath.dirname(self.page)) + ending


def display_math(tex: str, number: str | None) -> list[str]:
    tex = re.sub(r"(?<!\\)%.*", "", tex)  # a comment would swallow what comes onto its line
    tex = re.sub(r"\s*\n\s*", "\n", tex).strip()
    if r"\\" in tex and not tex.startswith(r"\begin"):
        tex = rf"\begin{{split}}{tex}\end{{split}}"  # as Sphinx does
    tag = [rf"\tag{{{number}}}"] if number else []
    return ["$$", *tex.split("\n"), *tag, "$$"]


def quote(lines: list[str]) -> list[str]:
    """As a quotation; formulas on one line each, because Jupyter would take ">" for a part."""

    def on_one_line(match: re.Match) -> str:
        return " ".join(line.strip() for line in match[0].split("\n"))

    text = DISPLAY_MATH.sub(on_one_line, "\n".join(one_blank_line(lines)).strip("\n"))
    text = INLINE_MATH.sub(on_one_line, text)
    return [f"> {line}".rstrip() for line in text.split("\n")]


def fold(title: str, lines: list[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]


def indented(indent: str, lines: list[str]) -> list[str]:
    return [indent + line if line else line for line in lines]


def one_blank_line(lines: list[str]) -> list[str]:
    """Without blank lines at the start or in a row (code fences aside, where they have meaning)."""
    out: list[str] = []
    fence = ""
    for line in lines:
        if match := re.match(r"^[> ]*(`{3,}|~{3,})", line):
            fence = "" if fence == match[1] else fence or match[1]
        if line.strip() or fence or (out and out[-1].strip()):
            out.append(line)
    return out
