"""Claims on the book's pages: set like the text, linked to their theorems, gathered on one page.

What a cell shows of a claim carries as data what is to be shown (`ibtools.claims.claim`). Here it
becomes a box of text and formulas, which takes the line of code that made it into a corner, and the
scoreboard's data become a list by chapter and lecture that can be filtered.
"""

import json
import re
from html import escape, unescape
from itertools import groupby

from book_lectures import front_of, reading_order
from docutils import nodes
from one_line import tex
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)
DATA = re.compile(r'^<div class="ib-claims?" data-claims?="([^"]*)"')
CALL = re.compile(r"(\w+\.)+check\(\)")
POWER = re.compile(r"10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
LOWER = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "−0123456789")


class scoreboard(nodes.Element):  # noqa: N801 (docutils names nodes so)
    """The claims of the scoreboard, in the order of the package, until all pages were read."""


class ClaimBoxes(SphinxTransform):
    """Turn what cells show of claims into nodes, before formulas and links are looked for."""

    default_priority = 800

    def apply(self, **kwargs: object) -> None:
        found = [
            (raw, match)
            for raw in self.document.findall(nodes.raw)
            if (match := DATA.match(raw.astext()))
        ]
        for raw, match in found:
            data = json.loads(unescape(match[1]))
            if isinstance(data, list):
                put(board(data, self.env.docname), raw)
            else:
                self.show_box(raw, data)

    def show_box(self, raw: nodes.raw, claim: dict) -> None:
        places = claim_places(self.env)
        shown_first = self.env.docname == self.app.config.root_doc  # as an example of a claim
        known = shown_first or places.get(claim["id"]) == self.env.docname
        anchor = None if known else anchor_of(claim)
        if not shown_first:
            places[claim["id"]] = self.env.docname
        cell = ancestor(raw, "cell")
        sources = [
            code.astext().strip()
            for part in cell.findall(nodes.container)
            if "cell_input" in part["classes"]
            for code in part.findall(nodes.literal_block)
        ]
        if len(sources) == 1 and CALL.fullmatch(sources[0]):
            replace(cell, [box(claim, self.env.docname, sources[0], anchor)])
        else:
            put(box(claim, self.env.docname, None, anchor), raw)


def put(new: nodes.Element, raw: nodes.raw) -> None:
    """Put what a cell shows in place of its output, out of the panel that the theme draws there."""
    output = raw
    while "cell_output" not in output.parent["classes"]:
        output = output.parent
    panel = output.parent
    if len(panel) == 1:
        replace(panel, [new])
    else:
        panel.remove(output)
        panel.parent.insert(panel.parent.index(panel) + 1, new)


def replace(old: nodes.Element, new: list[nodes.Node]) -> None:
    """Replace an element, whose classes the new ones do not inherit."""
    place = old.parent.index(old)
    old.parent[place : place + 1] = new


def ancestor(node: nodes.Node, name: str) -> nodes.Element | None:
    while node is not None and name not in getattr(node, "attributes", {}).get("classes", ()):
        node = node.parent
    return node


def anchor_of(claim: dict) -> str:
    return "claim-" + re.sub(r"[^a-z0-9]+", "-", claim["id"].lower())


def text_nodes(text: str) -> list[nodes.Node]:
    """Words as text, formulas as formulas, names of code as code."""
    made: list[nodes.Node] = []
    for number, part in enumerate(text.split("$")):
        if number % 2:
            made.append(nodes.math(part, tex(part)))
            continue
        for place, words in enumerate(part.split("`")):
            if words:
                made.append(nodes.literal(words, words) if place % 2 else nodes.Text(words))
    return made


def number_html(value: str) -> str:
    return POWER.sub(lambda power: f"10<sup>{power[1].translate(LOWER)}</sup>", escape(value))


def html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def verdict(claim: dict) -> str:
    return "✔ holds" if claim["holds"] else "✘ fails"


def theorem_link(claim: dict, docname: str) -> list[nodes.Node]:
    label = claim["theorem"]
    if label is None:
        return []
    link = addnodes.pending_xref(
        "", nodes.inline(label, label, classes=["xref", "prf", "prf-ref"]),
        refdomain="prf", reftype="ref", reftarget=label, refexplicit=False, refdoc=docname,
        refwarn=True,
    )  # fmt: skip
    return [link]


def sides(claim: dict) -> str:
    """Both numbers, with the relation that is asserted between them."""
    measured = f'<span class="claim-name">measured</span> <b>{number_html(claim["measured"])}</b>'
    if claim["relation"] == "moves":
        return f'<span class="claim-name">moves by</span> <b>{number_html(claim["measured"])}</b>'
    return (
        f'<span class="claim-name">predicted</span> <b>{number_html(claim["predicted"] or "–")}</b>'
        f' <b class="claim-relation">{claim["relation"]}</b> {measured}'
    )


def box(claim: dict, docname: str, call: str | None, anchor: str | None) -> nodes.container:
    """Return the box of a claim on a lecture's page."""
    head = nodes.paragraph(classes=["claim-head"])
    head += html(f'<span class="claim-verdict">{verdict(claim)}</span> ')
    head += nodes.strong("", "", *text_nodes(claim["title"]))
    if claim["theorem"]:
        head += [nodes.Text(" · "), *theorem_link(claim, docname)]
    statement = nodes.paragraph("", "", *text_nodes(claim["statement"]), classes=["claim-says"])
    statement += html(f' <span class="claim-source">({escape(claim["source"])})</span>')
    numbers = nodes.paragraph("", "", *text_nodes(claim["quantity"]), classes=["claim-numbers"])
    numbers += html(f': <span class="claim-sides">{sides(claim)}</span>')
    error = nodes.paragraph(classes=["claim-error"])
    if claim["room"] is not None:
        error += html(f"room {number_html(claim['room'])} of the bound · ")
    error += [
        html(
            f"error {number_html(claim['error'])}, of {number_html(claim['tolerance'])} allowed ("
        ),
        *text_nodes(claim["error_of"]),
        nodes.Text(")"),
    ]
    made = nodes.container("", head, statement, numbers, error, classes=["claim-box"])
    if call is not None:
        made += html(
            '<details class="claim-call"><summary>code</summary>'
            f"<pre><code>{escape(call)}</code></pre></details>"
        )
    made["claim"] = claim["id"]
    if anchor is not None:
        made["ids"].append(anchor)
    return made


def board(claims: list[dict], docname: str) -> scoreboard:
    """Return the scoreboard's rows; where each belongs is known when all pages were read."""
    held = sum(claim["holds"] for claim in claims)
    return scoreboard("", *(row(claim, docname) for claim in claims), held=held, total=len(claims))


def row(claim: dict, docname: str) -> nodes.list_item:
    head = nodes.paragraph(classes=["claim-head"])
    head += [nodes.strong("", "", *text_nodes(claim["title"]))]
    if claim["theorem"]:
        head += [nodes.Text(" · "), *theorem_link(claim, docname)]
    says = nodes.paragraph("", "", *text_nodes(claim["statement"]), classes=["claim-says"])
    numbers = nodes.paragraph(classes=["claim-numbers"])
    numbers += text_nodes(claim["quantity"])
    numbers += html(f': <span class="claim-sides">{sides(claim)}</span>')
    room = "" if claim["room"] is None else f" · room {number_html(claim['room'])}"
    numbers += html(
        f' <span class="claim-error">{room} · error {number_html(claim["error"])} of '
        f'{number_html(claim["tolerance"])}</span> <span class="claim-verdict'
        f'{" claim-verdict-holds" if claim["holds"] else ""}">{verdict(claim)}</span> '
        f'<code class="claim-id">{claim["id"]}</code>'
    )
    item = nodes.list_item("", head, says, numbers, classes=["claim-row"])
    item["claim"] = claim["id"]
    return item


def claim_places(env: BuildEnvironment) -> dict[str, str]:
    """Return on which page each claim is shown."""
    if not hasattr(env, "book_claim_places"):
        env.book_claim_places = {}
    return env.book_claim_places


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    places = claim_places(env)
    for name in [name for name, page in places.items() if page == docname]:
        del places[name]


def merge(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    theirs = claim_places(other).items()
    claim_places(env).update((name, page) for name, page in theirs if page in docnames)


def boards_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write a page with a scoreboard again whenever a page was read: claims may have moved."""
    return [name for name in env.found_docs if name in boards(env)]


def boards(env: BuildEnvironment) -> set[str]:
    if not hasattr(env, "book_scoreboards"):
        env.book_scoreboards = set()
    return env.book_scoreboards


def note_boards(app: Sphinx, doctree: nodes.document) -> None:
    boards(app.env).discard(app.env.docname)
    if any(doctree.findall(scoreboard)):
        boards(app.env).add(app.env.docname)


def lay_out(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the scoreboard's rows under their chapters and lectures, in the order of the book."""
    for place in list(doctree.findall(scoreboard)):
        places = claim_places(app.env)
        order = {name: number for number, name in enumerate(reading_order(app.env))}
        rows = sorted(place.children, key=lambda row: order.get(places.get(row["claim"]), -1))
        groups = nodes.container(classes=["claim-groups"])
        for page, of_page in groupby(rows, key=lambda row: places.get(row["claim"])):
            items = nodes.bullet_list(classes=["claim-rows"])
            for item in of_page:
                if page is not None:
                    link_title(app, docname, page, item)
                items += item
            groups += nodes.container(
                "", heading(app, docname, page), items, classes=["claim-group"]
            )
        replace(place, [html(banner(place["held"], place["total"]) + FILTER), groups])


def heading(app: Sphinx, docname: str, page: str | None) -> nodes.paragraph:
    line = nodes.paragraph(classes=["claim-lecture"])
    if page is None:
        line += nodes.Text("On no page")
        return line
    front = front_of(app.env, page)
    line += nodes.inline("", app.env.titles[front].astext(), classes=["claim-chapter"])
    if front != page:
        link = nodes.reference("", "", internal=True)
        link["refuri"] = app.builder.get_relative_uri(docname, page)
        link.extend(child.deepcopy() for child in app.env.titles[page].children)
        line += [nodes.Text(": "), link]
    return line


def link_title(app: Sphinx, docname: str, page: str, item: nodes.list_item) -> None:
    """Let the title of a claim lead to where the lecture shows it."""
    title = next(item.findall(nodes.strong))
    link = nodes.reference("", "", *title.children, internal=True)
    anchor = anchor_of({"id": item["claim"]})
    link["refuri"] = f"{app.builder.get_relative_uri(docname, page)}#{anchor}"
    title.clear()
    title += link


def banner(held: int, total: int) -> str:
    sign, kind = ("✔", "") if held == total else ("✘", " claim-banner-fails")
    return f'<p class="claim-banner{kind}">{sign} {held} of {total} claims hold</p>'


FILTER = """<form class="claim-filter" role="search" aria-label="Filter the claims" hidden>
<label>Words <input type="search" name="words" autocomplete="off"></label>
<label>Chapter <select name="chapter"><option value="">all</option></select></label>
<label>Relation <select name="relation"><option value="">all</option>
<option value="=">= equal</option><option value="≤">≤ lower bound</option>
<option value="≥">≥ upper bound</option><option value="moves">moves</option></select></label>
<button type="reset">Show all</button>
<output role="status"></output>
</form>"""


def load_filter(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if pagename in boards(app.env):
        app.add_js_file("scoreboard.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(scoreboard)
    app.add_transform(ClaimBoxes)
    app.add_css_file("claims.css")
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("doctree-read", note_boards)
    app.connect("env-updated", boards_again)
    app.connect("doctree-resolved", lay_out)
    app.connect("html-page-context", load_filter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
