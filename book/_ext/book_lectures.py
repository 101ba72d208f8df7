"""What chapters and lectures have that pages of other books have not.

``{lectures}`` on a chapter's front page shows its lectures as cards, and on the book's front page
the chapters. ``{kind}`code 2``` at the head of an exercise says what it asks for and how hard it
is; ``{theorem-list}`` lists what is proven, lecture by lecture. A chapter was one long page once:
who follows an old address to a place on it is sent on to the lecture where that place is now.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ibtools.show.block import thumbnail

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from kinds import HARDEST, read_kind
from labels import PROOF_KINDS, description, read_book
from lectures import minutes_to_read

logger = logging.getLogger(__name__)
PICTURE = re.compile(r'<div class="ib-picture"[^>]*>\n(<svg.*?</svg>)\n</div>', re.DOTALL)
MOVED = Path(__file__).with_name("moved.json")


class KindOfExercise(SphinxRole):
    """Role ``kind``: the kind of an exercise in a word, its difficulty in dots."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            kind = read_kind(self.text)
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        html = (
            f'<span class="exercise-kind">{kind.title} <span role="img" '
            f'aria-label="difficulty {kind.difficulty} of {HARDEST}">{kind.dots}</span></span>'
        )
        return [nodes.raw("", html, format="html")], []


class lecture_cards(nodes.Element):  # noqa: N801 (docutils names nodes so)
    """Where the cards will be, when all pages have been read."""


class Lectures(SphinxDirective):
    """Directive ``lectures``: the pages under this one, as cards."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        return [lecture_cards()]


class TheoremList(SphinxDirective):
    """Directive ``theorem-list``: every theorem with its title, by chapter and lecture."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        book = read_book(Path(self.env.srcdir))
        lines: list[str] = []
        for page, title in book.titles.items():
            self.env.note_dependency(self.env.doc2path(page))
            labels = [
                (name, label)
                for name, label in book.labels.items()
                if label.page == page and label.kind in PROOF_KINDS
            ]
            if labels:
                lines += ["", f"[{title}](/{page}.md)", ""]
                lines += [f"- {{prf:ref}}`{name}`: {label.title}" for name, label in labels]
        container = nodes.container(classes=["theorem-list"])
        self.state.nested_parse(StringList(lines, "theorem-list"), 0, container)
        return [container]


def lectures_of(env: BuildEnvironment, docname: str) -> list[str]:
    return env.toctree_includes.get(docname, [])


def draw_cards(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for place in list(doctree.findall(lecture_cards)):
        names = lectures_of(app.env, docname)
        if docname == app.config.root_doc:
            names = [name for name in names if lectures_of(app.env, name)]
        if not names:
            logger.warning("{lectures}, but no page lies under this one", location=docname)
        cards = nodes.bullet_list(classes=["lecture-cards"])
        cards.extend(card(app, docname, name) for name in names)
        place.replace_self(cards)


def card(app: Sphinx, front: str, name: str) -> nodes.list_item:
    source = Path(app.env.doc2path(name)).read_text(encoding="utf-8")
    link = nodes.reference("", "", internal=True)
    link["refuri"] = app.builder.get_relative_uri(front, name)
    title = app.env.titles[name]
    link.extend(child.deepcopy() for child in title.children)
    picture = first_picture(app.env.get_doctree(name))
    parts: list[nodes.Node] = [] if picture is None else [nodes.raw("", picture, format="html")]
    minutes = f"{minutes_to_read(source)} minutes to read"
    if below := lectures_of(app.env, name):
        minutes = f"{len(below)} lecture{'s' if len(below) > 1 else ''}"
    elif seconds := seconds_of_run(app.env, name):
        minutes += f", {max(1, round(seconds))} seconds to run"
    parts += [
        nodes.paragraph("", "", link, classes=["card-title"]),
        nodes.paragraph("", description(source)),
        nodes.paragraph("", minutes, classes=["card-minutes"]),
    ]
    return nodes.list_item("", *parts)


def first_picture(doctree: nodes.document) -> str | None:
    for raw in doctree.findall(nodes.raw):
        if raw.get("format") == "html" and (found := PICTURE.search(raw.astext())):
            return thumbnail(found[1])
    return None


def seconds_of_run(env: BuildEnvironment, name: str) -> float | None:
    """How long the page took when it was run last."""
    run = NbMetadataCollector.get_exec_data(env, name)
    return run["runtime"] if run else None


def lectures_come_first(app: Sphinx, env: BuildEnvironment) -> None:
    """Number the lectures of Chapter 1 as 1.1, 1.2, ..., not after its front page's sections."""
    for name in lectures_by_front(env):
        for inner in env.tocs[name].findall(nodes.bullet_list):
            if any(isinstance(child, addnodes.toctree) for child in inner):
                inner.children.sort(key=lambda child: not isinstance(child, addnodes.toctree))


def sections_bear_no_number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Take their numbers, which go on after those of the lectures, from a front page's sections."""
    for name in lectures_by_front(env):
        numbers = env.toc_secnumbers.get(name, {})
        numbers.update((anchor, None) for anchor in numbers if anchor)
        for link in env.tocs[name].findall(nodes.reference):
            if link.get("anchorname"):
                link.attributes.pop("secnumber", None)
    return []


def lectures_by_front(env: BuildEnvironment) -> dict[str, list[str]]:
    return {
        name: below for name, below in env.toctree_includes.items() if name != env.config.root_doc
    }


def front_of(env: BuildEnvironment, page: str) -> str:
    """The front page of the chapter that a page is in; a page of no chapter is its own."""
    fronts = lectures_by_front(env).items()
    return next((front for front, below in fronts if page in below), page)


def reading_order(env: BuildEnvironment) -> list[str]:
    """All pages in the order of the table of contents, as `labels.reading_order` of its file."""

    def from_here(name: str) -> list[str]:
        return [name, *(page for below in lectures_of(env, name) for page in from_here(below))]

    return from_here(env.config.root_doc)


def fronts_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the front pages again whenever a page was read: its card may have changed."""
    return [env.config.root_doc, *lectures_by_front(env)]


def link_the_index(app: Sphinx, doctree: nodes.document) -> None:
    """Put Sphinx's index, which is no page that a table of contents can name, at its end."""
    if app.env.docname == app.config.root_doc:
        toctrees = list(doctree.findall(addnodes.toctree))
        if toctrees:
            toctrees[-1]["entries"].append(("Index of terms", "genindex"))


def anchors(doctree: nodes.document) -> Iterator[str]:
    for element in doctree.findall(nodes.Element):
        yield from element.get("ids", ())


def moved_from(app: Sphinx, docname: str) -> dict[str, str]:
    """Where the places are now that were on this page once: relative addresses by anchor."""
    record = json.loads(MOVED.read_text(encoding="utf-8")).get(docname)
    if record is None:
        return {}
    here = set(anchors(app.env.get_doctree(docname)))
    now: dict[str, str] = {}
    for name in lectures_of(app.env, docname):
        uri = app.builder.get_relative_uri(docname, name)
        for anchor in anchors(app.env.get_doctree(name)):
            now.setdefault(anchor, f"{uri}#{anchor}")
    places = {}
    for anchor in record["anchors"]:
        if anchor in here:
            continue
        name, _, other = record["renamed"].get(anchor, "").partition("#")
        if other:
            places[anchor] = f"{app.builder.get_relative_uri(docname, name)}#{other}"
        elif anchor in now:
            places[anchor] = now[anchor]
        else:
            logger.warning(
                "the place #%s was on this page and is on none of its lectures; say in %s where "
                "it is now",
                anchor,
                MOVED.name,
                location=docname,
            )
    return places


def send_on(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Send who comes to an old address of a chapter on to the lecture."""
    if doctree is None or not (places := moved_from(app, pagename)):
        return
    table = json.dumps(places, separators=(",", ":"))
    script = (
        f"(function(){{var moved={table};function go(){{"
        "var place=moved[decodeURIComponent(location.hash.slice(1))];"
        "if(place)location.replace(place)}"
        "go();addEventListener('hashchange',go)})()"
    )
    app.add_js_file(None, body=script, priority=100)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("kind", KindOfExercise())
    app.add_node(lecture_cards)
    app.add_directive("lectures", Lectures)
    app.add_directive("theorem-list", TheoremList)
    app.connect("doctree-read", link_the_index, priority=900)
    app.connect("env-updated", lectures_come_first)
    app.connect("env-updated", fronts_again)
    app.connect("env-get-updated", sections_bear_no_number, priority=900)
    app.connect("doctree-resolved", draw_cards)
    app.connect("html-page-context", send_on)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
