"""One look for all figures: sizes, lines, and colours that follow the reader's theme.

A colour is written in a figure as its value in the light theme. When the figure is turned into an
SVG, every value known here becomes a CSS variable with that value as its fallback, and the page
gives the variable its value in the dark theme. Black becomes the colour of the surrounding text,
white the colour of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from ibtools._validation import count, entries, positive, vector

COLORS = MappingProxyType(
    {
        "blue": "#003c9c",
        "vermillion": "#951f00",
        "green": "#14a06e",
        "purple": "#c86bce",
        "orange": "#8f7200",
        "sky": "#0b7c9f",
    }
)
"""Categorical colours by name, light theme; pass these to matplotlib.

The hues are Okabe and Ito's, with lightness moved apart until every pair differs for readers with
protanopia, deuteranopia and tritanopia too and each is legible on the page.
"""

DARK_COLORS = MappingProxyType(
    {
        "blue": "#5a93f7",
        "vermillion": "#f8701a",
        "green": "#68ffd3",
        "purple": "#cb82ae",
        "orange": "#e8c028",
        "sky": "#74c8f3",
    }
)
"""What each of `COLORS` becomes in the dark theme."""

FOREGROUND = "#000000"
"""Text, spines, ticks: the page's text colour."""

BACKGROUND = "#ffffff"
"""The page's own background, e.g. behind the labels of a contour line."""

MUTED = "#6b7177"
"""Secondary lines and notes: less than the text, still legible."""

GRID = "#dfe2e5"
"""Grid lines; decoration, never the only carrier of information."""

_DARK_MUTED = "#9aa3ab"
_DARK_GRID = "#34393f"

MARKERS = ("o", "s", "^", "D", "v", "P")
"""Marker shapes, one for each of `COLORS`: no difference is carried by colour alone."""

LINESTYLES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (1.2, 1.4)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (2.6, 1.3)),
    (0, (6, 1.4, 1.2, 1.4, 1.2, 1.4)),
)
"""Line styles, one for each of `COLORS`."""

# At 5.6 inches, the default width, a point is 0.9 px on a phone of 390 px and 1.4 px on a desk.
RC: Any = MappingProxyType(
    {
        "axes.axisbelow": True,
        "axes.edgecolor": FOREGROUND,
        "axes.facecolor": "none",
        "axes.formatter.use_mathtext": True,
        "axes.formatter.limits": (-3, 4),
        "axes.grid": True,
        "axes.labelcolor": FOREGROUND,
        "axes.labelpad": 5.0,
        "axes.labelsize": 11.0,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": (
            cycler(color=list(COLORS.values()))
            + cycler(linestyle=list(LINESTYLES))
            + cycler(linewidth=[1.8] * len(COLORS))
        ),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlepad": 8.0,
        "axes.titlesize": 11.5,
        "axes.titleweight": "normal",
        "axes.unicode_minus": True,
        "contour.linewidth": 1.5,
        "figure.constrained_layout.h_pad": 0.05,
        "figure.constrained_layout.w_pad": 0.05,
        "figure.dpi": 72.0,
        "figure.facecolor": "none",
        "figure.edgecolor": "none",
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 11.0,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "image.cmap": "viridis",
        "legend.borderaxespad": 0.4,
        "legend.edgecolor": "none",
        "legend.fontsize": 10.0,
        "legend.frameon": False,
        "legend.handlelength": 2.4,
        "lines.linewidth": 1.8,
        "lines.markersize": 6.0,
        "lines.markeredgewidth": 1.2,
        "mathtext.fontset": "dejavusans",
        "patch.edgecolor": "none",
        "patch.facecolor": COLORS["blue"],
        "path.simplify": True,
        "scatter.edgecolors": "face",
        "svg.fonttype": "none",
        "text.color": FOREGROUND,
        "text.usetex": False,
        "xtick.color": FOREGROUND,
        "xtick.labelsize": 10.0,
        "xtick.major.size": 4.0,
        "xtick.minor.size": 2.0,
        "ytick.color": FOREGROUND,
        "ytick.labelsize": 10.0,
        "ytick.major.size": 4.0,
        "ytick.minor.size": 2.0,
    }
)
"""The matplotlib settings of the book."""

_STEPS = 101


def _gradient(lightness: tuple[float, float]) -> tuple[str, ...]:
    """Colours from orange over magenta to violet, evenly spaced in OKLCH."""
    colors = []
    for t in np.linspace(0.0, 1.0, _STEPS):
        hue = np.deg2rad(60.0 - 120.0 * t)
        light = lightness[0] + (lightness[1] - lightness[0]) * t
        chroma = 0.12
        while True:
            lab = np.array([light, chroma * np.cos(hue), chroma * np.sin(hue)])
            rgb = _OKLAB_TO_RGB @ (_OKLAB_TO_LMS @ lab) ** 3
            if rgb.min() >= 0.0 and rgb.max() <= 1.0:
                break
            chroma -= 0.002
        curved = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
        colors.append("#" + "".join(f"{round(255 * channel):02x}" for channel in curved))
    return tuple(colors)


# Ottosson, "A perceptual color space for image processing" (2020).
_OKLAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_OKLAB_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
# From faint to strong in both themes, so the order of a sequence means the same in both.
_LIGHT_SEQUENCE = _gradient((0.67, 0.25))
_DARK_SEQUENCE = _gradient((0.53, 0.88))

THEME: MappingProxyType[str, tuple[str, str, str]] = MappingProxyType(
    {
        **{COLORS[name]: (f"--ib-{name}", COLORS[name], DARK_COLORS[name]) for name in COLORS},
        MUTED: ("--ib-muted", MUTED, _DARK_MUTED),
        GRID: ("--ib-grid", GRID, _DARK_GRID),
        **{
            light: (f"--ib-sequence-{i}", light, dark)
            for i, (light, dark) in enumerate(zip(_LIGHT_SEQUENCE, _DARK_SEQUENCE, strict=True))
        },
    }
)
"""Light value of every colour that follows the theme -> (CSS variable, light, dark)."""

SEQUENCE = ListedColormap(_LIGHT_SEQUENCE, name="ib_sequence")
"""The colours of :func:`sequence` as a matplotlib colormap, for lines and contour lines."""


def sequence(n: int) -> list[str]:
    """Return `n` colours in order, from faint orange to strong violet.

    Lightness and hue both change steadily, so the order survives colour blindness and a
    black-and-white print. Each has a contrast of at least 3 to the page in either theme.

    Parameters
    ----------
    n
        Number of colours, 1 to 101. More than about eight are hard to tell apart.

    Returns
    -------
    list of str
        Hexadecimal colours; in the dark theme they turn into their dark counterparts.

    Raises
    ------
    ValueError, TypeError
        If `n` is not an integer in 1 to 101.

    Examples
    --------
    >>> from ibtools.show import sequence
    >>> len(sequence(5))
    5
    """
    n = count("n", n)
    if n > _STEPS:
        raise ValueError(
            f"n must be at most {_STEPS}, got {n}; more than about eight are hard to tell apart"
        )
    if n == 1:
        return [_LIGHT_SEQUENCE[-1]]
    return [_LIGHT_SEQUENCE[round(i * (_STEPS - 1) / (n - 1))] for i in range(n)]


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the book's matplotlib settings inside a ``with`` block.

    `explore` calls `draw` inside it. Use it yourself where a legend or a second axes is added to
    a figure that goes to `picture`.

    Examples
    --------
    >>> from ibtools.show import figure
    >>> from ibtools.show.style import house_style
    >>> with house_style():
    ...     fig, ax = figure()
    ...     _ = ax.plot([0, 1], [0, 1], label="identity")
    ...     _ = ax.legend()
    """
    with mpl.rc_context(dict(RC)):
        yield


def figure(
    width: float = 5.6,
    height: float = 3.6,
    *,
    nrows: int = 1,
    ncols: int = 1,
    **subplots: Any,
) -> tuple[Figure, Any]:
    r"""Make a figure with axes in the style of the book, outside pyplot's global state.

    Widths: up to 5.6 inches a figure shrinks to the width of a phone; anything wider scrolls
    sideways there, in a container of its own. For several panels prefer ``nrows`` to ``ncols``, or
    accept the scroll. On a phone type is a quarter larger in relation, for which the layout leaves
    room, so that labels of at least 10 points are legible.

    Labels: write Greek letters and operators as Unicode ("scale α", "‖w‖₁") or as simple
    mathtext (``r"$\|w\|_1$"``); both are shown in the page's font. Mathtext with fractions or
    stretched delimiters is drawn as outlines.

    Parameters
    ----------
    width, height
        Size in inches, positive.
    nrows, ncols
        Numbers of rows and columns of axes, at least 1.
    **subplots
        Further arguments of ``matplotlib.figure.Figure.subplots``, e.g. ``sharey=True``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes, or an array of them where there are several

    Raises
    ------
    ValueError
        If a size is not positive and finite.

    Examples
    --------
    >>> from ibtools.show import COLORS, figure
    >>> fig, ax = figure()
    >>> ax.plot([0, 1], [0, 1], color=COLORS["blue"])  # doctest: +ELLIPSIS
    [<matplotlib.lines.Line2D ...>]
    """
    width, height = positive("width", width), positive("height", height)
    nrows, ncols = count("nrows", nrows), count("ncols", ncols)
    with house_style():
        fig = Figure(figsize=(width, height), layout="constrained")
        subplot_kw = dict(subplots.pop("subplot_kw", None) or {})
        if "projection" not in subplot_kw and "polar" not in subplot_kw:
            subplot_kw.setdefault("axes_class", _BookAxes)
        axes = fig.subplots(nrows, ncols, subplot_kw=subplot_kw, **subplots)
    return fig, axes


def _axes(axes: Any) -> None:
    if not isinstance(axes, Axes):
        raise TypeError(
            f"axes must be matplotlib Axes, got {type(axes).__name__}; of the pair that "
            "ibtools.show.figure() returns, pass the second, or one of it where it is an array"
        )


def legend_below(axes: Axes) -> Legend:
    """Put the legend of some axes under their figure, where it hides nothing.

    Parameters
    ----------
    axes
        Axes with labelled lines, in a figure of :func:`figure`.

    Returns
    -------
    matplotlib.legend.Legend
        As many entries beside each other as there is room for.

    Raises
    ------
    ValueError
        If nothing in the axes has a label, or they belong to no figure.

    Examples
    --------
    >>> from ibtools.show import figure, legend_below
    >>> fig, ax = figure()
    >>> _ = ax.plot([0, 1], [0, 1], label="identity")
    >>> len(legend_below(ax).get_texts())
    1
    """
    _axes(axes)
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        raise ValueError("axes have nothing with a label; say axes.plot(..., label='what it is')")
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("axes belong to no figure; take those that ibtools.show.figure() returns")
    room, widest = 72 * figure.get_figwidth(), max(map(len, labels))
    # A letter of 10 points is six wide, a quarter more on a phone; a line and two gaps take fifty.
    columns = max(1, min(len(labels), int(room / (7.5 * widest + 50))))
    with house_style():
        return figure.legend(handles, labels, loc="outside lower left", ncols=columns)


class _BookAxes(Axes):
    """Axes whose lines are solid where a colour is given, and cycle their style where not.

    Matplotlib goes through line styles also for lines whose colour the author chose.
    """

    def plot(self, *args: Any, **kwargs: Any) -> list[Any]:
        colored = "color" in kwargs or "c" in kwargs
        if colored and not any(isinstance(arg, str) for arg in args) and "ls" not in kwargs:
            kwargs.setdefault("linestyle", "-")
        return super().plot(*args, **kwargs)


def level_sets(
    axes: Axes,
    x: Float[np.ndarray, "columns"],
    y: Float[np.ndarray, "rows"],
    values: Float[np.ndarray, "rows columns"],
    levels: Float[np.ndarray, "levels"] | list[float],
    *,
    linewidths: float = 1.4,
) -> QuadContourSet:
    """Draw level sets as lines in the colours of :func:`sequence`, in either theme.

    Filled contours are left out on purpose: their patches would hide the page's background and
    say nothing that lines with an order of colours do not.

    Parameters
    ----------
    axes
        Where to draw.
    x, y
        Coordinates of the columns and the rows of `values`.
    values
        The function on the grid. Values that are not finite leave a gap.
    levels
        The levels, strictly increasing, at least one.
    linewidths
        Width of the lines in points.

    Returns
    -------
    matplotlib.contour.QuadContourSet

    Raises
    ------
    ValueError
        If the levels are empty, not finite or not strictly increasing.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.show import figure, level_sets
    >>> fig, ax = figure()
    >>> x = np.linspace(-1, 1, 30)
    >>> drawn = level_sets(ax, x, x, x[:, None] ** 2 + x**2, [0.25, 0.5, 1.0])
    >>> len(drawn.levels)
    3
    """
    _axes(axes)
    x, y, levels = vector("x", x), vector("y", y), vector("levels", levels)
    if np.any(np.diff(levels) <= 0):
        raise ValueError(f"levels must increase strictly, got {levels}; sort them, each once")
    values = entries("values", values)
    if values.shape != (y.size, x.size) or min(values.shape) < 2:
        raise ValueError(
            f"values must have a row for each of {y.size} entries of y and a column for each of "
            f"{x.size} of x, at least two of either, got shape {values.shape}; make them on "
            "numpy.meshgrid(x, y)"
        )
    return axes.contour(
        x,
        y,
        np.ma.masked_invalid(values),
        levels=levels,
        colors=sequence(len(levels)),
        linewidths=positive("linewidths", linewidths),
        negative_linestyles="solid",
    )
