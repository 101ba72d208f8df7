"""What was taken over from the book's pages, by ``make notebooks``."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def pages() -> dict[str, Any]:
    """Return the exercises and the lectures' set-ups, by their ids and names."""
    return json.loads((files("ibtools.course") / "pages.json").read_text(encoding="utf-8"))
