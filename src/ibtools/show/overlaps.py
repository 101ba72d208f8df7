"""What a legend hides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.transforms import Bbox

_TOUCH = 2.0  # points: a curve that grazes the corner of a legend hides nothing


def legends(figure: Figure) -> Iterator[Legend]:
    """Yield every legend of a figure."""
    yield from figure.legends
    for axes in figure.axes:
        # figure.findobj would find them too, in a quarter of the time that drawing takes.
        candidates = [axes.get_legend(), *axes.artists]
        yield from (artist for artist in candidates if isinstance(artist, Legend))


def hidden_data(figure: Figure, renderer: Any) -> list[str]:
    """Return, for every legend that lies over data, which it is and what it hides.

    Lines, markers, contour lines and outlines of areas are data; what spans a whole side of the
    axes, such as a reference line, is not, nor is anything fainter than half.

    Parameters
    ----------
    figure
        A figure that was drawn.
    renderer
        What drew it.

    Returns
    -------
    list of str
    """
    faults = []
    for legend in legends(figure):
        box = legend.get_window_extent(renderer)
        box = Bbox([[box.x0 + _TOUCH, box.y0 + _TOUCH], [box.x1 - _TOUCH, box.y1 - _TOUCH]])
        for axes in figure.axes:
            window = axes.get_window_extent(renderer)
            common = Bbox.intersection(box, window)
            if common is None or common.width <= 0 or common.height <= 0:
                continue
            name = ", ".join(text.get_text() for text in legend.get_texts())
            faults += [
                f"the legend {name!r} lies over {kind} {label!r}"
                for kind, label, paths in _data(axes)
                if any(_crosses(path, common) for path in paths)
            ]
    return faults


def _data(axes: Axes) -> Iterator[tuple[str, str, list[Path]]]:
    for line in axes.lines:
        # A line along a whole side of the axes is drawn in their coordinates.
        if line.get_transform() != axes.transData or not _shows(line):
            continue
        path = line.get_transform().transform_path(line.get_path())
        if line.get_linestyle() in ("None", "", " "):
            at = np.asarray(path.vertices)
            path = Path(at, np.full(len(at), Path.MOVETO))
        yield "the line", str(line.get_label()), [path]
    for patch in axes.patches:
        if _shows(patch) and patch.get_transform() != axes.transAxes:
            yield (
                "the area",
                str(patch.get_label()),
                [patch.get_transform().transform_path(patch.get_path())],
            )
    for collection in axes.collections:
        if not _shows(collection):
            continue
        paths = [collection.get_transform().transform_path(p) for p in collection.get_paths()]
        if collection.get_offset_transform() == axes.transData:
            at = axes.transData.transform(np.asarray(collection.get_offsets(), dtype=float))
            paths = [Path(at, np.full(len(at), Path.MOVETO))]
        yield "the collection", str(collection.get_label()), paths


def _shows(artist: Line2D | Patch | Collection) -> bool:
    alpha = artist.get_alpha()
    return bool(artist.get_visible()) and (alpha is None or float(np.min(alpha)) > 0.5)


def _crosses(path: Path, box: Bbox) -> bool:
    vertices = np.asarray(path.vertices)
    if not np.isfinite(vertices).all(axis=1).any():
        return False
    codes = path.codes
    if codes is None or np.all(codes != Path.MOVETO):
        return bool(path.intersects_bbox(box, filled=False))
    if np.all(codes == Path.MOVETO):
        x, y = vertices.T
        inside = (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
        return bool(inside.any())
    return any(
        Path(np.asarray(part)).intersects_bbox(box, filled=False)
        for part in path.to_polygons(closed_only=False)
    )
