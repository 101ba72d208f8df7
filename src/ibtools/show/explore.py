"""The interactive figure: one pure function of its parameters, shown with sliders."""

from __future__ import annotations

import inspect
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from .block import Caption, Control, Preset, explore_block, picture_block
from .grids import Grid, choices
from .live import display_live, explore_widget
from .picture import checked_alt, checked_caption, refuse_hidden_data, static_figures
from .style import house_style
from .svg import Boxes, axes_boxes, common_boxes, drawn

MOST_FRAMES = 400
"""The largest number of frames of one figure."""

Draw = Callable[..., Figure]
Alt = str | Callable[..., str]


@dataclass(frozen=True)
class Frame:
    """One picture of an interactive figure.

    Attributes
    ----------
    parameters
        What the function that draws was called with, by name.
    alt
        What is to be seen, in words.
    svg
        The picture, an ``<svg>`` element.
    hidden
        Which legends lie over data, and what is too small.
    """

    parameters: Mapping[str, Any]
    alt: str
    svg: str
    hidden: tuple[str, ...] = ()


class Exploration:
    """An interactive figure; what :func:`explore` returns and a notebook shows.

    While the book is built (environment variable ``IBTOOLS_STATIC_FIGURES=1``) it is shown as one
    block of HTML that needs no kernel; otherwise as widgets that call `draw` again.

    Attributes
    ----------
    grids
        The grid of each parameter.
    start
        The parameters of the picture that is shown first.
    presets
        The parameters that a reader is offered by name.
    caption
        What stands under the picture, and the name by which it is referred to.

    Examples
    --------
    >>> from ibtools.show import explore, figure
    >>> def draw(slope):
    ...     fig, ax = figure()
    ...     ax.plot([-1, 1], [-slope, slope])
    ...     return fig
    >>> shown = explore(draw, alt="A line through the origin", slope=[0.5, 1.0])
    >>> shown.alt(slope=0.5), shown.draw(slope=0.5).axes[0].lines[0].get_ydata().tolist()
    ('A line through the origin. Here: slope 0.5.', [-0.5, 0.5])
    >>> shown.frame(slope=0.5).alt == shown.alt(slope=0.5), "<svg" in shown.block(slope=0.5)
    (True, True)
    """

    def __init__(
        self,
        draw: Draw,
        alt: Alt,
        grids: Mapping[str, Grid],
        start: Mapping[str, Any],
        presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        caption: Caption | None = None,
    ) -> None:
        self._draw = draw
        self._alt = alt
        self.caption = caption or Caption()
        self.grids: Mapping[str, Grid] = MappingProxyType(dict(grids))
        self.start: Mapping[str, Any] = MappingProxyType(dict(start))
        self.presets: Mapping[str, Mapping[str, Any]] = MappingProxyType(
            {name: MappingProxyType(dict(values)) for name, values in presets.items()}
        )

    def __repr__(self) -> str:
        """Show the parameters, not the drawing."""
        sizes = ", ".join(f"{name}: {len(grid.values)} values" for name, grid in self.grids.items())
        return f"Exploration({getattr(self._draw, '__name__', 'draw')}, {sizes})"

    def __len__(self) -> int:
        """Return the number of frames."""
        return math.prod(len(grid.values) for grid in self.grids.values())

    def draw(self, **parameters: Any) -> Figure:
        """Call `draw` in the style of the book and check what it returns.

        Parameters
        ----------
        **parameters
            A value for each slider, by its name.

        Raises
        ------
        TypeError
            If `draw` does not return a matplotlib figure.
        """
        with house_style():
            figure = self._draw(**parameters)
        if not isinstance(figure, Figure):
            hint = "; did it forget its return?" if figure is None else ""
            raise TypeError(
                f"draw must return a matplotlib Figure, got {type(figure).__name__} at "
                f"{parameters!r}{hint}"
            )
        return figure

    def alt(self, **parameters: Any) -> str:
        """Return the alt text at these parameters.

        An alt text that is the same for all frames is completed by the values of the parameters.

        Parameters
        ----------
        **parameters
            A value for each slider, by its name: one of its grid.
        """
        if callable(self._alt):
            return checked_alt(self._alt(**parameters), where=f"alt at {parameters!r}")
        values = ", ".join(
            f"{grid.label} {grid.spoken(parameters[name])}" for name, grid in self.grids.items()
        )
        return f"{self._alt.rstrip('.')}. Here: {values}."

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Iterate over the parameters of all frames, the last one running fastest."""
        names = list(self.grids)
        for values in itertools.product(*(grid.values for grid in self.grids.values())):
            yield dict(zip(names, values, strict=True))

    def corners(self) -> Iterator[dict[str, Any]]:
        """Iterate over the corners of the grid: each parameter at its first or last value."""
        names = list(self.grids)
        ends = [dict.fromkeys((0, len(grid.values) - 1)) for grid in self.grids.values()]
        for at in itertools.product(*ends):
            yield {name: self.grids[name].values[i] for name, i in zip(names, at, strict=True)}

    def frame(self, **parameters: Any) -> Frame:
        """Draw one frame, with the layout all frames share.

        Parameters
        ----------
        **parameters
            A value for each slider, by its name: one of its grid.
        """
        return self._frame(parameters, self._boxes)

    def _frame(self, parameters: Mapping[str, Any], boxes: Boxes | None) -> Frame:
        figure = self.draw(**parameters)
        try:
            alt = self.alt(**parameters)
            svg, hidden = drawn(figure, alt=alt, boxes=boxes)
        finally:
            _forget(figure)
        return Frame(MappingProxyType(dict(parameters)), alt, svg, tuple(hidden))

    @cached_property
    def _boxes(self) -> Boxes | None:
        layouts = []
        for parameters in self.corners():
            figure = self.draw(**parameters)
            try:
                layouts.append(axes_boxes(figure))
            finally:
                _forget(figure)
        return common_boxes(layouts)

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """All frames, the last parameter running fastest; drawn when first asked for.

        Raises
        ------
        ValueError
            If two frames that look different are described by the same alt text.
        """
        bar = tqdm(self.combinations(), total=len(self), desc="frames", disable=_quiet())
        frames = tuple(self.frame(**parameters) for parameters in bar)
        told: dict[str, Frame] = {}
        for frame in frames:
            other = told.setdefault(frame.alt, frame)
            if other.svg != frame.svg:
                raise ValueError(
                    f"alt is the same at {dict(other.parameters)!r} and "
                    f"{dict(frame.parameters)!r}, where the pictures differ: {frame.alt!r}; let "
                    "alt say what changes, or name the parameters in it"
                )
        return frames

    def html(self) -> str:
        """Return the figure as one self-contained block of HTML with sliders, for any page.

        Raises
        ------
        ValueError
            If two frames that look different are described by the same alt text, or, while the
            book is built, a legend lies over data or type is too small.
        """
        if static_figures():
            refuse_hidden_data({str(dict(frame.parameters)): frame.hidden for frame in self.frames})
        controls = []
        for name, grid in self.grids.items():
            controls.append(
                Control(
                    name,
                    grid.label,
                    tuple(grid.text(value) for value in grid.values),
                    tuple(grid.spoken(value) for value in grid.values),
                    tuple(grid.key(value) for value in grid.values),
                    grid.values.index(self.start[name]),
                    grid.in_words,
                )
            )
        presets = [
            Preset(name, tuple(self.grids[p].values.index(value) for p, value in chosen.items()))
            for name, chosen in self.presets.items()
        ]
        return explore_block(
            [frame.svg for frame in self.frames],
            controls,
            presets=presets,
            caption=self.caption,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if static_figures():
            return {"text/html": self.html()}
        return {"text/html": self.block(**self.start), "text/plain": repr(self)}

    def _ipython_display_(self, **_: Any) -> None:
        if static_figures():
            raise NotImplementedError  # as IPython asks of who leaves it to the other methods
        display_live(self)

    def widget(self) -> Any:
        """Return the figure as ipywidgets: the same controls, `draw` called on release.

        Returns
        -------
        ipywidgets.VBox
            The controls, buttons, a place where errors of `draw` are shown, and the picture.

        Raises
        ------
        ImportError
            If ipywidgets is not installed.
        """
        return explore_widget(self)

    def block(self, **parameters: Any) -> str:
        """Return one frame as a self-contained block of HTML, without sliders.

        Parameters
        ----------
        **parameters
            A value for each slider, by its name: one of its grid.
        """
        setting = ", ".join(grid.setting(parameters[name]) for name, grid in self.grids.items())
        return picture_block(self._frame(parameters, None).svg, self.caption, setting)


def _quiet() -> bool | None:
    # None: tqdm shows its bar in a terminal only.
    return True if static_figures() else None


def _forget(figure: Figure) -> None:
    """Close the figure in pyplot, if `draw` made it there: pyplot would keep every frame."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def explore(
    draw: Draw,
    /,
    *,
    alt: Alt,
    anchor: str = "",
    caption: str = "",
    start: Mapping[str, Any] | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    **grids: Grid | Sequence[Any] | np.ndarray,
) -> Exploration:
    """Make an interactive figure of a function of its parameters.

    Parameters
    ----------
    draw
        ``draw(**parameters)`` returns a matplotlib figure, best made by
        :func:`ibtools.show.figure`. It must be pure: what it shows depends on its parameters only.
    alt
        What is to be seen, in words: a function of the parameters, or one string, which is then
        completed by the values of the parameters. Frames that differ need texts that differ.
    **grids
        For every parameter of `draw` that has no default its values: :func:`linspace`,
        :func:`geomspace`, :func:`choices`, or a plain sequence. The product of their lengths is
        the number of frames, at most 400; about 100 is a good size.

    Returns
    -------
    Exploration

    Other Parameters
    ----------------
    anchor
        The figure's name in addresses and cross-references, such as ``"fig-level-sets"``. The book
        numbers what has one. Default: no name, no number.
    caption
        What is drawn and what to see, in a sentence or two, as plain text. Needed where there is an
        `anchor`. The setting of the controls is written after it.
    start
        Values shown first, by name of parameter; where one is not given, the grid's first.
    presets
        Settings offered as buttons: what to see there, in a few words, and values by name of
        parameter; where one is not given, the value of `start`. Default: no buttons.

    Raises
    ------
    TypeError
        If `draw` is not callable, or `alt` neither a string nor callable.
    ValueError
        If the grids do not fit the parameters of `draw` or of `alt`, one is empty or holds values
        that are not finite, there are more than 400 frames, a value of `start` or of a preset is
        not in its grid, two presets are the same, or `alt` is too short.

    See Also
    --------
    picture : a figure that does not move.
    live_figure : one whose points the reader drags, computed by the page.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.show import explore, figure, linspace
    >>> def draw(slope):
    ...     fig, ax = figure()
    ...     ax.plot([-1, 1], [-slope, slope])
    ...     ax.set(xlim=(-1, 1), ylim=(-1, 1))
    ...     return fig
    >>> explore(
    ...     draw,
    ...     alt=lambda slope: f"A line through the origin with slope {slope:.2f}.",
    ...     slope=linspace(-1, 1, 9, label="slope"),
    ... )
    Exploration(draw, slope: 9 values)
    """
    for role, given in (("start", start), ("presets", presets)):
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(
                f"{role} must give values by name, got {type(given).__name__}; give a dictionary"
            )
    if not callable(draw):
        raise TypeError(
            f"draw must be a function that returns a Figure, got {type(draw).__name__}; a figure "
            "that does not move is shown by picture(figure, alt=...)"
        )
    if not grids:
        raise ValueError(
            "explore needs at least one grid, e.g. scale=geomspace(1e-3, 1, 7, label='scale α'); "
            "a figure that does not move is shown by picture(figure, alt=...)"
        )
    labelled = {name: _grid(name, grid) for name, grid in grids.items()}
    _check_signature(draw, "draw", labelled)
    if callable(alt):
        _check_signature(alt, "alt", labelled)
    else:
        checked_alt(alt)
    count = math.prod(len(grid.values) for grid in labelled.values())
    if count > MOST_FRAMES:
        sizes = " x ".join(str(len(grid.values)) for grid in labelled.values())
        raise ValueError(
            f"the grids make {sizes} = {count} frames, at most {MOST_FRAMES} are allowed: every "
            "frame is part of the page; take fewer values, or make a parameter a default of draw"
        )
    first = _start(labelled, start or {}, "start")
    return Exploration(
        draw,
        alt,
        labelled,
        first,
        _presets(labelled, first, presets or {}),
        checked_caption(anchor, caption),
    )


def with_controls(
    exploration: Exploration,
    more: Mapping[str, Grid | Sequence[Any] | np.ndarray],
    presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Exploration:
    """Return a figure with controls for further parameters, and presets that may set these, too.

    It is for notebooks, which draw what is asked for: the number of its frames is free.

    Raises
    ------
    TypeError
        If a preset does not say values by name.
    ValueError
        If a parameter has no default in `draw`, is unknown to an `alt` that is a function, or its
        default is not among its values; if a value of a preset is not in its grid, or there is one
        of its words or its setting already.
    """
    known = inspect.signature(exploration._draw).parameters
    empty = inspect.Parameter.empty
    free = {
        name: parameter.default
        for name, parameter in known.items()
        if name not in exploration.grids and parameter.default is not empty
    }
    if unknown := [name for name in more if name not in free]:
        raise ValueError(
            f"the controls {unknown} must be parameters of draw that have a default and no control "
            f"yet; those are {list(free)}"
        )
    grids = {name: _grid(name, grid) for name, grid in more.items()}
    start = _start(grids, {name: free[name] for name in grids}, "draw's default of ")
    together = {**exploration.grids, **grids}
    if callable(exploration._alt):
        _check_signature(exploration._alt, "alt", together)
    first = {**exploration.start, **start}
    before = {title: {**values, **start} for title, values in exploration.presets.items()}
    return Exploration(
        exploration._draw,
        exploration._alt,
        together,
        first,
        _presets(together, first, presets, before),
        exploration.caption,
    )


def _grid(name: str, values: Grid | Sequence[Any] | np.ndarray) -> Grid:
    if isinstance(values, Grid):
        return values if values.label else Grid(values.values, values.spacing, name, values.format)
    if isinstance(values, str) or not isinstance(values, (Sequence, np.ndarray, range)):
        raise TypeError(
            f"{name} must be a grid (linspace, geomspace, choices) or a sequence of values, got "
            f"{values!r}"
        )
    return choices(list(values), label=name)


def _check_signature(function: Callable[..., Any], role: str, grids: Mapping[str, Grid]) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # a function without a signature to ask, e.g. one of NumPy's
    try:
        signature.bind(**dict.fromkeys(grids))
    except TypeError as error:
        raise ValueError(
            f"the grids {list(grids)} do not fit {role}{signature}: {error}; every parameter of "
            f"{role} without a default needs a grid of its own name, and no other"
        ) from error


def _start(
    grids: Mapping[str, Grid],
    given: Mapping[str, Any],
    role: str,
    otherwise: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    unknown = [name for name in given if name not in grids]
    if unknown:
        raise ValueError(f"{role} names {unknown}, but the parameters are {list(grids)}")
    out = {}
    for name, grid in grids.items():
        if name not in given:
            out[name] = otherwise.get(name, grid.values[0])
            continue
        for value in grid.values:
            same = value == given[name]
            close = grid.spacing != "choice" and math.isclose(value, given[name], rel_tol=1e-9)
            if same or close:
                out[name] = value
                break
        else:
            raise ValueError(
                f"{role}[{name!r}] is {given[name]!r}, which is not in its grid {grid.values!r}"
            )
    return out


def _presets(
    grids: Mapping[str, Grid],
    start: Mapping[str, Any],
    given: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> dict[str, dict[str, Any]]:
    presets = dict(before)
    for title, values in given.items():
        if not isinstance(title, str) or not title.strip():
            raise ValueError(f"a preset is named by what to see there, in words; got {title!r}")
        if title in presets:
            raise ValueError(f"there is a preset {title!r} already; give this one other words")
        if not isinstance(values, Mapping):
            raise TypeError(
                f"presets[{title!r}] must say values by name of parameter, such as "
                f"{{{next(iter(grids))!r}: ...}}, got {values!r}"
            )
        chosen = _start(grids, values, f"presets[{title!r}]", start)
        for other, there in presets.items():
            if there == chosen:
                raise ValueError(f"presets {other!r} and {title!r} are the same: {chosen!r}")
        presets[title] = chosen
    return presets
