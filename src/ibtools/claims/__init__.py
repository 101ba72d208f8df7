"""Claims: theorems as functions that run both of their sides and compare.

A claim is written once and used three times: a chapter shows it, the tests run it, the scoreboard
tabulates it. ``python -m ibtools.claims`` prints all of them. A chapter's claims are imported when
they are asked for, since those on regression need no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ibtools.claims.claim import Claim, ClaimError, Comparison, Outcome, Scoreboard, claim

if TYPE_CHECKING:
    from ibtools.claims import (
        homogeneous,
        homogeneous_theorems,
        imd,
        non_homogeneous,
        two_layer,
        warping,
    )

    CLAIMS: tuple[Claim, ...]
    """All claims of the book, in the order of its chapters."""

CHAPTERS = ("imd", "warping", "homogeneous", "homogeneous_theorems", "non_homogeneous", "two_layer")
"""The modules with the claims, by name, in the order of the book."""

__all__ = [
    "CHAPTERS",
    "CLAIMS",
    "Claim",
    "ClaimError",
    "Comparison",
    "Outcome",
    "Scoreboard",
    "claim",
    "homogeneous",
    "homogeneous_theorems",
    "imd",
    "non_homogeneous",
    "two_layer",
    "warping",
]


def __getattr__(name: str) -> Any:
    if name in CHAPTERS:
        return import_module(f"{__name__}.{name}")
    if name == "CLAIMS":
        chapters = [import_module(f"{__name__}.{chapter}") for chapter in CHAPTERS]
        return tuple(claim for chapter in chapters for claim in chapter.CLAIMS)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
