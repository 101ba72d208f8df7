"""The interactive figure with a live kernel: the same sliders as widgets."""

from __future__ import annotations

import html
import math
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .grids import Grid

if TYPE_CHECKING:
    from .explore import Exploration


def explore_widget(exploration: Exploration) -> Any:
    """Return an interactive figure as ipywidgets; see `Exploration.widget`.

    Raises
    ------
    ImportError
        If ipywidgets is not installed.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError(
            "interactive figures with a live kernel need ipywidgets: pip install ipywidgets; "
            "without them, explore(...).html() gives the figure as a block of HTML"
        ) from error
    picture = ipywidgets.HTML()
    wrong = ipywidgets.HTML()
    sliders = {
        name: _slider(ipywidgets, grid, exploration.start[name])
        for name, grid in exploration.grids.items()
    }

    def show(_: Any = None) -> None:
        parameters = {name: slider.value for name, slider in sliders.items()}
        try:
            picture.value = exploration.block(**parameters)
            wrong.value = ""
        except Exception:
            # A callback's exception would vanish into the kernel's log.
            picture.value = ""
            wrong.value = f'<pre role="alert">{html.escape(traceback.format_exc())}</pre>'

    for slider in sliders.values():
        slider.observe(show, names="value")
    show()

    def show_at(values: Mapping[str, Any]) -> None:
        for slider in sliders.values():  # draw once, and not after each
            slider.unobserve(show, names="value")
        for name, value in values.items():
            sliders[name].value = value
        for slider in sliders.values():
            slider.observe(show, names="value")
        show()

    rows = [*sliders.values()]
    if exploration.presets:
        buttons = []
        for name, values in exploration.presets.items():
            buttons.append(ipywidgets.Button(description=name, layout={"width": "auto"}))
            buttons[-1].on_click(lambda _, values=values: show_at(values))
        rows.append(ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"}))
    return ipywidgets.VBox([*rows, wrong, picture])


def _slider(ipywidgets: Any, grid: Grid, start: Any) -> Any:
    shared = {
        "description": grid.label,
        "continuous_update": False,
        "style": {"description_width": "initial"},
        "layout": {"width": "min(32rem, 98%)"},
    }
    if grid.spacing == "linear" and len(grid.values) > 1:
        low, high = min(grid.values), max(grid.values)
        return ipywidgets.FloatSlider(
            value=start, min=low, max=high, step=(high - low) / 1000, readout_format=".4g", **shared
        )
    if grid.spacing == "geometric" and len(grid.values) > 1 and min(grid.values) > 0:
        low, high = math.log10(min(grid.values)), math.log10(max(grid.values))
        return ipywidgets.FloatLogSlider(
            value=start,
            base=10,
            min=low,
            max=high,
            step=(high - low) / 1000,
            readout_format=".3g",
            **shared,
        )
    options = [(grid.text(value), value) for value in grid.values]
    return ipywidgets.SelectionSlider(options=options, value=start, **shared)
