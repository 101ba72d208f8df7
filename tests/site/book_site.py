"""What the tests of the site agree on."""

import re
import sys
from functools import cache
from pathlib import Path

import yaml
from bs4 import BeautifulSoup
from labels import reading_order

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for page, _ in reading_order(yaml.safe_load((ROOT / "_toc.yml").read_text()))]
REFERENCE = [page for page in PAGES if page.startswith("book/reference/")]
# They are made by one template: a browser visits two, and `test_reference.py` reads all.
VISITED = [
    page for page in PAGES if page not in REFERENCE or page.endswith(("/index", "/trainers"))
]
GENERATED = ["genindex", "search", "404"]
DESKTOP = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
JUPYTER_BOOK = str(Path(sys.executable).parent / "jupyter-book")
BUILD = [JUPYTER_BOOK, "build", "-W", "-n", "--keep-going"]  # as `make book` does


def in_turns(pages: list[str]) -> list[str]:
    """Sort pages so that each of two workers has the long ones first."""
    by_length = sorted(pages, key=lambda page: -(ROOT / f"{page}.md").stat().st_size)
    return [*by_length[::2], *by_length[1::2]]


# The insides of formulas and the colours of code are four fifths of a page's elements.
SET = re.compile(r"<mjx-math\b.*?</mjx-math>|<math\b.*?</math>", re.DOTALL)
CODE = re.compile(r"<pre>.*?</pre>", re.DOTALL)
MARK = re.compile(r"</?span[^>]*>")


@cache
def read(site: Path, name: str) -> BeautifulSoup:
    """Parse a page of the site; its formulas are empty, and its code is without colours."""
    html = SET.sub("", (site / f"{name}.html").read_text(encoding="utf-8"))
    return BeautifulSoup(CODE.sub(lambda code: MARK.sub("", code[0]), html), "html.parser")
