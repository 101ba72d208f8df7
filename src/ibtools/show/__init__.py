"""Figures for the reader: one look, descriptions in words, and sliders that need no kernel."""

from ibtools._lazy import not_installed

try:
    import matplotlib  # noqa: F401
except ModuleNotFoundError as error:
    raise not_installed(__name__, error) from error

from .explore import Exploration, Frame, explore
from .grids import Grid, choices, geomspace, linspace
from .in_page import LiveFigure, live_figure
from .picture import Picture, picture
from .style import (
    COLORS,
    FOREGROUND,
    LINESTYLES,
    MARKERS,
    MUTED,
    figure,
    legend_below,
    level_sets,
    sequence,
)

__all__ = [
    "COLORS",
    "FOREGROUND",
    "LINESTYLES",
    "MARKERS",
    "MUTED",
    "Exploration",
    "Frame",
    "Grid",
    "LiveFigure",
    "Picture",
    "choices",
    "explore",
    "figure",
    "geomspace",
    "legend_below",
    "level_sets",
    "linspace",
    "live_figure",
    "picture",
    "sequence",
]
