"""Citations as text: "Lyu and Li [2020]", and the list of the works cited."""

import sys
from pathlib import Path

from pybtex.database import BibliographyData, parse_file
from pybtex.plugin import find_plugin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from book_references import author_year  # noqa: E402


def read_bibliography(path: Path) -> BibliographyData:
    return parse_file(str(path))


def cite(bibliography: BibliographyData, keys: str, in_sentence: bool) -> str:
    """The works `keys` (separated by commas), each linked to where it can be read."""
    works = []
    for key in (key.strip() for key in keys.split(",")):
        if key not in bibliography.entries:
            raise ValueError(f"no entry {key!r} in references.bib")
        entry = bibliography.entries[key]
        names, year = author_year(entry).rsplit(", ", 1)
        link = address(entry)
        text = f"{names} [{year}]" if in_sentence else f"{names}, {year}"
        works.append(f"[{escape(text)}]({link})" if link else text)
    return ", ".join(works) if in_sentence else f"({'; '.join(works)})"


def list_works(bibliography: BibliographyData, keys: set[str]) -> list[str]:
    """One Markdown list item for each of `keys`, by author."""
    style = find_plugin("pybtex.style.formatting", "plain")()
    backend = find_plugin("pybtex.backends", "markdown")()
    works = style.format_bibliography(bibliography, [k for k in bibliography.entries if k in keys])
    return ["- " + " ".join(work.text.render(backend).split()) for work in works]


def address(entry) -> str | None:
    if doi := entry.fields.get("doi"):
        return f"https://doi.org/{doi}"
    if eprint := entry.fields.get("eprint"):
        return f"https://arxiv.org/abs/{eprint}"
    return entry.fields.get("url")


def escape(text: str) -> str:
    return text.replace("[", r"\[").replace("]", r"\]")
