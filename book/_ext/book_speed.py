"""A page answers at once: no script keeps its text waiting, and none looks at all of it.

What is far from the window is neither laid out nor drawn until a reader comes near; the rule is in
``book.css``. It gains nothing where a script measures what is far away, or where the colours of a
page change when it stands already.
"""

import re
from pathlib import Path

from docutils import nodes
from markupsafe import Markup
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FIRST = ("documentation_options.js",)  # what scripts in the page itself write to

# The theme's search as one types, a fifth of a megabyte, is not in use: see book_search.
SEARCH = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>'
)

# The theme decides between light and dark when all is there, and then all is coloured again.
COLOURS = """<script>
(function (shown) {
  if (shown.theme === "auto" || shown.mode === "auto")
    shown.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
})(document.documentElement.dataset);
</script>"""

# The theme's function that makes tab stops of what scrolls. It measures all of a page at the start
# and whenever a figure moves; a script of book_formulas does the same for what is in sight.
STOPS = re.compile(r'(function \w+\(\)\{)(const \w+=\(\)=>\{document\.querySelectorAll\(\["pre",)')


def defer(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Let scripts run when the page has been read, in their order."""
    for script in context.get("script_files", ()):
        name = str(getattr(script, "filename", None) or "")
        if name and not name.endswith(FIRST):
            script.attributes.setdefault("defer", "defer")


def mark_figures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Tell cells with a figure from others: a browser asks how high they will be."""
    for cell in doctree.findall(nodes.container):
        if "cell" in cell.get("classes", ()) and any(
            "ib-figure" in raw.astext() for raw in cell.findall(nodes.raw)
        ):
            cell["classes"].append("shows-figure")


def without_search(html: str) -> Markup:
    return Markup(SEARCH.sub("", str(html)))


def with_colours(html: str) -> Markup:
    return Markup(f"{html}\n{COLOURS}")


def skipping_to(header: str, body: str) -> Markup:
    """Lead the first link of a page, for who goes by keyboard, to where its text begins."""
    text = re.search(r'<section\b[^>]* id="([^"]+)"', str(body))
    return Markup(
        str(header).replace('"#main-content"', f'"#{text[1]}"' if text else '"#main-content"')
    )


def add_filters(app: Sphinx) -> None:
    if app.builder.format == "html":
        filters = app.builder.templates.environment.filters
        filters |= {
            "without_search": without_search,
            "with_colours": with_colours,
            "skipping_to": skipping_to,
        }


def measure_nothing(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    path = Path(app.outdir) / "_static" / "scripts" / "pydata-sphinx-theme.js"
    if not path.is_file():
        return  # another theme
    script = path.read_text(encoding="utf-8")
    if (quiet := quieter(script)) != script:
        path.write_text(quiet, encoding="utf-8")


def quieter(script: str) -> str:
    """The theme's script, without what measures all of a page."""
    if re.search(r"\)\{return;const \w+=\(\)=>\{document\.querySelectorAll\(\[.pre.,", script):
        return script
    quiet, count = STOPS.subn(r"\1return;\2", script)
    if count != 1:
        raise ExtensionError("the theme's script is another one: see STOPS in book_speed.py")
    return quiet


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", add_filters)
    app.connect("doctree-resolved", mark_figures)
    app.connect("html-page-context", defer, priority=950)
    app.connect("build-finished", measure_nothing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
