"""Mends what the theme and the extensions leave wrong on a page."""

import re

from docutils import nodes
from sphinx.application import Sphinx

# docutils calls the entries of its list of works "doc-biblioentry", a role that ARIA has since
# withdrawn, so that to a screen reader the list has no items.
MENDED_HTML = {'role="doc-biblioentry"': 'role="listitem"'}

# Sphinx sets the parameters of a signature as definitions of nothing.
LONG_SIGNATURE = re.compile(r'(<dt class="sig [^>]*>(?:(?!</dt>).)*?)<dl>(.*?)</dl>', re.DOTALL)

# Paper is white, whatever the screen is.
LIGHT_ON_PAPER = """
(function () {
  var root = document.documentElement, theme = null;
  function paper() {
    if (theme === null) { theme = root.dataset.theme; root.dataset.theme = "light"; }
  }
  function screen() {
    if (theme !== null) { root.dataset.theme = theme; theme = null; }
  }
  matchMedia("print").addEventListener("change", function (e) { e.matches ? paper() : screen(); });
  addEventListener("beforeprint", paper);
  addEventListener("afterprint", screen);
})();
"""


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Leave out thebe's scripts: it is off, and they name a third-party server and fail on load."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(getattr(script, "filename", "") or "")
        and "THEBE" not in getattr(script, "attributes", {}).get("body", "")
    ]


def mend_html(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    body = context.get("body", "")
    for wrong, right in MENDED_HTML.items():
        body = body.replace(wrong, right)
    context["body"] = LONG_SIGNATURE.sub(parameters_in_lines, body)


def parameters_in_lines(found: re.Match[str]) -> str:
    lines = found[2].replace("<dd>", "<div>").replace("</dd>", "</div>")
    return f'{found[1]}<div class="sig-parameters">{lines}</div>'


def name_buttons(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Say what the sidebar's arrow beside a chapter does; the theme draws it without a word."""
    draw = context.get("generate_toctree_html")

    def drawn(*arguments, **options):
        sidebar = draw(*arguments, **options)
        for button in sidebar.find_all("summary") if hasattr(sidebar, "find_all") else ():
            if not button.get_text(strip=True):
                button["aria-label"] = "Its lectures"
        return sidebar

    if draw:
        context["generate_toctree_html"] = drawn


def number_repeated_ids(app: Sphinx, doctree: nodes.document) -> None:
    """Every proof bears the id "proof", and so on; an id may stand once on a page."""
    for name in ("proof", "proof-content", "exercise-content", "solution-content"):
        elements = [e for e in doctree.findall(nodes.Element) if e.get("ids") == [name]]
        for number, element in enumerate(elements, start=1):
            element["ids"] = [f"{name}-{number}"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_js_file(None, body=LIGHT_ON_PAPER)
    app.connect("doctree-read", number_repeated_ids)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", mend_html, priority=900)
    app.connect("html-page-context", name_buttons, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
