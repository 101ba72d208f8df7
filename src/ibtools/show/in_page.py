"""Figures that are computed in the reader's page: no kernel, and no frames drawn beforehand."""

from __future__ import annotations

import html
import json
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .block import computed_block
from .explore import Exploration, with_controls
from .grids import Grid
from .picture import Picture, static_figures

Still = Exploration | Picture

IN_A_NOTEBOOK = (
    "The text speaks of the page of the book, where one drags things in this figure. Here the "
    "controls above it move them, as far as they go."
)
"""What a notebook says under a figure whose text was written for the page."""


class LiveFigure:
    """A figure that the page computes; what :func:`live_figure` returns and a notebook shows.

    While the book is built (environment variable ``IBTOOLS_STATIC_FIGURES=1``) it is shown as its
    still in a block that the page's script brings to life; in a notebook, as what was passed.

    Attributes
    ----------
    name
        The figure's name, by which the page's script knows it.
    still
        What is shown where the page's script does not run: on paper, and without scripts.
    in_notebook
        What a notebook shows: the still, with all its controls.
    start
        Where the figure's parameters are at first, by name.
    data
        What the page's script computes with, as JSON.
    """

    def __init__(
        self,
        name: str,
        still: Still,
        start: Mapping[str, float],
        data: str,
        in_notebook: Still | None = None,
    ) -> None:
        self.name = name
        self.data = data
        self.still = still
        self.in_notebook = still if in_notebook is None else in_notebook
        self.start: Mapping[str, float] = MappingProxyType(dict(start))

    def __repr__(self) -> str:
        """Show the name and what a notebook shows."""
        return f"LiveFigure({self.name!r}, {self.still!r})"

    def html(self) -> str:
        """Return the figure as one block of HTML, its still drawn in it."""
        if isinstance(self.still, Picture):
            svg = self.still.svg
        else:
            svg = self.still.frame(**self.still.start).svg
        note = "This is a still: its points and sliders need JavaScript."
        return computed_block(
            svg,
            name=self.name,
            start=self.start,
            data=self.data,
            note=note,
            caption=self.still.caption,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if static_figures():
            return {"text/html": self.html()}
        return self.in_notebook._repr_mimebundle_(include, exclude)

    def _ipython_display_(self, **_: Any) -> None:
        if static_figures() or isinstance(self.in_notebook, Picture):
            raise NotImplementedError  # as IPython asks of who leaves it to the other methods
        self.in_notebook._ipython_display_()
        from IPython.display import display

        words = f"<p><small>{html.escape(IN_A_NOTEBOOK)}</small></p>"
        display({"text/html": words, "text/plain": IN_A_NOTEBOOK}, raw=True)


def live_figure(
    name: str,
    still: Still,
    /,
    start: Mapping[str, float] | None = None,
    data: Mapping[str, Any] | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    **controls: Grid | Sequence[Any] | np.ndarray,
) -> LiveFigure:
    """Show a figure that the page computes itself, whose points the reader can drag.

    Parameters
    ----------
    name
        The figure's name: lower-case letters, digits and hyphens, such as ``"plane"``. Its
        mathematics is in ``book/_ext/live/<name>.js``.
    still
        What a notebook with a kernel shows instead, from :func:`explore` or :func:`picture`. Its
        first picture is what the page shows without scripts and on paper.
    start
        Where the figure's parameters are at first, by name; where one is not given, as its script
        says. Default: none.
    data
        What the script computes with: numbers, strings, and lists or arrays of them, by name. It
        finds them in ``ibtoolsLive.<name>.data``; they are part of the page. Default: none.
    presets
        Settings that a notebook offers as buttons after those of `still`, which cannot set what is
        dragged: what to see there, in a few words, and values by name of parameter, of `still` or
        of `controls`; where one is not given, where it is at first. Default: no more buttons.
    **controls
        What the reader drags in the page and a notebook has controls for beside those of `still`:
        values as :func:`explore` takes them, for parameters of its `draw`, and of its `alt` where
        that is a function, which have a default. A notebook draws when asked, so their number is
        free; the default must be one of the values. Default: none.

    Returns
    -------
    LiveFigure
        Shown by a notebook as the value of a cell.

    Raises
    ------
    TypeError
        If `still` is neither an exploration nor a picture, `controls` or `presets` are given for a
        picture, a preset does not say values by name, or `data` holds what JSON does not.
    ValueError
        If `name` is not such a name, a value of `start` or a number in `data` is not finite,
        `controls` name what `draw` has no default for, or whose default is not among the values, or
        a value of a preset is not in its grid, or two presets have the same words or setting.

    See Also
    --------
    explore : a figure whose frames are drawn when the page is built.

    Examples
    --------
    >>> from ibtools.show import figure, live_figure, picture
    >>> fig, ax = figure()
    >>> _ = ax.plot([0, 1, 2], [0, 1, 4])
    >>> live_figure("plane", picture(fig, alt="A parabola through (0, 0), (1, 1) and (2, 4)."))
    LiveFigure('plane', Picture(alt='A parabola through (0, 0), (1, 1) and (2, 4).'))
    """
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9-]*", name):
        raise ValueError(
            f"name must be lower-case letters, digits and hyphens, got {name!r}; it is that of a "
            "script in book/_ext/live"
        )
    if not isinstance(still, (Exploration, Picture)):
        raise TypeError(
            f"still must be what explore or picture returns, got {type(still).__name__}; make one "
            "of the same figure, for notebooks and paper"
        )
    for role, given in (("start", start), ("data", data), ("presets", presets)):
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(
                f"{role} must give values by name, got {type(given).__name__}; give a dictionary"
            )
    values = dict(start or {})
    for key, value in values.items():
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise ValueError(f"start[{key!r}] must be a finite number, got {value!r}")
    numbers_first = {key: float(value) for key, value in values.items()}
    in_notebook = still
    if controls or presets:
        if not isinstance(still, Exploration):
            role, names = ("controls", controls) if controls else ("presets", presets)
            raise TypeError(
                f"the {role} {list(names or ())} need a figure that moves, got "
                f"{type(still).__name__}; pass what explore returns as still"
            )
        in_notebook = with_controls(still, controls, presets or {})
    return LiveFigure(name, still, numbers_first, _json(data or {}), in_notebook)


def _json(data: Mapping[str, Any]) -> str:
    plain = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in data.items()
    }
    try:
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except TypeError as error:
        raise TypeError(
            f"data must hold numbers, strings, and lists or arrays of them: {error}"
        ) from error
    except ValueError as error:
        raise ValueError(f"data must hold finite numbers only: {error}") from error
