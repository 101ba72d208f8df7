"""A figure that does not move."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from ibtools._validation import word

from .block import Caption, picture_block
from .svg import drawn

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
    >>> from ibtools.show.picture import checked_alt
    >>> checked_alt("The loss falls in two steps, at t = 3 and t = 9.")
    'The loss falls in two steps, at t = 3 and t = 9.'
    """
    words = " ".join(word(where, alt).split())
    if len(words) < LEAST_ALT:
        raise ValueError(
            f"{where} must say what is to be seen, in at least {LEAST_ALT} characters, got "
            f"{alt!r}; name the quantities, and where the curves go"
        )
    return words


def checked_caption(anchor: Any, caption: Any) -> Caption:
    """Return a figure's name and what stands under it, or say what is wrong with them.

    Raises
    ------
    TypeError
        If one is not a string.
    ValueError
        If the name is not of the form ``fig-level-sets``, or has no caption.

    Examples
    --------
    >>> from ibtools.show.picture import checked_caption
    >>> checked_caption("fig-loss", "The loss falls in two steps.").anchor
    'fig-loss'
    """
    word("anchor", anchor)
    words = " ".join(word("caption", caption).split())
    if anchor and not re.fullmatch(r"fig(-[a-z0-9]+)+", anchor):
        raise ValueError(
            "anchor must be 'fig-' and words of small letters and digits with hyphens between "
            f"them, got {anchor!r}; 'fig-level-sets', say"
        )
    if anchor and not words:
        raise ValueError(f"the figure {anchor!r} needs a caption: what is drawn, and what to see")
    return Caption(anchor, words)


def refuse_hidden_data(hidden: Mapping[str, Sequence[str]]) -> None:
    """Complain of legends over data and of small type, by the setting at which they are.

    Raises
    ------
    ValueError
        If there is one.

    Examples
    --------
    >>> from ibtools.show.picture import refuse_hidden_data
    >>> refuse_hidden_data({"{'scale': 1.0}": []})
    """
    faults = [f"at {place} {fault}" for place, found in hidden.items() for fault in found]
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise ValueError(
            f"{'; '.join(faults[:3])}{more}: move the legend to where nothing is drawn, take wider "
            "limits of the axes, or put it under the figure: ibtools.show.legend_below(ax)"
        )


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure with its description; what `picture` returns.

    Attributes
    ----------
    figure
        The matplotlib figure.
    alt
        What is to be seen, in words.
    caption
        What stands under the picture, and the name by which it is referred to.
    """

    figure: Figure
    alt: str
    caption: Caption = field(default_factory=Caption)
    _cache: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def svg(self) -> str:
        """The figure as an ``<svg>`` element."""
        if "svg" not in self._cache:
            svg, hidden = drawn(self.figure, alt=self.alt)
            if static_figures():
                refuse_hidden_data({"this figure": hidden})
            self._cache["svg"] = svg
        return self._cache["svg"]

    def html(self) -> str:
        """Return the figure as one self-contained block of HTML."""
        return picture_block(self.svg, self.caption)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/html": self.html()}
        if not static_figures():
            bundle["text/plain"] = repr(self)
        return bundle

    def __repr__(self) -> str:
        """Show the description, not the drawing."""
        return f"Picture(alt={self.alt!r})"


def picture(figure: Figure, *, alt: str, anchor: str = "", caption: str = "") -> Picture:
    """Show one figure: inline SVG in the colours of the page, with a description.

    Parameters
    ----------
    figure
        A matplotlib figure, best made by :func:`ibtools.show.figure`.
    alt
        What is to be seen, in words; at least 20 characters.
    anchor
        The figure's name in addresses and cross-references, such as ``"fig-loss"``. The book
        numbers what has one. Default: no name, no number.
    caption
        What is drawn and what to see, in a sentence or two, as plain text. Needed where there is an
        `anchor`.

    Returns
    -------
    Picture
        Shown by a notebook as the value of a cell.

    Raises
    ------
    TypeError
        If `figure` is not a matplotlib figure or `alt` not a string.
    ValueError
        If `alt` is too short to say anything, or `anchor` cannot be a name or has no `caption`.

    Examples
    --------
    >>> from ibtools.show import figure, picture
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
    return Picture(figure, checked_alt(alt), checked_caption(anchor, caption))
