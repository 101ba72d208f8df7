"""What a page says of itself in its head, and the page for addresses that lead nowhere.

Whoever links to a page shows its title and description (Open Graph). Its address is given where
`html_baseurl` says where the site is.
"""

import html
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 200  # letters of a description

# An address that leads nowhere may lie in any folder, and the site in a folder of its server.
FIND_ROOT = """
(function () {
  var parts = location.pathname.split("/");
  for (var n = 1; n < parts.length && location.protocol !== "file:"; n++) {
    var folder = parts.slice(0, n).join("/") + "/", asked = new XMLHttpRequest();
    asked.open("HEAD", folder + "_static/documentation_options.js", false);
    asked.send();
    if (asked.status !== 200) continue;
    var base = document.createElement("base");
    base.href = folder;
    document.head.appendChild(base);
    return;
  }
})();
"""
NOT_FOUND = """
<section><h1>There is no such page</h1>
<p>It may have moved, or the address has a slip. The contents are beside this text, or behind the
button above it; the search finds words and names of theorems.</p>
<p><a href="{start}">The book begins here</a>.</p></section>
"""


def describe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    title = re.sub(r"<[^>]*>", "", html.unescape(str(context.get("title", ""))))
    if title == context.get("docstitle"):
        context["docstitle"] = ""  # or it would stand in the browser's tab twice
        context["theme_logo"] = {**(context.get("theme_logo") or {}), "text": title}
    if not title:  # a page of the theme's own
        return
    known = context.get("metatags", "")
    given = re.search(r'<meta (?=[^>]*name="description")[^>]*content="([^"]*)"', known)
    description = html.unescape(given[1]) if given else first_words(doctree) if doctree else ""
    tags = {"og:title": title, "og:type": "article", "og:site_name": app.config.html_title}
    if description:
        tags["og:description"] = description
    if app.config.html_baseurl and doctree is not None:
        tags["og:url"] = app.config.html_baseurl.rstrip("/") + f"/{pagename}.html"
    lines = [f'<meta property="{name}" content="{html.escape(t)}" />' for name, t in tags.items()]
    if description and not given:
        lines.insert(0, f'<meta name="description" content="{html.escape(description)}" />')
    context["metatags"] = "\n".join([known, *lines])


def first_words(doctree: nodes.document) -> str:
    """The sentences of a page's first paragraph, as many as fit."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and not any(paragraph.findall(nodes.math)):
            text = " ".join(paragraph.astext().split())
            if len(text.split()) < 6:  # a subtitle
                continue
            found = re.match(rf"(.{{1,{LONGEST}}}[.?!])(?=\s|$)", text)
            return found[1] if found else text[:LONGEST].rpartition(" ")[0]
    return ""


def page_not_found(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    if app.config.html_baseurl:
        folder = urlsplit(app.config.html_baseurl).path.rstrip("/") + "/"
        head = f'<base href="{html.escape(folder)}" />'
    else:
        head = f"<script>{FIND_ROOT}</script>"
    start = app.builder.get_relative_uri("404", app.config.root_doc)
    body = NOT_FOUND.format(start=start)
    yield "404", {"title": "Page not found", "body": body, "metatags": head}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", describe, priority=900)
    app.connect("html-collect-pages", page_not_found)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
