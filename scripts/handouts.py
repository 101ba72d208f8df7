"""`make pdf`: lectures, problem sets and the whole book on paper, printed from the built site.

Every lecture, and for every chapter its problems without solutions (`problems.pdf`) and with them
(`problems-with-solutions.pdf`); the book is one document, in which links lead to pages. With
NAME=imd/steps that lecture alone, with NAME=imd that chapter's problems, with NAME=book the book.
"""

import html
import os
import posixpath
import re
import sys
from collections import Counter
from pathlib import Path

import yaml
from browser import find_chromium
from built_page import BuiltPage, BuiltSite, element_at, inside, words
from labels import chapters, reading_order
from printing import Printer

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "pdf"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

ARTICLE = '<article class="bd-article">'
HINT_OR_SOLUTION = re.compile(r'<div class="[^"]*\b(?:hint|solution)\b[^"]*"')
FOLDED = re.compile(r'<details class="[^"]*\bhide\b[^"]*"(?! open)')
REFERENCE = re.compile(r'(<a\b[^<>]*\shref=")([^"]*)(")')
OWN_ID = re.compile(r'(<\w+\b[^<>]*?\sid=")([^"]+)(")')
# The theme prints a title and a list of contents of the page that this was.
APART = """
#jb-print-docs-body { display: none !important; }
article.bd-article h1 { display: block !important; }
.page-of-book + .page-of-book { break-before: page; }
"""
# On a lecture's paper hints and solutions are hidden, which it says (print.css).
WITHOUT_SOLUTIONS = "article.bd-article section::after { content: none !important; }\n"
WITH_SOLUTIONS = f"""{WITHOUT_SOLUTIONS}
article.bd-article :is(div.solution, div.admonition.hint) {{ display: block !important; }}
"""


def problems(site: BuiltSite, chapter: str, lectures: list[str], *, solutions: bool) -> str:
    """A page with the exercises of a chapter's lectures."""
    front = site.pages[chapter]
    parts = [f"<h1>Problems: {front.title}</h1>"]
    for name in lectures:
        page = site.pages[name]
        exercises = inside(page.cut("exercises"))
        exercises = exercises[exercises.index("</h2>") + len("</h2>") :]
        if solutions:
            exercises = exercises.replace("dropdown", "open")  # a fold would have to be pressed
        else:
            exercises = without(HINT_OR_SOLUTION, exercises)
        title = f"{page.number} {page.title}".strip()
        parts.append(f"<section><h2>{title}</h2>{exercises}</section>")
    style = WITH_SOLUTIONS if solutions else WITHOUT_SOLUTIONS
    return in_the_place_of(
        front, f"Problems: {words(front.title)}", "\n".join(parts), site.site, style
    )


def without(elements: re.Pattern[str], text: str) -> str:
    """HTML without some elements: not hidden, but gone."""
    kept, start = [], 0
    while found := elements.search(text, start):
        kept.append(text[start : found.start()])
        start = found.start() + len(element_at(text, found.start()))
    return "".join([*kept, text[start:]])


def whole_book(site: BuiltSite) -> str:
    """All pages as one, in reading order; what leads to a page leads to its place here."""
    pages = [site.pages[name] for name, _ in reading_order(TOC) if name in site.pages]
    counts = Counter(name for page in pages for name in page.places)
    once = {name for name, count in counts.items() if count == 1}
    body = "\n".join(one_of_many(page, site, once) for page in pages)
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    return in_the_place_of(pages[0], title, body, site.site)


def one_of_many(page: BuiltPage, site: BuiltSite, once: set[str]) -> str:
    """A page's article; what has an id that other pages have as well bears the page's name."""

    def new_id(name: str, of: str) -> str:
        return name if name in once else f"{of.replace('/', '-')}--{name}"

    def own_id(found: re.Match[str]) -> str:
        return f"{found[1]}{new_id(found[2], page.name)}{found[3]}"

    def reference(found: re.Match[str]) -> str:
        path, _, anchor = found[2].partition("#")
        if re.match(r"[a-z]+:", path):
            return found[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), path))
        name = there.removesuffix(".html") if path else page.name
        if name not in site.pages:
            return found[0]
        anchor = html.unescape(anchor)
        place = new_id(anchor, name) if anchor in site.pages[name].places else f"{name}--page"
        return f"{found[1]}#{place}{found[3]}"

    body = without(HINT_OR_SOLUTION, without(FOLDED, article_of(page)))  # print.css hides them
    body = REFERENCE.sub(reference, OWN_ID.sub(own_id, body))
    return f'<div class="page-of-book" id="{page.name}--page">{body}</div>'


def article_of(page: BuiltPage) -> str:
    """What a page says, without the scripts that follow it."""
    article = inside(element_at(page.html, page.html.index(ARTICLE)))
    start = article.index("<section")
    return element_at(article, start)


def in_the_place_of(page: BuiltPage, title: str, body: str, site: Path, style: str = "") -> str:
    """A page of the site with something else in its article, to be opened from anywhere."""
    start = page.html.index(ARTICLE)
    end = start + len(element_at(page.html, start))
    up = "../" * page.name.count("/")
    around = page.html[:start], page.html[end:]
    before, after = (
        part.replace(f'="{up}_static/', f'="{site.as_uri()}/_static/') for part in around
    )
    named = f"<title>{html.escape(title)}</title>"
    before = re.sub(r"<title>.*?</title>", lambda _: named, before, count=1, flags=re.DOTALL)
    before = before.replace("</head>", f"<style>@media print {{{APART}{style}}}</style></head>", 1)
    return f"{before}{ARTICLE}{body}</article>{after}"


def main() -> int:
    wanted = (os.environ.get("NAME") or "").removeprefix("book/").removesuffix(".md")
    of_chapter = chapters(TOC)
    lectures = [name for below in of_chapter.values() for name in below]
    known = {"", "book", *(name.removeprefix("book/") for name in [*lectures, *of_chapter])}
    if wanted not in known:
        print(f"NAME={wanted}: one of {', '.join(sorted(known - {''}))}", file=sys.stderr)
        return 2
    if find_chromium() is None:
        print("Printing needs Chromium; python scripts/browser.py installs it.", file=sys.stderr)
        return 1
    site = BuiltSite(SITE, [name for name, _ in reading_order(TOC)])
    with Printer() as printer:
        for name in lectures:
            if wanted in ("", name.removeprefix("book/")):
                told(printer.page(SITE / f"{name}.html", to(name)))
        for chapter, below in of_chapter.items():
            if wanted in ("", chapter.removeprefix("book/")):
                for solutions in (False, True):
                    made = problems(site, chapter, below, solutions=solutions)
                    kind = "problems-with-solutions" if solutions else "problems"
                    told(printer.text(made, to(f"{chapter}/{kind}")))
        if wanted in ("", "book"):
            told(printer.text(whole_book(site), to("book/book")))
    return 0


def to(name: str) -> Path:
    return TARGET / f"{name.removeprefix('book/')}.pdf"


def told(path: Path) -> None:
    print(f"    {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
