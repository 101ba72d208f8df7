"""A matplotlib figure as a small SVG that belongs to the page: its font, its colours, its theme."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import weight_dict

from .mathtext import Run, runs
from .numerals import read_aloud, with_powers
from .overlaps import hidden_data, legends
from .style import BACKGROUND, FOREGROUND, RC, THEME

_SPACE = "\ue000"  # a space of a label, as against the indentation of matplotlib's XML

ID_PREFIX = "ib-id-"
"""Stands before every id in an SVG until the block it goes into gives it its own prefix."""

BASE = 10.0
"""Size of type that the ``<svg>`` element sets, in points; every label says its multiple of it."""

GROWTH = 1.25
"""How much larger the type is on a phone (`figure.css`): every layout leaves room for that."""

_SETTINGS: Any = {
    "path.simplify_threshold": 0.15,
    "svg.fonttype": "path",
    "svg.hashsalt": "ib",
    "svg.id": None,
    "svg.image_inline": True,
}
_ANCHOR_FRACTION = {"left": 0.0, "center": 0.5, "right": 1.0}
_ANCHOR_NAME = {0.0: "", 0.5: "middle", 1.0: "end"}


Boxes = tuple[tuple[float, float, float, float], ...]
"""Left, bottom, right and top of every axes of a figure, as fractions of its size."""


def axes_boxes(figure: Figure) -> Boxes | None:
    """Return where the figure's layout engine puts its axes.

    Returns
    -------
    Boxes, or None where the layout moves more than axes: subfigures, a title over all axes

    Examples
    --------
    >>> from ibtools.show import figure
    >>> from ibtools.show.svg import axes_boxes
    >>> fig, ax = figure()
    >>> len(axes_boxes(fig))
    1
    """
    titles = (figure.get_suptitle(), figure.get_supxlabel(), figure.get_supylabel())
    engine = figure.get_layout_engine()
    if engine is None or figure.subfigs or any(titles):
        return None
    width, height = (72.0 * float(inches) for inches in figure.get_size_inches())
    with mpl.rc_context({**RC, **_SETTINGS}), _prepared(figure, width, height, io.StringIO()):
        engine.execute(figure)
    positions = (axes.get_position(original=True) for axes in figure.axes)
    return tuple((float(p.x0), float(p.y0), float(p.x1), float(p.y1)) for p in positions)


def common_boxes(layouts: Sequence[Boxes | None]) -> Boxes | None:
    """Return boxes that lie inside all the given ones, or None where they do not match.

    Examples
    --------
    >>> from ibtools.show.svg import common_boxes
    >>> common_boxes([((0.1, 0.1, 0.9, 0.9),), ((0.2, 0.1, 0.8, 1.0),)])
    ((0.2, 0.1, 0.8, 0.9),)
    """
    known = [boxes for boxes in layouts if boxes is not None]
    if len(known) < len(layouts) or len({len(boxes) for boxes in known}) != 1:
        return None
    common = []
    for boxes in zip(*known, strict=True):
        left, bottom, right, top = zip(*boxes, strict=True)
        box = max(left), max(bottom), min(right), min(top)
        if box[2] - box[0] <= 0 or box[3] - box[1] <= 0:
            return None
        common.append(box)
    return tuple(common)


def render_svg(figure: Figure, *, alt: str, boxes: Boxes | None = None) -> str:
    """Turn a figure into an ``<svg>`` element for a page.

    The element has no fixed size (CSS scales it by its ``viewBox``), inherits the page's font and
    text colour, carries `alt` as its accessible name, and writes every colour of
    :mod:`ibtools.show.style` as a CSS variable. Numbers with exponents, as 1e-06, are words in the
    name and powers in labels. Coordinates are rounded to a tenth of a point in curves and to a
    hundredth elsewhere. The same figure gives the same bytes every time.

    Parameters
    ----------
    figure
        The figure; it is drawn as it stands, with its own layout engine.
    alt
        What is to be seen, in words.
    boxes
        Where to put the axes, from `common_boxes`; otherwise the layout engine decides. Frames
        of one figure share their boxes: axes that jump while a slider moves hide what changes.

    Returns
    -------
    str
        One ``<svg>`` element, an element a line. Its ids begin with :data:`ID_PREFIX`.

    Raises
    ------
    TypeError
        If `figure` is not a matplotlib figure.

    Examples
    --------
    >>> from ibtools.show import figure
    >>> from ibtools.show.svg import render_svg
    >>> fig, ax = figure()
    >>> render_svg(fig, alt="Empty axes, from zero to one on both sides")[:36]
    '<svg role="img" aria-label="Empty ax'
    """
    return drawn(figure, alt=alt, boxes=boxes)[0]


def drawn(figure: Figure, *, alt: str, boxes: Boxes | None = None) -> tuple[str, list[str]]:
    """Return what `render_svg` returns, and what cannot be read: legends over data, small type.

    Examples
    --------
    >>> from ibtools.show import figure
    >>> from ibtools.show.svg import drawn
    >>> fig, ax = figure()
    >>> _ = ax.plot([0, 1], [0, 1], label="a line")
    >>> _ = ax.legend(loc="center")
    >>> drawn(fig, alt="A line through the middle of its axes")[1]
    ["the legend 'a line' lies over the line 'a line'"]
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    width, height = (72.0 * float(inches) for inches in figure.get_size_inches())
    stream = io.StringIO()
    with (
        mpl.rc_context({**RC, **_SETTINGS}),
        _prepared(figure, width, height, stream) as (renderer, written),
    ):
        if boxes is not None and len(boxes) == len(figure.axes):
            figure.set_layout_engine("none")
            for axes, (left, bottom, right, top) in zip(figure.axes, boxes, strict=True):
                axes.set_position((left, bottom, right - left, top - bottom))
        figure.draw(renderer)
        renderer.finalize()
        hidden = [*hidden_data(figure, renderer), *sorted(written.small)]
    label = html.escape(read_aloud(alt))
    view = f"0 0 {_number(width)} {_number(height)}"
    head = (
        f'<svg role="img" aria-label="{label}" viewBox="{view}" fill="currentColor" '
        f'font-size="{_number(BASE)}" stroke-linejoin="round" xmlns="http://www.w3.org/2000/svg">'
    )
    return head + "\n" + _compact(stream.getvalue()) + "</svg>", hidden


@contextmanager
def _prepared(figure: Figure, width: float, height: float, stream: io.StringIO) -> Iterator[Any]:
    """Lend a figure our renderer, and give it back as it was."""
    before = figure.dpi, figure.patch.get_visible(), figure.canvas
    try:
        figure.dpi = 72
        figure.patch.set_visible(False)
        for legend in legends(figure):
            # A frame is one more box to look past, but curves must not run through the text.
            legend.get_frame().set(visible=True, facecolor=BACKGROUND, edgecolor="none", alpha=0.8)
        for axes in figure.axes:
            # Fewer ticks where the larger type would make their labels touch.
            vars(axes.xaxis)["get_tick_space"] = _fewer(axes.xaxis.get_tick_space)
        writes = _Renderer(width, height, stream, image_dpi=200)
        renderer = MixedModeRenderer(figure, width / 72, height / 72, 200, writes)
        _Canvas(figure, renderer)
        yield renderer, writes
    finally:
        figure.dpi, visible, canvas = before
        figure.patch.set_visible(visible)
        figure.set_canvas(canvas)
        for axes in figure.axes:
            vars(axes.xaxis).pop("get_tick_space", None)


def _fewer(space: Callable[[], int]) -> Callable[[], int]:
    return lambda: max(1, int(space() / GROWTH))


class _Canvas(FigureCanvasBase):
    """Lends the renderer to the layout engine, so that layout and drawing measure text alike."""

    def __init__(self, figure: Figure, renderer: MixedModeRenderer) -> None:
        super().__init__(figure)
        self._renderer = renderer

    def get_renderer(self) -> MixedModeRenderer:
        return self._renderer


class _Renderer(RendererSVG):
    """Matplotlib's SVG renderer with text left to the page.

    Matplotlib aligns text with the metrics of its own font. Here every line of text is anchored
    where its author aligned it (left, centre, right), so it stays there in any other font. How far
    its baseline is from there is said in multiples of its size, so it stays there in any size, and
    the layout is that of the larger type of a phone.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.small: set[str] = set()

    def _write_metadata(self, metadata: Any) -> None:
        """Write none: a date would make every build different."""

    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        width, height, descent = self._measured(s, prop, ismath)
        return GROWTH * width, GROWTH * height, GROWTH * descent

    def _measured(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        # Parsing mathtext takes 5 ms a label; runs of text are measured a hundred times faster.
        pieces = runs(s) if ismath else None
        if pieces is None:
            return super().get_text_width_height_descent(s, prop, ismath)
        width = up = down = 0.0
        for run in pieces:
            part = prop.copy()
            part.set_size(prop.get_size_in_points() * run.scale)
            run_width, height, descent = super().get_text_width_height_descent(
                run.text, part, False
            )
            raised = run.shift * prop.get_size_in_points()
            width += run_width
            up = max(up, height - descent + raised)
            down = max(down, descent - raised)
        return width, up + down, down

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        shown = with_powers(s)
        pieces = runs(shown) if ismath else (Run(shown),)
        if pieces is None:
            super().draw_text(gc, x, y, shown, prop, angle, ismath, mtext)
            return
        fraction = _anchor(angle, mtext)
        along, across = _directions(angle)
        place = np.array([x, y])
        if fraction:
            width, _, _ = self.get_text_width_height_descent(s, prop, ismath)
            place = place + fraction * width * along
        size = prop.get_size_in_points()
        if size < BASE:
            self.small.add(f"{s!r} is set in {size:g} points, too small for a phone below {BASE:g}")
        em = GROWTH * size
        held = place
        if mtext is not None:
            held = mtext.get_transform().transform(mtext.get_unitless_position())
            held = np.array([held[0], self.height - held[1]])
        right, down = (float((place - held) @ way / em) for way in (along, across))
        x, y = held
        style = [] if size == BASE else [f"font-size:{_number(size / BASE)}em"]
        if fraction:
            style.append(f"text-anchor:{_ANCHOR_NAME[fraction]}")
        if prop.get_style() != "normal":
            style.append(f"font-style:{prop.get_style()}")
        weight = weight_dict.get(prop.get_weight(), prop.get_weight())
        if weight != 400:
            style.append(f"font-weight:{weight}")
        color = gc.get_rgb()
        fill = _color(to_hex(color[:3]))
        if fill != "currentColor":
            style.append(f"fill:{fill}")
        alpha = gc.get_alpha() if gc.get_forced_alpha() else color[3]
        if alpha != 1:
            style.append(f"opacity:{_number(alpha)}")
        attributes = {"x": _number(x), "y": _number(y)}
        if angle:
            attributes["transform"] = f"rotate({_number(-angle)} {_number(x)} {_number(y)})"
        if _number(right) != "0":
            attributes["dx"] = f"{_number(right)}em"
        if _number(down) != "0" and not pieces[0].shift:
            attributes["dy"] = f"{_number(down)}em"
        if style:
            attributes["style"] = ";".join(style)
        clip = self._get_clip_attrs(gc)
        if clip:
            self.writer.start("g", **clip)
        self.writer.start("text", **attributes)
        _write_runs(self.writer, pieces, down if pieces[0].shift else 0.0)
        self.writer.end("text")
        if clip:
            self.writer.end("g")


def _directions(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions along and down from a line of text, the y axis pointing down."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([cosine, -sine]), np.array([sine, cosine])


def _write_runs(writer: Any, pieces: tuple[Run, ...], at: float) -> None:
    """Write the runs of a line, beginning `at` so many ems below its place."""
    for run in pieces:
        step = at - run.shift
        at = run.shift
        style = []
        if run.italic:
            style.append("font-style:italic")
        if run.bold:
            style.append("font-weight:700")
        if run.scale != 1.0:
            style.append(f"font-size:{_number(run.scale)}em")
        attributes = {}
        if _number(step / run.scale) != "0":
            attributes["dy"] = f"{_number(step / run.scale)}em"
        if style:
            attributes["style"] = ";".join(style)
        if attributes:
            writer.element("tspan", run.text.replace(" ", _SPACE), attrib=attributes)
        else:
            writer.data(run.text.replace(" ", _SPACE))


def _anchor(angle: float, mtext: Any) -> float:
    """Return where along its width a line of text is held: 0 start, 1/2 middle, 1 end."""
    if mtext is None:
        return 0.0
    if angle % 360 == 0 or mtext.get_rotation_mode() == "anchor":
        # matplotlib has no public getter for the alignment of the lines among themselves
        lines = getattr(mtext, "_multialignment", None) or mtext.get_horizontalalignment()
        return _ANCHOR_FRACTION[lines]
    if angle % 180 == 90:
        vertical = mtext.get_verticalalignment()
        up = {"top": 1.0, "bottom": 0.0, "baseline": 0.0}.get(vertical, 0.5)
        return up if angle % 360 == 90 else 1.0 - up
    return 0.5


_TAG = re.compile(r"<!--.*?-->|<\?.*?\?>|<!DOCTYPE.*?>|<(/?)([\w:]+)([^>]*?)(/?)>|[^<]+", re.DOTALL)
_ATTRIBUTE = re.compile(r'([\w:-]+)="([^"]*)"')
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^)"]+)')
_SCALE_OR_FLOAT = re.compile(r"scale\([^)]*\)|-?\d*\.?\d+(?:e[-+]?\d+)?")


def _compact(raw: str) -> str:
    """Drop what a page does not need from matplotlib's SVG; see `render_svg`."""
    used = set(_REFERENCE.findall(raw))
    out: list[str] = []
    kept: list[bool] = []  # whether the element that is open at this depth was written
    in_text = False
    skip = 0  # depth inside an element that is dropped with all its content
    for match in _TAG.finditer(raw):
        closing, name, attributes, empty = match.groups()
        if name is None:
            text = match.group()
            if skip == 0 and in_text and not text.startswith("<"):
                out.append(text.strip(" \n").replace(_SPACE, " "))
            continue
        if name == "svg":
            continue
        if skip or name in ("style", "metadata"):
            # A style element inside an inline SVG would restyle the whole page.
            skip += -1 if closing else (0 if empty else 1)
            continue
        if closing:
            if kept.pop():
                out.append(f"</{name}>" if in_text and name != "text" else f"</{name}>\n")
            in_text = in_text and name != "text"
            continue
        written = _attributes(attributes, used)
        if written.endswith(' style="fill:none"') and empty:
            continue  # the background of axes
        bare = name in ("g", "defs") and not written and (name == "g" or bool(empty))
        if empty:
            if not bare:
                out.append(f"<{name}{written}/>\n")
            continue
        kept.append(not bare)
        in_text = in_text or name == "text"
        if not bare:
            out.append(f"<{name}{written}>" if in_text else f"<{name}{written}>\n")
    text = "".join(out)
    while (shorter := re.sub(r"<g[^>]*>\n</g>\n|<defs>\n</defs>\n", "", text)) != text:
        text = shorter
    return text


def _attributes(source: str, used: set[str]) -> str:
    out = []
    for name, value in _ATTRIBUTE.findall(source):
        if name == "id":
            if value.startswith("legend_"):  # what shows the picture small leaves it out
                out.append(' class="legend"')
            if value not in used:
                continue
            value = ID_PREFIX + value
        elif name == "style":
            value = _style(value)
        elif name == "d":
            value = _path(value)
        elif name in ("clip-path", "xlink:href", "href"):
            name = name.removeprefix("xlink:")
            value = value.replace("url(#", f"url(#{ID_PREFIX}")
            if value.startswith("#"):
                value = f"#{ID_PREFIX}{value[1:]}"
        elif name in ("x", "y", "width", "height", "transform", "dy"):
            value = _rounded(value)
        elif name.startswith("xml"):
            continue
        if value:
            out.append(f' {name}="{value}"')
    return "".join(out)


@lru_cache(maxsize=4096)
def _style(source: str) -> str:
    out = []
    for declaration in source.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if not name or (name, value) == ("stroke-dashoffset", "0"):
            continue
        if value.startswith("#"):
            value = _color(value)
            if (name, value) == ("fill", "currentColor"):
                continue  # the svg element says so for all
        elif value.startswith("url(#"):
            value = f"url(#{ID_PREFIX}{value[5:]}"
        elif name not in ("font-family",):
            value = _rounded(value)
        out.append(f"{name}:{value}")
    return ";".join(out)


@lru_cache(maxsize=4096)
def _color(value: str) -> str:
    value = value.lower()
    if value == FOREGROUND:
        return "currentColor"
    if value == BACKGROUND:
        return f"var(--ib-background,{BACKGROUND})"
    if value in THEME:
        return f"var({THEME[value][0]},{value})"
    return value


def _number(value: float, digits: int = 2) -> str:
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text in ("-0", ""):
        return "0"
    if text.startswith("0."):
        return text[1:]
    if text.startswith("-0."):
        return "-" + text[2:]
    return text


def _rounded(source: str) -> str:
    return _SCALE_OR_FLOAT.sub(_rounded_part, source)


def _rounded_part(match: re.Match[str]) -> str:
    part = match.group()
    # Glyph outlines are large and shrunk by a small factor, whose digits all count.
    return part if part.startswith("scale") else _number(float(part))


def _path(source: str) -> str:
    if "C" in source or "Q" in source:
        return _squeezed(re.sub(r"\s+", " ", _rounded(source)))
    out = []
    for piece in source.split("M")[1:]:
        closed = "z" in piece
        numbers = np.array(piece.replace("L", " ").replace("z", " ").split(), dtype=float)
        points = numbers.reshape(-1, 2)
        if len(points) <= 2:
            steps = np.rint(points * 100).astype(int)
            unit = 2
        else:
            steps = np.rint(points * 10).astype(int)
            unit = 1
        start, moves = steps[0], np.diff(steps, axis=0)
        moving = np.any(moves != 0, axis=1)
        if moving.any():
            moves = moves[moving]
        out.append("M" + _joined([*start.tolist()], unit))
        if len(moves):
            out.append("l" + _joined(moves.ravel().tolist(), unit))
        if closed:
            out.append("z")
    return "".join(out)


def _joined(steps: list[int], unit: int) -> str:
    words = [_step(step, unit) for step in steps]
    out = words[0]
    for word in words[1:]:
        out += word if word[0] == "-" else " " + word
    return out


@lru_cache(maxsize=65536)
def _step(step: int, unit: int) -> str:
    return _number(step / 10**unit, unit)


def _squeezed(source: str) -> str:
    return re.sub(r" ?([A-Za-z]) ?", r"\1", source).replace(" -", "-").strip()


def theme_variables(source: str) -> Mapping[str, tuple[str, str]]:
    """Return the CSS variables that an SVG uses, each with its light and its dark value.

    Examples
    --------
    >>> from ibtools.show.svg import theme_variables
    >>> dict(theme_variables("stroke:var(--ib-grid,#dfe2e5)"))
    {'--ib-grid': ('#dfe2e5', '#34393f')}
    """
    names = set(re.findall(r"var\((--ib-[\w-]+)", source))
    return {name: (light, dark) for name, light, dark in THEME.values() if name in names}
