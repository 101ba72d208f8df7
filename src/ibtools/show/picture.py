"""A figure that does not move."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from .block import picture_block
from .svg import render_svg

STATIC_FIGURES = "IBTOOLS_STATIC_FIGURES"
"""Environment variable: 1 while the book is built, so that figures need no kernel."""

LEAST_ALT = 20
"""The shortest alt text, in characters, that can say what is to be seen."""


def static_figures() -> bool:
    """Return whether figures are shown for a page without a kernel."""
    return os.environ.get(STATIC_FIGURES, "") == "1"


def checked_alt(alt: Any, *, where: str = "alt") -> str:
    """Return an alt text, or say what is wrong with it.

    Raises
    ------
    TypeError
        If it is not a string.
    ValueError
        If it has fewer than 20 characters.

    Examples
    --------
    >>> checked_alt("The loss falls in two steps, at t = 3 and t = 9.")
    'The loss falls in two steps, at t = 3 and t = 9.'
    """
    if not isinstance(alt, str):
        raise TypeError(f"{where} must be a string, got {type(alt).__name__}: {alt!r}")
    text = " ".join(alt.split())
    if len(text) < LEAST_ALT:
        raise ValueError(
            f"{where} must say what is to be seen, in at least {LEAST_ALT} characters, got "
            f"{alt!r}; name the quantities, and where the curves go"
        )
    return text


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure with its description; what `picture` returns.

    Attributes
    ----------
    figure
        The matplotlib figure.
    alt
        What is to be seen, in words.
    """

    figure: Figure
    alt: str
    _cache: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def svg(self) -> str:
        """The figure as an ``<svg>`` element."""
        if "svg" not in self._cache:
            self._cache["svg"] = render_svg(self.figure, alt=self.alt)
        return self._cache["svg"]

    def html(self) -> str:
        """Return the figure as one self-contained block of HTML."""
        return picture_block(self.svg)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/html": self.html()}
        if not static_figures():
            bundle["text/plain"] = repr(self)
        return bundle

    def __repr__(self) -> str:
        """Show the description, not the drawing."""
        return f"Picture(alt={self.alt!r})"


def picture(figure: Figure, *, alt: str) -> Picture:
    """Show one figure: inline SVG in the colours of the page, with a description.

    Parameters
    ----------
    figure
        A matplotlib figure, best made by :func:`ibtools.show.figure`.
    alt
        What is to be seen, in words; at least 20 characters.

    Returns
    -------
    Picture
        Shown by a notebook as the value of a cell.

    Raises
    ------
    TypeError
        If `figure` is not a matplotlib figure or `alt` not a string.
    ValueError
        If `alt` is too short to say anything.

    Examples
    --------
    >>> from ibtools.show import figure
    >>> fig, ax = figure()
    >>> _ = ax.plot([0, 1, 2], [0, 1, 4])
    >>> picture(fig, alt="A parabola through (0, 0), (1, 1) and (2, 4).")
    Picture(alt='A parabola through (0, 0), (1, 1) and (2, 4).')
    """
    if not isinstance(figure, Figure):
        raise TypeError(
            f"figure must be a matplotlib Figure, got {type(figure).__name__}; of the pair that "
            "ibtools.show.figure() returns, pass the first"
        )
    return Picture(figure, checked_alt(alt))
