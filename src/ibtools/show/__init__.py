"""Figures for the reader: one look, descriptions in words, and sliders that need no kernel."""

from .explore import Exploration, Frame, explore
from .grids import Grid, choices, geomspace, linspace
from .in_page import LiveFigure, live_figure
from .picture import Picture, picture
from .style import (
    BACKGROUND,
    COLORS,
    FOREGROUND,
    GRID,
    LINESTYLES,
    MARKERS,
    MUTED,
    SEQUENCE,
    figure,
    house_style,
    legend_below,
    level_sets,
    sequence,
)

__all__ = [
    "BACKGROUND",
    "COLORS",
    "FOREGROUND",
    "GRID",
    "LINESTYLES",
    "MARKERS",
    "MUTED",
    "SEQUENCE",
    "Exploration",
    "Frame",
    "Grid",
    "LiveFigure",
    "Picture",
    "choices",
    "explore",
    "figure",
    "geomspace",
    "house_style",
    "legend_below",
    "level_sets",
    "linspace",
    "live_figure",
    "picture",
    "sequence",
]
