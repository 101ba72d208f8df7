"""Under a lecture's "Exercises": its student notebook, to download or to open elsewhere.

The notebooks of ``course/`` are copied into the site, so that a download needs no other server.
Binder and Colab open them from the repository; no request is made before one clicks.
"""

import html
import posixpath
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx

FOLDER = "course"  # in the repository and in the site


def notebook_of(app: Sphinx, docname: str) -> str | None:
    """Where the student notebook of a page lies, if it has one."""
    name = f"{FOLDER}/{docname.removeprefix('book/')}.ipynb"
    return name if (Path(app.confdir) / name).is_file() else None


def offer(app: Sphinx, doctree: nodes.document) -> None:
    """Put the buttons under the heading of the exercises."""
    docname = app.env.docname
    notebook = notebook_of(app, docname)
    if notebook is None:
        return
    app.env.note_dependency(str(Path(app.confdir) / notebook))
    for section in doctree.findall(nodes.section):
        if section[0].astext() == "Exercises":
            section.insert(1, nodes.raw("", buttons(app, docname, notebook), format="html"))


def buttons(app: Sphinx, docname: str, notebook: str) -> str:
    here = posixpath.dirname(app.builder.get_target_uri(docname))
    links = [("Download for Jupyter", posixpath.relpath(notebook, here), " download")]
    links += [(f"Open in {name}", url, "") for name, url in elsewhere(app, notebook).items()]
    listed = "".join(
        f'<li><a href="{html.escape(url)}"{more}>{text}</a></li>' for text, url, more in links
    )
    return (
        '<div class="course-notebook"><p>All of them as a notebook, with places for answers and '
        f"checks:</p><ul>{listed}</ul></div>"
    )


def elsewhere(app: Sphinx, notebook: str) -> dict[str, str]:
    """Where the notebook opens in a browser, as the theme's own buttons do for the pages."""
    theme = app.config.html_theme_options
    launch, url = theme.get("launch_buttons") or {}, urlsplit(theme.get("repository_url", ""))
    if url.netloc != "github.com":
        return {}
    place = url.path.strip("/").removesuffix(".git")
    branch = theme.get("repository_branch") or "main"
    found = {}
    if binder := launch.get("binderhub_url", "").strip("/"):
        found["Binder"] = f"{binder}/v2/gh/{place}/{branch}?urlpath=lab/tree/{notebook}"
    if colab := launch.get("colab_url", "").strip("/"):
        found["Colab"] = f"{colab}/github/{place}/blob/{branch}/{notebook}"
    return found


def copy(app: Sphinx, error: Exception | None) -> None:
    """Copy the notebooks into the site, and nothing that is for instructors or for an exam."""
    source, target = Path(app.confdir) / FOLDER, Path(app.outdir) / FOLDER
    if error is not None or app.builder.format != "html":
        return
    shutil.rmtree(target, ignore_errors=True)
    for notebook in sorted(source.rglob("*.ipynb")):
        inside = notebook.relative_to(source)
        if not {"instructor", "exams", ".ipynb_checkpoints"} & set(inside.parts):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(notebook, target / inside)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", offer)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
