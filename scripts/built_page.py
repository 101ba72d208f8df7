"""What a built page holds, by name: theorems, equations, figures, claims, exercises, sections.

A page of the site is half a megabyte, most of it drawings and formulas. To parse it takes a second;
to find an element by its id, and where it ends, takes none.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ID = re.compile(r'<(\w+)\b[^<>]*?\sid="([^"]+)"[^<>]*>')
LIVE = '<div class="ib-live-figure"'
NUMBER = re.compile(r'class="(?:caption-number|eqno|ib-number caption-number)">\s*([^<]*?)[.\s]*<')
TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
SECTION_NUMBER = re.compile(r'<span class="section-number">([\d.]*?)\.?\s*</span>')
TAG = re.compile(r"<[^<>]*>")
# What leads to another place, or does something on a page only.
HEADERLINK = re.compile(r'<a class="headerlink".*?</a>', re.DOTALL)
CODE_OF_CLAIM = re.compile(r'<details class="claim-call">.*?</details>', re.DOTALL)
LINK = re.compile(r'<a\b[^<>]*\shref="([^"]*)"[^<>]*>(.*?)</a>', re.DOTALL)
# The same for all figures of a page: its first figure brings them.
FIGURE_STYLE = re.compile(r"<style>(\.ib-figure\{.*?)</style>", re.DOTALL)
FIGURE_SCRIPT = re.compile(
    r'<script>(\(function \(\) \{\n"use strict";\nif \(window\.ibFigures\).*?)</script>', re.DOTALL
)


class UnknownNameError(LookupError):
    """A name that no page of the book has; says which are like it."""


def id_of(name: str) -> str:
    """The id of what a label of the book, or the name of a claim, stands for.

    >>> id_of("eq-sqrt-k"), id_of("imd.kernel_limit"), id_of("thm-kernel")
    ('equation-eq-sqrt-k', 'claim-imd-kernel-limit', 'thm-kernel')
    """
    if name.startswith("eq-"):
        return f"equation-{name}"
    if "." in name:
        return "claim-" + re.sub(r"[^a-z0-9]+", "-", name.lower())
    return name


def element_at(html: str, start: int) -> str:
    """The element that begins at a place of well-formed HTML."""
    tag = re.compile(r"<(\w+)").match(html, start)
    if tag is None:
        raise ValueError(f"no element begins here: {html[start : start + 40]!r}")
    depth = 0
    for found in re.compile(rf"<(/?){tag[1]}\b[^<>]*>").finditer(html, start):
        depth += -1 if found[1] else 1
        if depth == 0:
            return html[start : found.end()]
    raise ValueError(f"{html[start : start + 40]!r} does not end")


def inside(element: str) -> str:
    """An element without its own tags."""
    return element[element.index(">") + 1 : element.rindex("<")]


def words(html: str) -> str:
    """HTML without its tags."""
    return " ".join(TAG.sub("", html).split())


@dataclass(frozen=True)
class BuiltPage:
    """One page of the site: its name, as in ``book/imd/steps``, and its HTML."""

    name: str
    html: str

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each id stands."""
        places: dict[str, int] = {}
        for found in ID.finditer(self.html):
            places.setdefault(found[2], found.start())
        return places

    @cached_property
    def title(self) -> str:
        """The page's title, with its formulas and without its number."""
        (title,) = [found for found in TITLE.findall(self.html) if "headerlink" in found] or [""]
        return SECTION_NUMBER.sub("", HEADERLINK.sub("", title))

    @cached_property
    def number(self) -> str:
        """The page's number, as in 1.3; empty where pages have none."""
        found = SECTION_NUMBER.search(self.html, self.html.index("<h1>", self.html.find("lec-")))
        return found[1] if found else ""

    def cut(self, id_: str) -> str:
        """The element with an id; a figure that the page computes with what it computes with."""
        start = self.places[id_]
        live = self.html.rfind(LIVE, 0, start)
        if live >= 0:
            block = element_at(self.html, live)
            if live + len(block) > start:
                return block
        return element_at(self.html, start)

    def number_of(self, id_: str) -> str:
        """How the book calls it: Theorem 1.4, (1.16), Figure 1.9."""
        found = NUMBER.search(self.html, self.places[id_])
        return found[1] if found else ""

    def style_of_figures(self) -> str:
        found = FIGURE_STYLE.search(self.html)
        return found[1] if found else ""

    def script_of_figures(self) -> str:
        found = FIGURE_SCRIPT.search(self.html)
        return found[1] if found else ""


class BuiltSite:
    """All pages of a built site, for the names in them."""

    def __init__(self, site: Path, pages: list[str]) -> None:
        self.site = site
        self.pages = {page: self._read(page) for page in pages if self._path(page).is_file()}

    def _path(self, page: str) -> Path:
        return self.site / f"{page}.html"

    def _read(self, page: str) -> BuiltPage:
        return BuiltPage(page, self._path(page).read_text(encoding="utf-8"))

    @cached_property
    def _where(self) -> dict[str, BuiltPage]:
        where: dict[str, BuiltPage] = {}
        for page in self.pages.values():
            for id_ in page.places:
                where.setdefault(id_, page)
        return where

    def find(self, name: str, page: BuiltPage) -> tuple[BuiltPage, str]:
        """Return the page that has a name, this page before others, and its id there."""
        id_ = id_of(name)
        if id_ in page.places:
            return page, id_
        if id_ in self._where and not id_.startswith(("section", "proof")):
            return self._where[id_], id_
        near = difflib.get_close_matches(id_, self._names(), n=3, cutoff=0.5)
        also = f"; near it: {', '.join(map(name_of, near))}" if near else ""
        raise UnknownNameError(f"no page of the book has {name!r}{also}")

    def _names(self) -> Iterator[str]:
        prefixes = ("thm-", "lem-", "def-", "cor-", "prop-", "fig-", "ex-", "equation-", "claim-")
        return (id_ for id_ in self._where if id_.startswith(prefixes))


def name_of(id_: str) -> str:
    """What one writes to have the element with an id; of a claim, ``module.name``."""
    if id_.startswith("claim-"):
        module, _, rest = id_.removeprefix("claim-").replace("-", "_").partition("_")
        for of_two in ("two_layer", "non_homogeneous"):
            if f"{module}_{rest}".startswith(f"{of_two}_"):
                module, rest = of_two, f"{module}_{rest}".removeprefix(f"{of_two}_")
        return f"{module}.{rest}"
    return id_.removeprefix("equation-")


def for_show(element: str) -> str:
    """An element without what one presses on a page only; a link is its words."""
    element = CODE_OF_CLAIM.sub("", HEADERLINK.sub("", element))
    return LINK.sub(lambda link: f"<span>{link[2]}</span>", element)
