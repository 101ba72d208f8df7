"""Write _build/course/: notebooks of the exercises for students and for instructors, and homework.

``python scripts/write_course.py`` writes them all; those for students are also the ones in
``course/``, which ``make notebooks`` writes: Binder and Colab open notebooks from the repository.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import yaml
from citations import read_bibliography
from editions.items import Item, ItemReader, read_items
from editions.notebooks import homework, instructor, marked_homework, student
from labels import read_book, reading_order

from ibtools.course import homeworks, lectures

ROOT = Path(__file__).resolve().parent.parent
STUDENTS = "course"  # the folder of the student notebooks, in the repository and on the site


def main() -> int:
    out = ROOT / "_build" / "course"
    for path, text in editions(ROOT, os.environ.get("TAG")).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text, encoding="utf-8")
    for folder in ("exams", "instructor"):  # the exams, and their solutions
        for file in sorted((ROOT / STUDENTS / folder).glob("*.md")):
            (out / "instructor" / "exams").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, out / "instructor" / "exams" / file.name)
    print(f"Notebooks for students and for instructors: {out}")
    return 0


def editions(root: Path, ref: str | None = None) -> dict[Path, str]:
    """The text of every notebook of both editions, by its path; `ref` is a branch or a tag."""
    repository = settings(root, ref)
    found = {}
    for name, *chapter in chapters(root, repository):
        for edition, make in (("student", student), ("instructor", instructor)):
            found[Path(edition) / f"{name}.ipynb"] = make(name, *chapter, repository)
    for name in homeworks():
        for edition, make in (("student", homework), ("instructor", marked_homework)):
            made = make(name, repository, ref or "")
            found[Path(edition) / "homework" / f"{name}.ipynb"] = made
    return {path: nbformat.writes(notebook) + "\n" for path, notebook in found.items()}


def for_the_repository(root: Path) -> dict[Path, str]:
    """The student notebooks where Binder, Colab and the site take them from."""
    return {
        root / STUDENTS / path.relative_to("student"): text
        for path, text in editions(root).items()
        if path.parts[0] == "student"
    }


def chapters(root: Path, repository: dict) -> Iterator[tuple[str, str, str, list[Item]]]:
    """Name, title, address and exercises of every lecture that has any."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    book, works = read_book(root), read_bibliography(root / "book" / "references.bib")
    pages = {
        page: (root / f"{page}.md").read_text(encoding="utf-8") for page, _ in reading_order(toc)
    }
    executable = {page for page, text in pages.items() if "\nkernelspec:" in text[:1000]}
    at = f"{repository['url']}/blob/{repository['branch']}"
    for name in lectures():
        page = f"book/{name}"
        reader = ItemReader(page, book, works, executable, repository=at)
        items = read_items(pages[page], reader)
        yield name, book.titles[page], reader.address(page), items


def settings(root: Path, ref: str | None) -> dict:
    """Where the repository is, and which branch or tag the notebooks name."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return config | ({"branch": ref} if ref else {})


if __name__ == "__main__":
    sys.exit(main())
