"""Reading a notebook file, whatever it is that was handed in."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 2**20  # of one file; more is no notebook that somebody wrote
PYTHONS = ("python", "ipython")


class UnreadableError(Exception):
    """What was handed in is no notebook; the message says what it is."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    kind
        ``code``, ``markdown`` or ``raw``.
    source
        Its text.
    id
        Its id, empty where there is none.
    about
        What our metadata say of it: ``role``, ``exercise``, ``points``; empty for a student's own.
    """

    kind: str
    source: str
    id: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """What the cell is for, as its metadata say it."""
        role = self.about.get("role", "")
        return role if isinstance(role, str) else ""

    @property
    def words(self) -> str:
        """Its text without what an editor changes: spaces, quotes, empty lines."""
        return re.sub(r"\s+", "", self.source).replace("'", '"')


@dataclass(frozen=True)
class Notebook:
    """The cells of a notebook, and what is unusual about the file."""

    cells: tuple[Cell, ...]
    kernel: str = ""
    language: str = ""
    notes: tuple[str, ...] = ()


def read_notebook(path: Path) -> Notebook:
    """Read a notebook of format 3 or 4.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Notebook
        Its cells, as far as they are cells.

    Raises
    ------
    UnreadableError
        With a sentence for the teacher, if there are none.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnreadableError(f"the file has {size / 2**20:.0f} MB; a notebook has a few")
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"the file cannot be read: {error.strerror}") from None
    if not raw.strip(b"\0 \r\n\t"):
        raise UnreadableError("the file is empty" if not raw else "the file holds nothing")
    try:
        content = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        what = _looks_like(raw)
        raise UnreadableError(f"the file is no notebook{f', but {what}' if what else ''}") from None
    if not isinstance(content, dict):
        raise UnreadableError("the file is JSON, but no notebook")
    sheets = content.get("worksheets")
    if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict):
        listed = sheets[0].get("cells")
    else:
        listed = content.get("cells")
    if not isinstance(listed, list):
        raise UnreadableError("the file is JSON, but no notebook: it has no cells")
    cells = tuple(_cell(each) for each in listed if isinstance(each, dict))
    if not cells:
        raise UnreadableError("the notebook has no cells")
    about = _dictionary(content.get("metadata"))
    kernel, language = _dictionary(about.get("kernelspec")), _dictionary(about.get("language_info"))
    name = str(kernel.get("display_name") or kernel.get("name") or "")
    spoken = str(kernel.get("language") or language.get("name") or "").casefold()
    notes: tuple[str, ...] = ()
    if spoken and not spoken.startswith(PYTHONS):
        notes = (f"its kernel is {name or spoken}, not Python; run as Python",)
    return Notebook(cells, name, spoken, notes)


def _cell(raw: dict[str, Any]) -> Cell:
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(str(line) for line in source)
    about = _dictionary(_dictionary(raw.get("metadata")).get("ibtools"))
    kind = str(raw.get("cell_type", "raw"))
    return Cell(kind, str(source), str(raw.get("id", "")), about)


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _looks_like(raw: bytes) -> str:
    if raw.startswith(b"%PDF"):
        return "a PDF"
    if raw.startswith(b"PK"):
        return "a zip archive or an office document"
    if raw.lstrip()[:1] == b"<":
        return "a web page"
    if raw.lstrip()[:1] == b"{":
        return "the beginning of one: it breaks off, or was damaged"
    if b"\0" not in raw[:4096]:
        return "plain text"
    return ""
