"""Mends what the theme and the extensions leave wrong on a page."""

from docutils import nodes
from sphinx.application import Sphinx

# docutils calls the entries of its list of works "doc-biblioentry", a role that ARIA has since
# withdrawn, so that to a screen reader the list has no items.
MENDED_HTML = {'role="doc-biblioentry"': 'role="listitem"'}


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Leave out thebe's scripts: it is off, and they name a third-party server and fail on load."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(getattr(script, "filename", "") or "")
        and "THEBE" not in getattr(script, "attributes", {}).get("body", "")
    ]


def mend_html(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    for wrong, right in MENDED_HTML.items():
        context["body"] = context.get("body", "").replace(wrong, right)


def number_repeated_ids(app: Sphinx, doctree: nodes.document) -> None:
    """Every theorem's content bears the id "proof-content"; an id may stand once on a page."""
    contents = [s for s in doctree.findall(nodes.section) if s["ids"] == ["proof-content"]]
    for number, section in enumerate(contents, start=1):
        section["ids"] = [f"proof-content-{number}"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", number_repeated_ids)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", mend_html, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
