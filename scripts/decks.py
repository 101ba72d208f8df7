"""Slides of a lecture: a short text says what they show, and the built page has it.

A deck's text, ``slides/<chapter>/<lecture>.md``, is Markdown:

    # The question of the lecture?

    ## Title of a slide

    - A point, with $formulas$; @thm-kernel becomes "Theorem 1.4".

    @fig-level-sets

    Notes: What the speaker says or does here, up to the next title.

A line ``@name`` puts there what bears this name on the page: a theorem, an equation, a figure with
its sliders, an exercise, a claim (``@imd.kernel_limit``), or a section by its anchor. Of a theorem
that is too long for a slide ``@thm-name 1-3`` takes the first three of its paragraphs and formulas.
"""

import html
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from built_page import BuiltPage, BuiltSite, UnknownNameError, element_at, for_show, inside, words
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "book" / "_ext"))

import formulas
from vendor import VENDOR

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "slides"
ASSETS = "assets"
SHOWN = re.compile(r"^@([a-z0-9][\w.-]*)(?: (\d+)-(\d+))?$")
NAMED = re.compile(r"@([a-z][\w-]*-[\w-]*\w)")
LIVE = re.compile(r'data-ib-figure="([^"]+)"')
CAPTION = re.compile(r"<figcaption>.*?</figcaption>", re.DOTALL)
SETTING = re.compile(r'<span class="ib-setting">.*?</span>', re.DOTALL)
MATHML = re.compile(r"<math>.*?</math>", re.DOTALL)
NEEDS_NOTES = ("thm-", "lem-", "prop-", "cor-", "def-", "fig-")


class DeckError(ValueError):
    """What is wrong with the text of a deck, with its place."""


@dataclass
class Slide:
    """A slide as it is written: its title, the blocks below it, what the speaker says."""

    title: str
    line: int
    blocks: list[str] = field(default_factory=list)
    notes: str = ""

    def shown(self) -> list[str]:
        """Names of what is taken from the page."""
        return [found[1] for block in self.blocks if (found := SHOWN.match(block))]


@dataclass(frozen=True)
class Deck:
    """The slides of a lecture as they are written; the first bears the lecture's question."""

    page: str
    question: Slide
    slides: list[Slide]
    path: Path


def read_deck(path: Path, page: str) -> Deck:
    """Read the text of a deck.

    Raises
    ------
    DeckError
        If it does not begin with a question, or a slide has nothing on it or no notes beside a
        theorem or a figure.
    """
    slides: list[Slide] = []
    part: list[str] = []

    def close() -> None:
        if slides:
            text = "\n".join(part)
            shown, _, notes = text.partition("\nNotes:")
            slides[-1].blocks = [b.strip() for b in _blocks(shown) if b.strip()]
            slides[-1].notes = " ".join(notes.split())
        part.clear()

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if heading := re.match(r"(##?) +(.*)", line):
            close()
            if (heading[1] == "#") != (not slides):
                raise DeckError(f"{path}:{number}: one line '# question' first, then '## title's")
            slides.append(Slide(heading[2].strip(), number))
        else:
            part.append(line)
    close()
    if not slides:
        raise DeckError(f"{path}:1: a deck begins with '# the question of the lecture?'")
    for slide in slides[1:]:
        if not slide.blocks:
            raise DeckError(f"{path}:{slide.line}: nothing is on this slide")
    for slide in slides:
        if any(name.startswith(NEEDS_NOTES) for name in slide.shown()) and not slide.notes:
            raise DeckError(f"{path}:{slide.line}: a theorem or figure, and no 'Notes:' for it")
    return Deck(page, slides[0], slides[1:], path)


def _blocks(text: str) -> list[str]:
    """Split into what is shown by name, each on a line of its own, and Markdown between."""
    blocks, run = [], []
    for line in text.splitlines():
        if SHOWN.match(line.strip()):
            blocks += ["\n".join(run), line.strip()]
            run = []
        else:
            run.append(line)
    return [*blocks, "\n".join(run)]


def sources() -> dict[str, Path]:
    """Return the texts of all decks, by the page that they are of."""
    return {
        f"book/{path.relative_to(SOURCES).with_suffix('').as_posix()}": path
        for path in sorted(SOURCES.glob("*/*.md"))
    }


class Composer:
    """Composes decks from a built site.

    Parameters
    ----------
    site
        The built pages.
    link
        Where the first slide's link to the lecture leads, given the page; None for no link.
    """

    def __init__(self, site: BuiltSite, link: Callable[[str], str] | None = None) -> None:
        self.site, self.link = site, link
        self.markdown = markdown(formulas.set_formula)
        self.spoken = markdown(as_mathml)

    def compose(self, deck: Deck) -> str:
        """Return a deck as HTML.

        Raises
        ------
        DeckError
            If a name is not in the book, or a formula is not understood.
        """
        page = self.site.pages[deck.page]
        slides = [
            self._first(deck, page),
            *(self._slide(slide, page, deck) for slide in deck.slides),
        ]
        body = "\n".join(slides)
        live = list(dict.fromkeys(LIVE.findall(body)))
        scripts = ["reveal.js", "notes.js", *(["d3.js", "frame.js"] if live else [])]
        scripts += [*(f"{name}.js" for name in live), "deck.js"]
        styles = [
            "reveal.css",
            "formulas/mathjax.css",
            "formulas.css",
            *(["live.css"] if live else []),
        ]
        return TEMPLATE.format(
            title=html.escape(words(without_formulas(page.title))),
            styles="".join(
                f'<link rel="stylesheet" href="../{ASSETS}/{name}">\n'
                for name in [*styles, "deck.css"]
            ),
            figures=page.style_of_figures() or self._any("style_of_figures"),
            slides=body,
            script=page.script_of_figures() or self._any("script_of_figures"),
            scripts="".join(f'<script src="../{ASSETS}/{name}"></script>\n' for name in scripts),
        )

    def _any(self, what: str) -> str:
        found = (getattr(page, what)() for page in self.site.pages.values())
        return next(filter(None, found), "")

    def _first(self, deck: Deck, page: BuiltPage) -> str:
        number = f'<p class="lecture-number">Lecture {page.number}</p>' if page.number else ""
        question = self._inline(deck.question.title, page, deck, deck.question)
        below = "".join(
            self._block(block, page, deck, deck.question) for block in deck.question.blocks
        )
        link = ""
        if self.link:
            link = f'<p class="lecture-link"><a href="{self.link(deck.page)}">The lecture</a></p>'
        return (
            f'<section class="first"><div class="body">{number}<h1>{page.title}</h1>'
            f'<p class="question">{question}</p>{below}{link}</div>'
            f"{self._notes(deck.question, page, deck)}</section>"
        )

    def _slide(self, slide: Slide, page: BuiltPage, deck: Deck) -> str:
        shown = [block for block in slide.blocks if SHOWN.match(block)]
        said = [block for block in slide.blocks if not SHOWN.match(block)]
        figures = [block for block in shown if block.startswith("@fig-")]
        parts = [
            (block in figures, self._block(block, page, deck, slide)) for block in slide.blocks
        ]
        if LIVE.search("".join(part for is_figure, part in parts if is_figure)):
            text = "".join(part for is_figure, part in parts if not is_figure)
            drawn = CAPTION.sub("", "".join(part for is_figure, part in parts if is_figure))
            body = f'<div class="text">{text}</div><div class="drawn">{drawn}</div>'
            kind = "live"
        elif figures and (said or len(shown) > len(figures)):
            text = "".join(part for is_figure, part in parts if not is_figure)
            drawn = "".join(part for is_figure, part in parts if is_figure)
            text += "".join(map(beside, CAPTION.findall(drawn)))
            body = (
                f'<div class="text">{text}</div><div class="drawn">{CAPTION.sub("", drawn)}</div>'
            )
            kind = "beside"
        else:
            body = "".join(part for _, part in parts)
            kind = "drawn" if figures else "text"
        title = self._inline(slide.title, page, deck, slide)
        return (
            f'<section class="{kind}"><h2>{title}</h2><div class="body">{body}</div>'
            f"{self._notes(slide, page, deck)}</section>"
        )

    def _notes(self, slide: Slide, page: BuiltPage, deck: Deck) -> str:
        if not slide.notes:
            return ""
        text = self._numbers(slide.notes, page, deck, slide)
        return f'<aside class="notes">{self._set(self.spoken.render, text, deck, slide)}</aside>'

    def _block(self, block: str, page: BuiltPage, deck: Deck, slide: Slide) -> str:
        if named := SHOWN.match(block):
            element = self._element(named[1], page, deck, slide)
            if named[2] is None:
                return element
            try:
                return part_of(element, int(named[2]), int(named[3]))
            except ValueError as error:
                raise DeckError(f"{deck.path}:{slide.line}: {block}: {error}") from None
        text = self._numbers(block, page, deck, slide)
        return self._set(self.markdown.render, text, deck, slide)

    def _inline(self, text: str, page: BuiltPage, deck: Deck, slide: Slide) -> str:
        text = self._numbers(text, page, deck, slide)
        return self._set(self.markdown.renderInline, text, deck, slide)

    def _set(self, render: Callable[[str], str], text: str, deck: Deck, slide: Slide) -> str:
        try:
            return render(text)
        except formulas.FormulaError as error:
            raise DeckError(f"{deck.path}:{slide.line}: formula not understood: {error}") from None

    def _find(self, name: str, page: BuiltPage, deck: Deck, slide: Slide) -> tuple[BuiltPage, str]:
        try:
            return self.site.find(name, page)
        except UnknownNameError as error:
            raise DeckError(f"{deck.path}:{slide.line}: {error}") from None

    def _numbers(self, text: str, page: BuiltPage, deck: Deck, slide: Slide) -> str:
        def number(named: re.Match[str]) -> str:
            there, id_ = self._find(named[1], page, deck, slide)
            return there.number_of(id_).replace(" ", "\N{NO-BREAK SPACE}")

        return NAMED.sub(number, text)

    def _element(self, name: str, page: BuiltPage, deck: Deck, slide: Slide) -> str:
        there, id_ = self._find(name, page, deck, slide)
        element = for_show(there.cut(id_))
        if element.startswith("<section"):  # its heading is the slide's affair
            element = re.sub(r"^\s*<h\d>.*?</h\d>", "", inside(element), count=1, flags=re.DOTALL)
        if "ib-figure" in element[:200]:
            return element
        element = re.sub(r'\sid="[^"]*"', "", element)
        return re.sub(r"(</?)section\b", r"\1div", element)  # a section is a slide


def part_of(theorem: str, first: int, last: int) -> str:
    """A theorem with some of its paragraphs and formulas, counted from 1."""
    content = re.search(r'<div class="[a-z]+-content"', theorem)
    if content is None:
        raise ValueError("only of a theorem a part can be shown")
    whole = element_at(theorem, content.start())
    parts, start = [], whole.index(">") + 1
    while found := re.compile(r"\s*(?=<\w)").match(whole, start):
        parts.append(element_at(whole, found.end()))
        start = found.end() + len(parts[-1])
    if not 1 <= first <= last <= len(parts):
        raise ValueError(f"it has {len(parts)} parts")
    return theorem.replace(inside(whole), "\n".join(parts[first - 1 : last]))


def beside(caption: str) -> str:
    """The caption of a figure, where the text stands: beside a picture is more room than below."""
    return f'<div class="caption">{SETTING.sub("", inside(caption))}</div>'


def markdown(set_formula: Callable[[str, bool], str]) -> MarkdownIt:
    """Markdown with formulas between dollars, set by a function."""
    parser = MarkdownIt("commonmark").use(
        dollarmath_plugin,
        renderer=lambda tex, options: set_formula(tex, options["display_mode"]),
        allow_labels=False,
    )
    parser.enable("smartquotes").enable("replacements")
    parser.options.typographer = True
    return parser


def as_mathml(tex: str, display: bool) -> str:
    """A formula for the window of the speaker, which has no fonts of ours."""
    found = MATHML.search(formulas.set_formula(tex, display))
    return found[0] if found else html.escape(tex)


def without_formulas(title: str) -> str:
    return re.sub(r"<mjx-math.*?</mjx-math>", "", title, flags=re.DOTALL)


TEMPLATE = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} — slides</title>
{styles}<style>{figures}</style>
</head>
<body>
<div class="reveal"><main class="slides">
{slides}
</main></div>
<script>{script}</script>
{scripts}</body>
</html>
"""


def write_decks(
    site: Path,
    target: Path,
    pages: Sequence[str],
    *,
    link: Callable[[str], str] | None = None,
    complain: Callable[[str], None],
) -> list[Path]:
    """Write the decks of some pages, ``<chapter>/<lecture>.html``; return their paths."""
    composer = Composer(BuiltSite(site, all_pages(site)), link)
    written = []
    for page, source in sources().items():
        if page not in pages:
            continue
        if page not in composer.site.pages:
            complain(f"{source}: the book has no page {page}")
            continue
        try:
            text = composer.compose(read_deck(source, page))
        except DeckError as error:
            complain(str(error))
            continue
        path = target / f"{page.removeprefix('book/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def all_pages(site: Path) -> list[str]:
    return sorted(
        path.relative_to(site).with_suffix("").as_posix() for path in site.glob("book/**/*.html")
    )


def write_assets(site: Path, target: Path) -> None:
    """Write what all decks share; the formulas' style and fonts are those of the site."""
    folder, static = target / ASSETS, site / "_static"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(static / "formulas", folder / "formulas")
    files = [
        VENDOR / "reveal.js" / "reveal.js",
        VENDOR / "reveal.js" / "reveal.css",
        VENDOR / "reveal.js" / "LICENSE",
        VENDOR / "reveal.js" / "plugin" / "notes" / "notes.js",
        *(static / "live").iterdir(),
        ROOT / "book" / "_static" / "formulas.css",
        SOURCES / "deck.css",
        SOURCES / "deck.js",
    ]
    for file in files:
        shutil.copy(file, folder)
