"""Gives a page the scripts of the figures on it that are computed there, and no other page any.

The scripts lie in ``book/_ext/live``: the frame that all figures share, and one file for each
figure. A figure without a script fails the build. They are plain scripts and not modules, which
browsers do not load from a disk.
"""

import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from vendor import VENDOR

logger = logging.getLogger(__name__)
LIVE = Path(__file__).with_name("live")
FIGURE = re.compile(r'data-ib-figure="([^"]+)"')

# In the order in which they need each other.
LIBRARY = (
    "array", "color", "dispatch", "path", "format", "time", "interpolate", "time-format",
    "selection", "drag", "axis", "scale", "shape",
)  # fmt: skip


def library() -> list[Path]:
    """Return the parts of D3, which are one script of the site."""
    return [VENDOR / f"d3-{part}" / f"d3-{part}.min.js" for part in LIBRARY]


def scripts(names: list[str]) -> list[Path]:
    """Return the scripts of some figures, in the order in which they are loaded, after D3."""
    return [LIVE / "frame.js", *(LIVE / f"{name}.js" for name in names)]


def add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    names = list(dict.fromkeys(FIGURE.findall(context.get("body", ""))))
    for name in list(names):
        if not (LIVE / f"{name}.js").is_file():
            logger.warning("no book/_ext/live/%s.js for the live figure", name, location=pagename)
            names.remove(name)
    if names:
        app.add_css_file("live/live.css")
        for name in ["d3.js", *(script.name for script in scripts(names))]:
            app.add_js_file(f"live/{name}", loading_method="defer")


def copy_scripts(app: Sphinx) -> None:
    """Before the pages are written, which say of every file what it holds."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    for file in LIVE.iterdir():
        shutil.copy(file, folder)
    parts = (part.read_text(encoding="utf-8") for part in library())
    (folder / "d3.js").write_text("\n".join(parts), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
