"""The interactive figure with a live kernel: the same controls as widgets."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from ibtools._lazy import not_installed

from .grids import Grid


@runtime_checkable
class Explorable(Protocol):
    """What there is to control: parameters with their values, and a picture for each setting."""

    @property
    def grids(self) -> Mapping[str, Grid]:
        """The values of each parameter, by its name."""
        ...

    @property
    def start(self) -> Mapping[str, Any]:
        """The setting that is shown first."""
        ...

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings by the words on their buttons."""
        ...

    def block(self, **parameters: Any) -> str:
        """Return the picture at a setting, as HTML."""
        ...


def explore_widget(exploration: Explorable) -> Any:
    """Return an interactive figure as ipywidgets; see `Exploration.widget`.

    Raises
    ------
    ImportError
        If ipywidgets is not installed.
    """
    ipywidgets = _ipywidgets()
    picture = ipywidgets.HTML()

    def show(block: str) -> None:
        picture.value = block

    rows = _controls(ipywidgets, exploration, show)
    return ipywidgets.VBox([*rows, picture])


def display_live(exploration: Explorable) -> None:
    """Display the controls, and under them the picture as an output of its own.

    Widgets are gone when a notebook is opened again or turned into a page; the picture stays, as
    the reader left it.
    """
    from IPython.display import DisplayHandle, display

    handle = DisplayHandle()
    shown = False

    def show(block: str) -> None:
        nonlocal shown
        data = {"text/html": block, "text/plain": repr(exploration)}
        if shown:
            handle.update(data, raw=True)
        else:
            first.update(data)

    first: dict[str, str] = {}
    try:
        ipywidgets = _ipywidgets()
    except ImportError:
        show(exploration.block(**exploration.start))
    else:
        display(ipywidgets.VBox(_controls(ipywidgets, exploration, show)))
    handle.display(first, raw=True)
    shown = True


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ModuleNotFoundError as error:
        what = "an interactive figure with a live kernel"
        raise not_installed(what, error) from error
    return ipywidgets


def _controls(
    ipywidgets: Any, exploration: Explorable, show_block: Callable[[str], None]
) -> list[Any]:
    """Return a control for each parameter, buttons, and a place for errors of `draw`."""
    wrong = ipywidgets.HTML()
    controls = {
        name: _control(ipywidgets, grid, exploration.start[name])
        for name, grid in exploration.grids.items()
    }

    def show(_: Any = None) -> None:
        parameters = {name: control.value for name, control in controls.items()}
        try:
            block = exploration.block(**parameters)
        except Exception:
            # A callback's exception would vanish into the kernel's log.
            show_block("")
            wrong.value = f'<pre role="alert">{html.escape(traceback.format_exc())}</pre>'
        else:
            show_block(block)
            wrong.value = ""

    for control in controls.values():
        control.observe(show, names="value")
    show()

    def show_at(values: Mapping[str, Any]) -> None:
        for control in controls.values():  # draw once, and not after each
            control.unobserve(show, names="value")
        for name, value in values.items():
            controls[name].value = value
        for control in controls.values():
            control.observe(show, names="value")
        show()

    settings = {**exploration.presets, "Reset": exploration.start}
    buttons = []
    for name, values in settings.items():
        buttons.append(ipywidgets.Button(description=name, layout={"width": "auto"}))
        buttons[-1].on_click(lambda _, values=values: show_at(values))
    row = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})
    return [*controls.values(), row, wrong]


def _control(ipywidgets: Any, grid: Grid, start: Any) -> Any:
    shared = {
        "options": [(grid.text(value), value) for value in grid.values],
        "value": start,
        "description": grid.label,
        "style": {"description_width": "initial"},
        "layout": {"width": "min(32rem, 98%)"},
    }
    if grid.in_words:
        return ipywidgets.RadioButtons(**shared)
    return ipywidgets.SelectionSlider(continuous_update=False, **shared)
