"""Mending the theme's pages."""

from sphinx.application import Sphinx


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Leave out thebe's scripts: it is off, and they name a third-party server and fail on load."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(getattr(script, "filename", "") or "")
        and "THEBE" not in getattr(script, "attributes", {}).get("body", "")
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
