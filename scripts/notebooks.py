"""Write book/**/*.ipynb, the notebooks that Binder, Colab and Jupyter open, from book/**/*.md.

What `ibtools.course` takes from the pages is written with them, and the student notebooks, course/.
``python scripts/notebooks.py`` writes them; ``--check`` only says which are out of date.
The notebooks hold no outputs.
"""

import argparse
import sys
from pathlib import Path

import jupytext
import nbformat
import yaml
from citations import list_works, read_bibliography
from course_pages import PAGES_OF_COURSE, course_pages
from labels import read_book, reading_order
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from plain_markdown import Translator

ROOT = Path(__file__).resolve().parent.parent
COLAB = """\
# On Colab this installs the book's package; anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "ibtools[show] @ git+{repository}@{branch}"\
"""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing, compare only")
    check = arguments.parse_args().check
    try:
        pages = {**generate(ROOT), ROOT / PAGES_OF_COURSE: of_course(ROOT) + "\n"}
        stale = agree(pages, ROOT / "book", check=check)
        if not (check and stale):  # the package reads what was just written
            from write_course import STUDENTS, for_the_repository

            students = for_the_repository(ROOT)
            stale |= agree(students, ROOT / STUDENTS, check=check)
    except ValueError as error:
        print(f"Cannot write the notebooks: {error}.", file=sys.stderr)
        return 1
    if check and stale:
        print("Type 'make notebooks' and commit the result.")
        return 1
    print(f"{len(pages) + len(students)} notebooks agree with their pages.")
    return 0


def agree(notebooks: dict[Path, str], folder: Path, *, check: bool) -> bool:
    """Write what is out of date and remove what is left over; say whether there was any."""
    stale = [path for path, text in notebooks.items() if current(path) != text]
    orphans = sorted(set(folder.rglob("*.ipynb")) - set(notebooks))
    for path in stale + orphans:
        verb = "is out of date" if check else "removed" if path in orphans else "written"
        print(f"{path.relative_to(ROOT)}: {verb}")
        if not check and path in orphans:
            path.unlink()
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(notebooks[path], encoding="utf-8")
    return bool(stale or orphans)


def generate(root: Path) -> dict[Path, str]:
    """The text of every notebook of the book under `root`, by path."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    pages = [page for page, _ in reading_order(yaml.safe_load((root / "_toc.yml").read_text()))]
    executable = {page for page in pages if "\nkernelspec:" in source(root, page)[:1000]}
    book = read_book(root)
    bibliography = read_bibliography(root / "book" / "references.bib")
    notebooks = {}
    for page in sorted(executable):
        translator = Translator(page, book, bibliography, executable)
        notebook = convert(source(root, page), translator, config["repository"])
        notebooks[root / f"{page}.ipynb"] = nbformat.writes(notebook) + "\n"
    return notebooks


def of_course(root: Path) -> str:
    """What the course takes over from the pages, which is no notebook."""
    pages = [page for page, _ in reading_order(yaml.safe_load((root / "_toc.yml").read_text()))]
    book, bibliography = read_book(root), read_bibliography(root / "book" / "references.bib")
    return course_pages(
        {page: source(root, page) for page in pages},
        book,
        {page: Translator(page, book, bibliography, set(pages)) for page in pages},
    )


def convert(text: str, translator: Translator, repository: dict) -> nbformat.NotebookNode:
    """One page as a notebook."""
    colab = COLAB.format(repository=repository["url"], branch=repository["branch"])
    cells = [new_code_cell(colab, metadata={"tags": ["remove-cell"]})]
    in_solution = False
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        if cell.cell_type == "markdown":
            if "{solution-start}" in cell.source:
                in_solution = True
            if "{solution-end}" in cell.source:
                in_solution = False
            if plain := translator.translate(cell.source):
                cells.append(new_markdown_cell(plain))
            continue
        metadata = dict(cell.metadata)
        if in_solution or "hide-input" in metadata.get("tags", []):
            metadata["jupyter"] = {"source_hidden": True}
        cells.append(new_code_cell(cell.source, metadata=metadata))
        figure = metadata.get("mystnb", {}).get("figure", {})
        if figure.get("caption"):
            cells.append(new_markdown_cell(translator.caption("figure", figure["caption"])[0]))
    if translator.cited:
        works = list_works(translator.bibliography, translator.cited)
        cells.append(new_markdown_cell("\n".join(["## References", "", *works])))
    stem = translator.page.removeprefix("book/").replace("/", "-")
    for index, cell in enumerate(cells):
        cell.id = f"{stem}-{index}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def source(root: Path, page: str) -> str:
    return (root / f"{page}.md").read_text(encoding="utf-8")


def current(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
