"""Previews: what the links of a page lead to, for the reader to see without going there.

What lies on the page itself its script finds there. What lies on others is written into one file a
page, of what this page refers to and of nothing else, and loaded when a preview is asked for first:
as a script, since a page that is opened from the disk may load nothing else.
"""

import gzip
import json
import re
import sys
from functools import cache
from pathlib import Path
from posixpath import dirname, normpath, relpath
from urllib.parse import unquote

from sphinx.application import Sphinx

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from built_page import element_at

FOLDER = "_previews"
MOST = 90_000  # bytes of a file, compressed: beyond them the heaviest figures have no preview
LINK = re.compile(r'<a class="reference internal[^"]*" href="([^"#]+\.html)#([^"]+)"')
SHOWN = re.compile(
    r'<(?P<tag>div|figure|dt) (?:class="(?P<class>[^"]*)" )?id="(?P<id>[^"]+)"[^>]*>'
)
CLASSES = {"proof", "exercise", "math", "citation"}
DROPPED = re.compile(r'<a class="headerlink".*?</a>|<script\b.*?</script>| id="[^"]*"', re.DOTALL)
ADDRESS = re.compile(r'(?<= href=")(?![a-z]+:)([^"]*)(?=")')


def previews_of(html: str) -> dict[str, str]:
    """Return the HTML of everything on a page that a preview can show, by its id."""
    found = {}
    for start in SHOWN.finditer(html):
        classes = set((start["class"] or "").split())
        if start["tag"] == "div" and not classes & CLASSES:
            continue
        if start["tag"] == "dt" and not start["id"].startswith("term-"):
            continue
        element = element_at(html, start.start())
        end = start.start() + len(element)
        if start["tag"] == "dt" and html[end:].lstrip().startswith("<dd"):
            explained = html.index("<dd", end)
            element = html[start.start() : explained] + element_at(html, explained)
        found[start["id"]] = element
    return found


def rewritten(html: str, there: str, here: str) -> str:
    """Return a piece of one page for another: no ids, links from where it is shown."""

    def link(address: re.Match[str]) -> str:
        path, sign, anchor = address[1].partition("#")
        target = normpath(f"{dirname(there)}/{path}") if path else f"{there}.html"
        return relpath(target, dirname(here) or ".") + sign + anchor

    return ADDRESS.sub(link, DROPPED.sub("", html))


def write_previews(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)

    @cache
    def read(page: str) -> str:
        html = (out / f"{page}.html").read_text(encoding="utf-8")
        return html[html.find("<article") : html.rfind("</article>")]

    @cache
    def on(page: str) -> dict[str, str]:
        return previews_of(read(page))

    for page in sorted(app.env.found_docs):
        found = {}
        for path, anchor in LINK.findall(read(page)):
            there = normpath(f"{dirname(page)}/{path}").removesuffix(".html")
            if there in app.env.found_docs and unquote(anchor) in on(there):
                shown = on(there)[unquote(anchor)]
                found[f"{path}#{anchor}"] = rewritten(shown, there, page)
        file = out / FOLDER / f"{page}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(light_enough(found), encoding="utf-8")


def light_enough(found: dict[str, str]) -> str:
    """Return the script, without the heaviest figures if they make it too heavy."""
    figures = sorted(
        (name for name, html in found.items() if html.startswith("<figure")),
        key=lambda name: len(found[name]),
    )
    while True:
        script = f"bookPreviews({json.dumps(found, ensure_ascii=False)});\n"
        if not figures or len(gzip.compress(script.encode())) <= MOST:
            return script
        found = {name: html for name, html in found.items() if name != figures[-1]}
        figures.pop()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_js_file("previews.js", loading_method="defer")
    app.add_css_file("reading.css")
    app.connect("build-finished", write_previews, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
