"""Runs of whole notebooks: the tests run each one, and the book shows what came out.

A run is kept as a notebook in ``_build/.runs``, under the name of its page. It is written when its
last cell has passed, and taken only where the page has the same cells and everything else that a
run depends on is the same.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ibtools._files import write_whole

FOLDER = ".runs"  # in _build


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def complaints(notebook: NotebookNode) -> str:
    """Return what the cells printed to stderr."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.get("name") == "stderr")


def keep(
    path: Path,
    notebook: NotebookNode,
    outputs: Sequence[Sequence[dict]],
    *,
    digest: str,
    seconds: float,
) -> None:
    """Write a notebook with the outputs of its code cells, and what they depend on."""
    run = deepcopy(notebook)
    for cell, of_cell in zip(code_cells(run), outputs, strict=True):
        cell.outputs = [nbformat.from_dict(output) for output in of_cell]
    run.metadata["run"] = {"digest": digest, "seconds": seconds}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, nbformat.writes(run), shared=True)


def kept(path: Path, page: NotebookNode, *, digest: str) -> tuple[NotebookNode, float] | None:
    """Return a page with the outputs of its notebook's run and the seconds it took, if it is kept.

    A notebook may have one cell before those of its page, which does something on Colab only.
    """
    try:
        run = nbformat.read(path, as_version=4)
        cells, depends = code_cells(run), run.metadata["run"]
        language = run.metadata["language_info"]
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError):
        return None
    wanted = code_cells(page)
    if len(cells) == len(wanted) + 1:
        cells = cells[1:]
    if depends["digest"] != digest or complaints(run) or sources(cells) != sources(wanted):
        return None
    shown = deepcopy(page)
    shown.metadata["language_info"] = language
    for count, (cell, done) in enumerate(zip(code_cells(shown), cells, strict=True), start=1):
        cell.outputs, cell.execution_count = done.outputs, count
        for output in cell.outputs:
            if output.output_type == "execute_result":  # nbval's kernels keep no count
                output.execution_count = count
    return shown, depends["seconds"]


def sources(cells: Sequence[NotebookNode]) -> list[str]:
    return [cell.source.strip() for cell in cells]
