"""The sources of the book's pages, as the tests of its text read them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def source(page: str) -> str:
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level, up to the next."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    return found[1] if found else ""


def chapter_of(page: str) -> str:
    """The chapter of a page: its own name, or that of the folder it lies in."""
    return page.removeprefix("book/").partition("/")[0]
