"""Gives a page the scripts of the figures on it that are computed there, and no other page any.

The scripts lie in ``book/_extra/live``: the frame that all figures share, and one file for each
figure. A figure without a script fails the build. They are plain scripts and not modules, which
browsers do not load from a disk.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parent
EXTRA = HERE.parent / "_extra"
FIGURE = re.compile(r'data-ib-figure="([^"]+)"')

# In the order in which they need each other.
LIBRARY = (
    "array", "color", "dispatch", "path", "format", "time", "interpolate", "time-format",
    "selection", "drag", "axis", "scale", "shape",
)  # fmt: skip


def scripts(names: list[str]) -> list[str]:
    """Return the scripts of some figures, relative to the site."""
    return ["live/d3.js", "live/frame.js", *(f"live/{name}.js" for name in names)]


def sources(names: list[str]) -> list[Path]:
    """Return the files of these scripts: the parts of D3 are one on the site."""
    library = [HERE / "vendor" / f"d3-{part}" / f"d3-{part}.min.js" for part in LIBRARY]
    return [*library, *(EXTRA / script for script in scripts(names)[1:])]


def add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    names = list(dict.fromkeys(FIGURE.findall(context.get("body", ""))))
    if not names:
        return
    for name in names:
        if not (EXTRA / f"live/{name}.js").is_file():
            logger.warning("no book/_extra/live/%s.js for the live figure", name, location=pagename)
    app.add_css_file("../live/live.css")
    for script in scripts(names):
        app.add_js_file(f"../{script}", loading_method="defer")


def write_library(app: Sphinx, exception: Exception | None) -> None:
    folder = Path(app.outdir) / "live"
    if exception is None and folder.is_dir():
        parts = (part.read_text(encoding="utf-8") for part in sources([])[: len(LIBRARY)])
        (folder / "d3.js").write_text("\n".join(parts), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_library)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
