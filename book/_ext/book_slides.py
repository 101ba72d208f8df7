"""Writes the slides of the lectures into the site, and a button that leads to them on each page.

What is on the slides is taken from the pages just built (``scripts/decks.py``); a name that they do
not have is a warning, and fails the build.
"""

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from book_execution import ONLY
from decks import sources, write_assets, write_decks

logger = logging.getLogger(__name__)
FOLDER = "slides"


def add_button(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if pagename in sources() and "header_buttons" in context:
        context["header_buttons"].append(
            {
                "type": "link",
                "url": context["pathto"](f"{FOLDER}/{pagename.removeprefix('book/')}.html", True),
                "tooltip": "Slides of this lecture",
                "icon": "fas fa-chalkboard-user",
                "label": "slides",
            }
        )


def compose(app: Sphinx, exception: Exception | None) -> None:
    """Before the formulas' style is written, which is to hold those of the slides."""
    if exception is not None or app.builder.format != "html":
        return
    pages = [page for page in sources() if os.environ.get(ONLY) in (None, "", page)]
    site = Path(app.outdir)
    write_decks(
        site,
        site / FOLDER,
        [page for page in pages if page in app.env.found_docs],
        link=lambda page: f"../../{page}.html",
        complain=logger.warning,
    )


def copy_assets(app: Sphinx, exception: Exception | None) -> None:
    site = Path(app.outdir)
    if exception is None and app.builder.format == "html" and (site / FOLDER).is_dir():
        write_assets(site, site / FOLDER)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_button, priority=900)
    app.connect("build-finished", compose, priority=400)
    app.connect("build-finished", copy_assets, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
